/* SPDX-License-Identifier: Apache-2.0
 *
 * The one table of privileges. Nothing else in the tree grants a system call.
 */
#include "box/domain.h"

#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/auto.h"

/* A table stays readable when an entry is one line. */
/* clang-format off */

#define MEMORY_CALLS                                                          \
	{ SYS_brk, "malloc" },                                                \
	{ SYS_munmap, "malloc, V8's pages" },                                 \
	{ SYS_mremap, "realloc of large blocks" },                            \
	{ SYS_madvise, "V8 gives pages back" },                               \
	{ SYS_futex, "locks of the C library and of V8" }

#define PRIVATE_MMAP                                                          \
	{ SYS_mmap, "memory; never shared, never a stack that grows: both "   \
		    "would escape RLIMIT_DATA", BOX_NO_BITS, 3,               \
	  MAP_SHARED | MAP_GROWSDOWN | MAP_HUGETLB }

#define CLOCK_CALLS                                                           \
	{ SYS_clock_gettime, "where the vDSO cannot answer" },                \
	{ SYS_gettimeofday, "where the vDSO cannot answer" },                 \
	{ SYS_getrandom, "seeds, crypto.getRandomValues" },                   \
	{ SYS_getrusage, "CPU and peak memory of a call, for its usage" }

#define EXIT_CALLS                                                            \
	{ SYS_exit_group, "the end" },                                        \
	{ SYS_exit, "the end" },                                              \
	{ SYS_rt_sigreturn, "back from the handler of the CPU limit" },       \
	{ SYS_rt_sigprocmask, "abort() and the C library's locks" },          \
	{ SYS_sched_yield, "V8's spin locks" },                               \
	{ SYS_gettid, "V8's recursive locks" },                               \
	{ SYS_getpid, "V8 looks for a fork" }

/* Descriptor 0 is its caller; 1 is egress, where it may reach something. */
#define CELL_STREAMS                                                          \
	{ SYS_recvfrom, "the call, off descriptor 0; fetches, off 1",         \
	  BOX_NO_BITS, 0, ~(uint64_t)1 },                                     \
	{ SYS_sendto, "the answer, to descriptor 0; fetches, to 1",           \
	  BOX_NO_BITS, 0, ~(uint64_t)1 },                                     \
	{ SYS_poll, "wait for a timer, the caller, egress or the end" }

/* cell: a stranger's code runs here, for one call. At most two descriptors. */
static const struct box_call cell_calls[] = {
	MEMORY_CALLS, PRIVATE_MMAP, CLOCK_CALLS, EXIT_CALLS,
	{ SYS_mprotect, "V8 commits pages and seals code" },
	{ SYS_pkey_mprotect, "the same, where the processor has keys" },
	CELL_STREAMS,
};

/* cell of a policy with reuse: it re-arms its own clock between calls. */
static const struct box_call cell_reuse_calls[] = {
	MEMORY_CALLS, PRIVATE_MMAP, CLOCK_CALLS, EXIT_CALLS,
	{ SYS_mprotect, "V8 commits pages and seals code" },
	{ SYS_pkey_mprotect, "the same, where the processor has keys" },
	CELL_STREAMS,
	{ SYS_timer_settime, "the CPU limit starts anew with each call; only "
			     "where the policy trusts the code with reuse" },
};

#define FORK_CALLS                                                            \
	{ SYS_clone, "fork a cell: a plain child, no namespace, no thread",   \
	  BOX_NO_BITS, 0, ~(uint64_t)(CLONE_CHILD_SETTID |                    \
				      CLONE_CHILD_CLEARTID | 0xff) },         \
	{ SYS_set_robust_list, "the C library, after a fork" },               \
	{ SYS_rseq, "the C library, after a fork" },                          \
	{ SYS_wait4, "how a cell ended" },                                    \
	{ SYS_kill, "end a cell whose wall time is over; its pid namespace "  \
		    "holds nothing but its cells" },                          \
	{ SYS_socketpair, "a cell's streams", BOX_EQ, 0, 1 /* AF_UNIX */ },    \
	{ SYS_sendmsg, "hand a cell's streams to the caller and to egress" }, \
	{ SYS_recvmsg, "orders: fork, kill; the channel to egress" },         \
	{ SYS_ppoll, "wait for an order or the end of a cell" },              \
	{ SYS_close, "descriptors that moved on" },                           \
	{ SYS_close_range, "a cell keeps one descriptor, or two" },           \
	{ SYS_dup3, "a cell's streams become descriptors 0 and 1" },          \
	{ SYS_dup2, "a cell's streams become descriptors 0 and 1" },          \
	{ SYS_prctl, "no_new_privs, no dumps, die with the parent" },         \
	{ SYS_seccomp, "the second, tighter filter" },                        \
	{ SYS_setrlimit, "memory and file limits of this deployment" },       \
	{ SYS_prlimit64, "the same, as the C library spells it" },            \
	{ SYS_timer_create, "the clocks of a call's CPU limit" },             \
	{ SYS_timer_settime, "the clocks of a call's CPU limit" },            \
	{ SYS_timer_delete, "the load's clock is put away" },                 \
	{ SYS_rt_sigaction, "the handlers of those clocks, a cell's end" }

/* template: one deployment's code was evaluated here; now it only forks. */
static const struct box_call template_calls[] = {
	MEMORY_CALLS, PRIVATE_MMAP, CLOCK_CALLS, EXIT_CALLS, FORK_CALLS,
	{ SYS_mprotect, "V8 commits pages and seals code" },
	{ SYS_pkey_mprotect, "the same, where the processor has keys" },
	{ SYS_recvfrom, "a cell reads its call" },
	{ SYS_sendto, "a cell answers" },
	{ SYS_poll, "a timer while the bundle is evaluated" },
	{ SYS_pread64, "the bundle, off its sealed memfd" },
	{ SYS_newfstatat, "how long the bundle is (fstat); the root is empty" },
	{ SYS_memfd_create, "what the deployment advertises, as a memfd" },
	{ SYS_write, "into that memfd" },
	{ SYS_lseek, "back to its start" },
	{ SYS_fcntl, "seal that memfd" },
	{ SYS_capget, "see that no capability is left" },
	{ SYS_capset, "give up the zygote's one capability" },
};

/* zygote: V8 warm, no tenant's code. Forks templates. */
static const struct box_call zygote_calls[] = {
	MEMORY_CALLS, PRIVATE_MMAP, CLOCK_CALLS, EXIT_CALLS, FORK_CALLS,
	{ SYS_mprotect, "V8 commits pages and seals code" },
	{ SYS_pkey_mprotect, "the same, where the processor has keys" },
	{ SYS_recvfrom, "a cell reads its call" },
	{ SYS_sendto, "a cell answers" },
	{ SYS_poll, "a timer while a bundle is evaluated" },
	{ SYS_pread64, "a template reads its bundle" },
	{ SYS_newfstatat, "how long the bundle is (fstat); the root is empty" },
	{ SYS_memfd_create, "a template tells what it advertises" },
	{ SYS_write, "into that memfd" },
	{ SYS_lseek, "back to its start" },
	{ SYS_fcntl, "seal that memfd" },
	{ SYS_capget, "see that no capability is left" },
	{ SYS_capset, "a template gives up the one capability" },
	{ SYS_clone3, "fork a template into a pid namespace of its own" },
	{ SYS_setresuid, "a template takes a uid of its own" },
	{ SYS_setresgid, "a template takes a gid of its own" },
};

/* gateway: HTTP and JSON from anyone. Sees no file, opens no socket. */
static const struct box_call gateway_calls[] = {
	MEMORY_CALLS, CLOCK_CALLS, EXIT_CALLS,
	{ SYS_mmap, "memory, and the plan it reads" },
	{ SYS_mprotect, "malloc's arenas; never executable", BOX_NO_BITS, 2, PROT_EXEC },
	{ SYS_accept4, "a client, off the inherited listener" },
	{ SYS_accept, "a client, off the inherited listener" },
	{ SYS_epoll_create1, "the loop" },
	{ SYS_epoll_ctl, "the loop" },
	{ SYS_epoll_wait, "the loop" },
	{ SYS_epoll_pwait, "the loop" },
	{ SYS_epoll_pwait2, "the loop" },
	{ SYS_poll, "single waits of the HTTP library" },
	{ SYS_eventfd2, "wake-ups inside the loop" },
	{ SYS_pipe2, "wake-ups inside the loop" },
	{ SYS_socketpair, "signals as events", BOX_EQ, 0, 1 /* AF_UNIX */ },
	{ SYS_read, "clients; the plan" },
	{ SYS_pread64, "the plan; what a template advertises" },
	{ SYS_recvfrom, "clients and cells" },
	{ SYS_recvmsg, "the supervisor and templates, with descriptors" },
	{ SYS_write, "clients; the log on stderr" },
	{ SYS_writev, "clients" },
	{ SYS_sendto, "clients and cells" },
	{ SYS_sendmsg, "the supervisor and templates; clients" },
	{ SYS_close, "whoever left" },
	{ SYS_shutdown, "half-closed clients" },
	{ SYS_fstat, "how long the plan is" },
	{ SYS_newfstatat, "the same, as the C library spells it" },
	{ SYS_lseek, "the plan" },
	{ SYS_fcntl, "non-blocking descriptors" },
	{ SYS_ioctl, "non-blocking descriptors (FIONBIO)", BOX_EQ, 1, 0x5421 },
	{ SYS_setsockopt, "TCP_NODELAY, TCP_CORK" },
	{ SYS_getsockopt, "errors of a client's socket" },
	{ SYS_getsockname, "which address a client dialled" },
	{ SYS_getpeername, "a client's address, for the log" },
	{ SYS_rt_sigaction, "SIGTERM drains" },
	{ SYS_getuid, "libevent asks whether it is setuid" },
	{ SYS_geteuid, "libevent asks whether it is setuid" },
	{ SYS_getgid, "libevent asks whether it is setuid" },
	{ SYS_getegid, "libevent asks whether it is setuid" },
	{ SYS_restart_syscall, "a wait that was stopped" },
	{ SYS_clock_nanosleep, "back-off of the HTTP library" },
	{ SYS_prctl, "its name in ps" },
#if defined(__SANITIZE_ADDRESS__)
	{ SYS_sigaltstack, "the sanitizer's handler (test builds only)" },
	{ SYS_readlink, "the sanitizer's report (test builds only)" },
	{ SYS_open, "the sanitizer's report (test builds only)" },
	{ SYS_openat, "the sanitizer's report (test builds only)" },
	{ SYS_tgkill, "the sanitizer's abort (test builds only)" },
#endif
};

/* store: the database, in the one folder it sees. SQLite makes its own file
 * calls there; no other path exists. */
static const struct box_call store_calls[] = {
	MEMORY_CALLS, PRIVATE_MMAP, CLOCK_CALLS, EXIT_CALLS,
	{ SYS_mprotect, "malloc's arenas; never executable", BOX_NO_BITS, 2, PROT_EXEC },
	{ SYS_mlock, "the pages of keys and secrets stay out of swap" },
	{ SYS_munlock, "the same, put away" },
	{ SYS_epoll_create1, "the loop" },
	{ SYS_epoll_ctl, "the loop" },
	{ SYS_epoll_wait, "the loop" },
	{ SYS_epoll_pwait, "the loop" },
	{ SYS_pipe2, "signals as events" },
	{ SYS_rt_sigaction, "SIGTERM ends it" },
	{ SYS_restart_syscall, "a wait that was stopped" },
	{ SYS_recvfrom, "the gateway's frames" },
	{ SYS_recvmsg, "the supervisor, with descriptors" },
	{ SYS_writev, "frames to the gateway" },
	{ SYS_sendmsg, "the supervisor, with descriptors" },
	{ SYS_memfd_create, "a bundle, for the supervisor" },
	{ SYS_openat, "the database and its journals" },
	{ SYS_close, "journals; bundles; a gateway that left" },
	{ SYS_read, "signals as events" },
	{ SYS_pread64, "the plan; the database; bundles" },
	{ SYS_pwrite64, "the database" },
	{ SYS_write, "a bundle into its memfd; the log on stderr" },
	{ SYS_lseek, "a bundle's memfd; SQLite looks for its file's end" },
	{ SYS_ftruncate, "a journal is cut" },
	{ SYS_fsync, "what was acknowledged stays" },
	{ SYS_fdatasync, "the same" },
	{ SYS_unlink, "a journal that is done" },
	{ SYS_fstat, "how long a file is" },
	{ SYS_newfstatat, "the same, as the C library spells it; no link leads to the database" },
	{ SYS_fchmod, "a journal has the mode of its database" },
	{ SYS_fchown, "a journal has the owner of its database" },
	{ SYS_fcntl, "the lock of the database; non-blocking descriptors; a bundle's seals" },
	{ SYS_getuid, "libevent asks whether it is setuid" },
	{ SYS_geteuid, "the same; SQLite asks who owns a journal" },
	{ SYS_getgid, "libevent asks whether it is setuid" },
	{ SYS_getegid, "libevent asks whether it is setuid" },
	{ SYS_clock_nanosleep, "SQLite waits for a lock" },
#if defined(__SANITIZE_ADDRESS__)
	{ SYS_sigaltstack, "the sanitizer's handler (test builds only)" },
	{ SYS_tgkill, "the sanitizer's abort (test builds only)" },
#endif
};

/* egress: the only one with a network. Names and addresses of strangers come
 * here; it opens no file. */
static const struct box_call egress_calls[] = {
	MEMORY_CALLS, PRIVATE_MMAP, CLOCK_CALLS, EXIT_CALLS,
	{ SYS_mprotect, "malloc's arenas; never executable", BOX_NO_BITS, 2, PROT_EXEC },
	{ SYS_mlock, "the pages of secrets stay out of swap" },
	{ SYS_munlock, "the same, put away" },
	{ SYS_epoll_create1, "the loop" },
	{ SYS_epoll_ctl, "the loop" },
	{ SYS_epoll_wait, "the loop" },
	{ SYS_epoll_pwait, "the loop" },
	{ SYS_epoll_pwait2, "the loop" },
	{ SYS_poll, "libcurl looks whether an idle connection is alive" },
	{ SYS_eventfd2, "wake-ups inside the loop" },
	{ SYS_pipe2, "signals as events; what large bodies go through" },
	{ SYS_splice, "large bodies, from socket to socket uncopied" },
	{ SYS_socket, "connections out, questions to the name servers", BOX_EQ, 0, 2 /* AF_INET */ },
	{ SYS_socket, "the same", BOX_EQ, 0, 10 /* AF_INET6 */ },
	{ SYS_socketpair, "wake-ups of libcurl; TLS that is ended here", BOX_EQ, 0, 1 /* AF_UNIX */ },
	{ SYS_connect, "to an address that was checked" },
	{ SYS_accept4, "a box's connection, off a listener made inside it" },
	{ SYS_accept, "the same" },
	{ SYS_getsockname, "which name a box dialled" },
	{ SYS_getpeername, "who was reached, checked again" },
	{ SYS_setsockopt, "TCP_NODELAY, keep-alive" },
	{ SYS_getsockopt, "whether a connection was made" },
	{ SYS_shutdown, "one direction is done" },
	{ SYS_read, "connections, cells, boxes" },
	{ SYS_readv, "the same" },
	{ SYS_pread64, "the settings" },
	{ SYS_recvfrom, "the same; name servers" },
	{ SYS_recvmsg, "the supervisor and templates, with descriptors" },
	{ SYS_write, "connections; the log on stderr" },
	{ SYS_writev, "the same" },
	{ SYS_sendto, "the same; name servers" },
	{ SYS_sendmsg, "the same" },
	{ SYS_close, "whoever left" },
	{ SYS_lseek, "the settings" },
	{ SYS_fstat, "how long the settings are" },
	{ SYS_newfstatat, "the same, as the C library spells it" },
	{ SYS_fcntl, "non-blocking descriptors" },
	{ SYS_ioctl, "how much there is to read (FIONREAD)", BOX_EQ, 1, 0x541b },
	{ SYS_ioctl, "non-blocking descriptors (FIONBIO)", BOX_EQ, 1, 0x5421 },
	{ SYS_rt_sigaction, "SIGTERM ends it" },
	{ SYS_restart_syscall, "a wait that was stopped" },
	{ SYS_clock_nanosleep, "back-off of the HTTP library" },
	{ SYS_getuid, "libevent asks whether it is setuid" },
	{ SYS_geteuid, "libevent asks whether it is setuid" },
	{ SYS_getgid, "libevent asks whether it is setuid" },
	{ SYS_getegid, "libevent asks whether it is setuid" },
#if defined(__SANITIZE_ADDRESS__)
	{ SYS_sigaltstack, "the sanitizer's handler (test builds only)" },
	{ SYS_readlink, "the sanitizer's report (test builds only)" },
	{ SYS_open, "the sanitizer's report (test builds only)" },
	{ SYS_openat, "the sanitizer's report (test builds only)" },
	{ SYS_tgkill, "the sanitizer's abort (test builds only)" },
#endif
};

#define CALLS(table) .calls = (table), .n_calls = ARRAY_LEN(table)

static const struct box_domain domains[] = {
	{ .name = "gateway", .uid_offset = 1, CALLS(gateway_calls),
	  .duty = "HTTP and JSON from anyone; talks to cells over descriptors "
		  "it was given; never opens a file or a socket" },
	{ .name = "store", .uid_offset = 3, CALLS(store_calls),
	  .folder_why = "the database; nosuid, nodev, noexec",
	  .duty = "the only holder of the database: tenants, tokens, servers, "
		  "the audit; decides who may administer; no network" },
	{ .name = "egress", .uid_offset = 4, CALLS(egress_calls),
	  .network_why = "to resolve and to connect, under the address policy",
	  .duty = "the only way out: decides by what was approved, holds "
		  "secrets in clear; sees no file" },
	{ .name = "zygote", .uid_offset = 2, CALLS(zygote_calls),
	  .n_uids = 8192,
	  .keep_caps = 1ull << CAP_SYS_ADMIN | 1ull << CAP_SETUID |
		       1ull << CAP_SETGID,
	  .caps_why = "in its own user namespace only: a pid namespace and, "
		      "started by root, a uid for each template",
	  .duty = "V8 warm, no tenant's code; forks templates on order; never "
		  "reads a byte that a stranger wrote" },
	{ .name = "template", .uid_offset = 2, CALLS(template_calls),
	  .duty = "one deployment's code, evaluated and warm; then only forks" },
	{ .name = "cell", .uid_offset = 2, CALLS(cell_calls),
	  .duty = "a stranger's code, one call; computes; its caller's "
		  "descriptor, and where it may reach something, egress's" },
	{ .name = "cell-reuse", .uid_offset = 2, CALLS(cell_reuse_calls),
	  .duty = "a cell of a deployment whose policy reuses cells" },
};

/* clang-format on */

const struct box_domain *
box_domain_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(domains); i++)
		if (strcmp(domains[i].name, name) == 0)
			return &domains[i];
	return NULL;
}

const struct box_domain *
box_domain_at(size_t i)
{
	return i < ARRAY_LEN(domains) ? &domains[i] : NULL;
}
