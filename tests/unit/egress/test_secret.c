/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sodium.h>

#include "egress/egress.h"

#define HEADER WIRE_SECRET_HEADER
#define QUERY WIRE_SECRET_QUERY
#define BASIC WIRE_SECRET_BASIC

#define TOKEN "tok-123456789"

static struct wire_egress_secret secrets[WIRE_SERVER_SECRETS_MAX];
static struct server server;
static struct err err;

static struct wire_egress_secret *
bind(const char *name, enum wire_secret_kind kind, const char *field,
    const char *template, const char *value)
{
	struct wire_egress_secret *secret = &secrets[server.head.n_secrets++];

	*secret = (struct wire_egress_secret){ .port = 443,
		.kind = (uint16_t)kind,
		.value_len = (uint32_t)strlen(value) };
	strcpy(secret->name, name);
	strcpy(secret->host, "api.example.com");
	strcpy(secret->field, field);
	strcpy(secret->template_, template);
	memcpy(secret->value, value, secret->value_len);
	server.secrets = secrets;
	return secret;
}

static int
setup(void **state)
{
	(void)state;
	server = (struct server){ .id = 1 };
	err.text[0] = '\0';
	return 0;
}

/* What addr_url_parse() makes of it; the host begins behind "://". */
static void
url_of(struct addr_url *url, const char *text)
{
	*url = (struct addr_url){ .scheme = strncmp(text, "https", 5) == 0
		    ? ADDR_HTTPS
		    : ADDR_HTTP };
	strcpy(url->text, text);
	const char *host = strstr(text, "://") + 3;
	const size_t len = strcspn(host, ":/");
	memcpy(url->host.text, host, len);
	url->port = url->scheme == ADDR_HTTPS ? 443 : 80;
	if (host[len] == ':')
		url->port = (uint16_t)atoi(host + len + 1);
	url->target = url->text + (host - text) + strcspn(host, "/");
	url->path_len = strcspn(url->target, "?");
}

struct result {
	enum wire_egress_end end;
	char headers[8192]; /* "name: value\n" each */
	char url[16384];
	bool scrubs;
	char credential[WIRE_SECRET_NAME_MAX]; /* "": none */
	char scrubbed[256]; /* what is left of TOKEN in a text */
};

/* headers: "name: value\n" each. */
static const struct result *
run(uint32_t principal, const char *url_text, const char *headers)
{
	static struct result result;
	static struct addr_url url;
	struct secrets_put put = { .headers = NULL };
	char block[8192];
	size_t len = 0;

	result = (struct result){ .scrubbed = TOKEN };
	url_of(&url, url_text);
	for (const char *at = headers; *at != '\0';) {
		const char *colon = strstr(at, ": "), *end = strchr(at, '\n');
		len += (size_t)snprintf(block + len, sizeof(block) - len,
			   "%.*s", (int)(colon - at), at) +
		    1;
		len += (size_t)snprintf(block + len, sizeof(block) - len,
			   "%.*s", (int)(end - colon - 2), colon + 2) +
		    1;
		at = end + 1;
	}
	result.end =
	    secrets_put(&server, principal, &url, block, len, &put, &err);
	if (result.end != WIRE_EGRESS_OK) {
		assert_true(err.text[0] != '\0');
		assert_null(strstr(err.text, TOKEN));
		assert_null(put.headers);
		return &result;
	}
	assert_non_null(put.headers);
	for (size_t at = 0, i = 0; at < put.headers_len; i++) {
		strcat(result.headers, put.headers + at);
		strcat(result.headers, i % 2 == 0 ? ": " : "\n");
		at += strlen(put.headers + at) + 1;
	}
	strcpy(result.url, put.url != NULL ? put.url : "=");
	result.scrubs = put.scrub != NULL;
	if (put.credential != NULL)
		strcpy(result.credential, put.credential->name);
	if (put.scrub != NULL)
		scrub_text(put.scrub, result.scrubbed, strlen(TOKEN));
	secrets_put_fini(&put);
	assert_null(put.headers);
	return &result;
}

#define HOST "https://api.example.com/"
#define MINE "accept: */*\nAuthorization: Bearer mine\n"

static void
puts_in_a_header(void **state)
{
	(void)state;
	bind("K", HEADER, "authorization", "Bearer {}", TOKEN);
	const struct result *result = run(0, HOST, "accept: */*\n");
	assert_string_equal(
	    result->headers, "accept: */*\nauthorization: Bearer " TOKEN "\n");
	assert_string_equal(result->url, "=");
	assert_true(result->scrubs);
	assert_string_equal(result->scrubbed, "*************");

	assert_string_equal(
	    run(0, HOST, "")->headers, "authorization: Bearer " TOKEN "\n");
}

/* Positive control of all that follows: it goes, where nothing is bound. */
static void
leaves_requests_to_other_hosts_alone(void **state)
{
	(void)state;
	bind("K", HEADER, "authorization", "Bearer {}", TOKEN);
	const struct result *result =
	    run(0, "https://other.example.com/?a=b", MINE "Cookie: c=d\n");
	assert_string_equal(result->headers, MINE "Cookie: c=d\n");
	assert_false(result->scrubs);
	assert_string_equal(result->url, "=");
}

static void
overrides_each_spelling_of_the_header(void **state)
{
	static const char *const spelt[] = { "authorization", "AUTHORIZATION",
		"Authorization", "aUtHoRiZaTiOn" };
	static const char *const mine[] = { "x-api-key", "X-API-Key",
		"X_API_Key", "x_api-key", "x-api_key" };
	(void)state;

	bind("K", HEADER, "authorization", "Bearer {}", TOKEN);
	bind("L", HEADER, "x-api-key", "{}", "value-of-l");
	for (size_t i = 0; i < ARRAY_LEN(spelt); i++)
		for (size_t j = 0; j < ARRAY_LEN(mine); j++) {
			char text[512];
			snprintf(text, sizeof(text),
			    "%s: Bearer mine\na: b\n%s: mine\n%s: again\n",
			    spelt[i], mine[j], spelt[i]);
			assert_string_equal(run(0, HOST, text)->headers,
			    "a: b\nauthorization: Bearer " TOKEN
			    "\nx-api-key: value-of-l\n");
		}
}

static void
refuses_names_that_are_no_token(void **state)
{
	static const char *const bad[] = { "Authorization : x\n",
		" Authorization: x\n", "Authorization\t: x\n", ": x\n",
		"Author\xc3\xadzation: x\n", "a(b): x\n" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(run(0, HOST, bad[i])->end, WIRE_EGRESS_BAD);
	assert_int_equal(run(0, HOST, "a: x\r\n")->end, WIRE_EGRESS_BAD);

	static struct addr_url url;
	struct secrets_put put;
	url_of(&url, HOST);
	assert_int_equal(secrets_put(&server, 0, &url, "a\0b", 3, &put, &err),
	    WIRE_EGRESS_BAD);
	assert_int_equal(
	    secrets_put(&server, 0, &url, "a\0b\nc", 6, &put, &err),
	    WIRE_EGRESS_BAD);
}

/* A secret that comes back byte by byte is found by nobody. */
static void
asks_for_no_pieces_where_it_is_put_in(void **state)
{
	(void)state;
	bind("K", HEADER, "x-k", "{}", TOKEN);
	assert_string_equal(run(0, HOST,
				"Range: bytes=0-0\nif-range: x\n"
				"Request-Range: bytes=0-0\na: b\n")
				->headers,
	    "a: b\nx-k: " TOKEN "\n");
	assert_string_equal(
	    run(0, "https://b.example.com/", "Range: bytes=0-0\n")->headers,
	    "Range: bytes=0-0\n");
}

/* Neither the secret nor the caller's own go there. */
static void
a_bound_host_gets_no_credentials_elsewhere(void **state)
{
	static const char *const urls[] = { "http://api.example.com/",
		"http://api.example.com:443/", "https://api.example.com:8443/",
		"http://api.example.com:8080/" };
	(void)state;

	bind("K", HEADER, "x-api-key", "{}", TOKEN);
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		const struct result *result = run(0, urls[i],
		    MINE "cookie: c=d\nPROXY_AUTHORIZATION: p\nx_api_key: "
			 "mine\nz: z\n");
		assert_string_equal(result->headers, "accept: */*\nz: z\n");
		/* What it was told on the right way, it may tell here. */
		assert_true(result->scrubs);
	}
	assert_string_equal(
	    run(0, HOST, MINE "cookie: c=d\nProxy-Authorization: p\n")->headers,
	    "accept: */*\nx-api-key: " TOKEN "\n");
}

static void
is_ones_own_or_everybodys(void **state)
{
	(void)state;
	bind("K", HEADER, "authorization", "{}", "of-everybody");
	bind("M", HEADER, "authorization", "{}", "of-number-7")->principal = 7;
	bind("N", HEADER, "x-n", "{}", "of-number-8")->principal = 8;

	assert_string_equal(
	    run(7, HOST, "")->headers, "authorization: of-number-7\n");
	assert_string_equal(run(8, HOST, "")->headers,
	    "authorization: of-everybody\nx-n: of-number-8\n");
	assert_string_equal(
	    run(0, HOST, "")->headers, "authorization: of-everybody\n");

	/* The order in which they were set is no matter. */
	setup(NULL);
	bind("M", HEADER, "authorization", "{}", "of-number-7")->principal = 7;
	bind("K", HEADER, "authorization", "{}", "of-everybody");
	assert_string_equal(
	    run(7, HOST, "")->headers, "authorization: of-number-7\n");
}

static struct wire_egress_secret *
login(uint32_t principal, const char *value)
{
	struct wire_egress_secret *secret = bind(
	    WIRE_LOGIN_SECRET, HEADER, "authorization", "Bearer {}", value);

	secret->principal = principal;
	return secret;
}

static void
a_login_is_ones_own_before_everybodys(void **state)
{
	(void)state;
	bind("X", HEADER, "x-key", "{}", "of-everybody");
	login(0, "shared-token");
	for (uint32_t principal = 1; principal <= WIRE_LOGINS_MAX - 1;
	     principal++) {
		char value[32];
		snprintf(value, sizeof(value), "token-of-%u", principal);
		login(principal, value);
	}
	assert_string_equal(run(200, HOST, MINE)->headers,
	    "accept: */*\nx-key: of-everybody\n"
	    "authorization: Bearer token-of-200\n");
	assert_string_equal(run(255, HOST, "")->headers,
	    "x-key: of-everybody\nauthorization: Bearer token-of-255\n");
	assert_string_equal(run(999, HOST, "")->headers,
	    "x-key: of-everybody\nauthorization: Bearer shared-token\n");
}

static void
a_login_that_has_ended_is_nobody_elses(void **state)
{
	(void)state;
	login(0, "shared-token");
	login(7, "");
	assert_int_equal(run(7, HOST, "")->end, WIRE_EGRESS_SECRET);
	assert_non_null(strstr(err.text, "cordon upstream login"));
	assert_non_null(strstr(err.text, "--principal"));
	assert_string_equal(
	    run(8, HOST, "")->headers, "authorization: Bearer shared-token\n");
}

static void
logins_of_others_are_searched_for_where_they_are_few(void **state)
{
	char value[32];
	(void)state;

	login(7, TOKEN);
	assert_string_equal(run(7, HOST, "")->scrubbed, "*************");
	assert_string_equal(run(8, HOST, "")->scrubbed, "*************");
	/* One's own, and everybody's, are none of the 16. */
	login(0, "shared-token");
	for (uint32_t principal = 8; principal < 24; principal++) {
		snprintf(value, sizeof(value), "token-of-%u", principal);
		login(principal, value);
	}
	assert_string_equal(run(8, HOST, "")->scrubbed, "*************");
	assert_string_equal(run(99, HOST, "")->scrubbed, TOKEN);
	login(24, "token-of-24");
	assert_string_equal(run(8, HOST, "")->scrubbed, TOKEN);
	assert_string_equal(run(7, HOST, "")->scrubbed, "*************");
	setup(NULL);
	login(0, TOKEN);
	login(8, "another-token");
	assert_string_equal(run(8, HOST, "")->scrubbed, "*************");
	/* What people set is, whoever's it is. */
	setup(NULL);
	bind("K", HEADER, "x-key", "{}", TOKEN)->principal = 7;
	assert_string_equal(run(8, HOST, "")->scrubbed, "*************");
}

static void
names_what_stands_in_authorization(void **state)
{
	(void)state;
	bind("X", HEADER, "x-key", "{}", TOKEN);
	assert_string_equal(run(0, HOST, MINE)->credential, "");
	login(7, "token-of-7");
	assert_string_equal(run(7, HOST, "")->credential, WIRE_LOGIN_SECRET);
	assert_string_equal(run(8, HOST, "")->credential, "");
	bind("B", BASIC, "", "", "user:pass-word");
	assert_string_equal(run(8, HOST, "")->credential, "B");
}

static void
puts_in_basic(void **state)
{
	(void)state;
	bind("K", BASIC, "", "", "user:pass-word");
	assert_string_equal(run(0, HOST, MINE)->headers,
	    "accept: */*\nauthorization: Basic dXNlcjpwYXNzLXdvcmQ=\n");
	/* whatever the tool made of its placeholder */
	assert_string_equal(
	    run(0, HOST, "Authorization: Basic cordon-secret-K\n")->headers,
	    "authorization: Basic dXNlcjpwYXNzLXdvcmQ=\n");
}

static void
puts_in_a_query_member(void **state)
{
	static const struct {
		const char *url;
		const char *want;
	} cases[] = {
		{ HOST, HOST "?api_key=a%2Fb%20c%26%C3%A9" },
		{ HOST "x?y=1", HOST "x?y=1&api_key=a%2Fb%20c%26%C3%A9" },
		{ HOST "x?api_key=mine&y=1",
		    HOST "x?y=1&api_key=a%2Fb%20c%26%C3%A9" },
		{ HOST "x?y=1&api%5Fkey=mine&%61pi_key&z",
		    HOST "x?y=1&z&api_key=a%2Fb%20c%26%C3%A9" },
		{ HOST "x?y=1;api_key=mine;z=2",
		    HOST "x?y=1;z=2&api_key=a%2Fb%20c%26%C3%A9" },
		{ HOST "x?api_key=cordon-secret-K",
		    HOST "x?api_key=a%2Fb%20c%26%C3%A9" },
		{ HOST "?", HOST "?&api_key=a%2Fb%20c%26%C3%A9" },
	};
	(void)state;

	bind("K", QUERY, "api_key", "", "a/b c&\xc3\xa9");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(
		    run(0, cases[i].url, "")->url, cases[i].want);
	/* elsewhere it is as it was */
	assert_string_equal(
	    run(0, "https://b.example.com/?api_key=1", "")->url, "=");
}

static void
a_placeholder_stands_for_the_value_in_its_header(void **state)
{
	(void)state;
	bind("K", HEADER, "authorization", "Bearer {}", TOKEN);
	assert_string_equal(
	    run(0, HOST, "Authorization: token cordon-secret-K\n")->headers,
	    "authorization: token " TOKEN "\n");
	assert_string_equal(run(0, HOST,
				"Authorization: Bearer mine\nAUTHORIZATION: "
				"Bearer cordon-secret-K\n")
				->headers,
	    "authorization: Bearer " TOKEN "\n");
}

static void
a_placeholder_is_refused_elsewhere(void **state)
{
	static const struct {
		const char *url;
		const char *headers;
		const char *says;
	} cases[] = {
		{ "https://other.example.com/",
		    "authorization: Bearer cordon-secret-K\n",
		    "https://api.example.com:443" },
		{ "http://api.example.com/",
		    "authorization: Bearer cordon-secret-K\n",
		    "http://api.example.com:80;" },
		{ "https://api.example.com:8443/",
		    "authorization: Bearer cordon-secret-K\n", ":8443;" },
		{ HOST, "x-other: cordon-secret-K\n", "'x-other'" },
		{ HOST, "cookie: cordon-secret-K\n", "'cookie'" },
		{ HOST, "cordon-secret-K: x\n", "the header" },
		{ HOST, "authorization: cordon-secret-K cordon-secret-L\n",
		    "secret set L" },
		{ HOST, "authorization: cordon-secret-KK\n", "secret set KK" },
		{ HOST "?x=cordon-secret-K", "", "the URL" },
		{ HOST "cordon-secret-K/", "", "the URL" },
		{ "https://other.example.com/?x=cordon%2Dsecret%2d%4B", "",
		    "the URL" },
		{ "https://other.example.com/", "a: cordon-secret-NONE\n",
		    "secret set NONE --for SERVER --host other.example.com" },
	};
	(void)state;

	bind("K", HEADER, "authorization", "Bearer {}", TOKEN);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(run(0, cases[i].url, cases[i].headers)->end,
		    WIRE_EGRESS_SECRET);
		assert_non_null(strstr(err.text, cases[i].says));
	}
	/* no name, no placeholder */
	assert_int_equal(
	    run(0, HOST "?x=cordon-secret-", "")->end, WIRE_EGRESS_OK);
}

static void
of_another_principal_a_placeholder_is_refused(void **state)
{
	(void)state;
	bind("K", HEADER, "authorization", "{}", TOKEN)->principal = 7;
	assert_int_equal(run(8, HOST, "authorization: cordon-secret-K\n")->end,
	    WIRE_EGRESS_SECRET);
	assert_int_equal(run(7, HOST, "authorization: cordon-secret-K\n")->end,
	    WIRE_EGRESS_OK);
}

static void
a_secret_that_cannot_be_opened_stops_requests(void **state)
{
	(void)state;
	bind("K", HEADER, "authorization", "Bearer {}", "");
	assert_int_equal(run(0, HOST, "")->end, WIRE_EGRESS_SECRET);
	assert_non_null(strstr(err.text, "vault key"));
	assert_int_equal(
	    run(0, "https://other.example.com/", "")->end, WIRE_EGRESS_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, setup)
		TEST(puts_in_a_header),
		TEST(leaves_requests_to_other_hosts_alone),
		TEST(overrides_each_spelling_of_the_header),
		TEST(refuses_names_that_are_no_token),
		TEST(a_bound_host_gets_no_credentials_elsewhere),
		TEST(asks_for_no_pieces_where_it_is_put_in),
		TEST(is_ones_own_or_everybodys),
		TEST(puts_in_basic),
		TEST(puts_in_a_query_member),
		TEST(a_placeholder_stands_for_the_value_in_its_header),
		TEST(a_placeholder_is_refused_elsewhere),
		TEST(a_login_is_ones_own_before_everybodys),
		TEST(a_login_that_has_ended_is_nobody_elses),
		TEST(logins_of_others_are_searched_for_where_they_are_few),
		TEST(names_what_stands_in_authorization),
		TEST(of_another_principal_a_placeholder_is_refused),
		TEST(a_secret_that_cannot_be_opened_stops_requests),
#undef TEST
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
