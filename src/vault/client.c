/* SPDX-License-Identifier: Apache-2.0 */

/* What the secret of an OAuth client is bound to on its way to the store. */

#include <sodium.h>
#include <string.h>

#include "vault/vault.h"

#define DIGEST 24 /* bytes: in hex they fit into a field */

void
vault_client_bind(struct wire_egress_secret *secret, const char *issuer,
    const char *client_id, uint32_t principal)
{
	crypto_generichash_state state;
	uint8_t digest[DIGEST];

	*secret = (struct wire_egress_secret){ .name = "OAUTH_CLIENT_SECRET",
		.principal = principal };
	crypto_generichash_init(&state, NULL, 0, sizeof(digest));
	/* With the NUL: no two pairs are the same bytes. */
	crypto_generichash_update(
	    &state, (const uint8_t *)issuer, strlen(issuer) + 1);
	crypto_generichash_update(
	    &state, (const uint8_t *)client_id, strlen(client_id) + 1);
	crypto_generichash_final(&state, digest, sizeof(digest));
	sodium_bin2hex(
	    secret->field, sizeof(secret->field), digest, sizeof(digest));
}
