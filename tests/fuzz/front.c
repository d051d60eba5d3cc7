/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The gateway's client-facing half under what several principals do at once:
 * the input is a list of steps, each some bytes. No sockets: HTTP is played
 * here, and requests are freed as early as the server may free them. What is
 * behind it is the fakes of tests/proc/front-host.c.
 *
 * Held: answers are JSON; nobody is sent another's secret; when all have left,
 * nobody is held and nothing runs.
 */

#include <stdio.h>

#include "fuzz.h"

#include "gateway/front/front.h"
#include "gateway/log.h"
static int
say_nothing(const char *format, ...) __attribute__((format(printf, 1, 2)));
int front_host_main(int argc, char **argv);
#define main front_host_main
#undef printf /* a macro to clang, where sources are fortified */
#define printf say_nothing
#include "../proc/front-host.c"
#undef main
#undef printf

#define REQUESTS_MAX 48
#define SLOTS 8
#define HIGH (256u << 10)

struct http_request {
	unsigned who;
	const char *method;
	const char *target;
	struct http_header headers[8];
	size_t n_headers;
	char *texts[8]; /* owned: the headers' values */
	uint8_t *body; /* owned */
	size_t body_len;
	void *owner;
	size_t unread;
	bool is_stream;
	bool is_over;
};

struct input {
	const uint8_t *at, *end;
};

static struct http_request *requests[REQUESTS_MAX];
static unsigned n_requests;
/* What was given to somebody, and is sent by anybody. */
static char sessions[SLOTS][SEAL_SESSION_TEXT], events[SLOTS][64],
    states[SLOTS][1024];
static unsigned n_sessions, n_events, n_states;
static unsigned long last_ask;

static int
say_nothing(const char *format, ...)
{
	(void)format;
	return 0;
}

int
http_server_new(struct http_server **serverp, struct event_base *base,
    const struct http_options *options)
{
	(void)serverp;
	(void)base;
	(void)options;
	return -ENOSYS;
}

int
http_server_listen(
    struct http_server *server, int listen_fd, unsigned tag, const char *pem)
{
	(void)server;
	(void)listen_fd;
	(void)tag;
	(void)pem;
	return -ENOSYS;
}

struct http_server *
http_server_free(struct http_server *server)
{
	return server;
}

static void
slot_take(char *slot, size_t size, const char *from, const char *end)
{
	const size_t len = (size_t)(end - from);

	if (len >= size)
		return;
	memcpy(slot, from, len);
	slot[len] = '\0';
}

static void
json_must(const char *json, size_t len)
{
	struct json_span value;

	if (json_check(json, len, &value, NULL) != 0)
		abort();
}

/* Keeps what can be used again; nobody may get what another said. */
static void
bytes_look(const struct http_request *request, const char *bytes, size_t len)
{
	static const char state[] = "\"requestState\":\"",
			  ask[] = ",\"method\":\"elicitation/create\"";
	const char *end = bytes + len, *at = bytes;

	while ((at = memmem(at, (size_t)(end - at), "secret-", 7)) != NULL) {
		at += 7;
		if (at < end && (unsigned)(*at - '0') != request->who)
			abort();
	}
	at = memmem(bytes, len, state, sizeof(state) - 1);
	if (at != NULL) {
		const char *from = at + sizeof(state) - 1;
		const char *quote = memchr(from, '"', (size_t)(end - from));
		if (quote == NULL)
			abort();
		slot_take(
		    states[n_states++ % SLOTS], sizeof(states[0]), from, quote);
	}
	at = memmem(bytes, len, ask, sizeof(ask) - 1);
	while (at != NULL && at > bytes && at[-1] >= '0' && at[-1] <= '9')
		at--;
	if (at != NULL)
		last_ask = strtoul(at, NULL, 10);
}

/* The half's way out. */

static void
over(struct http_request *request)
{
	if (request->is_over)
		abort();
	request->owner = NULL;
	request->is_over = true;
}

static void
head_look(const struct http_header *headers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(headers[i].name, "Mcp-Session-Id") == 0)
			snprintf(sessions[n_sessions++ % SLOTS],
			    sizeof(sessions[0]), "%s", headers[i].value);
}

void
http_reply(struct http_request *request, unsigned status,
    const struct http_header *headers, size_t n, char *body, size_t len)
{
	if (request->is_stream || status < 200)
		abort();
	head_look(headers, n);
	bytes_look(request, body == NULL ? "" : body, len);
	if (len > 0)
		json_must(body, len);
	free(body);
	http_request_body_drop(request);
	over(request);
}

void
http_reply_static(struct http_request *request, unsigned status,
    const struct http_header *headers, size_t n, const char *body)
{
	(void)status;
	(void)body;
	head_look(headers, n);
	http_request_body_drop(request);
	over(request);
}

void
http_stream_begin(struct http_request *request, unsigned status,
    const struct http_header *headers, size_t n)
{
	if (request->is_stream || request->is_over || status != 200)
		abort();
	head_look(headers, n);
	request->is_stream = true;
	http_request_body_drop(request);
}

bool
http_stream_write(struct http_request *request, const void *bytes, size_t len)
{
	const char *text = bytes, *data, *id;

	if (!request->is_stream || request->is_over)
		abort();
	bytes_look(request, text, len);
	data = memmem(text, len, "data: ", 6);
	if (data != NULL && data[6] != '\n')
		json_must(data + 6, len - (size_t)(data + 6 - text));
	id = memmem(text, len, "id: ", 4);
	if (id != NULL && (data == NULL || id < data))
		slot_take(events[n_events++ % SLOTS], sizeof(events[0]), id + 4,
		    memchr(id, '\n', len - (size_t)(id - text)));
	request->unread += len;
	return request->unread > HIGH;
}

void
http_stream_end(struct http_request *request)
{
	if (!request->is_stream)
		abort();
	over(request);
}

void
http_stream_cut(struct http_request *request)
{
	http_stream_end(request);
}

const char *
http_request_method(const struct http_request *request)
{
	return request->method;
}

const char *
http_request_target(const struct http_request *request)
{
	return request->target;
}

const char *
http_request_header(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++)
		if (strcmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	return NULL;
}

const uint8_t *
http_request_body(const struct http_request *request, size_t *len)
{
	*len = request->body_len;
	return request->body;
}

void
http_request_body_drop(struct http_request *request)
{
	free(request->body);
	request->body = NULL;
	request->body_len = 0;
}

void
http_request_owner_set(struct http_request *request, void *owner)
{
	request->owner = owner;
}

/* The clients. */

static unsigned
take(struct input *input, unsigned limit)
{
	return input->at < input->end ? *input->at++ % limit : 0;
}

static void
request_free(unsigned i)
{
	struct http_request *request = requests[i];

	requests[i] = requests[--n_requests];
	for (size_t k = 0; k < request->n_headers; k++)
		free(request->texts[k]);
	free(request->body);
	free(request);
}

static void
requests_reap(void)
{
	for (unsigned i = n_requests; i-- > 0;)
		if (requests[i]->is_over)
			request_free(i);
}

static void
request_leave(unsigned i)
{
	if (requests[i]->owner != NULL)
		ops.gone(requests[i]->owner, requests[i]);
	request_free(i);
}

static void
header_add(struct http_request *request, const char *name, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		abort();
	request->texts[request->n_headers] = copy;
	request->headers[request->n_headers++] =
	    (struct http_header){ name, copy };
}

static struct http_request *
request_new(struct input *input, const char *method)
{
	static const char *const tokens[] = { "Bearer a", "Bearer b",
		"Bearer c", "Bearer d" };
	static const char *const targets[] = { "/mcp", "/s/one/mcp",
		"/s/two/mcp" };
	struct http_request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		abort();
	request->method = method;
	request->who = take(input, 4);
	request->target = targets[take(input, 3)];
	header_add(request, "Authorization", tokens[request->who]);
	const unsigned slot = take(input, SLOTS + 2);
	if (slot < SLOTS)
		header_add(request, "Mcp-Session-Id", sessions[slot]);
	if (n_requests == REQUESTS_MAX)
		request_leave(take(input, REQUESTS_MAX));
	requests[n_requests++] = request;
	return request;
}

static void
request_send(struct http_request *request, const char *body, size_t len)
{
	request->body = malloc(len == 0 ? 1 : len);
	if (request->body == NULL)
		abort();
	memcpy(request->body, body, len);
	request->body_len = len;
	on_request(NULL, request);
}

#define META                                                                   \
	"\"_meta\":{\"progressToken\":1,"                                      \
	"\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","          \
	"\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{},"  \
	"\"sampling\":{}}}"

static const char *const names[] = { "echo", "hang", "progress", "log", "ask",
	"ask2", "sample", "modern", "flood", "change", "update", "big", "fail",
	"header", "no-such" };

static size_t
call_write(char *text, size_t size, const struct http_request *request,
    const char *name, unsigned id, const char *more)
{
	return (size_t)snprintf(text, size,
	    "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/call\","
	    "\"params\":{\"name\":\"%s\",\"arguments\":{\"s\":\"secret-%u\"},"
	    "%s}}",
	    id, name, request->who, more);
}

static void
modern_send(struct input *input, struct http_request *request, bool retry)
{
	const char *name = names[take(input, ARRAY_LEN(names))];
	char text[4096], more[2048];

	snprintf(more, sizeof(more), META);
	if (retry)
		snprintf(more, sizeof(more),
		    "\"requestState\":\"%.1023s\",\"inputResponses\":{\"ask-%"
		    "u\":{"
		    "\"s\":\"secret-%u\"},\"who\":{}}," META,
		    states[take(input, SLOTS)], take(input, 4), request->who);
	const size_t len =
	    call_write(text, sizeof(text), request, name, 1, more);
	header_add(request, "MCP-Protocol-Version", "2026-07-28");
	header_add(request, "Mcp-Method", "tools/call");
	header_add(request, "Mcp-Name", name);
	request_send(request, text, len);
}

static void
listen_send(struct http_request *request)
{
	static const char text[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"subscriptions/listen\","
	    "\"params\":{\"notifications\":{\"toolsListChanged\":true,"
	    "\"resourceSubscriptions\":[\"test://r\",1,\"test://r\"]}," META
	    "}}";

	header_add(request, "MCP-Protocol-Version", "2026-07-28");
	header_add(request, "Mcp-Method", "subscriptions/listen");
	request_send(request, text, sizeof(text) - 1);
}

static void
batch_send(struct input *input, struct http_request *request)
{
	char text[4096] = "[";
	size_t len = 1;

	for (unsigned i = 1 + take(input, 4); i > 0; i--) {
		const char *name = names[take(input, ARRAY_LEN(names))];
		len += call_write(text + len, sizeof(text) - len, request, name,
		    take(input, 4), "\"_meta\":{\"progressToken\":\"p\"}");
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    ",{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
		    "cancelled\",\"params\":{\"requestId\":%u}}%s",
		    take(input, 4), i == 1 ? "]" : ",");
	}
	header_add(request, "MCP-Protocol-Version", "2025-03-26");
	request_send(request, text, len);
}

/* What else a session's client says, with a number in it. */
static void
legacy_send(struct input *input, struct http_request *request)
{
	static const char *const formats[] = {
		"\"id\":%lu,\"method\":\"resources/subscribe\","
		"\"params\":{\"uri\":\"test://r\"}",
		"\"id\":%lu,\"method\":\"resources/unsubscribe\","
		"\"params\":{\"uri\":\"test://r\"}",
		"\"id\":%lu,\"method\":\"logging/setLevel\","
		"\"params\":{\"level\":\"debug\"}",
		"\"method\":\"notifications/cancelled\","
		"\"params\":{\"requestId\":%lu}",
		"\"method\":\"notifications/roots/list_changed\",\"x\":%lu",
		"\"id\":%lu,\"result\":{\"action\":\"accept\"}",
		"\"id\":%lu,\"error\":{\"code\":1,\"message\":\"no\"}",
		"\"id\":%lu,\"result\":7",
		"\"id\":%lu,\"method\":\"tools/list\"",
		"\"id\":%lu,\"method\":\"prompts/get\","
		"\"params\":{\"name\":\"modern\",\"name\":1}",
	};
	const unsigned which = take(input, ARRAY_LEN(formats));
	char inner[512], text[600];

	const unsigned long number =
	    which >= 5 && which <= 7 ? last_ask : take(input, 4);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(inner, sizeof(inner), formats[which], number);
#pragma GCC diagnostic pop
	const int len =
	    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",%s}", inner);
	request_send(request, text, (size_t)len);
}

static void
post(struct input *input)
{
	static const char hello[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\""
	    ":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{"
	    "\"elicitation\":{},\"sampling\":{}}}}";
	static const char hello_batch[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\""
	    ":{\"protocolVersion\":\"2025-03-26\",\"capabilities\":{}}}";
	struct http_request *request = request_new(input, "POST");
	char text[4096];

	switch (take(input, 9)) {
	case 0:
		request_send(request, hello, sizeof(hello) - 1);
		break;
	case 1:
		request_send(request, hello_batch, sizeof(hello_batch) - 1);
		break;
	case 2:
	case 3: {
		const char *name = names[take(input, ARRAY_LEN(names))];
		request_send(request, text,
		    call_write(text, sizeof(text), request, name,
			take(input, 4), "\"_meta\":{\"progressToken\":\"p\"}"));
		break;
	}
	case 4:
		modern_send(input, request, false);
		break;
	case 5:
		modern_send(input, request, true);
		break;
	case 6:
		listen_send(request);
		break;
	case 7:
		batch_send(input, request);
		break;
	default:
		legacy_send(input, request);
	}
}

/* A body as it stands in the input, up to the line's end. */
static void
post_raw(struct input *input)
{
	struct http_request *request = request_new(input, "POST");
	const size_t left = (size_t)(input->end - input->at);
	const uint8_t *end = left == 0 ? NULL : memchr(input->at, '\n', left);
	const size_t len = end == NULL ? left : (size_t)(end - input->at);

	/* Somebody's secret may not be made up. */
	if (memmem(input->at, len, "secret-", 7) == NULL)
		request_send(request, (const char *)input->at, len);
	else
		request->is_over = true;
	input->at += len;
}

static void
get(struct input *input, bool resumes)
{
	struct http_request *request = request_new(input, "GET");

	if (resumes)
		header_add(
		    request, "Last-Event-ID", events[take(input, SLOTS)]);
	request_send(request, "", 0);
}

static void
read_on(struct input *input)
{
	if (n_requests == 0)
		return;
	struct http_request *request = requests[take(input, n_requests)];
	const bool was_full = request->unread > HIGH;

	request->unread = 0;
	if (was_full && request->owner != NULL)
		ops.drained(request->owner, request);
	else if (request->is_stream && request->owner != NULL)
		ops.silent(request->owner, request);
}

static void
time_pass(struct input *input)
{
	const uint64_t now_ms = front_now_ms() + 5000 * take(input, 32);
	struct live *live;

	exchange_sweep(gateway.front, now_ms);
	ask_sweep(gateway.front, now_ms);
	TAILQ_FOREACH (live, &gateway.front->lives, link)
		stream_sweep(live, now_ms);
	session_sweep(gateway.front);
	listen_flush(gateway.front);
}

/* The gateway ends, and another begins with the same key. */
static void
begin_anew(void)
{
	while (n_requests > 0)
		request_leave(0);
	front_stop(&gateway);
	if (front_start(&gateway) != 0)
		abort();
	gateway.front->started++;
}

static void
world_turn(struct input *input)
{
	const unsigned who = take(input, 4);

	switch (take(input, 5)) {
	case 0:
		servers[1].record.state ^=
		    WIRE_STATE_APPROVED ^ WIRE_STATE_DENIED;
		front_changed(&gateway, &servers[1], UPSTREAM_TOOLS);
		break;
	case 1:
		front_principal_changed(&gateway, &principals[who]);
		break;
	case 2:
		/* A token that is gone comes no more; another has its place. */
		principals[who].gone = true;
		front_principal_changed(&gateway, &principals[who]);
		principals[who].gone = false;
		break;
	case 3:
		begin_anew();
		break;
	default:
		front_drain(&gateway);
	}
}

static void
step(struct input *input)
{
	switch (take(input, 16)) {
	case 0:
		post_raw(input);
		break;
	case 1:
		get(input, false);
		break;
	case 2:
		get(input, true);
		break;
	case 3:
		request_send(request_new(input, "DELETE"), "", 0);
		break;
	case 4:
		if (n_requests > 0)
			request_leave(take(input, n_requests));
		break;
	case 5:
		read_on(input);
		break;
	case 6:
		time_pass(input);
		break;
	case 7:
		world_turn(input);
		break;
	case 8:
	case 9:
		event_base_loop(gateway.base, EVLOOP_NONBLOCK);
		break;
	default:
		post(input);
	}
	requests_reap();
}

static void
world_begin(void)
{
	char numbers[][8] = { "", "600", "2", "4096", "60" };
	char *argv[] = { numbers[0], numbers[1], numbers[2], numbers[3],
		numbers[4] };

	memset(&gateway, 0, sizeof(gateway));
	memset(tenants, 0, sizeof(tenants));
	memset(principals, 0, sizeof(principals));
	memset(servers, 0, sizeof(servers));
	memset(sessions, 0, sizeof(sessions));
	memset(events, 0, sizeof(events));
	memset(states, 0, sizeof(states));
	n_sessions = n_events = n_states = n_ended = 0;
	world_make(argv);
	gateway.sessions.per_tenant = 3;
	principals[1].record.scopes |= WIRE_SCOPE_CALL;
	gateway.base = event_base_new();
	if (gateway.base == NULL || front_start(&gateway) != 0)
		abort();
}

static void
world_end(void)
{
	while (n_requests > 0)
		request_leave(0);
	front_stop(&gateway);
	event_base_free(gateway.base);
	for (size_t i = 0; i < ARRAY_LEN(principals); i++)
		if (principals[i].users != 0 || principals[i].n_asking != 0 ||
		    principals[i].n_sessions != 0 ||
		    principals[i].meter.running != 0)
			abort();
	for (size_t i = 0; i < ARRAY_LEN(servers); i++)
		if (servers[i].users != 0 || tenants[i].n_sessions != 0)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, data + size };

	if (sodium_init() < 0)
		abort();
	log_init(false, LOG_ERROR);
	world_begin();
	for (unsigned n = 0; n < 512 && input.at < input.end; n++)
		step(&input);
	world_end();
	return 0;
}
