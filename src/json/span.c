/* SPDX-License-Identifier: Apache-2.0 */

/* Walking a checked text: no syntax is verified twice. */

#include <string.h>

#include "json/json.h"

enum json_kind
json_kind_of(struct json_span value)
{
	if (value.len == 0)
		return JSON_KIND_NONE;
	switch (value.at[0]) {
	case '{':
		return JSON_KIND_OBJECT;
	case '[':
		return JSON_KIND_ARRAY;
	case '"':
		return JSON_KIND_STRING;
	case 't':
	case 'f':
		return JSON_KIND_BOOL;
	case 'n':
		return JSON_KIND_NULL;
	default:
		return JSON_KIND_NUMBER;
	}
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool
is_odd_backslashes(const char *start, const char *quote)
{
	const char *at = quote;

	while (at > start && at[-1] == '\\')
		at--;
	return (quote - at) % 2 != 0;
}

/* From the opening quote to behind the closing one. */
static const char *
string_end(const char *at, const char *end)
{
	const char *start = ++at;

	for (;;) {
		const char *quote = memchr(at, '"', (size_t)(end - at));
		if (quote == NULL)
			return end;
		if (!is_odd_backslashes(start, quote))
			return quote + 1;
		at = quote + 1;
	}
}

static const char *
container_end(const char *at, const char *end)
{
	size_t depth = 0;

	while (at < end) {
		if (*at == '"') {
			at = string_end(at, end);
			continue;
		}
		if (*at == '{' || *at == '[')
			depth++;
		else if ((*at == '}' || *at == ']') && --depth == 0)
			return at + 1;
		at++;
	}
	return end;
}

static const char *
value_end(const char *at, const char *end)
{
	if (*at == '"')
		return string_end(at, end);
	if (*at == '{' || *at == '[')
		return container_end(at, end);
	while (at < end && !is_space(*at) && *at != ',' && *at != '}' &&
	    *at != ']')
		at++;
	return at;
}

int
json_iter_init(struct json_iter *iter, struct json_span container)
{
	const enum json_kind type = json_kind_of(container);

	if (type != JSON_KIND_OBJECT && type != JSON_KIND_ARRAY)
		return JSON_E_TYPE;
	*iter = (struct json_iter){
		.at = container.at + 1,
		.end = container.at + container.len - 1,
	};
	return 0;
}

static struct json_span
iter_take(struct json_iter *iter)
{
	const struct json_span value = {
		.at = iter->at,
		.len = (size_t)(value_end(iter->at, iter->end) - iter->at),
	};

	iter->at += value.len;
	return value;
}

/* Over white space and the one punctuation between values. */
static bool
iter_advance(struct json_iter *iter)
{
	while (iter->at < iter->end &&
	    (is_space(*iter->at) || *iter->at == ',' || *iter->at == ':'))
		iter->at++;
	return iter->at < iter->end;
}

bool
json_iter_element(struct json_iter *iter, struct json_span *value)
{
	if (!iter_advance(iter))
		return false;
	*value = iter_take(iter);
	return true;
}

bool
json_iter_member(
    struct json_iter *iter, struct json_span *key, struct json_span *value)
{
	if (!iter_advance(iter))
		return false;
	*key = iter_take(iter);
	if (!iter_advance(iter))
		return false;
	*value = iter_take(iter);
	return true;
}

static int
want_take(struct json_want *wants, size_t n_wants, struct json_span key,
    struct json_span value)
{
	for (size_t i = 0; i < n_wants; i++) {
		if (!json_string_equals(key, wants[i].name))
			continue;
		if (wants[i].value.at != NULL)
			return JSON_E_DUPLICATE;
		wants[i].value = value;
		return 0;
	}
	return 0;
}

int
json_members_find(
    struct json_span object, struct json_want *wants, size_t n_wants)
{
	struct json_span key, value;
	struct json_iter iter;

	for (size_t i = 0; i < n_wants; i++)
		wants[i].value = (struct json_span){ 0 };
	if (json_kind_of(object) != JSON_KIND_OBJECT)
		return JSON_E_TYPE;
	json_iter_init(&iter, object);
	while (json_iter_member(&iter, &key, &value)) {
		const int r = want_take(wants, n_wants, key, value);
		if (r != 0)
			return r;
	}
	return 0;
}

struct json_span
json_member(struct json_span object, const char *name)
{
	struct json_want want = { .name = name };

	if (json_members_find(object, &want, 1) != 0)
		return (struct json_span){ 0 };
	return want.value;
}

static unsigned
hex4(const char *at)
{
	unsigned n = 0;

	for (int i = 0; i < 4; i++) {
		const char c = at[i];
		n = n << 4 |
		    (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return n;
}

/* After "\u": the code point, a surrogate pair taken whole. */
static unsigned
take_unicode(const char **at, const char *end)
{
	const unsigned high = hex4(*at);

	*at += 4;
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || end - *at < 6 || (*at)[0] != '\\' ||
	    (*at)[1] != 'u')
		return 0xfffd;
	const unsigned low = hex4(*at + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return 0xfffd;
	*at += 6;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* As UTF-8; the code point is no surrogate. */
static size_t
put_utf8(char *out, unsigned code_point)
{
	static const unsigned char marks[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t length = 1;

	if (code_point < 0x80) {
		out[0] = (char)code_point;
		return length;
	}
	while (length < 4 && code_point >= 1u << (5 * length + 1))
		length++;
	for (size_t i = length - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code_point & 0x3f));
		code_point >>= 6;
	}
	out[0] = (char)(marks[length] | code_point);
	return length;
}

/* One character of a string's inside, decoded into out (4 bytes). */
static size_t
take_char(const char **at, const char *end, char *out)
{
	static const char names[] = "bfnrt", bytes[] = "\b\f\n\r\t";

	if (**at != '\\') {
		*out = *(*at)++;
		return 1;
	}
	const char c = (*at)[1];
	*at += 2;
	if (c == 'u')
		return put_utf8(out, take_unicode(at, end));
	const char *name = strchr(names, c);
	*out = name != NULL ? bytes[name - names] : c;
	return 1;
}

bool
json_string_plain(struct json_span value, struct json_span *bytes)
{
	if (json_kind_of(value) != JSON_KIND_STRING ||
	    memchr(value.at, '\\', value.len) != NULL)
		return false;
	*bytes = (struct json_span){ value.at + 1, value.len - 2 };
	return true;
}

bool
json_string_equals(struct json_span value, const char *text)
{
	const size_t text_len = strlen(text);
	struct json_span plain;
	char buffer[4];

	if (json_kind_of(value) != JSON_KIND_STRING || value.len < text_len + 2)
		return false;
	if (json_string_plain(value, &plain))
		return plain.len == text_len &&
		    memcmp(plain.at, text, text_len) == 0;

	const char *at = value.at + 1, *end = value.at + value.len - 1;
	size_t matched = 0;
	while (at < end) {
		const size_t n = take_char(&at, end, buffer);
		if (n > text_len - matched ||
		    memcmp(text + matched, buffer, n) != 0)
			return false;
		matched += n;
	}
	return matched == text_len;
}

int
json_string_copy(struct json_span value, char *buffer, size_t size, size_t *len)
{
	if (json_kind_of(value) != JSON_KIND_STRING)
		return JSON_E_TYPE;

	const char *at = value.at + 1, *end = value.at + value.len - 1;
	size_t used = 0;
	char bytes[4];
	while (at < end) {
		const size_t n = take_char(&at, end, bytes);
		if (n >= size || used >= size - n)
			return JSON_E_TOO_LONG;
		memcpy(buffer + used, bytes, n);
		used += n;
	}
	if (size == 0)
		return JSON_E_TOO_LONG;
	buffer[used] = '\0';
	if (len != NULL)
		*len = used;
	else if (memchr(buffer, '\0', used) != NULL)
		return JSON_E_TYPE;
	return 0;
}

bool
json_value_is_true(struct json_span value)
{
	return value.len == 4 && value.at[0] == 't';
}

bool
json_value_is_integer(struct json_span value)
{
	if (json_kind_of(value) != JSON_KIND_NUMBER)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] == '.' || value.at[i] == 'e' ||
		    value.at[i] == 'E')
			return false;
	return true;
}
