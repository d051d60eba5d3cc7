/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>

#include "addr/spelling.h"
#include "addr/url.h"

static int
parse(const char *text, struct addr_host_name *host)
{
	struct err err = { .text = "" };
	const int r = addr_host_parse(text, strlen(text), host, &err);

	if (r != 0 && err.text[0] == '\0')
		fail_msg("%s is refused without a word", text);
	return r;
}

static void
makes_names_lower_case(void **state)
{
	static const struct {
		const char *text;
		const char *canonical;
		bool is_ip;
	} good[] = {
		{ "example.com", "example.com", false },
		{ "EXAMPLE.Com", "example.com", false },
		{ "a", "a", false },
		{ "localhost", "localhost", false },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example", false },
		{ "_dmarc.example.com", "_dmarc.example.com", false },
		{ "r3---sn-abc.googlevideo.com", "r3---sn-abc.googlevideo.com",
		    false },
		{ "1.example.com", "1.example.com", false },
		{ "127.0.0.1.example.com", "127.0.0.1.example.com", false },
		{ "0x7f000001.example", "0x7f000001.example", false },
		{ "1.2.3.4a", "1.2.3.4a", false },
		{ "0xg", "0xg", false },
		{ "93.184.216.34", "93.184.216.34", true },
		{ "127.0.0.1", "127.0.0.1", true },
		{ "[::1]", "::1", true },
		{ "[2606:4700::ABCD]", "2606:4700::abcd", true },
		{ "[::FFFF:7f00:1]", "::ffff:127.0.0.1", true },
	};
	struct addr_host_name host;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(parse(good[i].text, &host), 0);
		assert_string_equal(host.text, good[i].canonical);
		assert_int_equal(host.is_ip, good[i].is_ip);
	}
}

static void
refuses_what_is_no_host(void **state)
{
	struct addr_host_name host;
	(void)state;

	memset(&host, 0x55, sizeof(host));
	const struct addr_host_name before = host;
	for (size_t i = 0; i < ARRAY_LEN(bad_hosts); i++) {
		if (parse(bad_hosts[i], &host) != -EINVAL)
			fail_msg("%s was taken", bad_hosts[i]);
		assert_memory_equal(&host, &before, sizeof(host));
	}
}

/* Each passes a deny-list on its text, and leads inside where libc reads it. */
static void
refuses_addresses_in_other_spellings(void **state)
{
	struct addr_host_name host;
	size_t n_dialled = 0;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(numeric_spellings); i++) {
		const char *text = numeric_spellings[i];
		if (parse(text, &host) != -EINVAL)
			fail_msg("%s was taken", text);
		assert_false(naive_is_inside(text));
		n_dialled += libc_dials_inside(text);
	}
	assert_int_equal(n_dialled, ARRAY_LEN(numeric_spellings));
}

static void
counts_bytes(void **state)
{
	char text[400];
	struct addr_host_name host;
	(void)state;

	memset(text, 'a', sizeof(text));
	for (size_t i = 63; i < 253; i += 64)
		text[i] = '.';
	assert_int_equal(addr_host_parse(text, 63, &host, NULL), 0);
	assert_int_equal(addr_host_parse(text, 253, &host, NULL), 0);
	assert_int_equal(strlen(host.text), 253);
	assert_int_equal(addr_host_parse(text, 254, &host, NULL), -EINVAL);
	assert_int_equal(addr_host_parse(text, 400, &host, NULL), -EINVAL);
	text[63] = 'a';
	assert_int_equal(addr_host_parse(text, 64, &host, NULL), -EINVAL);
	assert_int_equal(
	    addr_host_parse("example.com\0.org", 16, &host, NULL), -EINVAL);
	assert_int_equal(addr_host_parse("\0", 1, &host, NULL), -EINVAL);
}

static void
knows_names_that_lead_nowhere_outside(void **state)
{
	static const char *const special[] = { "localhost", "LOCALHOST",
		"foo.localhost", "localhost.localdomain", "localhost4",
		"ip6-localhost", "printer.local", "x.test", "a.b.invalid",
		"something.onion", "example", "www.example", "home.arpa",
		"router.home.arpa", "1.0.0.127.in-addr.arpa", "ipv4only.arpa",
		"resolver.arpa", "x.alt", "metadata.google.internal",
		"metadata.goog", "instance-data", "instance-data.ec2.internal",
		"metadata.azure.internal", "metadata.tencentyun.com",
		"metadata.packet.net", "rancher-metadata", "kubernetes",
		"kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", "api.svc",
		"host.docker.internal", "gateway.docker.internal",
		"host.containers.internal", "host.lima.internal", "db.consul",
		"intranet", "wiki.corp", "nas.lan", "x.home", "x.intranet",
		"x.private", "wpad", "com", "localhost.", "a.localhost." };
	static const char *const others[] = { "example.com", "www.example.com",
		"example.org", "localhost.example.com", "notlocalhost.com",
		"internal.example.com", "mylocal.net", "xlocal.io", "test.com",
		"metadata.example.com", "goog.metadata.com", "api.goog",
		"tencentyun.com", "lan.com", "8.8.8.8", "2606:4700::1111",
		"localhost.com", "local.dev", "arpa.net" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(special); i++) {
		const char *reason = addr_name_is_special(special[i]);
		if (reason == NULL)
			fail_msg("%s is special", special[i]);
		assert_int_equal(strncmp(reason, "is ", 3), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (addr_name_is_special(others[i]) != NULL)
			fail_msg("%s is a name like others", others[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_names_lower_case),
		cmocka_unit_test(refuses_what_is_no_host),
		cmocka_unit_test(refuses_addresses_in_other_spellings),
		cmocka_unit_test(counts_bytes),
		cmocka_unit_test(knows_names_that_lead_nowhere_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
