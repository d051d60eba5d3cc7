/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "ctl/serve/listen.h"

static void
port_0_is_a_real_port(void **state)
{
	struct ctl_listener listener;
	struct err err;
	int accepting = 0;
	socklen_t len = sizeof(accepting);

	(void)state;
	assert_int_equal(ctl_listen("127.0.0.1:0", true, &listener, &err), 0);
	assert_true(listener.is_loopback);
	assert_int_equal(strncmp(listener.address, "127.0.0.1:", 10), 0);
	assert_true(atoi(listener.address + 10) > 0);
	assert_true((fcntl(listener.fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(fcntl(listener.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(getsockopt(listener.fd, SOL_SOCKET, SO_ACCEPTCONN,
			     &accepting, &len),
	    0);
	assert_true(accepting);
	close(listener.fd);
}

static void
says_when_a_port_is_taken(void **state)
{
	struct ctl_listener first, second = { .fd = -1 };
	struct err err;

	(void)state;
	assert_int_equal(ctl_listen("localhost:0", true, &first, &err), 0);
	assert_int_equal(
	    ctl_listen(first.address, true, &second, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "is taken"));
	assert_int_equal(second.fd, -1);
	close(first.fd);
}

static void
refuses_other_machines_without_authentication(void **state)
{
	struct ctl_listener listener;
	struct err err;

	(void)state;
	assert_int_equal(
	    ctl_listen("0.0.0.0:0", true, &listener, &err), -EPERM);
	assert_non_null(strstr(err.text, "--no-auth"));
	assert_int_equal(ctl_listen("[::]:0", true, &listener, &err), -EPERM);
	assert_int_equal(
	    ctl_listen("[::ffff:127.0.0.1]:0", true, &listener, &err), -EPERM);
}

static void
refuses_what_is_no_address(void **state)
{
	static const char *const bad[] = { "", ":", "80", "127.0.0.1",
		"127.0.0.1:", ":7330", "127.0.0.1:99999", "127.0.0.1:-1",
		"example.org:80", "::1:80", "[::1]", "[::1:80", "::1]:80",
		"127.0.0.1:80x", "127.0.0.1 :80" };
	struct ctl_listener listener;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (ctl_listen(bad[i], true, &listener, NULL) != -EINVAL)
			fail_msg("took \"%s\"", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_0_is_a_real_port),
		cmocka_unit_test(says_when_a_port_is_taken),
		cmocka_unit_test(refuses_other_machines_without_authentication),
		cmocka_unit_test(refuses_what_is_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
