/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What test_network.c starts in a box: dials what it is told to, and says what
 * became of it.
 *
 *     dialer tcp 198.18.7.7 443     "hello" goes out; the answer to stdout
 *     dialer udp 198.18.0.1 53
 *     dialer fds                    its descriptors beyond 2
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int
dial(const char *kind, const char *host, const char *port)
{
	const int type = strcmp(kind, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM;
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)) };
	char answer[64] = "";

	const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || inet_pton(AF_INET, host, &to.sin_addr) != 1)
		return 2;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ||
	    send(fd, "hello", 5, 0) != 5 ||
	    recv(fd, answer, sizeof(answer) - 1, 0) < 0) {
		printf("errno %d\n", errno);
		return 1;
	}
	printf("%s\n", answer);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 4)
		return dial(argv[1], argv[2], argv[3]);
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("%d ", fd);
	printf("none else\n");
	return 0;
}
