/* SPDX-License-Identifier: Apache-2.0 */

/* The text of addresses, and prefixes. One spelling is read; see ip.h. */

#include "addr/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define GROUPS 8u

/* "0" to "255": no sign, no leading zero. The bytes read; 0: it is none. */
static size_t
octet_parse(const char *raw_text, size_t len, uint8_t *octet)
{
	unsigned value = 0;
	size_t n = 0;

	while (n < len && n < 3 && raw_text[n] >= '0' && raw_text[n] <= '9')
		value = value * 10 + (unsigned)(raw_text[n++] - '0');
	if (n == 0 || value > 255 || (n > 1 && raw_text[0] == '0'))
		return 0;
	*octet = (uint8_t)value;
	return n;
}

static bool
v4_parse(const char *raw_text, size_t len, uint8_t bytes[4])
{
	size_t at = 0;

	for (int i = 0; i < 4; i++) {
		if (i > 0 && (at == len || raw_text[at++] != '.'))
			return false;
		const size_t n =
		    octet_parse(raw_text + at, len - at, &bytes[i]);
		if (n == 0)
			return false;
		at += n;
	}
	return at == len;
}

static int
hex_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	return -1;
}

/* One to four hex digits. The bytes read; 0: it is none. */
static size_t
group_parse(const char *raw_text, size_t len, uint8_t bytes[2])
{
	unsigned value = 0;
	size_t n = 0;

	for (; n < len && n < 4 && hex_value(raw_text[n]) >= 0; n++)
		value = value << 4 | (unsigned)hex_value(raw_text[n]);
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
	return n;
}

/*
 * Groups with ':' between them, until the end or "::"; the last four bytes may
 * be written as IPv4 where `room` has two groups left and the text ends there.
 * The bytes read, (size_t)-1: they are none. `room` becomes what is left.
 */
static size_t
groups_parse(const char *raw_text, size_t len, uint8_t *bytes, size_t *room)
{
	size_t at = 0, out = 0;

	while (at < len) {
		if (*room >= 2 &&
		    v4_parse(raw_text + at, len - at, bytes + out)) {
			*room -= 2;
			return len;
		}
		const size_t n = *room == 0
		    ? 0
		    : group_parse(raw_text + at, len - at, bytes + out);
		if (n == 0)
			return (size_t)-1;
		out += 2;
		*room -= 1;
		at += n;
		if (at == len ||
		    (len - at >= 2 && raw_text[at] == ':' &&
			raw_text[at + 1] == ':'))
			return at;
		if (raw_text[at++] != ':')
			return (size_t)-1;
		if (at == len) /* a ':' at the end */
			return (size_t)-1;
	}
	return at;
}

static bool
v6_parse(const char *raw_text, size_t len, uint8_t bytes[16])
{
	uint8_t tail[16] = { 0 };
	size_t room = GROUPS, at = 0;

	memset(bytes, 0, 16);
	if (len < 2 || raw_text[0] != ':' || raw_text[1] != ':')
		at = groups_parse(raw_text, len, bytes, &room);
	if (at == (size_t)-1)
		return false;
	if (at == len)
		return room == 0;

	/* "::" stands for one group of zeros at least (RFC 5952 4.2.2 would
	 * have two, but readers take one) */
	const size_t before = GROUPS - room;
	if (groups_parse(raw_text + at + 2, len - at - 2, tail, &room) !=
		len - at - 2 ||
	    room == 0)
		return false;
	const size_t n_tail = GROUPS - room - before;
	memcpy(bytes + 16 - 2 * n_tail, tail, 2 * n_tail);
	return true;
}

bool
addr_ip_parse(const char *raw_text, size_t len, struct addr_ip *ip)
{
	struct addr_ip parsed = { 0 };

	if (len == 0 || len >= ADDR_IP_TEXT_MAX)
		return false;
	if (memchr(raw_text, ':', len) == NULL) {
		parsed.version = 4;
		if (!v4_parse(raw_text, len, parsed.bytes))
			return false;
	} else {
		parsed.version = 6;
		if (!v6_parse(raw_text, len, parsed.bytes))
			return false;
	}
	*ip = parsed;
	return true;
}

/* The longest run of groups that are zero, two at least, the first of equals;
 * its length, or 0. */
static size_t
zeros_find(const uint16_t groups[GROUPS], size_t *start)
{
	size_t best = 0;

	for (size_t i = 0; i < GROUPS; i++) {
		size_t n = 0;
		while (i + n < GROUPS && groups[i + n] == 0)
			n++;
		if (n > best) {
			best = n;
			*start = i;
		}
		i += n;
	}
	return best >= 2 ? best : 0;
}

/* Without leading zeros. The end of it. */
static char *
group_put(char *at, uint16_t group)
{
	for (int shift = 12; shift >= 0; shift -= 4)
		if (group >> shift != 0 || shift == 0)
			*at++ = "0123456789abcdef"[group >> shift & 0xf];
	return at;
}

static char *
v4_put(char *at, const uint8_t bytes[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*at++ = '.';
		if (bytes[i] >= 100)
			*at++ = (char)('0' + bytes[i] / 100);
		if (bytes[i] >= 10)
			*at++ = (char)('0' + bytes[i] / 10 % 10);
		*at++ = (char)('0' + bytes[i] % 10);
	}
	return at;
}

static char *
v6_put(char *at, const uint8_t bytes[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint16_t groups[GROUPS];
	size_t start = 0;

	if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
		return v4_put(stpcpy(at, "::ffff:"), bytes + 12);
	for (size_t i = 0; i < GROUPS; i++)
		groups[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);

	const size_t n_zeros = zeros_find(groups, &start);
	for (size_t i = 0; i < GROUPS; i++) {
		if (n_zeros > 0 && i == start) {
			at = stpcpy(at, i + n_zeros == GROUPS ? "::" : ":");
			i += n_zeros - 1;
			continue;
		}
		if (i > 0)
			*at++ = ':';
		at = group_put(at, groups[i]);
	}
	return at;
}

void
addr_ip_put(const struct addr_ip *ip, char text[ADDR_IP_TEXT_MAX])
{
	*(ip->version == 6 ? v6_put(text, ip->bytes)
			   : v4_put(text, ip->bytes)) = '\0';
}

bool
addr_ip_equal(const struct addr_ip *a, const struct addr_ip *b)
{
	return a->version == b->version &&
	    memcmp(a->bytes, b->bytes, a->version == 4 ? 4 : 16) == 0;
}

bool
addr_ip_from(const struct sockaddr *raw, struct addr_ip *ip)
{
	struct addr_ip parsed = { 0 };

	if (raw->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, raw, sizeof(in));
		parsed.version = 4;
		memcpy(parsed.bytes, &in.sin_addr, 4);
	} else if (raw->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, raw, sizeof(in6));
		parsed.version = 6;
		memcpy(parsed.bytes, &in6.sin6_addr, 16);
	} else {
		return false;
	}
	*ip = parsed;
	return true;
}

bool
addr_prefix_has(const struct addr_prefix *prefix, const struct addr_ip *ip)
{
	const size_t whole = prefix->len / 8u, rest = prefix->len % 8u;

	if (prefix->ip.version != ip->version ||
	    prefix->len > (ip->version == 4 ? 32 : 128))
		return false;
	if (memcmp(prefix->ip.bytes, ip->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	    (prefix->ip.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest) == 0;
}
