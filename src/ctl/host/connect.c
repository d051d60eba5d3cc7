/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon connect: for clients that only speak stdio. Standard output belongs
 * to the protocol; what a person should know goes to standard error.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/auto.h"
#include "client/bridge.h"
#include "ctl/host/admin.h"
#include "ctl/ctl.h"
#include "ctl/text.h"

static void
say(const char *sentence)
{
	fputs("cordon connect: ", stderr);
	ctl_line_print(stderr, sentence, strlen(sentence));
	fputc('\n', stderr);
}

/* Readable when we are told to end: the session is ended first. */
static int
stop_open(void)
{
	sigset_t ending;

	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	return signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
connect_run(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	struct client *client = NULL;
	char path[CTL_PATH_MAX];

	const int exit_code =
	    ctl_admin_endpoint(admin, n > 0 ? operands[0] : NULL, path);
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	const int opened = ctl_admin_open(admin, &client);
	if (opened != CTL_EXIT_OK)
		return opened;

	auto_close int stop_fd = stop_open();
	const struct bridge_task task = { client, path, STDIN_FILENO,
		STDOUT_FILENO, stop_fd, say };
	const int r = bridge_run(&task);
	client_free(client);
	return r == 0 ? CTL_EXIT_OK : CTL_EXIT_INTERNAL;
}

int
ctl_connect(int argc, char **argv)
{
	static const struct ctl_option options[] = { CTL_HOST_PLACE_OPTIONS };
	static const struct ctl_command connect_command = { "cordon connect",
		"[SERVER]",
		"Joins a client that speaks MCP on stdio to a running host: to "
		"all its servers,\nor to one.",
		options, ARRAY_LEN(options),
		"In a client's settings: \"command\": \"cordon\", \"args\": "
		"[\"connect\", \"SERVER\"].",
		0, 1, connect_run };
	struct ctl_admin admin = { .command = "cordon connect" };

	return ctl_command_run(&connect_command, &admin, argc, argv);
}
