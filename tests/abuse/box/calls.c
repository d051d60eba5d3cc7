/* SPDX-License-Identifier: Apache-2.0
 *
 * System calls that no program of a stranger's needs. Most are made so that the
 * kernel would refuse the arguments, but only after it checked the rights.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* NAME: CALL works, or the kernel says ERRNO to its arguments. */
#define REACHES(name, with_errno, ...)                                         \
	static long name(const struct attack_place *place)                     \
	{                                                                      \
		(void)place;                                                   \
		return attack_reached(syscall(__VA_ARGS__), with_errno);       \
	}

#define NOWHERE "/nowhere/at/all"

REACHES(ring_enter, EBADF, SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0)
REACHES(ring_register, EINVAL, SYS_io_uring_register, -1, 0, NULL, 0)
REACHES(fault_handler, 0, SYS_userfaultfd, 1 /* USER_MODE_ONLY */)
REACHES(keyring_session, 0, SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL)
REACHES(
    keyring_get, 0, SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1)
REACHES(key_add, 0, SYS_add_key, "user", "attack", "x", 1ul,
    KEY_SPEC_PROCESS_KEYRING)
REACHES(key_request, ENOKEY, SYS_request_key, "user", "attack-none", NULL,
    KEY_SPEC_PROCESS_KEYRING)
REACHES(kernel_replace, EINVAL, SYS_kexec_load, 0ul, 99ul, NULL, 0ul)
REACHES(kernel_replace_file, EBADF, SYS_kexec_file_load, -1, -1, 0ul, NULL, 0ul)
REACHES(module_load, ENOEXEC, SYS_init_module, NULL, 0ul, "")
REACHES(module_load_file, EBADF, SYS_finit_module, -1, "", 0)
REACHES(module_remove, ENOENT, SYS_delete_module, "attack_none", 0)
REACHES(restart, EINVAL, SYS_reboot, 0, 0, 0, NULL)
REACHES(clock_step, 0, SYS_settimeofday, NULL, NULL)
REACHES(swap_on, ENOENT, SYS_swapon, NOWHERE, 0)
REACHES(swap_off, ENOENT, SYS_swapoff, NOWHERE)
REACHES(accounting, ENOENT, SYS_acct, NOWHERE)
REACHES(quota, ENOENT, SYS_quotactl, 0x80000700u, NOWHERE, 0, NULL)
REACHES(quota_fd, EBADF, SYS_quotactl_fd, -1, 0x80000700u, 0, NULL)
REACHES(port_level, 0, SYS_iopl, 3)
REACHES(port_access, 0, SYS_ioperm, 0x80ul, 1ul, 1)
REACHES(segment_table, 0, SYS_modify_ldt, 0, NULL, 0ul)
REACHES(kernel_log, 0, SYS_syslog, 10, NULL, 0)
REACHES(kernel_log_read, 0, SYS_syslog, 3, (char[64]){ 0 }, 64)
REACHES(hang_up, 0, SYS_vhangup)
REACHES(watch_all, 0, SYS_fanotify_init, FAN_CLASS_NOTIF, 0)
REACHES(watch_mark, EBADF, SYS_fanotify_mark, -1, FAN_MARK_ADD, FAN_OPEN,
    AT_FDCWD, "/")
REACHES(
    watch_by_name, 0, SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_REPORT_FID, 0)
REACHES(secret_memory, 0, SYS_memfd_secret, 0)
REACHES(compare, 0, SYS_kcmp, getpid(), getpid(), 1, 0, 0)
REACHES(compare_init, 0, SYS_kcmp, getpid(), 1, 1, 0, 0)
REACHES(persona, 0, SYS_personality, READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE)
REACHES(persona_high, 0, SYS_personality, ADDR_NO_RANDOMIZE | 0x100000000ul)
REACHES(pidfd_take_self, EBADF, SYS_pidfd_getfd, -1, 0, 0)
REACHES(memory_advise_others, EBADF, SYS_process_madvise, -1, NULL, 0ul, 4, 0)
REACHES(memory_release_others, EBADF, SYS_process_mrelease, -1, 0)
REACHES(pages_move, 0, SYS_move_pages, 1, 0ul, NULL, NULL, NULL, 0)
REACHES(pages_migrate, EINVAL, SYS_migrate_pages, 1, ~0ul, NULL, NULL)
REACHES(trace_init, 0, SYS_ptrace, PTRACE_SEIZE, 1, 0, 0)
REACHES(trace_me, 0, SYS_ptrace, PTRACE_TRACEME, 0, 0, 0)
REACHES(cookie, 0, SYS_lookup_dcookie, 0ul, NULL, 0ul)
REACHES(nfs, EINVAL, SYS_nfsservctl, -1, NULL, NULL)
REACHES(sysfs_call, 0, SYS_sysfs, 3)
REACHES(uselib, ENOENT, SYS_uselib, NOWHERE)
REACHES(ustat, EINVAL, SYS_ustat, 0, NULL)
REACHES(mm_set, 0, SYS_prctl, PR_SET_MM, PR_SET_MM_MAP_SIZE,
    (unsigned int[1]){ 0 }, 0, 0)

static long
ring(const struct attack_place *place)
{
	struct io_uring_params params = { 0 };

	(void)place;
	return attack_said(syscall(SYS_io_uring_setup, 4, &params));
}

static long
bpf_map(const struct attack_place *place)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1 };

	(void)place;
	return attack_said(
	    syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static long
bpf_program(const struct attack_place *place)
{
	const struct bpf_insn insns[] = { { .code = 0xb7 }, { .code = 0x95 } };
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t)insns,
		.insn_cnt = 2,
		.license = (uintptr_t) "GPL" };

	(void)place;
	return attack_said(
	    syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
}

static long
perf(const struct attack_place *place)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1,
		.exclude_hv = 1 };

	(void)place;
	return attack_said(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

static long
clock_tick(const struct attack_place *place)
{
	struct timex change = { .modes = ADJ_TICK, .tick = 1 };

	(void)place;
	return attack_reached(syscall(SYS_adjtimex, &change), EINVAL);
}

static long
clock_tick_other(const struct attack_place *place)
{
	struct timex change = { .modes = ADJ_TICK, .tick = 1 };

	(void)place;
	return attack_reached(
	    syscall(SYS_clock_adjtime, CLOCK_REALTIME, &change), EINVAL);
}

static long
clock_set(const struct attack_place *place)
{
	const struct timespec never = { .tv_nsec = -1 };

	(void)place;
	return attack_reached(
	    syscall(SYS_clock_settime, CLOCK_REALTIME, &never), EINVAL);
}

static long
init_descriptor(const struct attack_place *place)
{
	const long fd = syscall(SYS_pidfd_open, 1, 0);

	(void)place;
	if (fd < 0)
		return -(long)errno;
	for (int i = 0; i < 64; i++)
		if (syscall(SYS_pidfd_getfd, fd, i, 0) >= 0)
			return i;
	return -(long)errno;
}

static long
init_memory(const struct attack_place *place)
{
	char byte;
	struct iovec local = { &byte, 1 };
	struct iovec remote = { (void *)0x400000, 1 };

	(void)place;
	return attack_reached(
	    syscall(SYS_process_vm_readv, 1, &local, 1, &remote, 1, 0), EFAULT);
}

static long
init_memory_write(const struct attack_place *place)
{
	char byte = 0;
	struct iovec local = { &byte, 1 };
	struct iovec remote = { (void *)16, 1 };

	(void)place;
	return attack_reached(
	    syscall(SYS_process_vm_writev, 1, &local, 1, &remote, 1, 0),
	    EFAULT);
}

static long
init_io_priority(const struct attack_place *place)
{
	(void)place;
	return attack_said(syscall(SYS_ioprio_set, 1, 1, (3 << 13)));
}

static long
real_time(const struct attack_place *place)
{
	const struct sched_param parameter = { .sched_priority = 1 };

	(void)place;
	return attack_said(
	    syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameter));
}

/* Its words decide what our listener would: it must not become one. */
static long
listener_nested(const struct attack_place *place)
{
	struct sock_filter insns[] = { BPF_STMT(
	    BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	const struct sock_fprog program = { 1, insns };

	(void)place;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return attack_said(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

/* A filter more may forbid, never allow. */
static long
filter_allow(const struct attack_place *place)
{
	struct sock_filter insns[] = { BPF_STMT(
	    BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	const struct sock_fprog program = { 1, insns };

	(void)place;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	return attack_said(syscall(SYS_userfaultfd, 1));
}

static long
privileges_back(const struct attack_place *place)
{
	(void)place;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : -EPERM;
}

static long
capability_any(const struct attack_place *place)
{
	(void)place;
	for (unsigned long cap = 0; cap < 41; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			return (long)cap;
	return -EPERM;
}

static long
securebits_loose(const struct attack_place *place)
{
	(void)place;
	return attack_said(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
}

static long
user_change(const struct attack_place *place)
{
	(void)place;
	return attack_said(syscall(SYS_setuid, 0));
}

static long
group_change(const struct attack_place *place)
{
	(void)place;
	return attack_said(syscall(SYS_setgid, 0));
}

static long
groups_change(const struct attack_place *place)
{
	(void)place;
	return attack_said(syscall(SYS_setgroups, 0ul, NULL));
}

static long
other_abi(const struct attack_place *place)
{
	long result;

	(void)place;
	/* i386's getpid: another table of numbers, another ABI. */
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
	return result < 0 ? result : 0;
}

/* i386's socketcall, mount and ptrace hide behind other numbers. */
static long
other_abi_mount(const struct attack_place *place)
{
	long result;

	(void)place;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(21), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0)
			 : "memory");
	return result == -EFAULT || result == -EPERM ? 0 : result;
}

/* Where the kernel is built without x32 it says ENOSYS: the filter comes
 * first, so it must kill all the same. */
static long
other_x32(const struct attack_place *place)
{
	(void)place;
	return attack_reached(syscall(0x40000000 | SYS_getpid), ENOSYS);
}

static long
other_x32_ioctl(const struct attack_place *place)
{
	(void)place;
	return attack_reached(syscall(0x40000000 | 514, 0, 0, 0), ENOSYS);
}

static const struct attack attacks[] = {
	ATTACK(USER, ring),
	ATTACK(USER, ring_enter),
	ATTACK(USER, ring_register),
	ATTACK(ROOT, bpf_map),
	ATTACK(ROOT, bpf_program),
	ATTACK(ROOT, perf),
	ATTACK(USER, fault_handler),
	ATTACK(USER, keyring_session),
	ATTACK(USER, keyring_get),
	ATTACK(USER, key_add),
	ATTACK(USER, key_request),
	ATTACK(ROOT, kernel_replace),
	ATTACK(ROOT, kernel_replace_file),
	ATTACK(ROOT, module_load),
	ATTACK(ROOT, module_load_file),
	ATTACK(ROOT, module_remove),
	ATTACK(ROOT, restart),
	ATTACK(ROOT, clock_step),
	ATTACK(ROOT, clock_tick),
	ATTACK(ROOT, clock_tick_other),
	ATTACK(USER, clock_set),
	ATTACK(ROOT, swap_on),
	ATTACK(ROOT, swap_off),
	ATTACK(ROOT, accounting),
	ATTACK(ROOT, quota),
	ATTACK(USER, quota_fd),
	ATTACK(ROOT, port_level),
	ATTACK(ROOT, port_access),
	ATTACK(USER, segment_table),
	ATTACK(ROOT, kernel_log),
	ATTACK(ROOT, kernel_log_read),
	ATTACK(ROOT, hang_up),
	ATTACK(ROOT, watch_all),
	ATTACK(USER, watch_mark),
	ATTACK(USER, watch_by_name),
	ATTACK(USER, secret_memory),
	ATTACK(USER, compare),
	ATTACK(USER, compare_init),
	ATTACK(USER, persona),
	ATTACK(USER, persona_high),
	ATTACK(USER, pidfd_take_self),
	ATTACK(USER, memory_advise_others),
	ATTACK(USER, memory_release_others),
	ATTACK(USER, pages_move),
	ATTACK(USER, pages_migrate),
	ATTACK(USER, trace_init),
	ATTACK(USER, trace_me),
	ATTACK(USER, cookie),
	ATTACK(USER, nfs),
	ATTACK(USER, sysfs_call),
	ATTACK(USER, uselib),
	ATTACK(USER, ustat),
	ATTACK(USER, mm_set),
	ATTACK(USER, init_descriptor),
	ATTACK(USER, init_memory),
	ATTACK(USER, init_memory_write),
	ATTACK(USER, init_io_priority),
	ATTACK(ROOT, real_time),
	ATTACK(USER, listener_nested),
	ATTACK(USER, filter_allow),
	ATTACK(USER, privileges_back),
	ATTACK(USER, capability_any),
	ATTACK(ROOT, securebits_loose),
	ATTACK(ROOT, user_change),
	ATTACK(ROOT, group_change),
	ATTACK(ROOT, groups_change),
	ATTACK(USER, other_abi),
	ATTACK(USER, other_abi_mount),
	ATTACK(USER, other_x32),
	ATTACK(USER, other_x32_ioctl),
};

const struct attack_table attack_calls = { "calls", attacks,
	sizeof(attacks) / sizeof(attacks[0]) };
