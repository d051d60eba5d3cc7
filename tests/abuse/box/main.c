/* SPDX-License-Identifier: Apache-2.0
 *
 * `box-attacks run CONTROL FOLDER` runs all attacks, or those whose control is
 * named, and prints how each went; the JSON of host.c is read from FOLDER/host.
 * `host`, `numbers` and `bomb`: see attack.h.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 15000

static const struct attack_table *const tables[] = {
	&attack_files,
	&attack_proc,
	&attack_spaces,
	&attack_calls,
	&attack_modes,
	&attack_ipc,
	&attack_terminal,
	&attack_net,
	&attack_limits,
	&attack_guarded,
};

static const char *const controls[] = {
	[CONTROL_USER] = "user",
	[CONTROL_NEAR] = "near",
	[CONTROL_ROOT] = "root",
	[CONTROL_SPACE] = "space",
	[CONTROL_TERMINAL] = "terminal",
	[CONTROL_LIMITS] = "limits",
	[CONTROL_WORK] = "work",
};

long
attack_said(long result)
{
	return result < 0 ? -(long)errno : result;
}

long
attack_reached(long result, int with_errno)
{
	if (result >= 0 || errno == with_errno)
		return 0;
	return -(long)errno;
}

const char *
attack_path(const struct attack_place *place, const char *below)
{
	static char paths[8][4096];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", place->folder, below);
	return path;
}

long
attack_read_secret_at(int folder_fd, const char *path)
{
	char text[sizeof(ATTACK_SECRET)] = "";
	const int fd = openat(folder_fd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -(long)errno;
	const ssize_t n = read(fd, text, sizeof(text) - 1);
	const int error = errno;
	close(fd);
	if (n < 0)
		return -(long)error;
	return strcmp(text, ATTACK_SECRET) == 0 ? 0 : -ENODATA;
}

long
attack_read_secret(const char *path)
{
	return attack_read_secret_at(AT_FDCWD, path);
}

long
attack_open(const char *path, int flags)
{
	const int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return -(long)errno;
	close(fd);
	return 0;
}

long
attack_child(long pid)
{
	int status = 0;

	if (pid < 0)
		return -(long)errno;
	if (pid == 0)
		_exit(0);
	if (waitpid((pid_t)pid, &status, __WALL) < 0)
		return -(long)errno;
	if (WIFSIGNALED(status))
		return -EINTR;
	return -(long)WEXITSTATUS(status);
}

/* The line of a child that ended by itself, or how it was ended. */
static void
tell(const char *group, const struct attack *attack, int status, long result,
    bool told)
{
	printf("{\"name\":\"%s\",\"group\":\"%s\",\"control\":\"%s\",",
	    attack->name, group, controls[attack->control]);
	if (told)
		printf("\"result\":%ld,\"error\":%ld}\n",
		    result < 0 ? -1 : result, result < 0 ? -result : 0);
	else if (WIFSIGNALED(status))
		printf("\"signal\":%d}\n", WTERMSIG(status));
	else
		printf("\"exit\":%d}\n", WEXITSTATUS(status));
	fflush(stdout);
}

static void
run(const char *group, const struct attack *attack,
    const struct attack_place *place)
{
	int pair[2], status = 0;
	long result = 0;

	if (pipe2(pair, O_CLOEXEC) < 0)
		exit(1);
	const pid_t pid = fork();
	if (pid == 0) {
		/* A terminal is lost by a session of one's own. */
		if (attack->control != CONTROL_TERMINAL)
			setsid();
		errno = 0;
		result = attack->run(place);
		if (write(pair[1], &result, sizeof(result)) < 0)
			_exit(1);
		_exit(0);
	}
	close(pair[1]);
	struct pollfd wait = { .fd = pair[0], .events = POLLIN };
	const bool told = poll(&wait, 1, PATIENCE_MS) > 0 &&
	    read(pair[0], &result, sizeof(result)) == sizeof(result);
	close(pair[0]);
	if (attack->control != CONTROL_TERMINAL)
		kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	tell(group, attack, status, result, told);
}

static void
place_read(struct attack_place *place, const char *folder)
{
	static char name[64];

	*place = (struct attack_place){ .folder = folder, .name = name };
	FILE *file = fopen(attack_path(place, "granted/host"), "re");
	if (file == NULL ||
	    fscanf(file, "%63s %ld %ld %ld %ld %ld %ld %ld", name, &place->pid,
		&place->shm, &place->sem, &place->msg, &place->tcp,
		&place->tcp6, &place->udp) != 8) {
		fprintf(stderr, "box-attacks: no host in %s\n", folder);
		exit(1);
	}
	fclose(file);
}

/* `which`: a control, a group, a name, or "all". */
static int
run_main(const char *which, const char *folder)
{
	struct attack_place place;

	place_read(&place, folder);
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (size_t i = 0; i < tables[t]->n; i++) {
			const struct attack *attack = &tables[t]->attacks[i];
			if (strcmp(which, "all") == 0 ||
			    strcmp(which, controls[attack->control]) == 0 ||
			    strcmp(which, tables[t]->group) == 0 ||
			    strcmp(which, attack->name) == 0)
				run(tables[t]->group, attack, &place);
		}
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "run") == 0)
		return run_main(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "host") == 0)
		return host_main(argv[2]);
	if (argc == 4 && strcmp(argv[1], "numbers") == 0)
		return numbers_main((unsigned int)strtoul(argv[2], NULL, 0),
		    (unsigned int)strtoul(argv[3], NULL, 0));
	if (argc >= 3 && strcmp(argv[1], "bomb") == 0)
		return bomb_main(argv[2], argc > 3 ? argv[3] : "");
	fprintf(stderr,
	    "usage: box-attacks run WHICH FOLDER | host FOLDER |"
	    " numbers FIRST LAST | bomb NAME [ARGUMENT]\n");
	return 2;
}
