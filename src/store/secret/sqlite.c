/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "store/secret/secret.h"
#include "store/sqlite.h"

enum {
	ID,
	SERVER,
	NAME,
	HOST,
	PORT,
	KIND,
	FIELD,
	TEMPLATE,
	PRINCIPAL,
	ISSUED,
	SEALED,
	TENANT,
	TENANT_NAME,
	SERVER_NAME,
};

static void
text_read(struct db *db, int column, char *field, size_t size)
{
	sql_text_or_none(db, SQL_SECRET_NEXT, column, field, size);
}

static uint16_t
short_read(struct db *db, int column)
{
	const uint64_t number = sql_uint(db, SQL_SECRET_NEXT, column);

	return number > UINT16_MAX ? 0 : (uint16_t)number;
}

static void
secret_read(struct db *db, struct db_secret *secret)
{
	struct wire_egress_secret *record = &secret->record;

	memset(secret, 0, sizeof(*secret));
	secret->id = (uint32_t)sql_uint(db, SQL_SECRET_NEXT, ID);
	secret->server = (uint32_t)sql_uint(db, SQL_SECRET_NEXT, SERVER);
	secret->tenant = (uint32_t)sql_uint(db, SQL_SECRET_NEXT, TENANT);
	secret->issued = sql_uint(db, SQL_SECRET_NEXT, ISSUED);
	record->principal = (uint32_t)sql_uint(db, SQL_SECRET_NEXT, PRINCIPAL);
	record->port = short_read(db, PORT);
	record->kind = short_read(db, KIND);
	text_read(db, NAME, record->name, sizeof(record->name));
	text_read(db, HOST, record->host, sizeof(record->host));
	text_read(db, FIELD, record->field, sizeof(record->field));
	text_read(db, TEMPLATE, record->template_, sizeof(record->template_));
	text_read(
	    db, TENANT_NAME, secret->tenant_name, sizeof(secret->tenant_name));
	text_read(
	    db, SERVER_NAME, secret->server_name, sizeof(secret->server_name));
	secret->sealed_len = sql_bytes_or_none(db, SQL_SECRET_NEXT, SEALED,
	    secret->sealed, sizeof(secret->sealed));
}

int
db_secret_next(
    struct db *db, uint32_t server, uint32_t after, struct db_secret *secret)
{
	int code = sql_bind(db, SQL_SECRET_NEXT, "uu", after, server);

	if (code == 0)
		code = sql_step(db, SQL_SECRET_NEXT);
	if (code != 0)
		return code;
	secret_read(db, secret);
	sql_reset(db, SQL_SECRET_NEXT);
	return 0;
}

int
db_secret_put(struct db *db, struct db_secret *secret)
{
	const struct wire_egress_secret *record = &secret->record;
	int code = sql_bind(db, SQL_SECRET_PUT, "uuttuuttuib", secret->id,
	    secret->server, record->name, record->host, (uint32_t)record->port,
	    (uint32_t)record->kind, record->field, record->template_,
	    record->principal, secret->issued, secret->sealed,
	    secret->sealed_len);

	if (code != 0)
		return code;
	if (secret->id == 0) /* AUTOINCREMENT gives one */
		sqlite3_bind_null(db->statements[SQL_SECRET_PUT], 1);
	code = sql_run(db, SQL_SECRET_PUT);
	if (code == 0 && secret->id == 0)
		secret->id = (uint32_t)sqlite3_last_insert_rowid(db->handle);
	return code;
}

int
db_secret_seal(struct db *db, const struct db_secret *secret)
{
	const int code = sql_bind(db, SQL_SECRET_SEAL, "ub", secret->id,
	    secret->sealed, secret->sealed_len);

	return code == 0 ? sql_run(db, SQL_SECRET_SEAL) : code;
}

int
db_secret_remove(struct db *db, uint32_t id)
{
	int code = sql_bind(db, SQL_SECRET_REMOVE, "u", id);

	if (code == 0)
		code = sql_run(db, SQL_SECRET_REMOVE);
	if (code != 0)
		return code;
	return sqlite3_changes(db->handle) > 0 ? 0 : DB_E_NONE;
}
