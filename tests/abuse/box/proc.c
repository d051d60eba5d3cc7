/* SPDX-License-Identifier: Apache-2.0
 *
 * /proc, /sys and /dev: the kernel's own knobs and memory, and what init and
 * others have open.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Attacks that only open: to have a descriptor is enough, nothing is written. */
#define OPENS(name, path, flags)                                               \
	static long name(const struct attack_place *place)                     \
	{                                                                      \
		(void)place;                                                   \
		return attack_open(path, flags);                               \
	}

OPENS(write_core_pattern, "/proc/sys/kernel/core_pattern", O_WRONLY)
OPENS(write_modprobe, "/proc/sys/kernel/poweroff_cmd", O_WRONLY)
OPENS(write_randomize, "/proc/sys/kernel/randomize_va_space", O_WRONLY)
OPENS(write_hostname, "/proc/sys/kernel/hostname", O_WRONLY)
OPENS(write_ns_last_pid, "/proc/sys/kernel/ns_last_pid", O_WRONLY)
OPENS(write_pid_max, "/proc/sys/kernel/pid_max", O_WRONLY)
OPENS(write_shmmax, "/proc/sys/kernel/shmmax", O_WRONLY)
OPENS(write_msgmax, "/proc/sys/fs/mqueue/msg_max", O_WRONLY)
OPENS(write_panic, "/proc/sys/kernel/panic", O_WRONLY)
OPENS(write_drop_caches, "/proc/sys/vm/drop_caches", O_WRONLY)
OPENS(write_overcommit, "/proc/sys/vm/overcommit_memory", O_WRONLY)
OPENS(write_binfmt, "/proc/sys/fs/file-max", O_WRONLY)
OPENS(write_forward, "/proc/sys/net/ipv4/ip_forward", O_WRONLY)
OPENS(write_user_max, "/proc/sys/user/max_user_namespaces", O_WRONLY)
OPENS(write_sysrq, "/proc/sysrq-trigger", O_WRONLY)
OPENS(write_mtrr, "/proc/mtrr", O_WRONLY)
OPENS(write_irq, "/proc/irq/default_smp_affinity", O_WRONLY)
OPENS(read_kcore, "/proc/kcore", O_RDONLY)
OPENS(read_pages, "/proc/kpageflags", O_RDONLY)
OPENS(read_slabs, "/proc/slabinfo", O_RDONLY)
OPENS(read_vmalloc, "/proc/vmallocinfo", O_RDONLY)
OPENS(read_init_mem, "/proc/1/mem", O_RDONLY)
OPENS(write_init_mem, "/proc/1/mem", O_RDWR)
OPENS(read_init_environ, "/proc/1/environ", O_RDONLY)
OPENS(read_init_maps, "/proc/1/maps", O_RDONLY)
OPENS(read_init_auxv, "/proc/1/auxv", O_RDONLY)
OPENS(read_init_exe, "/proc/1/exe", O_RDONLY)
OPENS(read_init_fds, "/proc/1/fd", O_RDONLY | O_DIRECTORY)
OPENS(read_init_files, "/proc/1/map_files", O_RDONLY | O_DIRECTORY)
OPENS(write_init_oom, "/proc/1/oom_score_adj", O_WRONLY)
OPENS(write_init_comm, "/proc/1/comm", O_WRONLY)
OPENS(write_init_timerslack, "/proc/1/timerslack_ns", O_WRONLY)
OPENS(write_init_refs, "/proc/1/clear_refs", O_WRONLY)
OPENS(write_init_attr, "/proc/1/coredump_filter", O_WRONLY)
OPENS(read_init_namespaces, "/proc/1/ns/mnt", O_RDONLY)
OPENS(open_sys, "/sys/kernel", O_RDONLY | O_DIRECTORY)
OPENS(open_cgroups, "/sys/fs/cgroup", O_RDONLY | O_DIRECTORY)
OPENS(open_modules, "/sys/module", O_RDONLY | O_DIRECTORY)
OPENS(open_kmsg_device, "/dev/kmsg", O_RDONLY | O_NONBLOCK)
OPENS(open_console, "/dev/console", O_WRONLY | O_NONBLOCK | O_NOCTTY)
OPENS(open_fuse, "/dev/fuse", O_RDWR)
OPENS(open_loop_control, "/dev/loop-control", O_RDWR)
OPENS(open_disk, "/dev/loop0", O_RDONLY)
OPENS(open_kvm, "/dev/kvm", O_RDWR)
OPENS(open_tun, "/dev/net/tun", O_RDWR)
OPENS(open_memory, "/dev/port", O_RDONLY)
OPENS(open_virtual_console, "/dev/tty0", O_WRONLY | O_NOCTTY)
OPENS(open_clock, "/dev/rtc0", O_RDONLY)
OPENS(open_ptp, "/dev/vcs", O_RDONLY)

/* Without the right to see them, all addresses are 0. */
static long
read_kernel_addresses(const struct attack_place *place)
{
	unsigned long long address = 0;
	FILE *file = fopen("/proc/kallsyms", "re");

	(void)place;
	if (file == NULL)
		return -(long)errno;
	const int n = fscanf(file, "%llx", &address);
	fclose(file);
	return n == 1 && address != 0 ? 0 : -EPERM;
}

/* To read it would take it from others; a file that masks it is not of proc. */
static long
read_kmsg(const struct attack_place *place)
{
	struct statfs about;
	const int fd = open("/proc/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	(void)place;
	if (fd < 0 || fstatfs(fd, &about) < 0)
		return -(long)errno;
	close(fd);
	return about.f_type == PROC_SUPER_MAGIC ? 0 : -EPERM;
}

/* Masked files may be opened, but nothing is in them. */
static long
read_something(const char *path)
{
	char byte;
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -(long)errno;
	const ssize_t n = read(fd, &byte, 1);
	const int error = errno;
	close(fd);
	if (n < 0)
		return -(long)error;
	return n == 1 ? 0 : -ENODATA;
}

static long
read_keys(const struct attack_place *place)
{
	(void)place;
	return read_something("/proc/keys");
}

static long
read_timer_list(const struct attack_place *place)
{
	(void)place;
	return read_something("/proc/timer_list");
}

static long
read_interrupts(const struct attack_place *place)
{
	(void)place;
	return read_something("/proc/interrupts");
}

static long
read_key_users(const struct attack_place *place)
{
	(void)place;
	return read_something("/proc/key-users");
}

static long
read_acpi(const struct attack_place *place)
{
	(void)place;
	return read_something("/proc/acpi/wakeup");
}

static long
read_host_command_line(const struct attack_place *place)
{
	(void)place;
	return read_something("/proc/cmdline");
}

/* Processes of the host: any but ours and init's. */
static long
see_host_process(const struct attack_place *place)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/cmdline", place->pid);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[256] = "";
	if (fd < 0)
		return -(long)errno;
	const ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 && strstr(text, "box-attacks") != NULL &&
		strcmp(text + strlen(text) + 1, "host") == 0
	    ? 0
	    : -ENOENT;
}

static long
mount_proc(const struct attack_place *place)
{
	return attack_said(mount(
	    "proc", attack_path(place, "granted/mountpoint"), "proc", 0, NULL));
}

static long
unmask_by_unmount(const struct attack_place *place)
{
	(void)place;
	if (umount2("/proc/sys", MNT_DETACH) == 0 || errno == EINVAL)
		return 0;
	return -(long)errno;
}

static long
make_device(const struct attack_place *place)
{
	const char *path = attack_path(place, "granted/device");
	const long result =
	    attack_said(mknod(path, S_IFCHR | 0666, makedev(1, 11)));

	unlink(path);
	return result;
}

static long
make_disk(const struct attack_place *place)
{
	const char *path = attack_path(place, "granted/disk");
	const long result =
	    attack_said(mknod(path, S_IFBLK | 0666, makedev(7, 0)));

	unlink(path);
	return result;
}

static const struct attack attacks[] = {
	ATTACK(ROOT, write_core_pattern),
	ATTACK(ROOT, write_modprobe),
	ATTACK(ROOT, write_randomize),
	ATTACK(ROOT, write_hostname),
	ATTACK(ROOT, write_ns_last_pid),
	ATTACK(ROOT, write_pid_max),
	ATTACK(ROOT, write_shmmax),
	ATTACK(ROOT, write_msgmax),
	ATTACK(ROOT, write_panic),
	ATTACK(ROOT, write_drop_caches),
	ATTACK(ROOT, write_overcommit),
	ATTACK(ROOT, write_binfmt),
	ATTACK(ROOT, write_forward),
	ATTACK(SPACE, write_user_max),
	ATTACK(ROOT, write_sysrq),
	ATTACK(ROOT, write_mtrr),
	ATTACK(ROOT, write_irq),
	ATTACK(ROOT, read_kcore),
	ATTACK(ROOT, read_kmsg),
	ATTACK(ROOT, read_pages),
	ATTACK(ROOT, read_slabs),
	ATTACK(ROOT, read_vmalloc),
	ATTACK(USER, read_init_mem),
	ATTACK(USER, write_init_mem),
	ATTACK(USER, read_init_environ),
	ATTACK(USER, read_init_maps),
	ATTACK(USER, read_init_auxv),
	ATTACK(USER, read_init_exe),
	ATTACK(USER, read_init_fds),
	ATTACK(USER, read_init_files),
	ATTACK(USER, write_init_oom),
	ATTACK(USER, write_init_comm),
	ATTACK(USER, write_init_timerslack),
	ATTACK(USER, write_init_refs),
	ATTACK(USER, write_init_attr),
	ATTACK(USER, read_init_namespaces),
	ATTACK(ROOT, open_sys),
	ATTACK(ROOT, open_cgroups),
	ATTACK(ROOT, open_modules),
	ATTACK(ROOT, open_kmsg_device),
	ATTACK(ROOT, open_console),
	ATTACK(ROOT, open_fuse),
	ATTACK(ROOT, open_loop_control),
	ATTACK(ROOT, open_disk),
	ATTACK(ROOT, open_kvm),
	ATTACK(ROOT, open_tun),
	ATTACK(ROOT, open_memory),
	ATTACK(ROOT, open_virtual_console),
	ATTACK(ROOT, open_clock),
	ATTACK(ROOT, open_ptp),
	ATTACK(ROOT, read_kernel_addresses),
	ATTACK(ROOT, read_keys),
	ATTACK(ROOT, read_timer_list),
	ATTACK(ROOT, read_interrupts),
	ATTACK(ROOT, read_key_users),
	ATTACK(ROOT, read_acpi),
	ATTACK(ROOT, read_host_command_line),
	ATTACK(NEAR, see_host_process),
	ATTACK(SPACE, mount_proc),
	ATTACK(SPACE, unmask_by_unmount),
	ATTACK(ROOT, make_device),
	ATTACK(ROOT, make_disk),
};

const struct attack_table attack_proc = { "proc", attacks,
	sizeof(attacks) / sizeof(attacks[0]) };
