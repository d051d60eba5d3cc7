/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What `cordon` and `cordon-ctl` have in common: both are entered with the
 * words of `cordon COMMAND …`, and run the commands that are their own.
 */

#include <stddef.h>

#include "ctl/ctl.h"

struct ctl_entry {
	const char *name;
	ctl_command_fn *run; /* NULL: it is in the other executable */
	const char *help;
};

const struct ctl_entry *
ctl_entry_find(const struct ctl_entry *entries, size_t n, const char *name);

/* Says that there is no such command; returns CTL_EXIT_USAGE. */
int ctl_entry_unknown(const char *name);

/* A closed 0, 1 or 2 would be taken by the next file that is opened. What is
 * said on standard error comes in lines. */
void ctl_streams_open(void);

/* Writes out what standard output still holds; the exit code, or that of a
 * failure. */
int ctl_streams_end(int exit_code);
