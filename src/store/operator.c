/* SPDX-License-Identifier: Apache-2.0
 *
 * What the operator serves from folders: gathered until COMMIT, then taken as a
 * whole or not at all. It is approved because the operator gave it; what an
 * admin denied stays denied.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/pack.h"
#include "json/out.h"
#include "store/egress/egress.h"
#include "store/store.h"

struct operator_staged {
	struct db_server server;
	int bundle_fd; /* owned; -1: a socket */
	char *network; /* owned; NULL: it reaches nothing */
};

void
operator_forget(struct store *store)
{
	for (uint32_t i = 0; i < store->n_staged; i++) {
		free(store->staged[i].network);
		if (store->staged[i].bundle_fd >= 0)
			close(store->staged[i].bundle_fd);
	}
	free(store->staged);
	store->staged = NULL;
	store->n_staged = 0;
	store->staged_err.text[0] = '\0';
}

/* ---- gathering ------------------------------------------------------------
 */

/* The first complaint is what COMMIT answers. */
static void
complain(struct store *store, const char *name, const char *what)
{
	if (store->staged_err.text[0] == '\0')
		err_set(
		    &store->staged_err, 0, "server '%.63s': %s", name, what);
}

static off_t
bundle_max(uint32_t kind)
{
	return kind == WIRE_KIND_BOX ? STORE_DOCUMENT_MAX : PACK_BYTES_MAX;
}

static int
bundle_read(int fd, off_t max, uint8_t **bytesp, size_t *lenp)
{
	struct stat stat;

	if (fstat(fd, &stat) < 0)
		return -errno;
	if (stat.st_size <= 0 || stat.st_size > max)
		return -EFBIG;
	const size_t len = (size_t)stat.st_size;
	auto_free uint8_t *bytes = malloc(len);
	if (bytes == NULL)
		return -ENOMEM;
	for (size_t at = 0; at < len;) {
		const ssize_t n = pread(fd, bytes + at, len - at, (off_t)at);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (size_t)n;
	}
	*bytesp = steal_ptr(&bytes);
	*lenp = len;
	return 0;
}

static struct operator_staged *
stage(struct store *store, const void *raw_text, size_t len)
{
	struct db_server server = { 0 };
	struct wire_deployment *launch = &server.record.launch;

	if (len < sizeof(server.record)) {
		complain(store, "?", "its record has a wrong length");
		return NULL;
	}
	memcpy(&server.record, raw_text, sizeof(server.record));
	strcpy(launch->tenant, "local");
	const char *complaint = launch_complaint(launch);
	if (complaint == NULL && store->n_staged >= STORE_SERVERS_MAX)
		complaint = "there are too many servers";
	if (complaint != NULL) {
		complain(store, launch->name, complaint);
		return NULL;
	}
	struct operator_staged *grown =
	    reallocarray(store->staged, store->n_staged + 1, sizeof(*grown));
	if (grown == NULL) {
		complain(store, launch->name, "out of memory");
		return NULL;
	}
	store->staged = grown;
	struct operator_staged *staged = &grown[store->n_staged++];
	server.record.id = server.record.gone = 0;
	server.record.tenant = WIRE_TENANT_LOCAL;
	server.record.state = WIRE_STATE_APPROVED;
	server.record.origin = WIRE_ORIGIN_FOLDER;
	launch->bundle_fd = -1;
	*staged = (struct operator_staged){ .server = server, .bundle_fd = -1 };
	return staged;
}

static void
digests_set(struct db_server *server, const void *bytes, size_t len)
{
	struct wire_deployment *launch = &server->record.launch;

	crypto_hash_sha256(launch->digest, bytes, len);
	launch_digest(launch, server->network, server->digest);
	memcpy(server->approved, server->digest, sizeof(server->approved));
}

/* Whether a box can be made of it: told now, not at the first call. */
static bool
document_check(
    struct store *store, const char *name, const uint8_t *bytes, size_t len)
{
	struct err err = { "" };
	int spec_fd = -1;

	if (document_spec(store, bytes, len, &spec_fd, &err) == 0) {
		close(spec_fd);
		return true;
	}
	complain(store, name, err.text);
	return false;
}

/* Behind its record: what an isolate may reach, or a remote server besides its
 * URL. */
static int
network_stage(struct store *store, struct operator_staged *staged,
    const char *raw_text, size_t len)
{
	struct wire_server *record = &staged->server.record;
	struct err err = { "" };

	if (len == 0)
		return 0;
	if (record->launch.kind != WIRE_KIND_ISOLATE &&
	    record->launch.kind != WIRE_KIND_REMOTE)
		err_set(&err, 0,
		    "only an isolate or a remote server has a network of its "
		    "own");
	else
		(void)network_check(raw_text, len, &err);
	if (err.text[0] == '\0' &&
	    (staged->network = strndup(raw_text, len)) == NULL)
		err_set(&err, 0, "out of memory");
	if (err.text[0] != '\0') {
		complain(store, record->launch.name, err.text);
		return -EINVAL;
	}
	crypto_hash_sha256(
	    staged->server.network, (const uint8_t *)raw_text, len);
	return 0;
}

void
operator_bundle(
    struct store *store, const void *raw_text, size_t len, int bundle_fd)
{
	auto_close int fd = bundle_fd;
	auto_free uint8_t *bytes = NULL;
	size_t size = 0;

	struct operator_staged *staged = stage(store, raw_text, len);
	if (staged == NULL ||
	    network_stage(store, staged,
		(const char *)raw_text + sizeof(struct wire_server),
		len - sizeof(struct wire_server)) != 0)
		return;
	const char *name = staged->server.record.launch.name;
	const uint32_t kind = staged->server.record.launch.kind;
	if (launch_place(&staged->server.record.launch) != NULL) {
		complain(store, name, "a bundle came for a server elsewhere");
		return;
	}
	const int code = bundle_read(fd, bundle_max(kind), &bytes, &size);
	if (code != 0) {
		complain(store, name,
		    code != -EFBIG ? strerror(-code)
			: kind == WIRE_KIND_BOX
			? "its command and policy are over 1 MiB"
			: "its bundle is empty or over 32 MiB");
		return;
	}
	if (kind == WIRE_KIND_BOX && !document_check(store, name, bytes, size))
		return;
	digests_set(&staged->server, bytes, size);
	staged->bundle_fd = fd_steal(&fd);
}

void
operator_socket(struct store *store, const void *raw_text, size_t len)
{
	struct operator_staged *staged = stage(store, raw_text, len);

	if (staged == NULL ||
	    network_stage(store, staged,
		(const char *)raw_text + sizeof(struct wire_server),
		len - sizeof(struct wire_server)) != 0)
		return;
	struct wire_deployment *launch = &staged->server.record.launch;
	const char *place = launch_place(launch);
	if (place == NULL) {
		complain(store, launch->name, "a bundle is missing");
		return;
	}
	digests_set(&staged->server, place, strlen(place));
}

/* ---- COMMIT ---------------------------------------------------------------
 */

/* What became of each: told when it is durable. */
struct changes {
	struct store *store;
	struct db_server *servers;
	size_t n;
	size_t capacity;
	int code;
};

static int
change_add(struct changes *changes, const struct db_server *server)
{
	if (changes->n == changes->capacity) {
		const size_t wanted =
		    changes->capacity == 0 ? 16 : changes->capacity * 2;
		struct db_server *grown =
		    reallocarray(changes->servers, wanted, sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		changes->servers = grown;
		changes->capacity = wanted;
	}
	changes->servers[changes->n++] = *server;
	return 0;
}

static int
staged_bundle_put(struct store *store, const struct operator_staged *staged)
{
	const struct wire_deployment *launch = &staged->server.record.launch;
	auto_free uint8_t *bytes = NULL;
	size_t len = 0;
	int code = 0;

	/* A server elsewhere has a network too, though it has no bundle. */
	if (staged->network != NULL)
		code = db_bundle_put(store->db, staged->server.network,
		    staged->network, strlen(staged->network));
	if (code != 0 || staged->bundle_fd < 0)
		return code;
	code = bundle_read(
	    staged->bundle_fd, bundle_max(launch->kind), &bytes, &len);
	return code == 0 ? db_bundle_put(store->db, launch->digest, bytes, len)
			 : code;
}

/* 0, or what stands in COMMITTED. */
static int
staged_take(struct changes *changes, const struct operator_staged *staged,
    struct err *err)
{
	struct store *store = changes->store;
	struct db_server server = staged->server, old = { 0 };
	const char *name = server.record.launch.name;
	struct err why = { "" };

	int code = db_server_find(store->db, WIRE_TENANT_LOCAL, name, &old);
	if (code < 0)
		return code;
	const bool is_new = code == DB_E_NONE;
	if (!is_new && old.record.origin != WIRE_ORIGIN_FOLDER)
		return err_set(err, -EEXIST,
		    "server '%s' was added with 'cordon upstream add' and is "
		    "in a served folder too: remove one of them, or give it "
		    "another name",
		    name);
	if (!is_new) {
		server.record.id = old.record.id;
		server.created = old.created;
	}
	if (!is_new && old.record.state == WIRE_STATE_DENIED)
		server.record.state = WIRE_STATE_DENIED;
	if (!is_new && old.record.state == server.record.state &&
	    memcmp(old.digest, server.digest, sizeof(old.digest)) == 0 &&
	    (staged->network == NULL || egress_check(store, &old, &why) == 0))
		return 0;
	if (server.record.state == WIRE_STATE_DENIED)
		memcpy(server.approved, old.approved, sizeof(old.approved));
	code = staged_bundle_put(store, staged);
	if (code == 0 && egress_check(store, &server, &why) != 0)
		return err_set(err, -EINVAL, "server '%s': %s", name, why.text);
	if (code == 0)
		code = db_server_put(store->db, &server);
	if (code == 0 && server.record.state == WIRE_STATE_APPROVED)
		code = db_decision_add(store->db, &server, 0);
	return code == 0 ? change_add(changes, &server) : code;
}

static bool
is_staged(const struct store *store, const char *name)
{
	for (uint32_t i = 0; i < store->n_staged; i++)
		if (strcmp(store->staged[i].server.record.launch.name, name) ==
		    0)
			return true;
	return false;
}

static int
missing_find(void *arg, const struct db_server *server)
{
	struct changes *changes = arg;

	if (server->record.origin != WIRE_ORIGIN_FOLDER ||
	    is_staged(changes->store, server->record.launch.name))
		return 0;
	struct db_server gone = *server;
	gone.record.gone = 1;
	return change_add(changes, &gone);
}

static int
missing_remove(struct changes *changes)
{
	const size_t first = changes->n;
	struct db *db = changes->store->db;

	int code = db_servers_each(db, missing_find, changes);
	for (size_t i = first; i < changes->n && code == 0; i++)
		code = db_server_remove(db, changes->servers[i].record.id);
	return code > 0 ? -EIO : code;
}

static int
all_take(struct changes *changes, struct err *err)
{
	struct store *store = changes->store;
	uint64_t servers = 0, tokens = 0, bytes = 0;

	for (uint32_t i = 0; i < store->n_staged; i++) {
		const int code = staged_take(changes, &store->staged[i], err);
		if (code != 0)
			return code;
	}
	int code = missing_remove(changes);
	if (code == 0)
		code = db_bundles_sweep(store->db);
	if (code == 0)
		code = db_tenant_counts(store->db, 0, &servers, &tokens);
	if (code == 0)
		code = db_bundles_bytes(store->db, &bytes);
	if (code == 0 && servers > STORE_SERVERS_MAX)
		return err_set(err, -E2BIG,
		    "there would be %llu servers, %u is the most: serve fewer",
		    (unsigned long long)servers, STORE_SERVERS_MAX);
	if (code == 0 && bytes > STORE_BUNDLES_BYTES_MAX)
		return err_set(err, -EFBIG,
		    "the bundles of all servers together are over 2 GiB: "
		    "serve fewer");
	return code;
}

static void
change_audit(struct store *store, const struct db_server *server)
{
	struct json_out detail;
	char digest[DB_DIGEST * 2 + 1];

	json_out_init(&detail, 4096);
	json_out_text(&detail, "{\"name\":");
	json_out_string(&detail, server->record.launch.name,
	    strlen(server->record.launch.name));
	json_out_text(&detail, ",\"digest\":\"");
	json_out_text(&detail,
	    sodium_bin2hex(digest, sizeof(digest), server->digest, DB_DIGEST));
	json_out_text(&detail,
	    server->record.gone ? "\",\"why\":\"no longer in a served folder\"}"
		: server->record.state == WIRE_STATE_DENIED
		? "\",\"why\":\"changed in its folder; stays denied\"}"
		: "\",\"why\":\"approved: served from a folder\"}");
	audit_append(store,
	    &(struct audit_entry){ .tenant = WIRE_TENANT_LOCAL,
		.request = "",
		.action = server->record.gone ? "server/remove"
		    : server->record.state == WIRE_STATE_DENIED
		    ? "server/change"
		    : "server/approve",
		.detail = detail.bytes,
		.detail_len = detail.len });
	json_out_fini(&detail);
}

static void
committed_tell(struct store *store, int code, const struct err *err)
{
	const char *text = code == 0 ? ""
	    : err->text[0] != '\0'   ? err->text
				     : strerror(-code);
	const struct wire_message message = { .type = WIRE_COMMITTED,
		.status = -code,
		.text_len = (uint32_t)strlen(text) };

	push_message(store, &message, NULL, 0, text);
}

void
operator_commit(struct store *store)
{
	struct changes changes = { .store = store };
	struct err err = store->staged_err;

	int code = err.text[0] != '\0' ? -EINVAL : db_action_begin(store->db);
	if (code == 0) {
		code = all_take(&changes, &err);
		if (code == 0)
			code = db_action_keep(store->db);
		else if (db_action_drop(store->db) != 0)
			store_batch_lost(store);
	}
	for (size_t i = 0; i < changes.n && code == 0; i++)
		change_audit(store, &changes.servers[i]);
	if (code == 0)
		code = store_commit(store);
	for (size_t i = 0; i < changes.n && code == 0; i++)
		push_server(store, &changes.servers[i]);
	committed_tell(store, code > 0 ? -EIO : code, &err);
	free(changes.servers);
	operator_forget(store);
}
