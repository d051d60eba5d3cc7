/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/utf8.h"

static int
memfd_with(size_t len)
{
	auto_free uint8_t *bytes = malloc(len + 1);
	int fd = -1;

	memset(bytes, 'x', len + 1);
	assert_int_equal(fd_memfd_seal("test", bytes, len, &fd), 0);
	return fd;
}

static void
reads_to_the_end_and_adds_a_nul(void **state)
{
	static const size_t sizes[] = { 0, 1, 65535, 65536, 200000 };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		auto_close int fd = memfd_with(sizes[i]);
		auto_free uint8_t *bytes = NULL;
		size_t len = 77;

		assert_int_equal(fd_read_all(fd, 200000, &bytes, &len), 0);
		assert_int_equal(len, sizes[i]);
		assert_int_equal(bytes[len], 0);
	}
}

static void
refuses_one_byte_too_many(void **state)
{
	uint8_t *bytes = NULL;
	size_t len = 77;
	(void)state;

	for (size_t max = 0; max < 70000; max += 65536) {
		auto_close int fd = memfd_with(max + 1);
		assert_int_equal(fd_read_all(fd, max, &bytes, &len), -EFBIG);
		assert_null(bytes);
		assert_int_equal(len, 77);
	}
}

static void
clears_close_on_exec_and_nothing_else(void **state)
{
	auto_close int fd = memfd_with(1);
	(void)state;

	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fd_inherit(fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(fd_inherit(-1), -EBADF);
}

static void
knows_utf8_from_its_lookalikes(void **state)
{
	static const char *const good[] = { "", "a", "ä", "€", "😀",
		"\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = { "\x80", "\xc0\xaf", "\xe0\x80\xaf",
		"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
		"\xe2\x82", "a\xff" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(
		    utf8_is_valid((const uint8_t *)good[i], strlen(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(
		    utf8_is_valid((const uint8_t *)bad[i], strlen(bad[i])));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_to_the_end_and_adds_a_nul),
		cmocka_unit_test(refuses_one_byte_too_many),
		cmocka_unit_test(clears_close_on_exec_and_nothing_else),
		cmocka_unit_test(knows_utf8_from_its_lookalikes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
