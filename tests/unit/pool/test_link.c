/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <fcntl.h>
#include <sys/socket.h>

struct linked {
	int n;
	int fd;
	struct pool_link link;
	char failure[128];
};

static void
on_link(void *arg, const struct pool_link *link, const char *failure)
{
	struct linked *linked = arg;

	linked->n++;
	linked->fd = -1;
	if (link == NULL) {
		snprintf(
		    linked->failure, sizeof(linked->failure), "%s", failure);
		return;
	}
	linked->link = *link;
	linked->fd = link->read_fd;
}

static void
linked_say(struct fake *fake, int32_t number)
{
	const struct wire_message message = {
		.type = WIRE_LINKED, .id = 0, .status = number
	};
	int pair[2];

	assert_int_equal(wire_pair(SOCK_STREAM, pair), 0);
	assert_int_equal(
	    wire_send(fake->supervisor_fd, &message, &pair[1], 1, NULL), 0);
	close(pair[0]);
	close(pair[1]);
	fake_pump(fake);
}

/* The other ends of a box's stdin, stdout and stderr, and of its notes. */
static void
boxed_say(struct fake *fake, int32_t number, int ours[4])
{
	const struct wire_message message = { .type = WIRE_BOXED,
		.status = number };
	int in[2], out[2], errors[2], notes[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(errors, O_CLOEXEC), 0);
	assert_int_equal(wire_pair(SOCK_SEQPACKET, notes), 0);
	const int theirs[4] = { in[1], out[0], errors[0], notes[0] };
	assert_int_equal(
	    wire_send(fake->supervisor_fd, &message, theirs, 4, NULL), 0);
	for (size_t i = 0; i < 4; i++)
		close(theirs[i]);
	memcpy(ours, (const int[]){ in[0], out[1], errors[1], notes[1] },
	    4 * sizeof(*ours));
	fake_pump(fake);
}

static int32_t
link_open(struct fake *fake, struct linked *linked)
{
	assert_int_equal(pool_link_open(fake->pool, 0, on_link, linked), 0);
	return fake_expect(fake, fake->supervisor_fd, WIRE_LINK).status;
}

static void
gives_each_link_to_who_asked(void **state)
{
	struct linked a = { .fd = -1 }, b = { .fd = -1 };
	struct fake *fake = fake_new(1);
	(void)state;

	fake_start(fake);
	const int32_t first = link_open(fake, &a);
	const int32_t second = link_open(fake, &b);
	assert_int_not_equal(first, second);
	linked_say(fake, second);
	assert_int_equal(a.n, 0);
	assert_int_equal(b.n, 1);
	assert_true(b.fd >= 0);
	linked_say(fake, first);
	assert_int_equal(a.n, 1);
	close(a.fd);
	close(b.fd);
	fake_free(fake);
}

static void
gives_all_ends_of_a_box(void **state)
{
	struct linked a = { .fd = -1 };
	struct fake *fake = fake_new(1);
	int ours[4];
	char text[8];
	(void)state;

	fake_start(fake);
	boxed_say(fake, link_open(fake, &a), ours);
	assert_int_equal(a.n, 1);
	assert_int_equal(write(a.link.write_fd, "to", 2), 2);
	assert_int_equal(read(ours[0], text, sizeof(text)), 2);
	assert_int_equal(write(ours[1], "out", 3), 3);
	assert_int_equal(read(a.link.read_fd, text, sizeof(text)), 3);
	assert_int_equal(write(ours[2], "errs", 4), 4);
	assert_int_equal(read(a.link.stderr_fd, text, sizeof(text)), 4);
	assert_int_equal(write(ours[3], "a", 1), 1);
	assert_int_equal(read(a.link.notes_fd, text, sizeof(text)), 1);
	pool_link_close(&a.link);
	for (size_t i = 0; i < 4; i++)
		close(ours[i]);
	boxed_say(fake, 12345, ours); /* nobody asked: all of it is closed */
	for (size_t i = 0; i < 4; i++)
		close(ours[i]);
	fake_free(fake);
}

static void
says_why_there_is_none(void **state)
{
	struct linked a = { .fd = -1 }, b = { .fd = -1 };
	struct fake *fake = fake_new(1);
	(void)state;

	fake_start(fake);
	const int32_t number = link_open(fake, &a);
	const struct wire_message failed = {
		.type = WIRE_LINK_FAILED, .status = number, .text_len = 4
	};
	assert_int_equal(
	    wire_send(fake->supervisor_fd, &failed, NULL, 0, "busy"), 0);
	fake_pump(fake);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.fd, -1);
	assert_string_equal(a.failure, "busy");
	/* The supervisor's end is the end of what it was asked for. */
	link_open(fake, &b);
	close(fake->supervisor_fd);
	fake->supervisor_fd = -1;
	fake_pump(fake);
	assert_int_equal(b.n, 1);
	assert_string_equal(b.failure, "the supervisor is gone");
	fake_free(fake);
}

/* fake_free() counts descriptors: what nobody wants is closed. */
static void
closes_what_was_forgotten_or_never_asked_for(void **state)
{
	struct linked a = { .fd = -1 };
	struct fake *fake = fake_new(1);
	(void)state;

	fake_start(fake);
	const int32_t number = link_open(fake, &a);
	pool_link_forget(fake->pool, on_link, &a);
	linked_say(fake, number);
	linked_say(fake, 12345);
	link_open(fake, &a); /* open when the pool ends */
	assert_int_equal(a.n, 0);
	fake_free(fake);
	assert_int_equal(a.n, 0);
}

static void
on_message(void *arg, uint32_t type, int fd)
{
	*(uint32_t *)arg = type;
	close(fd);
}

static void
hands_on_what_the_store_and_the_settings_are(void **state)
{
	static const uint32_t types[] = { WIRE_STORE, WIRE_SETTINGS, WIRE_TLS };
	struct fake *fake = fake_new(1);
	uint32_t told = 0;
	int pair[2];
	(void)state;

	fake_start(fake);
	for (size_t i = 0; i < 2 * ARRAY_LEN(types); i++) {
		const uint32_t type = types[i % ARRAY_LEN(types)];
		const struct wire_message message = { .type = type };
		if (i == ARRAY_LEN(types)) /* before, nobody listens */
			pool_message_set(fake->pool, on_message, &told);
		assert_int_equal(wire_pair(SOCK_STREAM, pair), 0);
		assert_int_equal(
		    wire_send(fake->supervisor_fd, &message, &pair[1], 1, NULL),
		    0);
		close(pair[0]);
		close(pair[1]);
		fake_pump(fake);
		assert_int_equal(told, i < ARRAY_LEN(types) ? 0 : type);
	}
	fake_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_each_link_to_who_asked),
		cmocka_unit_test(gives_all_ends_of_a_box),
		cmocka_unit_test(says_why_there_is_none),
		cmocka_unit_test(closes_what_was_forgotten_or_never_asked_for),
		cmocka_unit_test(hands_on_what_the_store_and_the_settings_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
