/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

const struct ctl_entry *
ctl_entry_find(const struct ctl_entry *entries, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(entries[i].name, name) == 0)
			return &entries[i];
	}
	return NULL;
}

int
ctl_entry_unknown(const char *name)
{
	fprintf(stderr,
	    "cordon: there is no command \"%s\"\nTry: cordon help\n", name);
	return CTL_EXIT_USAGE;
}

/* They are inherited: that is what they are for. */
void
ctl_streams_open(void)
{
	setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", O_RDWR);
	}
}

int
ctl_streams_end(int exit_code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return exit_code;
	fprintf(stderr, "cordon: standard output: %s\n", strerror(errno));
	return exit_code == CTL_EXIT_OK ? CTL_EXIT_INTERNAL : exit_code;
}
