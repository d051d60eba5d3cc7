/* SPDX-License-Identifier: Apache-2.0
 *
 * What passes through: from the operator to the store and the gateway, between
 * store and gateway, from a server's socket to the gateway. Looked at for its
 * shape only.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "supervisor/supervisor.h"

void
link_store(struct supervisor *supervisor)
{
	const struct wire_message message = { .type = WIRE_STORE };
	int pair[2];

	if (supervisor->store.pid == 0 || supervisor->gateway.pid == 0)
		return;
	if (wire_pair(SOCK_STREAM, pair) != 0) {
		supervisor_log(supervisor, "error",
		    "no socket between store and gateway: %s", strerror(errno));
		return;
	}
	if (wire_send(supervisor->store.socket_fd, &message, &pair[0], 1,
		NULL) == -EAGAIN) {
		/* It says nothing and takes nothing: it starts anew. */
		supervisor_log(
		    supervisor, "error", "the store does not listen");
		child_end(&supervisor->store);
	}
	caller_tell(supervisor, &message, &pair[1], 1, NULL);
	close(pair[0]);
	close(pair[1]);
}

static void
memfd_tell(struct supervisor *supervisor, uint32_t type, int fd)
{
	const struct wire_message message = { .type = type };

	if (fd >= 0 && supervisor->gateway.pid != 0)
		caller_tell(supervisor, &message, &fd, 1, NULL);
}

void
gateway_brief(struct supervisor *supervisor)
{
	memfd_tell(supervisor, WIRE_TLS, supervisor->tls_fd);
	memfd_tell(supervisor, WIRE_SETTINGS, supervisor->settings_fd);
}

/* ---- the operator -----------------------------------------------------------
 */

void
operator_tell(struct supervisor *supervisor, const struct wire_message *message,
    const char *text)
{
	if (supervisor->operator_fd >= 0)
		wire_send(supervisor->operator_fd, message, NULL, 0, text);
}

static void
relay_drop(struct relay *relay)
{
	if (relay->fd >= 0)
		close(relay->fd);
	relay->fd = -1;
	relay->message.type = WIRE_NONE;
}

void
relay_flush(struct supervisor *supervisor)
{
	struct relay *relay = &supervisor->relay;

	if (relay->message.type == WIRE_NONE || supervisor->store.pid == 0)
		return;
	const int code = wire_send(supervisor->store.socket_fd, &relay->message,
	    &relay->fd, relay->fd >= 0 ? 1 : 0, relay->text);
	if (code != -EAGAIN)
		relay_drop(relay); /* a store that is gone shows elsewhere */
}

static void
void_tell(struct supervisor *supervisor)
{
	static const char text[] =
	    "the store ended in the middle of it and starts anew: give it all "
	    "servers once more";
	const struct wire_message message = { .type = WIRE_COMMITTED,
		.status = ECONNRESET,
		.text_len = sizeof(text) - 1 };

	supervisor->relay.void_ = supervisor->relay.gathering = false;
	operator_tell(supervisor, &message, text);
}

/* A COMMIT that was passed on, or waits, gets its answer from us; one that is
 * still to come, too. */
void
relay_void(struct supervisor *supervisor)
{
	struct relay *relay = &supervisor->relay;

	if (!relay->gathering)
		return;
	relay_drop(relay);
	if (relay->committing)
		void_tell(supervisor);
	else
		relay->void_ = true;
	relay->committing = false;
}

static int
relay_take(struct supervisor *supervisor, const struct wire_message *message,
    const char *text, int raw_fd)
{
	auto_close int fd = raw_fd;
	struct relay *relay = &supervisor->relay;

	if (supervisor->plan.store_fd < 3 ||
	    message->text_len > sizeof(relay->text))
		return -EPROTO;
	relay->committing = message->type == WIRE_COMMIT;
	if (relay->void_) {
		if (relay->committing)
			void_tell(supervisor);
		return 0;
	}
	relay->gathering = true;
	relay->message = *message;
	memcpy(relay->text, text, message->text_len);
	relay->fd = fd_steal(&fd);
	relay_flush(supervisor);
	return 0;
}

static int
memfd_keep(struct supervisor *supervisor, const struct wire_message *message,
    const char *text, int fd)
{
	int *place = message->type == WIRE_TLS ? &supervisor->tls_fd
					       : &supervisor->settings_fd;

	(void)text;
	if (*place >= 0)
		close(*place);
	*place = fd;
	memfd_tell(supervisor, message->type, fd);
	return 0;
}

static int
egress_settings_take(struct supervisor *supervisor,
    const struct wire_message *message, const char *text, int fd)
{
	(void)message;
	(void)text;
	if (supervisor->plan.egress_fd >= 3)
		close(supervisor->plan.egress_fd);
	supervisor->plan.egress_fd = fd;
	child_end(&supervisor->egress); /* it starts again, with these */
	return 0;
}

/* The store reads it now, and at its every start. One that does not listen is
 * ended, and starts with it. */
static int
vault_take(struct supervisor *supervisor, const struct wire_message *message,
    const char *text, int fd)
{
	struct child *store = &supervisor->store;

	(void)text;
	if (supervisor->plan.vault_fd >= 3)
		close(supervisor->plan.vault_fd);
	supervisor->plan.vault_fd = fd;
	if (store->socket_fd >= 0 &&
	    wire_send(store->socket_fd, message, &fd, 1, NULL) == -EAGAIN)
		child_end(store);
	return 0;
}

static const struct {
	uint32_t type;
	int (*take)(struct supervisor *, const struct wire_message *,
	    const char *text, int fd);
} orders[] = {
	{ WIRE_SERVER_BUNDLE, relay_take },
	{ WIRE_SERVER_SOCKET, relay_take },
	{ WIRE_COMMIT, relay_take },
	{ WIRE_SETTINGS, memfd_keep },
	{ WIRE_TLS, memfd_keep },
	{ WIRE_EGRESS_SETTINGS, egress_settings_take },
	{ WIRE_VAULT, vault_take },
};

int
operator_hear(struct supervisor *supervisor)
{
	static char text[WIRE_TEXT_MAX + 1];
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	const int code = wire_receive(
	    supervisor->operator_fd, MSG_DONTWAIT, &message, fds, text);
	if (code == -EAGAIN)
		return 0;
	if (code != 0)
		return -EPIPE;
	for (size_t i = 0; i < ARRAY_LEN(orders); i++)
		if (orders[i].type == message.type)
			return orders[i].take(
			    supervisor, &message, text, fds[0]);
	for (size_t i = 0; i < WIRE_FDS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return -EPROTO;
}

/* ---- servers behind a socket ---------------------------------------------- */

/* connect(2) on a Unix stream socket never is "in progress": without waiting it
 * is done, or refused, or the other's queue is full (EAGAIN). */
static int
socket_connect(const char *path, int *fdp)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	auto_close int fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*fdp = fd_steal(&fd);
	return 0;
}

static const char *
connect_advice(int code)
{
	switch (-code) {
	case ENOENT:
		return "start the server that makes it, or correct the path";
	case ECONNREFUSED:
		return "nobody listens there: start the server";
	case EACCES:
		return "the user that runs cordon must be allowed to write it";
	case EAGAIN:
		return "its queue is full: the server takes no connections";
	default:
		return "is it a Unix stream socket?";
	}
}

void
link_answer(struct supervisor *supervisor, const struct wire_message *order)
{
	const struct deployment *deployment =
	    deployment_find(supervisor, order->id);
	struct wire_message reply = {
		.type = WIRE_LINKED, .id = order->id, .status = order->status
	};
	struct err err = { "" };
	char text[512];
	int socket = -1;

	if (deployment == NULL ||
	    deployment->record.kind == WIRE_KIND_ISOLATE) {
		snprintf(text, sizeof(text), "it may not run (any more)");
	} else if (deployment->record.kind == WIRE_KIND_BOX) {
		if (box_start(supervisor, deployment, order, &err) == 0)
			return;
		supervisor_log(supervisor, "error", "%s: %s",
		    deployment->record.name, err.text);
		snprintf(text, sizeof(text), "%.500s", err.text);
	} else if (deployment->record.kind == WIRE_KIND_REMOTE) {
		if (egress_link_remote(supervisor, deployment, order, &err) ==
		    0)
			return;
		snprintf(text, sizeof(text), "%.500s", err.text);
	} else {
		const char *path = deployment->record.socket;
		const int code = socket_connect(path, &socket);
		auto_close int fd = socket;
		if (code == 0) {
			caller_tell(supervisor, &reply, &fd, 1, NULL);
			return;
		}
		snprintf(text, sizeof(text), "%s: %s; %s", path,
		    code == -EAGAIN ? "busy" : strerror(-code),
		    connect_advice(code));
	}
	reply.type = WIRE_LINK_FAILED;
	reply.text_len = (uint32_t)strlen(text);
	caller_tell(supervisor, &reply, NULL, 0, text);
}
