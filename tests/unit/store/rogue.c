/* SPDX-License-Identifier: Apache-2.0 */

/* A gateway that, given a stream to the store, lies on it. */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "wire/wire.h"

int
main(void)
{
	static char text[WIRE_TEXT_MAX + 1];
	const struct wire_frame lie = { .type = 99 };
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	/* --supervisor 4, as children.c has it. */
	while (wire_receive(4, 0, &message, fds, text) == 0)
		if (message.type == WIRE_STORE &&
		    send(fds[0], &lie, sizeof(lie), MSG_NOSIGNAL) < 0)
			return 1;
	return 0;
}
