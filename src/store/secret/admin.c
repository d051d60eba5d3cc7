/* SPDX-License-Identifier: Apache-2.0 */

/*
 * /admin/secrets. What is answered and kept in the audit names secrets and
 * where they go; their values come sealed to us, and leave only to egress.
 */

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "store/admin.h"
#include "store/login/login.h"
#include "store/secret/secret.h"

#define VARIANT sodium_base64_VARIANT_ORIGINAL
#define CLOCKS_APART_MS (UINT64_C(15) * 60 * 1000)

static const char *const kinds[] = { "header", "query", "basic" };

/* ---- answers --------------------------------------------------------------
 */

static const char *
state_of(const struct store *store, struct db_secret *secret)
{
	static const char *const states[] = { "good", "key_missing",
		"damaged" };
	uint32_t which = 0;
	const char *why;

	const int code = secret_open(store, secret, &which, &why);
	sodium_memzero(secret->record.value, sizeof(secret->record.value));
	return states[code];
}

static void
secret_put(struct request *request, struct db_secret *secret)
{
	const struct wire_egress_secret *record = &secret->record;
	struct json_out *out = &request->out;

	put_uint(out, "\"id\":", secret->id);
	put_string(out, ",\"tenant\":", secret->tenant_name);
	put_string(out, ",\"server\":", secret->server_name);
	put_string(out, ",\"name\":", record->name);
	put_string(out, ",\"host\":", record->host);
	put_uint(out, ",\"port\":", record->port);
	put_string(out, ",\"kind\":",
	    record->kind < ARRAY_LEN(kinds) ? kinds[record->kind] : "?");
	if (record->field[0] != '\0')
		put_string(out, ",\"field\":", record->field);
	if (record->template_[0] != '\0')
		put_string(out, ",\"template\":", record->template_);
	if (record->principal != 0)
		put_uint(out, ",\"principal\":", record->principal);
	put_uint(out, ",\"set\":", secret->issued / 1000);
	put_string(out, ",\"state\":", state_of(request->store, secret));
}

/* What letters are sealed to, and for whose secrets. */
static void
vault_put(struct request *request)
{
	const struct vault_ring *vault = request->store->vault;
	uint8_t public_key[VAULT_PUBLIC];
	char text[sodium_base64_ENCODED_LEN(VAULT_PUBLIC, VARIANT)];

	put_string(&request->out, "\"tenant\":", request->tenant.name);
	if (vault == NULL)
		return;
	vault_public(vault, public_key);
	put_string(&request->out, ",\"public_key\":",
	    sodium_bin2base64(
		text, sizeof(text), public_key, sizeof(public_key), VARIANT));
}

int
secrets_list(struct request *request)
{
	struct json_out *out = &request->out;
	struct db_secret secret = { .id = 0 };
	bool is_first = true;
	int code;

	json_out_text(out, "{");
	vault_put(request);
	json_out_text(out, ",\"secrets\":[");
	while ((code = db_secret_next(
		    request->store->db, 0, secret.id, &secret)) == 0) {
		if (!request->all_tenants &&
		    secret.tenant != request->tenant.id)
			continue;
		json_out_text(out, is_first ? "{" : ",{");
		secret_put(request, &secret);
		json_out_text(out, "}");
		is_first = false;
	}
	json_out_text(out, "]}");
	return code == DB_E_NONE ? 200 : code;
}

/* ---- setting --------------------------------------------------------------
 */

enum {
	SERVER,
	NAME,
	HOST,
	PORT,
	KIND,
	FIELD,
	TEMPLATE,
	PRINCIPAL,
	SEALED,
	N_MEMBERS
};

static int
kind_read(struct request *request, struct json_span value, uint16_t *kind)
{
	for (uint16_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (json_string_equals(value, kinds[i])) {
			*kind = i;
			return 0;
		}
	return refuse(
	    request, 422, "/kind: must be \"header\", \"query\" or \"basic\"");
}

static int
host_read(struct request *request, const struct member *members,
    struct wire_egress_secret *record)
{
	char host[ADDR_HOST_MAX + 2] = ""; /* an IPv6 address has brackets */
	uint64_t port = 443;
	struct err err = { "" };

	int status = body_text(request, &members[HOST], "", host, sizeof(host));
	if (status == 0)
		status =
		    body_uint(request, &members[PORT], "", 1, 65535, &port);
	if (status != 0)
		return status;
	return vault_host_set(record, host, (uint16_t)port, &err) == 0
	    ? 0
	    : refuse(request, 422, "/host: '%.253s' %.700s", host, err.text);
}

static int
form_read(struct request *request, const struct member *members,
    struct wire_egress_secret *record)
{
	int status = kind_read(request, members[KIND].value, &record->kind);

	if (status == 0)
		status = body_text(request, &members[NAME], "", record->name,
		    sizeof(record->name));
	if (status == 0)
		status = host_read(request, members, record);
	if (status == 0)
		status = body_text(request, &members[FIELD], "", record->field,
		    sizeof(record->field));
	if (status == 0)
		status = body_text(request, &members[TEMPLATE], "",
		    record->template_, sizeof(record->template_));
	if (status == 0)
		status = body_principal(
		    request, &members[PRINCIPAL], &record->principal);
	if (status != 0)
		return status;
	const char *complaint = vault_form_complaint(record);
	return complaint == NULL ? 0 : refuse(request, 422, "%s", complaint);
}

/* A gateway that kept a letter cannot bring an old value back. */
static int
letter_is_fresh(struct request *request, const char *name, uint64_t issued)
{
	const uint64_t now = (uint64_t)time(NULL) * 1000;
	const uint64_t apart = now > issued ? now - issued : issued - now;

	return apart <= CLOCKS_APART_MS
	    ? 0
	    : refuse(request, 409,
		  "/%s: was sealed %" PRIu64 " minutes %s: is the clock "
		  "of one of the machines wrong?",
		  name, apart / 60000, now > issued ? "ago" : "from now");
}

int
secret_letter_read(struct request *request, const struct member *member,
    const struct vault_owner *owner, struct wire_egress_secret *record,
    uint64_t *issued)
{
	char text[sodium_base64_ENCODED_LEN(VAULT_LETTER_MAX, VARIANT)] = "";
	uint8_t letter[VAULT_LETTER_MAX];
	const char *end = NULL;
	size_t len = 0, n = 0;

	if (request->store->vault == NULL)
		return refuse(request, 503,
		    "this host has no vault key: see cordon-secret(1)");
	if (json_string_copy(member->value, text, sizeof(text), &n) != 0 ||
	    sodium_base642bin(letter, sizeof(letter), text, n, NULL, &len, &end,
		VARIANT) != 0 ||
	    end != text + n)
		return refuse(request, 422,
		    "/%s: is no letter in base64 (RFC 4648 section 4)",
		    member->name);
	const int code = vault_letter_open(
	    request->store->vault, owner, letter, len, record, issued);
	if (code == VAULT_E_KEY)
		return refuse(request, 422,
		    "/%s: is not sealed to this host's vault: its key was "
		    "changed; ask for the public key again",
		    member->name);
	return code == 0 ? letter_is_fresh(request, member->name, *issued)
			 : refuse(request, 422,
			       "/%s: was sealed for another secret, "
			       "server, host or tenant than is asked for (the "
			       "tenant is '%s')",
			       member->name, owner->tenant);
}

/* Nor can one that gave it an hour ago. */
static int
letter_is_newer(struct request *request, const struct db_secret *secret,
    const struct db_secret *old)
{
	return old->id == 0 || secret->issued > old->issued
	    ? 0
	    : refuse(request, 409,
		  "/sealed: is not newer than what is set already");
}

static const char *
place_of(const struct wire_egress_secret *record)
{
	return record->kind == WIRE_SECRET_BASIC ? "authorization"
						 : record->field;
}

/* Both are put into the same place of the same requests. */
bool
secret_is_rival(
    const struct wire_egress_secret *x, const struct wire_egress_secret *y)
{
	return x->port == y->port && x->principal == y->principal &&
	    strcmp(x->host, y->host) == 0 &&
	    (x->kind == WIRE_SECRET_QUERY) == (y->kind == WIRE_SECRET_QUERY) &&
	    strcmp(place_of(x), place_of(y)) == 0;
}

/* The row that it replaces (id 0: none); how many there are. A status. */
static int
others_look(struct request *request, const struct db_secret *secret,
    struct db_secret *old, unsigned *n)
{
	const struct wire_egress_secret *record = &secret->record;
	struct db_secret other = { .id = 0 };
	int code;

	while ((code = db_secret_next(request->store->db, secret->server,
		    other.id, &other)) == 0) {
		++*n;
		const bool is_same =
		    strcmp(other.record.name, record->name) == 0 &&
		    strcmp(other.record.host, record->host) == 0 &&
		    other.record.port == record->port &&
		    other.record.principal == record->principal;
		if (is_same)
			*old = other;
		else if (secret_is_rival(&other.record, record))
			return refuse(request, 409,
			    "the secret '%s' goes to the same place already: "
			    "remove it, or give it another value",
			    other.record.name);
	}
	return code == DB_E_NONE ? 0 : code;
}

/* Nor may it go where somebody's token goes. */
static int
logins_look(struct request *request, const struct db_server *server,
    const struct db_secret *secret)
{
	static struct db_login login;
	struct wire_egress_secret token;
	int code = 0;

	login.id = 0;
	while (server->record.launch.kind == WIRE_KIND_REMOTE &&
	    (code = db_login_next(request->store->db, server->record.id,
		 login.id, &login)) == 0) {
		(void)login_secret_make(
		    server->record.launch.url, login.principal, "", &token);
		if (secret_is_rival(&secret->record, &token))
			return refuse(request, 409,
			    "somebody has signed in to the server '%s', whose "
			    "token goes to the same place: sign out first "
			    "(cordon upstream logout %s)",
			    login.server_name, login.server_name);
	}
	return code == DB_E_NONE ? 0 : code;
}

static int
secret_keep(struct request *request, struct db_secret *secret)
{
	struct store *store = request->store;
	const struct vault_owner owner = { secret->tenant_name,
		secret->server_name };
	struct db_secret old = { .id = 0 };
	unsigned n = 0;

	int status = others_look(request, secret, &old, &n);
	if (status == 0)
		status = letter_is_newer(request, secret, &old);
	if (status != 0)
		return status;
	if (old.id == 0 && n >= WIRE_SECRETS_MAX)
		return refuse(request, 409,
		    "the server '%s' has %u secrets, the most that it may "
		    "have",
		    secret->server_name, WIRE_SECRETS_MAX);
	secret->id = old.id;
	secret->sealed_len =
	    vault_seal(store->vault, &owner, &secret->record, secret->sealed);
	status = db_secret_put(store->db, secret);
	if (status != 0)
		return status;
	json_out_text(&request->out, "{");
	secret_put(request, secret);
	json_out_text(&request->out, "}");
	return old.id != 0 ? 200 : 201;
}

static int
secret_take(struct request *request, const struct member *members,
    struct db_secret *secret)
{
	struct db_server server;

	int status = body_server(request, &members[SERVER], &server);
	if (status == 0)
		status = form_read(request, members, &secret->record);
	if (status == 0 && secret->record.principal != 0)
		status = body_share_check(request, &server, "set it");
	if (status != 0)
		return status;
	strcpy(request->subject, secret->record.name);
	strcpy(request->host, secret->record.host);
	secret->server = server.record.id;
	secret->tenant = request->tenant.id;
	strcpy(secret->tenant_name, request->tenant.name);
	strcpy(secret->server_name, server.record.launch.name);
	const struct vault_owner owner = { secret->tenant_name,
		secret->server_name };
	status = secret_letter_read(request, &members[SEALED], &owner,
	    &secret->record, &secret->issued);
	if (status != 0)
		return status;
	const char *complaint = vault_value_complaint(&secret->record);
	if (complaint != NULL)
		return refuse(request, 422, "%s", complaint);
	status = logins_look(request, &server, secret);
	if (status == 0)
		status = secret_keep(request, secret);
	if (status < 200 || status > 299)
		return status;
	request->changed = CHANGED_SERVER;
	request->changed_server = server;
	return status;
}

int
secret_set(struct request *request)
{
	struct member members[N_MEMBERS] = {
		[SERVER] = { "server", JSON_KIND_STRING, true },
		[NAME] = { "name", JSON_KIND_STRING, true },
		[HOST] = { "host", JSON_KIND_STRING, true },
		[PORT] = { "port", JSON_KIND_NUMBER },
		[KIND] = { "kind", JSON_KIND_STRING, true },
		[FIELD] = { "field", JSON_KIND_STRING },
		[TEMPLATE] = { "template", JSON_KIND_STRING },
		[PRINCIPAL] = { "principal", JSON_KIND_NUMBER },
		[SEALED] = { "sealed", JSON_KIND_STRING, true },
	};
	struct db_secret secret = { .id = 0 };

	int status =
	    body_members(request, request->body, "", members, N_MEMBERS);
	if (status == 0)
		status = secret_take(request, members, &secret);
	sodium_memzero(&secret, sizeof(secret));
	return status;
}

/* ---- removing -------------------------------------------------------------
 */

/* The row of the path; one of another tenant is as unknown as one that is not
 * there. */
static int
secret_named(struct request *request, struct db_secret *secret)
{
	const uint32_t id = path_id(request);

	if (id == 0)
		return refuse(
		    request, 404, "there is no secret '%s'", request->name);
	const int code = db_secret_next(request->store->db, 0, id - 1, secret);
	if (code < 0)
		return code;
	if (code == DB_E_NONE || secret->id != id ||
	    (!request->all_tenants && secret->tenant != request->tenant.id))
		return refuse(request, 404, "there is no secret %u", id);
	return 0;
}

int
secret_remove(struct request *request)
{
	struct db_secret secret;
	struct db_server server;

	int status = body_members(request, request->body, "", NULL, 0);
	if (status == 0)
		status = secret_named(request, &secret);
	if (status != 0)
		return status;
	strcpy(request->subject, secret.record.name);
	strcpy(request->about, secret.server_name);
	strcpy(request->host, secret.record.host);
	status = db_server_get(request->store->db, secret.server, &server);
	if (status == 0)
		status = db_secret_remove(request->store->db, secret.id);
	if (status != 0)
		return status < 0 ? status : -EIO;
	request->changed = CHANGED_SERVER;
	request->changed_server = server;
	return 204;
}
