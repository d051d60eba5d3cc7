/* SPDX-License-Identifier: Apache-2.0 */

/* What --secret binds, and what it says when it cannot. */

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/binding.h"

static struct policy_network network; /* too large for a stack */
static struct wire_egress_secret secret;

static void
rules_set(const char *const *words, size_t n_words)
{
	network.n_rules = 0;
	for (size_t i = 0; i < n_words; i++) {
		size_t n = 0;
		assert_int_equal(addr_rule_parse(words[i], strlen(words[i]), 0,
				     network.rules + network.n_rules, &n, NULL),
		    0);
		network.n_rules += n;
	}
}

static int
setup(void **state)
{
	static const char *const words[] = { "api.example.com",
		"*.example.org:8443" };

	(void)state;
	rules_set(words, 2);
	return setenv("KEY", "0123456789", 1) | setenv("SHORT", "1234567", 1) |
	    setenv("PAIR", "user:0123456789", 1) |
	    setenv("LINES", "01234567\r\nX: y", 1) | unsetenv("NONE");
}

static void
bound(const char *word)
{
	struct err err = { "" };

	if (ctl_binding_parse(word, &network, &secret, &err) != 0)
		fail_msg("%s: %s", word, err.text);
	assert_string_equal(secret.name, "KEY");
	assert_int_equal(secret.value_len, 10);
	assert_memory_equal(secret.value, "0123456789", 10);
	assert_int_equal(secret.principal, 0);
}

static void
binds_to_a_host_in_each_way(void **state)
{
	(void)state;
	bound("KEY=API.example.com");
	assert_string_equal(secret.host, "api.example.com");
	assert_int_equal(secret.port, 443);
	assert_int_equal(secret.kind, WIRE_SECRET_HEADER);
	assert_string_equal(secret.field, "authorization");
	assert_string_equal(secret.template_, "Bearer {}");
	bound("KEY=a.example.org:8443,header=X-Api-Key");
	assert_int_equal(secret.port, 8443);
	assert_string_equal(secret.field, "x-api-key");
	assert_string_equal(secret.template_, "{}");
	bound("KEY=api.example.com,header=Authorization");
	assert_string_equal(secret.template_, "Bearer {}");
	bound("KEY=api.example.com,query=Key");
	assert_int_equal(secret.kind, WIRE_SECRET_QUERY);
	assert_string_equal(secret.field, "Key");
	assert_int_equal(ctl_binding_parse("PAIR=api.example.com,basic",
			     &network, &secret, NULL),
	    0);
	assert_int_equal(secret.kind, WIRE_SECRET_BASIC);
	assert_string_equal(secret.field, "");
}

static void
says_what_is_wrong(void **state)
{
	static const struct {
		const char *word;
		const char *said;
	} wrong[] = {
		{ "KEY", "the host that it is for is missing" },
		{ "KEY=", "\"\" " },
		{ "1KEY=api.example.com", "is no name" },
		{ "KEY=*.example.org:8443", "must be one host" },
		{ "KEY=api.example.com/v1", "must be one host" },
		{ "KEY=sk-live-abcdef", "never leads outside" },
		{ "KEY=10.0.0.1", "never dialled" },
		{ "KEY=other.example.com", "add --net https://other" },
		{ "KEY=api.example.com:8443", "add --net https://api" },
		{ "KEY=example.org:8443", "add --net" },
		{ "KEY=api.example.com,cookie", "neither header=NAME" },
		{ "KEY=api.example.com,header=", "1 to 63 bytes" },
		{ "KEY=api.example.com,query=", "1 to 63 bytes" },
		{ "KEY=api.example.com,header=a b", "no header's name" },
		{ "KEY=api.example.com,header=Host", "HTTP itself needs" },
		{ "KEY=api.example.com,header=Content-Length",
		    "HTTP itself needs" },
		{ "KEY=api.example.com,query=\r\n", "visible ASCII" },
		{ "KEY=api.example.com,basic", "must be USER:PASSWORD" },
		{ "KEY=api.example.com:", "HOST or HOST:PORT" },
		{ "KEY=api.example.com:70000", "HOST or HOST:PORT" },
		{ "NONE=api.example.com", "NONE is not set" },
		{ "SHORT=api.example.com", "fewer than 8 bytes" },
		{ "LINES=api.example.com", "line end" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err err = { "" };

		if (ctl_binding_parse(wrong[i].word, &network, &secret, &err) >=
			0 ||
		    strstr(err.text, wrong[i].said) == NULL)
			fail_msg("%s: %s", wrong[i].word, err.text);
		assert_int_equal(secret.value_len, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binds_to_a_host_in_each_way),
		cmocka_unit_test(says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
