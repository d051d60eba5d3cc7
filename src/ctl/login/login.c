/* SPDX-License-Identifier: Apache-2.0 */

/*
 * cordon upstream login: signing in to a remote server, with OAuth. The host
 * asks the authorization server; a person's browser goes there and comes back
 * here with a code, which is handed to the host. What makes a token of it never
 * leaves the host's store, and the store proves to us what it offers, with a key
 * that is sealed to it: the gateway between only relays. The URL is a
 * stranger's: it is shown, and opened by nobody but the person.
 */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "ctl/core.h"
#include "ctl/ctl.h"
#include "ctl/host/table.h"
#include "ctl/login/listener.h"
#include "ctl/login/login.h"
#include "ctl/login/offer.h"
#include "ctl/secret/letter.h"

#define PORT_LEAST 1024
#define BODY_MAX (64u << 10)

struct login {
	const struct ctl_admin *admin;
	const char *server;
	uint32_t principal;
	struct ctl_letter letter; /* of the key of the proof */
	struct listener listener;
	struct offer offer;
	struct redirect redirect;
	int browser_fd; /* is owed a page; -1: none is */
};

static void
member_put(struct json_out *out, const char *name, const char *text)
{
	if (text == NULL)
		return;
	json_out_text(out, out->len == 0 ? "{\"" : ",\"");
	json_out_text(out, name);
	json_out_text(out, "\":");
	json_out_string(out, text, strlen(text));
}

/* ---- what is asked for ----------------------------------------------------- */

static int
options_check(const struct login *login)
{
	const struct ctl_admin *admin = login->admin;

	if (!ctl_admin_name_check(admin, login->server))
		return CTL_EXIT_USAGE;
	if (admin->port != 0 &&
	    (admin->port < PORT_LEAST || admin->port > 65535))
		return ctl_admin_usage(
		    admin, "--port: must be %d to 65535", PORT_LEAST);
	/* A client is known to one issuer; which, a stranger's document must
	 * not say. */
	if ((admin->client_secret || admin->client_id != NULL) &&
	    (admin->client_id == NULL || admin->issuer == NULL))
		return ctl_admin_usage(admin,
		    "%s: a client, and its secret, is one issuer's: say "
		    "--client-id and --issuer",
		    admin->client_id == NULL ? "--client-secret"
					     : "--client-id");
	return CTL_EXIT_OK;
}

static const char *
client_secret_complaint(const struct wire_egress_secret *secret)
{
	for (uint32_t i = 0; i < secret->value_len; i++)
		if (secret->value[i] < 0x20 || secret->value[i] > 0x7e)
			return "the client's secret holds what is no visible "
			       "ASCII";
	return secret->value_len == 0 ? "the client's secret is empty" : NULL;
}

/* By way of the letter, for which the terminal is asked. */
static int
client_secret_read(struct login *login)
{
	const struct ctl_admin *admin = login->admin;
	struct ctl_letter *letter = &login->letter;

	if (!admin->client_secret)
		return CTL_EXIT_OK;
	vault_client_bind(
	    &letter->secret, admin->issuer, admin->client_id, login->principal);
	const int exit_code = ctl_letter_read(letter, "The client's secret");
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	const char *complaint = client_secret_complaint(&letter->secret);
	return complaint == NULL ? CTL_EXIT_OK
				 : ctl_admin_usage(admin, "%s", complaint);
}

/* What the store proves its answer with. */
static void
key_draw(struct login *login)
{
	const struct ctl_admin *admin = login->admin;
	struct wire_egress_secret *secret = &login->letter.secret;

	vault_begin_bind(secret,
	    &(struct vault_begin){ .redirect_uri = login->listener.redirect_uri,
		.scope = admin->login_scope,
		.issuer = admin->issuer,
		.client_id = admin->client_id,
		.principal = login->principal });
	randombytes_buf(secret->value, VAULT_PROOF_KEY);
	secret->value_len = VAULT_PROOF_KEY;
}

static int
body_write(struct login *login, struct json_out *body)
{
	const struct ctl_admin *admin = login->admin;
	int exit_code = CTL_EXIT_OK;

	member_put(body, "server", login->server);
	member_put(body, "redirect_uri", login->listener.redirect_uri);
	member_put(body, "scope", admin->login_scope);
	member_put(body, "issuer", admin->issuer);
	member_put(body, "client_id", admin->client_id);
	if (login->principal != 0) {
		json_out_text(body, ",\"principal\":");
		json_out_uint(body, login->principal);
	}
	if (admin->client_secret)
		exit_code = ctl_letter_put(&login->letter, "sealed", body);
	key_draw(login);
	if (exit_code == CTL_EXIT_OK)
		exit_code = ctl_letter_put(&login->letter, "key", body);
	json_out_text(body, "}");
	return exit_code;
}

/* ---- what the host says ---------------------------------------------------- */

/* Nothing of it is shown where it is not the store's. */
static int
offer_take(struct login *login, const struct ctl_reply *reply)
{
	const char *why;

	if (offer_read(reply->json, login->letter.secret.value,
		login->listener.redirect_uri, &login->offer, &why))
		return CTL_EXIT_OK;
	(void)ctl_admin_usage(login->admin, "%s", why);
	return CTL_EXIT_INTERNAL;
}

static void
asked_print(const struct login *login)
{
	if (login->admin->json) {
		offer_print_json(&login->offer);
		fflush(stdout);
		return;
	}
	offer_print(&login->offer, login->server);
	printf("Waiting for the browser at %s\n", login->listener.redirect_uri);
	if (isatty(STDIN_FILENO))
		puts("If it is on another machine, paste the address that it "
		     "ends at:");
	fflush(stdout);
}

static void
done_print(const struct login *login, const struct ctl_reply *reply)
{
	const struct json_span expires = ctl_member(reply->json, "expires");

	if (login->admin->json) {
		ctl_reply_print(reply);
		return;
	}
	printf("%s is signed in", login->server);
	if (expires.at != NULL) {
		fputs("; its token expires ", stdout);
		ctl_cell_time(stdout, expires);
		fputs(json_value_is_true(ctl_member(reply->json, "renews"))
			? " and is renewed before"
			: ", and cannot be renewed",
		    stdout);
	}
	puts(".");
}

/* ---- the three steps ------------------------------------------------------- */

/* To whom it is sealed, and what is typed. */
static int
letter_begin(struct login *login)
{
	struct ctl_letter *letter = &login->letter;

	letter->admin = login->admin;
	letter->owner = ctl_letter_owner(login->admin, login->server);
	int exit_code = ctl_principal_find(login->admin, &login->principal);
	if (exit_code == CTL_EXIT_OK)
		exit_code = ctl_letter_ask(letter);
	if (exit_code == CTL_EXIT_OK)
		exit_code = client_secret_read(login);
	return exit_code;
}

static int
login_begin(struct login *login)
{
	const struct ctl_admin *admin = login->admin;
	struct err err = { "" };
	struct json_out body;
	struct ctl_reply reply;

	if (listener_open(&login->listener, (uint16_t)admin->port, &err) != 0)
		return ctl_admin_usage(admin, "%s", err.text);
	int exit_code = letter_begin(login);
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	json_out_init(&body, BODY_MAX);
	exit_code = body_write(login, &body);
	if (exit_code == CTL_EXIT_OK) {
		exit_code = ctl_admin_ask(
		    admin, "POST", "/admin/logins", &body, &reply);
		if (exit_code == CTL_EXIT_OK)
			exit_code = offer_take(login, &reply);
		ctl_reply_fini(&reply);
	}
	json_out_fini(&body);
	return exit_code;
}

static void
paste_complain(void *arg, const char *sentence)
{
	const struct login *login = arg;

	(void)ctl_admin_usage(login->admin, "%s", sentence);
}

static int
login_wait(struct login *login)
{
	const struct listener_wait wait = { login->offer.state,
		login->offer.seconds, paste_complain, login };

	const int r = listener_wait(
	    &login->listener, &wait, &login->redirect, &login->browser_fd);
	if (r == 0)
		return CTL_EXIT_OK;
	(void)ctl_admin_usage(login->admin, "%s",
	    r == LISTENER_E_LATE
		? "nobody has signed in in that time; begin again"
		: strerror(-r));
	return r == LISTENER_E_LATE ? CTL_EXIT_REFUSED : CTL_EXIT_INTERNAL;
}

static int
login_end(struct login *login)
{
	const struct redirect *redirect = &login->redirect;
	struct json_out body;
	struct ctl_reply reply;

	json_out_init(&body, BODY_MAX);
	member_put(&body, "state", redirect->state);
	member_put(
	    &body, "code", redirect->code[0] != '\0' ? redirect->code : NULL);
	member_put(&body, "iss", redirect->has_iss ? redirect->iss : NULL);
	member_put(&body, "error",
	    redirect->error[0] != '\0' ? redirect->error : NULL);
	member_put(&body, "error_description",
	    redirect->error[0] != '\0' && redirect->description[0] != '\0'
		? redirect->description
		: NULL);
	json_out_text(&body, "}");
	const int exit_code = ctl_admin_ask(
	    login->admin, "POST", "/admin/logins/finish", &body, &reply);
	json_out_fini(&body);
	listener_answer(fd_steal(&login->browser_fd),
	    exit_code == CTL_EXIT_OK ? 200 : 400,
	    exit_code == CTL_EXIT_OK
		? "Signed in. This window can be closed."
		: "Signing in failed; the command line says why.");
	if (exit_code == CTL_EXIT_OK)
		done_print(login, &reply);
	ctl_reply_fini(&reply);
	return exit_code;
}

static int
login_run(void *values, int n, char **operands)
{
	static struct login login;

	(void)n;
	if (sodium_init() < 0)
		return CTL_EXIT_INTERNAL;
	ctl_core_forbid();
	login = (struct login){ .admin = values,
		.server = operands[0],
		.listener = { .fd = -1 },
		.browser_fd = -1 };
	int exit_code = options_check(&login);
	if (exit_code == CTL_EXIT_OK)
		exit_code = login_begin(&login);
	sodium_memzero(&login.letter, sizeof(login.letter));
	if (exit_code == CTL_EXIT_OK) {
		asked_print(&login);
		exit_code = login_wait(&login);
	}
	listener_close(&login.listener);
	if (exit_code == CTL_EXIT_OK)
		exit_code = login_end(&login);
	sodium_memzero(&login.redirect, sizeof(login.redirect));
	return exit_code;
}

/* ---- those that are there -------------------------------------------------- */

static const struct ctl_column columns[] = {
	{ "SERVER", "server", NULL },
	{ "TENANT", "tenant", NULL },
	{ "PRINCIPAL", "principal", NULL },
	{ "ISSUER", "issuer", NULL },
	{ "SCOPE", "scope", NULL },
	{ "STATE", "state", NULL },
	{ "SET", "set", ctl_cell_time },
	{ "EXPIRES", "expires", ctl_cell_time },
	{ "RENEWS", "renews", NULL },
};

static int
logins_run(void *values, int n, char **operands)
{
	(void)n;
	(void)operands;
	return ctl_admin_list(
	    values, "/admin/logins", "logins", columns, ARRAY_LEN(columns));
}

/* Whether a row is the one that is meant; of how many others of the server it
 * is not, `n_others` is told. */
static bool
row_fits(struct json_span row, const char *tenant, const char *server,
    uint32_t principal, unsigned *n_others)
{
	if (!json_string_equals(ctl_member(row, "server"), server) ||
	    !json_string_equals(ctl_member(row, "tenant"), tenant))
		return false;
	const bool fits = ctl_member_number(row, "principal") == principal;
	*n_others += !fits;
	return fits;
}

static int
row_remove(const struct ctl_admin *admin, struct json_span row)
{
	char path[CTL_PATH_MAX];
	struct ctl_reply reply;

	snprintf(path, sizeof(path), "/admin/logins/%" PRIu64,
	    ctl_member_number(row, "id"));
	const int exit_code =
	    ctl_admin_ask(admin, "DELETE", path, NULL, &reply);
	ctl_reply_fini(&reply);
	return exit_code;
}

static int
none_say(const struct ctl_admin *admin, const char *server, unsigned n_others)
{
	(void)ctl_admin_usage(admin,
	    admin->principal != NULL ? "nobody is signed in to '%s' for that "
				       "token; see: cordon upstream logins"
		: n_others > 0
		? "'%s' is signed in to for single tokens only: say --principal"
		: "nobody is signed in to '%s'; see: cordon upstream logins",
	    server);
	return CTL_EXIT_REFUSED;
}

static int
logout_run(void *values, int n, char **operands)
{
	const struct ctl_admin *admin = values;
	char tenant[WIRE_NAME_MAX] = "";
	unsigned n_others = 0, n_removed = 0;
	struct json_iter iter = { 0 };
	uint32_t principal = 0;
	struct ctl_reply reply;
	struct json_span row;

	(void)n;
	if (!ctl_admin_name_check(admin, operands[0]))
		return CTL_EXIT_USAGE;
	int exit_code = ctl_principal_find(admin, &principal);
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	exit_code = ctl_admin_ask(admin, "GET", "/admin/logins", NULL, &reply);
	(void)json_string_copy(
	    ctl_member(reply.json, "tenant"), tenant, sizeof(tenant), NULL);
	json_iter_init(&iter, ctl_reply_rows(&reply, "logins"));
	while (exit_code == CTL_EXIT_OK && json_iter_element(&iter, &row)) {
		if (!row_fits(row, tenant, operands[0], principal, &n_others))
			continue;
		exit_code = row_remove(admin, row);
		n_removed++;
	}
	ctl_reply_fini(&reply);
	if (exit_code == CTL_EXIT_OK && n_removed == 0)
		return none_say(admin, operands[0], n_others);
	if (exit_code == CTL_EXIT_OK)
		printf("%s is signed out.\n", operands[0]);
	return exit_code;
}

#define AT(member) offsetof(struct ctl_admin, member)

/* clang-format off */
#define PRINCIPAL_OPTION                                                       \
	{ "principal", 0, CTL_TEXT, AT(principal), "TOKEN",                    \
	    "only for calls with this token (everybody's)" }
/* clang-format on */

static const struct ctl_option login_options[] = {
	{ "scope", 0, CTL_TEXT, AT(login_scope), "SCOPE",
	    "what is asked for (what the server says it needs)" },
	{ "issuer", 0, CTL_TEXT, AT(issuer), "URL",
	    "sign in there (the first that the server names)" },
	{ "client-id", 0, CTL_TEXT, AT(client_id), "ID",
	    "of a client that the issuer knows, or the URL of its document" },
	{ "client-secret", 0, CTL_FLAG, AT(client_secret), NULL,
	    "read the client's secret off standard input" },
	{ "port", 0, CTL_COUNT, AT(port), "N",
	    "of 127.0.0.1, that the browser comes back to (any)" },
	{ "public-key", 0, CTL_TEXT, AT(public_key), "KEY",
	    "of the host's vault; needed with --url" },
	PRINCIPAL_OPTION,
	CTL_HOST_OPTIONS,
};

static const struct ctl_option logins_options[] = { CTL_HOST_OPTIONS };

static const struct ctl_option logout_options[] = {
	PRINCIPAL_OPTION,
	CTL_HOST_PLACE_OPTIONS,
};

const struct ctl_command ctl_login_command = { "cordon upstream login", "NAME",
	"Signs in to a remote server with OAuth, in a browser.", login_options,
	ARRAY_LEN(login_options),
	"The tokens stay with the host, sealed, and are put into requests to "
	"that server alone.\nSee cordon-upstream(1).",
	1, 1, login_run, false };

const struct ctl_command ctl_logins_command = { "cordon upstream logins", "",
	"Lists who is signed in to which server, never a token.",
	logins_options, ARRAY_LEN(logins_options), NULL, 0, 0, logins_run,
	false };

const struct ctl_command ctl_logout_command = { "cordon upstream logout",
	"NAME", "Forgets the tokens of a server, and revokes them there.",
	logout_options, ARRAY_LEN(logout_options), NULL, 1, 1, logout_run,
	false };
