/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SQLite behind db.h: a connection with every statement prepared, and the few
 * steps that its functions are made of. For sqlite*.c only.
 */

#include <sqlite3.h>
#include <stdbool.h>

#include "store/db.h"

enum sql {
#define SQL(name, text) SQL_##name,
#include "store/sql.def"
#undef SQL
	SQL_N,
};

struct db {
	sqlite3 *handle;
	sqlite3_stmt *statements[SQL_N];
	bool in_batch;
};

/* schema.c: how many steps there are, and each of them (NULL past the last). */
extern const uint32_t schema_version;
const char *schema_step(uint32_t version);

/*
 * Binds values to ?1, ?2 …: "i" uint64_t, "u" uint32_t, "t" const char *,
 * "b" const void * and size_t. Text and bytes are borrowed until the statement
 * is reset. -EINVAL: a number that SQLite cannot hold.
 */
int sql_bind(struct db *db, enum sql which, const char *types, ...);

/* 0: there is a row; DB_E_NONE: there is none (any more); negative errno. */
int sql_step(struct db *db, enum sql which);
void sql_reset(struct db *db, enum sql which);

/* Binds what was not yet bound, runs to the end, resets. 0 or negative errno.
 */
int sql_run(struct db *db, enum sql which);

uint64_t sql_uint(struct db *db, enum sql which, int column);
/* A text that the field cannot hold, or bytes of another length: false. */
bool
sql_text(struct db *db, enum sql which, int column, char *field, size_t size);
bool
sql_bytes(struct db *db, enum sql which, int column, void *bytes, size_t len);
/* Of rows that another program may have written into, which is no reason not to
 * start: what does not fit is empty. Such a row does not open (vault.h), and
 * that is said of it. */
void sql_text_or_none(
    struct db *db, enum sql which, int column, char *field, size_t size);
size_t sql_bytes_or_none(
    struct db *db, enum sql which, int column, void *bytes, size_t size);
