/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <termios.h>

/* The terminal of 0, 1 or 2, as it was found; fd -1: none of them is one. */
struct ctl_terminal {
	int fd;
	bool is_ours; /* our process group was in front */
	struct termios modes;
	int flags[3]; /* of 0, 1, 2 as open files, which others share; -1: it
		       * is no terminal */
};

void ctl_terminal_save(struct ctl_terminal *terminal);

/* SIGTTOU must be blocked. */
void ctl_terminal_restore(const struct ctl_terminal *terminal);
