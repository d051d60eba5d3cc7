/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "egress/doors/relay.h"
#include "egress/pipe.h"

#define MIB (1u << 20)
#define N_MANY 80u /* more than there are pipes */

/* A client and an origin, a relay between them. */
struct pair {
	struct relay *relay;
	int fds[2]; /* our ends: the client's, the origin's */
	size_t sent[2];
	size_t heard[2]; /* by the end of that index */
	size_t moved[2];
	size_t moved_max; /* then it is stopped */
	int over; /* enum relay_over; -1: not yet */
};

static struct event_base *base;

static unsigned
descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL)
		n++;
	closedir(folder);
	return n;
}

static bool
on_moved(void *arg, unsigned end, size_t len)
{
	struct pair *pair = arg;

	pair->moved[end] += len;
	return pair->moved[0] + pair->moved[1] <= pair->moved_max;
}

static void
on_over(void *arg, enum relay_over how)
{
	struct pair *pair = arg;

	assert_int_equal(pair->over, -1);
	pair->over = (int)how;
	pair->relay = relay_free(pair->relay);
}

static void
pair_open(struct pair *pair)
{
	int client[2], origin[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, client), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, origin), 0);
	*pair = (struct pair){ .fds = { client[1], origin[1] },
		.moved_max = SIZE_MAX,
		.over = -1 };
	const struct relay_setup setup = { .base = base,
		.fds = { client[0], origin[0] },
		.moved = on_moved,
		.over = on_over,
		.arg = pair };
	assert_int_equal(relay_new(&pair->relay, &setup), 0);
}

static void
pair_close(struct pair *pair)
{
	pair->relay = relay_free(pair->relay);
	for (unsigned i = 0; i < 2; i++)
		if (pair->fds[i] >= 0)
			close(pair->fds[i]);
}

/* The byte at a place of what one end says. */
static uint8_t
byte_at(unsigned end, size_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) + (at >> 16) * 7 + end * 101);
}

/* An end says as much as fits, up to len in all. */
static void
say(struct pair *pair, unsigned end, size_t len)
{
	static uint8_t bytes[48 << 10];

	while (pair->sent[end] < len) {
		size_t n = len - pair->sent[end];
		if (n > sizeof(bytes))
			n = sizeof(bytes);
		for (size_t i = 0; i < n; i++)
			bytes[i] = byte_at(end, pair->sent[end] + i);
		const ssize_t put =
		    send(pair->fds[end], bytes, n, MSG_NOSIGNAL);
		if (put <= 0)
			return;
		pair->sent[end] += (size_t)put;
	}
}

/* An end reads what is there, and compares. True: it read the other's end. */
static bool
hear(struct pair *pair, unsigned end)
{
	static uint8_t bytes[30000];
	ssize_t n;

	while ((n = recv(pair->fds[end], bytes, sizeof(bytes), 0)) > 0)
		for (ssize_t i = 0; i < n; i++, pair->heard[end]++)
			if (bytes[i] != byte_at(1 - end, pair->heard[end]))
				fail_msg(
				    "byte %zu is another", pair->heard[end]);
	return n == 0;
}

static void
turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
every_byte_arrives_both_ways(void **state)
{
	const unsigned before = descriptors();
	const size_t len = 9 * MIB + 12345;
	struct pair pair;
	unsigned most = 0;

	(void)state;
	pair_open(&pair);
	while (pair.heard[0] < len || pair.heard[1] < len) {
		for (unsigned end = 0; end < 2; end++) {
			say(&pair, end, len);
			hear(&pair, end);
		}
		turn();
		most = descriptors() > most ? descriptors() : most;
	}
	assert_int_equal(pair.moved[0], len);
	assert_int_equal(pair.moved[1], len);
	/* Four sockets; and two pipes, for what is large. */
	assert_int_equal(most, before + 4 + 4);
	assert_int_equal(shutdown(pair.fds[0], SHUT_WR), 0);
	while (!hear(&pair, 1))
		turn();
	assert_int_equal(pair.over, -1);
	assert_true(relay_is_half(pair.relay));
	assert_int_equal(shutdown(pair.fds[1], SHUT_WR), 0);
	while (pair.over < 0)
		turn();
	assert_int_equal(pair.over, RELAY_DONE);
	pair_close(&pair);
	assert_int_equal(descriptors(), before);
}

/* What it does not take is not read: no more than sockets and a piece hold. */
static void
who_does_not_read_is_waited_for(void **state)
{
	const size_t len = 16 * MIB;
	struct pair pair;
	size_t before;

	(void)state;
	pair_open(&pair);
	while (pair.heard[0] < 3 * MIB) {
		say(&pair, 1, len);
		turn();
		hear(&pair, 0);
	}
	do { /* nobody reads any more */
		before = pair.sent[1];
		say(&pair, 1, len);
		turn();
	} while (pair.sent[1] > before);
	assert_true(pair.sent[1] - pair.heard[0] < 2 * MIB);
	/* The other way goes on meanwhile. */
	while (pair.heard[1] < MIB / 2) {
		say(&pair, 0, MIB / 2);
		turn();
		hear(&pair, 1);
	}
	while (pair.heard[0] < len) {
		say(&pair, 1, len);
		turn();
		hear(&pair, 0);
	}
	assert_int_equal(pair.over, -1);
	pair_close(&pair);
}

static void
an_end_that_comes_with_bytes_unsent_comes_after_them(void **state)
{
	const size_t len = 5 * MIB;
	struct pair pair;
	bool ended = false;

	(void)state;
	pair_open(&pair);
	while (pair.sent[1] < len) {
		say(&pair, 1, len);
		turn();
		if (pair.sent[1] < len)
			hear(&pair, 0);
	}
	shutdown(pair.fds[1], SHUT_WR);
	for (int i = 0; i < 10; i++)
		turn();
	while (!ended) {
		ended = hear(&pair, 0);
		turn();
	}
	assert_int_equal(pair.heard[0], len);
	pair_close(&pair);
}

static void
who_leaves_ends_it(void **state)
{
	static const enum relay_over how[] = { RELAY_LEFT, RELAY_RESET };
	const unsigned before = descriptors();

	(void)state;
	for (unsigned leaver = 0; leaver < 2; leaver++) {
		struct pair pair;
		pair_open(&pair);
		while (pair.heard[leaver] < 2 * MIB) {
			say(&pair, 1 - leaver, SIZE_MAX);
			turn();
			hear(&pair, leaver);
		}
		close(pair.fds[leaver]);
		pair.fds[leaver] = -1;
		while (pair.over < 0) {
			say(&pair, 1 - leaver, SIZE_MAX);
			turn();
		}
		assert_int_equal(pair.over, how[leaver]);
		pair_close(&pair);
	}
	assert_int_equal(descriptors(), before);
}

static void
what_is_spent_stops_it_also_where_nothing_is_copied(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	pair.moved_max = 4 * MIB;
	while (pair.over < 0) {
		say(&pair, 1, SIZE_MAX);
		turn();
		hear(&pair, 0);
	}
	assert_int_equal(pair.over, RELAY_STOPPED);
	assert_in_range(pair.heard[0], 3 * MIB, 4 * MIB);
	pair_close(&pair);
}

static void
where_pipes_run_out_it_copies(void **state)
{
	static struct pair pairs[N_MANY];
	const unsigned before = descriptors();

	(void)state;
	for (unsigned i = 0; i < N_MANY; i++)
		pair_open(&pairs[i]);
	for (unsigned i = 0; i < N_MANY; i++)
		while (pairs[i].heard[0] < 3 * MIB) {
			say(&pairs[i], 1, 3 * MIB);
			turn();
			hear(&pairs[i], 0);
		}
	assert_int_equal(descriptors(), before + 4 * N_MANY + 2 * PIPES_MAX);
	for (unsigned i = 0; i < N_MANY; i++)
		pair_close(&pairs[i]);
	assert_int_equal(descriptors(), before);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_arrives_both_ways),
		cmocka_unit_test(who_does_not_read_is_waited_for),
		cmocka_unit_test(
		    an_end_that_comes_with_bytes_unsent_comes_after_them),
		cmocka_unit_test(who_leaves_ends_it),
		cmocka_unit_test(
		    what_is_spent_stops_it_also_where_nothing_is_copied),
		cmocka_unit_test(where_pipes_run_out_it_copies),
	};

	signal(SIGPIPE, SIG_IGN); /* as egress does */
	base = event_base_new();
	const int failed = cmocka_run_group_tests(tests, NULL, NULL);
	event_base_free(base);
	return failed;
}
