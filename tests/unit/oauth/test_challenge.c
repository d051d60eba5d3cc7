/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>

#include "oauth/oauth.h"

static int
read_one(const char *value, struct oauth_challenge *challenge)
{
	struct err err = { .text = "" };

	const int r =
	    oauth_challenge_read(value, strlen(value), challenge, &err);
	assert_int_equal(r == 0, err.text[0] == '\0');
	return r;
}

#define META "https://acme.net/.well-known/oauth-protected-resource"

static const struct {
	const char *value;
	const char *metadata;
	const char *scope;
	const char *error;
} good[] = {
	{ "Bearer", "", "", "" },
	{ "bearer", "", "", "" },
	{ "BEARER resource_metadata=\"" META "\"", META, "", "" },
	{ "Bearer Resource_Metadata = \"" META "\"", META, "", "" },
	{ "Bearer resource_metadata=\"HTTPS://ACME.NET:443/.well-known/"
	  "oauth-protected-resource\"",
	    META, "", "" },
	{ "Bearer resource_metadata=\"https://acme.net/.well-known/"
	  "oauth-protected\\-resource\"",
	    META, "", "" },
	{ "Bearer realm=\"a, b\", error=\"invalid_token\", scope=\"a b:c\", "
	  "resource_metadata=\"" META "\"",
	    META, "a b:c", "invalid_token" },
	{ "Bearer error=invalid_token,scope=read", "", "read",
	    "invalid_token" },
	{ "Bearer scope=\"\"", "", "", "" },
	{ ", ,Bearer scope=a,,", "", "a", "" },
	{ "Basic realm=\"x\", Bearer scope=\"a\"", "", "a", "" },
	{ "Basic scope=no, Bearer scope=a", "", "a", "" },
	{ "Negotiate, Bearer scope=a", "", "a", "" },
	{ "Negotiate YWJj==, Bearer scope=a", "", "a", "" },
	{ "Bearer scope=a, Basic scope=b", "", "a", "" },
	{ "Bearer scope=a, Bearer scope=b", "", "a", "" },
	{ "Bearer abc=", "", "", "" },
	/* a token68, by the grammar */
	{ "Bearer scope=", "", "", "" },
	{ "Bearer\tscope=a", "", "a", "" },
	{ "DPoP algs=\"ES256\", Bearer realm=\"Bearer error=\\\"x\\\"\"", "",
	    "", "" },
	/* no error code is that long: it is not kept */
	{ "Bearer error="
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, "
	  "scope=a",
	    "", "a", "" },
};

static void
a_bearer_challenge_is_found_among_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct oauth_challenge found = { 0 };
		assert_int_equal(read_one(good[i].value, &found), 0);
		if (!found.is_bearer)
			fail_msg("no Bearer: %s", good[i].value);
		assert_string_equal(found.metadata, good[i].metadata);
		assert_string_equal(found.scope, good[i].scope);
		assert_string_equal(found.error, good[i].error);
	}
}

static const char *const malformed[] = {
	"",
	" ",
	",",
	"=",
	"\"Bearer\"",
	"Basic realm=\"Bearer\"",
	"Basic realm=\", Bearer scope=a",
	"Bearer scope=\"a",
	"Bearer scope=\"a\\",
	"Bearer scope=\"a\" error=\"b\"",
	"Bearer scope=a scope=b",
	"Bearer =a",
	"Bearer scope=a, =b",
	"Bearer scope=a, \"b\"",
	"Bearer@scope=a",
	"Bearer scope=a, scope=b",
	"Bearer scope=a, SCOPE=a",
	"Bearer error=a, error=b",
	"Bearer resource_metadata=\"" META "\", resource_metadata=\"" META "\"",
	"Bearer scope=\" a\"",
	"Bearer scope=\"a  b\"",
	"Bearer scope=\"a \"",
	"Bearer scope=\"a\\\"b\"",
	"Bearer scope=\"a\x01"
	"b\"",
	"Bearer scope=\"a\r\nb\"",
	"Bearer scope=\"\xc3\xa9\"",
	"Bearer scope=\"\x1b[2J\"",
	"Bearer\r\nscope=a",
	"B\xc3\xa9"
	"arer scope=a",
};

static void
a_malformed_field_has_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
		struct oauth_challenge found = { 0 };
		assert_int_equal(read_one(malformed[i], &found), 0);
		if (found.is_bearer)
			fail_msg("a Bearer in: %s", malformed[i]);
	}
}

static void
a_nul_ends_nothing(void **state)
{
	static const char value[] =
	    "Bearer scope=\"a\0\", resource_metadata=\"" META "\"";
	struct oauth_challenge found = { 0 };

	(void)state;
	assert_int_equal(
	    oauth_challenge_read(value, sizeof(value) - 1, &found, NULL), 0);
	assert_false(found.is_bearer);
}

static const char *const elsewhere[] = {
	"http://acme.net/",
	"file:///etc/passwd",
	"javascript:alert(1)",
	"https:acme.net",
	"//acme.net/",
	"/x",
	"",
	"https://",
	"https://user@acme.net/",
	"https://acme.net/#x",
	"https://acme.net/a/../b",
	"https://acme.net/a/%2e%2E/b",
	"https://acme.net/a b",
	"https://127.0.0.1/",
	"https://[::1]/",
	"https://169.254.169.254/",
	"https://10.0.0.1/",
	"https://2130706433/",
	"https://localhost/",
	"https://router/",
	"https://metadata.google.internal/",
	"https://acme.net:0/",
	"https://acme.net:65536/",
	"https://acme.net\\@evil.net/",
	"https://\xc3\xa9.net/",
};

static void
metadata_is_https_outside(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
		struct oauth_challenge found = { 0 };
		char value[256], *at = value;

		at = stpcpy(at, "Bearer resource_metadata=\"");
		for (const char *c = elsewhere[i]; *c != '\0'; c++) {
			if (*c == '\\')
				*at++ = '\\';
			*at++ = *c;
		}
		strcpy(at, "\"");
		if (read_one(value, &found) != -EINVAL)
			fail_msg("taken: %s", value);
		assert_false(found.is_bearer);
	}
}

static void
what_is_too_long_is_none(void **state)
{
	static char value[1 << 16];
	struct oauth_challenge found = { 0 };
	char *at = value;

	(void)state;
	at = stpcpy(at, "Bearer scope=\"");
	memset(at, 'a', OAUTH_SCOPE_MAX);
	at += OAUTH_SCOPE_MAX;
	strcpy(at, "\"");
	assert_int_equal(read_one(value, &found), 0);
	assert_false(found.is_bearer);

	/* one byte less fits */
	strcpy(at - 1, "\"");
	assert_int_equal(read_one(value, &found), 0);
	assert_true(found.is_bearer);
	assert_int_equal(strlen(found.scope), OAUTH_SCOPE_MAX - 1);
}

static void
the_first_stays_unless_it_has_no_metadata(void **state)
{
	struct oauth_challenge found = { 0 };

	(void)state;
	assert_int_equal(read_one("Basic realm=x", &found), 0);
	assert_false(found.is_bearer);
	assert_int_equal(read_one("Bearer scope=a", &found), 0);
	assert_int_equal(read_one("Bearer scope=b", &found), 0);
	assert_string_equal(found.scope, "a");
	assert_int_equal(
	    read_one("Bearer scope=c, resource_metadata=\"" META "\"", &found),
	    0);
	assert_string_equal(found.scope, "c");
	assert_int_equal(
	    read_one("Bearer resource_metadata=\"https://evil.net/\"", &found),
	    0);
	assert_string_equal(found.metadata, META);
	assert_int_equal(read_one("\"", &found), 0);
	assert_true(found.is_bearer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bearer_challenge_is_found_among_others),
		cmocka_unit_test(a_malformed_field_has_none),
		cmocka_unit_test(a_nul_ends_nothing),
		cmocka_unit_test(metadata_is_https_outside),
		cmocka_unit_test(what_is_too_long_is_none),
		cmocka_unit_test(the_first_stays_unless_it_has_no_metadata),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
