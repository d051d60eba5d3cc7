/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/vault.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "base/auto.h"

#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define BOUND_MAX 1024u /* of a secret */
#define LOGIN_BOUND_MAX (64u + 3 * WIRE_NAME_MAX + WIRE_URL_MAX)
#define KDF_CONTEXT "cordonVT"

#define LABEL_SEALED "cordon secret, sealed 1"
#define LABEL_LETTER "cordon secret, letter 1"
#define LABEL_LOGIN "cordon login, sealed 1"

enum subkey { SUBKEY_ID = 1, SUBKEY_AEAD, SUBKEY_BOX };

_Static_assert(NONCE == 24 && TAG == 16, "as VAULT_SEALED_MAX has it");
_Static_assert(BOUND_MAX > 64 + 2 * WIRE_NAME_MAX +
	    sizeof(struct wire_egress_secret) - WIRE_SECRET_VALUE_MAX,
    "what a secret is bound to fits");
static void
subkey(
    const uint8_t key[VAULT_KEY], enum subkey which, uint8_t *out, size_t len)
{
	crypto_kdf_derive_from_key(out, len, (uint64_t)which, KDF_CONTEXT, key);
}

/* ---- keys -----------------------------------------------------------------
 */

static bool
key_parse(const char *text, size_t len, uint8_t key[VAULT_KEY])
{
	static const int variants[] = { sodium_base64_VARIANT_ORIGINAL,
		sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
		sodium_base64_VARIANT_URLSAFE,
		sodium_base64_VARIANT_URLSAFE_NO_PADDING };
	const char *end = NULL;
	size_t n = 0;

	if (len == 2 * (size_t)VAULT_KEY)
		return sodium_hex2bin(
			   key, VAULT_KEY, text, len, NULL, &n, &end) == 0 &&
		    n == VAULT_KEY && end == text + len;
	for (size_t i = 0; i < ARRAY_LEN(variants); i++)
		if (sodium_base642bin(key, VAULT_KEY, text, len, NULL, &n, &end,
			variants[i]) == 0 &&
		    n == VAULT_KEY && end == text + len)
			return true;
	return false;
}

static int
key_take(struct vault_ring *ring, const char *text, size_t len, struct err *err)
{
	if (ring->n == VAULT_KEYS_MAX)
		return err_set(err, -E2BIG,
		    "has more than %u keys: remove those that nothing is "
		    "sealed with any more",
		    VAULT_KEYS_MAX);
	uint8_t *key = ring->keys[ring->n];
	if (!key_parse(text, len, key))
		return err_set(err, -EINVAL,
		    "has, as key %u, %zu characters that are not 32 bytes in "
		    "hex or base64 ('openssl rand -base64 32' makes some)",
		    ring->n + 1, len);
	if (sodium_is_zero(key, VAULT_KEY))
		return err_set(err, -EINVAL, "has a key of zeros");
	for (uint32_t i = 0; i < ring->n; i++)
		if (sodium_memcmp(ring->keys[i], key, VAULT_KEY) == 0)
			return err_set(err, -EINVAL, "has the same key twice");
	ring->n++;
	return 0;
}

int
vault_ring_parse(
    struct vault_ring *ring, const char *raw_text, size_t len, struct err *err)
{
	static const char between[] = " \t\r\n,";
	const char *at = raw_text, *end = raw_text + len;
	struct vault_ring read = { .n = 0 };
	int code = 0;

	while (code == 0 && at < end) {
		const char *stop = at;
		while (stop < end &&
		    memchr(between, *stop, sizeof(between) - 1) == NULL)
			stop++;
		if (stop > at)
			code = key_take(&read, at, (size_t)(stop - at), err);
		at = stop + 1;
	}
	if (code == 0 && read.n == 0)
		code = err_set(err, -EINVAL, "has no key");
	if (code == 0)
		*ring = read;
	vault_ring_fini(&read);
	return code;
}

void
vault_ring_fini(struct vault_ring *ring)
{
	sodium_memzero(ring, sizeof(*ring));
}

void
vault_key_draw(char text[VAULT_KEY_TEXT])
{
	uint8_t key[VAULT_KEY];

	randombytes_buf(key, sizeof(key));
	sodium_bin2base64(text, VAULT_KEY_TEXT, key, sizeof(key),
	    sodium_base64_VARIANT_ORIGINAL);
	sodium_memzero(key, sizeof(key));
}

void
vault_key_id(const uint8_t key[VAULT_KEY], uint8_t id[VAULT_KEY_ID])
{
	uint8_t derived[16];

	subkey(key, SUBKEY_ID, derived, sizeof(derived));
	memcpy(id, derived, VAULT_KEY_ID);
}

static void
box_keys(const uint8_t key[VAULT_KEY], uint8_t public_key[VAULT_PUBLIC],
    uint8_t secret_key[crypto_box_SECRETKEYBYTES])
{
	uint8_t seed[crypto_box_SEEDBYTES];

	subkey(key, SUBKEY_BOX, seed, sizeof(seed));
	crypto_box_seed_keypair(public_key, secret_key, seed);
	sodium_memzero(seed, sizeof(seed));
}

void
vault_public(const struct vault_ring *ring, uint8_t public_key[VAULT_PUBLIC])
{
	uint8_t secret_key[crypto_box_SECRETKEYBYTES];

	box_keys(ring->keys[0], public_key, secret_key);
	sodium_memzero(secret_key, sizeof(secret_key));
}

/* ---- what it is bound to --------------------------------------------------
 */

static void
number_put(uint8_t **at, uint64_t number, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		*(*at)++ = (uint8_t)(number >> (8 * i));
}

static void
text_put(uint8_t **at, const char *text, size_t max)
{
	const size_t len = strnlen(text, max - 1);

	number_put(at, len, 2);
	memcpy(*at, text, len);
	*at += len;
}

/* Every text with its length: no two bindings are the same bytes. */
static size_t
bound_write(const char *label, const struct vault_owner *owner,
    const struct wire_egress_secret *secret, uint8_t bound[BOUND_MAX])
{
	uint8_t *at = bound;

	text_put(&at, label, 32);
	text_put(&at, owner->tenant, WIRE_NAME_MAX);
	text_put(&at, owner->server, WIRE_NAME_MAX);
	text_put(&at, secret->name, sizeof(secret->name));
	text_put(&at, secret->host, sizeof(secret->host));
	number_put(&at, secret->port, 2);
	number_put(&at, secret->kind, 2);
	number_put(&at, secret->principal, 4);
	text_put(&at, secret->field, sizeof(secret->field));
	text_put(&at, secret->template_, sizeof(secret->template_));
	return (size_t)(at - bound);
}

/* The same of a login. */
static size_t
login_bound_write(const struct vault_owner *owner, uint32_t principal,
    const char *url, uint8_t bound[LOGIN_BOUND_MAX])
{
	uint8_t *at = bound;

	text_put(&at, LABEL_LOGIN, 32);
	text_put(&at, owner->tenant, WIRE_NAME_MAX);
	text_put(&at, owner->server, WIRE_NAME_MAX);
	number_put(&at, principal, 4);
	text_put(&at, url, WIRE_URL_MAX);
	return (size_t)(at - bound);
}

/* ---- at rest --------------------------------------------------------------
 */

static size_t
bytes_seal(const struct vault_ring *ring, const uint8_t *bound,
    size_t bound_len, const void *bytes, size_t len, uint8_t *sealed)
{
	uint8_t *nonce = sealed + VAULT_KEY_ID, key[VAULT_KEY];
	unsigned long long n = 0;

	vault_key_id(ring->keys[0], sealed);
	subkey(ring->keys[0], SUBKEY_AEAD, key, sizeof(key));
	randombytes_buf(nonce, NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
	    nonce + NONCE, &n, bytes, len, bound, bound_len, NULL, nonce, key);
	sodium_memzero(key, sizeof(key));
	return VAULT_KEY_ID + NONCE + (size_t)n;
}

static bool
key_find(const struct vault_ring *ring, const uint8_t *id, uint32_t *which)
{
	for (*which = 0; *which < ring->n; (*which)++) {
		uint8_t own[VAULT_KEY_ID];
		vault_key_id(ring->keys[*which], own);
		if (sodium_memcmp(own, id, VAULT_KEY_ID) == 0)
			return true;
	}
	return false;
}

/* `bytes` has room for `most`; *n is 0 where it does not open. */
static int
bytes_open(const struct vault_ring *ring, const uint8_t *bound,
    size_t bound_len, const uint8_t *raw_sealed, size_t len, uint8_t *bytes,
    size_t most, size_t *n, uint32_t *which)
{
	const uint8_t *nonce = raw_sealed + VAULT_KEY_ID;
	uint8_t key[VAULT_KEY];
	unsigned long long opened = 0;

	*n = 0;
	if (len < VAULT_SEALED_EXTRA || len - VAULT_SEALED_EXTRA > most)
		return VAULT_E_FORGED;
	if (!key_find(ring, raw_sealed, which))
		return VAULT_E_KEY;
	subkey(ring->keys[*which], SUBKEY_AEAD, key, sizeof(key));
	const int code = crypto_aead_xchacha20poly1305_ietf_decrypt(bytes,
	    &opened, NULL, nonce + NONCE, len - VAULT_KEY_ID - NONCE, bound,
	    bound_len, nonce, key);
	sodium_memzero(key, sizeof(key));
	if (code != 0)
		return VAULT_E_FORGED;
	*n = (size_t)opened;
	return 0;
}

size_t
vault_seal(const struct vault_ring *ring, const struct vault_owner *owner,
    const struct wire_egress_secret *secret, uint8_t sealed[VAULT_SEALED_MAX])
{
	uint8_t bound[BOUND_MAX];
	const size_t bound_len =
	    bound_write(LABEL_SEALED, owner, secret, bound);

	return bytes_seal(
	    ring, bound, bound_len, secret->value, secret->value_len, sealed);
}

int
vault_open(const struct vault_ring *ring, const struct vault_owner *owner,
    const uint8_t *raw_sealed, size_t len, struct wire_egress_secret *secret,
    uint32_t *which)
{
	uint8_t bound[BOUND_MAX];
	size_t n = 0;
	const size_t bound_len =
	    bound_write(LABEL_SEALED, owner, secret, bound);

	const int code = bytes_open(ring, bound, bound_len, raw_sealed, len,
	    secret->value, sizeof(secret->value), &n, which);
	secret->value_len = (uint32_t)n;
	return code;
}

size_t
vault_login_seal(const struct vault_ring *ring, const struct vault_owner *owner,
    uint32_t principal, const char *url, const void *bytes, size_t len,
    uint8_t *sealed)
{
	uint8_t bound[LOGIN_BOUND_MAX];
	const size_t bound_len =
	    login_bound_write(owner, principal, url, bound);

	return bytes_seal(ring, bound, bound_len, bytes, len, sealed);
}

int
vault_login_open(const struct vault_ring *ring, const struct vault_owner *owner,
    uint32_t principal, const char *url, const uint8_t *raw_sealed, size_t len,
    uint8_t bytes[VAULT_LOGIN_MAX], size_t *n, uint32_t *which)
{
	uint8_t bound[LOGIN_BOUND_MAX];
	const size_t bound_len =
	    login_bound_write(owner, principal, url, bound);

	return bytes_open(ring, bound, bound_len, raw_sealed, len, bytes,
	    VAULT_LOGIN_MAX, n, which);
}

/* ---- on its way -----------------------------------------------------------
 */

#define PLAIN_MAX (VAULT_LETTER_MAX - crypto_box_SEALBYTES)

_Static_assert(8 + BOUND_MAX + WIRE_SECRET_VALUE_MAX <= PLAIN_MAX,
    "a letter holds what it is bound to and the value");

size_t
vault_letter_write(const uint8_t public_key[VAULT_PUBLIC],
    const struct vault_owner *owner, const struct wire_egress_secret *secret,
    uint64_t issued, uint8_t letter[VAULT_LETTER_MAX])
{
	uint8_t plain[8 + BOUND_MAX + WIRE_SECRET_VALUE_MAX], *at = plain;

	number_put(&at, issued, 8);
	at += bound_write(LABEL_LETTER, owner, secret, at);
	memcpy(at, secret->value, secret->value_len);
	at += secret->value_len;
	const size_t len = (size_t)(at - plain);
	const int code = crypto_box_seal(letter, plain, len, public_key);
	sodium_memzero(plain, sizeof(plain));
	return code == 0 ? len + crypto_box_SEALBYTES : 0;
}

static bool
letter_decrypt(const struct vault_ring *ring, const uint8_t *raw_letter,
    size_t len, uint8_t *plain)
{
	bool is_open = false;

	for (uint32_t i = 0; i < ring->n && !is_open; i++) {
		uint8_t public_key[VAULT_PUBLIC];
		uint8_t secret_key[crypto_box_SECRETKEYBYTES];
		box_keys(ring->keys[i], public_key, secret_key);
		is_open = crypto_box_seal_open(plain, raw_letter, len,
			      public_key, secret_key) == 0;
		sodium_memzero(secret_key, sizeof(secret_key));
	}
	return is_open;
}

int
vault_letter_open(const struct vault_ring *ring,
    const struct vault_owner *owner, const uint8_t *raw_letter, size_t len,
    struct wire_egress_secret *secret, uint64_t *issued)
{
	uint8_t plain[VAULT_LETTER_MAX], bound[BOUND_MAX];
	int code = VAULT_E_KEY;

	if (len < crypto_box_SEALBYTES || len > VAULT_LETTER_MAX ||
	    !letter_decrypt(ring, raw_letter, len, plain))
		return VAULT_E_KEY;
	const size_t n = len - crypto_box_SEALBYTES;
	const size_t bound_len =
	    bound_write(LABEL_LETTER, owner, secret, bound);
	code = VAULT_E_FORGED;
	if (n >= 8 + bound_len && memcmp(plain + 8, bound, bound_len) == 0 &&
	    n - 8 - bound_len <= WIRE_SECRET_VALUE_MAX) {
		secret->value_len = (uint32_t)(n - 8 - bound_len);
		memcpy(secret->value, plain + 8 + bound_len, secret->value_len);
		*issued = 0;
		for (size_t i = 8; i-- > 0;)
			*issued = *issued << 8 | plain[i];
		code = 0;
	}
	sodium_memzero(plain, sizeof(plain));
	return code;
}
