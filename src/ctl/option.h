/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The commands, as tables: from one entry the command line is read, the help
 * is printed and the command is run, so that the three cannot disagree. What
 * an option is worth lands in the command's own struct, at an offset.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

enum ctl_option_kind {
	CTL_FLAG, /* bool */
	CTL_TEXT, /* const char *, borrowed from argv */
	CTL_SIZE, /* uint64_t bytes */
	CTL_DURATION, /* uint64_t nanoseconds */
	CTL_COUNT, /* uint32_t, at least 1 */
	CTL_MILLI, /* uint32_t thousandths of what may have a fraction, >= 1 */
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
	size_t offset; /* of the value; left alone when it is not given */
	const char *argument; /* how help calls it; NULL for a flag */
	const char *help;
};

#define CTL_OPERANDS_ANY (-1)

/* Runs a command whose options have been read; returns the exit code. */
typedef int ctl_run_fn(void *values, int n_operands, char **operands);

struct ctl_command {
	const char *name; /* "cordon upstream add" */
	const char *operands; /* "NAME FILE|FOLDER" */
	const char *summary; /* one or more whole lines */
	const struct ctl_option *options;
	size_t n_options;
	const char *notes; /* whole lines below the options, or NULL */
	int least, most; /* operands; CTL_OPERANDS_ANY: no most */
	ctl_run_fn *run;
	bool starts_command; /* the first operand ends the options: what
			      * follows is a command line of its own */
};

/* A command of several: "cordon token create", "cordon token list" … */
struct ctl_group {
	const char *name; /* "cordon token" */
	const char *summary; /* one line */
	const struct ctl_command *commands;
	size_t n_commands;
};

#define CTL_E_USAGE 1 /* the sentence is in err */
#define CTL_E_HELP 2 /* --help was given, and has been printed */

/*
 * Reads the options wherever they stand; "--" ends them. The operands are
 * moved to the front of argv (behind argv[0]) and counted in *n_operands.
 */
int ctl_options_parse(const struct ctl_command *command, void *values, int argc,
    char **argv, int *n_operands, struct err *err);

/* Reads the command line into values (its defaults are the caller's), and runs
 * the command; returns its exit code, or that of a wrong usage. */
int ctl_command_run(
    const struct ctl_command *command, void *values, int argc, char **argv);

/* The same for the one of the group that argv[1] names. */
int ctl_group_run(
    const struct ctl_group *group, void *values, int argc, char **argv);

void ctl_help_print(FILE *out, const struct ctl_command *command);

/* Says the sentence and where help is; returns CTL_EXIT_USAGE. */
int ctl_usage_fail(const struct ctl_command *command, const struct err *err);
