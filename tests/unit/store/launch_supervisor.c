/* SPDX-License-Identifier: Apache-2.0 */

/*
 * launch-supervisor SUPERVISOR FOLDER: a supervisor with a store in FOLDER and
 * a listening socket, under an operator that this plays (play.h); the token is
 * "letmein". Beyond play.h's, SIGTERM is the end of stdin.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "play.h"
#include "wire/plan.h"
#include "wire/wire.h"

static int
listen_make(int *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	const int fd =
	    socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	play_must(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 &&
		listen(fd, 16) == 0 &&
		getsockname(fd, (struct sockaddr *)&address, &len) == 0,
	    "listen");
	*port = ntohs(address.sin_port);
	return fd;
}

static int
plan_make(int listen_fd, int operator_fd, int store_fd)
{
	struct wire_plan plan = { .magic = WIRE_PLAN_MAGIC,
		.client_fd = -1,
		.listen_fd = listen_fd,
		.admin_fd = -1,
		.operator_fd = operator_fd,
		.store_fd = store_fd,
		.tls_fd = -1,
		.sessions = WIRE_SESSIONS_DEFAULT,
		.cells_max = 32 };
	int fd = -1;

	crypto_hash_sha256(plan.token_hash, (const uint8_t *)"letmein", 7);
	crypto_hash_sha256(
	    plan.token_hash, plan.token_hash, sizeof(plan.token_hash));
	play_must(fd_memfd_seal("plan", &plan, sizeof(plan), &fd) == 0, "plan");
	return fd;
}

int
main(int argc, char **argv)
{
	int pair[2], port, status = 0;
	char number[16];

	play_must(argc == 3, "usage");
	setvbuf(stdin, NULL, _IONBF, 0);
	signal(SIGPIPE, SIG_IGN);
	play_must(wire_pair(SOCK_SEQPACKET, pair) == 0, "socketpair");
	const int store_fd = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
	const int listen_fd = listen_make(&port);
	const int plan_fd = plan_make(listen_fd, pair[1], store_fd);
	const int inherited[] = { store_fd, listen_fd, plan_fd, pair[1] };

	const pid_t pid = fork();
	play_must(pid >= 0, "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t i = 0; i < ARRAY_LEN(inherited); i++)
			fd_inherit(inherited[i]);
		dup2(2, 1);
		snprintf(number, sizeof(number), "%d", plan_fd);
		execl(argv[1], argv[1], "--plan", number, (char *)NULL);
		_exit(127);
	}
	for (size_t i = 0; i < ARRAY_LEN(inherited); i++)
		close(inherited[i]);
	printf("{\"pid\":%d,\"port\":%d}\n", pid, port);
	fflush(stdout);

	struct pollfd polled[] = { { pair[0], POLLIN, 0 }, { 0, POLLIN, 0 } };
	while (poll(polled, 2, -1) > 0) {
		if (polled[0].revents != 0 && !play_hear(pair[0]))
			break;
		if (polled[1].revents != 0 && !play_obey(pair[0])) {
			kill(pid, SIGTERM);
			break;
		}
	}
	waitpid(pid, &status, 0);
	printf("{\"exit\":%d,\"signal\":%d}\n",
	    WIFEXITED(status) ? WEXITSTATUS(status) : -1,
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	return 0;
}
