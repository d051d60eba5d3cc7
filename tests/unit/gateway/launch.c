/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starts a gateway as a supervisor would: a plan, a listening socket, a socket
 * that stands for the supervisor. Prints the port, then becomes the gateway.
 *
 *     launch [-n] [-j] [-v] GATEWAY NAME…
 *
 * -n no token, -j log as JSON, -v verbose. The token is "letmein".
 */

#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/fd.h"
#include "wire/plan.h"

static int
listen_make(unsigned *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
	    listen(fd, 512) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		err(1, "cannot listen");
	*port = ntohs(address.sin_port);
	return fd;
}

static int
plan_make(uint32_t flags, int listen_fd, char **names, uint32_t n)
{
	const size_t len =
	    sizeof(struct wire_plan) + n * sizeof(struct wire_deployment);
	auto_free struct wire_plan *plan = calloc(1, len);
	int fd;

	if (plan == NULL)
		err(1, "no memory");
	*plan = (struct wire_plan){ .magic = WIRE_PLAN_MAGIC,
		.n_deployments = n,
		.client_fd = -1,
		.listen_fd = listen_fd,
		.admin_fd = -1,
		.operator_fd = -1,
		.store_fd = -1,
		.tls_fd = -1,
		.cells_max = 64,
		.flags = flags,
		.hosts = "tools.example, exact.example:8443",
		.origins = "https://console.example" };
	crypto_hash_sha256(plan->token_hash, (const uint8_t *)"letmein", 7);
	crypto_hash_sha256(
	    plan->token_hash, plan->token_hash, sizeof(plan->token_hash));
	struct wire_deployment *deployments = (void *)(plan + 1);
	for (uint32_t i = 0; i < n; i++) {
		deployments[i] = (struct wire_deployment){ .bundle_fd = -1,
			.pool_max = 4,
			.limits = WIRE_LIMITS_DEFAULT };
		snprintf(deployments[i].name, WIRE_NAME_MAX, "%s", names[i]);
	}
	if (fd_memfd_seal("plan", plan, len, &fd) != 0 || fd_inherit(fd) != 0)
		err(1, "cannot seal the plan");
	return fd;
}

int
main(int argc, char **argv)
{
	char plan_text[16], supervisor_text[16];
	uint32_t flags = 0;
	unsigned port;
	int pair[2], c;

	while ((c = getopt(argc, argv, "njv")) != -1)
		flags |= c == 'n' ? WIRE_PLAN_NO_AUTH
		    : c == 'j'    ? WIRE_PLAN_LOG_JSON
				  : WIRE_PLAN_VERBOSE;
	if (argc - optind < 1)
		errx(2, "usage: launch [-n] [-j] [-v] GATEWAY NAME...");
	const int listen_fd = listen_make(&port);
	const int plan_fd = plan_make(
	    flags, listen_fd, argv + optind + 1, (uint32_t)(argc - optind - 1));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		err(1, "cannot make a socket pair");
	printf("%u\n", port);
	fflush(stdout);
	snprintf(plan_text, sizeof(plan_text), "%d", plan_fd);
	snprintf(supervisor_text, sizeof(supervisor_text), "%d", pair[0]);
	execl(argv[optind], argv[optind], "--plan", plan_text, "--supervisor",
	    supervisor_text, (char *)NULL);
	err(1, "cannot start %s", argv[optind]);
}
