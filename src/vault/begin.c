/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The key that comes with the beginning of a sign-in, and the proof that is
 * made with it: who relays both can change neither what was asked for nor what
 * a person is shown.
 */

#include <sodium.h>
#include <string.h>

#include "base/auto.h"
#include "vault/vault.h"

#define DIGEST 24 /* bytes: in hex they fit into a field */

_Static_assert(
    VAULT_PROOF == crypto_auth_BYTES && VAULT_PROOF_KEY == crypto_auth_KEYBYTES,
    "a proof is crypto_auth()'s");

void
vault_begin_bind(
    struct wire_egress_secret *secret, const struct vault_begin *begin)
{
	const char *const texts[] = { begin->redirect_uri, begin->scope,
		begin->issuer, begin->client_id };
	crypto_generichash_state state;
	uint8_t digest[DIGEST];

	*secret = (struct wire_egress_secret){ .name = "OAUTH_BEGIN_KEY",
		.principal = begin->principal };
	crypto_generichash_init(&state, NULL, 0, sizeof(digest));
	/* With the NUL: no two beginnings are the same bytes. */
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		crypto_generichash_update(&state,
		    (const uint8_t *)(texts[i] != NULL ? texts[i] : ""),
		    (texts[i] != NULL ? strlen(texts[i]) : 0) + 1);
	crypto_generichash_final(&state, digest, sizeof(digest));
	sodium_bin2hex(
	    secret->field, sizeof(secret->field), digest, sizeof(digest));
}

/* crypto_auth() in pieces. */
static void
text_prove(crypto_auth_hmacsha512256_state *state, const char *text)
{
	const size_t len = strlen(text);
	const uint8_t number[2] = { (uint8_t)len, (uint8_t)(len >> 8) };

	crypto_auth_hmacsha512256_update(state, number, sizeof(number));
	crypto_auth_hmacsha512256_update(state, (const uint8_t *)text, len);
}

void
vault_offer_prove(const uint8_t key[VAULT_PROOF_KEY],
    const struct vault_offer *offer, uint8_t proof[VAULT_PROOF])
{
	const char *const texts[] = { offer->url, offer->issuer,
		offer->resource, offer->scope, offer->registration };
	crypto_auth_hmacsha512256_state state;

	crypto_auth_hmacsha512256_init(&state, key, VAULT_PROOF_KEY);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		text_prove(&state, texts[i]);
	crypto_auth_hmacsha512256_final(&state, proof);
	sodium_memzero(&state, sizeof(state));
}
