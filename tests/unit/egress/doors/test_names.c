/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "box/spec.h"
#include "egress/doors/names.h"

static void
a_name_keeps_its_address(void **state)
{
	struct names *names;
	uint32_t a, b, again;

	(void)state;
	assert_int_equal(names_new(&names), 0);
	assert_int_equal(names_take(names, "b.acme.net", &a), 0);
	assert_int_equal(names_take(names, "a.acme.net", &b), 0);
	assert_int_equal(names_take(names, "b.acme.net", &again), 0);
	assert_int_equal(a, BOX_NET_FIRST);
	assert_int_equal(b, BOX_NET_FIRST + 1);
	assert_int_equal(again, a);
	assert_string_equal(names_find(names, a), "b.acme.net");
	assert_string_equal(names_find(names, b), "a.acme.net");
	names_free(names);
	assert_null(names_free(NULL));
}

static void
an_address_that_was_not_given_means_nothing(void **state)
{
	static const uint32_t nobodys[] = { BOX_NET, BOX_NET_SELF,
		BOX_NET_FIRST - 1, BOX_NET_FIRST + 1, BOX_NET_FIRST + NAMES_MAX,
		0, UINT32_MAX };
	struct names *names;
	uint32_t address;

	(void)state;
	assert_int_equal(names_new(&names), 0);
	assert_null(names_find(names, BOX_NET_FIRST));
	assert_int_equal(names_take(names, "a.net", &address), 0);
	for (size_t i = 0; i < ARRAY_LEN(nobodys); i++)
		assert_null(names_find(names, nobodys[i]));
	names_free(names);
}

static void
there_is_an_end_to_names(void **state)
{
	struct names *names;
	uint32_t address;
	char host[32];

	(void)state;
	assert_int_equal(names_new(&names), 0);
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		snprintf(host, sizeof(host), "n%u.acme.net", i);
		assert_int_equal(names_take(names, host, &address), 0);
		assert_int_equal(address, BOX_NET_FIRST + i);
	}
	assert_int_equal(
	    names_take(names, "more.acme.net", &address), NAMES_E_FULL);
	assert_int_equal(names_take(names, "n17.acme.net", &address), 0);
	assert_int_equal(address, BOX_NET_FIRST + 17);
	assert_string_equal(
	    names_find(names, BOX_NET_FIRST + NAMES_MAX - 1), host);
	names_free(names);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_keeps_its_address),
		cmocka_unit_test(an_address_that_was_not_given_means_nothing),
		cmocka_unit_test(there_is_an_end_to_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
