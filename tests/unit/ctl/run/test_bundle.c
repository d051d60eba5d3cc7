/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/folder.h"

#include <errno.h>

#include "base/fd.h"
#include "base/pack.h"
#include "ctl/run/bundle.h"

static struct pack_file files[PACK_FILES_MAX];

/* The paths of a bundle, joined by spaces, in their order. */
static void
assert_paths(const struct ctl_bundle *bundle, const char *expected)
{
	auto_free uint8_t *bytes = NULL;
	char paths[1024] = "";
	uint32_t n_files;
	size_t len;

	assert_int_equal(
	    fd_read_all(bundle->fd, PACK_BYTES_MAX, &bytes, &len), 0);
	assert_int_equal(len, bundle->n_bytes);
	assert_int_equal(pack_parse(bytes, len, files, &n_files), 0);
	assert_int_equal(n_files, bundle->n_files);
	for (uint32_t i = 0; i < n_files; i++) {
		strncat(paths, files[i].path, files[i].path_len);
		strcat(paths, i + 1 < n_files ? " " : "");
	}
	assert_string_equal(paths, expected);
}

static void
takes_one_file_by_its_name(void **state)
{
	struct ctl_bundle bundle;
	struct err err;

	(void)state;
	assert_int_equal(mkdir("deep", 0700), 0);
	file_make("deep/tool.js", "run");
	assert_int_equal(ctl_bundle_read("deep/tool.js", &bundle, &err), 0);
	assert_false(bundle.is_folder);
	assert_paths(&bundle, "tool.js");
	close(bundle.fd);
}

static void
takes_a_folder_without_what_is_not_code(void **state)
{
	struct ctl_bundle bundle;
	struct err err;

	(void)state;
	assert_int_equal(mkdir("b", 0700), 0);
	assert_int_equal(mkdir("b/lib", 0700), 0);
	assert_int_equal(mkdir("b/node_modules", 0700), 0);
	assert_int_equal(mkdir("b/.git", 0700), 0);
	file_make("b/index.js", "i");
	file_make("b/lib/b.js", "b");
	file_make("b/lib/a.js", "a");
	file_make("b/types.d.ts", "t");
	file_make("b/.env", "SECRET=1");
	file_make("b/node_modules/x.js", "x");
	file_make("b/.git/config", "c");
	assert_int_equal(ctl_bundle_read("b", &bundle, &err), 0);
	assert_true(bundle.is_folder);
	assert_paths(&bundle, "index.js lib/a.js lib/b.js");
	close(bundle.fd);
}

static void
refuses_a_link_wherever_it_leads(void **state)
{
	static const char *const targets[] = { "/etc/passwd", "index.js",
		"../outside.js", "." };
	struct ctl_bundle bundle = { .fd = -1 };
	struct err err;

	(void)state;
	assert_int_equal(mkdir("b", 0700), 0);
	file_make("outside.js", "o");
	file_make("b/index.js", "i");
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		assert_int_equal(symlink(targets[i], "b/link.js"), 0);
		assert_int_not_equal(ctl_bundle_read("b", &bundle, &err), 0);
		assert_non_null(
		    strstr(err.text, "b/link.js is a symbolic link"));
		assert_int_equal(bundle.fd, -1);
		assert_int_equal(unlink("b/link.js"), 0);
	}
	assert_int_equal(ctl_bundle_read("b", &bundle, &err), 0);
	close(bundle.fd);
}

static void
does_not_wait_for_a_pipe(void **state)
{
	struct ctl_bundle bundle;
	struct err err;

	(void)state;
	assert_int_equal(mkdir("b", 0700), 0);
	assert_int_equal(mkfifo("b/pipe.js", 0600), 0);
	assert_int_not_equal(ctl_bundle_read("b", &bundle, &err), 0);
	assert_non_null(strstr(err.text, "no regular file"));
	assert_int_not_equal(ctl_bundle_read("b/pipe.js", &bundle, &err), 0);
}

static void
says_what_is_too_much_or_not_there(void **state)
{
	struct ctl_bundle bundle;
	struct err err;

	(void)state;
	assert_int_equal(ctl_bundle_read("no.js", &bundle, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no.js"));
	assert_int_equal(mkdir("empty", 0700), 0);
	assert_int_not_equal(ctl_bundle_read("empty", &bundle, &err), 0);
	file_make("big.js", "");
	assert_int_equal(truncate("big.js", PACK_BYTES_MAX + 1), 0);
	assert_int_equal(
	    ctl_bundle_read("big.js", &bundle, &err), PACK_E_TOO_BIG);
	assert_non_null(strstr(err.text, "32 MiB"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(takes_one_file_by_its_name),
		folder_test(takes_a_folder_without_what_is_not_code),
		folder_test(refuses_a_link_wherever_it_leads),
		folder_test(does_not_wait_for_a_pipe),
		folder_test(says_what_is_too_much_or_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
