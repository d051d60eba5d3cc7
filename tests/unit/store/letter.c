/* SPDX-License-Identifier: Apache-2.0 */

/*
 * seal-letter PUBLIC TENANT SERVER NAME HOST PORT KIND FIELD TEMPLATE PRINCIPAL
 *     ISSUED: a value off stdin, as `cordon secret set` would send it, in
 * base64. KIND is a number.
 * seal-letter --client PUBLIC TENANT SERVER ISSUER CLIENT PRINCIPAL ISSUED: the
 * same of the secret of an OAuth client, as `cordon upstream login` would.
 */

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "play.h"
#include "vault/vault.h"

static void
secret_bind(struct wire_egress_secret *secret, char **argv)
{
	snprintf(secret->name, sizeof(secret->name), "%s", argv[0]);
	snprintf(secret->host, sizeof(secret->host), "%s", argv[1]);
	secret->port = (uint16_t)atoi(argv[2]);
	secret->kind = (uint16_t)atoi(argv[3]);
	snprintf(secret->field, sizeof(secret->field), "%s", argv[4]);
	snprintf(secret->template_, sizeof(secret->template_), "%s", argv[5]);
	secret->principal = (uint32_t)atoi(argv[6]);
}

int
main(int argc, char **argv)
{
	static char text[2 * VAULT_LETTER_MAX];
	static uint8_t letter[VAULT_LETTER_MAX];
	struct wire_egress_secret secret = { .kind = 0 };
	uint8_t public_key[VAULT_PUBLIC];
	size_t n = 0;

	const bool is_client = argc == 9 && strcmp(argv[1], "--client") == 0;
	play_must((is_client || argc == 12) && sodium_init() >= 0, "usage");
	argv += is_client ? 2 : 1;
	play_must(sodium_base642bin(public_key, sizeof(public_key), argv[0],
		      strlen(argv[0]), NULL, &n, NULL,
		      sodium_base64_VARIANT_ORIGINAL) == 0,
	    "public key");
	const struct vault_owner owner = { argv[1], argv[2] };
	const char *issued = argv[is_client ? 6 : 10];
	if (is_client)
		vault_client_bind(
		    &secret, argv[3], argv[4], (uint32_t)atoi(argv[5]));
	else
		secret_bind(&secret, argv + 3);
	secret.value_len =
	    (uint32_t)fread(secret.value, 1, sizeof(secret.value), stdin);
	n = vault_letter_write(
	    public_key, &owner, &secret, strtoull(issued, NULL, 10), letter);
	puts(sodium_bin2base64(
	    text, sizeof(text), letter, n, sodium_base64_VARIANT_ORIGINAL));
	return 0;
}
