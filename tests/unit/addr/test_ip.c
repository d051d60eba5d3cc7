/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "addr/ip.h"

static bool
parse(const char *text, struct addr_ip *ip)
{
	return addr_ip_parse(text, strlen(text), ip);
}

static uint64_t
next_random(void)
{
	static uint64_t state = 0x2545f4914f6cdd1du;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void
has_one_text_for_an_address(void **state)
{
	static const struct {
		const char *text;
		const char *canonical;
	} good[] = {
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "127.0.0.1", "127.0.0.1" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "1::", "1::" },
		{ "0:0:0:0:0:0:0:0", "::" },
		{ "0000:0000:0000:0000:0000:0000:0000:0001", "::1" },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
		{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
		{ "1:0:0:4:0:0:0:8", "1:0:0:4::8" },
		{ "1:0:0:4:5:0:0:8", "1::4:5:0:0:8" },
		{ "2001:DB8::ABCD", "2001:db8::abcd" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "::ffff:7f00:1", "::ffff:127.0.0.1" },
		{ "::FFFF:127.0.0.1", "::ffff:127.0.0.1" },
		{ "::127.0.0.1", "::7f00:1" },
		{ "1:2:3:4:5:6:127.0.0.1", "1:2:3:4:5:6:7f00:1" },
		{ "64:ff9b::8.8.8.8", "64:ff9b::808:808" },
	};
	char text[ADDR_IP_TEXT_MAX];
	struct addr_ip ip;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(parse(good[i].text, &ip));
		addr_ip_put(&ip, text);
		assert_string_equal(text, good[i].canonical);
	}
}

/* Where the length ends, whatever stands behind it. */
static void
reads_the_length_it_is_given(void **state)
{
	struct addr_ip ip;
	(void)state;

	assert_true(addr_ip_parse("1.2.3.45", 7, &ip));
	assert_int_equal(ip.bytes[3], 4);
	assert_false(addr_ip_parse("1.2.3.4", 6, &ip));
	assert_false(addr_ip_parse("1.2.3.4\0", 8, &ip));
	assert_false(addr_ip_parse("::1\0", 4, &ip));
	assert_false(addr_ip_parse("", 0, &ip));
}

static void
refuses_every_other_spelling(void **state)
{
	static const char *const bad[] = { "1", "1.2", "1.2.3", "1.2.3.4.5",
		"1.2.3.", ".1.2.3", "1..2.3", "01.2.3.4", "1.2.3.04",
		"00.0.0.0", "1.2.3.256", "1.2.3.1000", "0x1.2.3.4", "1.2.3.4 ",
		" 1.2.3.4", "+1.2.3.4", "-1.2.3.4", "1.2.3.a", "1,2,3,4",
		"2130706433", "0x7f000001", ":", ":::", "1", "1:", ":1",
		"::1:", ":1::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"::1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::", "1:2:3:4::5:6:7:8",
		"12345::", "::00000", "g::", "::1%lo", "::1%1", "[::1]",
		"::1/128", "::1.2.3", "::1.2.3.4.5", "::01.2.3.4",
		"::1.2.3.256", "1.2.3.4::", "1.2.3.4:5::", "::1.2.3.4:5",
		"1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4", "::ffff:1.2.3",
		"::ffff:0x7f.1",
		"0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0" };
	struct addr_ip ip = { .version = 77 };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(parse(bad[i], &ip));
		assert_int_equal(ip.version, 77);
	}
}

static void
random_ip(struct addr_ip *ip)
{
	*ip = (struct addr_ip){ .version = next_random() % 2 ? 4 : 6 };
	for (size_t i = 0; i < (ip->version == 4 ? 4 : 16); i++)
		ip->bytes[i] = next_random() % 3 ? (uint8_t)next_random() : 0;
}

static void
reads_back_what_it_writes_and_so_does_libc(void **state)
{
	char text[ADDR_IP_TEXT_MAX], other[INET6_ADDRSTRLEN];
	struct addr_ip ip, again;
	uint8_t bytes[16];
	(void)state;

	for (int i = 0; i < 200000; i++) {
		random_ip(&ip);
		const int family = ip.version == 4 ? AF_INET : AF_INET6;
		addr_ip_put(&ip, text);
		assert_true(parse(text, &again));
		assert_true(addr_ip_equal(&ip, &again));
		assert_int_equal(inet_pton(family, text, bytes), 1);
		assert_memory_equal(
		    bytes, ip.bytes, family == AF_INET ? 4 : 16);

		assert_non_null(
		    inet_ntop(family, ip.bytes, other, sizeof(other)));
		assert_true(parse(other, &again));
		assert_true(addr_ip_equal(&ip, &again));
	}
}

/* Texts out of an address' alphabet: libc and we take the same ones. */
static void
takes_what_libc_takes(void **state)
{
	static const char v4[] = "0123456789..", v6[] = "012af::::.";
	int taken = 0;
	(void)state;

	for (int i = 0; i < 2000000; i++) {
		const bool is_v6 = i % 2;
		char text[24] = { 0 };
		struct addr_ip ip;
		uint8_t bytes[16];
		const size_t len = 2 + next_random() % (is_v6 ? 16 : 7);

		for (size_t at = 0; at < len; at++)
			text[at] = is_v6 ? v6[next_random() % (sizeof(v6) - 1)]
					 : v4[next_random() % (sizeof(v4) - 1)];
		const bool libc = inet_pton(AF_INET, text, bytes) == 1 ||
		    inet_pton(AF_INET6, text, bytes) == 1;
		assert_int_equal(parse(text, &ip), libc);
		if (!libc)
			continue;
		assert_memory_equal(ip.bytes, bytes, ip.version == 4 ? 4 : 16);
		taken++;
	}
	assert_true(taken > 1000);
}

static void
takes_addresses_of_sockets(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	const struct sockaddr other = { .sa_family = AF_UNIX };
	struct addr_ip ip;
	char text[ADDR_IP_TEXT_MAX];
	(void)state;

	inet_pton(AF_INET, "8.8.4.4", &in.sin_addr);
	assert_true(addr_ip_from((const struct sockaddr *)&in, &ip));
	addr_ip_put(&ip, text);
	assert_string_equal(text, "8.8.4.4");
	inet_pton(AF_INET6, "::ffff:8.8.4.4", &in6.sin6_addr);
	assert_true(addr_ip_from((const struct sockaddr *)&in6, &ip));
	assert_int_equal(ip.version, 6);
	assert_false(addr_ip_from(&other, &ip));
}

static void
knows_what_a_prefix_has(void **state)
{
	struct addr_prefix prefix;
	struct addr_ip ip;
	(void)state;

	assert_true(parse("10.128.0.0", &prefix.ip));
	prefix.len = 9;
	assert_true(parse("10.255.255.255", &ip));
	assert_true(addr_prefix_has(&prefix, &ip));
	assert_true(parse("10.127.255.255", &ip));
	assert_false(addr_prefix_has(&prefix, &ip));
	assert_true(parse("a80::", &ip));
	assert_false(addr_prefix_has(&prefix, &ip));
	prefix.len = 33; /* no length of IPv4 */
	assert_false(addr_prefix_has(&prefix, &prefix.ip));
	prefix.len = 0;
	assert_true(parse("255.0.0.1", &ip));
	assert_true(addr_prefix_has(&prefix, &ip));
	assert_true(parse("2001:db8::1", &prefix.ip));
	prefix.len = 128;
	assert_true(addr_prefix_has(&prefix, &prefix.ip));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_one_text_for_an_address),
		cmocka_unit_test(reads_the_length_it_is_given),
		cmocka_unit_test(refuses_every_other_spelling),
		cmocka_unit_test(reads_back_what_it_writes_and_so_does_libc),
		cmocka_unit_test(takes_what_libc_takes),
		cmocka_unit_test(takes_addresses_of_sockets),
		cmocka_unit_test(knows_what_a_prefix_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
