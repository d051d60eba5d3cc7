/* SPDX-License-Identifier: Apache-2.0
 *
 * libcurl's multi interface on libevent: its sockets and its one timer.
 */
#include "egress/client.h"

#include <errno.h>
#include <event2/event.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define IDLE_S 60
#define CONNECTIONS_MIN 16L
#define CONNECTIONS_MAX 1024L

struct watch {
	struct watch *next;
	struct watch **back;
	struct event *event;
};

struct client {
	struct egress *egress;
	struct server *server; /* it is its: not held */
	CURLM *multi;
	struct event *timer; /* libcurl's */
	struct event *idle;
	struct watch *watches;
	unsigned running;
	bool is_acting; /* libcurl is on the stack */
};

/* ---- sockets and time ----------------------------------------------------- */

static void
transfers_end(struct client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
		struct fetch *fetch;
		const CURLcode code = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(
		    message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
		fetch_done(fetch, code);
	}
}

/* A fetch that ends may be the last to hold the server, and with it us. */
static void
act(struct client *client, curl_socket_t fd, int what)
{
	struct server *server = client->server;
	int running;

	server->refs++;
	client->is_acting = true;
	curl_multi_socket_action(client->multi, fd, what, &running);
	client->is_acting = false;
	transfers_end(client);
	server_release(server);
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	act(arg, fd,
	    (what & EV_READ ? CURL_CSELECT_IN : 0) |
		(what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void
watch_free(struct watch *watch)
{
	*watch->back = watch->next;
	if (watch->next != NULL)
		watch->next->back = watch->back;
	if (watch->event != NULL)
		event_free(watch->event);
	free(watch);
}

static struct watch *
watch_new(struct client *client)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	if (watch == NULL)
		return NULL;
	watch->next = client->watches;
	if (watch->next != NULL)
		watch->next->back = &watch->next;
	watch->back = &client->watches;
	client->watches = watch;
	return watch;
}

static void
fetch_tell_socket(CURL *easy, curl_socket_t fd, int what)
{
	struct fetch *fetch = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&fetch);
	if (fetch != NULL) /* libcurl has transfers of its own */
		fetch_on_socket(fetch, fd, what != CURL_POLL_REMOVE);
}

static int
on_socket_change(
    CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct client *client = arg;
	struct watch *watch = socket_arg;

	fetch_tell_socket(easy, fd, what);
	if (what == CURL_POLL_REMOVE) {
		if (watch != NULL)
			watch_free(watch);
		return 0;
	}
	if (watch == NULL && (watch = watch_new(client)) == NULL)
		return -1;
	if (watch->event != NULL)
		event_free(watch->event);
	watch->event = event_new(client->egress->base, fd,
	    (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
		(what & CURL_POLL_OUT ? EV_WRITE : 0)),
	    on_ready, client);
	curl_multi_assign(client->multi, fd, watch);
	return watch->event != NULL && event_add(watch->event, NULL) == 0 ? 0
									  : -1;
}

static int
on_timer_change(CURLM *multi, long timeout_ms, void *arg)
{
	struct client *client = arg;
	const struct timeval after = { timeout_ms / 1000,
		timeout_ms % 1000 * 1000 };

	(void)multi;
	if (timeout_ms < 0)
		event_del(client->timer);
	else
		event_add(client->timer, &after);
	return 0;
}

/* ---- its life ------------------------------------------------------------- */

struct client *
client_free(struct client *client)
{
	if (client == NULL)
		return NULL;
	if (client->multi != NULL)
		curl_multi_cleanup(client->multi);
	while (client->watches != NULL)
		watch_free(client->watches);
	if (client->timer != NULL)
		event_free(client->timer);
	if (client->idle != NULL)
		event_free(client->idle);
	free(client);
	return NULL;
}

static void
on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;

	(void)fd;
	(void)what;
	if (client->running == 0)
		client->server->client = client_free(client);
}

/* libcurl counts those in use, too: with fewer than may be under way at once,
 * each that ends its request would be closed. */
static long
connections_max(const struct server *server)
{
	const long wanted = (long)server->head.budget.concurrent;

	return wanted < CONNECTIONS_MIN ? CONNECTIONS_MIN
	    : wanted > CONNECTIONS_MAX  ? CONNECTIONS_MAX
					: wanted;
}

static struct client *
client_new(struct egress *egress, struct server *server)
{
	struct client *client = calloc(1, sizeof(*client));
	if (client == NULL)
		return NULL;
	client->egress = egress;
	client->server = server;
	client->timer = evtimer_new(egress->base, on_time, client);
	client->idle = evtimer_new(egress->base, on_idle, client);
	client->multi = curl_multi_init();
	if (client->timer == NULL || client->idle == NULL ||
	    client->multi == NULL)
		return client_free(client);
	curl_multi_setopt(
	    client->multi, CURLMOPT_SOCKETFUNCTION, on_socket_change);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(
	    client->multi, CURLMOPT_TIMERFUNCTION, on_timer_change);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(
	    client->multi, CURLMOPT_MAXCONNECTS, connections_max(server));
	return client;
}

int
client_add(struct egress *egress, struct server *server, CURL *easy)
{
	if (server->client == NULL)
		server->client = client_new(egress, server);
	struct client *client = server->client;
	if (client == NULL ||
	    curl_multi_add_handle(client->multi, easy) != CURLM_OK)
		return -ENOMEM;
	client->running++;
	event_del(client->idle);
	return 0;
}

void
client_remove(struct client *client, CURL *easy)
{
	curl_multi_remove_handle(client->multi, easy);
	client->running--;
}

bool
client_is_acting(const struct client *client)
{
	return client != NULL && client->is_acting;
}

void
client_idle(struct client *client)
{
	static const struct timeval idle = { IDLE_S, 0 };

	if (client != NULL && client->running == 0)
		event_add(client->idle, &idle);
}

/* ---- trust ---------------------------------------------------------------- */

static X509_STORE *
store_new(const struct egress *egress)
{
	BIO *bio = BIO_new_mem_buf(egress->ca_pem, (int)egress->ca_len);
	X509_STORE *store = X509_STORE_new();
	X509 *certificate;

	while (bio != NULL && store != NULL &&
	    (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		X509_STORE_add_cert(store, certificate);
		X509_free(certificate);
	}
	BIO_free(bio);
	return store;
}

int
client_trust(struct egress *egress, void *ssl_context)
{
	if (egress->trust == NULL)
		egress->trust = store_new(egress);
	if (egress->trust == NULL)
		return -EINVAL;
	SSL_CTX_set1_cert_store(ssl_context, egress->trust);
	/* As in doors/leaf.c. */
	SSL_CTX_clear_mode(ssl_context, SSL_MODE_AUTO_RETRY);
	return 0;
}
