/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes back: heads, collected until one is final; the body, bounded,
 * counted and scrubbed.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/auto.h"
#include "egress/fetch.h"

#define HEADS_MAX (256u << 10)
#define NS_A_BYTE 5 /* of searching for secrets: what quiet text takes */

/* Headers of one hop, and those that are no longer true. */
static bool
is_dropped(const char *name)
{
	static const char *const hop[] = { "connection", "keep-alive",
		"proxy-authenticate", "proxy-authorization", "proxy-connection",
		"te", "trailer", "transfer-encoding", "upgrade", "alt-svc" };

	for (size_t i = 0; i < ARRAY_LEN(hop); i++)
		if (strcasecmp(name, hop[i]) == 0)
			return true;
	return false;
}

void
answer_reset(struct fetch *fetch)
{
	evbuffer_drain(fetch->head, evbuffer_get_length(fetch->head));
	free(fetch->location);
	fetch->location = NULL;
	fetch->n_lengths = 0;
	fetch->is_coded = false;
}

/* 0: not that of a body that is worth a thought. */
static uint64_t
length_of(const char *text)
{
	return strlen(text) < 19 && strspn(text, "0123456789") == strlen(text)
	    ? strtoull(text, NULL, 10)
	    : 0;
}

static size_t
head_max(const struct fetch *fetch)
{
	return fetch->is_ask ? WIRE_ASK_HEAD_MAX
			     : WIRE_FETCH_HEAD_MAX - ADDR_URL_MAX;
}

/* False: too much. */
static bool
head_add(struct fetch *fetch, char *line, size_t len)
{
	char *colon = memchr(line, ':', len);

	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	if (colon == NULL || memchr(line, '\0', len) != NULL)
		return true; /* no header; libcurl has looked at the rest */
	line[len] = '\0';
	*colon = '\0';
	if (!fetch_is_token(line))
		return true; /* the rest of a line that was folded, too */
	char *value = colon + 1 + strspn(colon + 1, " \t");
	for (char *end = line + len; end > value && strchr(" \t", end[-1]);)
		*--end = '\0';
	fetch->is_coded |= strcasecmp(line, "transfer-encoding") == 0;
	if (strcasecmp(line, "content-length") == 0) {
		fetch->n_lengths++;
		fetch->length = length_of(value);
	}
	/* libcurl undoes such codings unasked, and keeps what comes of it. */
	if (strcasecmp(line, "transfer-encoding") == 0 &&
	    strcasecmp(value, "chunked") != 0)
		fetch_blame(fetch, WIRE_EGRESS_PROTOCOL,
		    "%.200s answers in a transfer coding (%.40s) that nobody "
		    "asked for",
		    fetch->url.host.text, value);
	if (strcasecmp(line, "content-encoding") == 0 && fetch->scrub != NULL &&
	    strcasecmp(value, "identity") != 0)
		fetch_blame(fetch, WIRE_EGRESS_PROTOCOL,
		    "%.200s answers encoded (%.40s), though it was asked not "
		    "to: secrets could not be found in it",
		    fetch->url.host.text, value);
	/* Before the Location is taken: it may name another host. */
	if (fetch->scrub != NULL) {
		scrub_text(fetch->scrub, line, strlen(line));
		scrub_text(fetch->scrub, value, strlen(value));
	}
	if (strcasecmp(line, "location") == 0 && fetch->location == NULL)
		fetch->location = strdup(value);
	return evbuffer_get_length(fetch->head) + len < head_max(fetch) &&
	    evbuffer_add(fetch->head, line, strlen(line) + 1) == 0 &&
	    evbuffer_add(fetch->head, value, strlen(value) + 1) == 0;
}

static void
head_tell(struct fetch *fetch)
{
	auto_free char *headers = malloc(evbuffer_get_length(fetch->head) + 1);
	size_t len = 0;

	fetch->has_head = true;
	if (headers == NULL) {
		fetch_blame(fetch, WIRE_EGRESS_INTERNAL, "out of memory");
		return;
	}
	const char *at = (const char *)evbuffer_pullup(fetch->head, -1);
	const char *end = at + evbuffer_get_length(fetch->head);
	while (at < end) {
		const char *value = at + strlen(at) + 1;
		const char *next = value + strlen(value) + 1;
		if (!is_dropped(at)) {
			memcpy(headers + len, at, (size_t)(next - at));
			len += (size_t)(next - at);
		}
		at = next;
	}
	fetch->ops->head(
	    fetch->arg, fetch->status, fetch->url.text, headers, len);
}

static bool
is_redirect(unsigned status)
{
	return status == 301 || status == 302 || status == 303 ||
	    status == 307 || status == 308;
}

/* The empty line: what was collected is a head, unless it is an interim one. */
static void
head_complete(struct fetch *fetch)
{
	long status = 0;

	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	fetch->status = (unsigned)status;
	/* 101: nobody asked for another protocol. */
	if (status == 101 || status > 599)
		fetch_blame(fetch, WIRE_EGRESS_PROTOCOL,
		    "%.200s answers with the status %ld", fetch->url.host.text,
		    status);
	if (status < 200)
		return;
	if (status == 401 && fetch->credential != NULL)
		asks_reject(
		    fetch->egress->asks, fetch->server, fetch->credential);
	if (is_redirect(fetch->status) && fetch->location != NULL) {
		if (fetch->flags & WIRE_FETCH_REDIRECT_FAILS)
			fetch_blame(fetch, WIRE_EGRESS_REDIRECT,
			    "%.200s answered with a redirect, which the caller "
			    "does not want",
			    fetch->url.host.text);
		fetch->follows = (fetch->flags & WIRE_FETCH_FOLLOW) != 0;
	}
	if (!fetch->follows && fetch->end == WIRE_EGRESS_OK)
		head_tell(fetch);
}

size_t
answer_on_header(char *line, size_t size, size_t n, void *arg)
{
	struct fetch *fetch = arg;
	const size_t len = size * n;
	char copy[CURL_MAX_HTTP_HEADER + 1];

	fetch_moved(fetch);
	/* A head that never ends, in pieces that are each a good one. */
	fetch->head_bytes += len;
	fetch_spend(fetch, len);
	if (fetch->head_bytes > HEADS_MAX)
		fetch_blame(fetch, WIRE_EGRESS_PROTOCOL,
		    "%.200s answers with more than 256 KiB of heads",
		    fetch->url.host.text);
	if (fetch->has_head || fetch->follows)
		return fetch->end == WIRE_EGRESS_OK ? len : 0; /* trailers */
	fetch->in_curl = true;
	if (!fetch->in_head) {
		answer_reset(fetch); /* the status line */
		fetch->in_head = true;
	} else if (len <= 2 && (line[0] == '\r' || line[0] == '\n')) {
		fetch->in_head = false;
		head_complete(fetch);
	} else if (len < sizeof(copy)) {
		memcpy(copy, line, len);
		if (!head_add(fetch, copy, len))
			fetch_blame(fetch,
			    fetch->is_ask ? WIRE_EGRESS_TOO_LARGE
					  : WIRE_EGRESS_PROTOCOL,
			    "the head of the answer is longer than %zu KiB",
			    head_max(fetch) >> 10);
	}
	fetch->in_curl = false;
	return fetch->end == WIRE_EGRESS_OK ? len : 0;
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool
data_tell(struct fetch *fetch, const uint8_t *bytes, size_t len, bool is_last)
{
	if (fetch->scrub == NULL)
		return len == 0 || fetch->ops->data(fetch->arg, bytes, len);
	auto_free uint8_t *clean =
	    malloc(len + scrub_held_max(fetch->scrub) + 1);
	if (clean == NULL) {
		fetch_blame(fetch, WIRE_EGRESS_INTERNAL, "out of memory");
		return true;
	}
	/* An answer can be made to be hard to search: that is paid for, too. */
	const uint64_t began = now_ns();
	const size_t clean_len =
	    scrub_feed(fetch->scrub, bytes, len, is_last, clean);
	const uint64_t worth = (now_ns() - began) / NS_A_BYTE;
	if (worth > len)
		fetch_spend(fetch, worth - len);
	len = clean_len;
	return len == 0 || fetch->ops->data(fetch->arg, clean, len);
}

void
answer_count(struct fetch *fetch, size_t len)
{
	fetch_moved(fetch);
	fetch->received += len;
	if (fetch->is_ask && fetch->received > WIRE_ASK_BODY_MAX)
		fetch_blame(fetch, WIRE_EGRESS_TOO_LARGE,
		    "%.200s answers with more than %u bytes, which is more "
		    "than signing in takes",
		    fetch->url.host.text, WIRE_ASK_BODY_MAX);
	if (!fetch->is_ask &&
	    fetch->received > fetch->server->head.budget.bytes_in)
		fetch_blame(fetch, WIRE_EGRESS_TOO_LARGE,
		    "the answer is larger than %llu bytes (network.bytesIn)",
		    (unsigned long long)fetch->server->head.budget.bytes_in);
	fetch_spend(fetch, len);
}

size_t
answer_on_write(char *bytes, size_t size, size_t n, void *arg)
{
	struct fetch *fetch = arg;
	const size_t len = size * n;

	if (fetch->end != WIRE_EGRESS_OK)
		return 0;
	if (fetch->is_stopped)
		return CURL_WRITEFUNC_PAUSE;
	answer_count(fetch, len);
	if (fetch->end != WIRE_EGRESS_OK)
		return 0;
	if (fetch->follows)
		return len;
	if (!fetch->has_head) {
		fetch_blame(fetch, WIRE_EGRESS_PROTOCOL,
		    "%.200s answers without a head", fetch->url.host.text);
		return 0;
	}
	fetch->in_curl = true;
	fetch->is_stopped =
	    !data_tell(fetch, (const uint8_t *)bytes, len, false);
	fetch->in_curl = false;
	if (tail_is_worth(fetch))
		event_active(fetch->timer, EV_TIMEOUT, 1);
	return fetch->end == WIRE_EGRESS_OK ? len : 0;
}

void
answer_finish(struct fetch *fetch)
{
	if (fetch->scrub == NULL)
		return;
	fetch->in_curl = true;
	data_tell(fetch, NULL, 0, true);
	fetch->in_curl = false;
}
