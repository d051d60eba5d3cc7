/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What registry.c (questions) and records.c (what the store says) share. Not
 * for others. */

#include "base/sorted.h"
#include "gateway/registry.h"

struct ended {
	struct wire_ended record;
	unsigned epoch;
};

struct registry {
	struct sorted tenants; /* by id */
	struct sorted principals; /* by id */
	struct sorted tokens; /* the same ones, by hash */
	struct sorted names; /* servers by tenant and name */
	struct sorted ended; /* by session */
	struct server *servers[WIRE_DEPLOYMENTS_MAX]; /* by id */
	struct principal *anonymous;
	uint64_t next_expiry; /* seconds since 1970; UINT64_MAX: none */
	unsigned epoch; /* of the snapshot that is coming in, or came last */
	uint8_t key[32];
	bool ready;
};

struct server_key {
	uint32_t tenant;
	const char *name;
};

struct tenant *registry_tenant_add(struct registry *registry, uint32_t id);
void registry_tenant_unref(struct tenant *tenant);

/* Approved, and neither it nor its tenant gone. */
bool registry_server_is_live(const struct server *server);

/* Until when it is refused, and which snapshot named it (0: none). -ENOMEM. */
int registry_ended_add(
    struct registry *registry, const struct wire_ended *record, unsigned epoch);

uint64_t registry_now_s(void);
