/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/serve/watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "ctl/run/bundle.h"

#define DEPTH_MAX 32
#define WATCHED                                                                \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE)

static bool
is_folder(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int
folder_watch(int fd, const char *path, int depth)
{
	struct dirent **names = NULL;
	int r = 0;

	if (inotify_add_watch(fd, path, WATCHED | IN_ONLYDIR) < 0)
		return -errno;

	const int n = depth < DEPTH_MAX ? scandir(path, &names, NULL, NULL) : 0;
	for (int i = 0; i < n; i++) {
		char below[PATH_MAX];
		const int len = snprintf(
		    below, sizeof(below), "%s/%s", path, names[i]->d_name);

		if (r == 0 && len < PATH_MAX &&
		    ctl_bundle_wants(names[i]->d_name) && is_folder(below))
			r = folder_watch(fd, below, depth + 1);
		free(names[i]);
	}
	free(names);
	return r;
}

static int
file_watch(int fd, const char *path)
{
	auto_free char *folder = strdup(path);

	if (folder == NULL)
		return -ENOMEM;

	char *slash = strrchr(folder, '/');
	if (slash != NULL)
		slash[slash == folder ? 1 : 0] = '\0';
	if (inotify_add_watch(fd, slash != NULL ? folder : ".", WATCHED) < 0)
		return -errno;
	return 0;
}

int
ctl_watch_new(const char *path, int *fd, struct err *err)
{
	auto_close int watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch_fd < 0)
		return err_set(err, -errno, "no inotify: %s", strerror(errno));

	const int r = is_folder(path) ? folder_watch(watch_fd, path, 0)
				      : file_watch(watch_fd, path);
	if (r < 0)
		return err_set(
		    err, r, "%s cannot be watched: %s", path, strerror(-r));

	*fd = fd_steal(&watch_fd);
	return 0;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

int
ctl_watch_read(int fd, const char *path)
{
	_Alignas(struct inotify_event) char buffer[16384];
	const bool folder = is_folder(path);
	int changed = 0;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + n;) {
			const struct inotify_event *event = (void *)at;
			const char *name = event->len > 0 ? event->name : "";

			changed |= folder ? ctl_bundle_wants(name)
					  : strcmp(name, base_name(path)) == 0;
			at += sizeof(*event) + event->len;
		}
	}
	return n < 0 && errno != EAGAIN && errno != EINTR ? -errno : changed;
}
