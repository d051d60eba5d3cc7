/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>

#include "oauth/oauth.h"
#include "oauth/variant.h"

static const struct member good[] = {
	{ "issuer", "\"https://auth.acme.net\"" },
	{ "authorization_endpoint", "\"https://auth.acme.net/authorize\"" },
	{ "token_endpoint", "\"https://token.acme.net/t?v=1\"" },
	{ "registration_endpoint", "\"https://auth.acme.net/register\"" },
	{ "revocation_endpoint", "\"https://auth.acme.net/revoke\"" },
	{ "response_types_supported", "[\"token\",\"code\"]" },
	{ "code_challenge_methods_supported", "[\"plain\",\"S256\"]" },
	{ "grant_types_supported", "[\"authorization_code\"]" },
	{ "response_modes_supported", "[\"query\"]" },
	{ "token_endpoint_auth_methods_supported",
	    "[\"private_key_jwt\",\"none\",\"client_secret_post\"]" },
	{ "scopes_supported", "[\"openid\",\"offline_access\"]" },
	{ "client_id_metadata_document_supported", "true" },
	{ "authorization_response_iss_parameter_supported", "true" },
};

static struct oauth_issuer found;
static struct err err;

static int
take(const char *json, const char *issuer)
{
	err.text[0] = '\0';
	memset(&found, 0x5a, sizeof(found));
	const int r =
	    oauth_issuer_read(json, strlen(json), issuer, &found, &err);
	assert_int_equal(r == 0, err.text[0] == '\0');
	if (r != 0)
		assert_int_equal(found.issuer[0], 0x5a);
	return r;
}

static int
take_with(const char *name, const char *json)
{
	auto_free char *text = variant(good, ARRAY_LEN(good), name, json);

	return take(text, "https://auth.acme.net");
}

static void
refuse_with(const char *name, const char *json)
{
	if (take_with(name, json) != -EINVAL)
		fail_msg("%s: %s is taken", name, json);
	if (strstr(err.text, name) == NULL)
		fail_msg("\"%s\" does not name %s", err.text, name);
	for (const char *at = err.text; *at != '\0'; at++)
		if (*at < ' ' || *at > '~')
			fail_msg("a byte %02x in the sentence", *at & 0xff);
}

#define OAUTH "/.well-known/oauth-authorization-server"
#define OPENID "/.well-known/openid-configuration"

static const struct {
	const char *issuer;
	const char *where[3];
} places[] = {
	{ "https://acme.net",
	    { "https://acme.net" OAUTH, "https://acme.net" OPENID } },
	{ "https://acme.net/",
	    { "https://acme.net" OAUTH, "https://acme.net" OPENID } },
	{ "https://acme.net/t1",
	    { "https://acme.net" OAUTH "/t1", "https://acme.net" OPENID "/t1",
		"https://acme.net/t1" OPENID } },
	{ "https://acme.net:8443/a/b/",
	    { "https://acme.net:8443" OAUTH "/a/b",
		"https://acme.net:8443" OPENID "/a/b",
		"https://acme.net:8443/a/b" OPENID } },
};

static void
metadata_is_looked_for_in_the_order_of_the_specification(void **state)
{
	char where[OAUTH_URL_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		for (unsigned k = 0; k < 4; k++) {
			const char *expected =
			    k < 3 ? places[i].where[k] : NULL;
			const bool is_there =
			    oauth_issuer_url(places[i].issuer, k, where);
			assert_int_equal(is_there, expected != NULL);
			if (is_there)
				assert_string_equal(where, expected);
		}
	assert_false(oauth_issuer_url("http://acme.net", 0, where));
	assert_false(oauth_issuer_url("https://acme.net?x", 0, where));
}

static void
a_place_that_is_too_long_is_none(void **state)
{
	auto_free char *text = long_text("https://acme.net/", 2020);
	char where[OAUTH_URL_MAX];

	(void)state;
	text[2021] = '\0';
	for (unsigned i = 0; i < 3; i++)
		assert_false(oauth_issuer_url(text + 1, i, where));
}

static void
issuers_are_the_same_or_not(void **state)
{
	static const struct {
		const char *one, *other;
		bool same;
	} pairs[] = {
		{ "https://acme.net", "https://acme.net", true },
		{ "https://acme.net", "https://acme.net/", true },
		{ "https://acme.net/", "https://acme.net", true },
		{ "https://acme.net:8443", "https://acme.net:8443/", true },
		{ "https://acme.net/t", "https://acme.net/t", true },
		{ "https://acme.net/t", "https://acme.net/t/", false },
		{ "https://acme.net", "https://acme.net//", false },
		{ "https://acme.net", "https://acme.net/t", false },
		{ "https://acme.net", "https://acme.net:443", false },
		{ "https://acme.net", "https://ACME.net", false },
		{ "https://acme.net", "https://acme.net.evil.net", false },
		{ "https://acme.net", "https://acme.ne", false },
		{ "https://acme.net/t", "https://acme.net/%74", false },
		{ "http://acme.net", "http://acme.net", false },
		{ "", "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		assert_int_equal(
		    oauth_issuer_same(pairs[i].one, pairs[i].other),
		    pairs[i].same);
		assert_int_equal(
		    oauth_issuer_same(pairs[i].other, pairs[i].one),
		    pairs[i].same);
	}
}

static void
a_good_document_is_read(void **state)
{
	(void)state;
	assert_int_equal(take_with("", NULL), 0);
	assert_string_equal(found.issuer, "https://auth.acme.net");
	assert_string_equal(
	    found.authorization, "https://auth.acme.net/authorize");
	assert_string_equal(found.token, "https://token.acme.net/t?v=1");
	assert_string_equal(
	    found.registration, "https://auth.acme.net/register");
	assert_string_equal(found.revocation, "https://auth.acme.net/revoke");
	assert_true(found.takes_documents);
	assert_true(found.says_iss);
	assert_true(found.has_offline_access);
	assert_int_equal(
	    found.auths, 1u << OAUTH_AUTH_NONE | 1u << OAUTH_AUTH_POST);
}

static void
what_may_be_missing_is(void **state)
{
	static const char *const optional[] = { "registration_endpoint",
		"revocation_endpoint", "grant_types_supported",
		"response_modes_supported",
		"token_endpoint_auth_methods_supported", "scopes_supported",
		"client_id_metadata_document_supported",
		"authorization_response_iss_parameter_supported" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(optional); i++) {
		assert_int_equal(take_with(optional[i], NULL), 0);
		assert_int_equal(take_with(optional[i], "null"), 0);
	}
	assert_false(found.says_iss);
	assert_int_equal(take_with(optional[0], NULL), 0);
	assert_string_equal(found.registration, "");
	assert_int_equal(take_with(optional[4], NULL), 0);
	assert_int_equal(found.auths, 1u << OAUTH_AUTH_BASIC);
	assert_int_equal(take_with(optional[5], "[\"openid\"]"), 0);
	assert_false(found.has_offline_access);
}

static void
what_is_needed_must_be_there(void **state)
{
	static const char *const needed[] = { "issuer",
		"authorization_endpoint", "token_endpoint",
		"response_types_supported",
		"code_challenge_methods_supported" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		refuse_with(needed[i], NULL);
		refuse_with(needed[i], "null");
	}
	for (size_t i = 0; i < ARRAY_LEN(bad_documents); i++)
		assert_int_equal(
		    take(bad_documents[i], "https://auth.acme.net"), -EINVAL);
}

static void
every_endpoint_is_https_outside(void **state)
{
	static const char *const endpoints[] = { "authorization_endpoint",
		"token_endpoint", "registration_endpoint",
		"revocation_endpoint" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
		for (size_t k = 0; k < ARRAY_LEN(bad_urls); k++)
			refuse_with(endpoints[i], bad_urls[k]);
		auto_free char *text =
		    long_text("https://acme.net/", OAUTH_URL_MAX);
		refuse_with(endpoints[i], text);
		assert_int_equal(
		    take_with(endpoints[i], "\"HTTPS://ACME.NET:443\""), 0);
	}
	assert_string_equal(found.revocation, "https://acme.net/");
}

static void
the_issuer_speaks_for_itself(void **state)
{
	static const char *const others[] = { "\"https://evil.net\"",
		"\"https://auth.acme.net/t\"", "\"https://auth.acme.net//\"",
		"\"https://auth.acme.net:443\"", "\"https://AUTH.acme.net\"",
		"\"https://auth.acme.net\\u0000\"",
		"\"https://auth.acme.net.evil.net\"",
		"\"https://auth.acme.net \"", "\"https://auth.acme.net?\"",
		"[\"https://auth.acme.net\"]", "1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		refuse_with("issuer", others[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad_urls); i++)
		refuse_with("issuer", bad_urls[i]);

	/* as the document spells it: that is what iss will say */
	assert_int_equal(take_with("issuer", "\"https://auth.acme.net/\""), 0);
	assert_string_equal(found.issuer, "https://auth.acme.net/");
	auto_free char *text = variant(good, ARRAY_LEN(good), "", NULL);
	assert_int_equal(take(text, "https://auth.acme.net/"), 0);
	assert_string_equal(found.issuer, "https://auth.acme.net");
	assert_int_equal(take(text, "https://auth.acme.net/t"), -EINVAL);
	assert_int_equal(take(text, "http://auth.acme.net"), -EINVAL);
}

static const char *const bad_lists[] = { "\"S256 code query none\"", "1",
	"true", "{}", "{\"S256\":1}", "[1]", "[null]", "[[\"S256\"]]", "[]",
	"[\"s256\",\"CODE\",\"Query\",\"None\",\"Authorization_Code\"]",
	"[\"S256 \",\"code id_token\",\"query.jwt\",\"none\\u0000\"]" };

static void
pkce_and_the_code_flow_are_there(void **state)
{
	static const char *const lists[] = { "code_challenge_methods_supported",
		"response_types_supported", "response_modes_supported",
		"grant_types_supported",
		"token_endpoint_auth_methods_supported" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t k = 0; k < ARRAY_LEN(bad_lists); k++)
			refuse_with(lists[i], bad_lists[k]);
	refuse_with("code_challenge_methods_supported", "[\"plain\"]");
	refuse_with("scopes_supported", "\"offline_access\"");
	refuse_with("scopes_supported", "[\"offline_access\",1]");
	refuse_with(
	    "token_endpoint_auth_methods_supported", "[\"private_key_jwt\"]");
}

static void
booleans_are_booleans(void **state)
{
	static const char *const others[] = { "\"true\"", "1", "[true]", "{}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		refuse_with("client_id_metadata_document_supported", others[i]);
		refuse_with("authorization_response_iss_parameter_supported",
		    others[i]);
	}
	assert_int_equal(
	    take_with("client_id_metadata_document_supported", "false"), 0);
	assert_false(found.takes_documents);
}

static const char *const opened[] = {
	/* what this client says */
	"client_id=x",
	"a=b&redirect_uri=https://evil.net",
	"state=",
	"%73tate=1",
	"State=1",
	"%53TATE=1",
	"code_challenge_method=plain",
	"request_uri=https://evil.net/r",
	"request=e30",
	"response_mode=form_post",
	"a=b&resource=https://evil.net",
	/* what a shell would obey */
	"reboot",
	"a=b&reboot",
	"a=b&reboot&c=d",
	"&",
	"=x",
	"",
	"a=b&",
	"a=`reboot`",
	"a=$(reboot)",
	"a=b;reboot=1",
	"a=b|reboot",
	"a=b>c",
	"a='b'",
	"a=\\\"b\\\"",
	"a={b,c}",
	"a=*",
	"a=!b",
};

static void
what_a_person_opens_is_plain(void **state)
{
	char json[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(opened); i++) {
		sprintf(json, "\"https://acme.net/authorize?%s\"", opened[i]);
		refuse_with("authorization_endpoint", json);
	}
	refuse_with("authorization_endpoint", "\"https://acme.net/$(reboot)\"");
	refuse_with("authorization_endpoint", "\"https://acme.net/a;reboot\"");
	assert_int_equal(take_with("authorization_endpoint",
			     "\"https://acme.net/~a/b.c?p=b2c_1&states=%20+\""),
	    0);
	assert_string_equal(
	    found.authorization, "https://acme.net/~a/b.c?p=b2c_1&states=%20+");
}

static void
a_member_that_is_twice_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		auto_free char *text = variant(good, ARRAY_LEN(good), "", NULL);
		sprintf(text + strlen(text) - 1, ",\"\\u%04x%s\":%s}",
		    good[i].name[0], good[i].name + 1, good[i].json);
		if (take(text, "https://auth.acme.net") != -EINVAL)
			fail_msg("%s is there twice", good[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    metadata_is_looked_for_in_the_order_of_the_specification),
		cmocka_unit_test(a_place_that_is_too_long_is_none),
		cmocka_unit_test(issuers_are_the_same_or_not),
		cmocka_unit_test(a_good_document_is_read),
		cmocka_unit_test(what_may_be_missing_is),
		cmocka_unit_test(what_is_needed_must_be_there),
		cmocka_unit_test(every_endpoint_is_https_outside),
		cmocka_unit_test(the_issuer_speaks_for_itself),
		cmocka_unit_test(pkce_and_the_code_flow_are_there),
		cmocka_unit_test(booleans_are_booleans),
		cmocka_unit_test(what_a_person_opens_is_plain),
		cmocka_unit_test(a_member_that_is_twice_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
