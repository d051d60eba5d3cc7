/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Signing in to remote servers (OAuth 2.1; oauth/oauth.h), as their client. The
 * store has no network: it asks through egress (store/egress/egress.h). The
 * gateway relays the admin API alone, so it sees neither a verifier nor a
 * token, and cannot say where one goes.
 *
 *   sqlite.c   rows
 *   kept.c     what a row's sealed part holds; opened, sealed, told to egress
 *   flow.c     a sign-in under way: its steps, its times, its end
 *   steps.c    each step: a question, and what its answer means
 *   renew.c    when which token is renewed; what is refused; what is expired
 *   admin.c    /admin/logins
 *
 * A sign-in is kept in memory, by its state, until the person comes back from
 * the browser; nothing of it is in the database before there are tokens.
 */

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "oauth/oauth.h"
#include "store/admin.h"
#include "store/egress/egress.h"
#include "vault/vault.h"

#define LOGINS_MAX 64u /* sign-ins that are not over, of all tenants */
#define LOGINS_TENANT_MAX 8u /* of one */
#define LOGINS_ASKING_MAX                                                      \
	8u /* of them with a request that waits: gateways
			      * have room for twice as many */
#define LOGINS_TENANT_ASKING_MAX 3u
#define LOGIN_WAIT_S 600 /* for the person */
#define LOGIN_FLOW_S 45 /* of all steps that one request waits for */
#define LOGIN_STEP_S 12 /* of one question, but the last: the code */
#define LOGIN_CODE_MAX 4096u

/* ---- rows ------------------------------------------------------------------
 */

/* Text that the database should not hold is "", and so does not open. */
struct db_login {
	uint32_t id;
	uint32_t server;
	uint32_t tenant; /* of the server */
	uint32_t principal; /* 0: whoever's */
	char tenant_name[WIRE_NAME_MAX];
	char server_name[WIRE_NAME_MAX];
	char url[WIRE_URL_MAX]; /* the server's, when it was signed in to */
	uint64_t set; /* s since 1970 */
	uint64_t
	    refused; /* the same: asking again is of no use; 0: it is not */
	uint8_t sealed[VAULT_LOGIN_MAX + VAULT_SEALED_EXTRA];
	size_t sealed_len; /* 0: too long to be one */
};

/* The first after `after`; server 0: of all. DB_E_NONE. */
int db_login_next(
    struct db *db, uint32_t server, uint32_t after, struct db_login *login);
/* Exactly this one. DB_E_NONE. */
int db_login_get(struct db *db, uint32_t id, struct db_login *login);
/* In the place of the one of this server and principal, if there is one; it is
 * given an id, never used before. */
int db_login_put(struct db *db, struct db_login *login);
/* Only what is sealed, and `refused`. */
int db_login_seal(struct db *db, const struct db_login *login);
int db_login_remove(struct db *db, uint32_t id);
int db_login_count(struct db *db, uint32_t server, uint64_t *n);

/* ---- kept.c ----------------------------------------------------------------
 */

enum login_registration {
	LOGIN_DYNAMIC,
	LOGIN_DOCUMENT,
	LOGIN_GIVEN,
	LOGIN_N_REGISTRATIONS
};
extern const char *const login_registrations[LOGIN_N_REGISTRATIONS];

/* The sealed part: all that renewing needs, so that a changed database cannot
 * send a token elsewhere. */
struct login_kept {
	char issuer[OAUTH_URL_MAX];
	char token_url[OAUTH_URL_MAX];
	char revocation[OAUTH_URL_MAX]; /* "" */
	char resource[OAUTH_URL_MAX];
	char scope[OAUTH_SCOPE_MAX];
	struct oauth_client client;
	char access[OAUTH_TOKEN_MAX];
	char refresh[OAUTH_TOKEN_MAX]; /* "": it cannot be renewed */
	uint64_t obtained; /* s since 1970 */
	uint64_t expires; /* the same; 0: it is not said */
};

enum login_state {
	LOGIN_GOOD,
	LOGIN_EXPIRED,
	LOGIN_REFUSED,
	LOGIN_KEY_MISSING,
	LOGIN_DAMAGED,
	LOGIN_ELSEWHERE,
	LOGIN_N_STATES
};
extern const char *const login_states[LOGIN_N_STATES];

/* Locked memory, zeros. NULL. The caller frees it with sodium_free(). */
struct login_kept *login_kept_new(void);
/* VAULT_E_…; then `kept` is zeros. */
int login_open(const struct store *store, const struct db_login *login,
    struct login_kept *kept, uint32_t *which);
/* Into login->sealed. */
void login_seal(const struct store *store, struct db_login *login,
    const struct login_kept *kept);
/* What a row is worth at `now` (s since 1970), for a server that is at `url`;
 * opens it. */
enum login_state
login_look(const struct store *store, const struct db_login *login,
    const char *url, uint64_t now, struct login_kept *kept);
/* What egress is to put into requests. NULL, or what is wrong with the token,
 * as the end of a sentence. */
const char *login_secret_make(const char *url, uint32_t principal,
    const char *access, struct wire_egress_secret *secret);
/* What is wrong with a token, wherever it goes: NULL, or the same. */
const char *login_token_complaint(const char *access);
/* The same as secrets_check(), of logins. */
int logins_check(struct store *store);

/* ---- flow.c ----------------------------------------------------------------
 */

/* One sign-in. In locked memory: there is a verifier in it. */
struct login {
	LIST_ENTRY(login) link;
	struct store *store;
	struct request *request; /* owned: who waits; NULL: for the person */
	struct event *timer; /* of the step, or of the person */
	uint64_t until; /* ms of the monotonic clock: the end of the flow */
	uint32_t ask; /* 0: none is under way */
	bool is_due; /* its step begins as soon as the request is taken */
	unsigned step;
	unsigned i; /* which place of this step */
	uint64_t number; /* grows: which is the oldest */

	uint32_t server, tenant, principal;
	char server_name[WIRE_NAME_MAX];
	char url[WIRE_URL_MAX];
	char redirect_uri[OAUTH_URL_MAX];
	char said_scope[OAUTH_SCOPE_MAX];
	char said_issuer[OAUTH_URL_MAX];

	unsigned probed; /* what the server answered; 0: nothing in time */
	struct oauth_challenge challenge;
	bool has_resource; /* a document said it */
	struct oauth_resource resource;
	char issuer_url[OAUTH_URL_MAX]; /* who is asked for its metadata */
	struct oauth_issuer issuer;
	enum login_registration registration;
	struct oauth_client client; /* id "": it is to be registered */
	char scope[OAUTH_SCOPE_MAX];
	char state[OAUTH_STATE_MAX];
	char verifier[OAUTH_VERIFIER_MAX];
	uint8_t key
	    [VAULT_PROOF_KEY]; /* of the one who asked: until it is answered */
	char code[LOGIN_CODE_MAX];
	struct oauth_tokens tokens;
};

/* Room for one more of this tenant, for a request that waits: 0, or a status
 * with its sentence. The oldest that only waits for its person makes room. */
int login_new(struct request *request, struct login **loginp);
struct login *login_free(struct login *login); /* NULL */
/* From its step on, soon: the caller is inside of an action of the database. The
 * request is answered when it is over; the login goes with it, or waits for its
 * person. */
void login_run(struct login *login, struct request *later);
egress_told_fn login_told; /* of a login */
/* The one of this tenant that waits for its person with this state; it does no
 * more wait for anybody. NULL. */
struct login *
login_claim(struct store *store, uint32_t tenant, const char *raw_state);
/* The server is still what was signed in to, and the principal is there. 0, or
 * a status with its sentence. */
int login_check(struct request *request, const struct login *login);
/* Nothing else goes to where its token would. The same. */
int login_place_check(struct request *request, const struct db_server *server,
    uint32_t principal);

/* ---- steps.c ---------------------------------------------------------------
 */

#define LOGIN_ASKED (-1000) /* a question is under way */
#define LOGIN_NEXT (-1001) /* on to the next step */
#define LOGIN_AGAIN (-1002) /* the same, at the next place */

/* `ask` begins a step, `hear` takes the answer. Both return one of the above,
 * or a status, with which it is over (and its sentence). */
struct login_step {
	const char *what; /* it waits for: "the server's …" */
	int (*ask)(struct login *login);
	int (*hear)(struct login *login, const struct egress_answer *answer);
};
enum { LOGIN_STEP_BEGIN = 0, LOGIN_STEP_FINISH = 5 };
extern const struct login_step login_steps[];

struct login_question {
	const char *method;
	const char *url;
	const char *accept;
	const char *content_type; /* NULL: there is no body */
	const char *authorization; /* "" or NULL: none */
	struct json_span body;
};
/* Negative errno. */
int login_ask(struct store *store, uint32_t server, uint32_t principal,
    const struct login_question *question, egress_told_fn *fn, void *arg,
    uint32_t *number);
/* A form, to a token or revocation endpoint. The same. */
int login_post(struct store *store, uint32_t server, uint32_t principal,
    const char *url, const char *basic, const struct json_out *form,
    egress_told_fn *fn, void *arg, uint32_t *number);
/* Both hold secrets. */
void login_wipe(struct json_out *form, char basic[OAUTH_BASIC_MAX]);

/* ---- keep.c ----------------------------------------------------------------
 */

/* The last step: tokens into a row. A status. */
int login_keep(struct login *login);
/* The members of a row, as it is looked at now. */
void login_put(struct store *store, const struct db_login *login,
    const char *url, struct json_out *out);
/* Tells the authorization server, if it wants to know, that a token is of no
 * use any more. Nobody waits for it. No more than REVOCATIONS_MAX are under way:
 * who does not answer takes no room of those that sign in. */
void login_revoke(
    struct store *store, uint32_t server, const struct login_kept *kept);

/* ---- renew.c ---------------------------------------------------------------
 */

struct login_entry;
struct logins {
	LIST_HEAD(, login) flows;
	uint64_t n_flows; /* so far */
	unsigned n_revocations; /* under way */
	struct login_entry *entries; /* one a row; owned */
	size_t n_entries;
	size_t room;
	struct event *timer; /* when the next is due */
};

/* When a token is to be renewed, s since 1970: at 80 % of its life and a minute
 * before its end; at once where the clock says that it was not obtained yet;
 * UINT64_MAX where it is not known. */
uint64_t login_due(uint64_t obtained, uint64_t expires, uint64_t now);
/* Reads all rows, at the start and when others may open, or be there, than we
 * think; what is under way goes on. Negative errno. */
int logins_start(struct store *store);
void logins_stop(struct store *store);
/* A row is new, or has another sealed part. Negative errno. */
int logins_know(struct store *store, const struct db_login *login,
    const struct login_kept *kept);
void logins_forget(struct store *store, uint32_t id);
/* Egress is told of all servers that have some. */
void logins_push(struct store *store);
