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
	uint8_t token_hash[32]; /* SHA-256 of the bearer token */
	char hosts[512]; /* Host values to accept besides loopback, by comma */
	char origins[512]; /* Origin values to accept, by comma */
};

#define WIRE_PLAN_NO_AUTH 1u /* the operator said --no-auth */
#define WIRE_PLAN_LOG_JSON 2u /* log lines as JSON objects */
#define WIRE_PLAN_VERBOSE 4u /* debug level */
#define WIRE_PLAN_ONCE 8u /* a single call: start fast, not to last */

struct wire_deployment {
	char name[WIRE_NAME_MAX]; /* [a-z0-9] then [a-z0-9._-]* */
	char tenant[WIRE_NAME_MAX];
	int32_t bundle_fd; /* sealed memfd in the form of base/pack.h */
	uint32_t pool_max; /* waiting cells at most */
	struct wire_limits limits;
};
