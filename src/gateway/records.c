/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the store says, taken into the replica: each record is looked at, then
 * holds at once. Whoever went away is told of to those who work for it.
 */

#include <stdlib.h>
#include <string.h>

#include "gateway/gateway.h"
#include "gateway/log.h"
#include "gateway/records.h"

/* The records, as the store sends them. */

static bool
is_string(const char *field, size_t size)
{
	return memchr(field, '\0', size) != NULL;
}

static bool
is_name(const char *field, size_t size)
{
	return is_string(field, size) && field[0] != '\0';
}

static struct tenant *
tenant_find(const struct registry *registry, uint32_t id)
{
	return sorted_find(&registry->tenants, &id);
}

static void
principal_end(struct gateway *gateway, struct principal *principal)
{
	struct registry *registry = gateway->registry;

	sorted_remove(&registry->principals, &principal->record.id);
	sorted_remove(&registry->tokens, principal->record.hash);
	principal->gone = true;
	front_principal_changed(gateway, principal);
	principal_unref(principal);
}

static void
server_lists_changed(struct gateway *gateway, struct server *server)
{
	front_changed(gateway, server,
	    UPSTREAM_TOOLS | UPSTREAM_PROMPTS | UPSTREAM_RESOURCES);
}

/* Of a server that may be called no more: links, cells, what was known. */
static void
server_cut(struct gateway *gateway, struct server *server)
{
	upstream_forget(gateway, server);
	if (server->record.launch.kind == WIRE_KIND_ISOLATE)
		pool_deployment_remove(gateway->pool, server->record.id);
	server_lists_changed(gateway, server);
}

static void
server_end(struct gateway *gateway, struct server *server)
{
	struct registry *registry = gateway->registry;
	const struct server_key key = { server->record.tenant, server->name };
	const bool was_live = registry_server_is_live(server);

	sorted_remove(&registry->names, &key);
	registry->servers[server->record.id] = NULL;
	server->gone = true;
	if (was_live)
		server_cut(gateway, server);
	server_log_drain(server);
	server_unref(server);
}

/* Where there are several tenants, none can have more than this of the cells,
 * nor of the connections: the others find some, whatever one of them does. */
void
registry_shares_set(struct gateway *gateway)
{
	const struct sorted *tenants = &gateway->registry->tenants;
	const uint32_t most = gateway->settings.cells_max / 4 * 3;

	gateway->hold.is_shared = tenants->n > 1;
	for (size_t i = 0; i < tenants->n; i++) {
		struct tenant *tenant = tenants->items[i];
		tenant->share = tenants->n > 1 ? most : 0;
	}
}

static void
tenant_end(struct gateway *gateway, struct tenant *tenant)
{
	struct registry *registry = gateway->registry;

	for (size_t i = registry->principals.n; i-- > 0;) {
		struct principal *principal = registry->principals.items[i];
		if (principal->tenant == tenant)
			principal_end(gateway, principal);
	}
	for (uint32_t i = 0; i < WIRE_DEPLOYMENTS_MAX; i++)
		if (registry->servers[i] != NULL &&
		    registry->servers[i]->tenant == tenant)
			server_end(gateway, registry->servers[i]);
	tenant->gone = true;
	sorted_remove(&registry->tenants, &tenant->record.id);
	registry_tenant_unref(tenant);
	registry_shares_set(gateway);
}

static int
apply_tenant(struct gateway *gateway, const void *bytes, struct err *err)
{
	const struct wire_tenant *record = bytes;
	struct registry *registry = gateway->registry;

	if (!is_name(record->name, sizeof(record->name)) || record->gone > 1)
		return err_set(
		    err, REGISTRY_E_BROKEN, "a tenant without a name");
	struct tenant *tenant = tenant_find(registry, record->id);
	if (record->gone != 0) {
		if (tenant != NULL && record->id != WIRE_TENANT_LOCAL)
			tenant_end(gateway, tenant);
		return 0;
	}
	if (tenant == NULL)
		tenant = registry_tenant_add(registry, record->id);
	if (tenant == NULL)
		return err_set(err, REGISTRY_E_BROKEN,
		    "more tenants than %u, or no memory", REGISTRY_TENANTS_MAX);
	tenant->record = *record;
	tenant->epoch = registry->epoch;
	registry_shares_set(gateway);
	return 0;
}

static struct principal *
principal_add(struct registry *registry, struct tenant *tenant,
    const struct wire_token *record)
{
	if (registry->principals.n >= REGISTRY_TOKENS_MAX)
		return NULL;
	struct principal *principal = calloc(1, sizeof(*principal));
	if (principal == NULL)
		return NULL;
	*principal = (struct principal){
		.record = *record,
		.tenant = tenant,
		.users = 1,
	};
	if (sorted_add(&registry->principals, &record->id, principal) != 0) {
		free(principal);
		return NULL;
	}
	if (sorted_add(&registry->tokens, record->hash, principal) != 0) {
		sorted_remove(&registry->principals, &record->id);
		free(principal);
		return NULL;
	}
	tenant->users++;
	return principal;
}

static bool
token_is_whole(const struct wire_token *record)
{
	return is_string(record->name, sizeof(record->name)) &&
	    is_string(record->servers, sizeof(record->servers)) &&
	    record->gone <= 1 && record->id != 0 &&
	    (record->scopes &
		~(WIRE_SCOPE_READ | WIRE_SCOPE_CALL | WIRE_SCOPE_ADMIN)) == 0;
}

/* Whether it is the same token and of the same tenant: else the old one ends
 * and another begins. */
static bool
token_continues(
    const struct principal *principal, const struct wire_token *record)
{
	return principal->record.tenant == record->tenant &&
	    memcmp(principal->record.hash, record->hash,
		sizeof(record->hash)) == 0;
}

static void
token_change(struct gateway *gateway, struct principal *principal,
    const struct wire_token *record)
{
	const bool sees_otherwise =
	    principal->record.scopes != record->scopes ||
	    strcmp(principal->record.servers, record->servers) != 0;

	principal->record = *record;
	if (sees_otherwise)
		front_principal_changed(gateway, principal);
}

static int
apply_token(struct gateway *gateway, const void *bytes, struct err *err)
{
	const struct wire_token *record = bytes;
	struct registry *registry = gateway->registry;

	if (!token_is_whole(record))
		return err_set(err, REGISTRY_E_BROKEN, "a token that is none");
	struct tenant *tenant = tenant_find(registry, record->tenant);
	struct principal *principal =
	    registry_principal_by_id(gateway, record->id);
	if (principal != NULL &&
	    (record->gone != 0 || !token_continues(principal, record))) {
		principal_end(gateway, principal);
		principal = NULL;
	}
	if (record->gone != 0)
		return 0;
	if (tenant == NULL)
		return err_set(err, REGISTRY_E_BROKEN,
		    "a token of a tenant that is not "
		    "there");
	if (principal != NULL)
		token_change(gateway, principal, record);
	else
		principal = principal_add(registry, tenant, record);
	if (principal == NULL)
		return err_set(err, REGISTRY_E_BROKEN,
		    "a token's hash came twice, there are more than "
		    "%u, or no memory",
		    REGISTRY_TOKENS_MAX);
	principal->epoch = registry->epoch;
	if (record->expires != 0 && record->expires < registry->next_expiry)
		registry->next_expiry = record->expires;
	return 0;
}

static bool
server_is_whole(const struct wire_server *record)
{
	const struct wire_deployment *launch = &record->launch;

	return record->id < WIRE_DEPLOYMENTS_MAX && record->gone <= 1 &&
	    record->state <= WIRE_STATE_DENIED &&
	    record->origin <= WIRE_ORIGIN_ADMIN &&
	    launch->kind <= WIRE_KIND_REMOTE &&
	    launch->share <= WIRE_SHARE_ALL &&
	    is_name(launch->name, sizeof(launch->name)) &&
	    is_string(launch->tenant, sizeof(launch->tenant)) &&
	    is_string(launch->socket, sizeof(launch->socket)) &&
	    is_string(launch->url, sizeof(launch->url));
}

/* What runs is not what ran: links and cells of before are of no use. */
static bool
launch_differs(const struct wire_deployment *a, const struct wire_deployment *b)
{
	return a->kind != b->kind || a->share != b->share ||
	    strcmp(a->socket, b->socket) != 0 || strcmp(a->url, b->url) != 0 ||
	    memcmp(a->digest, b->digest, sizeof(a->digest)) != 0;
}

static void
server_deploy(struct gateway *gateway, const struct server *server, bool fresh)
{
	const struct wire_deployment *launch = &server->record.launch;
	const struct pool_deployment deployment = {
		.name = server->name,
		.pool_max = launch->pool_max,
		.limits = launch->limits,
	};

	const int r = pool_deployment_set(
	    gateway->pool, server->record.id, &deployment, fresh);
	if (r != 0)
		log_line(LOG_ERROR, 0, "server %s cannot be deployed: %s",
		    server->name, strerror(-r));
}

static struct server *
server_add(struct registry *registry, struct tenant *tenant,
    const struct wire_server *record)
{
	struct server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return NULL;
	*server = (struct server){
		.record = *record,
		.tenant = tenant,
		.users = 1,
	};
	server->name = server->record.launch.name;
	const struct server_key key = { record->tenant, server->name };
	if (sorted_add(&registry->names, &key, server) != 0) {
		free(server);
		return NULL;
	}
	registry->servers[record->id] = server;
	tenant->users++;
	return server;
}

/* The server is there; its record was that of `before`. */
static void
server_change(struct gateway *gateway, struct server *server,
    const struct wire_server *record)
{
	const bool was_live = registry_server_is_live(server);
	const bool differs =
	    launch_differs(&server->record.launch, &record->launch);

	if (was_live && (differs || record->state != WIRE_STATE_APPROVED)) {
		/* Cut as what it was, before it is what it will be. */
		server->record.state = record->state;
		server_cut(gateway, server);
	}
	server->record = *record;
	if (!registry_server_is_live(server))
		return;
	const bool again = !was_live || differs;
	if (record->launch.kind == WIRE_KIND_ISOLATE)
		server_deploy(gateway, server, again);
	if (again)
		server_lists_changed(gateway, server);
}

static bool
server_continues(const struct server *server, const struct wire_server *record)
{
	return server->record.tenant == record->tenant &&
	    strcmp(server->name, record->launch.name) == 0;
}

static int
apply_server(struct gateway *gateway, const void *bytes, struct err *err)
{
	const struct wire_server *record = bytes;
	struct registry *registry = gateway->registry;

	if (!server_is_whole(record))
		return err_set(err, REGISTRY_E_BROKEN, "a server that is none");
	struct tenant *tenant = tenant_find(registry, record->tenant);
	struct server *server = registry->servers[record->id];
	if (server != NULL &&
	    (record->gone != 0 || !server_continues(server, record))) {
		server_end(gateway, server);
		server = NULL;
	}
	if (record->gone != 0)
		return 0;
	if (tenant == NULL)
		return err_set(err, REGISTRY_E_BROKEN,
		    "a server of a tenant that is not "
		    "there");
	if (server != NULL) {
		server_change(gateway, server, record);
	} else {
		server = server_add(registry, tenant, record);
		if (server == NULL)
			return err_set(err, REGISTRY_E_BROKEN,
			    "two servers of one name, or "
			    "no memory");
		if (registry_server_is_live(server)) {
			if (record->launch.kind == WIRE_KIND_ISOLATE)
				server_deploy(gateway, server, true);
			server_lists_changed(gateway, server);
		}
	}
	server->epoch = registry->epoch;
	return 0;
}

static int
apply_ended(struct gateway *gateway, const void *bytes, struct err *err)
{
	struct registry *registry = gateway->registry;

	if (registry_ended_add(registry, bytes, registry->epoch) != 0)
		return err_set(
		    err, REGISTRY_E_BROKEN, "no memory for ended sessions");
	return 0;
}

static int
apply_key(struct gateway *gateway, const void *bytes, struct err *err)
{
	struct registry *registry = gateway->registry;

	(void)err;
	memcpy(registry->key, bytes, sizeof(registry->key));
	registry->epoch++;
	return 0;
}

/* What this snapshot did not name is not there any more. */
static void
registry_sweep(struct gateway *gateway)
{
	struct registry *registry = gateway->registry;

	for (size_t i = registry->principals.n; i-- > 0;) {
		struct principal *principal = registry->principals.items[i];
		if (principal->epoch != registry->epoch)
			principal_end(gateway, principal);
	}
	for (uint32_t i = 0; i < WIRE_DEPLOYMENTS_MAX; i++)
		if (registry->servers[i] != NULL &&
		    registry->servers[i]->epoch != registry->epoch)
			server_end(gateway, registry->servers[i]);
	for (size_t i = registry->tenants.n; i-- > 0;) {
		struct tenant *tenant = registry->tenants.items[i];
		if (tenant->epoch != registry->epoch &&
		    tenant->record.id != WIRE_TENANT_LOCAL)
			tenant_end(gateway, tenant);
	}
}

static int
apply_snapshot(struct gateway *gateway, const void *bytes, struct err *err)
{
	struct registry *registry = gateway->registry;

	(void)bytes;
	if (registry->epoch == 0)
		return err_set(
		    err, REGISTRY_E_BROKEN, "a snapshot without a key");
	registry_sweep(gateway);
	if (!registry->ready)
		log_line(LOG_INFO, 0, "the registry is there: %zu tokens",
		    registry->principals.n);
	registry->ready = true;
	return 0;
}

int
registry_apply(struct gateway *gateway, enum wire_store_frame type,
    const void *record, struct err *err)
{
	static int (*const appliers[WIRE_STORE_N_FRAMES])(
	    struct gateway *, const void *, struct err *) = {
		[WIRE_STORE_KEY] = apply_key,
		[WIRE_STORE_TENANT] = apply_tenant,
		[WIRE_STORE_TOKEN] = apply_token,
		[WIRE_STORE_SERVER] = apply_server,
		[WIRE_STORE_ENDED] = apply_ended,
		[WIRE_STORE_SNAPSHOT] = apply_snapshot,
	};

	return appliers[type](gateway, record, err);
}

void
registry_known_take(
    struct gateway *gateway, uint32_t id, const char *raw_json, size_t len)
{
	struct server *server = registry_server_by_id(gateway, id);

	/* What others offer may have changed behind the same launch. */
	if (server != NULL && registry_server_is_live(server) &&
	    server->record.launch.kind == WIRE_KIND_BOX)
		upstream_surface_recall(gateway, server, raw_json, len);
}

static void
server_rate_set(struct server *server)
{
	server->calls_per_s = server->n_calls - server->n_calls_before;
	server->n_calls_before = server->n_calls;
}

void
registry_tick(struct gateway *gateway)
{
	struct registry *registry = gateway->registry;
	const uint64_t now = registry_now_s();

	for (uint32_t i = 0; i < WIRE_DEPLOYMENTS_MAX; i++)
		if (registry->servers[i] != NULL)
			server_rate_set(registry->servers[i]);
	if (now < registry->next_expiry)
		return;
	registry->next_expiry = UINT64_MAX;
	for (size_t i = registry->principals.n; i-- > 0;) {
		struct principal *principal = registry->principals.items[i];
		const uint64_t expires = principal->record.expires;
		if (expires == 0)
			continue;
		if (expires <= now)
			principal_end(gateway, principal);
		else if (expires < registry->next_expiry)
			registry->next_expiry = expires;
	}
}
