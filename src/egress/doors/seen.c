/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connections whose requests are seen: each becomes a fetch of its own, so it
 * meets rules, budgets and secrets like a cell's. What the program's HTTP and
 * the origin's would read differently never gets further than this.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "egress/doors/connect.h"
#include "egress/doors/doors.h"
#include "http/guard.h"

#define ARRIVAL_MS 30000
#define IDLE_MS 60000
#define LINGER_MS 5000
#define HEADERS_MAX 256u

/* A request under way: from its head to the end of its fetch, or until the
 * program leaves. */
struct exchange {
	struct http_request *request;
	struct fetch *fetch; /* NULL: not yet */
	size_t room; /* for the request's body */
	bool has_body;
	bool has_head; /* the answer has begun */
};

static const struct {
	unsigned status;
	const char *reason;
} reasons[] = {
	{ 400, "Bad Request" },
	{ 403, "Forbidden" },
	{ 421, "Misdirected Request" },
	{ 429, "Too Many Requests" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 504, "Gateway Timeout" },
};

unsigned
seen_status(enum wire_egress_end end)
{
	static const unsigned statuses[WIRE_EGRESS_N_ENDS] = {
		[WIRE_EGRESS_BAD] = 400,
		[WIRE_EGRESS_NO_RULE] = 403,
		[WIRE_EGRESS_ADDRESS] = 403,
		[WIRE_EGRESS_SECRET] = 403,
		[WIRE_EGRESS_MISMATCH] = 421,
		[WIRE_EGRESS_BUDGET] = 429,
		[WIRE_EGRESS_INTERNAL] = 500,
		[WIRE_EGRESS_TIMEOUT] = 504,
	};

	return statuses[end] == 0 ? 502 : statuses[end];
}

const char *
seen_reason(unsigned status)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Error";
}

/* ---- answers of our own --------------------------------------------------- */

static void
sentence_reply(struct http_request *request, unsigned status, const char *text)
{
	static const struct http_header headers[] = {
		{ "Content-Type", "text/plain; charset=utf-8" },
		{ "Cache-Control", "no-store" },
	};
	char *body;

	const int len = asprintf(&body, "cordon: %s\n", text);
	if (len < 0)
		http_reply_static(request, status, headers, 2, "cordon\n");
	else
		http_reply(request, status, headers, 2, body, (size_t)len);
}

/* A request that no fetch is made of. */
static void
request_refuse(struct http_request *request, const struct addr_url *url,
    unsigned status, enum wire_egress_end end, const char *text)
{
	struct guest *guest = http_request_visitor(request);
	struct wire_egress_event event = guest_event(guest);

	guest->is_told = true;
	event.end = end;
	event.refused = true;
	event.status = status;
	event.bytes_in = event.bytes_out = 0;
	snprintf(event.method, sizeof(event.method), "%s",
	    http_request_method(request));
	if (url != NULL) {
		memcpy(event.host, url->host.text, sizeof(event.host));
		event.port = url->port;
		snprintf(event.path, sizeof(event.path), "%.*s",
		    (int)url->path_len, url->target);
	}
	snprintf(event.text, sizeof(event.text), "%s", text);
	events_tell(guest->box->egress->events, &event);
	sentence_reply(request, status, text);
}

/* ---- what the fetch says -------------------------------------------------- */

static void
exchange_free(struct exchange *exchange)
{
	http_request_note_set(exchange->request, NULL);
	http_request_owner_set(exchange->request, NULL);
	free(exchange);
}

static bool
length_read(const char *text, uint64_t *length)
{
	if (text[0] == '\0' || strlen(text) > 18 ||
	    text[strspn(text, "0123456789")] != '\0')
		return false;
	*length = strtoull(text, NULL, 10);
	return true;
}

static void
on_head(void *arg, unsigned status, const char *url, const char *headers,
    size_t len)
{
	struct exchange *exchange = arg;
	struct http_header list[HEADERS_MAX];
	size_t n = 0;
	uint64_t length = 0;
	bool has_length = false;

	(void)url;
	for (const char *at = headers; at < headers + len;) {
		const char *value = at + strlen(at) + 1;
		if (strcasecmp(at, "content-length") == 0)
			has_length = length_read(value, &length);
		else if (n < HEADERS_MAX && http_header_name_is_safe(at) &&
		    http_header_value_is_safe(value))
			list[n++] = (struct http_header){ at, value };
		at = value + strlen(value) + 1;
	}
	exchange->has_head = true;
	if (has_length)
		http_stream_begin_sized(
		    exchange->request, status, list, n, length);
	else
		http_stream_begin(exchange->request, status, list, n);
}

static bool
on_data(void *arg, const uint8_t *bytes, size_t len)
{
	struct exchange *exchange = arg;

	return !http_stream_write(exchange->request, bytes, len);
}

static void
on_want(void *arg, size_t len)
{
	struct exchange *exchange = arg;

	exchange->room += len;
	http_request_body_resume(exchange->request);
}

static void
on_over(void *arg, enum wire_egress_end end, const char *text)
{
	struct exchange *exchange = arg;
	struct http_request *request = exchange->request;
	const bool has_head = exchange->has_head;

	exchange_free(exchange);
	if (!has_head)
		sentence_reply(request,
		    seen_status(
			end == WIRE_EGRESS_OK ? WIRE_EGRESS_PROTOCOL : end),
		    text);
	else if (end == WIRE_EGRESS_OK)
		http_stream_end(request);
	else
		http_stream_cut(request);
	http_request_body_resume(request);
}

static const struct fetch_ops fetch_ops = {
	.head = on_head, .data = on_data, .want = on_want, .over = on_over
};

/* ---- what the program asks for -------------------------------------------- */

struct headers {
	const char *connection; /* names of more that go no further */
	char *bytes; /* "name\0value\0…" */
	size_t len;
	bool is_full;
};

/* Whether `list` ("a, b") has the name. */
static bool
list_has(const char *list, const char *name)
{
	const size_t len = strlen(name);

	while (list != NULL && *list != '\0') {
		list += strspn(list, ", \t");
		const size_t n = strcspn(list, ", \t");
		if (n == len && strncasecmp(list, name, n) == 0)
			return true;
		list += n;
	}
	return false;
}

static void
header_take(void *arg, const char *name, const char *value)
{
	static const char hop[] =
	    "connection, keep-alive, proxy-connection, proxy-authorization, "
	    "proxy-authenticate, te, trailer, transfer-encoding, upgrade, "
	    "http2-settings, host, content-length, expect";
	struct headers *headers = arg;
	const size_t name_size = strlen(name) + 1,
		     value_size = strlen(value) + 1;

	if (list_has(hop, name) || list_has(headers->connection, name))
		return;
	if (headers->len + name_size + value_size > WIRE_FETCH_HEAD_MAX) {
		headers->is_full = true;
		return;
	}
	memcpy(headers->bytes + headers->len, name, name_size);
	headers->len += name_size;
	memcpy(headers->bytes + headers->len, value, value_size);
	headers->len += value_size;
}

/* The URL that is meant, which the target, the Host and the connection must
 * agree about. 0, or the status of a refusal and why. */
static int
url_read(struct http_request *request, const struct guest *guest,
    struct addr_url *url, struct err *why)
{
	const char *target = http_request_target(request);
	char text[ADDR_URL_MAX];
	const bool is_v6 = strchr(guest->host.text, ':') != NULL;

	if (guest->is_proxy && strncasecmp(target, "https://", 8) == 0)
		return err_set(why, 400,
		    "the proxy fetches http URLs; for https, use CONNECT");
	if (guest->is_proxy && strncasecmp(target, "http://", 7) != 0)
		return err_set(why, 400,
		    "this is a proxy: it takes CONNECT, and requests for "
		    "http:// URLs");
	if (!guest->is_proxy && target[0] != '/')
		return err_set(why, 400, "the request's target must be a path");
	const int len = guest->is_proxy
	    ? snprintf(text, sizeof(text), "%s", target)
	    : snprintf(text, sizeof(text), "%s://%s%s%s:%u%s",
		  addr_scheme_name((enum addr_scheme)guest->scheme),
		  is_v6 ? "[" : "", guest->host.text, is_v6 ? "]" : "",
		  guest->port, target);
	struct err fault = { "" };
	if ((size_t)len >= sizeof(text) ||
	    addr_url_parse(text, (size_t)len, url, &fault) != 0)
		return err_set(why, 400, "the request's URL %s",
		    fault.text[0] == '\0' ? "is too long" : fault.text);
	return 0;
}

static int
host_check(
    struct http_request *request, const struct addr_url *url, struct err *why)
{
	const char *raw_host = http_request_header(request, "Host");
	struct addr_host_name host;
	uint16_t port;

	if (raw_host == NULL)
		return err_set(why, 400, "the request has no Host");
	if (connect_authority_read(raw_host, strlen(raw_host),
		addr_scheme_port(url->scheme), &host, &port, NULL) == 0 &&
	    strcmp(host.text, url->host.text) == 0 && port == url->port)
		return 0;
	return err_set(why, 421,
	    "the request's Host is \"%.200s\", but this is a connection to "
	    "%.250s:%u",
	    raw_host, url->host.text, url->port);
}

static int
kind_check(struct http_request *request, struct err *why)
{
	const char *upgrade = http_request_header(request, "Upgrade");
	const char *method = http_request_method(request);

	if (list_has(upgrade, "websocket"))
		return err_set(why, 501,
		    "WebSockets do not pass where requests are seen: a rule "
		    "for the host without path, methods and secret passes "
		    "TLS as it is (wss)");
	if (strcmp(method, "CONNECT") == 0 || strcmp(method, "TRACE") == 0)
		return err_set(
		    why, 501, "the method %s is not spoken here", method);
	return 0;
}

static enum wire_egress_end
end_of(int status)
{
	return status == 421 ? WIRE_EGRESS_MISMATCH : WIRE_EGRESS_BAD;
}

/* False: it has been answered. */
static bool
request_check(struct http_request *request, struct addr_url *url)
{
	const struct guest *guest = http_request_visitor(request);
	struct err why = { "" };
	const int bad_url = url_read(request, guest, url, &why);
	int status = bad_url;

	if (status == 0)
		status = host_check(request, url, &why);
	if (status == 0)
		status = kind_check(request, &why);
	if (status == 0)
		return true;
	request_refuse(request, bad_url == 0 ? url : NULL, (unsigned)status,
	    end_of(status), why.text);
	return false;
}

static void
exchange_begin(struct http_request *request, const struct addr_url *url,
    struct server *server, const struct headers *headers)
{
	struct guest *guest = http_request_visitor(request);
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	if (exchange == NULL) {
		request_refuse(
		    request, url, 500, WIRE_EGRESS_INTERNAL, "out of memory");
		return;
	}
	const uint64_t body_len = http_request_body_len(request);
	*exchange = (struct exchange){ .request = request,
		.room = WIRE_FETCH_WINDOW,
		.has_body = body_len != 0 };
	http_request_owner_set(request, exchange);
	http_request_note_set(request, exchange);
	if (exchange->has_body)
		http_request_body_stream(request);
	const struct fetch_request asked = { .server = server,
		.unit = guest->box->unit,
		.method = http_request_method(request),
		.url = url->text,
		.headers = headers->bytes,
		.headers_len = headers->len,
		.flags = exchange->has_body ? WIRE_FETCH_BODY : 0,
		.body_len = body_len };
	guest->is_told = true;
	struct fetch *fetch =
	    fetch_start(guest->box->egress, &asked, &fetch_ops, exchange);
	if (fetch != NULL)
		exchange->fetch = fetch;
}

static void
on_request_head(void *arg, struct http_request *request)
{
	struct box *box = arg;
	struct addr_url url;
	char bytes[WIRE_FETCH_HEAD_MAX];
	struct headers headers = { .connection = http_request_header(
				       request, "Connection"),
		.bytes = bytes };

	if (!request_check(request, &url))
		return;
	http_request_headers_each(request, header_take, &headers);
	struct server *server =
	    server_hold(box->egress->servers, box->deployment);
	if (server == NULL)
		request_refuse(request, &url, 403, WIRE_EGRESS_NO_RULE,
		    "this server may reach nothing: it was taken away, or not "
		    "approved");
	else if (headers.is_full)
		request_refuse(request, &url, 400, WIRE_EGRESS_BAD,
		    "the request's headers are longer than 64 KiB");
	else
		exchange_begin(request, &url, server, &headers);
	server_release(server);
}

static size_t
on_request_body(
    void *owner, struct http_request *request, const uint8_t *bytes, size_t len)
{
	struct exchange *exchange = owner;
	const size_t n = len < exchange->room ? len : exchange->room;

	(void)request;
	exchange->room -= n;
	if (n > 0 && !fetch_write(exchange->fetch, bytes, n)) {
		fetch_cancel(exchange->fetch);
		on_over(exchange, WIRE_EGRESS_INTERNAL,
		    "the request's body could not be taken");
	}
	return n;
}

static void
on_request(void *arg, struct http_request *request)
{
	const struct exchange *exchange = http_request_note(request);

	(void)arg;
	if (exchange != NULL && exchange->has_body)
		fetch_write_end(exchange->fetch);
}

static void
on_gone(void *owner, struct http_request *request)
{
	struct exchange *exchange = owner;
	struct fetch *fetch = exchange->fetch;

	(void)request;
	exchange_free(exchange);
	if (fetch != NULL)
		fetch_cancel(fetch);
}

static void
on_drained(void *owner, struct http_request *request)
{
	const struct exchange *exchange = owner;

	(void)request;
	fetch_resume(exchange->fetch);
}

static void
on_silent(void *owner, struct http_request *request)
{
	(void)owner;
	(void)request;
}

/* ---- connections ---------------------------------------------------------- */

static void
left_tell(struct guest *guest)
{
	guest_end(guest, guest->broke_tls ? WIRE_EGRESS_TLS : WIRE_EGRESS_CUT,
	    guest->broke_tls
		? "the program broke the TLS handshake off: does it trust "
		  "this host's authority (SSL_CERT_FILE)?"
		: "the program closed the connection without a request");
}

static void
on_left(void *arg, void *visitor)
{
	struct guest *guest = visitor;

	(void)arg;
	guest->is_adopted = false;
	if (guest->relay == NULL)
		left_tell(guest);
	else
		guest->deadline = doors_now_ms() + LINGER_MS;
}

static const struct http_ops http_ops = { .head = on_request_head,
	.request = on_request,
	.body = on_request_body,
	.gone = on_gone,
	.drained = on_drained,
	.silent = on_silent,
	.left = on_left };

/* Takes the descriptor; negative errno. */
static int
adopt(struct guest *guest, int fd)
{
	struct box *box = guest->box;
	const struct http_options options = { .ops = &http_ops,
		.arg = box,
		.body_max = 0,
		.connections_max = BOX_GUESTS_MAX,
		.arrival_ms = ARRIVAL_MS,
		.idle_ms = IDLE_MS,
		.silence_ms = UINT_MAX,
		.any_target = true };
	int r = 0;

	if (box->http == NULL)
		r = http_server_new(&box->http, box->egress->base, &options);
	if (r != 0) {
		close(fd);
		return r;
	}
	guest->deadline = 0;
	r = http_server_adopt(box->http, fd, guest);
	guest->is_adopted = r == 0;
	return r;
}

int
seen_inner(struct guest *guest)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		pair) != 0)
		return -errno;
	const int r = adopt(guest, pair[1]);
	if (r == 0)
		return pair[0];
	close(pair[0]);
	return r;
}

struct http_server *
seen_free(struct http_server *http)
{
	return http_server_free(http);
}

bool
seen_moved(void *arg, unsigned end, size_t len)
{
	(void)arg;
	(void)end;
	(void)len;
	return true; /* each request counts its own */
}

void
seen_relay_over(void *arg, enum relay_over how)
{
	struct guest *guest = arg;

	guest->relay = relay_free(guest->relay);
	guest->broke_tls = guest->broke_tls || how == RELAY_TLS;
	if (!guest->is_adopted)
		left_tell(guest);
	/* Its inner end is closed: on_left() comes. */
}

void
seen_take(struct guest *guest)
{
	guest_hear_stop(guest);
	if (guest->head_len == 0) {
		const int r = adopt(guest, fd_steal(&guest->fd));
		if (r != 0)
			guest_end(guest, WIRE_EGRESS_INTERNAL,
			    "the connection could not be served");
		return;
	}
	const int inner_fd = seen_inner(guest);
	if (inner_fd < 0) {
		guest_end(guest, WIRE_EGRESS_INTERNAL,
		    "the connection could not be served");
		return;
	}
	const struct relay_setup setup = { .base = guest->box->egress->base,
		.fds = { fd_steal(&guest->fd), inner_fd },
		.head = guest->head,
		.head_len = guest->head_len,
		.moved = seen_moved,
		.over = seen_relay_over,
		.arg = guest };
	/* Without it, the inner end is closed, and on_left() comes. */
	relay_new(&guest->relay, &setup);
}
