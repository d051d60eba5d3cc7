/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the commands that speak to a host have in common: where it is, with
 * which token, and how an answer or a refusal is shown. Private to them.
 */

#include <stdbool.h>
#include <stdio.h>

#include "client/client.h"
#include "ctl/grants.h"
#include "ctl/option.h"
#include "json/json.h"
#include "json/out.h"
#include "wire/limits.h"

#define CTL_PATH_MAX 1024 /* of a request */
#define CTL_BODY_MAX (48u << 20) /* as the host takes it */

/* The options of all of them; each names those it takes. */
struct ctl_admin {
	const char *command; /* for the sentences: "cordon upstream" */
	const char *socket_path, *url, *token_file, *tenant;
	bool json;
	bool follow, once, refused;
	/* upstream add */
	const char *server_socket, *server_url, *share;
	struct wire_limits limits; /* 0: not given */
	bool jitless, no_warmup;
	uint32_t pool_max, reuse;
	char **program; /* what stands behind "--", NULL-ended; NULL */
	struct ctl_grants grants;
	uint64_t start_ns, idle_ns, life_ns; /* 0: not given */
	uint32_t spares, starts_per_minute;
	bool refresh, allow_scripts;
	/* import */
	bool add;
	/* token, tenant */
	struct ctl_list scopes, servers;
	uint64_t expires_ns;
	uint32_t requests, concurrent;
	uint64_t cpu_ns, memory_bytes, result_bytes;
	/* secret */
	const char *host, *header, *query, *principal, *key_file, *public_key;
	bool basic;
	/* upstream login; its principal is that of secret */
	const char *login_scope, *issuer, *client_id;
	bool client_secret;
	uint32_t port;
	/* audit, call */
	uint32_t lines;
	const char *server;
	bool *headers_missing; /* set, and nothing said, where that is it */
};

/* clang-format off */
#define CTL_HOST_PLACE_OPTIONS CTL_HOST_PLACE_OPTIONS_URL("url")
/* Where --url is the URL of what is added, that of the host is --host-url. */
#define CTL_HOST_PLACE_OPTIONS_URL(option)                                     \
	{ "tenant", 0, CTL_TEXT, offsetof(struct ctl_admin, tenant),           \
	    "NAME", "of this tenant (the token's own)" },                      \
	{ option, 0, CTL_TEXT, offsetof(struct ctl_admin, url), "URL",           \
	    "the host, if it is not this machine's" },                         \
	{ "admin-socket", 0, CTL_TEXT,                                         \
	    offsetof(struct ctl_admin, socket_path), "PATH",                   \
	    "the host's socket (STATE/admin.sock)" },                          \
	{ "token-file", 0, CTL_TEXT, offsetof(struct ctl_admin, token_file),   \
	    "FILE", "the token (STATE/token)" }
#define CTL_HOST_OPTIONS                                                       \
	{ "json", 0, CTL_FLAG, offsetof(struct ctl_admin, json), NULL,         \
	    "what the host says, as JSON" },                                   \
	CTL_HOST_PLACE_OPTIONS
#define CTL_HOST_OPTIONS_URL(option)                                           \
	{ "json", 0, CTL_FLAG, offsetof(struct ctl_admin, json), NULL,         \
	    "what the host says, as JSON" },                                   \
	CTL_HOST_PLACE_OPTIONS_URL(option)
/* clang-format on */

/* Finds token and host. The client is the caller's; an exit code, with the
 * sentence said, otherwise. */
int ctl_admin_open(const struct ctl_admin *admin, struct client **clientp);

struct ctl_reply {
	struct client_answer answer;
	struct json_span json; /* of it; an empty span: it is none */
};

/*
 * One request. CTL_EXIT_OK for a status of 200 to 299; otherwise the host's
 * sentence has been said. The reply is to be finished in every case. The
 * tenant of the options is added to the path.
 */
int ctl_admin_ask(const struct ctl_admin *admin, const char *method,
    const char *path, const struct json_out *body, struct ctl_reply *reply);
void ctl_reply_fini(struct ctl_reply *reply);

/* The same for a client that is there already. */
int ctl_admin_send(const struct ctl_admin *admin, struct client *client,
    const struct client_request *request, struct ctl_reply *reply);

/* Prints the sentence of a wrong operand; CTL_EXIT_USAGE. */
int ctl_admin_usage(const struct ctl_admin *admin, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether a server or tenant can be called so; says it if not. */
bool ctl_admin_name_check(const struct ctl_admin *admin, const char *name);

/* Where MCP is spoken: "/mcp", or of a server (not NULL), with the tenant. An
 * exit code, with the sentence said, if the names cannot be. */
int ctl_admin_endpoint(
    const struct ctl_admin *admin, const char *server, char path[CTL_PATH_MAX]);

/* The reply as JSON in a line. */
void ctl_reply_print(const struct ctl_reply *reply);

/* An array of the reply; an empty span where there is none. */
struct json_span
ctl_reply_rows(const struct ctl_reply *reply, const char *member);

/* ---- what a host tells line by line, each a JSON object, and goes on telling */

typedef void ctl_line_fn(struct json_span line);

/* Prints each line as it comes; with --json as it is. An exit code. */
int ctl_admin_lines(
    const struct ctl_admin *admin, const char *path, ctl_line_fn *print);

/* A string, escaped, in one line; nothing where it is none. */
void ctl_string_print(FILE *out, struct json_span value);

struct ctl_column;

/* Asks with GET and prints a table, or with --json what came. */
int ctl_admin_list(const struct ctl_admin *admin, const char *path,
    const char *member, const struct ctl_column *columns, size_t n_columns);

/* The members of a "quota" that were given; nothing if none was. */
void ctl_quota_write(const struct ctl_admin *admin, struct json_out *out);

/* clang-format off */
#define CTL_QUOTA_OPTIONS                                                      \
	{ "requests", 0, CTL_COUNT, offsetof(struct ctl_admin, requests), "N", \
	    "requests a minute at most" },                                     \
	{ "concurrent", 0, CTL_COUNT, offsetof(struct ctl_admin, concurrent),  \
	    "N", "calls at once at most" },                                    \
	{ "cpu", 0, CTL_DURATION, offsetof(struct ctl_admin, cpu_ns), "TIME",  \
	    "CPU time a minute at most" },                                     \
	{ "result-size", 0, CTL_SIZE,                                          \
	    offsetof(struct ctl_admin, result_bytes), "SIZE",                  \
	    "bytes of an answer at most" }
/* clang-format on */
