/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "oauth/oauth.h"
#include "oauth/variant.h"

static struct err err;

static bool
take(unsigned status, const char *json)
{
	strcpy(err.text, "untouched");
	const bool is_final =
	    oauth_refusal_read(status, json, strlen(json), &err);
	for (const char *at = err.text; *at != '\0'; at++)
		if (*at < ' ' || *at > '~')
			fail_msg("a byte %02x in the sentence", *at & 0xff);
	assert_true(strlen(err.text) < 400);
	return is_final;
}

static void
a_refusal_is_said(void **state)
{
	(void)state;
	assert_true(take(400, "{\"error\":\"invalid_grant\"}"));
	assert_string_equal(err.text, "answered 400: invalid_grant");
	assert_true(take(401,
	    "{\"error\":\"invalid_client\","
	    "\"error_description\":\"unknown client\"}"));
	assert_string_equal(
	    err.text, "answered 401: invalid_client (\"unknown client\")");
	assert_true(take(200, "{\"error\":\"bad_refresh_token\"}"));
	assert_string_equal(err.text, "answered 200: bad_refresh_token");
}

static void
asking_again_may_help(void **state)
{
	static const char *const again[] = { "server_error",
		"temporarily_unavailable", "slow_down", "invalid_request",
		"Invalid_Grant", "invalid_grant2", "x" };
	char json[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(again); i++) {
		sprintf(json, "{\"error\":\"%s\"}", again[i]);
		assert_false(take(400, json));
	}
	/* a proxy's, or one that is ill */
	assert_false(take(500, "{\"error\":\"invalid_grant\"}"));
	assert_false(take(503, "{\"error\":\"invalid_grant\"}"));
	assert_false(take(429, "{\"error\":\"invalid_grant\"}"));
	assert_false(take(408, "{\"error\":\"invalid_grant\"}"));
}

static void
what_is_no_refusal_is_a_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_documents); i++) {
		assert_false(take(502, bad_documents[i]));
		assert_string_equal(err.text, "answered 502");
	}
	assert_false(take(400, "{}"));
	assert_string_equal(err.text, "answered 400");
	assert_false(take(400, "{\"error\":[\"invalid_grant\"]}"));
	assert_string_equal(err.text, "answered 400");
	assert_false(take(400, "{\"error\":\"invalid_grant\\u0000\"}"));
	assert_string_equal(err.text, "answered 400");
	assert_false(take(
	    400, "{\"error\":\"invalid_grant\",\"error\":\"invalid_grant\"}"));
	assert_string_equal(err.text, "answered 400");
}

static void
no_terminal_obeys_it(void **state)
{
	(void)state;
	take(400,
	    "{\"error\":\"x\\u001b[2J\",\"error_description\":"
	    "\"a\\u001b]0;b\\u0007 c\\r\\nd \\u202e \\u0085 "
	    "gr\xc3\xbc\xc3\x9f \\ud800 \\\" \\\\ \\u007f\"}");
	assert_string_equal(err.text,
	    "answered 400: x?[2J (\"a?]0;b? c??d ? ? gr?? ? ' ' ?\")");
}

static void
it_does_not_pass_for_a_sentence_of_ours(void **state)
{
	(void)state;
	take(400,
	    "{\"error\":\"x\",\"error_description\":\"a\\\"). Run this\"}");
	assert_string_equal(err.text, "answered 400: x (\"a'). Run this\")");
}

static void
words_as_long_as_tokens_are_left_out(void **state)
{
	(void)state;
	take(400,
	    "{\"error\":\"invalid_grant\",\"error_description\":"
	    "\"token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0 is spent, see "
	    "https://evil.net/phishing/for/passwords\"}");
	assert_string_equal(err.text,
	    "answered 400: invalid_grant (\"token ... is spent, see ...\")");
	take(400, "{\"error\":\"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0\"}");
	assert_string_equal(err.text, "answered 400: ...");
}

static void
all_of_it_is_cut(void **state)
{
	char json[4096], *at = json;

	(void)state;
	at += sprintf(at, "{\"error\":\"x\",\"error_description\":\"");
	for (int i = 0; i < 300; i++)
		at += sprintf(at, "word ");
	strcpy(at, "\"}");
	take(400, json);
	assert_true(strlen(err.text) < 280);
	assert_non_null(strstr(err.text, "word ...\")"));

	at = json + sprintf(json, "{\"error\":\"");
	for (int i = 0; i < 300; i++)
		at += sprintf(at, "word ");
	strcpy(at, "\"}");
	take(400, json);
	assert_true(strlen(err.text) < 80);
}

static void
what_came_back_is_said_alike(void **state)
{
	(void)state;
	oauth_refusal_say("access_denied", "the person\x1b[2J said no", &err);
	assert_string_equal(
	    err.text, "access_denied (\"the person?[2J said no\")");
	oauth_refusal_say("access_denied", "", &err);
	assert_string_equal(err.text, "access_denied");
	oauth_refusal_say("", "why", &err);
	assert_string_equal(err.text, "an error without a name (\"why\")");
	oauth_refusal_say("x", "y", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_is_said),
		cmocka_unit_test(asking_again_may_help),
		cmocka_unit_test(what_is_no_refusal_is_a_status),
		cmocka_unit_test(no_terminal_obeys_it),
		cmocka_unit_test(it_does_not_pass_for_a_sentence_of_ours),
		cmocka_unit_test(words_as_long_as_tokens_are_left_out),
		cmocka_unit_test(all_of_it_is_cut),
		cmocka_unit_test(what_came_back_is_said_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
