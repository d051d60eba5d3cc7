/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "egress/doors/connect.h"

static struct connect connect_;
static struct err why;

static enum connect_verdict
read_of(const char *text)
{
	return connect_read(
	    (const uint8_t *)text, strlen(text), &connect_, &why);
}

static void
reads_a_head_and_no_further(void **state)
{
	static const char text[] = "CONNECT Api.acme.net:443 HTTP/1.1\r\n"
				   "Host: api.acme.net:443\r\n"
				   "User-Agent: curl/7\r\n"
				   "Proxy-Connection: Keep-Alive\r\n\r\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(
		    connect_read((const uint8_t *)text, len, &connect_, &why),
		    CONNECT_MORE);
	assert_int_equal(read_of(text), CONNECT_DONE);
	assert_string_equal(connect_.host.text, "api.acme.net");
	assert_int_equal(connect_.port, 443);
	assert_int_equal(connect_.len, sizeof(text) - 1);
	assert_int_equal(read_of("CONNECT [2606:2800::1]:8443 HTTP/1.0\r\n\r\n"
				 "rest"),
	    CONNECT_DONE);
	assert_true(connect_.host.is_ip);
	assert_int_equal(connect_.port, 8443);
	assert_int_equal(connect_.len, 40);
}

static void
leaves_other_methods_alone(void **state)
{
	(void)state;
	assert_int_equal(
	    read_of("GET http://a.net/ HTTP/1.1\r\n"), CONNECT_OTHER);
	assert_int_equal(read_of("CONNECTX"), CONNECT_OTHER);
	assert_int_equal(read_of("C"), CONNECT_MORE);
	assert_int_equal(read_of("COPY"), CONNECT_OTHER);
}

static void
refuses_what_is_read_two_ways(void **state)
{
	static const char *const bad[] = {
		"CONNECT a.net HTTP/1.1\r\n\r\n",
		"CONNECT a.net: HTTP/1.1\r\n\r\n",
		"CONNECT a.net:0 HTTP/1.1\r\n\r\n",
		"CONNECT a.net:0443 HTTP/1.1\r\n\r\n",
		"CONNECT a.net:65536 HTTP/1.1\r\n\r\n",
		"CONNECT a.net:443x HTTP/1.1\r\n\r\n",
		"CONNECT a.net:443:443 HTTP/1.1\r\n\r\n",
		"CONNECT user@a.net:443 HTTP/1.1\r\n\r\n",
		"CONNECT http://a.net:443 HTTP/1.1\r\n\r\n",
		"CONNECT a.net.:443 HTTP/1.1\r\n\r\n",
		"CONNECT 127.1:443 HTTP/1.1\r\n\r\n",
		"CONNECT [::1%lo]:443 HTTP/1.1\r\n\r\n",
		"CONNECT ::1:443 HTTP/1.1\r\n\r\n",
		"CONNECT  a.net:443 HTTP/1.1\r\n\r\n",
		"CONNECT a.net:443  HTTP/1.1\r\n\r\n",
		"CONNECT a.net:443\r\n\r\n",
		"CONNECT a.net:443 HTTP/2.0\r\n\r\n",
		"CONNECT a.net:443 HTTP/1.1\nHost: a.net:443\r\n\r\n",
		"CONNECT a.net:443 HTTP/1.1\r\nHost: b.net:443\r\n\r\n",
		"CONNECT a.net:443 HTTP/1.1\r\nHost: a.net:80\r\n\r\n",
		"CONNECT a.net:443 HTTP/1.1\r\nHost: a.net:443\r\n"
		"Host: a.net:443\r\n\r\n",
		"CONNECT a.net:443 HTTP/1.1\r\nHost : a.net:443\r\n\r\n",
		"CONNECT a.net:443 HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
		"CONNECT a.net:443 HTTP/1.1\r\nA b\r\n\r\n",
		"CONNECT a.net:443 HTTP/1.1\r\n: b\r\n\r\n",
		"CONNECT a.net:443 HTTP/1.1\r\nA: \x01\r\n\r\n",
		"CONNECT a.net:443 HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
		"CONNECT a.net:443 HTTP/1.1\r\n"
		"Transfer-Encoding: chunked\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		why.text[0] = '\0';
		if (read_of(bad[i]) != CONNECT_BAD)
			fail_msg("took %s", bad[i]);
		assert_true(why.text[0] != '\0');
	}
	static const char nul[] = "CONNECT a\0.net:443 HTTP/1.1\r\n\r\n";
	assert_int_equal(connect_read((const uint8_t *)nul, sizeof(nul) - 1,
			     &connect_, &why),
	    CONNECT_BAD);
}

static void
a_head_has_an_end(void **state)
{
	auto_free char *text = malloc(CONNECT_HEAD_MAX + 1);

	(void)state;
	assert_non_null(text);
	memset(text, 'a', CONNECT_HEAD_MAX);
	memcpy(text, "CONNECT ", 8);
	assert_int_equal(connect_read((const uint8_t *)text,
			     CONNECT_HEAD_MAX - 1, &connect_, &why),
	    CONNECT_MORE);
	assert_int_equal(connect_read((const uint8_t *)text, CONNECT_HEAD_MAX,
			     &connect_, &why),
	    CONNECT_BAD);
}

static void
reads_authorities(void **state)
{
	struct addr_host_name host;
	uint16_t port;

	(void)state;
	assert_int_equal(
	    connect_authority_read("a.net", 5, 80, &host, &port, NULL), 0);
	assert_int_equal(port, 80);
	assert_int_equal(
	    connect_authority_read("a.net:81", 8, 80, &host, &port, NULL), 0);
	assert_int_equal(port, 81);
	assert_int_equal(
	    connect_authority_read("[2606::1]", 9, 80, &host, &port, NULL), 0);
	assert_int_equal(port, 80);
	assert_true(
	    connect_authority_read("a.net", 5, 0, &host, &port, NULL) < 0);
	assert_true(connect_authority_read("", 0, 80, &host, &port, NULL) < 0);
	assert_true(
	    connect_authority_read("a.net,b", 7, 80, &host, &port, NULL) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_head_and_no_further),
		cmocka_unit_test(leaves_other_methods_alone),
		cmocka_unit_test(refuses_what_is_read_two_ways),
		cmocka_unit_test(a_head_has_an_end),
		cmocka_unit_test(reads_authorities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
