/* SPDX-License-Identifier: Apache-2.0 */
#include "package/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"

int
file_open(int folder_fd, const char *path, int *fd)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    RESOLVE_NO_MAGICLINKS,
	};
	struct stat status;

	const long opened =
	    syscall(SYS_openat2, folder_fd, path, &how, sizeof(how));
	if (opened < 0)
		return -errno;
	auto_close int file_fd = (int)opened;
	if (fstat(file_fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EISDIR;
	*fd = fd_steal(&file_fd);
	return 0;
}

int
file_read(int folder_fd, const char *path, size_t max, char **text, size_t *len)
{
	auto_close int fd = -1;

	const int r = file_open(folder_fd, path, &fd);
	return r < 0 ? r : fd_read_all(fd, max, (uint8_t **)text, len);
}

int
file_json_read(
    int folder_fd, const char *path, size_t max, struct file_json *json)
{
	auto_free char *text = NULL;
	struct json_span value;
	size_t len;

	const int r = file_read(folder_fd, path, max, &text, &len);
	if (r < 0)
		return r;
	if (json_check(text, len, &value, NULL) != 0)
		return -EBADMSG;
	*json = (struct file_json){ .text = steal_ptr(&text), .value = value };
	return 0;
}

struct json_span
file_json_member(struct json_span object, const char *name)
{
	struct json_want want = { .name = name };

	if (json_members_find(object, &want, 1) != 0)
		return (struct json_span){ 0 };
	return want.value;
}

int
file_make(
    int folder_fd, const char *path, const void *bytes, size_t len, mode_t mode)
{
	auto_close int fd = openat(folder_fd, path,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	return fd < 0 ? -errno : fd_write_all(fd, bytes, len);
}

/* Takes the last part of a path away; false: there is none. */
static bool
part_drop(char *joined, size_t *len)
{
	if (*len == 0)
		return false;
	while (*len > 0 && joined[*len - 1] != '/')
		--*len;
	if (*len > 0)
		--*len;
	return true;
}

static int
parts_add(const char *path, char *joined, size_t size, size_t *len)
{
	while (*path != '\0') {
		const size_t part = strcspn(path, "/");
		const bool is_up = part == 2 && memcmp(path, "..", 2) == 0;
		const bool is_here = part == 0 || (part == 1 && *path == '.');

		if (is_up && !part_drop(joined, len))
			return -EXDEV;
		if (!is_up && !is_here) {
			if (*len + part + 2 > size)
				return -ENAMETOOLONG;
			if (*len > 0)
				joined[(*len)++] = '/';
			memcpy(joined + *len, path, part);
			*len += part;
		}
		path += part + (path[part] == '/');
	}
	return 0;
}

int
file_path_join(const char *folder, const char *path, char *joined, size_t size)
{
	size_t len = 0;

	if (path[0] == '/')
		return -EXDEV;
	int r = parts_add(folder, joined, size, &len);
	if (r == 0)
		r = parts_add(path, joined, size, &len);
	joined[r == 0 ? len : 0] = '\0';
	return r;
}
