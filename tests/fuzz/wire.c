/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A message from a peer that obeys nothing. The first byte says how many
 * descriptors ride along, the rest is the message. What is accepted has the
 * shape of its type; nothing else stays open.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "fuzz.h"
#include "wire/wire.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define SENT_FDS_MAX 4u

static const uint8_t shape_fds[] = {
#define WIRE_MESSAGE(type, fds, text) fds,
#include "wire/wire.def"
#undef WIRE_MESSAGE
};

static int
lowest_free(void)
{
	const int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	CHECK(fd >= 0);
	close(fd);
	return fd;
}

static void
raw_send(int fd, const uint8_t *bytes, size_t len, size_t n_fds)
{
	union {
		char bytes[CMSG_SPACE(SENT_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
		*cmsg = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(n_fds * sizeof(int)) };
		for (size_t i = 0; i < n_fds; i++)
			memcpy(
			    CMSG_DATA(cmsg) + i * sizeof(int), &fd, sizeof(fd));
	}
	CHECK(sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static int pair[2] = { -1, -1 };
	static char text[WIRE_TEXT_MAX + 1];
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	if (len == 0)
		return 0;
	if (pair[0] < 0)
		CHECK(wire_pair(SOCK_SEQPACKET, pair) == 0);
	const size_t n_fds = bytes[0] % (SENT_FDS_MAX + 1);
	/* Descriptors are given out lowest first: a leak moves this. */
	const int free_before = lowest_free();

	raw_send(pair[0], bytes + 1, len - 1, n_fds);
	const int r = wire_receive(pair[1], MSG_DONTWAIT, &message, fds, text);
	CHECK(r == 0 || r == WIRE_E_SHAPE || (r == WIRE_E_CLOSED && len == 1));
	if (r == 0) {
		CHECK(message.type < WIRE_N_TYPES);
		CHECK(shape_fds[message.type] == n_fds);
		CHECK(message.text_len == len - 1 - sizeof(message));
		CHECK(text[message.text_len] == '\0');
		for (size_t i = 0; i < WIRE_FDS_MAX; i++) {
			CHECK((fds[i] >= 0) == (i < n_fds));
			if (fds[i] >= 0)
				close(fds[i]);
		}
	}
	CHECK(lowest_free() == free_before);
	CHECK(wire_receive(pair[1], MSG_DONTWAIT, &message, fds, text) ==
	    -EAGAIN);
	return 0;
}
