/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tokens are renewed ahead of their end, and when a server rejects one. What
 * replaces them is durable before egress is told: an authorization server may
 * take a refresh token once only, so a new one that was lost is a sign-in lost.
 * One that is lost between its answer and our commit cannot be had again; who
 * signed in is told so ("refused") when it is tried the next time.
 *
 * When a token ends is said by the wall clock, how long is waited by the
 * monotonic one: a clock that is set costs a renewal too many, or one that is
 * late by a look (LOOK_MS).
 */

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "store/login/login.h"

#define NEVER UINT64_MAX
#define AHEAD_S 60u
#define APART_MS UINT64_C(30000) /* of one login's renewals */
#define LOOK_MS UINT64_C(60000) /* at the latest, all are looked at again */
#define ANSWER_MS UINT64_C(60000) /* who has not answered then has not */
#define BACKOFF_MS UINT64_C(5000)
#define BACKOFF_MOST_MS UINT64_C(300000)
#define CLOCK_BACK_S 300u
#define RENEWALS_MAX 16u /* at once, of all */
#define RENEWALS_TENANT_MAX 4u

struct login_entry {
	uint32_t id, server, tenant, principal;
	char tenant_name[WIRE_NAME_MAX];
	char server_name[WIRE_NAME_MAX];
	uint64_t obtained, expires; /* s since 1970; expires 0: not said */
	bool renews; /* it has a refresh token, and was not refused */
	bool is_wanted; /* a server rejected its token */
	bool is_ended; /* egress was told that it is expired */
	uint32_t ask; /* 0: none is under way */
	struct login_kept *asked; /* owned: what it asks with; NULL: nothing */
	uint64_t ask_until; /* ms, monotonic */
	uint64_t not_before; /* the same */
	unsigned failures;
	struct login_kept *unsaved; /* owned: it is to be made durable yet */
};

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static uint64_t
now_s(void)
{
	return (uint64_t)time(NULL);
}

/* ---- what is known of rows -------------------------------------------------
 */

static struct login_entry *
entry_find(const struct store *store, uint32_t id)
{
	const struct logins *logins = store->logins;

	for (size_t i = 0; logins != NULL && i < logins->n_entries; i++)
		if (logins->entries[i].id == id)
			return &logins->entries[i];
	return NULL;
}

static void
entry_drop(struct store *store, struct login_entry *entry)
{
	struct logins *logins = store->logins;

	egress_ask_forget(store, entry->ask);
	sodium_free(entry->asked);
	sodium_free(entry->unsaved);
	*entry = logins->entries[--logins->n_entries];
}

static struct login_entry *
entry_add(struct logins *logins)
{
	if (logins->n_entries == logins->room) {
		const size_t room = logins->room == 0 ? 16 : 2 * logins->room;
		struct login_entry *grown =
		    reallocarray(logins->entries, room, sizeof(*grown));
		if (grown == NULL)
			return NULL;
		logins->entries = grown;
		logins->room = room;
	}
	return &logins->entries[logins->n_entries++];
}

static void
entry_set(struct login_entry *entry, const struct db_login *login,
    const struct login_kept *kept)
{
	entry->id = login->id;
	entry->server = login->server;
	entry->tenant = login->tenant;
	entry->principal = login->principal;
	strcpy(entry->tenant_name, login->tenant_name);
	strcpy(entry->server_name, login->server_name);
	entry->obtained = kept->obtained;
	entry->expires = kept->expires;
	entry->renews = kept->refresh[0] != '\0' && login->refused == 0;
	entry->is_wanted = false;
	entry->is_ended = false;
}

int
logins_know(struct store *store, const struct db_login *login,
    const struct login_kept *kept)
{
	struct logins *logins = store->logins;
	struct login_entry *entry = entry_find(store, login->id);

	/* What it takes the place of has another id. */
	for (size_t i = logins->n_entries; entry == NULL && i-- > 0;)
		if (logins->entries[i].server == login->server &&
		    logins->entries[i].principal == login->principal)
			entry_drop(store, &logins->entries[i]);
	if (entry == NULL) {
		entry = entry_add(logins);
		if (entry == NULL)
			return -ENOMEM;
		*entry = (struct login_entry){ .id = login->id };
	}
	entry_set(entry, login, kept);
	logins_wake(store);
	return 0;
}

void
logins_forget(struct store *store, uint32_t id)
{
	struct login_entry *entry = entry_find(store, id);

	if (entry != NULL)
		entry_drop(store, entry);
}

static void
entries_drop(struct store *store, bool by_server, uint32_t whose)
{
	struct logins *logins = store->logins;

	for (size_t i = logins == NULL ? 0 : logins->n_entries; i-- > 0;) {
		const struct login_entry entry = logins->entries[i];
		if ((by_server ? entry.server : entry.principal) != whose)
			continue;
		entry_drop(store, &logins->entries[i]);
		if (!by_server)
			egress_push(store, entry.server);
	}
}

void
logins_token_gone(struct store *store, uint32_t principal)
{
	entries_drop(store, false, principal);
}

void
logins_server_gone(struct store *store, uint32_t server)
{
	entries_drop(store, true, server);
}

/* ---- when ------------------------------------------------------------------
 */

static uint64_t
backoff_of(unsigned failures)
{
	uint64_t ms = BACKOFF_MS;

	while (failures-- > 1 && ms < BACKOFF_MOST_MS)
		ms *= 2;
	return ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS;
}

uint64_t
login_due(uint64_t obtained, uint64_t expires, uint64_t now)
{
	if (now + CLOCK_BACK_S < obtained)
		return now;
	if (expires == 0)
		return NEVER;
	const uint64_t life = expires > obtained ? expires - obtained : 0;
	const uint64_t ahead = life > AHEAD_S ? life - AHEAD_S : 0;
	const uint64_t most = life / 5 * 4;
	return obtained + (ahead < most ? ahead : most);
}

static uint64_t
due_of(const struct login_entry *entry, uint64_t now)
{
	if (entry->is_wanted || entry->unsaved != NULL)
		return now;
	return login_due(entry->obtained, entry->expires, now);
}

static void
entry_fail(struct login_entry *entry)
{
	entry->failures++;
	entry->not_before = now_ms() + backoff_of(entry->failures);
}

/* ---- made durable ----------------------------------------------------------
 */

static void
renewal_audit(
    struct store *store, const struct db_login *login, const char *why)
{
	struct json_out detail;

	json_out_init(&detail, STORE_AUDIT_DETAIL_MAX);
	put_string(&detail, "{\"server\":", login->server_name);
	if (login->principal != 0)
		put_uint(&detail, ",\"principal\":", login->principal);
	put_string(&detail, ",\"error\":", why);
	json_out_text(&detail, "}");
	audit_append(store,
	    &(struct audit_entry){ .tenant = login->tenant,
		.request = "",
		.action = "login/renew",
		.detail = detail.bytes,
		.detail_len = detail.len });
	json_out_fini(&detail);
}

/* Commits it; then egress is told. Negative errno. */
static int
row_save(struct store *store, const struct db_login *login, const char *why)
{
	int code = db_action_begin(store->db);

	if (code != 0)
		return code;
	code = db_login_seal(store->db, login);
	if (code == 0)
		code = db_action_keep(store->db);
	else if (db_action_drop(store->db) != 0)
		store_batch_lost(store);
	if (code == 0 && why != NULL)
		renewal_audit(store, login, why);
	const int committed = store_commit(store);
	code = code == 0 ? committed : code;
	if (code == 0)
		egress_push(store, login->server);
	return code;
}

static int
kept_save(struct store *store, uint32_t id, const struct login_kept *kept,
    struct db_login *login)
{
	const int code = db_login_get(store->db, id, login);

	if (code != 0)
		return code;
	login_seal(store, login, kept);
	return row_save(store, login, NULL);
}

/* What cannot be read or written now is kept and tried again: the authorization
 * server may not give it twice. */
static void
renewed_save(struct store *store, struct login_entry *entry,
    struct login_kept *kept_taken)
{
	static struct db_login login;
	const int code = kept_save(store, entry->id, kept_taken, &login);

	if (code < 0) {
		store_log("error",
		    "a renewed token of the server '%s' (tenant '%s') cannot "
		    "be kept: %s; it is tried again",
		    entry->server_name, entry->tenant_name, strerror(-code));
		entry_fail(entry);
		entry->unsaved = kept_taken;
		return;
	}
	if (code == 0) {
		entry_set(entry, &login, kept_taken);
		entry->failures = 0;
		entry->not_before = now_ms() + APART_MS;
	}
	sodium_free(kept_taken);
}

static void
refused_save(struct store *store, struct login_entry *entry, const char *why)
{
	static struct db_login login;

	store_log("error",
	    "the sign-in to the server '%s' (tenant '%s') has ended: its "
	    "renewal %s; sign in again: cordon upstream login %s",
	    entry->server_name, entry->tenant_name, why, entry->server_name);
	int code = db_login_get(store->db, entry->id, &login);
	if (code == 0) {
		login.refused = now_s();
		code = row_save(store, &login, why);
	}
	if (code == 0)
		entry->renews = false;
	else
		entry_fail(entry); /* it is asked again, and refused again */
}

/* ---- renewing --------------------------------------------------------------
 */

static void
failed(struct login_entry *entry, const char *why)
{
	entry_fail(entry);
	if (entry->failures == 1)
		store_log("warn",
		    "a token of the server '%s' (tenant '%s') cannot be "
		    "renewed now: %s; it is tried again",
		    entry->server_name, entry->tenant_name, why);
}

/* The tokens of an answer in the place of those that were asked with. False,
 * with why; *is_final: asking again is of no use. */
static bool
tokens_take(const struct egress_answer *answer, struct login_kept *kept,
    bool *is_final, struct err *why)
{
	static struct oauth_tokens tokens;

	if (answer->end != WIRE_EGRESS_OK)
		return err_set(why, false, "%s", answer->text);
	const int code = answer->status != 200
	    ? -EACCES
	    : oauth_tokens_read(answer->body, answer->len, &tokens, why);
	if (code == -EACCES)
		*is_final = oauth_refusal_read(
		    answer->status, answer->body, answer->len, why);
	if (code != 0)
		return false;
	const char *complaint = login_token_complaint(tokens.access);
	if (complaint != NULL) {
		sodium_memzero(&tokens, sizeof(tokens));
		return err_set(why, false, "its new token %s", complaint);
	}
	memcpy(kept->access, tokens.access, sizeof(kept->access));
	if (tokens.refresh[0] != '\0')
		memcpy(kept->refresh, tokens.refresh, sizeof(kept->refresh));
	if (tokens.scope[0] != '\0')
		memcpy(kept->scope, tokens.scope, sizeof(kept->scope));
	kept->obtained = now_s();
	kept->expires =
	    tokens.expires_in == 0 ? 0 : kept->obtained + tokens.expires_in;
	sodium_memzero(&tokens, sizeof(tokens));
	return true;
}

/* Whose answer it is: one that was replaced or removed has forgotten its
 * question. */
static struct login_entry *
entry_asking(const struct store *store, uint32_t ask)
{
	const struct logins *logins = store->logins;

	for (size_t i = 0; i < logins->n_entries; i++)
		if (logins->entries[i].ask == ask)
			return &logins->entries[i];
	return NULL;
}

static void
on_renewed(void *arg, uint32_t ask, const struct egress_answer *answer)
{
	struct store *store = arg;
	struct login_entry *entry = entry_asking(store, ask);
	struct login_kept *kept = steal_ptr(&entry->asked);
	struct err why = { "" };
	bool is_final = false;

	entry->ask = 0;
	if (tokens_take(answer, kept, &is_final, &why))
		renewed_save(store, entry, steal_ptr(&kept));
	else if (is_final)
		refused_save(store, entry, why.text);
	else
		failed(entry, why.text);
	sodium_free(kept);
	logins_wake(store);
}

/* With what is in the row. Negative errno. */
static int
renewal_ask(struct store *store, struct login_entry *entry,
    const struct login_kept *kept)
{
	static char basic[OAUTH_BASIC_MAX];
	struct json_out body;

	json_out_init(&body, OAUTH_FORM_MAX);
	int code = oauth_refresh_write(
	    &body, &kept->client, kept->refresh, "", kept->resource, basic);
	if (code == 0)
		code = login_post(store, entry->server, entry->principal,
		    kept->token_url, basic, &body, on_renewed, store,
		    &entry->ask);
	login_wipe(&body, basic);
	return code;
}

/* Whether a row can be renewed now at all: its server is approved, and where
 * it was when it was signed in to. */
static bool
row_read(struct store *store, uint32_t id, struct login_kept *kept)
{
	static struct db_login login;
	struct db_server server;

	if (db_login_get(store->db, id, &login) != 0 ||
	    db_server_get(store->db, login.server, &server) != 0 ||
	    server.record.state != WIRE_STATE_APPROVED)
		return false;
	const enum login_state state =
	    login_look(store, &login, server.record.launch.url, now_s(), kept);
	return state == LOGIN_GOOD || state == LOGIN_EXPIRED;
}

static void
renew(struct store *store, struct login_entry *entry)
{
	struct login_kept *kept = login_kept_new();

	if (kept == NULL || !row_read(store, entry->id, kept))
		entry->not_before = now_ms() + LOOK_MS;
	else if (renewal_ask(store, entry, kept) != 0)
		entry_fail(entry);
	else {
		entry->ask_until = now_ms() + ANSWER_MS;
		entry->asked = steal_ptr(&kept);
	}
	sodium_free(kept);
}

/* ---- looking at all --------------------------------------------------------
 */

static unsigned
asking_count(const struct logins *logins, uint32_t tenant)
{
	unsigned n = 0;

	for (size_t i = 0; i < logins->n_entries; i++)
		n += logins->entries[i].ask != 0 &&
		    (tenant == 0 || logins->entries[i].tenant == tenant);
	return n;
}

/* An egress that never answers: the next one will be asked. */
static void
silence_check(struct store *store, struct login_entry *entry)
{
	if (entry->ask == 0 || now_ms() < entry->ask_until)
		return;
	egress_ask_forget(store, entry->ask);
	entry->ask = 0;
	sodium_free(steal_ptr(&entry->asked));
	entry_fail(entry);
}

/* Its end is told once; ms until then. */
static uint64_t
end_look(struct store *store, struct login_entry *entry, uint64_t now)
{
	if (entry->expires == 0 || entry->is_ended)
		return NEVER;
	if (entry->expires > now)
		return (entry->expires - now) * 1000;
	entry->is_ended = true;
	egress_push(store, entry->server);
	return NEVER;
}

/* ms until there is something to do; 0: now; NEVER: there is nothing, or it is
 * further away than the next look. */
static uint64_t
wait_of(const struct login_entry *entry, uint64_t now)
{
	const uint64_t ms = now_ms();

	if (entry->ask != 0 || (!entry->renews && entry->unsaved == NULL))
		return NEVER;
	const uint64_t due = due_of(entry, now);
	const uint64_t wait = due > now ? due - now : 0;
	const uint64_t rest =
	    entry->not_before > ms ? entry->not_before - ms : 0;
	if (wait > LOOK_MS / 1000)
		return NEVER;
	return wait * 1000 > rest ? wait * 1000 : rest;
}

/* In how many ms it is to be looked at again. `room`: for renewals. */
static uint64_t
entry_look(struct store *store, struct login_entry *entry, unsigned *room)
{
	const uint64_t now = now_s();

	silence_check(store, entry);
	const uint64_t end = end_look(store, entry, now);
	const uint64_t wait = wait_of(entry, now);
	if (wait > 0)
		return wait < end ? wait : end;
	if (entry->unsaved != NULL) {
		renewed_save(store, entry, steal_ptr(&entry->unsaved));
		return BACKOFF_MS;
	}
	if (*room > 0 &&
	    asking_count(store->logins, entry->tenant) < RENEWALS_TENANT_MAX) {
		renew(store, entry);
		*room -= entry->ask != 0;
	}
	return end; /* who ends wakes those that had no room */
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct store *store = arg;
	struct logins *logins = store->logins;
	const unsigned asking = asking_count(logins, 0);
	unsigned room = asking < RENEWALS_MAX ? RENEWALS_MAX - asking : 0;
	uint64_t next = LOOK_MS;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < logins->n_entries; i++) {
		const uint64_t ms =
		    entry_look(store, &logins->entries[i], &room);
		next = ms < next ? ms : next;
	}
	const struct timeval delay = { (time_t)(next / 1000),
		(suseconds_t)(next % 1000 * 1000) };
	if (logins->n_entries > 0 &&
	    !event_pending(logins->timer, EV_TIMEOUT, NULL))
		event_add(logins->timer, &delay);
}

void
logins_wake(struct store *store)
{
	static const struct timeval now = { 0, 0 };

	if (store->logins != NULL && store->logins->n_entries > 0)
		event_add(store->logins->timer, &now);
}

void
logins_push(struct store *store)
{
	const struct logins *logins = store->logins;

	for (size_t i = 0; i < logins->n_entries; i++)
		egress_push(store, logins->entries[i].server);
}

void
logins_rejected(struct store *store, uint32_t server, uint32_t principal)
{
	struct logins *logins = store->logins;

	for (size_t i = 0; logins != NULL && i < logins->n_entries; i++) {
		struct login_entry *entry = &logins->entries[i];
		if (entry->server != server || entry->principal != principal ||
		    !entry->renews)
			continue;
		entry->is_wanted = true;
		logins_wake(store);
	}
}

/* ---- start and stop --------------------------------------------------------
 */

static int
logins_new(struct store *store)
{
	struct logins *logins = calloc(1, sizeof(*logins));

	if (logins == NULL)
		return -ENOMEM;
	logins->timer = evtimer_new(store->base, on_look, store);
	if (logins->timer == NULL) {
		free(logins);
		return -ENOMEM;
	}
	store->logins = logins;
	return 0;
}

int
logins_start(struct store *store)
{
	static struct db_login login;
	struct login_kept *kept = login_kept_new();
	uint32_t which = 0;
	int code = kept == NULL ? -ENOMEM : 0;

	if (code == 0 && store->logins == NULL)
		code = logins_new(store);
	login.id = 0;
	while (code == 0 &&
	    (code = db_login_next(store->db, 0, login.id, &login)) == 0)
		if (login_open(store, &login, kept, &which) == 0)
			code = logins_know(store, &login, kept);
	sodium_free(kept);
	return code == DB_E_NONE ? 0 : code;
}

void
logins_stop(struct store *store)
{
	struct logins *logins = store->logins;

	if (logins == NULL)
		return;
	while (logins->n_entries > 0)
		entry_drop(store, logins->entries);
	while (!LIST_EMPTY(&logins->flows))
		login_free(LIST_FIRST(&logins->flows));
	store->logins = NULL;
	event_free(logins->timer);
	free(logins->entries);
	free(logins);
}
