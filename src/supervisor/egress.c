/* SPDX-License-Identifier: Apache-2.0
 *
 * The way out: one child, and who speaks with it. It is told whose each channel
 * is before anything comes over it, by egress_tell(); what comes over a channel
 * we never see.
 *
 * When it ends, whatever led to it is dead: nothing goes out until it is back,
 * and nothing else lets anything out. What was given others for their life
 * (templates with their cells, boxes) cannot be renewed there: they are ended,
 * once there is an egress to make others with, and made anew on demand.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/box.h"
#include "supervisor/supervisor.h"

static bool
is_up(const struct supervisor *supervisor)
{
	return supervisor->egress.socket_fd >= 0;
}

/* ---- what it is told ---------------------------------------------------------
 */

#define UNTOLD_MAX 4096u /* one that leaves so much unread is ended */

/* What its socket, which takes a few hundred, has no room for yet. */
struct untold {
	STAILQ_ENTRY(untold) link;
	struct wire_message message;
	int fd; /* owned */
};

static void
untold_drop(struct supervisor *supervisor)
{
	struct untold *untold = STAILQ_FIRST(&supervisor->untold);

	STAILQ_REMOVE_HEAD(&supervisor->untold, link);
	supervisor->n_untold--;
	close(untold->fd);
	free(untold);
}

void
egress_forget(struct supervisor *supervisor)
{
	while (supervisor->n_untold > 0)
		untold_drop(supervisor);
}

static int
untold_add(
    struct supervisor *supervisor, const struct wire_message *message, int fd)
{
	if (supervisor->n_untold == UNTOLD_MAX) {
		supervisor_log(
		    supervisor, "error", "egress does not listen: ending it");
		child_end(&supervisor->egress);
		return -ENOTCONN;
	}
	struct untold *untold = malloc(sizeof(*untold));
	if (untold == NULL)
		return -ENOTCONN;
	*untold = (struct untold){ .message = *message,
		.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3) };
	if (untold->fd < 0) {
		free(untold);
		return -ENOTCONN;
	}
	if (supervisor->n_untold++ == 0)
		STAILQ_INIT(&supervisor->untold);
	STAILQ_INSERT_TAIL(&supervisor->untold, untold, link);
	return 0;
}

int
egress_tell(
    struct supervisor *supervisor, const struct wire_message *message, int fd)
{
	if (!is_up(supervisor))
		return -ENOTCONN;
	const int code = supervisor->n_untold > 0
	    ? -EAGAIN
	    : wire_send(supervisor->egress.socket_fd, message, &fd, 1, NULL);
	if (code == -EAGAIN)
		return untold_add(supervisor, message, fd);
	return code == 0 ? 0 : -ENOTCONN;
}

void
egress_flush(struct supervisor *supervisor)
{
	while (supervisor->n_untold > 0) {
		const struct untold *untold = STAILQ_FIRST(&supervisor->untold);
		if (wire_send(supervisor->egress.socket_fd, &untold->message,
			&untold->fd, 1, NULL) == -EAGAIN)
			return;
		untold_drop(supervisor); /* that it is gone is heard */
	}
}

/* ---- store and gateway ------------------------------------------------------
 */

/* A stream between egress and another child: both get an end, or nobody. */
static void
stream_give(struct supervisor *supervisor, uint32_t type, struct child *other)
{
	const struct wire_message message = { .type = type };
	int pair[2];

	if (!is_up(supervisor) || other->socket_fd < 0)
		return;
	const int code = wire_pair(SOCK_STREAM, pair);
	if (code != 0) {
		supervisor_log(supervisor, "error", "no socket for egress: %s",
		    strerror(-code));
		return;
	}
	auto_close int ours_fd = pair[0];
	auto_close int theirs_fd = pair[1];
	if (egress_tell(supervisor, &message, ours_fd) != 0 ||
	    wire_send(other->socket_fd, &message, &theirs_fd, 1, NULL) !=
		-EAGAIN)
		return; /* who is gone shows at its own descriptor */
	supervisor_log(
	    supervisor, "error", "a child does not listen: ending it");
	child_end(other);
}

void
egress_link_store(struct supervisor *supervisor)
{
	stream_give(supervisor, WIRE_EGRESS_STORE, &supervisor->store);
}

void
egress_link_events(struct supervisor *supervisor)
{
	stream_give(supervisor, WIRE_EGRESS_EVENTS, &supervisor->gateway);
}

int
egress_link_remote(struct supervisor *supervisor,
    const struct deployment *deployment, const struct wire_message *order,
    struct err *err)
{
	const struct wire_message caller = { .type = WIRE_EGRESS_CALLER,
		.id = deployment->id,
		.status = order->status };
	const struct wire_message reply = {
		.type = WIRE_LINKED, .id = order->id, .status = order->status
	};
	int pair[2];

	const int code = wire_pair(SOCK_STREAM, pair);
	if (code != 0)
		return err_set(err, code, "socketpair: %s", strerror(-code));
	auto_close int egress_fd = pair[0];
	auto_close int gateway_fd = pair[1];
	if (fcntl(gateway_fd, F_SETFL, O_NONBLOCK | O_RDWR) < 0)
		return err_set(err, -errno, "fcntl: %s", strerror(errno));
	if (egress_tell(supervisor, &caller, egress_fd) != 0)
		return err_set(err, -ENOTCONN, "%s", EGRESS_AWAY);
	caller_tell(supervisor, &reply, &gateway_fd, 1, NULL);
	return 0;
}

/* ---- its life --------------------------------------------------------------- */

static int
start(struct supervisor *supervisor, struct err *err)
{
	const char *const argv[] = { "cordon-egress", "--settings", "3",
		"--channel", "4", NULL };
	int exe = -1, pair[2];

	int code = sibling_open(supervisor, "cordon-egress", &exe, err);
	auto_close int exe_fd = exe;
	if (code != 0)
		return code;
	if ((code = wire_pair(SOCK_SEQPACKET, pair)) != 0)
		return err_set(err, code, "socketpair: %s", strerror(-code));

	const int fds[] = { supervisor->plan.egress_fd, pair[1] };
	const struct box_spawn spawn = { .domain = "egress",
		.exe_fd = exe_fd,
		.argv = argv,
		.fds = fds,
		.n_fds = ARRAY_LEN(fds) };
	fcntl(pair[0], F_SETFL, O_NONBLOCK | O_RDWR);
	return child_spawn(&supervisor->egress, &spawn, pair, err);
}

/* What had a channel to an egress that is no more. A template that is being
 * forked has none yet. */
static void
channels_end(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->n_deployments; i++) {
		struct deployment *deployment = &supervisor->deployments[i];
		if (!deployment->used ||
		    (deployment->record.flags & WIRE_DEPLOYMENT_EGRESS) == 0)
			continue;
		if (deployment->template.state == TEMPLATE_LIVE)
			template_close(deployment);
		boxes_kill(supervisor, deployment->id);
	}
}

int
egress_start(struct supervisor *supervisor, struct err *err)
{
	const int code = start(supervisor, err);
	if (code != 0)
		return code;
	egress_link_store(supervisor);
	egress_link_events(supervisor);
	channels_end(supervisor);
	return 0;
}

bool
egress_is_lost(struct supervisor *supervisor)
{
	static char text[WIRE_TEXT_MAX + 1];
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	/* It has nothing to say to us. */
	const int code = wire_receive(
	    supervisor->egress.socket_fd, MSG_DONTWAIT, &message, fds, text);
	if (code == -EAGAIN)
		return false;
	for (size_t i = 0; code == 0 && i < WIRE_FDS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return true;
}
