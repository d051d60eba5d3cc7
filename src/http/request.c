/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One request, from its first line to libmicrohttpd's word that it is over.
 * MHD calls http_request_handle() once with the head, once a piece of body,
 * once at the end, and again whenever a suspended connection is resumed.
 */

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "http/guard.h"
#include "http/inner.h"

#define SHORT_BODY 65536u /* read, though its request is refused already */

/* Headers that must not come twice: two readers could choose differently. */
#define HEADER(name)                                                           \
	{                                                                      \
		name, sizeof(name) - 1                                         \
	}
static const struct {
	const char *name;
	size_t len;
} single_headers[] = { HEADER("Host"), HEADER("Content-Length"),
	HEADER("Transfer-Encoding"), HEADER("Content-Type"),
	HEADER("Authorization"), HEADER("Origin"),
	HEADER("MCP-Protocol-Version"), HEADER("Mcp-Method"),
	HEADER("Mcp-Name"), HEADER("Mcp-Session-Id") };

static const struct http_header json_type[] = {
	{ "Content-Type", "application/json" },
};

void *
http_request_start(
    void *cls, const char *target, struct MHD_Connection *connection)
{
	struct http_server *server = cls;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_peer *peer = info->socket_context;
	struct http_request *request = calloc(1, sizeof(*request));

	if (request == NULL || peer == NULL ||
	    (request->target = strdup(target)) == NULL) {
		free(request);
		return NULL;
	}
	request->server = server;
	request->connection = connection;
	request->peer = peer;
	request->body_max = server->options.body_max;
	peer->request = request;
	peer->deadline = http_now_ms() + server->options.arrival_ms;
	return request;
}

void
http_request_finish(void *cls, struct MHD_Connection *connection,
    void **requestp, enum MHD_RequestTerminationCode why)
{
	struct http_server *server = cls;
	struct http_request *request = *requestp;

	(void)connection;
	(void)why;
	if (request == NULL)
		return;
	*requestp = NULL;
	if (request->owner != NULL)
		server->options.ops->gone(request->owner, request);
	if (request->suspended) {
		TAILQ_REMOVE(&server->waiting, request, link);
		server->n_waiting--;
	}
	if (request->head_done)
		server->n_pending--;
	if (request->note != NULL && server->options.ops->over != NULL)
		server->options.ops->over(server->options.arg, request);
	http_peer_busy(request->peer, false);
	request->peer->request = NULL;
	request->peer->deadline = http_now_ms() + server->options.idle_ms;
	if (server->draining)
		request->peer->deadline = 1;
	if (request->response != NULL)
		MHD_destroy_response(request->response);
	for (unsigned i = 0; i < request->n_extras; i++)
		free(request->extras[i].value);
	free(request->stream.bytes);
	free(request->target);
	free(request->body);
	free(request);
}

void
http_request_suspend(struct http_request *request)
{
	request->suspended = true;
	TAILQ_INSERT_TAIL(&request->server->waiting, request, link);
	request->server->n_waiting++;
	MHD_suspend_connection(request->connection);
}

void
http_request_resume(struct http_request *request)
{
	if (!request->suspended)
		return;
	request->suspended = false;
	TAILQ_REMOVE(&request->server->waiting, request, link);
	request->server->n_waiting--;
	MHD_resume_connection(request->connection);
	event_active(request->peer->door->run_event, EV_READ, 0);
}

void
http_request_lose(struct http_request *request)
{
	void *owner = request->owner;

	request->owner = NULL;
	request->dead = true;
	if (owner != NULL)
		request->server->options.ops->gone(owner, request);
	http_request_resume(request);
}

static void
refuse(struct http_request *request, unsigned status, const char *body)
{
	http_reply_static(
	    request, status, json_type, ARRAY_LEN(json_type), body);
}

/* What one walk over the headers finds. */
struct head_facts {
	unsigned seen[ARRAY_LEN(single_headers)];
	const char *values[ARRAY_LEN(single_headers)];
	bool unsafe;
};

enum { HOST, CONTENT_LENGTH, TRANSFER_ENCODING }; /* in single_headers */

static enum MHD_Result
head_note(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	struct head_facts *facts = cls;

	(void)kind;
	if (value == NULL)
		value = "";
	if (strlen(name) != name_len || strlen(value) != value_len ||
	    !http_header_name_is_safe(name) ||
	    !http_header_value_is_safe(value))
		facts->unsafe = true;
	for (size_t i = 0; i < ARRAY_LEN(single_headers); i++) {
		if (name_len != single_headers[i].len ||
		    strcasecmp(name, single_headers[i].name) != 0)
			continue;
		facts->seen[i]++;
		facts->values[i] = value;
	}
	return MHD_YES;
}

static bool
is_doubled(const struct head_facts *facts)
{
	for (size_t i = 0; i < ARRAY_LEN(single_headers); i++)
		if (facts->seen[i] > 1)
			return true;
	return false;
}

static const char *
framing_fault(const struct head_facts *facts, const char *version)
{
	const char *length = facts->values[CONTENT_LENGTH];
	const char *encoding = facts->values[TRANSFER_ENCODING];

	if (length != NULL && encoding != NULL)
		return "{\"error\":\"Content-Length and Transfer-Encoding "
		       "exclude each other: send one of them\"}";
	if (encoding != NULL &&
	    (strcasecmp(encoding, "chunked") != 0 ||
		strcmp(version, "HTTP/1.1") != 0))
		return "{\"error\":\"the only Transfer-Encoding taken is "
		       "chunked, in HTTP/1.1\"}";
	if (length != NULL &&
	    (strlen(length) > 18 || length[0] == '\0' ||
		length[strspn(length, "0123456789")] != '\0'))
		return "{\"error\":\"Content-Length is no number\"}";
	return NULL;
}

static const char *
head_fault(const struct http_request *request, const struct head_facts *facts,
    const char *version)
{
	if (facts->unsafe)
		return "{\"error\":\"a header holds characters that none "
		       "may\"}";
	if (is_doubled(facts))
		return "{\"error\":\"a header that must be single came "
		       "twice\"}";
	if ((request->target[0] != '/' &&
		!request->server->options.any_target) ||
	    !http_header_value_is_safe(request->target))
		return "{\"error\":\"the request target must be a path\"}";
	return framing_fault(facts, version);
}

/* Refuses what no owner should see. */
static void
head_check(struct http_request *request, const char *version)
{
	struct head_facts facts = { 0 };

	MHD_get_connection_values_n(
	    request->connection, MHD_HEADER_KIND, head_note, &facts);
	const char *length = facts.values[CONTENT_LENGTH];
	request->has_body = facts.values[TRANSFER_ENCODING] != NULL ||
	    (length != NULL && strcmp(length, "0") != 0);

	const char *fault = head_fault(request, &facts, version);
	if (fault != NULL)
		refuse(request, 400, fault);
	else if (length != NULL)
		request->claimed_len = strtoull(length, NULL, 10);
}

/* The owner has seen the head, and has said how long a body may be. */
static void
length_check(struct http_request *request)
{
	if (request->response == NULL && !request->is_streamed &&
	    request->claimed_len > request->body_max)
		refuse(request, 413,
		    "{\"error\":\"the request body is larger than this "
		    "server takes\"}");
}

static enum MHD_Result
response_queue(struct http_request *request)
{
	struct MHD_Response *response = steal_ptr(&request->response);
	const enum MHD_Result result =
	    MHD_queue_response(request->connection, request->status, response);

	MHD_destroy_response(response);
	return result;
}

/*
 * An answer before the body: MHD then closes instead of reading it, but for
 * these methods only. A client that is still sending is told so by a reset,
 * which can overtake the answer: so a body that is short is read and thrown
 * away first, as that of other methods is. A request without a body is over at
 * once anyway, and its connection stays.
 */
static bool
may_answer_early(const struct http_request *request)
{
	const bool is_short = request->claimed_len > 0 &&
	    request->claimed_len <= SHORT_BODY &&
	    request->claimed_len <= request->body_max;

	return request->has_body && !is_short &&
	    (strcmp(request->method, "POST") == 0 ||
		strcmp(request->method, "PUT") == 0);
}

/* Where MHD takes no answer, because a body is to come: sent past it. Under
 * TLS the connection just ends. */
static enum MHD_Result
body_overflow(struct http_request *request)
{
	static const char answer[] =
	    "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
	    "Content-Type: application/json\r\nContent-Length: 61\r\n\r\n"
	    "{\"error\":\"the request body is larger than this server "
	    "takes\"}";

	if (!request->peer->door->tls)
		(void)!send(request->peer->fd, answer, sizeof(answer) - 1,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	return MHD_NO;
}

static enum MHD_Result
take_head(struct http_request *request, const char *method, const char *version)
{
	struct http_server *server = request->server;

	request->head_done = true;
	request->method = method;
	server->n_pending++;
	http_peer_busy(request->peer, true);
	head_check(request, version);
	if (request->response == NULL)
		server->options.ops->head(server->options.arg, request);
	length_check(request);
	if (request->response == NULL)
		return MHD_YES;
	if (!may_answer_early(request))
		return request->status == 413 ? body_overflow(request)
					      : MHD_YES;
	request->peer->deadline = 0;
	return response_queue(request);
}

static bool
body_grow(struct http_request *request, size_t need)
{
	const size_t max = request->body_max;
	size_t capacity =
	    request->body_capacity == 0 ? 4096 : request->body_capacity;

	while (capacity < need)
		capacity *= 2;
	if (capacity > max)
		capacity = max;
	uint8_t *body = realloc(request->body, capacity);
	if (body == NULL)
		return false;
	request->body = body;
	request->body_capacity = capacity;
	return true;
}

/* What is not taken comes again, once it is resumed. Without an owner nobody
 * wants the rest: an answer waits for its end. */
static enum MHD_Result
pass_body(struct http_request *request, const char *data, size_t *data_len)
{
	const struct http_ops *ops = request->server->options.ops;
	const size_t len = *data_len;

	if (request->dead)
		return MHD_NO;
	request->peer->deadline =
	    http_now_ms() + request->server->options.arrival_ms;
	size_t taken = len;
	if (request->owner != NULL)
		taken = ops->body(
		    request->owner, request, (const uint8_t *)data, len);
	if (request->owner == NULL)
		taken = len;
	*data_len = len - taken;
	if (request->dead)
		return MHD_NO;
	if (taken == len)
		return MHD_YES;
	request->peer->deadline = 0;
	request->body_waits = true;
	http_request_suspend(request);
	return MHD_YES;
}

static enum MHD_Result
take_body(struct http_request *request, const char *data, size_t *data_len)
{
	const size_t len = *data_len;

	if (request->is_streamed)
		return pass_body(request, data, data_len);
	*data_len = 0;
	if (len > request->body_max - request->body_len)
		return body_overflow(request);
	const size_t need = request->body_len + len;
	if (request->response != NULL) {
		request->body_len = need; /* answered: only count */
		return MHD_YES;
	}
	if (need > request->body_capacity && !body_grow(request, need))
		return MHD_NO;
	memcpy(request->body + request->body_len, data, len);
	request->body_len = need;
	return MHD_YES;
}

enum MHD_Result
http_request_handle(void *cls, struct MHD_Connection *connection,
    const char *url, const char *method, const char *version, const char *data,
    size_t *data_len, void **requestp)
{
	struct http_server *server = cls;
	struct http_request *request = *requestp;

	(void)connection;
	(void)url;
	if (request == NULL || server->ending)
		return MHD_NO;
	if (!request->head_done)
		return take_head(request, method, version);
	if (*data_len > 0)
		return take_body(request, data, data_len);
	if (!request->complete) {
		request->complete = true;
		request->peer->deadline = 0;
		if (request->response == NULL ||
		    (request->is_streamed && request->owner != NULL))
			server->options.ops->request(
			    server->options.arg, request);
	}
	if (request->dead)
		return MHD_NO;
	if (request->response != NULL)
		return response_queue(request);
	http_request_suspend(request);
	return MHD_YES;
}

unsigned
http_request_listener(const struct http_request *request)
{
	return request->peer->door->tag;
}

bool
http_request_is_tls(const struct http_request *request)
{
	return request->peer->door->tls;
}

void
http_request_body_allow(struct http_request *request, size_t max)
{
	request->body_max = max;
}

void
http_request_body_stream(struct http_request *request)
{
	request->is_streamed = true;
}

void
http_request_body_resume(struct http_request *request)
{
	if (!request->body_waits)
		return;
	request->body_waits = false;
	http_request_resume(request);
}

uint64_t
http_request_body_len(const struct http_request *request)
{
	if (!request->has_body)
		return 0;
	return request->claimed_len > 0 ? request->claimed_len : UINT64_MAX;
}

void *
http_request_visitor(const struct http_request *request)
{
	return request->peer->visitor;
}

void
http_request_note_set(struct http_request *request, void *note)
{
	request->note = note;
}

void *
http_request_note(const struct http_request *request)
{
	return request->note;
}

const char *
http_request_method(const struct http_request *request)
{
	return request->method;
}

const char *
http_request_target(const struct http_request *request)
{
	return request->target;
}

const char *
http_request_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(
	    request->connection, MHD_HEADER_KIND, name);
}

struct each {
	http_header_fn *fn;
	void *arg;
};

static enum MHD_Result
each_header(
    void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	const struct each *each = cls;

	(void)kind;
	each->fn(each->arg, name, value == NULL ? "" : value);
	return MHD_YES;
}

void
http_request_headers_each(
    const struct http_request *request, http_header_fn *fn, void *arg)
{
	struct each each = { fn, arg };

	MHD_get_connection_values(
	    request->connection, MHD_HEADER_KIND, each_header, &each);
}

const uint8_t *
http_request_body(const struct http_request *request, size_t *len)
{
	*len = request->body_len;
	return request->body;
}

void
http_request_body_drop(struct http_request *request)
{
	free(request->body);
	request->body = NULL;
	request->body_len = request->body_capacity = 0;
}

void
http_request_owner_set(struct http_request *request, void *owner)
{
	request->owner = owner;
}
