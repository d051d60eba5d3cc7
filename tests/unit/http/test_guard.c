/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sodium.h>

#include "http/guard.h"

static const char list[] = "tools.example , exact.example:8443,,[2001:db8::1]";

static void
takes_loopback_and_listed_hosts(void **state)
{
	static const char *const good[] = { "localhost", "LocalHost:1",
		"127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:8080",
		"tools.example", "tools.example:99", "TOOLS.example",
		"exact.example:8443", "[2001:db8::1]:7" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!http_host_is_allowed(good[i], list))
			fail_msg("refused %s", good[i]);
}

static void
refuses_other_hosts(void **state)
{
	static const char *const bad[] = { "", "evil.example", "localhost.",
		"localhost.evil.example", "evil.example:80", "127.0.0.2",
		"127.1", "2130706433", "::1", "[::1", "[::1]x",
		"[::1]:", "localhost:", "localhost:x", "localhost:123456",
		"localhost:80x", "user@localhost", "localhost/..",
		"localhost,evil", "local host", "exact.example",
		"exact.example:80", "tools.example.", "xtools.example",
		"tools.example ", "[::2]", "0.0.0.0", "localhost#",
		"localhost\xe3\x80\x82" };

	(void)state;
	assert_false(http_host_is_allowed(NULL, list));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (http_host_is_allowed(bad[i], list))
			fail_msg("took %s", bad[i]);
	assert_false(http_host_is_allowed("evil", ""));
}

static void
checks_origins(void **state)
{
	static const char *const good[] = { "http://localhost",
		"http://localhost:3000", "https://127.0.0.1:1",
		"http://[::1]:5173", "HTTP://LOCALHOST",
		"https://console.example" };
	static const char *const bad[] = { "null", "", "localhost",
		"https://evil.example", "http://localhost.evil.example",
		"file://localhost", "http://localhost@evil.example",
		"http://localhost:80/x", "http://", "https://console.example:1",
		"http://console.example", "chrome-extension://abc" };

	(void)state;
	assert_true(http_origin_is_allowed(NULL, ""));
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!http_origin_is_allowed(good[i], "https://console.example"))
			fail_msg("refused %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (http_origin_is_allowed(bad[i], "https://console.example"))
			fail_msg("took %s", bad[i]);
}

static void
knows_the_token(void **state)
{
	static const char *const none[] = { NULL, "", "Bearer", "Bearer ",
		"Bearer   ", "Basic s3cret", "Bearers3cret" };
	uint8_t right[HTTP_TOKEN_HASH_BYTES], hash[HTTP_TOKEN_HASH_BYTES];

	(void)state;
	crypto_hash_sha256(right, (const uint8_t *)"s3cret", 6);
	assert_true(http_bearer_hash("Bearer s3cret", hash));
	assert_memory_equal(hash, right, sizeof(hash));
	assert_true(http_bearer_hash("bearer  s3cret", hash));
	assert_memory_equal(hash, right, sizeof(hash));
	assert_true(http_bearer_hash("Bearer s3cre", hash));
	assert_memory_not_equal(hash, right, sizeof(hash));
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		if (http_bearer_hash(none[i], hash))
			fail_msg("took %s", none[i]);
}

static void
checks_header_characters(void **state)
{
	(void)state;
	assert_true(http_header_name_is_safe("X-Y_z.1~"));
	assert_false(http_header_name_is_safe(""));
	assert_false(http_header_name_is_safe("a b"));
	assert_false(http_header_name_is_safe("a:"));
	assert_false(http_header_name_is_safe("a\r"));
	assert_false(http_header_name_is_safe("\xc3\xa9"));
	assert_true(http_header_value_is_safe("a\tb \xc3\xa9"));
	assert_false(http_header_value_is_safe("a\r\nb"));
	assert_false(http_header_value_is_safe("a\nb"));
	assert_false(http_header_value_is_safe("\x7f"));
}

static void
reads_accept(void **state)
{
	(void)state;
	assert_true(http_accepts(NULL, "application/json"));
	assert_true(http_accepts("*/*", "application/json"));
	assert_true(
	    http_accepts("text/html, application/*;q=.5", "application/json"));
	assert_true(http_accepts(
	    "APPLICATION/JSON ; q=1,text/event-stream", "application/json"));
	assert_false(http_accepts("text/event-stream", "application/json"));
	assert_false(http_accepts("application/jsonx", "application/json"));
	assert_false(http_accepts("", "application/json"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_loopback_and_listed_hosts),
		cmocka_unit_test(refuses_other_hosts),
		cmocka_unit_test(checks_origins),
		cmocka_unit_test(knows_the_token),
		cmocka_unit_test(checks_header_characters),
		cmocka_unit_test(reads_accept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
