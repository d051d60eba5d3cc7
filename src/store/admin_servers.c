/* SPDX-License-Identifier: Apache-2.0
 *
 * Servers: added, changed, approved, denied, removed. Whatever runs was
 * approved at exactly the digest it has.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/pack.h"
#include "store/egress/egress.h"
#include "store/launch.h"

/* ---- answers --------------------------------------------------------------
 */

static int
server_list(void *arg, const struct db_server *server)
{
	struct request *request = arg;
	struct json_out *out = &request->out;

	if (!request->all_tenants &&
	    server->record.tenant != request->tenant.id)
		return 0;
	json_out_text(out, out->bytes[out->len - 1] == '[' ? "{" : ",{");
	const int code =
	    launch_put(request->store, server, LAUNCH_LISTED_MAX, out);
	json_out_text(out, "}");
	if (code != 0)
		return code;
	return json_out_status(out) < 0 ? json_out_status(out) : 0;
}

int
servers_list(struct request *request)
{
	json_out_text(&request->out, "{\"servers\":[");
	const int code =
	    db_servers_each(request->store->db, server_list, request);
	json_out_text(&request->out, "]}");
	return code == 0 ? 200 : code;
}

/* What the audit says of it: never what stands in a policy. */
static void
subject_set(struct request *request, const struct db_server *server)
{
	memcpy(request->digest, server->digest, sizeof(request->digest));
	memcpy(request->launch, server->record.launch.digest,
	    sizeof(request->launch));
}

/* The server of the path. */
static int
server_named(struct request *request, struct db_server *server)
{
	const int code = db_server_find(
	    request->store->db, request->tenant.id, request->name, server);

	if (code == DB_E_NONE)
		return refuse(request, 404,
		    "the tenant '%s' has no server '%s'", request->tenant.name,
		    request->name);
	if (code != 0)
		return code;
	strcpy(request->subject, request->name);
	subject_set(request, server);
	return 0;
}

/* All of it, as the answer; the status. */
static int
server_put(struct request *request, const struct db_server *server)
{
	json_out_text(&request->out, "{");
	const int code =
	    launch_put(request->store, server, SIZE_MAX, &request->out);
	json_out_text(&request->out, "}");
	return code == 0 ? 200 : code;
}

int
server_show(struct request *request)
{
	struct db_server server;

	const int status = server_named(request, &server);
	if (status != 0)
		return status;
	return server_put(request, &server);
}

/* ---- files ----------------------------------------------------------------
 */

/* The bytes of one file; the caller frees them. */
static int
file_bytes(struct request *request, const struct member *text,
    const struct member *base64, const char *at, uint8_t **bytesp, size_t *lenp)
{
	const bool is_text = text->value.at != NULL;
	const struct json_span value = is_text ? text->value : base64->value;
	size_t len = 0;

	if (is_text == (base64->value.at != NULL))
		return refuse(request, 422,
		    "%s: must have either \"text\" or \"base64\"", at);
	auto_free char *decoded = malloc(value.len + 1);
	if (decoded == NULL)
		return -ENOMEM;
	if (json_string_copy(value, decoded, value.len + 1, &len) != 0)
		return -EIO;
	if (!is_text) {
		auto_free uint8_t *binary = malloc(len + 1);
		size_t n = 0;
		const char *end = NULL;
		if (binary == NULL)
			return -ENOMEM;
		if (sodium_base642bin(binary, len + 1, decoded, len, NULL, &n,
			&end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
		    end != decoded + len)
			return refuse(request, 422,
			    "%s/base64: is not base64 (RFC 4648 section 4)",
			    at);
		*bytesp = steal_ptr(&binary);
		*lenp = n;
		return 0;
	}
	*bytesp = (uint8_t *)steal_ptr(&decoded);
	*lenp = len;
	return 0;
}

static int
file_pack(struct request *request, struct json_span file, unsigned i,
    struct pack_writer *writer)
{
	enum { PATH, TEXT, BASE64 };
	struct member members[] = {
		[PATH] = { "path", JSON_KIND_STRING, true },
		[TEXT] = { "text", JSON_KIND_STRING },
		[BASE64] = { "base64", JSON_KIND_STRING },
	};
	char at[32], path[PACK_PATH_MAX + 1];
	auto_free uint8_t *bytes = NULL;
	size_t len = 0;

	snprintf(at, sizeof(at), "/files/%u", i);
	int status = body_members(request, file, at, members, 3);
	if (status == 0)
		status =
		    body_text(request, &members[PATH], at, path, sizeof(path));
	if (status == 0)
		status = file_bytes(request, &members[TEXT], &members[BASE64],
		    at, &bytes, &len);
	if (status != 0)
		return status;
	const int code = pack_writer_add(writer, path, bytes, len);
	if (code == PACK_E_FORMAT)
		return refuse(request, 422,
		    "%s/path: must be a relative path without '.', '..' and "
		    "empty parts, and stand only once",
		    at);
	return code == PACK_E_TOO_BIG
	    ? refuse(request, 413,
		  "%s: the files are more than %u, or over 32 MiB together", at,
		  PACK_FILES_MAX)
	    : code;
}

static int
files_pack(
    struct request *request, struct json_span files, struct pack_writer *writer)
{
	struct json_span file;
	struct json_iter iter;
	int status = pack_writer_init(writer);

	json_iter_init(&iter, files);
	for (unsigned i = 0; status == 0 && json_iter_element(&iter, &file);
	     i++)
		status = file_pack(request, file, i, writer);
	if (status == 0 && writer->n_files == 0)
		return refuse(request, 422, "/files: is empty");
	return status;
}

/* ---- adding and changing --------------------------------------------------
 */

/* What state a change leaves it in. What is again exactly what was approved,
 * is approved; a denial is only undone by an approval. */
static uint32_t
state_after(const struct db_server *old, const struct db_server *now)
{
	if (old->record.state == WIRE_STATE_QUARANTINED ||
	    old->record.state == WIRE_STATE_DENIED)
		return old->record.state;
	return memcmp(old->approved, now->digest, sizeof(now->digest)) == 0
	    ? WIRE_STATE_APPROVED
	    : WIRE_STATE_CHANGED;
}

static int
room_check(struct request *request, bool is_new, uint64_t added_bytes)
{
	uint64_t servers = 0, tokens = 0, bytes = 0;
	struct db *db = request->store->db;

	int code = db_tenant_counts(db, 0, &servers, &tokens);
	if (code == 0)
		code = db_bundles_bytes(db, &bytes);
	if (code != 0)
		return code;
	if (is_new && servers >= STORE_SERVERS_MAX)
		return refuse(request, 409,
		    "there are %u servers, the most that there may be",
		    STORE_SERVERS_MAX);
	return bytes + added_bytes > STORE_BUNDLES_BYTES_MAX
	    ? refuse(request, 413,
		  "the bundles of all servers together would be over 2 GiB: "
		  "remove some")
	    : 0;
}

/* A name that had another life is told of, since its readers may trust it. */
static int
past_put(struct request *request)
{
	uint32_t state = 0;
	const int code = db_decision_past(
	    request->store->db, request->tenant.id, request->subject, &state);

	if (code == DB_E_NONE || state > WIRE_STATE_DENIED)
		return 0;
	if (code != 0)
		return code;
	json_out_text(&request->out,
	    ",\"note\":\"a server of this name was removed before; the last "
	    "decision on it was '");
	json_out_text(&request->out, launch_states[state]);
	json_out_text(&request->out,
	    "'. It does not carry over: this one is quarantined, even if its "
	    "bytes are the same\"");
	return 0;
}

static int
server_keep(struct request *request, struct db_server *server,
    struct json_span bundle, struct json_span network, bool is_new)
{
	struct db *db = request->store->db;
	struct err err = { "" };

	int code = room_check(request, is_new, bundle.len);
	if (code == 0 && network.len > 0)
		code =
		    db_bundle_put(db, server->network, network.at, network.len);
	if (code == 0 && bundle.len > 0)
		code = db_bundle_put(
		    db, server->record.launch.digest, bundle.at, bundle.len);
	if (code == 0 && egress_check(request->store, server, &err) != 0)
		code = refuse(request, 422, "/%s: %s",
		    server->record.launch.kind == WIRE_KIND_BOX ? "policy"
								: "network",
		    err.text);
	if (code == 0)
		code = db_server_put(db, server);
	if (code == 0)
		code = db_bundles_sweep(db);
	if (code != 0)
		return code;
	subject_set(request, server);
	json_out_text(&request->out, "{");
	code = launch_put(request->store, server, SIZE_MAX, &request->out);
	if (code == 0 && is_new)
		code = past_put(request);
	json_out_text(&request->out, "}");
	request->changed = CHANGED_SERVER;
	request->changed_server = *server;
	return code != 0 ? code : is_new ? 201 : 200;
}

/* New, or the old one in its new shape. */
static int
server_prepare(struct request *request, struct db_server *server, bool *is_new)
{
	struct wire_server *record = &server->record;
	struct db_server old;

	strcpy(request->subject, record->launch.name);
	launch_digest(&record->launch, server->network, server->digest);
	record->tenant = request->tenant.id;
	record->origin = WIRE_ORIGIN_ADMIN;
	record->state = WIRE_STATE_QUARANTINED;
	const int code = db_server_find(
	    request->store->db, record->tenant, record->launch.name, &old);
	*is_new = code == DB_E_NONE;
	if (code != 0)
		return *is_new ? 0 : code;
	if (old.record.origin != WIRE_ORIGIN_ADMIN)
		return refuse(request, 409,
		    "the server '%s' is served from a folder: change it "
		    "there, or give this one another name",
		    record->launch.name);
	record->id = old.record.id;
	record->state = state_after(&old, server);
	memcpy(server->approved, old.approved, sizeof(old.approved));
	server->created = old.created;
	return 0;
}

/* What the server is, as the bytes that its digest is of. */
struct source {
	struct pack_writer writer;
	struct json_out document;
	struct json_span bytes; /* in one of these; empty: a socket */
	struct json_out network; /* empty: it reaches nothing */
};

static int
source_read(struct request *request, const struct member *members,
    uint32_t kind, struct source *source)
{
	int status = 0;

	if (kind == WIRE_KIND_ISOLATE || kind == WIRE_KIND_REMOTE)
		status = network_make(
		    request, &members[LAUNCH_NETWORK], &source->network);
	if (status != 0)
		return status;
	if (kind == WIRE_KIND_ISOLATE) {
		status = files_pack(
		    request, members[LAUNCH_FILES].value, &source->writer);
		source->bytes =
		    (struct json_span){ (const char *)source->writer.bytes,
			    source->writer.len };
	} else if (kind == WIRE_KIND_BOX) {
		status = document_make(request, members, &source->document);
		source->bytes = (struct json_span){ source->document.bytes,
			source->document.len };
	}
	return status;
}

static int
server_take(struct request *request, struct db_server *server,
    const struct source *source)
{
	struct wire_deployment *launch = &server->record.launch;
	const char *place = launch_place(launch);
	const struct json_span hashed = place != NULL
	    ? (struct json_span){ place, strlen(place) }
	    : source->bytes;
	const struct json_span network = { source->network.bytes,
		source->network.len };
	bool is_new = false;

	crypto_hash_sha256(
	    launch->digest, (const uint8_t *)hashed.at, hashed.len);
	if (network.len > 0)
		crypto_hash_sha256(
		    server->network, (const uint8_t *)network.at, network.len);
	const int status = server_prepare(request, server, &is_new);
	return status == 0
	    ? server_keep(request, server, source->bytes, network, is_new)
	    : status;
}

int
server_add(struct request *request)
{
	struct member members[LAUNCH_MEMBERS];
	struct db_server server = { 0 };
	struct wire_deployment *launch = &server.record.launch;
	struct source source = { 0 };

	int status = launch_read(request, members, launch);
	if (status != 0)
		return status;
	json_out_init(&source.document, STORE_DOCUMENT_MAX);
	json_out_init(&source.network, STORE_NETWORK_MAX);
	status = source_read(request, members, launch->kind, &source);
	if (status == 0)
		status = server_take(request, &server, &source);
	pack_writer_fini(&source.writer);
	json_out_fini(&source.document);
	json_out_fini(&source.network);
	return status;
}

/* ---- decisions ------------------------------------------------------------
 */

/* "digest": what was reviewed. What has changed since is not what is meant. */
static int
digest_check(struct request *request, const struct db_server *server)
{
	struct member digest = { "digest", JSON_KIND_STRING };
	char now[DB_DIGEST * 2 + 1];

	const int status = body_members(request, request->body, "", &digest, 1);
	if (status != 0 || digest.value.at == NULL)
		return status;
	sodium_bin2hex(now, sizeof(now), server->digest, DB_DIGEST);
	return json_string_equals(digest.value, now)
	    ? 0
	    : refuse(request, 409,
		  "/digest: is not that of the server '%s' as it is now (%s): "
		  "look at it again",
		  request->subject, now);
}

static int
server_decide(struct request *request, uint32_t state)
{
	struct db *db = request->store->db;
	struct db_server server;

	int status = server_named(request, &server);
	if (status == 0)
		status = digest_check(request, &server);
	if (status != 0)
		return status;
	server.record.state = state;
	if (state == WIRE_STATE_APPROVED)
		memcpy(server.approved, server.digest, sizeof(server.digest));
	status = db_server_put(db, &server);
	if (status == 0)
		status = db_decision_add(db, &server, request->token.id);
	if (status != 0)
		return status;
	request->changed = CHANGED_SERVER;
	request->changed_server = server;
	return server_put(request, &server);
}

int
server_approve(struct request *request)
{
	return server_decide(request, WIRE_STATE_APPROVED);
}

int
server_deny(struct request *request)
{
	return server_decide(request, WIRE_STATE_DENIED);
}

int
server_remove(struct request *request)
{
	struct db *db = request->store->db;
	struct db_server server;

	int status = server_named(request, &server);
	if (status == 0)
		status = body_members(request, request->body, "", NULL, 0);
	if (status != 0)
		return status;
	if (server.record.origin == WIRE_ORIGIN_FOLDER)
		return refuse(request, 409,
		    "the server '%s' is served from a folder: take its file "
		    "away there, or deny it",
		    request->name);
	status = db_server_remove(db, server.record.id);
	if (status == 0)
		status = db_bundles_sweep(db);
	if (status != 0)
		return status;
	server.record.gone = 1;
	request->changed = CHANGED_SERVER;
	request->changed_server = server;
	return 204;
}
