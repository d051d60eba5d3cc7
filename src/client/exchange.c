/* SPDX-License-Identifier: Apache-2.0 */
#include "client/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"

#define HEADER_MAX (HEAD_NAME_MAX * 2 + 64)
/* A host that is gone is waited for: a restart is no reason to fail. */
#define WAIT_MS 30000u
#define AGAIN_FIRST_MS 100u
#define AGAIN_MOST_MS 3000u

struct exchange *
exchange_new(
    struct bridge *bridge, enum exchange_kind kind, char *body, size_t len)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	if (exchange == NULL) {
		free(body);
		return NULL;
	}
	exchange->bridge = bridge;
	exchange->kind = kind;
	exchange->body = body;
	exchange->body_len = len;
	exchange->began_ms = bridge_now_ms();
	return exchange;
}

void
exchange_stop(struct exchange *exchange)
{
	if (exchange->handle == NULL)
		return;
	curl_multi_remove_handle(exchange->bridge->multi, exchange->handle);
	curl_easy_cleanup(exchange->handle);
	curl_slist_free_all(exchange->headers);
	exchange->handle = NULL;
	exchange->headers = NULL;
}

void
exchange_free(struct exchange *exchange)
{
	exchange_stop(exchange);
	sse_fini(&exchange->sse);
	free(exchange->answer.bytes);
	free(exchange->body);
	free(exchange);
}

/* It goes into headers: no host's line breaks do. */
static void
version_take(struct bridge *bridge, struct json_span version)
{
	char text[sizeof(bridge->version)];

	if (json_string_copy(version, text, sizeof(text), NULL) == 0 &&
	    text[strspn(text, "0123456789-")] == '\0')
		strcpy(bridge->version, text);
}

/* One message of the host for the client. */
static void
message_pass(struct exchange *exchange, const char *raw_text, size_t len)
{
	struct json_want wants[] = { { "method" }, { "result" } };
	struct json_want version = { "protocolVersion" };
	struct bridge *bridge = exchange->bridge;
	struct json_span message;

	if (len == 0) /* the priming event of a stream */
		return;
	if (json_check(raw_text, len, &message, NULL) != 0) {
		bridge_say(bridge, "the host sent what is not JSON; dropped");
		return;
	}
	if (json_members_find(message, wants, ARRAY_LEN(wants)) == 0 &&
	    wants[0].value.at == NULL) {
		exchange->is_answered = true;
		if (exchange->is_initialize && wants[1].value.at != NULL &&
		    json_members_find(wants[1].value, &version, 1) == 0)
			version_take(bridge, version.value);
		if (exchange->is_modern && wants[1].value.at != NULL &&
		    strcmp(exchange->head.method, "tools/list") == 0)
			params_learn(&bridge->params, wants[1].value);
	}
	if (!exchange->is_own)
		bridge_line_write(bridge, message.at, message.len);
}

static void
event_pass(void *arg, const char *id, const char *raw_data, size_t len)
{
	(void)id;
	message_pass(arg, raw_data, len);
}

static bool
is_events(CURL *handle)
{
	const char *type = NULL;
	long status = 0;

	curl_easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
	return status == 200 && type != NULL &&
	    strncasecmp(type, "text/event-stream", 17) == 0;
}

static size_t
bytes_receive(char *bytes, size_t size, size_t n, void *arg)
{
	struct exchange *exchange = arg;
	struct sse_buffer *answer = &exchange->answer;
	const size_t len = size * n;

	if (is_events(exchange->handle)) {
		exchange->tries = 0;
		exchange->broken = sse_push(&exchange->sse, bytes, len);
		return exchange->broken == 0 ? len : 0;
	}
	if (answer->len + len > CLIENT_ANSWER_MAX) {
		exchange->broken = CLIENT_E_TOO_LONG;
		return 0;
	}
	if (answer->len + len > answer->capacity) {
		const size_t wanted = (answer->len + len) * 2;
		char *grown = realloc(answer->bytes, wanted);

		if (grown == NULL)
			return 0;
		answer->bytes = grown;
		answer->capacity = wanted;
	}
	memcpy(answer->bytes + answer->len, bytes, len);
	answer->len += len;
	return len;
}

static size_t
header_receive(char *line, size_t size, size_t n, void *arg)
{
	struct exchange *exchange = arg;

	client_session_take(line, size * n, exchange->answered_session);
	return size * n;
}

struct headers {
	char texts[CLIENT_HEADERS_MAX][HEADER_MAX];
	size_t n;
};

static void
header_add(void *arg, const char *name, const char *value)
{
	struct headers *headers = arg;

	if (value[0] != '\0' && headers->n + 1 < CLIENT_HEADERS_MAX)
		snprintf(headers->texts[headers->n++], HEADER_MAX, "%s: %s",
		    name, value);
}

static void
params_add(const struct exchange *exchange, struct headers *headers)
{
	struct json_want params = { "params" };

	if (strcmp(exchange->head.method, "tools/call") == 0 &&
	    json_members_find(exchange->message, &params, 1) == 0)
		params_each(&exchange->bridge->params, params.value, header_add,
		    headers);
}

static const char *
method_of(const struct exchange *exchange)
{
	if (exchange->body != NULL &&
	    (exchange->is_modern || exchange->sse.id[0] == '\0'))
		return "POST";
	return exchange->kind == EXCHANGE_END ? "DELETE" : "GET";
}

static void
headers_make(const struct exchange *exchange, struct headers *headers)
{
	const struct bridge *bridge = exchange->bridge;
	const struct head *head = &exchange->head;

	header_add(headers, "Accept",
	    exchange->body != NULL ? "application/json, text/event-stream"
				   : "text/event-stream");
	if (exchange->is_modern) {
		header_add(headers, "MCP-Protocol-Version", head->version);
		header_add(headers, "Mcp-Method", head->method);
		header_add(headers, "Mcp-Name", head->name);
		params_add(exchange, headers);
	} else if (!exchange->is_initialize) {
		header_add(headers, "MCP-Protocol-Version", bridge->version);
		header_add(headers, "Mcp-Session-Id", bridge->session);
		header_add(headers, "Last-Event-ID", exchange->sse.id);
	}
}

int
exchange_start(struct exchange *exchange)
{
	struct bridge *bridge = exchange->bridge;
	auto_free struct headers *headers = calloc(1, sizeof(*headers));
	struct client_request request = { .method = method_of(exchange),
		.path = bridge->task->path };

	if (headers == NULL)
		return -ENOMEM;
	headers_make(exchange, headers);
	for (size_t i = 0; i < headers->n; i++)
		request.headers[i] = headers->texts[i];
	if (strcmp(request.method, "POST") == 0) {
		request.body = exchange->body;
		request.body_len = exchange->body_len;
	}
	exchange_stop(exchange);
	exchange->answer.len = 0;
	exchange->broken = 0;
	exchange->again_ms = 0;
	exchange->sse.event = event_pass;
	exchange->sse.arg = exchange;
	exchange->handle = client_handle_new(
	    bridge->task->client, &request, &exchange->headers);
	if (exchange->handle == NULL) {
		exchange->again_ms = bridge_now_ms() + AGAIN_MOST_MS;
		return -ENOMEM;
	}

	CURL *handle = exchange->handle;
	curl_easy_setopt(handle, CURLOPT_PRIVATE, exchange);
	curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, exchange->said);
	curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, bytes_receive);
	curl_easy_setopt(handle, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, header_receive);
	curl_easy_setopt(handle, CURLOPT_HEADERDATA, exchange);
	return curl_multi_add_handle(bridge->multi, handle) == CURLM_OK
	    ? 0
	    : -ENOMEM;
}

static bool
again_after(struct exchange *exchange, uint64_t ms)
{
	exchange_stop(exchange);
	exchange->again_ms = bridge_now_ms() + ms;
	return false;
}

/* Nobody listens: perhaps it is being started anew. */
static bool
no_host(struct exchange *exchange)
{
	struct bridge *bridge = exchange->bridge;
	const uint64_t waited = bridge_now_ms() - exchange->began_ms;
	const unsigned shift = exchange->tries < 5 ? exchange->tries : 5;
	const uint64_t ms = AGAIN_FIRST_MS << shift;
	const bool is_stream =
	    exchange->kind == EXCHANGE_STREAM || exchange->is_listen;

	if (exchange->kind == EXCHANGE_END ||
	    (is_stream && bridge->input_ended))
		return true;
	if (exchange->tries == 0)
		exchange->began_ms = bridge_now_ms();
	if (exchange->tries++ == 3 && exchange->kind != EXCHANGE_STREAM)
		bridge_say(
		    bridge, "no host answers; start one with: cordon serve");
	if (is_stream || exchange->tries == 1 || waited < WAIT_MS)
		return again_after(
		    exchange, ms < AGAIN_MOST_MS ? ms : AGAIN_MOST_MS);
	if (exchange->kind == EXCHANGE_REQUEST)
		bridge_refuse(bridge, exchange->id, -32000,
		    "no host answers; start one with: cordon serve");
	return true;
}

/* A stream, or what should have become an answer, has come to its end. */
static bool
stream_ended(struct exchange *exchange)
{
	struct bridge *bridge = exchange->bridge;
	const uint32_t retry = exchange->sse.retry_ms;

	exchange->sse.line.len = exchange->sse.data.len = 0;
	exchange->sse.n_data = 0;
	if (exchange->is_answered || bridge->output_broken)
		return true;
	if (exchange->kind == EXCHANGE_STREAM || exchange->is_listen)
		return bridge->input_ended
		    ? true
		    : again_after(exchange, retry > 0 ? retry : 500);
	if (exchange->sse.id[0] != '\0' && !exchange->is_modern)
		return again_after(exchange, retry > 0 ? retry : 100);
	if (exchange->kind == EXCHANGE_REQUEST)
		bridge_refuse(bridge, exchange->id, -32000,
		    "the host's connection ended before its answer");
	return true;
}

static bool
is_rpc_answer(const struct exchange *exchange, struct json_span message)
{
	struct json_want wants[] = { { "jsonrpc" }, { "id" } };

	return json_members_find(message, wants, ARRAY_LEN(wants)) == 0 &&
	    wants[0].value.at != NULL && wants[1].value.at != NULL &&
	    wants[1].value.len == exchange->id.len &&
	    memcmp(wants[1].value.at, exchange->id.at, exchange->id.len) == 0;
}

/* The sentence of an answer that is no JSON-RPC for this request. */
static void
refusal_pass(struct exchange *exchange, long status, struct json_span message)
{
	struct json_want wants[] = { { "error" } };
	struct json_want text = { "message" };
	char sentence[600] = "", refusal[700];

	if (message.at != NULL && json_members_find(message, wants, 1) == 0) {
		text.value = wants[0].value;
		if (json_kind_of(text.value) == JSON_KIND_OBJECT)
			(void)json_members_find(wants[0].value, &text, 1);
		(void)json_string_copy(
		    text.value, sentence, sizeof(sentence), NULL);
	}
	snprintf(refusal, sizeof(refusal), "the host answered HTTP %ld%s%s",
	    status, sentence[0] != '\0' ? ": " : "", sentence);
	bridge_say(exchange->bridge, "%s", refusal);
	if (exchange->kind == EXCHANGE_REQUEST)
		bridge_refuse(exchange->bridge, exchange->id, -32000, refusal);
}

static void
session_take(struct exchange *exchange)
{
	struct bridge *bridge = exchange->bridge;

	if (exchange->is_initialize && exchange->answered_session[0] != '\0')
		strcpy(bridge->session, exchange->answered_session);
}

static bool
answer_ended(struct exchange *exchange, long status)
{
	const struct sse_buffer *answer = &exchange->answer;
	struct json_span message = { 0 };

	if (status == 202 || status == 204 || exchange->kind == EXCHANGE_END ||
	    (exchange->kind == EXCHANGE_STREAM && status == 405))
		return true;
	if (status == 404 && bridge_renew(exchange->bridge, exchange))
		return false;
	if (answer->len > 0 &&
	    json_check(answer->bytes, answer->len, &message, NULL) != 0)
		message = (struct json_span){ 0 };
	if (status == 200 && message.at != NULL) {
		message_pass(exchange, message.at, message.len);
		return true;
	}
	if (exchange->kind == EXCHANGE_REQUEST && message.at != NULL &&
	    is_rpc_answer(exchange, message))
		message_pass(exchange, message.at, message.len);
	else
		refusal_pass(exchange, status, message);
	return true;
}

bool
exchange_ended(struct exchange *exchange, CURLcode code)
{
	struct bridge *bridge = exchange->bridge;
	const bool was_stream = is_events(exchange->handle);
	long status = 0;

	curl_easy_getinfo(exchange->handle, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_COULDNT_CONNECT)
		return no_host(exchange);
	if (status == 200)
		session_take(exchange);
	/* While the host starts or drains, nothing has happened yet. */
	if (status == 503 && exchange->kind != EXCHANGE_END)
		return no_host(exchange);
	if (exchange->broken != 0)
		bridge_say(bridge, "an answer of the host is too long");
	if (was_stream || exchange->kind == EXCHANGE_STREAM) {
		if (was_stream || code != CURLE_OK)
			return stream_ended(exchange);
		return answer_ended(exchange, status);
	}
	if (code == CURLE_OK)
		return answer_ended(exchange, status);
	if (exchange->kind != EXCHANGE_REQUEST) {
		bridge_say(bridge, "a message got lost: %s",
		    exchange->said[0] != '\0' ? exchange->said
					      : curl_easy_strerror(code));
		return true;
	}
	return stream_ended(exchange);
}
