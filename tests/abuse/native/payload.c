/* SPDX-License-Identifier: Apache-2.0 */
#include "payload.h"

#include <errno.h>
#include <poll.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A child of an attack that worked must not run on. */
static long
forked(long pid)
{
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, __WALL);
	return pid;
}

static long
open_file(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
}

static long
open_root(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
}

static long
open_proc_mem(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR, 0);
}

static long
make_file(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, 0600);
}

static long
stat_file(void)
{
	char buffer[256];

	return syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", buffer, 0);
}

static long
read_link(void)
{
	char buffer[256];

	return syscall(
	    SYS_readlinkat, AT_FDCWD, "/proc/self/exe", buffer, sizeof(buffer));
}

static long
socket_inet(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long
socket_unix(void)
{
	return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long
socket_netlink(void)
{
	return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0);
}

static long
socket_pair(void)
{
	int pair[2];

	return syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
}

static long
exec_shell(void)
{
	const char *const argv[] = { "true", NULL };
	const long pid = syscall(SYS_fork);

	if (pid != 0)
		return forked(pid);
	syscall(SYS_execve, "/bin/true", argv, NULL);
	_exit(1);
}

static long
exec_self(void)
{
	const char *const argv[] = { "x", NULL };

	/* A path that is nowhere: a refusal by the kernel is ENOENT. */
	return syscall(SYS_execve, "/nowhere/x", argv, NULL);
}

static long
fork_plain(void)
{
	return forked(syscall(SYS_fork));
}

static long
fork_clone(void)
{
	return forked(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static long
fork_clone3(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD };

	return forked(syscall(SYS_clone3, &args, sizeof(args)));
}

static long
thread_clone(void)
{
	/* Without a stack of its own: only a kernel that refuses is safe. */
	return forked(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
}

static long
namespace_user(void)
{
	return forked(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}

static long
namespace_unshare(void)
{
	return syscall(SYS_unshare, CLONE_NEWUTS);
}

static long
namespace_setns(void)
{
	return syscall(SYS_setns, -1, CLONE_NEWNS);
}

static long
trace_me(void)
{
	return syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
}

static long
trace_parent(void)
{
	return syscall(SYS_ptrace, PTRACE_SEIZE, getppid(), 0, 0);
}

static long
memory_of_parent(void)
{
	char byte;
	struct iovec local = { &byte, 1 };
	struct iovec remote = { (void *)(uintptr_t)&payload_run, 1 };

	return syscall(
	    SYS_process_vm_readv, getpid(), &local, 1, &remote, 1, 0);
}

static long
signal_parent(void)
{
	return syscall(SYS_kill, getppid(), 0);
}

static long
signal_all(void)
{
	return syscall(SYS_kill, -1, 0);
}

static long
signal_thread(void)
{
	return syscall(SYS_tgkill, getpid(), getpid(), 0);
}

static long
pidfd_parent(void)
{
	return syscall(SYS_pidfd_open, getppid(), 0);
}

static long
uring(void)
{
	struct io_uring_params params = { 0 };

	return syscall(SYS_io_uring_setup, 4, &params);
}

static long
bpf_map(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1 };

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static long
fault_handler(void)
{
	return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */);
}

static long
keys(void)
{
	return syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */,
	    -3 /* KEY_SPEC_SESSION_KEYRING */, 1);
}

static long
perf(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1 };

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long
memfd(void)
{
	return syscall(SYS_memfd_create, "x", 0);
}

static long
descriptor_dup(void)
{
	return syscall(SYS_dup, 0);
}

static long
descriptor_pipe(void)
{
	int pair[2];

	return syscall(SYS_pipe2, pair, 0);
}

static long
descriptor_epoll(void)
{
	return syscall(SYS_epoll_create1, 0);
}

static long
descriptor_event(void)
{
	return syscall(SYS_eventfd2, 0, 0);
}

/* Whatever lies behind any other number: one must be as closed as the next.
 * (poll(2) can be had, and tells.) */
static long
open_from(int first)
{
	for (int fd = first; fd < 4096; fd++) {
		struct pollfd one = { .fd = fd, .events = POLLIN };
		if (syscall(SYS_poll, &one, 1, 0) < 0 ||
		    (one.revents & POLLNVAL) == 0)
			return fd;
	}
	errno = EBADF;
	return -1;
}

static long
descriptor_others(void)
{
	return open_from(1);
}

/* Where the first two are meant to be there. */
static long
descriptor_beyond(void)
{
	return open_from(2);
}

/* Were there a third one, nothing could be read from it. */
static long
descriptor_third(void)
{
	char byte;

	return syscall(
	    SYS_recvfrom, 2, &byte, 1, MSG_DONTWAIT | MSG_PEEK, NULL, NULL);
}

static long
descriptor_receive(void)
{
	struct msghdr msg = { 0 };

	return syscall(SYS_recvmsg, 0, &msg, MSG_DONTWAIT);
}

static long
descriptor_send(void)
{
	struct msghdr msg = { 0 };

	return syscall(SYS_sendmsg, 0, &msg, MSG_DONTWAIT);
}

static long
mount_tmpfs(void)
{
	return syscall(SYS_mount, "x", "/proc", "tmpfs", 0, NULL);
}

static long
root_pivot(void)
{
	return syscall(SYS_chroot, "/");
}

static long
root_enter(void)
{
	return syscall(SYS_chdir, "/");
}

static long
memory_shared(void)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0) == -1
	    ? -1
	    : 0;
}

static long
memory_growsdown(void)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0) == -1
	    ? -1
	    : 0;
}

/* Eight times what the policy of the test gives. */
static long
memory_flood(void)
{
	const size_t piece = 64u << 20;

	for (int i = 0; i < 16; i++)
		if (syscall(SYS_mmap, NULL, piece, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1)
			return -1;
	return 0;
}

/* Address space without an end: page tables are memory too. */
static long
memory_space(void)
{
	for (int i = 0; i < 64; i++)
		if (syscall(SYS_mmap, NULL, 1ul << 30, PROT_READ,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			0) == -1)
			return -1;
	return 0;
}

static long
limit_raise(void)
{
	const struct rlimit limit = { 64, 64 };

	return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL);
}

static long
clock_disarm(void)
{
	const struct itimerspec never = { 0 };
	timer_t timer = 0;

#ifdef PAYLOAD_CONTROL
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	timer_create(CLOCK_MONOTONIC, &event, &timer);
#endif
	return syscall(
	    SYS_timer_settime, (int)(intptr_t)timer, 0, &never, NULL);
}

static long
filter_replace(void)
{
	return syscall(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0);
}

static long
dumpable(void)
{
	return syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long
handler_set(void)
{
	uint64_t action[4] = { 0 };

	return syscall(SYS_rt_sigaction, SIGUSR1, action, NULL, 8);
}

static long
device_ioctl(void)
{
	int bytes;

	return syscall(SYS_ioctl, 0, 0x541b /* FIONREAD */, &bytes);
}

static long
memory_kernel(void)
{
	return syscall(SYS_syslog, 10 /* SIZE_BUFFER */, NULL, 0);
}

static long
other_abi(void)
{
	long result;

	/* i386's getpid: another table of numbers, another ABI. */
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
	return result;
}

static long
other_x32(void)
{
	return syscall(0x40000000 | SYS_getpid);
}

#define ATTACK(name)                                                           \
	{                                                                      \
#name, name                                                    \
	}

static const struct {
	const char *name;
	long (*run)(void);
} attacks[] = {
	ATTACK(open_file),
	ATTACK(open_root),
	ATTACK(open_proc_mem),
	ATTACK(make_file),
	ATTACK(stat_file),
	ATTACK(read_link),
	ATTACK(socket_inet),
	ATTACK(socket_unix),
	ATTACK(socket_netlink),
	ATTACK(socket_pair),
	ATTACK(exec_shell),
	ATTACK(exec_self),
	ATTACK(fork_plain),
	ATTACK(fork_clone),
	ATTACK(fork_clone3),
	ATTACK(thread_clone),
	ATTACK(namespace_user),
	ATTACK(namespace_unshare),
	ATTACK(namespace_setns),
	ATTACK(trace_me),
	ATTACK(trace_parent),
	ATTACK(memory_of_parent),
	ATTACK(signal_parent),
	ATTACK(signal_all),
	ATTACK(signal_thread),
	ATTACK(pidfd_parent),
	ATTACK(uring),
	ATTACK(bpf_map),
	ATTACK(fault_handler),
	ATTACK(keys),
	ATTACK(perf),
	ATTACK(memfd),
	ATTACK(descriptor_dup),
	ATTACK(descriptor_pipe),
	ATTACK(descriptor_epoll),
	ATTACK(descriptor_event),
	ATTACK(descriptor_others),
	ATTACK(descriptor_beyond),
	ATTACK(descriptor_third),
	ATTACK(descriptor_receive),
	ATTACK(descriptor_send),
	ATTACK(mount_tmpfs),
	ATTACK(root_pivot),
	ATTACK(root_enter),
	ATTACK(memory_shared),
	ATTACK(memory_growsdown),
	ATTACK(memory_flood),
	ATTACK(memory_space),
	ATTACK(limit_raise),
	ATTACK(clock_disarm),
	ATTACK(filter_replace),
	ATTACK(dumpable),
	ATTACK(handler_set),
	ATTACK(device_ioctl),
	ATTACK(memory_kernel),
	ATTACK(other_abi),
	ATTACK(other_x32),
};

#define N_ATTACKS ((int)(sizeof(attacks) / sizeof(attacks[0])))

const char *
payload_name(int i)
{
	return i >= 0 && i < N_ATTACKS ? attacks[i].name : NULL;
}

int
payload_run(const char *name, struct payload_outcome *outcome)
{
	for (int i = 0; i < N_ATTACKS; i++) {
		if (strcmp(attacks[i].name, name) != 0)
			continue;
		errno = 0;
		outcome->result = attacks[i].run();
		outcome->error = outcome->result < 0 ? errno : 0;
		return 0;
	}
	return -1;
}
