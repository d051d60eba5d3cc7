/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How a server is launched, as the admin API has it: read out of a body
 * (launch.c), written into an answer (launch_put.c); what a server in a box is
 * (document.c).
 */

#include "store/admin.h"

enum launch_member {
	LAUNCH_NAME,
	LAUNCH_KIND,
	LAUNCH_FILES,
	LAUNCH_SOCKET,
	LAUNCH_URL,
	LAUNCH_COMMAND,
	LAUNCH_CWD,
	LAUNCH_POLICY,
	LAUNCH_NETWORK,
	LAUNCH_PACKAGE,
	LAUNCH_BOX,
	LAUNCH_SHARE,
	LAUNCH_POOL_MAX,
	LAUNCH_LIMITS,
	LAUNCH_REUSE,
	LAUNCH_JIT,
	LAUNCH_WARMUP,
	LAUNCH_MEMBERS,
};

/* Takes the body of the request apart, into `launch`; its digest is not set
 * yet. 0, or a status. */
int launch_read(struct request *request, struct member members[LAUNCH_MEMBERS],
    struct wire_deployment *launch);

/* In the order of the enums. */
extern const char *const launch_states[WIRE_STATE_DENIED + 1];
extern const char *const launch_kinds[WIRE_KIND_REMOTE + 1];
extern const char *const launch_shares[WIRE_SHARE_ALL + 1];

/* Of a longer launch document nothing stands in a list: that of all servers
 * must stay within what an answer may have. */
#define LAUNCH_LISTED_MAX 2048u

/* A server, without its brackets. Negative errno. */
int launch_put(struct store *store, const struct db_server *server,
    size_t document_max, struct json_out *out);

/* The document that the members make, in its one spelling; the caller finishes
 * `out`. It is refused where no box can be made of it, or where it names paths
 * of the host and whoever asks may not. 0, or a status. */
int document_make(struct request *request, const struct member *members,
    struct json_out *out);
/* ,"command":… and all else that stands in it, unless it is longer than `max`.
 * Negative errno. */
int document_put(struct store *store, const uint8_t digest[DB_DIGEST],
    size_t max, struct json_out *out);
