/* SPDX-License-Identifier: Apache-2.0
 *
 * The order: an empty tmpfs, the base, /proc and /dev, private folders, the
 * grants (parents before children), then pivot_root, and the tmpfs turns
 * read-only. All of it is addressed by the descriptor of the new root and
 * resolved within it.
 */
#include <errno.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "box/base.h"
#include "box/mount.h"
#include "box/root.h"

/* sys/mount.h and linux/mount.h do not go together in Debian 12. */
int mount(const char *source, const char *target, const char *type,
    unsigned long flags, const void *data);
int umount2(const char *target, int flags);
#define MNT_DETACH 2
#define PLACE "/proc" /* exists everywhere, and goes away with the old root */
#define SCRATCH ".scratch"
#define HIDDEN_FILE "dev/null"
#define HIDDEN_FOLDER "var/empty"
#define HIDDEN_NAME_MAX 32

struct root {
	int fd; /* O_PATH of the new root */
	/* As they are before the home and the grants, which may cover them. */
	int var_fd; /* /var */
	int hidden_fds[2]; /* what stands for a hidden file, folder */
	const struct box_spec *spec;
	const int *trees; /* of its grants */
	dev_t dev; /* of the tmpfs */
	dev_t scratch_dev;
};

/* A path of the box, from its root: "usr/bin". */
static const char *
relative(const char *path)
{
	return path + strspn(path, "/");
}

/* ---- places --------------------------------------------------------------- */

static bool
is_ours(const struct root *root, int fd)
{
	struct stat stat;

	return fstat(fd, &stat) == 0 &&
	    (stat.st_dev == root->dev || stat.st_dev == root->scratch_dev);
}

/* One step down; made where it is missing and we may. */
static int
step(const struct root *root, int fd, const char *name, bool is_folder)
{
	int next = path_open(fd, name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH);

	if (next >= 0 || errno != ENOENT)
		return next < 0 ? -errno : next;
	if (!is_ours(root, fd))
		return -ENOENT;
	if (is_folder) {
		if (mkdirat(fd, name, 0755) < 0)
			return -errno;
	} else {
		next = openat(
		    fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (next < 0)
			return -errno;
		close(next);
	}
	next = path_open(fd, name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH);
	return next < 0 ? -errno : next;
}

/*
 * The place of a path, made if need be; no link on the way is followed. The
 * caller owns the descriptor. -ELOOP, -ENOENT (in a granted folder, where we
 * make nothing), negative errno.
 */
static int
place_open_from(
    const struct root *root, int from_fd, const char *path, bool is_folder)
{
	char part[NAME_MAX + 1];
	struct stat stat;
	int fd = fcntl(from_fd, F_DUPFD_CLOEXEC, 3);

	for (const char *at = relative(path); fd >= 0 && *at != '\0';) {
		const size_t len = strcspn(at, "/");
		const bool is_last = at[len] == '\0';
		if (len > NAME_MAX) {
			close(fd);
			return -ENAMETOOLONG;
		}
		memcpy(part, at, len);
		part[len] = '\0';
		const int next = step(root, fd, part, !is_last || is_folder);
		close(fd);
		fd = next;
		at += len + (is_last ? 0 : 1);
		if (fd >= 0 && fstat(fd, &stat) == 0 && S_ISLNK(stat.st_mode)) {
			close(fd);
			return -ELOOP;
		}
	}
	return fd;
}

static int
place_open(const struct root *root, const char *path, bool is_folder)
{
	return place_open_from(root, root->fd, path, is_folder);
}

static int
tree_place(
    const struct root *root, int tree_fd, const char *path, struct err *err)
{
	struct stat stat;

	if (fstat(tree_fd, &stat) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	auto_close int fd = place_open(root, path, S_ISDIR(stat.st_mode));
	if (fd < 0)
		return err_set(err, fd, "%s: make its place in the box: %s",
		    path, strerror(-fd));
	if (tree_move(tree_fd, fd, "") < 0)
		return err_set(err, -errno, "%s: mount it in the box: %s", path,
		    strerror(errno));
	return 0;
}

/* ---- the base ------------------------------------------------------------- */

/* A link of the host stays that link: /bin leads to usr/bin. */
static int
base_link(const struct root *root, const char *path)
{
	char target[PATH_MAX];

	const ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	/* Elsewhere: what it leads to is not there. */
	if (target[0] == '/' && !box_base_has(target))
		return -EINVAL;
	return symlinkat(target, root->fd, relative(path)) < 0 ? -errno : 0;
}

/* In a folder of ours where nothing is yet: by its path, in three calls. */
static int
fresh_place(const struct root *root, int tree_fd, const char *path,
    bool is_folder, struct err *err)
{
	const char *place = relative(path);
	int fd = -1;

	if (is_folder
		? mkdirat(root->fd, place, 0755) < 0
		: (fd = openat(root->fd, place,
		       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) < 0)
		return err_set(err, -errno, "%s: make its place in the box: %s",
		    path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return tree_move(tree_fd, root->fd, place) < 0
	    ? err_set(err, -errno, "%s: mount it in the box: %s", path,
		  strerror(errno))
	    : 0;
}

static int
base_tree(const struct root *root, const char *path, struct err *err)
{
	const struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY |
		    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
		.propagation = BOX_MS_PRIVATE };

	struct stat stat;

	if (base_link(root, path) == 0)
		return 0;
	auto_close int tree_fd = tree_open(AT_FDCWD, path, AT_RECURSIVE);
	if (tree_fd < 0 && (errno == ENOENT || errno == EACCES))
		return 0;
	if (tree_fd < 0 || tree_set(tree_fd, &attr) < 0)
		return err_set(err, -errno,
		    "%s: open_tree, mount_setattr: %s (they need Linux 5.12)",
		    path, strerror(errno));
	if (fstat(tree_fd, &stat) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	return fresh_place(root, tree_fd, path, S_ISDIR(stat.st_mode), err);
}

static int
text_write(const struct root *root, const char *path, const char *text)
{
	auto_close int fd = openat(root->fd, relative(path),
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* A device keeps what its mount allows: a device of the host, nothing else of
 * /dev. */
static int
device_bind(const struct root *root, const char *path, struct err *err)
{
	const struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID |
		    MOUNT_ATTR_NOEXEC,
		.propagation = BOX_MS_PRIVATE };

	auto_close int tree_fd = tree_open(AT_FDCWD, path, 0);
	if (tree_fd < 0 || tree_set(tree_fd, &attr) < 0)
		return err_set(err, -errno, "%s: %s: a box needs it", path,
		    strerror(errno));
	return fresh_place(root, tree_fd, path, false, err);
}

enum base_kind { TREE, TEXT, DEVICE, LINK, MASK, MASK_FOLDER };

static const struct base_row {
	enum base_kind kind;
	const char *path;
	const char *text; /* TEXT: what it says; LINK: where to */
	const char *network_text; /* TEXT: instead, where there is network */
} base[] = {
#define BASE_TREE(path, why) { TREE, path, NULL, NULL },
#define BASE_TEXT(path, text, why) { TEXT, path, text, text },
#define BASE_RESOLVER(path, without, with, why) { TEXT, path, without, with },
#define BASE_DEVICE(path, why) { DEVICE, path, NULL, NULL },
#define BASE_LINK(path, target) { LINK, path, target, NULL },
#define BASE_HABIT(path, why)
#define BASE_MASK(path, why) { MASK, path, NULL, NULL },
#define BASE_MASK_FOLDER(path, why) { MASK_FOLDER, path, NULL, NULL },
#include "box/base.def"
};

/* Who it is, by name: programs ask. */
static int
users_write(const struct root *root, uid_t uid, gid_t gid)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	const char *name = "user";
	char text[BOX_PATH_MAX + 256];

	for (uint32_t i = 0; i < root->spec->n_env; i++) {
		const char *word = root->spec->env[i];
		if (strncmp(word, "USER=", 5) == 0 && word[5] != '\0' &&
		    strlen(word + 5) < 33 &&
		    strspn(word + 5, allowed) == strlen(word + 5))
			name = word + 5;
	}
	snprintf(text, sizeof(text),
	    "%s:x:%u:%u::%s:/bin/sh\n"
	    "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
	    name, uid, gid, root->spec->home);
	const int code = text_write(root, "/etc/passwd", text);
	snprintf(text, sizeof(text), "%s:x:%u:\nnogroup:x:65534:\n", name, gid);
	return code != 0 ? code : text_write(root, "/etc/group", text);
}

static const char *const folders[] = { "dev", "dev/pts", "dev/shm", "etc",
	"etc/pki", "etc/pki/tls", "etc/ssl", "proc", "run", "tmp", "var",
	"var/empty", SCRATCH };

/* A link cannot be gone through on the way to what was granted: then a folder
 * stands in its place. */
static int
link_make(const struct root *root, const char *path, const char *target)
{
	const struct box_spec *spec = root->spec;

	for (uint32_t i = 0; i < spec->n_grants; i++) {
		const struct box_grant *grant = &spec->grants[i];
		const char *at = grant->at[0] != '\0' ? grant->at : grant->path;
		if (box_path_below(at, path))
			return mkdirat(root->fd, relative(path), 0755);
	}
	return symlinkat(target, root->fd, relative(path));
}

static int
skeleton_make(const struct root *root, uid_t uid, gid_t gid, struct err *err)
{
	const bool has_network = root->spec->n_ports > 0;
	int code = 0;

	for (size_t i = 0; i < ARRAY_LEN(folders) && code == 0; i++)
		if (mkdirat(root->fd, folders[i], 0755) < 0)
			code = -errno;
	for (size_t i = 0; i < ARRAY_LEN(base) && code == 0; i++) {
		if (base[i].kind == TEXT)
			code = text_write(root, base[i].path,
			    has_network ? base[i].network_text : base[i].text);
		else if (base[i].kind == LINK &&
		    link_make(root, base[i].path, base[i].text) < 0)
			code = -errno;
	}
	if (code == 0)
		code = users_write(root, uid, gid);
	return code == 0
	    ? 0
	    : err_set(err, code, "fill the box's root: %s", strerror(-code));
}

static int
base_make(const struct root *root, struct err *err)
{
	const bool has_terminal = !(root->spec->flags & BOX_OWN_SESSION);
	int code = 0;

	for (size_t i = 0; i < ARRAY_LEN(base) && code == 0; i++) {
		const char *path = base[i].path;
		if (base[i].kind == TREE)
			code = base_tree(root, path, err);
		else if (base[i].kind == DEVICE &&
		    (has_terminal || strcmp(path, "/dev/tty") != 0))
			code = device_bind(root, path, err);
	}
	return code;
}

/* ---- /proc, /dev/pts ------------------------------------------------------ */

static int
proc_fail(int code, struct err *err)
{
	return err_set(err, code,
	    "mount a /proc of its own: %s; where this is a container that "
	    "hides parts of its own /proc, the kernel refuses one that shows "
	    "them: start it with 'docker run --security-opt "
	    "systempaths=unconfined' (Kubernetes: procMount: Unmasked)",
	    strerror(-code));
}

/* What hides folders: read-only itself, and so is every copy of it. What hides
 * files is a device, which takes what is written to it. */
static int
empty_make(const struct root *root, struct err *err)
{
	const struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	auto_close int tree_fd = tree_open(root->fd, HIDDEN_FOLDER, 0);
	if (tree_fd < 0 || tree_set(tree_fd, &attr) < 0 ||
	    tree_move(tree_fd, root->fd, HIDDEN_FOLDER) < 0)
		return err_set(
		    err, -errno, "/" HIDDEN_FOLDER ": %s", strerror(errno));
	return 0;
}

/* What is to hide things, for as long as grants are made. */
static int
hidden_open(struct root *root, struct err *err)
{
	root->var_fd = path_open(root->fd, "var", O_PATH, 0);
	root->hidden_fds[false] = path_open(root->fd, HIDDEN_FILE, O_PATH, 0);
	root->hidden_fds[true] = path_open(root->fd, HIDDEN_FOLDER, O_PATH, 0);
	return root->var_fd < 0 || root->hidden_fds[false] < 0 ||
		root->hidden_fds[true] < 0
	    ? err_set(err, -errno, "what hides things: %s", strerror(errno))
	    : 0;
}

static int
hiding_tree_open(const struct root *root, bool is_folder)
{
	return tree_open(root->fd, is_folder ? HIDDEN_FOLDER : HIDDEN_FILE, 0);
}

static int
proc_mask(const struct root *root, const struct base_row *mask, struct err *err)
{
	char place[64];

	snprintf(place, sizeof(place), "proc/%s", mask->path);
	auto_close int tree_fd =
	    hiding_tree_open(root, mask->kind == MASK_FOLDER);
	if (tree_fd < 0 ||
	    (tree_move(tree_fd, root->fd, place) < 0 && errno != ENOENT))
		return err_set(
		    err, -errno, "hide /%s: %s", place, strerror(errno));
	return 0;
}

static int
proc_make(const struct root *root, struct err *err)
{
	const unsigned long flags = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
	    MOUNT_ATTR_NODEV |
	    MOUNT_ATTR_NOEXEC; /* the MS_ bits are the same */

	/* What cannot be traced cannot be seen: init. Linux 5.8 */
	if (mount("proc", PLACE "/proc", "proc", flags, "hidepid=invisible") <
	    0)
		return proc_fail(-errno, err);
	if (mount("devpts", PLACE "/dev/pts", "devpts",
		MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
		"newinstance,ptmxmode=0666,mode=0620") < 0)
		return err_set(
		    err, -errno, "mount /dev/pts: %s", strerror(errno));
	int code = empty_make(root, err);
	for (size_t i = 0; i < ARRAY_LEN(base) && code == 0; i++)
		if (base[i].kind == MASK || base[i].kind == MASK_FOLDER)
			code = proc_mask(root, &base[i], err);
	return code;
}

/* ---- private folders ------------------------------------------------------ */

/* One tmpfs, so that one size bounds them all; each is a mount of its own. */
static int
private_make(struct root *root, struct err *err)
{
	const struct {
		const char *name;
		mode_t mode;
		const char *place;
	} privates[] = {
		{ "tmp", 01777, "/tmp" },
		{ "shm", 01777, "/dev/shm" },
		{ "home", 0700, root->spec->home },
	};
	const uint64_t bytes = root->spec->limits.tmp_bytes;
	char options[96], path[64];
	struct stat stat;

	/* A file costs memory, too: one for every 16 KiB. */
	snprintf(options, sizeof(options), "size=%llu,nr_inodes=%llu,mode=0755",
	    (unsigned long long)(bytes != 0 ? bytes : 1ull << 40),
	    (unsigned long long)(bytes != 0 ? bytes / 16384 + 64 : 1u << 24));
	if (mount("cordon-tmp", PLACE "/" SCRATCH, "tmpfs",
		MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, options) < 0)
		return err_set(
		    err, -errno, "mount a private /tmp: %s", strerror(errno));
	auto_close int scratch_fd = path_open(root->fd, SCRATCH, O_PATH, 0);
	if (scratch_fd < 0 || fstat(scratch_fd, &stat) < 0)
		return err_set(err, -errno, "/tmp: %s", strerror(errno));
	root->scratch_dev = stat.st_dev;
	for (size_t i = 0; i < ARRAY_LEN(privates); i++) {
		snprintf(path, sizeof(path), "%s", privates[i].name);
		if (mkdirat(scratch_fd, path, privates[i].mode) < 0 ||
		    fchmodat(scratch_fd, path, privates[i].mode, 0) < 0)
			return err_set(
			    err, -errno, "/tmp: %s", strerror(errno));
		auto_close int tree_fd = tree_open(scratch_fd, path, 0);
		if (tree_fd < 0)
			return err_set(
			    err, -errno, "/tmp: %s", strerror(errno));
		const int code =
		    tree_place(root, tree_fd, privates[i].place, err);
		if (code != 0)
			return code;
	}
	if (umount2(PLACE "/" SCRATCH, MNT_DETACH) < 0 ||
	    unlinkat(root->fd, SCRATCH, AT_REMOVEDIR) < 0)
		return err_set(err, -errno, "/tmp: %s", strerror(errno));
	return 0;
}

/* ---- grants --------------------------------------------------------------- */

/* A folder for one that is hidden with grants below it: empty but for their
 * places, since nothing can be made once it is read-only. 0: there are none;
 * 1: made, and named in `folder`. */
static int
hiding_folder_make(const struct root *root, const struct box_grant *hide,
    char folder[HIDDEN_NAME_MAX], struct err *err)
{
	const char *place = box_grant_place(hide);
	char path[HIDDEN_NAME_MAX + BOX_PATH_MAX];
	struct stat stat;
	int made = 0;

	snprintf(folder, HIDDEN_NAME_MAX, "hidden-%zu",
	    (size_t)(hide - root->spec->grants));
	for (uint32_t i = 0; i < root->spec->n_grants; i++) {
		const char *below = box_grant_place(&root->spec->grants[i]);

		if (root->trees[i] < 0 || strcmp(below, place) == 0 ||
		    !box_path_below(below, place) ||
		    fstat(root->trees[i], &stat) < 0)
			continue;
		snprintf(
		    path, sizeof(path), "%s%s", folder, below + strlen(place));
		auto_close int fd = place_open_from(
		    root, root->var_fd, path, S_ISDIR(stat.st_mode));
		if (fd < 0)
			return err_set(err, fd,
			    "%s: make its place in the box: %s", below,
			    strerror(-fd));
		made = 1;
	}
	return made;
}

/* What is there now gives its place to nothing. */
static int
grant_hide(
    const struct root *root, const struct box_grant *grant, struct err *err)
{
	const char *place = box_grant_place(grant);
	char folder[HIDDEN_NAME_MAX];
	struct stat stat;
	int made = 0;

	auto_close int fd = path_open(root->fd, relative(place),
	    O_PATH | O_NOFOLLOW, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0; /* it is not there */
	if (fd < 0 || fstat(fd, &stat) < 0 || S_ISLNK(stat.st_mode))
		return err_set(err, fd < 0 ? -errno : -ELOOP,
		    "%s: cannot be hidden: there is a symbolic link on the "
		    "way; name the real path",
		    place);
	if (S_ISDIR(stat.st_mode))
		made = hiding_folder_make(root, grant, folder, err);
	if (made < 0)
		return made;
	auto_close int tree_fd = made == 1
	    ? tree_open(root->var_fd, folder, 0)
	    : tree_open(
		  root->hidden_fds[S_ISDIR(stat.st_mode)], "", AT_EMPTY_PATH);
	const struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	if (tree_fd < 0 || tree_set(tree_fd, &attr) < 0 ||
	    tree_move(tree_fd, fd, "") < 0)
		return err_set(
		    err, -errno, "%s: hide it: %s", place, strerror(errno));
	return 0;
}

/* A folder between a writable one and what is protected in it: as a mount it
 * cannot be renamed, and another put in its place. */
static int
folder_pin(const struct root *root, const char *place, struct err *err)
{
	auto_close int fd = path_open(root->fd, relative(place),
	    O_PATH | O_NOFOLLOW, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
	auto_close int tree_fd =
	    fd < 0 ? -1 : tree_open(fd, "", AT_EMPTY_PATH | AT_RECURSIVE);

	if (fd < 0 || tree_fd < 0 || tree_move(tree_fd, fd, "") < 0)
		return err_set(err, -errno, "%s: hold it in its place: %s",
		    place, strerror(errno));
	return 0;
}

static const struct box_grant *
parent_find(const struct box_spec *spec, const struct box_grant *grant)
{
	const struct box_grant *parent = NULL;

	for (uint32_t i = 0; i < spec->n_grants; i++) {
		const struct box_grant *other = &spec->grants[i];
		const char *place = box_grant_place(other);
		if (other == grant || other->access == BOX_ACCESS_HIDE ||
		    !box_path_below(box_grant_place(grant), place))
			continue;
		if (parent == NULL ||
		    strlen(place) > strlen(box_grant_place(parent)))
			parent = other;
	}
	return parent;
}

/* Mounted over and over by several grants below it would do no harm, but cost. */
static bool
is_pinned(const struct box_spec *spec, const struct box_grant *until,
    const char *place, size_t len)
{
	for (const struct box_grant *other = spec->grants; other < until;
	     other++) {
		const char *at = box_grant_place(other);
		if (strncmp(at, place, len) == 0 &&
		    (at[len] == '/' || at[len] == '\0'))
			return parent_find(spec, other) ==
			    parent_find(spec, until) ||
			    at[len] == '\0';
	}
	return false;
}

static int
parents_pin(
    const struct root *root, const struct box_grant *grant, struct err *err)
{
	const struct box_grant *parent = parent_find(root->spec, grant);
	char place[BOX_PATH_MAX];

	if (parent == NULL || parent->access != BOX_ACCESS_WRITE)
		return 0;
	snprintf(place, sizeof(place), "%s", box_grant_place(grant));
	const size_t first = strlen(box_grant_place(parent)) + 1;
	for (size_t i = first; place[i] != '\0'; i++) {
		if (place[i] != '/')
			continue;
		place[i] = '\0';
		const int code = is_pinned(root->spec, grant, place, i)
		    ? 0
		    : folder_pin(root, place, err);
		place[i] = '/';
		/* Not there: what is below it is not, either. */
		if (code != 0)
			return code;
	}
	return 0;
}

static bool
is_missing(const struct root *root, const struct box_grant *grant)
{
	auto_close int fd =
	    path_open(root->fd, relative(box_grant_place(grant)),
		O_PATH | O_NOFOLLOW, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);

	return fd < 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* What lies in another grant is as that one is: hidden, or writable. */
static bool
is_below_other(const struct box_spec *spec, const struct box_grant *grant)
{
	for (uint32_t i = 0; i < spec->n_grants; i++) {
		const struct box_grant *other = &spec->grants[i];

		if (other != grant &&
		    box_path_below(
			box_grant_place(grant), box_grant_place(other)))
			return true;
	}
	return false;
}

static int
grant_make(const struct root *root, const struct box_grant *grant, int tree_fd,
    struct err *err)
{
	if (grant->access == BOX_ACCESS_READ && tree_fd >= 0 &&
	    grant->at[0] == '\0' && box_base_has(grant->path) &&
	    !is_below_other(root->spec, grant))
		return 0; /* it is there anyhow */
	if (grant->access != BOX_ACCESS_HIDE && tree_fd < 0)
		return 0; /* optional, and not there */
	if (grant->access == BOX_ACCESS_HIDE && is_missing(root, grant))
		return 0;
	const int code = parents_pin(root, grant, err);
	if (code != 0)
		return code;
	return grant->access == BOX_ACCESS_HIDE
	    ? grant_hide(root, grant, err)
	    : tree_place(root, tree_fd, box_grant_place(grant), err);
}

/* ---- all of it ------------------------------------------------------------ */

static int
root_open(struct root *root, struct err *err)
{
	struct stat stat;

	if (mount("cordon", PLACE, "tmpfs",
		MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
		"size=1m,nr_inodes=8k,mode=0755") < 0)
		return err_set(
		    err, -errno, "mount an empty root: %s", strerror(errno));
	root->fd = open(PLACE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root->fd < 0 || fstat(root->fd, &stat) < 0)
		return err_set(
		    err, -errno, "the empty root: %s", strerror(errno));
	root->dev = stat.st_dev;
	return 0;
}

static int
root_move_in(const struct root *root, struct err *err)
{
	const struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY |
		    MOUNT_ATTR_NOEXEC };

	if (fchdir(root->fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return err_set(err, -errno, "pivot_root: %s", strerror(errno));
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_set(
		    err, -errno, "leave the old root: %s", strerror(errno));
	if (syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attr, sizeof(attr)) <
	    0)
		return err_set(err, -errno, "make the root read-only: %s",
		    strerror(errno));
	return 0;
}

int
box_root_enter(const struct box_spec *spec, const int *trees, uid_t uid,
    gid_t gid, struct err *err)
{
	struct root root = { .fd = -1,
		.var_fd = -1,
		.hidden_fds = { -1, -1 },
		.spec = spec,
		.trees = trees };

	umask(022);
	int code = root_open(&root, err);
	if (code == 0)
		code = skeleton_make(&root, uid, gid, err);
	if (code == 0)
		code = base_make(&root, err);
	if (code == 0)
		code = proc_make(&root, err);
	if (code == 0)
		code = hidden_open(&root, err);
	if (code == 0)
		code = private_make(&root, err);
	for (uint32_t i = 0; i < spec->n_grants && code == 0; i++)
		code = grant_make(&root, &spec->grants[i], trees[i], err);
	if (code == 0)
		code = root_move_in(&root, err);
	const int fds[] = { root.fd, root.var_fd, root.hidden_fds[false],
		root.hidden_fds[true] };
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return code;
}
