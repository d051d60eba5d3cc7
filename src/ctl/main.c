/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon: runs as the person who typed it. It links the C library and nothing
 * else, for `cordon wrap` to cost no more than its walls; every command that
 * needs more is cordon-ctl's, which it becomes.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "ctl/command.h"
#include "ctl/libexec.h"

static ctl_command_fn ctl_help, ctl_version;

#define FRONT(function) function
#define BACK(function) NULL
#define COMMAND(name, where, function, help) { name, where(function), help },
static const struct ctl_entry entries[] = {
#include "ctl/commands.def"
};

static void
commands_print(FILE *out)
{
	fputs("Usage: cordon COMMAND [options] [operands]\n\n"
	      "Hosts MCP servers that nobody has reason to trust.\n\n"
	      "Commands:\n",
	    out);
	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		fprintf(out, "  %-9s  %s\n", entries[i].name, entries[i].help);
	fputs("\nA first try:\n"
	      "  cordon doctor\n"
	      "  cordon wrap -- node --version\n"
	      "  cordon run tool.js '{\"price\": 45}'\n"
	      "  cordon serve tools/\n\n"
	      "cordon COMMAND --help tells more, as do the manual pages.\n",
	    out);
}

/* Becomes cordon-ctl, with these words. Returns only when it cannot. */
static int
back_exec(char **argv)
{
	char path[PATH_MAX];
	struct err err;

	if (ctl_libexec_find("cordon-ctl", path, &err) != 0) {
		fprintf(stderr, "cordon: %s\n", err.text);
		return CTL_EXIT_INTERNAL;
	}
	argv[0] = (char[]){ "cordon" };
	execv(path, argv);
	fprintf(stderr, "cordon: %s: %s\n", path, strerror(errno));
	return CTL_EXIT_INTERNAL;
}

static int
ctl_help(int argc, char **argv)
{
	if (argc < 2) {
		commands_print(stdout);
		return CTL_EXIT_OK;
	}

	const struct ctl_entry *entry =
	    ctl_entry_find(entries, ARRAY_LEN(entries), argv[1]);
	if (entry == NULL)
		return ctl_entry_unknown(argv[1]);
	if (entry->run == ctl_help || entry->run == ctl_version) {
		printf("Usage: cordon %s\n\n%s\n", entry->name, entry->help);
		return CTL_EXIT_OK;
	}

	char *words[] = { NULL, argv[1], (char[]){ "--help" }, NULL };
	return entry->run != NULL ? entry->run(2, words + 1) : back_exec(words);
}

static int
ctl_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("cordon " CORDON_VERSION);
	return CTL_EXIT_OK;
}

static const char *
spelled(const char *word)
{
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return "help";
	return strcmp(word, "--version") == 0 ? "version" : word;
}

int
main(int argc, char **argv)
{
	ctl_streams_open();
	if (argc < 2) {
		commands_print(stderr);
		return CTL_EXIT_USAGE;
	}

	const struct ctl_entry *entry =
	    ctl_entry_find(entries, ARRAY_LEN(entries), spelled(argv[1]));
	if (entry == NULL)
		return ctl_entry_unknown(argv[1]);
	if (entry->run == NULL)
		return back_exec(argv);

	signal(SIGCHLD, SIG_DFL);
	return ctl_streams_end(entry->run(argc - 1, argv + 1));
}
