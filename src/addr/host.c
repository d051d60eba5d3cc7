/* SPDX-License-Identifier: Apache-2.0 */

/* Hosts: addresses, and names of the DNS. See url.h. */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "addr/url.h"
#include "base/auto.h"

#define LABEL_MAX 63u

static const struct {
	const char *name;
	const char *reason;
} names[] = {
#define NAME(name, reason) { name, reason },
#include "addr/names.def"
#undef NAME
};

static bool
is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool
is_letter(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* WHATWG URL, "ends in a number": readers that are less strict take such a
 * name for an IPv4 address. */
static bool
is_number(const char *label, size_t len)
{
	size_t at = 0;

	if (len >= 2 && label[0] == '0' && (label[1] | 0x20) == 'x')
		return strspn(label + 2, "0123456789abcdefABCDEF") >= len - 2;
	while (at < len && is_digit(label[at]))
		at++;
	return at == len;
}

/* A byte that no name has, said so that a person finds it. */
static int
byte_refuse(unsigned char byte, struct err *err)
{
	if (byte >= 0x80)
		return err_set(err, -EINVAL,
		    "has a byte beyond ASCII: write the name as A-labels "
		    "(xn--…)");
	if (byte <= ' ' || byte == 0x7f)
		return err_set(
		    err, -EINVAL, "has white space or a control in its host");
	return err_set(err, -EINVAL, "has '%c' in its host", byte);
}

static int
label_check(const char *label, size_t len, struct err *err)
{
	if (len == 0)
		return err_set(
		    err, -EINVAL, "has two dots in a row, or one at its start");
	if (len > LABEL_MAX)
		return err_set(
		    err, -EINVAL, "has a part of more than 63 bytes");
	if (label[0] == '-' || label[len - 1] == '-')
		return err_set(
		    err, -EINVAL, "has a part that begins or ends with '-'");
	return 0;
}

/* Into text, lower case. */
static int
name_parse(
    const char *raw_text, size_t len, char text[ADDR_HOST_MAX], struct err *err)
{
	size_t start = 0;

	if (len >= ADDR_HOST_MAX)
		return err_set(
		    err, -EINVAL, "has a host of more than 253 bytes");
	for (size_t i = 0; i < len; i++) {
		const char byte = raw_text[i];
		if (!is_letter(byte) && !is_digit(byte) && byte != '-' &&
		    byte != '_' && byte != '.')
			return byte_refuse((unsigned char)byte, err);
		text[i] = is_letter(byte) ? (char)(byte | 0x20) : byte;
	}
	text[len] = '\0';
	if (text[len - 1] == '.')
		return err_set(err, -EINVAL, "has a dot at its end");
	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != '.')
			continue;
		const int r = label_check(text + start, i - start, err);
		if (r != 0)
			return r;
		if (i < len)
			start = i + 1;
	}
	if (is_number(text + start, len - start))
		return err_set(err, -EINVAL,
		    "ends in a number, but is no IPv4 address of four decimal "
		    "numbers");
	return 0;
}

static int
bracketed_parse(const char *raw_text, size_t len, struct addr_host_name *host,
    struct err *err)
{
	if (len < 2 || raw_text[len - 1] != ']' ||
	    !addr_ip_parse(raw_text + 1, len - 2, &host->ip) ||
	    host->ip.version != 6)
		return err_set(err, -EINVAL,
		    "has brackets around what is no IPv6 address (a zone id "
		    "is not taken)");
	host->is_ip = true;
	addr_ip_put(&host->ip, host->text);
	return 0;
}

int
addr_host_parse(const char *raw_text, size_t len, struct addr_host_name *host,
    struct err *err)
{
	struct addr_host_name parsed = { .is_ip = false };

	if (len == 0)
		return err_set(err, -EINVAL, "has no host");
	if (raw_text[0] == '[') {
		const int r = bracketed_parse(raw_text, len, &parsed, err);
		if (r != 0)
			return r;
	} else if (addr_ip_parse(raw_text, len, &parsed.ip)) {
		if (parsed.ip.version == 6)
			return err_set(err, -EINVAL,
			    "has an IPv6 address without brackets");
		parsed.is_ip = true;
		addr_ip_put(&parsed.ip, parsed.text);
	} else {
		const int r = name_parse(raw_text, len, parsed.text, err);
		if (r != 0)
			return r;
	}
	*host = parsed;
	return 0;
}

static bool
is_or_below(const char *host, size_t len, const char *name)
{
	const size_t n = strlen(name);

	return len >= n && strncasecmp(host + len - n, name, n) == 0 &&
	    (len == n || host[len - n - 1] == '.');
}

const char *
addr_name_is_special(const char *host)
{
	size_t len = strlen(host);
	struct addr_ip ip;

	if (addr_ip_parse(host, len, &ip))
		return NULL;
	if (len > 0 && host[len - 1] == '.') /* a name of the wire's */
		len--;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (is_or_below(host, len, names[i].name))
			return names[i].reason;
	if (memchr(host, '.', len) == NULL)
		return "is a single label: a machine or service nearby";
	return NULL;
}
