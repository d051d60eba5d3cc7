/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Hosts and URLs, parsed once and strictly: what is not exactly right is
 * refused, never repaired; the same bytes then go to policy, resolver, dialler
 * and log.
 *
 * A host is an IPv4 address, an IPv6 address in brackets, or a DNS name of
 * letters, digits and inner hyphens (RFC 1123; "_" too), at most 253 bytes,
 * labels of 1 to 63, no dot at the end, made lower case. Its last label is not
 * a number (WHATWG: it would be an address in another spelling). Names beyond
 * ASCII must come as A-labels.
 */

#include "addr/ip.h"
#include "base/err.h"

#define ADDR_HOST_MAX 254 /* with the NUL */
#define ADDR_URL_MAX 8192 /* with the NUL */

struct addr_host_name {
	char text[ADDR_HOST_MAX]; /* lower case; an address as addr_ip_put() has
				   * it, without brackets */
	bool is_ip;
	struct addr_ip ip; /* if it is one */
};

/* -EINVAL and a sentence's end ("has a dot at its end"). A name that never
 * leads outside (addr_name_is_special) is well-formed all the same. */
int addr_host_parse(const char *raw_text, size_t len,
    struct addr_host_name *host, struct err *err);

/*
 * Names that are not for the public DNS, or name what is inside: RFC 6761 and
 * its registry (localhost, local, invalid, test, onion, arpa …), RFC 8375,
 * internal, metadata services, clusters, container hosts. Returns the row (its
 * reason); NULL: it is none. A single label is one.
 */
const char *addr_name_is_special(const char *host);

enum addr_scheme {
	ADDR_HTTP = 1,
	ADDR_HTTPS = 2,
	ADDR_TCP = 4, /* in rules: bytes, whatever they are */
};

struct addr_url {
	enum addr_scheme scheme; /* HTTP or HTTPS */
	struct addr_host_name host;
	uint16_t port; /* the scheme's if none was written */
	const char *target; /* path and query, from '/'; inside text */
	size_t path_len; /* of the path in it, without the query */
	char text[ADDR_URL_MAX]; /* the canonical URL, NUL-terminated:
				  * scheme://host[:port]target, no fragment */
};

/*
 * An absolute http or https URL. Refused: userinfo, empty host or port, ports
 * beyond 65535 or with a leading zero, a backslash, white space, controls,
 * bytes beyond ASCII, '%' without two hex digits, a host that
 * addr_host_parse() refuses. A fragment is cut off. Dot segments ("/a/../b",
 * also as %2e) are refused in the path: a prefix rule could be talked into
 * another folder. -EINVAL and a sentence's end.
 */
int addr_url_parse(
    const char *raw_text, size_t len, struct addr_url *url, struct err *err);

/* Location of a redirect, against the URL that answered: absolute, or from
 * '/', or "//host/…", or "?query", or relative. Same refusals. */
int addr_url_follow(const struct addr_url *base, const char *raw_location,
    size_t len, struct addr_url *url, struct err *err);

uint16_t addr_scheme_port(enum addr_scheme scheme); /* 80, 443; TCP: 0 */
const char *addr_scheme_name(enum addr_scheme scheme); /* "https" */
