/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * IP addresses, and which of them may be dialled. Pure functions; nothing here
 * asks a resolver, a file or the clock.
 *
 * Parsing is strict: what has more than one spelling in the wild has one here.
 * IPv4: four decimal numbers without leading zeros. IPv6: RFC 4291 without zone
 * id, any case. Everything else (short forms, octal, hex, one number, brackets,
 * white space, digits that are not ASCII) is no address.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDR_IP_TEXT_MAX 46 /* with the NUL: INET6_ADDRSTRLEN */

struct addr_ip {
	uint8_t bytes[16]; /* in network order; IPv4: the first 4, then zeros */
	uint8_t version; /* 4 or 6 */
};

/* False: it is no address. */
bool addr_ip_parse(const char *raw_text, size_t len, struct addr_ip *ip);
/* RFC 5952. */
void addr_ip_put(const struct addr_ip *ip, char text[ADDR_IP_TEXT_MAX]);
bool addr_ip_equal(const struct addr_ip *a, const struct addr_ip *b);

struct sockaddr;
/* False: it is of neither family. */
bool addr_ip_from(const struct sockaddr *raw, struct addr_ip *ip);

/* A prefix: of the table, of a NAT64, of an interface. */
struct addr_prefix {
	struct addr_ip ip;
	uint8_t len; /* bits */
};

bool
addr_prefix_has(const struct addr_prefix *prefix, const struct addr_ip *ip);

/* A row of the table (ranges.def): what may not be dialled, and who says so. */
struct addr_range {
	struct addr_prefix prefix;
	const char *name; /* "private use", "link local", "cloud metadata" */
	const char *source; /* "RFC 1918", "IANA IPv4 Special-Purpose" */
};

/* What is known of this host besides the table: all borrowed. */
struct addr_host {
	const struct addr_ip *own; /* addresses of its interfaces */
	size_t n_own;
	const struct addr_prefix *nat64; /* configured ones; RFC 6052 lengths */
	size_t n_nat64;
	const struct addr_prefix
	    *denied; /* the operator's own, e.g. clusters */
	size_t n_denied;
};

/*
 * NULL: it may be dialled. Else the row that forbids it (static). Addresses
 * that carry an IPv4 address inside (mapped, compatible, translated, NAT64,
 * 6to4, Teredo, ISATAP) are forbidden where the inner one is, and where the
 * table has the outer one. There is no switch: `host` only adds.
 */
const struct addr_range *
addr_refused(const struct addr_ip *ip, const struct addr_host *host);

/* The table, for documents and tests; NULL past the last. */
const struct addr_range *addr_range_at(size_t i);
