/* SPDX-License-Identifier: Apache-2.0 */
#include "box/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/listener.h"

/* Memory is shared, so that neither has pages to copy. That goes for errno,
 * too; but the helper sets it only where it fails, and with it the start. */
#define STACK_BYTES 16384
#define BACKLOG 128
#define DNS_PORT 53
#define LOOPBACK_INDEX 1 /* of lo, in every namespace */

/* ---- routes --------------------------------------------------------------- */

struct route_request {
	struct nlmsghdr head;
	struct rtmsg route;
	struct rtattr to_head;
	uint32_t to;
	struct rtattr device_head;
	uint32_t device;
};

/* "local ADDRESS/BITS dev lo": whatever is sent there is delivered here.
 * rtnetlink(7) */
static int
route_add(int fd, uint32_t address, uint8_t bits)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char more[64]; /* what the kernel says besides */
	} reply;
	const struct route_request request = {
		.head = { .nlmsg_len = sizeof(request),
		    .nlmsg_type = RTM_NEWROUTE,
		    .nlmsg_flags =
			NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL },
		.route = { .rtm_family = AF_INET,
		    .rtm_dst_len = bits,
		    .rtm_table = RT_TABLE_LOCAL,
		    .rtm_protocol = RTPROT_STATIC,
		    .rtm_scope = RT_SCOPE_HOST,
		    .rtm_type = RTN_LOCAL },
		.to_head = { RTA_LENGTH(sizeof(uint32_t)), RTA_DST },
		.to = htonl(address),
		.device_head = { RTA_LENGTH(sizeof(uint32_t)), RTA_OIF },
		.device = LOOPBACK_INDEX,
	};

	if (send(fd, &request, sizeof(request), 0) < 0)
		return errno;
	const ssize_t n = recv(fd, &reply, sizeof(reply), 0);
	if (n < 0)
		return errno;
	if (n < (ssize_t)(sizeof(reply.head) + sizeof(reply.error.error)) ||
	    reply.head.nlmsg_type != NLMSG_ERROR)
		return EPROTO;
	return -reply.error.error;
}

static int
routes_add(struct box_network *network)
{
	const struct box_spec *spec = network->spec;

	network->doing = "routes to the way out (rtnetlink) cannot be made";
	auto_close int fd =
	    socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return errno;
	int code = route_add(fd, BOX_NET, BOX_NET_BITS);
	for (uint32_t i = 0; i < spec->n_addresses && code == 0; i++)
		code = route_add(fd, spec->addresses[i], 32);
	return code;
}

/* ---- listeners ------------------------------------------------------------ */

/* A port of the program's may be that of a proxy, which is at one address: the
 * nearer one is asked. */
static bool
is_shared(uint16_t port)
{
	return port == BOX_HTTP_PROXY_PORT || port == BOX_SOCKS_PORT;
}

static int
listener_make(struct box_network *network, enum box_listener kind,
    uint32_t address, uint16_t port)
{
	const int type = kind == BOX_LISTENER_DNS ? SOCK_DGRAM : SOCK_STREAM;
	const struct box_listener_note note = { .kind = (uint32_t)kind,
		.port = port };
	const struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(address) };
	const int on = 1;

	network->port = port;
	auto_close int fd =
	    socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (is_shared(port) &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) <
		    0) ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
		return errno;
	return -box_listener_send(network->egress_fd, &note, fd);
}

static int
listeners_make(struct box_network *network)
{
	static const struct {
		enum box_listener kind;
		uint16_t port;
	} services[] = {
		{ BOX_LISTENER_DNS, DNS_PORT },
		{ BOX_LISTENER_HTTP_PROXY, BOX_HTTP_PROXY_PORT },
		{ BOX_LISTENER_SOCKS, BOX_SOCKS_PORT },
	};
	const struct box_spec *spec = network->spec;
	int code = 0;

	network->doing = "a listener of the way out cannot be made";
	for (size_t i = 0; i < ARRAY_LEN(services) && code == 0; i++)
		code = listener_make(
		    network, services[i].kind, BOX_NET_SELF, services[i].port);
	for (uint32_t i = 0; i < spec->n_ports && code == 0; i++)
		code = listener_make(
		    network, BOX_LISTENER_TCP, INADDR_ANY, spec->ports[i]);
	return code;
}

/* ---- the helper ----------------------------------------------------------- */

static int
namespace_make(struct box_network *network)
{
	struct ifreq request = { .ifr_name = "lo" };

	network->doing = NULL;
	if (unshare(CLONE_NEWNET) < 0)
		return errno;
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return errno;
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ||
		dup3(fd, network->socket_fd, O_CLOEXEC) < 0 || close(fd) < 0
	    ? errno
	    : 0;
}

/* The exit status: 0, or an errno. */
static int
helper_run(void *argument)
{
	struct box_network *network = argument;

	int code = namespace_make(network);
	if (code == 0 && network->spec->n_ports > 0)
		code = routes_add(network);
	if (code == 0 && network->spec->n_ports > 0)
		code = listeners_make(network);
	return code;
}

static int
fail(const struct box_network *network, int code, struct err *err)
{
	char port[24] = "";

	if (network->doing == NULL)
		return err_set(err, code,
		    "a network namespace cannot be made (%s): the kernel needs "
		    "CONFIG_NET_NS, and sysctl user.max_net_namespaces may be "
		    "too low",
		    strerror(-code));
	if (network->port != 0)
		snprintf(port, sizeof(port), "port %u: ", network->port);
	return err_set(err, code,
	    "%s (%s%s): the kernel needs CONFIG_INET, and whoever serves the "
	    "network must still be there",
	    network->doing, port, strerror(-code));
}

int
box_network_begin(struct box_network *network, int any_fd, struct err *err)
{
	static char stack[STACK_BYTES] __attribute__((aligned(16)));

	network->doing = NULL;
	network->port = 0;
	const int fd = fcntl(any_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return fail(network, -errno, err);
	network->socket_fd = fd;
	network->helper = clone(helper_run, stack + sizeof(stack),
	    CLONE_VM | CLONE_FILES | SIGCHLD, network);
	if (network->helper < 0) {
		const int code = -errno;
		close(fd);
		return fail(network, code, err);
	}
	return 0;
}

int
box_network_enter(struct box_network *network, struct err *err)
{
	auto_close int socket_fd = network->socket_fd;
	int status;

	while (waitpid(network->helper, &status, 0) < 0)
		if (errno != EINTR)
			return fail(network, -errno, err);
	if (!WIFEXITED(status))
		return fail(network, -EINTR, err);
	if (WEXITSTATUS(status) != 0)
		return fail(network, -WEXITSTATUS(status), err);
	network->doing = NULL;
	auto_close int namespace_fd = ioctl(socket_fd, SIOCGSKNS);
	return namespace_fd < 0 || setns(namespace_fd, CLONE_NEWNET) < 0
	    ? fail(network, -errno, err)
	    : 0;
}
