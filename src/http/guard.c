/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "http/guard.h"

static const char *const loopback_names[] = { "localhost", "127.0.0.1",
	"[::1]" };

struct text {
	const char *at;
	size_t len;
};

static bool
text_equals(struct text a, struct text b)
{
	return a.len == b.len && strncasecmp(a.at, b.at, a.len) == 0;
}

static struct text
text_of(const char *string)
{
	return (struct text){ string, strlen(string) };
}

/* The next entry of a list by commas, without the space around it. */
static bool
list_next(const char **list, struct text *entry)
{
	*list += strspn(*list, ", \t");
	if (**list == '\0')
		return false;
	*entry = (struct text){ *list, strcspn(*list, ",") };
	*list += entry->len;
	while (entry->len > 0 && strchr(" \t", entry->at[entry->len - 1]))
		entry->len--;
	return true;
}

static bool
is_port(struct text port)
{
	return port.len >= 1 && port.len <= 5 &&
	    strspn(port.at, "0123456789") >= port.len;
}

/* name[:port] or [v6][:port]; false if it is neither. */
static bool
authority_split(struct text authority, struct text *name)
{
	static const char name_chars[] = "abcdefghijklmnopqrstuvwxyz"
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789.-_";
	static const char v6_chars[] = "0123456789abcdefABCDEF:.";
	size_t len;

	if (authority.len > 0 && authority.at[0] == '[') {
		len = 1 + strspn(authority.at + 1, v6_chars);
		if (len >= authority.len || authority.at[len] != ']')
			return false;
		len++;
	} else {
		len = strspn(authority.at, name_chars);
	}
	if (len == 0 || len > authority.len)
		return false;
	*name = (struct text){ authority.at, len };
	if (len == authority.len)
		return true;

	const struct text port = { authority.at + len + 1,
		authority.len - len - 1 };
	return authority.at[len] == ':' && is_port(port);
}

static bool
is_loopback(struct text name)
{
	for (size_t i = 0; i < ARRAY_LEN(loopback_names); i++)
		if (text_equals(name, text_of(loopback_names[i])))
			return true;
	return false;
}

bool
http_host_is_allowed(const char *raw_host, const char *list)
{
	struct text name, entry;

	if (raw_host == NULL)
		return false;
	const struct text host = text_of(raw_host);
	if (!authority_split(host, &name))
		return false;
	if (is_loopback(name))
		return true;
	while (list_next(&list, &entry))
		if (text_equals(entry, host) || text_equals(entry, name))
			return true;
	return false;
}

bool
http_origin_is_allowed(const char *raw_origin, const char *list)
{
	struct text name, entry;

	if (raw_origin == NULL)
		return true;
	while (list_next(&list, &entry))
		if (text_equals(entry, text_of(raw_origin)))
			return true;

	size_t scheme_len = 0;
	if (strncasecmp(raw_origin, "http://", 7) == 0)
		scheme_len = 7;
	else if (strncasecmp(raw_origin, "https://", 8) == 0)
		scheme_len = 8;
	else
		return false;
	return authority_split(text_of(raw_origin + scheme_len), &name) &&
	    is_loopback(name);
}

bool
http_bearer_hash(
    const char *raw_authorization, uint8_t hash[HTTP_TOKEN_HASH_BYTES])
{
	_Static_assert(
	    crypto_hash_sha256_BYTES == HTTP_TOKEN_HASH_BYTES, "SHA-256");
	if (raw_authorization == NULL ||
	    strncasecmp(raw_authorization, "Bearer ", 7) != 0)
		return false;
	const char *token = raw_authorization + 7;
	token += strspn(token, " ");
	if (token[0] == '\0')
		return false;
	crypto_hash_sha256(hash, (const uint8_t *)token, strlen(token));
	return true;
}

bool
http_header_name_is_safe(const char *raw_name)
{
	static const char token_chars[] = "abcdefghijklmnopqrstuvwxyz"
					  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					  "0123456789!#$%&'*+-.^_`|~";
	const size_t len = strspn(raw_name, token_chars);

	return len > 0 && raw_name[len] == '\0';
}

bool
http_header_value_is_safe(const char *raw_value)
{
	for (const char *at = raw_value; *at != '\0'; at++)
		if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f)
			return false;
	return true;
}

/* "a/b" against "a/b", "a/ *" or "* / *" (without the spaces). */
static bool
range_covers(struct text range, struct text type)
{
	const char *slash = memchr(type.at, '/', type.len);
	const size_t main_len = slash == NULL ? 0 : (size_t)(slash - type.at);

	return text_equals(range, type) || text_equals(range, text_of("*/*")) ||
	    (range.len == main_len + 2 &&
		strncasecmp(range.at, type.at, main_len + 1) == 0 &&
		range.at[main_len + 1] == '*');
}

bool
http_accepts(const char *raw_accept, const char *type)
{
	struct text range;

	if (raw_accept == NULL)
		return true;
	while (list_next(&raw_accept, &range)) {
		const char *end = memchr(range.at, ';', range.len);
		if (end != NULL)
			range.len = (size_t)(end - range.at);
		while (range.len > 0 && range.at[range.len - 1] == ' ')
			range.len--;
		if (range_covers(range, text_of(type)))
			return true;
	}
	return false;
}
