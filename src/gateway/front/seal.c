/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sealed: nonce (24) | ciphertext | tag (16), in base64url. The binding is the
 * additional data: opening with another principal's fails like a forgery does,
 * and tells as little.
 */

#include "gateway/front/seal.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define FRAME_BYTES (NONCE_BYTES + TAG_BYTES)
#define BINDING_MAX 256
#define EVENT_TAG_BYTES 16

enum purpose { PURPOSE_SESSION = 1, PURPOSE_STATE, PURPOSE_EVENT };

static void
subkey(const uint8_t *key, enum purpose purpose, uint8_t out[SEAL_KEY_BYTES])
{
	crypto_kdf_derive_from_key(
	    out, SEAL_KEY_BYTES, (uint64_t)purpose, "cordonGW", key);
}

static void
put(uint8_t **at, uint64_t number, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		*(*at)++ = (uint8_t)(number >> (8 * i));
}

static uint64_t
get(const uint8_t **at, size_t n_bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < n_bytes; i++)
		number |= (uint64_t) * (*at)++ << (8 * i);
	return number;
}

/* Names end in their NUL: no two bindings are the same bytes. */
static size_t
binding_write(const struct seal_binding *binding, uint8_t bytes[BINDING_MAX])
{
	const size_t tenant = strnlen(binding->tenant, 100) + 1;
	const size_t server = strnlen(binding->server, 100) + 1;
	uint8_t *at = bytes;

	put(&at, binding->principal, 4);
	memcpy(at, binding->tenant, tenant);
	memcpy(at + tenant, binding->server, server);
	return 4 + tenant + server;
}

/* out: FRAME_BYTES more than the plain text. */
static void
seal(const uint8_t *key, enum purpose purpose,
    const struct seal_binding *binding, const uint8_t *plain, size_t len,
    uint8_t *out)
{
	uint8_t own_key[SEAL_KEY_BYTES], bound[BINDING_MAX];
	const size_t bound_len = binding_write(binding, bound);

	subkey(key, purpose, own_key);
	randombytes_buf(out, NONCE_BYTES);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE_BYTES, NULL,
	    plain, len, bound, bound_len, NULL, out, own_key);
	sodium_memzero(own_key, sizeof(own_key));
}

/* plain: FRAME_BYTES less than the sealed. */
static int
unseal(const uint8_t *key, enum purpose purpose,
    const struct seal_binding *binding, const uint8_t *raw_sealed, size_t len,
    uint8_t *plain)
{
	uint8_t own_key[SEAL_KEY_BYTES], bound[BINDING_MAX];
	const size_t bound_len = binding_write(binding, bound);

	if (len < FRAME_BYTES)
		return SEAL_E_FORGED;
	subkey(key, purpose, own_key);
	const int r = crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL,
	    NULL, raw_sealed + NONCE_BYTES, len - NONCE_BYTES, bound, bound_len,
	    raw_sealed, own_key);
	sodium_memzero(own_key, sizeof(own_key));
	return r == 0 ? 0 : SEAL_E_FORGED;
}

#define SESSION_BYTES (SEAL_ID_BYTES + 8 + 4 + 1)

void
seal_session_write(const uint8_t key[SEAL_KEY_BYTES],
    const struct seal_binding *binding, const struct seal_session *session,
    char text[SEAL_SESSION_TEXT])
{
	uint8_t plain[SESSION_BYTES], sealed[SESSION_BYTES + FRAME_BYTES];
	uint8_t *at = plain + SEAL_ID_BYTES;

	memcpy(plain, session->id, SEAL_ID_BYTES);
	put(&at, session->issued, 8);
	put(&at, session->can, 4);
	put(&at, session->version, 1);
	seal(key, PURPOSE_SESSION, binding, plain, sizeof(plain), sealed);
	sodium_bin2base64(
	    text, SEAL_SESSION_TEXT, sealed, sizeof(sealed), VARIANT);
}

int
seal_session_admit(const uint8_t key[SEAL_KEY_BYTES],
    const struct seal_binding *binding, const char *raw_text,
    struct seal_session *session)
{
	uint8_t plain[SESSION_BYTES], sealed[SESSION_BYTES + FRAME_BYTES];
	const uint8_t *at = plain + SEAL_ID_BYTES;
	size_t len = 0;

	if (sodium_base642bin(sealed, sizeof(sealed), raw_text,
		strlen(raw_text), NULL, &len, NULL, VARIANT) != 0 ||
	    len != sizeof(sealed) ||
	    unseal(key, PURPOSE_SESSION, binding, sealed, len, plain) != 0)
		return SEAL_E_FORGED;
	memcpy(session->id, plain, SEAL_ID_BYTES);
	session->issued = get(&at, 8);
	session->can = (uint32_t)get(&at, 4);
	session->version = (uint8_t)get(&at, 1);
	return 0;
}

#define STATE_BYTES (1 + SEAL_ID_BYTES + 4 + 8 + SEAL_DIGEST_BYTES)

int
seal_state_write(const uint8_t key[SEAL_KEY_BYTES],
    const struct seal_binding *binding, const struct seal_state *state,
    struct json_out *out)
{
	const size_t len = STATE_BYTES + state->inner.len;
	const size_t sealed_len = len + FRAME_BYTES;
	const size_t text_size = sodium_base64_encoded_len(sealed_len, VARIANT);

	if (state->inner.len > SEAL_INNER_MAX)
		return JSON_E_TOO_LONG;
	auto_free uint8_t *plain = malloc(len);
	auto_free uint8_t *sealed = malloc(sealed_len);
	auto_free char *text = malloc(text_size);
	if (plain == NULL || sealed == NULL || text == NULL)
		return -ENOMEM;

	uint8_t *at = plain;
	put(&at, state->kind, 1);
	memcpy(at, state->id, SEAL_ID_BYTES);
	at += SEAL_ID_BYTES;
	put(&at, state->round, 4);
	put(&at, state->expires, 8);
	memcpy(at, state->digest, SEAL_DIGEST_BYTES);
	if (state->inner.len > 0)
		memcpy(
		    at + SEAL_DIGEST_BYTES, state->inner.at, state->inner.len);
	seal(key, PURPOSE_STATE, binding, plain, len, sealed);
	sodium_bin2base64(text, text_size, sealed, sealed_len, VARIANT);
	json_out_text(out, "\"");
	json_out_text(out, text);
	json_out_text(out, "\"");
	return 0;
}

static void
state_read(const uint8_t *plain, size_t len, struct seal_state *state)
{
	const uint8_t *at = plain;

	state->kind = (uint8_t)get(&at, 1);
	memcpy(state->id, at, SEAL_ID_BYTES);
	at += SEAL_ID_BYTES;
	state->round = (uint32_t)get(&at, 4);
	state->expires = get(&at, 8);
	memcpy(state->digest, at, SEAL_DIGEST_BYTES);
	at += SEAL_DIGEST_BYTES;
	state->inner = (struct json_span){ .at = (const char *)at,
		.len = len - STATE_BYTES };
}

int
seal_state_admit(const uint8_t key[SEAL_KEY_BYTES],
    const struct seal_binding *binding, struct json_span raw_string,
    struct seal_state *state, char **ownerp)
{
	struct json_span text;
	size_t len = 0;

	if (!json_string_plain(raw_string, &text) ||
	    text.len > 2 * SEAL_INNER_MAX)
		return SEAL_E_FORGED;
	auto_free uint8_t *sealed = malloc(text.len + 1);
	auto_free char *plain = malloc(text.len + 1);
	if (sealed == NULL || plain == NULL)
		return -ENOMEM;
	if (sodium_base642bin(sealed, text.len + 1, text.at, text.len, NULL,
		&len, NULL, VARIANT) != 0 ||
	    len < STATE_BYTES + FRAME_BYTES ||
	    unseal(key, PURPOSE_STATE, binding, sealed, len,
		(uint8_t *)plain) != 0)
		return SEAL_E_FORGED;
	state_read((const uint8_t *)plain, len - FRAME_BYTES, state);
	*ownerp = steal_ptr(&plain);
	return 0;
}

static void
hash_length(crypto_generichash_state *hash, uint64_t len)
{
	uint8_t bytes[8], *at = bytes;

	put(&at, len, 8);
	crypto_generichash_update(hash, bytes, sizeof(bytes));
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The value without white space between its tokens. */
static void
hash_json(crypto_generichash_state *hash, struct json_span value)
{
	size_t from = 0, len = 0;
	bool in_string = false;

	for (size_t i = 0; i < value.len; i++) {
		const char c = value.at[i];
		if (in_string && c == '\\') {
			i++;
		} else if (c == '"') {
			in_string = !in_string;
		} else if (!in_string && is_space(c)) {
			crypto_generichash_update(
			    hash, (const uint8_t *)value.at + from, i - from);
			len += i - from;
			from = i + 1;
		}
	}
	if (from < value.len) {
		crypto_generichash_update(
		    hash, (const uint8_t *)value.at + from, value.len - from);
		len += value.len - from;
	}
	hash_length(hash, len);
}

void
seal_digest(struct json_span method, struct json_span name,
    struct json_span arguments, uint8_t digest[SEAL_DIGEST_BYTES])
{
	crypto_generichash_state hash;

	if (arguments.at == NULL)
		arguments = (struct json_span){ .at = "{}", .len = 2 };
	crypto_generichash_init(&hash, NULL, 0, SEAL_DIGEST_BYTES);
	hash_json(&hash, method);
	hash_json(&hash, name);
	hash_json(&hash, arguments);
	crypto_generichash_final(&hash, digest, SEAL_DIGEST_BYTES);
}

static void
event_tag(const uint8_t *key, const uint8_t *session,
    const struct seal_event *event, uint8_t bytes[8 + EVENT_TAG_BYTES])
{
	uint8_t own_key[SEAL_KEY_BYTES], text[SEAL_ID_BYTES + 8], *at = bytes;

	put(&at, event->stream, 4);
	put(&at, event->sequence, 4);
	memcpy(text, session, SEAL_ID_BYTES);
	memcpy(text + SEAL_ID_BYTES, bytes, 8);
	subkey(key, PURPOSE_EVENT, own_key);
	crypto_generichash(bytes + 8, EVENT_TAG_BYTES, text, sizeof(text),
	    own_key, sizeof(own_key));
	sodium_memzero(own_key, sizeof(own_key));
}

void
seal_event_write(const uint8_t key[SEAL_KEY_BYTES],
    const uint8_t session[SEAL_ID_BYTES], const struct seal_event *event,
    char text[SEAL_EVENT_TEXT])
{
	uint8_t bytes[8 + EVENT_TAG_BYTES];

	event_tag(key, session, event, bytes);
	sodium_bin2base64(text, SEAL_EVENT_TEXT, bytes, sizeof(bytes), VARIANT);
}

int
seal_event_admit(const uint8_t key[SEAL_KEY_BYTES],
    const uint8_t session[SEAL_ID_BYTES], const char *raw_text,
    struct seal_event *event)
{
	uint8_t claimed[8 + EVENT_TAG_BYTES], right[8 + EVENT_TAG_BYTES];
	const uint8_t *at = claimed;
	struct seal_event read;
	size_t len = 0;

	if (sodium_base642bin(claimed, sizeof(claimed), raw_text,
		strlen(raw_text), NULL, &len, NULL, VARIANT) != 0 ||
	    len != sizeof(claimed))
		return SEAL_E_FORGED;
	read.stream = (uint32_t)get(&at, 4);
	read.sequence = (uint32_t)get(&at, 4);
	event_tag(key, session, &read, right);
	if (sodium_memcmp(claimed, right, sizeof(right)) != 0)
		return SEAL_E_FORGED;
	*event = read;
	return 0;
}
