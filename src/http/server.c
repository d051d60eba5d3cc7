/* SPDX-License-Identifier: Apache-2.0 */

/*
 * libmicrohttpd in its external mode: it owns an epoll descriptor, we wait for
 * that in our loop and let it run. What it does not know is done by a tick
 * while there are connections: deadlines that a drip of bytes does not extend,
 * and clients that leave while their connection is suspended (it then is in no
 * epoll set, so they are polled for).
 */

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/auto.h"
#include "http/inner.h"

#define HEAD_MAX (32u << 10) /* a request's head, and MHD's read buffer */
#define STALL_S 60u /* a client that takes no byte of its answer */
#define TICK_MS 200
#define RUNS_MAX 16 /* before other events get their turn */

uint64_t
http_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
server_run(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout;

	for (int i = 0; i < RUNS_MAX; i++) {
		MHD_run(server->daemon);
		if (MHD_get_timeout(server->daemon, &timeout) != MHD_YES ||
		    timeout > 0)
			return;
	}
	event_active(server->run_event, EV_READ, 0);
}

static void
on_run(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	server_run(arg);
}

static void
peers_expire(struct http_server *server, uint64_t now)
{
	struct http_peer *peer;

	TAILQ_FOREACH(peer, &server->peers, link)
	{
		if (peer->deadline == 0 || now < peer->deadline)
			continue;
		peer->deadline = 0;
		shutdown(peer->fd, SHUT_RDWR);
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

static void
waiting_poll(struct http_server *server)
{
	struct http_request *batch[64], *request, *next;
	nfds_t n = 0;

	EACH_WAITING(server, request, next)
	{
		batch[n++] = request;
		if (n == ARRAY_LEN(batch)) {
			batch_poll(batch, n);
			n = 0;
		}
	}
	if (n > 0)
		batch_poll(batch, n);
}

static void
waiting_tell_silence(struct http_server *server, uint64_t now)
{
	struct http_request *request, *next;

	EACH_WAITING(server, request, next)
	{
		const struct http_stream *stream = &request->stream;
		if (stream->open && request->owner != NULL &&
		    now - stream->written_at >= server->options.silence_ms)
			server->options.ops->silent(request->owner, request);
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *server = arg;
	const uint64_t now = http_now_ms();

	(void)fd;
	(void)what;
	peers_expire(server, now);
	waiting_poll(server);
	waiting_tell_silence(server, now);
	server_run(server);
}

static void
peer_open(struct http_server *server, struct MHD_Connection *connection,
    void **socket_context)
{
	static const struct timeval tick = { 0, TICK_MS * 1000 };
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_peer *peer = calloc(1, sizeof(*peer));

	*socket_context = peer;
	if (peer == NULL)
		return;
	*peer = (struct http_peer){
		.server = server,
		.fd = info->connect_fd,
		.deadline = http_now_ms() + server->options.idle_ms,
	};
	if (TAILQ_EMPTY(&server->peers))
		event_add(server->tick_event, &tick);
	TAILQ_INSERT_TAIL(&server->peers, peer, link);
}

static void
peer_close(struct http_server *server, struct http_peer *peer)
{
	if (peer == NULL)
		return;
	TAILQ_REMOVE(&server->peers, peer, link);
	if (TAILQ_EMPTY(&server->peers))
		event_del(server->tick_event);
	free(peer);
}

static void
on_connection(void *cls, struct MHD_Connection *connection,
    void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		peer_open(cls, connection, socket_context);
	else
		peer_close(cls, *socket_context);
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
daemon_start(struct http_server *server)
{
	const struct http_options *options = &server->options;

	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0,
	    NULL, NULL, http_request_handle, server, MHD_OPTION_LISTEN_SOCKET,
	    options->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
	    options->connections_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)HEAD_MAX, MHD_OPTION_CONNECTION_MEMORY_INCREMENT,
	    (size_t)8192, MHD_OPTION_CONNECTION_TIMEOUT, STALL_S,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP,
	    1, MHD_OPTION_URI_LOG_CALLBACK, http_request_start, server,
	    MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing, NULL,
	    MHD_OPTION_NOTIFY_COMPLETED, http_request_finish, server,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
	    MHD_OPTION_END);
}

static int
events_add(struct http_server *server, struct event_base *base)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	server->run_event = event_new(
	    base, info->epoll_fd, EV_READ | EV_PERSIST, on_run, server);
	server->tick_event = event_new(base, -1, EV_PERSIST, on_tick, server);
	if (server->run_event == NULL || server->tick_event == NULL ||
	    event_add(server->run_event, NULL) != 0)
		return -ENOMEM;
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
	TAILQ_INIT(&server->peers);
	TAILQ_INIT(&server->waiting);
	server->daemon = daemon_start(server);

	const int r = server->daemon == NULL ? -EIO : events_add(server, base);
	if (r != 0) {
		http_server_free(server);
		return r;
	}
	*serverp = server;
	return 0;
}

static void
waiting_lose_all(struct http_server *server)
{
	struct http_request *request, *next;

	EACH_WAITING(server, request, next)
	http_request_lose(request);
}

struct http_server *
http_server_free(struct http_server *server)
{
	if (server == NULL)
		return NULL;
	if (server->daemon != NULL) {
		/* MHD aborts on connections that are suspended at its end. */
		waiting_lose_all(server);
		MHD_run(server->daemon);
		MHD_stop_daemon(server->daemon);
	}
	if (server->run_event != NULL)
		event_free(server->run_event);
	if (server->tick_event != NULL)
		event_free(server->tick_event);
	free(server);
	return NULL;
}

void
http_server_drain(struct http_server *server)
{
	struct http_peer *peer;

	if (server->draining)
		return;
	server->draining = true;
	MHD_quiesce_daemon(server->daemon);
	TAILQ_FOREACH(peer, &server->peers, link)
	if (peer->request == NULL)
		shutdown(peer->fd, SHUT_RDWR);
	server_run(server);
}

unsigned
http_server_pending(const struct http_server *server)
{
	return server->n_pending;
}
