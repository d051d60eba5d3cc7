/* SPDX-License-Identifier: Apache-2.0 */

/*
 * launch-store STORE FOLDER [KEYS]: a real store in its box, under a supervisor that
 * this plays (play.h). Descriptor 3 becomes the gateway's end, 4 that of the
 * next one, after `link`; 5 and 6 may become egress' stream. The end of stdin is the supervisor's end.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "box/box.h"
#include "play.h"
#include "wire/plan.h"
#include "wire/wire.h"

/* What the supervisor does in children.c. */
static void
folder_give(int dir_fd)
{
	static const char *const names[] = { "cordon.db", "cordon.db-wal" };
	const uid_t uid = BOX_UID_BASE + box_domain_find("store")->uid_offset;

	if (geteuid() != 0)
		return;
	play_must(fchownat(dir_fd, "", uid, uid, AT_EMPTY_PATH) == 0, "chown");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		play_must(fchownat(dir_fd, names[i], uid, uid,
			      AT_SYMLINK_NOFOLLOW) == 0 ||
			errno == ENOENT,
		    names[i]);
}

static int
plan_make(void)
{
	struct wire_plan plan = { .magic = WIRE_PLAN_MAGIC,
		.client_fd = -1,
		.listen_fd = -1,
		.cells_max = 8,
		.packages = "/srv/packages" };
	int fd = -1;

	/* SHA-256 of SHA-256 of "letmein". */
	static const uint8_t hash[32] = { 0xe5, 0x32, 0x84, 0x37, 0x24, 0xf1,
		0x4e, 0xae, 0xa0, 0x36, 0x55, 0x33, 0xac, 0xfb, 0x94, 0x38,
		0xe5, 0xa9, 0xcf, 0xeb, 0x44, 0x74, 0xfe, 0x13, 0xbb, 0x7a,
		0x5e, 0x1e, 0xc6, 0x96, 0xe8, 0x56 };
	memcpy(plan.token_hash, hash, sizeof(hash));
	play_must(fd_memfd_seal("plan", &plan, sizeof(plan), &fd) == 0, "plan");
	return fd;
}

int
main(int argc, char **argv)
{
	const char *const store_argv[] = { "cordon-store", "--plan", "3",
		"--supervisor", "4", argc == 4 ? "--vault" : NULL, "5", NULL };
	struct err err = { "" };
	int pair[2], pidfd, status = 0;
	pid_t pid;

	play_must(argc == 3 || argc == 4, "usage");
	setvbuf(stdin, NULL, _IONBF, 0);
	const int exe_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	const int dir_fd = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
	play_must(exe_fd >= 0 && dir_fd >= 0, argv[2]);
	folder_give(dir_fd);
	play_must(wire_pair(SOCK_SEQPACKET, pair) == 0, "socketpair");
	const int fds[] = { plan_make(), pair[1],
		argc == 4 ? play_vault(argv[3]) : -1 };
	const struct box_spawn spawn = { .domain = "store",
		.exe_fd = exe_fd,
		.argv = store_argv,
		.fds = fds,
		.n_fds = argc == 4 ? 3 : 2,
		.folder_fd = dir_fd };
	if (box_spawn(&spawn, &pid, &pidfd, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 98;
	}
	close(pair[1]);
	printf("{\"pid\":%d}\n", pid);
	fflush(stdout);
	signal(SIGPIPE, SIG_IGN);
	play_link(pair[0], 3);

	struct pollfd polled[] = { { pair[0], POLLIN, 0 }, { 0, POLLIN, 0 } };
	while (poll(polled, 2, -1) > 0) {
		if (polled[0].revents != 0 && !play_hear(pair[0]))
			break;
		if (polled[1].revents != 0 && !play_obey(pair[0])) {
			shutdown(pair[0], SHUT_RDWR);
			break;
		}
	}
	waitpid(pid, &status, 0);
	printf("{\"exit\":%d,\"signal\":%d}\n",
	    WIFEXITED(status) ? WEXITSTATUS(status) : -1,
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	return 0;
}
