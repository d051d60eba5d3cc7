/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A cell's stream, from a cell that obeys nothing. The first byte chooses the
 * kind of the call, whether cells are used again, whether its asks are answered
 * at once, and the second where the bytes are cut in two writes. Whatever
 * comes: the call ends exactly once, within its limits, and the pool serves
 * the next one.
 */

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "fuzz.h"
#include "pool/pool.h"
#include "wire/wire.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

#define RESULT_MAX 4096u
#define LOG_MAX 512u
#define ASKS_MAX 16
#define BYTES_MAX 32768u /* fits a socket's buffer, pieces and all */

static struct {
	struct event_base *base;
	struct pool *pool;
	struct pool_deployment deployments[2];
	int supervisor_fd;
	int control_fds[2];
	uint32_t n_cells;
} host;

static struct told {
	int n_done, n_heads;
	size_t body_len, log_len, note_len;
	int n_open;
	bool is_tool, answers;
	struct pool_call *call;
} told;

static void
on_head(void *arg, const char *raw_json, size_t len)
{
	(void)arg;
	(void)raw_json;
	CHECK(told.n_done == 0 && !told.is_tool && len <= RESULT_MAX);
	CHECK(told.n_heads++ == 0);
}

static void
on_chunk(void *arg, const uint8_t *raw_bytes, size_t len)
{
	(void)arg;
	(void)raw_bytes;
	CHECK(told.n_done == 0 && told.n_heads == 1);
	told.body_len += len;
	CHECK(told.body_len <= RESULT_MAX);
}

static void
on_log(void *arg, int level, const char *raw_text, size_t len)
{
	(void)arg;
	(void)raw_text;
	CHECK(told.n_done == 0 && level >= 0 && level <= 3);
	told.log_len += len;
	CHECK(told.log_len <= LOG_MAX + 128);
}

static void
on_note(void *arg, const char *raw_json, size_t len)
{
	(void)arg;
	(void)raw_json;
	CHECK(told.n_done == 0 && told.is_tool);
	told.note_len += len;
	CHECK(told.note_len <= LOG_MAX);
}

static void
on_ask(void *arg, uint32_t ask, const char *raw_json, size_t len)
{
	(void)arg;
	(void)raw_json;
	CHECK(told.n_done == 0 && told.is_tool && len <= RESULT_MAX);
	CHECK(told.n_open++ < ASKS_MAX);
	if (!told.answers)
		return;
	CHECK(pool_call_answer(told.call, ask, "{}", 2) == 0);
	CHECK(pool_call_answer(told.call, ask, "{}", 2) == -ENOENT);
	told.n_open--;
}

static void
on_wait(void *arg)
{
	(void)arg;
	CHECK(told.n_done == 0 && told.n_open > 0);
}

static void
on_done(void *arg, const struct pool_outcome *outcome)
{
	(void)arg;
	CHECK(told.n_done++ == 0);
	CHECK(outcome->end <= POOL_INTERNAL || outcome->end == POOL_CANCELLED);
	CHECK(outcome->end == POOL_OK ||
	    (outcome->text_len > 0 && outcome->text[0] == '{'));
	CHECK(outcome->end != POOL_OK || outcome->text_len <= RESULT_MAX);
}

static void
pump(void)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(host.base, EVLOOP_NONBLOCK);
}

static void
say(int fd, uint32_t type, uint32_t id, int said_fd)
{
	const struct wire_message message = { .type = type, .id = id };

	CHECK(wire_send(fd, &message, &said_fd, said_fd >= 0, NULL) == 0);
}

/* Orders are not obeyed, only taken: a cell comes when the target wants one. */
static uint32_t
orders_take(int fd, uint32_t type)
{
	static char text[WIRE_TEXT_MAX + 1];
	struct wire_message message;
	int fds[WIRE_FDS_MAX];
	uint32_t n = 0;

	while (wire_receive(fd, MSG_DONTWAIT, &message, fds, text) == 0)
		n += message.type == type;
	return n;
}

static void
host_start(void)
{
	int pair[2];

	host.base = event_base_new();
	for (size_t i = 0; i < 2; i++) {
		struct pool_deployment *deployment = &host.deployments[i];
		*deployment = (struct pool_deployment){ .name = "tool",
			.pool_max = 1,
			.limits = WIRE_LIMITS_DEFAULT };
		deployment->limits.result_bytes = RESULT_MAX;
		deployment->limits.log_bytes = LOG_MAX;
		deployment->limits.reuse_calls = i == 0 ? 1 : 1000000;
		host.control_fds[i] = -1;
	}
	const struct pool_options options = {
		.deployments = host.deployments,
		.n_deployments = 2,
		.cells_max = 8,
	};
	CHECK(wire_pair(SOCK_SEQPACKET, pair) == 0);
	host.supervisor_fd = pair[0];
	CHECK(pool_new(&host.pool, host.base, pair[1], &options) == 0);
}

static void
template_give(uint32_t deployment)
{
	auto_close int surface_fd = -1;
	int pair[2];

	CHECK(orders_take(host.supervisor_fd, WIRE_OPEN) == 1);
	CHECK(wire_pair(SOCK_SEQPACKET, pair) == 0);
	say(host.supervisor_fd, WIRE_OPENED, deployment, pair[1]);
	close(pair[1]);
	host.control_fds[deployment] = pair[0];
	CHECK(fd_memfd_seal("surface", "{}", 2, &surface_fd) == 0);
	say(pair[0], WIRE_READY, 0, surface_fd);
	pump();
	orders_take(host.supervisor_fd, WIRE_WEIGH);
}

static void
bytes_send(int fd, const uint8_t *bytes, size_t len)
{
	/* The pool may have hung up after the first piece. */
	if (len > 0)
		(void)!send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	pump();
}

static void
call_run(uint32_t deployment, const uint8_t *bytes, size_t len, size_t cut)
{
	static const struct pool_call_ops ops = { .head = on_head,
		.chunk = on_chunk,
		.log = on_log,
		.note = on_note,
		.ask = on_ask,
		.wait = on_wait,
		.done = on_done };
	const uint8_t body[] = "body";
	int pair[2];

	CHECK(pool_call_start(host.pool, deployment,
		  told.is_tool ? POOL_TOOL : POOL_REQUEST, "{}", 2, body,
		  sizeof(body), &ops, NULL, &told.call) == 0);
	pump();
	if (host.control_fds[deployment] < 0)
		template_give(deployment);
	const int control_fd = host.control_fds[deployment];
	const uint32_t id = ++host.n_cells;
	CHECK(orders_take(control_fd, WIRE_FORK) == 1);
	CHECK(wire_pair(SOCK_STREAM, pair) == 0);
	say(control_fd, WIRE_CELL, id, pair[1]);
	close(pair[1]);
	pump();
	bytes_send(pair[0], bytes, cut);
	bytes_send(pair[0], bytes + cut, len - cut);
	close(pair[0]);
	pump();
	say(control_fd, WIRE_EXIT, id, -1);
	pump();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct pool_stats stats;

	if (len < 2 || len > BYTES_MAX)
		return 0;
	if (host.pool == NULL)
		host_start();
	const uint32_t deployment = bytes[0] >> 1 & 1;
	told = (struct told){ .is_tool = bytes[0] & 1,
		.answers = (bytes[0] & 4) != 0 };
	call_run(deployment, bytes + 2, len - 2, bytes[1] % (len - 1));
	CHECK(told.n_done == 1);
	CHECK(pool_calls_pending(host.pool) == 0);
	pool_stats_get(host.pool, &stats);
	CHECK(stats.cells_busy == 0 && stats.cells_waiting == 0);
	return 0;
}
