/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon top: what a host is doing, as a table that stays fresh.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "ctl/host/admin.h"
#include "ctl/ctl.h"
#include "ctl/host/table.h"
#include "ctl/text.h"

static const struct ctl_column server_columns[] = {
	{ "SERVER", "name", NULL },
	{ "TENANT", "tenant", NULL },
	{ "STATE", "state", NULL },
	{ "CALLS", "calls", NULL },
	{ "CALLS/S", "calls_per_s", NULL },
	{ "FAILED", "failures", NULL },
	{ "CPU", "cpu_us", ctl_cell_us },
	{ "LINKS", "links", NULL },
	{ "BOXES", "boxes", NULL },
	{ "CELLS", "cells", NULL },
	{ "BUSY", "cells_busy", NULL },
};

static const struct ctl_column principal_columns[] = {
	{ "TOKEN", "name", NULL },
	{ "TENANT", "tenant", NULL },
	{ "REQUESTS", "requests", NULL },
	{ "CALLS", "calls", NULL },
	{ "RUNNING", "running", NULL },
	{ "REFUSED", "refused", NULL },
	{ "CPU", "cpu_us", ctl_cell_us },
	{ "SESSIONS", "sessions", NULL },
};

static void
picture_print(const struct ctl_reply *reply, bool is_screen)
{
	/* The host's own numbers; a stranger's text is escaped in tables. */
	if (is_screen)
		fputs("\x1b[H\x1b[J", stdout);
	printf("sessions %" PRIu64 "   streams %" PRIu64 "   calls %" PRIu64
	       "   cells %" PRIu64 "\n\n",
	    ctl_member_number(reply->json, "sessions"),
	    ctl_member_number(reply->json, "streams"),
	    ctl_member_number(reply->json, "calls"),
	    ctl_member_number(reply->json, "cells"));
	(void)ctl_table_print(stdout, server_columns, ARRAY_LEN(server_columns),
	    ctl_member(reply->json, "servers"));
	putchar('\n');
	(void)ctl_table_print(stdout, principal_columns,
	    ARRAY_LEN(principal_columns),
	    ctl_member(reply->json, "principals"));
}

static int
top_run(void *values, int n, char **operands)
{
	static const struct timespec pause = { 2, 0 };
	const struct ctl_admin *admin = values;
	const bool is_screen = !admin->once && isatty(STDOUT_FILENO);
	int exit_code;

	(void)n;
	(void)operands;
	for (;;) {
		struct ctl_reply reply;

		exit_code =
		    ctl_admin_ask(admin, "GET", "/admin/runtime", NULL, &reply);
		if (exit_code == CTL_EXIT_OK && admin->json)
			ctl_reply_print(&reply);
		else if (exit_code == CTL_EXIT_OK)
			picture_print(&reply, is_screen);
		ctl_reply_fini(&reply);
		if (exit_code != CTL_EXIT_OK || admin->once ||
		    fflush(stdout) != 0)
			return exit_code;
		nanosleep(&pause, NULL);
	}
}

int
ctl_top(int argc, char **argv)
{
	static const struct ctl_option options[] = {
		{ "once", 0, CTL_FLAG, offsetof(struct ctl_admin, once), NULL,
		    "one picture, then end" },
		CTL_HOST_OPTIONS,
	};
	static const struct ctl_command top = { "cordon top", "",
		"Shows what a running host is doing, every two seconds. "
		"Ctrl-C ends it.",
		options, ARRAY_LEN(options), NULL, 0, 0, top_run };
	struct ctl_admin admin = { .command = "cordon top" };

	return ctl_command_run(&top, &admin, argc, argv);
}
