/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Options of a subcommand: one table from which the command line is read and
 * the help is printed, so that the two cannot disagree.
 */

#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

enum ctl_option_kind {
	CTL_FLAG, /* bool */
	CTL_TEXT, /* const char *, borrowed from argv */
	CTL_SIZE, /* uint64_t bytes */
	CTL_DURATION, /* uint64_t nanoseconds */
	CTL_COUNT, /* uint32_t, at least 1 */
	CTL_LIST, /* struct ctl_list, may be given often */
};

#define CTL_LIST_MAX 32

struct ctl_list {
	const char *items[CTL_LIST_MAX]; /* borrowed from argv */
	size_t n_items;
};

struct ctl_option {
	const char *name; /* without the dashes */
	char letter; /* its short form, or 0 */
	enum ctl_option_kind kind;
	void *value; /* borrowed; left alone when the option is not given */
	const char *argument; /* how help calls it; NULL for a flag */
	const char *help;
};

struct ctl_synopsis {
	const char *command; /* "cordon run" */
	const char *operands; /* "FILE|DIR [JSON]" */
	const char *summary; /* one or more whole lines */
	const struct ctl_option *options;
	size_t n_options;
	const char *notes; /* whole lines below the options, or NULL */
};

#define CTL_E_USAGE 1 /* the sentence is in err */
#define CTL_E_HELP 2 /* --help was given, and has been printed */

/*
 * Reads the options wherever they stand; "--" ends them. The operands are
 * moved to the front of argv (behind argv[0]) and counted in *n_operands.
 */
int ctl_options_parse(const struct ctl_synopsis *synopsis, int argc,
    char **argv, int *n_operands, struct err *err);

void ctl_help_print(FILE *out, const struct ctl_synopsis *synopsis);

/* Says the sentence and where help is; returns CTL_EXIT_USAGE. */
int ctl_usage_fail(const struct ctl_synopsis *synopsis, const struct err *err);
