/* SPDX-License-Identifier: Apache-2.0
 *
 * More than a small limit allows, but no more than a machine bears: 192 MiB, 96
 * processes. What happens without an end is in bombs.c.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUCH (192ul << 20)
#define MUCH_IN_PIPES (48ul << 20) /* the kernel bounds these by itself */
#define MANY 96

static void
descriptors_all(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static long
fill(void *memory)
{
	if (memory == MAP_FAILED || memory == NULL)
		return -(long)errno;
	memset(memory, 1, MUCH);
	/* Or the compiler sees that nobody reads it. */
	__asm__ volatile("" : : "r"(memory) : "memory");
	return 0;
}

static long
memory_heap(const struct attack_place *place)
{
	(void)place;
	return fill(malloc(MUCH));
}

static long
memory_shared(const struct attack_place *place)
{
	(void)place;
	return fill(mmap(NULL, MUCH, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

static long
fill_file(int fd)
{
	static char block[1 << 20];

	if (fd < 0)
		return -(long)errno;
	memset(block, 1, sizeof(block));
	for (size_t done = 0; done < MUCH; done += sizeof(block))
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block)) {
			const int error = errno == 0 ? ENOSPC : errno;
			ftruncate(fd, 0);
			return -(long)error;
		}
	ftruncate(fd, 0);
	return 0;
}

static long
memory_file(const struct attack_place *place)
{
	(void)place;
	return fill_file((int)syscall(SYS_memfd_create, "x", 0));
}

/* Read-only pages of a private mapping: no limit of a process counts them. */
static long
memory_hidden(const struct attack_place *place)
{
	const size_t piece = 8ul << 20;

	(void)place;
	for (size_t done = 0; done < MUCH; done += piece) {
		void *memory = mmap(NULL, piece, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED)
			return -(long)errno;
		memset(memory, 1, piece);
		if (mprotect(memory, piece, PROT_READ) < 0)
			return -(long)errno;
	}
	return 0;
}

/* One page of every 2 MiB: nothing but tables. */
static long
memory_tables(const struct attack_place *place)
{
	const size_t space = (MUCH / 4096) << 21;
	volatile const char *memory = mmap(NULL, space, PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	long sum = 0;

	(void)place;
	if (memory == (volatile const char *)MAP_FAILED)
		return -(long)errno;
	madvise((void *)(uintptr_t)memory, space, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < space; at += 2ul << 20)
		sum += memory[at];
	return sum;
}

/* Data that nobody reads, in the kernel's hands. */
static long
memory_sockets(const struct attack_place *place)
{
	static char block[1 << 16];
	const int size = 1 << 20;
	size_t done = 0;
	int pair[2];

	(void)place;
	descriptors_all();
	while (done < MUCH) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) <
		    0)
			return -(long)errno;
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		ssize_t n;
		while ((n = write(pair[0], block, sizeof(block))) > 0)
			done += (size_t)n;
	}
	return 0;
}

static long
memory_pipes(const struct attack_place *place)
{
	static char block[1 << 16];
	size_t done = 0;
	int pair[2];

	(void)place;
	descriptors_all();
	while (done < MUCH_IN_PIPES) {
		if (pipe2(pair, O_NONBLOCK) < 0)
			return -(long)errno;
		fcntl(pair[1], F_SETPIPE_SZ, 1 << 20);
		ssize_t n;
		while ((n = write(pair[1], block, sizeof(block))) > 0)
			done += (size_t)n;
	}
	return 0;
}

/* A little each, together too much. */
static long
memory_many(const struct attack_place *place)
{
	int ready[2], status, ended = 0;
	char byte;

	(void)place;
	if (pipe2(ready, O_CLOEXEC) < 0)
		return -(long)errno;
	for (int i = 0; i < 12; i++)
		if (fork() == 0) {
			/* Whoever waits for an answer hears of our parent's
			 * end. */
			close_range(3, (unsigned int)ready[0], 0);
			void *memory = malloc(MUCH / 12);
			if (memory == NULL)
				_exit(1);
			memset(memory, 1, MUCH / 12);
			__asm__ volatile("" : : "r"(memory) : "memory");
			if (write(ready[1], "x", 1) != 1)
				_exit(1);
			pause();
		}
	close(ready[1]);
	for (int i = 0; i < 12; i++)
		if (read(ready[0], &byte, 1) != 1)
			break;
		else
			while (waitpid(-1, &status, WNOHANG) > 0)
				ended++;
	usleep(100 * 1000);
	while (waitpid(-1, &status, WNOHANG) > 0)
		ended++;
	return ended > 0 ? -ENOMEM : 0;
}

static long
file_at(const char *folder)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/attack-file", folder);
	const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	unlink(path);
	return fill_file(fd);
}

static long
disk_tmp(const struct attack_place *place)
{
	(void)place;
	return file_at("/tmp");
}

static long
disk_home(const struct attack_place *place)
{
	(void)place;
	return file_at(getenv("HOME"));
}

static long
disk_shm(const struct attack_place *place)
{
	(void)place;
	return file_at("/dev/shm");
}

static long
disk_place(const struct attack_place *place)
{
	return file_at(attack_path(place, "granted"));
}

/* Empty files cost no space, but memory of the kernel's. */
static long
disk_names(const struct attack_place *place)
{
	char path[64];
	long result = 0;
	int made = 0;

	(void)place;
	for (; made < 60000 && result == 0; made++) {
		snprintf(path, sizeof(path), "/dev/shm/attack-%d", made);
		result = attack_open(path, O_CREAT | O_WRONLY);
	}
	while (made-- > 0) {
		snprintf(path, sizeof(path), "/dev/shm/attack-%d", made);
		unlink(path);
	}
	return result;
}

static long
processes(const struct attack_place *place)
{
	pid_t pids[MANY];
	long result = 0;
	int n = 0;

	(void)place;
	for (; n < MANY && result == 0; n++) {
		pids[n] = fork();
		if (pids[n] == 0) {
			pause();
			_exit(0);
		}
		if (pids[n] < 0)
			result = -(long)errno;
	}
	while (n-- > 0)
		if (pids[n] > 0) {
			kill(pids[n], SIGKILL);
			waitpid(pids[n], NULL, 0);
		}
	return result;
}

/* Dead, but not buried. */
static long
zombies(const struct attack_place *place)
{
	long result = 0;

	(void)place;
	for (int n = 0; n < MANY && result == 0; n++) {
		const pid_t pid = fork();
		if (pid == 0)
			_exit(0);
		if (pid < 0)
			result = -(long)errno;
	}
	return result;
}

static void *
wait_always(void *nothing)
{
	pause();
	return nothing;
}

static long
threads(const struct attack_place *place)
{
	pthread_attr_t attr;
	pthread_t thread;

	(void)place;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (int n = 0; n < MANY; n++) {
		const int code =
		    pthread_create(&thread, &attr, wait_always, NULL);
		if (code != 0)
			return -code;
	}
	return 0;
}

static long
descriptors(const struct attack_place *place)
{
	(void)place;
	for (int n = 0; n < 900; n++)
		if (dup(0) < 0)
			return -(long)errno;
	return 0;
}

static long
descriptors_raised(const struct attack_place *place)
{
	descriptors_all();
	return descriptors(place);
}

static long
events(const struct attack_place *place)
{
	(void)place;
	for (int n = 0; n < 900; n++)
		if (eventfd(0, EFD_CLOEXEC) < 0)
			return -(long)errno;
	return 0;
}

/* 1, not 0: so the kernel starts no handler either (core(5)). */
static long
core_dump(const struct attack_place *place)
{
	struct rlimit limit;

	(void)place;
	if (getrlimit(RLIMIT_CORE, &limit) < 0)
		return -(long)errno;
	return limit.rlim_max > 1 ? 0 : -EPERM;
}

static const struct attack attacks[] = {
	ATTACK(LIMITS, memory_heap),
	ATTACK(LIMITS, memory_shared),
	ATTACK(LIMITS, memory_file),
	ATTACK(LIMITS, memory_hidden),
	ATTACK(LIMITS, memory_tables),
	ATTACK(LIMITS, memory_sockets),
	ATTACK(LIMITS, memory_pipes),
	ATTACK(LIMITS, memory_many),
	ATTACK(LIMITS, disk_tmp),
	ATTACK(LIMITS, disk_home),
	ATTACK(LIMITS, disk_shm),
	ATTACK(LIMITS, disk_place),
	ATTACK(LIMITS, disk_names),
	ATTACK(LIMITS, processes),
	ATTACK(LIMITS, zombies),
	ATTACK(LIMITS, threads),
	ATTACK(LIMITS, descriptors),
	ATTACK(LIMITS, descriptors_raised),
	ATTACK(LIMITS, events),
	ATTACK(LIMITS, core_dump),
};

const struct attack_table attack_limits = { "limits", attacks,
	sizeof(attacks) / sizeof(attacks[0]) };
