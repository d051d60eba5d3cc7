/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon egress: what went out of a running host, and what was not let.
 */
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "ctl/ctl.h"
#include "ctl/host/admin.h"
#include "ctl/host/table.h"
#include "ctl/text.h"

/* "GET https://host:443/path", "dns host": the parts are a stranger's. */
static void
what_print(struct json_span line)
{
	const struct json_span method = ctl_member(line, "method");
	const struct json_span port = ctl_member(line, "port");
	const bool is_name =
	    json_string_equals(ctl_member(line, "scheme"), "dns");

	if (method.at != NULL) {
		ctl_string_print(stdout, method);
		putchar(' ');
	}
	ctl_string_print(stdout, ctl_member(line, "scheme"));
	fputs(is_name ? " " : "://", stdout);
	ctl_string_print(stdout, ctl_member(line, "host"));
	if (port.at != NULL && !is_name)
		printf(":%.*s", (int)port.len, port.at);
	ctl_string_print(stdout, ctl_member(line, "path"));
}

static void
who_print(struct json_span line)
{
	const struct json_span server = ctl_member(line, "server");
	const struct json_span call = ctl_member(line, "call");

	if (server.at == NULL) {
		putchar('-');
		return;
	}
	ctl_string_print(stdout, ctl_member(line, "tenant"));
	putchar('/');
	ctl_string_print(stdout, server);
	if (call.at != NULL) {
		putchar(' ');
		ctl_string_print(stdout, call);
	}
}

static void
event_print(struct json_span line)
{
	const struct json_span status = ctl_member(line, "status");
	const struct json_span text = ctl_member(line, "text");

	ctl_string_print(stdout, ctl_member(line, "time"));
	fputs("  ", stdout);
	who_print(line);
	fputs("  ", stdout);
	ctl_string_print(stdout, ctl_member(line, "verdict"));
	fputs("  ", stdout);
	what_print(line);
	if (status.at != NULL)
		printf("  %.*s", (int)status.len, status.at);
	printf("  in %llu B, out %llu B, %llu ms",
	    (unsigned long long)ctl_member_number(line, "bytes_in"),
	    (unsigned long long)ctl_member_number(line, "bytes_out"),
	    (unsigned long long)ctl_member_number(line, "ms"));
	if (text.at != NULL) {
		fputs("\n    ", stdout);
		ctl_string_print(stdout, text);
	}
	putchar('\n');
	const uint64_t lost = ctl_member_number(line, "lost");
	if (lost > 0)
		printf("(lost before this: %llu that came too fast)\n",
		    (unsigned long long)lost);
}

static int
log_run(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	const struct {
		const char *key;
		const char *name;
	} names[] = { { "server", admin->server },
		{ "tenant", admin->tenant } };
	char path[CTL_PATH_MAX];

	(void)n;
	(void)operands;
	int len = snprintf(path, sizeof(path),
	    "/admin/egress/log?follow=%d&refused=%d", admin->follow,
	    admin->refused);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (names[i].name == NULL)
			continue;
		if (!ctl_admin_name_check(admin, names[i].name))
			return CTL_EXIT_USAGE;
		len += snprintf(path + len, sizeof(path) - (size_t)len,
		    "&%s=%s", names[i].key, names[i].name);
	}
	return ctl_admin_lines(admin, path, event_print);
}

#define AT(member) offsetof(struct ctl_admin, member)

static const struct ctl_option log_options[] = {
	{ "follow", 'f', CTL_FLAG, AT(follow), NULL, "go on as they come" },
	{ "server", 0, CTL_TEXT, AT(server), "NAME", "of this server alone" },
	{ "refused", 0, CTL_FLAG, AT(refused), NULL,
	    "what was refused alone, with the rule that was missing" },
	CTL_HOST_OPTIONS,
};

static const struct ctl_command verbs[] = {
	{ "cordon egress log", "",
	    "Prints the last requests that went out, and those that were not "
	    "let out and why.",
	    log_options, ARRAY_LEN(log_options), NULL, 0, 0, log_run },
};

int
ctl_egress(int argc, char **argv)
{
	const struct ctl_group group = { "cordon egress",
		"Shows what leaves a running host, by whom.", verbs,
		ARRAY_LEN(verbs) };
	struct ctl_admin admin = { .command = "cordon egress" };

	return ctl_group_run(&group, &admin, argc, argv);
}
