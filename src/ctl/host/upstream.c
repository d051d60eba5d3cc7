/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon upstream: the servers of a running host. What is added is
 * quarantined; approving it is a decision of its own.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "ctl/ctl.h"
#include "ctl/host/add.h"
#include "ctl/host/admin.h"
#include "ctl/host/package.h"
#include "ctl/host/table.h"
#include "ctl/login/login.h"
#include "ctl/text.h"

static const struct ctl_column columns[] = {
	{ "NAME", "name", NULL },
	{ "STATE", "state", NULL },
	{ "KIND", "kind", NULL },
	{ "FROM", "origin", NULL },
	{ "TENANT", "tenant", NULL },
	{ "DIGEST", "digest", ctl_cell_digest },
	{ "ADDED", "created", ctl_cell_time },
	{ "COMMAND", "command", ctl_cell_words },
};

static int
list_run(void *values, int n, char **operands)
{
	(void)n;
	(void)operands;
	return ctl_admin_list(
	    values, "/admin/servers", "servers", columns, ARRAY_LEN(columns));
}

static int
show_run(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	char path[CTL_PATH_MAX];
	struct ctl_reply reply;

	(void)n;
	if (!ctl_admin_name_check(admin, operands[0]))
		return CTL_EXIT_USAGE;
	snprintf(path, sizeof(path), "/admin/servers/%s", operands[0]);
	const int exit_code = ctl_admin_ask(admin, "GET", path, NULL, &reply);
	if (exit_code == CTL_EXIT_OK && admin->json)
		ctl_reply_print(&reply);
	else if (exit_code == CTL_EXIT_OK)
		ctl_server_print(&reply);
	ctl_reply_fini(&reply);
	return exit_code;
}

/* A verb on one server: the request, and the sentence when it went well. */
static int
server_change(const struct ctl_admin *admin, const char *method,
    const char *name, const char *verb, const char *done)
{
	char path[CTL_PATH_MAX];
	struct ctl_reply reply;

	if (!ctl_admin_name_check(admin, name))
		return CTL_EXIT_USAGE;
	snprintf(path, sizeof(path), "/admin/servers/%s%s", name, verb);
	const int exit_code = ctl_admin_ask(admin, method, path, NULL, &reply);
	if (exit_code == CTL_EXIT_OK && admin->json)
		ctl_reply_print(&reply);
	else if (exit_code == CTL_EXIT_OK)
		printf("%s %s\n", name, done);
	ctl_reply_fini(&reply);
	return exit_code;
}

static int
approve_run(void *values, int n, char **operands)
{
	(void)n;
	const int exit_code = ctl_package_check(values, operands[0]);
	return exit_code != CTL_EXIT_OK
	    ? exit_code
	    : server_change(
		  values, "POST", operands[0], "/approve", "is approved.");
}

static int
deny_run(void *values, int n, char **operands)
{
	(void)n;
	return server_change(
	    values, "POST", operands[0], "/deny", "is denied.");
}

static int
restart_run(void *values, int n, char **operands)
{
	(void)n;
	return server_change(
	    values, "POST", operands[0], "/restart", "starts anew.");
}

static int
remove_run(void *values, int n, char **operands)
{
	char digest[PACKAGE_DIGEST_HEX];

	(void)n;
	int exit_code = ctl_package_find(values, operands[0], digest);
	if (exit_code == CTL_EXIT_OK)
		exit_code = server_change(
		    values, "DELETE", operands[0], "", "is removed.");
	if (exit_code == CTL_EXIT_OK)
		ctl_package_drop(values, digest);
	return exit_code;
}

static void
log_print(struct json_span line)
{
	static const struct {
		const char *member;
		const char *after;
	} parts[] = { { "time", "  " }, { "level", "  " }, { "text", "\n" } };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		ctl_string_print(stdout, ctl_member(line, parts[i].member));
		fputs(parts[i].after, stdout);
	}
}

static int
logs_run(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	char path[CTL_PATH_MAX];

	(void)n;
	if (!ctl_admin_name_check(admin, operands[0]) ||
	    (admin->tenant != NULL &&
		!ctl_admin_name_check(admin, admin->tenant)))
		return CTL_EXIT_USAGE;
	snprintf(path, sizeof(path), "/admin/servers/%s/logs?follow=%d%s%s",
	    operands[0], admin->follow, admin->tenant != NULL ? "&tenant=" : "",
	    admin->tenant != NULL ? admin->tenant : "");
	return ctl_admin_lines(admin, path, log_print);
}

#define AT(member) offsetof(struct ctl_admin, member)

static const struct ctl_option log_options[] = {
	{ "follow", 'f', CTL_FLAG, AT(follow), NULL, "go on as they come" },
	CTL_HOST_OPTIONS,
};

static const struct ctl_option options[] = { CTL_HOST_OPTIONS };

#define VERB(verb, operands, summary)                                          \
	{                                                                      \
		"cordon upstream " #verb, operands, summary, options,          \
		    ARRAY_LEN(options), NULL, 1, 1, verb##_run                 \
	}

static const struct ctl_command verbs[] = {
	{ "cordon upstream list", "", "Lists all servers, in whatever state.",
	    options, ARRAY_LEN(options), NULL, 0, 0, list_run },
	VERB(show, "NAME",
	    "Prints what a server is and may, and in which state it is."),
	VERB(
	    approve, "NAME", "Lets a server be seen and called, as it is now."),
	VERB(deny, "NAME", "Takes a server out of sight, at once."),
	VERB(remove, "NAME", "Forgets a server and its files."),
	VERB(restart, "NAME",
	    "Ends what runs of a server; the next call "
	    "starts it anew."),
	{ "cordon upstream logs", "NAME",
	    "Prints the last lines that a server logged.", log_options,
	    ARRAY_LEN(log_options), NULL, 1, 1, logs_run },
};

/* What stands behind "--" is a command line of its own. */
static int
program_split(struct ctl_admin *admin, int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--") != 0)
			continue;
		admin->program = argv + i + 1;
		return i;
	}
	return argc;
}

int
ctl_upstream(int argc, char **argv)
{
	struct ctl_command commands[4 + ARRAY_LEN(verbs)] = { ctl_add_command };
	const struct ctl_group group = { "cordon upstream",
		"Looks after the servers of a running host.", commands,
		ARRAY_LEN(commands) };
	struct ctl_admin admin = { .command = "cordon upstream",
		.grants = CTL_GRANTS_NONE };

	memcpy(&commands[1], verbs, sizeof(verbs));
	commands[1 + ARRAY_LEN(verbs)] = ctl_login_command;
	commands[2 + ARRAY_LEN(verbs)] = ctl_logins_command;
	commands[3 + ARRAY_LEN(verbs)] = ctl_logout_command;
	if (argc > 1 && strcmp(argv[1], "add") == 0)
		argc = program_split(&admin, argc, argv);
	return ctl_group_run(&group, &admin, argc, argv);
}
