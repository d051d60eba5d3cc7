/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the store keeps, as records: the one interface to the database. Nothing
 * outside sqlite*.c knows which database that is; another one implements the
 * same functions. One writer, one thread.
 *
 * Writes are gathered in a batch and are durable when db_commit() has returned
 * 0; inside it an action may fail alone. What fails for reasons of the machine
 * is a negative errno (-ENOSPC, -EIO); a name or id that is not there is
 * DB_E_NONE.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/registry.h"

#define DB_E_NONE 1 /* there is no such row */
#define DB_E_STOP 2 /* for callbacks: enough; the walk returns it */

#define DB_DIGEST 32

struct db;

/*
 * Opens the database, makes it or brings its schema up to date. Refuses, with a
 * sentence, one that is newer than this build, damaged, or open elsewhere.
 */
int db_open(struct db **dbp, const char *path, struct err *err);
struct db *db_close(struct db *db); /* NULL; what is not committed is lost */

int db_begin(struct db *db); /* nothing, inside a batch */
int db_commit(struct db *db); /* a batch that fails is rolled back */
void db_rollback(struct db *db);
int db_action_begin(struct db *db); /* begins a batch as well */
int db_action_keep(struct db *db);
/* Undoes the action. Negative errno: the whole batch was undone with it. */
int db_action_drop(struct db *db);

/* The key that sealing keys are derived from, made when the database was. */
int db_key(struct db *db, uint8_t key[32]);

/* ---- tenants and tokens ----------------------------------------------- */

typedef int db_tenant_fn(void *arg, const struct wire_tenant *tenant);
typedef int db_token_fn(void *arg, const struct wire_token *token);

int db_tenants_each(struct db *db, db_tenant_fn *fn, void *arg);
int db_tenant_find(struct db *db, const char *name, struct wire_tenant *tenant);
/* By id where it has one; else it is given one. */
int db_tenant_put(struct db *db, struct wire_tenant *tenant);
int db_tenant_remove(struct db *db, uint32_t id);

int db_tokens_each(struct db *db, db_token_fn *fn, void *arg);
int db_token_find(
    struct db *db, const uint8_t hash[DB_DIGEST], struct wire_token *token);
int db_token_get(struct db *db, uint32_t id, struct wire_token *token);
int db_token_put(struct db *db, struct wire_token *token);
int db_token_remove(struct db *db, uint32_t id);

/* How many servers and tokens a tenant has; id 0: all tenants. */
int db_tenant_counts(
    struct db *db, uint32_t id, uint64_t *servers, uint64_t *tokens);

/* ---- servers ------------------------------------------------------------ */

struct db_server {
	struct wire_server record;
	uint8_t network[DB_DIGEST]; /* of what an isolate may reach, kept
				     * like a bundle; zeros: nothing */
	uint8_t digest[DB_DIGEST]; /* of bundle and launch settings */
	uint8_t
	    approved[DB_DIGEST]; /* what was approved last; zeros: nothing */
	uint64_t created; /* seconds since 1970 */
};

typedef int db_server_fn(void *arg, const struct db_server *server);

int db_servers_each(struct db *db, db_server_fn *fn, void *arg);
int db_server_find(
    struct db *db, uint32_t tenant, const char *name, struct db_server *server);
int db_server_get(struct db *db, uint32_t id, struct db_server *server);
int db_server_put(struct db *db, struct db_server *server);
/* Its decisions stay, for whoever asks what this name once was. */
int db_server_remove(struct db *db, uint32_t id);

/* A decision: who made of it what, at which digest. */
int db_decision_add(
    struct db *db, const struct db_server *server, uint32_t principal);
/* The last decision on a name that was removed since; DB_E_NONE. */
int db_decision_past(
    struct db *db, uint32_t tenant, const char *name, uint32_t *state);

/* Bundles are found by the SHA-256 of their bytes. */
int db_bundle_put(struct db *db, const uint8_t digest[DB_DIGEST],
    const void *bytes, size_t len);
/* The caller frees *bytes. */
int db_bundle_read(struct db *db, const uint8_t digest[DB_DIGEST],
    uint8_t **bytes, size_t *len);
/* Drops bundles that no server uses. */
int db_bundles_sweep(struct db *db);
/* Bytes of all that servers use. */
int db_bundles_bytes(struct db *db, uint64_t *bytes);

/* What a server advertised when it was what the digest says. The last few. */
int db_surface_put(struct db *db, uint32_t server,
    const uint8_t digest[DB_DIGEST], const char *json, size_t len);
/* DB_E_NONE: it was not asked since it is what it is. The caller frees. */
int db_surface_read(struct db *db, uint32_t server,
    const uint8_t digest[DB_DIGEST], uint8_t **json, size_t *len);

/* ---- ended sessions ------------------------------------------------------ */

#define DB_ENDED_MAX ((uint64_t)200000)

typedef int db_ended_fn(void *arg, const struct wire_ended *ended);

int db_ended_put(struct db *db, const struct wire_ended *ended);
/* Forgets what has expired; of more than DB_ENDED_MAX those that expire
 * first. */
int db_ended_purge(struct db *db, uint64_t now);
int db_ended_each(struct db *db, db_ended_fn *fn, void *arg);

/* ---- audit --------------------------------------------------------------- */

struct db_audit {
	uint64_t number; /* from 1, without a gap */
	uint64_t time_ms;
	uint32_t principal;
	uint32_t tenant;
	const char *request; /* borrowed, as are all below */
	const char *action;
	const char *detail; /* JSON, detail_len bytes */
	size_t detail_len;
	const uint8_t *hash; /* DB_DIGEST bytes */
	/* As they are, or were, called: read only. "": none. */
	const char *principal_name;
	const char *tenant_name;
};

/* The last record of the gateway's that is in the audit. */
struct db_heard {
	uint8_t boot[WIRE_BOOT];
	uint64_t sequence; /* 0: none of this life */
};
/* DB_E_NONE: there was no gateway yet. */
int db_heard_get(struct db *db, struct db_heard *heard);
int db_heard_put(struct db *db, const struct db_heard *heard);

typedef int db_audit_fn(void *arg, const struct db_audit *record);

int db_audit_append(struct db *db, const struct db_audit *record);
/* Records after `after`, in order, `limit` at most; tenant 0: all. */
int db_audit_each(struct db *db, uint64_t after, uint64_t limit,
    uint32_t tenant, db_audit_fn *fn, void *arg);
/* The highest number ever given out (0: none), and the last record's hash
 * (zeros where it is missing). */
int db_audit_last(struct db *db, uint64_t *number, uint8_t hash[DB_DIGEST]);
