/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/login/redirect.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "base/utf8.h"

/* ---- queries --------------------------------------------------------------- */

static int
hex_value(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0'
	    ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c)
	    : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* The next character of a form's text; -1: an escape that is none. */
static int
form_next(const char *raw_text, size_t len, size_t *at)
{
	const char c = raw_text[(*at)++];

	if (c == '+')
		return ' ';
	if (c != '%')
		return (unsigned char)c;
	if (len - *at < 2)
		return -1;
	const int high = hex_value(raw_text[*at]);
	const int low = hex_value(raw_text[*at + 1]);
	*at += 2;
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool
is_one_line(const char *text, size_t len)
{
	uint32_t character = 0;
	size_t n;

	for (size_t at = 0; at < len; at += n) {
		n = utf8_next((const uint8_t *)text + at, len - at, &character);
		if (n == 0 || character < 0x20 ||
		    (character >= 0x7f && character <= 0x9f))
			return false;
	}
	return true;
}

static int
value_decode(const char *raw_text, size_t len, char *text, size_t size)
{
	size_t n = 0;

	for (size_t at = 0; at < len;) {
		const int c = form_next(raw_text, len, &at);
		if (c < 0 || n + 1 >= size)
			return -EINVAL;
		text[n++] = (char)c;
	}
	text[n] = '\0';
	return is_one_line(text, n) ? 1 : -EINVAL;
}

int
redirect_query_find(const char *raw_query, size_t len, const char *name,
    char *text, size_t size)
{
	const size_t name_len = strlen(name);
	const char *end = raw_query + len;
	int found = 0;

	for (const char *at = raw_query; at < end;) {
		const char *stop = memchr(at, '&', (size_t)(end - at));
		if (stop == NULL)
			stop = end;
		const size_t n = (size_t)(stop - at);
		const bool is_it = n > name_len && at[name_len] == '=' &&
		    memcmp(at, name, name_len) == 0;
		if (is_it && found != 0)
			return -EINVAL;
		if (is_it)
			found = value_decode(
			    at + name_len + 1, n - name_len - 1, text, size);
		if (found < 0)
			return found;
		at = stop + 1;
	}
	return found;
}

static bool
is_same(const char *a, const char *b)
{
	const size_t len = strlen(a);

	return len == strlen(b) && sodium_memcmp(a, b, len) == 0;
}

int
redirect_query_read(const char *raw_query, size_t len, const char *state,
    struct redirect *redirect, struct err *err)
{
	*redirect = (struct redirect){ .state = "" };
	const struct {
		const char *name;
		char *text;
		size_t size;
	} members[] = {
		{ "state", redirect->state, sizeof(redirect->state) },
		{ "code", redirect->code, sizeof(redirect->code) },
		{ "iss", redirect->iss, sizeof(redirect->iss) },
		{ "error", redirect->error, sizeof(redirect->error) },
	};
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const int found = redirect_query_find(raw_query, len,
		    members[i].name, members[i].text, members[i].size);
		if (found < 0)
			return err_set(err, -EINVAL,
			    "the address has a \"%s\" that cannot be one",
			    members[i].name);
		if (members[i].text == redirect->iss)
			redirect->has_iss = found == 1;
	}
	/* For people only: one that cannot be shown is as none. */
	if (redirect_query_find(raw_query, len, "error_description",
		redirect->description, sizeof(redirect->description)) < 0)
		redirect->description[0] = '\0';
	if (!is_same(redirect->state, state))
		return err_set(
		    err, -EINVAL, "the address is not of this sign-in");
	if ((redirect->code[0] != '\0') == (redirect->error[0] != '\0'))
		return err_set(err, -EINVAL,
		    "the address must have either a code or an error");
	return 0;
}

/* ---- requests -------------------------------------------------------------- */

struct line {
	const char *at;
	size_t len;
};

/* The next line, without its CR LF; false: there is no more. */
static bool
line_next(const char **at, const char *end, struct line *line)
{
	const char *stop = memmem(*at, (size_t)(end - *at), "\r\n", 2);

	if (stop == NULL)
		return false;
	*line = (struct line){ *at, (size_t)(stop - *at) };
	*at = stop + 2;
	return true;
}

static bool
is_visible(const char *text, size_t len, const char *also)
{
	for (size_t i = 0; i < len; i++)
		if ((text[i] <= 0x20 || text[i] > 0x7e) &&
		    (text[i] == '\0' || strchr(also, text[i]) == NULL))
			return false;
	return true;
}

/* "METHOD TARGET HTTP/1.x": the status, and the target. */
static int
request_line_read(const struct line *line, struct line *target)
{
	const char *end = line->at + line->len;
	const char *method_end = memchr(line->at, ' ', line->len);
	const char *target_end = memrchr(line->at, ' ', line->len);

	if (method_end == NULL || target_end <= method_end + 1 ||
	    method_end == line->at || !is_visible(line->at, line->len, " "))
		return 400;
	*target = (struct line){ method_end + 1,
		(size_t)(target_end - method_end) - 1 };
	const size_t version_len = (size_t)(end - target_end) - 1;
	if (memchr(target->at, ' ', target->len) != NULL ||
	    target->at[0] != '/' || version_len != 8 ||
	    (memcmp(target_end + 1, "HTTP/1.1", 8) != 0 &&
		memcmp(target_end + 1, "HTTP/1.0", 8) != 0))
		return 400;
	return method_end - line->at == 3 && memcmp(line->at, "GET", 3) == 0
	    ? 200
	    : 405;
}

/* A header's line; counts those of Host, and how many are not it. */
static bool
header_is_good(const struct line *line, const char *host, unsigned *n_hosts)
{
	const char *colon = memchr(line->at, ':', line->len);

	if (colon == NULL || colon == line->at ||
	    !is_visible(line->at, (size_t)(colon - line->at), ""))
		return false;
	struct line value = { colon + 1,
		(size_t)(line->at + line->len - colon) - 1 };
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.at[i] < 0x20 && value.at[i] != '\t')
			return false;
	if (colon - line->at != 4 || strncasecmp(line->at, "host", 4) != 0)
		return true;
	while (value.len > 0 && (value.at[0] == ' ' || value.at[0] == '\t'))
		value = (struct line){ value.at + 1, value.len - 1 };
	while (value.len > 0 &&
	    (value.at[value.len - 1] == ' ' || value.at[value.len - 1] == '\t'))
		value.len--;
	(*n_hosts)++;
	return value.len == strlen(host) &&
	    memcmp(value.at, host, value.len) == 0;
}

int
redirect_request_read(const char *raw_head, size_t len, const char *host,
    const char **query, size_t *query_len)
{
	const char *at = raw_head, *end = raw_head + len;
	struct line line, target = { 0 };
	unsigned n_hosts = 0;

	if (!line_next(&at, end, &line))
		return 400;
	const int status = request_line_read(&line, &target);
	if (status == 400)
		return 400;
	while (line_next(&at, end, &line) && line.len > 0)
		if (!header_is_good(&line, host, &n_hosts))
			return 400;
	if (n_hosts != 1 || line.len > 0)
		return 400;
	if (status != 200)
		return status;
	const char *mark = memchr(target.at, '?', target.len);
	const size_t path_len =
	    mark != NULL ? (size_t)(mark - target.at) : target.len;
	if (path_len != sizeof(REDIRECT_PATH) - 1 ||
	    memcmp(target.at, REDIRECT_PATH, path_len) != 0)
		return 404;
	*query = mark != NULL ? mark + 1 : target.at + target.len;
	*query_len = (size_t)(target.at + target.len - *query);
	return 200;
}

const char *
redirect_address_query(const char *raw_line, const char *host)
{
	static const char scheme[] = "http://", path[] = REDIRECT_PATH "?";
	const char *at = raw_line;

	if (strncmp(at, scheme, sizeof(scheme) - 1) == 0)
		at += sizeof(scheme) - 1;
	if (strncmp(at, host, strlen(host)) != 0)
		return NULL;
	at += strlen(host);
	return strncmp(at, path, sizeof(path) - 1) == 0 ? at + sizeof(path) - 1
							: NULL;
}
