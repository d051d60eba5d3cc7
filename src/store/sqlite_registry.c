/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "store/sqlite.h"

static uint64_t
now_s(void)
{
	return (uint64_t)time(NULL);
}

static void
quota_read(struct db *db, enum sql which, int column, struct wire_quota *quota)
{
	*quota = (struct wire_quota){
		.requests_per_minute = (uint32_t)sql_uint(db, which, column),
		.concurrent = (uint32_t)sql_uint(db, which, column + 1),
		.cpu_ms_per_minute = sql_uint(db, which, column + 2),
		.memory_bytes = sql_uint(db, which, column + 3),
		.result_bytes = sql_uint(db, which, column + 4),
	};
}

/* The id that an INSERT gave, or the one that was given. */
static uint32_t
id_after(struct db *db, uint32_t id)
{
	return id != 0 ? id : (uint32_t)sqlite3_last_insert_rowid(db->handle);
}

/* AUTOINCREMENT gives an id where NULL is bound. */
static void
id_bind(struct db *db, enum sql which, uint32_t id)
{
	if (id == 0)
		sqlite3_bind_null(db->statements[which], 1);
}

/* ---- tenants ------------------------------------------------------------ */

static int
tenant_read(struct db *db, enum sql which, struct wire_tenant *tenant)
{
	struct wire_tenant read = {
		.id = (uint32_t)sql_uint(db, which, 0),
	};

	if (!sql_text(db, which, 1, read.name, sizeof(read.name)))
		return -EIO;
	quota_read(db, which, 2, &read.quota);
	*tenant = read;
	return 0;
}

int
db_tenants_each(struct db *db, db_tenant_fn *fn, void *arg)
{
	int code;

	while ((code = sql_step(db, SQL_TENANTS_EACH)) == 0) {
		struct wire_tenant tenant;
		code = tenant_read(db, SQL_TENANTS_EACH, &tenant);
		if (code == 0)
			code = fn(arg, &tenant);
		if (code != 0) {
			sql_reset(db, SQL_TENANTS_EACH);
			return code;
		}
	}
	return code == DB_E_NONE ? 0 : code;
}

int
db_tenant_find(struct db *db, const char *name, struct wire_tenant *tenant)
{
	int code = sql_bind(db, SQL_TENANT_FIND, "t", name);

	if (code == 0)
		code = sql_step(db, SQL_TENANT_FIND);
	if (code != 0)
		return code;
	code = tenant_read(db, SQL_TENANT_FIND, tenant);
	sql_reset(db, SQL_TENANT_FIND);
	return code;
}

int
db_tenant_put(struct db *db, struct wire_tenant *tenant)
{
	const struct wire_quota *q = &tenant->quota;
	int code = sql_bind(db, SQL_TENANT_PUT, "utuuiii", tenant->id,
	    tenant->name, q->requests_per_minute, q->concurrent,
	    q->cpu_ms_per_minute, q->memory_bytes, q->result_bytes);

	if (code != 0)
		return code;
	id_bind(db, SQL_TENANT_PUT, tenant->id);
	code = sql_run(db, SQL_TENANT_PUT);
	if (code == 0)
		tenant->id = id_after(db, tenant->id);
	return code;
}

static int
id_run(struct db *db, enum sql which, uint32_t id)
{
	int code = sql_bind(db, which, "u", id);

	if (code == 0)
		code = sql_run(db, which);
	if (code != 0)
		return code;
	return sqlite3_changes(db->handle) > 0 ? 0 : DB_E_NONE;
}

int
db_tenant_remove(struct db *db, uint32_t id)
{
	return id_run(db, SQL_TENANT_REMOVE, id);
}

int
db_tenant_counts(
    struct db *db, uint32_t id, uint64_t *servers, uint64_t *tokens)
{
	int code = sql_bind(db, SQL_TENANT_COUNTS, "u", id);

	if (code == 0)
		code = sql_step(db, SQL_TENANT_COUNTS);
	if (code != 0)
		return code == DB_E_NONE ? -EIO : code;
	*servers = sql_uint(db, SQL_TENANT_COUNTS, 0);
	*tokens = sql_uint(db, SQL_TENANT_COUNTS, 1);
	sql_reset(db, SQL_TENANT_COUNTS);
	return 0;
}

/* ---- tokens ---------------------------------------------------------------
 */

static int
token_read(struct db *db, enum sql which, struct wire_token *token)
{
	struct wire_token read = {
		.id = (uint32_t)sql_uint(db, which, 0),
		.tenant = (uint32_t)sql_uint(db, which, 1),
		.scopes = (uint32_t)sql_uint(db, which, 2),
		.expires = sql_uint(db, which, 3),
	};

	if (!sql_bytes(db, which, 4, read.hash, sizeof(read.hash)) ||
	    !sql_text(db, which, 5, read.name, sizeof(read.name)) ||
	    !sql_text(db, which, 6, read.servers, sizeof(read.servers)))
		return -EIO;
	quota_read(db, which, 7, &read.quota);
	*token = read;
	return 0;
}

int
db_tokens_each(struct db *db, db_token_fn *fn, void *arg)
{
	int code;

	while ((code = sql_step(db, SQL_TOKENS_EACH)) == 0) {
		struct wire_token token;
		code = token_read(db, SQL_TOKENS_EACH, &token);
		if (code == 0)
			code = fn(arg, &token);
		if (code != 0) {
			sql_reset(db, SQL_TOKENS_EACH);
			return code;
		}
	}
	return code == DB_E_NONE ? 0 : code;
}

static int
token_one(struct db *db, enum sql which, int bound, struct wire_token *token)
{
	int code = bound == 0 ? sql_step(db, which) : bound;

	if (code != 0)
		return code;
	code = token_read(db, which, token);
	sql_reset(db, which);
	return code;
}

int
db_token_find(
    struct db *db, const uint8_t hash[DB_DIGEST], struct wire_token *token)
{
	return token_one(db, SQL_TOKEN_FIND,
	    sql_bind(db, SQL_TOKEN_FIND, "b", hash, (size_t)DB_DIGEST), token);
}

int
db_token_get(struct db *db, uint32_t id, struct wire_token *token)
{
	return token_one(
	    db, SQL_TOKEN_GET, sql_bind(db, SQL_TOKEN_GET, "u", id), token);
}

int
db_token_put(struct db *db, struct wire_token *token)
{
	const struct wire_quota *q = &token->quota;
	int code = sql_bind(db, SQL_TOKEN_PUT, "uuuibttuuiii", token->id,
	    token->tenant, token->scopes, token->expires, token->hash,
	    sizeof(token->hash), token->name, token->servers,
	    q->requests_per_minute, q->concurrent, q->cpu_ms_per_minute,
	    q->memory_bytes, q->result_bytes);

	if (code != 0)
		return code;
	id_bind(db, SQL_TOKEN_PUT, token->id);
	code = sql_run(db, SQL_TOKEN_PUT);
	if (code == 0)
		token->id = id_after(db, token->id);
	return code;
}

int
db_token_remove(struct db *db, uint32_t id)
{
	return id_run(db, SQL_TOKEN_REMOVE, id);
}

/* ---- servers -------------------------------------------------------------
 */

static void
limits_read(struct db *db, enum sql which, struct wire_limits *limits)
{
	*limits = (struct wire_limits){
		.memory_bytes = sql_uint(db, which, 10),
		.cpu_ns = sql_uint(db, which, 11),
		.wall_ns = sql_uint(db, which, 12),
		.result_bytes = sql_uint(db, which, 13),
		.log_bytes = sql_uint(db, which, 14),
		.load_cpu_ns = sql_uint(db, which, 15),
		.load_wall_ns = sql_uint(db, which, 16),
		.reuse_calls = (uint32_t)sql_uint(db, which, 17),
		.flags = (uint32_t)sql_uint(db, which, 18),
	};
}

static void
box_read(struct db *db, enum sql which, struct wire_box *box)
{
	*box = (struct wire_box){
		.start_ms = (uint32_t)sql_uint(db, which, 22),
		.idle_s = (uint32_t)sql_uint(db, which, 23),
		.life_s = (uint32_t)sql_uint(db, which, 24),
		.spares = (uint32_t)sql_uint(db, which, 25),
		.starts_per_minute = (uint32_t)sql_uint(db, which, 26),
	};
}

/* One column has it, be it a path or a URL. */
static bool
place_read(struct db *db, enum sql which, struct wire_deployment *launch)
{
	return launch->kind == WIRE_KIND_REMOTE
	    ? sql_text(db, which, 7, launch->url, sizeof(launch->url))
	    : sql_text(db, which, 7, launch->socket, sizeof(launch->socket));
}

static int
server_read(struct db *db, enum sql which, struct db_server *server)
{
	struct db_server read = {
		.record = { .id = (uint32_t)sql_uint(db, which, 0),
		    .tenant = (uint32_t)sql_uint(db, which, 1),
		    .state = (uint32_t)sql_uint(db, which, 2),
		    .origin = (uint32_t)sql_uint(db, which, 3),
		    .launch = { .kind = (uint32_t)sql_uint(db, which, 5),
			.share = (uint32_t)sql_uint(db, which, 6),
			.pool_max = (uint32_t)sql_uint(db, which, 9),
			.bundle_fd = -1 } },
		.created = sql_uint(db, which, 21),
	};
	struct wire_deployment *launch = &read.record.launch;

	if (!sql_text(db, which, 4, launch->name, sizeof(launch->name)) ||
	    !place_read(db, which, launch) ||
	    !sql_bytes(db, which, 8, launch->digest, sizeof(launch->digest)) ||
	    !sql_bytes(db, which, 19, read.digest, sizeof(read.digest)) ||
	    !sql_bytes(db, which, 20, read.approved, sizeof(read.approved)) ||
	    !sql_bytes(db, which, 27, read.network, sizeof(read.network)) ||
	    !sql_text(db, which, 28, launch->tenant, sizeof(launch->tenant)))
		return -EIO;
	limits_read(db, which, &launch->limits);
	box_read(db, which, &launch->box);
	*server = read;
	return 0;
}

int
db_servers_each(struct db *db, db_server_fn *fn, void *arg)
{
	int code;

	while ((code = sql_step(db, SQL_SERVERS_EACH)) == 0) {
		struct db_server server;
		code = server_read(db, SQL_SERVERS_EACH, &server);
		if (code == 0)
			code = fn(arg, &server);
		if (code != 0) {
			sql_reset(db, SQL_SERVERS_EACH);
			return code;
		}
	}
	return code == DB_E_NONE ? 0 : code;
}

static int
server_one(struct db *db, enum sql which, int bound, struct db_server *server)
{
	int code = bound == 0 ? sql_step(db, which) : bound;

	if (code != 0)
		return code;
	code = server_read(db, which, server);
	sql_reset(db, which);
	return code;
}

int
db_server_find(
    struct db *db, uint32_t tenant, const char *name, struct db_server *server)
{
	return server_one(db, SQL_SERVER_FIND,
	    sql_bind(db, SQL_SERVER_FIND, "ut", tenant, name), server);
}

int
db_server_get(struct db *db, uint32_t id, struct db_server *server)
{
	return server_one(
	    db, SQL_SERVER_GET, sql_bind(db, SQL_SERVER_GET, "u", id), server);
}

int
db_server_put(struct db *db, struct db_server *server)
{
	struct wire_server *record = &server->record;
	const struct wire_deployment *launch = &record->launch;
	const struct wire_limits *limits = &launch->limits;
	const struct wire_box *box = &launch->box;

	if (record->id == 0)
		server->created = now_s();
	int code = sql_bind(db, SQL_SERVER_PUT, "uuuutuutbuiiiiiiiuubbiuuuuub",
	    record->id, record->tenant, record->state, record->origin,
	    launch->name, launch->kind, launch->share,
	    launch->kind == WIRE_KIND_REMOTE ? launch->url : launch->socket,
	    launch->digest, sizeof(launch->digest), launch->pool_max,
	    limits->memory_bytes, limits->cpu_ns, limits->wall_ns,
	    limits->result_bytes, limits->log_bytes, limits->load_cpu_ns,
	    limits->load_wall_ns, limits->reuse_calls, limits->flags,
	    server->digest, sizeof(server->digest), server->approved,
	    sizeof(server->approved), server->created, box->start_ms,
	    box->idle_s, box->life_s, box->spares, box->starts_per_minute,
	    server->network, sizeof(server->network));
	if (code != 0)
		return code;
	id_bind(db, SQL_SERVER_PUT, record->id);
	code = sql_run(db, SQL_SERVER_PUT);
	if (code == 0)
		record->id = id_after(db, record->id);
	return code;
}

int
db_server_remove(struct db *db, uint32_t id)
{
	int code = sql_bind(db, SQL_SERVER_REMOVE, "ui", id, now_s());

	if (code == 0)
		code = sql_run(db, SQL_SERVER_REMOVE);
	if (code != 0)
		return code;
	return sqlite3_changes(db->handle) > 0 ? 0 : DB_E_NONE;
}

int
db_decision_add(
    struct db *db, const struct db_server *server, uint32_t principal)
{
	const int code = sql_bind(db, SQL_DECISION_ADD, "uiuub",
	    server->record.id, now_s(), principal, server->record.state,
	    server->digest, sizeof(server->digest));

	return code != 0 ? code : sql_run(db, SQL_DECISION_ADD);
}

int
db_decision_past(
    struct db *db, uint32_t tenant, const char *name, uint32_t *state)
{
	int code = sql_bind(db, SQL_DECISION_PAST, "ut", tenant, name);

	if (code == 0)
		code = sql_step(db, SQL_DECISION_PAST);
	if (code != 0)
		return code;
	*state = (uint32_t)sql_uint(db, SQL_DECISION_PAST, 0);
	sql_reset(db, SQL_DECISION_PAST);
	return 0;
}

/* ---- bundles and surfaces ------------------------------------------------
 */

int
db_bundle_put(struct db *db, const uint8_t digest[DB_DIGEST], const void *bytes,
    size_t len)
{
	const int code = sql_bind(
	    db, SQL_BUNDLE_PUT, "bb", digest, (size_t)DB_DIGEST, bytes, len);

	return code != 0 ? code : sql_run(db, SQL_BUNDLE_PUT);
}

/* A copy of the one blob that the statement, bound, is about. */
static int
blob_read(struct db *db, enum sql which, uint8_t **bytes, size_t *len)
{
	int code = sql_step(db, which);

	if (code != 0)
		return code;
	sqlite3_stmt *statement = db->statements[which];
	const void *blob = sqlite3_column_blob(statement, 0);
	const size_t size = (size_t)sqlite3_column_bytes(statement, 0);
	uint8_t *copy = malloc(size + 1);
	if (copy != NULL && blob != NULL) {
		memcpy(copy, blob, size);
		*bytes = copy;
		*len = size;
	} else {
		code = copy == NULL ? -ENOMEM : -EIO;
		free(copy);
	}
	sql_reset(db, which);
	return code;
}

int
db_bundle_read(struct db *db, const uint8_t digest[DB_DIGEST], uint8_t **bytes,
    size_t *len)
{
	const int code =
	    sql_bind(db, SQL_BUNDLE_READ, "b", digest, (size_t)DB_DIGEST);

	return code != 0 ? code : blob_read(db, SQL_BUNDLE_READ, bytes, len);
}

int
db_bundles_sweep(struct db *db)
{
	return sql_run(db, SQL_BUNDLES_SWEEP);
}

int
db_bundles_bytes(struct db *db, uint64_t *bytes)
{
	const int code = sql_step(db, SQL_BUNDLES_BYTES);

	if (code != 0)
		return code == DB_E_NONE ? -EIO : code;
	*bytes = sql_uint(db, SQL_BUNDLES_BYTES, 0);
	sql_reset(db, SQL_BUNDLES_BYTES);
	return 0;
}

int
db_surface_put(struct db *db, uint32_t server, const uint8_t digest[DB_DIGEST],
    const char *json, size_t len)
{
	int code = sql_bind(db, SQL_SURFACE_PUT, "ubib", server, digest,
	    (size_t)DB_DIGEST, now_s(), json, len);

	if (code == 0)
		code = sql_run(db, SQL_SURFACE_PUT);
	if (code == 0)
		code = sql_bind(db, SQL_SURFACE_TRIM, "u", server);
	return code == 0 ? sql_run(db, SQL_SURFACE_TRIM) : code;
}

int
db_surface_read(struct db *db, uint32_t server, const uint8_t digest[DB_DIGEST],
    uint8_t **json, size_t *len)
{
	const int code = sql_bind(
	    db, SQL_SURFACE_READ, "ub", server, digest, (size_t)DB_DIGEST);

	return code != 0 ? code : blob_read(db, SQL_SURFACE_READ, json, len);
}
