/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's side of the attacks: what must not be reached. Lays it out, tells
 * of it in FOLDER/granted/host, answers whoever comes with the secret, and says
 * at the end how many came.
 */
#include "attack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
	char name[64];
	struct attack_place place;
	struct pollfd listeners[8];
	const char *names[8];
	int came[8];
	nfds_t n;
} host;

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static int
listener(const char *name, int type, const void *address, socklen_t len)
{
	const struct sockaddr *at = address;
	const int fd = socket(at->sa_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, at, len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 16) < 0))
		fail(name);
	host.names[host.n] = name;
	host.listeners[host.n++] =
	    (struct pollfd){ .fd = fd, .events = POLLIN };
	return fd;
}

static long
port_of(int fd)
{
	struct sockaddr_in6 at;
	socklen_t len = sizeof(at);

	if (getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		fail("getsockname");
	return ntohs(at.sin6_port);
}

static void
internet(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET };
	const struct sockaddr_in6 any6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };

	host.place.tcp =
	    port_of(listener("tcp", SOCK_STREAM, &any, sizeof(any)));
	host.place.tcp6 =
	    port_of(listener("tcp6", SOCK_STREAM, &any6, sizeof(any6)));
	host.place.udp =
	    port_of(listener("udp", SOCK_DGRAM, &any, sizeof(any)));
}

static void
by_path(const char *name, int type, const char *below)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(at.sun_path, sizeof(at.sun_path), "%s",
	    attack_path(&host.place, below));
	unlink(at.sun_path);
	listener(name, type, &at, sizeof(at));
	chmod(at.sun_path, 0777);
}

static void
by_name(const char *name, int type)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const int n = snprintf(
	    at.sun_path + 1, sizeof(at.sun_path) - 1, "%s-%d", host.name, type);

	listener(name, type, &at,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1u +
		(unsigned int)n));
}

static void
objects(void)
{
	struct {
		long type;
		char text[16];
	} message = { 1, ATTACK_SECRET };
	char queue[80];

	host.place.shm = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0666);
	host.place.sem = semget(IPC_PRIVATE, 1, IPC_CREAT | 0666);
	host.place.msg = msgget(IPC_PRIVATE, IPC_CREAT | 0666);
	char *memory = shmat((int)host.place.shm, NULL, 0);
	if (memory == (char *)-1 || host.place.sem < 0 ||
	    msgsnd((int)host.place.msg, &message, sizeof(message.text), 0) < 0)
		fail("System V objects");
	memcpy(memory, ATTACK_SECRET, sizeof(ATTACK_SECRET));
	snprintf(queue, sizeof(queue), "/%s", host.name);
	if (mq_open(queue, O_CREAT | O_RDWR, 0666, NULL) < 0)
		fail("mq_open");
}

static void
files(void)
{
	static const char *const folders[] = { "/tmp", "/dev/shm" };

	for (int i = 0; i < 2; i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%s", folders[i], host.name);
		FILE *file = fopen(path, "we");
		if (file == NULL || fputs(ATTACK_SECRET, file) < 0 ||
		    fclose(file) != 0)
			fail(path);
	}
}

static void
tell(void)
{
	FILE *file = fopen(attack_path(&host.place, "granted/host"), "we");

	if (file == NULL)
		fail("granted/host");
	fprintf(file, "%s %d %ld %ld %ld %ld %ld %ld\n", host.name, getpid(),
	    host.place.shm, host.place.sem, host.place.msg, host.place.tcp,
	    host.place.tcp6, host.place.udp);
	if (fclose(file) != 0)
		fail("granted/host");
	puts("ready");
	fflush(stdout);
}

static void
serve(nfds_t i)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char bytes[512];
	const int fd = accept4(host.listeners[i].fd, NULL, NULL, SOCK_CLOEXEC);

	host.came[i]++;
	if (fd >= 0) {
		send(fd, ATTACK_SECRET, strlen(ATTACK_SECRET), MSG_NOSIGNAL);
		close(fd);
		return;
	}
	recvfrom(host.listeners[i].fd, bytes, sizeof(bytes), MSG_DONTWAIT,
	    (struct sockaddr *)&from, &len);
	sendto(host.listeners[i].fd, ATTACK_SECRET, strlen(ATTACK_SECRET),
	    MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&from, len);
}

static void
clean(void)
{
	char path[128];

	shmctl((int)host.place.shm, IPC_RMID, NULL);
	semctl((int)host.place.sem, 0, IPC_RMID);
	msgctl((int)host.place.msg, IPC_RMID, NULL);
	snprintf(path, sizeof(path), "/%s", host.name);
	mq_unlink(path);
	snprintf(path, sizeof(path), "/tmp/%s", host.name);
	unlink(path);
	snprintf(path, sizeof(path), "/dev/shm/%s", host.name);
	unlink(path);
}

int
host_main(const char *folder)
{
	char byte;

	host.place.folder = folder;
	snprintf(host.name, sizeof(host.name), "cordon-attacks-%d", getpid());
	host.listeners[0] = (struct pollfd){ .fd = 0, .events = POLLIN };
	host.n = 1;
	internet();
	by_path("docker", SOCK_STREAM, "granted/docker.sock");
	by_path("log", SOCK_DGRAM, "granted/log.sock");
	by_name("abstract", SOCK_STREAM);
	by_name("abstract-log", SOCK_DGRAM);
	objects();
	files();
	tell();
	for (;;) {
		if (poll(host.listeners, host.n, -1) < 0)
			break;
		for (nfds_t i = 1; i < host.n; i++)
			if (host.listeners[i].revents != 0)
				serve(i);
		if (host.listeners[0].revents != 0 && read(0, &byte, 1) <= 0)
			break;
	}
	clean();
	putchar('{');
	for (nfds_t i = 1; i < host.n; i++)
		printf("%s\"%s\":%d", i > 1 ? "," : "", host.names[i],
		    host.came[i]);
	puts("}");
	return 0;
}
