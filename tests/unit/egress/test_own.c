/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "egress/egress.h"

#define PUBLIC "93.184.216.34"

static struct addr_ip
ip_of(const char *text)
{
	struct addr_ip ip;

	if (!addr_ip_parse(text, strlen(text), &ip))
		fail_msg("%s is no address", text);
	return ip;
}

static const char *
refusal(const struct egress *egress, const char *text)
{
	const struct addr_ip ip = ip_of(text);
	const struct addr_range *row = egress_refuses(egress, &ip);

	return row == NULL ? "" : row->name;
}

static void
refuses_by_table_and_settings_without_a_list(void **state)
{
	struct egress egress = { .own = NULL };
	(void)state;

	egress.settings.n_denied = 1;
	egress.settings.denied[0] =
	    (struct addr_prefix){ ip_of("20.0.0.0"), 8 };
	egress.settings.n_nat64 = 1;
	egress.settings.nat64[0] =
	    (struct addr_prefix){ ip_of("2a00:db8::"), 96 };
	assert_string_equal(refusal(&egress, PUBLIC), "");
	assert_string_equal(refusal(&egress, "10.0.0.1"), "private use");
	assert_string_equal(
	    refusal(&egress, "20.0.0.1"), "denied by the operator");
	assert_string_equal(refusal(&egress, "2a00:db8::7f00:1"), "loopback");
	assert_string_equal(refusal(&egress, "2a00:db8::808:808"), "");
}

/* ---- in a network namespace of its own ------------------------------------ */

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(                                               \
			    stderr, "line %d: %s\n", __LINE__, #condition);    \
			_exit(1);                                              \
		}                                                              \
	} while (0)

static void
flags_set(int fd, const char *name, short flags)
{
	struct ifreq request = { .ifr_flags = flags };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	MUST(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
}

/* An address more, as an alias of lo. */
static void
address_add(int fd, const char *name, const char *text)
{
	struct ifreq request = { .ifr_flags = 0 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	MUST(inet_pton(AF_INET, text, &in.sin_addr) == 1);
	memcpy(&request.ifr_addr, &in, sizeof(in));
	MUST(ioctl(fd, SIOCSIFADDR, &request) == 0);
}

static bool
is_own(const struct egress *egress, const char *text)
{
	return strcmp(refusal(egress, text), "an address of this host") == 0;
}

/* Turns the loop until it is so. */
static void
wait_until(struct egress *egress, const char *text, bool is)
{
	while (is_own(egress, text) != is) {
		MUST(event_base_loop(egress->base, EVLOOP_ONCE) == 0);
		MUST(!event_base_got_exit(egress->base)); /* in time */
	}
}

static size_t
n_own(const struct egress *egress)
{
	const struct addr_ip *ips;
	size_t n;

	own_get(egress->own, &ips, &n);
	return n;
}

static void
hear_changes(void)
{
	struct egress egress = { .base = event_base_new() };
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct timeval patience = { .tv_sec = 60 };

	MUST(fd >= 0);
	flags_set(fd, "lo", IFF_UP);
	address_add(fd, "lo:1", "20.1.2.3");
	MUST(own_new(&egress.own, egress.base) == 0);
	MUST(n_own(&egress) >= 2);
	MUST(is_own(&egress, "20.1.2.3"));
	MUST(is_own(&egress, "2a00::5efe:1401:203"));
	MUST(!is_own(&egress, PUBLIC));

	event_base_loopexit(egress.base, &patience);
	address_add(fd, "lo:2", PUBLIC);
	MUST(!is_own(&egress, PUBLIC));
	wait_until(&egress, PUBLIC, true);
	MUST(is_own(&egress, "20.1.2.3"));

	flags_set(fd, "lo:1", 0); /* of an alias: it is gone */
	wait_until(&egress, "20.1.2.3", false);
	MUST(is_own(&egress, PUBLIC));

	/* more messages than the socket holds: some are lost, none is missed */
	char name[16], text[32];
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "lo:%d", 10 + i);
		snprintf(
		    text, sizeof(text), "21.0.%d.%d", i / 200, 1 + i % 200);
		address_add(fd, name, text);
	}
	for (int i = 0; i < 2000; i++) {
		snprintf(
		    text, sizeof(text), "21.0.%d.%d", i / 200, 1 + i % 200);
		wait_until(&egress, text, true);
	}
	close(fd);
	own_free(egress.own);
	event_base_free(egress.base);
	_exit(0);
}

static void
hears_of_every_change(void **state)
{
	int status = 0;
	(void)state;

	const pid_t pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) != 0 &&
		    unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
			_exit(77);
		hear_changes();
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip(); /* no namespaces here */
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
lists_what_this_host_has(void **state)
{
	struct egress egress = { .base = event_base_new() };
	(void)state;

	assert_int_equal(own_new(&egress.own, egress.base), 0);
	assert_null(own_free(NULL));
	egress.own = own_free(egress.own);
	event_base_free(egress.base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_by_table_and_settings_without_a_list),
		cmocka_unit_test(lists_what_this_host_has),
		cmocka_unit_test(hears_of_every_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
