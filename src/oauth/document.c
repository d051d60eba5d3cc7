/* SPDX-License-Identifier: Apache-2.0 */

/* See document.h: members of documents that strangers wrote. */

#include "oauth/document.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "oauth/oauth.h"

int
document_refuse(const struct document *document, const char *member,
    const char *format, ...)
{
	char text[sizeof(document->err->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return err_set(document->err, -EINVAL, "%s: \"%s\" %s", document->name,
	    member, text);
}

int
document_read(struct document *document, const char *raw_json, size_t len)
{
	struct json_span value = { 0 };
	size_t at = 0;

	if (len > OAUTH_DOCUMENT_MAX)
		return err_set(document->err, -EINVAL,
		    "%s: is larger than %u KiB", document->name,
		    OAUTH_DOCUMENT_MAX >> 10);
	if (json_check(raw_json, len, &value, &at) != 0)
		return err_set(document->err, -EINVAL,
		    "%s: is no JSON (byte %zu)", document->name, at);
	switch (json_members_find(value, document->wants, document->n_wants)) {
	case 0:
		return 0;
	case JSON_E_DUPLICATE:
		return err_set(document->err, -EINVAL,
		    "%s: says a member twice", document->name);
	default:
		return err_set(document->err, -EINVAL, "%s: is no JSON object",
		    document->name);
	}
}

struct json_span
document_get(const struct document *document, const char *name)
{
	for (size_t i = 0; i < document->n_wants; i++)
		if (strcmp(document->wants[i].name, name) == 0 &&
		    json_kind_of(document->wants[i].value) != JSON_KIND_NULL)
			return document->wants[i].value;
	return (struct json_span){ 0 };
}

bool
document_text_is(const char *text, enum document_text what)
{
	const char lowest = what == DOCUMENT_LINE ? ' ' : '!';
	bool in_word = false;

	for (const char *at = text; *at != '\0'; at++) {
		if (what == DOCUMENT_SCOPE && *at == ' ' && in_word &&
		    at[1] != '\0') {
			in_word = false;
			continue;
		}
		if (*at < lowest || *at > '~')
			return false;
		if (what == DOCUMENT_SCOPE && (*at == '"' || *at == '\\'))
			return false;
		in_word = true;
	}
	return true;
}

int
document_text(const struct document *document, const char *member,
    enum document_text what, bool is_needed, char *text, size_t size)
{
	const struct json_span value = document_get(document, member);

	text[0] = '\0';
	if (value.at == NULL)
		return is_needed
		    ? document_refuse(document, member, "is missing")
		    : 0;
	switch (json_string_copy(value, text, size, NULL)) {
	case 0:
		break;
	case JSON_E_TOO_LONG:
		return document_refuse(
		    document, member, "is longer than %zu bytes", size - 1);
	default:
		return document_refuse(
		    document, member, "is no text, or holds a NUL");
	}
	if (text[0] == '\0' && what != DOCUMENT_SCOPE)
		return document_refuse(document, member, "is empty");
	if (!document_text_is(text, what))
		return document_refuse(document, member, "%s",
		    what == DOCUMENT_SCOPE
			? "is no list of scopes with one space between"
			: "has a byte that is no visible ASCII");
	return 0;
}

int
document_url_parse(
    const char *raw_text, size_t len, struct addr_url *url, struct err *err)
{
	const char *inside = NULL;

	const int r = addr_url_parse(raw_text, len, url, err);
	if (r != 0)
		return r;
	if (url->scheme != ADDR_HTTPS)
		return err_set(err, -EINVAL, "is not https://");
	if (memchr(raw_text, '#', len) != NULL)
		return err_set(err, -EINVAL, "has a fragment");
	if (!url->host.is_ip) {
		inside = addr_name_is_special(url->host.text);
	} else {
		const struct addr_range *row =
		    addr_refused(&url->host.ip, NULL);
		inside = row == NULL ? NULL : row->name;
	}
	/* A person's browser would go where egress never does. */
	if (inside != NULL)
		return err_set(err, -EINVAL,
		    "names %s, which never leads outside: %s", url->host.text,
		    inside);
	return 0;
}

int
document_url(const struct document *document, const char *member,
    bool is_needed, char *text, size_t size)
{
	char raw_text[OAUTH_URL_MAX], shown[DOCUMENT_SHOWN_MAX];
	struct err why = { .text = "" };
	struct addr_url url;

	int r = document_text(document, member, DOCUMENT_LINE, is_needed,
	    raw_text, sizeof(raw_text));
	text[0] = '\0';
	if (r != 0 || raw_text[0] == '\0')
		return r;
	document_show(raw_text, shown);
	r = document_url_parse(raw_text, strlen(raw_text), &url, &why);
	if (r != 0)
		return document_refuse(
		    document, member, "(\"%s\") %s", shown, why.text);
	if (strlen(url.text) >= size)
		return document_refuse(
		    document, member, "is longer than %zu bytes", size - 1);
	strcpy(text, url.text);
	return 0;
}

int
document_bool(const struct document *document, const char *member, bool *value)
{
	const struct json_span span = document_get(document, member);

	if (span.at != NULL && json_kind_of(span) != JSON_KIND_BOOL)
		return document_refuse(
		    document, member, "is neither true nor false");
	*value = json_value_is_true(span);
	return 0;
}

int
document_uint(const struct document *document, const char *member, uint64_t max,
    uint64_t *value)
{
	const struct json_span span = document_get(document, member);
	uint64_t sum = 0;

	if (span.at == NULL)
		return 0;
	if (!json_value_is_integer(span) || span.at[0] == '-')
		return document_refuse(
		    document, member, "is no number of whole seconds");
	for (size_t i = 0; i < span.len && sum <= max; i++)
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(
			sum, (uint64_t)(span.at[i] - '0'), &sum))
			sum = UINT64_MAX;
	*value = sum < max ? sum : max;
	return 0;
}

int
document_has(const struct document *document, const char *member,
    const char *word, bool otherwise, bool *has)
{
	const struct json_span list = document_get(document, member);
	struct json_span element;
	struct json_iter iter;

	*has = otherwise;
	if (list.at == NULL)
		return 0;
	if (json_kind_of(list) != JSON_KIND_ARRAY)
		return document_refuse(document, member, "is no list");
	*has = false;
	json_iter_init(&iter, list);
	while (json_iter_element(&iter, &element)) {
		if (json_kind_of(element) != JSON_KIND_STRING)
			return document_refuse(
			    document, member, "holds what is no text");
		*has |= json_string_equals(element, word);
	}
	return 0;
}

char
document_printable(char byte)
{
	if (byte == '"' || byte == '\\')
		return '\'';
	if (byte < ' ' || byte > '~')
		return '?';
	return byte;
}

void
document_show(const char *raw_text, char shown[DOCUMENT_SHOWN_MAX])
{
	const size_t len = strlen(raw_text);
	size_t n = 0;

	for (; n < len && n < DOCUMENT_SHOWN_MAX - 4; n++)
		shown[n] = document_printable(raw_text[n]);
	strcpy(shown + n, n < len ? "..." : "");
}
