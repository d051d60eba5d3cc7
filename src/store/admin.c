/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of an admin request: who, whose, what; then action, audit, commit,
 * and only then the telling.
 */
#include "store/admin.h"

#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "store/egress/egress.h"
#include "store/login/login.h"

#define ANSWER_MAX (16u << 20)
#define PAGE_DEFAULT 100u
#define PAGE_MAX 1000u

static const struct route {
	const char *method;
	const char *path;
	admin_fn *handler;
	const char *action;
} routes[] = {
#define ADMIN_ROUTE(method, path, handler, action)                             \
	{ #method, path, handler, action },
#include "store/admin.def"
#undef ADMIN_ROUTE
};

int
refuse(struct request *request, int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(request->err.text, sizeof(request->err.text), format, args);
	va_end(args);
	return status;
}

uint32_t
path_id(const struct request *request)
{
	const char *name = request->name;

	return strlen(name) <= 9 && strspn(name, "0123456789") == strlen(name)
	    ? (uint32_t)strtoul(name, NULL, 10)
	    : 0;
}

/* ---- pieces of answers ----------------------------------------------------
 */

void
put_string(struct json_out *out, const char *before, const char *text)
{
	json_out_text(out, before);
	json_out_string(out, text, strlen(text));
}

void
put_uint(struct json_out *out, const char *before, uint64_t number)
{
	json_out_text(out, before);
	json_out_uint(out, number);
}

void
put_hex(
    struct json_out *out, const char *before, const uint8_t digest[DB_DIGEST])
{
	char text[DB_DIGEST * 2 + 1];

	put_string(
	    out, before, sodium_bin2hex(text, sizeof(text), digest, DB_DIGEST));
}

void
put_quota(struct json_out *out, const struct wire_quota *quota)
{
	put_uint(out,
	    ",\"quota\":{\"requests_per_minute\":", quota->requests_per_minute);
	put_uint(out, ",\"concurrent\":", quota->concurrent);
	put_uint(out, ",\"cpu_ms_per_minute\":", quota->cpu_ms_per_minute);
	put_uint(out, ",\"memory_bytes\":", quota->memory_bytes);
	put_uint(out, ",\"result_bytes\":", quota->result_bytes);
	json_out_text(out, "}");
}

/* ---- what is asked: the path ----------------------------------------------
 */

/* A path against a pattern; what {…} stands for goes into name. */
static bool
path_fits(
    const char *pattern, const char *path, size_t len, char name[WIRE_NAME_MAX])
{
	const char *end = path + len;

	while (*pattern != '\0') {
		if (*pattern != '{') {
			if (path == end || *path++ != *pattern++)
				return false;
			continue;
		}
		const char *stop = memchr(path, '/', (size_t)(end - path));
		const size_t n = (size_t)((stop != NULL ? stop : end) - path);
		if (n == 0 || n >= WIRE_NAME_MAX)
			return false;
		memcpy(name, path, n);
		name[n] = '\0';
		path += n;
		pattern = strchr(pattern, '}') + 1;
	}
	return path == end;
}

/* NULL with a status: 404, or 405 where another method would do. */
static const struct route *
route_find(struct request *request, const struct wire_admin *admin, int *status)
{
	const size_t len = strcspn(admin->path, "?");
	bool is_path = false;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (!path_fits(routes[i].path, admin->path, len, request->name))
			continue;
		if (strcmp(routes[i].method, admin->method) == 0)
			return &routes[i];
		is_path = true;
	}
	request->name[0] = '\0';
	*status = is_path
	    ? refuse(request, 405, "/admin%.*s has no method %s", (int)len,
		  admin->path, admin->method)
	    : refuse(request, 404,
		  "there is no /admin%.*s; see GET /admin/openapi.json",
		  (int)len, admin->path);
	return NULL;
}

static int
query_number(struct request *request, const char *name, const char *value,
    uint64_t least, uint64_t most, uint64_t *number)
{
	struct json_span span = { value, strlen(value) }, checked;
	const struct member member = { .name = name, .value = span };

	if (json_check(value, span.len, &checked, NULL) != 0)
		return refuse(request, 400, "?%s=: is no number", name);
	const int status =
	    body_uint(request, &member, "?", least, most, number);
	return status == 0 ? 0 : 400;
}

static int
query_one(struct request *request, const char *name, const char *value,
    char tenant[WIRE_NAME_MAX])
{
	if (strcmp(name, "after") == 0)
		return query_number(
		    request, name, value, 0, INT64_MAX, &request->after);
	if (strcmp(name, "limit") == 0)
		return query_number(
		    request, name, value, 1, PAGE_MAX, &request->limit);
	if (strcmp(name, "tenant") != 0)
		return refuse(request, 400,
		    "?%.63s: there is no such parameter; these are: tenant, "
		    "after, limit",
		    name);
	if (!name_is_good(value))
		return refuse(request, 400, "?tenant=: is no tenant's name");
	strcpy(tenant, value);
	return 0;
}

static int
query_read(
    struct request *request, const char *path, char tenant[WIRE_NAME_MAX])
{
	char text[sizeof(((struct wire_admin *)0)->path)], *rest = text;
	const char *query = strchr(path, '?');
	char *part;

	if (query == NULL)
		return 0;
	strcpy(text, query + 1);
	while ((part = strsep(&rest, "&")) != NULL) {
		char *value = strchr(part, '=');
		if (*part == '\0')
			continue;
		if (value != NULL)
			*value++ = '\0';
		const int status = query_one(
		    request, part, value != NULL ? value : "", tenant);
		if (status != 0)
			return status;
	}
	return 0;
}

/* ---- who asks, and whose things -------------------------------------------
 */

static int
authenticate(struct request *request, const struct wire_admin *admin)
{
	struct wire_token token;
	uint8_t outer[DB_DIGEST];

	crypto_hash_sha256(outer, admin->token_hash, sizeof(admin->token_hash));
	const int code = db_token_find(request->store->db, outer, &token);
	if (code < 0)
		return code;
	if (code == DB_E_NONE ||
	    (token.expires != 0 && token.expires <= (uint64_t)time(NULL)))
		return refuse(request, 401,
		    "the token is not known, or has expired; 'cordon token "
		    "create --scope admin' makes one");
	request->token = token;
	request->tenant.id = token.tenant;
	if ((token.scopes & WIRE_SCOPE_ADMIN) == 0)
		return refuse(request, 403,
		    "the token '%s' lacks the scope 'admin'", token.name);
	return 0;
}

static int
own_tenant(void *arg, const struct wire_tenant *tenant)
{
	struct request *request = arg;

	if (tenant->id != request->token.tenant)
		return 0;
	request->tenant = *tenant;
	return DB_E_STOP;
}

/* Admins of "local" may name any tenant; others say nothing of another's
 * existence by what they are answered. */
static int
tenant_choose(struct request *request, const char *name)
{
	struct db *db = request->store->db;

	int code = db_tenants_each(db, own_tenant, request);
	if (code != DB_E_STOP)
		return code < 0 ? code : -EIO;
	const bool is_host = request->token.tenant == WIRE_TENANT_LOCAL;
	request->all_tenants = is_host && name[0] == '\0';
	if (name[0] == '\0' || strcmp(name, request->tenant.name) == 0)
		return 0;
	if (!is_host)
		return refuse(request, 403,
		    "the token '%s' administers the tenant '%s', no other",
		    request->token.name, request->tenant.name);
	code = db_tenant_find(db, name, &request->tenant);
	if (code == DB_E_NONE)
		return refuse(request, 404, "there is no tenant '%s'", name);
	return code;
}

static int
body_check(struct request *request, const char *raw_body, size_t len)
{
	static const char none[] = "{}";
	size_t offset = 0;

	if (len == 0) {
		request->body = (struct json_span){ none, 2 };
		return 0;
	}
	const int code = json_check(raw_body, len, &request->body, &offset);
	if (code == 0)
		return 0;
	return refuse(request, 400,
	    code == JSON_E_DEPTH
		? "the body is nested too deeply, at byte %zu"
		: "the body is no JSON text (UTF-8) from byte %zu on",
	    offset);
}

/* ---- what is done ---------------------------------------------------------
 */

static int
act(struct request *request, const struct route *route)
{
	struct store *store = request->store;
	int status = db_action_begin(store->db);

	if (status != 0)
		return status;
	status = route->handler(request);
	if (status >= 200 && status < 300) {
		const int code = db_action_keep(store->db);
		return code == 0 ? status : code;
	}
	request->changed = CHANGED_NOTHING;
	if (db_action_drop(store->db) != 0)
		store_batch_lost(store);
	return status;
}

static int
answer_find(struct request *request, const char *raw_body, size_t len)
{
	const struct wire_admin *admin = request->admin;
	char tenant[WIRE_NAME_MAX] = "";
	int status = authenticate(request, admin);

	if (status != 0)
		return status;
	const struct route *route = route_find(request, admin, &status);
	if (route == NULL)
		return status;
	request->action = route->action;
	status = query_read(request, admin->path, tenant);
	if (status == 0)
		status = tenant_choose(request, tenant);
	if (status == 0)
		status = body_check(request, raw_body, len);
	return status == 0 ? act(request, route) : status;
}

/* Everything that was done or refused; what was only looked at is not. */
static void
answer_audit(struct request *request, int status)
{
	const struct wire_admin *admin = request->admin;
	struct json_out detail;

	if (status < 300 && strcmp(admin->method, "GET") == 0)
		return;
	json_out_init(&detail, STORE_AUDIT_DETAIL_MAX);
	put_uint(&detail, "{\"status\":", (uint64_t)status);
	put_string(&detail, ",\"method\":", admin->method);
	put_string(&detail, ",\"path\":", admin->path);
	if (request->token.name[0] != '\0')
		put_string(&detail, ",\"by\":", request->token.name);
	if (request->subject[0] != '\0')
		put_string(&detail, ",\"name\":", request->subject);
	if (request->about[0] != '\0')
		put_string(&detail, ",\"server\":", request->about);
	if (request->host[0] != '\0')
		put_string(&detail, ",\"host\":", request->host);
	if (!sodium_is_zero(request->digest, sizeof(request->digest)))
		put_hex(&detail, ",\"digest\":", request->digest);
	if (!sodium_is_zero(request->launch, sizeof(request->launch)))
		put_hex(&detail, ",\"launch\":", request->launch);
	if (request->err.text[0] != '\0')
		put_string(&detail, ",\"error\":", request->err.text);
	json_out_text(&detail, "}");
	audit_append(request->store,
	    &(struct audit_entry){ .principal = request->token.id,
		.tenant = request->tenant.id,
		.request = admin->request,
		.action = request->action,
		.detail = detail.bytes,
		.detail_len = detail.len });
	json_out_fini(&detail);
}

static void
changed_tell(struct request *request)
{
	switch (request->changed) {
	case CHANGED_NOTHING:
		break;
	case CHANGED_TENANT:
		push_tenant(request->store, &request->changed_tenant);
		break;
	case CHANGED_TOKEN:
		push_token(request->store, &request->changed_token);
		break;
	case CHANGED_SERVER:
		push_server(request->store, &request->changed_server);
		break;
	case CHANGED_LOGIN:
		egress_push(request->store, request->changed_server.record.id);
		if (request->signed_out != NULL)
			login_revoke(request->store,
			    request->changed_server.record.id,
			    request->signed_out);
		break;
	}
}

static int
database_failed(struct request *request, int code)
{
	request->changed = CHANGED_NOTHING;
	if (code == -ENOSPC)
		return refuse(request, 507,
		    "nothing was done: the disk is full, or the database is "
		    "as big as it may be");
	return refuse(request, 500, "nothing was done: the database: %s",
	    code < 0 ? strerror(-code) : "a row is missing");
}

bool
admin_is_awaited(const struct request *request)
{
	return request->store->link != NULL &&
	    request->store->n_links == request->link;
}

static void
reply_send(struct request *request, int status)
{
	struct json_out *out = &request->out;

	if (!admin_is_awaited(request))
		return;
	if (status < 300 && json_out_status(out) != 0)
		status = refuse(request, 500,
		    "it was done, but the answer is longer than 16 MiB");
	if (status >= 300) {
		json_out_reset(out);
		put_string(out, "{\"error\":", request->err.text);
		json_out_text(out, "}");
	}
	const struct wire_frame head = { .type = WIRE_STORE_REPLY,
		.len = (uint32_t)out->len,
		.code = status,
		.reserved = request->id };
	link_send(request->store, &head, out->bytes, NULL, 0);
}

static void
request_end(struct request *request, int status)
{
	struct store *store = request->store;

	if (status <= 0)
		status = database_failed(request, status);
	answer_audit(request, status);
	const int code = store_commit(store);
	if (code != 0 && request->changed != CHANGED_NOTHING) {
		if (request->changed == CHANGED_LOGIN)
			(void)logins_start(store); /* nothing was written */
		status = database_failed(request, code);
	}
	changed_tell(request);
	reply_send(request, status);
	sodium_free(request->signed_out);
	json_out_fini(&request->out);
	sodium_memzero(request, sizeof(*request));
}

void
admin_answer(struct store *store, uint32_t id, const struct wire_admin *admin,
    const char *raw_body, size_t len)
{
	struct request request = { .store = store,
		.id = id,
		.link = store->n_links,
		.admin = admin,
		.action = "admin/refused",
		.limit = PAGE_DEFAULT };

	json_out_init(&request.out, ANSWER_MAX);
	const int status = answer_find(&request, raw_body, len);
	if (status != ADMIN_LATER) {
		request_end(&request, status);
		return;
	}
	store_commit(store); /* of what was gathered before it */
	json_out_fini(&request.out);
	sodium_memzero(&request, sizeof(request));
}

/* ---- answers that come later -----------------------------------------------
 */

struct later {
	struct request request; /* first */
	struct wire_admin admin;
};

struct request *
admin_later(const struct request *request)
{
	struct later *later = malloc(sizeof(*later));

	if (later == NULL)
		return NULL;
	later->request = *request;
	later->admin = *request->admin;
	later->request.admin = &later->admin;
	later->request.body = (struct json_span){ NULL, 0 };
	json_out_init(&later->request.out, ANSWER_MAX);
	return &later->request;
}

void
admin_later_end(struct request *request, int status)
{
	struct later *later = (struct later *)request;

	request_end(request, status);
	sodium_memzero(later, sizeof(*later));
	free(later);
}
