/* SPDX-License-Identifier: Apache-2.0 */

/*
 * seal-letter PUBLIC TENANT SERVER NAME HOST PORT KIND FIELD TEMPLATE PRINCIPAL
 *     ISSUED: a value off stdin, as `cordon secret set` would send it, in
 * base64. KIND is a number.
 * seal-letter --client PUBLIC TENANT SERVER ISSUER CLIENT PRINCIPAL ISSUED: the
 * same of the secret of an OAuth client, as `cordon upstream login` would.
 * seal-letter --begin PUBLIC TENANT SERVER REDIRECT_URI SCOPE ISSUER CLIENT
 * PRINCIPAL ISSUED: the same of the key that a sign-in is begun with.
 * seal-letter --open KEYS LETTER TENANT SERVER REDIRECT_URI SCOPE ISSUER CLIENT
 * PRINCIPAL: that key, in base64, as the store with these keys reads it.
 * seal-letter --public KEYS: what is sealed to.
 */

#include <sodium.h>
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

static void
client_bind(struct wire_egress_secret *secret, char **argv)
{
	vault_client_bind(secret, argv[0], argv[1], (uint32_t)atoi(argv[2]));
}

static void
begin_bind(struct wire_egress_secret *secret, char **argv)
{
	vault_begin_bind(secret,
	    &(struct vault_begin){
		argv[0], argv[1], argv[2], argv[3], (uint32_t)atoi(argv[4]) });
}

static const struct form {
	const char *option; /* NULL: there is none */
	int n; /* words that it is bound to */
	void (*bind)(struct wire_egress_secret *secret, char **argv);
} forms[] = { { "--client", 3, client_bind }, { "--begin", 5, begin_bind },
	{ NULL, 7, secret_bind } };

static void
base64_put(const uint8_t *bytes, size_t len)
{
	static char text[2 * VAULT_LETTER_MAX];

	puts(sodium_bin2base64(
	    text, sizeof(text), bytes, len, sodium_base64_VARIANT_ORIGINAL));
}

static struct vault_ring
ring_of(const char *keys)
{
	struct vault_ring ring;

	play_must(
	    vault_ring_parse(&ring, keys, strlen(keys), NULL) == 0, "keys");
	return ring;
}

static int
letter_open(char **argv)
{
	const struct vault_ring ring = ring_of(argv[0]);
	const struct vault_owner owner = { argv[2], argv[3] };
	struct wire_egress_secret secret;
	uint8_t letter[VAULT_LETTER_MAX];
	uint64_t issued = 0;
	size_t n = 0;

	begin_bind(&secret, argv + 4);
	play_must(
	    sodium_base642bin(letter, sizeof(letter), argv[1], strlen(argv[1]),
		NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
		vault_letter_open(&ring, &owner, letter, n, &secret, &issued) ==
		    0,
	    "the letter");
	base64_put(secret.value, secret.value_len);
	return 0;
}

static int
public_print(const char *keys)
{
	const struct vault_ring ring = ring_of(keys);
	uint8_t public_key[VAULT_PUBLIC];

	vault_public(&ring, public_key);
	base64_put(public_key, sizeof(public_key));
	return 0;
}

int
main(int argc, char **argv)
{
	static uint8_t letter[VAULT_LETTER_MAX];
	struct wire_egress_secret secret = { .kind = 0 };
	uint8_t public_key[VAULT_PUBLIC];
	size_t n = 0;

	play_must(argc > 1 && sodium_init() >= 0, "usage");
	if (argc == 11 && strcmp(argv[1], "--open") == 0)
		return letter_open(argv + 2);
	if (argc == 3 && strcmp(argv[1], "--public") == 0)
		return public_print(argv[2]);
	const struct form *form = forms;
	while (form->option != NULL && strcmp(argv[1], form->option) != 0)
		form++;
	argv += form->option != NULL ? 2 : 1;
	argc -= form->option != NULL ? 2 : 1;
	play_must(argc == form->n + 4, "usage");
	play_must(sodium_base642bin(public_key, sizeof(public_key), argv[0],
		      strlen(argv[0]), NULL, &n, NULL,
		      sodium_base64_VARIANT_ORIGINAL) == 0,
	    "public key");
	const struct vault_owner owner = { argv[1], argv[2] };
	const char *issued = argv[3 + form->n];
	form->bind(&secret, argv + 3);
	secret.value_len =
	    (uint32_t)fread(secret.value, 1, sizeof(secret.value), stdin);
	n = vault_letter_write(
	    public_key, &owner, &secret, strtoull(issued, NULL, 10), letter);
	base64_put(letter, n);
	return 0;
}
