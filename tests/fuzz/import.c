/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A configuration of another client: whatever it holds, a server that can be
 * brought has a good name of its own and a command, and of the others it is
 * said why not.
 */

#include <stdlib.h>
#include <string.h>

#include "ctl/host/import_read.h"
#include "ctl/serve/catalog.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static void
server_check(const struct ctl_import *import, size_t i)
{
	const struct ctl_import_server *server = &import->servers[i];
	size_t n = 0;

	CHECK(server->from != NULL);
	CHECK(memchr(server->why, '\0', sizeof(server->why)) != NULL);
	if (server->why[0] != '\0')
		return;
	CHECK(ctl_name_is_valid(server->name));
	for (size_t other = 0; other < i; other++)
		CHECK(strcmp(import->servers[other].name, server->name) != 0);
	CHECK(server->argv != NULL && server->argv[0][0] != '\0');
	while (server->argv[n] != NULL)
		n++;
	CHECK(n <= CTL_IMPORT_WORDS_MAX + 1);
	CHECK(server->n_env <= CTL_IMPORT_WORDS_MAX);
	for (size_t v = 0; v < server->n_env; v++) {
		CHECK(server->env[v].name[0] != '\0');
		CHECK(server->env[v].value != NULL);
		CHECK(strchr(server->env[v].name, '=') == NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char *const env[] = { "A=one", "TOKEN=two", NULL };
	static const struct ctl_import_place place = {
		.home = "/home/x", .workspace = "/srv", .env = env
	};
	struct ctl_import import;
	struct err err = { "" };

	const int r = ctl_import_read(
	    "test", (const char *)bytes, len, &place, &import, &err);
	CHECK((r != 0) == (err.text[0] != '\0'));
	if (r != 0)
		return 0;
	CHECK(import.n <= CTL_IMPORT_SERVERS_MAX);
	for (size_t i = 0; i < import.n; i++)
		server_check(&import, i);
	ctl_import_fini(&import);
	return 0;
}
