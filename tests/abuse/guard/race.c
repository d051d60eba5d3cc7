/* SPDX-License-Identifier: Apache-2.0
 *
 * A path that changes while it is looked at: one thread turns "x.git" into
 * "..git" and back, the other makes it, 100,000 times and each way once more
 * with a rename. Says whether "..git" was made.
 *
 *     race                in a guarded box: it must not
 *     race --naive        control: behind a listener that looks, and then lets
 *                         the kernel look again; it must
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES 100000
#define KEPT "..git"
#define FREE "x.git"

static char path[] = FREE;
static atomic_int is_over;

static void *
flip(void *unused)
{
	volatile char *first = path;

	while (!atomic_load(&is_over)) {
		*first = '.';
		*first = 'x';
	}
	return unused;
}

static int
is_made(void)
{
	struct stat stat;

	return lstat(KEPT, &stat) == 0;
}

static int
try_all(void)
{
	pthread_t thread;
	int made = 0, refused = 0, done = 0;

	if (pthread_create(&thread, NULL, flip, NULL) != 0)
		return 2;
	for (int i = 0; i < TRIES && !made; i++) {
		const int fd = (int)syscall(SYS_openat, AT_FDCWD, path,
		    O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd >= 0) {
			done++;
			close(fd);
		} else if (errno == EACCES) {
			refused++;
		}
		if (i % 16 == 0)
			made = is_made();
		if (i % 4 == 0)
			syscall(
			    SYS_renameat2, AT_FDCWD, FREE, AT_FDCWD, path, 0);
	}
	made |= is_made();
	atomic_store(&is_over, 1);
	pthread_join(thread, NULL);
	printf("%s; both ways were seen: %s\n", made ? "made" : "never made",
	    done > 0 && (refused > 0 || made) ? "yes" : "no");
	return 0;
}

/* ---- the control ---------------------------------------------------------- */

static int
filter_install(void)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, insns };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void
naive_listen(int listener_fd, int mem_fd)
{
	struct seccomp_notif notif;
	char seen[sizeof(path)];

	for (;;) {
		memset(&notif, 0, sizeof(notif));
		if (ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0)
			return;
		struct seccomp_notif_resp response = { .id = notif.id,
			.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
		if (pread(mem_fd, seen, sizeof(seen),
			(off_t)notif.data.args[1]) > 0 &&
		    strcmp(seen, KEPT) == 0) {
			response.flags = 0;
			response.error = -EACCES;
		}
		ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
}

/* The listener is in the child, which looks into its parent's memory. */
static int
naive_run(void)
{
	const int mem_fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	int ready[2];

	if (mem_fd < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ready) < 0)
		return 2;
	const int listener_fd = filter_install();
	if (listener_fd < 0)
		return 2;
	const pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		naive_listen(listener_fd, mem_fd);
		_exit(0);
	}
	close(listener_fd);
	const int code = try_all();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return code;
}

int
main(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "--naive") == 0 ? naive_run()
							   : try_all();
}
