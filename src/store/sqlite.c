/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

static const char *const texts[] = {
#define SQL(name, text) [SQL_##name] = (text),
#include "store/sql.def"
#undef SQL
};

/*
 * Before anything else. EXCLUSIVE: nobody else has it open, and no shared
 * memory is needed for the journal. FULL: what was committed survives a loss of
 * power. trusted_schema, cell_size_check: a file that somebody tampered with
 * shall not make SQLite do more than read it. 32 GiB are the most that it may
 * grow to.
 */
static const char settings[] =
    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
    "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
    "PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864;"
    "PRAGMA max_page_count = 8388608;";

#define BUSY_MS 2000

static int
code_of(int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	default:
		return -EIO;
	}
}

int
sql_bind(struct db *db, enum sql which, const char *types, ...)
{
	sqlite3_stmt *statement = db->statements[which];
	int result = SQLITE_OK;
	va_list args;

	va_start(args, types);
	for (int i = 1; types[i - 1] != '\0' && result == SQLITE_OK; i++) {
		if (types[i - 1] == 't') {
			const char *text = va_arg(args, const char *);
			result = sqlite3_bind_text(
			    statement, i, text, -1, SQLITE_STATIC);
			continue;
		}
		if (types[i - 1] == 'b') {
			const void *bytes = va_arg(args, const void *);
			const size_t len = va_arg(args, size_t);
			/* A NULL pointer would be no value at all. */
			result = sqlite3_bind_blob64(statement, i,
			    bytes != NULL ? bytes : "", len, SQLITE_STATIC);
			continue;
		}
		const uint64_t number = types[i - 1] == 'u'
		    ? va_arg(args, uint32_t)
		    : va_arg(args, uint64_t);
		result = number > INT64_MAX
		    ? SQLITE_TOOBIG
		    : sqlite3_bind_int64(statement, i, (int64_t)number);
	}
	va_end(args);
	if (result == SQLITE_OK)
		return 0;
	sql_reset(db, which);
	return result == SQLITE_TOOBIG ? -EINVAL : code_of(result);
}

int
sql_step(struct db *db, enum sql which)
{
	const int result = sqlite3_step(db->statements[which]);

	if (result == SQLITE_ROW)
		return 0;
	const int code = code_of(result);
	sql_reset(db, which);
	return code != 0 ? code : DB_E_NONE;
}

void
sql_reset(struct db *db, enum sql which)
{
	sqlite3_reset(db->statements[which]);
	sqlite3_clear_bindings(db->statements[which]);
}

int
sql_run(struct db *db, enum sql which)
{
	const int code = sql_step(db, which);

	if (code == 0)
		sql_reset(db, which);
	return code == DB_E_NONE ? 0 : code;
}

uint64_t
sql_uint(struct db *db, enum sql which, int column)
{
	return (uint64_t)sqlite3_column_int64(db->statements[which], column);
}

bool
sql_text(struct db *db, enum sql which, int column, char *field, size_t size)
{
	sqlite3_stmt *statement = db->statements[which];
	const unsigned char *text = sqlite3_column_text(statement, column);
	const size_t len = (size_t)sqlite3_column_bytes(statement, column);

	if (text == NULL || len >= size || memchr(text, '\0', len) != NULL)
		return false;
	memset(field, 0, size);
	memcpy(field, text, len);
	return true;
}

bool
sql_bytes(struct db *db, enum sql which, int column, void *bytes, size_t len)
{
	sqlite3_stmt *statement = db->statements[which];
	const void *blob = sqlite3_column_blob(statement, column);

	if (blob == NULL ||
	    (size_t)sqlite3_column_bytes(statement, column) != len)
		return false;
	memcpy(bytes, blob, len);
	return true;
}

void
sql_text_or_none(
    struct db *db, enum sql which, int column, char *field, size_t size)
{
	if (!sql_text(db, which, column, field, size))
		memset(field, 0, size);
}

size_t
sql_bytes_or_none(
    struct db *db, enum sql which, int column, void *bytes, size_t size)
{
	sqlite3_stmt *statement = db->statements[which];
	const void *blob = sqlite3_column_blob(statement, column);
	const size_t len = (size_t)sqlite3_column_bytes(statement, column);

	if (blob == NULL || len > size)
		return 0;
	memcpy(bytes, blob, len);
	return len;
}

/* ---- batches --------------------------------------------------------------
 */

int
db_begin(struct db *db)
{
	if (db->in_batch)
		return 0;
	const int code = sql_run(db, SQL_BEGIN);
	db->in_batch = code == 0;
	return code;
}

int
db_commit(struct db *db)
{
	if (!db->in_batch)
		return 0;
	const int code = sql_run(db, SQL_COMMIT);
	if (code != 0)
		db_rollback(db);
	db->in_batch = false;
	return code;
}

/* After some failures SQLite has rolled back by itself. */
void
db_rollback(struct db *db)
{
	if (sqlite3_get_autocommit(db->handle) == 0)
		sql_run(db, SQL_ROLLBACK);
	db->in_batch = false;
}

int
db_action_begin(struct db *db)
{
	const int code = db_begin(db);

	return code != 0 ? code : sql_run(db, SQL_ACTION_BEGIN);
}

int
db_action_keep(struct db *db)
{
	return sql_run(db, SQL_ACTION_KEEP);
}

int
db_action_drop(struct db *db)
{
	int code = -EIO;

	if (sqlite3_get_autocommit(db->handle) == 0)
		code = sql_run(db, SQL_ACTION_DROP);
	if (code == 0)
		code = sql_run(db, SQL_ACTION_KEEP);
	if (code != 0)
		db_rollback(db);
	return code;
}

/* ---- open and close -------------------------------------------------------
 */

static int
scripts_run(struct db *db, const char *script, struct err *err)
{
	const int result = sqlite3_exec(db->handle, script, NULL, NULL, NULL);
	const int code = code_of(result);

	if (code == -EBUSY)
		return err_set(err, code,
		    "the database is open elsewhere: another cordon uses this "
		    "folder, or a tool does; end it, or name another folder");
	if ((result & 0xff) == SQLITE_NOTADB ||
	    (result & 0xff) == SQLITE_CORRUPT)
		return err_set(err, code,
		    "the database is damaged (%s): put a backup in its place",
		    sqlite3_errmsg(db->handle));
	return code == 0 ? 0
			 : err_set(err, code, "the database: %s",
			       sqlite3_errmsg(db->handle));
}

static int
version_get(struct db *db, uint32_t *version, struct err *err)
{
	sqlite3_stmt *statement = NULL;

	const int result = sqlite3_prepare_v2(
	    db->handle, "PRAGMA user_version", -1, &statement, NULL);
	if (result != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW) {
		sqlite3_finalize(statement);
		return err_set(
		    err, -EIO, "the database: %s", sqlite3_errmsg(db->handle));
	}
	*version = (uint32_t)sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return 0;
}

/* One step and its number become durable together. */
static int
step_run(struct db *db, uint32_t version, struct err *err)
{
	char number[64];

	snprintf(number, sizeof(number),
	    "PRAGMA user_version = %" PRIu32 "; COMMIT", version + 1);
	int code = scripts_run(db, "BEGIN EXCLUSIVE", err);
	if (code == 0)
		code = scripts_run(db, schema_step(version), err);
	return code == 0 ? scripts_run(db, number, err) : code;
}

static int
schema_update(struct db *db, struct err *err)
{
	uint32_t version = 0;
	int code = version_get(db, &version, err);

	if (code == 0 && version > schema_version)
		return err_set(err, -EINVAL,
		    "the database has schema %" PRIu32
		    ", this cordon knows up to %" PRIu32
		    ": it was written by a newer cordon; install that one, or "
		    "put back the backup from before the update",
		    version, schema_version);
	for (; code == 0 && version < schema_version; version++)
		code = step_run(db, version, err);
	return code;
}

static int
statements_prepare(struct db *db, struct err *err)
{
	for (size_t i = 0; i < SQL_N; i++)
		if (sqlite3_prepare_v3(db->handle, texts[i], -1,
			SQLITE_PREPARE_PERSISTENT, &db->statements[i],
			NULL) != SQLITE_OK)
			return err_set(err, -EIO,
			    "the database has not the tables of its schema: "
			    "%s",
			    sqlite3_errmsg(db->handle));
	return 0;
}

static int
key_make(struct db *db, struct err *err)
{
	uint8_t key[32];
	int code = db_key(db, key);

	if (code == DB_E_NONE) {
		randombytes_buf(key, sizeof(key));
		code =
		    sql_bind(db, SQL_META_PUT, "tb", "key", key, sizeof(key));
		if (code == 0)
			code = sql_run(db, SQL_META_PUT);
	}
	sodium_memzero(key, sizeof(key));
	return code == 0
	    ? 0
	    : err_set(err, code, "the database: its key cannot be kept: %s",
		  strerror(-code));
}

int
db_open(struct db **dbp, const char *path, struct err *err)
{
	struct db *db = calloc(1, sizeof(*db));
	if (db == NULL)
		return err_set(err, -ENOMEM, "out of memory");

	const int result = sqlite3_open_v2(path, &db->handle,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW |
		SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
	    NULL);
	int code = code_of(result);
	if (code != 0)
		err_set(err, code,
		    "the database cannot be opened (%s): is its folder on a "
		    "full disk, or another user's?",
		    db->handle != NULL ? sqlite3_errmsg(db->handle)
				       : strerror(-code));
	if (code == 0) {
		sqlite3_busy_timeout(db->handle, BUSY_MS);
		sqlite3_db_config(
		    db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		code = scripts_run(db, settings, err);
	}
	if (code == 0)
		code = schema_update(db, err);
	if (code == 0)
		code = statements_prepare(db, err);
	if (code == 0)
		code = key_make(db, err);
	if (code != 0) {
		db_close(db);
		return code;
	}
	*dbp = db;
	return 0;
}

struct db *
db_close(struct db *db)
{
	if (db == NULL)
		return NULL;
	for (size_t i = 0; i < SQL_N; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->handle);
	free(db);
	return NULL;
}

int
db_key(struct db *db, uint8_t key[32])
{
	int code = sql_bind(db, SQL_META_GET, "t", "key");

	if (code == 0)
		code = sql_step(db, SQL_META_GET);
	if (code != 0)
		return code;
	code = sql_bytes(db, SQL_META_GET, 0, key, 32) ? 0 : -EIO;
	sql_reset(db, SQL_META_GET);
	return code;
}
