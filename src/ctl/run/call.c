/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/run/call.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "ctl/run/net.h"
#include "ctl/run/request.h"
#include "ctl/serve/supervisor.h"
#include "ctl/text.h"
#include "json/out.h"
#include "pool/pool.h"

#define END_WAIT_MS 2000
#define SAID_MAX 1024
#define NAMES_MAX 1500

struct run {
	const struct ctl_call *call;
	struct event_base *base;
	struct ctl_supervisor supervisor;
	struct pool *pool;
	struct pool_deployment deployment;
	struct event *said_event, *died_event, *slow_event, *egress_event;
	int egress_fd; /* what egress tells; -1: it tells nothing yet */
	struct ctl_net_events egress_events;
	char said[SAID_MAX + 1]; /* the last whole line of the supervisor */
	char line[SAID_MAX + 1]; /* the one it is writing */
	size_t line_len;
	bool is_fetch, answered;
	struct json_out head, body; /* of a response */
	struct ctl_answer answer;
};

static void said_read(evutil_socket_t fd, short what, void *arg);

/* An end that is ours, not the tool's: with what the supervisor said last. */
static void
said_tell(struct run *run)
{
	if (run->supervisor.said_fd >= 0)
		said_read(run->supervisor.said_fd, 0, run);
	if (run->said[0] == '\0')
		return;
	fputs("the supervisor's last words: ", stderr);
	ctl_text_print(stderr, run->said, strlen(run->said), "");
	putc('\n', stderr);
}

static void
call_log(void *arg, int level, const char *raw_text, size_t len)
{
	struct run *run = arg;

	run->call->log(run->call->arg, level, raw_text, len);
}

/* ---- what egress tells -------------------------------------------------- */

static void
egress_read(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;

	(void)what;
	if (ctl_net_events_read(&run->egress_events, fd, call_log, run) != 0 &&
	    run->egress_event != NULL)
		event_del(run->egress_event);
}

/* Another egress, another stream. */
static void
egress_forget(struct run *run)
{
	if (run->egress_event != NULL)
		event_free(run->egress_event);
	if (run->egress_fd >= 0)
		close(run->egress_fd);
	run->egress_event = NULL;
	run->egress_fd = -1;
}

static void
supervisor_message(void *arg, uint32_t type, int fd)
{
	struct run *run = arg;

	if (type != WIRE_EGRESS_EVENTS || evutil_make_socket_nonblocking(fd)) {
		close(fd);
		return;
	}
	egress_forget(run);
	run->egress_events.len = 0;
	run->egress_fd = fd;
	run->egress_event =
	    event_new(run->base, fd, EV_READ | EV_PERSIST, egress_read, run);
	if (run->egress_event != NULL)
		event_add(run->egress_event, NULL);
}

static void
answer_give(struct run *run)
{
	if (run->answered)
		return;

	/* A refusal is told before the fetch fails: it is there by now. */
	if (run->egress_fd >= 0)
		egress_read(run->egress_fd, 0, run);
	run->answered = true;
	if (run->answer.exit_code == CTL_EXIT_INTERNAL)
		said_tell(run);
	run->call->answered(run->call->arg, &run->answer);
	event_base_loopbreak(run->base);
}

static void
said_byte(struct run *run, char c)
{
	if (c != '\n') {
		if (run->line_len < SAID_MAX)
			run->line[run->line_len++] = c;
		return;
	}
	if (run->line_len > 0) {
		run->line[run->line_len] = '\0';
		strcpy(run->said, run->line);
	}
	run->line_len = 0;
}

static void
said_read(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;
	char bytes[4096];
	ssize_t n;

	(void)what;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			said_byte(run, bytes[i]);
	}
	if (n == 0 && run->said_event != NULL)
		event_del(run->said_event);
}

static void
supervisor_died(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;

	(void)fd;
	(void)what;
	ctl_answer_fail(&run->answer, CTL_EXIT_INTERNAL, "internal",
	    "the supervisor ended before it answered");
	answer_give(run);
}

static void
start_is_slow(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	fputs("cordon: starting the engine and loading the tool ...\n", stderr);
}

/* A status of HTTP and its text, where there should have been JSON-RPC. */
static void
rpc_missing(struct run *run, unsigned int status)
{
	const size_t len = run->body.len < 500 ? run->body.len : 500;

	ctl_answer_fail(&run->answer, CTL_EXIT_EXCEPTION, "exception",
	    "the server answered HTTP %u without a JSON-RPC message: %.*s",
	    status, (int)len, run->body.bytes != NULL ? run->body.bytes : "");
}

static void
rpc_failed(struct run *run, struct json_span error)
{
	struct json_want wants[] = { { "message" }, { "code" } };
	char message[1024] = "no message";

	if (json_members_find(error, wants, ARRAY_LEN(wants)) == 0)
		(void)json_string_copy(
		    wants[0].value, message, sizeof(message), NULL);
	ctl_answer_fail(&run->answer, CTL_EXIT_EXCEPTION, "exception",
	    "%s (JSON-RPC error %.*s)", message,
	    wants[1].value.len > 20 ? 20 : (int)wants[1].value.len,
	    wants[1].value.at != NULL ? wants[1].value.at : "");
}

/* The text of {"isError": true, "content": [{"text"}, …]}. */
static void
tool_failed(struct run *run, struct json_span content)
{
	struct json_want wants[] = { { "text" } };
	char message[1024] = "the tool says isError, without a text";
	struct json_span item;
	struct json_iter iter;

	if (json_iter_init(&iter, content) == 0 &&
	    json_iter_element(&iter, &item) &&
	    json_members_find(item, wants, ARRAY_LEN(wants)) == 0 &&
	    json_kind_of(wants[0].value) == JSON_KIND_STRING)
		(void)json_string_copy(
		    wants[0].value, message, sizeof(message), NULL);
	ctl_answer_fail(
	    &run->answer, CTL_EXIT_EXCEPTION, "exception", "%s", message);
}

static void
result_set(struct run *run, const char *json, size_t len)
{
	free(run->answer.json);
	run->answer.json = strndup(json, len);
	run->answer.json_len = len;
	run->answer.code = "ok";
	run->answer.exit_code = CTL_EXIT_OK;
}

static void
rpc_take(struct run *run)
{
	struct json_want wants[] = { { "isError" }, { "content" } };
	struct ctl_rpc_answer rpc;
	struct json_out buffer;

	json_out_init(&buffer, run->call->limits->result_bytes + 1);
	const int r = ctl_rpc_find(run->head.bytes, run->head.len,
	    run->body.bytes, run->body.len, &buffer, &rpc);
	if (r != 0)
		ctl_answer_fail(&run->answer, CTL_EXIT_RESULT, "invalid_result",
		    "the cell's response has no valid head");
	else if (rpc.result.at == NULL && rpc.error.at == NULL)
		rpc_missing(run, rpc.status);
	else if (rpc.result.at == NULL)
		rpc_failed(run, rpc.error);
	else if (json_members_find(rpc.result, wants, ARRAY_LEN(wants)) == 0 &&
	    json_value_is_true(wants[0].value))
		tool_failed(run, wants[1].value);
	else
		result_set(run, rpc.result.at, rpc.result.len);
	json_out_fini(&buffer);
}

static void
response_take(struct run *run)
{
	struct json_out out;

	json_out_init(&out, run->call->limits->result_bytes * 6 + 65536);
	const int r = ctl_response_compose(run->head.bytes, run->head.len,
	    (const uint8_t *)run->body.bytes, run->body.len, &out);
	if (r == 0)
		result_set(run, out.bytes, out.len);
	else
		ctl_answer_fail(&run->answer, CTL_EXIT_RESULT, "invalid_result",
		    "the cell's response has no valid head");
	json_out_fini(&out);
}

/* A notification, as a line of the log: its method and what it says. */
static void
call_note(void *arg, const char *raw_json, size_t len)
{
	struct json_want wants[] = { { "method" }, { "params" } };
	struct run *run = arg;
	struct json_span note;
	struct json_out line;
	char method[128];

	if (json_check(raw_json, len, &note, NULL) != 0 ||
	    json_members_find(note, wants, ARRAY_LEN(wants)) != 0 ||
	    json_kind_of(wants[0].value) != JSON_KIND_STRING ||
	    json_string_copy(wants[0].value, method, sizeof(method), NULL) != 0)
		return;
	json_out_init(&line, sizeof(method) + len + 1);
	json_out_text(&line, method);
	if (wants[1].value.at != NULL) {
		json_out_text(&line, " ");
		json_out_span(&line, wants[1].value);
	}
	if (json_out_status(&line) == 0)
		call_log(run, 1, line.bytes, line.len);
	json_out_fini(&line);
}

static void
call_head(void *arg, const char *raw_json, size_t len)
{
	struct run *run = arg;

	json_out_reset(&run->head);
	json_out_raw(&run->head, raw_json, len);
}

static void
call_chunk(void *arg, const uint8_t *raw_bytes, size_t len)
{
	struct run *run = arg;

	json_out_raw(&run->body, (const char *)raw_bytes, len);
}

/* A declared tool's result; one that says isError is no success. */
static void
tool_take(struct run *run, const struct pool_outcome *outcome)
{
	struct json_want wants[] = { { "isError" }, { "content" } };

	ctl_answer_take(&run->answer, outcome, false);
	const struct json_span result = { run->answer.json,
		run->answer.json_len };
	if (run->answer.exit_code == CTL_EXIT_OK && result.at != NULL &&
	    json_members_find(result, wants, ARRAY_LEN(wants)) == 0 &&
	    json_value_is_true(wants[0].value))
		tool_failed(run, wants[1].value);
}

static void
call_done(void *arg, const struct pool_outcome *outcome)
{
	struct run *run = arg;

	run->answer.usage = outcome->usage;
	if (!run->is_fetch || outcome->end != POOL_OK)
		tool_take(run, outcome);
	else if (run->call->tool != NULL)
		rpc_take(run);
	else
		response_take(run);
	answer_give(run);
}

static const struct pool_call_ops call_ops = {
	.head = call_head,
	.chunk = call_chunk,
	.log = call_log,
	.note = call_note, /* nobody can be asked */
	.done = call_done,
};

static void
call_start(struct run *run, enum pool_kind kind, const struct json_out *json,
    const struct json_out *body)
{
	struct pool_call *started;
	int r = json_out_status(json);

	if (r == 0)
		r = pool_call_start(run->pool, 0, kind, json->bytes, json->len,
		    (const uint8_t *)body->bytes, body->len, &call_ops, run,
		    &started);
	if (r == 0)
		return;
	ctl_answer_fail(&run->answer, CTL_EXIT_INTERNAL, "internal",
	    "the call could not be started: %s", strerror(-r));
	answer_give(run);
}

static void
tool_start(struct run *run, struct json_span name)
{
	struct json_out json, none = { 0 };

	json_out_init(&json, run->call->input.len + name.len + 96);
	json_out_text(&json, "{\"tool\":");
	json_out_span(&json, name);
	json_out_text(&json, ",\"input\":");
	json_out_span(&json, run->call->input);
	json_out_text(&json, ",\"ctx\":{\"progress\":true}}");
	call_start(run, POOL_TOOL, &json, &none);
	json_out_fini(&json);
}

static void
request_start(struct run *run)
{
	struct json_out head, body;
	struct err err;
	int r = 0;

	json_out_init(&head, run->call->input.len * 2 + 4096);
	json_out_init(&body, run->call->input.len + 4096);
	run->is_fetch = true;
	if (run->call->tool != NULL)
		ctl_request_compose_tool(
		    run->call->tool, run->call->input, &head, &body);
	else
		r = ctl_request_compose(run->call->input, &head, &body, &err);

	if (r == 0) {
		call_start(run, POOL_REQUEST, &head, &body);
	} else {
		ctl_answer_fail(&run->answer, CTL_EXIT_USAGE, "usage", "%s",
		    r > 0 ? err.text : strerror(-r));
		answer_give(run);
	}
	json_out_fini(&head);
	json_out_fini(&body);
}

/* The tool that is meant; else the names there are, joined by commas. */
static struct json_span
tool_choose(struct json_span tools, const char *wanted, unsigned int *n_tools,
    char names[NAMES_MAX])
{
	struct json_want want = { "name" };
	struct json_span tool, chosen = { 0 };
	struct json_iter iter;
	size_t used = 0;

	*n_tools = 0;
	names[0] = '\0';
	if (json_iter_init(&iter, tools) != 0)
		return chosen;

	for (; json_iter_element(&iter, &tool); (*n_tools)++) {
		char name[256];

		if (json_members_find(tool, &want, 1) != 0 ||
		    json_string_copy(want.value, name, sizeof(name), NULL) != 0)
			continue;
		if (wanted == NULL || strcmp(wanted, name) == 0)
			chosen = want.value;
		if (used + strlen(name) + 3 < NAMES_MAX)
			used += (size_t)sprintf(
			    names + used, "%s%s", used > 0 ? ", " : "", name);
	}
	if (wanted == NULL && *n_tools != 1)
		chosen = (struct json_span){ 0 };
	return chosen;
}

static void
tools_start(struct run *run, struct json_span tools)
{
	const char *wanted = run->call->tool;
	char names[NAMES_MAX];
	unsigned int n_tools;

	const struct json_span name =
	    tool_choose(tools, wanted, &n_tools, names);
	if (name.at != NULL) {
		tool_start(run, name);
		return;
	}
	if (n_tools == 0)
		ctl_answer_fail(&run->answer, CTL_EXIT_USAGE, "usage",
		    "this server declares no tool");
	else if (wanted == NULL)
		ctl_answer_fail(&run->answer, CTL_EXIT_USAGE, "usage",
		    "there are %u tools, say which with --tool: %s", n_tools,
		    names);
	else
		ctl_answer_fail(&run->answer, CTL_EXIT_USAGE, "usage",
		    "there is no tool \"%s\"; there is: %s", wanted, names);
	answer_give(run);
}

static void
surface_got(void *arg, const char *raw_json, size_t len,
    const struct pool_outcome *failure)
{
	struct json_want wants[] = { { "kind" }, { "tools" } };
	struct json_span surface;
	struct run *run = arg;

	if (run->slow_event != NULL)
		event_del(run->slow_event);
	if (raw_json == NULL) {
		ctl_answer_take(&run->answer, failure,
		    failure->end != POOL_INTERNAL &&
			failure->end != POOL_OVERLOADED);
		answer_give(run);
	} else if (json_check(raw_json, len, &surface, NULL) != 0 ||
	    json_members_find(surface, wants, ARRAY_LEN(wants)) != 0) {
		ctl_answer_fail(&run->answer, CTL_EXIT_LOAD, "load_error",
		    "what the bundle declares is not JSON, or deeper than %d "
		    "levels",
		    JSON_DEPTH_MAX);
		answer_give(run);
	} else if (json_string_equals(wants[0].value, "fetch")) {
		request_start(run);
	} else {
		tools_start(run, wants[1].value);
	}
}

static int
supervisor_start(struct run *run, int *pool_fd, struct err *err)
{
	struct wire_deployment deployment;
	int pair[2];

	int r = ctl_deployment_set(&deployment, run->call->name,
	    run->call->bundle_fd, 1, run->call->limits);
	if (r < 0)
		return err_set(err, r, "the name is too long");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, -errno, "no socket: %s", strerror(errno));

	auto_close int ours = pair[0], theirs = pair[1];
	if (run->call->egress_fd >= 0)
		deployment.flags |= WIRE_DEPLOYMENT_EGRESS;
	const struct wire_plan plan = {
		.magic = WIRE_PLAN_MAGIC,
		.flags = WIRE_PLAN_ONCE,
		.n_deployments = 1,
		.client_fd = theirs,
		.listen_fd = -1,
		.admin_fd = -1,
		.operator_fd = -1,
		.store_fd = -1,
		.vault_fd = -1,
		.tls_fd = -1,
		.egress_fd = run->call->egress_fd,
		.cells_max = 2,
	};
	r = ctl_supervisor_start(
	    &plan, &deployment, true, &run->supervisor, err);
	if (r == 0)
		*pool_fd = fd_steal(&ours);
	return r;
}

static int
event_new_armed(struct run *run, struct event **event, int fd, short what,
    event_callback_fn fn, const struct timeval *after)
{
	*event = event_new(run->base, fd, what, fn, run);
	if (*event == NULL || event_add(*event, after) < 0)
		return -ENOMEM;
	return 0;
}

static int
events_start(struct run *run)
{
	const struct timeval second = { 1, 0 };

	int r = event_new_armed(run, &run->said_event, run->supervisor.said_fd,
	    EV_READ | EV_PERSIST, said_read, NULL);
	if (r == 0)
		r = event_new_armed(run, &run->died_event,
		    run->supervisor.pid_fd, EV_READ, supervisor_died, NULL);
	if (r == 0 && isatty(STDERR_FILENO))
		r = event_new_armed(run, &run->slow_event, -1, EV_TIMEOUT,
		    start_is_slow, &second);
	return r;
}

static void
notice(void *arg, uint32_t deployment, int level, const char *text)
{
	(void)arg;
	(void)deployment;
	(void)level;
	(void)text; /* what matters comes with the outcome */
}

static int
pool_start(struct run *run, int pool_fd)
{
	run->deployment = (struct pool_deployment){
		.name = run->call->name,
		.pool_max = 1,
		.limits = *run->call->limits,
	};
	const struct pool_options options = {
		.deployments = &run->deployment,
		.n_deployments = 1,
		.cells_max = 2,
		.notice = notice,
	};
	int r = pool_new(&run->pool, run->base, pool_fd, &options);
	if (r == 0)
		pool_message_set(run->pool, supervisor_message, run);
	if (r == 0)
		r = pool_surface_get(run->pool, 0, surface_got, run);
	return r;
}

static void
run_end(struct run *run)
{
	struct event *const events[] = { run->said_event, run->died_event,
		run->slow_event };

	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		if (events[i] != NULL)
			event_free(events[i]);
	}
	egress_forget(run);
	pool_free(run->pool); /* its socket closes: the supervisor ends */
	if (run->supervisor.pid > 0)
		(void)ctl_supervisor_end(&run->supervisor, END_WAIT_MS);
	json_out_fini(&run->head);
	json_out_fini(&run->body);
	ctl_answer_fini(&run->answer);
}

bool
ctl_call_run(const struct ctl_call *call, struct event_base *base)
{
	struct run run = { .call = call,
		.base = base,
		.supervisor = { .pid_fd = -1, .said_fd = -1 },
		.egress_fd = -1 };
	struct err err = { "" };
	int pool_fd = -1;

	json_out_init(&run.head, POOL_SURFACE_MAX);
	json_out_init(&run.body, call->limits->result_bytes + 1);
	ctl_answer_fail(&run.answer, CTL_EXIT_INTERNAL, "internal", "lost");

	int r = supervisor_start(&run, &pool_fd, &err);
	if (r == 0)
		r = events_start(&run);
	if (r == 0)
		r = pool_start(&run, pool_fd);
	if (r < 0) {
		ctl_answer_fail(&run.answer, CTL_EXIT_INTERNAL, "internal",
		    "%s", err.text[0] != '\0' ? err.text : strerror(-r));
		answer_give(&run);
	}
	if (!run.answered)
		event_base_dispatch(base);

	const bool answered = run.answered;
	run_end(&run);
	return answered;
}
