/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/host/admin.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "ctl/serve/catalog.h"
#include "ctl/ctl.h"
#include "ctl/host/state.h"
#include "ctl/host/table.h"
#include "ctl/text.h"
#include "ctl/host/token.h"

#define MS 1000000u
#define HEADERS_MISSING "-32020" /* MCP 2026-07-28: HeaderMismatch */

/* What a stranger wrote may be in it. */
static int
complain(const struct ctl_admin *admin, int exit_code, const char *sentence)
{
	fflush(stdout);
	fprintf(stderr, "%s: ", admin->command);
	ctl_line_print(stderr, sentence, strlen(sentence));
	fputc('\n', stderr);
	return exit_code;
}

int
ctl_admin_usage(const struct ctl_admin *admin, const char *format, ...)
{
	char sentence[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	return complain(admin, CTL_EXIT_USAGE, sentence);
}

bool
ctl_admin_name_check(const struct ctl_admin *admin, const char *name)
{
	if (ctl_name_is_valid(name))
		return true;
	ctl_admin_usage(admin,
	    "\"%s\" cannot be a name: a letter or digit, then letters (all "
	    "small), digits, '.', '_' or '-', at most 63",
	    name);
	return false;
}

int
ctl_admin_open(const struct ctl_admin *admin, struct client **clientp)
{
	struct client_place place = { .socket_path = admin->socket_path,
		.url = admin->url };
	char path[PATH_MAX];
	struct ctl_token token;
	struct err err;

	if (admin->url != NULL && admin->socket_path != NULL)
		return ctl_admin_usage(
		    admin, "--url and --admin-socket: say one of them");
	int r = 0;
	if (admin->url == NULL && admin->socket_path == NULL) {
		r = ctl_state_path(CTL_STATE_SOCKET, path, &err);
		place.socket_path = path;
	}
	if (r == 0)
		r = ctl_token_find(&token, admin->token_file, &err);
	if (r == -ENOENT && admin->token_file == NULL && admin->url == NULL) {
		err_set(&err, 0,
		    "no host has run here yet; start one with: cordon serve");
		return complain(admin, CTL_EXIT_NO_HOST, err.text);
	}
	if (r != 0)
		return complain(admin, CTL_EXIT_USAGE, err.text);
	place.token = token.text;
	r = client_new(clientp, &place, &err);
	ctl_token_fini(&token);
	return r == 0 ? 0 : complain(admin, CTL_EXIT_USAGE, err.text);
}

void
ctl_reply_fini(struct ctl_reply *reply)
{
	client_answer_fini(&reply->answer);
}

/* {"error": SENTENCE}, or JSON-RPC's {"error": {"message"}}. */
static void
refusal_get(const struct ctl_reply *reply, char *sentence, size_t size)
{
	struct json_span error = ctl_member(reply->json, "error");

	if (json_kind_of(error) == JSON_KIND_OBJECT)
		error = ctl_member(error, "message");
	if (json_kind_of(error) == JSON_KIND_STRING &&
	    json_string_copy(error, sentence, size, NULL) == 0)
		return;
	snprintf(
	    sentence, size, "the host answered HTTP %ld", reply->answer.status);
}

int
ctl_admin_send(const struct ctl_admin *admin, struct client *client,
    const struct client_request *request, struct ctl_reply *reply)
{
	char sentence[2048];
	struct err err;

	*reply = (struct ctl_reply){ 0 };
	const int r = client_ask(client, request, &reply->answer, &err);
	if (r == CLIENT_E_STOPPED)
		return CTL_EXIT_OK;
	if (r != 0)
		return complain(admin,
		    r == CLIENT_E_NO_HOST ? CTL_EXIT_NO_HOST
					  : CTL_EXIT_INTERNAL,
		    err.text);
	if (reply->answer.len > 0 &&
	    json_check(reply->answer.raw_bytes, reply->answer.len, &reply->json,
		NULL) != 0)
		reply->json = (struct json_span){ 0 };
	if (reply->answer.status >= 200 && reply->answer.status <= 299)
		return CTL_EXIT_OK;
	const struct json_span code = ctl_member(reply->json, "error/code");
	if (admin->headers_missing != NULL &&
	    code.len == sizeof(HEADERS_MISSING) - 1 &&
	    memcmp(code.at, HEADERS_MISSING, code.len) == 0) {
		*admin->headers_missing = true;
		return CTL_EXIT_REFUSED;
	}
	refusal_get(reply, sentence, sizeof(sentence));
	return complain(admin, CTL_EXIT_REFUSED, sentence);
}

int
ctl_admin_ask(const struct ctl_admin *admin, const char *method,
    const char *path, const struct json_out *body, struct ctl_reply *reply)
{
	struct client_request request = { .method = method };
	struct client *client = NULL;
	char full[CTL_PATH_MAX];

	*reply = (struct ctl_reply){ 0 };
	if (admin->tenant != NULL &&
	    !ctl_admin_name_check(admin, admin->tenant))
		return CTL_EXIT_USAGE;
	snprintf(full, sizeof(full), "%s%s%s%s", path,
	    admin->tenant == NULL           ? ""
		: strchr(path, '?') != NULL ? "&tenant="
					    : "?tenant=",
	    admin->tenant != NULL ? admin->tenant : "", "");
	request.path = full;
	if (body != NULL && json_out_status(body) != 0)
		return ctl_admin_usage(admin,
		    "this is more than the host takes (%u MiB)",
		    CTL_BODY_MAX >> 20);
	if (body != NULL) {
		request.body = body->bytes;
		request.body_len = body->len;
	}
	int exit_code = ctl_admin_open(admin, &client);
	if (exit_code == CTL_EXIT_OK)
		exit_code = ctl_admin_send(admin, client, &request, reply);
	client_free(client);
	return exit_code;
}

int
ctl_admin_endpoint(
    const struct ctl_admin *admin, const char *server, char path[CTL_PATH_MAX])
{
	if ((server != NULL && !ctl_admin_name_check(admin, server)) ||
	    (admin->tenant != NULL &&
		!ctl_admin_name_check(admin, admin->tenant)))
		return CTL_EXIT_USAGE;
	snprintf(path, CTL_PATH_MAX, "%s%s%s%s/mcp",
	    admin->tenant != NULL ? "/t/" : "",
	    admin->tenant != NULL ? admin->tenant : "",
	    server != NULL ? "/s/" : "", server != NULL ? server : "");
	return CTL_EXIT_OK;
}

void
ctl_reply_print(const struct ctl_reply *reply)
{
	if (reply->json.at != NULL)
		ctl_json_line_print(stdout, reply->json.at, reply->json.len);
}

struct json_span
ctl_reply_rows(const struct ctl_reply *reply, const char *member)
{
	const struct json_span rows = ctl_member(reply->json, member);

	return json_kind_of(rows) == JSON_KIND_ARRAY ? rows
						     : (struct json_span){ 0 };
}

int
ctl_admin_list(const struct ctl_admin *admin, const char *path,
    const char *member, const struct ctl_column *columns, size_t n_columns)
{
	struct ctl_reply reply;

	const int exit_code = ctl_admin_ask(admin, "GET", path, NULL, &reply);
	if (exit_code == CTL_EXIT_OK && admin->json)
		ctl_reply_print(&reply);
	else if (exit_code == CTL_EXIT_OK)
		(void)ctl_table_print(
		    stdout, columns, n_columns, ctl_reply_rows(&reply, member));
	ctl_reply_fini(&reply);
	return exit_code;
}

void
ctl_quota_write(const struct ctl_admin *admin, struct json_out *out)
{
	const struct {
		const char *name;
		uint64_t value;
	} members[] = {
		{ "requests_per_minute", admin->requests },
		{ "concurrent", admin->concurrent },
		{ "cpu_ms_per_minute", admin->cpu_ns / MS },
		{ "memory_bytes", admin->memory_bytes },
		{ "result_bytes", admin->result_bytes },
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (members[i].value == 0)
			continue;
		json_out_text(out, n++ == 0 ? ",\"quota\":{\"" : ",\"");
		json_out_text(out, members[i].name);
		json_out_text(out, "\":");
		json_out_uint(out, members[i].value);
	}
	json_out_text(out, n > 0 ? "}" : "");
}

/* ---- line by line ----------------------------------------------------------
 */

struct lines {
	const struct ctl_admin *admin;
	ctl_line_fn *print;
	struct json_out rest;
};

void
ctl_string_print(FILE *out, struct json_span value)
{
	auto_free char *text = malloc(value.len + 1);
	size_t len = 0;

	if (text != NULL && json_kind_of(value) == JSON_KIND_STRING &&
	    json_string_copy(value, text, value.len + 1, &len) == 0)
		ctl_line_print(out, text, len);
}

/* An empty line keeps the connection; "missed" counts lines that are not
 * there. */
static void
line_take(const struct lines *lines, const char *raw_line, size_t len)
{
	struct json_span line;

	if (len == 0 || json_check(raw_line, len, &line, NULL) != 0)
		return;
	if (lines->admin->json) {
		ctl_json_line_print(stdout, line.at, line.len);
		return;
	}
	const struct json_span missed = ctl_member(line, "missed");
	if (missed.at == NULL) {
		lines->print(line);
		return;
	}
	fputs("(missed: ", stdout);
	ctl_line_print(stdout, missed.at, missed.len);
	fputs(" lines that came too fast)\n", stdout);
}

static bool
on_bytes(void *arg, const char *raw_bytes, size_t len)
{
	struct lines *lines = arg;

	while (len > 0) {
		const char *end = memchr(raw_bytes, '\n', len);
		const size_t n = end != NULL ? (size_t)(end - raw_bytes) : len;

		json_out_raw(&lines->rest, raw_bytes, n);
		if (end == NULL)
			break;
		if (json_out_status(&lines->rest) == 0)
			line_take(lines, lines->rest.bytes, lines->rest.len);
		json_out_reset(&lines->rest);
		raw_bytes += n + 1;
		len -= n + 1;
	}
	return fflush(stdout) == 0;
}

int
ctl_admin_lines(
    const struct ctl_admin *admin, const char *path, ctl_line_fn *print)
{
	struct lines lines = { .admin = admin, .print = print };
	struct client *client = NULL;
	struct ctl_reply reply;

	int exit_code = ctl_admin_open(admin, &client);
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	json_out_init(&lines.rest, 1u << 20);
	const struct client_request request = { .method = "GET",
		.path = path,
		.headers = { "Accept: application/x-ndjson" },
		.bytes = on_bytes,
		.arg = &lines };
	exit_code = ctl_admin_send(admin, client, &request, &reply);
	ctl_reply_fini(&reply);
	json_out_fini(&lines.rest);
	client_free(client);
	return exit_code;
}
