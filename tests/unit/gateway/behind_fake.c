/* SPDX-License-Identifier: Apache-2.0 */
#include "behind_fake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

struct pool {
	int unused;
};

struct pool_call {
	unsigned index;
};

struct gateway fake_gateway;
struct tenant fake_tenant;
struct principal fake_principals[2];
struct server fake_servers[3];
struct client fake_clients[2];
int fake_links[128], fake_stderrs[128], fake_notes[128];
unsigned fake_n_links;
const char *fake_link_failure;
struct fake_cell fake_cells[8];
unsigned fake_n_cells;
const char *fake_declared;
unsigned fake_changed, fake_n_changed;
char fake_log[8192], fake_updated[1024], fake_server_log[65536];
unsigned fake_n_kept;
unsigned fake_n_lost;

static struct pool pool;
static struct pool_call pool_calls[8];
static char line[1 << 16];
static const uint8_t sessions[2][16] = { { 1 }, { 2 } };

/* What pool_link_open() will say, from the loop. */
static struct pending {
	pool_link_fn *fn;
	void *arg;
	struct event *event;
} pendings[128];

/* One stream for its stdin and stdout is enough to play it. */
static void
box_make(pool_link_fn *fn, void *arg)
{
	int lines[2], errors[2], notes[2];

	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, lines),
	    0);
	assert_int_equal(pipe2(errors, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, notes),
	    0);
	fake_stderrs[fake_n_links] = errors[1];
	fake_notes[fake_n_links] = notes[1];
	fake_links[fake_n_links++] = lines[1];
	const int write_fd = fcntl(lines[0], F_DUPFD_CLOEXEC, 3);
	fn(arg, &(struct pool_link){ lines[0], write_fd, errors[0], notes[0] },
	    NULL);
}

static void
on_pending(evutil_socket_t fd, short what, void *arg)
{
	struct pending *pending = arg;
	pool_link_fn *fn = pending->fn;
	int pair[2];

	(void)fd;
	(void)what;
	event_free(pending->event);
	pending->fn = NULL;
	if (fn == NULL)
		return;
	if (fake_link_failure != NULL) {
		fn(pending->arg, NULL, fake_link_failure);
		return;
	}
	if (fake_servers[0].record.launch.kind == WIRE_KIND_BOX) {
		box_make(fn, pending->arg);
		return;
	}
	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
	    0);
	fake_links[fake_n_links++] = pair[1];
	fn(pending->arg, &(struct pool_link){ pair[0], pair[0], -1, -1 }, NULL);
}

int
pool_link_open(struct pool *p, uint32_t deployment, pool_link_fn *fn, void *arg)
{
	size_t i = 0;

	(void)p;
	(void)deployment;
	while (pendings[i].fn != NULL)
		i++;
	pendings[i] = (struct pending){ fn, arg,
		evtimer_new(fake_gateway.base, on_pending, &pendings[i]) };
	event_active(pendings[i].event, EV_TIMEOUT, 1);
	return 0;
}

void
pool_link_forget(struct pool *p, pool_link_fn *fn, void *arg)
{
	(void)p;
	for (size_t i = 0; i < ARRAY_LEN(pendings); i++)
		if (pendings[i].fn == fn && pendings[i].arg == arg) {
			event_free(pendings[i].event);
			pendings[i].fn = NULL;
		}
}

int
pool_call_start(struct pool *p, uint32_t deployment, enum pool_kind kind,
    const char *json, size_t json_len, const uint8_t *body, size_t body_len,
    const struct pool_call_ops *ops, void *arg, struct pool_call **callp)
{
	struct fake_cell *cell = &fake_cells[fake_n_cells];

	(void)p;
	(void)deployment;
	assert_true(json_len < sizeof(cell->json));
	assert_true(body_len < sizeof(cell->body));
	*cell = (struct fake_cell){
		.is_there = true, .kind = kind, .ops = ops, .arg = arg
	};
	memcpy(cell->json, json, json_len);
	if (body_len > 0)
		memcpy(cell->body, body, body_len);
	pool_calls[fake_n_cells].index = fake_n_cells;
	*callp = &pool_calls[fake_n_cells++];
	return 0;
}

void
pool_call_cancel(struct pool_call *call)
{
	fake_cells[call->index].is_cancelled = true;
}

void
pool_call_mark(struct pool_call *call, const struct pool_mark *mark)
{
	(void)call;
	(void)mark;
}

void
pool_call_pause(struct pool_call *call, bool paused)
{
	(void)call;
	(void)paused;
}

int
pool_call_answer(
    struct pool_call *call, uint32_t ask, const char *json, size_t len)
{
	char *answers = fake_cells[call->index].answers;
	const size_t used = strlen(answers);

	snprintf(answers + used, sizeof(fake_cells[0].answers) - used,
	    "%u %.*s\n", ask, (int)len, json);
	return 0;
}

int
pool_surface_get(
    struct pool *p, uint32_t deployment, pool_surface_fn *fn, void *arg)
{
	static const char why[] = "{\"message\":\"it is broken\"}";
	const struct pool_outcome failure = {
		.end = POOL_LOAD_ERROR, .text = why, .text_len = sizeof(why) - 1
	};

	(void)p;
	(void)deployment;
	if (fake_declared == NULL)
		fn(arg, NULL, 0, &failure);
	else
		fn(arg, fake_declared, strlen(fake_declared), NULL);
	return 0;
}

const char *
pool_end_name(enum pool_end end)
{
	return end == POOL_EXCEPTION ? "exception" : "other";
}

const char *
gateway_limit_name(enum pool_end end)
{
	(void)end;
	return NULL;
}

struct principal *
principal_ref(struct principal *principal)
{
	principal->users++;
	return principal;
}

struct principal *
principal_unref(struct principal *principal)
{
	if (principal != NULL)
		principal->users--;
	return NULL;
}

struct server *
server_ref(struct server *server)
{
	server->users++;
	return server;
}

struct server *
server_unref(struct server *server)
{
	server->users--;
	return NULL;
}

struct server *
registry_next(struct gateway *gateway, const struct principal *principal,
    const struct server *last)
{
	(void)gateway;
	(void)principal;
	if (last == NULL)
		return &fake_servers[0];
	return last == &fake_servers[2]
	    ? NULL
	    : &fake_servers[last - fake_servers + 1];
}

struct server *
registry_server_find(
    struct gateway *gateway, const struct tenant *tenant, const char *name)
{
	(void)gateway;
	(void)tenant;
	for (size_t i = 0; i < ARRAY_LEN(fake_servers); i++)
		if (strcmp(fake_servers[i].name, name) == 0)
			return &fake_servers[i];
	return NULL;
}

bool
registry_sees(const struct principal *principal, const struct server *server)
{
	(void)principal;
	(void)server;
	return true;
}

void
registry_surface_keep(struct gateway *gateway, const struct server *server,
    const char *json, size_t len)
{
	struct json_span whole;

	(void)gateway;
	(void)server;
	assert_int_equal(json_check(json, len, &whole, NULL), 0);
	fake_n_kept++;
}

void
front_changed(struct gateway *gateway, struct server *server, unsigned what)
{
	(void)gateway;
	(void)server;
	fake_changed |= what;
	fake_n_changed++;
}

void
front_subscriptions_lost(struct gateway *gateway, const struct server *server)
{
	(void)gateway;
	(void)server;
	fake_n_lost++;
}

void
front_resource_updated(struct gateway *gateway, struct server *server,
    struct json_span uri, struct json_span params)
{
	(void)gateway;
	(void)server;
	snprintf(fake_updated, sizeof(fake_updated), "%.*s %.*s", (int)uri.len,
	    uri.at, (int)params.len, params.at);
}

void
front_log(struct gateway *gateway, struct server *server,
    const struct principal *principal, struct json_span params)
{
	const size_t used = strlen(fake_log);

	(void)gateway;
	(void)server;
	snprintf(fake_log + used, sizeof(fake_log) - used, "%d %.*s\n",
	    principal == NULL ? -1 : (int)(principal - fake_principals),
	    (int)params.len, params.at);
}

void
log_line(enum log_level level, uint64_t request, const char *format, ...)
{
	(void)level;
	(void)request;
	(void)format;
}

void
server_log(struct server *server, int level, uint64_t request,
    const char *raw_text, size_t len)
{
	const size_t used = strlen(fake_server_log);

	(void)server;
	(void)request;
	snprintf(fake_server_log + used, sizeof(fake_server_log) - used,
	    "%d %.*s\n", level, (int)len, raw_text);
}

static void
append(char *text, size_t size, struct json_span a, struct json_span b)
{
	const size_t used = strlen(text);

	snprintf(text + used, size - used, "%.*s %.*s\n", (int)a.len, a.at,
	    (int)b.len, b.at);
}

static void
on_note(void *arg, struct json_span method, struct json_span params)
{
	struct fake_answer *answer = arg;

	answer->n_notes++;
	append(answer->notes, sizeof(answer->notes), method, params);
}

static void
on_ask(
    void *arg, uint32_t ask, struct json_span method, struct json_span params)
{
	struct fake_answer *answer = arg;

	answer->last_ask = ask;
	answer->n_asks++;
	append(answer->asks, sizeof(answer->asks), method, params);
}

static void
on_wait(void *arg)
{
	struct fake_answer *answer = arg;

	answer->n_waits++;
	answer->has_waited = true;
}

static void
on_done(void *arg, const struct upstream_answer *answer)
{
	struct fake_answer *told = arg;
	struct json_span whole;

	assert_false(told->is_done);
	assert_int_equal(
	    json_check(answer->value.at, answer->value.len, &whole, NULL), 0);
	assert_int_equal(json_kind_of(whole), JSON_KIND_OBJECT);
	told->is_done = true;
	told->end = answer->end;
	told->era = answer->era;
	told->status = answer->status;
	told->cpu_us = answer->usage.cpu_us;
	snprintf(told->value, sizeof(told->value), "%.*s",
	    (int)answer->value.len, answer->value.at);
}

const struct upstream_call_ops fake_ops = {
	.note = on_note, .ask = on_ask, .wait = on_wait, .done = on_done
};

struct upstream_call *
fake_call(unsigned server, unsigned client, const char *method,
    const char *params, struct fake_answer *answer)
{
	const struct upstream_request request = {
		.method = method, .params = { params, strlen(params) }, .id = 7
	};
	struct upstream_call *call = NULL;

	memset(answer, 0, sizeof(*answer));
	assert_int_equal(
	    upstream_call_start(&fake_gateway, &fake_servers[server],
		&fake_clients[client], &request, &fake_ops, answer, &call),
	    0);
	assert_false(answer->is_done);
	return call;
}

static void
on_surface(void *arg, const struct mcp_surface *surface,
    const struct upstream_answer *failure)
{
	struct fake_surface *told = arg;

	assert_false(told->is_told);
	told->is_told = true;
	told->surface = surface;
	if (failure != NULL)
		snprintf(told->failure, sizeof(told->failure), "%.*s",
		    (int)failure->value.len, failure->value.at);
}

void
fake_surface_get(unsigned server, unsigned client, struct fake_surface *told)
{
	*told = (struct fake_surface){ 0 };
	assert_int_equal(
	    upstream_surface_get(&fake_gateway, &fake_servers[server],
		&fake_clients[client], on_surface, told),
	    0);
}

static void
on_patience(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	fail_msg("nothing came of it within 10 s");
}

void
fake_until(const bool *flag)
{
	const struct timeval patience = { 10, 0 };
	struct event *event = evtimer_new(fake_gateway.base, on_patience, NULL);

	evtimer_add(event, &patience);
	while (!*flag)
		event_base_loop(fake_gateway.base, EVLOOP_ONCE);
	event_free(event);
}

void
fake_settle(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(fake_gateway.base, EVLOOP_NONBLOCK);
}

static bool
take_line(unsigned link)
{
	size_t n = 0;

	while (n < sizeof(line) - 1) {
		const ssize_t r = read(fake_links[link], line + n, 1);
		if (r <= 0)
			return false;
		if (line[n++] == '\n')
			break;
	}
	line[n - 1] = '\0';
	return true;
}

const char *
fake_read(unsigned link)
{
	for (int i = 0; i < 10000; i++) {
		fake_settle();
		if (link < fake_n_links) {
			struct pollfd ready = { fake_links[link], POLLIN, 0 };
			if (poll(&ready, 1, 0) == 1 && take_line(link))
				return line;
		}
		struct timeval tick = { 0, 1000 };
		event_base_loopexit(fake_gateway.base, &tick);
		event_base_loop(fake_gateway.base, 0);
	}
	fail_msg("the gateway wrote nothing to link %u", link);
	return NULL;
}

bool
fake_read_nothing(unsigned link)
{
	struct pollfd ready = { fake_links[link], POLLIN, 0 };

	fake_settle();
	return poll(&ready, 1, 0) == 0;
}

void
fake_write(unsigned link, const char *text)
{
	const size_t len = strlen(text);

	assert_int_equal(write(fake_links[link], text, len), len);
	assert_int_equal(write(fake_links[link], "\n", 1), 1);
	fake_settle();
}

static struct json_span
member_of(const char *json, const char *name)
{
	struct json_want want = { .name = name };
	struct json_span whole;

	assert_int_equal(json_check(json, strlen(json), &whole, NULL), 0);
	json_members_find(whole, &want, 1);
	return want.value;
}

void
fake_reply(unsigned link, const char *request, const char *member_and_value)
{
	const struct json_span id = member_of(request, "id");
	static char text[1 << 16];

	assert_non_null(id.at);
	snprintf(text, sizeof(text), "{%s,\"jsonrpc\":\"2.0\",\"id\":%.*s}",
	    member_and_value, (int)id.len, id.at);
	fake_write(link, text);
}

void
fake_greet(unsigned link, const char *capabilities)
{
	char reply[1024];
	const char *request = fake_read(link);

	if (strstr(request, "\"server/discover\"") != NULL) {
		fake_reply(link, request,
		    "\"error\":{\"code\":-32601,\"message\":\"no\"}");
		request = fake_read(link);
	}
	assert_non_null(strstr(request, "\"method\":\"initialize\""));
	snprintf(reply, sizeof(reply),
	    "\"result\":{\"protocolVersion\":\"2025-11-25\","
	    "\"capabilities\":%s,\"serverInfo\":{\"name\":\"fixture\","
	    "\"version\":\"1\"}}",
	    capabilities);
	fake_reply(link, request, reply);
	assert_non_null(
	    strstr(fake_read(link), "\"notifications/initialized\""));
}

void
fake_serve_tools(unsigned link, const char *tools)
{
	char reply[4096];
	const char *request = fake_read(link);

	assert_non_null(strstr(request, "\"tools/list\""));
	snprintf(reply, sizeof(reply), "\"result\":{\"tools\":[%s]}", tools);
	fake_reply(link, request, reply);
}

void
fake_box_end(unsigned link)
{
	int *fds[] = { &fake_links[link], &fake_stderrs[link],
		&fake_notes[link] };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

void
fake_note(unsigned link, enum box_note_kind kind, int code, uint32_t count,
    const char *text)
{
	struct box_note note = { .kind = kind,
		.code = code,
		.count = count,
		.text_len = (uint32_t)strlen(text) };
	const size_t len = BOX_NOTE_HEAD + note.text_len;

	memcpy(note.text, text, note.text_len);
	assert_int_equal(send(fake_notes[link], &note, len, 0), len);
	fake_settle();
}

void
fake_start(uint32_t kind)
{
	static const char *const names[] = { "alpha", "beta", "gamma" };

	fake_gateway = (struct gateway){ .base = event_base_new(),
		.pool = &pool,
		.sessions = WIRE_SESSIONS_DEFAULT };
	fake_tenant = (struct tenant){ 0 };
	for (unsigned i = 0; i < 2; i++) {
		fake_principals[i] =
		    (struct principal){ .tenant = &fake_tenant };
		fake_clients[i] =
		    (struct client){ .principal = &fake_principals[i],
			    .session = sessions[i],
			    .era = MCP_LEGACY };
	}
	for (unsigned i = 0; i < 3; i++) {
		fake_servers[i] = (struct server){ .tenant = &fake_tenant };
		struct wire_server *record = &fake_servers[i].record;
		record->id = i;
		record->launch.kind = kind;
		record->launch.limits = (struct wire_limits)WIRE_LIMITS_DEFAULT;
		strcpy(record->launch.name, names[i]);
		fake_servers[i].name = record->launch.name;
	}
	fake_n_links = fake_n_cells = fake_n_kept = fake_n_lost = 0;
	fake_changed = fake_n_changed = 0;
	fake_log[0] = fake_updated[0] = fake_server_log[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(fake_links); i++)
		fake_stderrs[i] = fake_notes[i] = -1;
	signal(SIGPIPE, SIG_IGN);
	fake_link_failure = fake_declared = NULL;
}

void
fake_stop(void)
{
	for (unsigned i = 0; i < 3; i++)
		upstream_forget(&fake_gateway, &fake_servers[i]);
	fake_settle();
	for (unsigned i = 0; i < fake_n_cells; i++)
		if (fake_cells[i].is_there && fake_cells[i].is_cancelled) {
			const struct pool_outcome outcome = {
				.end = POOL_CANCELLED,
				.text = "{}",
				.text_len = 2
			};
			fake_cells[i].is_there = false;
			fake_cells[i].ops->done(fake_cells[i].arg, &outcome);
		}
	for (unsigned i = 0; i < fake_n_links; i++)
		fake_box_end(i);
	fake_settle();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(fake_servers[i].users, 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(fake_principals[i].users, 0);
	event_base_free(fake_gateway.base);
}
