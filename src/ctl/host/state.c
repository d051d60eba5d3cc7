/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/host/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "base/auto.h"
#include "wire/plan.h"

#define BACKLOG 128
#define ENDING_ROUNDS 400u /* of 50 ms: more than a host takes to drain */

int
ctl_packages_path(char path[PATH_MAX], struct err *err)
{
	char folder[PATH_MAX], real[PATH_MAX];

	const int r = ctl_state_path("", folder, err);
	if (r < 0)
		return r;
	if (realpath(folder, real) == NULL)
		return err_set(err, -errno, "%s: %s", folder, strerror(errno));
	if (snprintf(path, PATH_MAX, "%s/packages", real) >= WIRE_PATH_MAX)
		return err_set(
		    err, -ENAMETOOLONG, "%s: too long a path", folder);
	return 0;
}

/* Whether the host that holds the lock is on its way out: its supervisor still
 * drains, but the `cordon serve` that wrote its number here has ended. */
static bool
is_ending(int lock_fd)
{
	char text[16] = "";
	const ssize_t n = pread(lock_fd, text, sizeof(text) - 1, 0);
	const long pid = n > 0 ? strtol(text, NULL, 10) : 0;

	return pid > 1 && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static int
lock_wait(int lock_fd)
{
	static const struct timespec pause = { 0, 50000000 };

	for (unsigned i = 0; i < ENDING_ROUNDS; i++) {
		if (flock(lock_fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return -errno;
		if (!is_ending(lock_fd))
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

static int
lock_take(struct ctl_state *state, struct err *err)
{
	char path[PATH_MAX];

	int r = ctl_state_path("lock", path, err);
	if (r == 0)
		r = ctl_folders_make(path, err);
	if (r < 0)
		return r;

	state->lock_fd =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, (mode_t)0600);
	if (state->lock_fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	r = lock_wait(state->lock_fd);
	if (r == 0 && ftruncate(state->lock_fd, 0) == 0 &&
	    dprintf(state->lock_fd, "%d\n", getpid()) > 0)
		return 0;
	if (r != -EBUSY)
		return err_set(
		    err, -EIO, "%s: %s", path, strerror(r < 0 ? -r : errno));
	*strrchr(path, '/') = '\0';
	return err_set(err, -EBUSY,
	    "a host is running with the state in %s already; end it, or set "
	    "CORDON_STATE to another folder",
	    path);
}

/* The store of a host started by root is a user of its own: it gets the folder
 * as a descriptor, and needs no way to it. */
static int
store_open(struct ctl_state *state, struct err *err)
{
	char path[PATH_MAX];
	struct stat status;

	const int r = ctl_state_path("store", path, err);
	if (r < 0)
		return r;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "%s cannot be made: %s", path,
		    strerror(errno));
	state->store_fd =
	    open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (state->store_fd < 0 || fstat(state->store_fd, &status) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if ((status.st_mode & 077) != 0)
		return err_set(err, -EPERM,
		    "%s can be read by others: chmod 700 it", path);
	return 0;
}

static bool
is_answered(const struct sockaddr_un *address)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 &&
	    connect(fd, (const struct sockaddr *)address, sizeof(*address)) ==
	    0;
}

static int
socket_path_take(
    struct ctl_state *state, struct sockaddr_un *address, struct err *err)
{
	const int r = ctl_state_path(CTL_STATE_SOCKET, state->socket_path, err);

	if (r < 0)
		return r;
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(state->socket_path) < sizeof(address->sun_path)) {
		strcpy(address->sun_path, state->socket_path);
		return 0;
	}
	return err_set(err, -ENAMETOOLONG,
	    "%s is too long for a socket (%zu bytes at most): set CORDON_STATE "
	    "to a shorter path",
	    state->socket_path, sizeof(address->sun_path) - 1);
}

/* With the lock ours, a socket that is there is nobody's, or a program's that
 * is none of us: the latter answers. */
static int
socket_open(struct ctl_state *state, struct err *err)
{
	struct sockaddr_un address;
	char path[PATH_MAX];

	const int r = socket_path_take(state, &address, err);
	strcpy(path, state->socket_path);
	state->socket_path[0] = '\0';
	if (r < 0)
		return r;
	if (is_answered(&address))
		return err_set(err, -EADDRINUSE,
		    "another program serves %s; end it, or set CORDON_STATE to "
		    "another folder",
		    path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));

	auto_close int fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const mode_t mask = umask(0177);
	const int bound = fd < 0
	    ? -1
	    : bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (bound < 0 || listen(fd, BACKLOG) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	strcpy(state->socket_path, path);
	state->admin_fd = fd_steal(&fd);
	return 0;
}

int
ctl_state_open(struct ctl_state *state, struct err *err)
{
	int r = lock_take(state, err);

	if (r == 0)
		r = store_open(state, err);
	return r == 0 ? socket_open(state, err) : r;
}

void
ctl_state_handed_on(struct ctl_state *state)
{
	int *fds[] = { &state->admin_fd, &state->store_fd };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

void
ctl_state_fini(struct ctl_state *state)
{
	if (state->socket_path[0] != '\0')
		unlink(state->socket_path);
	state->socket_path[0] = '\0';
	ctl_state_handed_on(state);
	if (state->lock_fd >= 0)
		close(state->lock_fd);
	state->lock_fd = -1;
}
