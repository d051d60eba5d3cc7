/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Certificates that are made here: what the authority's own and those of its
 * hosts have in common, and the latter. X.509 v3, RFC 5280. */

#include <openssl/ssl.h>
#include <stdbool.h>

struct leaf_extension {
	int nid;
	const char *value; /* as x509v3_config(5) has it */
};

/* Version, a random serial number, from yesterday for so long, key. */
bool leaf_begin(X509 *cert, EVP_PKEY *key, long seconds);
bool
leaf_extend(X509 *cert, X509 *issuer, const struct leaf_extension *extension);

struct leaves;

/* Reads an authority: PEM with its certificate and key, in any order. -EINVAL,
 * -ENOMEM. */
int leaves_new(struct leaves **leavesp, const char *pem, size_t len);
struct leaves *leaves_free(struct leaves *leaves);
/* A server's end of TLS for this host (canonical; it must outlive it), which its
 * SNI must name, if there is one: TLS 1.2 or later, http/1.1, nothing resumed.
 * The caller frees it; NULL: there is none. */
SSL *leaves_accept(struct leaves *leaves, char *host, bool is_ip);
