/* SPDX-License-Identifier: Apache-2.0 */

/*
 * seal-letter PUBLIC TENANT SERVER NAME HOST PORT KIND FIELD TEMPLATE PRINCIPAL
 *     ISSUED: a value off stdin, as `cordon secret set` would send it, in
 * base64. KIND is a number.
 */

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "play.h"
#include "vault/vault.h"

int
main(int argc, char **argv)
{
	static char text[2 * VAULT_LETTER_MAX];
	static uint8_t letter[VAULT_LETTER_MAX];
	struct wire_egress_secret secret = { .kind = 0 };
	uint8_t public_key[VAULT_PUBLIC];
	size_t n = 0;

	play_must(argc == 12 && sodium_init() >= 0, "usage");
	play_must(sodium_base642bin(public_key, sizeof(public_key), argv[1],
		      strlen(argv[1]), NULL, &n, NULL,
		      sodium_base64_VARIANT_ORIGINAL) == 0,
	    "public key");
	const struct vault_owner owner = { argv[2], argv[3] };
	snprintf(secret.name, sizeof(secret.name), "%s", argv[4]);
	snprintf(secret.host, sizeof(secret.host), "%s", argv[5]);
	secret.port = (uint16_t)atoi(argv[6]);
	secret.kind = (uint16_t)atoi(argv[7]);
	snprintf(secret.field, sizeof(secret.field), "%s", argv[8]);
	snprintf(secret.template_, sizeof(secret.template_), "%s", argv[9]);
	secret.principal = (uint32_t)atoi(argv[10]);
	secret.value_len =
	    (uint32_t)fread(secret.value, 1, sizeof(secret.value), stdin);
	n = vault_letter_write(
	    public_key, &owner, &secret, strtoull(argv[11], NULL, 10), letter);
	puts(sodium_bin2base64(
	    text, sizeof(text), letter, n, sodium_base64_VARIANT_ORIGINAL));
	return 0;
}
