/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit is a chain: each record's hash covers the one before it, so that a
 * record that was changed, put in or taken out shows at its place. (Who can
 * rewrite the whole file can rewrite the whole chain: keep its last hash
 * elsewhere.)
 */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "store/store.h"

#define BATCH_RECORDS 256u
#define BATCH_MS 50

static void
field_hash(crypto_hash_sha256_state *state, const void *bytes, uint64_t len)
{
	uint8_t prefix[8];

	for (size_t i = 0; i < sizeof(prefix); i++)
		prefix[i] = (uint8_t)(len >> (8 * i));
	crypto_hash_sha256_update(state, prefix, sizeof(prefix));
	if (len > 0)
		crypto_hash_sha256_update(state, bytes, len);
}

static void
number_hash(crypto_hash_sha256_state *state, uint64_t number)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(number >> (8 * i));
	crypto_hash_sha256_update(state, bytes, sizeof(bytes));
}

void
audit_hash(const uint8_t previous[DB_DIGEST], const struct db_audit *record,
    uint8_t hash[DB_DIGEST])
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, previous, DB_DIGEST);
	number_hash(&state, record->number);
	number_hash(&state, record->time_ms);
	number_hash(&state, record->principal);
	number_hash(&state, record->tenant);
	field_hash(&state, record->request, strlen(record->request));
	field_hash(&state, record->action, strlen(record->action));
	field_hash(&state, record->detail, record->detail_len);
	crypto_hash_sha256_final(&state, hash);
}

int
audit_init(struct store *store)
{
	struct audit_head *head = &store->audit.head;
	const int code = db_audit_last(store->db, &head->number, head->hash);

	store->audit.durable = *head;
	if (code != 0)
		return code;
	const int heard = db_heard_get(store->db, &store->audit.heard);
	return heard == DB_E_NONE ? 0 : heard;
}

static int
record_append(struct store *store, const struct audit_entry *entry)
{
	struct audit_head *head = &store->audit.head;
	struct timespec now;
	uint8_t hash[DB_DIGEST];

	clock_gettime(CLOCK_REALTIME, &now);
	const struct db_audit record = {
		.number = head->number + 1,
		.time_ms = (uint64_t)now.tv_sec * 1000u +
		    (uint64_t)now.tv_nsec / 1000000u,
		.principal = entry->principal,
		.tenant = entry->tenant,
		.request = entry->request,
		.action = entry->action,
		.detail = entry->detail != NULL ? entry->detail : "{}",
		.detail_len = entry->detail != NULL ? entry->detail_len : 2,
		.hash = hash,
	};
	audit_hash(head->hash, &record, hash);
	int code = db_begin(store->db);
	if (code == 0)
		code = db_audit_append(store->db, &record);
	if (code != 0)
		return code;
	head->number = record.number;
	memcpy(head->hash, hash, sizeof(head->hash));
	store->audit.n_batch++;
	return 0;
}

/* A gap is itself a record. */
static int
lost_append(struct store *store)
{
	char detail[64];

	if (store->audit.n_lost == store->audit.n_told)
		return 0;
	const int len =
	    snprintf(detail, sizeof(detail), "{\"records\":%" PRIu64 "}",
		store->audit.n_lost - store->audit.n_told);
	const int code = record_append(store,
	    &(struct audit_entry){ .request = "",
		.action = "audit/lost",
		.detail = detail,
		.detail_len = (size_t)len });
	if (code == 0)
		store->audit.n_told = store->audit.n_lost;
	return code;
}

void
store_batch_begin(struct store *store)
{
	static const struct timeval delay = { 0, BATCH_MS * 1000 };

	if (!event_pending(store->batch_timer, EV_TIMEOUT, NULL))
		event_add(store->batch_timer, &delay);
}

void
audit_append(struct store *store, const struct audit_entry *entry)
{
	int code = lost_append(store);

	if (code == 0)
		code = record_append(store, entry);
	if (code != 0) {
		if (store->audit.n_lost++ == 0)
			store_log("error",
			    "the audit cannot be written (%s): is the disk "
			    "full? What is lost is counted, and told in the "
			    "audit",
			    strerror(-code));
		return;
	}
	store_batch_begin(store);
	if (store->audit.n_batch >= BATCH_RECORDS)
		store_commit(store);
}

void
store_batch_lost(struct store *store)
{
	store->audit.n_lost += store->audit.n_batch;
	store->audit.n_told = 0;
	store->audit.n_batch = 0;
	store->audit.head = store->audit.durable;
}

/* With the records that it speaks of. */
static int
heard_put(struct store *store)
{
	if (!store->audit.is_heard)
		return 0;
	const int code = db_begin(store->db);
	return code == 0 ? db_heard_put(store->db, &store->audit.heard) : code;
}

int
store_commit(struct store *store)
{
	event_del(store->batch_timer);
	int code = heard_put(store);
	if (code == 0)
		code = db_commit(store->db);
	if (code != 0) {
		store_log("error", "the database cannot be written: %s",
		    strerror(-code));
		store_batch_lost(store);
		return code;
	}
	store->audit.durable = store->audit.head;
	store->audit.n_lost -= store->audit.n_told;
	store->audit.n_batch = 0;
	store->audit.n_told = 0;
	if (store->audit.is_heard) {
		store->audit.is_heard = false;
		link_kept(store);
	}
	return 0;
}

/* ---- verification ---------------------------------------------------------
 */

struct walk {
	struct audit_verdict verdict;
	uint8_t hash[DB_DIGEST];
};

static int
broken(struct walk *walk, const char *why)
{
	walk->verdict.broken = walk->verdict.checked + 1;
	walk->verdict.why = why;
	return DB_E_STOP;
}

static int
record_check(void *arg, const struct db_audit *record)
{
	struct walk *walk = arg;
	uint8_t hash[DB_DIGEST];

	if (record->number != walk->verdict.checked + 1)
		return broken(walk, "it is missing");
	audit_hash(walk->hash, record, hash);
	if (memcmp(hash, record->hash, sizeof(hash)) != 0)
		return broken(walk,
		    "its hash does not fit what it says, or the record "
		    "before it");
	memcpy(walk->hash, hash, sizeof(hash));
	walk->verdict.checked++;
	return 0;
}

int
audit_verify(struct db *db, struct audit_verdict *verdict)
{
	struct walk walk = { 0 };
	uint64_t last = 0;
	uint8_t hash[DB_DIGEST];

	int code = db_audit_last(db, &last, hash);
	if (code == 0)
		code = db_audit_each(db, 0, INT64_MAX, 0, record_check, &walk);
	if (code < 0)
		return code;
	if (walk.verdict.broken == 0 && walk.verdict.checked < last)
		broken(&walk, "it is missing, and all after it");
	*verdict = walk.verdict;
	return 0;
}
