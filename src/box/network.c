/* SPDX-License-Identifier: Apache-2.0 */
#include "box/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"

/* Memory is shared, so that neither has pages to copy. That goes for errno,
 * too; but the helper sets it only where it fails, and with it the start. */
#define STACK_BYTES 16384

/* The exit status: 0, or an errno. */
static int
helper_run(void *argument)
{
	const int place_fd = *(const int *)argument;
	struct ifreq request = { .ifr_name = "lo" };

	if (unshare(CLONE_NEWNET) < 0)
		return errno;
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return errno;
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ||
		dup3(fd, place_fd, O_CLOEXEC) < 0 || close(fd) < 0
	    ? errno
	    : 0;
}

static int
fail(int code, struct err *err)
{
	return err_set(err, code,
	    "a network namespace cannot be made (%s): the kernel needs "
	    "CONFIG_NET_NS, and sysctl user.max_net_namespaces may be too low",
	    strerror(-code));
}

int
box_network_begin(struct box_network *network, int any_fd, struct err *err)
{
	static char stack[STACK_BYTES] __attribute__((aligned(16)));

	const int fd = fcntl(any_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return fail(-errno, err);
	network->socket_fd = fd;
	network->helper = clone(helper_run, stack + sizeof(stack),
	    CLONE_VM | CLONE_FILES | SIGCHLD, &network->socket_fd);
	if (network->helper < 0) {
		const int code = -errno;
		close(fd);
		return fail(code, err);
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
			return fail(-errno, err);
	if (!WIFEXITED(status))
		return fail(-EINTR, err);
	if (WEXITSTATUS(status) != 0)
		return fail(-WEXITSTATUS(status), err);
	auto_close int namespace_fd = ioctl(socket_fd, SIOCGSKNS);
	return namespace_fd < 0 || setns(namespace_fd, CLONE_NEWNET) < 0
	    ? fail(-errno, err)
	    : 0;
}
