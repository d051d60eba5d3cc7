/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the front door knows of a request, from its head until it is over:
 * route.c's, lent to those it hands requests to.
 */

#include "gateway/gateway.h"

enum place {
	PLACE_NONE,
	PLACE_METRICS,
	PLACE_ADMIN,
	PLACE_MCP, /* an endpoint's /mcp */
	PLACE_RAW, /* anything else below /s/NAME */
};

/* The tags of the listeners (http/server.h). */
enum listener {
	LISTENER_TCP,
	LISTENER_ADMIN, /* the Unix socket */
};

struct arrival {
	struct gateway *gateway;
	struct http_request *request;
	struct principal *principal; /* held; NULL: it came with no token */
	struct server *server; /* held; NULL: the aggregate, or none */
	enum place place;
	const char *rest; /* of the target: behind /admin, /mcp, /s/NAME */
	uint64_t id; /* in the log, and X-Request-Id */
	uint64_t began_us;
	TAILQ_ENTRY(arrival) in_turn; /* turn.c's, while it waits */
	bool is_waiting;
	bool is_held; /* it counts as a connection of its principal's */
};

/* Its turn has come: all of its body is here. */
void route_serve(struct arrival *arrival);

/* Exactly this path, whatever the query. */
bool route_is_path(const char *target, const char *path);

/* cors.c: answers a preflight; false: it is none. */
bool cors_answer(struct gateway *gateway, struct http_request *request);

/* The headers that let a page of this Origin, which is allowed, read what it
 * gets. */
void cors_allow(struct http_request *request, const char *origin);

/* cors.c: RFC 9728, for whoever asks. */
bool is_resource_metadata(const char *target);
void
resource_metadata_answer(struct gateway *gateway, struct http_request *request);
/* The value of WWW-Authenticate for this request; `scope`: what lacks. */
void challenge_set(struct http_request *request, const char *scope);

/* admin.c: in head() and in request(); the principal may administer. */
void admin_head(struct arrival *arrival, struct http_request *request);
void admin_request(struct arrival *arrival, struct http_request *request);
