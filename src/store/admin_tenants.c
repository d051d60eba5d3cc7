/* SPDX-License-Identifier: Apache-2.0
 *
 * Tenants and tokens. What a tenant is, the host's admins say; what tokens it
 * has, its own may say too.
 */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "store/admin.h"

#define TEN_YEARS 315360000u
#define TOKEN_PREFIX "cordon_"

static int
host_only(struct request *request)
{
	if (request->token.tenant == WIRE_TENANT_LOCAL)
		return 0;
	return refuse(request, 403,
	    "tenants are the business of the tenant 'local': the token '%s' "
	    "is of '%s'",
	    request->token.name, request->tenant.name);
}

static void
tenant_put(struct json_out *out, const struct wire_tenant *tenant)
{
	put_uint(out, "{\"id\":", tenant->id);
	put_string(out, ",\"name\":", tenant->name);
	put_quota(out, &tenant->quota);
	json_out_text(out, "}");
}

/* Between elements, not before the first. */
static void
comma_put(struct json_out *out)
{
	if (out->len > 0 && out->bytes[out->len - 1] != '[')
		json_out_text(out, ",");
}

static int
tenant_list(void *arg, const struct wire_tenant *tenant)
{
	struct request *request = arg;

	if (!request->all_tenants && tenant->id != request->tenant.id)
		return 0;
	comma_put(&request->out);
	tenant_put(&request->out, tenant);
	return 0;
}

int
tenants_list(struct request *request)
{
	json_out_text(&request->out, "{\"tenants\":[");
	const int code =
	    db_tenants_each(request->store->db, tenant_list, request);
	json_out_text(&request->out, "]}");
	return code == 0 ? 200 : code;
}

static int
tenant_count(void *arg, const struct wire_tenant *tenant)
{
	(void)tenant;
	++*(unsigned *)arg;
	return 0;
}

static int
tenant_keep(
    struct request *request, struct wire_tenant *tenant, int good_status)
{
	const int code = db_tenant_put(request->store->db, tenant);

	if (code != 0)
		return code;
	request->changed = CHANGED_TENANT;
	request->changed_tenant = *tenant;
	tenant_put(&request->out, tenant);
	return good_status;
}

int
tenant_add(struct request *request)
{
	enum { NAME, QUOTA };
	struct member members[] = {
		[NAME] = { "name", JSON_KIND_STRING, true },
		[QUOTA] = { "quota", JSON_KIND_OBJECT },
	};
	struct wire_tenant tenant = { 0 }, other;
	struct db *db = request->store->db;
	unsigned n = 0;

	int status = host_only(request);
	if (status == 0)
		status = body_members(
		    request, request->body, "", members, ARRAY_LEN(members));
	if (status == 0)
		status = body_name(request, &members[NAME], tenant.name);
	if (status == 0)
		status = body_quota(request, &members[QUOTA], &tenant.quota);
	if (status != 0)
		return status;
	strcpy(request->subject, tenant.name);
	const int code = db_tenant_find(db, tenant.name, &other);
	if (code == 0)
		return refuse(request, 409,
		    "there is a tenant '%s' already; PATCH changes its quota",
		    tenant.name);
	if (code < 0 || (status = db_tenants_each(db, tenant_count, &n)) != 0)
		return code < 0 ? code : status;
	if (n >= STORE_TENANTS_MAX)
		return refuse(request, 409,
		    "there are %u tenants, the most that there may be",
		    STORE_TENANTS_MAX);
	return tenant_keep(request, &tenant, 201);
}

/* The tenant of the path. */
static int
tenant_named(struct request *request, struct wire_tenant *tenant)
{
	const int status = host_only(request);

	if (status != 0)
		return status;
	strcpy(request->subject, request->name);
	const int code =
	    db_tenant_find(request->store->db, request->name, tenant);
	return code == DB_E_NONE
	    ? refuse(request, 404, "there is no tenant '%s'", request->name)
	    : code;
}

int
tenant_change(struct request *request)
{
	struct member quota = { "quota", JSON_KIND_OBJECT, true };
	struct wire_tenant tenant;

	int status = tenant_named(request, &tenant);
	if (status == 0)
		status = body_members(request, request->body, "", &quota, 1);
	if (status == 0)
		status = body_quota(request, &quota, &tenant.quota);
	return status == 0 ? tenant_keep(request, &tenant, 200) : status;
}

int
tenant_remove(struct request *request)
{
	struct db *db = request->store->db;
	uint64_t servers = 0, tokens = 0;
	struct wire_tenant tenant;

	int status = tenant_named(request, &tenant);
	if (status == 0)
		status = body_members(request, request->body, "", NULL, 0);
	if (status == 0)
		status = db_tenant_counts(db, tenant.id, &servers, &tokens);
	if (status != 0)
		return status;
	if (tenant.id == WIRE_TENANT_LOCAL)
		return refuse(request, 409,
		    "the tenant 'local' is the host's own: it stays");
	if (servers + tokens > 0)
		return refuse(request, 409,
		    "the tenant '%s' has %" PRIu64 " servers and %" PRIu64
		    " tokens: remove those first",
		    tenant.name, servers, tokens);
	status = db_tenant_remove(db, tenant.id);
	if (status != 0)
		return status;
	request->changed = CHANGED_TENANT;
	request->changed_tenant = tenant;
	request->changed_tenant.gone = 1;
	return 204;
}

/* ---- tokens ---------------------------------------------------------------
 */

static const struct {
	const char *name;
	uint32_t bit;
} scopes[] = {
	{ "read", WIRE_SCOPE_READ },
	{ "call", WIRE_SCOPE_CALL },
	{ "admin", WIRE_SCOPE_ADMIN },
};

static int
name_of_tenant(void *arg, const struct wire_tenant *tenant)
{
	struct wire_tenant *wanted = arg;

	if (tenant->id != wanted->id)
		return 0;
	*wanted = *tenant;
	return DB_E_STOP;
}

static void
servers_put(struct json_out *out, const char *servers)
{
	if (servers[0] == '\0') {
		json_out_text(out, "null");
		return;
	}
	json_out_text(out, "[");
	for (const char *at = servers; *at != '\0';) {
		const size_t n = strcspn(at, ",");
		comma_put(out);
		json_out_string(out, at, n);
		at += n + (at[n] == ',');
	}
	json_out_text(out, "]");
}

/* Everything but the hash. */
static void
token_members_put(struct request *request, const struct wire_token *token)
{
	struct wire_tenant tenant = { .id = token->tenant };
	struct json_out *out = &request->out;

	db_tenants_each(request->store->db, name_of_tenant, &tenant);
	put_uint(out, "\"id\":", token->id);
	put_string(out, ",\"name\":", token->name);
	put_string(out, ",\"tenant\":", tenant.name);
	json_out_text(out, ",\"scopes\":[");
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
		if (token->scopes & scopes[i].bit) {
			comma_put(out);
			put_string(out, "", scopes[i].name);
		}
	json_out_text(out, "],\"servers\":");
	servers_put(out, token->servers);
	json_out_text(out, ",\"expires\":");
	if (token->expires != 0)
		json_out_uint(out, token->expires);
	else
		json_out_text(out, "null");
	put_quota(out, &token->quota);
}

/* The walk of the tokens is over before their tenants are looked up: one
 * statement is one walk. */
struct token_list {
	struct request *request;
	struct wire_token *tokens;
	size_t n;
};

static int
token_collect(void *arg, const struct wire_token *token)
{
	struct token_list *list = arg;
	const struct request *request = list->request;

	if (!request->all_tenants && token->tenant != request->tenant.id)
		return 0;
	if (list->n < STORE_TOKENS_MAX)
		list->tokens[list->n++] = *token;
	return 0;
}

int
tokens_list(struct request *request)
{
	auto_free struct wire_token *tokens =
	    calloc(STORE_TOKENS_MAX, sizeof(*tokens));
	struct token_list list = { .request = request, .tokens = tokens };

	if (tokens == NULL)
		return -ENOMEM;
	const int code =
	    db_tokens_each(request->store->db, token_collect, &list);
	json_out_text(&request->out, "{\"tokens\":[");
	for (size_t i = 0; i < list.n; i++) {
		comma_put(&request->out);
		json_out_text(&request->out, "{");
		token_members_put(request, &tokens[i]);
		json_out_text(&request->out, "}");
	}
	json_out_text(&request->out, "]}");
	return code == 0 ? 200 : code;
}

static int
scopes_read(
    struct request *request, struct json_span value, uint32_t *scopes_out)
{
	struct json_span one;
	struct json_iter iter;
	uint32_t bits = 0;

	json_iter_init(&iter, value);
	for (unsigned i = 0; json_iter_element(&iter, &one); i++) {
		uint32_t bit = 0;
		for (size_t s = 0; s < ARRAY_LEN(scopes); s++)
			if (json_string_equals(one, scopes[s].name))
				bit = scopes[s].bit;
		if (bit == 0)
			return refuse(request, 422,
			    "/scopes/%u: must be \"read\", \"call\" or "
			    "\"admin\"",
			    i);
		bits |= bit;
	}
	if (bits == 0)
		return refuse(
		    request, 422, "/scopes: at least one must be there");
	*scopes_out = bits;
	return 0;
}

static int
servers_read(struct request *request, struct json_span value,
    char servers[WIRE_SERVERS_TEXT])
{
	struct json_span one;
	struct json_iter iter;
	size_t len = 0;

	if (value.at == NULL)
		return 0;
	json_iter_init(&iter, value);
	for (unsigned i = 0; json_iter_element(&iter, &one); i++) {
		char name[WIRE_NAME_MAX];
		if (json_string_copy(one, name, sizeof(name), NULL) != 0 ||
		    !name_is_good(name))
			return refuse(request, 422,
			    "/servers/%u: is no server's name", i);
		const size_t n = strlen(name);
		if (len + n + 2 > WIRE_SERVERS_TEXT)
			return refuse(request, 422,
			    "/servers/%u: the names together are over %d "
			    "bytes",
			    i, WIRE_SERVERS_TEXT - 1);
		if (len > 0)
			servers[len++] = ',';
		memcpy(servers + len, name, n + 1);
		len += n;
	}
	/* An empty list would read as "all". */
	return len > 0
	    ? 0
	    : refuse(request, 422,
		  "/servers: is empty; leave it out for all servers");
}

/* A token's own name is free text of a line. */
static int
label_read(struct request *request, const struct member *member,
    char name[WIRE_NAME_MAX])
{
	const int status = body_text(request, member, "", name, WIRE_NAME_MAX);

	if (status != 0)
		return status;
	for (const char *c = name; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return refuse(
			    request, 422, "/name: holds a control character");
	return name[0] != '\0' ? 0 : refuse(request, 422, "/name: is empty");
}

/* "tenant" in the body is the same as ?tenant=: it must not say another. */
static int
tenant_member(struct request *request, const struct member *member)
{
	char name[WIRE_NAME_MAX];

	if (member->value.at == NULL)
		return 0;
	int status = body_name(request, member, name);
	if (status != 0 || strcmp(name, request->tenant.name) == 0)
		return status;
	if (request->token.tenant != WIRE_TENANT_LOCAL || !request->all_tenants)
		return refuse(request, 403,
		    "/tenant: is not '%s', for which this is asked",
		    request->tenant.name);
	status = db_tenant_find(request->store->db, name, &request->tenant);
	return status == DB_E_NONE
	    ? refuse(request, 404, "/tenant: there is no tenant '%s'", name)
	    : status;
}

static int
token_read(struct request *request, struct wire_token *token)
{
	enum { NAME, SCOPES, SERVERS, EXPIRES, TENANT, QUOTA };
	struct member members[] = {
		[NAME] = { "name", JSON_KIND_STRING, true },
		[SCOPES] = { "scopes", JSON_KIND_ARRAY, true },
		[SERVERS] = { "servers", JSON_KIND_ARRAY },
		[EXPIRES] = { "expires", JSON_KIND_NUMBER },
		[TENANT] = { "tenant", JSON_KIND_STRING },
		[QUOTA] = { "quota", JSON_KIND_OBJECT },
	};
	uint64_t seconds = 0;

	int status = body_members(
	    request, request->body, "", members, ARRAY_LEN(members));
	if (status == 0)
		status = label_read(request, &members[NAME], token->name);
	if (status == 0)
		status =
		    scopes_read(request, members[SCOPES].value, &token->scopes);
	if (status == 0)
		status = servers_read(
		    request, members[SERVERS].value, token->servers);
	if (status == 0)
		status = body_uint(
		    request, &members[EXPIRES], "", 1, TEN_YEARS, &seconds);
	if (status == 0)
		status = tenant_member(request, &members[TENANT]);
	if (status == 0)
		status = body_quota(request, &members[QUOTA], &token->quota);
	if (status == 0 && (token->scopes & WIRE_SCOPE_ADMIN) &&
	    token->servers[0] != '\0')
		return refuse(request, 422,
		    "/servers: a token with the scope 'admin' could make one "
		    "for all servers; leave out one of the two");
	token->tenant = request->tenant.id;
	token->expires = seconds > 0 ? (uint64_t)time(NULL) + seconds : 0;
	return status;
}

/* The text is in this one answer, and nowhere else. */
static void
token_make(struct wire_token *token, char text[96])
{
	uint8_t secret[32];
	const size_t at = strlen(TOKEN_PREFIX);

	randombytes_buf(secret, sizeof(secret));
	strcpy(text, TOKEN_PREFIX);
	sodium_bin2base64(text + at, 96 - at, secret, sizeof(secret),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	crypto_hash_sha256(secret, (const uint8_t *)text, strlen(text));
	crypto_hash_sha256(token->hash, secret, sizeof(secret));
	sodium_memzero(secret, sizeof(secret));
}

int
token_add(struct request *request)
{
	struct wire_token token = { 0 };
	uint64_t servers = 0, tokens = 0;
	char text[96];

	int status = token_read(request, &token);
	if (status == 0)
		status =
		    db_tenant_counts(request->store->db, 0, &servers, &tokens);
	if (status != 0)
		return status;
	strcpy(request->subject, token.name);
	if (tokens >= STORE_TOKENS_MAX)
		return refuse(request, 409,
		    "there are %u tokens, the most that there may be",
		    STORE_TOKENS_MAX);
	token_make(&token, text);
	status = db_token_put(request->store->db, &token);
	if (status == -EEXIST)
		return refuse(request, 409,
		    "the tenant '%s' has a token named '%s' already",
		    request->tenant.name, token.name);
	if (status != 0)
		return status;
	put_string(&request->out, "{\"token\":", text);
	json_out_text(&request->out, ",");
	token_members_put(request, &token);
	json_out_text(&request->out, "}");
	sodium_memzero(text, sizeof(text));
	request->changed = CHANGED_TOKEN;
	request->changed_token = token;
	return 201;
}

int
token_remove(struct request *request)
{
	struct wire_token token;
	const uint32_t id = path_id(request);

	int status = body_members(request, request->body, "", NULL, 0);
	if (status != 0)
		return status;
	if (id == 0)
		return refuse(
		    request, 404, "there is no token '%s'", request->name);
	status = db_token_get(request->store->db, id, &token);
	if (status < 0)
		return status;
	/* One of another tenant is as unknown as one that is not there. */
	if (status == DB_E_NONE ||
	    (!request->all_tenants && token.tenant != request->tenant.id))
		return refuse(request, 404, "there is no token %u", id);
	strcpy(request->subject, token.name);
	if (token.id == 1)
		return refuse(request, 409,
		    "token 1 is that of 'cordon serve' itself; change its "
		    "token file and start it again");
	status = db_token_remove(request->store->db, id);
	if (status != 0)
		return status;
	request->changed = CHANGED_TOKEN;
	request->changed_token = token;
	request->changed_token.gone = 1;
	return 204;
}
