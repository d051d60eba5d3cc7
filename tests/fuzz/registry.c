/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a store could say, byte by byte: the reader of frames, and the replica
 * behind it. Whatever comes, the tables agree with each other, and who is gone
 * is found no more.
 */

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "fuzz.h"
#include "gateway/gateway.h"
#include "gateway/log.h"
#include "gateway/store.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

/* Who would be told. */

void
front_principal_changed(struct gateway *gateway, struct principal *principal)
{
	(void)gateway;
	CHECK(principal->users > 0 && principal->tenant->users > 0);
}

void
front_changed(struct gateway *gateway, struct server *server, unsigned what)
{
	(void)gateway;
	(void)what;
	CHECK(server->users > 0 && server->name[0] != '\0');
}

void
upstream_forget(struct gateway *gateway, struct server *server)
{
	(void)gateway;
	CHECK(server->users > 0);
}

void
upstream_surface_recall(struct gateway *gateway, struct server *server,
    const char *raw_json, size_t len)
{
	(void)gateway;
	CHECK(server->record.state == WIRE_STATE_APPROVED);
	CHECK(raw_json != NULL && len >= 2);
}

int
pool_deployment_set(struct pool *pool, uint32_t index,
    const struct pool_deployment *deployment, bool fresh)
{
	(void)pool;
	(void)fresh;
	CHECK(index < WIRE_DEPLOYMENTS_MAX && deployment->name[0] != '\0');
	return 0;
}

void
pool_deployment_remove(struct pool *pool, uint32_t index)
{
	(void)pool;
	CHECK(index < WIRE_DEPLOYMENTS_MAX);
}

void
store_session_end(struct gateway *gateway, const struct wire_ended *ended)
{
	(void)gateway;
	(void)ended;
}

void
server_log_free(struct server *server)
{
	(void)server;
}

void
server_log_drain(struct server *server)
{
	(void)server;
}

void
log_line(enum log_level level, uint64_t request, const char *format, ...)
{
	(void)level;
	(void)request;
	(void)format;
}

static int
on_frame(void *arg, const struct wire_frame *frame, const uint8_t *payload)
{
	struct err err = { 0 };

	if (frame->type == WIRE_STORE_REPLY || frame->type == WIRE_STORE_KEPT)
		return 0;
	if (frame->type == WIRE_STORE_KNOWN) {
		registry_known_take(
		    arg, frame->reserved, (const char *)payload, frame->len);
		return 0;
	}
	const int r = registry_apply(
	    arg, (enum wire_store_frame)frame->type, payload, &err);
	CHECK((r != 0) == (err.text[0] != '\0'));
	return r;
}

static void
tables_check(struct gateway *gateway)
{
	struct principal *anonymous = registry_anonymous(gateway);
	struct principal *principal;
	struct server *server = NULL;

	for (size_t i = 0;
	     (principal = registry_principal_at(gateway, i)) != NULL; i++) {
		CHECK(!principal->gone && !principal->tenant->gone);
		CHECK(registry_principal_by_id(gateway, principal->record.id) ==
		    principal);
	}
	for (size_t i = 0; (server = registry_server_at(gateway, i)) != NULL;
	     i++) {
		CHECK(!server->gone && !server->tenant->gone);
		CHECK(registry_server_by_id(gateway, server->record.id) ==
		    server);
		CHECK(registry_server_find(
			  gateway, server->tenant, server->name) == server);
	}
	server = NULL;
	while ((server = registry_next(gateway, anonymous, server)) != NULL)
		CHECK(server->record.state == WIRE_STATE_APPROVED &&
		    server->record.tenant == WIRE_TENANT_LOCAL);
}

/*
 * The input: a type, then that many bytes of a record, again and again; what
 * lacks is zero. So changes stay near what a store says; types from 100 on are
 * bytes as they are.
 */
static size_t
frame_feed(struct gateway *gateway, struct store_reader *reader,
    const uint8_t *data, size_t size, int *status)
{
	static const size_t sizes[] = { 0, 32, sizeof(struct wire_tenant),
		sizeof(struct wire_token), sizeof(struct wire_server),
		sizeof(struct wire_ended), 0, 3 };
	static uint8_t record[sizeof(struct wire_frame) + 4096];
	const size_t n = size - 2 < data[1] ? size - 2 : data[1];

	if (data[0] >= 100) {
		*status =
		    store_reader_feed(reader, data + 2, n, on_frame, gateway);
		return n + 2;
	}
	const uint32_t type = data[0] % 8;
	const struct wire_frame head = { .type = type,
		.len = (uint32_t)sizes[type] };
	memset(record, 0, sizeof(record));
	memcpy(record, &head, sizeof(head));
	memcpy(record + sizeof(head), data + 2, n < head.len ? n : head.len);
	*status = store_reader_feed(
	    reader, record, sizeof(head) + head.len, on_frame, gateway);
	return n + 2;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gateway gateway = { .settings.cells_max = 64 };
	struct store_reader reader = { 0 };
	int status = 0;

	if (registry_start(&gateway) != 0)
		return 0;
	while (size >= 2 && status == 0) {
		const size_t n =
		    frame_feed(&gateway, &reader, data, size, &status);
		data += n;
		size -= n;
		tables_check(&gateway);
	}
	registry_tick(&gateway);
	tables_check(&gateway);
	store_reader_fini(&reader);
	registry_stop(&gateway);
	return 0;
}
