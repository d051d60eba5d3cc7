/* SPDX-License-Identifier: Apache-2.0
 *
 * The next hop of a redirect: only if it is asked for, and with the whole check
 * again.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "egress/fetch.h"

/* What is for one origin only. */
void
headers_strip(struct fetch *fetch, const char *const *names, size_t n)
{
	char *to = fetch->headers;

	for (char *at = fetch->headers;
	     at < fetch->headers + fetch->headers_len;) {
		char *value = at + strlen(at) + 1;
		char *next = value + strlen(value) + 1;
		bool is_out = false;
		for (size_t i = 0; i < n; i++)
			is_out |= strcasecmp(at, names[i]) == 0;
		if (!is_out) {
			memmove(to, at, (size_t)(next - at));
			to += next - at;
		}
		at = next;
	}
	fetch->headers_len = (size_t)(to - fetch->headers);
}

static bool
is_same_origin(const struct addr_url *a, const struct addr_url *b)
{
	return a->scheme == b->scheme && a->port == b->port &&
	    strcmp(a->host.text, b->host.text) == 0;
}

/* fetch standard, HTTP-redirect fetch: which method, and whether the body goes
 * along. False: it cannot. */
static bool
redirect_method(struct fetch *fetch)
{
	static const char *const about_body[] = { "content-encoding",
		"content-language", "content-location", "content-type",
		"content-length" };
	const bool is_post = strcmp(fetch->method, "POST") == 0;
	const bool is_read = strcmp(fetch->method, "GET") == 0 ||
	    strcmp(fetch->method, "HEAD") == 0;

	if (((fetch->status == 301 || fetch->status == 302) && is_post) ||
	    (fetch->status == 303 && !is_read)) {
		strcpy(fetch->method, "GET");
		fetch->flags &= ~(unsigned)WIRE_FETCH_BODY;
		headers_strip(fetch, about_body, ARRAY_LEN(about_body));
		return true;
	}
	if ((fetch->flags & WIRE_FETCH_BODY) == 0)
		return true;
	if (!fetch->body_ended || fetch->kept == NULL)
		return false;
	return evbuffer_prepend_buffer(fetch->body, fetch->kept) == 0;
}

/* The next hop, checked like the first. False: fetch->end says why. */
bool
redirect_follow(struct fetch *fetch)
{
	static const char *const private[] = { "authorization", "cookie",
		"proxy-authorization" };
	auto_free struct addr_url *next = malloc(sizeof(*next));
	struct err err = { "" };

	fetch_tell(fetch, WIRE_EGRESS_OK);
	if (next == NULL) {
		fetch_blame(fetch, WIRE_EGRESS_INTERNAL, "out of memory");
	} else if (++fetch->hops > WIRE_FETCH_REDIRECTS_MAX) {
		fetch_blame(fetch, WIRE_EGRESS_REDIRECT,
		    "more than %u redirects", WIRE_FETCH_REDIRECTS_MAX);
	} else if (addr_url_follow(&fetch->url, fetch->location,
		       strlen(fetch->location), next, &err) != 0) {
		fetch_blame(fetch, WIRE_EGRESS_REDIRECT,
		    "%.200s redirects to a place that %s", fetch->url.host.text,
		    err.text);
	} else if (!redirect_method(fetch)) {
		fetch_blame(fetch, WIRE_EGRESS_REDIRECT,
		    "%.200s wants the request again elsewhere (%u), but its "
		    "body was a stream, or longer than 256 KiB",
		    fetch->url.host.text, fetch->status);
	}
	if (fetch->end != WIRE_EGRESS_OK)
		return false;
	if (!is_same_origin(&fetch->url, next))
		headers_strip(fetch, private, ARRAY_LEN(private));
	/* Pointers into its own text move along. */
	const ptrdiff_t target = next->target - next->text;
	fetch->url = *next;
	fetch->url.target = fetch->url.text + target;
	fetch_easy_drop(fetch);
	if (fetch->is_begun)
		server_done(fetch->server);
	fetch->is_begun = fetch->follows = false;
	fetch->is_stopped = fetch->is_send_stopped = false;
	answer_reset(fetch);
	return hop_begin(fetch);
}
