/* SPDX-License-Identifier: Apache-2.0
 *
 * Pid 1 of a box: waits for whatever comes first of a child's end, an order, a
 * note to be made, the end of its time. With init everything in its pid
 * namespace ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/init/guard.h"
#include "box/inside.h"
#include "box/payload.h"

/* Linux 6.6: who waits for an answer and who gives it take turns on one CPU. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

struct loop {
	struct box_init *init;
	int children_fd;
	uint64_t over_ms; /* the time limit; 0: none */
	uint64_t kill_ms; /* the end of its grace; 0: it may live */
	int exit_code; /* of an end that we bring about */
};

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* TERM to all, stopped ones too; those that do not obey go with us. */
static void
end_begin(struct loop *loop, int exit_code)
{
	if (loop->kill_ms != 0)
		return;
	loop->exit_code = exit_code;
	loop->kill_ms = now_ms() + loop->init->spec->limits.grace_ms;
	kill(-1, SIGTERM);
	kill(-1, SIGCONT);
}

static void __attribute__((noreturn)) end(const struct loop *loop, int status)
{
	int exit_code =
	    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

	if (loop->kill_ms != 0 && loop->exit_code != 0)
		exit_code = loop->exit_code;
	box_notes_end(loop->init);
	box_note_send(loop->init, BOX_NOTE_EXITED, status,
	    (uint32_t)loop->init->payload, NULL, 0);
	_exit(exit_code);
}

static void
children_reap(struct loop *loop)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(loop->children_fd, &info, sizeof(info)) == sizeof(info))
		;
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != loop->init->payload)
			continue;
		if (!WIFSTOPPED(status))
			end(loop, status);
		box_note_send(loop->init, BOX_NOTE_STOPPED, WSTOPSIG(status),
		    (uint32_t)pid, NULL, 0);
	}
}

static void
order_take(struct loop *loop)
{
	struct box_order order;

	const ssize_t n =
	    recv(loop->init->notes_fd, &order, sizeof(order), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == (ssize_t)sizeof(order) && order.signal != 0 &&
	    order.signal < NSIG) {
		kill(loop->init->payload, (int)order.signal);
		return;
	}
	/* An order to end, or nobody is left to hear of us. */
	if (n <= 0) {
		close(loop->init->notes_fd);
		loop->init->notes_fd = -1;
	}
	end_begin(loop, 0);
}

static void
time_is_over(struct loop *loop)
{
	char text[64];

	const int len = snprintf(text, sizeof(text), "time limit of %llu ms",
	    (unsigned long long)loop->init->spec->limits.wall_ms);
	box_note_send(loop->init, BOX_NOTE_LIMIT, 0, 0, text,
	    (size_t)(len > 0 ? len : 0));
	loop->over_ms = 0;
	end_begin(loop, BOX_EXIT_TIMEOUT);
}

/* Milliseconds until a deadline; what is due is done. */
static int
deadlines_pass(struct loop *loop)
{
	const uint64_t now = now_ms();

	if (loop->kill_ms != 0 && now >= loop->kill_ms)
		end(loop, SIGKILL); /* a wait status: killed by it */
	if (loop->over_ms != 0 && now >= loop->over_ms)
		time_is_over(loop);
	uint64_t next = loop->kill_ms;
	if (loop->over_ms != 0 && (next == 0 || loop->over_ms < next))
		next = loop->over_ms;
	if (next == 0)
		return -1;
	const uint64_t left = next > now ? next - now : 0;
	return left > 1000000000u ? 1000000000 : (int)left;
}

static void __attribute__((noreturn)) loop_run(struct loop *loop)
{
	struct box_init *init = loop->init;

	for (;;) {
		struct pollfd fds[] = {
			{ loop->children_fd, POLLIN, 0 },
			{ init->notes_fd, POLLIN, 0 },
			{ init->listener_fd, POLLIN, 0 },
		};
		int wait_ms = deadlines_pass(loop);
		const int retry_ms = box_guard_retry(init);
		if (retry_ms >= 0 && (wait_ms < 0 || retry_ms < wait_ms))
			wait_ms = retry_ms;
		if (poll(fds, ARRAY_LEN(fds), wait_ms) < 0 && errno != EINTR)
			_exit(BOX_EXIT_FAILED);
		if (fds[2].revents & POLLIN)
			box_notice_take(init);
		else if (fds[2].revents != 0)
			init->listener_fd = -1; /* nobody is left behind it */
		if (fds[1].revents != 0)
			order_take(loop);
		if (fds[0].revents != 0)
			children_reap(loop);
	}
}

/* The payload's standard streams are not ours to hold open, nor is anything
 * else of the launcher's. */
static void
descriptors_close(struct box_init *init)
{
	const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int notes_fd = fcntl(init->notes_fd, F_DUPFD_CLOEXEC, 5);
	const int listener_fd = init->listener_fd < 0
	    ? -1
	    : fcntl(init->listener_fd, F_DUPFD_CLOEXEC, 5);

	if (null_fd < 0 || notes_fd < 0 || dup2(null_fd, 0) < 0 ||
	    dup2(null_fd, 1) < 0 || dup2(null_fd, 2) < 0 ||
	    (init->listener_fd >= 0 && listener_fd < 0))
		_exit(BOX_EXIT_FAILED);
	dup2(notes_fd, 3);
	init->notes_fd = 3;
	unsigned first = 4;
	if (listener_fd >= 0) {
		dup2(listener_fd, 4);
		init->listener_fd = 4;
		first = 5;
	}
	syscall(SYS_close_range, first, ~0u, 0);
}

/* Strangers' paths are read here: the payload's own filter, and what a listener
 * needs. */
static void
filter_install(const struct box_init *init)
{
	const struct payload_filter filter = payload_filter_init();
	const struct sock_fprog program = { filter.n_insns,
		(struct sock_filter *)(uintptr_t)filter.insns };

	(void)init;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		_exit(BOX_EXIT_FAILED);
}

void
box_init_run(struct box_init *init)
{
	struct loop loop = { .init = init };
	sigset_t children;

	descriptors_close(init);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	loop.children_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop.children_fd < 0)
		_exit(BOX_EXIT_FAILED);
	if (init->listener_fd >= 0)
		(void)ioctl(init->listener_fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
		    SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	if (init->spec->limits.wall_ms != 0)
		loop.over_ms = now_ms() + init->spec->limits.wall_ms;
	filter_install(init);
	/* It may have ended before anybody listened for that. */
	children_reap(&loop);
	loop_run(&loop);
}
