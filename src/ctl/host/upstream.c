/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon upstream: the servers of a running host. What is added is
 * quarantined; approving it is a decision of its own.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/auto.h"
#include "base/pack.h"
#include "base/utf8.h"
#include "ctl/host/admin.h"
#include "ctl/serve/bounds.h"
#include "ctl/run/bundle.h"
#include "ctl/ctl.h"
#include "ctl/host/table.h"
#include "ctl/text.h"

#define MS 1000000u

static void
text_add(struct json_out *out, const char *before, const char *text)
{
	json_out_text(out, before);
	json_out_string(out, text, strlen(text));
}

static void
file_add(struct json_out *out, const struct pack_file *file)
{
	const size_t size = sodium_base64_ENCODED_LEN(
	    file->data_len, sodium_base64_VARIANT_ORIGINAL);

	json_out_text(out, "{\"path\":");
	json_out_string(out, file->path, file->path_len);
	if (utf8_is_valid(file->data, file->data_len)) {
		json_out_text(out, ",\"text\":");
		json_out_string(out, (const char *)file->data, file->data_len);
	} else {
		auto_free char *base64 = malloc(size);

		if (base64 != NULL)
			sodium_bin2base64(base64, size, file->data,
			    file->data_len, sodium_base64_VARIANT_ORIGINAL);
		text_add(out, ",\"base64\":", base64 != NULL ? base64 : "");
	}
	json_out_text(out, "}");
}

static int
files_write(struct json_out *out, const struct ctl_bundle *bundle)
{
	auto_free struct pack_file *files =
	    calloc(PACK_FILES_MAX, sizeof(*files));
	uint32_t n = 0;
	void *bytes =
	    mmap(NULL, bundle->n_bytes, PROT_READ, MAP_PRIVATE, bundle->fd, 0);

	if (bytes == MAP_FAILED || files == NULL)
		return -ENOMEM;
	const int r = pack_parse(bytes, bundle->n_bytes, files, &n);
	json_out_text(out, ",\"kind\":\"isolate\",\"files\":[");
	for (uint32_t i = 0; i < n && r == 0; i++) {
		json_out_text(out, i > 0 ? "," : "");
		file_add(out, &files[i]);
	}
	json_out_text(out, "]");
	munmap(bytes, bundle->n_bytes);
	return r;
}

static void
limits_write(const struct ctl_admin *admin, struct json_out *out)
{
	const struct wire_limits *limits = &admin->limits;
	const struct {
		const char *name;
		uint64_t value;
	} members[] = {
		{ "cpu_ms", limits->cpu_ns / MS },
		{ "wall_ms", limits->wall_ns / MS },
		{ "memory_bytes", limits->memory_bytes },
		{ "result_bytes", limits->result_bytes },
		{ "log_bytes", limits->log_bytes },
		{ "load_cpu_ms", limits->load_cpu_ns / MS },
		{ "load_wall_ms", limits->load_wall_ns / MS },
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (members[i].value == 0)
			continue;
		json_out_text(out, n++ == 0 ? ",\"limits\":{\"" : ",\"");
		json_out_text(out, members[i].name);
		json_out_text(out, "\":");
		json_out_uint(out, members[i].value);
	}
	json_out_text(out, n > 0 ? "}" : "");
}

static void
settings_write(const struct ctl_admin *admin, struct json_out *out)
{
	if (admin->share != NULL)
		text_add(out, ",\"share\":", admin->share);
	if (admin->pool_max > 0) {
		json_out_text(out, ",\"pool_max\":");
		json_out_uint(out, admin->pool_max);
	}
	if (admin->reuse > 0) {
		json_out_text(out, ",\"reuse\":");
		json_out_uint(out, admin->reuse);
	}
	json_out_text(out, admin->jitless ? ",\"jit\":false" : "");
	json_out_text(out, admin->no_warmup ? ",\"warmup\":false" : "");
	limits_write(admin, out);
}

static int
launch_write(const struct ctl_admin *admin, const char *path,
    struct json_out *out, struct err *err)
{
	struct ctl_bundle bundle = { .fd = -1 };

	if (admin->server_socket != NULL) {
		text_add(out,
		    ",\"kind\":\"socket\",\"socket\":", admin->server_socket);
		return 0;
	}
	int r = ctl_bundle_read(path, &bundle, err);
	if (r != 0)
		return r;
	r = files_write(out, &bundle);
	close(bundle.fd);
	return r == 0 ? 0 : err_set(err, r, "%s cannot be sent", path);
}

/* What the host made of it, in a sentence. */
static void
state_print(const struct ctl_reply *reply, const char *name)
{
	const struct json_span state = ctl_member(reply->json, "state");

	if (json_string_equals(state, "approved"))
		printf("%s is approved, and what is sent is what was "
		       "approved: nothing has changed.\n",
		    name);
	else
		printf("%s is %s: nobody sees or calls it until: cordon "
		       "upstream approve %s\n",
		    name,
		    json_string_equals(state, "changed") ? "changed"
							 : "quarantined",
		    name);
}

static int
add_check(const struct ctl_admin *admin, int n)
{
	if ((admin->server_socket != NULL) == (n == 2))
		return ctl_admin_usage(admin,
		    "say a file or folder, or --socket PATH: one of them");
	if (admin->server_socket != NULL && admin->server_socket[0] != '/')
		return ctl_admin_usage(admin,
		    "--socket %s: the path begins with /",
		    admin->server_socket);
	if (admin->share != NULL && strcmp(admin->share, "principal") != 0 &&
	    strcmp(admin->share, "session") != 0 &&
	    strcmp(admin->share, "all") != 0)
		return ctl_admin_usage(
		    admin, "--share is principal, session or all");
	return CTL_EXIT_OK;
}

static int
add_run(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	struct ctl_reply reply;
	struct json_out body;
	struct err err;

	int exit_code = add_check(admin, n);
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	if (!ctl_admin_name_check(admin, operands[0]))
		return CTL_EXIT_USAGE;
	json_out_init(&body, CTL_BODY_MAX);
	text_add(&body, "{\"name\":", operands[0]);
	if (launch_write(admin, operands[1], &body, &err) != 0) {
		json_out_fini(&body);
		return ctl_admin_usage(admin, "%s", err.text);
	}
	settings_write(admin, &body);
	json_out_text(&body, "}");
	exit_code =
	    ctl_admin_ask(admin, "POST", "/admin/servers", &body, &reply);
	json_out_fini(&body);
	if (exit_code == CTL_EXIT_OK && admin->json)
		ctl_reply_print(&reply);
	else if (exit_code == CTL_EXIT_OK)
		state_print(&reply, operands[0]);
	ctl_reply_fini(&reply);
	return exit_code;
}

static const struct ctl_column columns[] = {
	{ "NAME", "name", NULL },
	{ "STATE", "state", NULL },
	{ "KIND", "kind", NULL },
	{ "FROM", "origin", NULL },
	{ "TENANT", "tenant", NULL },
	{ "DIGEST", "digest", ctl_cell_digest },
	{ "ADDED", "created", ctl_cell_time },
};

static int
list_run(void *values, int n, char **operands)
{
	(void)n;
	(void)operands;
	return ctl_admin_list(
	    values, "/admin/servers", "servers", columns, ARRAY_LEN(columns));
}

/* A verb on one server: the request, and the sentence when it went well. */
static int
server_change(const struct ctl_admin *admin, const char *method,
    const char *name, const char *verb, const char *done)
{
	char path[CTL_PATH_MAX];
	struct ctl_reply reply;

	if (!ctl_admin_name_check(admin, name))
		return CTL_EXIT_USAGE;
	snprintf(path, sizeof(path), "/admin/servers/%s%s", name, verb);
	const int exit_code = ctl_admin_ask(admin, method, path, NULL, &reply);
	if (exit_code == CTL_EXIT_OK && admin->json)
		ctl_reply_print(&reply);
	else if (exit_code == CTL_EXIT_OK)
		printf("%s %s\n", name, done);
	ctl_reply_fini(&reply);
	return exit_code;
}

static int
approve_run(void *values, int n, char **operands)
{
	(void)n;
	return server_change(
	    values, "POST", operands[0], "/approve", "is approved.");
}

static int
deny_run(void *values, int n, char **operands)
{
	(void)n;
	return server_change(
	    values, "POST", operands[0], "/deny", "is denied.");
}

static int
restart_run(void *values, int n, char **operands)
{
	(void)n;
	return server_change(
	    values, "POST", operands[0], "/restart", "starts anew.");
}

static int
remove_run(void *values, int n, char **operands)
{
	(void)n;
	return server_change(values, "DELETE", operands[0], "", "is removed.");
}

/* Lines of NDJSON as they come. */
struct lines {
	const struct ctl_admin *admin;
	struct json_out rest;
};

static void
text_print(struct json_span value, const char *after)
{
	auto_free char *text = malloc(value.len + 1);
	size_t len = 0;

	if (text != NULL && json_kind_of(value) == JSON_KIND_STRING &&
	    json_string_copy(value, text, value.len + 1, &len) == 0)
		ctl_line_print(stdout, text, len);
	fputs(after, stdout);
}

/* An empty line keeps the connection; "missed" counts lines that are not
 * there. */
static void
log_print(const struct ctl_admin *admin, const char *raw_line, size_t len)
{
	struct json_span line;

	if (len == 0 || json_check(raw_line, len, &line, NULL) != 0)
		return;
	if (admin->json) {
		ctl_json_line_print(stdout, line.at, line.len);
		return;
	}
	const struct json_span missed = ctl_member(line, "missed");
	if (missed.at != NULL) {
		fputs("(missed: ", stdout);
		ctl_line_print(stdout, missed.at, missed.len);
		fputs(" lines that came too fast)\n", stdout);
		return;
	}
	text_print(ctl_member(line, "time"), "  ");
	text_print(ctl_member(line, "level"), "  ");
	text_print(ctl_member(line, "text"), "\n");
}

static bool
log_bytes(void *arg, const char *raw_bytes, size_t len)
{
	struct lines *lines = arg;

	while (len > 0) {
		const char *end = memchr(raw_bytes, '\n', len);
		const size_t n = end != NULL ? (size_t)(end - raw_bytes) : len;

		json_out_raw(&lines->rest, raw_bytes, n);
		if (end == NULL)
			break;
		if (json_out_status(&lines->rest) == 0)
			log_print(
			    lines->admin, lines->rest.bytes, lines->rest.len);
		json_out_reset(&lines->rest);
		raw_bytes += n + 1;
		len -= n + 1;
	}
	return fflush(stdout) == 0;
}

static int
logs_run(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	struct lines lines = { .admin = admin };
	struct client *client = NULL;
	char path[CTL_PATH_MAX];
	struct ctl_reply reply;

	(void)n;
	if (!ctl_admin_name_check(admin, operands[0]) ||
	    (admin->tenant != NULL &&
		!ctl_admin_name_check(admin, admin->tenant)))
		return CTL_EXIT_USAGE;
	snprintf(path, sizeof(path), "/admin/servers/%s/logs?follow=%d%s%s",
	    operands[0], admin->follow, admin->tenant != NULL ? "&tenant=" : "",
	    admin->tenant != NULL ? admin->tenant : "");
	int exit_code = ctl_admin_open(admin, &client);
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	json_out_init(&lines.rest, 1u << 20);
	const struct client_request request = { .method = "GET",
		.path = path,
		.headers = { "Accept: application/x-ndjson" },
		.bytes = log_bytes,
		.arg = &lines };
	exit_code = ctl_admin_send(admin, client, &request, &reply);
	ctl_reply_fini(&reply);
	json_out_fini(&lines.rest);
	client_free(client);
	return exit_code;
}

#define AT(member) offsetof(struct ctl_admin, member)

static const struct ctl_option add_options[] = {
	{ "socket", 0, CTL_TEXT, AT(server_socket), "PATH",
	    "a server that listens there and speaks MCP's lines" },
	{ "share", 0, CTL_TEXT, AT(share), "WHO",
	    "one link for a principal, a session, or all" },
	{ "timeout-cpu", 0, CTL_DURATION, AT(limits.cpu_ns), "TIME",
	    "CPU time of a call (50ms)" },
	{ "timeout", 0, CTL_DURATION, AT(limits.wall_ns), "TIME",
	    "wall time of a call (30s)" },
	{ "memory", 0, CTL_SIZE, AT(limits.memory_bytes), "SIZE",
	    "memory of a call (128MiB)" },
	{ "result-size", 0, CTL_SIZE, AT(limits.result_bytes), "SIZE",
	    "bytes of a result (1MiB)" },
	{ "log-size", 0, CTL_SIZE, AT(limits.log_bytes), "SIZE",
	    "bytes of a call's console output (256KiB)" },
	{ "load-cpu", 0, CTL_DURATION, AT(limits.load_cpu_ns), "TIME",
	    "CPU time for loading (2s)" },
	{ "load-wall", 0, CTL_DURATION, AT(limits.load_wall_ns), "TIME",
	    "wall time for loading (10s)" },
	{ "pool-max", 0, CTL_COUNT, AT(pool_max), "N",
	    "cells that wait for calls at most (16)" },
	{ "reuse", 0, CTL_COUNT, AT(reuse), "N",
	    "calls that a cell serves (1)" },
	{ "jitless", 0, CTL_FLAG, AT(jitless), NULL,
	    "no executable memory in its cells" },
	{ "no-warmup", 0, CTL_FLAG, AT(no_warmup), NULL,
	    "no dummy call before the first" },
	CTL_HOST_OPTIONS,
};

static const struct ctl_option log_options[] = {
	{ "follow", 'f', CTL_FLAG, AT(follow), NULL, "go on as they come" },
	CTL_HOST_OPTIONS,
};

static const struct ctl_option options[] = { CTL_HOST_OPTIONS };

#define VERB(verb, operands, summary)                                          \
	{                                                                      \
		"cordon upstream " #verb, operands, summary, options,          \
		    ARRAY_LEN(options), NULL, 1, 1, verb##_run                 \
	}

static const struct ctl_command verbs[] = {
	{ "cordon upstream add", "NAME FILE|FOLDER | NAME --socket PATH",
	    "Adds a server, or changes it. It is quarantined until it is "
	    "approved.",
	    add_options, ARRAY_LEN(add_options), NULL, 1, 2, add_run },
	{ "cordon upstream list", "", "Lists all servers, in whatever state.",
	    options, ARRAY_LEN(options), NULL, 0, 0, list_run },
	VERB(
	    approve, "NAME", "Lets a server be seen and called, as it is now."),
	VERB(deny, "NAME", "Takes a server out of sight, at once."),
	VERB(remove, "NAME", "Forgets a server and its files."),
	VERB(restart, "NAME",
	    "Ends what runs of a server; the next call "
	    "starts it anew."),
	{ "cordon upstream logs", "NAME",
	    "Prints the last lines that a server logged.", log_options,
	    ARRAY_LEN(log_options), NULL, 1, 1, logs_run },
};

int
ctl_upstream(int argc, char **argv)
{
	static const struct ctl_group group = { "cordon upstream",
		"Looks after the servers of a running host.", verbs,
		ARRAY_LEN(verbs) };
	struct ctl_admin admin = { .command = "cordon upstream" };

	return ctl_group_run(&group, &admin, argc, argv);
}
