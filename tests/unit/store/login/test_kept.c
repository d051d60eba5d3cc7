/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sodium.h>

#include "base/auto.h"
#include "store/login/login.h"

static const char url[] = "https://mcp.example.com/v1";

static struct vault_ring
ring_of(uint8_t byte)
{
	struct vault_ring ring = { .n = 1 };

	memset(ring.keys[0], byte, VAULT_KEY);
	return ring;
}

static void
a_token_is_renewed_ahead_of_its_end(void **state)
{
	static const struct {
		uint64_t life, due;
	} cases[] = {
		{ 3600, 2880 }, /* 80 % */
		{ 300, 240 }, /* both */
		{ 200, 140 }, /* a minute before */
		{ 61, 1 },
		{ 60, 0 }, /* at once */
		{ 1, 0 },
		{ UINT32_MAX, UINT32_MAX / 5 * (uint64_t)4 },
	};
	const uint64_t then = 1700000000;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_true(login_due(then, then + cases[i].life, then) ==
		    then + cases[i].due);
	assert_true(login_due(then, 0, then + 1) == UINT64_MAX);
	/* A clock that was set back by more than it may differ. */
	assert_true(login_due(then, then + 3600, then - 200) == then + 2880);
	assert_true(login_due(then, then + 3600, then - 400) == then - 400);
	/* Forward, or an end before the beginning: it is due, not later. */
	assert_true(login_due(then, then + 3600, then + 9999) < then + 9999);
	assert_true(login_due(then, then - 5, then) == then);
}

static void
fill(char *text, size_t size, char byte)
{
	memset(text, byte, size - 1);
	text[size - 1] = '\0';
}

static void
what_is_sealed_is_what_is_opened(void **state)
{
	static struct db_login login = {
		.principal = 7, .tenant_name = "local", .server_name = "files"
	};
	static struct login_kept kept, opened;
	struct vault_ring ring = ring_of(1);
	struct store store = { .vault = &ring };
	uint32_t which = 9;
	(void)state;

	strcpy(login.url, url);
	/* Nothing, then the longest of all. */
	login_seal(&store, &login, &kept);
	assert_int_equal(login_open(&store, &login, &opened, &which), 0);
	assert_memory_equal(&kept, &opened, sizeof(kept));
	kept.obtained = UINT64_MAX;
	kept.expires = 1;
	kept.client.auth = OAUTH_AUTH_BASIC;
	fill(kept.issuer, sizeof(kept.issuer), 'i');
	fill(kept.token_url, sizeof(kept.token_url), 't');
	fill(kept.revocation, sizeof(kept.revocation), 'r');
	fill(kept.resource, sizeof(kept.resource), 'e');
	fill(kept.scope, sizeof(kept.scope), 's');
	fill(kept.client.id, sizeof(kept.client.id), 'c');
	fill(kept.client.secret, sizeof(kept.client.secret), 'k');
	fill(kept.access, sizeof(kept.access), 'a');
	fill(kept.refresh, sizeof(kept.refresh), 'f');
	login_seal(&store, &login, &kept);
	assert_in_range(login.sealed_len, 1, sizeof(login.sealed));
	assert_int_equal(login_open(&store, &login, &opened, &which), 0);
	assert_memory_equal(&kept, &opened, sizeof(kept));

	assert_int_equal(
	    login_look(&store, &login, url, 0, &opened), LOGIN_GOOD);
	assert_int_equal(
	    login_look(&store, &login, url, 1, &opened), LOGIN_EXPIRED);
	assert_int_equal(
	    login_look(&store, &login, "https://b.example.com/", 0, &opened),
	    LOGIN_ELSEWHERE);
	login.refused = 1;
	assert_int_equal(
	    login_look(&store, &login, url, 0, &opened), LOGIN_REFUSED);
	login.sealed[40] ^= 1;
	assert_int_equal(
	    login_look(&store, &login, url, 0, &opened), LOGIN_DAMAGED);
	assert_true(sodium_is_zero((const uint8_t *)&opened, sizeof(opened)));
	ring = ring_of(2);
	assert_int_equal(
	    login_look(&store, &login, url, 0, &opened), LOGIN_KEY_MISSING);
}

/* Sealed by us all right, but by another version, or cut. */
static void
what_cannot_be_understood_does_not_open(void **state)
{
	static struct db_login login = { .tenant_name = "local",
		.server_name = "files" };
	static struct login_kept kept;
	static uint8_t bytes[VAULT_LOGIN_MAX];
	const struct vault_owner owner = { "local", "files" };
	struct vault_ring ring = ring_of(1);
	struct store store = { .vault = &ring };
	uint32_t which = 9;
	size_t n = 0;
	(void)state;

	strcpy(login.url, url);
	strcpy(kept.access, "token");
	login_seal(&store, &login, &kept);
	assert_int_equal(vault_login_open(&ring, &owner, 0, url, login.sealed,
			     login.sealed_len, bytes, &n, &which),
	    0);
	for (size_t i = 0; i <= n + 1; i++) {
		login.sealed_len = vault_login_seal(
		    &ring, &owner, 0, url, bytes, i, login.sealed);
		assert_int_equal(login_open(&store, &login, &kept, &which),
		    i == n ? 0 : VAULT_E_FORGED);
	}
	static const struct {
		size_t at;
		uint8_t byte;
	} others[] = { { 0, 2 }, { 24, OAUTH_N_AUTHS }, { 32, 255 },
		{ 33, 255 } };
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		const uint8_t was = bytes[others[i].at];
		bytes[others[i].at] = others[i].byte;
		login.sealed_len = vault_login_seal(
		    &ring, &owner, 0, url, bytes, n, login.sealed);
		bytes[others[i].at] = was;
		assert_int_equal(
		    login_open(&store, &login, &kept, &which), VAULT_E_FORGED);
		assert_string_equal(kept.access, "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_renewed_ahead_of_its_end),
		cmocka_unit_test(what_is_sealed_is_what_is_opened),
		cmocka_unit_test(what_cannot_be_understood_does_not_open),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
