/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/pack.h"

static struct pack_file files[PACK_FILES_MAX];

static void
a_pack_reads_back_as_it_was_written(void **state)
{
	struct pack_writer writer;
	uint32_t n_files = 0;
	(void)state;

	assert_int_equal(pack_writer_init(&writer), 0);
	assert_int_equal(pack_writer_add(&writer, "index.js", "abc", 3), 0);
	assert_int_equal(pack_writer_add(&writer, "lib/ä.js", "", 0), 0);
	assert_int_equal(
	    pack_parse(writer.bytes, writer.len, files, &n_files), 0);
	assert_int_equal(n_files, 2);
	assert_int_equal(files[0].path_len, 8);
	assert_memory_equal(files[0].path, "index.js", 8);
	assert_memory_equal(files[0].data, "abc", 3);
	assert_int_equal(files[1].path_len, strlen("lib/ä.js"));
	assert_int_equal(files[1].data_len, 0);
	pack_writer_fini(&writer);
}

static void
refuses_paths_that_leave_or_lie(void **state)
{
	static const char *const bad[] = { "", "/a", "a/", "a//b", ".", "..",
		"./a", "../a", "a/../b", "a/..", "a/.", "\xff.js",
		"a\xc0\xaf" };
	struct pack_writer writer;
	(void)state;

	assert_int_equal(pack_writer_init(&writer), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
		    pack_writer_add(&writer, bad[i], "x", 1), PACK_E_FORMAT);
	assert_int_equal(writer.n_files, 0);
	assert_int_equal(pack_writer_add(&writer, "...", "x", 1), 0);
	assert_int_equal(pack_writer_add(&writer, "..a/b..", "x", 1), 0);
	pack_writer_fini(&writer);
}

static void
refuses_the_same_path_twice(void **state)
{
	struct pack_writer writer;
	uint32_t n_files = 77;
	(void)state;

	assert_int_equal(pack_writer_init(&writer), 0);
	assert_int_equal(pack_writer_add(&writer, "a", "x", 1), 0);
	assert_int_equal(pack_writer_add(&writer, "b", "x", 1), 0);
	assert_int_equal(pack_writer_add(&writer, "a", "y", 1), PACK_E_FORMAT);
	assert_int_equal(writer.n_files, 2);

	/* A reader trusts no writer: turn the second path into the first. */
	writer.bytes[8 + 10 + 8] = 'a';
	assert_int_equal(pack_parse(writer.bytes, writer.len, files, &n_files),
	    PACK_E_FORMAT);
	assert_int_equal(n_files, 77);
	pack_writer_fini(&writer);
}

static void
refuses_every_cut_and_every_tail(void **state)
{
	struct pack_writer writer;
	uint32_t n_files;
	(void)state;

	assert_int_equal(pack_writer_init(&writer), 0);
	assert_int_equal(pack_writer_add(&writer, "index.js", "abc", 3), 0);
	for (size_t len = 0; len < writer.len; len++)
		assert_int_equal(pack_parse(writer.bytes, len, files, &n_files),
		    PACK_E_FORMAT);

	auto_free uint8_t *longer = calloc(1, writer.len + 1);
	memcpy(longer, writer.bytes, writer.len);
	assert_int_equal(
	    pack_parse(longer, writer.len + 1, files, &n_files), PACK_E_FORMAT);
	pack_writer_fini(&writer);
}

static void
refuses_claims_beyond_the_maxima(void **state)
{
	static const uint8_t many[] = { 'C', 'P', 'K', '1', 1, 16, 0, 0 };
	static const uint8_t long_path[] = { 'C', 'P', 'K', '1', 1, 0, 0, 0, 1,
		4, 0, 0, 0, 0, 0, 0 };
	static const uint8_t wrap[] = { 'C', 'P', 'K', '1', 1, 0, 0, 0, 1, 0, 0,
		0, 0xff, 0xff, 0xff, 0xff, 'a' };
	uint32_t n_files;
	(void)state;

	assert_int_equal(
	    pack_parse(many, sizeof(many), files, &n_files), PACK_E_TOO_BIG);
	assert_int_equal(
	    pack_parse(long_path, sizeof(long_path), files, &n_files),
	    PACK_E_TOO_BIG);
	assert_int_equal(
	    pack_parse(wrap, sizeof(wrap), files, &n_files), PACK_E_FORMAT);
}

static void
stops_at_the_maxima_when_writing(void **state)
{
	char path[PACK_PATH_MAX + 2];
	struct pack_writer writer;
	(void)state;

	memset(path, 'p', sizeof(path) - 1);
	path[PACK_PATH_MAX + 1] = '\0';
	assert_int_equal(pack_writer_init(&writer), 0);
	assert_int_equal(pack_writer_add(&writer, path, "", 0), PACK_E_TOO_BIG);

	auto_free uint8_t *big = calloc(1, PACK_BYTES_MAX);
	assert_int_equal(
	    pack_writer_add(&writer, "a", big, PACK_BYTES_MAX), PACK_E_TOO_BIG);
	assert_int_equal(
	    pack_writer_add(&writer, "a", big, PACK_BYTES_MAX - 17), 0);
	assert_int_equal(writer.len, PACK_BYTES_MAX);
	assert_int_equal(pack_writer_add(&writer, "b", "", 0), PACK_E_TOO_BIG);
	pack_writer_fini(&writer);
}

static void
takes_the_greatest_number_of_files(void **state)
{
	struct pack_writer writer;
	uint32_t n_files = 0;
	char path[16];
	(void)state;

	assert_int_equal(pack_writer_init(&writer), 0);
	for (unsigned int i = 0; i < PACK_FILES_MAX; i++) {
		snprintf(path, sizeof(path), "%u.js", i);
		assert_int_equal(pack_writer_add(&writer, path, path, 2), 0);
	}
	assert_int_equal(
	    pack_writer_add(&writer, "one-more", "", 0), PACK_E_TOO_BIG);
	assert_int_equal(
	    pack_parse(writer.bytes, writer.len, files, &n_files), 0);
	assert_int_equal(n_files, PACK_FILES_MAX);
	pack_writer_fini(&writer);
}

static void
a_sealed_pack_cannot_change(void **state)
{
	struct pack_writer writer;
	auto_close int fd = -1;
	auto_free uint8_t *bytes = NULL;
	size_t len = 0;
	(void)state;

	assert_int_equal(pack_writer_init(&writer), 0);
	assert_int_equal(pack_writer_add(&writer, "index.js", "abc", 3), 0);
	assert_int_equal(pack_writer_seal(&writer, &fd), 0);
	assert_int_equal(fcntl(fd, F_GET_SEALS),
	    F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_ptr_equal(
	    mmap(NULL, 1, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);

	assert_int_equal(fd_read_all(fd, PACK_BYTES_MAX, &bytes, &len), 0);
	assert_int_equal(len, writer.len);
	assert_memory_equal(bytes, writer.bytes, len);
	pack_writer_fini(&writer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pack_reads_back_as_it_was_written),
		cmocka_unit_test(refuses_paths_that_leave_or_lie),
		cmocka_unit_test(refuses_the_same_path_twice),
		cmocka_unit_test(refuses_every_cut_and_every_tail),
		cmocka_unit_test(refuses_claims_beyond_the_maxima),
		cmocka_unit_test(stops_at_the_maxima_when_writing),
		cmocka_unit_test(takes_the_greatest_number_of_files),
		cmocka_unit_test(a_sealed_pack_cannot_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
