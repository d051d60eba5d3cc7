/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The first message of TLS, read for the one thing it says in clear: which host
 * is meant. A pure function; RFC 8446 4.1.2, RFC 6066 3, RFC 9849 (ECH).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HELLO_BYTES_MAX (16u << 10) /* records and all */
#define HELLO_NAME_MAX 256u /* with the NUL */

enum hello_verdict {
	HELLO_DONE, /* hello is filled in */
	HELLO_MORE, /* so far it is one; more of it must come */
	HELLO_BAD, /* no ClientHello, or none that is read one way only */
};

struct hello {
	bool has_name;
	bool has_ech; /* the real name is hidden, or says that it may be */
	bool speaks_http1; /* no ALPN, or one that has "http/1.1" */
	char
	    name[HELLO_NAME_MAX]; /* raw: no NUL inside, nothing else is sure */
};

/*
 * Reads what came so far, from its first byte; the message may lie in any
 * number of records. HELLO_BAD, and why (a sentence's end, static): not TLS,
 * over HELLO_BYTES_MAX, lengths that do not fit, an extension twice, several
 * names, a NUL in the name. hello is filled in for HELLO_DONE only.
 */
enum hello_verdict hello_read(const uint8_t *raw_bytes, size_t len,
    struct hello *hello, const char **why);
