/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/serve/served.h"

#include <stdio.h>
#include <string.h>

#include "json/out.h"

static const char *
kind_name(const struct ctl_server *server)
{
	if (server->kind == WIRE_KIND_SOCKET)
		return "socket";
	if (server->kind == WIRE_KIND_REMOTE)
		return "remote";
	if (server->kind == WIRE_KIND_BOX)
		return "box";
	return server->bundle.is_folder ? "bundle" : "file";
}

static const char *
scheme(const struct ctl_served *served)
{
	return served->has_tls ? "https" : "http";
}

static void
server_add(struct json_out *out, const struct ctl_served *served, size_t i)
{
	const struct ctl_server *server = &served->catalog->servers[i];
	char text[512];

	snprintf(text, sizeof(text),
	    "%s{\"name\":\"%s\",\"kind\":\"%s\","
	    "\"url\":\"%s://%s/s/%s/mcp\"}",
	    i > 0 ? "," : "", server->name, kind_name(server), scheme(served),
	    served->listener->address, server->name);
	json_out_text(out, text);
}

static void
text_add(struct json_out *out, const char *before, const char *text)
{
	json_out_text(out, before);
	json_out_string(out, text, strlen(text));
}

void
ctl_served_print_json(const struct ctl_served *served)
{
	struct json_out out;

	json_out_init(&out, 8u << 20);
	json_out_text(&out, "{\"url\":\"");
	json_out_text(&out, scheme(served));
	json_out_text(&out, "://");
	json_out_text(&out, served->listener->address);
	if (served->no_auth)
		json_out_text(&out, "\",\"token_file\":null");
	else
		text_add(&out, "\",\"token_file\":", served->token->path);
	text_add(&out, ",\"admin_socket\":", served->socket_path);
	json_out_text(&out, ",\"servers\":[");
	for (size_t i = 0; i < served->catalog->n_servers; i++)
		server_add(&out, served, i);
	json_out_text(&out, "]}\n");
	fwrite(out.bytes, 1, out.len, stdout);
	json_out_fini(&out);
}

static void
token_print(const struct ctl_served *served)
{
	const struct ctl_token *token = served->token;

	if (served->no_auth)
		printf("\nNo authentication: every local program may call "
		       "these servers.\n");
	if (token->is_new)
		printf("\nAdmin token, made now and kept in %s:\n\n"
		       "  %s\n",
		    token->path, token->text);
	else
		printf("\nThe admin token is in %s.\n", token->path);
	if (!served->listener->is_loopback && !served->has_tls)
		printf("Other machines can reach this address, and it does "
		       "not speak TLS:\nlet them come through a proxy that "
		       "does, or say --tls-cert and --tls-key.\n");
}

static void
servers_print(const struct ctl_served *served)
{
	const struct ctl_catalog *catalog = served->catalog;
	int width = 4;

	for (size_t i = 0; i < catalog->n_servers; i++) {
		const int len = (int)strlen(catalog->servers[i].name);
		width = len > width ? len : width;
	}
	printf("%-*s  KIND    URL\n", width, "NAME");
	for (size_t i = 0; i < catalog->n_servers; i++)
		printf("%-*s  %-6s  %s://%s/s/%s/mcp\n", width,
		    catalog->servers[i].name, kind_name(&catalog->servers[i]),
		    scheme(served), served->listener->address,
		    catalog->servers[i].name);
	printf("\nThese are approved: you put them there. ");
}

void
ctl_served_print(const struct ctl_served *served)
{
	if (served->catalog->n_servers > 0)
		servers_print(served);
	printf("All servers together:\n%s://%s/mcp\n", scheme(served),
	    served->listener->address);
	printf("Others come by: cordon upstream add NAME FILE, or NAME -- "
	       "COMMAND, then cordon upstream approve NAME.\n");
	token_print(served);
	printf("\nCtrl-C ends it.\n");
}
