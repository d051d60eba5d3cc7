/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/terminal.h"

#include <unistd.h>

void
ctl_terminal_save(struct ctl_terminal *terminal)
{
	terminal->fd = -1;
	for (int fd = 0; fd < 3 && terminal->fd < 0; fd++) {
		if (tcgetattr(fd, &terminal->modes) == 0)
			terminal->fd = fd;
	}
	terminal->is_ours =
	    terminal->fd >= 0 && tcgetpgrp(terminal->fd) == getpgrp();
}

void
ctl_terminal_restore(const struct ctl_terminal *terminal)
{
	if (!terminal->is_ours)
		return;
	(void)tcsetpgrp(terminal->fd, getpgrp());
	(void)tcsetattr(terminal->fd, TCSADRAIN, &terminal->modes);
}
