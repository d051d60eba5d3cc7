/* SPDX-License-Identifier: Apache-2.0 */

/*
 * /admin/logins. Neither verifier nor token is in an answer, the log or the
 * audit; a code and a client's secret only pass through.
 */

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "store/login/login.h"
#include "store/secret/secret.h"

/* ---- what there is ---------------------------------------------------------
 */

int
logins_list(struct request *request)
{
	static struct db_login login;
	struct json_out *out = &request->out;
	struct db *db = request->store->db;
	struct db_server server;
	bool is_first = true;
	int code;

	json_out_text(out, "{\"tenant\":");
	json_out_string(
	    out, request->tenant.name, strlen(request->tenant.name));
	json_out_text(out, ",\"logins\":[");
	login.id = 0;
	while ((code = db_login_next(db, 0, login.id, &login)) == 0) {
		if (!request->all_tenants && login.tenant != request->tenant.id)
			continue;
		code = db_server_get(db, login.server, &server);
		if (code != 0)
			return code < 0 ? code : -EIO;
		if (!is_first)
			json_out_text(out, ",");
		login_put(
		    request->store, &login, server.record.launch.url, out);
		is_first = false;
	}
	json_out_text(out, "]}");
	return code == DB_E_NONE ? 200 : code;
}

/* ---- begin -----------------------------------------------------------------
 */

enum {
	SERVER,
	REDIRECT_URI,
	PRINCIPAL,
	SCOPE,
	ISSUER,
	CLIENT_ID,
	SEALED,
	KEY,
	N_BEGIN
};

static int
server_check(struct request *request, const struct db_server *server)
{
	const struct wire_deployment *launch = &server->record.launch;

	if (launch->kind != WIRE_KIND_REMOTE)
		return refuse(request, 409,
		    "the server '%s' is none that is elsewhere: nobody signs "
		    "in to it",
		    launch->name);
	return server->record.state == WIRE_STATE_APPROVED
	    ? 0
	    : refuse(request, 409,
		  "the server '%s' is not approved: cordon upstream approve "
		  "%s",
		  launch->name, launch->name);
}

/* One that a person registered: it is known to one issuer, which no document
 * of a stranger's may choose. The code of a client that an honest one knows
 * would go to whom the stranger named. */
static int
client_read(
    struct request *request, const struct member *members, struct login *login)
{
	const struct vault_owner owner = { request->tenant.name,
		login->server_name };
	struct wire_egress_secret secret;
	uint64_t issued = 0;

	int status = body_text(request, &members[CLIENT_ID], "",
	    login->client.id, sizeof(login->client.id));
	if (status != 0 ||
	    (members[CLIENT_ID].value.at == NULL &&
		members[SEALED].value.at == NULL))
		return status;
	if (login->client.id[0] == '\0' || login->said_issuer[0] == '\0')
		return refuse(request, 422,
		    "/client_id: a client, and its secret, is one issuer's: "
		    "say \"client_id\" and \"issuer\"");
	if (members[SEALED].value.at == NULL)
		return 0;
	vault_client_bind(
	    &secret, login->said_issuer, login->client.id, login->principal);
	status = secret_letter_read(
	    request, &members[SEALED], &owner, &secret, &issued);
	if (status == 0 &&
	    (secret.value_len == 0 ||
		secret.value_len >= sizeof(login->client.secret) ||
		memchr(secret.value, '\0', secret.value_len) != NULL))
		status = refuse(request, 422,
		    "/sealed: the client's secret is empty, or none");
	if (status == 0)
		memcpy(login->client.secret, secret.value, secret.value_len);
	sodium_memzero(&secret, sizeof(secret));
	return status;
}

/* What the answer is proven with. All that was asked for is in its letter, too:
 * who relays it can ask for nothing else. */
static int
key_read(
    struct request *request, const struct member *member, struct login *login)
{
	const struct vault_owner owner = { request->tenant.name,
		login->server_name };
	struct wire_egress_secret secret;
	uint64_t issued = 0;

	vault_begin_bind(&secret,
	    &(struct vault_begin){ .redirect_uri = login->redirect_uri,
		.scope = login->said_scope,
		.issuer = login->said_issuer,
		.client_id = login->client.id,
		.principal = login->principal });
	int status =
	    secret_letter_read(request, member, &owner, &secret, &issued);
	if (status == 0 && secret.value_len != sizeof(login->key))
		status = refuse(request, 422, "/key: must be %zu bytes, sealed",
		    sizeof(login->key));
	if (status == 0)
		memcpy(login->key, secret.value, sizeof(login->key));
	sodium_memzero(&secret, sizeof(secret));
	return status;
}

static int
texts_read(
    struct request *request, const struct member *members, struct login *login)
{
	struct err why = { "" };

	int status = body_text(request, &members[REDIRECT_URI], "",
	    login->redirect_uri, sizeof(login->redirect_uri));
	if (status == 0 && oauth_redirect_check(login->redirect_uri, &why) != 0)
		status = refuse(request, 422, "/redirect_uri: %s", why.text);
	if (status == 0)
		status = body_text(request, &members[SCOPE], "",
		    login->said_scope, sizeof(login->said_scope));
	if (status == 0)
		status = body_text(request, &members[ISSUER], "",
		    login->said_issuer, sizeof(login->said_issuer));
	if (status == 0 && login->said_issuer[0] != '\0' &&
	    oauth_issuer_check(login->said_issuer, &why) != 0)
		status = refuse(request, 422, "/issuer: %s", why.text);
	return status;
}

static int
login_fill(struct request *request, const struct member *members,
    const struct db_server *server, struct login *login)
{
	strcpy(login->server_name, server->record.launch.name);
	strcpy(login->url, server->record.launch.url);
	login->server = server->record.id;
	int status =
	    body_principal(request, &members[PRINCIPAL], &login->principal);
	if (status == 0 && login->principal != 0)
		status = body_share_check(request, server, "sign in");
	if (status == 0)
		status = login_place_check(request, server, login->principal);
	if (status == 0)
		status = texts_read(request, members, login);
	if (status == 0)
		status = client_read(request, members, login);
	if (status == 0)
		status = key_read(request, &members[KEY], login);
	return status;
}

/* From here on it is answered when it is over. */
static int
later(struct request *request, struct login *login)
{
	struct request *waiting = admin_later(request);

	if (waiting == NULL) {
		login_free(login);
		return -ENOMEM;
	}
	login_run(login, waiting);
	return ADMIN_LATER;
}

int
login_begin(struct request *request)
{
	struct member members[N_BEGIN] = {
		[SERVER] = { "server", JSON_KIND_STRING, true },
		[REDIRECT_URI] = { "redirect_uri", JSON_KIND_STRING, true },
		[PRINCIPAL] = { "principal", JSON_KIND_NUMBER },
		[SCOPE] = { "scope", JSON_KIND_STRING },
		[ISSUER] = { "issuer", JSON_KIND_STRING },
		[CLIENT_ID] = { "client_id", JSON_KIND_STRING },
		[SEALED] = { "sealed", JSON_KIND_STRING },
		[KEY] = { "key", JSON_KIND_STRING, true },
	};
	struct login *login = NULL;
	struct db_server server;

	int status = body_members(request, request->body, "", members, N_BEGIN);
	if (status == 0)
		status = body_server(request, &members[SERVER], &server);
	if (status == 0)
		status = server_check(request, &server);
	if (status == 0 && request->store->vault == NULL)
		status = refuse(request, 503,
		    "this host has no vault key: see cordon-secret(1)");
	if (status == 0)
		status = login_new(request, &login);
	if (status != 0)
		return status;
	status = login_fill(request, members, &server, login);
	if (status == 0)
		return later(request, login);
	login_free(login);
	return status;
}

/* ---- finish ----------------------------------------------------------------
 */

enum { STATE, CODE, ISS, ERROR, ERROR_DESCRIPTION, N_FINISH };

/* The words of an authorization server's refusal, for a person. */
static int
refusal_say(struct request *request, const struct member *members,
    const struct login *login)
{
	char error[256] = "", description[1024] = "";
	struct err why = { "" };

	int status =
	    body_text(request, &members[ERROR], "", error, sizeof(error));
	if (status == 0)
		status = body_text(request, &members[ERROR_DESCRIPTION], "",
		    description, sizeof(description));
	if (status != 0)
		return status;
	oauth_refusal_say(error, description, &why);
	return refuse(request, 502, "'%.300s' did not let anybody sign in: %s",
	    login->issuer.issuer, why.text);
}

/* RFC 9207: who answered is looked at before what. */
static int
iss_check(struct request *request, const struct member *member,
    const struct login *login)
{
	char iss[OAUTH_URL_MAX] = "";
	struct err why = { "" };

	const int status = body_text(request, member, "", iss, sizeof(iss));
	if (status != 0)
		return status;
	return oauth_iss_check(&login->issuer,
		   member->value.at == NULL ? NULL : iss, &why) == 0
	    ? 0
	    : refuse(request, 422, "/iss: %s", why.text);
}

static int
back(struct request *request, const struct member *members, struct login *login)
{
	int status = iss_check(request, &members[ISS], login);

	if (status == 0)
		status = login_check(request, login);
	if (status == 0 && members[ERROR].value.at != NULL)
		status = refusal_say(request, members, login);
	if (status == 0)
		status = body_text(request, &members[CODE], "", login->code,
		    sizeof(login->code));
	if (status == 0 && login->code[0] == '\0')
		status = refuse(request, 422, "/code: is empty");
	return status;
}

static int
state_find(
    struct request *request, const struct member *member, struct login **loginp)
{
	char state[OAUTH_STATE_MAX] = "";

	/* One that is longer is as unknown as others. */
	if (json_string_copy(member->value, state, sizeof(state), NULL) != 0)
		state[0] = '\0';
	*loginp = state[0] == '\0'
	    ? NULL
	    : login_claim(request->store, request->tenant.id, state);
	return *loginp != NULL
	    ? 0
	    : refuse(request, 404,
		  "/state: the tenant '%s' has no sign-in with it that waits: "
		  "it was used, or %d minutes are over, or the store was "
		  "restarted; begin again",
		  request->tenant.name, LOGIN_WAIT_S / 60);
}

int
login_finish(struct request *request)
{
	struct member members[N_FINISH] = {
		[STATE] = { "state", JSON_KIND_STRING, true },
		[CODE] = { "code", JSON_KIND_STRING },
		[ISS] = { "iss", JSON_KIND_STRING },
		[ERROR] = { "error", JSON_KIND_STRING },
		[ERROR_DESCRIPTION] = { "error_description", JSON_KIND_STRING },
	};
	struct login *login = NULL;
	struct addr_url url;

	int status =
	    body_members(request, request->body, "", members, N_FINISH);
	if (status == 0 &&
	    (members[CODE].value.at != NULL) ==
		(members[ERROR].value.at != NULL))
		status = refuse(request, 422,
		    "/code: there must be either \"code\" or \"error\"");
	if (status == 0)
		status = state_find(request, &members[STATE], &login);
	if (status != 0)
		return status;
	strcpy(request->about, login->server_name);
	if (addr_url_parse(login->issuer.token, strlen(login->issuer.token),
		&url, NULL) == 0)
		strcpy(request->host, url.host.text);
	status = back(request, members, login);
	if (status == 0)
		return later(request, login);
	login_free(login);
	return status;
}

/* ---- removing --------------------------------------------------------------
 */

/* The row of the path; one of another tenant is as unknown as one that is not
 * there. */
static int
login_named(struct request *request, struct db_login *login)
{
	const uint32_t id = path_id(request);

	if (id == 0)
		return refuse(
		    request, 404, "there is no sign-in '%s'", request->name);
	const int code = db_login_get(request->store->db, id, login);
	if (code < 0)
		return code;
	if (code == DB_E_NONE ||
	    (!request->all_tenants && login->tenant != request->tenant.id))
		return refuse(request, 404, "there is no sign-in %u", id);
	return 0;
}

int
login_remove(struct request *request)
{
	static struct db_login login;
	uint32_t which = 0;

	int status = body_members(request, request->body, "", NULL, 0);
	if (status == 0)
		status = login_named(request, &login);
	if (status != 0)
		return status;
	strcpy(request->about, login.server_name);
	status = db_login_remove(request->store->db, login.id);
	if (status != 0)
		return status < 0 ? status : -EIO;
	logins_forget(request->store, login.id);
	/* What cannot be opened, or held, is not revoked. */
	request->signed_out = login_kept_new();
	if (request->signed_out != NULL)
		(void)login_open(
		    request->store, &login, request->signed_out, &which);
	request->changed = CHANGED_LOGIN;
	request->changed_server.record.id = login.server;
	return 204;
}
