/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon-ctl: the commands of `cordon` that need more than the C library.
 * `cordon` becomes this program; it runs as the person who typed it.
 */
#include <signal.h>
#include <stdio.h>

#include "base/auto.h"
#include "ctl/command.h"

#define FRONT(function) NULL
#define BACK(function) function
#define COMMAND(name, where, function, help) { name, where(function), help },
static const struct ctl_entry entries[] = {
#include "ctl/commands.def"
};

int
main(int argc, char **argv)
{
	ctl_streams_open();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);

	const struct ctl_entry *entry = argc < 2
	    ? NULL
	    : ctl_entry_find(entries, ARRAY_LEN(entries), argv[1]);
	if (entry == NULL || entry->run == NULL) {
		fputs("cordon-ctl is a part of cordon: start that\n", stderr);
		return CTL_EXIT_USAGE;
	}
	return ctl_streams_end(entry->run(argc - 1, argv + 1));
}
