/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Calling a Workers-form server, one with a fetch handler, from the shell: as
 * an HTTP request, or as an MCP tool by one JSON-RPC POST.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "json/json.h"
#include "json/out.h"

#define CTL_E_REQUEST 1 /* the JSON is no request; the sentence says why */

/*
 * {"method"?, "url"?, "headers"?, "body"?} as the pool wants it: `head` gets
 * {"method", "url", "headers": [[name, value], …]}, `body` the bytes. headers
 * may be an object or a list of pairs; a body that is not a string is sent as
 * JSON. A path alone is a URL on http://localhost.
 */
int ctl_request_compose(struct json_span input, struct json_out *head,
    struct json_out *body, struct err *err);

/* The POST of a tools/call to http://localhost/mcp. */
void ctl_request_compose_tool(const char *tool, struct json_span input,
    struct json_out *head, struct json_out *body);

/*
 * {"status", "headers": {name: value or [values]}, "body"} of a response: its
 * raw head [status, [[name, value], …]] and all its bytes. A body that is no
 * UTF-8 is given as "body_base64". Negative errno, JSON_E_… for a head that is none.
 */
int ctl_response_compose(const char *raw_head, size_t head_len,
    const uint8_t *raw_body, size_t body_len, struct json_out *out);

struct ctl_rpc_answer {
	unsigned int status; /* of HTTP */
	struct json_span result; /* either this … */
	struct json_span error; /* … or this, or neither */
};

/*
 * Finds the JSON-RPC answer in a response of JSON or of server-sent events.
 * `buffer` holds what the spans borrow from.
 */
int ctl_rpc_find(const char *raw_head, size_t head_len, const char *raw_body,
    size_t body_len, struct json_out *buffer, struct ctl_rpc_answer *answer);
