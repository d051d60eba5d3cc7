/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The plan: what `cordon` (which reads files and configuration as the person
 * who typed the command) hands to the supervisor (which parses nothing). One
 * sealed memfd holds a struct wire_plan followed by n_deployments records of
 * struct wire_deployment, all of fixed size; descriptors are inherited and
 * named by number. The supervisor is started as
 *
 *     cordon-supervisor --plan FD
 *
 * Strings are NUL-terminated; a record where one is not, is refused.
 */

#include <stdint.h>

#include "wire/limits.h"

#define WIRE_PLAN_MAGIC 0x314e4c50u /* "PLN1" */
#define WIRE_NAME_MAX 64 /* with the NUL */
#define WIRE_DEPLOYMENTS_MAX 4096
#define WIRE_PATH_MAX 1024 /* with the NUL */
#define WIRE_URL_MAX 1024 /* with the NUL */
#define WIRE_BOXES_MAX 1024u /* that run at once, all servers together */

/* What MCP sessions may take; 0 is never "no limit". */
struct wire_sessions {
	uint32_t idle_s; /* without a request or a stream: then it is over */
	uint32_t life_s; /* however busy */
	uint32_t per_principal; /* at once; the longest idle makes room */
	uint32_t per_tenant;
	uint32_t resume_bytes; /* kept of the streams of one session */
	uint32_t ask_s; /* a call waits this long for its client's answer */
	uint32_t asks_max; /* calls of one principal that wait so */
	uint32_t link_idle_s; /* an upstream's link without a call */
};

#define WIRE_SESSIONS_DEFAULT                                                  \
	{                                                                      \
		.idle_s = 1800, .life_s = 86400, .per_principal = 1000,        \
		.per_tenant = 20000, .resume_bytes = 65536, .ask_s = 300,      \
		.asks_max = 32, .link_idle_s = 300                             \
	}

struct wire_plan {
	uint32_t magic;
	uint32_t n_deployments;
	/*
	 * Who calls: client_fd ≥ 0 is a SOCK_SEQPACKET socket whose other end
	 * plays the gateway's part (`cordon run`, the bench); the supervisor
	 * ends when it is closed. Otherwise a gateway is started and serves
	 * the listening socket listen_fd.
	 */
	int32_t client_fd;
	int32_t listen_fd;
	uint64_t memory_budget; /* bytes for resident templates, 0: no end */
	uint32_t cells_max; /* live cells, all deployments together */
	uint32_t flags; /* WIRE_PLAN_… */
	uint8_t token_hash[32]; /* of the bearer token: wire/registry.h */
	char hosts[512]; /* Host values to accept besides loopback, by comma */
	char origins[512]; /* Origin values to accept, by comma */
	/* `cordon serve` only; -1 where there is none. */
	int32_t admin_fd; /* listening Unix socket: HTTP, for the admin */
	int32_t operator_fd; /* SOCK_SEQPACKET: `cordon serve` itself */
	int32_t store_fd; /* O_PATH of the folder that the store may write */
	int32_t tls_fd; /* sealed memfd: certificate chain and key, PEM */
	/* Sealed memfd: struct wire_egress_settings and what follows; with
	 * client_fd, too. Not >= 3: there is no way out. */
	int32_t egress_fd;
	int32_t vault_fd; /* sealed memfd: struct vault_ring, for the store */
	struct wire_sessions sessions;
	char packages[WIRE_PATH_MAX]; /* the folder of package trees, absolute;
				       * "": there is none */
	/* A folder with bundle.pem and cert.pem, which boxes with a network
	 * trust: egress ends TLS for them. "": it ends none. */
	char certificates[WIRE_PATH_MAX];
};

#define WIRE_PLAN_NO_AUTH 1u /* the operator said --no-auth */
#define WIRE_PLAN_LOG_JSON 2u /* log lines as JSON objects */
#define WIRE_PLAN_VERBOSE 4u /* debug level */
#define WIRE_PLAN_SYSTEM_BUNDLE 16u /* certificates: over the system's, too */
#define WIRE_PLAN_ONCE 8u /* a single call: start fast, not to last */

enum wire_kind {
	WIRE_KIND_ISOLATE, /* a bundle, in cells */
	WIRE_KIND_SOCKET, /* MCP lines over a Unix socket somebody serves */
	WIRE_KIND_BOX, /* MCP lines over the stdio of a program in a box */
	WIRE_KIND_REMOTE, /* MCP over HTTP, by way of egress */
};

/* How long boxes live; 0 is the host's default. */
struct wire_box {
	uint32_t start_ms; /* until it has answered its greeting */
	uint32_t idle_s; /* without a call: it ends */
	uint32_t life_s; /* it is replaced, between two calls */
	uint32_t spares; /* started and greeted before they are wanted */
	uint32_t starts_per_minute;
	uint32_t reserved;
};

#define WIRE_BOX_DEFAULT                                                       \
	{                                                                      \
		.start_ms = 30000, .idle_s = 300, .life_s = 86400,             \
		.spares = 0, .starts_per_minute = 30                           \
	}

/* Who shares one link to a server that is not an isolate. */
enum wire_share {
	WIRE_SHARE_PRINCIPAL, /* the calls of one principal */
	WIRE_SHARE_SESSION, /* a legacy session; modern calls: a principal */
	WIRE_SHARE_ALL,
};

/* Of the rule that a remote server's URL is: enum addr_method. */
#define WIRE_REMOTE_METHODS (1u | 4u | 32u) /* GET, POST, DELETE */

#define WIRE_DEPLOYMENT_EGRESS 1u /* it may reach something: wire/egress.h */

struct wire_deployment {
	uint32_t kind; /* enum wire_kind */
	uint32_t share; /* enum wire_share */
	char socket[108]; /* KIND_SOCKET: its path */
	uint8_t digest[32]; /* SHA-256 of the bundle, document, path or URL */
	char name[WIRE_NAME_MAX]; /* [a-z0-9] then [a-z0-9._-]* */
	char tenant[WIRE_NAME_MAX];
	/* A sealed memfd: ISOLATE: in the form of base/pack.h; BOX: towards the
	 * store a launch document (policy/policy.h), towards the supervisor a
	 * box spec (box/spec.h); SOCKET, REMOTE: -1. */
	int32_t bundle_fd;
	uint32_t pool_max; /* waiting cells at most */
	uint32_t flags; /* WIRE_DEPLOYMENT_… */
	struct wire_box box; /* KIND_BOX */
	struct wire_limits limits;
	/* KIND_REMOTE: canonical, https, without a fragment (addr/url.h); what
	 * it may reach is addr_rule_of_url() of it, at least
	 * (WIRE_REMOTE_METHODS). */
	char url[WIRE_URL_MAX];
};
