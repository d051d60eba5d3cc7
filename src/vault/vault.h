/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Secrets, sealed: at rest in the store's database, and on their way to it.
 *
 *   at rest   XChaCha20-Poly1305-IETF with the vault key. The additional data
 *             are all that the secret is bound to, so a row whose tenant,
 *             server, name, host, port, kind, field, form or principal was
 *             changed does not open. A login (the tokens of one who signed
 *             in, and what they are renewed with) is bound to tenant, server,
 *             principal and the server's URL.
 *   on its    a sealed box (X25519) to the public key of the vault, made by who
 *   way       typed the secret: the gateway between does not see it, and
 *             cannot give it to another server or host, since what it is bound
 *             to is in the box.
 *
 * The vault key is a ring: the first key seals, each opens. Both shapes are
 * bytes with every field's length before it.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/egress.h"

#define VAULT_KEY 32
#define VAULT_KEYS_MAX 8u
#define VAULT_KEY_ID 8
#define VAULT_PUBLIC 32

#define VAULT_E_KEY 1 /* sealed with a key that is not in the ring */
#define VAULT_E_FORGED 2 /* changed, or made for something else */

/* As `cordon serve` hands it to the store, in a sealed memfd. */
struct vault_ring {
	uint32_t n; /* 0: there is none */
	uint32_t reserved;
	uint8_t keys[VAULT_KEYS_MAX][VAULT_KEY];
};

/*
 * Keys as text, parted by white space or commas: 32 bytes in hex or base64
 * (either alphabet), at most VAULT_KEYS_MAX, each once. Negative errno and a
 * sentence's end that shows no key.
 */
int vault_ring_parse(
    struct vault_ring *ring, const char *raw_text, size_t len, struct err *err);
void vault_ring_fini(struct vault_ring *ring);
/* A new key as text, in base64. */
#define VAULT_KEY_TEXT 45 /* with the NUL */
void vault_key_draw(char text[VAULT_KEY_TEXT]);

/* What names a key and tells nothing of it. */
void vault_key_id(const uint8_t key[VAULT_KEY], uint8_t id[VAULT_KEY_ID]);
/* What secrets are sent to: of the first key. */
void
vault_public(const struct vault_ring *ring, uint8_t public_key[VAULT_PUBLIC]);

/* What a secret is bound to: these, and all of the struct but the value. */
struct vault_owner {
	const char *tenant;
	const char *server;
};

/* id | nonce | ciphertext | tag */
#define VAULT_SEALED_EXTRA (VAULT_KEY_ID + 24 + 16)
#define VAULT_SEALED_MAX (VAULT_SEALED_EXTRA + WIRE_SECRET_VALUE_MAX)

/* With the first key. Returns the bytes; the ring has a key. */
size_t
vault_seal(const struct vault_ring *ring, const struct vault_owner *owner,
    const struct wire_egress_secret *secret, uint8_t sealed[VAULT_SEALED_MAX]);
/* Sets the value; `which` is the key that it was sealed with. VAULT_E_…. */
int vault_open(const struct vault_ring *ring, const struct vault_owner *owner,
    const uint8_t *raw_sealed, size_t len, struct wire_egress_secret *secret,
    uint32_t *which);

/* The same of a login; `sealed` has room for VAULT_SEALED_EXTRA more than `len`,
 * which is VAULT_LOGIN_MAX at most. */
#define VAULT_LOGIN_MAX 32768u
size_t vault_login_seal(const struct vault_ring *ring,
    const struct vault_owner *owner, uint32_t principal, const char *url,
    const void *bytes, size_t len, uint8_t *sealed);
/* *n bytes; VAULT_E_…, and none. */
int
vault_login_open(const struct vault_ring *ring, const struct vault_owner *owner,
    uint32_t principal, const char *url, const uint8_t *raw_sealed, size_t len,
    uint8_t bytes[VAULT_LOGIN_MAX], size_t *n, uint32_t *which);

#define VAULT_LETTER_MAX (WIRE_SECRET_VALUE_MAX + 1280)

/* To the store. `issued`: ms since 1970; a store that has a newer one refuses
 * it. Returns the bytes; 0: the key is none. */
size_t vault_letter_write(const uint8_t public_key[VAULT_PUBLIC],
    const struct vault_owner *owner, const struct wire_egress_secret *secret,
    uint64_t issued, uint8_t letter[VAULT_LETTER_MAX]);
/* Sets the value. VAULT_E_KEY: not to this vault, or changed; VAULT_E_FORGED:
 * what is asked for is not what is in it. */
int vault_letter_open(const struct vault_ring *ring,
    const struct vault_owner *owner, const uint8_t *raw_letter, size_t len,
    struct wire_egress_secret *secret, uint64_t *issued);

/* ---- form.c: what may be bound to what --------------------------------------
 */

/* "https://HOST:PORT", canonical into the secret; IPv6 in brackets. -EINVAL and
 * a sentence's end. */
int vault_host_set(struct wire_egress_secret *secret, const char *raw_host,
    uint16_t port, struct err *err);
/* The same of HOST, HOST:PORT, [IPV6] or [IPV6]:PORT; without a port: 443. */
int vault_place_set(
    struct wire_egress_secret *secret, const char *raw_text, struct err *err);
/* Kind, field and template belong together; what is missing is filled in. NULL,
 * or what is wrong, beginning with the part: "/field: ...". */
const char *vault_form_complaint(struct wire_egress_secret *secret);
/* The same of the value; it is not shown. */
const char *vault_value_complaint(const struct wire_egress_secret *secret);

/* ---- client.c: the secret of an OAuth client ----------------------------------
 */

/* What the letter of a client's secret is bound to, all but the value: it is
 * told to nobody but this issuer's token endpoint, for this client. No host:
 * it is no secret that egress puts in. */
void vault_client_bind(struct wire_egress_secret *secret, const char *issuer,
    const char *client_id, uint32_t principal);

/* ---- begin.c: beginning a sign-in ---------------------------------------------
 */

#define VAULT_PROOF_KEY 32
#define VAULT_PROOF 32

/* What a sign-in is begun with; NULL: it is not said. */
struct vault_begin {
	const char *redirect_uri;
	const char *scope;
	const char *issuer;
	const char *client_id;
	uint32_t principal;
};

/* What the letter of the key of a proof is bound to, all but the value: with
 * another begin, server or tenant it is of no use. */
void vault_begin_bind(
    struct wire_egress_secret *secret, const struct vault_begin *begin);

/* What the store found, and a person is shown; texts below 64 KiB. */
struct vault_offer {
	const char *url;
	const char *issuer;
	const char *resource;
	const char *scope;
	const char *registration;
};

/* crypto_auth() of the texts in that order, each with its length (2 bytes,
 * little-endian) before it. */
void vault_offer_prove(const uint8_t key[VAULT_PROOF_KEY],
    const struct vault_offer *offer, uint8_t proof[VAULT_PROOF]);
