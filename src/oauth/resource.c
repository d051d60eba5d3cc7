/* SPDX-License-Identifier: Apache-2.0 */

/* Protected resource metadata (RFC 9728). */

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "oauth/document.h"
#include "oauth/oauth.h"

#define WELL_KNOWN "/.well-known/oauth-protected-resource"

bool
oauth_resource_url(const char *url, unsigned i, char where[OAUTH_URL_MAX])
{
	struct addr_url parsed;
	char *at = where;

	if (document_url_parse(url, strlen(url), &parsed, NULL) != 0)
		return false;
	/* A slash that only follows the host is removed. */
	const char *rest =
	    parsed.path_len == 1 ? parsed.target + 1 : parsed.target;
	const size_t origin = (size_t)(parsed.target - parsed.text);
	if (i > 1 || (i == 1 && rest[0] == '\0'))
		return false;
	if (i == 1)
		rest = "";
	if (origin + strlen(WELL_KNOWN) + strlen(rest) >= OAUTH_URL_MAX)
		return false;
	at = mempcpy(at, parsed.text, origin);
	at = stpcpy(at, WELL_KNOWN);
	strcpy(at, rest);
	return true;
}

/* The same origin, and the same path or one above it; a slash at the path's end
 * makes no difference. */
static bool
is_above(const struct addr_url *resource, const struct addr_url *url)
{
	const size_t origin = (size_t)(url->target - url->text);
	size_t len = resource->path_len;

	if (strcmp(resource->text, url->text) == 0)
		return true;
	if ((size_t)(resource->target - resource->text) != origin ||
	    memcmp(resource->text, url->text, origin) != 0)
		return false;
	if (resource->target[len] != '\0') /* a query */
		return false;
	if (resource->target[len - 1] == '/')
		len--;
	return url->path_len >= len &&
	    memcmp(resource->target, url->target, len) == 0 &&
	    (url->path_len == len || url->target[len] == '/');
}

static int
resource_check(const struct document *document, const char *raw_url,
    char said[OAUTH_URL_MAX])
{
	struct addr_url resource, url;
	char shown[DOCUMENT_SHOWN_MAX];
	struct err why = { .text = "" };

	int r = document_text(
	    document, "resource", DOCUMENT_LINE, true, said, OAUTH_URL_MAX);
	if (r != 0)
		return r;
	document_show(said, shown);
	r = document_url_parse(raw_url, strlen(raw_url), &url, document->err);
	if (r != 0)
		return r;
	r = document_url_parse(said, strlen(said), &resource, &why);
	if (r != 0)
		return document_refuse(
		    document, "resource", "(\"%s\") %s", shown, why.text);
	if (!is_above(&resource, &url))
		return document_refuse(document, "resource",
		    "is \"%s\", which is not where it was asked for: a token "
		    "for it would be another's",
		    shown);
	return 0;
}

static int
issuers_read(const struct document *document, struct oauth_resource *resource)
{
	static const char member[] = "authorization_servers";
	const struct json_span list = document_get(document, member);
	struct err why = { .text = "" };
	struct json_span element;
	struct json_iter iter;

	if (json_kind_of(list) != JSON_KIND_ARRAY)
		return document_refuse(document, member,
		    list.at == NULL ? "is missing" : "is no list");
	json_iter_init(&iter, list);
	while (json_iter_element(&iter, &element)) {
		if (resource->n_issuers == OAUTH_ISSUERS_MAX)
			return document_refuse(document, member,
			    "has more than %u", OAUTH_ISSUERS_MAX);
		char *issuer = resource->issuers[resource->n_issuers];
		if (json_string_copy(element, issuer, OAUTH_URL_MAX, NULL) !=
			0 ||
		    !document_text_is(issuer, DOCUMENT_LINE))
			return document_refuse(
			    document, member, "holds what is no URL");
		if (oauth_issuer_check(issuer, &why) != 0)
			return document_refuse(
			    document, member, "holds %s", why.text);
		resource->n_issuers++;
	}
	return resource->n_issuers > 0
	    ? 0
	    : document_refuse(document, member, "is empty");
}

/* Joined by spaces. More than there is room for: none, since a part of them is
 * not what the resource says. */
static int
scopes_read(const struct document *document, char scopes[OAUTH_SCOPE_MAX])
{
	static const char member[] = "scopes_supported";
	const struct json_span list = document_get(document, member);
	char scope[OAUTH_SCOPE_MAX];
	struct json_span element;
	struct json_iter iter;
	bool fits = true;
	size_t len = 0;

	if (list.at == NULL)
		return 0;
	if (json_kind_of(list) != JSON_KIND_ARRAY)
		return document_refuse(document, member, "is no list");
	json_iter_init(&iter, list);
	while (json_iter_element(&iter, &element)) {
		if (json_string_copy(element, scope, sizeof(scope), NULL) !=
			0 ||
		    scope[0] == '\0' || strchr(scope, ' ') != NULL ||
		    !document_text_is(scope, DOCUMENT_SCOPE))
			return document_refuse(
			    document, member, "holds what is no scope");
		const size_t n = strlen(scope);
		fits = fits && len + n + 2 <= OAUTH_SCOPE_MAX;
		if (!fits)
			continue;
		if (len > 0)
			scopes[len++] = ' ';
		memcpy(scopes + len, scope, n + 1);
		len += n;
	}
	if (!fits)
		scopes[0] = '\0';
	return 0;
}

int
oauth_resource_read(const char *raw_json, size_t len, const char *url,
    struct oauth_resource *resource, struct err *err)
{
	struct json_want wants[] = {
		{ .name = "resource" },
		{ .name = "authorization_servers" },
		{ .name = "scopes_supported" },
	};
	struct document document = { "resource metadata", wants,
		ARRAY_LEN(wants), err };
	auto_free struct oauth_resource *found = calloc(1, sizeof(*found));

	if (found == NULL)
		return -ENOMEM;
	int r = document_read(&document, raw_json, len);
	if (r == 0)
		r = resource_check(&document, url, found->resource);
	if (r == 0)
		r = issuers_read(&document, found);
	if (r == 0)
		r = scopes_read(&document, found->scopes);
	if (r == 0)
		*resource = *found;
	return r;
}
