/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs that do not end, or end badly. Only ever started in a box, or where
 * their test bounds them.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
say(const char *line)
{
	if (write(STDOUT_FILENO, line, strlen(line)) < 0)
		_exit(1);
}

static void
deafen(void)
{
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_IGN);
}

static int
bomb_fork(const char *argument)
{
	(void)argument;
	say("begins\n");
	for (;;)
		if (fork() < 0)
			sched_yield();
	return 0;
}

static void *
thread_run(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}

static int
bomb_threads(const char *argument)
{
	pthread_attr_t attr;
	pthread_t thread;

	(void)argument;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 32 << 10);
	say("begins\n");
	for (;;)
		if (pthread_create(&thread, &attr, thread_run, NULL) != 0)
			sched_yield();
	return 0;
}

static int
bomb_memory(const char *argument)
{
	(void)argument;
	say("begins\n");
	for (;;) {
		void *memory = malloc(1 << 20);
		if (memory != NULL)
			memset(memory, 1, 1 << 20);
		__asm__ volatile("" : : "r"(memory) : "memory");
	}
	return 0;
}

/* Whoever is killed for memory is begun again. */
static int
bomb_memory_family(const char *argument)
{
	say("begins\n");
	for (;;) {
		const pid_t pid = fork();
		if (pid == 0)
			bomb_memory(argument);
		waitpid(pid, NULL, 0);
	}
	return 0;
}

static int
bomb_disk(const char *argument)
{
	static char block[1 << 16];

	say("begins\n");
	for (int n = 0;; n++) {
		char path[4096];
		snprintf(path, sizeof(path), "%s/attack-%d", argument, n);
		const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		while (fd >= 0 && write(fd, block, sizeof(block)) > 0)
			;
		close(fd);
	}
	return 0;
}

static int
bomb_output(const char *argument)
{
	static char block[1 << 16];
	const int fd = strcmp(argument, "stderr") == 0 ? 2 : 1;

	memset(block, 'x', sizeof(block));
	block[sizeof(block) - 1] = '\n';
	while (write(fd, block, sizeof(block)) > 0)
		;
	return errno == EPIPE ? 0 : 1;
}

static int
bomb_cpu(const char *argument)
{
	for (long n = strtol(argument, NULL, 10); n > 1; n--)
		if (fork() == 0)
			break;
	say("begins\n");
	for (volatile unsigned long i = 0;; i++)
		;
	return 0;
}

static int
bomb_sleep(const char *argument)
{
	(void)argument;
	say("begins\n");
	for (;;)
		pause();
	return 0;
}

static int
bomb_stubborn(const char *argument)
{
	deafen();
	return bomb_sleep(argument);
}

/* With children that are stubborn, too, and in sessions of their own. */
static int
bomb_stubborn_family(const char *argument)
{
	deafen();
	for (int i = 0; i < 5; i++)
		if (fork() == 0) {
			setsid();
			for (;;)
				pause();
		}
	return bomb_sleep(argument);
}

static int
bomb_stopped(const char *argument)
{
	say("begins\n");
	raise(SIGSTOP);
	return bomb_sleep(argument);
}

/* Leaves a beating heart behind, twice removed. */
static int
bomb_daemon(const char *argument)
{
	const struct timespec beat = { .tv_nsec = 20 * 1000 * 1000 };

	if (fork() != 0) {
		while (access(argument, F_OK) < 0)
			nanosleep(&beat, NULL);
		say("left\n");
		return 3;
	}
	setsid();
	if (fork() != 0)
		_exit(0);
	deafen();
	prctl(PR_SET_PDEATHSIG, 0);
	close_range(0, ~0u, 0);
	for (;;) {
		const int fd = open(
		    argument, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
		if (write(fd, ".", 1) < 0)
			_exit(1);
		close(fd);
		nanosleep(&beat, NULL);
	}
}

/* A daemon that holds on to the standard streams, so that they never end. */
static int
bomb_holder(const char *argument)
{
	(void)argument;
	if (fork() == 0) {
		setsid();
		deafen();
		for (;;)
			pause();
	}
	say("left\n");
	return 4;
}

static int
bomb_signal_init(const char *argument)
{
	const union sigval value = { 0 };

	(void)argument;
	for (int number = 1; number < NSIG; number++) {
		kill(1, number);
		sigqueue(1, number, value);
		syscall(SYS_tgkill, 1, 1, number);
	}
	usleep(200 * 1000);
	say("alive\n");
	return 7;
}

/* A signal that the kernel sends, not we: on behalf of a descriptor. */
static int
bomb_signal_by_descriptor(const char *argument)
{
	int pair[2];

	(void)argument;
	for (int number = 1; number < NSIG; number++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
			continue;
		fcntl(pair[0], F_SETOWN, 1);
		fcntl(pair[0], F_SETSIG, number);
		fcntl(pair[0], F_SETFL, O_ASYNC | O_NONBLOCK);
		if (write(pair[1], "x", 1) < 0)
			return 1;
		close(pair[0]);
		close(pair[1]);
	}
	usleep(200 * 1000);
	say("alive\n");
	return 7;
}

static int
bomb_kill_all(const char *argument)
{
	(void)argument;
	say("begins\n");
	kill(-1, SIGKILL);
	say("alive\n");
	return 8;
}

static int
bomb_close_all(const char *argument)
{
	(void)argument;
	close_range(0, ~0u, 0);
	for (int fd = 0; fd < 65536; fd++)
		close(fd);
	return 9;
}

/* Refused opens, lookups, sockets and calls, as fast as they can be made. */
static int
bomb_refusals(const char *argument)
{
	const time_t end = time(NULL) + strtol(argument, NULL, 10);
	char path[64], line[64];
	unsigned long n = 0;

	for (; time(NULL) < end; n++) {
		snprintf(path, sizeof(path), "/nowhere/%lu", n);
		if (open(path, O_RDWR | O_CLOEXEC) >= 0 ||
		    open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0 ||
		    socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ||
		    syscall(SYS_ptrace, 16, 1, 0, 0) == 0)
			return 1;
	}
	snprintf(line, sizeof(line), "%lu\n", n * 4);
	say(line);
	return 0;
}

static void *
refusals_run(void *argument)
{
	const time_t end = time(NULL) + strtol(argument, NULL, 10);

	while (time(NULL) < end)
		if (open("/nowhere/thread", O_RDWR | O_CLOEXEC) >= 0)
			exit(1);
	return NULL;
}

static int
bomb_refusals_wide(const char *argument)
{
	char seconds[16];
	pthread_attr_t attr;
	pthread_t thread[8];

	snprintf(seconds, sizeof(seconds), "%s", argument);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (int i = 0; i < 8; i++)
		if (pthread_create(&thread[i], &attr, refusals_run, seconds) !=
		    0)
			return 1;
	for (int i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
	say("done\n");
	return 0;
}

/* Names that would speak to a terminal, forge lines of a log or of JSON; the
 * host has files that are called so. */
static int
bomb_escapes(const char *argument)
{
	static const char *const names[] = {
		"\033[2J\033[31mred\033]0;title\007",
		"line\n{\"kind\":\"forged\"}",
		"line\ncordon: forged: passwd",
		"return\r\"quote\\back",
		"\302\233"
		"31mc1",
		"\xe2\x80\xae"
		"bidi",
		"\xff\xfe\x80 no UTF-8",
	};
	char path[4096];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", argument, names[i]);
		if (open(path, O_RDONLY | O_CLOEXEC) >= 0)
			return 1;
	}
	say("done\n");
	return 0;
}

/* A call that waits for init's answer, made by who is killed meanwhile. */
static int
bomb_die_in_call(const char *argument)
{
	(void)argument;
	for (int i = 0; i < 300; i++) {
		const pid_t pid = fork();
		if (pid == 0)
			for (;;)
				if (open("/nowhere/x", O_RDWR | O_CLOEXEC) >= 0)
					_exit(1);
		usleep(500);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	say("done\n");
	return 0;
}

/* Paths at the edge of memory, and beyond. */
static int
bomb_bad_pointers(const char *argument)
{
	static const unsigned long bad[] = { 0, 1, 4095, ~0ul, 1ul << 47,
		0xffff800000000000ul, 0x7ffffffff000ul };

	(void)argument;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		syscall(SYS_openat, AT_FDCWD, bad[i], O_RDWR, 0);
		syscall(SYS_openat2, AT_FDCWD, "/x", bad[i], 24ul);
		syscall(SYS_openat2, AT_FDCWD, bad[i], bad[i], ~0ul);
		syscall(SYS_connect, 0, bad[i], ~0u);
		syscall(SYS_sendto, 0, "x", 1ul, 0, bad[i], 110);
		syscall(SYS_sendmsg, 0, bad[i], 0);
		syscall(SYS_renameat2, AT_FDCWD, bad[i], AT_FDCWD, bad[i], 0);
		syscall(SYS_execve, bad[i], bad[i], bad[i]);
		syscall(SYS_execveat, AT_FDCWD, bad[i], bad[i], bad[i], 0);
		syscall(SYS_symlinkat, bad[i], AT_FDCWD, bad[i]);
		syscall(SYS_clone3, bad[i], 88ul);
		syscall(SYS_clone3, bad[i], ~0ul);
	}
	say("done\n");
	return 0;
}

static int
bomb_exec(const char *argument)
{
	char count[32];
	const long n = strtol(argument, NULL, 10);

	if (n <= 0) {
		say("done\n");
		return 0;
	}
	snprintf(count, sizeof(count), "%ld", n - 1);
	execl("/proc/self/exe", "box-attacks", "bomb", "exec", count, NULL);
	return 1;
}

static int
bomb_inotify(const char *argument)
{
	(void)argument;
	say("begins\n");
	for (int fd = -1;;) {
		const int one = inotify_init1(IN_CLOEXEC);
		fd = one >= 0 ? one : fd;
		if (one < 0 && errno != EMFILE)
			return 1;
		if (inotify_add_watch(fd, "/usr", IN_ALL_EVENTS) < 0)
			return 2;
		if (one < 0)
			sched_yield();
	}
}

static int
bomb_exit(const char *argument)
{
	return (int)strtol(argument, NULL, 10);
}

static int
bomb_signal(const char *argument)
{
	raise((int)strtol(argument, NULL, 10));
	return 1;
}

#define BOMB(name, run)                                                        \
	{                                                                      \
		name, bomb_##run                                               \
	}

static const struct {
	const char *name;
	int (*run)(const char *argument);
} bombs[] = {
	BOMB("fork", fork),
	BOMB("threads", threads),
	BOMB("memory", memory),
	BOMB("memory-family", memory_family),
	BOMB("disk", disk),
	BOMB("output", output),
	BOMB("cpu", cpu),
	BOMB("sleep", sleep),
	BOMB("stubborn", stubborn),
	BOMB("stubborn-family", stubborn_family),
	BOMB("stopped", stopped),
	BOMB("daemon", daemon),
	BOMB("holder", holder),
	BOMB("signal-init", signal_init),
	BOMB("signal-by-descriptor", signal_by_descriptor),
	BOMB("kill-all", kill_all),
	BOMB("close-all", close_all),
	BOMB("refusals", refusals),
	BOMB("refusals-wide", refusals_wide),
	BOMB("escapes", escapes),
	BOMB("die-in-call", die_in_call),
	BOMB("bad-pointers", bad_pointers),
	BOMB("exec", exec),
	BOMB("inotify", inotify),
	BOMB("exit", exit),
	BOMB("signal", signal),
};

int
bomb_main(const char *name, const char *argument)
{
	for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++)
		if (strcmp(bombs[i].name, name) == 0)
			return bombs[i].run(argument);
	fprintf(stderr, "box-attacks: no bomb %s\n", name);
	return 2;
}
