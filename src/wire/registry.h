/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The registry, as the store tells it: tenants, tokens, servers. Records of
 * fixed size, complete each: the newest of an id is what holds; `gone` takes it
 * away. The gateway keeps a replica and asks nobody on its hot path; so it
 * serves on while the store restarts.
 *
 * Between gateway and store runs a stream socket of frames (struct wire_frame;
 * `reserved` carries an id, `code` a status), never blocking on the gateway's
 * side. The store opens with a snapshot: KEY, then all tenants, tokens, servers
 * and ended sessions, then SNAPSHOT; after that, changes as they are made.
 * A gateway that gets a second snapshot forgets what is not in it. Behind a
 * server in a box that is approved stands what it advertised (KNOWN), where it
 * was ever asked: a list then starts nothing. There may be servers without it,
 * so that a snapshot stays small.
 *
 * Audit records are numbered. The gateway holds them until the store says that
 * they are durable, and says them again to the next store; what that one has
 * already, it drops.
 */

#include <stdint.h>

#include "wire/limits.h"
#include "wire/plan.h"

enum wire_store_frame {
	/* store -> gateway */
	WIRE_STORE_KEY = 1, /* 32 bytes: seals session ids and states */
	WIRE_STORE_TENANT, /* struct wire_tenant */
	WIRE_STORE_TOKEN, /* struct wire_token */
	WIRE_STORE_SERVER, /* struct wire_server */
	WIRE_STORE_ENDED, /* struct wire_ended; both directions */
	WIRE_STORE_SNAPSHOT, /* nothing: the snapshot is complete */
	WIRE_STORE_REPLY, /* id; code: HTTP status; JSON */
	/* gateway -> store */
	WIRE_STORE_ADMIN, /* id; struct wire_admin, then the JSON body */
	WIRE_STORE_AUDIT, /* struct wire_audit, then a JSON object */
	WIRE_STORE_SURFACE, /* id: a server; JSON: what it advertises */
	/* store -> gateway */
	WIRE_STORE_KEPT, /* struct wire_kept: audit that is durable */
	WIRE_STORE_KNOWN, /* id: a server, told before; JSON: what it advertised
			   * when it was what it is now */
	WIRE_STORE_N_FRAMES,
};

#define WIRE_STORE_BODY_MAX (48u << 20) /* a bundle as JSON, at most */
#define WIRE_STORE_SURFACE_MAX (4u << 20) /* SURFACE, KNOWN */

/* What a tenant or a token may spend; 0 is no limit of its own. */
struct wire_quota {
	uint32_t requests_per_minute;
	uint32_t concurrent; /* calls at once */
	uint64_t cpu_ms_per_minute;
	uint64_t memory_bytes; /* tenants: their control group */
	uint64_t result_bytes; /* one answer */
};

struct wire_tenant {
	uint32_t id; /* 1 is "local", which always exists */
	uint32_t gone;
	char name[WIRE_NAME_MAX];
	struct wire_quota quota;
};

#define WIRE_TENANT_LOCAL 1u

#define WIRE_SCOPE_READ 1u /* lists, resources, prompts */
#define WIRE_SCOPE_CALL 2u /* tools */
#define WIRE_SCOPE_ADMIN 4u /* /admin */

#define WIRE_SERVERS_TEXT 1024

/*
 * `hash` tells a token, but is of no use to whoever only has it: it is SHA-256
 * of SHA-256 of the token. An admin request says the inner one, which comes
 * with the token alone; so a gateway that was taken over cannot administer with
 * what it knows of tokens that it never saw.
 */
struct wire_token {
	uint32_t id; /* the principal: in sessions, quotas, audit */
	uint32_t gone;
	uint32_t tenant;
	uint32_t scopes; /* WIRE_SCOPE_… */
	uint64_t expires; /* seconds since 1970; 0: never */
	uint8_t hash[32];
	char name[WIRE_NAME_MAX];
	char servers[WIRE_SERVERS_TEXT]; /* names by comma; "": all */
	struct wire_quota quota;
};

enum wire_state {
	WIRE_STATE_QUARANTINED, /* new: invisible, uncallable */
	WIRE_STATE_APPROVED,
	WIRE_STATE_CHANGED, /* was approved; is not what was approved */
	WIRE_STATE_DENIED,
};

enum wire_origin {
	WIRE_ORIGIN_FOLDER, /* `cordon serve DIR`: comes and goes with it */
	WIRE_ORIGIN_ADMIN, /* `cordon upstream add` */
};

struct wire_server {
	uint32_t id; /* its deployment: the supervisor's, the pool's */
	uint32_t gone;
	uint32_t tenant;
	uint32_t state; /* enum wire_state */
	uint32_t origin; /* enum wire_origin */
	struct wire_deployment launch; /* bundle_fd: not here */
};

/* A session that its client, or an admin, ended: valid ids of it are refused
 * until the time (seconds since 1970) when they would have expired anyhow. */
struct wire_ended {
	uint8_t session[16];
	uint64_t until;
};

struct wire_admin {
	uint8_t token_hash[32]; /* SHA-256 of the token: the store looks at the
				 * right itself */
	char method[8];
	char path[512]; /* below /admin, with its query */
	char request[20]; /* X-Request-Id, for the audit */
};

#define WIRE_BOOT 12

/* What the gateway reports; the store adds time, number and the chain. */
struct wire_audit {
	uint32_t principal; /* token id; 0: none */
	uint32_t tenant;
	char request[20];
	char action[32]; /* "tools/call", "session/end", "refused" … */
	uint8_t boot[WIRE_BOOT]; /* random: this life of the gateway */
	uint64_t sequence; /* of the records of that life, from 1 */
};

/* All records of that life up to this one are durable, or told as lost. */
struct wire_kept {
	uint8_t boot[WIRE_BOOT];
	uint32_t reserved;
	uint64_t sequence;
};
