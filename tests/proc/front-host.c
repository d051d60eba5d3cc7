/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The client-facing half of the gateway with nothing real behind it: servers,
 * principals and a key that the arguments name, and tools that do what their
 * names say. Serves HTTP on a port it prints; ends when stdin does.
 *
 *     front-host IDLE_S PER_PRINCIPAL RESUME_BYTES ASK_S
 *
 * Tokens are a, b, d (tenant local) and c (tenant other). Lines on stdout tell
 * what a server would have seen.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "gateway/gateway.h"
#include "gateway/log.h"
#include "json/edit.h"

static struct gateway gateway;
static struct tenant tenants[2];
static struct principal principals[4];
static struct server servers[2];
static uint8_t key[32];
static bool is_keyless;
static uint8_t ended[64][16];
static unsigned n_ended;

/* registry */

struct principal *
principal_ref(struct principal *principal)
{
	principal->users++;
	return principal;
}

struct principal *
principal_unref(struct principal *principal)
{
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

bool
registry_sees(const struct principal *principal, const struct server *server)
{
	return principal->tenant == server->tenant &&
	    server->record.state == WIRE_STATE_APPROVED;
}

bool
registry_may_call(
    const struct principal *principal, const struct server *server)
{
	return registry_sees(principal, server) &&
	    (principal->record.scopes & WIRE_SCOPE_CALL) != 0;
}

struct server *
registry_next(struct gateway *g, const struct principal *principal,
    const struct server *last)
{
	(void)g;
	return last == NULL && registry_sees(principal, &servers[0])
	    ? &servers[0]
	    : NULL;
}

const uint8_t *
registry_key(const struct gateway *g)
{
	(void)g;
	return is_keyless ? NULL : key;
}

bool
registry_session_is_ended(const struct gateway *g, const uint8_t session[16])
{
	(void)g;
	for (unsigned i = 0; i < n_ended; i++)
		if (memcmp(ended[i], session, 16) == 0)
			return true;
	return false;
}

void
registry_session_end(struct gateway *g, const uint8_t session[16], uint64_t at)
{
	(void)g;
	(void)at;
	memcpy(ended[n_ended++ % 64], session, 16);
}

void
server_log(struct server *server, int level, uint64_t request,
    const char *raw_text, size_t len)
{
	log_tool((enum log_level)level, request, server->name, raw_text, len);
}

void
metrics_call(
    struct server *server, const char *outcome, const struct pool_usage *usage)
{
	(void)outcome;
	server->n_calls++;
	server->cpu_us += usage->cpu_us;
}

void
registry_audit(struct gateway *g, const struct principal *principal,
    uint64_t request, const char *action, const char *json, size_t len)
{
	(void)g;
	(void)request;
	printf("audit %u %s %.*s\n", principal->record.id, action, (int)len,
	    json == NULL ? "" : json);
}

int
quota_request(struct principal *principal, struct quota_refusal *refusal)
{
	(void)principal;
	(void)refusal;
	return 0;
}

int
quota_call_enter(struct principal *principal, struct quota_refusal *refusal)
{
	*refusal = (struct quota_refusal){ "concurrent", "token", 7 };
	if (principal->meter.running >= 20)
		return QUOTA_E_OVER;
	principal->meter.running++;
	return 0;
}

void
quota_call_leave(struct principal *principal, const struct pool_usage *usage)
{
	(void)usage;
	principal->meter.running--;
}

uint64_t
quota_result_bytes(const struct principal *principal)
{
	return principal->record.quota.result_bytes;
}

/* catalog: one server's names, as they are */

#define TOOL(name) "{\"name\":\"" name "\",\"inputSchema\":{}}"

static const char tools[] =
    "[" TOOL("echo") "," TOOL("hang") "," TOOL("progress") "," TOOL("log") "," TOOL("ask") "," TOOL("ask2") "," TOOL("sample") "," TOOL(
	"round") "," TOOL("modern") "," TOOL("flood") "," TOOL("change") "," TOOL("restart") "," TOOL("update") "," TOOL("big") "]";

int
catalog_need(struct gateway *g, const struct endpoint *endpoint,
    const struct client *client, catalog_fn *fn, void *arg)
{
	(void)g;
	(void)endpoint;
	(void)client;
	fn(arg, NULL);
	return 0;
}

void
catalog_forget(struct gateway *g, catalog_fn *fn, void *arg)
{
	(void)g;
	(void)fn;
	(void)arg;
}

void
catalog_list_write(struct gateway *g, const struct endpoint *endpoint,
    const struct client *client, enum catalog_kind kind, struct json_out *out)
{
	(void)g;
	(void)endpoint;
	(void)client;
	json_out_text(out, kind == CATALOG_TOOLS ? tools : "[]");
}

void
catalog_info_write(struct gateway *g, const struct endpoint *endpoint,
    const struct client *client, struct json_out *out)
{
	(void)g;
	(void)endpoint;
	(void)client;
	json_out_text(out, "{\"name\":\"fake\",\"version\":\"1\"}");
}

void
catalog_capabilities_write(struct gateway *g, const struct endpoint *endpoint,
    const struct client *client, struct json_out *out)
{
	(void)g;
	(void)endpoint;
	(void)client;
	json_out_text(out, "{\"tools\":{\"listChanged\":true}}");
}

bool
catalog_instructions_write(struct gateway *g, const struct endpoint *endpoint,
    const struct client *client, struct json_out *out)
{
	(void)g;
	(void)endpoint;
	(void)client;
	(void)out;
	return false;
}

int
catalog_find(struct gateway *g, const struct endpoint *endpoint,
    const struct client *client, enum catalog_kind kind, struct json_span name,
    struct catalog_entry *entry)
{
	char text[300];

	(void)g;
	(void)client;
	json_string_copy(name, text, sizeof(text), NULL);
	if (strncmp(text, "no-", 3) == 0)
		return CATALOG_E_UNKNOWN;
	*entry = (struct catalog_entry){
		.server =
		    endpoint->server != NULL ? endpoint->server : &servers[0],
		.inner = strndup(name.at, name.len),
	};
	if (kind == CATALOG_TOOLS && strcmp(text, "header") == 0) {
		static const char schema[] =
		    "{\"inputSchema\":{\"type\":\"object\",\"properties\":{"
		    "\"region\":{\"type\":\"string\",\"x-mcp-header\":"
		    "\"Region\"}}}}";
		entry->element =
		    (struct json_span){ schema, sizeof(schema) - 1 };
	}
	return 0;
}

int
catalog_params_write(struct json_out *out, struct json_span params,
    const char *member, const struct catalog_entry *entry)
{
	const struct json_edit edit = { member,
		{ entry->inner, strlen(entry->inner) } };

	return json_edit_write(out, params, &edit, 1);
}

void
catalog_result_write(struct gateway *g, const struct endpoint *endpoint,
    const struct server *server, const char *method, struct json_span result,
    struct json_out *out)
{
	(void)g;
	(void)endpoint;
	(void)server;
	(void)method;
	json_out_span(out, result);
}

/* upstream: tools that do what their names say */

struct upstream_call {
	const struct upstream_call_ops *ops;
	const struct client *client;
	void *arg;
	struct event *event;
	char tool[64];
	char *params;
	unsigned step;
	unsigned n_answers;
	char answers[2048];
	bool paused;
	struct server *server;
};

#define SPAN(text)                                                             \
	(struct json_span)                                                     \
	{                                                                      \
		(text), strlen(text)                                           \
	}

static void
end(struct upstream_call *call, enum upstream_end how, const char *json,
    enum mcp_era era)
{
	const struct upstream_answer answer = {
		.end = how, .value = SPAN(json), .era = era
	};

	call->ops->done(call->arg, &answer);
	event_free(call->event);
	free(call->params);
	free(call);
}

static void
end_text(struct upstream_call *call, const char *raw)
{
	struct json_out out;

	json_out_init(&out, 1 << 24);
	json_out_text(&out, "{\"content\":[{\"type\":\"text\",\"text\":");
	json_out_string(&out, raw, strlen(raw));
	json_out_text(&out, "}],\"big\":12345678901234567890}");
	json_out_raw(&out, "", 1);
	end(call, UPSTREAM_RESULT, out.bytes, MCP_LEGACY);
	json_out_fini(&out);
}

static void
again(struct upstream_call *call)
{
	static const struct timeval now = { 0 };

	event_add(call->event, &now);
}

static void
note(struct upstream_call *call, const char *method, const char *params)
{
	call->ops->note(call->arg, SPAN(method), SPAN(params));
}

static void
do_progress(struct upstream_call *call)
{
	char params[200];

	if (call->step == 3) {
		end_text(call, "done");
		return;
	}
	snprintf(params, sizeof(params),
	    "{\"progressToken\":99,\"progress\":%u,\"total\":3}", ++call->step);
	note(call, "\"notifications/progress\"", params);
	again(call);
}

static void
do_flood(struct upstream_call *call)
{
	static char params[70000];

	if (call->paused || call->step++ == 100) {
		if (call->step > 100)
			end_text(call, "flooded");
		return;
	}
	memset(params, 'x', sizeof(params));
	memcpy(params, "{\"level\":\"error\",\"data\":\"", 25);
	memcpy(params + sizeof(params) - 3, "\"}", 3);
	note(call, "\"notifications/message\"", params);
	again(call);
}

/* With what only this hop is concerned with, alone and beside other words. */
static const char *const elicits[] = {
	"{\"message\":\"name?\",\"requestedSchema\":{\"type\":\"object\","
	"\"properties\":{\"name\":{\"type\":\"string\"}}},"
	"\"_meta\":{\"progressToken\":0}}",
	"{\"_meta\":{\"progressToken\":1,\"x\":12345678901234567890},"
	"\"message\":\"name?\",\"requestedSchema\":{\"type\":\"object\","
	"\"properties\":{\"name\":{\"type\":\"string\"}}}}",
};

static void
do_ask(struct upstream_call *call, unsigned n)
{
	if (call->step++ > 0)
		return;
	for (unsigned i = 0; i < n; i++)
		call->ops->ask(call->arg, i + 1, SPAN("\"elicitation/create\""),
		    (struct json_span){
			elicits[i % 2], strlen(elicits[i % 2]) });
	call->ops->wait(call->arg);
}

/* Stateless rounds, as a modern server has them. */
static void
do_modern(struct upstream_call *call)
{
	struct json_want wants[] = { { .name = "requestState" },
		{ .name = "inputResponses" } };
	struct json_span params;

	json_check(call->params, strlen(call->params), &params, NULL);
	json_members_find(params, wants, 2);
	if (wants[0].value.at == NULL) {
		end(call, UPSTREAM_RESULT,
		    "{\"resultType\":\"input_required\",\"inputRequests\":{"
		    "\"who\":{\"method\":\"elicitation/create\",\"params\":{"
		    "\"message\":\"who?\",\"requestedSchema\":{\"type\":"
		    "\"object\",\"properties\":{}}}}},\"requestState\":"
		    "\"s\\u0031\"}",
		    MCP_MODERN);
		return;
	}
	printf(
	    "modern state %.*s\n", (int)wants[0].value.len, wants[0].value.at);
	snprintf(call->answers, sizeof(call->answers),
	    "{\"resultType\":\"complete\",\"content\":[],\"got\":%.*s}",
	    (int)wants[1].value.len, wants[1].value.at);
	end(call, UPSTREAM_RESULT, call->answers, MCP_MODERN);
}

static void
do_change(struct upstream_call *call)
{
	front_changed(&gateway, call->server, UPSTREAM_TOOLS);
	front_changed(&gateway, call->server, UPSTREAM_TOOLS);
	end_text(call, "changed");
}

static void
do_restart(struct upstream_call *call)
{
	front_subscriptions_lost(&gateway, call->server);
	end_text(call, "restarted");
}

static void
do_update(struct upstream_call *call)
{
	front_resource_updated(&gateway, call->server, SPAN("\"test://r\""),
	    SPAN("{\"uri\":\"test:\\/\\/r\"}"));
	front_log(&gateway, call->server, call->client->principal,
	    SPAN("{\"level\":\"warning\",\"data\":\"w\"}"));
	front_log(&gateway, call->server, call->client->principal,
	    SPAN("{\"level\":\"debug\",\"data\":\"d\"}"));
	end_text(call, "updated");
}

static void
do_big(struct upstream_call *call)
{
	char *text = malloc(200001);

	memset(text, 'b', 200000);
	text[200000] = '\0';
	note(call, "\"notifications/progress\"",
	    "{\"progressToken\":1,\"progress\":1}");
	end_text(call, text);
	free(text);
}

static void
on_step(evutil_socket_t fd, short what, void *arg)
{
	struct upstream_call *call = arg;

	(void)fd;
	(void)what;
	if (strcmp(call->tool, "hang") == 0)
		return;
	if (strcmp(call->tool, "progress") == 0)
		do_progress(call);
	else if (strcmp(call->tool, "log") == 0) {
		note(call, "\"notifications/message\"",
		    "{\"level\":\"info\",\"data\":\"i\"}");
		end_text(call, "logged");
	} else if (strcmp(call->tool, "ask") == 0)
		do_ask(call, 1);
	else if (strcmp(call->tool, "ask2") == 0)
		do_ask(call, 2);
	else if (strcmp(call->tool, "sample") == 0) {
		if (call->step++ == 0)
			call->ops->ask(call->arg, 1,
			    SPAN("\"sampling/createMessage\""),
			    SPAN("{\"messages\":[],\"maxTokens\":1}"));
	} else if (strcmp(call->tool, "modern") == 0)
		do_modern(call);
	else if (strcmp(call->tool, "flood") == 0)
		do_flood(call);
	else if (strcmp(call->tool, "restart") == 0)
		do_restart(call);
	else if (strcmp(call->tool, "change") == 0)
		do_change(call);
	else if (strcmp(call->tool, "update") == 0)
		do_update(call);
	else if (strcmp(call->tool, "big") == 0)
		do_big(call);
	else if (strcmp(call->tool, "fail") == 0)
		end(call, UPSTREAM_ERROR,
		    "{\"code\":-32002,\"message\":\"not there\",\"data\":1}",
		    MCP_LEGACY);
	else
		end_text(call, call->params);
}

int
upstream_call_start(struct gateway *g, struct server *server,
    const struct client *client, const struct upstream_request *request,
    const struct upstream_call_ops *ops, void *arg,
    struct upstream_call **callp)
{
	struct json_want want = { .name = "name" };
	struct upstream_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return -ENOMEM;
	*call = (struct upstream_call){ .ops = ops,
		.client = client,
		.arg = arg,
		.server = server,
		.params = strndup(request->params.at, request->params.len),
		.event = event_new(g->base, -1, 0, on_step, call) };
	if (json_members_find(request->params, &want, 1) == 0)
		json_string_copy(
		    want.value, call->tool, sizeof(call->tool), NULL);
	printf("call %s %.*s\n", request->method, (int)client->capabilities.len,
	    client->capabilities.at);
	again(call);
	*callp = call;
	return 0;
}

int
upstream_call_answer(struct upstream_call *call, uint32_t ask, bool is_error,
    const char *json, size_t len)
{
	const size_t used = strlen(call->answers);

	snprintf(call->answers + used, sizeof(call->answers) - used,
	    "%u%s%.*s;", ask, is_error ? "!" : "=", (int)len, json);
	call->n_answers++;
	if (strcmp(call->tool, "sample") == 0 && is_error) {
		snprintf(call->tool, sizeof(call->tool), "fail");
		again(call);
	} else if (strcmp(call->tool, "ask2") != 0 || call->n_answers == 2) {
		free(call->params);
		call->params = strdup(call->answers);
		call->tool[0] = '\0';
		again(call);
	}
	return 0;
}

void
upstream_call_cancel(struct upstream_call *call, const char *reason)
{
	printf("cancel %s %s\n", call->tool, reason);
	event_free(call->event);
	free(call->params);
	free(call);
}

void
upstream_call_pause(struct upstream_call *call, bool paused)
{
	call->paused = paused;
	printf("pause %d\n", paused);
	if (!paused && strcmp(call->tool, "hang") != 0)
		again(call);
}

const struct mcp_surface *
upstream_surface_known(const struct server *server)
{
	(void)server;
	return NULL;
}

void
upstream_notify(struct gateway *g, struct server *server,
    const struct client *client, const char *method, struct json_span params)
{
	(void)g;
	(void)params;
	printf("notify %s %s %.*s\n", server->name, method,
	    (int)client->capabilities.len, client->capabilities.at);
}

void
upstream_subscribe(struct gateway *g, struct server *server,
    const struct client *client, struct json_span uri, bool wanted)
{
	(void)g;
	printf("subscribe %s %.*s %d %u\n", server->name, (int)uri.len, uri.at,
	    wanted, client->can);
}

void
upstream_session_end(struct gateway *g, const uint8_t session[16])
{
	(void)g;
	(void)session;
	printf("session end\n");
}

/* route */

void
route_refuse(struct gateway *g, struct http_request *request, unsigned status,
    const char *format, ...)
{
	(void)g;
	http_reply_static(request, status, NULL, 0, format);
}

static void
on_head(void *arg, struct http_request *request)
{
	(void)arg;
	(void)request;
}

/* What the half knows of itself, for tests of what it keeps. */
static void
answer_counts(struct http_request *request)
{
	struct front_counts counts;
	char *body = malloc(300);

	front_counts_get(&gateway, &counts);
	const int len = snprintf(body, 300,
	    "{\"sessions\":%u,\"streams\":%u,\"calls\":%u,\"asking\":%u,"
	    "\"kept\":%zu,\"running\":%u,\"users\":%u}",
	    counts.sessions, counts.streams, counts.calls, counts.asking,
	    counts.kept_bytes, principals[0].meter.running,
	    principals[0].users);
	http_reply(request, 200, NULL, 0, body, (size_t)len);
}

static void
on_request(void *arg, struct http_request *request)
{
	const char *target = http_request_target(request);
	const char *token = http_request_header(request, "Authorization");
	struct principal *principal = &principals[0];

	(void)arg;
	if (token != NULL && strcmp(token, "Bearer b") == 0)
		principal = &principals[1];
	if (token != NULL && strcmp(token, "Bearer c") == 0)
		principal = &principals[2];
	if (token != NULL && strcmp(token, "Bearer d") == 0)
		principal = &principals[3];
	if (strcmp(target, "/counts") == 0) {
		answer_counts(request);
		return;
	}
	if (strcmp(target, "/gone") == 0) {
		principals[0].gone = true;
		front_principal_changed(&gateway, &principals[0]);
		http_reply_static(request, 200, NULL, 0, "");
		return;
	}
	if (strcmp(target, "/deny") == 0) {
		servers[1].record.state = WIRE_STATE_DENIED;
		http_reply_static(request, 200, NULL, 0, "");
		return;
	}
	if (strcmp(target, "/keyless") == 0) {
		is_keyless = !is_keyless;
		http_reply_static(request, 200, NULL, 0, "");
		return;
	}
	if (strcmp(target, "/drain") == 0) {
		front_drain(&gateway);
		http_reply_static(request, 200, NULL, 0, "");
		return;
	}
	const struct visit visit = {
		.gateway = &gateway,
		.principal = principal,
		.endpoint = { .tenant = principal->tenant,
		    .server = strcmp(target, "/s/one/mcp") == 0 ? &servers[0]
			: strcmp(target, "/s/two/mcp") == 0     ? &servers[1]
								: NULL },
		.request = request,
		.id = ++gateway.next_request,
	};
	rpc_start(&visit);
}

static void
on_gone(void *owner, struct http_request *request)
{
	(void)request;
	((struct visit *)owner)->ops->gone(owner);
}

static void
on_drained(void *owner, struct http_request *request)
{
	(void)request;
	((struct visit *)owner)->ops->drained(owner);
}

static void
on_silent(void *owner, struct http_request *request)
{
	(void)request;
	((struct visit *)owner)->ops->silent(owner);
}

static const struct http_ops ops = { .head = on_head,
	.request = on_request,
	.gone = on_gone,
	.drained = on_drained,
	.silent = on_silent };

static void
on_stdin(evutil_socket_t fd, short what, void *arg)
{
	char text[64];

	(void)what;
	(void)arg;
	if (read(fd, text, sizeof(text)) <= 0)
		event_base_loopbreak(gateway.base);
}

static void
world_make(char **argv)
{
	for (unsigned i = 0; i < 2; i++) {
		tenants[i].record.id = i + 1;
		strcpy(tenants[i].record.name, i == 0 ? "local" : "other");
		servers[i].record.id = i + 1;
		servers[i].record.state = WIRE_STATE_APPROVED;
		servers[i].tenant = &tenants[0];
		servers[i].name = i == 0 ? "one" : "two";
	}
	for (unsigned i = 0; i < 4; i++) {
		principals[i].record.id = i + 1;
		principals[i].record.scopes = WIRE_SCOPE_READ | WIRE_SCOPE_CALL;
		principals[i].tenant = &tenants[i == 2];
	}
	/* Less than the words that say so have. */
	principals[3].record.quota.result_bytes = 40;
	principals[1].record.scopes = WIRE_SCOPE_READ;
	gateway.sessions = (struct wire_sessions)WIRE_SESSIONS_DEFAULT;
	gateway.sessions.idle_s = (uint32_t)atoi(argv[1]);
	gateway.sessions.per_principal = (uint32_t)atoi(argv[2]);
	gateway.sessions.resume_bytes = (uint32_t)atoi(argv[3]);
	gateway.sessions.ask_s = (uint32_t)atoi(argv[4]);
	gateway.sessions.asks_max = 4;
	memset(key, 7, sizeof(key));
}

int
main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	const int listen_fd =
	    socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (argc != 5 || sodium_init() < 0)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_init(false, LOG_WARN);
	world_make(argv);
	gateway.base = event_base_new();
	if (bind(listen_fd, (struct sockaddr *)&address, len) != 0 ||
	    listen(listen_fd, 512) != 0 ||
	    getsockname(listen_fd, (struct sockaddr *)&address, &len) != 0 ||
	    front_start(&gateway) != 0)
		return 1;
	const struct http_options options = { .ops = &ops,
		.arg = &gateway,
		.body_max = 4u << 20,
		.connections_max = 1024,
		.arrival_ms = 30000,
		.idle_ms = 60000,
		.silence_ms = 15000 };
	if (http_server_new(&gateway.http, gateway.base, &options) != 0 ||
	    http_server_listen(gateway.http, listen_fd, 0, NULL) != 0)
		return 1;
	struct event *input =
	    event_new(gateway.base, 0, EV_READ | EV_PERSIST, on_stdin, NULL);
	event_add(input, NULL);
	printf("port %u\n", ntohs(address.sin_port));
	event_base_dispatch(gateway.base);
	gateway.http = http_server_free(gateway.http);
	front_stop(&gateway);
	event_free(input);
	event_base_free(gateway.base);
	printf("users %u %u %u\n", principals[0].users, servers[0].users,
	    principals[0].meter.running);
	return 0;
}
