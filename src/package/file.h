/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Small files of a folder that strangers may have filled. */

#include <stddef.h>
#include <sys/stat.h>

#include "json/json.h"

struct file_json {
	char *text; /* owned */
	struct json_span value;
};

/* Opens a regular file below a folder, through no link. Negative errno. */
int file_open(int folder_fd, const char *path, int *fd);

/* Reads it; with a NUL behind its end. The caller frees. */
int file_read(
    int folder_fd, const char *path, size_t max, char **text, size_t *len);

/* The same, checked to be JSON: else -EBADMSG. The caller frees `text`. */
int file_json_read(
    int folder_fd, const char *path, size_t max, struct file_json *json);

/* A member of an object; the empty span. */
struct json_span file_json_member(struct json_span object, const char *name);

/* Makes a file, which must not be there. */
int file_make(int folder_fd, const char *path, const void *bytes, size_t len,
    mode_t mode);

/*
 * Joins a path to the folder it is relative to and takes "." and ".." away by
 * their letters. Negative: it leaves the root, is absolute, or too long.
 */
int
file_path_join(const char *folder, const char *path, char *joined, size_t size);
