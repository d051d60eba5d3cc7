/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "ctl/ctl.h"

static ctl_command_fn help, version;

static const struct command {
	const char *name;
	const char *help;
	ctl_command_fn *run;
} commands[] = {
	{ "run", "call a JavaScript tool once, in a fresh cell", ctl_run },
	{ "serve", "run the host: serve tools as MCP servers", ctl_serve },
	{ "upstream", "add, approve and look after servers", ctl_upstream },
	{ "tools", "list the tools that the host serves", ctl_tools },
	{ "call", "call a tool of the host", ctl_call_tool },
	{ "connect", "join a client on stdio to the host", ctl_connect },
	{ "token", "make, list and revoke tokens", ctl_token },
	{ "tenant", "make, list and change tenants", ctl_tenant },
	{ "audit", "read and verify what was done", ctl_audit },
	{ "top", "show what the host is doing", ctl_top },
	{ "build", "bundle a TypeScript or multi-file tool", ctl_build },
	{ "doctor", "tell whether this machine can run cells", ctl_doctor },
	{ "sandbox", "show what each process may do, and why", ctl_sandbox },
	{ "version", "print the version", version },
	{ "help", "print this, or the help of a command", help },
};

static const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static void
commands_print(FILE *out)
{
	fputs("Usage: cordon COMMAND [options] [operands]\n\n"
	      "Hosts MCP servers that nobody has reason to trust.\n\n"
	      "Commands:\n",
	    out);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(
		    out, "  %-9s  %s\n", commands[i].name, commands[i].help);
	fputs("\nA first try:\n"
	      "  cordon doctor\n"
	      "  cordon run tool.js '{\"price\": 45}'\n"
	      "  cordon serve tools/\n\n"
	      "cordon COMMAND --help tells more, as do the manual pages.\n",
	    out);
}

static int
unknown(const char *name)
{
	fprintf(stderr,
	    "cordon: there is no command \"%s\"\nTry: cordon help\n", name);
	return CTL_EXIT_USAGE;
}

static int
help(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		commands_print(stdout);
		return CTL_EXIT_OK;
	}
	command = command_find(argv[1]);
	if (command == NULL)
		return unknown(argv[1]);
	if (command->run == help || command->run == version) {
		printf(
		    "Usage: cordon %s\n\n%s\n", command->name, command->help);
		return CTL_EXIT_OK;
	}

	char *words[] = { argv[1], (char[]){ "--help" }, NULL };
	return command->run(2, words);
}

static int
version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("cordon " CORDON_VERSION);
	return CTL_EXIT_OK;
}

/* A closed 0, 1 or 2 would be taken by the next file that is opened. They are
 * inherited: that is what they are for. */
static void
standard_streams_open(void)
{
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", O_RDWR);
	}
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
	standard_streams_open();
	setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	if (argc < 2) {
		commands_print(stderr);
		return CTL_EXIT_USAGE;
	}

	const struct command *command = command_find(spelled(argv[1]));
	if (command == NULL)
		return unknown(argv[1]);

	const int exit_code = command->run(argc - 1, argv + 1);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(
		    stderr, "cordon: standard output: %s\n", strerror(errno));
		return exit_code == CTL_EXIT_OK ? CTL_EXIT_INTERNAL : exit_code;
	}
	return exit_code;
}
