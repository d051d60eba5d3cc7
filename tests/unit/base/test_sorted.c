/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>

#include "base/sorted.h"

static int
compare(const void *key, const void *item)
{
	const int a = *(const int *)key, b = *(const int *)item;

	return (a > b) - (a < b);
}

static void
keeps_an_order(void **state)
{
	static int numbers[1000];
	struct sorted set = { .compare = compare };
	bool found;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int *number = &numbers[i];
		*number = i * 7919 % 1000;
		assert_int_equal(sorted_add(&set, number, number), 0);
		assert_int_equal(sorted_add(&set, number, number), -EEXIST);
	}
	assert_int_equal(set.n, 1000);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(*(int *)set.items[i], i);
		assert_ptr_equal(sorted_find(&set, &i), set.items[i]);
	}
	const int beyond = 5000;
	assert_null(sorted_find(&set, &beyond));
	assert_int_equal(sorted_place(&set, &beyond, &found), 1000);
	assert_false(found);
	sorted_fini(&set);
}

static void
gives_items_back(void **state)
{
	int numbers[] = { 3, 1, 2 };
	const int two = 2;
	struct sorted set = { .compare = compare };
	bool found;

	(void)state;
	assert_null(sorted_find(&set, &two));
	assert_null(sorted_remove(&set, &two));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		sorted_add(&set, &numbers[i], &numbers[i]);
	assert_ptr_equal(sorted_remove(&set, &two), &numbers[2]);
	assert_null(sorted_remove(&set, &two));
	assert_int_equal(set.n, 2);
	assert_int_equal(sorted_place(&set, &two, &found), 1);
	assert_false(found);
	sorted_fini(&set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_an_order),
		cmocka_unit_test(gives_items_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
