/* SPDX-License-Identifier: Apache-2.0 */

/* See form.h: forms. */

#include "oauth/form.h"

#include <string.h>

#include "oauth/oauth.h"

void
form_reserve(struct json_out *out)
{
	static const char zeros[OAUTH_FORM_MAX];
	const size_t room =
	    out->limit < sizeof(zeros) ? out->limit : sizeof(zeros);

	if (out->len != 0 || out->status != 0)
		return;
	json_out_raw(out, zeros, room);
	if (out->status == 0)
		json_out_reset(out);
}

static bool
is_unreserved(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	    (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' ||
	    byte == '_' || byte == '~';
}

void
form_escape(struct json_out *out, const char *value)
{
	static const char digits[] = "0123456789ABCDEF";

	for (const char *at = value; *at != '\0'; at++) {
		const unsigned char byte = (unsigned char)*at;
		const char code[] = { '%', digits[byte >> 4],
			digits[byte & 15] };
		if (is_unreserved(*at))
			json_out_raw(out, at, 1);
		else
			json_out_raw(out, code, sizeof(code));
	}
}

void
form_add(struct json_out *out, const char *name, const char *value)
{
	if (value[0] == '\0')
		return;
	if (out->len > 0 && strchr("?&", out->bytes[out->len - 1]) == NULL)
		json_out_text(out, "&");
	json_out_text(out, name);
	json_out_text(out, "=");
	form_escape(out, value);
}

static int
hex_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte = (char)(byte | 0x20);
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static int
lower(int byte)
{
	return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

/* One byte of a member's name, decoded; '=' as such is -1. */
static int
name_next(const char **at)
{
	const char *here = (*at)++;
	const int high = here[0] == '%' ? hex_value(here[1]) : -1;
	const int low = high >= 0 ? hex_value(here[2]) : -1;

	if (low < 0)
		return here[0] == '=' ? -1 : (unsigned char)here[0];
	*at += 2;
	return high * 16 + low;
}

static bool
name_is(const char *at, const char *end, const char *name)
{
	while (at < end) {
		const int byte = name_next(&at);
		if (byte == -1)
			break;
		if (*name == '\0' || lower(byte) != (unsigned char)*name++)
			return false;
	}
	return *name == '\0';
}

bool
form_is_pairs(const char *query)
{
	for (const char *at = query;; at++) {
		const size_t len = strcspn(at, "&");
		const char *equals = memchr(at, '=', len);
		if (equals == NULL || equals == at)
			return false;
		at += len;
		if (*at == '\0')
			return true;
	}
}

bool
form_has(const char *query, const char *name)
{
	for (const char *at = query; *at != '\0';) {
		const char *end = at + strcspn(at, "&");
		if (name_is(at, end, name))
			return true;
		at = *end == '\0' ? end : end + 1;
	}
	return false;
}
