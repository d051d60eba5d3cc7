/* SPDX-License-Identifier: Apache-2.0 */

/* The heads of requests to remote servers. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/behind/remote_impl.h"

#define MIRROR_MAX (48u << 10)

static void
header_put(struct json_out *out, const char *name, const char *value)
{
	json_out_raw(out, name, strlen(name) + 1);
	json_out_raw(out, value, strlen(value) + 1);
}

/* One ["name", "value"]. */
static void
pair_put(struct json_out *out, struct json_span pair)
{
	struct json_span name, value;
	struct json_iter iter;
	char text[16384];

	if (json_iter_init(&iter, pair) != 0 ||
	    !json_iter_element(&iter, &name) ||
	    !json_iter_element(&iter, &value))
		return;
	if (json_string_copy(name, text, sizeof(text), NULL) != 0)
		return;
	json_out_raw(out, text, strlen(text) + 1);
	if (json_string_copy(value, text, sizeof(text), NULL) != 0)
		text[0] = '\0';
	json_out_raw(out, text, strlen(text) + 1);
}

int
post_mirror(struct post *post, const struct upstream_call *call)
{
	struct json_span whole, pair;
	struct json_out json, out;
	struct json_iter iter;
	int r = -ENOMEM;

	json_out_init(&json, MIRROR_MAX);
	json_out_init(&out, MIRROR_MAX);
	json_out_text(&json, "[[\"mcp-method\",\"");
	json_out_text(&json, post->method);
	json_out_text(&json, "\"]");
	if (call != NULL)
		behind_mirror_write(&json, call);
	json_out_text(&json, "]");
	if (json_out_status(&json) == 0 &&
	    json_check(json.bytes, json.len, &whole, NULL) == 0) {
		json_iter_init(&iter, whole);
		while (json_iter_element(&iter, &pair))
			pair_put(&out, pair);
		r = json_out_status(&out) == 0 ? 0 : -ENOMEM;
	}
	if (r == 0)
		post->mirror = json_out_steal(&out, &post->mirror_len);
	json_out_fini(&json);
	json_out_fini(&out);
	return r;
}

const char *
post_http_method(const struct post *post)
{
	if (post->kind == POST_END)
		return "DELETE";
	return post->kind == POST_STREAM || post->is_resumed ? "GET" : "POST";
}

/* The agreed version stands in the answer to initialize. */
static const char *
version_get(struct remote *remote)
{
	struct json_want version = { .name = "protocolVersion" };
	const struct link *link = remote->link;

	if (remote->version[0] == '\0' && link != NULL && link->hello != NULL &&
	    json_members_find(
		(struct json_span){ link->hello, link->hello_len }, &version,
		1) == 0)
		(void)json_string_copy(version.value, remote->version,
		    sizeof(remote->version), NULL);
	return remote->version;
}

void
post_head_write(const struct post *post, struct json_out *out)
{
	struct remote *remote = post->remote;
	const bool is_post = post_http_method(post)[0] == 'P';

	if (is_post)
		header_put(out, "content-type", "application/json");
	if (post->kind != POST_END)
		header_put(out, "accept",
		    is_post ? "application/json, text/event-stream"
			    : "text/event-stream");
	/* Nothing here unpacks what a stranger packed. */
	header_put(out, "accept-encoding", "identity");
	header_put(out, "user-agent", "cordon/" CORDON_VERSION);
	if (post->era == MCP_MODERN) {
		header_put(out, "mcp-protocol-version", MCP_VERSION_MODERN);
		json_out_raw(out, post->mirror, post->mirror_len);
		return;
	}
	if (remote->is_old)
		return;
	if (version_get(remote)[0] != '\0')
		header_put(out, "mcp-protocol-version", remote->version);
	if (remote->session[0] != '\0')
		header_put(out, "mcp-session-id", remote->session);
	if (!is_post && post->events.id[0] != '\0')
		header_put(out, "last-event-id", post->events.id);
}
