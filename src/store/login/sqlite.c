/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "store/login/login.h"
#include "store/sqlite.h"

enum {
	ID,
	SERVER,
	PRINCIPAL,
	URL,
	SET,
	REFUSED,
	SEALED,
	TENANT,
	TENANT_NAME,
	SERVER_NAME,
};

static void
text_read(struct db *db, int column, char *field, size_t size)
{
	sql_text_or_none(db, SQL_LOGIN_NEXT, column, field, size);
}

static void
login_read(struct db *db, struct db_login *login)
{
	login->id = (uint32_t)sql_uint(db, SQL_LOGIN_NEXT, ID);
	login->server = (uint32_t)sql_uint(db, SQL_LOGIN_NEXT, SERVER);
	login->tenant = (uint32_t)sql_uint(db, SQL_LOGIN_NEXT, TENANT);
	login->principal = (uint32_t)sql_uint(db, SQL_LOGIN_NEXT, PRINCIPAL);
	login->set = sql_uint(db, SQL_LOGIN_NEXT, SET);
	login->refused = sql_uint(db, SQL_LOGIN_NEXT, REFUSED);
	text_read(db, URL, login->url, sizeof(login->url));
	text_read(
	    db, TENANT_NAME, login->tenant_name, sizeof(login->tenant_name));
	text_read(
	    db, SERVER_NAME, login->server_name, sizeof(login->server_name));
	login->sealed_len = sql_bytes_or_none(
	    db, SQL_LOGIN_NEXT, SEALED, login->sealed, sizeof(login->sealed));
}

int
db_login_next(
    struct db *db, uint32_t server, uint32_t after, struct db_login *login)
{
	int code = sql_bind(db, SQL_LOGIN_NEXT, "uu", after, server);

	if (code == 0)
		code = sql_step(db, SQL_LOGIN_NEXT);
	if (code != 0)
		return code;
	login_read(db, login);
	sql_reset(db, SQL_LOGIN_NEXT);
	return 0;
}

int
db_login_get(struct db *db, uint32_t id, struct db_login *login)
{
	const int code = db_login_next(db, 0, id - 1, login);

	return code == 0 && login->id != id ? DB_E_NONE : code;
}

int
db_login_put(struct db *db, struct db_login *login)
{
	int code = sql_bind(
	    db, SQL_LOGIN_REPLACE, "uu", login->server, login->principal);

	if (code == 0)
		code = sql_run(db, SQL_LOGIN_REPLACE);
	if (code == 0)
		code = sql_bind(db, SQL_LOGIN_PUT, "uutiib", login->server,
		    login->principal, login->url, login->set, login->refused,
		    login->sealed, login->sealed_len);
	if (code == 0)
		code = sql_run(db, SQL_LOGIN_PUT);
	if (code == 0)
		login->id = (uint32_t)sqlite3_last_insert_rowid(db->handle);
	return code;
}

int
db_login_seal(struct db *db, const struct db_login *login)
{
	const int code = sql_bind(db, SQL_LOGIN_SEAL, "ubi", login->id,
	    login->sealed, login->sealed_len, login->refused);

	return code == 0 ? sql_run(db, SQL_LOGIN_SEAL) : code;
}

int
db_login_remove(struct db *db, uint32_t id)
{
	int code = sql_bind(db, SQL_LOGIN_REMOVE, "u", id);

	if (code == 0)
		code = sql_run(db, SQL_LOGIN_REMOVE);
	if (code != 0)
		return code;
	return sqlite3_changes(db->handle) > 0 ? 0 : DB_E_NONE;
}

int
db_login_count(struct db *db, uint32_t server, uint64_t *n)
{
	int code = sql_bind(db, SQL_LOGIN_COUNT, "u", server);

	if (code == 0)
		code = sql_step(db, SQL_LOGIN_COUNT);
	if (code != 0)
		return code;
	*n = sql_uint(db, SQL_LOGIN_COUNT, 0);
	sql_reset(db, SQL_LOGIN_COUNT);
	return 0;
}
