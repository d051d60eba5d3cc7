/* SPDX-License-Identifier: Apache-2.0 */

/*
 * launch-store STORE FOLDER: a real store in its box, under a supervisor that
 * this plays. Descriptor 3 becomes the gateway's end, 4 that of the next one. What the store says to
 * the supervisor is a line of JSON each on stdout; what the operator says is a
 * line on stdin:
 *
 *     bundle NAME FILE    socket NAME PATH    commit    link
 *
 * The end of stdin is the supervisor's end.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/pack.h"
#include "box/box.h"
#include "wire/registry.h"
#include "wire/wire.h"

static char text[WIRE_TEXT_MAX + 1];

static const char *const type_names[] = {
#define WIRE_MESSAGE(type, fds, text) #type,
#include "wire/wire.def"
#undef WIRE_MESSAGE
};

static void
must(int condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	_exit(99);
}

/* What the supervisor does in children.c. */
static void
folder_give(int dir_fd)
{
	static const char *const names[] = { "cordon.db", "cordon.db-wal" };
	const uid_t uid = BOX_UID_BASE + box_domain_find("store")->uid_offset;

	if (geteuid() != 0)
		return;
	must(fchownat(dir_fd, "", uid, uid, AT_EMPTY_PATH) == 0, "chown");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		must(fchownat(dir_fd, names[i], uid, uid,
			 AT_SYMLINK_NOFOLLOW) == 0 ||
			errno == ENOENT,
		    names[i]);
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

/* 0: it is gone. */
static int
store_hear(int fd)
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
bundle_send(int fd, const char *name, const char *path)
{
	const struct wire_server server = server_named(name, WIRE_KIND_ISOLATE);
	const struct wire_message message = { .type = WIRE_SERVER_BUNDLE,
		.text_len = sizeof(server) };
	struct pack_writer writer;
	uint8_t *bytes = NULL;
	size_t len = 0;
	int memfd = -1;

	auto_close int file_fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd_read_all(file_fd, PACK_BYTES_MAX, &bytes, &len) == 0, path);
	must(pack_writer_init(&writer) == 0 &&
		pack_writer_add(&writer, "tool.js", bytes, len) == 0 &&
		pack_writer_seal(&writer, &memfd) == 0,
	    "pack");
	must(wire_send(fd, &message, &memfd, 1, (const char *)&server) == 0,
	    "send");
	close(memfd);
	free(bytes);
	pack_writer_fini(&writer);
}

static void
socket_send(int fd, const char *name, const char *path)
{
	struct wire_server server = server_named(name, WIRE_KIND_SOCKET);
	const struct wire_message message = { .type = WIRE_SERVER_SOCKET,
		.text_len = sizeof(server) };

	snprintf(
	    server.launch.socket, sizeof(server.launch.socket), "%s", path);
	must(wire_send(fd, &message, NULL, 0, (const char *)&server) == 0,
	    "send");
}

static void
link_send(int fd, int gateway_fd)
{
	wire_send(fd, &(struct wire_message){ .type = WIRE_STORE }, &gateway_fd,
	    1, NULL);
	close(gateway_fd);
}

/* 0: there is no more. */
static int
operator_hear(int fd)
{
	char line[512], name[64], path[108];

	if (fgets(line, sizeof(line), stdin) == NULL)
		return 0;
	if (sscanf(line, "bundle %63s %107s", name, path) == 2)
		bundle_send(fd, name, path);
	else if (sscanf(line, "socket %63s %107s", name, path) == 2)
		socket_send(fd, name, path);
	else if (strcmp(line, "commit\n") == 0)
		wire_send(fd, &(struct wire_message){ .type = WIRE_COMMIT },
		    NULL, 0, NULL);
	else if (strcmp(line, "link\n") == 0)
		link_send(fd, 4);
	else
		must(0, line);
	return 1;
}

static int
plan_make(void)
{
	struct wire_plan plan = { .magic = WIRE_PLAN_MAGIC,
		.client_fd = -1,
		.listen_fd = -1,
		.cells_max = 8 };
	int fd = -1;

	/* SHA-256 of SHA-256 of "letmein". */
	static const uint8_t hash[32] = { 0xe5, 0x32, 0x84, 0x37, 0x24, 0xf1,
		0x4e, 0xae, 0xa0, 0x36, 0x55, 0x33, 0xac, 0xfb, 0x94, 0x38,
		0xe5, 0xa9, 0xcf, 0xeb, 0x44, 0x74, 0xfe, 0x13, 0xbb, 0x7a,
		0x5e, 0x1e, 0xc6, 0x96, 0xe8, 0x56 };
	memcpy(plan.token_hash, hash, sizeof(hash));
	must(fd_memfd_seal("plan", &plan, sizeof(plan), &fd) == 0, "plan");
	return fd;
}

int
main(int argc, char **argv)
{
	const char *const store_argv[] = { "cordon-store", "--plan", "3",
		"--supervisor", "4", NULL };
	struct err err = { "" };
	int pair[2], pidfd, status = 0;
	pid_t pid;

	must(argc == 3, "usage");
	setvbuf(stdin, NULL, _IONBF, 0);
	const int exe_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	const int dir_fd = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(exe_fd >= 0 && dir_fd >= 0, argv[2]);
	folder_give(dir_fd);
	must(wire_pair(SOCK_SEQPACKET, pair) == 0, "socketpair");
	const int fds[] = { plan_make(), pair[1] };
	const struct box_spawn spawn = { .domain = "store",
		.exe_fd = exe_fd,
		.argv = store_argv,
		.fds = fds,
		.n_fds = 2,
		.folder_fd = dir_fd };
	if (box_spawn(&spawn, &pid, &pidfd, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 98;
	}
	close(pair[1]);
	printf("{\"pid\":%d}\n", pid);
	fflush(stdout);
	signal(SIGPIPE, SIG_IGN);
	link_send(pair[0], 3);

	struct pollfd polled[] = { { pair[0], POLLIN, 0 }, { 0, POLLIN, 0 } };
	while (poll(polled, 2, -1) > 0) {
		if (polled[0].revents != 0 && !store_hear(pair[0]))
			break;
		if (polled[1].revents != 0 && !operator_hear(pair[0])) {
			shutdown(pair[0], SHUT_RDWR);
			break;
		}
	}
	waitpid(pid, &status, 0);
	printf("{\"exit\":%d,\"signal\":%d}\n",
	    WIFEXITED(status) ? WEXITSTATUS(status) : -1,
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	return 0;
}
