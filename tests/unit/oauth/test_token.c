/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>
#include <sodium.h>

#include "oauth/oauth.h"
#include "oauth/variant.h"

static char basic[OAUTH_BASIC_MAX];

static struct json_out
form(void)
{
	struct json_out out;

	json_out_init(&out, OAUTH_FORM_MAX);
	return out;
}

static void
expect(struct json_out *out, const char *text)
{
	json_out_raw(out, "", 1);
	assert_int_equal(json_out_status(out), 0);
	assert_string_equal(out->bytes, text);
	json_out_fini(out);
}

#define CODE                                                                   \
	"grant_type=authorization_code&code=c%26%3D&redirect_uri="             \
	"http%3A%2F%2F127.0.0.1%3A1%2F&code_verifier=v-_"                      \
	"&resource=https%3A%2F%2Facme.net%2Fmcp"

static int
code_write(struct json_out *out, const struct oauth_client *client)
{
	return oauth_code_write(out, client, "c&=", "http://127.0.0.1:1/",
	    "v-_", "https://acme.net/mcp", basic);
}

static void
a_client_is_in_the_body_or_in_the_header(void **state)
{
	struct oauth_client client = {
		.id = "i d:",
		.secret = "s&p+%:",
		.auth = OAUTH_AUTH_NONE,
	};
	struct json_out out = form();

	(void)state;
	assert_int_equal(code_write(&out, &client), 0);
	assert_string_equal(basic, "");
	expect(&out, CODE "&client_id=i%20d%3A");

	client.auth = OAUTH_AUTH_POST;
	out = form();
	assert_int_equal(code_write(&out, &client), 0);
	assert_string_equal(basic, "");
	expect(&out, CODE "&client_id=i%20d%3A&client_secret=s%26p%2B%25%3A");

	client.auth = OAUTH_AUTH_BASIC;
	out = form();
	assert_int_equal(code_write(&out, &client), 0);
	expect(&out, CODE);
	char pair[128];
	size_t len = 0;
	assert_int_equal(
	    sodium_base642bin((unsigned char *)pair, sizeof(pair),
		basic + strlen("Basic "), strlen(basic) - strlen("Basic "),
		NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL),
	    0);
	pair[len] = '\0';
	assert_memory_equal(basic, "Basic ", 6);
	assert_string_equal(pair, "i%20d%3A:s%26p%2B%25%3A");
}

static void
a_refresh_says_what_it_has(void **state)
{
	const struct oauth_client client = { .id = "id" };
	struct json_out out = form();

	(void)state;
	assert_int_equal(oauth_refresh_write(&out, &client, "r&scope=all",
			     "a b", "https://acme.net", basic),
	    0);
	expect(&out,
	    "grant_type=refresh_token&refresh_token=r%26scope%3Dall&scope="
	    "a%20b&resource=https%3A%2F%2Facme.net&client_id=id");
	out = form();
	assert_int_equal(
	    oauth_refresh_write(&out, &client, "r", "", "", basic), 0);
	expect(&out, "grant_type=refresh_token&refresh_token=r&client_id=id");
}

static void
a_revocation_says_the_token(void **state)
{
	const struct oauth_client client = { .id = "id" };
	struct json_out out = form();

	(void)state;
	assert_int_equal(
	    oauth_revoke_write(&out, &client, "t\n", "refresh_token", basic),
	    0);
	expect(&out, "token=t%0A&token_type_hint=refresh_token&client_id=id");
}

static void
growing_leaves_no_copy_behind(void **state)
{
	const struct oauth_client client = { .id = "id" };
	static char token[OAUTH_TOKEN_MAX];
	struct json_out out = form();

	(void)state;
	memset(token, '/', sizeof(token) - 1);
	assert_int_equal(
	    oauth_refresh_write(&out, &client, "r", "", "", basic), 0);
	const char *before = out.bytes;
	json_out_reset(&out);
	assert_int_equal(
	    oauth_refresh_write(&out, &client, token, "", "", basic), 0);
	assert_ptr_equal(out.bytes, before);
	json_out_fini(&out);
}

static void
what_has_no_room_is_an_error(void **state)
{
	static struct oauth_client client = { .auth = OAUTH_AUTH_BASIC };
	static char code[OAUTH_FORM_MAX];
	struct json_out out = form();

	(void)state;
	/* the largest that a server may have named, all of it escaped */
	memset(client.id, '/', sizeof(client.id) - 1);
	memset(client.secret, '/', sizeof(client.secret) - 1);
	assert_int_equal(
	    oauth_refresh_write(&out, &client, "r", "", "", basic), -EINVAL);
	json_out_fini(&out);

	/* in a form there would be room, in the header there is none */
	strcpy(client.id, "id");
	out = form();
	assert_int_equal(
	    oauth_refresh_write(&out, &client, "r", "", "", basic), -EINVAL);
	assert_string_equal(basic, "");
	json_out_fini(&out);
	memset(client.secret, 'x', sizeof(client.secret) - 1);
	out = form();
	assert_int_equal(
	    oauth_refresh_write(&out, &client, "r", "", "", basic), 0);
	json_out_fini(&out);

	client = (struct oauth_client){ .id = "id" };
	memset(code, 'c', sizeof(code) - 1);
	out = form();
	assert_int_equal(
	    oauth_code_write(&out, &client, code, "u", "v", "", basic),
	    -EINVAL);
	json_out_fini(&out);
}

#define SECRET "hush-hush-hush"

static const struct member good[] = {
	{ "access_token", "\"" SECRET "/+=~._-\"" },
	{ "token_type", "\"bearer\"" },
	{ "expires_in", "3600" },
	{ "refresh_token", "\"" SECRET "|2\"" },
	{ "scope", "\"a b\"" },
};

static struct oauth_tokens found;
static struct err err;

static int
take(const char *json)
{
	err.text[0] = '\0';
	memset(&found, 0x5a, sizeof(found));
	const int r = oauth_tokens_read(json, strlen(json), &found, &err);
	assert_int_equal(r == 0, err.text[0] == '\0');
	if (r != 0)
		assert_int_equal(found.access[0], 0x5a);
	assert_null(strstr(err.text, "hush"));
	return r;
}

static int
take_with(const char *name, const char *json)
{
	auto_free char *text = variant(good, ARRAY_LEN(good), name, json);

	return take(text);
}

static void
refuse_with(const char *name, const char *json)
{
	if (take_with(name, json) != -EINVAL)
		fail_msg("%s: %s is taken", name, json);
	if (strstr(err.text, name) == NULL)
		fail_msg("\"%s\" does not name %s", err.text, name);
}

static void
a_good_answer_is_read(void **state)
{
	(void)state;
	assert_int_equal(take_with("", NULL), 0);
	assert_string_equal(found.access, SECRET "/+=~._-");
	assert_string_equal(found.refresh, SECRET "|2");
	assert_string_equal(found.scope, "a b");
	assert_int_equal(found.expires_in, 3600);

	assert_int_equal(
	    take("{\"access_token\":\"12345678\",\"token_type\":\"Bearer\"}"),
	    0);
	assert_string_equal(found.refresh, "");
	assert_string_equal(found.scope, "");
	assert_int_equal(found.expires_in, 0);
	assert_int_equal(take_with("scope", "\"\""), 0);
	assert_int_equal(take_with("refresh_token", "null"), 0);
	assert_string_equal(found.refresh, "");
}

static void
tokens_are_of_visible_ascii(void **state)
{
	static const char *const values[] = { "1", "true", "[]", "{}", "\"\"",
		"\"1234567\"", "[\"" SECRET "\"]", "\"" SECRET " " SECRET "\"",
		"\"" SECRET "\\r\\nX-Evil: 1\"", "\"" SECRET "\\n\"",
		"\"" SECRET "\\u0000\"", "\"\\u0000" SECRET "\"",
		"\"" SECRET "\\t\"", "\"" SECRET "\\u007f\"",
		"\"" SECRET "caf\xc3\xa9\"", "\"" SECRET "\\ud800\"",
		"\"" SECRET "\\u001b[2J\"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		refuse_with("access_token", values[i]);
		refuse_with("refresh_token", values[i]);
	}
	refuse_with("access_token", NULL);
	refuse_with("access_token", "null");

	auto_free char *text = long_text(SECRET, OAUTH_TOKEN_MAX);
	refuse_with("access_token", text);
	refuse_with("refresh_token", text);
	auto_free char *fits = long_text(SECRET, OAUTH_TOKEN_MAX - 1);
	assert_int_equal(take_with("access_token", fits), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad_documents); i++)
		assert_int_equal(take(bad_documents[i]), -EINVAL);
}

static void
the_type_is_bearer(void **state)
{
	static const char *const values[] = { "null", "\"\"", "\"DPoP\"",
		"\"mac\"", "\"Bearer \"", "\"Bearer\\u0000\"", "1",
		"[\"Bearer\"]", "\"" SECRET SECRET SECRET "\"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		refuse_with("token_type", values[i]);
	refuse_with("token_type", NULL);
	assert_int_equal(take_with("token_type", "\"BEARER\""), 0);
}

static void
the_life_is_a_number(void **state)
{
	static const char *const values[] = { "\"3600\"", "-1", "-0", "1.5",
		"1e9", "true", "[]", "{}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		refuse_with("expires_in", values[i]);
	assert_int_equal(take_with("expires_in", "0"), 0);
	assert_int_equal(found.expires_in, 0);
	assert_int_equal(take_with("expires_in", "18446744073709551617"), 0);
	assert_int_equal(found.expires_in, UINT32_MAX);
	assert_int_equal(
	    take_with("expires_in", "99999999999999999999999999999999"), 0);
	assert_int_equal(found.expires_in, UINT32_MAX);
	assert_int_equal(take_with("expires_in", "4294967296"), 0);
	assert_int_equal(found.expires_in, UINT32_MAX);
}

static void
the_scope_is_one(void **state)
{
	static const char *const values[] = { "1", "[\"a\"]", "\" a\"",
		"\"a  b\"", "\"a\\nb\"", "\"a\\\"\"", "\"\\u001b[m\"",
		"\"" SECRET "\\u0000\"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		refuse_with("scope", values[i]);
}

static void
a_refusal_is_no_token(void **state)
{
	(void)state;
	assert_int_equal(take_with("error", "\"bad_refresh_token\""), -EACCES);
	assert_int_equal(take_with("error", "1"), -EACCES);
	assert_int_equal(take("{\"error\":\"invalid_grant\"}"), -EACCES);
	assert_int_equal(take_with("error", "null"), 0);
}

static void
a_member_that_is_twice_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		auto_free char *text = variant(good, ARRAY_LEN(good), "", NULL);
		sprintf(text + strlen(text) - 1, ",\"\\u%04x%s\":%s}",
		    good[i].name[0], good[i].name + 1, good[i].json);
		if (take(text) != -EINVAL)
			fail_msg("%s is there twice", good[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_is_in_the_body_or_in_the_header),
		cmocka_unit_test(a_refresh_says_what_it_has),
		cmocka_unit_test(a_revocation_says_the_token),
		cmocka_unit_test(growing_leaves_no_copy_behind),
		cmocka_unit_test(what_has_no_room_is_an_error),
		cmocka_unit_test(a_good_answer_is_read),
		cmocka_unit_test(tokens_are_of_visible_ascii),
		cmocka_unit_test(the_type_is_bearer),
		cmocka_unit_test(the_life_is_a_number),
		cmocka_unit_test(the_scope_is_one),
		cmocka_unit_test(a_refusal_is_no_token),
		cmocka_unit_test(a_member_that_is_twice_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
