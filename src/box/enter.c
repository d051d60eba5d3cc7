/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside half: a process that box_spawn() started shuts the door.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/box.h"
#include "box/caps.h"

/* The working directory is the folder (box_spawn). Nothing in it runs, is a
 * device, or gives a right. */
static int
folder_bind(struct err *err)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	static const char place[] = "/proc" BOX_FOLDER;

	if (mkdir(place, 0700) < 0 ||
	    mount(".", place, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, place, NULL, MS_REMOUNT | MS_BIND | flags, NULL) < 0)
		return err_set(err, -errno, "box: bind the domain's folder: %s",
		    strerror(errno));
	return 0;
}

/*
 * An empty root. /proc is only the place where the new root is mounted: it
 * exists everywhere, and goes away with the old root.
 */
static int
root_empty(const struct box_domain *domain, struct err *err)
{
	static const char place[] = "/proc";
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(
		    err, -errno, "box: make / private: %s", strerror(errno));
	if (mount("cordon", place, "tmpfs", flags, "size=4k,mode=0555") < 0)
		return err_set(err, -errno, "box: mount an empty root: %s",
		    strerror(errno));
	const int code = domain->folder_why != NULL ? folder_bind(err) : 0;
	if (code != 0)
		return code;
	if (chdir(place) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return err_set(
		    err, -errno, "box: pivot_root: %s", strerror(errno));
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_set(err, -errno, "box: leave the old root: %s",
		    strerror(errno));
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | flags, NULL) < 0)
		return err_set(
		    err, -errno, "box: read-only root: %s", strerror(errno));
	return 0;
}

int
box_enter(const char *name, struct err *err)
{
	const struct box_domain *domain = box_domain_find(name);
	if (domain == NULL)
		return err_set(err, -EINVAL, "box: no domain '%s'", name);

	struct box_filter filter = { 0 };
	int code = box_filter_init(&filter, name, 0, err);
	if (code == 0)
		code = root_empty(domain, err);
	if (code != 0)
		return code;

	code = box_caps_drop(domain->keep_caps);
	if (code != 0)
		return err_set(
		    err, code, "box: drop capabilities: %s", strerror(-code));

	const struct rlimit none = { 0, 0 };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0 ||
	    prctl(PR_SET_PDEATHSIG, 9 /* SIGKILL */) < 0)
		return err_set(
		    err, -errno, "box: no_new_privs: %s", strerror(errno));

	code = box_filter_install(&filter);
	box_filter_fini(&filter);
	return code == 0 ? 0
			 : err_set(err, code,
			       "box: seccomp filter: %s (is "
			       "CONFIG_SECCOMP_FILTER there?)",
			       strerror(-code));
}
