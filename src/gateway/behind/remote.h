/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A remote server: the lines of a link, carried by HTTP by way of egress. What
 * the link writes becomes a POST each; what comes back, answers and streams of
 * events, is told to it as lines (link_hear). So all above the last hop is what
 * it is for a server that speaks over stdio.
 *
 *   Streamable HTTP, legacy   the session that the answer to initialize names;
 *                             a GET stream for what the server says unasked;
 *                             a stream that breaks off is asked for again with
 *                             Last-Event-ID; DELETE at the end
 *   Streamable HTTP, modern   no session; Mcp-Method, Mcp-Name, Mcp-Param-…;
 *                             closing a stream is how a call is cancelled
 *   HTTP+SSE (2024-11-05)     where initialize cannot be POSTed: a GET stream
 *                             first, whose endpoint must be of the same origin
 *
 * Statuses become words of the link: a probe that is refused as such (400, 404,
 * 405 …) is an answer, so initialize follows; 401, 403, 429 and 5xx say nothing
 * of the era and end the link. 404 with a session ends it too, and what it
 * refused begins anew on the next link.
 */

#include "gateway/behind/behind.h"

struct remote;

/* Takes the descriptor. NULL: out of memory. */
struct remote *remote_new(struct link *link, int raw_fd);

/* A message of the link, without a newline. False: the queue is full, or
 * memory is. */
bool remote_send(struct remote *remote, const struct json_out *message,
    struct upstream_call *call);

/* Takes a request back that was not sent yet; false: it is out. */
bool remote_unsend(struct remote *remote, const struct upstream_call *call);

/* The link is over: says good-bye, and is gone by itself. Nothing is told to
 * the link any more. */
void remote_leave(struct remote *remote);
