/* SPDX-License-Identifier: Apache-2.0 */

/* Answers: whole ones, and streams through a bounded buffer. */

#include <string.h>

#include "base/auto.h"
#include "http/inner.h"

/* MHD's own buffer of a streamed answer without chunks (HTTP/1.0). */
#define STREAM_BLOCK 1024
#define SIZED_BLOCK (64u << 10)

/* A response that is to be queued when MHD next asks; NULL has become "cut the
 * connection". */
static void
response_set(struct http_request *request, struct MHD_Response *response,
    unsigned status, const struct http_header *headers, size_t n_headers)
{
	if (request->server->options.ops->answered != NULL)
		request->server->options.ops->answered(
		    request->server->options.arg, request,
		    response == NULL ? 0 : status);
	if (response == NULL) {
		request->dead = true;
		http_request_resume(request);
		return;
	}
	for (size_t i = 0; i < n_headers; i++)
		MHD_add_response_header(
		    response, headers[i].name, headers[i].value);
	for (unsigned i = 0; i < request->n_extras; i++)
		if (MHD_get_response_header(
			response, request->extras[i].name) == NULL)
			MHD_add_response_header(response,
			    request->extras[i].name, request->extras[i].value);
	if (request->server->draining)
		MHD_add_response_header(response, "Connection", "close");
	request->status = status;
	request->response = response;
	http_request_resume(request);
}

void
http_request_answer_with(
    struct http_request *request, const char *name, const char *value)
{
	if (request->n_extras == HTTP_EXTRAS_MAX)
		return;
	char *copy = strdup(value);
	if (copy != NULL)
		request->extras[request->n_extras++] =
		    (struct http_extra){ name, copy };
}

static void
reply(struct http_request *request, unsigned status,
    const struct http_header *headers, size_t n_headers, char *body, size_t len,
    enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(len, body, mode);

	if (response == NULL && mode == MHD_RESPMEM_MUST_FREE)
		free(body);
	request->owner = NULL;
	http_request_body_drop(request);
	response_set(request, response, status, headers, n_headers);
}

void
http_reply(struct http_request *request, unsigned status,
    const struct http_header *headers, size_t n_headers, char *body, size_t len)
{
	reply(request, status, headers, n_headers, body, len,
	    body == NULL ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
}

void
http_reply_static(struct http_request *request, unsigned status,
    const struct http_header *headers, size_t n_headers, const char *body)
{
	union {
		const char *constant;
		char *plain;
	} text = { .constant = body };

	reply(request, status, headers, n_headers, text.plain, strlen(body),
	    MHD_RESPMEM_PERSISTENT);
}

static size_t
stream_take(struct http_stream *stream, char *buffer, size_t max)
{
	const size_t n = stream->len < max ? stream->len : max;

	memcpy(buffer, stream->bytes + stream->start, n);
	stream->start += n;
	stream->len -= n;
	if (stream->len == 0) {
		/* Most streams are silent most of the time. */
		free(stream->bytes);
		stream->bytes = NULL;
		stream->start = stream->capacity = 0;
	}
	return n;
}

/* MHD asks for the next piece. */
static ssize_t
stream_read(void *cls, uint64_t position, char *buffer, size_t max)
{
	struct http_request *request = cls;
	struct http_stream *stream = &request->stream;

	(void)position;
	if (request->dead || request->server->ending ||
	    (stream->len == 0 && stream->cut))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (stream->len == 0 && !stream->open)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (stream->len == 0) {
		http_request_suspend(request);
		return 0;
	}

	const size_t n = stream_take(stream, buffer, max);
	if (stream->full && stream->len < STREAM_LOW) {
		stream->full = false;
		if (request->owner != NULL)
			request->server->options.ops->drained(
			    request->owner, request);
	}
	return (ssize_t)n;
}

static void
stream_begin(struct http_request *request, unsigned status,
    const struct http_header *headers, size_t n_headers, uint64_t len,
    size_t block)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
	    len, block, stream_read, request, NULL);

	http_request_body_drop(request);
	request->stream.open = response != NULL;
	request->stream.written_at = http_now_ms();
	response_set(request, response, status, headers, n_headers);
}

void
http_stream_begin(struct http_request *request, unsigned status,
    const struct http_header *headers, size_t n_headers)
{
	stream_begin(request, status, headers, n_headers, MHD_SIZE_UNKNOWN,
	    STREAM_BLOCK);
}

void
http_stream_begin_sized(struct http_request *request, unsigned status,
    const struct http_header *headers, size_t n_headers, uint64_t len)
{
	const size_t block = len < SIZED_BLOCK ? (size_t)len : SIZED_BLOCK;

	stream_begin(request, status, headers, n_headers, len,
	    block < STREAM_BLOCK ? STREAM_BLOCK : block);
}

static bool
stream_make_room(struct http_stream *stream, size_t len)
{
	if (stream->start > 0) {
		memmove(
		    stream->bytes, stream->bytes + stream->start, stream->len);
		stream->start = 0;
	}
	if (stream->capacity - stream->len >= len)
		return true;

	size_t capacity = stream->capacity == 0 ? 512 : stream->capacity;
	while (capacity < stream->len + len)
		capacity *= 2;
	char *bytes = realloc(stream->bytes, capacity);
	if (bytes == NULL)
		return false;
	stream->bytes = bytes;
	stream->capacity = capacity;
	return true;
}

bool
http_stream_write(struct http_request *request, const void *bytes, size_t len)
{
	struct http_stream *stream = &request->stream;

	if (len == 0 || !stream->open || request->dead)
		return false;
	if (stream->capacity - stream->start - stream->len < len &&
	    !stream_make_room(stream, len)) {
		request->dead = true;
		http_request_resume(request);
		return false;
	}
	memcpy(stream->bytes + stream->start + stream->len, bytes, len);
	stream->len += len;
	stream->written_at = http_now_ms();
	stream->full = stream->full || stream->len > STREAM_HIGH;
	http_request_resume(request);
	return stream->full;
}

void
http_stream_end(struct http_request *request)
{
	request->owner = NULL;
	request->stream.open = false;
	http_request_resume(request);
}

void
http_stream_cut(struct http_request *request)
{
	request->stream.cut = true;
	http_stream_end(request);
}
