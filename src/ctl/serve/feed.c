/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/serve/feed.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/auto.h"
#include "ctl/serve/egress.h"
#include "ctl/serve/supervisor.h"
#include "wire/registry.h"
#include "wire/wire.h"

static int
lost(struct err *err)
{
	return err_set(err, CTL_E_FEED_LOST, "the supervisor has ended");
}

/* Until the channel is ready, or we are told to end. */
static int
ready_wait(const struct ctl_feed *feed, short events, struct err *err)
{
	struct pollfd fds[] = {
		{ .fd = feed->operator_fd, .events = events },
		{ .fd = feed->stop_fd, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, ARRAY_LEN(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_set(err, -errno, "%s", strerror(errno));
		}
		/* What the other end still said comes before its end. */
		if ((fds[0].revents & events) != 0)
			return 0;
		if (fds[0].revents != 0)
			return lost(err);
		if (fds[1].revents != 0)
			return err_set(err, CTL_E_FEED_STOPPED, "told to end");
	}
}

static int
message_send(const struct ctl_feed *feed, const struct wire_message *message,
    int fd, const void *text, struct err *err)
{
	for (;;) {
		int r = wire_send(
		    feed->operator_fd, message, &fd, fd >= 0 ? 1 : 0, text);

		if (r == 0)
			return 0;
		if (r == WIRE_E_CLOSED)
			return lost(err);
		if (r != -EAGAIN)
			return err_set(err, r < 0 ? r : -EPROTO,
			    "the supervisor cannot be told: %s",
			    strerror(r < 0 ? -r : EPROTO));
		r = ready_wait(feed, POLLOUT, err);
		if (r != 0)
			return r;
	}
}

static int
bundle_digest(const struct ctl_bundle *bundle, uint8_t digest[32])
{
	void *bytes =
	    mmap(NULL, bundle->n_bytes, PROT_READ, MAP_PRIVATE, bundle->fd, 0);

	if (bytes == MAP_FAILED)
		return -errno;
	crypto_hash_sha256(digest, bytes, bundle->n_bytes);
	munmap(bytes, bundle->n_bytes);
	return 0;
}

/* It has no bundle. */
static bool
is_elsewhere(const struct ctl_server *server)
{
	return server->kind == WIRE_KIND_SOCKET ||
	    server->kind == WIRE_KIND_REMOTE;
}

static int
record_fill(struct wire_server *record, const struct ctl_server *server,
    const struct ctl_server_config *own)
{
	struct wire_deployment *launch = &record->launch;

	*record = (struct wire_server){ .tenant = WIRE_TENANT_LOCAL,
		.state = WIRE_STATE_APPROVED,
		.origin = WIRE_ORIGIN_FOLDER };
	const int r = ctl_deployment_set(
	    launch, server->name, -1, own->pool_max, &own->limits);
	if (r < 0)
		return r;
	launch->share = own->share;
	if (server->kind == WIRE_KIND_BOX) {
		launch->kind = WIRE_KIND_BOX;
		launch->box = own->box;
	}
	if (!is_elsewhere(server))
		return bundle_digest(&server->bundle, launch->digest);
	launch->kind = server->kind;
	const char *place =
	    server->kind == WIRE_KIND_REMOTE ? own->url : own->socket;
	strcpy(server->kind == WIRE_KIND_REMOTE ? launch->url : launch->socket,
	    place);
	crypto_hash_sha256(
	    launch->digest, (const unsigned char *)place, strlen(place));
	return 0;
}

static int
server_send(const struct ctl_feed *feed, const struct ctl_server *server,
    const struct ctl_config *config, struct err *err)
{
	static char text[sizeof(struct wire_server) + CTL_NETWORK_MAX];
	struct ctl_server_config own;
	struct wire_server record;

	ctl_config_server(config, server->name, &own);
	const int r = record_fill(&record, server, &own);
	if (r < 0)
		return err_set(err, r, "%s cannot be handed on: %s",
		    server->name, strerror(-r));
	const char *network = server->network != NULL ? server->network : "";
	const size_t network_len = strlen(network);
	const struct wire_message message = {
		.type = is_elsewhere(server) ? WIRE_SERVER_SOCKET
					     : WIRE_SERVER_BUNDLE,
		.text_len = (uint32_t)(sizeof(record) + network_len),
	};
	memcpy(text, &record, sizeof(record));
	memcpy(text + sizeof(record), network, network_len);
	return message_send(feed, &message,
	    is_elsewhere(server) ? -1 : server->bundle.fd, text, err);
}

static int
committed_wait(const struct ctl_feed *feed, struct err *err)
{
	static char text[WIRE_TEXT_MAX + 1];
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	for (;;) {
		int r = ready_wait(feed, POLLIN, err);
		if (r != 0)
			return r;
		r = wire_receive(feed->operator_fd, 0, &message, fds, text);
		if (r == -EAGAIN)
			continue;
		if (r != 0 || message.type != WIRE_COMMITTED)
			return lost(err);
		if (message.status == 0)
			return 0;
		return err_set(err, CTL_E_FEED_REFUSED, "%s",
		    message.text_len > 0 ? text : strerror(message.status));
	}
}

int
ctl_feed_servers(const struct ctl_feed *feed, const struct ctl_catalog *catalog,
    const struct ctl_config *config, struct err *err)
{
	const struct wire_message commit = { .type = WIRE_COMMIT };
	int r = 0;

	for (size_t i = 0; i < catalog->n_servers && r == 0; i++)
		r = server_send(feed, &catalog->servers[i], config, err);
	if (r == 0)
		r = message_send(feed, &commit, -1, NULL, err);
	return r == 0 ? committed_wait(feed, err) : r;
}

int
ctl_feed_file(
    const struct ctl_feed *feed, uint32_t type, int memfd, struct err *err)
{
	const struct wire_message message = { .type = type };

	return message_send(feed, &message, memfd, NULL, err);
}
