/* SPDX-License-Identifier: Apache-2.0
 *
 * The smallest MCP server on stdio: one tool, one line a message. It takes next
 * to nothing itself, so what a hundred of them take is what holds them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

static const struct answer {
	const char *method;
	const char *result;
} answers[] = {
	{ "\"initialize\"",
	    "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}"
	    "},\"serverInfo\":{\"name\":\"line\",\"version\":\"1\"}}" },
	{ "\"tools/list\"",
	    "{\"tools\":[{\"name\":\"tiny\",\"inputSchema\":{\"type\":"
	    "\"object\"}}]}" },
	{ "\"tools/call\"",
	    "{\"content\":[{\"type\":\"text\",\"text\":"
	    "\"{\\\"doublePrice\\\":90}\"}]}" },
	{ "\"ping\"", "{}" },
};

/* The id as it stands there: what is asked here has no other member of that
 * name before it. */
static int
id_find(const char *line, const char **id)
{
	const char *at = strstr(line, "\"id\":");

	if (at == NULL)
		return 0;
	*id = at + 5;
	return (int)strcspn(*id, ",}\n");
}

static void
answer(const char *line)
{
	const char *id;
	const int len = id_find(line, &id);

	if (len == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		if (strstr(line, answers[i].method) == NULL)
			continue;
		printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%s}\n", len,
		    id, answers[i].result);
		return;
	}
	printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":{\"code\":-32601,"
	       "\"message\":\"no such method\"}}\n",
	    len, id);
}

int
main(void)
{
	size_t size = 0;

	auto_free char *line = NULL;
	while (getline(&line, &size, stdin) > 0) {
		answer(line);
		fflush(stdout);
	}
	return 0;
}
