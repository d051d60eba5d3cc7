/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/pack.h"
#include "vault/vault.h"
#include "wire/registry.h"
#include "wire/wire.h"

static char text[WIRE_TEXT_MAX + 1];

static const char *const type_names[] = {
#define WIRE_MESSAGE(type, fds, text) #type,
#include "wire/wire.def"
#undef WIRE_MESSAGE
};

void
play_must(int condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	_exit(99);
}

static void
text_print(const char *name, const char *value)
{
	printf(",\"%s\":\"", name);
	for (; *value != '\0'; value++)
		putchar(*value == '"' || *value == '\\' ? '\'' : *value);
	putchar('"');
}

static void
message_print(const struct wire_message *message, const int *fds)
{
	printf("{\"type\":\"%s\",\"id\":%u,\"status\":%d",
	    type_names[message->type], message->id, message->status);
	if (message->text_len == sizeof(struct wire_deployment) &&
	    (message->type == WIRE_DEPLOY ||
		message->type == WIRE_DEPLOY_SOCKET)) {
		struct wire_deployment record;
		struct stat stat = { 0 };
		memcpy(&record, text, sizeof(record));
		if (fds[0] >= 0)
			fstat(fds[0], &stat);
		text_print("name", record.name);
		text_print("tenant", record.tenant);
		text_print("socket", record.socket);
		printf(",\"kind\":%u,\"share\":%u,\"spares\":%u,\"flags\":%u",
		    record.kind, record.share, record.box.spares, record.flags);
		printf(",\"bytes\":%ld,\"seals\":%d", (long)stat.st_size,
		    fds[0] >= 0 ? fcntl(fds[0], F_GET_SEALS) : -1);
	} else if (message->type == WIRE_TENANT) {
		struct wire_tenant record;
		memcpy(&record, text, sizeof(record));
		text_print("name", record.name);
		printf(",\"gone\":%u,\"memory\":%llu", record.gone,
		    (unsigned long long)record.quota.memory_bytes);
	} else {
		text_print("text", text);
	}
	puts("}");
	fflush(stdout);
}

int
play_hear(int fd)
{
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	const int code = wire_receive(fd, 0, &message, fds, text);
	if (code != 0)
		return 0;
	message_print(&message, fds);
	for (size_t i = 0; i < WIRE_FDS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return 1;
}

static struct wire_server
server_named(const char *name, uint32_t kind)
{
	struct wire_server server = { .launch = { .kind = kind,
					  .pool_max = 4,
					  .bundle_fd = -1,
					  .limits = WIRE_LIMITS_DEFAULT } };

	snprintf(server.launch.name, WIRE_NAME_MAX, "%s", name);
	strcpy(server.launch.tenant, "local");
	return server;
}

static void
bundle_send(int fd, const char *name, const char *path, const char *network)
{
	const struct wire_server server = server_named(name, WIRE_KIND_ISOLATE);
	const size_t network_len = strlen(network);
	const struct wire_message message = { .type = WIRE_SERVER_BUNDLE,
		.text_len = (uint32_t)(sizeof(server) + network_len) };
	struct pack_writer writer;
	uint8_t *bytes = NULL;
	size_t len = 0;
	int memfd = -1;

	auto_close int file_fd = open(path, O_RDONLY | O_CLOEXEC);
	play_must(
	    fd_read_all(file_fd, PACK_BYTES_MAX, &bytes, &len) == 0, path);
	play_must(pack_writer_init(&writer) == 0 &&
		pack_writer_add(&writer, "tool.js", bytes, len) == 0 &&
		pack_writer_seal(&writer, &memfd) == 0,
	    "pack");
	memcpy(text, &server, sizeof(server));
	memcpy(text + sizeof(server), network, network_len);
	play_must(wire_send(fd, &message, &memfd, 1, text) == 0, "send");
	close(memfd);
	free(bytes);
	pack_writer_fini(&writer);
}

/* A launch document, as `cordon serve` makes one of its settings. */
static void
box_send(int fd, const char *name, const char *path)
{
	struct wire_server server = server_named(name, WIRE_KIND_BOX);
	const struct wire_message message = { .type = WIRE_SERVER_BUNDLE,
		.text_len = sizeof(server) };
	uint8_t *bytes = NULL;
	size_t len = 0;
	int memfd = -1;

	server.launch.box = (struct wire_box)WIRE_BOX_DEFAULT;
	auto_close int file_fd = open(path, O_RDONLY | O_CLOEXEC);
	play_must(fd_read_all(file_fd, 2u << 20, &bytes, &len) == 0, path);
	play_must(fd_memfd_seal("document", bytes, len, &memfd) == 0, "seal");
	play_must(
	    wire_send(fd, &message, &memfd, 1, (const char *)&server) == 0,
	    "send");
	close(memfd);
	free(bytes);
}

static void
socket_send(int fd, const char *name, const char *path)
{
	struct wire_server server = server_named(name, WIRE_KIND_SOCKET);
	const struct wire_message message = { .type = WIRE_SERVER_SOCKET,
		.text_len = sizeof(server) };

	snprintf(
	    server.launch.socket, sizeof(server.launch.socket), "%s", path);
	play_must(wire_send(fd, &message, NULL, 0, (const char *)&server) == 0,
	    "send");
}

static void
remote_send(int fd, const char *name, const char *url, const char *network)
{
	struct wire_server server = server_named(name, WIRE_KIND_REMOTE);
	const size_t network_len = strlen(network);
	const struct wire_message message = { .type = WIRE_SERVER_SOCKET,
		.text_len = (uint32_t)(sizeof(server) + network_len) };

	snprintf(server.launch.url, sizeof(server.launch.url), "%s", url);
	memcpy(text, &server, sizeof(server));
	memcpy(text + sizeof(server), network, network_len);
	play_must(wire_send(fd, &message, NULL, 0, text) == 0, "send");
}

void
play_link(int fd, int gateway_fd)
{
	wire_send(fd, &(struct wire_message){ .type = WIRE_STORE }, &gateway_fd,
	    1, NULL);
	close(gateway_fd);
}

static void
egress_link(int fd, int egress_fd)
{
	wire_send(fd, &(struct wire_message){ .type = WIRE_EGRESS_STORE },
	    &egress_fd, 1, NULL);
	close(egress_fd);
}

int
play_vault(const char *keys)
{
	struct vault_ring ring;
	int fd = -1;

	play_must(
	    vault_ring_parse(&ring, keys, strlen(keys), NULL) == 0, "keys");
	play_must(
	    fd_memfd_seal("vault", &ring, sizeof(ring), &fd) == 0, "vault");
	return fd;
}

static void
vault_send(int fd, const char *keys)
{
	const int vault_fd = play_vault(keys);

	wire_send(fd, &(struct wire_message){ .type = WIRE_VAULT }, &vault_fd,
	    1, NULL);
	close(vault_fd);
}

int
play_obey(int fd)
{
	char line[8192], name[64], path[108], network[8192] = "";
	int number;

	if (fgets(line, sizeof(line), stdin) == NULL)
		return 0;
	if (sscanf(line, "bundle %63s %107s %8191[^\n]", name, path, network) >=
	    2)
		bundle_send(fd, name, path, network);
	else if (sscanf(line, "egress %d", &number) == 1)
		egress_link(fd, number);
	else if (sscanf(line, "box %63s %107s", name, path) == 2)
		box_send(fd, name, path);
	else if (sscanf(line, "remote %63s %107s %8191[^\n]", name, path,
		     network) >= 2)
		remote_send(fd, name, path, network);
	else if (sscanf(line, "socket %63s %107s", name, path) == 2)
		socket_send(fd, name, path);
	else if (strncmp(line, "vault ", 6) == 0)
		vault_send(fd, line + 6);
	else if (strcmp(line, "commit\n") == 0)
		wire_send(fd, &(struct wire_message){ .type = WIRE_COMMIT },
		    NULL, 0, NULL);
	else if (strcmp(line, "link\n") == 0)
		play_link(fd, 4);
	else
		play_must(0, line);
	return 1;
}
