/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon upstream add: a tool file, a folder with a bundle, somebody's socket, a
 * remote server, or a program that the host starts in a box.
 */
#include "ctl/host/add.h"
#include "ctl/host/launch.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "addr/rule.h"
#include "base/auto.h"
#include "base/pack.h"
#include "base/utf8.h"
#include "ctl/ctl.h"
#include "ctl/host/box.h"
#include "ctl/host/table.h"
#include "ctl/run/bundle.h"

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

/* Where it may go; of a remote server: besides its URL. */
static void
nets_write(const struct ctl_list *nets, struct json_out *out)
{
	for (size_t i = 0; i < nets->n_items; i++)
		text_add(out,
		    i == 0 ? ",\"network\":{\"allowedDomains\":[" : ",",
		    nets->items[i]);
	json_out_text(out, nets->n_items > 0 ? "]}" : "");
}

static int
tool_write(const struct ctl_admin *admin, const char *path,
    struct json_out *out, struct err *err)
{
	struct ctl_bundle bundle = { .fd = -1 };

	if (admin->server_url != NULL) {
		text_add(
		    out, ",\"kind\":\"remote\",\"url\":", admin->server_url);
		nets_write(&admin->grants.nets, out);
		return 0;
	}
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
	nets_write(&admin->grants.nets, out);
	return r == 0 ? 0 : err_set(err, r, "%s cannot be sent", path);
}

/* What a person approves of it, besides its files. */
static void
launch_print(struct json_span server)
{
	const struct json_span kind = ctl_member(server, "kind");

	if (json_string_equals(kind, "box"))
		ctl_launch_print(stdout, server);
	else if (json_string_equals(kind, "isolate") ||
	    ctl_member(server, "network").at != NULL)
		ctl_network_print(stdout, ctl_member(server, "network"));
}

void
ctl_server_print(const struct ctl_reply *reply)
{
	static const struct {
		const char *title;
		const char *member;
		ctl_cell_fn *print;
	} rows[] = {
		{ "name", "name", ctl_cell_words },
		{ "state", "state", ctl_cell_words },
		{ "kind", "kind", ctl_cell_words },
		{ "tenant", "tenant", ctl_cell_words },
		{ "shared", "share", ctl_cell_words },
		{ "socket", "socket", ctl_cell_words },
		{ "url", "url", ctl_cell_words },
		{ "added", "created", ctl_cell_time },
		{ "digest", "digest", ctl_cell_words },
		{ "approved", "approved", ctl_cell_words },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct json_span value =
		    ctl_member(reply->json, rows[i].member);
		if (value.at == NULL)
			continue;
		printf("  %-9s", rows[i].title);
		rows[i].print(stdout, value);
		putchar('\n');
	}
	launch_print(reply->json);
}

void
ctl_server_state_print(const struct ctl_reply *reply, const char *name)
{
	const struct json_span state = ctl_member(reply->json, "state");

	launch_print(reply->json);
	if (json_string_equals(state, "approved"))
		printf("%s is approved, and what is sent is what was "
		       "approved: nothing has changed.\n",
		    name);
	else
		printf("%s is %s: nobody sees or calls it until: cordon "
		       "upstream approve %s\n",
		    name,
		    json_string_equals(state, "changed")      ? "changed"
			: json_string_equals(state, "denied") ? "denied"
							      : "quarantined",
		    name);
}

/* Said here already: the host would refuse it, too. */
static int
url_check(const struct ctl_admin *admin)
{
	struct err err = { "" };
	struct addr_url url;

	return addr_base_url_parse(admin->server_url, strlen(admin->server_url),
		   &url, &err) == 0
	    ? CTL_EXIT_OK
	    : ctl_admin_usage(
		  admin, "--url %s: it %s", admin->server_url, err.text);
}

static int
add_check(const struct ctl_admin *admin, int n)
{
	const bool is_program = admin->program != NULL;

	if (is_program + (admin->server_socket != NULL) +
		(admin->server_url != NULL) + (n == 2) !=
	    1)
		return ctl_admin_usage(admin,
		    "say a file or folder, or --socket PATH, or --url URL, or "
		    "-- and a command: one of them%s",
		    admin->server_url != NULL
			? " (--url is the server's here; that of a host is "
			  "--host-url)"
			: "");
	if (admin->server_url != NULL) {
		const int exit_code = url_check(admin);
		if (exit_code != CTL_EXIT_OK)
			return exit_code;
	}
	if (is_program && admin->program[0] == NULL)
		return ctl_admin_usage(admin, "no command behind --");
	struct ctl_admin rest = *admin;
	if (admin->server_url != NULL || n == 2)
		rest.grants.nets.n_items = 0;
	if (!is_program && ctl_box_is_asked(&rest))
		return ctl_admin_usage(admin,
		    "what a program may is for a command: add NAME [options] "
		    "-- COMMAND (a file, a folder and a URL take --net)");
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

/* The body, all of it. An exit code, with the sentence said. */
static int
body_write(
    struct ctl_admin *admin, int n, char **operands, struct json_out *out)
{
	struct err err = { "it cannot be sent" };
	int r;

	text_add(out, "{\"name\":", operands[0]);
	if (admin->program != NULL)
		r = ctl_box_write(admin, out, &err);
	else
		r = tool_write(admin, n == 2 ? operands[1] : NULL, out, &err);
	if (r != 0)
		return ctl_admin_usage(admin, "%s", err.text);
	settings_write(admin, out);
	json_out_text(out, "}");
	return json_out_status(out) == 0
	    ? CTL_EXIT_OK
	    : ctl_admin_usage(admin, "it is over 48 MiB");
}

static int
add_run(void *values, int n, char **operands)
{
	struct ctl_admin *admin = values;
	struct ctl_reply reply;
	struct json_out body;

	int exit_code = add_check(admin, n);
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	if (!ctl_admin_name_check(admin, operands[0]))
		return CTL_EXIT_USAGE;
	json_out_init(&body, CTL_BODY_MAX);
	exit_code = body_write(admin, n, operands, &body);
	if (exit_code != CTL_EXIT_OK) {
		json_out_fini(&body);
		return exit_code;
	}
	exit_code =
	    ctl_admin_ask(admin, "POST", "/admin/servers", &body, &reply);
	json_out_fini(&body);
	if (exit_code == CTL_EXIT_OK && admin->json)
		ctl_reply_print(&reply);
	else if (exit_code == CTL_EXIT_OK)
		ctl_server_state_print(&reply, operands[0]);
	ctl_reply_fini(&reply);
	return exit_code;
}

#define AT(member) offsetof(struct ctl_admin, member)
#define GRANT(name, kind, field, argument, help)                               \
	CTL_GRANTS_ROW(                                                        \
	    struct ctl_admin, grants, name, kind, field, argument, help)

static const struct ctl_option options[] = {
	{ "socket", 0, CTL_TEXT, AT(server_socket), "PATH",
	    "a server that listens there and speaks MCP's lines" },
	{ "url", 0, CTL_TEXT, AT(server_url), "URL",
	    "a remote server: MCP over HTTPS, by way of egress" },
	{ "share", 0, CTL_TEXT, AT(share), "WHO",
	    "one link, or process, for a principal, a session, or all" },
	{ "timeout-cpu", 0, CTL_DURATION, AT(limits.cpu_ns), "TIME",
	    "CPU time of a call (50ms)" },
	{ "timeout", 0, CTL_DURATION, AT(limits.wall_ns), "TIME",
	    "wall time of a call (30s)" },
	{ "memory", 0, CTL_SIZE, AT(limits.memory_bytes), "SIZE",
	    "memory of a call (128MiB); of a program, all of it (2GiB)" },
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
	GRANT(
	    "policy", CTL_TEXT, policy, "FILE", "what a program may, as JSON"),
	GRANT("settings", CTL_TEXT, settings, "FILE",
	    "the same, as a settings file of srt"),
	GRANT("profile", CTL_LIST, profiles, "NAME",
	    "a ready-made policy; \"none\": not even the command's own"),
	GRANT("read", CTL_LIST, reads, "PATH", "may be read and run"),
	GRANT(
	    "write", CTL_LIST, writes, "PATH", "may be read, run and changed"),
	GRANT("net", CTL_LIST, nets, "HOST[:PORT]",
	    "may be reached; *.HOST: every name below"),
	GRANT("unix-sockets", CTL_FLAG, unix_sockets, NULL,
	    "may make unix sockets"),
	GRANT("env", CTL_LIST, envs, "NAME[=VALUE]",
	    "set a variable, or take the value that it has here"),
	GRANT("secret", CTL_LIST, secrets, "NAME",
	    "there by a placeholder, never by its value"),
	GRANT("pids", CTL_COUNT, pids, "N", "processes and threads (512)"),
	GRANT("cpu", CTL_MILLI, cpu_milli, "N", "CPUs at most, such as 0.5"),
	GRANT("tmp-size", CTL_SIZE, tmp_bytes, "SIZE",
	    "of its /tmp and home together (512MiB)"),
	GRANT("denials", CTL_TEXT, denials, "WHICH",
	    "are noted: none, calls, or files, too"),
	{ "start-timeout", 0, CTL_DURATION, AT(start_ns), "TIME",
	    "until it has answered its greeting (30s)" },
	{ "idle", 0, CTL_DURATION, AT(idle_ns), "TIME",
	    "without a call: it ends (5m)" },
	{ "life", 0, CTL_DURATION, AT(life_ns), "TIME",
	    "it is replaced then, between two calls (24h)" },
	{ "spares", 0, CTL_COUNT, AT(spares), "N",
	    "processes that wait, greeted already (none)" },
	{ "starts", 0, CTL_COUNT, AT(starts_per_minute), "N",
	    "starts a minute at most (30)" },
	{ "refresh", 0, CTL_FLAG, AT(refresh), NULL,
	    "ask the registry for a package anew" },
	{ "allow-scripts", 0, CTL_FLAG, AT(allow_scripts), NULL,
	    "run a package's install scripts, in a box" },
	CTL_HOST_OPTIONS_URL("host-url"),
};

const struct ctl_command ctl_add_command = { "cordon upstream add",
	"NAME FILE|FOLDER | NAME --socket PATH | NAME --url URL | NAME -- "
	"COMMAND...",
	"Adds a server, or changes it. It is quarantined until it is "
	"approved.",
	options, ARRAY_LEN(options),
	"A COMMAND is started in a box: it reads the system's programs and "
	"libraries, its own\nprogram, and what --read and --write name; it "
	"reaches what --net\nnames. A package (npx -y PKG,\nuvx PKG) is "
	"resolved now, and "
	"started from what was found ever after.",
	1, 2, add_run, false };
