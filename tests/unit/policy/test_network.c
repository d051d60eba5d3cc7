/* SPDX-License-Identifier: Apache-2.0 */

/* What a network member comes to: rules for egress, ports for the box. */

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "policy/network.h"
#include "policy/rules.h"
#include "test.h"

static struct policy_network network; /* too large for a stack */
static struct policy_ports ports;

static void
made(const char *json, bool is_srt)
{
	struct policy *policy;
	struct err err = { "" };

	assert_int_equal(policy_new(&policy), 0);
	policy_allow_loopback(policy);
	if (policy_json(policy, json, strlen(json), is_srt, "test", &err) !=
		0 ||
	    policy_network(policy, &network, &err) != 0 ||
	    policy_ports_make(policy, &ports, &err) != 0)
		fail_msg("%s", err.text);
	policy_free(policy);
}

/* All rules, denials with a '!', methods behind. */
static void
assert_rules(const char *wanted)
{
	char all[4096] = "", text[ADDR_RULE_TEXT_MAX];

	for (size_t i = 0; i < network.n_rules; i++) {
		const struct addr_rule *rule = &network.rules[i];
		addr_rule_put(rule, text);
		const size_t len = strlen(all);
		snprintf(all + len, sizeof(all) - len, "%s%s%s",
		    (rule->flags & ADDR_RULE_DENY) != 0 ? "!" : "", text,
		    rule->methods == 0              ? ""
			: rule->methods == ADDR_GET ? "(GET)"
						    : "(some)");
		strcat(all, "\n");
		assert_true(addr_rule_is_good(rule));
	}
	assert_string_equal(all, wanted);
}

static void
words_become_rules_with_denials_first(void **state)
{
	(void)state;
	made("{\"network\":{\"allowedDomains\":[\"b.example.com\","
	     "\"*.example.org:8443\",\"localhost:5432\"],"
	     "\"deniedDomains\":[\"evil.example.org\",\"10.0.0.1\"],"
	     "\"rules\":[{\"url\":\"https://api.example.com/v1/\","
	     "\"methods\":[\"GET\"]},{\"url\":\"http://c.example.com:8080\"},"
	     "{\"url\":\"https://d.example.com\",\"methods\":[\"POST\","
	     "\"GET\"]}],\"requestsPerMinute\":7,\"concurrent\":8,"
	     "\"requestsPerCall\":9,\"bytesIn\":\"1KiB\",\"bytesOut\":2,"
	     "\"bytesPerMinute\":\"3MiB\"}}",
	    false);
	assert_rules("!evil.example.org\n!10.0.0.1\nhttps://b.example.com\n"
		     "http://b.example.com\nhttps://*.example.org:8443\n"
		     "tcp://localhost:5432\n"
		     "https://api.example.com/v1/(GET)\n"
		     "http://c.example.com:8080\n"
		     "https://d.example.com(some)\n");
	assert_int_equal(network.budget.requests_per_minute, 7);
	assert_int_equal(network.budget.concurrent, 8);
	assert_int_equal(network.budget.per_caller, 9);
	assert_int_equal(network.budget.bytes_in, 1024);
	assert_int_equal(network.budget.bytes_out, 2);
	assert_int_equal(network.budget.bytes_per_minute, 3 << 20);
	static const uint16_t wanted[] = { 80, 443, 5432, 8080, 8443 };
	assert_int_equal(ports.n_ports, ARRAY_LEN(wanted));
	assert_memory_equal(ports.ports, wanted, sizeof(wanted));
	assert_int_equal(ports.n_addresses, 0);
}

static void
addresses_get_a_way_of_their_own(void **state)
{
	static const uint32_t wanted[] = { 0x01010101, 0x5db8d822 };

	(void)state;
	made("{\"network\":{\"allowedDomains\":[\"93.184.216.34:443\","
	     "\"1.1.1.1\",\"[2606:4700::1]:443\",\"93.184.216.34:8443\"],"
	     "\"deniedDomains\":[\"9.9.9.9\"]}}",
	    false);
	assert_int_equal(ports.n_addresses, 2);
	assert_memory_equal(ports.addresses, wanted, sizeof(wanted));
	assert_int_equal(ports.n_ports, 3);
}

static void
the_other_port_of_the_web_is_open_too(void **state)
{
	static const uint16_t wanted[] = { 80, 443 };
	static const char *const texts[] = {
		"{\"network\":{\"allowedDomains\":[\"https://a.net\"]}}",
		"{\"network\":{\"allowedDomains\":[\"http://a.net\"]}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		made(texts[i], false);
		assert_int_equal(network.n_rules, 1);
		assert_int_equal(ports.n_ports, 2);
		assert_memory_equal(ports.ports, wanted, sizeof(wanted));
	}
}

static void
who_only_denies_has_no_network(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"network\":{\"deniedDomains\":[\"a.example.com\"]}}",
		"{\"network\":{\"allowedDomains\":[\"a.example.com\"],"
		"\"deniedDomains\":[\"*\"]}}",
		"{\"network\":{\"allowedDomains\":[\"a.example.com:22\"],"
		"\"deniedDomains\":[\"*:22\"]}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		made(texts[i], false);
		assert_int_equal(network.n_rules, 0);
		assert_int_equal(ports.n_ports, 0);
	}
	made("{\"network\":{\"allowedDomains\":[\"a.example.com:22\","
	     "\"a.example.com:23\"],\"deniedDomains\":[\"*:22\"]}}",
	    false);
	assert_rules("tcp://a.example.com:23\n");
}

static void
srt_reaches_by_https_and_http(void **state)
{
	static const uint16_t wanted[] = { 80, 443 };

	(void)state;
	made("{\"network\":{\"allowedDomains\":[\"github.com\","
	     "\"*.npmjs.org\",\"localhost\",\"10.0.0.1\"],"
	     "\"deniedDomains\":[]}}",
	    true);
	assert_rules("https://github.com\nhttp://github.com\n"
		     "https://*.npmjs.org\nhttp://*.npmjs.org\n");
	assert_int_equal(ports.n_ports, 2);
	assert_memory_equal(ports.ports, wanted, sizeof(wanted));
}

static void
too_many_are_told(void **state)
{
	static char json[65536];
	struct policy *policy;
	struct err err = { "" };
	size_t len = 0;

	(void)state;
	len = (size_t)snprintf(
	    json, sizeof(json), "{\"network\":{\"allowedDomains\":[\"a.b:1\"");
	for (unsigned i = 2; i <= BOX_PORTS_MAX + 1; i++)
		len += (size_t)snprintf(
		    json + len, sizeof(json) - len, ",\"a.b:%u\"", i);
	snprintf(json + len, sizeof(json) - len, "]}}");
	assert_int_equal(policy_new(&policy), 0);
	assert_int_equal(
	    policy_json(policy, json, strlen(json), false, "test", &err), 0);
	assert_int_equal(policy_ports_make(policy, &ports, &err), -E2BIG);
	assert_non_null(strstr(err.text, "different ports"));
	for (unsigned i = 2; i < ADDR_RULES_MAX; i++) {
		snprintf(json, sizeof(json), "n%u.example.com:1", i);
		assert_int_equal(policy_net(policy, json, &err), 0);
	}
	assert_int_equal(policy_network(policy, &network, &err), -E2BIG);
	assert_non_null(strstr(err.text, "more than 256 rules"));
	policy_free(policy);
}

static void
a_document_has_a_network_and_no_loopback(void **state)
{
	static const char good[] =
	    "{\"command\":[\"x\"],\"policy\":{\"network\":{"
	    "\"allowedDomains\":[\"a.example.com\"]}}}";
	static const char bad[] =
	    "{\"command\":[\"x\"],\"policy\":{\"network\":{"
	    "\"allowedDomains\":[\"localhost:5432\"]}}}";
	struct policy_memory *memory = NULL;
	struct box_spec spec;
	struct err err = { "" };

	(void)state;
	assert_int_equal(
	    policy_document_network(good, strlen(good), &network, &err), 0);
	assert_rules("https://a.example.com\nhttp://a.example.com\n");
	assert_int_equal(
	    policy_document_network(bad, strlen(bad), &network, &err), -EINVAL);
	assert_non_null(strstr(err.text, "only `cordon wrap`"));
	assert_int_equal(policy_document_spec(
			     good, strlen(good), NULL, &spec, &memory, &err),
	    0);
	assert_int_equal(spec.n_ports, 2);
	assert_null(box_spec_complaint(&spec));
	bool has_proxy = false;
	for (uint32_t i = 0; i < spec.n_env; i++)
		has_proxy |= strcmp(spec.env[i],
				 "HTTPS_PROXY=http://198.18.0.1:3128") == 0;
	assert_true(has_proxy);
	policy_spec_free(memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_become_rules_with_denials_first),
		cmocka_unit_test(addresses_get_a_way_of_their_own),
		cmocka_unit_test(the_other_port_of_the_web_is_open_too),
		cmocka_unit_test(who_only_denies_has_no_network),
		cmocka_unit_test(srt_reaches_by_https_and_http),
		cmocka_unit_test(too_many_are_told),
		cmocka_unit_test(a_document_has_a_network_and_no_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
