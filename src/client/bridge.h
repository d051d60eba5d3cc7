/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Between a client that speaks MCP on stdio (a JSON-RPC message a line) and a
 * host that speaks it over HTTP. What a message says passes unchanged, both
 * ways; what HTTP wants besides is made from it: the session and the stream
 * of the legacy era, the headers of the modern one.
 */

#include "client/client.h"

#define BRIDGE_LINE_MAX (32u << 20) /* of a message from the client */
#define BRIDGE_REQUESTS_MAX 512 /* without an answer, at once */

struct bridge_task {
	struct client *client; /* borrowed */
	const char *path; /* "/mcp", "/s/NAME/mcp" */
	int in_fd, out_fd; /* borrowed */
	int stop_fd; /* readable: end now; or -1 */
	/* What went wrong, for a person: may hold a stranger's bytes. */
	void (*say)(const char *sentence);
};

/* Until the input has ended and what was asked is answered, the output is
 * closed, or stop_fd is readable. 0, negative errno. */
int bridge_run(const struct bridge_task *task);
