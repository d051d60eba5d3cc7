/* SPDX-License-Identifier: Apache-2.0 */

/* What a remote server's refusal of HTTP means to a caller, and what is to be
 * done. What the server says of it is a stranger's. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "gateway/behind/remote_impl.h"
#include "oauth/oauth.h"

#define SCOPE_TOLD_MAX 128u

/* It is told as a part of a command, which a person, or a model, may run. */
static bool
scope_is_tellable(const char *raw_scope)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789"
				    " ._:/-";
	const size_t len = strlen(raw_scope);

	return len > 0 && len <= SCOPE_TOLD_MAX && raw_scope[0] != '-' &&
	    strspn(raw_scope, plain) == len;
}

void
post_challenge_take(struct post *post, const char *headers, size_t len)
{
	struct oauth_challenge challenge = { .is_bearer = false };

	if (post->status != 403)
		return;
	for (const char *at = headers; at < headers + len;) {
		const char *value = at + strlen(at) + 1;
		if (strcasecmp(at, "www-authenticate") == 0)
			(void)oauth_challenge_read(
			    value, strlen(value), &challenge, NULL);
		at = value + strlen(value) + 1;
	}
	post->wants_more = challenge.is_bearer &&
	    strcmp(challenge.error, "insufficient_scope") == 0;
	if (post->wants_more && post->scope == NULL &&
	    scope_is_tellable(challenge.scope))
		post->scope = strdup(challenge.scope);
}

bool
post_is_refused(const struct post *post)
{
	return post->status == 401 || post->wants_more;
}

static void
token_text(const struct post *post, char text[512])
{
	const char *name = post->remote->server->name;
	const char *host = "HOST";
	size_t len = strlen(host);
	struct addr_url url;

	/* With the port, and brackets, as the canonical URL has them. */
	if (addr_url_parse(post->remote->url, strlen(post->remote->url), &url,
		NULL) == 0) {
		host = strstr(url.text, "://") + 3;
		len = (size_t)(url.target - host);
	}
	snprintf(text, 512,
	    "the server wants a token (HTTP 401): sign in with 'cordon "
	    "upstream login %s', or set one with 'cordon secret set NAME "
	    "--for %s --host %.*s'",
	    name, name, (int)len, host);
}

void
post_status_text(const struct post *post, char text[512])
{
	const char *name = post->remote->server->name;

	if (post->status == 401)
		token_text(post, text);
	else if (post->wants_more && post->scope != NULL)
		snprintf(text, 512,
		    "the server wants a larger scope (HTTP 403): sign in again "
		    "with 'cordon upstream login %s --scope \"%s\"'",
		    name, post->scope);
	else if (post->wants_more)
		snprintf(text, 512,
		    "the server wants a larger scope (HTTP 403): sign in again "
		    "with 'cordon upstream login %s --scope SCOPE'",
		    name);
	else if (post->status == 403)
		snprintf(text, 512,
		    "the server forbids it (HTTP 403): is its token the right "
		    "one?");
	else if (post->status == 429)
		snprintf(text, 512,
		    "the server has had too many requests (HTTP 429): try "
		    "again later");
	else
		snprintf(
		    text, 512, "the server answered HTTP %u", post->status);
}
