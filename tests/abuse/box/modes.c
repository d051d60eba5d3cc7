/* SPDX-License-Identifier: Apache-2.0
 *
 * Set-id files in a granted folder: whoever runs one on the host runs it as the
 * payload's owner. Each way to make one; what counts is the file.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static const char *
victim(const struct attack_place *place)
{
	const char *path = attack_path(place, "granted/set-id");

	unlink(path);
	return path;
}

static const char *
made(const struct attack_place *place)
{
	const char *path = victim(place);

	attack_open(path, O_WRONLY | O_CREAT);
	return path;
}

/* What the call said, unless the file has not become what it should. */
static long
judge(const char *path, long result)
{
	struct stat about;
	const int error = errno;

	if (result < 0)
		return -(long)error;
	if (stat(path, &about) < 0)
		return -(long)errno;
	unlink(path);
	return (about.st_mode & (S_ISUID | S_ISGID)) != 0 ? 0 : -EPERM;
}

static long
chmod_plain(const struct attack_place *place)
{
	const char *path = made(place);

	return judge(path, syscall(SYS_chmod, path, 04755));
}

static long
chmod_group(const struct attack_place *place)
{
	const char *path = made(place);

	return judge(path, syscall(SYS_chmod, path, 02755));
}

/* The kernel takes 16 bits of the mode. */
static long
chmod_high(const struct attack_place *place)
{
	const char *path = made(place);

	return judge(path, syscall(SYS_chmod, path, 0xabcd00000000ul | 04755));
}

static long
chmod_upper(const struct attack_place *place)
{
	const char *path = made(place);

	return judge(path, syscall(SYS_chmod, path, 0x70000ul | 04755));
}

static long
chmod_fd(const struct attack_place *place)
{
	const char *path = made(place);
	const int fd = open(path, O_RDWR | O_CLOEXEC);

	return judge(path, syscall(SYS_fchmod, fd, 04755));
}

static long
chmod_at(const struct attack_place *place)
{
	const char *path = made(place);

	return judge(path, syscall(SYS_fchmodat, AT_FDCWD, path, 04755));
}

static long
chmod_at2(const struct attack_place *place)
{
	const char *path = made(place);

	return judge(path, syscall(SYS_fchmodat2, AT_FDCWD, path, 04755, 0));
}

static long
chmod_folder(const struct attack_place *place)
{
	const char *path = attack_path(place, "granted/set-id-folder");
	struct stat about;

	mkdir(path, 0777);
	if (syscall(SYS_chmod, path, 02777) < 0)
		return -(long)errno;
	const int code = stat(path, &about);
	rmdir(path);
	return code == 0 && (about.st_mode & S_ISGID) != 0 ? 0 : -EPERM;
}

static long
open_made(const struct attack_place *place)
{
	const char *path = victim(place);

	umask(0);
	return judge(path, syscall(SYS_open, path, O_CREAT | O_RDWR, 04755));
}

static long
openat_made(const struct attack_place *place)
{
	const char *path = victim(place);

	umask(0);
	return judge(
	    path, syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_RDWR, 06755));
}

static long
openat_high(const struct attack_place *place)
{
	const char *path = victim(place);

	umask(0);
	return judge(path,
	    syscall(SYS_openat, AT_FDCWD, path,
		0x100000000ul | O_CREAT | O_RDWR, 0x500000000ul | 04755));
}

static long
creat_made(const struct attack_place *place)
{
	const char *path = victim(place);

	umask(0);
	return judge(path, syscall(SYS_creat, path, 04755));
}

static long
temporary_made(const struct attack_place *place)
{
	char link[64];
	const char *path = victim(place);

	umask(0);
	const long fd = syscall(SYS_openat, AT_FDCWD,
	    attack_path(place, "granted"), O_TMPFILE | O_RDWR, 04755);
	if (fd < 0)
		return -(long)errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%ld", fd);
	return judge(
	    path, linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
}

/* The mode lies in memory, where no filter sees it. */
static long
openat2_made(const struct attack_place *place)
{
	const char *path = victim(place);
	struct open_how how = { .flags = O_CREAT | O_RDWR, .mode = 04755 };

	umask(0);
	return judge(
	    path, syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
}

static long
mknod_made(const struct attack_place *place)
{
	const char *path = victim(place);

	umask(0);
	return judge(path, syscall(SYS_mknod, path, S_IFREG | 04755, 0));
}

static long
mknodat_made(const struct attack_place *place)
{
	const char *path = victim(place);

	umask(0);
	return judge(
	    path, syscall(SYS_mknodat, AT_FDCWD, path, S_IFREG | 04755, 0));
}

static long
memory_file(const struct attack_place *place)
{
	struct stat about;
	const long fd = syscall(SYS_memfd_create, "x", 0);

	(void)place;
	if (fd < 0)
		return -(long)errno;
	if (syscall(SYS_fchmod, fd, 04777) < 0)
		return -(long)errno;
	if (fstat((int)fd, &about) < 0)
		return -(long)errno;
	return (about.st_mode & S_ISUID) != 0 ? 0 : -EPERM;
}

static long
file_capability(const struct attack_place *place)
{
	const unsigned int caps[6] = { 0x03000001, ~0u, 0, ~0u, 0, 0 };
	const char *path = made(place);

	return attack_said(
	    setxattr(path, "security.capability", caps, sizeof(caps), 0));
}

static long
trusted_attribute(const struct attack_place *place)
{
	return attack_said(setxattr(made(place), "trusted.x", "x", 1, 0));
}

static long
owner_change(const struct attack_place *place)
{
	return attack_said(chown(made(place), 0, 0));
}

static const struct attack attacks[] = {
	ATTACK(USER, chmod_plain),
	ATTACK(USER, chmod_group),
	ATTACK(USER, chmod_high),
	ATTACK(USER, chmod_upper),
	ATTACK(USER, chmod_fd),
	ATTACK(USER, chmod_at),
	ATTACK(USER, chmod_at2),
	ATTACK(USER, chmod_folder),
	ATTACK(USER, open_made),
	ATTACK(USER, openat_made),
	ATTACK(USER, openat_high),
	ATTACK(USER, creat_made),
	ATTACK(USER, temporary_made),
	ATTACK(USER, openat2_made),
	ATTACK(USER, mknod_made),
	ATTACK(USER, mknodat_made),
	ATTACK(USER, memory_file),
	ATTACK(ROOT, file_capability),
	ATTACK(ROOT, trusted_attribute),
	ATTACK(ROOT, owner_change),
};

const struct attack_table attack_modes = { "set-id", attacks,
	sizeof(attacks) / sizeof(attacks[0]) };
