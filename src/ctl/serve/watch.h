/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Waiting for a change of a file or a folder, by inotify.
 */

#include "base/err.h"

/*
 * Watches a file (by its folder, since editors rename) or a folder with what a
 * bundle takes of it. The caller owns *fd; readable: something has changed.
 */
int ctl_watch_new(const char *path, int *fd, struct err *err);

/*
 * Reads what has happened. Returns 1 when a file of the bundle was among it,
 * 0 when not, negative errno.
 */
int ctl_watch_read(int fd, const char *path);
