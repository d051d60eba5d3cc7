/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starts a gateway and plays its supervisor: a plan, a listening socket, a
 * socket that stands for the supervisor. Prints one line of JSON: the port, the
 * sizes and places of the store's records; then does what lines on its standard
 * input say.
 *
 *     launch [-n] [-j] [-v] [-t PEM] GATEWAY FOLDER
 *
 *     store          the next connection to FOLDER/store is the store's stream
 *     tls FILE       a new certificate and key
 *     settings FLAGS HOSTS ORIGINS IDLE_S   a new plan ("-": none)
 *
 * -n no token, -j log as JSON, -v verbose, -t TLS. FOLDER/admin is the admin's
 * socket. Ends as the gateway ends, and hands SIGTERM on.
 */

#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/fd.h"
#include "wire/egress.h"
#include "wire/registry.h"
#include "wire/wire.h"

static pid_t gateway_pid;

static int
listen_tcp(unsigned *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
	    listen(fd, 4096) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		err(1, "cannot listen");
	*port = ntohs(address.sin_port);
	return fd;
}

static int
listen_unix(const char *folder, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(
	    address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, 64) != 0)
		err(1, "cannot listen at %s", address.sun_path);
	return fd;
}

static int
pem_seal(const char *path)
{
	auto_free uint8_t *bytes = NULL;
	size_t len;
	int fd, memfd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fd_read_all(fd, 1 << 20, &bytes, &len) != 0 ||
	    fd_memfd_seal("tls", bytes, len, &memfd) != 0)
		err(1, "cannot read %s", path);
	close(fd);
	return memfd;
}

static int
plan_seal(const struct wire_plan *plan)
{
	int fd;

	if (fd_memfd_seal("plan", plan, sizeof(*plan), &fd) != 0)
		errx(1, "cannot seal the plan");
	return fd;
}

/* Where things are in the store's records, for who writes them in JavaScript.
 */
static void
say_layout(unsigned port)
{
#define PLACE(type, member)                                                    \
	printf(",\"" #type "." #member "\":%zu",                               \
	    offsetof(struct wire_##type, member))
	printf("{\"port\":%u,\"tenant\":%zu,\"token\":%zu,\"server\":%zu,"
	       "\"ended\":%zu,\"frame\":%zu,\"admin\":%zu,\"audit\":%zu",
	    port, sizeof(struct wire_tenant), sizeof(struct wire_token),
	    sizeof(struct wire_server), sizeof(struct wire_ended),
	    sizeof(struct wire_frame), sizeof(struct wire_admin),
	    sizeof(struct wire_audit));
	PLACE(frame, len);
	PLACE(frame, code);
	PLACE(frame, reserved);
	PLACE(audit, boot);
	PLACE(audit, sequence);
	PLACE(tenant, gone);
	PLACE(tenant, name);
	PLACE(tenant, quota);
	PLACE(token, gone);
	PLACE(token, tenant);
	PLACE(token, scopes);
	PLACE(token, expires);
	PLACE(token, hash);
	PLACE(token, name);
	PLACE(token, servers);
	PLACE(token, quota);
	PLACE(quota, requests_per_minute);
	PLACE(quota, concurrent);
	PLACE(quota, cpu_ms_per_minute);
	PLACE(quota, result_bytes);
	PLACE(server, gone);
	PLACE(server, tenant);
	PLACE(server, state);
	PLACE(server, launch);
	PLACE(deployment, kind);
	PLACE(deployment, digest);
	PLACE(deployment, name);
	PLACE(deployment, tenant);
	PLACE(deployment, pool_max);
	PLACE(deployment, share);
	PLACE(deployment, url);
	PLACE(deployment, limits.wall_ns);
	PLACE(deployment, limits.result_bytes);
	PLACE(ended, until);
	PLACE(admin, token_hash);
	PLACE(admin, method);
	PLACE(admin, path);
	PLACE(admin, request);
	PLACE(audit, tenant);
	PLACE(audit, request);
	PLACE(audit, action);
	printf(",\"event\":%zu", sizeof(struct wire_egress_event));
#define EVENT(member)                                                          \
	printf(",\"event." #member "\":%zu",                                   \
	    offsetof(struct wire_egress_event, member))
	EVENT(lost);
	EVENT(bytes_in);
	EVENT(bytes_out);
	EVENT(ms);
	EVENT(port);
	EVENT(scheme);
	EVENT(refused);
	EVENT(method);
	EVENT(host);
	EVENT(path);
	EVENT(text);
	printf("}\n");
	fflush(stdout);
}

static void
tell(int supervisor_fd, uint32_t type, int fd)
{
	const struct wire_message message = { .type = type };

	if (wire_send(supervisor_fd, &message, &fd, 1, NULL) != 0)
		warnx("the gateway does not hear");
	close(fd);
}

static void
tell_accepted(int supervisor_fd, uint32_t type, int listen_fd)
{
	struct pollfd wait = { .fd = listen_fd, .events = POLLIN };

	poll(&wait, 1, -1);
	const int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		err(1, "cannot accept");
	tell(supervisor_fd, type, fd);
}

static void
tell_settings(int supervisor_fd, const struct wire_plan *plan, const char *line)
{
	struct wire_plan changed = *plan;

	if (sscanf(line, "settings %u %511s %511s %u", &changed.flags,
		changed.hosts, changed.origins, &changed.sessions.idle_s) != 4)
		errx(1, "no settings: %s", line);
	tell(supervisor_fd, WIRE_SETTINGS, plan_seal(&changed));
}

static void
command_do(int supervisor_fd, const struct wire_plan *plan,
    const int listen_fds[2], const char *line)
{
	if (strcmp(line, "store") == 0)
		tell_accepted(supervisor_fd, WIRE_STORE, listen_fds[0]);
	else if (strcmp(line, "egress") == 0)
		tell_accepted(supervisor_fd, WIRE_EGRESS_EVENTS, listen_fds[1]);
	else if (strncmp(line, "tls ", 4) == 0)
		tell(supervisor_fd, WIRE_TLS, pem_seal(line + 4));
	else if (strncmp(line, "settings ", 9) == 0)
		tell_settings(supervisor_fd, plan, line);
	else
		errx(1, "no such command: %s", line);
}

static void
on_signal(int number)
{
	kill(gateway_pid, number);
}

static pid_t
gateway_start(const char *path, const struct wire_plan *plan, int supervisor_fd)
{
	const int fds[] = { plan->listen_fd, plan->admin_fd, plan->tls_fd,
		plan_seal(plan), supervisor_fd };
	const pid_t parent = getpid(), pid = fork();
	char plan_text[16], supervisor_text[16];

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			fd_inherit(fds[i]);
	snprintf(plan_text, sizeof(plan_text), "%d", fds[3]);
	snprintf(supervisor_text, sizeof(supervisor_text), "%d", fds[4]);
	execl(path, path, "--plan", plan_text, "--supervisor", supervisor_text,
	    (char *)NULL);
	err(1, "cannot start %s", path);
}

/* Until the gateway ends, which closes its end of the pair. */
static void
commands_do(
    int supervisor_fd, const struct wire_plan *plan, const int listen_fds[2])
{
	struct pollfd waits[] = { { .fd = supervisor_fd, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN } };
	char line[2048];
	size_t n = 0;

	for (;;) {
		if (poll(waits, 2, -1) < 0)
			continue;
		if (waits[0].revents != 0)
			return;
		const ssize_t got =
		    waits[1].revents == 0 ? 0 : read(STDIN_FILENO, line + n, 1);
		if (got <= 0) {
			/* Whoever started this is gone. */
			if (waits[1].revents != 0)
				kill(gateway_pid, SIGKILL);
			continue;
		}
		if (line[n] != '\n') {
			n = n + 2 < sizeof(line) ? n + 1 : n;
			continue;
		}
		line[n] = '\0';
		n = 0;
		command_do(supervisor_fd, plan, listen_fds, line);
	}
}

static int
gateway_wait(void)
{
	int status;

	while (waitpid(gateway_pid, &status, 0) < 0)
		continue;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	return 1;
}

int
main(int argc, char **argv)
{
	struct wire_plan plan = {
		.magic = WIRE_PLAN_MAGIC,
		.client_fd = -1,
		.operator_fd = -1,
		.store_fd = -1,
		.tls_fd = -1,
		.cells_max = 64,
		.hosts = "tools.example, exact.example:8443",
		.origins = "https://console.example",
		.sessions = WIRE_SESSIONS_DEFAULT,
	};
	unsigned port;
	int pair[2], c;

	while ((c = getopt(argc, argv, "njvt:")) != -1)
		if (c == 't')
			plan.tls_fd = pem_seal(optarg);
		else
			plan.flags |= c == 'n' ? WIRE_PLAN_NO_AUTH
			    : c == 'j'         ? WIRE_PLAN_LOG_JSON
					       : WIRE_PLAN_VERBOSE;
	if (argc - optind != 2)
		errx(2, "usage: launch [-n] [-j] [-v] [-t PEM] GATEWAY FOLDER");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	plan.listen_fd = listen_tcp(&port);
	plan.admin_fd = listen_unix(argv[optind + 1], "admin");
	const int listen_fds[] = { listen_unix(argv[optind + 1], "store"),
		listen_unix(argv[optind + 1], "egress") };
	if (wire_pair(SOCK_SEQPACKET, pair) != 0)
		errx(1, "cannot make a socket pair");
	gateway_pid = gateway_start(argv[optind], &plan, pair[0]);
	close(pair[0]);
	say_layout(port);
	commands_do(pair[1], &plan, listen_fds);
	return gateway_wait();
}
