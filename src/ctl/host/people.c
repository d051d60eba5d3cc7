/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon token and cordon tenant: who may come to a running host.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "ctl/host/admin.h"
#include "ctl/ctl.h"
#include "ctl/host/table.h"
#include "ctl/text.h"

#define SECOND UINT64_C(1000000000)

static void
text_add(struct json_out *out, const char *before, const char *text)
{
	json_out_text(out, before);
	json_out_string(out, text, strlen(text));
}

static void
list_add(struct json_out *out, const char *before, const struct ctl_list *list)
{
	json_out_text(out, before);
	for (size_t i = 0; i < list->n_items; i++)
		text_add(out, i > 0 ? "," : "[", list->items[i]);
	json_out_text(out, "]");
}

/* Without --json: the token, on a line of its own. */
static void
token_print(const struct ctl_reply *reply)
{
	char text[256];

	if (json_string_copy(ctl_member(reply->json, "token"), text,
		sizeof(text), NULL) != 0) {
		ctl_reply_print(reply);
		return;
	}
	fprintf(stderr,
	    "It is shown this once only; the host keeps its "
	    "SHA-256.\n");
	ctl_line_print(stdout, text, strlen(text));
	putchar('\n');
	explicit_bzero(text, sizeof(text));
}

static int
token_create(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	static const struct ctl_list read_call = { { "read", "call" }, 2 };
	struct ctl_reply reply;
	struct json_out body;

	(void)n;
	json_out_init(&body, 65536);
	text_add(&body, "{\"name\":", operands[0]);
	list_add(&body, ",\"scopes\":",
	    admin->scopes.n_items > 0 ? &admin->scopes : &read_call);
	if (admin->servers.n_items > 0)
		list_add(&body, ",\"servers\":", &admin->servers);
	if (admin->expires_ns > 0) {
		json_out_text(&body, ",\"expires\":");
		json_out_uint(&body, (admin->expires_ns + SECOND - 1) / SECOND);
	}
	ctl_quota_write(admin, &body);
	json_out_text(&body, "}");
	const int exit_code =
	    ctl_admin_ask(admin, "POST", "/admin/tokens", &body, &reply);
	json_out_fini(&body);
	if (exit_code == CTL_EXIT_OK && admin->json)
		ctl_reply_print(&reply);
	else if (exit_code == CTL_EXIT_OK)
		token_print(&reply);
	ctl_reply_fini(&reply);
	return exit_code;
}

static const struct ctl_column token_columns[] = {
	{ "ID", "id", NULL },
	{ "NAME", "name", NULL },
	{ "TENANT", "tenant", NULL },
	{ "SCOPES", "scopes", NULL },
	{ "SERVERS", "servers", NULL },
	{ "EXPIRES", "expires", ctl_cell_time },
};

static int
token_list(void *values, int n, char **operands)
{
	(void)n;
	(void)operands;
	return ctl_admin_list(values, "/admin/tokens", "tokens", token_columns,
	    ARRAY_LEN(token_columns));
}

/* A request whose answer is a word of ours. */
static int
change(const struct ctl_admin *admin, const char *method, const char *path,
    const struct json_out *body, const char *what, const char *done)
{
	struct ctl_reply reply;

	const int exit_code = ctl_admin_ask(admin, method, path, body, &reply);
	if (exit_code == CTL_EXIT_OK && admin->json)
		ctl_reply_print(&reply);
	else if (exit_code == CTL_EXIT_OK)
		printf("%s %s\n", what, done);
	ctl_reply_fini(&reply);
	return exit_code;
}

static int
token_revoke(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	char path[CTL_PATH_MAX];

	(void)n;
	if (operands[0][0] == '\0' || strlen(operands[0]) > 10 ||
	    operands[0][strspn(operands[0], "0123456789")] != '\0')
		return ctl_admin_usage(admin,
		    "\"%s\" is no token's number; see: cordon token list",
		    operands[0]);
	snprintf(path, sizeof(path), "/admin/tokens/%s", operands[0]);
	return change(admin, "DELETE", path, NULL, operands[0], "is revoked.");
}

static int
tenant_create(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	struct json_out body;

	(void)n;
	if (!ctl_admin_name_check(admin, operands[0]))
		return CTL_EXIT_USAGE;
	json_out_init(&body, 65536);
	text_add(&body, "{\"name\":", operands[0]);
	ctl_quota_write(admin, &body);
	json_out_text(&body, "}");
	const int exit_code = change(
	    admin, "POST", "/admin/tenants", &body, operands[0], "is there.");
	json_out_fini(&body);
	return exit_code;
}

static const struct ctl_column tenant_columns[] = {
	{ "NAME", "name", NULL },
	{ "REQUESTS/MIN", "quota/requests_per_minute", ctl_cell_limit },
	{ "CONCURRENT", "quota/concurrent", ctl_cell_limit },
	{ "CPU-MS/MIN", "quota/cpu_ms_per_minute", ctl_cell_limit },
	{ "MEMORY", "quota/memory_bytes", ctl_cell_bytes },
	{ "RESULT", "quota/result_bytes", ctl_cell_bytes },
};

static int
tenant_list(void *values, int n, char **operands)
{
	(void)n;
	(void)operands;
	return ctl_admin_list(values, "/admin/tenants", "tenants",
	    tenant_columns, ARRAY_LEN(tenant_columns));
}

static int
tenant_set(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	char path[CTL_PATH_MAX];
	struct json_out quota, body;

	(void)n;
	if (!ctl_admin_name_check(admin, operands[0]))
		return CTL_EXIT_USAGE;
	json_out_init(&quota, 65536);
	ctl_quota_write(admin, &quota);
	if (quota.len == 0) {
		json_out_fini(&quota);
		return ctl_admin_usage(
		    admin, "nothing to set: say --requests, --cpu ...");
	}
	json_out_init(&body, 65536);
	json_out_text(&body, "{");
	json_out_raw(&body, quota.bytes + 1, quota.len - 1); /* no comma */
	json_out_text(&body, "}");
	snprintf(path, sizeof(path), "/admin/tenants/%s", operands[0]);
	const int exit_code =
	    change(admin, "PATCH", path, &body, operands[0], "is changed.");
	json_out_fini(&quota);
	json_out_fini(&body);
	return exit_code;
}

static int
tenant_remove(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	char path[CTL_PATH_MAX];

	(void)n;
	if (!ctl_admin_name_check(admin, operands[0]))
		return CTL_EXIT_USAGE;
	snprintf(path, sizeof(path), "/admin/tenants/%s", operands[0]);
	return change(admin, "DELETE", path, NULL, operands[0], "is removed.");
}

#define AT(member) offsetof(struct ctl_admin, member)

static const struct ctl_option token_options[] = {
	{ "scope", 0, CTL_LIST, AT(scopes), "SCOPE",
	    "read, call or admin; may be repeated (read, call)" },
	{ "server", 0, CTL_LIST, AT(servers), "NAME",
	    "for this server only; may be repeated (all)" },
	{ "expires", 0, CTL_DURATION, AT(expires_ns), "TIME",
	    "how long it is valid (for ever)" },
	CTL_QUOTA_OPTIONS,
	CTL_HOST_OPTIONS,
};

static const struct ctl_option tenant_options[] = {
	{ "memory", 0, CTL_SIZE, AT(memory_bytes), "SIZE",
	    "memory of all its cells at most" },
	CTL_QUOTA_OPTIONS,
	CTL_HOST_OPTIONS,
};

static const struct ctl_option options[] = { CTL_HOST_OPTIONS };

static const struct ctl_command token_verbs[] = {
	{ "cordon token create", "NAME",
	    "Makes a token and prints it, this once only.", token_options,
	    ARRAY_LEN(token_options), NULL, 1, 1, token_create },
	{ "cordon token list", "", "Lists the tokens, by number.", options,
	    ARRAY_LEN(options), NULL, 0, 0, token_list },
	{ "cordon token revoke", "ID", "Makes a token worthless, at once.",
	    options, ARRAY_LEN(options), NULL, 1, 1, token_revoke },
};

static const struct ctl_command tenant_verbs[] = {
	{ "cordon tenant create", "NAME", "Makes a tenant.", tenant_options,
	    ARRAY_LEN(tenant_options), NULL, 1, 1, tenant_create },
	{ "cordon tenant list", "",
	    "Lists the tenants and what they may spend.", options,
	    ARRAY_LEN(options), NULL, 0, 0, tenant_list },
	{ "cordon tenant set", "NAME", "Changes what a tenant may spend.",
	    tenant_options, ARRAY_LEN(tenant_options), NULL, 1, 1, tenant_set },
	{ "cordon tenant remove", "NAME",
	    "Removes a tenant that has no servers or tokens any more.", options,
	    ARRAY_LEN(options), NULL, 1, 1, tenant_remove },
};

int
ctl_token(int argc, char **argv)
{
	static const struct ctl_group group = { "cordon token",
		"Makes, lists and revokes the tokens of a host.", token_verbs,
		ARRAY_LEN(token_verbs) };
	struct ctl_admin admin = { .command = "cordon token" };

	return ctl_group_run(&group, &admin, argc, argv);
}

int
ctl_tenant(int argc, char **argv)
{
	static const struct ctl_group group = { "cordon tenant",
		"Makes, lists and changes the tenants of a host.", tenant_verbs,
		ARRAY_LEN(tenant_verbs) };
	struct ctl_admin admin = { .command = "cordon tenant" };

	return ctl_group_run(&group, &admin, argc, argv);
}
