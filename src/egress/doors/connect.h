/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The head of a CONNECT, and the authority of a Host: pure functions over what
 * a stranger wrote (RFC 9110 7.2, 9.3.6; RFC 9112 3.2.3).
 */

#include "addr/url.h"

#define CONNECT_HEAD_MAX 8192u

enum connect_verdict {
	CONNECT_DONE,
	CONNECT_MORE, /* so far it is one */
	CONNECT_OTHER, /* another method: not looked at any further */
	CONNECT_BAD,
};

struct connect {
	size_t len; /* of the head, its empty line included */
	struct addr_host_name host;
	uint16_t port;
};

/* CONNECT_BAD: and why, as a sentence's end. */
enum connect_verdict connect_read(
    const uint8_t *raw, size_t len, struct connect *connect, struct err *why);

/* "host", "host:port", "[v6]:port". `otherwise`: the port where none is
 * written; 0: one must be. -EINVAL and a sentence's end. */
int connect_authority_read(const char *raw, size_t len, uint16_t otherwise,
    struct addr_host_name *host, uint16_t *port, struct err *err);
