/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>
#include <sodium.h>

#include "base/auto.h"
#include "ctl/login/redirect.h"

#define HOST "127.0.0.1:7391"
#define GET(target) "GET " target " HTTP/1.1\r\nHost: " HOST "\r\n\r\n"

static int
status_of(const char *head, const char **query, size_t *len)
{
	return redirect_request_read(head, strlen(head), HOST, query, len);
}

static void
takes_the_request_of_a_browser(void **state)
{
	static const char head[] =
	    "GET /callback?code=a%2Fb&state=S HTTP/1.1\r\n"
	    "host:   " HOST " \r\n"
	    "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
	    "Accept:\r\n\r\n";
	const char *query = NULL;
	size_t len = 0;
	(void)state;

	assert_int_equal(status_of(head, &query, &len), 200);
	assert_int_equal(len, strlen("code=a%2Fb&state=S"));
	assert_memory_equal(query, "code=a%2Fb&state=S", len);
	assert_int_equal(status_of(GET("/callback"), &query, &len), 200);
	assert_int_equal(len, 0);
}

static void
answers_everything_else_with_its_status(void **state)
{
	static const struct {
		const char *head;
		int status;
	} cases[] = {
		{ GET("/favicon.ico"), 404 },
		{ GET("/callback/"), 404 },
		{ GET("/callbac"), 404 },
		{ GET("/CALLBACK?code=a"), 404 },
		{ GET("//callback?code=a"), 404 },
		{ GET("/x/../callback?code=a"), 404 },
		{ GET("/%63allback?code=a"), 404 },
		{ GET("http://" HOST "/callback?code=a"), 400 },
		{ GET("*"), 400 },
		{ GET("/callback ?code=a"), 400 },
		{ GET("/callback?code=\xc3\xa4"), 400 },
		{ GET("/callback?code=a\x01"), 400 },
		{ "POST /callback?code=a HTTP/1.1\r\nHost: " HOST "\r\n\r\n",
		    405 },
		{ "HEAD /callback?code=a HTTP/1.1\r\nHost: " HOST "\r\n\r\n",
		    405 },
		{ "get /callback?code=a HTTP/1.1\r\nHost: " HOST "\r\n\r\n",
		    405 },
		{ "GET /callback HTTP/2.0\r\nHost: " HOST "\r\n\r\n", 400 },
		{ "GET /callback\r\nHost: " HOST "\r\n\r\n", 400 },
		{ "GET  HTTP/1.1\r\nHost: " HOST "\r\n\r\n", 400 },
		{ "GET\r\n\r\n", 400 },
		{ "\r\n\r\n", 400 },
		{ " GET /callback HTTP/1.1\r\nHost: " HOST "\r\n\r\n", 400 },
		/* Whoever got a name to lead here is not the browser. */
		{ "GET /callback?code=a HTTP/1.1\r\n\r\n", 400 },
		{ "GET /callback HTTP/1.1\r\nHost: localhost:7391\r\n\r\n",
		    400 },
		{ "GET /callback HTTP/1.1\r\nHost: evil.acme.net\r\n\r\n",
		    400 },
		{ "GET /callback HTTP/1.1\r\nHost: " HOST "0\r\n\r\n", 400 },
		{ "GET /callback HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400 },
		{ "GET /callback HTTP/1.1\r\nHost: " HOST "\r\nHost: " HOST
		  "\r\n\r\n",
		    400 },
		{ "GET /callback HTTP/1.1\r\nHost: " HOST
		  "\r\nhost: evil.acme.net\r\n\r\n",
		    400 },
		{ "GET /callback HTTP/1.1\r\nHost : " HOST "\r\n\r\n", 400 },
		{ "GET /callback HTTP/1.1\r\nHost: " HOST
		  "\r\n folded: x\r\n\r\n",
		    400 },
		{ "GET /callback HTTP/1.1\r\nHost: " HOST "\r\nno\r\n\r\n",
		    400 },
		{ "GET /callback HTTP/1.1\r\nHost: " HOST "\r\n: x\r\n\r\n",
		    400 },
		{ "GET /callback HTTP/1.1\r\nHost: " HOST
		  "\r\nX: a\nY: b\r\n\r\n",
		    400 },
		{ "GET /callback HTTP/1.1\nHost: " HOST "\n\n", 400 },
		{ "GET /callback HTTP/1.1\r\nHost: " HOST "\r\n", 400 },
	};
	static const char nul[] =
	    "GET /callback?code=\0 HTTP/1.1\r\nHost: " HOST "\r\n\r\n";
	const char *query = NULL;
	size_t len = 0;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (status_of(cases[i].head, &query, &len) != cases[i].status)
			fail_msg("%s: not %d", cases[i].head, cases[i].status);
	assert_int_equal(
	    redirect_request_read(nul, sizeof(nul) - 1, HOST, &query, &len),
	    400);
}

static int
query_read(const char *query, struct redirect *redirect, struct err *err)
{
	return redirect_query_read(
	    query, strlen(query), "the-state", redirect, err);
}

static void
decodes_what_came(void **state)
{
	struct redirect redirect;
	struct err err = { "" };
	(void)state;

	assert_int_equal(query_read("iss=https%3A%2F%2Fa.acme.net%2Fx&other=1"
				    "&code=a%2Bb+c%26&state=the-state&codes=2",
			     &redirect, &err),
	    0);
	assert_string_equal(redirect.code, "a+b c&");
	assert_string_equal(redirect.iss, "https://a.acme.net/x");
	assert_true(redirect.has_iss);
	assert_string_equal(redirect.error, "");

	assert_int_equal(
	    query_read("state=the-state&code=c&iss=", &redirect, &err), 0);
	assert_true(redirect.has_iss);
	assert_string_equal(redirect.iss, "");

	assert_int_equal(query_read("state=the-state&error=access_denied"
				    "&error_description=N%C3%B6+thanks",
			     &redirect, &err),
	    0);
	assert_string_equal(redirect.error, "access_denied");
	assert_string_equal(redirect.description, "N\xc3\xb6 thanks");
	assert_false(redirect.has_iss);
	/* What is for people may be missing. */
	assert_int_equal(query_read("state=the-state&error=access_denied"
				    "&error_description=%1b%5B2J",
			     &redirect, &err),
	    0);
	assert_string_equal(redirect.description, "");
}

static void
refuses_a_query_that_is_not_of_this_sign_in(void **state)
{
	static const char *const queries[] = { "", "code=a", "state=the-state",
		"code=a&state=", "code=a&state=the-stat",
		"code=a&state=the-state2", "code=a&STATE=the-state",
		"code=a&state=the-state&state=the-state",
		"code=a&code=a&state=the-state",
		"code=a&error=b&state=the-state", "code=&state=the-state",
		"code=%&state=the-state", "code=%4&state=the-state",
		"code=%zz&state=the-state", "code=%00&state=the-state",
		"code=a%0d%0aX&state=the-state", "code=%ff&state=the-state",
		"code=%c2%9b&state=the-state",
		"code=a&iss=a&iss=b&state=the-state",
		"error=%1b&state=the-state" };
	struct redirect redirect;
	struct err err;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(queries); i++)
		if (query_read(queries[i], &redirect, &err) != -EINVAL)
			fail_msg("taken: %s", queries[i]);
	char *longest = calloc(1, 8192);
	assert_non_null(longest);
	strcpy(longest, "state=the-state&code=");
	memset(longest + strlen(longest), 'x', sizeof(redirect.code) - 1);
	assert_int_equal(query_read(longest, &redirect, &err), 0);
	assert_int_equal(strlen(redirect.code), sizeof(redirect.code) - 1);
	strcat(longest, "x");
	assert_int_equal(query_read(longest, &redirect, &err), -EINVAL);
	free(longest);
}

static void
takes_an_address_that_was_pasted(void **state)
{
	static const char *const others[] = { "", "code", "http://" HOST,
		"http://" HOST "/callback", "http://" HOST "/other?x",
		"https://" HOST "/callback?x",
		"http://127.0.0.1:73910/callback?x",
		"http://evil.acme.net/callback?x", " " HOST "/callback?x" };
	(void)state;

	assert_string_equal(
	    redirect_address_query("http://" HOST "/callback?code=a&b", HOST),
	    "code=a&b");
	assert_string_equal(
	    redirect_address_query(HOST "/callback?code=a", HOST), "code=a");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_null(redirect_address_query(others[i], HOST));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_request_of_a_browser),
		cmocka_unit_test(answers_everything_else_with_its_status),
		cmocka_unit_test(decodes_what_came),
		cmocka_unit_test(refuses_a_query_that_is_not_of_this_sign_in),
		cmocka_unit_test(takes_an_address_that_was_pasted),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
