/* SPDX-License-Identifier: Apache-2.0
 *
 * How long commands take from their start to their end, each in turn, so that
 * what the machine does meanwhile hits all of them alike.
 *
 *     start-load ROUNDS SECONDS --- COMMAND… [--- COMMAND…]…
 *
 * Two lines of JSON for each on stdout: the CPU time of all that it waited for,
 * and the times.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "load.h"

#define START_COMMANDS_MAX 16
#define START_WARM 3 /* rounds that do not count */

extern char **environ;

static struct command {
	char **argv;
	double cpu_ms;
	struct load_samples samples;
} commands[START_COMMANDS_MAX];

static double
milliseconds(struct timeval time)
{
	return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

/* Nothing of theirs is to be seen; they read nothing. */
static void
start(struct command *command, posix_spawn_file_actions_t *actions, int counts)
{
	const uint64_t started_ns = load_now_ns();
	struct rusage usage;
	char text[64];
	pid_t pid;
	int status;

	const int code = posix_spawnp(
	    &pid, command->argv[0], actions, NULL, command->argv, environ);
	if (code != 0)
		load_die("%s: %s", command->argv[0], strerror(code));
	if (wait4(pid, &status, 0, &usage) != pid)
		load_die("wait4: %s", strerror(errno));
	if (!counts)
		return;
	load_sample(&command->samples, started_ns);
	command->cpu_ms +=
	    milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
	if (status == 0)
		return;
	snprintf(text, sizeof(text), "wait status 0x%x", (unsigned)status);
	load_fail(&command->samples, text);
}

/* argv is cut at each "---". */
static size_t
commands_parse(int argc, char **argv)
{
	size_t n = 0;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "---") != 0)
			continue;
		argv[i] = NULL;
		if (i + 1 == argc || n == START_COMMANDS_MAX)
			load_die("no command, or too many");
		commands[n++].argv = &argv[i + 1];
	}
	return n;
}

int
main(int argc, char **argv)
{
	posix_spawn_file_actions_t actions;

	if (argc < 5)
		load_die("start-load ROUNDS SECONDS --- COMMAND... [--- ...]");
	const int rounds = atoi(argv[1]);
	const double seconds = atof(argv[2]);
	const size_t n = commands_parse(argc - 3, argv + 3);

	posix_spawn_file_actions_init(&actions);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(
		    &actions, fd, "/dev/null", O_RDWR, 0);
	for (int i = 0; i < START_WARM; i++)
		for (size_t c = 0; c < n; c++)
			start(&commands[c], &actions, 0);
	const uint64_t end_ns = load_now_ns() + (uint64_t)(seconds * 1e9);
	for (int i = 0; i < rounds && load_now_ns() < end_ns; i++)
		for (size_t c = 0; c < n; c++)
			start(&commands[c], &actions, 1);
	for (size_t c = 0; c < n; c++) {
		const uint32_t calls = commands[c].samples.n;
		printf("{\"cpuMs\":%.3f}\n",
		    calls == 0 ? 0 : commands[c].cpu_ms / calls);
		load_report(&commands[c].samples, 1);
	}
	return 0;
}
