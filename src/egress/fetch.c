/* SPDX-License-Identifier: Apache-2.0
 *
 * One request, and each hop of its redirects: the URL is parsed, a rule found,
 * the name resolved, every address checked, the connection made to one of those
 * and its peer looked at again. libcurl speaks HTTP; it never resolves, follows,
 * or finds a proxy by itself.
 */
#include <curl/curl.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/auto.h"
#include "egress/fetch.h"

#define SILENCE_S 60 /* without a byte in either direction */
#define ASK_MS 20000u
#define KEPT_MAX (256u << 10) /* of a body that a redirect may want again */

uint64_t
fetch_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void
fetch_moved(struct fetch *fetch)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	fetch->moved_s = (uint64_t)now.tv_sec;
}

void
fetch_blame(
    struct fetch *fetch, enum wire_egress_end end, const char *format, ...)
{
	va_list args;

	if (fetch->end != WIRE_EGRESS_OK)
		return;
	fetch->end = end;
	va_start(args, format);
	vsnprintf(fetch->text, sizeof(fetch->text), format, args);
	va_end(args);
}

/* ---- the end -------------------------------------------------------------- */

void
fetch_easy_drop(struct fetch *fetch)
{
	if (fetch->easy == NULL)
		return;
	if (fetch->is_added)
		client_remove(fetch->server->client, fetch->easy);
	fetch->is_added = false;
	curl_easy_cleanup(fetch->easy);
	curl_slist_free_all(fetch->list);
	curl_slist_free_all(fetch->pin);
	fetch->easy = NULL;
	fetch->list = fetch->pin = NULL;
	fetch->socket_fd = -1;
	fetch->in_head = false;
}

static bool
is_refusal(enum wire_egress_end end)
{
	static const bool refusals[WIRE_EGRESS_N_ENDS] = {
		[WIRE_EGRESS_BAD] = true,
		[WIRE_EGRESS_NO_RULE] = true,
		[WIRE_EGRESS_ADDRESS] = true,
		[WIRE_EGRESS_BUDGET] = true,
		[WIRE_EGRESS_MISMATCH] = true,
		[WIRE_EGRESS_SECRET] = true,
	};

	return refusals[end];
}

/* What became of this hop. */
void
fetch_tell(struct fetch *fetch, enum wire_egress_end end)
{
	struct wire_egress_event *event = &fetch->event;

	event->end = end;
	event->refused = is_refusal(end);
	event->status = fetch->status;
	event->bytes_in = fetch->received;
	event->bytes_out = fetch->sent;
	event->ms = fetch_now_ms() - fetch->started_ms;
	snprintf(event->text, sizeof(event->text), "%s", fetch->text);
	events_tell(fetch->egress->events, event);
}

static void
fetch_free(struct fetch *fetch)
{
	tail_fini(fetch);
	fetch_easy_drop(fetch);
	if (fetch->resolve != NULL)
		resolve_cancel(fetch->resolve);
	if (fetch->is_begun)
		server_done(fetch->server);
	if (fetch->timer != NULL)
		event_free(fetch->timer);
	if (fetch->body != NULL)
		evbuffer_free(fetch->body);
	if (fetch->kept != NULL)
		evbuffer_free(fetch->kept);
	if (fetch->head != NULL)
		evbuffer_free(fetch->head);
	scrub_free(fetch->scrub);
	free(fetch->location);
	/* Those of an ask may say who we are. */
	if (fetch->headers != NULL)
		sodium_memzero(fetch->headers, fetch->headers_len);
	free(fetch->headers);
	client_idle(fetch->server->client);
	server_release(fetch->server);
	free(fetch);
}

bool
fetch_spend(struct fetch *fetch, uint64_t bytes)
{
	/* What the store asks is bounded by WIRE_ASK_…: it is counted, and
	 * refused before it begins, but not cut off in the middle. Its answer
	 * may be the token that replaced another. */
	const bool is_within =
	    server_spend(fetch->server, bytes) || fetch->is_ask;

	if (!is_within)
		fetch_blame(fetch, WIRE_EGRESS_BUDGET,
		    "the server's bytes of this minute are spent "
		    "(network.bytesPerMinute)");
	return is_within;
}

/* Tells the caller, and is no more. Never below a callback of libcurl's. */
void
fetch_end(struct fetch *fetch, enum wire_egress_end end)
{
	const struct fetch_ops *ops = fetch->ops;
	void *arg = fetch->arg;
	char text[sizeof(fetch->text)];

	if (fetch->scrub != NULL)
		scrub_text(fetch->scrub, fetch->text, strlen(fetch->text));
	memcpy(text, fetch->text, sizeof(text));
	fetch_tell(fetch, end);
	const bool is_cancelled = fetch->is_cancelled;
	fetch_free(fetch);
	if (!is_cancelled)
		ops->over(arg, end, text);
}

void
fetch_cancel(struct fetch *fetch)
{
	fetch->is_cancelled = true;
	fetch_blame(fetch, WIRE_EGRESS_CANCELLED, "cancelled by the caller");
	if (fetch->in_curl)
		return; /* the callback fails, then libcurl is done */
	if (client_is_acting(fetch->server->client))
		event_active(fetch->timer, EV_TIMEOUT, 1);
	else
		fetch_end(fetch, fetch->end);
}

/* Its callbacks may run below this. */
static void
curl_go_on(struct fetch *fetch)
{
	const int wait = (fetch->is_stopped ? CURLPAUSE_RECV : 0) |
	    (fetch->is_send_stopped ? CURLPAUSE_SEND : 0);

	fetch_moved(fetch);
	if (fetch->easy == NULL || fetch->in_curl || fetch->tail != NULL)
		return;
	fetch->is_late = client_is_acting(fetch->server->client);
	if (fetch->is_late)
		event_active(fetch->timer, EV_TIMEOUT, 1);
	else if (curl_easy_pause(fetch->easy, wait) != CURLE_OK) {
		/* What was held back was refused by us, or there is no memory:
		 * the transfer does not end by itself. */
		fetch_blame(fetch, WIRE_EGRESS_INTERNAL, "out of memory");
		event_active(fetch->timer, EV_TIMEOUT, 1);
	}
}

void
fetch_resume(struct fetch *fetch)
{
	fetch->is_stopped = false;
	if (fetch->tail != NULL)
		tail_resume(fetch);
	curl_go_on(fetch);
}

/* ---- the request's body --------------------------------------------------- */

/* Bytes beyond the length that the head says would be the next request on this
 * connection: libcurl sends what it is given. */
bool
fetch_write(struct fetch *fetch, const uint8_t *bytes, size_t len)
{
	fetch->written += len;
	if (fetch->body_ended || fetch->written > fetch->body_len ||
	    evbuffer_get_length(fetch->body) + len > WIRE_FETCH_WINDOW ||
	    evbuffer_add(fetch->body, bytes, len) != 0)
		return false;
	if (fetch->is_send_stopped) {
		fetch->is_send_stopped = false;
		curl_go_on(fetch);
	}
	return true;
}

void
fetch_write_end(struct fetch *fetch)
{
	fetch->body_ended = true;
	if (fetch->body_len != UINT64_MAX && fetch->written < fetch->body_len) {
		fetch_blame(fetch, WIRE_EGRESS_BAD,
		    "the request's body is shorter than its Content-Length");
		event_active(fetch->timer, EV_TIMEOUT, 1);
		return;
	}
	if (fetch->is_send_stopped) {
		fetch->is_send_stopped = false;
		curl_go_on(fetch);
	}
}

/* What a redirect may want again. */
static void
body_keep(struct fetch *fetch, const char *bytes, size_t len)
{
	if (fetch->kept == NULL)
		return;
	if (evbuffer_get_length(fetch->kept) + len <= KEPT_MAX &&
	    evbuffer_add(fetch->kept, bytes, len) == 0)
		return;
	evbuffer_free(fetch->kept);
	fetch->kept = NULL;
}

size_t
fetch_on_read(char *bytes, size_t size, size_t n, void *arg)
{
	struct fetch *fetch = arg;

	if (fetch->end != WIRE_EGRESS_OK)
		return CURL_READFUNC_ABORT;
	const int len = evbuffer_remove(fetch->body, bytes, size * n);
	if (len <= 0) {
		fetch->is_send_stopped = !fetch->body_ended;
		return fetch->body_ended ? 0 : CURL_READFUNC_PAUSE;
	}
	fetch_moved(fetch);
	body_keep(fetch, bytes, (size_t)len);
	fetch->sent += (uint64_t)len;
	if (fetch->sent > fetch->server->head.budget.bytes_out)
		fetch_blame(fetch, WIRE_EGRESS_TOO_LARGE,
		    "the request is larger than %llu bytes "
		    "(network.bytesOut)",
		    (unsigned long long)fetch->server->head.budget.bytes_out);
	fetch_spend(fetch, (uint64_t)len);
	fetch->in_curl = true;
	if (fetch->end == WIRE_EGRESS_OK)
		fetch->ops->want(fetch->arg, (size_t)len);
	fetch->in_curl = false;
	return fetch->end == WIRE_EGRESS_OK ? (size_t)len : CURL_READFUNC_ABORT;
}

/* libcurl would say a request again, on another connection, of which the origin
 * may have read a part: whether that is right, it cannot know. */
int
fetch_on_seek(void *arg, curl_off_t offset, int origin)
{
	(void)arg;
	(void)offset;
	(void)origin;
	return CURL_SEEKFUNC_FAIL;
}

/* Of several that are tried, the one that still changes is the connection. */
void
fetch_on_socket(struct fetch *fetch, int fd, bool waits)
{
	if (waits)
		fetch->socket_fd = fd;
	else if (fetch->socket_fd == fd)
		fetch->socket_fd = -1;
}

/* ---- when libcurl is done ------------------------------------------------- */

static const struct {
	CURLcode code;
	enum wire_egress_end end;
} ends[] = {
	{ CURLE_COULDNT_CONNECT, WIRE_EGRESS_CONNECT },
	{ CURLE_SEND_ERROR, WIRE_EGRESS_CUT },
	{ CURLE_RECV_ERROR, WIRE_EGRESS_CUT },
	{ CURLE_GOT_NOTHING, WIRE_EGRESS_CUT },
	{ CURLE_PARTIAL_FILE, WIRE_EGRESS_CUT },
	{ CURLE_HTTP2_STREAM, WIRE_EGRESS_CUT },
	{ CURLE_OPERATION_TIMEDOUT, WIRE_EGRESS_TIMEOUT },
	{ CURLE_PEER_FAILED_VERIFICATION, WIRE_EGRESS_TLS },
	{ CURLE_SSL_CONNECT_ERROR, WIRE_EGRESS_TLS },
	{ CURLE_SSL_CACERT_BADFILE, WIRE_EGRESS_TLS },
	{ CURLE_SSL_ISSUER_ERROR, WIRE_EGRESS_TLS },
	{ CURLE_COULDNT_RESOLVE_HOST, WIRE_EGRESS_DNS },
};

static void
curl_blame(struct fetch *fetch, CURLcode code)
{
	enum wire_egress_end end = WIRE_EGRESS_PROTOCOL;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (ends[i].code == code)
			end = ends[i].end;
	fetch_blame(fetch, end, "%s:%u: %s", fetch->url.host.text,
	    fetch->url.port, curl_easy_strerror(code));
}

/* A connection that was kept may be gone when it is used again. What is safe to
 * be said twice is then said once more, on a new one (RFC 9110, 9.2.2). */
static bool
is_worth_again(struct fetch *fetch, CURLcode code)
{
	static const char *const safe[] = { "GET", "HEAD", "OPTIONS" };
	long n_connects = 1;

	/* A connection that was never made counts as none, too. */
	if (code == CURLE_OPERATION_TIMEDOUT || code == CURLE_COULDNT_CONNECT ||
	    code == CURLE_SSL_CONNECT_ERROR ||
	    code == CURLE_PEER_FAILED_VERIFICATION)
		return false;
	if (code == CURLE_OK || fetch->end != WIRE_EGRESS_OK ||
	    fetch->is_again || fetch->head_bytes > 0 || fetch->sent > 0)
		return false;
	curl_easy_getinfo(fetch->easy, CURLINFO_NUM_CONNECTS, &n_connects);
	if (n_connects > 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(safe); i++)
		if (strcmp(fetch->method, safe[i]) == 0)
			return true;
	return false;
}

/* Resolves the hop that was begun. True: it is under way. */
static bool
goes_on(struct fetch *fetch)
{
	hop_resolve(fetch);
	return fetch->end == WIRE_EGRESS_OK;
}

/* client.c: the transfer is over. */
void
fetch_done(struct fetch *fetch, CURLcode code)
{
	if (is_worth_again(fetch, code)) {
		fetch->is_again = true;
		fetch_easy_drop(fetch);
		if (goes_on(fetch))
			return;
	}
	/* A redirect whose body we did not want is no failure. */
	if (fetch->follows && fetch->end == WIRE_EGRESS_OK) {
		if (!redirect_follow(fetch) || !goes_on(fetch))
			fetch_end(fetch, fetch->end);
		return;
	}
	if (code != CURLE_OK)
		curl_blame(fetch, code);
	else if (!fetch->has_head) /* libcurl takes half a one for it */
		fetch_blame(fetch, WIRE_EGRESS_CUT,
		    "%.200s:%u closed within the head of its answer",
		    fetch->url.host.text, fetch->url.port);
	if (fetch->end == WIRE_EGRESS_OK)
		answer_finish(fetch);
	fetch_end(fetch, fetch->end);
}

/* While there is more to send, a caller that has no room waits for us, too. */
static bool
body_is_out(const struct fetch *fetch)
{
	return (fetch->flags & WIRE_FETCH_BODY) == 0 ||
	    (fetch->body_ended && evbuffer_get_length(fetch->body) == 0);
}

/* Who asks waits for the whole of it, and has others to ask. */
static bool
is_overdue(struct fetch *fetch)
{
	if (!fetch->is_ask || fetch_now_ms() - fetch->started_ms < ASK_MS)
		return false;
	fetch_blame(fetch, WIRE_EGRESS_TIMEOUT,
	    "%.200s:%u did not answer within %u seconds", fetch->url.host.text,
	    fetch->url.port, ASK_MS / 1000);
	return true;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval second = { 1, 0 };
	struct fetch *fetch = arg;
	struct timespec now;

	(void)fd;
	(void)what;
	if (fetch->end != WIRE_EGRESS_OK || is_overdue(fetch)) {
		fetch_end(fetch, fetch->end);
		return;
	}
	if (fetch->is_late)
		curl_go_on(fetch);
	tail_try(fetch);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	/* Who waits for the caller's room or body waits for the caller. */
	const bool is_patient = (fetch->flags & WIRE_FETCH_LONG) != 0 ||
	    (fetch->is_stopped && body_is_out(fetch)) ||
	    (fetch->is_send_stopped && !fetch->has_head);
	if (is_patient)
		fetch->moved_s = (uint64_t)now.tv_sec;
	if ((uint64_t)now.tv_sec - fetch->moved_s < SILENCE_S) {
		event_add(fetch->timer, &second);
		return;
	}
	fetch_blame(fetch, WIRE_EGRESS_TIMEOUT,
	    "%.200s:%u said nothing for %u seconds", fetch->url.host.text,
	    fetch->url.port, SILENCE_S);
	fetch_end(fetch, fetch->end);
}

/* ---- the beginning -------------------------------------------------------- */

bool
fetch_is_token(const char *text)
{
	static const char signs[] = "!#$%&'*+-.^_`|~";

	for (const char *at = text; *at != '\0'; at++)
		if (!((*at >= 'a' && *at <= 'z') ||
			(*at >= 'A' && *at <= 'Z') ||
			(*at >= '0' && *at <= '9') ||
			strchr(signs, *at) != NULL))
			return false;
	return *text != '\0';
}

static bool
is_value(const char *text)
{
	for (const char *at = text; *at != '\0'; at++)
		if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f)
			return false;
	return true;
}

/* What the caller may not say: it is ours, or of one hop. */
static const char *const ours[] = { "host", "content-length", "connection",
	"keep-alive", "proxy-connection", "proxy-authorization",
	"proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade",
	"expect", "http2-settings", "alt-used" };

/* NULL, or what is wrong with the request. */
static const char *
request_complaint(const struct fetch_request *request)
{
	if (!fetch_is_token(request->method) || strlen(request->method) > 15 ||
	    strcmp(request->method, "CONNECT") == 0 ||
	    strcmp(request->method, "TRACE") == 0 ||
	    strcmp(request->method, "TRACK") == 0)
		return "its method is none";
	for (const char *at = request->headers;
	     at < request->headers + request->headers_len;) {
		const char *value = at + strlen(at) + 1;
		if (!fetch_is_token(at) || !is_value(value))
			return "a header's name or value has bytes that no "
			       "header may have";
		at = value + strlen(value) + 1;
	}
	return NULL;
}

static bool
fetch_prepare(struct fetch *fetch, const struct fetch_request *request)
{
	const char *complaint = request_complaint(request);
	struct err err = { "" };

	fetch->headers = malloc(request->headers_len + 1);
	fetch->timer = evtimer_new(fetch->egress->base, on_timer, fetch);
	fetch->body = evbuffer_new();
	if ((request->flags & WIRE_FETCH_FOLLOW) != 0)
		fetch->kept = evbuffer_new();
	fetch->head = evbuffer_new();
	if (fetch->headers == NULL || fetch->timer == NULL ||
	    fetch->body == NULL || fetch->head == NULL) {
		fetch_blame(fetch, WIRE_EGRESS_INTERNAL, "out of memory");
		return false;
	}
	memcpy(fetch->headers, request->headers, request->headers_len);
	fetch->headers_len = request->headers_len;
	if (complaint != NULL)
		fetch_blame(fetch, WIRE_EGRESS_BAD, "%s", complaint);
	else if (addr_url_parse(request->url, strlen(request->url), &fetch->url,
		     &err) != 0)
		fetch_blame(fetch, WIRE_EGRESS_BAD, "the URL %s", err.text);
	if (fetch->end != WIRE_EGRESS_OK)
		return false;
	headers_strip(fetch, ours, ARRAY_LEN(ours));
	snprintf(fetch->method, sizeof(fetch->method), "%s", request->method);
	return true;
}

struct fetch *
fetch_start(struct egress *egress, const struct fetch_request *request,
    const struct fetch_ops *ops, void *arg)
{
	static const struct timeval second = { 1, 0 };
	struct fetch *fetch = calloc(1, sizeof(*fetch));
	if (fetch == NULL) {
		ops->over(arg, WIRE_EGRESS_INTERNAL, "out of memory");
		return NULL;
	}
	fetch->egress = egress;
	fetch->server = request->server;
	fetch->server->refs++;
	fetch->unit = request->unit;
	fetch->ops = ops;
	fetch->arg = arg;
	fetch->flags = request->flags;
	fetch->allowance = request->allowance;
	fetch->is_ask = request->is_ask;
	fetch->body_len = request->body_len;
	fetch->socket_fd = -1;
	fetch->event = egress_event(fetch->server, &fetch->unit);
	fetch->started_ms = fetch_now_ms();
	fetch_moved(fetch);
	if (fetch_prepare(fetch, request) && hop_begin(fetch)) {
		hop_resolve(fetch);
		if (fetch->end == WIRE_EGRESS_OK) {
			event_add(fetch->timer, &second);
			return fetch;
		}
	}
	fetch_end(fetch, fetch->end);
	return NULL;
}
