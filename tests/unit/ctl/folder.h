/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A folder of one test, made and removed with it. */

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#include "test.h"

static char folder[PATH_MAX];

static int
folder_setup(void **state)
{
	const char *parent = getenv("TMPDIR");

	(void)state;
	snprintf(folder, sizeof(folder), "%s/cordon-test.XXXXXX",
	    parent != NULL ? parent : "/tmp");
	return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int
entry_remove(
    const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static int
folder_teardown(void **state)
{
	(void)state;
	return chdir("/") < 0 ||
	    nftw(folder, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void
file_make(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

#define folder_test(test)                                                      \
	cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)
