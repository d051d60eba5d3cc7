/* SPDX-License-Identifier: Apache-2.0
 *
 * One template a deployment: asked of the zygote, put into its tenant's
 * control group, told to start, handed to the caller.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "supervisor/supervisor.h"

/* Whose template this is. */
static struct deployment *
template_find(struct supervisor *supervisor, uint32_t id)
{
	for (uint32_t i = 0; i < supervisor->n_deployments; i++) {
		struct deployment *deployment = &supervisor->deployments[i];
		if (deployment->used &&
		    deployment->template.state != TEMPLATE_NONE &&
		    deployment->template.id == id)
			return deployment;
	}
	return NULL;
}

static void
template_forget(struct template *template)
{
	if (template->pidfd >= 0)
		close(template->pidfd);
	if (template->control_fd >= 0)
		close(template->control_fd);
	*template = (struct template){ .pidfd = -1, .control_fd = -1 };
}

/* pid 1 of its namespace: with it, the kernel ends all its cells. */
void
template_close(struct deployment *deployment)
{
	struct template *template = &deployment->template;

	if (template->pidfd >= 0)
		syscall(
		    SYS_pidfd_send_signal, template->pidfd, SIGKILL, NULL, 0);
	template_forget(template);
}

void
templates_close_all(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->n_deployments; i++)
		if (supervisor->deployments[i].used)
			template_close(&supervisor->deployments[i]);
}

static void
open_fail(struct supervisor *supervisor, const struct deployment *deployment,
    const char *sentence)
{
	const struct wire_message reply = { .type = WIRE_OPEN_FAILED,
		.id = deployment->id,
		.text_len = (uint32_t)strlen(sentence) };

	caller_tell(supervisor, &reply, NULL, 0, sentence);
}

void
templates_lost(
    struct supervisor *supervisor, uint32_t zygote, const char *sentence)
{
	for (uint32_t i = 0; i < supervisor->n_deployments; i++) {
		struct deployment *deployment = &supervisor->deployments[i];
		struct template *template = &deployment->template;
		if (!deployment->used || template->state == TEMPLATE_NONE ||
		    template->zygote != zygote)
			continue;
		if (template->state != TEMPLATE_LIVE)
			open_fail(supervisor, deployment, sentence);
		template_forget(template);
	}
}

/* Orders it of a zygote that is warm; without success there is no template. */
static int
template_fork(struct supervisor *supervisor, struct deployment *deployment,
    struct err *err)
{
	struct template *template = &deployment->template;
	int pair[2];

	int code = wire_pair(SOCK_SEQPACKET, pair);
	if (code != 0) {
		template_forget(template);
		return err_set(err, code, "socketpair: %s", strerror(-code));
	}
	auto_close int template_fd = pair[1];
	template->state = TEMPLATE_FORKING;
	template->control_fd = pair[0];
	const struct wire_message order = { .type = WIRE_TEMPLATE_FORK,
		.id = template->id };
	const int fds[] = { deployment->record.bundle_fd, template_fd };
	code = wire_send(supervisor->zygotes[template->zygote].socket_fd,
	    &order, fds, 2, NULL);
	if (code == 0)
		return 0;
	template_forget(template);
	return err_set(err, -EIO, "the isolate engine is gone");
}

int
template_open(struct supervisor *supervisor, struct deployment *deployment,
    uint32_t flags, struct err *err)
{
	const struct wire_deployment *record = &deployment->record;
	const uint32_t which = record->limits.flags & WIRE_LIMITS_JITLESS
	    ? ZYGOTE_JITLESS
	    : ZYGOTE_JIT;
	const struct child *zygote = &supervisor->zygotes[which];

	template_close(deployment);
	if (record->kind != WIRE_KIND_ISOLATE)
		return err_set(err, -EINVAL,
		    "it is no isolate: there is no template to open");
	/* A jitless one starts when it is first asked for. */
	if (zygote->pid == 0 && zygote->restart_at_ms == 0) {
		const int code = zygote_start(supervisor, which, err);
		if (code != 0)
			return code;
	}
	deployment->template = (struct template){ .state = TEMPLATE_WAITING,
		.id = ++supervisor->last_id,
		.zygote = which,
		.flags = flags,
		.pidfd = -1,
		.control_fd = -1 };
	return zygote->ready ? template_fork(supervisor, deployment, err) : 0;
}

void
templates_fork(struct supervisor *supervisor, uint32_t zygote)
{
	for (uint32_t i = 0; i < supervisor->n_deployments; i++) {
		struct deployment *deployment = &supervisor->deployments[i];
		struct err err = { "" };
		if (!deployment->used ||
		    deployment->template.state != TEMPLATE_WAITING ||
		    deployment->template.zygote != zygote ||
		    template_fork(supervisor, deployment, &err) == 0)
			continue;
		supervisor_log(supervisor, "error", "%s: %s",
		    deployment->record.name, err.text);
		open_fail(supervisor, deployment, err.text);
	}
}

/* proc(5), /proc/PID/fdinfo of a pidfd: "Pid:" in our own namespace. */
static pid_t
pidfd_pid(int pidfd)
{
	char path[64], line[128];
	int pid = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	auto_fclose FILE *file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Pid: %d", &pid) == 1)
			break;
	return pid;
}

void
template_failed(
    struct supervisor *supervisor, const struct wire_message *message)
{
	struct deployment *deployment = template_find(supervisor, message->id);
	if (deployment == NULL)
		return;

	char text[256];
	const int len = snprintf(text, sizeof(text),
	    "no process for a template: %s", strerror(message->status));
	const struct wire_message reply = { .type = WIRE_OPEN_FAILED,
		.id = deployment->id,
		.text_len = (uint32_t)len };
	template_forget(&deployment->template);
	caller_tell(supervisor, &reply, NULL, 0, text);
}

/* All cells of a tenant together: v2 wants processes in leaves only. */
static int
cells_put(struct supervisor *supervisor, const char *tenant, pid_t pid,
    struct err *err)
{
	char group[sizeof("t-/cells") + WIRE_NAME_MAX];

	snprintf(group, sizeof(group), "t-%s", tenant);
	const int code = cgroup_has(supervisor->cgroup, group)
	    ? 0
	    : tenant_group_set(supervisor, tenant, err);
	if (code != 0)
		return code;
	snprintf(group, sizeof(group), "t-%s/cells", tenant);
	return cgroup_put(supervisor->cgroup, group, pid, err);
}

/*
 * A deployment that may reach something: over this channel its template hands
 * the cells' streams to egress, and never waits there. Where egress is away it
 * leads nowhere, each fetch hears so, and the template is ended when egress is
 * back.
 */
static int
channel_give(struct supervisor *supervisor, struct deployment *deployment)
{
	const struct wire_message whose = { .type = WIRE_EGRESS_CELLS,
		.id = deployment->id };
	const struct wire_message cells = { .type = WIRE_EGRESS_CELLS };
	int pair[2];

	if ((deployment->record.flags & WIRE_DEPLOYMENT_EGRESS) == 0)
		return 0;
	const int code = wire_pair(SOCK_SEQPACKET, pair);
	if (code != 0)
		return code;
	auto_close int egress_fd = pair[0];
	auto_close int template_fd = pair[1];
	if (fcntl(template_fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return -errno;
	(void)egress_tell(supervisor, &whose, egress_fd);
	return wire_send(
	    deployment->template.control_fd, &cells, &template_fd, 1, NULL);
}

void
template_forked(struct supervisor *supervisor,
    const struct wire_message *message, int raw_pidfd)
{
	auto_close int pidfd = raw_pidfd;
	struct err err = { "" };
	struct deployment *deployment = template_find(supervisor, message->id);

	if (deployment == NULL ||
	    deployment->template.state != TEMPLATE_FORKING) {
		/* Closed in the meantime. */
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		return;
	}
	const struct wire_deployment *record = &deployment->record;
	struct template *template = &deployment->template;
	template->pidfd = fd_steal(&pidfd);
	template->pid = pidfd_pid(template->pidfd);
	template->state = TEMPLATE_LIVE;
	int code = cells_put(supervisor, record->tenant, template->pid, &err);
	if (code == 0 && (code = channel_give(supervisor, deployment)) != 0)
		err_set(&err, -EIO, "no channel to egress");
	if (code != 0) {
		supervisor_log(
		    supervisor, "error", "%s: %s", record->name, err.text);
		template_close(deployment);
		const struct wire_message failed = { .type = WIRE_OPEN_FAILED,
			.id = deployment->id };
		wire_send(
		    supervisor->gateway.socket_fd, &failed, NULL, 0, NULL);
		return;
	}

	struct wire_message start = { .type = WIRE_START,
		.limits = record->limits };
	start.limits.flags |= template->flags;
	const struct wire_message opened = { .type = WIRE_OPENED,
		.id = deployment->id };
	wire_send(template->control_fd, &start, NULL, 0, NULL);
	caller_tell(supervisor, &opened, &template->control_fd, 1, NULL);
	close(template->control_fd);
	template->control_fd = -1;
}

/* proc(5), status: anonymous memory of a process, in KiB. */
static uint64_t
anonymous_kib(pid_t pid)
{
	char path[64], line[256];
	unsigned long kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	auto_fclose FILE *file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "RssAnon: %lu", &kib) == 1)
			break;
	return kib;
}

/*
 * What a template has beyond the zygote that it was forked from. (Counting
 * its private pages would be wrong: its cells share them.) A few pages that it
 * changed in place are missed; 512 KiB is about their sum.
 */
uint64_t
template_weigh(
    const struct supervisor *supervisor, const struct deployment *deployment)
{
	const struct template *template = &deployment->template;
	const uint64_t floor_kib = 512;

	if (template->state != TEMPLATE_LIVE)
		return 0;
	const uint64_t own = anonymous_kib(template->pid);
	const uint64_t shared =
	    anonymous_kib(supervisor->zygotes[template->zygote].pid);
	return (own > shared + floor_kib ? own - shared : floor_kib) * 1024u;
}
