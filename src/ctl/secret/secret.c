/* SPDX-License-Identifier: Apache-2.0 */

/*
 * cordon secret: what servers use and never see. A value is read off stdin or
 * the terminal, sealed to the store's vault here, and wiped: neither the
 * command line nor the gateway has it.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "ctl/ctl.h"
#include "ctl/host/admin.h"
#include "ctl/host/table.h"
#include "ctl/secret/letter.h"
#include "ctl/secret/vault.h"

static const char *const kinds[] = { "header", "query", "basic" };

/* ---- what it is bound to --------------------------------------------------
 */

static bool
text_copy(char *field, size_t size, const char *text, size_t len)
{
	if (len >= size)
		return false;
	memcpy(field, text, len);
	field[len] = '\0';
	return true;
}

static int
host_take(const struct ctl_admin *admin, struct wire_egress_secret *secret)
{
	struct err err = { "" };

	return vault_place_set(secret, admin->host, &err) == 0
	    ? CTL_EXIT_OK
	    : ctl_admin_usage(admin, "--host %s: %s", admin->host, err.text);
}

/* NAME, or NAME=TEMPLATE */
static int
header_take(const struct ctl_admin *admin, struct wire_egress_secret *secret)
{
	const char *text = admin->header;
	const size_t len = strcspn(text, "=");

	if (!text_copy(secret->field, sizeof(secret->field), text, len))
		return ctl_admin_usage(admin, "--header: the name is too long");
	if (text[len] == '=' &&
	    !text_copy(secret->template_, sizeof(secret->template_),
		text + len + 1, strlen(text + len + 1)))
		return ctl_admin_usage(admin,
		    "--header: what stands around {} is too long (%d bytes)",
		    WIRE_SECRET_TEMPLATE_MAX - 1);
	return CTL_EXIT_OK;
}

static int
form_take(const struct ctl_admin *admin, struct wire_egress_secret *secret)
{
	const int n = (admin->header != NULL) + (admin->query != NULL) +
	    (admin->basic ? 1 : 0);
	int exit_code = CTL_EXIT_OK;

	if (n > 1)
		return ctl_admin_usage(
		    admin, "--header, --query and --basic: say one of them");
	if (admin->header != NULL)
		exit_code = header_take(admin, secret);
	if (admin->basic)
		secret->kind = WIRE_SECRET_BASIC;
	if (admin->query != NULL) {
		secret->kind = WIRE_SECRET_QUERY;
		if (!text_copy(secret->field, sizeof(secret->field),
			admin->query, strlen(admin->query)))
			return ctl_admin_usage(
			    admin, "--query: the name is too long");
	}
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	const char *complaint = vault_form_complaint(secret);
	return complaint == NULL
	    ? CTL_EXIT_OK
	    : ctl_admin_usage(admin, "%s", complaint + (*complaint == '/'));
}

static int
value_take(struct ctl_letter *letter)
{
	char what[sizeof("Value of ") + WIRE_SECRET_NAME_MAX];

	snprintf(what, sizeof(what), "Value of %s", letter->secret.name);
	const int exit_code = ctl_letter_read(letter, what);
	const char *complaint = exit_code == CTL_EXIT_OK
	    ? vault_value_complaint(&letter->secret)
	    : NULL;
	return complaint == NULL
	    ? exit_code
	    : ctl_admin_usage(letter->admin, "%s", complaint);
}

/* ---- what is sent -----------------------------------------------------------
 */

static void
member_put(struct json_out *out, const char *before, const char *text)
{
	json_out_text(out, before);
	json_out_string(out, text, strlen(text));
}

static void
form_put(const struct ctl_letter *letter, struct json_out *out)
{
	const struct wire_egress_secret *secret = &letter->secret;
	char host[ADDR_HOST_MAX + 2];
	const bool is_v6 = strchr(secret->host, ':') != NULL;

	snprintf(host, sizeof(host), is_v6 ? "[%s]" : "%s", secret->host);
	member_put(out, "{\"server\":", letter->owner.server);
	member_put(out, ",\"name\":", secret->name);
	member_put(out, ",\"host\":", host);
	json_out_text(out, ",\"port\":");
	json_out_uint(out, secret->port);
	member_put(out, ",\"kind\":", kinds[secret->kind]);
	if (secret->field[0] != '\0')
		member_put(out, ",\"field\":", secret->field);
	if (secret->template_[0] != '\0')
		member_put(out, ",\"template\":", secret->template_);
	if (secret->principal != 0) {
		json_out_text(out, ",\"principal\":");
		json_out_uint(out, secret->principal);
	}
}

/* ---- the verbs ------------------------------------------------------------
 */

static void
set_say(const struct ctl_letter *letter, bool is_new)
{
	const struct wire_egress_secret *secret = &letter->secret;

	const bool is_v6 = strchr(secret->host, ':') != NULL;

	printf("%s %s: %s sends it to https://%s%s%s:%u", secret->name,
	    is_new ? "is set" : "has the new value", letter->owner.server,
	    is_v6 ? "[" : "", secret->host, is_v6 ? "]" : "", secret->port);
	if (secret->kind == WIRE_SECRET_QUERY)
		printf(" as the query's member %s", secret->field);
	else
		printf(" in the header %s",
		    secret->kind == WIRE_SECRET_BASIC ? "authorization"
						      : secret->field);
	puts(".");
}

static int
set_send(const struct ctl_letter *letter)
{
	const struct ctl_admin *admin = letter->admin;
	struct ctl_reply reply = { .json = { 0 } };
	struct json_out body;

	json_out_init(&body, 65536);
	form_put(letter, &body);
	int exit_code = ctl_letter_put(letter, "sealed", &body);
	json_out_text(&body, "}");
	if (exit_code == CTL_EXIT_OK)
		exit_code = ctl_admin_ask(
		    admin, "POST", "/admin/secrets", &body, &reply);
	json_out_fini(&body);
	if (exit_code == CTL_EXIT_OK && admin->json)
		ctl_reply_print(&reply);
	else if (exit_code == CTL_EXIT_OK)
		set_say(letter, reply.answer.status == 201);
	ctl_reply_fini(&reply);
	return exit_code;
}

static int
letter_fill(struct ctl_letter *letter, const char *name)
{
	const struct ctl_admin *admin = letter->admin;
	struct wire_egress_secret *secret = &letter->secret;

	if (admin->server == NULL || admin->host == NULL)
		return ctl_admin_usage(
		    admin, "--for SERVER and --host HOST: both are needed");
	if (!ctl_admin_name_check(admin, admin->server))
		return CTL_EXIT_USAGE;
	if (!secret_name_is_good(name))
		return ctl_admin_usage(admin,
		    "\"%s\": a secret is called as a variable is: A-Z, a-z, "
		    "0-9 and '_', at most 63",
		    name);
	strcpy(secret->name, name);
	int exit_code = host_take(admin, secret);
	if (exit_code == CTL_EXIT_OK)
		exit_code = form_take(admin, secret);
	if (exit_code == CTL_EXIT_OK)
		exit_code = ctl_principal_find(admin, &secret->principal);
	return exit_code;
}

static int
secret_set(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	static struct ctl_letter letter;

	(void)n;
	if (sodium_init() < 0)
		return CTL_EXIT_INTERNAL;
	letter = (struct ctl_letter){ .admin = admin,
		.owner = ctl_letter_owner(admin, admin->server) };
	int exit_code = letter_fill(&letter, operands[0]);
	if (exit_code == CTL_EXIT_OK)
		exit_code = ctl_letter_ask(&letter);
	if (exit_code == CTL_EXIT_OK)
		exit_code = value_take(&letter);
	if (exit_code == CTL_EXIT_OK)
		exit_code = set_send(&letter);
	sodium_memzero(&letter, sizeof(letter));
	return exit_code;
}

static const struct ctl_column columns[] = {
	{ "NAME", "name", NULL },
	{ "TENANT", "tenant", NULL },
	{ "SERVER", "server", NULL },
	{ "HOST", "host", NULL },
	{ "PORT", "port", NULL },
	{ "KIND", "kind", NULL },
	{ "FIELD", "field", NULL },
	{ "PRINCIPAL", "principal", NULL },
	{ "SET", "set", ctl_cell_time },
	{ "STATE", "state", NULL },
};

static int
secret_list(void *values, int n, char **operands)
{
	(void)n;
	(void)operands;
	return ctl_admin_list(
	    values, "/admin/secrets", "secrets", columns, ARRAY_LEN(columns));
}

/* Whether a row is one that is meant. */
static bool
row_fits(const struct ctl_admin *admin, struct json_span row, const char *name,
    const struct wire_egress_secret *place)
{
	char port[16] = "";
	const struct json_span span = ctl_member(row, "port");

	if (!json_string_equals(ctl_member(row, "name"), name) ||
	    !json_string_equals(ctl_member(row, "server"), admin->server))
		return false;
	if (!json_string_equals(ctl_member(row, "tenant"),
		admin->tenant != NULL ? admin->tenant : "local"))
		return false;
	if (place->host[0] == '\0')
		return true;
	(void)text_copy(port, sizeof(port), span.at, span.len);
	return json_string_equals(ctl_member(row, "host"), place->host) &&
	    strtoul(port, NULL, 10) == place->port;
}

static int
row_remove(
    const struct ctl_admin *admin, struct json_span row, const char *name)
{
	char path[CTL_PATH_MAX], host[ADDR_HOST_MAX] = "";
	const struct json_span id = ctl_member(row, "id");
	struct ctl_reply reply;

	(void)json_string_copy(
	    ctl_member(row, "host"), host, sizeof(host), NULL);
	snprintf(path, sizeof(path), "/admin/secrets/%.*s",
	    id.len < 12 ? (int)id.len : 0, id.at);
	const int exit_code =
	    ctl_admin_ask(admin, "DELETE", path, NULL, &reply);
	if (exit_code == CTL_EXIT_OK)
		printf("%s for %s is removed.\n", name, host);
	ctl_reply_fini(&reply);
	return exit_code;
}

static int
secret_rm(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	struct wire_egress_secret place = { .port = 0 };
	struct json_span row;
	struct json_iter iter = { 0 };
	struct ctl_reply reply;
	unsigned removed = 0;

	(void)n;
	if (admin->server == NULL)
		return ctl_admin_usage(admin, "--for SERVER is needed");
	int exit_code =
	    admin->host != NULL ? host_take(admin, &place) : CTL_EXIT_OK;
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	exit_code = ctl_admin_ask(admin, "GET", "/admin/secrets", NULL, &reply);
	json_iter_init(&iter, ctl_reply_rows(&reply, "secrets"));
	while (exit_code == CTL_EXIT_OK && json_iter_element(&iter, &row)) {
		if (!row_fits(admin, row, operands[0], &place))
			continue;
		exit_code = row_remove(admin, row, operands[0]);
		removed++;
	}
	ctl_reply_fini(&reply);
	if (exit_code == CTL_EXIT_OK && removed == 0) {
		fprintf(stderr,
		    "%s: the server '%s' has no secret '%s'%s; see: cordon "
		    "secret list\n",
		    admin->command, admin->server, operands[0],
		    admin->host != NULL ? " for that host" : "");
		return CTL_EXIT_REFUSED;
	}
	return exit_code;
}

static int
secret_rotate(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	struct err err = { "no memory" };
	char path[PATH_MAX] = "";

	(void)n;
	(void)operands;
	if (ctl_vault_rotate(admin->key_file, path, &err) != 0)
		return ctl_admin_usage(admin, "%s", err.text);
	printf(
	    "A new key is the first in %s.\n"
	    "The host seals all secrets anew with it when it is started, or "
	    "reads its settings\nanew (SIGHUP). The keys behind it open what "
	    "was sealed before: keep them for\nyour backups.\n",
	    path);
	return CTL_EXIT_OK;
}

#define AT(member) offsetof(struct ctl_admin, member)

/* clang-format off */
#define WHICH_OPTIONS                                                          \
	{ "for", 0, CTL_TEXT, AT(server), "SERVER",                            \
	    "the server that uses it" },                                       \
	{ "host", 0, CTL_TEXT, AT(host), "HOST[:PORT]",                        \
	    "the one host that it goes to, over https (port 443)" }
/* clang-format on */

static const struct ctl_option set_options[] = {
	WHICH_OPTIONS,
	{ "header", 0, CTL_TEXT, AT(header), "NAME[=TEXT]",
	    "in this header, {} in TEXT (Authorization=Bearer {})" },
	{ "query", 0, CTL_TEXT, AT(query), "NAME",
	    "as this member of the query" },
	{ "basic", 0, CTL_FLAG, AT(basic), NULL,
	    "as basic authentication: the value is USER:PASSWORD" },
	{ "public-key", 0, CTL_TEXT, AT(public_key), "KEY",
	    "of the host's vault; needed with --url" },
	{ "principal", 0, CTL_TEXT, AT(principal), "TOKEN",
	    "only in calls with this token (everybody's)" },
	CTL_HOST_OPTIONS,
};

static const struct ctl_option rm_options[] = {
	WHICH_OPTIONS,
	CTL_HOST_PLACE_OPTIONS,
};

static const struct ctl_option list_options[] = { CTL_HOST_OPTIONS };

static const struct ctl_option rotate_options[] = {
	{ "key-file", 0, CTL_TEXT, AT(key_file), "FILE",
	    "the vault's keys (STATE/vault.key)" },
};

static const struct ctl_command verbs[] = {
	{ "cordon secret set", "NAME",
	    "Sets a secret; its value is read off standard input, without its "
	    "last line end.",
	    set_options, ARRAY_LEN(set_options),
	    "The server sees cordon-secret-NAME in its place, sends that, and "
	    "has the value put\nin on the way out; what comes back is searched "
	    "for it. See cordon-secret(1).",
	    1, 1, secret_set },
	{ "cordon secret list", "",
	    "Lists the secrets and where they go, never their values.",
	    list_options, ARRAY_LEN(list_options), NULL, 0, 0, secret_list },
	{ "cordon secret rm", "NAME", "Removes a secret.", rm_options,
	    ARRAY_LEN(rm_options), NULL, 1, 1, secret_rm },
	{ "cordon secret rotate", "",
	    "Makes a new key for the vault; the old ones stay, to open what "
	    "they sealed.",
	    rotate_options, ARRAY_LEN(rotate_options), NULL, 0, 0,
	    secret_rotate },
};

int
ctl_secret(int argc, char **argv)
{
	static const struct ctl_group group = { "cordon secret",
		"Keeps the secrets that servers use and never see.", verbs,
		ARRAY_LEN(verbs) };
	struct ctl_admin admin = { .command = "cordon secret" };

	return ctl_group_run(&group, &admin, argc, argv);
}
