/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>

#include "oauth/oauth.h"
#include "oauth/variant.h"

#define NONE (1u << OAUTH_AUTH_NONE)
#define POST (1u << OAUTH_AUTH_POST)
#define BASIC (1u << OAUTH_AUTH_BASIC)

static const struct member good[] = {
	{ "client_id", "\"id & 1\"" },
	{ "client_secret", "\"a secret\"" },
	{ "token_endpoint_auth_method", "\"client_secret_post\"" },
};

static struct oauth_issuer server = { .auths = NONE | POST | BASIC };
static struct oauth_client found;
static struct err err;

static int
take(const char *json)
{
	err.text[0] = '\0';
	memset(&found, 0x5a, sizeof(found));
	const int r =
	    oauth_register_read(json, strlen(json), &server, &found, &err);
	assert_int_equal(r == 0, err.text[0] == '\0');
	if (r != 0)
		assert_int_equal(found.id[0], 0x5a);
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
	assert_null(strstr(err.text, "a secret"));
}

static void
write_one(unsigned auths, const char *redirect_uri, const char *scope,
    struct json_span *body, struct json_out *out)
{
	const struct oauth_issuer other = { .auths = auths };

	json_out_init(out, 4096);
	oauth_register_write(out, &other, redirect_uri, scope);
	assert_int_equal(json_out_status(out), 0);
	assert_int_equal(json_check(out->bytes, out->len, body, NULL), 0);
}

static void
the_request_says_what_is_needed(void **state)
{
	static const char redirect_uri[] = "http://127.0.0.1:4711/callback";
	struct json_span body, element;
	struct json_out out;
	struct json_iter iter;

	(void)state;
	write_one(NONE | BASIC, redirect_uri, "a b", &body, &out);
	assert_int_equal(
	    json_iter_init(&iter, json_member(body, "redirect_uris")), 0);
	assert_true(json_iter_element(&iter, &element));
	assert_true(json_string_equals(element, redirect_uri));
	assert_false(json_iter_element(&iter, &element));
	assert_true(json_string_equals(json_member(body, "scope"), "a b"));
	assert_true(json_string_equals(
	    json_member(body, "application_type"), "native"));
	assert_true(json_string_equals(
	    json_member(body, "token_endpoint_auth_method"), "none"));
	json_out_fini(&out);
}

static void
a_secret_is_asked_for_where_it_must_be(void **state)
{
	static const struct {
		unsigned auths;
		const char *asked;
	} rows[] = {
		{ NONE | POST | BASIC, "none" },
		{ POST | BASIC, "client_secret_basic" },
		{ BASIC, "client_secret_basic" },
		{ POST, "client_secret_post" },
	};
	struct json_span body;
	struct json_out out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		write_one(rows[i].auths, "http://[::1]:1/", "", &body, &out);
		assert_true(json_string_equals(
		    json_member(body, "token_endpoint_auth_method"),
		    rows[i].asked));
		assert_null(json_member(body, "scope").at);
		json_out_fini(&out);
	}
}

static void
what_is_written_stays_in_its_member(void **state)
{
	static const char scope[] = "a\",\"redirect_uris\":[\"https://evil";
	struct json_span body;
	struct json_out out;

	(void)state;
	write_one(NONE, "http://127.0.0.1:1/\"],\"x\":[\"", scope, &body, &out);
	assert_true(json_string_equals(json_member(body, "scope"), scope));
	assert_null(json_member(body, "x").at);
	json_out_fini(&out);
}

static void
a_good_answer_is_read(void **state)
{
	(void)state;
	assert_int_equal(take_with("", NULL), 0);
	assert_string_equal(found.id, "id & 1");
	assert_string_equal(found.secret, "a secret");
	assert_int_equal(found.auth, OAUTH_AUTH_POST);

	assert_int_equal(take("{\"client_id\":\"x\"}"), 0);
	assert_int_equal(found.auth, OAUTH_AUTH_NONE);
	assert_int_equal(
	    take("{\"client_id\":\"x\",\"client_secret\":null}"), 0);
	assert_int_equal(found.auth, OAUTH_AUTH_NONE);
}

static void
the_method_fits_the_secret(void **state)
{
	(void)state;
	assert_int_equal(
	    take_with("token_endpoint_auth_method", "\"none\""), 0);
	assert_int_equal(found.auth, OAUTH_AUTH_NONE);
	assert_string_equal(found.secret, "");

	server.auths = POST;
	assert_int_equal(take_with("token_endpoint_auth_method", NULL), 0);
	assert_int_equal(found.auth, OAUTH_AUTH_POST);
	server.auths = BASIC | POST;
	assert_int_equal(take_with("token_endpoint_auth_method", NULL), 0);
	assert_int_equal(found.auth, OAUTH_AUTH_BASIC);
	server.auths = NONE | POST | BASIC;

	assert_int_equal(take("{\"client_id\":\"x\","
			      "\"token_endpoint_auth_method\":"
			      "\"client_secret_basic\"}"),
	    -EINVAL);
	refuse_with("token_endpoint_auth_method", "\"private_key_jwt\"");
	refuse_with("token_endpoint_auth_method", "\"None\"");
	refuse_with("token_endpoint_auth_method", "[\"none\"]");
	refuse_with("token_endpoint_auth_method", "\"\"");
}

static void
ids_and_secrets_are_ascii(void **state)
{
	static const char *const values[] = { "1", "true", "[]", "{}", "\"\"",
		"\"a\\u0000b\"", "\"a\\r\\nAuthorization: x\"", "\"a\\tb\"",
		"\"\\u001b]0;x\\u0007\"", "\"\\u007f\"", "\"caf\xc3\xa9\"",
		"\"\\ud800\"", "\"\\u202e\"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		refuse_with("client_id", values[i]);
		refuse_with("client_secret", values[i]);
	}
	refuse_with("client_id", NULL);
	refuse_with("client_id", "null");
	auto_free char *id = long_text("", OAUTH_CLIENT_ID_MAX);
	refuse_with("client_id", id);
	auto_free char *secret = long_text("", OAUTH_TOKEN_MAX);
	refuse_with("client_secret", secret);
	for (size_t i = 0; i < ARRAY_LEN(bad_documents); i++)
		assert_int_equal(take(bad_documents[i]), -EINVAL);
}

static int
give(const char *id, const char *secret)
{
	err.text[0] = '\0';
	const int r = oauth_client_set(&server, id, secret, &found, &err);
	assert_int_equal(r == 0, err.text[0] == '\0');
	return r;
}

static void
a_client_may_be_given(void **state)
{
	(void)state;
	server = (struct oauth_issuer){ .auths = BASIC };
	assert_int_equal(give("app", ""), 0);
	assert_int_equal(found.auth, OAUTH_AUTH_NONE);
	assert_int_equal(give("app", "hush"), 0);
	assert_int_equal(found.auth, OAUTH_AUTH_BASIC);
	assert_string_equal(found.secret, "hush");
	server.auths = POST | NONE;
	assert_int_equal(give("app", "hush"), 0);
	assert_int_equal(found.auth, OAUTH_AUTH_POST);
	server.auths = NONE;
	assert_int_equal(give("app", "hush"), -EINVAL);
	assert_int_equal(give("", ""), -EINVAL);
	assert_int_equal(give("a\nb", ""), -EINVAL);
	server.auths = BASIC;
	assert_int_equal(give("a", "b\nc"), -EINVAL);
	auto_free char *secret = long_text("", OAUTH_TOKEN_MAX);
	assert_int_equal(give("a", secret), -EINVAL);
	auto_free char *id = long_text("", OAUTH_CLIENT_ID_MAX);
	assert_int_equal(give(id, ""), -EINVAL);
}

static void
a_url_is_a_document_that_is_read(void **state)
{
	static const char id[] = "https://cordon.dev/client.json";

	(void)state;
	server = (struct oauth_issuer){ .auths = NONE | BASIC };
	assert_int_equal(give(id, ""), -EINVAL);
	server.takes_documents = true;
	assert_int_equal(give(id, ""), 0);
	assert_string_equal(found.id, id);
	assert_int_equal(found.auth, OAUTH_AUTH_NONE);
	assert_int_equal(give(id, "hush"), -EINVAL);
	assert_int_equal(give("https://cordon.dev", ""), -EINVAL);
	assert_int_equal(give("https://cordon.dev/", ""), -EINVAL);
	assert_int_equal(give("https://cordon.dev/a#b", ""), -EINVAL);
	assert_int_equal(give("https://cordon.dev/a/../b", ""), -EINVAL);
	assert_int_equal(give("https://CORDON.dev/a", ""), -EINVAL);
	assert_int_equal(give("https://127.0.0.1/a", ""), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_request_says_what_is_needed),
		cmocka_unit_test(a_secret_is_asked_for_where_it_must_be),
		cmocka_unit_test(what_is_written_stays_in_its_member),
		cmocka_unit_test(a_good_answer_is_read),
		cmocka_unit_test(the_method_fits_the_secret),
		cmocka_unit_test(ids_and_secrets_are_ascii),
		cmocka_unit_test(a_client_may_be_given),
		cmocka_unit_test(a_url_is_a_document_that_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
