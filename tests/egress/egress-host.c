/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A real cordon-egress, with what the supervisor and the store would say to it
 * coming from a test.
 *
 *     egress-host EGRESS SOCKET NAMESERVER CA [PREFIX…]
 *
 * Lines on stdin, fields between tabs, each answered by one of "ok …" or
 * "error …" on stdout; beside them come "event …" lines (JSON). Callers are
 * connections to SOCKET, handed over as they are. Prefixes are denied.
 *
 *     server ID TENANT NAME            begins a record; these add to it:
 *     budget MINUTE OPEN CALLER IN OUT BYTES   (0: the default)
 *     rule TEXT | deny TEXT | methods LIST
 *     secret NAME KIND HOST PORT FIELD TEMPLATE HEX PRINCIPAL
 *     commit                           sends it
 *     gone ID, snapshot
 *     raw HEX                          to egress, over the store's stream; what
 *                                      comes back there: "said HEX" lines, a
 *                                      frame each, unless the store is
 *     deaf | hearing
 *     caller ID cell|link NUMBER       the next connection is one of these
 *     box ID NUMBER PORTS ADDRESSES    the network of a box, with listeners (by
 *                                      comma; "-": none): ok PID, who is in it
 *     unbox PID                        the box is over
 *
 * EGRESS_AUTHORITY names a PEM with the key and certificate that TLS is ended
 * with; EGRESS_LOOPBACK grants loopback ports, as `cordon wrap` may. With
 * EGRESS_UNTOLD the store has not said at first that this is all.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "box/box.h"
#include "box/network.h"
#include "wire/egress.h"
#include "wire/wire.h"

#define WORDS_MAX 10
#define CELLS_MAX 64

static int channel_fd, store_fd, events_fd, listener_fd;
static char answer[32]; /* behind "ok" */
static bool is_deaf;

/* The record that is being made. */
static struct {
	uint32_t id;
	struct wire_egress_server head;
	struct addr_rule rules[ADDR_RULES_MAX];
	struct wire_egress_secret secrets[WIRE_SERVER_SECRETS_MAX];
	uint32_t last; /* the rules of the last text begin here */
} record;

static struct {
	uint32_t deployment;
	int fd;
} cells[CELLS_MAX];
static unsigned n_cells;

static uint32_t
number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 10);
}

static void
copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

/* ---- records -------------------------------------------------------------- */

static const char *
server_begin(char **words)
{
	memset(&record, 0, sizeof(record));
	record.id = number(words[1]);
	copy(record.head.tenant, sizeof(record.head.tenant), words[2]);
	copy(record.head.name, sizeof(record.head.name), words[3]);
	return NULL;
}

static const char *
budget_set(char **words)
{
	record.head.budget =
	    (struct addr_budget){ .requests_per_minute = number(words[1]),
		    .concurrent = number(words[2]),
		    .per_caller = number(words[3]),
		    .bytes_in = strtoull(words[4], NULL, 10),
		    .bytes_out = strtoull(words[5], NULL, 10),
		    .bytes_per_minute = strtoull(words[6], NULL, 10) };
	return NULL;
}

static const char *
rule_add(char **words)
{
	static struct err err;
	struct addr_rule rules[2];
	size_t n;

	if (addr_rule_parse(words[1], strlen(words[1]),
		strcmp(words[0], "deny") == 0           ? ADDR_RULE_DENY
		    : getenv("EGRESS_LOOPBACK") != NULL ? ADDR_RULE_LOOPBACK
							: 0,
		rules, &n, &err) != 0)
		return err.text;
	record.last = record.head.n_rules;
	for (size_t i = 0; i < n && record.head.n_rules < ADDR_RULES_MAX; i++)
		record.rules[record.head.n_rules++] = rules[i];
	return NULL;
}

static const char *
methods_set(char **words)
{
	uint8_t methods;

	if (!addr_methods_parse(words[1], &methods))
		return "these are no methods";
	for (uint32_t i = record.last; i < record.head.n_rules; i++)
		record.rules[i].methods = methods;
	return NULL;
}

static bool
hex_take(const char *hex, uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &bytes[i]) != 1)
			return false;
	return true;
}

static const char *
secret_add(char **words)
{
	static const char *const kinds[] = { "header", "query", "basic",
		"unknown" };
	struct wire_egress_secret *secret =
	    &record.secrets[record.head.n_secrets++];

	copy(secret->name, sizeof(secret->name), words[1]);
	for (uint16_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i], words[2]) == 0)
			secret->kind = i;
	copy(secret->host, sizeof(secret->host), words[3]);
	secret->port = (uint16_t)number(words[4]);
	copy(secret->field, sizeof(secret->field), words[5]);
	copy(secret->template_, sizeof(secret->template_), words[6]);
	secret->value_len = (uint32_t)strlen(words[7]) / 2;
	if (secret->value_len > sizeof(secret->value))
		return "the value is too long";
	if (!hex_take(words[7], secret->value, secret->value_len))
		return "the value is no hex";
	secret->principal = number(words[8]);
	return NULL;
}

static const char *
frame_send(uint32_t type, uint32_t id, const void *bytes, size_t len)
{
	const struct wire_frame frame = {
		.type = type, .len = (uint32_t)len, .reserved = id
	};

	return fd_write_all(store_fd, &frame, sizeof(frame)) == 0 &&
		(len == 0 || fd_write_all(store_fd, bytes, len) == 0)
	    ? NULL
	    : "egress hears no records";
}

static const char *
record_commit(char **words)
{
	const size_t rules_size =
	    record.head.n_rules * sizeof(struct addr_rule);
	const size_t secrets_size =
	    record.head.n_secrets * sizeof(struct wire_egress_secret);
	const size_t size = sizeof(record.head) + rules_size + secrets_size;
	auto_free uint8_t *bytes = malloc(size);

	(void)words;
	if (bytes == NULL)
		return "out of memory";
	memcpy(bytes, &record.head, sizeof(record.head));
	memcpy(bytes + sizeof(record.head), record.rules, rules_size);
	memcpy(bytes + sizeof(record.head) + rules_size, record.secrets,
	    secrets_size);
	return frame_send(WIRE_EGRESS_SERVER, record.id, bytes, size);
}

static const char *
record_gone(char **words)
{
	return frame_send(WIRE_EGRESS_GONE, number(words[1]), NULL, 0);
}

static const char *
snapshot(char **words)
{
	(void)words;
	return frame_send(WIRE_EGRESS_SNAPSHOT, 0, NULL, 0);
}

static const char *
raw_send(char **words)
{
	const size_t size = strlen(words[1]) / 2;
	auto_free uint8_t *bytes = malloc(size + 1);

	if (bytes == NULL)
		return "out of memory";
	if (!hex_take(words[1], bytes, size))
		return "this is no hex";
	return fd_write_all(store_fd, bytes, size) == 0
	    ? NULL
	    : "egress hears no records";
}

static const char *
hearing_set(char **words)
{
	is_deaf = strcmp(words[0], "deaf") == 0;
	return NULL;
}

static void
hex_put(const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", ((const uint8_t *)bytes)[i]);
}

/* False: there is no more. */
static bool
said_tell(void)
{
	static uint8_t bytes[256u << 10];
	struct wire_frame frame;

	if (recv(store_fd, &frame, sizeof(frame), MSG_WAITALL) !=
		(ssize_t)sizeof(frame) ||
	    frame.len > sizeof(bytes) ||
	    recv(store_fd, bytes, frame.len, MSG_WAITALL) != (ssize_t)frame.len)
		return false;
	printf("said ");
	hex_put(&frame, sizeof(frame));
	hex_put(bytes, frame.len);
	printf("\n");
	return true;
}

/* ---- channels ------------------------------------------------------------- */

static const char *
hand_over(int to_fd, uint32_t type, uint32_t id, int32_t status, int fd)
{
	const struct wire_message message = {
		.type = type, .id = id, .status = status
	};

	return wire_send(to_fd, &message, &fd, 1, NULL) == 0
	    ? NULL
	    : "egress takes no channel";
}

/* The channel of the deployment's template; -1. */
static int
cells_of(uint32_t deployment)
{
	int pair[2];

	for (unsigned i = 0; i < n_cells; i++)
		if (cells[i].deployment == deployment)
			return cells[i].fd;
	if (n_cells == CELLS_MAX || wire_pair(SOCK_SEQPACKET, pair) != 0)
		return -1;
	auto_close int theirs_fd = pair[1];
	if (hand_over(channel_fd, WIRE_EGRESS_CELLS, deployment, 0, theirs_fd))
		return -1;
	cells[n_cells].deployment = deployment;
	cells[n_cells].fd = pair[0];
	return cells[n_cells++].fd;
}

static const char *
caller_accept(char **words)
{
	const uint32_t id = number(words[1]);
	const int32_t unit = (int32_t)number(words[3]);
	struct pollfd ready = { .fd = listener_fd, .events = POLLIN };

	if (poll(&ready, 1, 10000) != 1)
		return "nobody connects";
	auto_close int fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC);
	if (strcmp(words[2], "cell") == 0)
		return hand_over(
		    cells_of(id), WIRE_EGRESS_CALLER, (uint32_t)unit, 0, fd);
	return hand_over(channel_fd, WIRE_EGRESS_CALLER, id, unit, fd);
}

/* ---- boxes ---------------------------------------------------------------- */

static uint32_t
list_read(char *text, uint32_t *numbers, bool are_addresses)
{
	uint32_t n = 0;

	for (char *word; (word = strsep(&text, ",")) != NULL;) {
		struct addr_ip ip;
		if (strcmp(word, "-") == 0 || n == BOX_PORTS_MAX)
			continue;
		if (!are_addresses)
			numbers[n++] = number(word);
		else if (addr_ip_parse(word, strlen(word), &ip))
			numbers[n++] = (uint32_t)ip.bytes[0] << 24 |
			    (uint32_t)ip.bytes[1] << 16 |
			    (uint32_t)ip.bytes[2] << 8 | ip.bytes[3];
	}
	return n;
}

/* Inside: never returns. Tells when the network is there. */
static void
box_live(const struct box_spec *spec, int box_fd, int ready_fd)
{
	struct box_network network = { .spec = spec, .egress_fd = box_fd };
	struct err err = { "" };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (box_network_begin(&network, box_fd, &err) != 0 ||
	    box_network_enter(&network, &err) != 0) {
		fprintf(stderr, "egress-host: %s\n", err.text);
		_exit(1);
	}
	if (write(ready_fd, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static const char *
box_make(char **words)
{
	uint32_t numbers[BOX_PORTS_MAX], addresses[BOX_PORTS_MAX];
	uint16_t ports[BOX_PORTS_MAX];
	int pair[2], ready[2];
	char byte;
	const struct box_spec spec = { .ports = ports,
		.n_ports = list_read(words[3], numbers, false),
		.addresses = addresses,
		.n_addresses = list_read(words[4], addresses, true) };

	for (uint32_t i = 0; i < spec.n_ports; i++)
		ports[i] = (uint16_t)numbers[i];
	if (wire_pair(SOCK_SEQPACKET, pair) != 0 ||
	    pipe2(ready, O_CLOEXEC) != 0)
		return "no channel";
	const pid_t pid = fork();
	if (pid == 0) {
		close(pair[0]);
		box_live(&spec, pair[1], ready[1]);
	}
	auto_close int theirs_fd = pair[0], ready_fd = ready[0];
	close(pair[1]);
	close(ready[1]);
	if (pid < 0 || read(ready_fd, &byte, 1) != 1)
		return "the box has no network";
	snprintf(answer, sizeof(answer), " %d", pid);
	return hand_over(channel_fd, WIRE_EGRESS_BOX, number(words[1]),
	    (int32_t)number(words[2]), theirs_fd);
}

static const char *
box_end(char **words)
{
	const pid_t pid = (pid_t)number(words[1]);

	return kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid
	    ? NULL
	    : "no such box";
}

/* ---- lines ---------------------------------------------------------------- */

static const struct {
	const char *name;
	int n_words;
	const char *(*run)(char **words);
} commands[] = {
	{ "server", 4, server_begin },
	{ "budget", 7, budget_set },
	{ "rule", 2, rule_add },
	{ "deny", 2, rule_add },
	{ "methods", 2, methods_set },
	{ "secret", 9, secret_add },
	{ "commit", 1, record_commit },
	{ "gone", 2, record_gone },
	{ "snapshot", 1, snapshot },
	{ "raw", 2, raw_send },
	{ "deaf", 1, hearing_set },
	{ "hearing", 1, hearing_set },
	{ "caller", 4, caller_accept },
	{ "box", 5, box_make },
	{ "unbox", 2, box_end },
};

static void
line_take(char *line)
{
	const char *complaint = "no such command";
	char *words[WORDS_MAX] = { NULL };
	int n = 0;

	answer[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	for (char *word; n < WORDS_MAX && (word = strsep(&line, "\t")) != NULL;)
		words[n++] = word;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, words[0]) == 0)
			complaint = n == commands[i].n_words
			    ? commands[i].run(words)
			    : "the number of its words is wrong";
	if (complaint == NULL)
		printf("ok%s\n", answer);
	else
		printf("error %s\n", complaint);
}

static void
quoted(const char *name, const char *text)
{
	printf(",\"%s\":\"", name);
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == '"' ||
		    *text == '\\')
			printf("\\u%04x", (unsigned char)*text);
		else
			putchar(*text);
	putchar('"');
}

/* False: there are no more. */
static bool
event_tell(void)
{
	struct {
		struct wire_frame frame;
		struct wire_egress_event event;
	} raw;

	if (recv(events_fd, &raw, sizeof(raw), MSG_WAITALL) !=
	    (ssize_t)sizeof(raw))
		return false;
	const struct wire_egress_event *event = &raw.event;
	printf("event {\"deployment\":%u,\"unit\":%u,\"number\":%u,\"end\":%u,"
	       "\"status\":%u,\"lost\":%u,\"in\":%llu,\"out\":%llu,\"ms\":%llu,"
	       "\"port\":%u,\"scheme\":%u,\"refused\":%u",
	    event->deployment, event->unit, event->number, event->end,
	    event->status, event->lost, (unsigned long long)event->bytes_in,
	    (unsigned long long)event->bytes_out, (unsigned long long)event->ms,
	    event->port, event->scheme, event->refused);
	quoted("method", event->method);
	quoted("host", event->host);
	quoted("path", event->path);
	quoted("text", event->text);
	printf("}\n");
	return true;
}

/* ---- start ---------------------------------------------------------------- */

static int
settings_make(char **argv, int argc, int *memfd)
{
	auto_close int ca_fd = open(argv[4], O_RDONLY | O_CLOEXEC);
	const char *authority_path = getenv("EGRESS_AUTHORITY");
	auto_close int authority_fd =
	    open(authority_path == NULL ? "/dev/null" : authority_path,
		O_RDONLY | O_CLOEXEC);
	auto_free uint8_t *ca = NULL, *authority = NULL;
	size_t ca_len = 0, authority_len = 0;

	if (ca_fd < 0 || fd_read_all(ca_fd, 1u << 20, &ca, &ca_len) != 0 ||
	    authority_fd < 0 ||
	    fd_read_all(authority_fd, 1u << 20, &authority, &authority_len) !=
		0)
		return -EIO;
	struct wire_egress_settings head = { .magic = WIRE_EGRESS_MAGIC,
		.flags = getenv("EGRESS_LOOPBACK") != NULL
		    ? WIRE_EGRESS_LOOPBACK
		    : 0,
		.n_nameservers = 1,
		.nameservers = { { .port = 53 } },
		.ca_len = (uint32_t)ca_len,
		.authority_len = (uint32_t)authority_len };
	addr_ip_parse(argv[3], strlen(argv[3]), &head.nameservers[0].ip);
	for (int i = 5; i < argc && head.n_denied < WIRE_DENIED_MAX; i++) {
		struct addr_prefix *prefix = &head.denied[head.n_denied++];
		const char *slash = strchr(argv[i], '/');
		if (slash == NULL ||
		    !addr_ip_parse(
			argv[i], (size_t)(slash - argv[i]), &prefix->ip))
			return -EINVAL;
		prefix->len = (uint8_t)atoi(slash + 1);
	}
	const size_t size = sizeof(head) + ca_len + authority_len;
	auto_free uint8_t *bytes = malloc(size);
	if (bytes == NULL)
		return -ENOMEM;
	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), ca, ca_len);
	memcpy(bytes + sizeof(head) + ca_len, authority, authority_len);
	return fd_memfd_seal("egress-settings", bytes, size, memfd);
}

static int
egress_spawn(const char *path, int settings_fd, pid_t *pid, struct err *err)
{
	const char *const words[] = { "cordon-egress", "--settings", "3",
		"--channel", "4", NULL };
	int pair[2], pidfd;

	auto_close int exe_fd = open(path, O_PATH | O_CLOEXEC);
	if (exe_fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	const int code = wire_pair(SOCK_SEQPACKET, pair);
	if (code != 0)
		return code;
	auto_close int theirs_fd = pair[1];
	channel_fd = pair[0];
	const int fds[] = { settings_fd, theirs_fd };
	const struct box_spawn spawn = { .domain = "egress",
		.exe_fd = exe_fd,
		.argv = words,
		.fds = fds,
		.n_fds = ARRAY_LEN(fds) };
	return box_spawn(&spawn, pid, &pidfd, err);
}

/* Our end of a stream; -1. */
static int
stream_open(uint32_t type)
{
	int pair[2];

	if (wire_pair(SOCK_STREAM, pair) != 0)
		return -1;
	auto_close int theirs_fd = pair[1];
	return hand_over(channel_fd, type, 0, 0, theirs_fd) == NULL ? pair[0]
								    : -1;
}

static int
listener_open(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	copy(address.sun_path, sizeof(address.sun_path), path);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 &&
		bind(fd, (const void *)&address, sizeof(address)) == 0 &&
		listen(fd, 1024) == 0
	    ? fd
	    : -1;
}

static void
serve(void)
{
	static char line[512u << 10];
	struct pollfd ready[] = { { .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = events_fd, .events = POLLIN },
		{ .fd = store_fd, .events = POLLIN } };
	bool hears = true;

	setvbuf(stdin, NULL, _IONBF, 0);
	while (poll(ready, 3, -1) > 0) {
		if (ready[1].revents != 0 && !event_tell())
			ready[1].fd = -1;
		if (ready[2].revents != 0 && !is_deaf)
			hears = said_tell();
		if (ready[0].revents != 0) {
			if (fgets(line, sizeof(line), stdin) == NULL)
				return;
			line_take(line);
		}
		ready[2].fd = hears && !is_deaf ? store_fd : -1;
		fflush(stdout);
	}
}

int
main(int argc, char **argv)
{
	struct err err = { "" };
	int settings_fd = -1;
	pid_t pid = -1;

	if (argc < 5 || settings_make(argv, argc, &settings_fd) != 0 ||
	    egress_spawn(argv[1], settings_fd, &pid, &err) != 0 ||
	    (store_fd = stream_open(WIRE_EGRESS_STORE)) < 0 ||
	    (getenv("EGRESS_UNTOLD") == NULL && snapshot(NULL) != NULL) ||
	    (events_fd = stream_open(WIRE_EGRESS_EVENTS)) < 0 ||
	    (listener_fd = listener_open(argv[2])) < 0) {
		fprintf(stderr, "egress-host: %s\n", err.text);
		return 1;
	}
	printf("ok %d\n", pid);
	fflush(stdout);
	serve();
	/* A box that lives has it, too. */
	shutdown(channel_fd, SHUT_RDWR);
	waitpid(pid, NULL, 0);
	return 0;
}
