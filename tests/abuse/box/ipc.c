/* SPDX-License-Identifier: Apache-2.0
 *
 * Other processes' sockets, shared memory, queues and signals.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static socklen_t
path_address(
    const struct attack_place *place, const char *below, struct sockaddr_un *at)
{
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	strncpy(
	    at->sun_path, attack_path(place, below), sizeof(at->sun_path) - 1);
	return sizeof(*at);
}

static socklen_t
name_address(const struct attack_place *place, int type, struct sockaddr_un *at)
{
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	const int n = snprintf(at->sun_path + 1, sizeof(at->sun_path) - 1,
	    "%s-%d", place->name, type);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1u +
	    (unsigned int)n);
}

static long
secret_from(int fd)
{
	char text[sizeof(ATTACK_SECRET)] = "";
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	if (poll(&wait, 1, 2000) <= 0)
		return -ETIMEDOUT;
	if (recv(fd, text, sizeof(text) - 1, 0) < 0)
		return -(long)errno;
	return strcmp(text, ATTACK_SECRET) == 0 ? 0 : -ENODATA;
}

static long
unix_socket(const struct attack_place *place)
{
	(void)place;
	return attack_said(socket(AF_UNIX, SOCK_STREAM, 0));
}

static long
unix_socket_high(const struct attack_place *place)
{
	(void)place;
	return attack_said(
	    syscall(SYS_socket, 0x100000000ul | AF_UNIX, SOCK_STREAM, 0));
}

static long
unix_connect(const struct attack_place *place)
{
	struct sockaddr_un at;
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	const socklen_t len = path_address(place, "granted/docker.sock", &at);

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, len) < 0)
		return -(long)errno;
	return secret_from(fd);
}

static long
unix_connect_abstract(const struct attack_place *place)
{
	struct sockaddr_un at;
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	const socklen_t len = name_address(place, SOCK_STREAM, &at);

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, len) < 0)
		return -(long)errno;
	return secret_from(fd);
}

/* socketpair() gives sockets, too: a datagram one may speak to any address. */
static int
pair_socket(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0 ? -1 : pair[0];
}

static long
pair_connect(int fd, const struct sockaddr_un *at, socklen_t len)
{
	if (fd < 0 || connect(fd, (const struct sockaddr *)at, len) < 0)
		return -(long)errno;
	return attack_said(send(fd, "x", 1, 0));
}

static long
pair_connect_path(const struct attack_place *place)
{
	struct sockaddr_un at;
	const socklen_t len = path_address(place, "granted/log.sock", &at);

	return pair_connect(pair_socket(), &at, len);
}

static long
pair_connect_abstract(const struct attack_place *place)
{
	struct sockaddr_un at;
	const socklen_t len = name_address(place, SOCK_DGRAM, &at);

	return pair_connect(pair_socket(), &at, len);
}

static long
pair_send_path(const struct attack_place *place)
{
	struct sockaddr_un at;
	const socklen_t len = path_address(place, "granted/log.sock", &at);

	return attack_said(sendto(
	    pair_socket(), "x", 1, 0, (const struct sockaddr *)&at, len));
}

static long
pair_send_abstract(const struct attack_place *place)
{
	struct sockaddr_un at;
	const socklen_t len = name_address(place, SOCK_DGRAM, &at);

	return attack_said(sendto(
	    pair_socket(), "x", 1, 0, (const struct sockaddr *)&at, len));
}

static long
pair_message_path(const struct attack_place *place)
{
	struct sockaddr_un at;
	struct iovec piece = { (char[]){ 'x' }, 1 };
	struct msghdr message = { .msg_name = &at,
		.msg_namelen = path_address(place, "granted/log.sock", &at),
		.msg_iov = &piece,
		.msg_iovlen = 1 };

	return attack_said(sendmsg(pair_socket(), &message, 0));
}

static long
pair_messages_path(const struct attack_place *place)
{
	struct sockaddr_un at;
	struct iovec piece = { (char[]){ 'x' }, 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_name = &at,
				       .msg_namelen = path_address(
					   place, "granted/log.sock", &at),
				       .msg_iov = &piece,
				       .msg_iovlen = 1 } };

	return attack_said(sendmmsg(pair_socket(), &message, 1, 0));
}

static long
pair_message_abstract(const struct attack_place *place)
{
	struct sockaddr_un at;
	struct iovec piece = { (char[]){ 'x' }, 1 };
	struct msghdr message = { .msg_name = &at,
		.msg_namelen = name_address(place, SOCK_DGRAM, &at),
		.msg_iov = &piece,
		.msg_iovlen = 1 };

	return attack_said(sendmsg(pair_socket(), &message, 0));
}

/* Whoever looks at an address in our memory before the kernel does may see
 * another one than the kernel: a thread changes it, all the time. */
struct flip {
	struct sockaddr_un harmless, wanted, shared;
	atomic_bool done;
};

static void *
flip_run(void *argument)
{
	struct flip *flip = argument;

	while (!flip->done) {
		memcpy(&flip->shared, &flip->harmless, sizeof(flip->shared));
		atomic_signal_fence(memory_order_seq_cst);
		memcpy(&flip->shared, &flip->wanted, sizeof(flip->shared));
		atomic_signal_fence(memory_order_seq_cst);
	}
	return NULL;
}

static long
pair_connect_race(const struct attack_place *place)
{
	static struct flip flip;
	pthread_t thread;
	long result = -EPERM;

	path_address(place, "granted/log.sock", &flip.wanted);
	path_address(place, "granted/none.sock", &flip.harmless);
	if (pthread_create(&thread, NULL, flip_run, &flip) != 0)
		return -EAGAIN;
	for (const time_t end = time(NULL) + 3;
	     result < 0 && time(NULL) < end;) {
		const int fd = pair_socket();
		result = attack_said(connect(
		    fd, (struct sockaddr *)&flip.shared, sizeof(flip.shared)));
		close(fd);
	}
	flip.done = true;
	pthread_join(thread, NULL);
	return result;
}

static long
shared_memory(const struct attack_place *place)
{
	const char *memory = shmat((int)place->shm, NULL, SHM_RDONLY);

	if (memory == (const char *)-1)
		return -(long)errno;
	return strcmp(memory, ATTACK_SECRET) == 0 ? 0 : -ENODATA;
}

static long
semaphore(const struct attack_place *place)
{
	return attack_said(semctl((int)place->sem, 0, GETVAL));
}

static long
message_queue(const struct attack_place *place)
{
	struct {
		long type;
		char text[16];
	} message;

	return attack_said(msgrcv((int)place->msg, &message,
	    sizeof(message.text), 0, IPC_NOWAIT | MSG_COPY));
}

static long
posix_queue(const struct attack_place *place)
{
	char name[80];

	snprintf(name, sizeof(name), "/%s", place->name);
	return attack_said(mq_open(name, O_RDWR));
}

#define FAMILY(name, family, type, protocol)                                   \
	static long name(const struct attack_place *place)                     \
	{                                                                      \
		(void)place;                                                   \
		return attack_said(                                            \
		    syscall(SYS_socket, family, type, protocol));              \
	}

FAMILY(netlink_route, AF_NETLINK, SOCK_RAW, 0)
FAMILY(netlink_audit, AF_NETLINK, SOCK_RAW, 9)
FAMILY(netlink_events, AF_NETLINK, SOCK_DGRAM, 15)
FAMILY(packets, AF_PACKET, SOCK_RAW, 0x0300)
FAMILY(virtual_machine, AF_VSOCK, SOCK_STREAM, 0)
FAMILY(kernel_crypto, AF_ALG, SOCK_SEQPACKET, 0)
FAMILY(kernel_keys, 15, SOCK_RAW, 2)
FAMILY(express, 44, SOCK_RAW, 0)
FAMILY(raw_internet, AF_INET, SOCK_RAW, 1)
FAMILY(raw_internet6, AF_INET6, SOCK_RAW, 58)
FAMILY(stream_control, AF_INET, SOCK_STREAM, 132)
FAMILY(old_packets, AF_INET, 10 /* SOCK_PACKET */, 0x0300)
FAMILY(raw_in_type, AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 17)
FAMILY(netlink_high, 0x700000000ul | AF_NETLINK, SOCK_RAW, 0)
FAMILY(pair_internet, AF_INET, SOCK_RAW, 255)

/* Any family there is, but UNIX and the two of the Internet. */
static long
other_families(const struct attack_place *place)
{
	long said = -EPERM;

	(void)place;
	for (int family = 3; family < 64; family++) {
		if (family == AF_INET6)
			continue;
		for (int type = 1; type < 6; type++) {
			const int fd = socket(family, type, 0);
			if (fd >= 0)
				return family;
			said = -(long)errno;
		}
	}
	return said;
}

static long
signal_host(const struct attack_place *place)
{
	return attack_said(kill((pid_t)place->pid, 0));
}

static long
signal_host_queued(const struct attack_place *place)
{
	siginfo_t info = { .si_code = SI_QUEUE };

	return attack_said(
	    syscall(SYS_rt_sigqueueinfo, (pid_t)place->pid, 0, &info));
}

static long
signal_host_thread(const struct attack_place *place)
{
	return attack_said(
	    syscall(SYS_tgkill, (pid_t)place->pid, (pid_t)place->pid, 0));
}

static long
pidfd_host(const struct attack_place *place)
{
	return attack_said(syscall(SYS_pidfd_open, (pid_t)place->pid, 0));
}

static long
limits_host(const struct attack_place *place)
{
	unsigned long limit[2];

	return attack_said(
	    syscall(SYS_prlimit64, (pid_t)place->pid, 7, NULL, limit));
}

static long
scheduling_host(const struct attack_place *place)
{
	return attack_said(syscall(SYS_sched_getscheduler, (pid_t)place->pid));
}

static long
group_host(const struct attack_place *place)
{
	return attack_said(syscall(SYS_getpgid, (pid_t)place->pid));
}

static const struct attack attacks[] = {
	ATTACK(USER, unix_socket),
	ATTACK(USER, unix_socket_high),
	ATTACK(USER, unix_connect),
	ATTACK(USER, unix_connect_abstract),
	ATTACK(USER, pair_connect_path),
	ATTACK(USER, pair_connect_abstract),
	ATTACK(USER, pair_send_path),
	ATTACK(USER, pair_send_abstract),
	ATTACK(USER, pair_message_path),
	ATTACK(USER, pair_messages_path),
	ATTACK(USER, pair_message_abstract),
	ATTACK(USER, pair_connect_race),
	ATTACK(USER, shared_memory),
	ATTACK(USER, semaphore),
	ATTACK(USER, message_queue),
	ATTACK(USER, posix_queue),
	ATTACK(USER, netlink_route),
	ATTACK(USER, netlink_audit),
	ATTACK(USER, netlink_events),
	ATTACK(ROOT, packets),
	ATTACK(USER, virtual_machine),
	ATTACK(USER, kernel_crypto),
	ATTACK(ROOT, kernel_keys),
	ATTACK(ROOT, express),
	ATTACK(ROOT, raw_internet),
	ATTACK(ROOT, raw_internet6),
	ATTACK(USER, stream_control),
	ATTACK(ROOT, old_packets),
	ATTACK(ROOT, raw_in_type),
	ATTACK(USER, netlink_high),
	ATTACK(ROOT, pair_internet),
	ATTACK(USER, other_families),
	ATTACK(NEAR, signal_host),
	ATTACK(NEAR, signal_host_queued),
	ATTACK(NEAR, signal_host_thread),
	ATTACK(NEAR, pidfd_host),
	ATTACK(NEAR, limits_host),
	ATTACK(NEAR, scheduling_host),
	ATTACK(NEAR, group_host),
};

const struct attack_table attack_ipc = { "ipc", attacks,
	sizeof(attacks) / sizeof(attacks[0]) };
