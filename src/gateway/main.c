/* SPDX-License-Identifier: Apache-2.0 */

/*
 * cordon-gateway --plan FD --supervisor FD [--listen FD]
 *
 * Runs as cordon-gateway, with no root, no files, no sockets of its own.
 * Started by the supervisor; ends when told (SIGTERM, after what is in flight
 * was answered).
 */

#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/auto.h"
#include "base/err.h"
#include "box/box.h"
#include "gateway/egress/watch.h"
#include "gateway/gateway.h"
#include "gateway/log.h"
#include "gateway/plan.h"
#include "gateway/route.h"
#include "gateway/store.h"
#include "gateway/turn.h"
#include "wire/wire.h"

#define BODY_MAX (4u << 20)
#define DRAIN_MS 10000
#define DRAIN_TICK_MS 20

/* How many strangers there may be, and how long they are waited for; tests are
 * built with less. */
#ifndef CONNECTIONS_MAX
#define CONNECTIONS_MAX 16384
#endif
#ifndef GATEWAY_PATIENCE
#define GATEWAY_PATIENCE                                                       \
	.arrival_ms = 30000, .idle_ms = 60000, .silence_ms = 15000
#endif

struct inherited {
	int plan_fd;
	int supervisor_fd;
	int listen_fd; /* -1: the plan names it, and the next two */
	int admin_fd;
	int tls_fd;
};

static bool
fd_parse(const char *text, int *fd)
{
	char *end;
	const long n = strtol(text, &end, 10);

	if (end == text || *end != '\0' || n < 0 || n > 1 << 20)
		return false;
	*fd = (int)n;
	return true;
}

static bool
options_parse(int argc, char **argv, struct inherited *fds)
{
	static const struct option options[] = {
		{ "plan", required_argument, NULL, 'p' },
		{ "supervisor", required_argument, NULL, 's' },
		{ "listen", required_argument, NULL, 'l' },
		{ "admin", required_argument, NULL, 'a' },
		{ "tls", required_argument, NULL, 't' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		int *fd = c == 'p' ? &fds->plan_fd
		    : c == 's'     ? &fds->supervisor_fd
		    : c == 'l'     ? &fds->listen_fd
		    : c == 'a'     ? &fds->admin_fd
		    : c == 't'     ? &fds->tls_fd
				   : NULL;
		if (fd == NULL || !fd_parse(optarg, fd))
			return false;
	}
	return optind == argc && fds->plan_fd >= 0 && fds->supervisor_fd >= 0;
}

static void
on_notice(void *arg, uint32_t deployment, int level, const char *text)
{
	struct gateway *gateway = arg;
	struct server *server = gateway->registry != NULL
	    ? registry_server_by_id(gateway, deployment)
	    : NULL;

	if (server != NULL && level > LOG_DEBUG) {
		server_log(server, level, 0, text, strlen(text));
		return;
	}
	log_line(level < LOG_DEBUG || level > LOG_ERROR ? LOG_WARN
							: (enum log_level)level,
	    0, "%s", text);
}

static void
settings_take(struct gateway *gateway, const struct wire_plan *settings)
{
	gateway->settings = *settings;
	gateway->sessions = settings->sessions;
	if (gateway->sessions.idle_s == 0)
		gateway->sessions = (struct wire_sessions)WIRE_SESSIONS_DEFAULT;
	log_init((settings->flags & WIRE_PLAN_LOG_JSON) != 0,
	    (settings->flags & WIRE_PLAN_VERBOSE) != 0 ? LOG_DEBUG : LOG_INFO);
}

static void
on_settings(struct gateway *gateway, int fd)
{
	struct wire_plan settings;
	struct err err = { 0 };

	if (plan_settings(fd, &settings, &err) != 0) {
		log_line(LOG_ERROR, 0, "the new settings are not taken: %s",
		    err.text);
		return;
	}
	settings_take(gateway, &settings);
	pool_bounds_set(
	    gateway->pool, settings.cells_max, settings.memory_budget);
	registry_shares_set(gateway);
	log_line(LOG_DEBUG, 0, "the settings are new");
}

static void
on_tls(struct gateway *gateway, int fd)
{
	struct err err = { .text = "libmicrohttpd does not take it" };
	char *pem = plan_pem_read(fd, &err);

	if (pem == NULL ||
	    http_server_tls_set(gateway->http, LISTENER_TCP, pem) != 0)
		log_line(LOG_ERROR, 0,
		    "the new certificate is not used, the "
		    "last one stays: %s",
		    err.text);
	else
		log_line(LOG_INFO, 0, "new connections get a new certificate");
	plan_pem_free(pem);
}

static void
on_message(void *arg, uint32_t type, int fd)
{
	struct gateway *gateway = arg;

	if (type == WIRE_STORE)
		store_connect(gateway, fd);
	else if (type == WIRE_SETTINGS)
		on_settings(gateway, fd);
	else if (type == WIRE_TLS)
		on_tls(gateway, fd);
	else if (type == WIRE_EGRESS_EVENTS)
		egress_connect(gateway, fd);
	else
		close(fd);
}

static int
pool_start(struct gateway *gateway, int supervisor_fd, struct err *err)
{
	const struct wire_plan *plan = gateway->plan;
	const struct pool_options pool = {
		.cells_max = plan->cells_max,
		.memory_budget = plan->memory_budget,
		.notice = on_notice,
		.notice_arg = gateway,
	};

	const int r =
	    pool_new(&gateway->pool, gateway->base, supervisor_fd, &pool);
	if (r != 0)
		return err_set(
		    err, r, "cannot make the pool of cells: %s", strerror(-r));
	pool_message_set(gateway->pool, on_message, gateway);
	return 0;
}

/* The TCP socket, under TLS if there is a certificate, and the admin's. */
static int
listen_start(
    struct gateway *gateway, const struct inherited *fds, struct err *err)
{
	char *pem = NULL;

	if (fds->tls_fd >= 0) {
		pem = plan_pem_read(fds->tls_fd, err);
		if (pem == NULL)
			return -EINVAL;
	}
	int r = http_server_listen(
	    gateway->http, fds->listen_fd, LISTENER_TCP, pem);
	plan_pem_free(pem);
	if (r == 0 && fds->admin_fd >= 0)
		r = http_server_listen(
		    gateway->http, fds->admin_fd, LISTENER_ADMIN, NULL);
	if (r != 0)
		return err_set(err, r,
		    "cannot serve HTTP%s on descriptor "
		    "%d: %s",
		    fds->tls_fd >= 0 ? "S" : "", fds->listen_fd, strerror(-r));
	return 0;
}

/* What the parts keep; freed in reverse by gateway_stop(). */
static int
state_start(struct gateway *gateway, struct err *err)
{
	int r = registry_start(gateway);

	if (r == 0)
		r = store_start(gateway);
	if (r == 0)
		r = metrics_start(gateway);
	if (r == 0)
		r = egress_watch_start(gateway);
	if (r == 0)
		r = turn_start(gateway);
	if (r == 0)
		r = front_start(gateway);
	return r == 0 ? 0 : err_set(err, r, "out of memory");
}

static int
parts_start(
    struct gateway *gateway, const struct inherited *fds, struct err *err)
{
	const struct http_options http = {
		.ops = &route_ops,
		.arg = gateway,
		.body_max = BODY_MAX,
		.connections_max = CONNECTIONS_MAX,
		GATEWAY_PATIENCE,
	};

	gateway->hold.max = CONNECTIONS_MAX;
	int r = pool_start(gateway, fds->supervisor_fd, err);
	if (r == 0)
		r = state_start(gateway, err);
	if (r == 0 &&
	    http_server_new(&gateway->http, gateway->base, &http) != 0)
		r = err_set(err, -ENOMEM, "out of memory");
	if (r != 0)
		return r;
	const struct wire_plan *plan = gateway->plan;
	const struct inherited planned = { .listen_fd = plan->listen_fd,
		.admin_fd = plan->admin_fd,
		.tls_fd = plan->tls_fd };
	return listen_start(gateway, fds->listen_fd >= 0 ? fds : &planned, err);
}

static struct event_base *
base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config != NULL) {
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		base = event_base_new_with_config(config);
		event_config_free(config);
	}
	return base;
}

static int
gateway_start(
    struct gateway *gateway, const struct inherited *fds, struct err *err)
{
	if (sodium_init() < 0)
		return err_set(err, -EIO, "libsodium does not start");
	int r = plan_map(fds->plan_fd, &gateway->plan, err);
	if (r != 0)
		return r;
	settings_take(gateway, gateway->plan);
	gateway->next_request = (uint64_t)randombytes_random() << 32;

	/* Everything was inherited; from here on strangers are heard. */
	r = box_enter("gateway", err);
	if (r != 0)
		return r;
	gateway->base = base_new();
	if (gateway->base == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	return parts_start(gateway, fds, err);
}

struct drain {
	struct gateway *gateway;
	struct event *tick;
	unsigned left_ms;
};

/* A legacy client's call runs to its end even when the client has left. */
static unsigned
gateway_pending(const struct gateway *gateway)
{
	const unsigned requests = http_server_pending(gateway->http);
	const unsigned calls = pool_calls_pending(gateway->pool);

	return requests > calls ? requests : calls;
}

static void
on_drain_tick(evutil_socket_t fd, short what, void *arg)
{
	struct drain *drain = arg;
	const unsigned pending = gateway_pending(drain->gateway);

	(void)fd;
	(void)what;
	drain->left_ms -= DRAIN_TICK_MS;
	if (pending > 0 && drain->left_ms > 0)
		return;
	if (pending > 0) {
		log_line(LOG_WARN, 0,
		    "%u requests were cut: they did not end in %d s", pending,
		    DRAIN_MS / 1000);
		store_last_words(drain->gateway);
		_exit(0); /* the kernel takes everything back at once */
	}
	event_base_loopbreak(drain->gateway->base);
}

static void
on_terminate(evutil_socket_t signal_number, short what, void *arg)
{
	static const struct timeval tick = { 0, DRAIN_TICK_MS * 1000 };
	struct drain *drain = arg;
	struct gateway *gateway = drain->gateway;

	(void)signal_number;
	(void)what;
	if (gateway->draining)
		return;
	gateway->draining = true;
	log_line(LOG_INFO, 0, "draining: %u requests in flight",
	    http_server_pending(gateway->http));
	http_server_drain(gateway->http);
	front_drain(gateway);
	egress_watch_drain(gateway);
	event_add(drain->tick, &tick);
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	registry_tick(arg);
}

static int
gateway_run(struct gateway *gateway)
{
	static const struct timeval second = { 1, 0 };
	struct drain drain = { .gateway = gateway, .left_ms = DRAIN_MS };
	struct event *terminate =
	    evsignal_new(gateway->base, SIGTERM, on_terminate, &drain);
	struct event *interrupt =
	    evsignal_new(gateway->base, SIGINT, on_terminate, &drain);

	drain.tick =
	    event_new(gateway->base, -1, EV_PERSIST, on_drain_tick, &drain);
	struct event *clock =
	    event_new(gateway->base, -1, EV_PERSIST, on_second, gateway);
	if (terminate == NULL || interrupt == NULL || drain.tick == NULL ||
	    clock == NULL)
		return -ENOMEM;
	event_add(clock, &second);
	event_add(terminate, NULL);
	event_add(interrupt, NULL);
	log_line(LOG_INFO, 0, "serving");
	event_base_dispatch(gateway->base);
	event_free(terminate);
	event_free(interrupt);
	event_free(drain.tick);
	event_free(clock);
	return 0;
}

static void
gateway_stop(struct gateway *gateway)
{
	gateway->http = http_server_free(gateway->http);
	gateway->pool = pool_free(gateway->pool);
	front_stop(gateway);
	turn_stop(gateway);
	egress_watch_stop(gateway);
	metrics_stop(gateway);
	store_stop(gateway);
	registry_stop(gateway);
	event_base_free(gateway->base);
}

int
main(int argc, char **argv)
{
	struct inherited fds = { -1, -1, -1, -1, -1 };
	struct gateway gateway = { 0 };
	struct err err = { 0 };

	prctl(PR_SET_NAME, "cordon-gateway");
	signal(SIGPIPE, SIG_IGN);
	if (!options_parse(argc, argv, &fds)) {
		fprintf(stderr,
		    "usage: cordon-gateway --plan FD --supervisor FD "
		    "[--listen FD [--admin FD] [--tls FD]] (the supervisor "
		    "starts it)\n");
		return 2;
	}
	if (gateway_start(&gateway, &fds, &err) != 0 ||
	    gateway_run(&gateway) != 0) {
		log_line(
		    LOG_ERROR, 0, "cordon-gateway cannot start: %s", err.text);
		return 70;
	}
	log_line(LOG_INFO, 0, "drained");
	gateway_stop(&gateway);
	return 0;
}
