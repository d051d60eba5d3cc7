/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "egress/doors/connect.h"
#include "http/guard.h"

static const char method[] = "CONNECT ";

static int
port_read(const char *raw, size_t len, uint16_t *port, struct err *err)
{
	unsigned long number = 0;

	for (size_t i = 0; i < len && i < 6; i++)
		number = raw[i] >= '0' && raw[i] <= '9'
		    ? number * 10 + (unsigned long)(raw[i] - '0')
		    : UINT16_MAX + 1ul;
	if (len == 0 || len > 5 || raw[0] == '0' || number > UINT16_MAX)
		return err_set(err, -EINVAL, "has a port that is none");
	*port = (uint16_t)number;
	return 0;
}

int
connect_authority_read(const char *raw, size_t len, uint16_t otherwise,
    struct addr_host_name *host, uint16_t *port, struct err *err)
{
	const char *bracket =
	    len > 0 && raw[0] == '[' ? memchr(raw, ']', len) : NULL;
	const size_t from = bracket == NULL ? 0 : (size_t)(bracket - raw);
	const char *colon = memchr(raw + from, ':', len - from);
	const size_t host_len = colon == NULL ? len : (size_t)(colon - raw);
	uint16_t number = otherwise;
	int r = 0;

	if (colon != NULL)
		r = port_read(colon + 1, len - host_len - 1, &number, err);
	else if (otherwise == 0)
		r = err_set(err, -EINVAL, "names no port");
	if (r == 0)
		r = addr_host_parse(raw, host_len, host, err);
	if (r == 0)
		*port = number;
	return r;
}

/* "name: value" without its end; it must say nothing against the target. */
static int
line_check(
    char *line, const struct connect *connect, bool *has_host, struct err *why)
{
	struct addr_host_name host;
	uint16_t port;
	char *colon = strchr(line, ':');

	if (colon == NULL)
		return err_set(why, -EINVAL, "has a header without a colon");
	*colon = '\0';
	char *value = colon + 1 + strspn(colon + 1, " \t");
	if (!http_header_name_is_safe(line) ||
	    !http_header_value_is_safe(value))
		return err_set(why, -EINVAL, "has a header that is malformed");
	if (strcasecmp(line, "Content-Length") == 0 ||
	    strcasecmp(line, "Transfer-Encoding") == 0)
		return err_set(why, -EINVAL,
		    "has a body, which CONNECT has "
		    "not");
	if (strcasecmp(line, "Host") != 0)
		return 0;
	if (*has_host)
		return err_set(why, -EINVAL, "has two Host headers");
	*has_host = true;
	if (connect_authority_read(
		value, strlen(value), connect->port, &host, &port, NULL) != 0 ||
	    strcmp(host.text, connect->host.text) != 0 || port != connect->port)
		return err_set(why, -EINVAL,
		    "names one host to CONNECT to and another in Host");
	return 0;
}

/* "CONNECT host:port HTTP/1.1" */
static int
request_check(char *line, struct connect *connect, struct err *why)
{
	char *target = line + sizeof(method) - 1;
	char *version = strchr(target, ' ');

	if (version == NULL ||
	    (strcmp(version, " HTTP/1.1") != 0 &&
		strcmp(version, " HTTP/1.0") != 0))
		return err_set(why, -EINVAL,
		    "is no request of HTTP/1.1: \"CONNECT host:port "
		    "HTTP/1.1\"");
	return connect_authority_read(target, (size_t)(version - target), 0,
	    &connect->host, &connect->port, why);
}

/* head: NUL-terminated, up to and with the last line's end. */
static int
lines_check(char *head, struct connect *connect, struct err *why)
{
	bool has_host = false;
	int r = 0;

	for (bool is_first = true; r == 0 && *head != '\0'; is_first = false) {
		char *end = strstr(head, "\r\n");
		*end = '\0';
		r = is_first ? request_check(head, connect, why)
			     : line_check(head, connect, &has_host, why);
		head = end + 2;
	}
	return r;
}

enum connect_verdict
connect_read(
    const uint8_t *raw, size_t len, struct connect *connect, struct err *why)
{
	const size_t n = len < sizeof(method) - 1 ? len : sizeof(method) - 1;
	struct connect found = { 0 };

	if (memcmp(raw, method, n) != 0)
		return CONNECT_OTHER;
	const uint8_t *end = memmem(raw, len, "\r\n\r\n", 4);
	if (end == NULL && len < CONNECT_HEAD_MAX)
		return CONNECT_MORE;
	if (end == NULL || end - raw + 4 > (ptrdiff_t)CONNECT_HEAD_MAX) {
		err_set(why, 0, "has a head of more than 8 KiB");
		return CONNECT_BAD;
	}
	found.len = (size_t)(end - raw) + 4;
	if (memchr(raw, '\0', found.len) != NULL) {
		err_set(why, 0, "has a NUL in its head");
		return CONNECT_BAD;
	}
	auto_free char *head = strndup((const char *)raw, found.len - 2);
	if (head == NULL) {
		err_set(why, 0, "finds no memory here");
		return CONNECT_BAD;
	}
	if (lines_check(head, &found, why) != 0)
		return CONNECT_BAD;
	*connect = found;
	return CONNECT_DONE;
}
