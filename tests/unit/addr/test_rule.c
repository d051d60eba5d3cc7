/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>

#include "addr/rule.h"

static int
parse(
    const char *text, unsigned int flags, struct addr_rule rules[2], size_t *n)
{
	struct err err = { .text = "" };
	const int r =
	    addr_rule_parse(text, strlen(text), flags, rules, n, &err);

	if (r != 0 && err.text[0] == '\0')
		fail_msg("%s is refused without a word", text);
	return r;
}

static const struct {
	const char *text;
	unsigned int flags;
	const char *put[2];
	uint16_t port;
	uint8_t scheme;
} good[] = {
	{ "api.example.com", 0,
	    { "https://api.example.com", "http://api.example.com" }, 443,
	    ADDR_HTTPS },
	{ "API.Example.COM", 0,
	    { "https://api.example.com", "http://api.example.com" }, 443,
	    ADDR_HTTPS },
	{ "*.example.com", 0,
	    { "https://*.example.com", "http://*.example.com" }, 443,
	    ADDR_HTTPS },
	{ "api.example.com/v1", 0,
	    { "https://api.example.com/v1", "http://api.example.com/v1" }, 443,
	    ADDR_HTTPS },
	{ "db.example.com:5432", 0, { "tcp://db.example.com:5432" }, 5432,
	    ADDR_TCP },
	{ "db.example.com:22", 0, { "tcp://db.example.com:22" }, 22, ADDR_TCP },
	{ "a.example.com:443", 0, { "https://a.example.com" }, 443,
	    ADDR_HTTPS },
	{ "a.example.com:8443", 0, { "https://a.example.com:8443" }, 8443,
	    ADDR_HTTPS },
	{ "a.example.com:80", 0, { "http://a.example.com" }, 80, ADDR_HTTP },
	{ "a.example.com:8000", 0, { "http://a.example.com:8000" }, 8000,
	    ADDR_HTTP },
	{ "a.example.com:8080", 0, { "http://a.example.com:8080" }, 8080,
	    ADDR_HTTP },
	{ "https://a.example.com", 0, { "https://a.example.com" }, 443,
	    ADDR_HTTPS },
	{ "HTTP://a.example.com", 0, { "http://a.example.com" }, 80,
	    ADDR_HTTP },
	{ "http://a.example.com:443", 0, { "http://a.example.com:443" }, 443,
	    ADDR_HTTP },
	{ "https://a.example.com/", 0, { "https://a.example.com" }, 443,
	    ADDR_HTTPS },
	{ "https://a.example.com/v1/", 0, { "https://a.example.com/v1/" }, 443,
	    ADDR_HTTPS },
	{ "https://a.example.com:8443/v1/g%2Fp", 0,
	    { "https://a.example.com:8443/v1/g%2Fp" }, 8443, ADDR_HTTPS },
	{ "https://*.example.com:444/x", 0, { "https://*.example.com:444/x" },
	    444, ADDR_HTTPS },
	{ "tcp://db.example.com:5432", 0, { "tcp://db.example.com:5432" }, 5432,
	    ADDR_TCP },
	{ "tcp://*.example.com:443", 0, { "tcp://*.example.com:443" }, 443,
	    ADDR_TCP },
	{ "93.184.216.34:443", 0, { "https://93.184.216.34" }, 443,
	    ADDR_HTTPS },
	{ "93.184.216.34", 0,
	    { "https://93.184.216.34", "http://93.184.216.34" }, 443,
	    ADDR_HTTPS },
	{ "[2606:4700::1111]", 0,
	    { "https://[2606:4700::1111]", "http://[2606:4700::1111]" }, 443,
	    ADDR_HTTPS },
	{ "tcp://[2606:4700::1111]:53", 0, { "tcp://[2606:4700::1111]:53" }, 53,
	    ADDR_TCP },
	{ "localhost:5432", ADDR_RULE_LOOPBACK, { "tcp://localhost:5432" },
	    5432, ADDR_TCP },
	{ "LOCALHOST:8080", ADDR_RULE_LOOPBACK, { "http://localhost:8080" },
	    8080, ADDR_HTTP },
	{ "localhost:80", ADDR_RULE_LOOPBACK, { "http://localhost:80" }, 80,
	    ADDR_HTTP },
	{ "https://localhost:3000/x", ADDR_RULE_LOOPBACK,
	    { "https://localhost:3000/x" }, 3000, ADDR_HTTPS },
	{ "a.example.com", ADDR_RULE_LOOPBACK,
	    { "https://a.example.com", "http://a.example.com" }, 443,
	    ADDR_HTTPS },
	{ "a.example.com", ADDR_RULE_DENY, { "a.example.com" }, 0, 0 },
	{ "*.example.com", ADDR_RULE_DENY, { "*.example.com" }, 0, 0 },
	{ "a.example.com:25", ADDR_RULE_DENY, { "a.example.com:25" }, 25, 0 },
	{ "https://a.example.com", ADDR_RULE_DENY, { "https://a.example.com" },
	    0, ADDR_HTTPS },
	{ "https://a.example.com:443", ADDR_RULE_DENY,
	    { "https://a.example.com:443" }, 443, ADDR_HTTPS },
	{ "tcp://a.example.com", ADDR_RULE_DENY, { "tcp://a.example.com" }, 0,
	    ADDR_TCP },
	{ "a.example.com/admin", ADDR_RULE_DENY, { "a.example.com/admin" }, 0,
	    0 },
	{ "localhost", ADDR_RULE_DENY, { "localhost" }, 0, 0 },
	{ "169.254.169.254", ADDR_RULE_DENY, { "169.254.169.254" }, 0, 0 },
	{ "[::1]:80", ADDR_RULE_DENY, { "[::1]:80" }, 80, 0 },
};

static void
reads_rules(void **state)
{
	struct addr_rule rules[2];
	char text[ADDR_RULE_TEXT_MAX];
	size_t n;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		n = 0;
		if (parse(good[i].text, good[i].flags, rules, &n) != 0)
			fail_msg("%s was refused", good[i].text);
		assert_int_equal(n, good[i].put[1] != NULL ? 2 : 1);
		assert_int_equal(rules[0].port, good[i].port);
		assert_int_equal(rules[0].scheme, good[i].scheme);
		for (size_t k = 0; k < n; k++) {
			addr_rule_put(&rules[k], text);
			assert_string_equal(text, good[i].put[k]);
			assert_true(addr_rule_is_good(&rules[k]));
		}
	}
}

/* A text that was put is read as the same rule. */
static void
reads_what_it_puts(void **state)
{
	struct addr_rule rules[2], again[2];
	char text[ADDR_RULE_TEXT_MAX];
	size_t n, n_again;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(
		    parse(good[i].text, good[i].flags, rules, &n), 0);
		for (size_t k = 0; k < n; k++) {
			addr_rule_put(&rules[k], text);
			assert_int_equal(
			    parse(text, good[i].flags, again, &n_again), 0);
			assert_int_equal(n_again, 1);
			assert_memory_equal(
			    &again[0], &rules[k], sizeof(again[0]));
		}
	}
}

static void
refuses_what_no_rule_may_be(void **state)
{
	static const char *const bad[] = { "", "*", "*.", "*.*", "**",
		"*example.com", "a.*.com", "*.com", "*.*.com", "*.localhost",
		"*.internal", "*.local", "*.10.0.0.1", "*.93.184.216.34",
		"*.[2606:4700::1111]", "example", "com", "localhost",
		"localhost:80", "127.0.0.1", "127.0.0.1:8080", "[::1]:80",
		"10.0.0.1", "169.254.169.254", "http://169.254.169.254/latest",
		"[fd00:ec2::254]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]",
		"0.0.0.0", "34.118.224.1:443", "metadata.google.internal",
		"metadata.goog", "https://metadata.goog/", "db.svc:5432",
		"x.local", "foo.test", "example.com.",
		"example.com:", "example.com:0", "example.com:65536",
		"example.com:https", "example.com:080", "example.com:5432/x",
		"tcp://example.com", "tcp://example.com:80/x",
		"tcp://example.com:80/x/", "ftp://example.com", "https://",
		"https:///x", "://x.com", "https://https://example.com",
		"https://user@example.com", "https://example.com?x",
		"https://example.com/?x", "https://example.com/#x",
		"https://example.com/x#y", "https://example.com/*",
		"https://example.com/v1/*", "https://example.com/../x",
		"https://example.com/%2e%2e/x",
		"https://example.com/%252e%252e/x", "https://example.com//x",
		"https://example.com/x//y", "https://example.com/%2f",
		"https://example.com/%5c", "https://example.com/a\\b",
		"https://example.com/%zz", "https://example.com/a b",
		" example.com", "example.com ", "exam ple.com", "example.com\n",
		"2130706433", "0x7f.1", "127.1", "f\xc3\xbcr.de",
		"example.com,example.org", "-a.com", "!example.com",
		"http:example.com", "2606:4700::1111" };
	struct addr_rule rules[2];
	size_t n;
	(void)state;

	memset(rules, 0x55, sizeof(rules));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		n = 77;
		if (parse(bad[i], 0, rules, &n) != -EINVAL)
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(n, 77);
		assert_int_equal(rules[0].host[0], 0x55);
	}
}

/* Only localhost by name, only with its port, only where it may be. */
static void
grants_loopback_by_name_and_port_alone(void **state)
{
	static const char *const bad[] = { "localhost", "https://localhost",
		"127.0.0.1:5432", "[::1]:5432", "x.localhost:5432",
		"*.localhost:5432", "localhost.:5432", "localhost4:5432",
		"0.0.0.0:5432", "tcp://localhost" };
	struct addr_rule rules[2];
	size_t n;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
		    parse(bad[i], ADDR_RULE_LOOPBACK, rules, &n), -EINVAL);
	assert_int_equal(parse("localhost:5432", 0, rules, &n), -EINVAL);
	assert_int_equal(
	    parse("localhost:5432", ADDR_RULE_LOOPBACK, rules, &n), 0);
	assert_int_equal(rules[0].flags, ADDR_RULE_LOOPBACK);
	assert_int_equal(
	    parse("a.example.com", ADDR_RULE_LOOPBACK, rules, &n), 0);
	assert_int_equal(rules[0].flags, 0);
}

static struct addr_rule
rule_of(const char *text, unsigned int flags)
{
	struct addr_rule rules[2];
	size_t n;

	assert_int_equal(parse(text, flags, rules, &n), 0);
	return rules[0];
}

static void
knows_a_struct_that_parse_did_not_make(void **state)
{
	const struct addr_rule good_rule =
	    rule_of("https://*.example.com/v1", 0);
	struct addr_rule rule;
	(void)state;

	assert_true(addr_rule_is_good(&good_rule));
#define BAD(change)                                                            \
	do {                                                                   \
		rule = good_rule;                                              \
		change;                                                        \
		assert_false(addr_rule_is_good(&rule));                        \
	} while (0)
	BAD(memset(&rule, 0, sizeof(rule)));
	BAD(memset(&rule, 0xff, sizeof(rule)));
	BAD(memset(rule.host, 'a', sizeof(rule.host)));
	BAD(memset(rule.path, '/', sizeof(rule.path)));
	BAD(rule.host[0] = 'E');
	BAD(rule.host[0] = '\0');
	BAD(rule.host[ADDR_HOST_MAX - 1] = 'x');
	BAD(rule.host[20] = 'x');
	BAD(rule.path[ADDR_PATH_MAX - 1] = 'x');
	BAD(rule.path[0] = 'v');
	BAD(strcpy(rule.path, "/"));
	BAD(strcpy(rule.path, "/../"));
	BAD(strcpy(rule.path, "/a?b"));
	BAD(strcpy(rule.host, "localhost"));
	BAD(strcpy(rule.host, "127.0.0.1"));
	BAD(strcpy(rule.host, "a.local"));
	BAD(strcpy(rule.host, "*.com"));
	BAD(rule.port = 0);
	BAD(rule.scheme = 0);
	BAD(rule.scheme = ADDR_TCP);
	BAD(rule.scheme = ADDR_HTTP | ADDR_HTTPS);
	BAD(rule.scheme = 8);
	BAD(rule.is_suffix = 2);
	BAD(rule.flags = ADDR_RULE_LOOPBACK);
	BAD(rule.flags = 4);
	BAD(rule.flags = 0x80);
	BAD(rule.reserved[0] = 1);
	BAD(rule.reserved[1] = 1);
#undef BAD
	rule = good_rule;
	rule.methods = ADDR_GET | ADDR_HEAD;
	assert_true(addr_rule_is_good(&rule));
	rule = good_rule;
	rule.port = 8443;
	assert_true(addr_rule_is_good(&rule));
	rule = rule_of("tcp://a.example.com:22", 0);
	rule.methods = ADDR_GET;
	assert_false(addr_rule_is_good(&rule));
	rule = rule_of("localhost:22", ADDR_RULE_LOOPBACK);
	assert_true(addr_rule_is_good(&rule));
	rule.flags = 0;
	assert_false(addr_rule_is_good(&rule));
}

static void
knows_methods(void **state)
{
	uint8_t bits = 77;
	(void)state;

	assert_int_equal(addr_method_of("GET"), ADDR_GET);
	assert_int_equal(addr_method_of("OPTIONS"), ADDR_OPTIONS);
	assert_int_equal(addr_method_of("get"), ADDR_OTHER);
	assert_int_equal(addr_method_of("TRACE"), ADDR_OTHER);
	assert_int_equal(addr_method_of(""), ADDR_OTHER);

	static const char *const bad[] = { "", ",", "GET,", ",GET", "GET GET",
		"GET,,POST", "get", "FOO", "GET;POST", "GETPOST", " ", "GET, ",
		"GE" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(addr_methods_parse(bad[i], &bits));
		assert_int_equal(bits, 77);
	}
	assert_true(addr_methods_parse("GET", &bits));
	assert_int_equal(bits, ADDR_GET);
	assert_true(addr_methods_parse("GET, POST,PUT , OTHER ", &bits));
	assert_int_equal(bits, ADDR_GET | ADDR_POST | ADDR_PUT | ADDR_OTHER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_rules),
		cmocka_unit_test(reads_what_it_puts),
		cmocka_unit_test(refuses_what_no_rule_may_be),
		cmocka_unit_test(grants_loopback_by_name_and_port_alone),
		cmocka_unit_test(knows_a_struct_that_parse_did_not_make),
		cmocka_unit_test(knows_methods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
