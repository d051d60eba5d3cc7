/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sodium.h>

#include "base/auto.h"
#include "vault/vault.h"

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_B "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct vault_owner owner = { "local", "files" };

static struct vault_ring
ring_of(const char *text)
{
	struct vault_ring ring;
	struct err err;

	assert_int_equal(vault_ring_parse(&ring, text, strlen(text), &err), 0);
	return ring;
}

static struct wire_egress_secret
some_secret(void)
{
	struct wire_egress_secret secret = { .name = "API_KEY",
		.host = "api.example.com",
		.port = 443,
		.kind = WIRE_SECRET_HEADER,
		.principal = 7,
		.field = "authorization",
		.template_ = "Bearer {}",
		.value_len = 12 };

	memcpy(secret.value, "the-value-12", 12);
	return secret;
}

static void
reads_keys_in_every_spelling(void **state)
{
	struct vault_ring ring;
	(void)state;

	ring = ring_of(KEY_A "\n" KEY_B "\n");
	assert_int_equal(ring.n, 2);
	assert_int_equal(ring.keys[0][31], 1);
	assert_int_equal(ring.keys[1][0], 0xaa);
	ring = ring_of("  " KEY_B "," KEY_A "\r\n\r\n");
	assert_int_equal(ring.n, 2);
	ring = ring_of("__________________________________________8");
	assert_int_equal(ring.keys[0][0], 0xff);

	char text[VAULT_KEY_TEXT];
	vault_key_draw(text);
	assert_int_equal(strlen(text), VAULT_KEY_TEXT - 1);
	assert_int_equal(ring_of(text).n, 1);
}

static void
refuses_what_is_no_key_and_does_not_show_it(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} bad[] = {
		{ "", "has no key" },
		{ " \n", "has no key" },
		{ "secretsecret", "as key 1, 12 characters" },
		{ KEY_A " " KEY_A, "same key twice" },
		{ KEY_A " secret", "as key 2" },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "zeros" },
		{ "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
		  "zzzz",
		    "as key 1, 64" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct vault_ring ring = { .n = 77 };
		struct err err = { "" };
		assert_int_not_equal(vault_ring_parse(&ring, bad[i].text,
					 strlen(bad[i].text), &err),
		    0);
		assert_non_null(strstr(err.text, bad[i].says));
		assert_null(strstr(err.text, "secret"));
		assert_int_equal(ring.n, 77);
	}
	char many[46 * 10] = "";
	for (int i = 1; i < 10; i++) {
		char key[VAULT_KEY_TEXT + 1];
		vault_key_draw(key);
		strcat(many, key);
		strcat(many, "\n");
	}
	struct vault_ring ring;
	assert_int_not_equal(
	    vault_ring_parse(&ring, many, strlen(many), NULL), 0);
}

static void
opens_what_it_sealed(void **state)
{
	const struct vault_ring a = ring_of(KEY_A),
				both = ring_of(KEY_B " " KEY_A);
	struct wire_egress_secret secret = some_secret();
	uint8_t sealed[VAULT_SEALED_MAX], again[VAULT_SEALED_MAX];
	uint32_t which = 9;
	(void)state;

	const size_t len = vault_seal(&a, &owner, &secret, sealed);
	assert_int_equal(len, 8 + 24 + 12 + 16);
	assert_null(memmem(sealed, len, "the-value", 9));
	vault_seal(&a, &owner, &secret, again);
	assert_memory_not_equal(sealed + 8, again + 8, 24);

	memset(secret.value, 0, sizeof(secret.value));
	secret.value_len = 0;
	assert_int_equal(
	    vault_open(&both, &owner, sealed, len, &secret, &which), 0);
	assert_int_equal(which, 1);
	assert_int_equal(secret.value_len, 12);
	assert_memory_equal(secret.value, "the-value-12", 12);

	const struct vault_ring b = ring_of(KEY_B);
	assert_int_equal(
	    vault_open(&b, &owner, sealed, len, &secret, &which), VAULT_E_KEY);
}

/* Each part of what it is bound to, one byte each. */
static void
opens_nothing_that_was_changed(void **state)
{
	const struct vault_ring ring = ring_of(KEY_A);
	const struct wire_egress_secret good = some_secret();
	uint8_t sealed[VAULT_SEALED_MAX];
	uint32_t which;
	(void)state;

	const size_t len = vault_seal(&ring, &owner, &good, sealed);
	struct wire_egress_secret changed[7];
	for (size_t i = 0; i < ARRAY_LEN(changed); i++)
		changed[i] = good;
	changed[0].name[0] = 'B';
	changed[1].host[0] = 'b';
	changed[2].port = 444;
	changed[3].kind = WIRE_SECRET_QUERY;
	changed[4].principal = 0;
	changed[5].field[0] = 'b';
	changed[6].template_[0] = 'b';
	for (size_t i = 0; i < ARRAY_LEN(changed); i++)
		assert_int_equal(
		    vault_open(&ring, &owner, sealed, len, &changed[i], &which),
		    VAULT_E_FORGED);
	const struct vault_owner others[] = { { "locak", "files" },
		{ "local", "filer" }, { "localf", "iles" } };
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		changed[0] = good;
		assert_int_equal(vault_open(&ring, &others[i], sealed, len,
				     &changed[0], &which),
		    VAULT_E_FORGED);
		assert_int_equal(changed[0].value_len, 0);
	}
	for (size_t i = 0; i < len; i++) {
		changed[0] = good;
		sealed[i] ^= 1;
		assert_int_equal(
		    vault_open(&ring, &owner, sealed, len, &changed[0], &which),
		    i < VAULT_KEY_ID ? VAULT_E_KEY : VAULT_E_FORGED);
		sealed[i] ^= 1;
	}
	for (size_t i = 0; i < len; i++)
		assert_int_not_equal(
		    vault_open(&ring, &owner, sealed, i, &changed[0], &which),
		    0);
}

static void
opens_a_login_for_whom_and_where_it_was_sealed(void **state)
{
	static const char url[] = "https://mcp.example.com/v1";
	static uint8_t sealed[VAULT_LOGIN_MAX + VAULT_SEALED_EXTRA + 1];
	static uint8_t bytes[VAULT_LOGIN_MAX], longest[VAULT_LOGIN_MAX];
	static const struct {
		struct vault_owner owner;
		uint32_t principal;
		const char *url;
	} others[] = {
		{ { "locak", "files" }, 7, url },
		{ { "localf", "iles" }, 7, url },
		{ { "local", "filer" }, 7, url },
		{ { "local", "files" }, 0, url },
		{ { "local", "files" }, 7, "https://mcp.example.com/v2" },
		{ { "local", "files" }, 7, "https://evil.example.com/v1" },
	};
	const struct vault_ring a = ring_of(KEY_A),
				both = ring_of(KEY_B " " KEY_A);
	uint32_t which = 9;
	size_t n = 1;
	(void)state;

	const size_t len =
	    vault_login_seal(&a, &owner, 7, url, "the-tokens", 10, sealed);
	assert_int_equal(len, 10 + VAULT_SEALED_EXTRA);
	assert_null(memmem(sealed, len, "the-tokens", 10));
	assert_int_equal(vault_login_open(&both, &owner, 7, url, sealed, len,
			     bytes, &n, &which),
	    0);
	assert_int_equal(which, 1);
	assert_int_equal(n, 10);
	assert_memory_equal(bytes, "the-tokens", 10);

	const struct vault_ring b = ring_of(KEY_B);
	assert_int_equal(vault_login_open(&b, &owner, 7, url, sealed, len,
			     bytes, &n, &which),
	    VAULT_E_KEY);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		n = 1;
		assert_int_equal(
		    vault_login_open(&a, &others[i].owner, others[i].principal,
			others[i].url, sealed, len, bytes, &n, &which),
		    VAULT_E_FORGED);
		assert_int_equal(n, 0);
	}
	for (size_t i = 0; i < len; i++)
		assert_int_not_equal(vault_login_open(&a, &owner, 7, url,
					 sealed, i, bytes, &n, &which),
		    0);

	/* Nor is one a secret, or a secret one. */
	struct wire_egress_secret secret = some_secret();
	assert_int_equal(vault_open(&a, &owner, sealed, len, &secret, &which),
	    VAULT_E_FORGED);

	const size_t most = vault_login_seal(
	    &a, &owner, 7, url, longest, sizeof(longest), sealed);
	assert_int_equal(vault_login_open(&a, &owner, 7, url, sealed, most,
			     bytes, &n, &which),
	    0);
	assert_int_equal(n, sizeof(longest));
	assert_int_equal(vault_login_open(&a, &owner, 7, url, sealed, most + 1,
			     bytes, &n, &which),
	    VAULT_E_FORGED);
}

static void
a_letter_is_for_one_secret_of_one_server(void **state)
{
	const struct vault_ring ring = ring_of(KEY_A), other = ring_of(KEY_B);
	const struct vault_ring after = ring_of(KEY_B " " KEY_A);
	const struct wire_egress_secret good = some_secret();
	struct wire_egress_secret got = good;
	uint8_t public_key[VAULT_PUBLIC], letter[VAULT_LETTER_MAX];
	uint64_t issued = 0;
	(void)state;

	vault_public(&ring, public_key);
	const size_t len = vault_letter_write(
	    public_key, &owner, &good, 1234567890123, letter);
	assert_true(len > 0);
	assert_null(memmem(letter, len, "the-value", 9));
	got.value_len = 0;
	assert_int_equal(
	    vault_letter_open(&ring, &owner, letter, len, &got, &issued), 0);
	assert_int_equal(got.value_len, 12);
	assert_memory_equal(got.value, "the-value-12", 12);
	assert_true(issued == 1234567890123);
	assert_int_equal(
	    vault_letter_open(&after, &owner, letter, len, &got, &issued), 0);

	assert_int_equal(
	    vault_letter_open(&other, &owner, letter, len, &got, &issued),
	    VAULT_E_KEY);
	got.port = 8443;
	assert_int_equal(
	    vault_letter_open(&ring, &owner, letter, len, &got, &issued),
	    VAULT_E_FORGED);
	got = good;
	const struct vault_owner elsewhere = { "local", "other" };
	assert_int_equal(
	    vault_letter_open(&ring, &elsewhere, letter, len, &got, &issued),
	    VAULT_E_FORGED);
	letter[40] ^= 1;
	assert_int_equal(
	    vault_letter_open(&ring, &owner, letter, len, &got, &issued),
	    VAULT_E_KEY);
}

static void
holds_the_longest_of_all(void **state)
{
	const struct vault_ring ring = ring_of(KEY_A);
	char tenant[WIRE_NAME_MAX], server[WIRE_NAME_MAX];
	struct wire_egress_secret secret = some_secret(), got;
	uint8_t letter[VAULT_LETTER_MAX], sealed[VAULT_SEALED_MAX];
	uint8_t public_key[VAULT_PUBLIC];
	uint64_t issued;
	uint32_t which;
	(void)state;

	memset(tenant, 't', sizeof(tenant));
	memset(server, 's', sizeof(server));
	tenant[63] = server[63] = '\0';
	const struct vault_owner longest = { tenant, server };
	memset(secret.name, 'n', sizeof(secret.name) - 1);
	memset(secret.host, 'h', sizeof(secret.host) - 1);
	memset(secret.field, 'f', sizeof(secret.field) - 1);
	memset(secret.template_, '{', sizeof(secret.template_) - 1);
	memset(secret.value, 'v', sizeof(secret.value));
	secret.value_len = sizeof(secret.value);

	vault_public(&ring, public_key);
	const size_t len =
	    vault_letter_write(public_key, &longest, &secret, 1, letter);
	assert_in_range(len, 1, VAULT_LETTER_MAX);
	got = secret;
	memset(got.value, 0, sizeof(got.value));
	assert_int_equal(
	    vault_letter_open(&ring, &longest, letter, len, &got, &issued), 0);
	assert_memory_equal(got.value, secret.value, sizeof(got.value));
	const size_t n = vault_seal(&ring, &longest, &secret, sealed);
	assert_int_equal(n, VAULT_SEALED_MAX);
	assert_int_equal(
	    vault_open(&ring, &longest, sealed, n, &got, &which), 0);
}

static void
the_secret_of_a_client_is_for_its_issuer(void **state)
{
	static const struct {
		const char *issuer, *client_id;
		uint32_t principal;
	} others[] = {
		{ "https://auth.example.com/b", "client", 7 },
		{ "https://auth.example.com/a", "other", 7 },
		{ "https://auth.example.com/a", "client", 0 },
		{ "https://auth.example.com/", "aclient", 7 },
	};
	const struct vault_ring ring = ring_of(KEY_A);
	uint8_t public_key[VAULT_PUBLIC], letter[VAULT_LETTER_MAX];
	struct wire_egress_secret secret;
	uint64_t issued = 0;
	(void)state;

	vault_public(&ring, public_key);
	vault_client_bind(&secret, "https://auth.example.com/a", "client", 7);
	assert_string_equal(secret.host, "");
	memcpy(secret.value, "the-value-12", secret.value_len = 12);
	const size_t len =
	    vault_letter_write(public_key, &owner, &secret, 1, letter);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		vault_client_bind(&secret, others[i].issuer,
		    others[i].client_id, others[i].principal);
		assert_int_equal(vault_letter_open(&ring, &owner, letter, len,
				     &secret, &issued),
		    VAULT_E_FORGED);
	}
	vault_client_bind(&secret, "https://auth.example.com/a", "client", 7);
	assert_int_equal(
	    vault_letter_open(&ring, &owner, letter, len, &secret, &issued), 0);
	assert_memory_equal(secret.value, "the-value-12", 12);
}

static void
the_key_of_a_proof_is_for_what_is_begun(void **state)
{
	static const struct vault_begin own = {
		"http://127.0.0.1:4000/callback", "a b",
		"https://auth.example.com", "client", 7
	};
	static const struct vault_begin others[] = {
		{ "http://127.0.0.1:4001/callback", "a b",
		    "https://auth.example.com", "client", 7 },
		{ "http://127.0.0.1:4000/callback", "a",
		    "https://auth.example.com", "client", 7 },
		{ "http://127.0.0.1:4000/callback", NULL,
		    "https://auth.example.com", "client", 7 },
		{ "http://127.0.0.1:4000/callback", "a b", NULL, "client", 7 },
		{ "http://127.0.0.1:4000/callback", "a b",
		    "https://auth.example.com", NULL, 7 },
		{ "http://127.0.0.1:4000/callback", "a b",
		    "https://auth.example.com", "client", 0 },
		{ "http://127.0.0.1:4000/callback", "a bh",
		    "ttps://auth.example.com", "client", 7 },
		{ "http://127.0.0.1:4000/callback", "a b",
		    "https://auth.example.comclient", "", 7 },
	};
	const struct vault_ring ring = ring_of(KEY_A);
	uint8_t public_key[VAULT_PUBLIC], letter[VAULT_LETTER_MAX];
	struct wire_egress_secret secret;
	uint64_t issued = 0;
	(void)state;

	vault_public(&ring, public_key);
	vault_begin_bind(&secret, &own);
	memset(secret.value, 5, secret.value_len = VAULT_PROOF_KEY);
	const size_t len =
	    vault_letter_write(public_key, &owner, &secret, 1, letter);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		vault_begin_bind(&secret, &others[i]);
		assert_int_equal(vault_letter_open(&ring, &owner, letter, len,
				     &secret, &issued),
		    VAULT_E_FORGED);
	}
	vault_begin_bind(&secret, &own);
	assert_int_equal(
	    vault_letter_open(&ring, &owner, letter, len, &secret, &issued), 0);
	assert_int_equal(secret.value_len, VAULT_PROOF_KEY);
}

static void
an_offer_is_proven_by_all_of_its_texts(void **state)
{
	static const struct vault_offer offers[] = {
		{ "url", "issuer", "resource", "scope", "given" },
		{ "urk", "issuer", "resource", "scope", "given" },
		{ "urli", "ssuer", "resource", "scope", "given" },
		{ "url", "issuer", "resource", "", "given" },
		{ "url", "issuer", "resourcescope", "", "given" },
		{ "url", "issuer", "resource", "scope", "dynamic" },
	};
	static const uint8_t bytes[] = "\3\0url\6\0issuer\10\0resource"
				       "\5\0scope\5\0given";
	uint8_t key[VAULT_PROOF_KEY] = { 1, 2, 3 };
	uint8_t proofs[ARRAY_LEN(offers)][VAULT_PROOF], expected[VAULT_PROOF];
	(void)state;

	crypto_auth(expected, bytes, sizeof(bytes) - 1, key);
	for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
		vault_offer_prove(key, &offers[i], proofs[i]);
		assert_int_equal(
		    i == 0, memcmp(proofs[i], expected, VAULT_PROOF) == 0);
	}
	key[31] = 1;
	vault_offer_prove(key, &offers[0], proofs[0]);
	assert_memory_not_equal(proofs[0], expected, VAULT_PROOF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_keys_in_every_spelling),
		cmocka_unit_test(refuses_what_is_no_key_and_does_not_show_it),
		cmocka_unit_test(opens_what_it_sealed),
		cmocka_unit_test(opens_nothing_that_was_changed),
		cmocka_unit_test(
		    opens_a_login_for_whom_and_where_it_was_sealed),
		cmocka_unit_test(a_letter_is_for_one_secret_of_one_server),
		cmocka_unit_test(holds_the_longest_of_all),
		cmocka_unit_test(the_secret_of_a_client_is_for_its_issuer),
		cmocka_unit_test(the_key_of_a_proof_is_for_what_is_begun),
		cmocka_unit_test(an_offer_is_proven_by_all_of_its_texts),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
