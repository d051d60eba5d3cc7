/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon audit: what was done with a host, as its store wrote it down.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "ctl/host/admin.h"
#include "ctl/ctl.h"
#include "ctl/host/table.h"
#include "ctl/text.h"

#define PAGE 500u
#define TAIL_DEFAULT 20u

/* Prints the records behind number *after, and moves it. */
typedef void page_fn(const struct ctl_admin *admin, struct json_span records);

static const struct ctl_column columns[] = {
	{ "NO", "number", NULL },
	{ "WHEN", "time", ctl_cell_time },
	{ "TENANT", "tenant_name", NULL },
	{ "WHO", "principal_name", NULL },
	{ "ACTION", "action", NULL },
	{ "DETAIL", "detail", NULL },
	{ "REQUEST", "request", NULL },
};

static void
lines_print(const struct ctl_admin *admin, struct json_span records)
{
	struct json_span record;
	struct json_iter iter;

	(void)admin;
	if (json_iter_init(&iter, records) != 0)
		return;
	while (json_iter_element(&iter, &record))
		ctl_json_line_print(stdout, record.at, record.len);
}

static void
page_print(const struct ctl_admin *admin, struct json_span records)
{
	struct json_span record;
	struct json_iter iter;

	if (admin->json)
		lines_print(admin, records);
	else if (json_iter_init(&iter, records) == 0 &&
	    json_iter_element(&iter, &record))
		(void)ctl_table_print(
		    stdout, columns, ARRAY_LEN(columns), records);
}

/* One page after a number; *after is then the last one's, *n their count. */
static int
page_take(
    const struct ctl_admin *admin, uint64_t *after, size_t *n, page_fn *print)
{
	struct json_span record, records;
	struct json_iter iter;
	struct ctl_reply reply;
	char path[CTL_PATH_MAX];

	snprintf(path, sizeof(path), "/admin/audit?after=%" PRIu64 "&limit=%u",
	    *after, PAGE);
	const int exit_code = ctl_admin_ask(admin, "GET", path, NULL, &reply);
	*n = 0;
	if (exit_code == CTL_EXIT_OK) {
		records = ctl_reply_rows(&reply, "records");
		if (print != NULL)
			print(admin, records);
		if (json_iter_init(&iter, records) == 0) {
			for (; json_iter_element(&iter, &record); (*n)++)
				*after = ctl_member_number(record, "number");
		}
	}
	ctl_reply_fini(&reply);
	return exit_code;
}

static int
export_run(void *values, int n_operands, char **operands)
{
	const struct ctl_admin *admin = values;
	uint64_t after = 0;
	size_t n = 1;
	int exit_code = CTL_EXIT_OK;

	(void)n_operands;
	(void)operands;
	while (exit_code == CTL_EXIT_OK && n > 0 && !ferror(stdout))
		exit_code = page_take(admin, &after, &n, lines_print);
	return exit_code;
}

/* The number of the newest record. */
static int
newest(const struct ctl_admin *admin, uint64_t *number)
{
	struct ctl_reply reply;

	const int exit_code = ctl_admin_ask(
	    admin, "GET", "/admin/audit?after=0&limit=1", NULL, &reply);
	if (exit_code == CTL_EXIT_OK)
		*number = ctl_member_number(reply.json, "newest");
	ctl_reply_fini(&reply);
	return exit_code;
}

static int
tail_run(void *values, int n_operands, char **operands)
{
	static const struct timespec pause = { 1, 0 };
	const struct ctl_admin *admin = values;
	const uint64_t wanted = admin->lines > 0 ? admin->lines : TAIL_DEFAULT;
	uint64_t after = 0;
	size_t n = 1;

	(void)n_operands;
	(void)operands;
	int exit_code = newest(admin, &after);
	after = after > wanted ? after - wanted : 0;
	while (exit_code == CTL_EXIT_OK && (n > 0 || admin->follow)) {
		exit_code = page_take(admin, &after, &n, page_print);
		if (fflush(stdout) != 0)
			break;
		if (n == 0 && admin->follow)
			nanosleep(&pause, NULL);
	}
	return exit_code;
}

static void
broken_print(struct json_span verdict)
{
	const struct json_span raw_why = ctl_member(verdict, "why");
	char why[512] = "it is not what was written";

	if (json_kind_of(raw_why) == JSON_KIND_STRING)
		(void)json_string_copy(raw_why, why, sizeof(why), NULL);
	printf("The chain is BROKEN at record %" PRIu64 ": ",
	    ctl_member_number(verdict, "broken"));
	ctl_line_print(stdout, why, strlen(why));
	putchar('\n');
}

static int
verify_run(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	struct ctl_reply reply;

	(void)n;
	(void)operands;
	int exit_code =
	    ctl_admin_ask(admin, "GET", "/admin/audit/verify", NULL, &reply);
	if (exit_code == CTL_EXIT_OK) {
		const uint64_t checked =
		    ctl_member_number(reply.json, "checked");
		const bool is_whole =
		    json_value_is_true(ctl_member(reply.json, "ok"));

		if (admin->json)
			ctl_reply_print(&reply);
		else if (is_whole)
			printf("The chain is whole: %" PRIu64 " records.\n",
			    checked);
		else
			broken_print(reply.json);
		exit_code = is_whole ? CTL_EXIT_OK : CTL_EXIT_REFUSED;
	}
	ctl_reply_fini(&reply);
	return exit_code;
}

static const struct ctl_option tail_options[] = {
	{ "follow", 'f', CTL_FLAG, offsetof(struct ctl_admin, follow), NULL,
	    "go on as they come" },
	{ "lines", 'n', CTL_COUNT, offsetof(struct ctl_admin, lines), "N",
	    "the last N to begin with (20)" },
	CTL_HOST_OPTIONS,
};

static const struct ctl_option options[] = { CTL_HOST_OPTIONS };

static const struct ctl_command verbs[] = {
	{ "cordon audit tail", "", "Prints the newest records.", tail_options,
	    ARRAY_LEN(tail_options), NULL, 0, 0, tail_run },
	{ "cordon audit verify", "",
	    "Checks the chain of hashes from its first record. Exit code 1: "
	    "it is broken.",
	    options, ARRAY_LEN(options), NULL, 0, 0, verify_run },
	{ "cordon audit export", "", "Writes every record as a line of JSON.",
	    options, ARRAY_LEN(options), NULL, 0, 0, export_run },
};

int
ctl_audit(int argc, char **argv)
{
	static const struct ctl_group group = { "cordon audit",
		"Reads and verifies what was done with a host.", verbs,
		ARRAY_LEN(verbs) };
	struct ctl_admin admin = { .command = "cordon audit" };

	return ctl_group_run(&group, &admin, argc, argv);
}
