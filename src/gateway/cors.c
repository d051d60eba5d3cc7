/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What browsers and OAuth clients ask before they ask: preflights (Fetch
 * standard, CORS protocol) and the metadata of a protected resource (RFC 9728).
 * Neither needs a token, neither tells what is here.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "gateway/route.h"
#include "http/guard.h"
#include "json/out.h"

#define WELL_KNOWN "/.well-known/oauth-protected-resource"
#define URL_MAX 1024

static const char allowed_headers[] =
    "Authorization, Content-Type, Accept, Last-Event-ID, Mcp-Session-Id, "
    "MCP-Protocol-Version, Mcp-Method, Mcp-Name, traceparent, tracestate, "
    "baggage";

void
cors_allow(struct http_request *request, const char *origin)
{
	http_request_answer_with(
	    request, "Access-Control-Allow-Origin", origin);
	http_request_answer_with(request, "Vary", "Origin");
	http_request_answer_with(request, "Access-Control-Expose-Headers",
	    "Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, "
	    "Retry-After, X-Request-Id");
}

/* Headers of one's own that a tool's schema named (Mcp-Param-…) are as many as
 * there are parameters: those that are asked for are allowed. */
static void
parameter_headers_add(char *list, size_t size, const char *raw_asked)
{
	static const char prefix[] = "mcp-param-";

	while (*raw_asked != '\0') {
		raw_asked += strspn(raw_asked, ", \t");
		const size_t len = strcspn(raw_asked, ", \t");
		const size_t used = strlen(list);
		char name[128];
		if (len < sizeof(name) && used + len + 3 < size &&
		    strncasecmp(raw_asked, prefix, sizeof(prefix) - 1) == 0) {
			memcpy(name, raw_asked, len);
			name[len] = '\0';
			if (http_header_name_is_safe(name))
				snprintf(
				    list + used, size - used, ", %s", name);
		}
		raw_asked += len;
	}
}

bool
cors_answer(struct gateway *gateway, struct http_request *request)
{
	const char *origin = http_request_header(request, "Origin");
	const char *asked =
	    http_request_header(request, "Access-Control-Request-Headers");
	char list[2048];

	(void)gateway;
	if (strcmp(http_request_method(request), "OPTIONS") != 0 ||
	    origin == NULL ||
	    http_request_header(request, "Access-Control-Request-Method") ==
		NULL)
		return false;
	memcpy(list, allowed_headers, sizeof(allowed_headers));
	if (asked != NULL)
		parameter_headers_add(list, sizeof(list), asked);
	const struct http_header headers[] = {
		{ "Access-Control-Allow-Methods",
		    "GET, POST, DELETE, PATCH, OPTIONS" },
		{ "Access-Control-Allow-Headers", list },
		{ "Access-Control-Max-Age", "600" },
	};
	http_reply(request, 204, headers, ARRAY_LEN(headers), NULL, 0);
	return true;
}

bool
is_resource_metadata(const char *target)
{
	const size_t len = sizeof(WELL_KNOWN) - 1;

	return strncmp(target, WELL_KNOWN, len) == 0 &&
	    (target[len] == '\0' || target[len] == '/' || target[len] == '?');
}

/* scheme://host, then a path: the well-known one or none, then the client's. */
static void
url_write(struct http_request *request, char url[URL_MAX], const char *prefix,
    const char *path)
{
	/* On the Unix socket nobody has looked at it. */
	const char *host = http_request_listener(request) == LISTENER_ADMIN
	    ? "localhost"
	    : http_request_header(request, "Host");

	snprintf(url, URL_MAX, "%s://%s%s%.*s",
	    http_request_is_tls(request) ? "https" : "http", host, prefix,
	    (int)strcspn(path, "?\"\\"), path);
}

void
resource_metadata_answer(struct gateway *gateway, struct http_request *request)
{
	static const struct http_header headers[] = {
		{ "Content-Type", "application/json" },
		{ "Cache-Control", "max-age=600" },
	};
	const char *target = http_request_target(request);
	struct json_out out;
	char url[URL_MAX];
	size_t len = 0;

	(void)gateway;
	url_write(request, url, "", target + sizeof(WELL_KNOWN) - 1);
	json_out_init(&out, 8192);
	json_out_text(&out, "{\"resource\":");
	json_out_string(&out, url, strlen(url));
	json_out_text(&out,
	    ",\"bearer_methods_supported\":[\"header\"],"
	    "\"scopes_supported\":[\"read\",\"call\",\"admin\"]}\n");
	char *body = json_out_steal(&out, &len);
	json_out_fini(&out);
	http_reply(request, body == NULL ? 500 : 200, headers,
	    ARRAY_LEN(headers), body, len);
}

void
challenge_set(struct http_request *request, const char *scope)
{
	const char *target = http_request_target(request);
	char url[URL_MAX], value[URL_MAX + 256];

	url_write(request, url, WELL_KNOWN, target);
	if (scope == NULL)
		snprintf(value, sizeof(value),
		    "Bearer resource_metadata=\"%s\"", url);
	else
		snprintf(value, sizeof(value),
		    "Bearer error=\"insufficient_scope\", scope=\"%s\", "
		    "resource_metadata=\"%s\"",
		    scope, url);
	http_request_answer_with(request, "WWW-Authenticate", value);
}
