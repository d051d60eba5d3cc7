/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which addresses may be dialled: the table of ranges.def, what this host adds,
 * and the IPv4 addresses that ride inside IPv6 ones.
 */

#include <string.h>

#include "addr/ip.h"
#include "base/auto.h"

/* The 16 bytes as two numbers; an IPv4 address is the top half of the first. */
struct words {
	uint64_t high;
	uint64_t low;
};

/* A row, ready to be compared: a mask says which bits count. */
struct row_key {
	struct words net;
	struct words mask;
};

#define V4_WORD(a, b, c, d)                                                    \
	((uint64_t)(a) << 56 | (uint64_t)(b) << 48 | (uint64_t)(c) << 40 |     \
	    (uint64_t)(d) << 32)
#define V6_WORD(a, b, c, d)                                                    \
	((uint64_t)(a) << 48 | (uint64_t)(b) << 32 | (uint64_t)(c) << 16 |     \
	    (uint64_t)(d))
#define MASK_HIGH(bits)                                                        \
	((bits) >= 64 ? UINT64_MAX : ~(UINT64_MAX >> ((bits) % 64)))
#define MASK_LOW(bits)                                                         \
	((bits) <= 64           ? 0                                            \
		: (bits) >= 128 ? UINT64_MAX                                   \
				: ~(UINT64_MAX >> ((bits) % 64)))
#define GROUP(g) (uint8_t)((g) >> 8), (uint8_t)((g)&0xff)

static const struct addr_range ranges[] = {
#define R4(a, b, c, d, bits, name, source)                                     \
	{ { { { a, b, c, d }, 4 }, bits }, name, source },
#define R6(a, b, c, d, e, f, g, h, bits, name, source)                         \
	{ { { { GROUP(a), GROUP(b), GROUP(c), GROUP(d), GROUP(e), GROUP(f),    \
		  GROUP(g), GROUP(h) },                                        \
		6 },                                                           \
	      bits },                                                          \
		name, source },
#include "addr/ranges.def"
#undef R4
#undef R6
};

static const struct row_key keys[] = {
#define R4(a, b, c, d, bits, name, source)                                     \
	{ { V4_WORD(a, b, c, d), 0 }, { MASK_HIGH(bits), 0 } },
#define R6(a, b, c, d, e, f, g, h, bits, name, source)                         \
	{ { V6_WORD(a, b, c, d), V6_WORD(e, f, g, h) },                        \
		{ MASK_HIGH(bits), MASK_LOW(bits) } },
#include "addr/ranges.def"
#undef R4
#undef R6
};

enum {
	N_V4 = 0
#define R4(...) +1
#define R6(...)
#include "addr/ranges.def"
#undef R4
#undef R6
};

static const struct addr_range own_row = { { { { 0 }, 0 }, 0 },
	"an address of this host", "its interfaces" };
static const struct addr_range denied_row = { { { { 0 }, 0 }, 0 },
	"denied by the operator", "egress.denied" };
static const struct addr_range unknown_row = { { { { 0 }, 0 }, 0 },
	"no IP address", "RFC 791, RFC 8200" };

const struct addr_range *
addr_range_at(size_t i)
{
	return i < ARRAY_LEN(ranges) ? &ranges[i] : NULL;
}

static struct words
words_of(const struct addr_ip *ip)
{
	struct words words;

	memcpy(&words.high, ip->bytes, 8);
	memcpy(&words.low, ip->bytes + 8, 8);
	words.high = __builtin_bswap64(words.high);
	words.low = __builtin_bswap64(words.low);
	if (ip->version == 4)
		words = (struct words){ words.high & MASK_HIGH(32), 0 };
	return words;
}

static const struct addr_range *
table_find(const struct addr_ip *ip, struct words words)
{
	const size_t end = ip->version == 4 ? N_V4 : ARRAY_LEN(keys);

	for (size_t i = ip->version == 4 ? 0 : N_V4; i < end; i++)
		if ((((words.high ^ keys[i].net.high) & keys[i].mask.high) |
			((words.low ^ keys[i].net.low) & keys[i].mask.low)) ==
		    0)
			return &ranges[i];
	return NULL;
}

static bool
is_same(const struct addr_ip *ip, uint8_t version, struct words words)
{
	const struct words other = words_of(ip);

	return ip->version == version && other.high == words.high &&
	    other.low == words.low;
}

static const struct addr_range *
outer_refused(const struct addr_ip *ip, const struct addr_host *host)
{
	const struct words words = words_of(ip);
	const struct addr_range *row = table_find(ip, words);

	if (row != NULL || host == NULL)
		return row;
	for (size_t i = 0; i < host->n_own; i++)
		if (is_same(&host->own[i], ip->version, words))
			return &own_row;
	for (size_t i = 0; i < host->n_denied; i++)
		if (addr_prefix_has(&host->denied[i], ip))
			return &denied_row;
	return NULL;
}

/* An IPv4 address inside: `mask` turns Teredo's client back. */
static const struct addr_range *
inner_refused(
    const uint8_t bytes[4], uint8_t mask, const struct addr_host *host)
{
	struct addr_ip inner = { .version = 4 };

	for (size_t i = 0; i < 4; i++)
		inner.bytes[i] = bytes[i] ^ mask;
	return outer_refused(&inner, host);
}

/* The forms whose place is known by their prefix (RFC 4291, 2765, 3056, 4380;
 * RFC 6052 with the well-known prefix). */
static const struct {
	struct addr_prefix prefix;
	uint8_t at;
	uint8_t mask;
} forms[] = {
	{ { { { 0 }, 6 }, 96 }, 12, 0 },
	{ { { { [10] = 0xff, [11] = 0xff }, 6 }, 96 }, 12, 0 },
	{ { { { [8] = 0xff, [9] = 0xff }, 6 }, 96 }, 12, 0 },
	{ { { { [1] = 0x64, [2] = 0xff, [3] = 0x9b }, 6 }, 96 }, 12, 0 },
	{ { { { 0x20, 0x02 }, 6 }, 16 }, 2, 0 },
	{ { { { 0x20, 0x01 }, 6 }, 32 }, 4, 0 }, /* the Teredo server */
	{ { { { 0x20, 0x01 }, 6 }, 32 }, 12, 0xff }, /* and the client */
};

/* RFC 5214: ::0:5efe:a.b.c.d below any /64; bits u and g may be set. */
static bool
is_isatap(const uint8_t bytes[16])
{
	return (bytes[8] & 0xfc) == 0 && bytes[9] == 0 && bytes[10] == 0x5e &&
	    bytes[11] == 0xfe;
}

/* RFC 6052 2.2: the address follows the prefix, but byte 8 is left out. */
static bool
nat64_inner(const struct addr_prefix *prefix, const struct addr_ip *ip,
    uint8_t inner[4])
{
	size_t at = prefix->len / 8u;

	if (prefix->len < 32 || prefix->len > 96 || prefix->len % 8 != 0 ||
	    !addr_prefix_has(prefix, ip))
		return false;
	for (size_t i = 0; i < 4; i++) {
		if (at == 8)
			at++;
		inner[i] = ip->bytes[at++];
	}
	return true;
}

static const struct addr_range *
nat64_refused(const struct addr_ip *ip, const struct addr_host *host)
{
	/* RFC 8215: a network may put any prefix of 48 to 96 bits there; all
	 * of it is in the table, the commonest tells what is inside. */
	static const struct addr_prefix local = {
		{ { [1] = 0x64, [2] = 0xff, [3] = 0x9b, [5] = 1 }, 6 }, 96
	};
	const struct addr_range *row = NULL;
	uint8_t inner[4];

	if (nat64_inner(&local, ip, inner))
		row = inner_refused(inner, 0, host);
	for (size_t i = 0; row == NULL && host != NULL && i < host->n_nat64;
	     i++)
		if (nat64_inner(&host->nat64[i], ip, inner))
			row = inner_refused(inner, 0, host);
	return row;
}

static const struct addr_range *
embedded_refused(const struct addr_ip *ip, const struct addr_host *host)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (!addr_prefix_has(&forms[i].prefix, ip))
			continue;
		const struct addr_range *row =
		    inner_refused(ip->bytes + forms[i].at, forms[i].mask, host);
		if (row != NULL)
			return row;
	}
	if (is_isatap(ip->bytes)) {
		const struct addr_range *row =
		    inner_refused(ip->bytes + 12, 0, host);
		if (row != NULL)
			return row;
	}
	return nat64_refused(ip, host);
}

const struct addr_range *
addr_refused(const struct addr_ip *ip, const struct addr_host *host)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (ip->version == 4)
		return outer_refused(ip, host);
	if (ip->version != 6)
		return &unknown_row;

	/* :: and ::1 have names of their own; all else is named by what is
	 * inside, if that is what forbids it */
	if (memcmp(ip->bytes, one, 15) == 0 && ip->bytes[15] <= 1)
		return outer_refused(ip, host);
	const struct addr_range *row = embedded_refused(ip, host);
	return row != NULL ? row : outer_refused(ip, host);
}
