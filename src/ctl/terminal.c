/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/terminal.h"

#include <fcntl.h>
#include <unistd.h>

void
ctl_terminal_save(struct ctl_terminal *terminal)
{
	struct termios modes;

	terminal->fd = -1;
	for (int fd = 0; fd < 3; fd++) {
		terminal->flags[fd] = -1;
		if (tcgetattr(fd, &modes) != 0)
			continue;
		terminal->flags[fd] = fcntl(fd, F_GETFL);
		if (terminal->fd >= 0)
			continue;
		terminal->fd = fd;
		terminal->modes = modes;
	}
	terminal->is_ours =
	    terminal->fd >= 0 && tcgetpgrp(terminal->fd) == getpgrp();
}

void
ctl_terminal_restore(const struct ctl_terminal *terminal)
{
	/* A shell that finds its terminal non-blocking takes that for its end. */
	for (int fd = 0; fd < 3; fd++) {
		const int flags = terminal->flags[fd];

		if (flags >= 0 && fcntl(fd, F_GETFL) != flags)
			(void)fcntl(fd, F_SETFL, flags);
	}
	if (!terminal->is_ours)
		return;
	(void)tcsetpgrp(terminal->fd, getpgrp());
	(void)tcsetattr(terminal->fd, TCSADRAIN, &terminal->modes);
}
