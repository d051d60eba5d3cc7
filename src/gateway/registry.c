/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The replica. Records are few and change seldom, so they lie in sorted arrays;
 * a server is found by its id in a table, for the pool numbers them so. Tokens
 * are looked up by their SHA-256: how long that takes tells a guesser about the
 * hash of the guess, nothing about a token.
 */

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "gateway/gateway.h"
#include "gateway/log.h"
#include "gateway/records.h"
#include "gateway/store.h"

static int
id_compare(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int
tenant_by_id(const void *key, const void *item)
{
	const struct tenant *tenant = item;

	return id_compare(*(const uint32_t *)key, tenant->record.id);
}

static int
principal_by_id(const void *key, const void *item)
{
	const struct principal *principal = item;

	return id_compare(*(const uint32_t *)key, principal->record.id);
}

static int
principal_by_hash(const void *key, const void *item)
{
	const struct principal *principal = item;

	return memcmp(
	    key, principal->record.hash, sizeof(principal->record.hash));
}

static int
server_by_name(const void *key, const void *item)
{
	const struct server_key *wanted = key;
	const struct server *server = item;
	const int order = id_compare(wanted->tenant, server->record.tenant);

	return order != 0 ? order : strcmp(wanted->name, server->name);
}

static int
ended_by_session(const void *key, const void *item)
{
	const struct ended *ended = item;

	return memcmp(
	    key, ended->record.session, sizeof(ended->record.session));
}

void
registry_tenant_unref(struct tenant *tenant)
{
	if (--tenant->users == 0)
		free(tenant);
}

struct principal *
principal_ref(struct principal *principal)
{
	principal->users++;
	return principal;
}

struct principal *
principal_unref(struct principal *principal)
{
	if (principal != NULL && --principal->users == 0) {
		registry_tenant_unref(principal->tenant);
		free(principal);
	}
	return NULL;
}

struct server *
server_ref(struct server *server)
{
	server->users++;
	return server;
}

struct server *
server_unref(struct server *server)
{
	if (server != NULL && --server->users == 0) {
		server_log_free(server);
		free(server->egress);
		registry_tenant_unref(server->tenant);
		free(server);
	}
	return NULL;
}

uint64_t
registry_now_s(void)
{
	return (uint64_t)time(NULL);
}

bool
registry_server_is_live(const struct server *server)
{
	return !server->gone && !server->tenant->gone &&
	    server->record.state == WIRE_STATE_APPROVED;
}

struct tenant *
registry_tenant_add(struct registry *registry, uint32_t id)
{
	if (registry->tenants.n >= REGISTRY_TENANTS_MAX)
		return NULL;
	struct tenant *tenant = calloc(1, sizeof(*tenant));
	if (tenant == NULL)
		return NULL;
	tenant->record.id = id;
	tenant->users = 1;
	TAILQ_INIT(&tenant->waiting);
	if (sorted_add(&registry->tenants, &id, tenant) != 0) {
		free(tenant);
		return NULL;
	}
	return tenant;
}

/* Whoever would have expired anyhow makes room, then who is next to. */
static void
ended_make_room(struct registry *registry)
{
	const uint64_t now = registry_now_s();
	size_t soonest = 0;

	for (size_t i = registry->ended.n; i-- > 0;) {
		struct ended *ended = registry->ended.items[i];
		const struct ended *least = registry->ended.items[soonest];
		if (ended->record.until <= now) {
			sorted_remove(&registry->ended, ended->record.session);
			free(ended);
			soonest = 0;
		} else if (ended->record.until < least->record.until) {
			soonest = i;
		}
	}
	if (registry->ended.n < REGISTRY_ENDED_MAX)
		return;
	struct ended *least = registry->ended.items[soonest];
	sorted_remove(&registry->ended, least->record.session);
	free(least);
}

int
registry_ended_add(
    struct registry *registry, const struct wire_ended *record, unsigned epoch)
{
	struct ended *ended = sorted_find(&registry->ended, record->session);

	if (ended == NULL) {
		if (registry->ended.n >= REGISTRY_ENDED_MAX)
			ended_make_room(registry);
		ended = calloc(1, sizeof(*ended));
		if (ended == NULL)
			return -ENOMEM;
		ended->record = *record;
		const int r =
		    sorted_add(&registry->ended, record->session, ended);
		if (r != 0) {
			free(ended);
			return r;
		}
	}
	ended->epoch = epoch;
	return 0;
}

static int
anonymous_make(struct registry *registry)
{
	struct tenant *tenant =
	    registry_tenant_add(registry, WIRE_TENANT_LOCAL);
	struct principal *principal = calloc(1, sizeof(*principal));

	registry->anonymous = principal;
	if (tenant == NULL || principal == NULL)
		return -ENOMEM;
	memcpy(tenant->record.name, "local", sizeof("local"));
	tenant->users++;
	*principal = (struct principal){
		.record = {
			.tenant = WIRE_TENANT_LOCAL,
			.scopes = WIRE_SCOPE_READ | WIRE_SCOPE_CALL,
			.name = "anonymous",
		},
		.tenant = tenant,
		.users = 1,
	};
	return 0;
}

int
registry_start(struct gateway *gateway)
{
	struct registry *registry = calloc(1, sizeof(*registry));

	gateway->registry = registry;
	if (registry == NULL)
		return -ENOMEM;
	registry->tenants.compare = tenant_by_id;
	registry->principals.compare = principal_by_id;
	registry->tokens.compare = principal_by_hash;
	registry->names.compare = server_by_name;
	registry->ended.compare = ended_by_session;
	registry->next_expiry = UINT64_MAX;
	return anonymous_make(registry);
}

/* Nobody else holds anything any more. */
void
registry_stop(struct gateway *gateway)
{
	struct registry *registry = gateway->registry;

	if (registry == NULL)
		return;
	for (size_t i = 0; i < registry->principals.n; i++)
		principal_unref(registry->principals.items[i]);
	for (size_t i = 0; i < registry->names.n; i++)
		server_unref(registry->names.items[i]);
	if (registry->anonymous != NULL && registry->anonymous->tenant != NULL)
		principal_unref(registry->anonymous);
	for (size_t i = 0; i < registry->tenants.n; i++)
		registry_tenant_unref(registry->tenants.items[i]);
	for (size_t i = 0; i < registry->ended.n; i++)
		free(registry->ended.items[i]);
	sorted_fini(&registry->principals);
	sorted_fini(&registry->tokens);
	sorted_fini(&registry->names);
	sorted_fini(&registry->tenants);
	sorted_fini(&registry->ended);
	sodium_memzero(registry->key, sizeof(registry->key));
	free(registry);
	gateway->registry = NULL;
}

/* What the rest of the gateway asks. */

struct principal *
registry_principal_by_hash(struct gateway *gateway, const uint8_t hash[32])
{
	uint8_t outer[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(outer, hash, crypto_hash_sha256_BYTES);
	struct principal *principal =
	    sorted_find(&gateway->registry->tokens, outer);

	if (principal == NULL)
		return NULL;
	const uint64_t expires = principal->record.expires;
	return expires != 0 && expires <= registry_now_s() ? NULL : principal;
}

struct principal *
registry_principal_by_id(struct gateway *gateway, uint32_t id)
{
	return sorted_find(&gateway->registry->principals, &id);
}

struct principal *
registry_anonymous(struct gateway *gateway)
{
	return gateway->registry->anonymous;
}

struct tenant *
registry_tenant_find(struct gateway *gateway, const char *name)
{
	const struct sorted *tenants = &gateway->registry->tenants;

	for (size_t i = 0; i < tenants->n; i++) {
		struct tenant *tenant = tenants->items[i];
		if (strcmp(tenant->record.name, name) == 0)
			return tenant;
	}
	return NULL;
}

struct server *
registry_server_find(
    struct gateway *gateway, const struct tenant *tenant, const char *name)
{
	const struct server_key key = { tenant->record.id, name };

	return sorted_find(&gateway->registry->names, &key);
}

struct server *
registry_server_by_id(struct gateway *gateway, uint32_t id)
{
	return id < WIRE_DEPLOYMENTS_MAX ? gateway->registry->servers[id]
					 : NULL;
}

static bool
list_names(const char *list, const char *name)
{
	const size_t len = strlen(name);

	while (*list != '\0') {
		list += strspn(list, ", ");
		const size_t n = strcspn(list, ", ");
		if (n == len && memcmp(list, name, n) == 0)
			return true;
		list += n;
	}
	return false;
}

bool
registry_sees(const struct principal *principal, const struct server *server)
{
	const char *list = principal->record.servers;

	return !principal->gone && registry_server_is_live(server) &&
	    server->tenant == principal->tenant &&
	    (principal->record.scopes & WIRE_SCOPE_READ) != 0 &&
	    (list[0] == '\0' || list_names(list, server->name));
}

bool
registry_may_call(
    const struct principal *principal, const struct server *server)
{
	return registry_sees(principal, server) &&
	    (principal->record.scopes & WIRE_SCOPE_CALL) != 0;
}

struct server *
registry_next(struct gateway *gateway, const struct principal *principal,
    const struct server *last)
{
	const struct sorted *names = &gateway->registry->names;
	const struct server_key key = { principal->record.tenant,
		last == NULL ? "" : last->name };
	bool found;

	for (size_t i = sorted_place(names, &key, &found) + found; i < names->n;
	     i++) {
		struct server *server = names->items[i];
		if (server->record.tenant != principal->record.tenant)
			return NULL;
		if (registry_sees(principal, server))
			return server;
	}
	return NULL;
}

bool
registry_is_ready(const struct gateway *gateway)
{
	return gateway->registry->ready;
}

const uint8_t *
registry_key(const struct gateway *gateway)
{
	const struct registry *registry = gateway->registry;

	return registry->ready ? registry->key : NULL;
}

bool
registry_session_is_ended(
    const struct gateway *gateway, const uint8_t session[16])
{
	return sorted_find(&gateway->registry->ended, session) != NULL;
}

void
registry_session_end(
    struct gateway *gateway, const uint8_t session[16], uint64_t until)
{
	struct wire_ended record = { .until = until };

	memcpy(record.session, session, sizeof(record.session));
	/* Told now, and again after a snapshot that does not hold it. */
	if (registry_ended_add(gateway->registry, &record, 0) != 0)
		log_line(LOG_ERROR, 0, "no memory to keep a session ended");
	store_session_end(gateway, &record);
}

void
registry_ended_untold(struct gateway *gateway, registry_ended_fn *fn, void *arg)
{
	const struct registry *registry = gateway->registry;

	for (size_t i = 0; i < registry->ended.n; i++) {
		const struct ended *ended = registry->ended.items[i];
		if (ended->epoch != registry->epoch)
			fn(arg, &ended->record);
	}
}

void
registry_counts_get(
    const struct gateway *gateway, struct registry_counts *counts)
{
	const struct registry *registry = gateway->registry;

	*counts = (struct registry_counts){
		.tenants = (uint32_t)registry->tenants.n,
		.tokens = (uint32_t)registry->principals.n,
		.ended = (uint32_t)registry->ended.n,
	};
	for (size_t i = 0; i < registry->names.n; i++) {
		const struct server *server = registry->names.items[i];
		counts->servers[server->record.state]++;
	}
}

struct tenant *
registry_tenant_at(struct gateway *gateway, size_t i)
{
	const struct sorted *set = &gateway->registry->tenants;

	return i < set->n ? set->items[i] : NULL;
}

struct principal *
registry_principal_at(struct gateway *gateway, size_t i)
{
	const struct sorted *set = &gateway->registry->principals;

	return i < set->n ? set->items[i] : NULL;
}

struct server *
registry_server_at(struct gateway *gateway, size_t i)
{
	const struct sorted *set = &gateway->registry->names;

	return i < set->n ? set->items[i] : NULL;
}
