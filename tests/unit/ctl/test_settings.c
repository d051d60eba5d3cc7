/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "ctl/settings.h"

static struct ctl_settings
resolv(const char *text)
{
	struct ctl_settings settings;

	ctl_settings_init(&settings);
	ctl_settings_resolv_text(&settings, text, strlen(text));
	return settings;
}

static void
takes_name_servers_as_the_c_library_does(void **state)
{
	(void)state;
	struct ctl_settings settings = resolv("# nameserver 1.1.1.1\n"
					      "; nameserver 1.1.1.2\n"
					      " nameserver 1.1.1.3\n"
					      "nameserverx 1.1.1.4\n"
					      "search example.org\n"
					      "nameserver\t9.9.9.9  # quad\n"
					      "nameserver 2620:fe::fe\r\n"
					      "nameserver 127.0.0.53");
	const struct wire_nameserver *servers = settings.head.nameservers;

	assert_int_equal(settings.head.n_nameservers, 3);
	assert_memory_equal(servers[0].ip.bytes, "\11\11\11\11\0\0\0\0", 8);
	assert_int_equal(servers[0].ip.version, 4);
	assert_int_equal(servers[0].port, 53);
	assert_int_equal(servers[1].ip.version, 6);
	assert_memory_equal(servers[1].ip.bytes, "\x26\x20\0\xfe", 4);
	assert_memory_equal(servers[2].ip.bytes, "\x7f\0\0\x35", 4);
	assert_string_equal(settings.remarks, "");
}

static void
says_what_it_leaves_out(void **state)
{
	(void)state;
	struct ctl_settings settings = resolv("nameserver fe80::1%eth0\n"
					      "nameserver 0x7f.1\n"
					      "nameserver 010.0.0.1\n"
					      "nameserver 1.1\n"
					      "nameserver \n");

	assert_int_equal(settings.head.n_nameservers, 0);
	assert_non_null(strstr(settings.remarks, "fe80::1%eth0"));
	assert_non_null(strstr(settings.remarks, "0x7f.1"));
	assert_non_null(strstr(settings.remarks, "010.0.0.1"));

	settings = resolv("nameserver 1.1.1.1\nnameserver 1.1.1.2\n"
			  "nameserver 1.1.1.3\nnameserver 1.1.1.4\n"
			  "nameserver 1.1.1.5\n");
	assert_int_equal(settings.head.n_nameservers, 4);
	assert_non_null(strstr(settings.remarks, "1.1.1.5"));

	ctl_settings_init(&settings);
	ctl_settings_resolv(&settings, "/nonexistent/resolv.conf");
	assert_non_null(strstr(settings.remarks, "names no name server"));
}

static void
takes_long_and_strange_lines_without_harm(void **state)
{
	static char text[70000];
	struct ctl_settings settings;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text + sizeof(text) - 20, "\nnameserver 9.9.9.9", 19);
	text[sizeof(text) - 1] = '\n';
	ctl_settings_init(&settings);
	ctl_settings_resolv_text(&settings, text, sizeof(text));
	assert_int_equal(settings.head.n_nameservers, 1);
	assert_non_null(strstr(settings.remarks, "left out"));

	ctl_settings_init(&settings);
	ctl_settings_resolv_text(&settings, "nameserver 1.1.1.1\0x\n", 21);
	assert_int_equal(settings.head.n_nameservers, 0);
	for (int i = 0; i < 100; i++) /* remarks end somewhere */
		ctl_settings_resolv_text(&settings, "nameserver \033[2J\n", 16);
	assert_null(strchr(settings.remarks, '\033'));
	assert_true(strlen(settings.remarks) < sizeof(settings.remarks));
}

static void
takes_name_servers_with_their_ports(void **state)
{
	static const struct {
		const char *text;
		unsigned version;
		unsigned port;
	} good[] = {
		{ "9.9.9.9", 4, 53 },
		{ "9.9.9.9:5353", 4, 5353 },
		{ "2620:fe::fe", 6, 53 },
		{ "[2620:fe::fe]", 6, 53 },
		{ "[2620:fe::fe]:853", 6, 853 },
	};
	static const char *const bad[] = { "", "dns.example.org",
		"9.9.9.9:", "9.9.9.9:0", "9.9.9.9:65536", "9.9.9.9:053",
		"9.9.9.9: 53", "[9.9.9.9]:53", "[2620:fe::fe", "[2620:fe::fe]x",
		"[2620:fe::fe]:", "9.9.9", "09.9.9.9", "fe80::1%1" };
	struct ctl_settings settings;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		ctl_settings_init(&settings);
		assert_int_equal(
		    ctl_settings_nameserver(&settings, good[i].text, NULL), 0);
		assert_int_equal(
		    settings.head.nameservers[0].ip.version, good[i].version);
		assert_int_equal(
		    settings.head.nameservers[0].port, good[i].port);
	}
	ctl_settings_init(&settings);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
		    ctl_settings_nameserver(&settings, bad[i], NULL), -EINVAL);
	for (unsigned i = 0; i < WIRE_NAMESERVERS_MAX; i++)
		assert_int_equal(
		    ctl_settings_nameserver(&settings, "9.9.9.9", NULL), 0);
	assert_int_equal(
	    ctl_settings_nameserver(&settings, "9.9.9.9", NULL), -E2BIG);
}

static void
takes_prefixes_that_are_prefixes(void **state)
{
	static const char *const bad[] = { "10.0.0.0", "10.0.0.1/8",
		"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "/8", "x/8",
		"2001:db8::1/32", "2001:db8::/129" };
	static const char *const not_nat64[] = { "10.0.0.0/32", "2001:db8::/33",
		"2001:db8::/72" };
	struct ctl_settings settings;

	(void)state;
	ctl_settings_init(&settings);
	assert_int_equal(ctl_settings_denied(&settings, "10.0.0.0/8", NULL), 0);
	assert_int_equal(ctl_settings_denied(&settings, "::/0", NULL), 0);
	assert_int_equal(settings.head.n_denied, 2);
	assert_int_equal(settings.head.denied[0].len, 8);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
		    ctl_settings_denied(&settings, bad[i], NULL), -EINVAL);
	assert_int_equal(
	    ctl_settings_nat64(&settings, "64:ff9b:1::/48", NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(not_nat64); i++)
		assert_int_equal(
		    ctl_settings_nat64(&settings, not_nat64[i], NULL), -EINVAL);
	assert_int_equal(settings.head.n_nat64, 1);
}

static void
seals_the_parts_one_after_another(void **state)
{
	char path[] = "/tmp/cordon-ca-XXXXXX", read[4096];
	static const char pem[] = "-----BEGIN CERTIFICATE-----\nx";
	struct ctl_settings settings;
	struct wire_egress_settings head;
	struct err err;
	int fd = -1;

	(void)state;
	ctl_settings_init(&settings);
	const int file = mkstemp(path);
	assert_true(file >= 0);
	assert_int_equal(
	    ctl_settings_ca(&settings, "/nonexistent/ca", &err), -ENOENT);
	assert_int_equal(ctl_settings_ca(&settings, path, &err), -EINVAL);
	assert_int_equal(write(file, pem, sizeof(pem) - 1), sizeof(pem) - 1);
	assert_int_equal(ctl_settings_ca(&settings, path, &err), 0);
	assert_int_equal(ctl_settings_ca(&settings, path, &err), 0);
	settings.records = "RECORDS";
	settings.records_len = 7;
	assert_int_equal(ctl_settings_seal(&settings, &fd), 0);
	assert_int_equal(pread(fd, &head, sizeof(head), 0), sizeof(head));
	assert_int_equal(head.magic, WIRE_EGRESS_MAGIC);
	assert_int_equal(head.ca_len, 2 * sizeof(pem)); /* with a newline */
	assert_int_equal(head.authority_len, 0);
	assert_int_equal(head.records_len, 7);
	const ssize_t n = pread(fd, read, sizeof(read), sizeof(head));
	assert_int_equal(n, head.ca_len + 7);
	assert_memory_equal(read, pem, sizeof(pem) - 1);
	assert_memory_equal(read + head.ca_len, "RECORDS", 7);
	assert_true(write(fd, "x", 1) < 0);
	close(fd);
	close(file);
	unlink(path);
	ctl_settings_fini(&settings);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_name_servers_as_the_c_library_does),
		cmocka_unit_test(says_what_it_leaves_out),
		cmocka_unit_test(takes_long_and_strange_lines_without_harm),
		cmocka_unit_test(takes_name_servers_with_their_ports),
		cmocka_unit_test(takes_prefixes_that_are_prefixes),
		cmocka_unit_test(seals_the_parts_one_after_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
