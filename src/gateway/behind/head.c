/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "gateway/behind/head.h"
#include "http/guard.h"
#include "json/json.h"

/* Headers of the connection, not of the message (RFC 9110 7.6.1); framing that
 * is made anew on each side; and what is between client and host only. */
static const char *const dropped_headers[] = { "authorization", "connection",
	"content-length", "cookie", "expect", "keep-alive",
	"proxy-authenticate", "proxy-authorization", "proxy-connection",
	"set-cookie", "set-cookie2", "te", "trailer", "transfer-encoding",
	"upgrade" };

bool
head_drops(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(dropped_headers); i++)
		if (strcasecmp(name, dropped_headers[i]) == 0)
			return true;
	return false;
}

static bool
status_admit(struct json_span raw, unsigned *status)
{
	if (!json_value_is_integer(raw) || raw.len != 3 || raw.at[0] < '2' ||
	    raw.at[0] > '5')
		return false;
	*status = (unsigned)(raw.at[0] - '0') * 100 +
	    (unsigned)(raw.at[1] - '0') * 10 + (unsigned)(raw.at[2] - '0');
	return true;
}

static const char *
text_take(struct head *head, struct json_span raw)
{
	char *text = head->text + head->text_len;

	if (json_string_copy(
		raw, text, sizeof(head->text) - head->text_len, NULL) != 0)
		return NULL;
	head->text_len += strlen(text) + 1;
	return text;
}

static bool
header_admit(struct head *head, struct json_span raw_pair)
{
	struct json_span name, value, more;
	struct json_iter iter;

	if (json_kind_of(raw_pair) != JSON_KIND_ARRAY ||
	    json_iter_init(&iter, raw_pair) != 0 ||
	    !json_iter_element(&iter, &name) ||
	    !json_iter_element(&iter, &value) ||
	    json_iter_element(&iter, &more) ||
	    head->n_headers == HEAD_HEADERS_MAX)
		return false;

	struct http_header *header = &head->headers[head->n_headers];
	header->name = text_take(head, name);
	header->value = text_take(head, value);
	if (header->name == NULL || header->value == NULL ||
	    !http_header_name_is_safe(header->name) ||
	    !http_header_value_is_safe(header->value))
		return false;
	if (!head_drops(header->name))
		head->n_headers++;
	return true;
}

int
head_admit(const char *raw_json, size_t len, struct head *head)
{
	struct json_span whole, status, headers, pair, more;
	struct json_iter iter;

	head->n_headers = head->text_len = 0;
	if (json_check(raw_json, len, &whole, NULL) != 0 ||
	    json_kind_of(whole) != JSON_KIND_ARRAY ||
	    json_iter_init(&iter, whole) != 0 ||
	    !json_iter_element(&iter, &status) ||
	    !json_iter_element(&iter, &headers) ||
	    json_iter_element(&iter, &more) ||
	    !status_admit(status, &head->status) ||
	    json_kind_of(headers) != JSON_KIND_ARRAY ||
	    json_iter_init(&iter, headers) != 0)
		return HEAD_E_BROKEN;
	while (json_iter_element(&iter, &pair))
		if (!header_admit(head, pair))
			return HEAD_E_BROKEN;
	return 0;
}

bool
head_is_event_stream(const struct head *head)
{
	for (size_t i = 0; i < head->n_headers; i++)
		if (strcasecmp(head->headers[i].name, "content-type") == 0)
			return strncasecmp(head->headers[i].value,
				   "text/event-stream", 17) == 0;
	return false;
}
