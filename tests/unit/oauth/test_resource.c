/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>

#include "oauth/oauth.h"
#include "oauth/variant.h"

static const char url[] = "https://acme.net/mcp";

static const struct member good[] = {
	{ "resource", "\"https://acme.net/mcp\"" },
	{ "authorization_servers",
	    "[\"https://auth.acme.net\",\"https://cordon.dev/t/\"]" },
	{ "scopes_supported", "[\"read\",\"write:all\"]" },
};

static struct oauth_resource found;
static struct err err;

static int
take(const char *json)
{
	err.text[0] = '\0';
	memset(&found, 0x5a, sizeof(found));
	const int r =
	    oauth_resource_read(json, strlen(json), url, &found, &err);
	assert_int_equal(r == 0, err.text[0] == '\0');
	if (r != 0)
		assert_int_equal(found.resource[0], 0x5a);
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
	for (const char *at = err.text; *at != '\0'; at++)
		if (*at < ' ' || *at > '~')
			fail_msg("a byte %02x in the sentence", *at & 0xff);
}

static const struct {
	const char *url;
	const char *where[2];
} places[] = {
	{ "https://acme.net",
	    { "https://acme.net/.well-known/oauth-protected-resource" } },
	{ "https://acme.net/",
	    { "https://acme.net/.well-known/oauth-protected-resource" } },
	{ "https://acme.net/mcp",
	    { "https://acme.net/.well-known/oauth-protected-resource/mcp",
		"https://acme.net/.well-known/oauth-protected-resource" } },
	{ "https://acme.net:8443/a/b/",
	    { "https://acme.net:8443/.well-known/oauth-protected-resource/a/b/",
		"https://acme.net:8443/.well-known/"
		"oauth-protected-resource" } },
	{ "https://acme.net/mcp?k=v",
	    { "https://acme.net/.well-known/oauth-protected-resource/mcp?k=v",
		"https://acme.net/.well-known/oauth-protected-resource" } },
	{ "https://acme.net/?k=v",
	    { "https://acme.net/.well-known/oauth-protected-resource?k=v",
		"https://acme.net/.well-known/oauth-protected-resource" } },
};

static void
metadata_is_looked_for_at_the_path_then_at_the_root(void **state)
{
	char where[OAUTH_URL_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		for (unsigned k = 0; k < 3; k++) {
			const char *expected =
			    k < 2 ? places[i].where[k] : NULL;
			const bool is_there =
			    oauth_resource_url(places[i].url, k, where);
			assert_int_equal(is_there, expected != NULL);
			if (is_there)
				assert_string_equal(where, expected);
		}
	assert_false(oauth_resource_url("http://acme.net/", 0, where));
	assert_false(oauth_resource_url("", 0, where));
}

static void
a_place_that_is_too_long_is_none(void **state)
{
	auto_free char *text = long_text("https://acme.net/", 2020);
	char where[OAUTH_URL_MAX];

	(void)state;
	text[2021] = '\0';
	assert_false(oauth_resource_url(text + 1, 0, where));
	assert_true(oauth_resource_url(text + 1, 1, where));
}

static void
a_good_document_is_read(void **state)
{
	(void)state;
	assert_int_equal(take_with("", NULL), 0);
	assert_string_equal(found.resource, "https://acme.net/mcp");
	assert_int_equal(found.n_issuers, 2);
	assert_string_equal(found.issuers[0], "https://auth.acme.net");
	assert_string_equal(found.issuers[1], "https://cordon.dev/t/");
	assert_string_equal(found.scopes, "read write:all");

	assert_int_equal(take_with("scopes_supported", NULL), 0);
	assert_string_equal(found.scopes, "");
	assert_int_equal(take_with("scopes_supported", "null"), 0);
	assert_int_equal(take_with("scopes_supported", "[]"), 0);
	assert_string_equal(found.scopes, "");
	assert_int_equal(take_with("more", "{\"resource\":1}"), 0);
}

static void
what_is_no_document_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_documents); i++)
		assert_int_equal(take(bad_documents[i]), -EINVAL);
	assert_int_equal(take("{}"), -EINVAL);
}

static void
a_document_has_a_size(void **state)
{
	auto_free char *text = variant(good, ARRAY_LEN(good), "", NULL);
	auto_free char *large = malloc(OAUTH_DOCUMENT_MAX + 2);

	(void)state;
	const size_t len = strlen(text);
	memset(large, ' ', OAUTH_DOCUMENT_MAX + 1);
	large[OAUTH_DOCUMENT_MAX + 1] = '\0';
	memcpy(large + OAUTH_DOCUMENT_MAX + 1 - len, text, len);
	assert_int_equal(take(large), -EINVAL);
	assert_int_equal(take(large + 1), 0);
}

static void
deep_nesting_is_no_document(void **state)
{
	char json[2048], *at = json;

	(void)state;
	at += sprintf(at, "{\"x\":");
	memset(at, '[', 1000);
	strcpy(at + 1000, "");
	assert_int_equal(take(json), -EINVAL);
}

static const char *const same[] = {
	"\"https://acme.net/mcp\"",
	"\"https://acme.net/mcp/\"",
	"\"https://acme.net/\"",
	"\"https://acme.net\"",
	"\"HTTPS://ACME.NET:443/mcp\"",
	"\"https:\\/\\/acme.net\\/mcp\"",
	"\"https://acme.net/\\u006dcp\"",
};

static const char *const others[] = {
	"null",
	"\"https://evil.net/mcp\"",
	"\"https://acme.net.evil.net/mcp\"",
	"\"https://api.acme.net/mcp\"",
	"\"https://net/mcp\"",
	"\"https://acme.net:444/mcp\"",
	"\"https://acme.net/mc\"",
	"\"https://acme.net/mcp2\"",
	"\"https://acme.net/mcp/more\"",
	"\"https://acme.net/MCP\"",
	"\"https://acme.net/%6dcp\"",
	"\"https://acme.net//\"",
	"\"https://acme.net/mcp//\"",
	"\"https://acme.net/?x\"",
	"\"https://acme.net/mcp?\"",
	"\"https://acme.net/mcp?x=y\"",
	"\"urn:acme\"",
};

static void
the_resource_is_what_was_asked_or_above(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		if (take_with("resource", same[i]) != 0)
			fail_msg("%s: %s", same[i], err.text);
	assert_string_equal(found.resource, "https://acme.net/mcp");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		refuse_with("resource", others[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad_urls); i++)
		refuse_with("resource", bad_urls[i]);
	refuse_with("resource", NULL);
}

static void
a_query_is_the_same_or_none(void **state)
{
	static const char asked[] = "https://acme.net/mcp?tenant=a";
	char *text = variant(good, ARRAY_LEN(good), "resource",
	    "\"https://acme.net/mcp?tenant=a\"");

	(void)state;
	assert_int_equal(
	    oauth_resource_read(text, strlen(text), asked, &found, NULL), 0);
	*strstr(text, "=a") = '.';
	assert_int_equal(
	    oauth_resource_read(text, strlen(text), asked, &found, NULL),
	    -EINVAL);
	free(text);
}

static void
issuers_are_https_without_query(void **state)
{
	char list[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_urls); i++) {
		sprintf(list, "[\"https://acme.net\",%s]", bad_urls[i]);
		refuse_with("authorization_servers", list);
	}
	refuse_with("authorization_servers", "[\"https://acme.net/?x\"]");
	refuse_with("authorization_servers", NULL);
	refuse_with("authorization_servers", "[]");
	refuse_with("authorization_servers", "[null]");
	refuse_with("authorization_servers", "\"https://acme.net\"");
	refuse_with("authorization_servers", "{\"a\":\"https://acme.net\"}");
}

static void
issuers_have_a_number(void **state)
{
	char list[1024] = "[", *at = list + 1;

	(void)state;
	for (unsigned i = 0; i < OAUTH_ISSUERS_MAX; i++)
		at +=
		    sprintf(at, "%s\"https://a%u.acme.net\"", i ? "," : "", i);
	strcpy(at, "]");
	assert_int_equal(take_with("authorization_servers", list), 0);
	assert_int_equal(found.n_issuers, OAUTH_ISSUERS_MAX);
	strcpy(at, ",\"https://b.acme.net\"]");
	refuse_with("authorization_servers", list);
}

static const char *const bad_scopes[] = { "\"read\"", "1", "[1]", "[null]",
	"[\"\"]", "[\"a b\"]", "[\"a\\u0000\"]", "[\"a\\\"\"]", "[\"\\\\\"]",
	"[\"\\n\"]", "[\"\\u001b[2J\"]", "[\"caf\xc3\xa9\"]", "[[\"a\"]]" };

static void
scopes_are_scopes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_scopes); i++)
		refuse_with("scopes_supported", bad_scopes[i]);
}

static void
scopes_that_do_not_fit_are_none(void **state)
{
	auto_free char *list = malloc(8192);
	char *at = list;

	(void)state;
	at += sprintf(at, "[\"x\"");
	for (int i = 0; i < 300; i++)
		at += sprintf(at, ",\"scope%04d\"", i);
	strcpy(at, ",\"y\"]");
	assert_int_equal(take_with("scopes_supported", list), 0);
	assert_string_equal(found.scopes, "");
}

static void
a_member_that_is_twice_is_refused(void **state)
{
	(void)state;
	assert_int_equal(
	    take("{\"resource\":\"https://acme.net/mcp\","
		 "\"authorization_servers\":[\"https://acme.net\"],"
		 "\"\\u0061uthorization_servers\":[\"https://evil.net\"]}"),
	    -EINVAL);
	assert_non_null(strstr(err.text, "twice"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    metadata_is_looked_for_at_the_path_then_at_the_root),
		cmocka_unit_test(a_place_that_is_too_long_is_none),
		cmocka_unit_test(a_good_document_is_read),
		cmocka_unit_test(what_is_no_document_is_refused),
		cmocka_unit_test(a_document_has_a_size),
		cmocka_unit_test(deep_nesting_is_no_document),
		cmocka_unit_test(the_resource_is_what_was_asked_or_above),
		cmocka_unit_test(a_query_is_the_same_or_none),
		cmocka_unit_test(issuers_are_https_without_query),
		cmocka_unit_test(issuers_have_a_number),
		cmocka_unit_test(scopes_are_scopes),
		cmocka_unit_test(scopes_that_do_not_fit_are_none),
		cmocka_unit_test(a_member_that_is_twice_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
