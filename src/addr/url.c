/* SPDX-License-Identifier: Apache-2.0 */

/* URLs, refused rather than repaired. See url.h. */

#include "addr/url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"

static const struct {
	const char *name;
	uint16_t port;
	enum addr_scheme scheme;
} schemes[] = {
	{ "http", 80, ADDR_HTTP },
	{ "https", 443, ADDR_HTTPS },
	{ "tcp", 0, ADDR_TCP },
};

uint16_t
addr_scheme_port(enum addr_scheme scheme)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (schemes[i].scheme == scheme)
			return schemes[i].port;
	return 0;
}

const char *
addr_scheme_name(enum addr_scheme scheme)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (schemes[i].scheme == scheme)
			return schemes[i].name;
	return "";
}

static bool
is_hex(char byte)
{
	return (byte >= '0' && byte <= '9') ||
	    ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

/* What no URL holds anywhere, the fragment included. */
static int
bytes_check(const char *raw_text, size_t len, struct err *err)
{
	for (size_t i = 0; i < len; i++) {
		const unsigned char byte = (unsigned char)raw_text[i];
		if (byte >= 0x80)
			return err_set(err, -EINVAL,
			    "has a byte beyond ASCII: percent-encode it "
			    "(%%%02X), or write the host as A-labels (xn--…)",
			    byte);
		if (byte <= ' ' || byte == 0x7f)
			return err_set(err, -EINVAL,
			    "has white space or a control at byte %zu", i);
		if (byte == '\\')
			return err_set(err, -EINVAL, "has a backslash");
		if (byte == '%' &&
		    (len - i < 3 || !is_hex(raw_text[i + 1]) ||
			!is_hex(raw_text[i + 2])))
			return err_set(
			    err, -EINVAL, "has a '%%' without two hex digits");
	}
	return 0;
}

/* The bytes behind "://"; the scheme's name is of any case. */
static int
scheme_parse(const char *raw_text, size_t len, enum addr_scheme *scheme,
    size_t *at, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		const size_t n = strlen(schemes[i].name);
		if (schemes[i].scheme == ADDR_TCP || len < n + 3 ||
		    strncasecmp(raw_text, schemes[i].name, n) != 0 ||
		    memcmp(raw_text + n, "://", 3) != 0)
			continue;
		*scheme = schemes[i].scheme;
		*at = n + 3;
		return 0;
	}
	return err_set(err, -EINVAL, "does not begin with http:// or https://");
}

/* One to five digits without a leading zero, 1 to 65535. */
static int
port_parse(const char *raw_text, size_t len, uint16_t *port, struct err *err)
{
	unsigned value = 0;

	if (len == 0)
		return err_set(err, -EINVAL, "has a ':' without a port");
	if (len > 5 || raw_text[0] == '0')
		return err_set(err, -EINVAL,
		    "has a port that is no number from 1 to 65535");
	for (size_t i = 0; i < len; i++) {
		if (raw_text[i] < '0' || raw_text[i] > '9')
			return err_set(err, -EINVAL,
			    "has a port that is no number from 1 to 65535");
		value = value * 10 + (unsigned)(raw_text[i] - '0');
	}
	if (value > UINT16_MAX)
		return err_set(err, -EINVAL,
		    "has a port that is no number from 1 to 65535");
	*port = (uint16_t)value;
	return 0;
}

/* The URL in pieces, before anything of it is kept. */
struct parts {
	enum addr_scheme scheme;
	struct addr_host_name host;
	uint16_t port;
	const char *target; /* may lack its '/' */
	size_t target_len;
};

static int
authority_parse(
    const char *raw_text, size_t len, struct parts *parts, struct err *err)
{
	if (memchr(raw_text, '@', len) != NULL)
		return err_set(err, -EINVAL,
		    "has a user name or password before its host");

	/* an IPv6 address has colons of its own */
	const char *from = memrchr(raw_text, ']', len);
	if (from == NULL)
		from = raw_text;
	const char *colon = memchr(from, ':', len - (size_t)(from - raw_text));
	const size_t host_len =
	    colon == NULL ? len : (size_t)(colon - raw_text);

	parts->port = addr_scheme_port(parts->scheme);
	int r = addr_host_parse(raw_text, host_len, &parts->host, err);
	if (r == 0 && colon != NULL)
		r = port_parse(
		    colon + 1, len - host_len - 1, &parts->port, err);
	return r;
}

/* ".", "..", with dots also written as %2e. */
static bool
is_dot_segment(const char *segment, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; n++) {
		if (segment[i] == '.')
			i++;
		else if (len - i >= 3 &&
		    strncasecmp(segment + i, "%2e", 3) == 0)
			i += 3;
		else
			return false;
	}
	return n == 1 || n == 2;
}

/* The bytes before the first of `stops`: one, or three. */
static size_t
until(const char *text, size_t len, const char *stops)
{
	size_t n = 0;

	while (n < len && text[n] != stops[0] &&
	    (stops[1] == '\0' || (text[n] != stops[1] && text[n] != stops[2])))
		n++;
	return n;
}

static int
path_check(const char *path, size_t len, struct err *err)
{
	for (size_t at = 0; at < len; at++) {
		const size_t n = until(path + at, len - at, "/");
		if (n > 0 && is_dot_segment(path + at, n))
			return err_set(err, -EINVAL,
			    "has a dot segment (\".\" or \"..\") in its path");
		at += n;
	}
	return 0;
}

/* The canonical text; target and path_len point into it. */
static int
url_write(const struct parts *parts, struct addr_url *url, struct err *err)
{
	const bool is_v6 = parts->host.is_ip && parts->host.ip.version == 6;
	const bool has_slash = parts->target_len > 0 && parts->target[0] == '/';
	char head[ADDR_HOST_MAX + 32], *at = head;

	at = stpcpy(at, addr_scheme_name(parts->scheme));
	at = stpcpy(at, is_v6 ? "://[" : "://");
	at = stpcpy(at, parts->host.text);
	if (is_v6)
		*at++ = ']';
	if (parts->port != addr_scheme_port(parts->scheme))
		at += snprintf(at, 8, ":%u", parts->port);
	if (!has_slash)
		*at++ = '/';
	const size_t n = (size_t)(at - head);
	if (n + parts->target_len >= sizeof(url->text))
		return err_set(
		    err, -EINVAL, "is longer than %d bytes", ADDR_URL_MAX - 1);

	url->scheme = parts->scheme;
	url->host = parts->host;
	url->port = parts->port;
	memcpy(url->text, head, n);
	memcpy(url->text + n, parts->target, parts->target_len);
	url->text[n + parts->target_len] = '\0';
	url->target = url->text + n - (has_slash ? 0 : 1);
	url->path_len = strcspn(url->target, "?");
	return 0;
}

int
addr_url_parse(
    const char *raw_text, size_t len, struct addr_url *url, struct err *err)
{
	struct parts parts = { 0 };
	size_t at = 0;

	if (len >= ADDR_URL_MAX)
		return err_set(
		    err, -EINVAL, "is longer than %d bytes", ADDR_URL_MAX - 1);
	int r = bytes_check(raw_text, len, err);
	if (r != 0)
		return r;
	r = scheme_parse(raw_text, len, &parts.scheme, &at, err);
	if (r != 0)
		return r;

	const size_t authority = until(raw_text + at, len - at, "/?#");
	r = authority_parse(raw_text + at, authority, &parts, err);
	if (r != 0)
		return r;
	at += authority;
	parts.target = raw_text + at;
	parts.target_len = until(parts.target, len - at, "#");
	r = path_check(
	    parts.target, until(parts.target, parts.target_len, "?"), err);
	if (r != 0)
		return r;
	return url_write(&parts, url, err);
}

/* How much of the base stands before the reference (RFC 3986 5.2.2). */
static size_t
base_len(const struct addr_url *base, const char *raw_location, size_t len)
{
	const size_t head = (size_t)(base->target - base->text);
	const size_t path = head + base->path_len;
	const char *slash;

	if (len >= 2 && raw_location[0] == '/' && raw_location[1] == '/')
		return strlen(addr_scheme_name(base->scheme)) + 1;
	if (len > 0 && raw_location[0] == '/')
		return head;
	if (len == 0 || raw_location[0] == '#')
		return strlen(base->text);
	if (raw_location[0] == '?')
		return path;
	slash = memrchr(base->text, '/', path);
	return (size_t)(slash - base->text) + 1;
}

/* The bytes before a ':' that ends a scheme, or before what says there is
 * none. */
static size_t
scheme_len(const char *raw_location, size_t len)
{
	const size_t path = until(raw_location, len, "/?#");
	const char *colon = memchr(raw_location, ':', path);

	return colon == NULL ? len : (size_t)(colon - raw_location);
}

int
addr_url_follow(const struct addr_url *base, const char *raw_location,
    size_t len, struct addr_url *url, struct err *err)
{
	char text[2 * ADDR_URL_MAX];
	const size_t first = scheme_len(raw_location, len);

	if (len >= ADDR_URL_MAX)
		return err_set(
		    err, -EINVAL, "is longer than %d bytes", ADDR_URL_MAX - 1);
	if (first < len)
		return addr_url_parse(raw_location, len, url, err);

	const size_t before = base_len(base, raw_location, len);
	memcpy(text, base->text, before);
	memcpy(text + before, raw_location, len);
	return addr_url_parse(text, before + len, url, err);
}
