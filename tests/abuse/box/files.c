/* SPDX-License-Identifier: Apache-2.0
 *
 * Files: what was not granted is read, what was granted to be read is changed.
 */
#include "attack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static long
read_secret(const struct attack_place *place)
{
	return attack_read_secret(attack_path(place, "secret/key"));
}

static long
read_home(const struct attack_place *place)
{
	return attack_read_secret(attack_path(place, "home/.ssh/id_ed25519"));
}

static long
read_home_variable(const struct attack_place *place)
{
	char path[4096];

	(void)place;
	snprintf(path, sizeof(path), "%s/.npmrc", getenv("HOME"));
	return attack_read_secret(path);
}

static long
read_shadow(const struct attack_place *place)
{
	(void)place;
	return attack_open("/etc/shadow", O_RDONLY);
}

static long
read_root_home(const struct attack_place *place)
{
	DIR *folder = opendir("/root");
	long n = 0;

	(void)place;
	if (folder == NULL)
		return -(long)errno;
	while (readdir(folder) != NULL)
		n++;
	closedir(folder);
	return n > 2 ? n : -ENOENT;
}

static long
read_other_user(const struct attack_place *place)
{
	return attack_read_secret(attack_path(place, "other/key"));
}

static long
read_dotdot(const struct attack_place *place)
{
	return attack_read_secret(attack_path(place, "granted/../secret/key"));
}

static long
read_planted_link(const struct attack_place *place)
{
	return attack_read_secret(attack_path(place, "granted/planted"));
}

static long
read_planted_folder(const struct attack_place *place)
{
	return attack_read_secret(
	    attack_path(place, "granted/planted-folder/key"));
}

static long
read_own_link(const struct attack_place *place)
{
	const char *link = attack_path(place, "granted/own-link");

	unlink(link);
	if (symlink(attack_path(place, "secret/key"), link) < 0)
		return -(long)errno;
	const long result = attack_read_secret(link);
	unlink(link);
	return result;
}

static long
read_hard_link(const struct attack_place *place)
{
	const char *link = attack_path(place, "granted/own-hard-link");

	unlink(link);
	if (linkat(AT_FDCWD, attack_path(place, "secret/key"), AT_FDCWD, link,
		0) < 0)
		return -(long)errno;
	const long result = attack_read_secret(link);
	unlink(link);
	return result;
}

static long
read_by_path_fd(const struct attack_place *place)
{
	char path[64];
	const int fd = open(
	    attack_path(place, "secret"), O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -(long)errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/key", fd);
	return attack_read_secret(path);
}

static long
read_path_fd_dotdot(const struct attack_place *place)
{
	char path[64];
	const int fd = open(
	    attack_path(place, "granted"), O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -(long)errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/../secret/key", fd);
	return attack_read_secret(path);
}

static long
read_openat_dotdot(const struct attack_place *place)
{
	const int fd = open(
	    attack_path(place, "granted"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -(long)errno;
	return attack_read_secret_at(fd, "../secret/key");
}

static long
read_stdio_dotdot(const struct attack_place *place)
{
	(void)place;
	for (int fd = 0; fd < 3; fd++) {
		const int above =
		    openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (above >= 0)
			return above;
	}
	return attack_read_secret_at(AT_FDCWD, "../secret/key");
}

static long
read_init_root(const struct attack_place *place)
{
	char path[4096];

	snprintf(path, sizeof(path), "/proc/1/root%s",
	    attack_path(place, "secret/key"));
	return attack_read_secret(path);
}

static long
read_self_root(const struct attack_place *place)
{
	char path[4096];

	snprintf(path, sizeof(path), "/proc/self/root%s",
	    attack_path(place, "secret/key"));
	return attack_read_secret(path);
}

static long
read_thread_root(const struct attack_place *place)
{
	char path[4096];

	snprintf(path, sizeof(path), "/proc/thread-self/root%s",
	    attack_path(place, "secret/key"));
	return attack_read_secret(path);
}

static long
read_self_cwd(const struct attack_place *place)
{
	(void)place;
	return attack_read_secret("/proc/self/cwd/../secret/key");
}

static long
read_init_cwd(const struct attack_place *place)
{
	(void)place;
	return attack_open("/proc/1/cwd", O_RDONLY | O_DIRECTORY);
}

static long
read_walk_up(const struct attack_place *place)
{
	for (int i = 0; i < 64; i++)
		if (chdir("..") < 0)
			return -(long)errno;
	return attack_read_secret(attack_path(place, "secret/key") + 1);
}

/* The host makes the file, and a link to it in the granted folder, when it
 * sees that we are here. */
static long
read_made_later(const struct attack_place *place)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	const char *link = attack_path(place, "granted/later-link");
	long result = attack_open(
	    attack_path(place, "granted/ready"), O_WRONLY | O_CREAT);

	if (result < 0)
		return result;
	for (int i = 0; i < 250 &&
	     faccessat(AT_FDCWD, link, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
	     i++)
		nanosleep(&pause, NULL);
	result = attack_read_secret(link);
	if (result < 0)
		result = attack_read_secret(attack_path(place, "later/key"));
	return result;
}

static long
look_at_secret(const struct attack_place *place)
{
	struct stat about;

	return attack_said(stat(attack_path(place, "secret/key"), &about));
}

static long
list_place(const struct attack_place *place)
{
	DIR *folder = opendir(place->folder);
	long n = 0;

	if (folder == NULL)
		return -(long)errno;
	for (const struct dirent *one; (one = readdir(folder)) != NULL;)
		n += strcmp(one->d_name, "secret") == 0;
	closedir(folder);
	return n > 0 ? 0 : -ENOENT;
}

/* "Shocker": inode 2 of the file system that a granted folder lies on. */
static long
open_handle_root(const struct attack_place *place)
{
	struct {
		struct file_handle head;
		unsigned char bytes[128];
	} handle = { .head.handle_bytes = 8, .head.handle_type = 1 };
	const unsigned int inode = 2;
	const int mount_fd = open(
	    attack_path(place, "granted"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memcpy(handle.head.f_handle, &inode, sizeof(inode));
	return attack_said(syscall(
	    SYS_open_by_handle_at, mount_fd, &handle, O_RDONLY | O_DIRECTORY));
}

static long
name_handle(const struct attack_place *place)
{
	struct {
		struct file_handle head;
		unsigned char bytes[128];
	} handle = { .head.handle_bytes = 128 };
	int mount_id;

	return attack_said(syscall(SYS_name_to_handle_at, AT_FDCWD,
	    attack_path(place, "granted"), &handle, &mount_id, 0));
}

/* Two are the pipe to whoever waits for this answer. */
static long
inherited(const struct attack_place *place)
{
	long n = 0;

	(void)place;
	for (int fd = 3; fd < 65536; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n > 2 ? n : -EBADF;
}

static long
inherited_folder(const struct attack_place *place)
{
	(void)place;
	for (int fd = 0; fd < 65536; fd++)
		if (attack_read_secret_at(fd, "key") == 0)
			return fd;
	return -EBADF;
}

static long
inherited_listed(const struct attack_place *place)
{
	DIR *folder = opendir("/proc/self/fd");
	long n = 0;

	(void)place;
	if (folder == NULL)
		return -(long)errno;
	for (const struct dirent *one; (one = readdir(folder)) != NULL;)
		n += strtol(one->d_name, NULL, 10) > 2;
	closedir(folder);
	return n > 3 ? n : -EBADF;
}

static long
rename_granted(const struct attack_place *place)
{
	const char *from = attack_path(place, "granted");
	const char *to = attack_path(place, "moved");

	if (rename(from, to) < 0)
		return -(long)errno;
	return attack_said(rename(to, from));
}

static long
rename_ancestor(const struct attack_place *place)
{
	const char *from = attack_path(place, "above");
	const char *to = attack_path(place, "beside");

	if (rename(from, to) < 0)
		return -(long)errno;
	return attack_said(rename(to, from));
}

static long
exchange_grants(const struct attack_place *place)
{
	const char *one = attack_path(place, "granted");
	const char *other = attack_path(place, "readonly");

	if (syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other,
		2 /* RENAME_EXCHANGE */) < 0)
		return -(long)errno;
	return attack_said(
	    syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 2));
}

static long
replace_ancestor(const struct attack_place *place)
{
	return attack_said(
		   symlink("/", attack_path(place, "made-by-the-payload"))) < 0
	    ? -(long)errno
	    : attack_said(unlink(attack_path(place, "made-by-the-payload")));
}

static long
move_out(const struct attack_place *place)
{
	const char *from = attack_path(place, "granted/mine");
	const char *to = attack_path(place, "secret/theirs");

	attack_open(from, O_WRONLY | O_CREAT);
	if (rename(from, to) < 0)
		return -(long)errno;
	return attack_said(unlink(to));
}

static long
write_readonly(const struct attack_place *place)
{
	return attack_open(attack_path(place, "readonly/note"), O_WRONLY);
}

static long
make_in_readonly(const struct attack_place *place)
{
	return attack_open(
	    attack_path(place, "readonly/made"), O_WRONLY | O_CREAT);
}

/* A descriptor for reading becomes one for writing. */
static long
reopen_readonly(const struct attack_place *place)
{
	char path[64];
	const int fd =
	    open(attack_path(place, "readonly/note"), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -(long)errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return attack_open(path, O_RDWR);
}

static long
truncate_readonly(const struct attack_place *place)
{
	return attack_said(truncate(attack_path(place, "readonly/long"), 1));
}

static long
chmod_readonly(const struct attack_place *place)
{
	return attack_said(chmod(attack_path(place, "readonly/note"), 0666));
}

static long
touch_readonly(const struct attack_place *place)
{
	return attack_said(
	    utimensat(AT_FDCWD, attack_path(place, "readonly/note"), NULL, 0));
}

static long
attribute_readonly(const struct attack_place *place)
{
	return attack_said(setxattr(
	    attack_path(place, "readonly/note"), "user.attack", "x", 1, 0));
}

static long
remove_readonly(const struct attack_place *place)
{
	return attack_said(unlink(attack_path(place, "readonly/victim")));
}

/* A file without a name is given one where only reading is granted. */
static long
link_into_readonly(const struct attack_place *place)
{
	char path[64];
	const int fd = open(attack_path(place, "granted"),
	    O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0)
		return -(long)errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return attack_said(linkat(AT_FDCWD, path, AT_FDCWD,
	    attack_path(place, "readonly/linked"), AT_SYMLINK_FOLLOW));
}

static long
link_from_readonly(const struct attack_place *place)
{
	const char *link = attack_path(place, "granted/note-link");

	unlink(link);
	if (linkat(AT_FDCWD, attack_path(place, "readonly/note"), AT_FDCWD,
		link, 0) < 0)
		return -(long)errno;
	return attack_open(link, O_WRONLY);
}

static long
read_hidden(const struct attack_place *place)
{
	return attack_read_secret(attack_path(place, "granted/hidden/key"));
}

static long
write_usr(const struct attack_place *place)
{
	(void)place;
	return attack_open("/usr/lib", O_WRONLY | O_TMPFILE);
}

static long
write_etc(const struct attack_place *place)
{
	(void)place;
	return attack_open("/etc", O_WRONLY | O_TMPFILE);
}

static long
write_root(const struct attack_place *place)
{
	(void)place;
	return attack_open("/", O_WRONLY | O_TMPFILE);
}

/* The host's /tmp is not ours. */
static long
see_host_tmp(const struct attack_place *place)
{
	char path[128];

	snprintf(path, sizeof(path), "/tmp/%s", place->name);
	return attack_read_secret(path);
}

static long
see_host_shm(const struct attack_place *place)
{
	char path[128];

	snprintf(path, sizeof(path), "/dev/shm/%s", place->name);
	return attack_read_secret(path);
}

static long
see_environment(const struct attack_place *place)
{
	(void)place;
	return getenv("CORDON_ATTACKS_SECRET") != NULL ? 0 : -ENOENT;
}

static const struct attack attacks[] = {
	ATTACK(USER, read_secret),
	ATTACK(USER, read_home),
	ATTACK(USER, read_home_variable),
	ATTACK(ROOT, read_shadow),
	ATTACK(ROOT, read_root_home),
	ATTACK(ROOT, read_other_user),
	ATTACK(USER, read_dotdot),
	ATTACK(USER, read_planted_link),
	ATTACK(USER, read_planted_folder),
	ATTACK(USER, read_own_link),
	ATTACK(USER, read_hard_link),
	ATTACK(USER, read_by_path_fd),
	ATTACK(USER, read_path_fd_dotdot),
	ATTACK(USER, read_openat_dotdot),
	ATTACK(USER, read_stdio_dotdot),
	ATTACK(USER, read_init_root),
	ATTACK(USER, read_self_root),
	ATTACK(USER, read_thread_root),
	ATTACK(USER, read_self_cwd),
	ATTACK(USER, read_init_cwd),
	ATTACK(USER, read_walk_up),
	ATTACK(USER, read_made_later),
	ATTACK(USER, look_at_secret),
	ATTACK(USER, list_place),
	ATTACK(ROOT, open_handle_root),
	ATTACK(USER, name_handle),
	ATTACK(USER, inherited),
	ATTACK(USER, inherited_folder),
	ATTACK(USER, inherited_listed),
	ATTACK(USER, rename_granted),
	ATTACK(USER, rename_ancestor),
	ATTACK(USER, exchange_grants),
	ATTACK(USER, replace_ancestor),
	ATTACK(USER, move_out),
	ATTACK(USER, write_readonly),
	ATTACK(USER, make_in_readonly),
	ATTACK(USER, reopen_readonly),
	ATTACK(USER, truncate_readonly),
	ATTACK(USER, chmod_readonly),
	ATTACK(USER, touch_readonly),
	ATTACK(USER, attribute_readonly),
	ATTACK(USER, remove_readonly),
	ATTACK(USER, link_into_readonly),
	ATTACK(USER, link_from_readonly),
	ATTACK(USER, read_hidden),
	ATTACK(ROOT, write_usr),
	ATTACK(ROOT, write_etc),
	ATTACK(ROOT, write_root),
	ATTACK(USER, see_host_tmp),
	ATTACK(USER, see_host_shm),
	ATTACK(USER, see_environment),
};

const struct attack_table attack_files = { "files", attacks,
	sizeof(attacks) / sizeof(attacks[0]) };
