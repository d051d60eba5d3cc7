/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "addr/path.h"

static void
knows_what_servers_may_read_in_two_ways(void **state)
{
	static const char *const odd[] = { "", "v1", "//", "/v1//x", "/v1//",
		"//v1", "/..", "/v1/..", "/v1/../x", "/v1/.", "/v1/./x",
		"/v1/%2e%2e/x", "/v1/%2e%2e%2fx", "/v1/..%2fx", "/v1%2f..%2fx",
		"/v1/..%5cx", "/v1/%5c", "/v1\\x", "/v1/%252e%252e/x",
		"/v1/%25%32%65%252e/x", "/v1/%252e%252e%252fx",
		"/v1/%25252e%25252e/x", "/v1/%2525252525252e", "/v1/..%252fx",
		"/v1/..%255cx", "/v1/..;/x", "/v1/..;a=b/x", "/v1/;/../x",
		"/v1/..%3b/x", "/v1/..%253b/x", "/v1/..%3fx", "/v1/..%23x",
		"/v1/..%00/x", "/v1/%00", "/v1/x%00.json",
		"/v1/%0d%0aHost:%20x", "/v1/%7f", "/v1/..%20/x", "/v1/%20../x",
		"/v1/.%20./x", "/v1/.../x", "/v1/...", "/v1/%2f/x", "/v1/%2fx",
		"/v1%2f%2fx", "/v1/%c0%ae%c0%ae/x", "/v1/..%c0%afx",
		"/v1/%e0%80%ae%e0%80%ae/", "/v1/%f0%80%80%ae/", "/v1/%ff",
		"/v1/%e9", "/v1/%ef%bc%8e%ef%bc%8e/x", "/v1/..%ef%bc%8fx",
		"/v1/%e2%80%a5/x", "/v1/%e2%80%a4%e2%80%a4/x",
		"/v1/..%e2%88%95x", "/v1/..%ef%bc%bcx" };
	static const char *const plain[] = { "/", "/v1", "/v1/", "/v1/x",
		"/v1/x.json", "/v1/.well-known", "/v1/a..b", "/v1/..a",
		"/v1/a%20b", "/v1/group%2Fproject", "/v1/group%2fproject/x",
		"/v1/%41", "/v1/100%25", "/v1/a%3Bb", "/v1/a;b=c/d",
		"/v1/%C3%BC", "/v1/%e4%bd%a0%e5%a5%bd", "/v1/@scope%2fname",
		"/v1/a%3fb", "/v1/a%252520b", "/v1/~user/x+y,z=1",
		"/v1/%e2%80%a6" };
	struct path_read read;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		path_read(odd[i], strlen(odd[i]), &read);
		if (read.is_plain)
			fail_msg("%s is not plain", odd[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		path_read(plain[i], strlen(plain[i]), &read);
		if (!read.is_plain)
			fail_msg("%s is plain", plain[i]);
	}
}

static void
decodes_until_nothing_is_left(void **state)
{
	struct path_read read;
	(void)state;

	path_read("/%2561%41b", 10, &read);
	assert_true(read.is_plain);
	assert_int_equal(read.len, 4);
	assert_memory_equal(read.decoded, "/aAb", 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_what_servers_may_read_in_two_ways),
		cmocka_unit_test(decodes_until_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
