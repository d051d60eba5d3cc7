/* SPDX-License-Identifier: Apache-2.0 */

/* The end of a sign-in, and of what it brought: rows made, shown, revoked. */

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "store/login/login.h"
#include "store/secret/secret.h"

/* ---- shown -----------------------------------------------------------------
 */

void
login_put(struct store *store, const struct db_login *login, const char *url,
    struct json_out *out)
{
	struct login_kept *kept = login_kept_new();
	enum login_state state = LOGIN_DAMAGED;

	if (kept != NULL)
		state =
		    login_look(store, login, url, (uint64_t)time(NULL), kept);
	const bool is_open = kept != NULL && kept->issuer[0] != '\0';
	const bool renews = is_open && kept->refresh[0] != '\0' &&
	    (state == LOGIN_GOOD || state == LOGIN_EXPIRED);
	put_uint(out, "{\"id\":", login->id);
	put_string(out, ",\"tenant\":", login->tenant_name);
	put_string(out, ",\"server\":", login->server_name);
	if (login->principal != 0)
		put_uint(out, ",\"principal\":", login->principal);
	put_string(out, ",\"issuer\":", is_open ? kept->issuer : "");
	put_string(out, ",\"resource\":", is_open ? kept->resource : "");
	put_string(out, ",\"scope\":", is_open ? kept->scope : "");
	put_string(out, ",\"state\":", login_states[state]);
	put_uint(out, ",\"set\":", login->set);
	if (is_open && kept->expires != 0)
		put_uint(out, ",\"expires\":", kept->expires);
	json_out_text(out, renews ? ",\"renews\":true}" : ",\"renews\":false}");
	sodium_free(kept);
}

/* ---- made ------------------------------------------------------------------
 */

static int
rivals_check(struct request *request, const struct db_server *server,
    const struct wire_egress_secret *own)
{
	struct db_secret other = { .id = 0 };
	int code;

	while ((code = db_secret_next(request->store->db, server->record.id,
		    other.id, &other)) == 0)
		if (secret_is_rival(&other.record, own))
			return refuse(request, 409,
			    "the secret '%s' goes to the same place already: "
			    "remove it (cordon secret remove) before somebody "
			    "signs in",
			    other.record.name);
	return code == DB_E_NONE ? 0 : code;
}

int
login_place_check(
    struct request *request, const struct db_server *server, uint32_t principal)
{
	static struct db_login other;
	struct wire_egress_secret own;
	uint64_t n = 0;
	int code;

	/* What is asked is where it goes, not whether the value is one. */
	(void)login_secret_make(server->record.launch.url, principal, "", &own);
	code = rivals_check(request, server, &own);
	other.id = 0;
	while (code == 0 &&
	    (code = db_login_next(request->store->db, server->record.id,
		 other.id, &other)) == 0) {
		if (other.principal == principal)
			return 0; /* it is replaced */
		n++;
	}
	if (code != DB_E_NONE)
		return code;
	return n < WIRE_LOGINS_MAX
	    ? 0
	    : refuse(request, 409,
		  "%u have signed in to the server '%s', which is all there "
		  "may be: sign one of them out",
		  WIRE_LOGINS_MAX, server->record.launch.name);
}

static void
kept_fill(const struct login *login, struct login_kept *kept)
{
	const struct oauth_tokens *tokens = &login->tokens;

	strcpy(kept->issuer, login->issuer.issuer);
	strcpy(kept->token_url, login->issuer.token);
	strcpy(kept->revocation, login->issuer.revocation);
	strcpy(kept->resource, login->resource.resource);
	strcpy(kept->scope,
	    tokens->scope[0] != '\0' ? tokens->scope : login->scope);
	strcpy(kept->access, tokens->access);
	strcpy(kept->refresh, tokens->refresh);
	kept->client = login->client;
	kept->obtained = (uint64_t)time(NULL);
	kept->expires =
	    tokens->expires_in == 0 ? 0 : kept->obtained + tokens->expires_in;
}

static void
row_fill(const struct login *login, const struct login_kept *kept,
    struct db_login *row)
{
	memset(row, 0, sizeof(*row));
	row->server = login->server;
	row->tenant = login->tenant;
	row->principal = login->principal;
	row->set = kept->obtained;
	strcpy(row->tenant_name, login->request->tenant.name);
	strcpy(row->server_name, login->server_name);
	strcpy(row->url, login->url);
	login_seal(login->store, row, kept);
}

/* Becomes durable with the audit of it. */
static int
row_write(struct login *login, struct db_login *row)
{
	struct store *store = login->store;
	int code = db_action_begin(store->db);

	if (code != 0)
		return code;
	code = db_login_put(store->db, row);
	if (code == 0)
		return db_action_keep(store->db);
	if (db_action_drop(store->db) != 0)
		store_batch_lost(store);
	return code;
}

static int
row_keep(struct login *login, const struct login_kept *kept)
{
	static struct db_login row;
	struct request *request = login->request;

	row_fill(login, kept, &row);
	int code = row_write(login, &row);
	if (code == 0)
		code = logins_know(login->store, &row, kept);
	if (code != 0)
		return code;
	request->changed = CHANGED_LOGIN;
	request->changed_server.record.id = login->server;
	login_put(login->store, &row, login->url, &request->out);
	return 201;
}

/* All that may have changed while somebody was at the browser. */
int
login_keep(struct login *login)
{
	struct request *request = login->request;
	struct db_server server;

	int status = login_check(request, login);
	if (status == 0)
		status =
		    db_server_get(login->store->db, login->server, &server);
	if (status == 0)
		status = login_place_check(request, &server, login->principal);
	if (status != 0)
		return status;
	const char *complaint = login_token_complaint(login->tokens.access);
	if (complaint != NULL)
		return refuse(request, 502, "the token that '%.500s' gave %s",
		    login->issuer.issuer, complaint);
	if (login->store->vault == NULL)
		return refuse(request, 503,
		    "this host has no vault key: see cordon-secret(1)");
	struct login_kept *kept = login_kept_new();
	if (kept == NULL)
		return -ENOMEM;
	kept_fill(login, kept);
	status = row_keep(login, kept);
	sodium_free(kept);
	return status;
}

/* ---- revoked ---------------------------------------------------------------
 */

#define REVOCATIONS_MAX 8u /* at once */

static void
on_revoked(void *arg, uint32_t number, const struct egress_answer *answer)
{
	struct store *store = arg;

	(void)number;
	store->logins->n_revocations--;
	if (answer->end == WIRE_EGRESS_OK && answer->status < 300)
		return;
	store_log("warn",
	    "a token that was signed out is not revoked, it ends by itself: "
	    "%s (%u)",
	    answer->end == WIRE_EGRESS_OK ? "the authorization server refused"
					  : answer->text,
	    answer->status);
}

void
login_revoke(
    struct store *store, uint32_t server, const struct login_kept *kept)
{
	static char basic[OAUTH_BASIC_MAX];
	const bool renews = kept->refresh[0] != '\0';
	struct json_out form;
	uint32_t number = 0;

	if (kept->revocation[0] == '\0')
		return;
	json_out_init(&form, OAUTH_FORM_MAX);
	int code = oauth_revoke_write(&form, &kept->client,
	    renews ? kept->refresh : kept->access,
	    renews ? "refresh_token" : "access_token", basic);
	if (code == 0 && store->logins->n_revocations >= REVOCATIONS_MAX)
		code = -EBUSY;
	if (code == 0)
		code = login_post(store, server, 0, kept->revocation, basic,
		    &form, on_revoked, store, &number);
	if (code == 0)
		store->logins->n_revocations++;
	else
		store_log("warn",
		    "a token that was signed out is not revoked, it ends by "
		    "itself: %s",
		    strerror(-code));
	login_wipe(&form, basic);
}
