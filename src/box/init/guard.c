/* SPDX-License-Identifier: Apache-2.0
 *
 * The guarded calls, done by init instead of the payload. Whatever goes wrong
 * on the way to a decision is a refusal.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/base.h"
#include "box/init/guard.h"
#include "box/init/notice.h"

#define TMPFILE (O_TMPFILE & ~O_DIRECTORY)
/* What open() knows of flags; the rest it ignores, openat2() does not. */
#define OPEN_FLAGS                                                             \
	((uint64_t)(O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND |        \
	    O_DSYNC | O_SYNC | O_ASYNC | O_DIRECT | O_DIRECTORY | O_NOFOLLOW | \
	    O_NOATIME | TMPFILE))
#if defined(__x86_64__)
#define LARGEFILE 0100000 /* open() adds it; the C library says 0 */
#else
#define LARGEFILE 0400000
#endif
#define WAITS (-EINPROGRESS) /* no answer yet */

enum doing {
	OPEN,
	MKDIR,
	MKNOD,
	REMOVE,
	RENAME,
	LINK,
	SYMLINK,
	TRUNCATE,
	BIND
};

/* Which argument is what; -1: none. */
static const struct guarded_call {
	int nr;
	enum doing doing;
	int dir, path; /* what it is done to; of bind: socket, address */
	int dir_new, path_new; /* what comes of that */
	int flags;
	int mode;
	unsigned flags_fixed; /* without an argument for them */
} guarded_calls[] = {
#if defined(SYS_open)
	{ SYS_open, OPEN, -1, 0, -1, -1, 1, 2, 0 },
	{ SYS_creat, OPEN, -1, 0, -1, -1, -1, 1, O_CREAT | O_WRONLY | O_TRUNC },
	{ SYS_mkdir, MKDIR, -1, 0, -1, -1, -1, 1, 0 },
	{ SYS_mknod, MKNOD, -1, 0, -1, -1, 2, 1, 0 },
	{ SYS_rmdir, REMOVE, -1, 0, -1, -1, -1, -1, AT_REMOVEDIR },
	{ SYS_unlink, REMOVE, -1, 0, -1, -1, -1, -1, 0 },
	{ SYS_rename, RENAME, -1, 0, -1, 1, -1, -1, 0 },
	{ SYS_link, LINK, -1, 0, -1, 1, -1, -1, 0 },
	{ SYS_symlink, SYMLINK, -1, 0, -1, 1, -1, -1, 0 },
#endif
#if defined(SYS_renameat)
	{ SYS_renameat, RENAME, 0, 1, 2, 3, -1, -1, 0 },
#endif
	{ SYS_openat, OPEN, 0, 1, -1, -1, 2, 3, 0 },
	{ SYS_mkdirat, MKDIR, 0, 1, -1, -1, -1, 2, 0 },
	{ SYS_mknodat, MKNOD, 0, 1, -1, -1, 3, 2, 0 },
	{ SYS_unlinkat, REMOVE, 0, 1, -1, -1, 2, -1, 0 },
	{ SYS_renameat2, RENAME, 0, 1, 2, 3, 4, -1, 0 },
	{ SYS_linkat, LINK, 0, 1, 2, 3, 4, -1, 0 },
	{ SYS_symlinkat, SYMLINK, -1, 0, 1, 2, -1, -1, 0 },
	{ SYS_truncate, TRUNCATE, -1, 0, -1, -1, 1, -1, 0 },
	{ SYS_bind, BIND, 0, 1, -1, -1, 2, -1, 0 },
};

struct deed {
	struct box_init *init;
	const struct seccomp_notif *notif;
	struct guard_caller caller;
	uint64_t flags; /* of mknod: the device; of truncate, bind: a length */
	mode_t mode;
	int dir, dir_new; /* numbers of the payload's */
	char text[BOX_PATH_MAX + 1], text_new[BOX_PATH_MAX + 1];
	struct guard_place place, place_new;
	int fd; /* an OPEN's result; owned */
};

/* ---- refusing ------------------------------------------------------------- */

static int
refuse(const struct deed *deed, enum box_verb verb, const char *path)
{
	if (deed->init->spec->notes >= BOX_NOTES_CALLS)
		box_note_once(deed->init, BOX_NOTE_FILE, (int)verb,
		    (uint32_t)deed->caller.tid, path);
	return -EACCES;
}

/* "." and "..": no name is made or removed, and the kernel says so. */
static bool
is_dots(const struct guard_place *place)
{
	const char *name = place->name;

	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strcmp(name, "./") == 0 || strcmp(name, "../") == 0;
}

static bool
is_there(const struct guard_place *place)
{
	struct stat stat;

	return place->name[0] == '\0' ||
	    fstatat(place->fd, place->name, &stat, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The real path of a place, if the rule keeps it. 0: it does not, -EACCES: it
 * does; -ENOENT: it is init's own, which nobody else sees. */
static int
kept_path(const struct deed *deed, const struct guard_place *place, char *path)
{
	if (is_dots(place))
		return 0;
	if (guard_place_path(place, path) != 0) {
		/* Longer than a path may be: nobody can tell where it is. */
		memcpy(path, place->name, strlen(place->name) + 1);
		return -EACCES;
	}
	if (box_path_below(path, "/proc/1"))
		return -ENOENT;
	return box_guard_keeps(deed->init->spec, path) ? -EACCES : 0;
}

/* What would fail anyhow, for it is there or is not, fails with what programs
 * expect of that: mkdir -p, rm -f. */
static int
decide(const struct deed *deed, const struct guard_place *place,
    enum box_verb verb)
{
	char path[GUARD_PATH_MAX];

	const int code = kept_path(deed, place, path);
	if (code != -EACCES)
		return code;
	if (verb != BOX_VERB_MAKE && !is_there(place))
		return -ENOENT;
	return refuse(deed, verb, path);
}

/* As decide(), for calls that never take a name that is there. */
static int
decide_new(const struct deed *deed, const struct guard_place *place)
{
	char path[GUARD_PATH_MAX];

	const int code = kept_path(deed, place, path);
	if (code != -EACCES)
		return code;
	return is_there(place) ? -EEXIST : refuse(deed, BOX_VERB_MAKE, path);
}

/* ---- terminals ------------------------------------------------------------ */

/* Of /proc/PID/stat: session and terminal. */
static int
terminal_read(pid_t pid, pid_t *session, unsigned *device)
{
	char path[48], text[512];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -EACCES;
	text[n] = '\0';
	const char *at = strrchr(text, ')'); /* its name may hold anything */
	if (at == NULL ||
	    sscanf(at + 1, " %*c %*d %*d %d %u", session, device) != 2)
		return -EACCES;
	return 0;
}

/* /dev/tty is the terminal of whoever opens it: another one, in a session that
 * the payload made. */
static int
terminal_name(const struct deed *deed, char name[32])
{
	pid_t session = 0;
	unsigned device = 0;

	if (terminal_read(deed->caller.tid, &session, &device) != 0)
		return -EACCES;
	if (session == getsid(0)) {
		snprintf(name, 32, "/dev/tty");
		return 0;
	}
	const unsigned major = device >> 8 & 0xfffu;
	const unsigned minor = (device & 0xffu) | (device >> 12 & 0xfff00u);
	if (major < 136 || major > 143)
		return -ENXIO;
	snprintf(name, 32, "/dev/pts/%u", minor + (major - 136) * (1u << 20));
	return 0;
}

/* ---- opening -------------------------------------------------------------- */

static enum box_verb
open_verb(uint64_t flags)
{
	return flags & O_CREAT ? BOX_VERB_MAKE : BOX_VERB_WRITE;
}

/* The file itself, behind /proc/PID/fd/N: nothing is made. */
static int
open_again(const struct deed *deed, const char *path)
{
	char link[48];
	const int flags = (int)deed->flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW);

	if (strcmp(path, "/dev/tty") == 0) {
		const int code = terminal_name(deed, link);
		if (code != 0)
			return code;
	} else {
		snprintf(
		    link, sizeof(link), "/proc/self/fd/%d", deed->place.fd);
	}
	const int fd = open(link, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static int
open_here(const struct deed *deed)
{
	const struct guard_place *place = &deed->place;
	char path[GUARD_PATH_MAX];

	if (guard_place_path(place, path) != 0)
		return -EACCES;
	if (place->name[0] == '\0' || strcmp(path, "/dev/tty") == 0)
		return open_again(deed, path);
	/* Without O_NOFOLLOW, which would be seen on the descriptor. */
	const struct open_how how = {
		.flags = (deed->flags & OPEN_FLAGS) | O_NONBLOCK | O_NOCTTY |
		    O_CLOEXEC | LARGEFILE,
		.mode = deed->flags & (O_CREAT | TMPFILE) ? deed->mode : 0,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	const int fd = (int)syscall(
	    SYS_openat2, place->fd, place->name, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

static bool
is_fifo(const struct guard_place *place)
{
	struct stat stat;

	return fstatat(place->fd, place->name, &stat,
		   AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISFIFO(stat.st_mode);
}

/* A link is followed here, and where it leads is decided on like the link. */
static int
open_decided(struct deed *deed)
{
	for (;;) {
		const bool is_new = deed->flags & O_CREAT &&
		    deed->flags & O_EXCL && deed->place.name[0] != '\0';
		int code = deed->flags & TMPFILE ? 0
		    : is_new
		    ? decide_new(deed, &deed->place)
		    : decide(deed, &deed->place, open_verb(deed->flags));
		if (code != 0)
			return code;
		code = open_here(deed);
		if (code == -ENXIO && is_fifo(&deed->place) &&
		    !(deed->flags & O_NONBLOCK))
			return WAITS;
		if (code != -ELOOP || deed->flags & O_NOFOLLOW ||
		    deed->place.name[0] == '\0')
			return code;
		code = guard_place_follow(&deed->caller, &deed->place);
		if (code != 0)
			return code;
	}
}

/* What was read was the caller's, if it still waits: another process may have
 * got its number since. */
static int
still_waits(const struct deed *deed)
{
	return ioctl(deed->init->listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID,
		   &deed->notif->id) < 0
	    ? -EINTR
	    : 0;
}

static int
place_find(struct deed *deed)
{
	const int code = guard_place_find(
	    &deed->caller, deed->dir, deed->text, &deed->place);

	return code != 0 ? code : still_waits(deed);
}

static int
place_new_find(struct deed *deed)
{
	const int code = guard_place_find(
	    &deed->caller, deed->dir_new, deed->text_new, &deed->place_new);

	return code != 0 ? code : still_waits(deed);
}

static bool
opens_folder(const struct deed *deed, char last)
{
	return last == '/'
	    ? !(deed->flags & O_CREAT)
	    : deed->flags & O_DIRECTORY && !(deed->flags & O_NOFOLLOW);
}

static int
do_open(struct deed *deed)
{
	const size_t len = strlen(deed->text);

	/* To the end of the way: a folder is opened in itself. */
	if (len > 0 && opens_folder(deed, deed->text[len - 1])) {
		if (len > BOX_PATH_MAX - 3)
			return -ENAMETOOLONG;
		memcpy(deed->text + len, "/.", 3);
	}
	int code = place_find(deed);
	if (code == 0)
		code = open_decided(deed);
	if (code < 0)
		return code;
	deed->fd = code;
	if (deed->flags & O_NONBLOCK)
		return 0;
	/* Not to wait was our wish. */
	const int kept = O_APPEND | O_DIRECT | O_NOATIME;
	return fcntl(deed->fd, F_SETFL, (int)deed->flags & kept) < 0 ? -errno
								     : 0;
}

/* ---- making, moving, removing --------------------------------------------- */

static int
answer_of(int result)
{
	return result < 0 ? -errno : 0;
}

static int
do_make(struct deed *deed)
{
	const struct guard_place *place = &deed->place;

	int code = place_find(deed);
	if (code == 0)
		code = decide_new(deed, place);
	if (code != 0)
		return code;
	return answer_of(
	    mkdirat(place->fd, place->name, deed->mode & ~(mode_t)S_IFMT));
}

static int
do_mknod(struct deed *deed)
{
	const struct guard_place *place = &deed->place;

	int code = place_find(deed);
	if (code == 0)
		code = decide_new(deed, place);
	if (code != 0)
		return code;
	return answer_of(
	    mknodat(place->fd, place->name, deed->mode, (dev_t)deed->flags));
}

static int
do_remove(struct deed *deed)
{
	const struct guard_place *place = &deed->place;

	int code = place_find(deed);
	if (code == 0)
		code = decide(deed, place, BOX_VERB_REMOVE);
	if (code != 0)
		return code;
	return answer_of(unlinkat(place->fd, place->name, (int)deed->flags));
}

static bool
is_folder(const struct guard_place *place)
{
	struct stat stat;

	return fstatat(place->fd, place->name, &stat, AT_SYMLINK_NOFOLLOW) ==
	    0 &&
	    S_ISDIR(stat.st_mode);
}

/* Folders carry names along that nobody decided on. Programs copy then, and
 * each of those names is decided on. */
static int
folder_decide(const struct deed *deed)
{
	char from[GUARD_PATH_MAX], to[GUARD_PATH_MAX];

	if (!is_folder(&deed->place) && !is_folder(&deed->place_new))
		return 0;
	if (guard_place_path(&deed->place, from) != 0 ||
	    guard_place_path(&deed->place_new, to) != 0)
		return -EACCES;
	return box_guard_may_move(deed->init->spec, from, to) ? 0 : -EXDEV;
}

static int
do_rename(struct deed *deed)
{
	int code = place_find(deed);
	if (code == 0)
		code = place_new_find(deed);
	if (code == 0)
		code = decide(deed, &deed->place, BOX_VERB_REMOVE);
	if (code == 0)
		code = decide(deed, &deed->place_new, BOX_VERB_MAKE);
	if (code == 0)
		code = folder_decide(deed);
	if (code != 0)
		return code;
	return answer_of((int)syscall(SYS_renameat2, deed->place.fd,
	    deed->place.name, deed->place_new.fd, deed->place_new.name,
	    (unsigned)deed->flags));
}

/* A second name of a file is a way to write to it. */
static int
do_link(struct deed *deed)
{
	const struct guard_place *old = &deed->place, *new = &deed->place_new;
	char link[48];

	if (deed->flags & ~(uint64_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	deed->place.may_be_itself = deed->flags & AT_EMPTY_PATH;
	int code = place_find(deed);
	if (code == 0)
		code = place_new_find(deed);
	if (code == 0 && deed->flags & AT_SYMLINK_FOLLOW)
		code = guard_place_settle(&deed->caller, &deed->place);
	if (code == 0)
		code = decide(deed, old, BOX_VERB_WRITE);
	if (code == 0)
		code = decide_new(deed, new);
	if (code != 0)
		return code;
	if (old->name[0] != '\0')
		return answer_of(
		    linkat(old->fd, old->name, new->fd, new->name, 0));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", old->fd);
	return answer_of(
	    linkat(AT_FDCWD, link, new->fd, new->name, AT_SYMLINK_FOLLOW));
}

static int
do_symlink(struct deed *deed)
{
	const struct guard_place *new = &deed->place_new;

	int code = deed->text[0] == '\0' ? -ENOENT : place_new_find(deed);
	if (code == 0)
		code = decide_new(deed, new);
	return code != 0 ? code
			 : answer_of(symlinkat(deed->text, new->fd, new->name));
}

static int
do_truncate(struct deed *deed)
{
	const struct guard_place *place = &deed->place;
	char link[48];

	int code = place_find(deed);
	if (code == 0)
		code = guard_place_settle(&deed->caller, &deed->place);
	if (code == 0)
		code = decide(deed, place, BOX_VERB_WRITE);
	if (code != 0)
		return code;
	auto_close int fd = place->name[0] == '\0'
	    ? fcntl(place->fd, F_DUPFD_CLOEXEC, 3)
	    : openat(place->fd, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return answer_of(truncate(link, (off_t)deed->flags));
}

/* The address of a Unix socket is a name that is made. */
static int
name_decide(struct deed *deed)
{
	int code =
	    guard_place_find(&deed->caller, AT_FDCWD, deed->text, &deed->place);

	if (code == 0)
		code = guard_caller_read(&deed->caller);
	return code == 0 ? decide_new(deed, &deed->place) : code;
}

/* Over a link the kernel would find another place for us: by its descriptor. */
static int
address_bind(struct deed *deed, int fd, union box_address *address, size_t len)
{
	umask(deed->caller.umask);
	if (deed->place.fd < 0)
		return answer_of(bind(fd, &address->any, (socklen_t)len));
	if (fchdir(deed->place.fd) < 0)
		return -errno;
	memset(address->un.sun_path, 0, sizeof(address->un.sun_path));
	if (strlen(deed->place.name) >= sizeof(address->un.sun_path))
		return -ENAMETOOLONG;
	memcpy(
	    address->un.sun_path, deed->place.name, strlen(deed->place.name));
	const int code =
	    answer_of(bind(fd, &address->any, sizeof(address->un)));
	return chdir("/") < 0 ? -errno : code;
}

/* The socket is the payload's; whatever its family, the address is our copy. */
static int
do_bind(struct deed *deed)
{
	union box_address address = { 0 };
	const size_t len = (uint32_t)deed->flags;
	const size_t head = offsetof(struct sockaddr_un, sun_path);
	int code = 0;

	if (len > sizeof(address) || len < sizeof(sa_family_t))
		return -EINVAL;
	if (box_memory_read(deed->caller.tid, deed->notif->data.args[1],
		&address, len) != (ssize_t)len)
		return -EACCES;
	if (address.any.sa_family == AF_UNIX && len > head &&
	    address.un.sun_path[0] != '\0') {
		snprintf(deed->text, sizeof(deed->text), "%.*s",
		    (int)(len - head), address.un.sun_path);
		code = name_decide(deed);
	}
	if (code == 0)
		code = guard_caller_read(&deed->caller);
	if (code != 0)
		return code;
	auto_close int pid_fd =
	    (int)syscall(SYS_pidfd_open, deed->caller.tgid, 0);
	auto_close int fd = pid_fd < 0
	    ? -1
	    : (int)syscall(SYS_pidfd_getfd, pid_fd, deed->dir, 0);
	if (fd < 0)
		return errno == EBADF ? -EBADF : -EACCES;
	code = still_waits(deed);
	return code != 0 ? code : address_bind(deed, fd, &address, len);
}

/* ---- calls ---------------------------------------------------------------- */

static int (*const doings[])(struct deed *deed) = {
	[OPEN] = do_open,
	[MKDIR] = do_make,
	[MKNOD] = do_mknod,
	[REMOVE] = do_remove,
	[RENAME] = do_rename,
	[LINK] = do_link,
	[SYMLINK] = do_symlink,
	[TRUNCATE] = do_truncate,
	[BIND] = do_bind,
};

/* The flags lie in a register: nobody changes them after us. */
static bool
only_reads(const struct deed *deed)
{
	const int flags = (int)deed->flags;

	return flags & O_PATH ||
	    ((flags & O_ACCMODE) == O_RDONLY &&
		!(flags & (O_CREAT | O_TRUNC | TMPFILE)));
}

static void
deed_prepare(struct deed *deed, const struct guarded_call *call)
{
	const __u64 *args = deed->notif->data.args;

	deed->flags = call->flags < 0 ? call->flags_fixed : args[call->flags];
	if (call->doing != TRUNCATE)
		deed->flags = (uint32_t)deed->flags;
	deed->mode = call->mode < 0 ? 0 : (mode_t)args[call->mode];
	/* open() ignores them. */
	if (call->doing == OPEN)
		deed->mode &= 01777;
	deed->dir = call->dir < 0 ? AT_FDCWD : (int)args[call->dir];
	deed->dir_new = call->dir_new < 0 ? AT_FDCWD : (int)args[call->dir_new];
	deed->caller.tid = (pid_t)deed->notif->pid;
	deed->place.fd = deed->place_new.fd = deed->fd = -1;
	deed->place.n_links = deed->place_new.n_links = 0;
	deed->place.may_be_itself = deed->place_new.may_be_itself = false;
}

static bool
needs_umask(const struct deed *deed, enum doing doing)
{
	return doing == MKDIR || doing == MKNOD ||
	    (doing == OPEN && deed->flags & (O_CREAT | TMPFILE));
}

static int
deed_do(struct deed *deed, const struct guarded_call *call)
{
	const __u64 *args = deed->notif->data.args;
	const pid_t tid = deed->caller.tid;

	int code = call->doing == BIND ? 0
				       : box_string_read(tid, args[call->path],
					     deed->text, sizeof(deed->text));
	if (code == 0 && call->path_new >= 0)
		code = box_string_read(tid, args[call->path_new],
		    deed->text_new, sizeof(deed->text_new));
	if (code == 0 && needs_umask(deed, call->doing)) {
		code = guard_caller_read(&deed->caller);
		umask(deed->caller.umask);
	}
	return code == 0 ? doings[call->doing](deed) : code;
}

/* Ours is closed before the payload goes on: it would find a writer of its
 * program, or no end of a FIFO. So not SECCOMP_ADDFD_FLAG_SEND. */
static int
fd_hand_over(struct deed *deed)
{
	struct seccomp_notif_addfd addfd = { .id = deed->notif->id,
		.srcfd = (uint32_t)deed->fd,
		.newfd_flags = deed->flags & O_CLOEXEC };
	const int fd =
	    ioctl(deed->init->listener_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd);
	const int code = fd < 0 ? -errno : fd; /* it has too many, or is gone */

	close(fd_steal(&deed->fd));
	return code;
}

static void
answer(struct deed *deed, int code)
{
	if (code == 0 && deed->fd >= 0)
		code = fd_hand_over(deed);
	struct seccomp_notif_resp response = { .id = deed->notif->id,
		.val = code > 0 ? code : 0,
		.error = code < 0 ? code : 0 };
	(void)ioctl(
	    deed->init->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static void
place_fini(struct guard_place *place)
{
	if (place->fd >= 0)
		close(place->fd);
}

/* ---- waiting -------------------------------------------------------------- */

#define WAITING_MAX 16
#define RETRY_MS 20

static struct seccomp_notif waiting[WAITING_MAX];
static unsigned n_waiting;

/* False: it waits on. */
static bool
call_do(struct box_init *init, const struct seccomp_notif *notif,
    const struct guarded_call *call)
{
	static struct deed deed; /* paths are long */

	deed.init = init;
	deed.notif = notif;
	deed.caller = (struct guard_caller){ 0 };
	deed_prepare(&deed, call);
	const int code = deed_do(&deed, call);
	place_fini(&deed.place);
	place_fini(&deed.place_new);
	if (code != WAITS)
		answer(&deed, code);
	if (deed.fd >= 0)
		close(deed.fd);
	return code != WAITS;
}

static const struct guarded_call *
call_find(int nr)
{
	for (size_t i = 0; i < ARRAY_LEN(guarded_calls); i++)
		if (guarded_calls[i].nr == nr)
			return &guarded_calls[i];
	return NULL;
}

bool
box_guard_take(struct box_init *init, const struct seccomp_notif *notif)
{
	const struct guarded_call *call = call_find(notif->data.nr);

	if (call == NULL)
		return false;
	if (call->doing == OPEN && call->flags >= 0) {
		const struct deed asked = { .flags =
						notif->data.args[call->flags] };
		if (only_reads(&asked))
			return false;
	}
	if (call_do(init, notif, call))
		return true;
	if (n_waiting < WAITING_MAX) {
		waiting[n_waiting++] = *notif;
		return true;
	}
	struct seccomp_notif_resp response = { .id = notif->id,
		.error = -ENXIO };
	(void)ioctl(init->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
	return true;
}

int
box_guard_retry(struct box_init *init)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_waiting; i++)
		if (!call_do(init, &waiting[i], call_find(waiting[i].data.nr)))
			waiting[n++] = waiting[i];
	n_waiting = n;
	return n > 0 ? RETRY_MS : -1;
}
