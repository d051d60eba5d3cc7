/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <limits.h>

#include "base/err.h"

/*
 * Finds a file of the program by /proc/self/exe: in the same folder (a build
 * folder), else in ../libexec/cordon (installed). `name` may have a folder
 * ("js/build-tool.mjs"), which is left out where the file lies flat. -ENOENT,
 * and the sentence, when it is in neither place.
 */
int ctl_libexec_find(const char *name, char path[PATH_MAX], struct err *err);

/* A path that stands in a file counts from the folder that the file is in. */
void ctl_path_beside(const char *file, const char *path, char full[PATH_MAX]);
