/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Secrets, as the store keeps them: rows whose value is sealed (vault/vault.h),
 * opened only to be told to egress. A value is never in an answer, the log or
 * the audit.
 */

#include <stdbool.h>

#include "store/admin.h"
#include "store/db.h"
#include "store/store.h"
#include "vault/vault.h"

/* A row. Of the record the value is not set; text that the database should not
 * hold is "", and so does not open. */
struct db_secret {
	uint32_t id;
	uint32_t server;
	uint32_t tenant; /* of the server */
	char tenant_name[WIRE_NAME_MAX];
	char server_name[WIRE_NAME_MAX];
	uint64_t issued; /* ms since 1970: of the letter */
	struct wire_egress_secret record;
	uint8_t sealed[VAULT_SEALED_MAX];
	size_t sealed_len; /* 0: too long to be one */
};

/* ---- sqlite.c --------------------------------------------------------------
 */

/* The first after `after`; server 0: of all. DB_E_NONE. */
int db_secret_next(
    struct db *db, uint32_t server, uint32_t after, struct db_secret *secret);
/* By id, where it has one; else it is given one. */
int db_secret_put(struct db *db, struct db_secret *secret);
/* Only what is sealed. */
int db_secret_seal(struct db *db, const struct db_secret *secret);
int db_secret_remove(struct db *db, uint32_t id);

/* ---- open.c ----------------------------------------------------------------
 */

/* Sets the value. VAULT_E_…, and `why` as the end of a sentence. */
int secret_open(const struct store *store, struct db_secret *secret,
    uint32_t *which, const char **why);

/*
 * At the start: says which do not open, and seals anew what an old key sealed,
 * all of it or nothing. Negative errno.
 */
int secrets_check(struct store *store);
/* Egress is told of all servers that have some. Negative errno. */
int secrets_push(struct store *store);

/* ---- admin.c ---------------------------------------------------------------
 */

/* What comes sealed: opened, of the last minutes, and checked against what is
 * asked for (`record`, all but the value). 0, or a status with its sentence. */
int secret_letter_read(struct request *request, const struct member *member,
    const struct vault_owner *owner, struct wire_egress_secret *record,
    uint64_t *issued);
/* Whether a secret goes where another, of the same server, goes. */
bool secret_is_rival(
    const struct wire_egress_secret *x, const struct wire_egress_secret *y);
