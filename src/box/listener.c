/* SPDX-License-Identifier: Apache-2.0 */
#include "box/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"

#define FDS_MAX 4 /* room for more than the one, so that they are seen */

union control {
	char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int
box_listener_send(
    int channel_fd, const struct box_listener_note *note, int listener_fd)
{
	union control control = { .bytes = { 0 } };
	struct box_listener_note copy = *note;
	struct iovec part = { &copy, sizeof(copy) };
	const struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(sizeof(int)) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	*head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(head), &listener_fd, sizeof(int));
	return sendmsg(channel_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0
	    ? -errno
	    : 0;
}

/* The number of descriptors that came. */
static size_t
fds_take(struct msghdr *message, int fds[FDS_MAX])
{
	size_t n = 0;

	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL;
	     head = CMSG_NXTHDR(message, head)) {
		if (head->cmsg_level != SOL_SOCKET ||
		    head->cmsg_type != SCM_RIGHTS)
			continue;
		const size_t more =
		    (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < more && n < FDS_MAX; i++)
			memcpy(&fds[n++], CMSG_DATA(head) + i * sizeof(int),
			    sizeof(int));
	}
	return n;
}

int
box_listener_receive(
    int channel_fd, struct box_listener_note *note, int *listener_fd)
{
	union control control = { .bytes = { 0 } };
	struct box_listener_note raw_note = { 0 };
	struct iovec part = { &raw_note, sizeof(raw_note) };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	int fds[FDS_MAX];
	ssize_t n;

	do
		n = recvmsg(
		    channel_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? BOX_E_CLOSED : -errno;
	const size_t n_fds = fds_take(&message, fds);
	if (n == 0 && n_fds == 0)
		return BOX_E_CLOSED;
	if (n != (ssize_t)sizeof(raw_note) || n_fds != 1 ||
	    (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
	    raw_note.kind > BOX_LISTENER_SOCKS || raw_note.reserved != 0) {
		for (size_t i = 0; i < n_fds; i++)
			close(fds[i]);
		return BOX_E_FORMAT;
	}
	*note = raw_note;
	*listener_fd = fds[0];
	return 0;
}
