/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "store/sqlite.h"

/* ---- ended sessions ------------------------------------------------------ */

int
db_ended_put(struct db *db, const struct wire_ended *ended)
{
	const int code = sql_bind(db, SQL_ENDED_PUT, "bi", ended->session,
	    sizeof(ended->session), ended->until);

	return code != 0 ? code : sql_run(db, SQL_ENDED_PUT);
}

int
db_ended_purge(struct db *db, uint64_t now)
{
	int code = sql_bind(db, SQL_ENDED_PURGE, "i", now);

	if (code == 0)
		code = sql_run(db, SQL_ENDED_PURGE);
	if (code == 0)
		code = sql_bind(db, SQL_ENDED_TRIM, "i", DB_ENDED_MAX);
	return code == 0 ? sql_run(db, SQL_ENDED_TRIM) : code;
}

int
db_ended_each(struct db *db, db_ended_fn *fn, void *arg)
{
	int code;

	while ((code = sql_step(db, SQL_ENDED_EACH)) == 0) {
		struct wire_ended ended = { .until = sql_uint(
						db, SQL_ENDED_EACH, 1) };
		code = sql_bytes(db, SQL_ENDED_EACH, 0, ended.session,
			   sizeof(ended.session))
		    ? fn(arg, &ended)
		    : -EIO;
		if (code != 0) {
			sql_reset(db, SQL_ENDED_EACH);
			return code;
		}
	}
	return code == DB_E_NONE ? 0 : code;
}

/* ---- audit --------------------------------------------------------------- */

int
db_audit_append(struct db *db, const struct db_audit *record)
{
	const int code = sql_bind(db, SQL_AUDIT_APPEND, "iiuuttbb",
	    record->number, record->time_ms, record->principal, record->tenant,
	    record->request, record->action, record->detail, record->detail_len,
	    record->hash, (size_t)DB_DIGEST);

	return code != 0 ? code : sql_run(db, SQL_AUDIT_APPEND);
}

/* A value of another kind than we wrote (STRICT keeps honest hands from it)
 * reads as "", which the chain does not fit. */
static const char *
text_of(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text != NULL ? text : "";
}

static int
record_visit(sqlite3_stmt *statement, db_audit_fn *fn, void *arg)
{
	static const uint8_t no_hash[DB_DIGEST];
	const struct db_audit record = {
		.number = (uint64_t)sqlite3_column_int64(statement, 0),
		.time_ms = (uint64_t)sqlite3_column_int64(statement, 1),
		.principal = (uint32_t)sqlite3_column_int64(statement, 2),
		.tenant = (uint32_t)sqlite3_column_int64(statement, 3),
		.request = text_of(statement, 4),
		.action = text_of(statement, 5),
		.detail = sqlite3_column_blob(statement, 6),
		.detail_len = (size_t)sqlite3_column_bytes(statement, 6),
		.hash = sqlite3_column_bytes(statement, 7) == DB_DIGEST
		    ? sqlite3_column_blob(statement, 7)
		    : no_hash,
		.principal_name = text_of(statement, 8),
		.tenant_name = text_of(statement, 9),
	};

	return fn(arg, &record);
}

int
db_audit_each(struct db *db, uint64_t after, uint64_t limit, uint32_t tenant,
    db_audit_fn *fn, void *arg)
{
	int code = sql_bind(db, SQL_AUDIT_EACH, "iiu", after, limit, tenant);

	if (code != 0)
		return code;
	while ((code = sql_step(db, SQL_AUDIT_EACH)) == 0) {
		code = record_visit(db->statements[SQL_AUDIT_EACH], fn, arg);
		if (code != 0) {
			sql_reset(db, SQL_AUDIT_EACH);
			return code;
		}
	}
	return code == DB_E_NONE ? 0 : code;
}

int
db_audit_last(struct db *db, uint64_t *number, uint8_t hash[DB_DIGEST])
{
	const int code = sql_step(db, SQL_AUDIT_LAST);

	if (code != 0)
		return code == DB_E_NONE ? -EIO : code;
	*number = sql_uint(db, SQL_AUDIT_LAST, 0);
	if (!sql_bytes(db, SQL_AUDIT_LAST, 1, hash, DB_DIGEST))
		memset(hash, 0, DB_DIGEST);
	sql_reset(db, SQL_AUDIT_LAST);
	return 0;
}

int
db_heard_get(struct db *db, struct db_heard *heard)
{
	const int code = sql_step(db, SQL_HEARD_GET);

	if (code != 0)
		return code;
	const bool is_whole =
	    sql_bytes(db, SQL_HEARD_GET, 0, heard->boot, sizeof(heard->boot));
	heard->sequence = sql_uint(db, SQL_HEARD_GET, 1);
	sql_reset(db, SQL_HEARD_GET);
	return is_whole ? 0 : -EIO;
}

int
db_heard_put(struct db *db, const struct db_heard *heard)
{
	const int code = sql_bind(db, SQL_HEARD_PUT, "bi", heard->boot,
	    sizeof(heard->boot), heard->sequence);

	return code != 0 ? code : sql_run(db, SQL_HEARD_PUT);
}
