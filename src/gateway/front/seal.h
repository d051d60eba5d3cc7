/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a client keeps for us: session ids, requestStates, event ids. Sealed
 * with XChaCha20-Poly1305 under a key of their own purpose, bound to who may
 * use them and where; so they outlive the gateway, and nobody else's opens.
 * Event ids are in clear with a tag.
 */

#include <stdbool.h>
#include <stdint.h>

#include "json/json.h"
#include "json/out.h"

#define SEAL_KEY_BYTES 32
#define SEAL_ID_BYTES 16
#define SEAL_DIGEST_BYTES 32

#define SEAL_E_FORGED 1 /* not ours, or not for this principal and endpoint */

/* For whom and where. */
struct seal_binding {
	uint32_t principal;
	const char *tenant;
	const char *server; /* "": the aggregate */
};

struct seal_session {
	uint8_t id[SEAL_ID_BYTES];
	uint64_t issued; /* milliseconds since 1970 */
	uint32_t can; /* MCP_CAN_… */
	uint8_t version; /* mcp_version_number() */
};

#define SEAL_SESSION_TEXT 112 /* with the NUL */

void seal_session_write(const uint8_t key[SEAL_KEY_BYTES],
    const struct seal_binding *binding, const struct seal_session *session,
    char text[SEAL_SESSION_TEXT]);
int seal_session_admit(const uint8_t key[SEAL_KEY_BYTES],
    const struct seal_binding *binding, const char *raw_text,
    struct seal_session *session);

enum seal_state_kind {
	SEAL_PARKED = 1, /* a call waits here: id and round say which */
	SEAL_WRAPPED, /* a server's own state, in `inner` */
};

struct seal_state {
	uint8_t kind; /* enum seal_state_kind */
	uint8_t id[SEAL_ID_BYTES];
	uint32_t round;
	uint64_t expires; /* seconds since 1970 */
	uint8_t digest[SEAL_DIGEST_BYTES]; /* of the request */
	struct json_span inner; /* a raw JSON string */
};

#define SEAL_INNER_MAX (256u << 10) /* bytes of a server's own state */

/* Appends a JSON string. JSON_E_TOO_LONG: inner is too long. -ENOMEM. */
int seal_state_write(const uint8_t key[SEAL_KEY_BYTES],
    const struct seal_binding *binding, const struct seal_state *state,
    struct json_out *out);
/* raw_string: a JSON string of a checked text. *ownerp, for free(), holds what
 * state->inner points into. SEAL_E_FORGED, -ENOMEM. */
int seal_state_admit(const uint8_t key[SEAL_KEY_BYTES],
    const struct seal_binding *binding, struct json_span raw_string,
    struct seal_state *state, char **ownerp);

/* What a retry must have in common with the request it repeats: white space
 * outside strings does not count; no arguments are {}. */
void seal_digest(struct json_span method, struct json_span name,
    struct json_span arguments, uint8_t digest[SEAL_DIGEST_BYTES]);

/* Where in which stream of a session: SSE's event id. */
struct seal_event {
	uint32_t stream;
	uint32_t sequence;
};

#define SEAL_EVENT_TEXT 33 /* with the NUL */

void seal_event_write(const uint8_t key[SEAL_KEY_BYTES],
    const uint8_t session[SEAL_ID_BYTES], const struct seal_event *event,
    char text[SEAL_EVENT_TEXT]);
int seal_event_admit(const uint8_t key[SEAL_KEY_BYTES],
    const uint8_t session[SEAL_ID_BYTES], const char *raw_text,
    struct seal_event *event);
