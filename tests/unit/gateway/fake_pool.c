/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A pool without cells: what a call does is written in its tool's name or its
 * URL's path. Stands in for src/pool so that the gateway, whole, can be driven
 * by real HTTP clients, and shown what only a hostile cell would say.
 */

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/auto.h"
#include "box/box.h"
#include "json/out.h"
#include "pool/pool.h"
#include "wire/plan.h"
#include "wire/wire.h"

struct pool {
	struct event_base *base;
	struct pool_options options;
	int supervisor_fd;
	struct event *readable; /* of the supervisor's socket */
	pool_message_fn *message;
	void *message_arg;
	char names[WIRE_DEPLOYMENTS_MAX][WIRE_NAME_MAX]; /* deployed now */
	uint32_t n_pending;
	struct pool_stats stats;
	struct pool_mark marks[16]; /* of the last calls: cell N is the N-th */
};

struct pool_call {
	struct pool *pool;
	struct event *step;
	const struct pool_call_ops *ops;
	void *arg;
	const struct script *script;
	char *json; /* owned */
	size_t json_len;
	struct json_span input; /* in json */
	uint8_t *body; /* owned */
	size_t body_len;
	unsigned at; /* how often the script's step ran */
	bool paused;
	bool cancelled;
};

int
box_enter(const char *domain, struct err *err)
{
	(void)err;
	return strcmp(domain, "gateway") == 0 ? 0 : -EINVAL;
}

static void
call_again(struct pool_call *call, unsigned ms)
{
	const struct timeval delay = { ms / 1000, (ms % 1000) * 1000 };

	event_add(call->step, &delay);
}

static void
call_end(
    struct pool_call *call, enum pool_end end, const char *text, size_t len)
{
	const struct pool_outcome outcome = { .end = end,
		.text = text,
		.text_len = len,
		.usage = {
		    .cpu_us = 1234, .wall_us = 45678, .peak_kib = 910 } };

	call->pool->n_pending--;
	call->pool->stats.calls_failed += end != POOL_OK;
	call->ops->done(call->arg, &outcome);
	event_free(call->step);
	free(call->json);
	free(call->body);
	free(call);
}

static void
call_fail(struct pool_call *call, enum pool_end end)
{
	static const char text[] =
	    "{\"message\":\"it \\\"broke\\\"\",\"stack\":\"at tool.js:3:7\","
	    "\"file\":\"tool.js\",\"line\":3,\"column\":7}";

	call_end(call, end, text, sizeof(text) - 1);
}

static void
call_return(struct pool_call *call, const char *text)
{
	call_end(call, POOL_OK, text, strlen(text));
}

/* One way to behave; run again and again until it ends the call. */
struct script {
	const char *name;
	void (*step)(struct pool_call *call);
};

static void
do_echo(struct pool_call *call)
{
	call_end(call, POOL_OK, call->input.at, call->input.len);
}

static void
do_text(struct pool_call *call)
{
	call_return(call, "\"plain \\u00e9\"");
}

static void
do_number(struct pool_call *call)
{
	call_return(call, "12345678901234567890");
}

static void
do_content(struct pool_call *call)
{
	call_return(call,
	    "{\"content\":[{\"type\":\"text\",\"text\":\"mine\"}"
	    "],\"isError\":false,\"_meta\":{\"x\":1}}");
}

static void
do_throw(struct pool_call *call)
{
	call_fail(call, POOL_EXCEPTION);
}

static void
do_cpu(struct pool_call *call)
{
	call_fail(call, POOL_TIMEOUT_CPU);
}

static void
do_overload(struct pool_call *call)
{
	call_fail(call, POOL_OVERLOADED);
}

static void
do_load_error(struct pool_call *call)
{
	call_fail(call, POOL_LOAD_ERROR);
}

static void
do_garbage(struct pool_call *call)
{
	call_return(call, "{\"a\":\xff\x01}\r\nHTTP/1.1 200 OK");
}

static void
do_slow(struct pool_call *call)
{
	if (call->at == 1)
		call_again(call, 400);
	else
		call_return(call, "\"slow\"");
}

static void
do_hang(struct pool_call *call)
{
	(void)call; /* until it is cancelled */
}

static void
do_big(struct pool_call *call)
{
	static char text[1 << 20];

	memset(text, 'x', sizeof(text));
	text[0] = text[sizeof(text) - 1] = '"';
	call_end(call, POOL_OK, text, sizeof(text));
}

static void
do_chatter(struct pool_call *call)
{
	static const char line[] = "line\nfeed \x1b[31m \xff";

	call->ops->log(call->arg, 2, line, sizeof(line) - 1);
	call_return(call, "null");
}

/* Of the stats, for tests to look at. */
static void
do_pending(struct pool_call *call)
{
	char text[32];

	snprintf(text, sizeof(text), "%u", call->pool->n_pending);
	call_return(call, text);
}

static const struct script tools[] = {
	{ "echo", do_echo },
	{ "text", do_text },
	{ "number", do_number },
	{ "content", do_content },
	{ "throw", do_throw },
	{ "cpu", do_cpu },
	{ "overload", do_overload },
	{ "load_error", do_load_error },
	{ "garbage", do_garbage },
	{ "slow", do_slow },
	{ "hang", do_hang },
	{ "big", do_big },
	{ "chatter", do_chatter },
	{ "pending", do_pending },
};

static void
head(struct pool_call *call, const char *json)
{
	call->ops->head(call->arg, json, strlen(json));
}

static void
chunk(struct pool_call *call, const void *bytes, size_t len)
{
	call->ops->chunk(call->arg, bytes, len);
}

/* What it was given, body behind it. */
static void
get_mcp(struct pool_call *call)
{
	head(call,
	    "[201,[[\"Content-Type\",\"text/plain\"],[\"X-Two\",\"a\"],"
	    "[\"x-two\",\"b\"],[\"Set-Cookie\",\"a=b\"],[\"Connection\","
	    "\"close\"],[\"Content-Length\",\"3\"],[\"Transfer-Encoding\","
	    "\"gzip\"]]]");
	chunk(call, call->json, call->json_len);
	chunk(call, "\n", 1);
	if (call->body_len > 0)
		chunk(call, call->body, call->body_len);
	call_end(call, POOL_OK, NULL, 0);
}

static void
get_stream(struct pool_call *call)
{
	if (call->at == 1)
		head(call, "[200,[[\"content-type\",\"text/event-stream\"]]]");
	else
		chunk(call, "data: tick\n\n", 12);
	if (call->at == 5)
		call_end(call, POOL_OK, NULL, 0);
	else
		call_again(call, 50);
}

static void
get_silence(struct pool_call *call)
{
	if (call->at == 1) {
		head(call, "[200,[[\"content-type\",\"text/event-stream\"]]]");
		chunk(call, "data: half\n", 11);
	}
}

/* 32 MiB, as fast as the reader lets. */
static void
get_flood(struct pool_call *call)
{
	static char bytes[65536];

	if (call->at == 1) {
		memset(bytes, 'f', sizeof(bytes));
		head(call, "[200,[]]");
	}
	if (call->at == 513) {
		call_end(call, POOL_OK, NULL, 0);
		return;
	}
	chunk(call, bytes, sizeof(bytes));
	if (!call->paused)
		call_again(call, 0);
}

static void
get_none(struct pool_call *call)
{
	head(call, "[204,[[\"x-empty\",\"yes\"]]]");
	call_end(call, POOL_OK, NULL, 0);
}

static void
get_cut(struct pool_call *call)
{
	head(call, "[200,[]]");
	chunk(call, "half", 4);
	call_fail(call, POOL_MEMORY);
}

static void
get_wall(struct pool_call *call)
{
	call_fail(call, POOL_TIMEOUT_WALL);
}

static void
get_headless(struct pool_call *call)
{
	call_end(call, POOL_OK, NULL, 0);
}

/* Ends only by being cancelled, which head() does at once: an event added after
 * that would take the cancellation back until its time came. */
static void
bad_head(struct pool_call *call, const char *json)
{
	head(call, json);
	chunk(call, "never", 5);
}

static void
get_bad_status(struct pool_call *call)
{
	bad_head(call, "[101,[]]");
}

static void
get_bad_crlf(struct pool_call *call)
{
	bad_head(call, "[200,[[\"x\",\"a\\r\\nSet-Cookie: b=c\"]]]");
}

static void
get_bad_name(struct pool_call *call)
{
	bad_head(call, "[200,[[\"x y\",\"a\"]]]");
}

static void
get_bad_nul(struct pool_call *call)
{
	bad_head(call, "[200,[[\"x\",\"a\\u0000b\"]]]");
}

static void
get_bad_json(struct pool_call *call)
{
	bad_head(call, "[200,[[\"x\"");
}

static const struct script paths[] = {
	{ "/mcp", get_mcp },
	{ "/stream", get_stream },
	{ "/silence", get_silence },
	{ "/flood", get_flood },
	{ "/none", get_none },
	{ "/cut", get_cut },
	{ "/wall", get_wall },
	{ "/hang", do_hang },
	{ "/headless", get_headless },
	{ "/bad-status", get_bad_status },
	{ "/bad-crlf", get_bad_crlf },
	{ "/bad-name", get_bad_name },
	{ "/bad-nul", get_bad_nul },
	{ "/bad-json", get_bad_json },
};

static const struct script *
script_find(
    const struct script *scripts, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(scripts[i].name) == len &&
		    memcmp(scripts[i].name, name, len) == 0)
			return &scripts[i];
	return &scripts[0];
}

static void
on_step(evutil_socket_t fd, short what, void *arg)
{
	struct pool_call *call = arg;

	(void)fd;
	(void)what;
	call->at++;
	if (call->cancelled)
		call_fail(call, POOL_CANCELLED);
	else
		call->script->step(call);
}

static void
script_choose(struct pool_call *call, enum pool_kind kind)
{
	struct json_want wants[] = { { .name = "tool" }, { .name = "input" },
		{ .name = "url" } };
	struct json_span whole;
	char url[4096] = "";

	if (json_check(call->json, call->json_len, &whole, NULL) != 0 ||
	    json_members_find(whole, wants, 3) != 0)
		abort(); /* the gateway wrote what is no JSON */
	call->input = wants[1].value;
	if (kind == POOL_TOOL) {
		json_string_copy(wants[0].value, url, sizeof(url), NULL);
		call->script =
		    script_find(tools, ARRAY_LEN(tools), url, strlen(url));
		return;
	}
	json_string_copy(wants[2].value, url, sizeof(url), NULL);
	const char *path = strchr(url + strlen("http://"), '/');
	call->script =
	    script_find(paths, ARRAY_LEN(paths), path, strcspn(path, "?"));
}

int
pool_call_start(struct pool *pool, uint32_t deployment, enum pool_kind kind,
    const char *json, size_t json_len, const uint8_t *body, size_t body_len,
    const struct pool_call_ops *ops, void *arg, struct pool_call **callp)
{
	struct pool_call *call = calloc(1, sizeof(*call));

	(void)deployment;
	*call = (struct pool_call){ .pool = pool,
		.ops = ops,
		.arg = arg,
		.json = malloc(json_len + 1),
		.json_len = json_len,
		.body = malloc(body_len + 1),
		.body_len = body_len };
	memcpy(call->json, json, json_len);
	if (body_len > 0)
		memcpy(call->body, body, body_len);
	call->step = event_new(pool->base, -1, 0, on_step, call);
	script_choose(call, kind);
	pool->n_pending++;
	pool->stats.calls_started++;
	event_active(call->step, EV_TIMEOUT, 0);
	*callp = call;
	return 0;
}

void
pool_call_cancel(struct pool_call *call)
{
	call->cancelled = true;
	event_active(call->step, EV_TIMEOUT, 0);
}

void
pool_call_mark(struct pool_call *call, const struct pool_mark *mark)
{
	struct pool *pool = call->pool;

	pool->marks[pool->stats.calls_started % ARRAY_LEN(pool->marks)] = *mark;
}

bool
pool_mark_find(const struct pool *pool, uint32_t deployment, uint32_t cell,
    struct pool_mark *mark)
{
	(void)deployment;
	if (cell == 0 || cell > pool->stats.calls_started)
		return false;
	*mark = pool->marks[cell % ARRAY_LEN(pool->marks)];
	return true;
}

void
pool_call_pause(struct pool_call *call, bool paused)
{
	if (call->paused && !paused)
		call_again(call, 0);
	call->paused = paused;
	call->pool->stats.cells_waiting += paused; /* counted, for a test */
}

static void
surface_tools(pool_surface_fn *fn, void *arg)
{
	struct json_out out;

	json_out_init(&out, POOL_SURFACE_MAX);
	json_out_text(&out,
	    "{\"kind\":\"tools\",\"name\":\"fake\",\"version\":\"1.2.3\","
	    "\"instructions\":\"be kind\",\"tools\":[");
	for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
		json_out_text(&out, i == 0 ? "{\"name\":" : ",{\"name\":");
		json_out_string(&out, tools[i].name, strlen(tools[i].name));
		json_out_text(&out,
		    ",\"inputSchema\":{\"type\":\"object\",\"x\":"
		    "12345678901234567890},\"unknown\":[1e400]}");
	}
	json_out_text(&out, "],\"prompts\":[],\"resources\":[]}");
	fn(arg, out.bytes, out.len, NULL);
	json_out_fini(&out);
}

struct late {
	pool_surface_fn *fn;
	void *arg;
};

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct late *late = arg;

	(void)fd;
	(void)what;
	surface_tools(late->fn, late->arg);
	free(late);
}

static void
surface_late(struct pool *pool, pool_surface_fn *fn, void *arg)
{
	static const struct timeval delay = { 0, 400000 };
	struct late *late = malloc(sizeof(*late));

	*late = (struct late){ fn, arg };
	event_base_once(pool->base, -1, EV_TIMEOUT, on_late, late, &delay);
}

int
pool_surface_get(
    struct pool *pool, uint32_t deployment, pool_surface_fn *fn, void *arg)
{
	static const char why[] =
	    "{\"message\":\"Unexpected token\",\"file\":\"index.js\","
	    "\"line\":2,\"column\":5}";
	const struct pool_outcome failure = {
		.end = POOL_LOAD_ERROR, .text = why, .text_len = sizeof(why) - 1
	};
	const char *name = pool->names[deployment];

	if (strcmp(name, "fetch") == 0)
		fn(arg, "{\"kind\":\"fetch\"}", 16, NULL);
	else if (strcmp(name, "broken") == 0)
		fn(arg, NULL, 0, &failure);
	else if (strcmp(name, "liar") == 0)
		fn(arg, "{\"kind\":\"tools\",\"tools\":7}", 26, NULL);
	else if (strcmp(name, "late") == 0)
		surface_late(pool, fn, arg);
	else
		surface_tools(fn, arg);
	return 0;
}

static void
on_supervisor(evutil_socket_t fd, short what, void *arg)
{
	static char text[WIRE_TEXT_MAX + 1];
	struct pool *pool = arg;
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	(void)what;
	if (wire_receive(fd, MSG_DONTWAIT, &message, fds, text) != 0) {
		event_del(pool->readable);
		return;
	}
	pool->message(pool->message_arg, message.type, fds[0]);
}

int
pool_new(struct pool **poolp, struct event_base *base, int supervisor_fd,
    const struct pool_options *options)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	pool->base = base;
	pool->options = *options;
	pool->supervisor_fd = supervisor_fd;
	pool->readable = event_new(
	    base, supervisor_fd, EV_READ | EV_PERSIST, on_supervisor, pool);
	*poolp = pool;
	return 0;
}

struct pool *
pool_free(struct pool *pool)
{
	event_free(pool->readable);
	free(pool);
	return NULL;
}

void
pool_message_set(struct pool *pool, pool_message_fn *fn, void *arg)
{
	pool->message = fn;
	pool->message_arg = arg;
	event_add(pool->readable, NULL);
}

int
pool_deployment_set(struct pool *pool, uint32_t index,
    const struct pool_deployment *deployment, bool fresh)
{
	(void)fresh;
	snprintf(pool->names[index], WIRE_NAME_MAX, "%s", deployment->name);
	return 0;
}

void
pool_deployment_remove(struct pool *pool, uint32_t index)
{
	pool->names[index][0] = '\0';
}

int
pool_link_open(
    struct pool *pool, uint32_t deployment, pool_link_fn *fn, void *arg)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("FAKE_EGRESS");
	auto_close int fd = -1;

	(void)pool;
	(void)deployment;
	if (path != NULL) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		snprintf(
		    address.sun_path, sizeof(address.sun_path), "%s", path);
	}
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		fn(arg, NULL, "there are no links here");
		return 0;
	}
	fn(arg, &(struct pool_link){ fd, fd, -1, -1 }, NULL);
	fd_steal(&fd);
	return 0;
}

void
pool_link_forget(struct pool *pool, pool_link_fn *fn, void *arg)
{
	(void)pool;
	(void)fn;
	(void)arg;
}

int
pool_call_answer(
    struct pool_call *call, uint32_t ask, const char *json, size_t len)
{
	(void)call;
	(void)ask;
	(void)json;
	(void)len;
	return -ENOENT;
}

void
pool_stats_get(const struct pool *pool, struct pool_stats *stats)
{
	*stats = pool->stats;
	stats->cells_busy = pool->n_pending;
}

/* One cell of each, busy with all there is. */
void
pool_deployment_stats_get(const struct pool *pool, uint32_t deployment,
    struct pool_deployment_stats *stats)
{
	(void)pool;
	*stats = (struct pool_deployment_stats){
		.templates = 1, .cells_waiting = deployment, .cells_busy = 1
	};
}

void
pool_bounds_set(struct pool *pool, uint32_t cells_max, uint64_t memory_budget)
{
	pool->options.cells_max = cells_max;
	pool->options.memory_budget = memory_budget;
}

uint32_t
pool_calls_pending(const struct pool *pool)
{
	return pool->n_pending;
}

const char *
pool_end_name(enum pool_end end)
{
	static const char *const names[] = { "ok", "exception", "timeout",
		"timeout", "memory", "stack", "result_too_large",
		"invalid_result", "load_error", "internal", "overloaded",
		"cancelled" };

	return names[end];
}
