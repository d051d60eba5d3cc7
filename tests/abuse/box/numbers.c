/* SPDX-License-Identifier: Apache-2.0
 *
 * Every system call number, bare, with arguments that are nothing: -1 in all
 * six. One line for each: what it answered, or how its process ended.
 */
#include "attack.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 300

static long
call(unsigned long number)
{
	register long r10 __asm__("r10") = -1;
	register long r8 __asm__("r8") = -1;
	register long r9 __asm__("r9") = -1;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(-1l), "S"(-1l), "d"(-1l), "r"(r10),
			 "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* Answers go by a descriptor that calls on -1 do not close. */
static void
child(unsigned long number, int fd)
{
	alarm(2);
	setsid();
	const long result = call(number);
	if (write(fd, &result, sizeof(result)) < 0)
		_exit(1);
	_exit(0);
}

static void
ask(unsigned long number)
{
	int pair[2], status = 0;
	long result = 0;

	if (pipe2(pair, O_CLOEXEC) < 0)
		exit(1);
	const pid_t pid = fork();
	if (pid == 0)
		child(number, pair[1]);
	close(pair[1]);
	struct pollfd wait = { .fd = pair[0], .events = POLLIN };
	const int came = poll(&wait, 1, PATIENCE_MS);
	const ssize_t n =
	    came > 0 ? read(pair[0], &result, sizeof(result)) : -1;
	close(pair[0]);
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	printf("{\"number\":%lu,", number);
	if (n == (ssize_t)sizeof(result))
		printf("\"result\":%ld}\n", result);
	else if (came == 0)
		printf("\"waits\":true}\n");
	else if (WIFSIGNALED(status))
		printf("\"signal\":%d}\n", WTERMSIG(status));
	else
		printf("\"exit\":%d}\n", WEXITSTATUS(status));
	fflush(stdout);
}

int
numbers_main(unsigned int first, unsigned int last)
{
	for (unsigned int number = first; number <= last; number++)
		ask(number);
	return 0;
}
