/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Names of one server among many. A tool or prompt is SERVER__NAME where that
 * is at most 64 of [A-Za-z0-9_.-] and can be taken apart again; otherwise its
 * first 43 characters (what is not allowed as '_'), '_' and 20 hex digits of
 * SHA-256 over server and name. No plain name looks like that, so that the two
 * forms never meet. A resource is cordon:SERVER/URI; ui:// URIs stay what they
 * are, for clients know the scheme. A task's id is cordon:SERVER/ID.
 */

#include <stdbool.h>
#include <stddef.h>

#include "json/json.h"
#include "json/out.h"

#define MCP_JOINED_MAX 64
#define MCP_SERVER_NAME_MAX 64 /* with the NUL */

/* The name of the server's `name` (decoded) among others. */
void mcp_name_join(
    const char *server, const char *name, char joined[MCP_JOINED_MAX + 1]);

/*
 * Takes a plain name apart: false for one that has a hash, or is none. *name
 * points into joined.
 */
bool mcp_name_split(
    const char *joined, char server[MCP_SERVER_NAME_MAX], const char **name);

/* Whether the URI (a JSON string) keeps its own form: ui:// */
bool mcp_uri_is_kept(struct json_span uri);

/* Appends the URI, or task id, with its server. */
void
mcp_uri_join(struct json_out *out, const char *server, struct json_span uri);

/*
 * Takes one apart. inner gets the rest as a JSON string. False: it has no such
 * prefix.
 */
bool mcp_uri_split(struct json_span uri, char server[MCP_SERVER_NAME_MAX],
    struct json_out *inner);

/*
 * Appends a result, or a notification's params, with every URI and task id of
 * its server joined where MCP has one: contents, resource links, embedded
 * resources, prompts' messages, uri, task, taskId, related-task. Each other
 * byte stays. method: of the request or the notification.
 */
void mcp_result_join(struct json_out *out, const char *server,
    const char *method, struct json_span value);
