/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "addr/ip.h"

static struct addr_ip
ip_of(const char *text)
{
	struct addr_ip ip;

	if (!addr_ip_parse(text, strlen(text), &ip))
		fail_msg("%s is no address", text);
	return ip;
}

static const char *
name_of(const char *text, const struct addr_host *host)
{
	const struct addr_ip ip = ip_of(text);
	const struct addr_range *row = addr_refused(&ip, host);

	return row == NULL ? "" : row->name;
}

static unsigned
bit_of(const struct addr_ip *ip, size_t i)
{
	return ip->bytes[i / 8] >> (7 - i % 8) & 1;
}

/* A second reader of the table: bit by bit, and slow. */
static bool
table_has(const struct addr_ip *ip)
{
	const struct addr_range *row;

	for (size_t i = 0; (row = addr_range_at(i)) != NULL; i++) {
		size_t bit = 0;
		if (row->prefix.ip.version != ip->version)
			continue;
		while (bit < row->prefix.len &&
		    bit_of(ip, bit) == bit_of(&row->prefix.ip, bit))
			bit++;
		if (bit == row->prefix.len)
			return true;
	}
	return false;
}

static bool
covers(const struct addr_prefix *wide, const struct addr_prefix *narrow)
{
	return wide->len <= narrow->len && addr_prefix_has(wide, &narrow->ip);
}

static void
has_a_source_for_every_row(void **state)
{
	const struct addr_range *row, *other;
	size_t n = 0;
	(void)state;

	for (; (row = addr_range_at(n)) != NULL; n++) {
		const size_t bits = row->prefix.ip.version == 4 ? 32 : 128;
		assert_true(strlen(row->name) >= 4);
		assert_true(strlen(row->source) >= 8);
		assert_true(row->prefix.len > 0 && row->prefix.len <= bits);
		for (size_t bit = row->prefix.len; bit < bits; bit++)
			assert_int_equal(bit_of(&row->prefix.ip, bit), 0);
		/* a row behind one that has it would never be named */
		for (size_t i = 0; i < n; i++) {
			other = addr_range_at(i);
			assert_false(covers(&other->prefix, &row->prefix));
			assert_true(
			    other->prefix.ip.version <= row->prefix.ip.version);
		}
	}
	assert_true(n > 50);
	assert_null(addr_range_at(n + 1000));
}

/* One up or down; false: there is none. */
static bool
step(struct addr_ip *ip, bool is_up)
{
	for (size_t i = ip->version == 4 ? 4 : 16; i-- > 0;) {
		ip->bytes[i] = (uint8_t)(ip->bytes[i] + (is_up ? 1 : -1));
		if (ip->bytes[i] != (is_up ? 0 : 0xff))
			return true;
	}
	return false;
}

static void
refuses_each_row_from_its_first_to_its_last(void **state)
{
	const struct addr_range *row;
	(void)state;

	for (size_t i = 0; (row = addr_range_at(i)) != NULL; i++) {
		struct addr_ip first = row->prefix.ip, last = first;
		const size_t bits = first.version == 4 ? 32 : 128;
		for (size_t bit = row->prefix.len; bit < bits; bit++)
			last.bytes[bit / 8] |= (uint8_t)(1u << (7 - bit % 8));
		assert_non_null(addr_refused(&first, NULL));
		assert_non_null(addr_refused(&last, NULL));
		if (step(&first, false))
			assert_int_equal(addr_refused(&first, NULL) != NULL,
			    table_has(&first));
		if (step(&last, true))
			assert_int_equal(addr_refused(&last, NULL) != NULL,
			    table_has(&last));
	}
}

/* Written down apart from the table: what stands beside a range is public. */
static void
ends_where_the_registries_do(void **state)
{
	static const char *const outside[] = { "1.0.0.0", "9.255.255.255",
		"11.0.0.0", "34.118.223.255", "34.118.240.0", "100.63.255.255",
		"100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.15",
		"168.63.129.17", "169.253.255.255", "169.255.0.0",
		"172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0",
		"192.0.1.255", "192.0.3.0", "192.31.195.255", "192.31.197.0",
		"192.52.192.255", "192.52.194.0", "192.88.98.255",
		"192.88.100.0", "192.167.255.255", "192.169.0.0",
		"192.175.47.255", "192.175.49.0", "198.17.255.255",
		"198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255",
		"203.0.114.0", "223.255.255.255", "8.8.8.8", "1.1.1.1",
		"93.184.216.34",
		"2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
		"2001:db9::", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"2003::", "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff",
		"2620:4f:8001::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"2606:4700:4700::1111", "2a00:1450:4001::8a" };
	static const char *const inside[] = { "0.0.0.0", "0.255.255.255",
		"10.0.0.0", "10.255.255.255", "34.118.224.0", "34.118.239.255",
		"100.64.0.0", "100.127.255.255", "127.0.0.0", "127.255.255.255",
		"169.254.0.0", "169.254.255.255", "172.16.0.0",
		"172.31.255.255", "192.0.0.0", "192.0.0.9", "192.0.0.10",
		"192.0.0.170", "192.0.0.255", "192.0.2.0", "192.0.2.255",
		"192.31.196.1", "192.52.193.1", "192.88.99.1", "192.88.99.2",
		"192.168.0.0", "192.168.255.255", "192.175.48.1", "198.18.0.0",
		"198.19.255.255", "198.51.100.0", "203.0.113.255", "224.0.0.0",
		"239.255.255.255", "240.0.0.0", "255.255.255.254",
		"255.255.255.255", "::", "::1", "::2", "100::", "100::1",
		"100:0:0:1::1",
		"100:0:0:2::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"2001::", "2001:1::1", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
		"2001:2::1", "2001:10::1", "2001:20::1", "2001:30::1",
		"2001:db8::", "2002::", "2002:808:808::1", "2620:4f:8000::1",
		"3fff::1", "3fff:fff::1", "4000::", "5f00::1",
		"64:ff9b::808:808", "64:ff9b:1::1",
		"8000::", "c000::", "e000::", "f000::", "f800::", "fc00::1",
		"fd12:3456::1", "fe00::1", "fe80::1", "febf::1", "fec0::1",
		"feff::1", "ff00::", "ff02::1",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(outside); i++)
		assert_string_equal(name_of(outside[i], NULL), "");
	for (size_t i = 0; i < ARRAY_LEN(inside); i++)
		assert_string_not_equal(name_of(inside[i], NULL), "");
}

static void
names_metadata_services(void **state)
{
	static const char *const metadata[] = { "169.254.169.254",
		"169.254.170.2", "169.254.170.23", "169.254.42.42",
		"100.100.100.200", "168.63.129.16", "192.0.0.192",
		"fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
		"fd00:c1::a9fe:a9fe", "fd00:42::42", "fd00:a9fe:a9fe::1",
		"fd00:100::100:200" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(metadata); i++)
		assert_string_equal(
		    name_of(metadata[i], NULL), "cloud metadata");
	assert_string_equal(name_of("169.254.169.253", NULL), "link local");
	assert_string_equal(
	    name_of("100.100.100.201", NULL), "shared address space");
	assert_string_equal(name_of("fd00:ec3::254", NULL), "unique local");
}

static const struct {
	uint8_t bytes[4];
	const char *name; /* NULL: it is public */
} inner[] = {
	{ { 127, 0, 0, 1 }, "loopback" },
	{ { 10, 0, 0, 1 }, "private use" },
	{ { 192, 168, 1, 1 }, "private use" },
	{ { 169, 254, 169, 254 }, "cloud metadata" },
	{ { 100, 64, 0, 1 }, "shared address space" },
	{ { 224, 0, 0, 1 }, "multicast" },
	{ { 34, 118, 225, 1 }, "Kubernetes services of GKE" },
	{ { 8, 8, 8, 8 }, NULL },
};

/* Builders of the forms that stand in the table as a whole. */
static const struct {
	const char *name;
	const char *prefix;
	size_t at;
	uint8_t mask;
} outer[] = {
	{ "IPv4-mapped", "::ffff:0:0", 12, 0 },
	{ "IPv4-compatible", "::", 12, 0 },
	{ "IPv4-translated", "::ffff:0:0:0", 12, 0 },
	{ "NAT64", "64:ff9b::", 12, 0 },
	{ "NAT64", "64:ff9b:1::", 12, 0 },
	{ "6to4", "2002::", 2, 0 },
	{ "6to4", "2002:0:0:1:2:3:4:5", 2, 0 },
	{ "Teredo", "2001:0:808:808::f7f7:f7f7", 4, 0 },
	{ "Teredo", "2001:0:808:808:8000:f227::", 12, 0xff },
};

static void
names_what_is_inside_of_a_form(void **state)
{
	(void)state;

	for (size_t o = 0; o < ARRAY_LEN(outer); o++) {
		for (size_t i = 0; i < ARRAY_LEN(inner); i++) {
			struct addr_ip ip = ip_of(outer[o].prefix);
			for (size_t k = 0; k < 4; k++)
				ip.bytes[outer[o].at + k] =
				    inner[i].bytes[k] ^ outer[o].mask;
			const struct addr_range *row = addr_refused(&ip, NULL);
			assert_non_null(row);
			assert_string_equal(row->name,
			    inner[i].name != NULL ? inner[i].name
						  : outer[o].name);
		}
	}
}

/* The two forms that may stand below any public prefix: the same address with
 * a public one inside may be dialled, so the inner one is what decides. */
static void
looks_into_isatap(void **state)
{
	static const char *const prefixes[] = { "2606:4700::5efe:0:0",
		"2606:4700::200:5efe:0:0", "2606:4700::100:5efe:0:0",
		"2606:4700::300:5efe:0:0", "2a00:1:2:3:0:5efe::" };
	(void)state;

	for (size_t p = 0; p < ARRAY_LEN(prefixes); p++) {
		for (size_t i = 0; i < ARRAY_LEN(inner); i++) {
			struct addr_ip ip = ip_of(prefixes[p]);
			memcpy(ip.bytes + 12, inner[i].bytes, 4);
			const struct addr_range *row = addr_refused(&ip, NULL);
			assert_string_equal(row == NULL ? "" : row->name,
			    inner[i].name == NULL ? "" : inner[i].name);
		}
	}
	assert_string_equal(name_of("2606:4700::400:5efe:7f00:1", NULL), "");
}

static void
looks_into_nat64_of_every_length(void **state)
{
	/* RFC 6052 2.4, with 192.0.2.33 */
	static const struct {
		const char *prefix;
		uint8_t len;
		const char *with_192_0_2_33;
	} known[] = {
		{ "2a00:db8::", 32, "2a00:db8:c000:221::" },
		{ "2a00:db8:100::", 40, "2a00:db8:1c0:2:21::" },
		{ "2a00:db8:122::", 48, "2a00:db8:122:c000:2:2100::" },
		{ "2a00:db8:122:300::", 56, "2a00:db8:122:3c0:0:221::" },
		{ "2a00:db8:122:344::", 64, "2a00:db8:122:344:c0:2:2100:0" },
		{ "2a00:db8:122:344::", 96, "2a00:db8:122:344::c000:221" },
	};
	(void)state;

	for (size_t p = 0; p < ARRAY_LEN(known); p++) {
		const struct addr_prefix nat64 = { ip_of(known[p].prefix),
			known[p].len };
		const struct addr_host host = { .nat64 = &nat64, .n_nat64 = 1 };
		const struct addr_ip own = ip_of("93.184.216.34");
		const struct addr_host with_own = {
			.nat64 = &nat64, .n_nat64 = 1, .own = &own, .n_own = 1
		};

		/* the control: nobody else can know it */
		assert_string_equal(
		    name_of(known[p].with_192_0_2_33, NULL), "");
		assert_string_equal(
		    name_of(known[p].with_192_0_2_33, &host), "documentation");
		for (size_t i = 0; i < ARRAY_LEN(inner) + 1; i++) {
			const uint8_t *bytes =
			    i < ARRAY_LEN(inner) ? inner[i].bytes : own.bytes;
			struct addr_ip ip = nat64.ip;
			size_t at = known[p].len / 8u;
			for (size_t k = 0; k < 4; k++) {
				if (at == 8)
					at++;
				ip.bytes[at++] = bytes[k];
			}
			const struct addr_range *row =
			    addr_refused(&ip, &with_own);
			const char *name = i == ARRAY_LEN(inner)
			    ? "an address of this host"
			    : inner[i].name;
			assert_string_equal(row == NULL ? "" : row->name,
			    name == NULL ? "" : name);
			assert_null(addr_refused(&ip, NULL));
		}
	}
}

static void
refuses_the_hosts_own_and_the_operators(void **state)
{
	const struct addr_ip own[] = { ip_of("93.184.216.34"),
		ip_of("2606:2800:220:1::1") };
	const struct addr_prefix denied[] = { { ip_of("20.0.0.0"), 9 },
		{ ip_of("2a01:100::"), 30 } };
	const struct addr_host host = { .own = own,
		.n_own = ARRAY_LEN(own),
		.denied = denied,
		.n_denied = ARRAY_LEN(denied) };
	static const struct {
		const char *text;
		const char *name;
	} cases[] = {
		{ "93.184.216.34", "an address of this host" },
		{ "93.184.216.35", "" },
		{ "2606:2800:220:1::1", "an address of this host" },
		{ "2606:2800:220:1::2", "" },
		{ "::ffff:93.184.216.34", "an address of this host" },
		{ "2002:5db8:d822::1", "an address of this host" },
		{ "2a00::5efe:5db8:d822", "an address of this host" },
		{ "20.127.255.255", "denied by the operator" },
		{ "20.128.0.0", "" },
		{ "2a01:103::1", "denied by the operator" },
		{ "2a01:104::1", "" },
		{ "2a00::5efe:1400:1", "denied by the operator" },
		{ "10.0.0.1", "private use" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(
		    name_of(cases[i].text, &host), cases[i].name);
	assert_string_equal(name_of("93.184.216.34", NULL), "");
}

/* A struct that no parser made. */
static void
refuses_what_is_no_address(void **state)
{
	const struct addr_ip none = { .bytes = { 8, 8, 8, 8 } },
			     odd = { .bytes = { 8, 8, 8, 8 }, .version = 5 };
	(void)state;

	assert_non_null(addr_refused(&none, NULL));
	assert_non_null(addr_refused(&odd, NULL));
}

static void
agrees_with_a_second_reader_at_random(void **state)
{
	uint64_t random = 0x9e3779b97f4a7c15u;
	size_t n_refused = 0;
	(void)state;

	for (int i = 0; i < 300000; i++) {
		struct addr_ip ip = { .version = 4 };
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		memcpy(ip.bytes, &random, 4);
		const bool is_refused = addr_refused(&ip, NULL) != NULL;
		assert_int_equal(is_refused, table_has(&ip));
		n_refused += is_refused;
	}
	assert_true(n_refused > 10000 && n_refused < 150000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_a_source_for_every_row),
		cmocka_unit_test(refuses_each_row_from_its_first_to_its_last),
		cmocka_unit_test(ends_where_the_registries_do),
		cmocka_unit_test(names_metadata_services),
		cmocka_unit_test(names_what_is_inside_of_a_form),
		cmocka_unit_test(looks_into_isatap),
		cmocka_unit_test(looks_into_nat64_of_every_length),
		cmocka_unit_test(refuses_the_hosts_own_and_the_operators),
		cmocka_unit_test(refuses_what_is_no_address),
		cmocka_unit_test(agrees_with_a_second_reader_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
