/* SPDX-License-Identifier: Apache-2.0 */

/*
 * libmicrohttpd in its external mode: each of its daemons owns an epoll
 * descriptor, we wait for that in our loop and let it run. What they do not
 * know is done by a tick while there are connections: deadlines that a drip of
 * bytes does not extend, and clients that leave while their connection is
 * suspended (it then is in no epoll set, so they are polled for).
 */

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/auto.h"
#include "http/inner.h"

/* A request's head, and MHD's buffers: all of it is touched, so it is what an
 * idle stream costs. */
#define HEAD_MAX (16u << 10)
#define READ_STEP 4096u
#define SURPLUS_MAX 64u /* connections that are about to go */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define STALL_S 60u /* a client that takes no byte of its answer */
#define TICK_MS 200
#define POLLED_MAX 2048u /* of those that wait, at each tick */
#define RUNS_MAX 2 /* before other events get their turn */

uint64_t
http_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
door_run(struct http_door *door)
{
	static const struct timeval at_once = { 0, 0 };
	MHD_UNSIGNED_LONG_LONG timeout;

	for (int i = 0; i < RUNS_MAX; i++) {
		MHD_run(door->daemon);
		if (MHD_get_timeout(door->daemon, &timeout) != MHD_YES ||
		    timeout > 0)
			return;
	}
	event_add(door->more_event, &at_once);
}

static void
on_run(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	door_run(arg);
}

static void
peer_cut(struct http_peer *peer)
{
	peer->deadline = 0;
	peer->cut = true;
	shutdown(peer->fd, SHUT_RDWR);
}

static void
peers_expire(struct http_peers *peers, uint64_t now)
{
	struct http_peer *peer;

	TAILQ_FOREACH (peer, peers, link) {
		if (peer->deadline != 0 && now >= peer->deadline)
			peer_cut(peer);
	}
}

/* Asks for the descriptors of `n` requests at once who has hung up. */
static void
batch_poll(struct http_request **requests, nfds_t n)
{
	struct pollfd fds[64];

	for (nfds_t i = 0; i < n; i++)
		fds[i] = (struct pollfd){ .fd = requests[i]->peer->fd,
			.events = POLLRDHUP };
	if (poll(fds, n, 0) <= 0)
		return;
	for (nfds_t i = 0; i < n; i++)
		if (fds[i].revents != 0)
			http_request_lose(requests[i]);
}

/* A part of them each time, when there are many. */
static void
waiting_poll(struct http_server *server)
{
	struct http_request *batch[64];
	unsigned left =
	    server->n_waiting < POLLED_MAX ? server->n_waiting : POLLED_MAX;
	nfds_t n = 0;

	for (; left > 0 && !TAILQ_EMPTY(&server->waiting); left--) {
		struct http_request *request = TAILQ_FIRST(&server->waiting);
		TAILQ_REMOVE(&server->waiting, request, link);
		TAILQ_INSERT_TAIL(&server->waiting, request, link);
		batch[n++] = request;
		if (n == ARRAY_LEN(batch) || left == 1) {
			batch_poll(batch, n);
			n = 0;
		}
	}
}

static void
waiting_tell_silence(struct http_server *server, uint64_t now)
{
	struct http_request *request, *next;

	EACH_WAITING (server, request, next) {
		const struct http_stream *stream = &request->stream;
		if (stream->open && request->owner != NULL &&
		    now - stream->written_at >= server->options.silence_ms)
			server->options.ops->silent(request->owner, request);
	}
}

static void
door_free(struct http_door *door)
{
	TAILQ_REMOVE(&door->server->doors, door, link);
	if (door->server->hall == door)
		door->server->hall = NULL;
	if (door->daemon != NULL)
		MHD_stop_daemon(door->daemon);
	if (door->run_event != NULL)
		event_free(door->run_event);
	if (door->more_event != NULL)
		event_free(door->more_event);
	free(door);
}

/* Those that were closed, and whose last guest has left. */
static void
doors_run(struct http_server *server)
{
	struct http_door *door = TAILQ_FIRST(&server->doors), *next;

	for (; door != NULL; door = next) {
		next = TAILQ_NEXT(door, link);
		door_run(door);
		if (door->closed && door->n_peers == 0 && !server->draining)
			door_free(door);
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *server = arg;
	const uint64_t now = http_now_ms();

	(void)fd;
	(void)what;
	peers_expire(&server->idle, now);
	peers_expire(&server->busy, now);
	waiting_poll(server);
	waiting_tell_silence(server, now);
	doors_run(server);
	if (server->n_peers == 0)
		event_del(server->tick_event);
}

void
http_peer_busy(struct http_peer *peer, bool busy)
{
	struct http_server *server = peer->door->server;

	if (peer->busy == busy)
		return;
	TAILQ_REMOVE(peer->busy ? &server->busy : &server->idle, peer, link);
	peer->busy = busy;
	TAILQ_INSERT_TAIL(busy ? &server->busy : &server->idle, peer, link);
}

/* Whether one more connection is taken: somebody idle makes room. */
static enum MHD_Result
on_accept(void *cls, const struct sockaddr *address, socklen_t len)
{
	struct http_server *server = ((struct http_door *)cls)->server;
	struct http_peer *peer;

	(void)address;
	(void)len;
	if (server->n_peers < server->options.connections_max)
		return MHD_YES;
	TAILQ_FOREACH (peer, &server->idle, link) {
		if (peer->cut)
			continue;
		peer_cut(peer);
		/* It leaves when its daemon runs; a few too many till then. */
		return server->n_peers <
			server->options.connections_max + SURPLUS_MAX
		    ? MHD_YES
		    : MHD_NO;
	}
	return MHD_NO;
}

static void
peer_open(struct http_door *door, struct MHD_Connection *connection,
    void **socket_context)
{
	static const struct timeval tick = { 0, TICK_MS * 1000 };
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_server *server = door->server;
	struct http_peer *peer = calloc(1, sizeof(*peer));

	*socket_context = peer;
	if (peer == NULL)
		return;
	*peer = (struct http_peer){
		.door = door,
		.visitor = server->adopting,
		.fd = info->connect_fd,
		.deadline = http_now_ms() + server->options.idle_ms,
	};
	if (server->n_peers++ == 0)
		event_add(server->tick_event, &tick);
	door->n_peers++;
	TAILQ_INSERT_TAIL(&server->idle, peer, link);
	server->adopting = NULL; /* taken */
}

static void
peer_close(struct http_peer *peer)
{
	struct http_server *server;

	if (peer == NULL)
		return;
	server = peer->door->server;
	TAILQ_REMOVE(peer->busy ? &server->busy : &server->idle, peer, link);
	server->n_peers--;
	peer->door->n_peers--;
	if (peer->visitor != NULL && server->options.ops->left != NULL &&
	    !server->in_adopt)
		server->options.ops->left(server->options.arg, peer->visitor);
	free(peer);
}

static void
on_connection(void *cls, struct MHD_Connection *connection,
    void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		peer_open(cls, connection, socket_context);
	else
		peer_close(*socket_context);
}

/* Targets and queries are handed on as they are. */
static size_t
unescape_nothing(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

static struct MHD_Daemon *
daemon_start(struct http_door *door, int listen_fd, const char *pem)
{
	/* MHD takes them as pointers that it does not write through. */
	union {
		const char *constant;
		char *plain;
	} text = { .constant = pem };
	const struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, text.plain },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, text.plain },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (char[]){ TLS_PRIORITIES } },
		{ MHD_OPTION_END, 0, NULL },
	};
	const struct MHD_OptionItem plain[] = { { MHD_OPTION_END, 0, NULL } };
	/* It starts only if it is told of no socket where there is none. */
	const struct MHD_OptionItem listening[] = {
		{ MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	const unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
	    (pem == NULL ? 0u : (unsigned)MHD_USE_TLS) |
	    (listen_fd >= 0 ? 0u : (unsigned)MHD_USE_NO_LISTEN_SOCKET);

	return MHD_start_daemon(flags, 0, on_accept, door, http_request_handle,
	    door->server, MHD_OPTION_ARRAY, listen_fd >= 0 ? listening : plain,
	    MHD_OPTION_CONNECTION_LIMIT,
	    door->server->options.connections_max + SURPLUS_MAX,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MAX,
	    MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)READ_STEP,
	    MHD_OPTION_CONNECTION_TIMEOUT, STALL_S,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP,
	    1, MHD_OPTION_URI_LOG_CALLBACK, http_request_start, door->server,
	    MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing, NULL,
	    MHD_OPTION_NOTIFY_COMPLETED, http_request_finish, door->server,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, door, MHD_OPTION_ARRAY,
	    pem == NULL ? plain : tls, MHD_OPTION_END);
}

static int
door_open(struct http_door *door, const char *pem)
{
	/* Of its own: libmicrohttpd closes it at its end, and also where it
	 * does not start, but not always. */
	int listen_fd = -1;
	if (door->listen_fd >= 0) {
		listen_fd = fcntl(door->listen_fd, F_DUPFD_CLOEXEC, 0);
		if (listen_fd < 0)
			return -errno;
	}
	door->daemon = daemon_start(door, listen_fd, pem);
	if (door->daemon == NULL) {
		if (listen_fd >= 0 && fcntl(listen_fd, F_GETFD) >= 0)
			close(listen_fd);
		return -EIO;
	}
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(door->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	door->run_event = event_new(door->server->base, info->epoll_fd,
	    EV_READ | EV_PERSIST, on_run, door);
	door->more_event = evtimer_new(door->server->base, on_run, door);
	if (door->run_event == NULL || door->more_event == NULL ||
	    event_add(door->run_event, NULL) != 0)
		return -ENOMEM;
	return 0;
}

/* Takes no more connections; the socket stays open. */
static void
door_close(struct http_door *door)
{
	if (!door->closed && door->listen_fd >= 0) {
		auto_close int listen_fd = MHD_quiesce_daemon(door->daemon);
		(void)listen_fd;
	}
	door->closed = true;
}

static int
door_new(struct http_server *server, int listen_fd, unsigned tag,
    const char *pem, struct http_door **doorp)
{
	struct http_door *door = calloc(1, sizeof(*door));

	if (door == NULL)
		return -ENOMEM;
	*door = (struct http_door){
		.server = server,
		.listen_fd = listen_fd,
		.tag = tag,
		.tls = pem != NULL,
	};
	TAILQ_INSERT_TAIL(&server->doors, door, link);
	const int r = door_open(door, pem);
	if (r != 0) {
		if (door->daemon != NULL)
			door_close(door);
		door_free(door);
		return r;
	}
	*doorp = door;
	return 0;
}

int
http_server_listen(
    struct http_server *server, int listen_fd, unsigned tag, const char *pem)
{
	struct http_door *door;

	return door_new(server, listen_fd, tag, pem, &door);
}

int
http_server_adopt(struct http_server *server, int fd, void *visitor)
{
	/* libmicrohttpd wants an address, and looks at its family only. */
	static const struct sockaddr_in nobody = { .sin_family = AF_INET };
	auto_close int taken = fd;

	if (server->hall == NULL) {
		const int r = door_new(server, -1, 0, NULL, &server->hall);
		if (r != 0)
			return r;
	}
	server->adopting = visitor;
	server->in_adopt = true;
	const enum MHD_Result result = MHD_add_connection(server->hall->daemon,
	    fd_steal(&taken), (const struct sockaddr *)&nobody, sizeof(nobody));
	const bool is_in = visitor == NULL || server->adopting == NULL;
	server->adopting = NULL;
	server->in_adopt = false;
	if (result != MHD_YES || !is_in)
		return -EIO;
	event_active(server->hall->run_event, EV_READ, 0);
	return 0;
}

int
http_server_tls_set(struct http_server *server, unsigned tag, const char *pem)
{
	struct http_door *door = TAILQ_FIRST(&server->doors), *next;

	for (; door != NULL; door = next) {
		next = TAILQ_NEXT(door, link);
		if (door->tag != tag || door->closed || server->draining ||
		    door->listen_fd < 0)
			continue;
		/* The new one stands at the tail, where this does not come
		 * by again before it is done. */
		const int r =
		    http_server_listen(server, door->listen_fd, tag, pem);
		if (r != 0)
			return r;
		door_close(door);
		if (next == NULL)
			break;
	}
	return 0;
}

int
http_server_new(struct http_server **serverp, struct event_base *base,
    const struct http_options *options)
{
	struct http_server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return -ENOMEM;
	server->options = *options;
	server->base = base;
	TAILQ_INIT(&server->doors);
	TAILQ_INIT(&server->idle);
	TAILQ_INIT(&server->busy);
	TAILQ_INIT(&server->waiting);
	server->tick_event = event_new(base, -1, EV_PERSIST, on_tick, server);
	if (server->tick_event == NULL) {
		free(server);
		return -ENOMEM;
	}
	*serverp = server;
	return 0;
}

static void
waiting_lose_all(struct http_server *server)
{
	struct http_request *request, *next;

	EACH_WAITING (server, request, next)
		http_request_lose(request);
}

struct http_server *
http_server_free(struct http_server *server)
{
	struct http_door *door;

	if (server == NULL)
		return NULL;
	/* MHD aborts on connections that are suspended at its end; what it
	 * reads in its last run must not be, either. */
	server->ending = true;
	waiting_lose_all(server);
	TAILQ_FOREACH (door, &server->doors, link)
		MHD_run(door->daemon);
	while ((door = TAILQ_FIRST(&server->doors)) != NULL)
		door_free(door);
	event_free(server->tick_event);
	free(server);
	return NULL;
}

void
http_server_drain(struct http_server *server)
{
	struct http_door *door;
	struct http_peer *peer;

	if (server->draining)
		return;
	server->draining = true;
	TAILQ_FOREACH (door, &server->doors, link)
		door_close(door);
	TAILQ_FOREACH (peer, &server->idle, link)
		if (peer->request == NULL)
			shutdown(peer->fd, SHUT_RDWR);
	doors_run(server);
}

unsigned
http_server_pending(const struct http_server *server)
{
	return server->n_pending;
}

unsigned
http_server_connections(const struct http_server *server)
{
	return server->n_peers;
}
