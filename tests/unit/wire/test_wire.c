/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "wire/wire.h"

#define MANY_FDS 8

static const struct {
	const char *name;
	uint8_t n_fds;
	uint8_t text;
} shapes[] = {
#define WIRE_MESSAGE(type, fds, text) { #type, fds, text },
#include "wire/wire.def"
#undef WIRE_MESSAGE
};

struct channel {
	int here, there;
	size_t n_open; /* descriptors of this process at the start */
};

static char text[WIRE_TEXT_MAX + 1];

/* How many descriptors this process has. */
static size_t
open_count(void)
{
	size_t n = 0;
	DIR *dir = opendir("/proc/self/fd");

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static int
channel_open(void **state)
{
	static struct channel channel;
	int pair[2];

	if (wire_pair(SOCK_SEQPACKET, pair) != 0)
		return -1;
	channel = (struct channel){ pair[0], pair[1], 0 };
	channel.n_open = open_count();
	*state = &channel;
	return 0;
}

static int
channel_close(void **state)
{
	const struct channel *channel = *state;

	close(channel->here);
	close(channel->there);
	return 0;
}

/* What a peer that obeys nothing sends: any bytes, any descriptors. */
static void
raw_send(int fd, const void *bytes, size_t len, size_t n_fds)
{
	union {
		char bytes[CMSG_SPACE(MANY_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (size_t i = 0; i < n_fds; i++)
			memcpy(
			    CMSG_DATA(cmsg) + i * sizeof(int), &fd, sizeof(fd));
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), (ssize_t)len);
}

static int
receive(const struct channel *channel, struct wire_message *message, int *fds)
{
	return wire_receive(channel->here, MSG_DONTWAIT, message, fds, text);
}

/* Refused as misshapen, and nothing stays open. */
static void
assert_refused(
    const struct channel *channel, const void *bytes, size_t len, size_t n_fds)
{
	struct wire_message message = { .id = 77 };
	int fds[WIRE_FDS_MAX];

	raw_send(channel->there, bytes, len, n_fds);
	assert_int_equal(receive(channel, &message, fds), WIRE_E_SHAPE);
	assert_int_equal(message.id, 77);
	assert_int_equal(open_count(), channel->n_open);
}

static void
carries_every_type_in_its_shape(void **state)
{
	const struct channel *channel = *state;
	const int sent_fds[WIRE_FDS_MAX] = { channel->here, channel->there };

	for (uint32_t type = 0; type < WIRE_N_TYPES; type++) {
		const struct wire_message sent = { .type = type,
			.id = 1000 + type,
			.status = -5,
			.text_len = shapes[type].text ? 5 : 0,
			.limits = WIRE_LIMITS_DEFAULT };
		struct wire_message got = { 0 };
		int fds[WIRE_FDS_MAX] = { 99, 99 };

		assert_int_equal(wire_send(channel->there, &sent, sent_fds,
				     shapes[type].n_fds, "hello"),
		    0);
		assert_int_equal(receive(channel, &got, fds), 0);
		assert_memory_equal(&got, &sent, sizeof(got));
		assert_string_equal(text, shapes[type].text ? "hello" : "");
		for (size_t i = 0; i < WIRE_FDS_MAX; i++) {
			if (i >= shapes[type].n_fds) {
				assert_int_equal(fds[i], -1);
				continue;
			}
			assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
			close(fds[i]);
		}
		assert_int_equal(open_count(), channel->n_open);
	}
}

static void
carries_the_longest_text(void **state)
{
	const struct channel *channel = *state;
	static char sent_text[WIRE_TEXT_MAX];
	const struct wire_message sent = { .type = WIRE_REFUSED,
		.text_len = WIRE_TEXT_MAX };
	struct wire_message got;
	int fds[WIRE_FDS_MAX];

	memset(sent_text, 'x', sizeof(sent_text));
	assert_int_equal(
	    wire_send(channel->there, &sent, NULL, 0, sent_text), 0);
	assert_int_equal(receive(channel, &got, fds), 0);
	assert_int_equal(got.text_len, WIRE_TEXT_MAX);
	assert_memory_equal(text, sent_text, WIRE_TEXT_MAX);
	assert_int_equal(text[WIRE_TEXT_MAX], 0);
}

static void
refuses_types_it_does_not_know(void **state)
{
	static const uint32_t types[] = { WIRE_N_TYPES, WIRE_N_TYPES + 1, 256,
		0x80000000u, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		for (size_t n = 0; n <= WIRE_FDS_MAX; n++) {
			const struct wire_message message = { .type =
								  types[i] };
			assert_refused(*state, &message, sizeof(message), n);
		}
}

static void
refuses_any_other_number_of_descriptors(void **state)
{
	for (uint32_t type = 0; type < WIRE_N_TYPES; type++)
		for (size_t n = 0; n <= MANY_FDS; n++) {
			const struct wire_message message = { .type = type };
			if (n != shapes[type].n_fds)
				assert_refused(
				    *state, &message, sizeof(message), n);
		}
}

static void
refuses_what_is_shorter_than_a_message(void **state)
{
	const struct wire_message message = { .type = WIRE_OPENED };

	for (size_t len = 1; len < sizeof(message); len++)
		assert_refused(*state, &message, len, len % 3);
}

static void
refuses_text_of_another_length_than_it_says(void **state)
{
	static const uint32_t claims[] = { 0, 4, 6, WIRE_TEXT_MAX, UINT32_MAX,
		UINT32_MAX - sizeof(struct wire_message) + 1 };
	struct {
		struct wire_message message;
		char text[5];
	} sent = { .message = { .type = WIRE_REFUSED }, .text = "hello" };
	const size_t len = offsetof(__typeof__(sent), text) + 5;

	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		sent.message.text_len = claims[i];
		assert_refused(*state, &sent, len, 0);
	}
	sent.message.text_len = 5;
	assert_refused(*state, &sent, sizeof(sent.message), 0);
}

static void
refuses_text_where_none_may_be(void **state)
{
	static const char bytes[sizeof(struct wire_message) + 1];
	uint8_t sent[sizeof(bytes)];

	for (uint32_t type = 0; type < WIRE_N_TYPES; type++) {
		const struct wire_message message = { .type = type,
			.text_len = 1 };
		memcpy(sent, &message, sizeof(message));
		sent[sizeof(message)] = 'x';
		if (!shapes[type].text)
			assert_refused(
			    *state, sent, sizeof(sent), shapes[type].n_fds);
	}
}

static void
refuses_more_text_than_there_is_room_for(void **state)
{
	const struct wire_message message = { .type = WIRE_REFUSED,
		.text_len = WIRE_TEXT_MAX + 1 };
	auto_free uint8_t *sent =
	    calloc(1, sizeof(message) + WIRE_TEXT_MAX + 1);

	memcpy(sent, &message, sizeof(message));
	assert_refused(*state, sent, sizeof(message) + WIRE_TEXT_MAX + 1, 0);
}

static void
closes_the_descriptors_of_an_empty_message(void **state)
{
	const struct channel *channel = *state;

	for (size_t n = 0; n <= MANY_FDS; n++) {
		struct wire_message message;
		int fds[WIRE_FDS_MAX];

		raw_send(channel->there, "", 0, n);
		assert_int_equal(
		    receive(channel, &message, fds), WIRE_E_CLOSED);
		assert_int_equal(open_count(), channel->n_open);
	}
}

static void
tells_an_empty_queue_from_a_peer_that_is_gone(void **state)
{
	const struct channel *channel = *state;
	struct wire_message message = { .type = WIRE_NONE };
	int fds[WIRE_FDS_MAX], pair[2];

	assert_int_equal(receive(channel, &message, fds), -EAGAIN);
	assert_int_equal(wire_pair(SOCK_SEQPACKET, pair), 0);
	auto_close int left_fd = pair[0];
	assert_int_equal(wire_send(pair[1], &message, NULL, 0, NULL), 0);
	close(pair[1]);
	assert_int_equal(wire_receive(left_fd, 0, &message, fds, text), 0);
	assert_int_equal(
	    wire_receive(left_fd, 0, &message, fds, text), WIRE_E_CLOSED);
	assert_int_equal(
	    wire_send(left_fd, &message, NULL, 0, NULL), WIRE_E_CLOSED);
	assert_true(wire_receive(-1, 0, &message, fds, text) == -EBADF);
}

static void
says_that_the_socket_is_full(void **state)
{
	const struct channel *channel = *state;
	const struct wire_message message = { .type = WIRE_KILL };
	int code;

	assert_int_equal(fcntl(channel->there, F_SETFL, O_NONBLOCK), 0);
	do
		code = wire_send(channel->there, &message, NULL, 0, NULL);
	while (code == 0);
	assert_int_equal(code, -EAGAIN);
}

static void
sends_nothing_misshapen(void **state)
{
	const struct channel *channel = *state;
	const int fds[] = { 0, 0, 0 };
	const struct {
		struct wire_message message;
		size_t n_fds;
	} bad[] = {
		{ { .type = WIRE_N_TYPES }, 0 },
		{ { .type = WIRE_OPEN }, 1 },
		{ { .type = WIRE_CELL }, 0 },
		{ { .type = WIRE_CELL }, 2 },
		{ { .type = WIRE_TEMPLATE_FORK }, 3 },
		{ { .type = WIRE_REFUSED, .text_len = WIRE_TEXT_MAX + 1 }, 0 },
	};
	struct wire_message message;
	int received[WIRE_FDS_MAX];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(wire_send(channel->there, &bad[i].message, fds,
				     bad[i].n_fds, text),
		    -EINVAL);
	assert_int_equal(receive(channel, &message, received), -EAGAIN);
}

/* This process has no room for a descriptor: that message is lost, no more. */
static void
loses_what_it_has_no_room_for(void **state)
{
	const struct channel *channel = *state;
	const struct wire_message sent = { .type = WIRE_CELL, .id = 5 };
	struct wire_message message = { .id = 77 };
	struct rlimit before, none;
	int fds[WIRE_FDS_MAX];

	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    wire_send(channel->there, &sent, &channel->here, 1, NULL),
		    0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	const int code = receive(channel, &message, fds);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(code, WIRE_E_LOST);
	assert_int_equal(message.id, 77);
	assert_int_equal(open_count(), channel->n_open);

	assert_int_equal(receive(channel, &message, fds), 0);
	assert_int_equal(message.id, 5);
	close(fds[0]);
}

static void
makes_pairs_that_no_exec_inherits(void **state)
{
	static const int types[] = { SOCK_SEQPACKET, SOCK_STREAM };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		int pair[2];
		assert_int_equal(wire_pair(types[i], pair), 0);
		for (size_t end = 0; end < 2; end++) {
			assert_int_equal(fcntl(pair[end], F_GETFD), FD_CLOEXEC);
			close(pair[end]);
		}
	}
	int pair[2] = { 77, 78 };
	assert_int_equal(wire_pair(99, pair), -EINVAL);
}

#define ON_CHANNEL(test)                                                       \
	cmocka_unit_test_setup_teardown(test, channel_open, channel_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CHANNEL(carries_every_type_in_its_shape),
		ON_CHANNEL(carries_the_longest_text),
		ON_CHANNEL(refuses_types_it_does_not_know),
		ON_CHANNEL(refuses_any_other_number_of_descriptors),
		ON_CHANNEL(refuses_what_is_shorter_than_a_message),
		ON_CHANNEL(refuses_text_of_another_length_than_it_says),
		ON_CHANNEL(refuses_text_where_none_may_be),
		ON_CHANNEL(refuses_more_text_than_there_is_room_for),
		ON_CHANNEL(closes_the_descriptors_of_an_empty_message),
		ON_CHANNEL(tells_an_empty_queue_from_a_peer_that_is_gone),
		ON_CHANNEL(says_that_the_socket_is_full),
		ON_CHANNEL(sends_nothing_misshapen),
		ON_CHANNEL(loses_what_it_has_no_room_for),
		cmocka_unit_test(makes_pairs_that_no_exec_inherits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
