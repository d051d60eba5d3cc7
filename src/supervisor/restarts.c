/* SPDX-License-Identifier: Apache-2.0
 *
 * Who ends starts again: at once after a good life, later and later after short
 * ones. Nothing here waits: the loop goes on for the others, and comes back
 * when it is time.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "supervisor/supervisor.h"

#define HEALTHY_MS 5000 /* a child that lived this long starts anew at once */
#define RESTARTS_MAX 8 /* short lives in a row until we give up */
#define STORE_PAUSE_MAX_MS 30000

static void
child_forget(struct child *child)
{
	if (child->pidfd >= 0)
		close(child->pidfd);
	if (child->socket_fd >= 0)
		close(child->socket_fd);
	child->pid = 0;
	child->pidfd = child->socket_fd = -1;
	child->ready = false;
}

void
child_kill(struct child *child)
{
	if (child->pid != 0) {
		syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
		waitpid(child->pid, NULL, 0);
	}
	child_forget(child);
}

/* After the first short life at once, then 0.2, 0.4, 0.8 … s. */
static uint64_t
pause_ms(uint32_t failures)
{
	if (failures <= 1)
		return 0;
	const uint64_t ms = failures < 16 ? 50ull << failures : UINT64_MAX;
	return ms < STORE_PAUSE_MAX_MS ? ms : STORE_PAUSE_MAX_MS;
}

/* When it starts again, after so long a life. */
static void
restart_plan(struct child *child, uint64_t lived_ms)
{
	child->failures = lived_ms < HEALTHY_MS ? child->failures + 1 : 0;
	child->restart_at_ms = supervisor_now_ms() + pause_ms(child->failures);
}

static uint64_t
lived_get(const struct child *child)
{
	return supervisor_now_ms() - child->started_ms;
}

/* Negative: it ended too often. */
static int
restart_allow(struct supervisor *supervisor, struct child *child,
    uint64_t lived_ms, const char *name)
{
	restart_plan(child, lived_ms);
	if (child->failures <= RESTARTS_MAX)
		return 0;
	supervisor_log(supervisor, "error",
	    "%s ended %u times within seconds: giving up", name,
	    child->failures);
	return -1;
}

/* ---- the gateway, or the client ------------------------------------------ */

int
gateway_lost(struct supervisor *supervisor)
{
	child_kill(&supervisor->gateway);
	templates_close_all(supervisor);
	boxes_end_all(supervisor);
	if (supervisor->stopping || supervisor->plan.client_fd >= 0)
		return -1;
	supervisor_log(supervisor, "error", "the gateway ended; restarting it");
	return restart_allow(supervisor, &supervisor->gateway,
	    lived_get(&supervisor->gateway), "the gateway");
}

static int
gateway_restart(struct supervisor *supervisor)
{
	struct err err = { "" };

	if (gateway_start(supervisor, &err) != 0) {
		supervisor_log(supervisor, "error", "%s", err.text);
		return -1;
	}
	gateway_brief(supervisor);
	link_store(supervisor);
	egress_link_events(supervisor);
	return 0;
}

/* ---- the store: the gateway serves on from its replica, however long ------ */

static void
store_plan(struct supervisor *supervisor, uint64_t lived_ms)
{
	struct child *store = &supervisor->store;

	restart_plan(store, lived_ms);
	if (store->failures > RESTARTS_MAX)
		supervisor_log(supervisor, "error",
		    "the store ended %u times within seconds: what runs goes "
		    "on, nothing can be changed, and it is tried again in %u s",
		    store->failures, STORE_PAUSE_MAX_MS / 1000);
}

void
store_lost(struct supervisor *supervisor)
{
	child_kill(&supervisor->store);
	relay_void(supervisor);
	if (supervisor->stopping)
		return;
	supervisor_log(supervisor, "error", "the store ended; restarting it");
	store_plan(supervisor, lived_get(&supervisor->store));
}

static void
store_restart(struct supervisor *supervisor)
{
	struct err err = { "" };

	store_forget(supervisor);
	if (store_start(supervisor, &err) == 0) {
		link_store(supervisor);
		egress_link_store(supervisor);
		return;
	}
	supervisor_log(supervisor, "error", "%s", err.text);
	store_plan(supervisor, 0);
}

/* ---- egress: until it is back nothing goes out, however long --------------- */

static void
egress_plan(struct supervisor *supervisor, uint64_t lived_ms)
{
	struct child *egress = &supervisor->egress;

	restart_plan(egress, lived_ms);
	if (egress->failures > RESTARTS_MAX)
		supervisor_log(supervisor, "error",
		    "egress ended %u times within seconds: nothing goes out, "
		    "and it is tried again in %u s",
		    egress->failures, STORE_PAUSE_MAX_MS / 1000);
}

void
egress_lost(struct supervisor *supervisor)
{
	child_kill(&supervisor->egress);
	egress_forget(supervisor);
	if (supervisor->stopping)
		return;
	supervisor_log(supervisor, "error",
	    "egress ended; restarting it: until then nothing goes out");
	egress_plan(supervisor, lived_get(&supervisor->egress));
}

static void
egress_again(struct supervisor *supervisor)
{
	struct err err = { "" };

	if (egress_start(supervisor, &err) == 0)
		return;
	supervisor_log(supervisor, "error", "%s", err.text);
	egress_plan(supervisor, 0);
}

void
egress_need(struct supervisor *supervisor)
{
	const struct child *egress = &supervisor->egress;

	if (supervisor->plan.egress_fd < 3) /* then nothing goes out */
		return;
	if (egress->pid == 0 && egress->restart_at_ms == 0)
		egress_again(supervisor);
}

/* ---- the zygotes ---------------------------------------------------------- */

/* What it asked for has failed; the sentence says why it was not started. */
static int
zygote_gone(struct supervisor *supervisor, uint32_t which, const char *sentence)
{
	struct child *zygote = &supervisor->zygotes[which];
	const uint64_t lived_ms = zygote->ready ? lived_get(zygote) : 0;

	child_kill(zygote);
	templates_lost(supervisor, which, sentence);
	if (supervisor->stopping)
		return 0;
	supervisor_log(supervisor, "error", "%s; restarting it", sentence);
	return restart_allow(supervisor, zygote, lived_ms, "the zygote");
}

int
zygote_lost(struct supervisor *supervisor, uint32_t which)
{
	return zygote_gone(supervisor, which,
	    supervisor->zygotes[which].ready ? "the zygote ended"
					     : ZYGOTE_ENDED_EARLY);
}

/* It is warm, or says why it cannot be. */
static int
zygote_greeting(struct supervisor *supervisor, uint32_t which,
    const struct wire_message *message, const char *text)
{
	struct err err = { "" };

	if (zygote_greeted(&supervisor->zygotes[which], message, text, &err) !=
	    0)
		return zygote_gone(supervisor, which, err.text);
	templates_fork(supervisor, which);
	return 0;
}

int
zygote_hear(struct supervisor *supervisor, uint32_t which)
{
	static char text[WIRE_TEXT_MAX + 1];
	struct child *zygote = &supervisor->zygotes[which];
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	const int code =
	    wire_receive(zygote->socket_fd, MSG_DONTWAIT, &message, fds, text);
	if (code == -EAGAIN)
		return 0;
	if (code != 0)
		return zygote_lost(supervisor, which);
	if (!zygote->ready)
		return zygote_greeting(supervisor, which, &message, text);
	if (message.type == WIRE_TEMPLATE_FORKED)
		template_forked(supervisor, &message, fds[0]);
	else if (message.type == WIRE_TEMPLATE_FAILED)
		template_failed(supervisor, &message);
	else
		return zygote_lost(supervisor, which);
	return 0;
}

static int
zygote_restart(struct supervisor *supervisor, uint32_t which)
{
	struct err err = { "" };

	if (zygote_start(supervisor, which, &err) == 0)
		return 0;
	supervisor_log(supervisor, "error", "%s", err.text);
	return -1;
}

/* ---- what the time brings ------------------------------------------------- */

/* When it is to be looked at; UINT64_MAX: only if something happens. */
static uint64_t
child_next_ms(const struct child *child)
{
	if (child->restart_at_ms != 0)
		return child->restart_at_ms;
	return child->pid != 0 && child->ready_by_ms != 0 && !child->ready
	    ? child->ready_by_ms
	    : UINT64_MAX;
}

uint64_t
restarts_next_ms(const struct supervisor *supervisor)
{
	uint64_t next = UINT64_MAX;

	if (supervisor->stopping)
		return next;
	const struct child *children[3 + N_ZYGOTES] = { &supervisor->gateway,
		&supervisor->store, &supervisor->egress };
	for (size_t i = 0; i < N_ZYGOTES; i++)
		children[3 + i] = &supervisor->zygotes[i];
	for (size_t i = 0; i < ARRAY_LEN(children); i++) {
		const uint64_t at = child_next_ms(children[i]);
		next = at < next ? at : next;
	}
	return next;
}

static bool
restart_is_due(struct child *child)
{
	if (child->restart_at_ms == 0 ||
	    child->restart_at_ms > supervisor_now_ms())
		return false;
	child->restart_at_ms = 0;
	return true;
}

static int
zygote_tend(struct supervisor *supervisor, uint32_t which)
{
	struct child *zygote = &supervisor->zygotes[which];

	if (restart_is_due(zygote))
		return zygote_restart(supervisor, which);
	if (zygote->pid == 0 || child_next_ms(zygote) > supervisor_now_ms())
		return 0;
	return zygote_gone(
	    supervisor, which, "the zygote does not get ready in time");
}

int
restarts_do(struct supervisor *supervisor)
{
	if (supervisor->stopping)
		return 0;
	if (restart_is_due(&supervisor->store))
		store_restart(supervisor);
	if (restart_is_due(&supervisor->egress))
		egress_again(supervisor);
	if (restart_is_due(&supervisor->gateway) &&
	    gateway_restart(supervisor) != 0)
		return -1;
	for (uint32_t i = 0; i < N_ZYGOTES; i++)
		if (zygote_tend(supervisor, i) != 0)
			return -1;
	return 0;
}
