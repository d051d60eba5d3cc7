/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon tools and cordon call: MCP with a running host, as its client (the
 * 2026-07-28 revision: a request is complete in itself).
 */
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "client/head.h"
#include "client/params.h"
#include "client/sse.h"
#include "ctl/host/admin.h"
#include "ctl/ctl.h"
#include "ctl/run/input.h"
#include "ctl/host/table.h"
#include "ctl/text.h"
#include "mcp/param.h"

#define REVISION "2026-07-28"
#define META                                                                   \
	"\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"" REVISION   \
	"\",\"io.modelcontextprotocol/clientInfo\":{\"name\":\"cordon\","      \
	"\"version\":\"0.1.0\"},"                                              \
	"\"io.modelcontextprotocol/clientCapabilities\":{}"

struct exchange {
	const struct ctl_admin *admin;
	struct sse sse;
	/* The answer, copied out of its stream. */
	char *text; /* owned */
	struct json_span message;
};

static void
notification_print(struct json_span message)
{
	const struct json_span params = ctl_member(message, "params");
	struct json_span said = ctl_member(params, "message");
	char text[1024];

	if (said.at == NULL)
		said = ctl_member(params, "data");
	fputs("... ", stderr);
	if (json_kind_of(ctl_member(params, "progress")) == JSON_KIND_NUMBER) {
		const struct json_span done = ctl_member(params, "progress");
		const struct json_span total = ctl_member(params, "total");

		ctl_line_print(stderr, done.at, done.len);
		if (json_kind_of(total) == JSON_KIND_NUMBER) {
			fputc('/', stderr);
			ctl_line_print(stderr, total.at, total.len);
		}
		fputc(' ', stderr);
	}
	if (json_kind_of(said) == JSON_KIND_STRING &&
	    json_string_copy(said, text, sizeof(text), NULL) == 0)
		ctl_line_print(stderr, text, strlen(text));
	else if (said.at != NULL)
		ctl_line_print(stderr, said.at, said.len);
	fputc('\n', stderr);
}

static void
message_take(void *arg, const char *id, const char *raw_data, size_t len)
{
	struct exchange *exchange = arg;
	struct json_span message;

	(void)id;
	if (exchange->text != NULL || len == 0 ||
	    json_check(raw_data, len, &message, NULL) != 0)
		return;
	if (ctl_member(message, "method").at != NULL) {
		notification_print(message);
		return;
	}
	exchange->text = malloc(message.len);
	if (exchange->text == NULL)
		return;
	memcpy(exchange->text, message.at, message.len);
	exchange->message = (struct json_span){ exchange->text, message.len };
}

/* Streams are read as they come, so that progress is seen in time; a plain
 * answer is a stream of one. */
struct pipe {
	struct exchange *exchange;
	struct json_out plain;
	bool is_stream, is_known;
};

static bool
bytes_take(void *arg, const char *raw_bytes, size_t len)
{
	struct pipe *pipe = arg;

	if (!pipe->is_known && len > 0) {
		/* A JSON-RPC answer begins with a brace, an event never. */
		pipe->is_stream = raw_bytes[0] != '{';
		pipe->is_known = true;
	}
	if (pipe->is_stream)
		return sse_push(&pipe->exchange->sse, raw_bytes, len) == 0;
	json_out_raw(&pipe->plain, raw_bytes, len);
	return json_out_status(&pipe->plain) == 0;
}

static int
rpc_send(const struct ctl_admin *admin, const struct client_request *request,
    struct pipe *pipe)
{
	struct exchange *exchange = pipe->exchange;
	struct client *client = NULL;
	struct ctl_reply reply = { 0 };

	int exit_code = ctl_admin_open(admin, &client);
	if (exit_code == CTL_EXIT_OK)
		exit_code = ctl_admin_send(admin, client, request, &reply);
	if (exit_code == CTL_EXIT_OK && !pipe->is_stream)
		message_take(exchange, "", pipe->plain.bytes, pipe->plain.len);
	if (exit_code == CTL_EXIT_OK && exchange->text == NULL) {
		fprintf(stderr,
		    "%s: the host's connection ended before its "
		    "answer\n",
		    admin->command);
		exit_code = CTL_EXIT_INTERNAL;
	}
	ctl_reply_fini(&reply);
	client_free(client);
	return exit_code;
}

/* What is asked, of whom. */
struct question {
	const char *server; /* NULL: all of them */
	const char *method;
	const char *name; /* NULL: none */
	char *headers[MCP_PARAMS_MAX]; /* owned: what the tool wants besides */
	size_t n_headers;
};

/* A modern request to an endpoint; the exchange is to be finished. */
static int
rpc_ask(const struct ctl_admin *admin, const struct question *question,
    const struct json_out *body, struct exchange *exchange)
{
	const char *name = question->name;
	struct pipe pipe = { .exchange = exchange };
	char value[HEAD_NAME_MAX * 2], name_header[HEAD_NAME_MAX * 2 + 16];
	char path[CTL_PATH_MAX], method_header[64];

	*exchange = (struct exchange){ .admin = admin };
	sse_init(&exchange->sse, message_take, exchange);
	int exit_code = ctl_admin_endpoint(admin, question->server, path);
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	if (name != NULL &&
	    head_value(name, strlen(name), value, sizeof(value)) != 0)
		return ctl_admin_usage(admin, "this name is too long");
	snprintf(method_header, sizeof(method_header), "Mcp-Method: %s",
	    question->method);
	snprintf(name_header, sizeof(name_header), "Mcp-Name: %s",
	    name != NULL ? value : "");
	struct client_request request = { .method = "POST",
		.path = path,
		.body = body->bytes,
		.body_len = body->len,
		.headers = { "Accept: application/json, text/event-stream",
		    "MCP-Protocol-Version: " REVISION, method_header,
		    name != NULL ? name_header : NULL },
		.bytes = bytes_take,
		.arg = &pipe };
	for (size_t i = 0; i < question->n_headers && name != NULL; i++)
		request.headers[4 + i] = question->headers[i];
	json_out_init(&pipe.plain, CLIENT_ANSWER_MAX);
	exit_code = rpc_send(admin, &request, &pipe);
	json_out_fini(&pipe.plain);
	return exit_code;
}

static void
exchange_fini(struct exchange *exchange)
{
	sse_fini(&exchange->sse);
	free(exchange->text);
}

/* A JSON-RPC error of the answer, as a sentence; whether there was one. */
static bool
error_print(const struct exchange *exchange)
{
	const struct json_span error = ctl_member(exchange->message, "error");
	const struct json_span said = ctl_member(error, "message");
	char text[2048] = "the host answered with an error";

	if (error.at == NULL)
		return false;
	(void)json_string_copy(said, text, sizeof(text), NULL);
	fprintf(stderr, "%s: ", exchange->admin->command);
	ctl_line_print(stderr, text, strlen(text));
	fputc('\n', stderr);
	return true;
}

static int
list_ask(const struct ctl_admin *admin, const char *server,
    struct exchange *exchange)
{
	const struct question question = { .server = server,
		.method = "tools/list" };
	struct json_out body;

	json_out_init(&body, 4096);
	json_out_text(&body,
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\","
	    "\"params\":{" META "}}}");
	const int exit_code = rpc_ask(admin, &question, &body, exchange);
	json_out_fini(&body);
	return exit_code;
}

static const struct ctl_column columns[] = {
	{ "TOOL", "name", NULL },
	{ "TITLE", "title", NULL },
	{ "DESCRIPTION", "description", NULL },
};

static int
tools_run(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	struct exchange exchange;

	int exit_code = list_ask(admin, n > 0 ? operands[0] : NULL, &exchange);
	if (exit_code == CTL_EXIT_OK && error_print(&exchange)) {
		exit_code = CTL_EXIT_REFUSED;
	} else if (exit_code == CTL_EXIT_OK) {
		const struct json_span result =
		    ctl_member(exchange.message, "result");

		if (admin->json && result.at != NULL)
			ctl_json_line_print(stdout, result.at, result.len);
		else
			(void)ctl_table_print(stdout, columns,
			    ARRAY_LEN(columns), ctl_member(result, "tools"));
	}
	exchange_fini(&exchange);
	return exit_code;
}

static void
content_print(FILE *out, struct json_span item)
{
	const struct json_span text = ctl_member(item, "text");
	const struct json_span mime = ctl_member(item, "mimeType");
	auto_free char *copy = malloc(item.len + 1);
	size_t len = 0;

	if (copy == NULL)
		return;
	if (json_kind_of(text) == JSON_KIND_STRING &&
	    json_string_copy(text, copy, item.len + 1, &len) == 0) {
		ctl_text_print(out, copy, len, "");
	} else {
		fputs("[", out);
		if (json_string_copy(ctl_member(item, "type"), copy,
			item.len + 1, &len) == 0)
			ctl_line_print(out, copy, len);
		if (json_kind_of(mime) == JSON_KIND_STRING &&
		    json_string_copy(mime, copy, item.len + 1, &len) == 0) {
			fputc(' ', out);
			ctl_line_print(out, copy, len);
		}
		fputs("; --json shows it]", out);
	}
	fputc('\n', out);
}

/* How a tool's failure is told to a script: as cordon run does. */
static int
failure_code(struct json_span result)
{
	static const struct {
		const char *code;
		int exit_code;
	} codes[] = {
		{ "timeout", CTL_EXIT_TIMEOUT },
		{ "memory", CTL_EXIT_MEMORY },
		{ "result_too_large", CTL_EXIT_RESULT },
		{ "invalid_result", CTL_EXIT_RESULT },
		{ "load_error", CTL_EXIT_LOAD },
		{ "internal", CTL_EXIT_INTERNAL },
	};
	const struct json_span code =
	    ctl_member(result, "structuredContent/error/code");

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (json_string_equals(code, codes[i].code))
			return codes[i].exit_code;
	}
	return CTL_EXIT_EXCEPTION;
}

static int
result_print(const struct ctl_admin *admin, struct json_span result)
{
	const bool is_error = json_value_is_true(ctl_member(result, "isError"));
	const struct json_span content = ctl_member(result, "content");
	struct json_span item;
	struct json_iter iter;

	if (admin->json)
		ctl_json_line_print(stdout, result.at, result.len);
	else if (json_kind_of(content) == JSON_KIND_ARRAY &&
	    json_iter_init(&iter, content) == 0) {
		while (json_iter_element(&iter, &item))
			content_print(is_error ? stderr : stdout, item);
	}
	if (json_string_equals(
		ctl_member(result, "resultType"), "input_required")) {
		fprintf(stderr,
		    "%s: the tool asks a person something; use a client that "
		    "can answer\n",
		    admin->command);
		return CTL_EXIT_REFUSED;
	}
	return is_error ? failure_code(result) : CTL_EXIT_OK;
}

static void
header_keep(void *arg, const char *name, const char *value)
{
	struct question *question = arg;

	if (question->n_headers < ARRAY_LEN(question->headers) &&
	    asprintf(&question->headers[question->n_headers], "%s: %s", name,
		value) >= 0)
		question->n_headers++;
}

/* What the tool wants as headers, from its schema. */
static int
headers_find(const struct ctl_admin *admin, struct json_span call_params,
    struct question *question)
{
	struct params *params = calloc(1, sizeof(*params));
	struct exchange exchange;

	if (params == NULL)
		return CTL_EXIT_INTERNAL;
	const int exit_code = list_ask(admin, question->server, &exchange);
	if (exit_code == CTL_EXIT_OK) {
		params_learn(params, ctl_member(exchange.message, "result"));
		params_each(params, call_params, header_keep, question);
	}
	exchange_fini(&exchange);
	params_fini(params);
	free(params);
	return exit_code;
}

static void
call_write(struct json_out *body, const char *tool, struct json_span arguments)
{
	json_out_init(body, CTL_BODY_MAX);
	json_out_text(body,
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
	    "\"params\":{" META ",\"progressToken\":1},\"name\":");
	json_out_string(body, tool, strlen(tool));
	json_out_text(body, ",\"arguments\":");
	json_out_span(body, arguments);
	json_out_text(body, "}}");
}

/* At once; again with the tool's headers, if the host misses them. */
static int
call_ask(const struct ctl_admin *admin, struct question *question,
    const struct json_out *body, struct exchange *exchange)
{
	struct ctl_admin first = *admin;
	bool is_missing = false;
	struct json_span call;

	first.headers_missing = &is_missing;
	int exit_code = rpc_ask(&first, question, body, exchange);
	exchange->admin = admin;
	if (!is_missing)
		return exit_code;
	exchange_fini(exchange);
	*exchange = (struct exchange){ .admin = admin };
	exit_code = json_check(body->bytes, body->len, &call, NULL) == 0
	    ? headers_find(admin, ctl_member(call, "params"), question)
	    : CTL_EXIT_INTERNAL;
	return exit_code == CTL_EXIT_OK
	    ? rpc_ask(admin, question, body, exchange)
	    : exit_code;
}

static int
call_send(
    const struct ctl_admin *admin, const char *tool, struct json_span arguments)
{
	struct question question = {
		.server = admin->server, .method = "tools/call", .name = tool
	};
	struct exchange exchange;
	struct json_out body;

	call_write(&body, tool, arguments);
	int exit_code = call_ask(admin, &question, &body, &exchange);
	json_out_fini(&body);
	for (size_t i = 0; i < question.n_headers; i++)
		free(question.headers[i]);
	if (exit_code == CTL_EXIT_OK && error_print(&exchange))
		exit_code = CTL_EXIT_REFUSED;
	else if (exit_code == CTL_EXIT_OK)
		exit_code =
		    result_print(admin, ctl_member(exchange.message, "result"));
	exchange_fini(&exchange);
	return exit_code;
}

static int
call_run(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	auto_free char *text = NULL;
	struct json_span arguments;
	struct err err = { "no memory" };

	if (ctl_input_take(
		n > 1 ? operands[1] : "{}", &text, &arguments, &err) != 0)
		return ctl_admin_usage(admin, "%s", err.text);
	if (json_kind_of(arguments) != JSON_KIND_OBJECT)
		return ctl_admin_usage(
		    admin, "the arguments of a tool are a JSON object");
	return call_send(admin, operands[0], arguments);
}

int
ctl_tools(int argc, char **argv)
{
	static const struct ctl_option options[] = { CTL_HOST_OPTIONS };
	static const struct ctl_command tools = { "cordon tools", "[SERVER]",
		"Lists the tools that a running host serves: of all its "
		"servers, as\nSERVER__TOOL, or of one.",
		options, ARRAY_LEN(options), NULL, 0, 1, tools_run };
	struct ctl_admin admin = { .command = "cordon tools" };

	return ctl_command_run(&tools, &admin, argc, argv);
}

int
ctl_call_tool(int argc, char **argv)
{
	static const struct ctl_option options[] = {
		{ "server", 's', CTL_TEXT, offsetof(struct ctl_admin, server),
		    "NAME", "a tool of this server, by its own name" },
		CTL_HOST_OPTIONS,
	};
	static const struct ctl_command call = { "cordon call",
		"SERVER__TOOL [JSON]",
		"Calls a tool of a running host and prints what it says. JSON "
		"are its arguments:\na text, @FILE, or - for standard input; "
		"without it, {}.",
		options, ARRAY_LEN(options),
		"Exit codes: those of cordon run; 1: the host refused, 3: no "
		"host answers.",
		1, 2, call_run };
	struct ctl_admin admin = { .command = "cordon call" };

	return ctl_command_run(&call, &admin, argc, argv);
}
