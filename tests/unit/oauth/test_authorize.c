/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>

#include "oauth/oauth.h"

static const char *const good_redirects[] = {
	"http://127.0.0.1:1/",
	"http://127.0.0.1:4711/callback",
	"http://127.0.0.1:65535/a/b",
	"http://[::1]:4711/callback",
};

static const char *const bad_redirects[] = {
	"",
	"http://127.0.0.1/",
	"http://127.0.0.1:80/",
	"http://127.0.0.1:0/",
	"http://127.0.0.1:65536/",
	"http://127.0.0.1:4711",
	"http://127.0.0.1:4711/?x=y",
	"http://127.0.0.1:4711/?",
	"http://127.0.0.1:4711/#",
	"http://127.0.0.1:4711/a b",
	"http://127.0.0.1:4711/\n",
	"http://127.0.0.1:4711/../a",
	"HTTP://127.0.0.1:4711/",
	"https://127.0.0.1:4711/",
	"http://127.0.0.2:4711/",
	"http://127.1:4711/",
	"http://2130706433:4711/",
	"http://0.0.0.0:4711/",
	"http://[::]:4711/",
	"http://[::ffff:127.0.0.1]:4711/",
	"http://[0:0:0:0:0:0:0:1]:4711/",
	"http://localhost:4711/",
	"http://localhost.evil.net:4711/",
	"http://127.0.0.1.evil.net:4711/",
	"http://127.0.0.1:4711@evil.net/",
	"http://evil.net:4711/",
	"cordon://callback",
	"127.0.0.1:4711",
};

static void
a_redirect_comes_back_to_this_machine(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_redirects); i++)
		assert_int_equal(
		    oauth_redirect_check(good_redirects[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad_redirects); i++) {
		err.text[0] = '\0';
		if (oauth_redirect_check(bad_redirects[i], &err) != -EINVAL)
			fail_msg("%s is taken", bad_redirects[i]);
		assert_true(err.text[0] != '\0');
	}
}

static void
what_is_drawn_is_long_and_another_each_time(void **state)
{
	char verifiers[64][OAUTH_VERIFIER_MAX], state_[OAUTH_STATE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verifiers); i++) {
		oauth_verifier_draw(verifiers[i]);
		assert_int_equal(strlen(verifiers[i]), 43);
		assert_int_equal(
		    strspn(verifiers[i],
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			"0123456789-_"),
		    43);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(verifiers[i], verifiers[k]);
	}
	oauth_state_draw(state_);
	assert_int_equal(strlen(state_), 43);
}

static struct oauth_issuer server = {
	.issuer = "https://acme.net",
	.authorization = "https://acme.net/authorize",
};

/* The verifier and its challenge are RFC 7636's, appendix B. */
static struct oauth_ask ask = {
	.server = &server,
	.client_id = "id",
	.redirect_uri = "http://127.0.0.1:4711/callback",
	.resource = "https://acme.net/mcp",
	.scope = "read write:all",
	.state = "st-ate_1",
	.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
};

#define REST                                                                   \
	"&redirect_uri=http%3A%2F%2F127.0.0.1%3A4711%2Fcallback"               \
	"&state=st-ate_1"                                                      \
	"&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"          \
	"&code_challenge_method=S256"                                          \
	"&resource=https%3A%2F%2Facme.net%2Fmcp"

static void
the_url_says_all_of_it(void **state)
{
	char url[OAUTH_AUTHORIZE_MAX];

	(void)state;
	assert_int_equal(oauth_authorize_url(&ask, url, NULL), 0);
	assert_string_equal(url,
	    "https://acme.net/authorize?response_type=code&client_id=id" REST
	    "&scope=read%20write%3Aall");
}

static void
a_query_of_the_endpoint_stays(void **state)
{
	struct oauth_issuer with = { .authorization = "https://acme.net/?p=1" };
	struct oauth_ask other = ask;
	char url[OAUTH_AUTHORIZE_MAX];

	(void)state;
	other.server = &with;
	other.scope = "";
	assert_int_equal(oauth_authorize_url(&other, url, NULL), 0);
	assert_string_equal(
	    url, "https://acme.net/?p=1&response_type=code&client_id=id" REST);
	strcpy(with.authorization, "https://acme.net/?");
	assert_int_equal(oauth_authorize_url(&other, url, NULL), 0);
	assert_string_equal(
	    url, "https://acme.net/?response_type=code&client_id=id" REST);
}

static void
offline_access_asks_for_consent(void **state)
{
	struct oauth_ask other = ask;
	char url[OAUTH_AUTHORIZE_MAX];

	(void)state;
	other.scope = "read offline_access";
	assert_int_equal(oauth_authorize_url(&other, url, NULL), 0);
	assert_non_null(strstr(url, "&prompt=consent"));
	other.scope = "read no_offline_access offline_access2";
	assert_int_equal(oauth_authorize_url(&other, url, NULL), 0);
	assert_null(strstr(url, "prompt"));
}

static void
no_value_ends_its_member(void **state)
{
	struct oauth_ask other = ask;
	char url[OAUTH_AUTHORIZE_MAX];

	(void)state;
	other.client_id = "x&redirect_uri=https://evil.net#\r\n;%26 '\"`$(a)\\";
	assert_int_equal(oauth_authorize_url(&other, url, NULL), 0);
	assert_string_equal(url,
	    "https://acme.net/authorize?response_type=code&client_id="
	    "x%26redirect_uri%3Dhttps%3A%2F%2Fevil.net%23%0D%0A%3B%2526%20%27"
	    "%22%60%24%28a%29%5C" REST "&scope=read%20write%3Aall");
}

static void
a_url_that_is_too_long_is_said(void **state)
{
	static char scope[OAUTH_SCOPE_MAX], id[OAUTH_CLIENT_ID_MAX];
	struct oauth_ask other = ask;
	char url[OAUTH_AUTHORIZE_MAX] = "untouched";
	struct err err = { .text = "" };

	(void)state;
	memset(scope, '/', sizeof(scope) - 1);
	memset(id, '/', sizeof(id) - 1);
	other.scope = scope;
	assert_int_equal(oauth_authorize_url(&other, url, NULL), 0);
	strcpy(url, "untouched");
	other.client_id = id;
	assert_int_equal(oauth_authorize_url(&other, url, &err), -EINVAL);
	assert_string_equal(url, "untouched");
	assert_true(err.text[0] != '\0');
}

static void
the_persons_scope_wins(void **state)
{
	const struct oauth_issuer offline = { .has_offline_access = true };
	const struct oauth_issuer plain = { 0 };
	struct oauth_resource resource = { .scopes = "c d" };
	const struct {
		const char *said, *challenge;
		const struct oauth_resource *resource;
		const struct oauth_issuer *server;
		const char *chosen;
	} rows[] = {
		{ "a", "b", &resource, &offline, "a" },
		{ "", "b", &resource, &plain, "b" },
		{ "", "b", &resource, &offline, "b offline_access" },
		{ "", "offline_access b", NULL, &offline, "offline_access b" },
		{ "", "", &resource, &plain, "c d" },
		{ "", "", &resource, &offline, "c d offline_access" },
		{ "", "", NULL, &plain, "" },
		{ "", "", NULL, &offline, "" },
	};
	char scope[OAUTH_SCOPE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
		    oauth_scope_choose(rows[i].said, rows[i].challenge,
			rows[i].resource, rows[i].server, scope, NULL),
		    0);
		assert_string_equal(scope, rows[i].chosen);
	}
	memset(resource.scopes, 'x', sizeof(resource.scopes) - 1);
	assert_int_equal(
	    oauth_scope_choose("", "", &resource, &offline, scope, NULL), 0);
	assert_string_equal(scope, resource.scopes);
}

static void
a_scope_that_is_none_is_said(void **state)
{
	static const char *const bad[] = { " ", "a ", " a", "a  b", "a\tb",
		"a\"b", "a\\b", "a\nb", "caf\xc3\xa9", "\x7f", "\x1b[m" };
	const struct oauth_issuer plain = { 0 };
	static char large[OAUTH_SCOPE_MAX + 1];
	char scope[OAUTH_SCOPE_MAX];
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		err.text[0] = '\0';
		assert_int_equal(
		    oauth_scope_choose(bad[i], "", NULL, &plain, scope, &err),
		    -EINVAL);
		assert_true(err.text[0] != '\0');
	}
	memset(large, 'x', sizeof(large) - 1);
	assert_int_equal(
	    oauth_scope_choose(large, "", NULL, &plain, scope, NULL), -EINVAL);
}

static void
iss_is_the_issuers_byte_for_byte(void **state)
{
	static const char *const others[] = { "", "https://evil.net",
		"https://acme.net/", "https://ACME.net", "https://acme.net:443",
		"https://acme.net\x1b[2J", "https://acme.ne" };
	struct oauth_issuer says = server;
	struct err err;

	(void)state;
	says.says_iss = true;
	assert_int_equal(oauth_iss_check(&server, NULL, NULL), 0);
	assert_int_equal(oauth_iss_check(&server, server.issuer, NULL), 0);
	assert_int_equal(oauth_iss_check(&says, server.issuer, NULL), 0);
	err.text[0] = '\0';
	assert_int_equal(oauth_iss_check(&says, NULL, &err), -EINVAL);
	assert_true(err.text[0] != '\0');
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_int_equal(
		    oauth_iss_check(&server, others[i], &err), -EINVAL);
		assert_int_equal(
		    oauth_iss_check(&says, others[i], &err), -EINVAL);
		assert_null(strchr(err.text, '\x1b'));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_redirect_comes_back_to_this_machine),
		cmocka_unit_test(what_is_drawn_is_long_and_another_each_time),
		cmocka_unit_test(the_url_says_all_of_it),
		cmocka_unit_test(a_query_of_the_endpoint_stays),
		cmocka_unit_test(offline_access_asks_for_consent),
		cmocka_unit_test(no_value_ends_its_member),
		cmocka_unit_test(a_url_that_is_too_long_is_said),
		cmocka_unit_test(the_persons_scope_wins),
		cmocka_unit_test(a_scope_that_is_none_is_said),
		cmocka_unit_test(iss_is_the_issuers_byte_for_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
