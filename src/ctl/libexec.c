/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/libexec.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"

static int
self_folder(char folder[PATH_MAX])
{
	const ssize_t n = readlink("/proc/self/exe", folder, PATH_MAX - 1);

	if (n < 0)
		return -errno;
	folder[n] = '\0';
	*strrchr(folder, '/') = '\0';
	return 0;
}

static bool
try(char path[PATH_MAX], const char *folder, const char *place,
    const char *name)
{
	const int n = snprintf(path, PATH_MAX, "%s%s/%s", folder, place, name);

	return n < PATH_MAX && access(path, R_OK) == 0;
}

int
ctl_libexec_find(const char *name, char path[PATH_MAX], struct err *err)
{
	static const char *const places[] = { "", "/../libexec/cordon" };
	const char *slash = strrchr(name, '/');
	char folder[PATH_MAX];

	const int r = self_folder(folder);
	if (r < 0)
		return err_set(
		    err, r, "cannot read /proc/self/exe: %s", strerror(-r));

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (try(path, folder, places[i], name))
			return 0;
		if (slash != NULL && try(path, folder, places[i], slash + 1))
			return 0;
	}
	return err_set(err, -ENOENT,
	    "%s is missing: it belongs beside %s/cordon or in %s/../libexec/"
	    "cordon; build or install the program again",
	    name, folder, folder);
}

void
ctl_path_beside(const char *file, const char *path, char full[PATH_MAX])
{
	const char *slash = strrchr(file, '/');
	const int folder =
	    slash != NULL && path[0] != '/' ? (int)(slash - file) + 1 : 0;

	/* What does not fit is a path that is not there. */
	if (snprintf(full, PATH_MAX, "%.*s%s", folder, file, path) >= PATH_MAX)
		full[0] = '\0';
}
