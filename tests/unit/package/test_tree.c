/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"
#include "package/tree.h"

static const struct tree_limits limits = { 1 << 20, 64 };

/* A folder of its own for each test. */
struct place {
	char path[64];
	int fd;
};

static int
place_make(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->path, "/tmp/cordon-tree-XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->fd >= 0);
	*state = place;
	return 0;
}

static int
place_remove(void **state)
{
	struct place *place = *state;

	close(place->fd);
	assert_int_equal(tree_remove(AT_FDCWD, place->path), 0);
	assert_int_equal(access(place->path, F_OK), -1);
	free(place);
	return 0;
}

static void
file_write(int fd, const char *name, const char *text, mode_t mode)
{
	auto_close int file =
	    openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(file >= 0);
	assert_int_equal(fd_write_all(file, text, strlen(text)), 0);
	assert_int_equal(fchmod(file, mode), 0);
}

static void
digest_make(int fd, char digest[PACKAGE_DIGEST_HEX], char **manifest)
{
	struct tree tree;
	struct err err = { "" };
	size_t len;

	if (tree_scan(fd, &limits, &tree, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(tree_hash(fd, &tree, &err), 0);
	assert_int_equal(tree_manifest(&tree, manifest, &len), 0);
	tree_digest(*manifest, len, digest);
	tree_fini(&tree);
}

static void
sample_make(int fd)
{
	assert_int_equal(mkdirat(fd, "b", 0755), 0);
	file_write(fd, "b/run", "#!/bin/sh\n", 0755);
	file_write(fd, "a", "abc", 0644);
	assert_int_equal(symlinkat("../a", fd, "b/link"), 0);
}

static void
writes_a_manifest_line_by_line(void **state)
{
	const struct place *place = *state;
	char digest[PACKAGE_DIGEST_HEX];
	auto_free char *manifest = NULL;

	sample_make(place->fd);
	digest_make(place->fd, digest, &manifest);
	/* The hashes are those of sha256sum(1). */
	assert_string_equal(manifest,
	    "cordon package tree 1\n"
	    "f\t3 "
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015"
	    "ad\ta\n"
	    "d\t-\tb\n"
	    "l\t../a\tb/link\n"
	    "x\t10 "
	    "a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305"
	    "abf\tb/run\n");
	assert_int_equal(strlen(digest), 64);
}

static void
gives_the_same_digest_whatever_the_times_and_modes(void **state)
{
	const struct place *place = *state;
	char before[PACKAGE_DIGEST_HEX], after[PACKAGE_DIGEST_HEX];
	auto_free char *one = NULL, *two = NULL;

	sample_make(place->fd);
	digest_make(place->fd, before, &one);
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	assert_int_equal(utimensat(place->fd, "a", times, 0), 0);
	assert_int_equal(fchmodat(place->fd, "a", 0400, 0), 0);
	digest_make(place->fd, after, &two);
	assert_string_equal(before, after);
}

static void
gives_another_digest_for_each_difference(void **state)
{
	const struct place *place = *state;
	char digests[6][PACKAGE_DIGEST_HEX];
	char *manifest;

	sample_make(place->fd);
	for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
		if (i == 1)
			file_write(place->fd, "a", "abd", 0644);
		if (i == 2)
			assert_int_equal(fchmodat(place->fd, "a", 0755, 0), 0);
		if (i == 3)
			assert_int_equal(
			    renameat(place->fd, "a", place->fd, "c"), 0);
		if (i == 4)
			assert_int_equal(mkdirat(place->fd, "empty", 0755), 0);
		if (i == 5) {
			assert_int_equal(unlinkat(place->fd, "b/link", 0), 0);
			assert_int_equal(
			    symlinkat("../c", place->fd, "b/link"), 0);
		}
		digest_make(place->fd, digests[i], &manifest);
		free(manifest);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(digests[i], digests[j]);
	}
}

static void
scan_refuses(int fd, const char *why)
{
	struct tree tree;
	struct err err = { "" };

	const int r = tree_scan(fd, &limits, &tree, &err);
	if (r >= 0 || strstr(err.text, why) == NULL)
		fail_msg("%d: %s (not: %s)", r, err.text, why);
}

static void
refuses_links_that_leave(void **state)
{
	static const char *const bad[] = { "/etc/passwd", "../../x",
		"a/../../x", "../b/../x", "./../../x",
		".."
		"/"
		".." };
	static const char *const good[] = { "a", "../a", "./a", "..//a",
		"./../b/c", "..", "a.." };
	const struct place *place = *state;
	struct tree tree;

	assert_int_equal(mkdirat(place->fd, "b", 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(symlinkat(bad[i], place->fd, "b/l"), 0);
		scan_refuses(place->fd, "b/l is a link that leaves");
		assert_int_equal(unlinkat(place->fd, "b/l", 0), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(symlinkat(good[i], place->fd, "b/l"), 0);
		assert_int_equal(tree_scan(place->fd, &limits, &tree, NULL), 0);
		tree_fini(&tree);
		assert_int_equal(unlinkat(place->fd, "b/l", 0), 0);
	}
}

static void
refuses_what_is_no_file_and_set_id_bits(void **state)
{
	const struct place *place = *state;
	auto_close int socket_fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	file_write(place->fd, "a", "", 04755);
	scan_refuses(place->fd, "a has a set-user-id");
	file_write(place->fd, "a", "", 02755);
	scan_refuses(place->fd, "a has a set-user-id");
	assert_int_equal(unlinkat(place->fd, "a", 0), 0);

	assert_int_equal(mkfifoat(place->fd, "pipe", 0644), 0);
	scan_refuses(place->fd, "pipe is neither");
	assert_int_equal(unlinkat(place->fd, "pipe", 0), 0);

	snprintf(
	    address.sun_path, sizeof(address.sun_path), "%s/sock", place->path);
	assert_int_equal(
	    bind(socket_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	scan_refuses(place->fd, "sock is neither");
}

static void
refuses_names_that_break_a_line(void **state)
{
	static const char *const names[] = { "a\nf\t0 x\tb", "a\tb", "\x1b[2J",
		"\xff" };
	const struct place *place = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		file_write(place->fd, names[i], "", 0644);
		scan_refuses(place->fd, "a file's name");
		assert_int_equal(unlinkat(place->fd, names[i], 0), 0);
	}
	assert_int_equal(symlinkat("a\nb", place->fd, "l"), 0);
	scan_refuses(place->fd, "a file's name");
}

static void
refuses_more_than_the_limits(void **state)
{
	const struct place *place = *state;
	char name[16];

	file_write(place->fd, "big", "", 0644);
	auto_close int big = openat(place->fd, "big", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(big, (2 << 20)), 0);
	file_write(place->fd, "more", "", 0644);
	scan_refuses(place->fd, "too big");
	assert_int_equal(ftruncate(big, 0), 0);
	for (size_t i = 0; i < 70; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		file_write(place->fd, name, "", 0644);
	}
	scan_refuses(place->fd, "too big");
}

static void
seals_what_it_saw(void **state)
{
	const struct place *place = *state;
	auto_free char *one = NULL, *two = NULL, *three = NULL;
	size_t one_len, two_len, three_len;
	struct tree tree;

	sample_make(place->fd);
	assert_int_equal(tree_scan(place->fd, &limits, &tree, NULL), 0);
	assert_int_equal(tree_seal(&tree, &one, &one_len), 0);
	tree_fini(&tree);
	assert_int_equal(tree_scan(place->fd, &limits, &tree, NULL), 0);
	assert_int_equal(tree_seal(&tree, &two, &two_len), 0);
	tree_fini(&tree);
	assert_int_equal(one_len, two_len);
	assert_memory_equal(one, two, one_len);

	/* The same size and the same time as before; the change itself tells. */
	struct stat status;
	assert_int_equal(fstatat(place->fd, "a", &status, 0), 0);
	file_write(place->fd, "a", "xyz", 0644);
	const struct timespec times[2] = { status.st_atim, status.st_mtim };
	assert_int_equal(utimensat(place->fd, "a", times, 0), 0);
	assert_int_equal(tree_scan(place->fd, &limits, &tree, NULL), 0);
	assert_int_equal(tree_seal(&tree, &three, &three_len), 0);
	tree_fini(&tree);
	assert_int_equal(one_len, three_len);
	assert_memory_not_equal(one, three, one_len);
}

static void
freezes_and_removes_what_is_frozen(void **state)
{
	const struct place *place = *state;
	struct tree tree;
	struct stat status;

	sample_make(place->fd);
	assert_int_equal(tree_scan(place->fd, &limits, &tree, NULL), 0);
	assert_int_equal(tree_freeze(place->fd, &tree, NULL), 0);
	tree_fini(&tree);
	assert_int_equal(fstatat(place->fd, "a", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0444);
	assert_int_equal(fstatat(place->fd, "b/run", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0555);
	assert_int_equal(fstatat(place->fd, "b", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0555);
}

static void
weighs_a_folder_that_grows(void **state)
{
	const struct place *place = *state;
	uint64_t bytes = 0;
	uint32_t entries = 0;

	tree_weigh(place->fd, &limits, &bytes, &entries);
	assert_int_equal(entries, 0);
	sample_make(place->fd);
	tree_weigh(place->fd, &limits, &bytes, &entries);
	assert_int_equal(entries, 4);
	assert_true(bytes >= 4096);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(writes_a_manifest_line_by_line),
		TEST(gives_the_same_digest_whatever_the_times_and_modes),
		TEST(gives_another_digest_for_each_difference),
		TEST(refuses_links_that_leave),
		TEST(refuses_what_is_no_file_and_set_id_bits),
		TEST(refuses_names_that_break_a_line),
		TEST(refuses_more_than_the_limits),
		TEST(seals_what_it_saw),
		TEST(freezes_and_removes_what_is_frozen),
		TEST(weighs_a_folder_that_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
