/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store: runs as cordon-store, sees one folder and no network. The only holder
 * of the database. It decides itself who may administer (an owned gateway
 * cannot), keeps the audit, tells the gateway the registry and the supervisor
 * what to deploy. What it hears from the gateway is hostile; it never dies of
 * it: it ends the gateway.
 *
 *   change:  action in the database -> audit -> commit -> supervisor, gateway
 *            -> answer
 *
 * Nothing is told before it is durable. Audit records of the gateway are
 * gathered: 50 ms or 256 of them are one commit.
 */

#include <event2/event.h>
#include <stdbool.h>

#include "base/err.h"
#include "store/db.h"
#include "store/frames.h"
#include "wire/egress.h"

#define STORE_TENANTS_MAX 1024u
#define STORE_TOKENS_MAX 10000u
#define STORE_SERVERS_MAX WIRE_DEPLOYMENTS_MAX
#define STORE_BUNDLES_BYTES_MAX (2ull << 30) /* of all servers together */
#define STORE_AUDIT_DETAIL_MAX 65536u
#define STORE_DOCUMENT_MAX (1u << 20) /* of a launch document */
#define STORE_BOX_START_MS_MIN 100u
#define STORE_BOX_START_MS_MAX 600000u
#define STORE_BOX_S_MAX (30u * 86400)
#define STORE_BOX_SPARES_MAX 64u
#define STORE_BOX_STARTS_MAX 6000u
#define STORE_KNOWN_MAX (32u << 20) /* all KNOWN of a snapshot */
#define STORE_LINK_OUT_MAX (128u << 20) /* what the gateway has not yet read */

/* Where the chain is (audit.c). */
struct audit_head {
	uint64_t number;
	uint8_t hash[DB_DIGEST];
};

struct audit {
	struct audit_head head; /* with what is in the batch */
	struct audit_head durable;
	unsigned n_batch; /* records in the batch */
	uint64_t n_lost; /* not yet said in the audit itself */
	uint64_t n_told; /* of those, in the batch */
	struct db_heard heard; /* of the gateway's records */
	bool is_heard; /* more than was told to the gateway as kept */
};

struct operator_staged;
struct vault_ring;
struct logins;

struct store {
	struct event_base *base;
	struct db *db;
	int supervisor_fd;
	char packages[WIRE_PATH_MAX]; /* where package trees lie; "": nowhere */
	struct vault_ring *vault; /* locked memory; NULL: no key was given */
	char certificates[WIRE_PATH_MAX]; /* what boxes trust; "": the host's */
	bool over_system; /* they lie over those of the system */
	struct link *link; /* the gateway; NULL while there is none */
	uint32_t n_links; /* so far: which one it is */
	struct egress_stream *egress; /* NULL while there is none */
	struct egress_asks *asks; /* what it is asked; NULL: nothing yet */
	struct logins *logins; /* NULL: before it is started */
	struct audit audit;
	struct event *batch_timer;
	struct operator_staged *staged; /* owned (operator.c) */
	uint32_t n_staged;
	struct err staged_err; /* the first that went wrong; "": nothing */
};

/* ---- link.c: the gateway --------------------------------------------------
 */

/* Takes the descriptor; sends the snapshot. What the gateway before said on its
 * link is still heard, then it ends. */
void link_open(struct store *store, int fd);
void link_close(struct store *store);
/* A frame of two parts (the second may be none). Nothing without a link. */
void link_send(struct store *store, const struct wire_frame *head,
    const void *bytes, const void *more, size_t more_len);
/* Up to where the gateway's audit is durable. */
void link_kept(struct store *store);
/* The gateway sent what no gateway sends: it is told on, and let go. */
void link_breach(struct store *store, const char *what);

/* ---- push.c: what changed goes out ---------------------------------------
 */

void push_tenant(struct store *store, const struct wire_tenant *tenant);
void push_token(struct store *store, const struct wire_token *token);
void push_server(struct store *store, const struct db_server *server);
/* Everything, to the gateway. Negative errno. */
int push_snapshot(struct store *store);
/* Everything, to the supervisor. Negative errno. */
int push_deployments(struct store *store);
/* Never returns without it: a store without a supervisor ends. */
void push_message(struct store *store, const struct wire_message *message,
    const int *fds, size_t n_fds, const void *text);

/* ---- audit.c --------------------------------------------------------------
 */

struct audit_entry {
	uint32_t principal;
	uint32_t tenant;
	const char *request;
	const char *action;
	const char *detail; /* a JSON object; NULL: none */
	size_t detail_len;
};

/* Finds the head of the chain. */
int audit_init(struct store *store);
/* Into the batch; it becomes durable within 50 ms, or at store_commit(). What
 * cannot be kept is counted, and told in the audit as soon as it can be. */
void audit_append(struct store *store, const struct audit_entry *entry);
/* Makes the batch durable. Negative errno: all of it is undone. */
int store_commit(struct store *store);
/* Sees that what is now written into the batch becomes durable in time. */
void store_batch_begin(struct store *store);
/* An action failed in a way that took the whole batch along. */
void store_batch_lost(struct store *store);

/* SHA-256 of the previous hash and of the record, every field with its length:
 * what the chain is made of. */
void audit_hash(const uint8_t previous[DB_DIGEST],
    const struct db_audit *record, uint8_t hash[DB_DIGEST]);

struct audit_verdict {
	uint64_t checked; /* records that fit */
	uint64_t broken; /* the first that does not; 0: none */
	const char *why; /* static */
};
/* Walks the chain from its first record. Negative errno. */
int audit_verify(struct db *db, struct audit_verdict *verdict);

/* ---- secret/ ---------------------------------------------------------------
 */

/*
 * What egress is to be told of a server's secrets, in clear: into `secrets`,
 * which the caller wipes; one that cannot be opened has value_len 0. Negative
 * errno.
 */
int store_secrets_for(struct store *store, uint32_t server,
    struct wire_egress_secret secrets[WIRE_SECRETS_MAX], size_t *n);

/* ---- login/ ----------------------------------------------------------------
 */

/* The same of those who signed in to it, of which there may be `room`. */
int store_logins_for(struct store *store, const struct db_server *server,
    struct wire_egress_secret *secrets, size_t room, size_t *n);
/* How many rows there are. */
int store_logins_count(struct store *store, uint32_t server, size_t *n);
/* A server answered 401 to the token of this principal. */
void logins_rejected(struct store *store, uint32_t server, uint32_t principal);
/* Something is other than it was: a server was approved, egress is there. */
void logins_wake(struct store *store);
/* Whose rows went with them: egress is told. */
void logins_token_gone(struct store *store, uint32_t principal);
void logins_server_gone(struct store *store, uint32_t server);

/* ---- operator.c -----------------------------------------------------------
 */

/* SERVER_BUNDLE, SERVER_SOCKET, COMMIT. The descriptor is the callee's. */
void operator_bundle(
    struct store *store, const void *raw_text, size_t len, int bundle_fd);
void operator_socket(struct store *store, const void *raw_text, size_t len);
void operator_commit(struct store *store);
void operator_forget(struct store *store);

/* ---- server.c: what both ways in share ------------------------------------
 */

bool name_is_good(const char *name);
/* NULL, or what is wrong with it, as the end of a sentence. */
const char *launch_complaint(const struct wire_deployment *launch);
/* Where it is, of a server that is no bundle: the path of a socket, or a URL;
 * else NULL. */
const char *launch_place(const struct wire_deployment *launch);
/* Of the bundle and everything that says how it runs, and of what it may
 * reach. */
void launch_digest(const struct wire_deployment *launch,
    const uint8_t network[DB_DIGEST], uint8_t digest[DB_DIGEST]);

/* ---- document.c: launch documents (policy/policy.h) ------------------------
 */

/* What a document makes of it for the supervisor: a sealed memfd with the box
 * spec, the caller's. Negative errno, or positive: refused; the sentence says
 * why. */
int document_spec(const struct store *store, const uint8_t *document,
    size_t len, int *fdp, struct err *err);

/* One line on stderr. level: "info", "warn", "error". */
void store_log(const char *level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void store_log_as_json(bool json);
