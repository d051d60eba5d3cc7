/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The admin API, below /admin. Who asks is looked up here, by the hash of the
 * token; what is asked is parsed here, strictly; what is done is in the audit
 * before it is answered.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/url.h"
#include "json/json.h"
#include "json/out.h"
#include "store/store.h"

/* Answers one admin request over the link: always exactly one REPLY, at once or
 * when it is known how it ended. */
void admin_answer(struct store *store, uint32_t id,
    const struct wire_admin *admin, const char *raw_body, size_t len);

struct request {
	struct store *store;
	uint32_t id; /* the gateway's number of it */
	uint32_t link; /* and whose: a gateway that left hears nothing */
	const struct wire_admin *admin; /* while it is being answered at once */
	const char *action; /* in the audit */
	struct wire_token token; /* who asks; id 0: not known */
	struct wire_tenant tenant; /* whose things are meant */
	bool all_tenants; /* lists: nothing else was said, and it may */
	char name[WIRE_NAME_MAX]; /* the variable part of the path */
	uint64_t after; /* audit */
	uint64_t limit;
	struct json_span body; /* an object; {} where there was none */
	struct json_out out; /* the answer */
	struct err err; /* the sentence, where it is refused */
	/* For the audit: what was acted upon. */
	char subject[WIRE_NAME_MAX];
	char about[WIRE_NAME_MAX]; /* the server whose it is; "": none */
	char host[ADDR_HOST_MAX]; /* where it goes; "": nowhere */
	uint8_t digest[DB_DIGEST]; /* zeros: none */
	uint8_t launch[DB_DIGEST]; /* of its bundle, or command and policy */
	/* Told to gateway and supervisor when it is durable. */
	enum {
		CHANGED_NOTHING,
		CHANGED_TENANT,
		CHANGED_TOKEN,
		CHANGED_SERVER,
		CHANGED_LOGIN, /* egress alone is told, of this server */
	} changed;
	union {
		struct wire_tenant changed_tenant;
		struct wire_token changed_token;
		struct db_server changed_server;
	};
	/* CHANGED_LOGIN: what is revoked then; owned; NULL: nothing. */
	struct login_kept *signed_out;
};

/* A handler writes the answer, or the sentence; returns the HTTP status. A
 * negative errno: the database failed. ADMIN_LATER: it called admin_later(), and
 * has written nothing. */
#define ADMIN_LATER 1
typedef int admin_fn(struct request *request);

/* What audit and reply need of a request, to be answered later. NULL: out of
 * memory. Whoever has it calls one of the two below. */
struct request *admin_later(const struct request *request);
/* Audit, commit, telling, reply: as if it were answered at once. What is to
 * become durable with it was kept as an action of the database. Takes it. */
void admin_later_end(struct request *request, int status);
/* Whether somebody waits for the reply still. */
bool admin_is_awaited(const struct request *request);

#define ADMIN_ROUTE(method, path, handler, action) admin_fn handler;
#include "store/admin.def"
#undef ADMIN_ROUTE

/* Sets the sentence; returns the status. */
int refuse(struct request *request, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The number that the path names; 0: it names none, or one that no row has. */
uint32_t path_id(const struct request *request);

/* ---- pieces of answers ------------------------------------------------------
 */

void put_string(struct json_out *out, const char *before, const char *text);
void put_uint(struct json_out *out, const char *before, uint64_t number);
void put_hex(
    struct json_out *out, const char *before, const uint8_t digest[DB_DIGEST]);
/* ,"quota":{…}: what is limited. */
void put_quota(struct json_out *out, const struct wire_quota *quota);

/* ---- pieces of bodies -------------------------------------------------------
 */

struct member {
	const char *name;
	enum json_kind kind;
	bool needed;
	struct json_span value; /* out; empty: it is not there */
};

/* Takes an object apart; what stands in it must be on the list. 0, or a status
 * with a sentence that names the place (a JSON pointer: at + "/" + name). */
int body_members(struct request *request, struct json_span object,
    const char *at, struct member *members, size_t n);

/* An integer within bounds; *number is left alone where there is none. */
int body_uint(struct request *request, const struct member *member,
    const char *at, uint64_t least, uint64_t most, uint64_t *number);
/* A text that fits; left alone where there is none. */
int body_text(struct request *request, const struct member *member,
    const char *at, char *text, size_t size);
/* A name of a server, a tenant. */
int body_name(struct request *request, const struct member *member,
    char name[WIRE_NAME_MAX]);
/* A server of the tenant, by its name; a token of it, by its id. */
int body_server(struct request *request, const struct member *member,
    struct db_server *server);
int body_principal(
    struct request *request, const struct member *member, uint32_t *principal);
/* What is one token's is used where calls come with one: not where all share a
 * link. `what` is to be done for everybody instead: "sign in". */
int body_share_check(
    struct request *request, const struct db_server *server, const char *what);
int body_quota(struct request *request, const struct member *member,
    struct wire_quota *quota);
