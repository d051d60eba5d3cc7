/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who may speak to a local server: pure functions over header values. Host and
 * Origin are checked because a page in the user's own browser can reach
 * 127.0.0.1 too (DNS rebinding, cross-site requests).
 */

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether a Host value names this machine's loopback (localhost, 127.0.0.1,
 * [::1]; any port) or an entry of the list: names by comma, each with a port
 * (then that port only) or without (then any). Case does not matter. NULL (no
 * Host at all) is refused.
 */
bool http_host_is_allowed(const char *raw_host, const char *list);

/*
 * Whether an Origin value is http(s) on loopback, or exactly an entry of the
 * list. NULL (not a browser) is allowed; "null" (a browser that hides where it
 * is) is not.
 */
bool http_origin_is_allowed(const char *raw_origin, const char *list);

#define HTTP_TOKEN_HASH_BYTES 32 /* SHA-256 */

/* The hash of the token in an Authorization value "Bearer TOKEN"; false: it is
 * no such value. */
bool http_bearer_hash(
    const char *raw_authorization, uint8_t hash[HTTP_TOKEN_HASH_BYTES]);

/* Whether a header's name is a token, and its value free of control characters
 * (RFC 9110 5.1, 5.5): nothing that could end a line. */
bool http_header_name_is_safe(const char *raw_name);
bool http_header_value_is_safe(const char *raw_value);

/* Whether an Accept value covers the type ("text/event-stream"): exactly, by
 * a wildcard, or by absence (NULL). q=0 is ignored: clients that say it exist
 * only in tests. */
bool http_accepts(const char *raw_accept, const char *type);
