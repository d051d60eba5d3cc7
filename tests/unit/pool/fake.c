/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/fd.h"

#define WATCHDOG_S 20

static char text_at_hand[WIRE_TEXT_MAX + 1];

size_t
fake_open_descriptors(void)
{
	size_t n = 0;
	DIR *dir = opendir("/proc/self/fd");

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

struct fake *
fake_new(uint32_t n_deployments)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	assert_non_null(fake);
	alarm(WATCHDOG_S);
	fake->n_open = fake_open_descriptors();
	fake->base = event_base_new();
	for (uint32_t i = 0; i < n_deployments; i++)
		fake->deployments[i] = (struct pool_deployment){ .name = "tool",
			.pool_max = 1,
			.limits = WIRE_LIMITS_DEFAULT };
	fake->options = (struct pool_options){ .deployments = fake->deployments,
		.n_deployments = n_deployments,
		.cells_max = 64 };
	return fake;
}

void
fake_start(struct fake *fake)
{
	int pair[2];

	assert_int_equal(wire_pair(SOCK_SEQPACKET, pair), 0);
	fake->supervisor_fd = pair[0];
	assert_int_equal(
	    pool_new(&fake->pool, fake->base, pair[1], &fake->options), 0);
}

void
fake_free(struct fake *fake)
{
	fake->pool = pool_free(fake->pool);
	/* Whatever the pool left in the base would run here. */
	event_base_loop(fake->base, EVLOOP_NONBLOCK);
	event_base_free(fake->base);
	if (fake->supervisor_fd >= 0)
		close(fake->supervisor_fd);
	assert_int_equal(fake_open_descriptors(), fake->n_open);
	free(fake);
	alarm(0);
}

void
fake_pump(struct fake *fake)
{
	/* An event may make another one; nothing here takes more turns. */
	for (int i = 0; i < 16; i++)
		event_base_loop(fake->base, EVLOOP_NONBLOCK);
}

void
fake_await(struct fake *fake, const struct told *told)
{
	while (told->n_done == 0)
		event_base_loop(fake->base, EVLOOP_ONCE);
}

struct wire_message
fake_expect(struct fake *fake, int fd, enum wire_type type)
{
	struct wire_message message = { 0 };
	int fds[WIRE_FDS_MAX];

	fake_pump(fake);
	assert_int_equal(
	    wire_receive(fd, MSG_DONTWAIT, &message, fds, text_at_hand), 0);
	assert_int_equal(message.type, type);
	return message;
}

void
fake_expect_nothing(struct fake *fake, int fd)
{
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	fake_pump(fake);
	assert_int_equal(
	    wire_receive(fd, MSG_DONTWAIT, &message, fds, text_at_hand),
	    -EAGAIN);
}

static void
say(int fd, const struct wire_message *message, const int *said_fd,
    const char *text)
{
	assert_int_equal(
	    wire_send(fd, message, said_fd, said_fd != NULL, text), 0);
}

int
fake_open(struct fake *fake, uint32_t deployment)
{
	int pair[2];

	assert_int_equal(
	    fake_expect(fake, fake->supervisor_fd, WIRE_OPEN).id, deployment);
	assert_int_equal(wire_pair(SOCK_SEQPACKET, pair), 0);
	const struct wire_message opened = { .type = WIRE_OPENED,
		.id = deployment };
	say(fake->supervisor_fd, &opened, &pair[1], NULL);
	close(pair[1]);
	fake_pump(fake);
	return pair[0];
}

void
fake_supervisor_say(
    struct fake *fake, enum wire_type type, uint32_t id, const char *text)
{
	const struct wire_message message = {
		.type = type, .id = id, .text_len = (uint32_t)strlen(text)
	};

	say(fake->supervisor_fd, &message, NULL, text);
}

void
fake_surface_send(int control_fd, size_t len)
{
	const struct wire_message ready = { .type = WIRE_READY };
	auto_free char *surface = malloc(len + 1);
	auto_close int fd = -1;

	memset(surface, 's', len + 1);
	assert_int_equal(fd_memfd_seal("surface", surface, len, &fd), 0);
	say(control_fd, &ready, &fd, NULL);
}

void
fake_ready(struct fake *fake, int control_fd)
{
	fake_surface_send(control_fd, 10);
	fake_expect(fake, fake->supervisor_fd, WIRE_WEIGH);
}

void
fake_refuse(int control_fd, enum wire_code code, const char *text)
{
	const struct wire_message message = { .type = WIRE_REFUSED,
		.status = (int32_t)code,
		.text_len = (uint32_t)strlen(text),
		.usage = { 11, 12, 13 } };

	say(control_fd, &message, NULL, text);
}

int
fake_cell(int control_fd, uint32_t id)
{
	const struct wire_message message = { .type = WIRE_CELL, .id = id };
	int pair[2];

	assert_int_equal(wire_pair(SOCK_STREAM, pair), 0);
	say(control_fd, &message, &pair[1], NULL);
	close(pair[1]);
	return pair[0];
}

void
fake_exit(
    int control_fd, uint32_t id, int status, uint64_t cpu_us, uint64_t peak_kib)
{
	const struct wire_message message = { .type = WIRE_EXIT,
		.id = id,
		.status = status,
		.usage = { .cpu_us = cpu_us, .peak_kib = peak_kib } };

	say(control_fd, &message, NULL, NULL);
}

int
fake_serve(struct fake *fake, uint32_t deployment, int *control_fd)
{
	*control_fd = fake_open(fake, deployment);
	fake_ready(fake, *control_fd);
	fake_expect(fake, *control_fd, WIRE_FORK);
	const int cell_fd = fake_cell(*control_fd, 1);
	fake_pump(fake);
	return cell_fd;
}

void
fake_frame(int cell_fd, uint32_t type, int code, const void *bytes, size_t len)
{
	const struct wire_frame frame = { .type = type,
		.len = (uint32_t)len,
		.code = code,
		.usage = { 21, 22, 23 } };

	assert_int_equal(fd_write_all(cell_fd, &frame, sizeof(frame)), 0);
	assert_int_equal(fd_write_all(cell_fd, bytes, len), 0);
}

static void
frame_read(int cell_fd, uint32_t type)
{
	struct wire_frame frame;
	char bytes[256];

	assert_int_equal(
	    recv(cell_fd, &frame, sizeof(frame), MSG_DONTWAIT), sizeof(frame));
	assert_int_equal(frame.type, type);
	assert_in_range(frame.len, 0, sizeof(bytes));
	if (frame.len > 0)
		assert_int_equal(recv(cell_fd, bytes, frame.len, MSG_DONTWAIT),
		    (ssize_t)frame.len);
}

void
fake_call_read(int cell_fd, enum pool_kind kind)
{
	frame_read(cell_fd,
	    kind == POOL_TOOL ? WIRE_FRAME_CALL_TOOL : WIRE_FRAME_CALL_REQUEST);
	if (kind == POOL_REQUEST)
		frame_read(cell_fd, WIRE_FRAME_BODY);
}

void
fake_answer_read(int cell_fd, uint32_t ask, const char *text)
{
	struct wire_frame frame;
	char bytes[256];

	assert_int_equal(
	    recv(cell_fd, &frame, sizeof(frame), MSG_DONTWAIT), sizeof(frame));
	assert_int_equal(frame.type, WIRE_FRAME_ANSWER);
	assert_int_equal((uint32_t)frame.code, ask);
	assert_int_equal(frame.len, strlen(text));
	assert_in_range(frame.len, 1, sizeof(bytes));
	assert_int_equal(
	    recv(cell_fd, bytes, frame.len, MSG_DONTWAIT), (ssize_t)frame.len);
	assert_memory_equal(bytes, text, frame.len);
}

bool
fake_is_hung_up(int cell_fd)
{
	struct pollfd fd = { .fd = cell_fd };

	poll(&fd, 1, 0);
	return (fd.revents & POLLHUP) != 0;
}

/* ---- the caller -------------------------------------------------------- */

static void
on_head(void *arg, const char *raw_json, size_t len)
{
	struct told *told = arg;

	(void)raw_json;
	(void)len;
	told->n_heads++;
	if (told->pause_in_head)
		pool_call_pause(told->call, true);
	if (told->cancel_in_head)
		pool_call_cancel(told->call);
}

static void
on_chunk(void *arg, const uint8_t *raw_bytes, size_t len)
{
	struct told *told = arg;

	(void)raw_bytes;
	told->chunk_bytes += len;
	if (told->pause_in_chunk)
		pool_call_pause(told->call, true);
	if (told->cancel_in_chunk)
		pool_call_cancel(told->call);
}

static void
on_log(void *arg, int level, const char *raw_text, size_t len)
{
	struct told *told = arg;

	(void)raw_text;
	assert_in_range(level, 0, 3);
	told->n_logs++;
	told->log_bytes += len;
	if (told->cancel_in_log)
		pool_call_cancel(told->call);
}

static void
on_note(void *arg, const char *raw_json, size_t len)
{
	struct told *told = arg;

	(void)raw_json;
	told->n_notes++;
	told->note_bytes += len;
	if (told->cancel_in_note)
		pool_call_cancel(told->call);
}

static void
on_ask(void *arg, uint32_t ask, const char *raw_json, size_t len)
{
	struct told *told = arg;

	(void)raw_json;
	(void)len;
	told->n_asks++;
	told->last_ask = ask;
	if (told->answer_in_ask)
		assert_int_equal(pool_call_answer(told->call, ask, "{}", 2), 0);
	if (told->cancel_in_ask)
		pool_call_cancel(told->call);
}

static void
on_wait(void *arg)
{
	struct told *told = arg;

	told->n_waits++;
	if (told->cancel_in_wait)
		pool_call_cancel(told->call);
}

static void
on_done(void *arg, const struct pool_outcome *outcome)
{
	struct told *told = arg;

	told->n_done++;
	if (told->cancel_in_done)
		pool_call_cancel(told->call);
	told->call = NULL;
	told->end = outcome->end;
	told->usage = outcome->usage;
	if (outcome->text != NULL)
		snprintf(told->text, sizeof(told->text), "%.*s",
		    (int)outcome->text_len, outcome->text);
}

static const struct pool_call_ops ops = { .head = on_head,
	.chunk = on_chunk,
	.log = on_log,
	.note = on_note,
	.ask = on_ask,
	.wait = on_wait,
	.done = on_done };

static const struct pool_call_ops ops_without_asks = {
	.head = on_head, .chunk = on_chunk, .log = on_log, .done = on_done
};

void
fake_call(struct fake *fake, struct told *told, uint32_t deployment,
    enum pool_kind kind)
{
	told->fake = fake;
	assert_int_equal(pool_call_start(fake->pool, deployment, kind, "{}", 2,
			     (const uint8_t *)"body", kind == POOL_TOOL ? 0 : 4,
			     told->asks_nobody ? &ops_without_asks : &ops, told,
			     &told->call),
	    0);
	assert_int_equal(told->n_done, 0);
}

void
fake_call_long(
    struct fake *fake, struct told *told, const char *json, size_t len)
{
	assert_int_equal(pool_call_start(fake->pool, 0, POOL_TOOL, json, len,
			     NULL, 0, &ops, told, &told->call),
	    0);
}
