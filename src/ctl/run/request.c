/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/run/request.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/auto.h"
#include "base/utf8.h"

#define ORIGIN "http://localhost"
#define RPC_ID "1"
#define HEADERS_MAX 256

static const char *const known[] = { "method", "url", "headers", "body" };

static int
members_check(struct json_span input, struct err *err)
{
	struct json_span key, value;
	struct json_iter iter;

	if (json_kind_of(input) != JSON_KIND_OBJECT)
		return err_set(err, CTL_E_REQUEST,
		    "this server takes a request, {\"method\", \"url\", "
		    "\"headers\", \"body\"}, or --tool NAME with its input");

	(void)json_iter_init(&iter, input);
	while (json_iter_member(&iter, &key, &value)) {
		size_t i = 0;
		while (
		    i < ARRAY_LEN(known) && !json_string_equals(key, known[i]))
			i++;
		if (i == ARRAY_LEN(known))
			return err_set(err, CTL_E_REQUEST,
			    "%.*s is no member of a request: it has method, "
			    "url, headers and body (for a tool's input, say "
			    "--tool NAME)",
			    key.len > 60 ? 60 : (int)key.len, key.at);
	}
	return 0;
}

/* A string member as it is, or what stands for a missing one. */
static int
text_add(struct json_out *out, struct json_span value, const char *fallback,
    const char *name, struct err *err)
{
	if (value.at == NULL) {
		json_out_string(out, fallback, strlen(fallback));
		return 0;
	}
	if (json_kind_of(value) != JSON_KIND_STRING)
		return err_set(
		    err, CTL_E_REQUEST, "\"%s\" must be a string", name);
	json_out_span(out, value);
	return 0;
}

static int
url_add(struct json_out *out, struct json_span value, struct err *err)
{
	if (json_kind_of(value) != JSON_KIND_STRING || value.len < 3 ||
	    value.at[1] != '/')
		return text_add(out, value, ORIGIN "/", "url", err);

	json_out_text(out, "\"" ORIGIN);
	json_out_raw(out, value.at + 1, value.len - 1);
	return 0;
}

static int
pair_add(struct json_out *out, struct json_span name, struct json_span value,
    bool first, struct err *err)
{
	if (json_kind_of(name) != JSON_KIND_STRING ||
	    json_kind_of(value) != JSON_KIND_STRING)
		return err_set(err, CTL_E_REQUEST,
		    "\"headers\" must be an object of strings, or a list of "
		    "pairs of strings");
	json_out_text(out, first ? "[" : ",[");
	json_out_span(out, name);
	json_out_text(out, ",");
	json_out_span(out, value);
	json_out_text(out, "]");
	return 0;
}

static int
headers_add(struct json_out *out, struct json_span headers, struct err *err)
{
	struct json_span name = { 0 }, value = { 0 }, pair;
	struct json_iter iter, inner;
	bool first = true;
	int r = 0;

	if (headers.at == NULL)
		return 0;
	if (json_iter_init(&iter, headers) != 0)
		return pair_add(out, value, value, first, err);

	if (json_kind_of(headers) == JSON_KIND_OBJECT) {
		for (; r == 0 && json_iter_member(&iter, &name, &value);
		     first = false)
			r = pair_add(out, name, value, first, err);
		return r;
	}
	for (; r == 0 && json_iter_element(&iter, &pair); first = false) {
		name = value = (struct json_span){ 0 };
		if (json_kind_of(pair) == JSON_KIND_ARRAY &&
		    json_iter_init(&inner, pair) == 0) {
			(void)json_iter_element(&inner, &name);
			(void)json_iter_element(&inner, &value);
		}
		r = pair_add(out, name, value, first, err);
	}
	return r;
}

static int
body_add(struct json_out *body, struct json_span value)
{
	if (value.at == NULL || json_kind_of(value) == JSON_KIND_NULL)
		return 0;
	if (json_kind_of(value) != JSON_KIND_STRING) {
		json_out_span(body, value);
		return 0;
	}

	auto_free char *text = malloc(value.len + 1);
	size_t len;
	if (text == NULL)
		return -ENOMEM;
	if (json_string_copy(value, text, value.len + 1, &len) != 0)
		return -EINVAL;
	json_out_raw(body, text, len);
	return 0;
}

int
ctl_request_compose(struct json_span input, struct json_out *head,
    struct json_out *body, struct err *err)
{
	struct json_want wants[] = { { "method" }, { "url" }, { "headers" },
		{ "body" } };

	int r = members_check(input, err);
	if (r != 0)
		return r;
	if (json_members_find(input, wants, ARRAY_LEN(wants)) != 0)
		return err_set(
		    err, CTL_E_REQUEST, "a member of the request occurs twice");

	const struct json_span content = wants[3].value;
	json_out_text(head, "{\"method\":");
	r = text_add(head, wants[0].value, content.at != NULL ? "POST" : "GET",
	    "method", err);
	json_out_text(head, ",\"url\":");
	if (r == 0)
		r = url_add(head, wants[1].value, err);
	json_out_text(head, ",\"headers\":[");
	if (r == 0)
		r = headers_add(head, wants[2].value, err);
	json_out_text(head, "]}");
	return r == 0 ? body_add(body, content) : r;
}

void
ctl_request_compose_tool(const char *tool, struct json_span input,
    struct json_out *head, struct json_out *body)
{
	/* No MCP-Protocol-Version: nothing was negotiated with this cell, and a
	 * server that is asked for one it does not know refuses. */
	json_out_text(head,
	    "{\"method\":\"POST\",\"url\":\"" ORIGIN "/mcp\",\"headers\":["
	    "[\"host\",\"localhost\"],"
	    "[\"content-type\",\"application/json\"],"
	    "[\"accept\",\"application/json, text/event-stream\"]]}");
	json_out_text(body,
	    "{\"jsonrpc\":\"2.0\",\"id\":" RPC_ID ",\"method\":\"tools/call\","
	    "\"params\":{\"name\":");
	json_out_string(body, tool, strlen(tool));
	json_out_text(body, ",\"arguments\":");
	json_out_span(body, input);
	json_out_text(body, "}}");
}

/* The status and the list of headers of a raw head. */
static int
head_read(const char *raw_head, size_t len, struct json_span *status,
    struct json_span *headers)
{
	struct json_span value;
	struct json_iter iter;

	const int r = json_check(raw_head, len, &value, NULL);
	if (r != 0)
		return r;
	if (json_kind_of(value) != JSON_KIND_ARRAY ||
	    json_iter_init(&iter, value) != 0 ||
	    !json_iter_element(&iter, status) ||
	    !json_iter_element(&iter, headers) ||
	    !json_value_is_integer(*status) || status->len != 3 ||
	    json_kind_of(*headers) != JSON_KIND_ARRAY)
		return JSON_E_TYPE;
	return 0;
}

static bool
header_next(
    struct json_iter *iter, struct json_span *name, struct json_span *value)
{
	struct json_span pair;
	struct json_iter inner;

	return json_iter_element(iter, &pair) &&
	    json_kind_of(pair) == JSON_KIND_ARRAY &&
	    json_iter_init(&inner, pair) == 0 &&
	    json_iter_element(&inner, name) &&
	    json_iter_element(&inner, value) &&
	    json_kind_of(*name) == JSON_KIND_STRING &&
	    json_kind_of(*value) == JSON_KIND_STRING;
}

/* Bytes that are no text, as base64. */
static int
bytes_add(struct json_out *out, const uint8_t *bytes, size_t len)
{
	const size_t size =
	    sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL);
	auto_free char *text = malloc(size);

	if (text == NULL)
		return -ENOMEM;
	sodium_bin2base64(
	    text, size, bytes, len, sodium_base64_VARIANT_ORIGINAL);
	json_out_text(out, ",\"body_base64\":\"");
	json_out_text(out, text);
	json_out_text(out, "\"");
	return 0;
}

struct header {
	struct json_span name, value;
};

static bool
same_name(const struct header *a, const struct header *b)
{
	return a->name.len == b->name.len &&
	    memcmp(a->name.at, b->name.at, a->name.len) == 0;
}

/* The i-th name with its value, or the list of all its values. */
static void
header_add(struct json_out *out, const struct header *all, size_t n, size_t i)
{
	size_t more = 0;

	for (size_t j = i + 1; j < n; j++)
		more += same_name(&all[i], &all[j]);
	json_out_span(out, all[i].name);
	json_out_text(out, more > 0 ? ":[" : ":");
	json_out_span(out, all[i].value);
	for (size_t j = i + 1; j < n && more > 0; j++) {
		if (!same_name(&all[i], &all[j]))
			continue;
		json_out_text(out, ",");
		json_out_span(out, all[j].value);
	}
	json_out_text(out, more > 0 ? "]" : "");
}

static int
response_headers_add(struct json_out *out, struct json_span headers)
{
	struct header all[HEADERS_MAX];
	struct json_iter iter;
	size_t n = 0;

	(void)json_iter_init(&iter, headers);
	while (
	    n < HEADERS_MAX && header_next(&iter, &all[n].name, &all[n].value))
		n++;
	if (n == HEADERS_MAX)
		return JSON_E_TOO_LONG;

	for (size_t i = 0; i < n; i++) {
		size_t first = 0;
		while (!same_name(&all[first], &all[i]))
			first++;
		if (first != i)
			continue;
		json_out_text(out, i > 0 ? "," : "");
		header_add(out, all, n, i);
	}
	return 0;
}

int
ctl_response_compose(const char *raw_head, size_t head_len,
    const uint8_t *raw_body, size_t body_len, struct json_out *out)
{
	struct json_span status, headers;

	int r = head_read(raw_head, head_len, &status, &headers);
	if (r != 0)
		return r;

	json_out_text(out, "{\"status\":");
	json_out_span(out, status);
	json_out_text(out, ",\"headers\":{");
	r = response_headers_add(out, headers);
	if (r != 0)
		return r;
	json_out_text(out, "}");
	if (!utf8_is_valid(raw_body, body_len)) {
		r = bytes_add(out, raw_body, body_len);
	} else {
		json_out_text(out, ",\"body\":");
		json_out_string(out, (const char *)raw_body, body_len);
	}
	json_out_text(out, "}");
	return r != 0 ? r : json_out_status(out);
}

/* Whether the text is the answer to our one request. */
static bool
message_read(const char *text, size_t len, struct ctl_rpc_answer *answer)
{
	struct json_want wants[] = { { "id" }, { "result" }, { "error" } };
	struct json_span message;

	if (json_check(text, len, &message, NULL) != 0 ||
	    json_members_find(message, wants, ARRAY_LEN(wants)) != 0)
		return false;
	if (json_kind_of(wants[1].value) != JSON_KIND_OBJECT &&
	    json_kind_of(wants[2].value) != JSON_KIND_OBJECT)
		return false;
	/* An error may have the id null, when the request was not read. */
	if (wants[1].value.at != NULL &&
	    (wants[0].value.len != 1 || wants[0].value.at[0] != RPC_ID[0]))
		return false;

	answer->result = wants[1].value;
	answer->error = wants[2].value;
	return true;
}

static size_t
line_length(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] != '\n' && text[n] != '\r')
		n++;
	return n;
}

/* Events: "data:" lines, joined by line feeds; an empty line ends each, and
 * what has none at the end is no event. */
static bool
events_read(const char *text, size_t len, struct json_out *buffer,
    struct ctl_rpc_answer *answer)
{
	for (size_t at = 0; at < len;) {
		const size_t n = line_length(text + at, len - at);
		const char *line = text + at;

		if (n == 0 && buffer->len > 0) {
			if (message_read(buffer->bytes, buffer->len, answer))
				return true;
			json_out_reset(buffer);
		} else if (n >= 5 && memcmp(line, "data:", 5) == 0) {
			const size_t skip = n > 5 && line[5] == ' ' ? 6 : 5;
			if (buffer->len > 0)
				json_out_text(buffer, "\n");
			json_out_raw(buffer, line + skip, n - skip);
		}
		at += n + 1;
		if (at < len && line[n] == '\r' && text[at] == '\n')
			at++;
	}
	return false;
}

int
ctl_rpc_find(const char *raw_head, size_t head_len, const char *raw_body,
    size_t body_len, struct json_out *buffer, struct ctl_rpc_answer *answer)
{
	struct json_span status, headers;

	const int r = head_read(raw_head, head_len, &status, &headers);
	if (r != 0)
		return r;

	*answer = (struct ctl_rpc_answer){
		.status = (unsigned int)strtoul(status.at, NULL, 10),
	};
	if (!message_read(raw_body, body_len, answer))
		(void)events_read(raw_body, body_len, buffer, answer);
	return json_out_status(buffer);
}
