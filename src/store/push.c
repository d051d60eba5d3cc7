/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store knows, to those who act on it. The supervisor is told first of
 * what may run, the gateway first of what may not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fd.h"
#include "store/egress/egress.h"
#include "store/store.h"

void
push_message(struct store *store, const struct wire_message *message,
    const int *fds, size_t n_fds, const void *text)
{
	const int code =
	    wire_send(store->supervisor_fd, message, fds, n_fds, text);

	if (code == 0)
		return;
	store_log("error", "the supervisor is gone");
	_exit(70);
}

static void
frame_push(struct store *store, enum wire_store_frame type, const void *bytes,
    size_t len)
{
	const struct wire_frame head = { .type = type, .len = (uint32_t)len };

	link_send(store, &head, bytes, NULL, 0);
}

static void
tenant_tell(struct store *store, const struct wire_tenant *tenant)
{
	const struct wire_message message = { .type = WIRE_TENANT,
		.text_len = sizeof(*tenant) };

	push_message(store, &message, NULL, 0, tenant);
}

void
push_tenant(struct store *store, const struct wire_tenant *tenant)
{
	tenant_tell(store, tenant);
	frame_push(store, WIRE_STORE_TENANT, tenant, sizeof(*tenant));
}

void
push_token(struct store *store, const struct wire_token *token)
{
	if (token->gone != 0)
		logins_token_gone(store, token->id);
	frame_push(store, WIRE_STORE_TOKEN, token, sizeof(*token));
}

/* Behind its record. What is not told is asked of the server itself: `room`,
 * the bytes that may still be told so, keeps a snapshot small. */
static void
known_push(struct store *store, const struct db_server *server, size_t *room)
{
	auto_free uint8_t *json = NULL;
	size_t len = 0;

	if (server->record.launch.kind != WIRE_KIND_BOX ||
	    server->record.state != WIRE_STATE_APPROVED ||
	    store->link == NULL ||
	    db_surface_read(store->db, server->record.id, server->digest, &json,
		&len) != 0 ||
	    len > *room)
		return;
	*room -= len;
	const struct wire_frame head = { .type = WIRE_STORE_KNOWN,
		.len = (uint32_t)len,
		.reserved = server->record.id };
	link_send(store, &head, json, NULL, 0);
}

static int
bundle_memfd(struct store *store, const struct wire_deployment *launch, int *fd,
    struct err *err)
{
	auto_free uint8_t *bytes = NULL;
	size_t len = 0;

	int code = db_bundle_read(store->db, launch->digest, &bytes, &len);
	if (code != 0)
		return err_set(err, -ENOENT, "its bundle cannot be read");
	if (launch->kind == WIRE_KIND_BOX)
		return document_spec(store, bytes, len, fd, err);
	code = fd_memfd_seal("bundle", bytes, len, fd);
	return code == 0 ? 0 : err_set(err, code, "%s", strerror(-code));
}

/* What cannot be told does not run; the log says why. */
static int
deploy_tell(struct store *store, const struct db_server *wanted)
{
	struct wire_server record = wanted->record, *server = &record;
	struct err err = { "" };

	const bool reaches = egress_reaches(store, wanted);
	if (!reaches && server->launch.kind == WIRE_KIND_REMOTE) {
		store_log("error",
		    "the server '%s' does not run: it is elsewhere, and "
		    "nothing says how it is reached",
		    server->launch.name);
		return -EINVAL;
	}
	server->launch.flags = reaches ? WIRE_DEPLOYMENT_EGRESS : 0;
	struct wire_message message = { .type = WIRE_DEPLOY_SOCKET,
		.id = server->id,
		.text_len = sizeof(server->launch) };
	auto_close int bundle_fd = -1;

	if (launch_place(&server->launch) != NULL) {
		push_message(store, &message, NULL, 0, &server->launch);
		return 0;
	}
	const int code = bundle_memfd(store, &server->launch, &bundle_fd, &err);
	if (code != 0) {
		store_log("error", "the server '%s' does not run: %s",
		    server->launch.name, err.text);
		return code;
	}
	message.type = WIRE_DEPLOY;
	push_message(store, &message, &bundle_fd, 1, &server->launch);
	return 0;
}

static void
undeploy_tell(struct store *store, uint32_t id)
{
	const struct wire_message message = { .type = WIRE_UNDEPLOY, .id = id };

	push_message(store, &message, NULL, 0, NULL);
}

void
push_server(struct store *store, const struct db_server *server)
{
	struct wire_server record = server->record;
	size_t room = WIRE_STORE_SURFACE_MAX;

	const bool runs = record.state == WIRE_STATE_APPROVED && !record.gone;
	/* Egress first: nobody asks before it knows what to say. */
	egress_push(store, record.id);
	if (record.gone != 0)
		logins_server_gone(store, record.id);
	else
		logins_wake(store);
	const bool is_told = runs && deploy_tell(store, server) == 0;
	if (runs && !is_told)
		record.state = WIRE_STATE_CHANGED;
	frame_push(store, WIRE_STORE_SERVER, &record, sizeof(record));
	if (is_told)
		known_push(store, server, &room);
	else
		undeploy_tell(store, record.id);
}

/* ---- everything -----------------------------------------------------------
 */

static int
tenant_snap(void *arg, const struct wire_tenant *tenant)
{
	frame_push(arg, WIRE_STORE_TENANT, tenant, sizeof(*tenant));
	return 0;
}

static int
token_snap(void *arg, const struct wire_token *token)
{
	frame_push(arg, WIRE_STORE_TOKEN, token, sizeof(*token));
	return 0;
}

struct snapshot {
	struct store *store;
	size_t known_room;
};

static int
server_snap(void *arg, const struct db_server *server)
{
	struct snapshot *snapshot = arg;

	frame_push(snapshot->store, WIRE_STORE_SERVER, &server->record,
	    sizeof(server->record));
	known_push(snapshot->store, server, &snapshot->known_room);
	return 0;
}

static int
ended_snap(void *arg, const struct wire_ended *ended)
{
	frame_push(arg, WIRE_STORE_ENDED, ended, sizeof(*ended));
	return 0;
}

int
push_snapshot(struct store *store)
{
	struct snapshot snapshot = { store, STORE_KNOWN_MAX };
	uint8_t key[32];

	/* What is told is durable. */
	store_commit(store);
	int code = db_key(store->db, key);
	if (code == 0)
		frame_push(store, WIRE_STORE_KEY, key, sizeof(key));
	explicit_bzero(key, sizeof(key));
	if (code == 0)
		code = db_tenants_each(store->db, tenant_snap, store);
	if (code == 0)
		code = db_tokens_each(store->db, token_snap, store);
	if (code == 0)
		code = db_servers_each(store->db, server_snap, &snapshot);
	if (code == 0)
		code = db_ended_each(store->db, ended_snap, store);
	if (code == 0)
		frame_push(store, WIRE_STORE_SNAPSHOT, NULL, 0);
	return code > 0 ? -EIO : code;
}

static int
tenant_deploy(void *arg, const struct wire_tenant *tenant)
{
	tenant_tell(arg, tenant);
	return 0;
}

static int
server_deploy(void *arg, const struct db_server *server)
{
	if (server->record.state == WIRE_STATE_APPROVED)
		(void)deploy_tell(arg, server);
	return 0;
}

int
push_deployments(struct store *store)
{
	int code = db_tenants_each(store->db, tenant_deploy, store);

	if (code == 0)
		code = db_servers_each(store->db, server_deploy, store);
	if (code == 0)
		undeploy_tell(store, 0); /* all is told */
	return code > 0 ? -EIO : code;
}
