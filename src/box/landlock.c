/* SPDX-License-Identifier: Apache-2.0 */
#include "box/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/root.h"

/* Younger than the headers of Debian 12. */
#define FS_TRUNCATE (1ull << 14) /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ull << 0) /* ABI 6 */
#define SCOPE_SIGNAL (1ull << 1)

struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

#define READ                                                                   \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |           \
	    LANDLOCK_ACCESS_FS_READ_DIR)
/* No devices: LANDLOCK_ACCESS_FS_MAKE_CHAR and _BLOCK are nobody's. */
#define WRITE                                                                  \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |       \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |     \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |       \
	    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |       \
	    LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE)
#define OF_FILES                                                               \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |           \
	    LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define EVERYTHING ((1ull << 16) - 1)

int
box_landlock_abi(void)
{
	const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

/* What this kernel knows of files: 13 rights at first, then more. */
static uint64_t
known(int abi)
{
	if (abi >= 5)
		return EVERYTHING;
	if (abi >= 3)
		return EVERYTHING & ~FS_IOCTL_DEV;
	const uint64_t first = (1ull << 13) - 1;
	return abi >= 2 ? first | LANDLOCK_ACCESS_FS_REFER : first;
}

static int
rule_add(int ruleset_fd, const char *path, uint64_t access, uint64_t all)
{
	struct stat stat;

	auto_close int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &stat) < 0)
		return -errno;
	if (!S_ISDIR(stat.st_mode))
		access &= OF_FILES;
	const struct landlock_path_beneath_attr rule = { access & all, fd };
	return syscall(SYS_landlock_add_rule, ruleset_fd,
		   LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
	    ? -errno
	    : 0;
}

static int
rules_add(int ruleset_fd, const struct box_spec *spec, uint64_t all)
{
	const char *const writable[] = { "/tmp", "/dev/shm", spec->home };

	int code = rule_add(ruleset_fd, "/", READ, all);
	if (code == 0)
		code = rule_add(ruleset_fd, "/dev",
		    LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
		    all);
	for (size_t i = 0; i < ARRAY_LEN(writable) && code == 0; i++)
		code = rule_add(ruleset_fd, writable[i], WRITE, all);
	for (uint32_t i = 0; i < spec->n_grants && code == 0; i++)
		if (spec->grants[i].access == BOX_ACCESS_WRITE)
			code = rule_add(ruleset_fd,
			    box_grant_place(&spec->grants[i]),
			    WRITE | FS_IOCTL_DEV, all);
	return code;
}

int
box_landlock_enter(const struct box_spec *spec, struct err *err)
{
	const int abi = box_landlock_abi();
	const struct ruleset ruleset = { .handled_access_fs = known(abi),
		.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL };
	const size_t size =
	    abi >= 6 ? sizeof(ruleset) : sizeof(ruleset.handled_access_fs);

	if (abi == 0)
		return err_set(err, -ENOSYS,
		    "the kernel has no Landlock (%s): it must be built with "
		    "CONFIG_SECURITY_LANDLOCK (Linux 5.13) and named in the "
		    "boot parameter lsm=",
		    strerror(errno));
	auto_close int fd =
	    (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
	if (fd < 0)
		return err_set(
		    err, -errno, "Landlock: ruleset: %s", strerror(errno));
	int code = rules_add(fd, spec, ruleset.handled_access_fs);
	if (code == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		code = -errno;
	return code == 0 ? 0
			 : err_set(err, code, "Landlock: %s", strerror(-code));
}
