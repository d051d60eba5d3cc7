/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "egress/doors/dial.h"

#define ADDRESSES_MAX 16u
#define NEXT_MS 250 /* RFC 8305 5: until the next address is tried, too */

struct attempt {
	struct dial *dial;
	int fd; /* -1: over, or not begun */
	struct addr_ip ip;
	struct event *event;
};

struct dial {
	struct egress *egress;
	dial_fn *done;
	void *arg;
	struct resolve *resolve;
	struct event *deadline;
	struct event *next;
	struct attempt attempts[ADDRESSES_MAX];
	size_t n;
	size_t n_begun;
	uint32_t deployment;
	struct addr_host_name host;
	uint16_t port;
	bool is_loopback;
	bool has_begun;
	int why; /* errno of the last attempt */
};

static void
attempt_drop(struct attempt *attempt)
{
	if (attempt->event != NULL)
		event_free(attempt->event);
	attempt->event = NULL;
	if (attempt->fd >= 0)
		close(attempt->fd);
	attempt->fd = -1;
}

static void
dial_free(struct dial *dial)
{
	if (dial->resolve != NULL)
		resolve_cancel(dial->resolve);
	for (size_t i = 0; i < dial->n_begun; i++)
		attempt_drop(&dial->attempts[i]);
	if (dial->deadline != NULL)
		event_free(dial->deadline);
	if (dial->next != NULL)
		event_free(dial->next);
	free(dial);
}

static void
dial_over(struct dial *dial, enum wire_egress_end end, int fd, const char *text)
{
	dial_fn *done = dial->done;
	void *arg = dial->arg;

	dial_free(dial);
	done(arg, end, fd, text);
}

static bool
dial_is_waiting(const struct dial *dial)
{
	for (size_t i = 0; i < dial->n_begun; i++)
		if (dial->attempts[i].fd >= 0)
			return true;
	return false;
}

/* ---- one address ---------------------------------------------------------- */

static socklen_t
address_put(const struct dial *dial, const struct addr_ip *ip,
    struct sockaddr_storage *address)
{
	if (ip->version == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)address;
		*in = (struct sockaddr_in){ .sin_family = AF_INET,
			.sin_port = htons(dial->port) };
		memcpy(&in->sin_addr, ip->bytes, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
	*in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
		.sin6_port = htons(dial->port) };
	memcpy(&in6->sin6_addr, ip->bytes, 16);
	return sizeof(*in6);
}

/* Whether the one that answered is the one that was checked, and may be
 * dialled still. */
static bool
peer_is_good(const struct attempt *attempt)
{
	const struct dial *dial = attempt->dial;
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);
	struct addr_ip ip;

	return getpeername(attempt->fd, (struct sockaddr *)&peer, &len) == 0 &&
	    addr_ip_from((struct sockaddr *)&peer, &ip) &&
	    addr_ip_equal(&ip, &attempt->ip) &&
	    (dial->is_loopback || egress_refuses(dial->egress, &ip) == NULL);
}

static void dial_next(struct dial *dial);

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *attempt = arg;
	struct dial *dial = attempt->dial;
	int error = 0;
	socklen_t len = sizeof(error);
	const int on = 1;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error == 0 && !peer_is_good(attempt))
		error = ECONNREFUSED;
	if (error != 0) {
		dial->why = error;
		attempt_drop(attempt);
		dial_next(dial);
		return;
	}
	event_free(attempt->event);
	attempt->event = NULL;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	dial_over(dial, WIRE_EGRESS_OK, fd_steal(&attempt->fd), "");
}

static int
attempt_begin(struct attempt *attempt)
{
	struct sockaddr_storage address = { 0 };
	const socklen_t len =
	    address_put(attempt->dial, &attempt->ip, &address);

	attempt->fd = socket(address.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (attempt->fd < 0)
		return -errno;
	if (connect(attempt->fd, (struct sockaddr *)&address, len) != 0 &&
	    errno != EINPROGRESS)
		return -errno;
	attempt->event = event_new(attempt->dial->egress->base, attempt->fd,
	    EV_WRITE, on_connected, attempt);
	return attempt->event != NULL && event_add(attempt->event, NULL) == 0
	    ? 0
	    : -ENOMEM;
}

/* Begins the next one that can be; when none is left, it is over. */
static void
dial_next(struct dial *dial)
{
	static const struct timeval later = { 0, NEXT_MS * 1000 };

	while (dial->n_begun < dial->n) {
		struct attempt *attempt = &dial->attempts[dial->n_begun++];
		const int r = attempt_begin(attempt);
		if (r == 0) {
			event_add(dial->next, &later);
			return;
		}
		dial->why = -r;
		attempt_drop(attempt);
	}
	if (dial_is_waiting(dial))
		return;
	struct err text;
	err_set(&text, 0, "it does not take connections at port %u: %s",
	    dial->port, strerrordesc_np(dial->why));
	dial_over(dial, WIRE_EGRESS_CONNECT, -1, text.text);
}

static void dial_begin(struct dial *dial);

static void
on_next(evutil_socket_t fd, short what, void *arg)
{
	struct dial *dial = arg;

	(void)fd;
	(void)what;
	if (dial->has_begun)
		dial_next(dial);
	else
		dial_begin(dial);
}

/* ---- all of it ------------------------------------------------------------ */

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	dial_over(arg, WIRE_EGRESS_TIMEOUT, -1,
	    "it did not take the connection within 10 seconds");
}

static void
addresses_take(struct dial *dial, const struct addr_ip *ips, size_t n)
{
	dial->n = n < ADDRESSES_MAX ? n : ADDRESSES_MAX;
	for (size_t i = 0; i < dial->n; i++)
		dial->attempts[i] =
		    (struct attempt){ .dial = dial, .fd = -1, .ip = ips[i] };
	dial_next(dial);
}

static void
on_resolved(void *arg, enum wire_egress_end end, const struct addr_ip *ips,
    size_t n, const char *text)
{
	struct dial *dial = arg;

	dial->resolve = NULL;
	if (end != WIRE_EGRESS_OK)
		dial_over(dial, end, -1, text);
	else
		addresses_take(dial, ips, n);
}

static void
loopback_take(struct dial *dial)
{
	static const struct addr_ip loopback = { { 127, 0, 0, 1 }, 4 };

	if ((dial->egress->settings.flags & WIRE_EGRESS_LOOPBACK) == 0) {
		dial_over(dial, WIRE_EGRESS_ADDRESS, -1,
		    "the host's own ports are not reached from here: only "
		    "`cordon wrap` grants them");
		return;
	}
	addresses_take(dial, &loopback, 1);
}

static void
dial_begin(struct dial *dial)
{
	dial->has_begun = true;
	if (dial->is_loopback) {
		loopback_take(dial);
		return;
	}
	/* NULL: it has been told, and is gone. */
	struct resolve *resolve = resolve_start(dial->egress->resolver,
	    dial->deployment, &dial->host, on_resolved, dial);
	if (resolve != NULL)
		dial->resolve = resolve;
}

struct dial *
dial_start(struct egress *egress, uint32_t deployment,
    const struct addr_rule *rule, const struct addr_host_name *host,
    uint16_t port, dial_fn *done, void *arg)
{
	static const struct timeval deadline = { DIAL_MS / 1000, 0 };
	struct dial *dial = calloc(1, sizeof(*dial));

	if (dial == NULL)
		return NULL;
	*dial = (struct dial){ .egress = egress,
		.done = done,
		.arg = arg,
		.deployment = deployment,
		.host = *host,
		.port = port,
		.is_loopback = (rule->flags & ADDR_RULE_LOOPBACK) != 0 };
	dial->deadline = evtimer_new(egress->base, on_deadline, dial);
	dial->next = evtimer_new(egress->base, on_next, dial);
	if (dial->deadline == NULL || dial->next == NULL ||
	    event_add(dial->deadline, &deadline) != 0) {
		dial_free(dial);
		return NULL;
	}
	event_active(dial->next, EV_TIMEOUT, 0);
	return dial;
}

void
dial_cancel(struct dial *dial)
{
	if (dial != NULL)
		dial_free(dial);
}
