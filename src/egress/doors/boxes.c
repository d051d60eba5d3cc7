/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Boxes: the channel that listeners come over, and the life of guests. What one
 * box does takes from that box alone: so many connections, each with a
 * deadline; beyond them its listeners wait.
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/listener.h"
#include "egress/doors/doors.h"

#define LISTENERS_MAX (BOX_PORTS_MAX + 3)
#define ACCEPTS_MAX 16 /* at once, before others have their turn */
#define TICK_MS 250
#define GUESTS_MAX 4096u /* of all boxes */
#define GUESTS_FEW 16u /* of a box that half of all are kept free for */
#define AGAIN_MS 100 /* when there is no room for one more */

uint64_t
doors_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- guests --------------------------------------------------------------- */

static void
listeners_wait(struct box *box, bool wait)
{
	struct listener *listener;

	box->is_full = wait;
	LIST_FOREACH (listener, &box->listeners, link) {
		if (listener->kind == BOX_LISTENER_DNS)
			continue;
		event_del(listener->again);
		if (wait)
			event_del(listener->event);
		else
			event_add(listener->event, NULL);
	}
}

/* There is no room, here or in the system: asked again soon, and not at every
 * turn of the loop. */
static void
listener_rest(struct listener *listener)
{
	static const struct timeval again = { 0, AGAIN_MS * 1000 };

	event_del(listener->event);
	event_add(listener->again, &again);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)fd;
	(void)what;
	event_add(listener->event, NULL);
}

static struct guest *
guest_new(struct box *box, int fd)
{
	static const struct timeval tick = { 0, TICK_MS * 1000 };
	struct guest *guest = calloc(1, sizeof(*guest));

	if (guest == NULL)
		return NULL;
	guest->box = box;
	guest->fd = fd;
	guest->began = doors_now_ms();
	guest->deadline = guest->began + GUEST_GREET_MS;
	TAILQ_INSERT_TAIL(&box->guests, guest, link);
	box->egress->n_guests++;
	if (box->n_guests++ == 0)
		event_add(box->tick_event, &tick);
	if (box->n_guests == BOX_GUESTS_MAX)
		listeners_wait(box, true);
	return guest;
}

static void
guest_free(struct guest *guest)
{
	struct box *box = guest->box;

	TAILQ_REMOVE(&box->guests, guest, link);
	box->egress->n_guests--;
	if (--box->n_guests == 0)
		event_del(box->tick_event);
	if (box->is_full)
		listeners_wait(box, false);
	if (guest->has_begun)
		server_done(guest->server);
	server_release(guest->server);
	dial_cancel(guest->dial);
	relay_free(guest->relay);
	if (guest->event != NULL)
		event_free(guest->event);
	if (guest->fd >= 0)
		close(guest->fd);
	free(guest->head);
	free(guest);
}

struct wire_egress_event
box_event(const struct box *box)
{
	return (struct wire_egress_event){ .deployment = box->deployment,
		.unit = box->unit.kind,
		.number = box->unit.number };
}

struct wire_egress_event
guest_event(const struct guest *guest)
{
	struct wire_egress_event event = box_event(guest->box);

	event.port = guest->port;
	event.scheme = guest->scheme;
	event.bytes_in = guest->bytes_in;
	event.bytes_out = guest->bytes_out;
	event.ms = doors_now_ms() - guest->began;
	snprintf(event.host, sizeof(event.host), "%s", guest->host.text);
	return event;
}

static bool
is_refusal(enum wire_egress_end end)
{
	return end == WIRE_EGRESS_NO_RULE || end == WIRE_EGRESS_ADDRESS ||
	    end == WIRE_EGRESS_BUDGET || end == WIRE_EGRESS_MISMATCH ||
	    end == WIRE_EGRESS_SECRET;
}

void
guest_end(struct guest *guest, enum wire_egress_end end, const char *text)
{
	struct wire_egress_event event = guest_event(guest);

	event.end = end;
	event.refused = is_refusal(end);
	snprintf(event.text, sizeof(event.text), "%s", text);
	if (!guest->is_told)
		events_tell(guest->box->egress->events, &event);
	guest_free(guest);
}

struct server *
guest_server(struct guest *guest)
{
	struct box *box = guest->box;

	if (guest->server == NULL)
		guest->server =
		    server_hold(box->egress->servers, box->deployment);
	return guest->server;
}

void
guest_say(struct guest *guest, const void *bytes, size_t len)
{
	(void)!send(guest->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
on_heard(evutil_socket_t fd, short what, void *arg)
{
	struct guest *guest = arg;
	const size_t room = HELLO_BYTES_MAX - guest->head_len;

	(void)what;
	const ssize_t n = recv(fd, guest->head + guest->head_len, room, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		guest_end(guest, WIRE_EGRESS_CUT,
		    "the program closed the connection before it had said "
		    "what it wants");
		return;
	}
	guest->head_len += (size_t)n;
	guest->hear(guest);
}

bool
guest_hear(struct guest *guest, guest_fn *hear)
{
	guest->hear = hear;
	guest->deadline = doors_now_ms() + GUEST_GREET_MS;
	if (guest->event != NULL)
		return true;
	if (guest->head == NULL)
		guest->head = malloc(HELLO_BYTES_MAX);
	guest->event = event_new(guest->box->egress->base, guest->fd,
	    EV_READ | EV_PERSIST, on_heard, guest);
	if (guest->head != NULL && guest->event != NULL &&
	    event_add(guest->event, NULL) == 0)
		return true;
	guest_end(guest, WIRE_EGRESS_INTERNAL, "out of memory");
	return false;
}

void
guest_hear_stop(struct guest *guest)
{
	if (guest->event != NULL)
		event_free(guest->event);
	guest->event = NULL;
}

void
guest_head_drop(struct guest *guest, size_t n)
{
	guest->head_len -= n;
	memmove(guest->head, guest->head + n, guest->head_len);
}

/* ---- relayed ones --------------------------------------------------------- */

bool
guest_moved(void *arg, unsigned end, size_t len)
{
	struct guest *guest = arg;

	*(end == 0 ? &guest->bytes_out : &guest->bytes_in) += len;
	guest->deadline = doors_now_ms() +
	    (relay_is_half(guest->relay) ? GUEST_HALF_MS : GUEST_IDLE_MS);
	return !guest->server->gone && server_spend(guest->server, len);
}

void
guest_relay_over(void *arg, enum relay_over how)
{
	struct guest *guest = arg;

	/* A program that has what it wants may leave as it likes. */
	if (how == RELAY_DONE || how == RELAY_LEFT)
		guest_end(guest, WIRE_EGRESS_OK, "");
	else if (how != RELAY_STOPPED)
		guest_end(guest, WIRE_EGRESS_CUT,
		    "the connection was broken off in the middle");
	else if (guest->server->gone)
		guest_end(guest, WIRE_EGRESS_NO_RULE,
		    "the rules have changed: connect again");
	else
		guest_end(guest, WIRE_EGRESS_BUDGET,
		    "the bytes of this minute are spent "
		    "(network.bytesPerMinute)");
}

/* ---- deadlines ------------------------------------------------------------ */

static void
guest_expire(struct guest *guest)
{
	if (guest->relay != NULL)
		guest_end(guest, WIRE_EGRESS_OK, "nothing moved for long");
	else
		door_refuse(guest, WIRE_EGRESS_TIMEOUT,
		    "the program did not say within 10 seconds what it wants");
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct box *box = arg;
	const uint64_t now = doors_now_ms();
	struct guest *guest = TAILQ_FIRST(&box->guests), *next;

	(void)fd;
	(void)what;
	for (; guest != NULL; guest = next) {
		next = TAILQ_NEXT(guest, link);
		if (guest->has_begun && guest->server->gone)
			guest_end(guest, WIRE_EGRESS_NO_RULE,
			    "the rules have changed: connect again");
		else if (guest->deadline != 0 && now >= guest->deadline)
			guest_expire(guest);
	}
}

/* ---- listeners ------------------------------------------------------------ */

static guest_fn *const doors[] = {
	[BOX_LISTENER_TCP] = door_enter,
	[BOX_LISTENER_HTTP_PROXY] = proxy_enter,
	[BOX_LISTENER_SOCKS] = socks_enter,
};

static void
guest_take(struct listener *listener, int raw_fd)
{
	auto_close int fd = raw_fd;
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	struct guest *guest = guest_new(listener->box, fd);
	if (guest == NULL)
		return;
	fd_steal(&fd);
	doors[listener->kind](guest);
}

/* Who has many cannot take the room of those who have few. */
static int
guest_accept(const struct box *box, int fd)
{
	const unsigned most =
	    box->n_guests < GUESTS_FEW ? GUESTS_MAX : GUESTS_MAX / 2;

	if (box->egress->n_guests < most)
		return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	errno = EMFILE;
	return -1;
}

static bool
is_lack(int code)
{
	return code == EMFILE || code == ENFILE || code == ENOBUFS ||
	    code == ENOMEM;
}

static void
on_guests(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_MAX && !listener->box->is_full; i++) {
		const int guest_fd = guest_accept(listener->box, fd);
		if (guest_fd < 0) {
			if (is_lack(errno))
				listener_rest(listener);
			return;
		}
		guest_take(listener, guest_fd);
	}
}

static void
on_datagrams(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	dns_serve(arg);
}

static void
listener_free(struct listener *listener)
{
	LIST_REMOVE(listener, link);
	if (listener->event != NULL)
		event_free(listener->event);
	if (listener->again != NULL)
		event_free(listener->again);
	if (listener->fd >= 0)
		close(listener->fd);
	free(listener);
}

/* Whether it is what it is said to be. */
static bool
socket_is(int fd, uint32_t kind)
{
	int type = 0, domain = 0;
	socklen_t len = sizeof(type);

	return kind <= BOX_LISTENER_SOCKS &&
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    domain == AF_INET &&
	    type == (kind == BOX_LISTENER_DNS ? SOCK_DGRAM : SOCK_STREAM);
}

static int
listener_new(struct box *box, const struct box_listener_note *note, int raw_fd)
{
	auto_close int fd = raw_fd;

	if (!socket_is(fd, note->kind) || box->n_listeners == LISTENERS_MAX ||
	    evutil_make_socket_nonblocking(fd) != 0)
		return -EPROTO;
	struct listener *listener = calloc(1, sizeof(*listener));
	if (listener == NULL)
		return -ENOMEM;
	*listener = (struct listener){ .box = box,
		.fd = fd_steal(&fd),
		.kind = note->kind,
		.port = note->port };
	LIST_INSERT_HEAD(&box->listeners, listener, link);
	box->n_listeners++;
	listener->event =
	    event_new(box->egress->base, listener->fd, EV_READ | EV_PERSIST,
		note->kind == BOX_LISTENER_DNS ? on_datagrams : on_guests,
		listener);
	listener->again = evtimer_new(box->egress->base, on_again, listener);
	if (listener->event == NULL || listener->again == NULL)
		return -ENOMEM;
	if (box->is_full && note->kind != BOX_LISTENER_DNS)
		return 0; /* it waits, as the others do */
	return event_add(listener->event, NULL) == 0 ? 0 : -ENOMEM;
}

/* ---- boxes ---------------------------------------------------------------- */

static void
box_free(struct box *box)
{
	struct listener *listener;
	struct guest *guest;

	while ((listener = LIST_FIRST(&box->listeners)) != NULL)
		listener_free(listener);
	/* Its guests leave with it. */
	box->http = seen_free(box->http);
	while ((guest = TAILQ_FIRST(&box->guests)) != NULL)
		guest_end(guest, WIRE_EGRESS_CANCELLED, "the box has ended");
	if (box->channel_event != NULL)
		event_free(box->channel_event);
	if (box->tick_event != NULL)
		event_free(box->tick_event);
	if (box->channel_fd >= 0)
		close(box->channel_fd);
	names_free(box->names);
	free(box);
}

/* 0, -EAGAIN; else the box is over. */
static int
listener_receive(struct box *box)
{
	struct box_listener_note note;
	int fd;

	const int r = box_listener_receive(box->channel_fd, &note, &fd);
	return r == 0 ? listener_new(box, &note, fd) : r;
}

static void
on_channel(evutil_socket_t fd, short what, void *arg)
{
	struct box *box = arg;
	int r;

	(void)fd;
	(void)what;
	do {
		r = listener_receive(box);
	} while (r == 0);
	if (r != -EAGAIN)
		box_free(box);
}

void
box_serve(
    struct egress *egress, int channel_fd, uint32_t deployment, uint32_t number)
{
	struct box *box = calloc(1, sizeof(*box));

	if (box == NULL) {
		close(channel_fd);
		return;
	}
	box->egress = egress;
	box->channel_fd = channel_fd;
	box->deployment = deployment;
	box->unit = (struct egress_unit){ WIRE_UNIT_LINK, number, 0 };
	TAILQ_INIT(&box->guests);
	box->tick_event = event_new(egress->base, -1, EV_PERSIST, on_tick, box);
	box->channel_event = event_new(
	    egress->base, channel_fd, EV_READ | EV_PERSIST, on_channel, box);
	if (names_new(&box->names) != 0 || box->tick_event == NULL ||
	    box->channel_event == NULL ||
	    event_add(box->channel_event, NULL) != 0)
		box_free(box);
}
