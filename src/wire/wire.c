/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static const struct wire_shape {
	uint8_t n_fds;
	uint8_t text;
} shapes[] = {
#define WIRE_MESSAGE(type, fds, text) { fds, text },
#include "wire/wire.def"
#undef WIRE_MESSAGE
};

union wire_control {
	char bytes[CMSG_SPACE(WIRE_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

static void
control_set(
    struct msghdr *msg, union wire_control *control, const int *fds, size_t n)
{
	memset(control, 0, sizeof(*control));
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_SPACE(n * sizeof(int));
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
}

int
wire_send(int socket_fd, const struct wire_message *message, const int *fds,
    size_t n_fds, const char *text)
{
	struct iovec iov[2] = {
		{ (void *)(uintptr_t)message, sizeof(*message) },
		{ (void *)(uintptr_t)text, message->text_len },
	};
	struct msghdr msg = { .msg_iov = iov,
		.msg_iovlen = message->text_len > 0 ? 2 : 1 };
	union wire_control control;

	if (message->type >= WIRE_N_TYPES ||
	    n_fds != shapes[message->type].n_fds ||
	    message->text_len > WIRE_TEXT_MAX)
		return -EINVAL;
	if (n_fds > 0)
		control_set(&msg, &control, fds, n_fds);

	ssize_t n;
	do
		n = sendmsg(socket_fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
		return WIRE_E_CLOSED;
	return n < 0 ? -errno : 0;
}

/* Copies the descriptors out; what does not fit the array is closed. */
static size_t
fds_take(struct msghdr *msg, int fds[WIRE_FDS_MAX])
{
	size_t taken = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (taken < WIRE_FDS_MAX)
				fds[taken++] = fd;
			else
				close(fd);
		}
	}
	return taken;
}

static int
shape_check(const struct wire_message *message, size_t len, size_t n_fds,
    const struct msghdr *msg)
{
	if (len < sizeof(*message) || message->type >= WIRE_N_TYPES ||
	    (msg->msg_flags & MSG_TRUNC) != 0)
		return WIRE_E_SHAPE;
	/* Where there was room for more, it is we who had none. */
	if ((msg->msg_flags & MSG_CTRUNC) != 0)
		return n_fds < WIRE_FDS_MAX ? WIRE_E_LOST : WIRE_E_SHAPE;

	const struct wire_shape *shape = &shapes[message->type];
	if (n_fds != shape->n_fds ||
	    message->text_len != len - sizeof(*message) ||
	    (message->text_len > 0 && !shape->text))
		return WIRE_E_SHAPE;
	return 0;
}

int
wire_receive(int socket_fd, int flags, struct wire_message *message,
    int fds[WIRE_FDS_MAX], char text[WIRE_TEXT_MAX + 1])
{
	struct wire_message raw_message = { 0 };
	struct iovec iov[2] = { { &raw_message, sizeof(raw_message) },
		{ text, WIRE_TEXT_MAX } };
	union wire_control control;
	struct msghdr msg = { .msg_iov = iov,
		.msg_iovlen = 2,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };

	ssize_t n;
	do
		n = recvmsg(socket_fd, &msg, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? WIRE_E_CLOSED : -errno;

	for (size_t i = 0; i < WIRE_FDS_MAX; i++)
		fds[i] = -1;
	/* Even a message without a byte may bring descriptors. */
	const size_t n_fds = fds_take(&msg, fds);
	const int code = shape_check(&raw_message, (size_t)n, n_fds, &msg);
	if (code != 0) {
		for (size_t i = 0; i < n_fds; i++)
			close(fds[i]);
		return n == 0 ? WIRE_E_CLOSED : code;
	}

	text[raw_message.text_len] = '\0';
	*message = raw_message;
	return 0;
}

int
wire_pair(int type, int pair[2])
{
	return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0 ? -errno
								     : 0;
}
