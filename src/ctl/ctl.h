/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * `cordon`, the front command. It runs as the person who typed it: it alone
 * reads files and configuration, and hands the rest of the program sealed
 * bytes. Exit codes are documented in cordon(1) and never change meaning.
 */

enum ctl_exit {
	CTL_EXIT_OK = 0,
	CTL_EXIT_NOT_READY = 1, /* doctor: cells or boxes cannot run here */
	CTL_EXIT_REFUSED = 1, /* the host says no, and why */
	CTL_EXIT_USAGE = 2,
	CTL_EXIT_NO_HOST = 3, /* no host answers */
	CTL_EXIT_EXCEPTION = 10,
	CTL_EXIT_TIMEOUT = 11,
	CTL_EXIT_MEMORY = 12,
	CTL_EXIT_RESULT = 13,
	CTL_EXIT_LOAD = 14,
	CTL_EXIT_INTERNAL = 70,
	CTL_EXIT_INTERRUPTED = 130,
};

/* A subcommand: argv[0] is its own name. Returns the exit code. */
typedef int ctl_command_fn(int argc, char **argv);

ctl_command_fn ctl_audit;
ctl_command_fn ctl_build;
ctl_command_fn ctl_call_tool;
ctl_command_fn ctl_connect;
ctl_command_fn ctl_doctor;
ctl_command_fn ctl_egress;
ctl_command_fn ctl_import;
ctl_command_fn ctl_run;
ctl_command_fn ctl_sandbox;
ctl_command_fn ctl_secret;
ctl_command_fn ctl_serve;
ctl_command_fn ctl_tenant;
ctl_command_fn ctl_token;
ctl_command_fn ctl_tools;
ctl_command_fn ctl_top;
ctl_command_fn ctl_upstream;
ctl_command_fn ctl_learn;
ctl_command_fn ctl_wrap;
