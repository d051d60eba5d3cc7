/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The way out of a box: listeners made inside are served out here, and tell
 * which address the program dialled.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/launch.h"
#include "box/listener.h"
#include "test.h"

#define WAIT_MS 20000

static const uint16_t ports[] = { 443, 3128, 5432 };
static const uint32_t addresses[] = { 0x5db8d822 }; /* 93.184.216.34 */

struct boxed {
	struct box_child child;
	int notes_fd;
	int out_fd; /* its stdout */
	int egress_fd; /* our end */
	int launcher_fd; /* the other */
	int listeners[8]; /* DNS, proxy, SOCKS, then ports */
};

static void
box_start(
    struct boxed *boxed, int in_fd, const char *const *argv, uint32_t n_argv)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin",
		"ASAN_OPTIONS=detect_leaks=0", NULL };
	const struct box_grant grant = { DIALER, "", BOX_ACCESS_READ, 0 };
	const struct box_spec spec = { .argv = argv,
		.n_argv = n_argv,
		.env = env,
		.n_env = 2,
		.grants = &grant,
		.n_grants = 1,
		.cwd = "/tmp",
		.home = "/home/user",
		.ports = ports,
		.n_ports = ARRAY_LEN(ports),
		.addresses = addresses,
		.n_addresses = ARRAY_LEN(addresses) };
	struct err err = { "" };
	int notes[2], channel[2], out[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, notes), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	auto_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	const struct box_launch launch = { .spec = &spec,
		.stdio = { in_fd < 0 ? null_fd : in_fd, out[1], 2 },
		.notes_fd = notes[1],
		.egress_fd = channel[1] };
	if (box_launch(&launch, &boxed->child, &err) != 0)
		fail_msg("%s", err.text);
	close(notes[1]);
	close(out[1]);
	boxed->notes_fd = notes[0];
	boxed->out_fd = out[0];
	boxed->egress_fd = channel[0];
	boxed->launcher_fd = channel[1];
}

static void
listeners_take(struct boxed *boxed)
{
	static const struct box_listener_note wanted[] = {
		{ BOX_LISTENER_DNS, 53, 0 },
		{ BOX_LISTENER_HTTP_PROXY, BOX_HTTP_PROXY_PORT, 0 },
		{ BOX_LISTENER_SOCKS, BOX_SOCKS_PORT, 0 },
		{ BOX_LISTENER_TCP, 443, 0 },
		{ BOX_LISTENER_TCP, 3128, 0 },
		{ BOX_LISTENER_TCP, 5432, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		struct box_listener_note note;
		assert_int_equal(box_listener_receive(boxed->egress_fd, &note,
				     &boxed->listeners[i]),
		    0);
		assert_memory_equal(&note, &wanted[i], sizeof(note));
	}
	for (size_t i = ARRAY_LEN(wanted); i < ARRAY_LEN(boxed->listeners); i++)
		boxed->listeners[i] = -1;
}

static void
box_end(struct boxed *boxed)
{
	int status;

	assert_int_equal(
	    waitpid(boxed->child.pid, &status, 0), boxed->child.pid);
	for (size_t i = 0; i < ARRAY_LEN(boxed->listeners); i++)
		if (boxed->listeners[i] >= 0)
			close(boxed->listeners[i]);
	close(boxed->child.pidfd);
	close(boxed->notes_fd);
	close(boxed->out_fd);
	close(boxed->egress_fd);
	if (boxed->launcher_fd >= 0)
		close(boxed->launcher_fd);
}

static void
assert_says(struct boxed *boxed, const char *wanted)
{
	char text[256] = "";
	size_t len = 0;
	ssize_t n;

	while (
	    (n = read(boxed->out_fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	assert_string_equal(text, wanted);
}

static void
readable_wait(int fd)
{
	struct pollfd poll_fd = { fd, POLLIN, 0 };

	assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
}

/* Serves one connection; the address that was dialled. */
static void
answer(int listener_fd, const char *wanted_host, uint16_t wanted_port)
{
	struct sockaddr_in at = { 0 };
	socklen_t len = sizeof(at);
	char host[INET_ADDRSTRLEN], hello[8] = "";

	readable_wait(listener_fd);
	auto_close int fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	inet_ntop(AF_INET, &at.sin_addr, host, sizeof(host));
	assert_string_equal(host, wanted_host);
	assert_int_equal(ntohs(at.sin_port), wanted_port);
	readable_wait(fd);
	assert_int_equal(recv(fd, hello, sizeof(hello), 0), 5);
	assert_int_equal(send(fd, "world", 5, MSG_NOSIGNAL), 5);
}

static void
dialled(const char *host, const char *port, size_t listener)
{
	const char *const argv[] = { DIALER, "tcp", host, port, NULL };
	struct boxed boxed;

	box_start(&boxed, -1, argv, 4);
	listeners_take(&boxed);
	answer(boxed.listeners[listener], host, (uint16_t)atoi(port));
	assert_says(&boxed, "world\n");
	box_end(&boxed);
}

static void
the_listener_tells_which_address_was_dialled(void **state)
{
	(void)state;
	dialled("198.18.7.7", "443", 3);
	dialled("198.19.255.254", "5432", 5);
	dialled("93.184.216.34", "5432", 5);
	dialled("127.0.0.1", "5432", 5);
	dialled("198.18.0.1", "1080", 2);
}

static void
a_port_of_a_rule_may_be_that_of_a_proxy(void **state)
{
	(void)state;
	dialled("198.18.0.1", "3128", 1);
	dialled("198.18.7.7", "3128", 4);
}

static void
the_name_server_is_asked_over_udp(void **state)
{
	const char *const argv[] = { DIALER, "udp", "198.18.0.1", "53", NULL };
	struct sockaddr_in from = { 0 };
	socklen_t len = sizeof(from);
	struct boxed boxed;
	char hello[8];

	(void)state;
	box_start(&boxed, -1, argv, 4);
	listeners_take(&boxed);
	readable_wait(boxed.listeners[0]);
	assert_int_equal(recvfrom(boxed.listeners[0], hello, sizeof(hello), 0,
			     (struct sockaddr *)&from, &len),
	    5);
	assert_int_equal(sendto(boxed.listeners[0], "world", 5, 0,
			     (const struct sockaddr *)&from, len),
	    5);
	assert_says(&boxed, "world\n");
	box_end(&boxed);
}

static void
refused(const char *host, const char *port, int code)
{
	const char *const argv[] = { DIALER, "tcp", host, port, NULL };
	struct boxed boxed;
	char wanted[32];

	box_start(&boxed, -1, argv, 4);
	listeners_take(&boxed);
	snprintf(wanted, sizeof(wanted), "errno %d\n", code);
	assert_says(&boxed, wanted);
	box_end(&boxed);
}

static void
nothing_else_leads_anywhere(void **state)
{
	(void)state;
	refused("198.18.7.7", "80", ECONNREFUSED);
	refused("93.184.216.35", "443", ENETUNREACH);
	refused("198.20.0.1", "443", ENETUNREACH);
	refused("10.0.0.1", "443", ENETUNREACH);
}

/* Once egress is gone, nobody answers in its place. */
static void
a_closed_listener_refuses(void **state)
{
	const char *const argv[] = { "sh", "-c",
		"read go; exec " DIALER " tcp 198.18.7.7 443", NULL };
	struct boxed boxed;
	int in[2];

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	box_start(&boxed, in[0], argv, 3);
	listeners_take(&boxed);
	for (size_t i = 0; i < ARRAY_LEN(boxed.listeners); i++)
		if (boxed.listeners[i] >= 0)
			close(boxed.listeners[i]);
	memset(boxed.listeners, 0xff, sizeof(boxed.listeners));
	assert_int_equal(write(in[1], "\n", 1), 1);
	close(in[0]);
	close(in[1]);
	assert_says(&boxed, "errno 111\n");
	box_end(&boxed);
}

static void
neither_init_nor_the_program_holds_any_of_it(void **state)
{
	const char *const argv[] = { "sh", "-c", DIALER " fds; exec sleep 1000",
		NULL };
	struct box_listener_note note;
	struct boxed boxed;
	char text[64] = "";
	int fd = -1;

	(void)state;
	box_start(&boxed, -1, argv, 3);
	listeners_take(&boxed);
	assert_true(read(boxed.out_fd, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "none else\n");
	/* Ours was the last: the box is over, for who serves it. */
	close(fd_steal(&boxed.launcher_fd));
	assert_int_equal(
	    box_listener_receive(boxed.egress_fd, &note, &fd), BOX_E_CLOSED);
	kill(boxed.child.pid, SIGKILL);
	box_end(&boxed);
}

static void
a_box_that_nobody_serves_does_not_start(void **state)
{
	static const char *const argv[] = { "true", NULL };
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	const struct box_spec spec = { .argv = argv,
		.n_argv = 1,
		.env = env,
		.n_env = 1,
		.cwd = "/tmp",
		.home = "/home/user",
		.ports = ports,
		.n_ports = 1 };
	struct box_launch launch = {
		.spec = &spec, .stdio = { 0, 1, 2 }, .egress_fd = -1
	};
	struct box_child child;
	struct err err = { "" };
	int notes[2], channel[2];

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, notes), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel), 0);
	launch.notes_fd = notes[1];
	assert_true(box_launch(&launch, &child, &err) < 0);
	assert_non_null(strstr(err.text, "nobody serves"));
	close(channel[0]);
	launch.egress_fd = channel[1];
	assert_true(box_launch(&launch, &child, &err) < 0);
	assert_non_null(strstr(err.text, "a listener of the way out"));
	close(channel[1]);
	close(notes[0]);
	close(notes[1]);
}

/* What came with it is closed: the pipe has no writer left. */
static void
what_is_no_listener_is_refused(void **state)
{
	const struct box_listener_note good = { BOX_LISTENER_TCP, 443, 0 };
	const struct box_listener_note bad = { 9, 443, 0 };
	struct box_listener_note note;
	int channel[2], end[2], fd = -1;
	char byte;

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel), 0);
	assert_int_equal(pipe2(end, O_CLOEXEC), 0);
	assert_int_equal(box_listener_receive(channel[0], &note, &fd), -EAGAIN);
	assert_int_equal(box_listener_send(channel[1], &bad, end[1]), 0);
	close(end[1]);
	assert_int_equal(
	    box_listener_receive(channel[0], &note, &fd), BOX_E_FORMAT);
	assert_int_equal(read(end[0], &byte, 1), 0);
	assert_true(send(channel[1], &good, sizeof(good), 0) > 0);
	assert_int_equal(
	    box_listener_receive(channel[0], &note, &fd), BOX_E_FORMAT);
	assert_true(send(channel[1], "x", 1, 0) > 0);
	assert_int_equal(
	    box_listener_receive(channel[0], &note, &fd), BOX_E_FORMAT);
	assert_int_equal(fd, -1);
	close(end[0]);
	close(channel[0]);
	close(channel[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_listener_tells_which_address_was_dialled),
		cmocka_unit_test(a_port_of_a_rule_may_be_that_of_a_proxy),
		cmocka_unit_test(the_name_server_is_asked_over_udp),
		cmocka_unit_test(nothing_else_leads_anywhere),
		cmocka_unit_test(a_closed_listener_refuses),
		cmocka_unit_test(neither_init_nor_the_program_holds_any_of_it),
		cmocka_unit_test(a_box_that_nobody_serves_does_not_start),
		cmocka_unit_test(what_is_no_listener_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
