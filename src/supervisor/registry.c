/* SPDX-License-Identifier: Apache-2.0
 *
 * What may run, as the store says it: records of fixed size, checked as those
 * of a plan are.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "supervisor/supervisor.h"

#define TENANTS_MAX 1024u
#define STORE_START_MS 20000
#define HEAR_MAX 8192 /* messages in a row: more than one start tells */

static void
deployment_remove(struct supervisor *supervisor, struct deployment *deployment)
{
	template_close(deployment);
	/* By its label, what it still sent would go by the next one's rules. */
	if ((deployment->record.flags & WIRE_DEPLOYMENT_EGRESS) != 0)
		boxes_kill(supervisor, deployment->id);
	else
		boxes_end(supervisor, deployment->id);
	if (deployment->record.bundle_fd >= 0)
		close(deployment->record.bundle_fd);
	deployment->used = false;
}

/* ---- tenants -------------------------------------------------------------- */

static struct wire_tenant *
tenant_find(const struct supervisor *supervisor, const char *name)
{
	for (uint32_t i = 0; i < supervisor->n_tenants; i++)
		if (strcmp(supervisor->tenants[i].name, name) == 0)
			return &supervisor->tenants[i];
	return NULL;
}

struct cgroup_limits
tenant_limits_get(const struct supervisor *supervisor, const char *name)
{
	const struct wire_tenant *tenant = tenant_find(supervisor, name);
	struct cgroup_limits limits = supervisor->tenant_limits;

	if (tenant != NULL && tenant->quota.memory_bytes != 0 &&
	    tenant->quota.memory_bytes < limits.memory_bytes)
		limits.memory_bytes = tenant->quota.memory_bytes;
	return limits;
}

int
tenant_group_set(
    struct supervisor *supervisor, const char *name, struct err *err)
{
	const struct cgroup_limits limits = tenant_limits_get(supervisor, name);
	char group[sizeof("t-") + WIRE_NAME_MAX];

	/* A tenant may be called as a file of the group is: "tasks". */
	snprintf(group, sizeof(group), "t-%s", name);
	return cgroup_set(supervisor->cgroup, group, &limits, err);
}

/* A group is made when something is to be in it. */
static void
tenant_group_renew(struct supervisor *supervisor, const char *name)
{
	char group[sizeof("t-") + WIRE_NAME_MAX];
	struct err err;

	snprintf(group, sizeof(group), "t-%s", name);
	if (cgroup_has(supervisor->cgroup, group) &&
	    tenant_group_set(supervisor, name, &err) != 0)
		supervisor_log(supervisor, "error", "%s", err.text);
}

static int
tenant_obey(struct supervisor *supervisor, const struct wire_message *message,
    const char *text, int fd)
{
	struct wire_tenant record;

	(void)fd;
	if (message->text_len != sizeof(record))
		return -EPROTO;
	memcpy(&record, text, sizeof(record));
	if (!name_is_good(record.name))
		return -EPROTO;
	struct wire_tenant *tenant = tenant_find(supervisor, record.name);
	if (tenant != NULL && record.gone) {
		*tenant = supervisor->tenants[--supervisor->n_tenants];
		return 0;
	}
	if (record.gone)
		return 0;
	if (tenant == NULL) {
		if (supervisor->n_tenants == TENANTS_MAX)
			return -EPROTO;
		struct wire_tenant *grown = reallocarray(supervisor->tenants,
		    supervisor->n_tenants + 1, sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		supervisor->tenants = grown;
		tenant = &grown[supervisor->n_tenants++];
	}
	*tenant = record;
	tenant_group_renew(supervisor, record.name);
	return 0;
}

/* ---- deployments ------------------------------------------------------------
 */

/* The same launch; whether its bytes are the same says the digest. */
static bool
record_is_same(const struct wire_deployment *a, const struct wire_deployment *b)
{
	struct wire_deployment x = *a, y = *b;

	x.bundle_fd = y.bundle_fd = -1;
	return memcmp(&x, &y, sizeof(x)) == 0;
}

static int
record_check(const struct wire_deployment *record, struct err *err)
{
	const bool has_bundle =
	    record->kind == WIRE_KIND_ISOLATE || record->kind == WIRE_KIND_BOX;

	if (has_bundle != (record->bundle_fd >= 0))
		return err_set(err, -EINVAL,
		    has_bundle ? "its bundle is missing"
			       : "a bundle came for a server elsewhere");
	const int code = deployment_check(record, err);
	return code == 0 ? box_check(record, err) : code;
}

/* One that cannot run does not end the store: it would tell it again. */
static int
deploy_obey(struct supervisor *supervisor, const struct wire_message *message,
    const char *text, int raw_bundle_fd)
{
	auto_close int bundle_fd = raw_bundle_fd;
	struct wire_deployment record;
	struct err err = { "" };

	if (message->text_len != sizeof(record) || message->id == 0)
		return -EPROTO;
	memcpy(&record, text, sizeof(record));
	record.bundle_fd = bundle_fd;
	struct deployment *deployment =
	    deployment_find(supervisor, message->id);
	if (record_check(&record, &err) != 0) {
		supervisor_log(supervisor, "error",
		    "the store deploys what cannot run: %s", err.text);
		if (deployment != NULL)
			deployment_remove(supervisor, deployment);
		return 0;
	}
	if (deployment != NULL &&
	    record_is_same(&deployment->record, &record)) {
		deployment->told = true;
		return 0;
	}
	if (deployment != NULL)
		deployment_remove(supervisor, deployment);
	deployment = deployment_new(supervisor, message->id);
	if (deployment == NULL)
		return -ENOMEM;
	deployment->record = record;
	deployment->told = true;
	fd_steal(&bundle_fd);
	if ((record.flags & WIRE_DEPLOYMENT_EGRESS) != 0)
		egress_need(supervisor);
	return 0;
}

/* All is told: what was not, the store no longer has. */
static void
untold_remove(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->n_deployments; i++)
		if (supervisor->deployments[i].used &&
		    !supervisor->deployments[i].told)
			deployment_remove(
			    supervisor, &supervisor->deployments[i]);
}

static int
undeploy_obey(struct supervisor *supervisor, const struct wire_message *message,
    const char *text, int fd)
{
	(void)text;
	(void)fd;
	if (message->id == 0) {
		untold_remove(supervisor);
		supervisor->store_told = true;
		return 0;
	}
	struct deployment *deployment =
	    deployment_find(supervisor, message->id);
	if (deployment != NULL)
		deployment_remove(supervisor, deployment);
	return 0;
}

static int
committed_obey(struct supervisor *supervisor,
    const struct wire_message *message, const char *text, int fd)
{
	(void)fd;
	supervisor->relay.gathering = false;
	operator_tell(supervisor, message, text);
	return 0;
}

/* The gateway's own end starts another one. */
static int
breach_obey(struct supervisor *supervisor, const struct wire_message *message,
    const char *text, int fd)
{
	(void)message;
	(void)fd;
	supervisor_log(supervisor, "error",
	    "the gateway sent the store %s: ending it", text);
	caller_end(supervisor);
	return 0;
}

static const struct {
	uint32_t type;
	int (*obey)(struct supervisor *, const struct wire_message *,
	    const char *text, int fd);
} orders[] = {
	{ WIRE_DEPLOY, deploy_obey },
	{ WIRE_DEPLOY_SOCKET, deploy_obey },
	{ WIRE_UNDEPLOY, undeploy_obey },
	{ WIRE_TENANT, tenant_obey },
	{ WIRE_COMMITTED, committed_obey },
	{ WIRE_BREACH, breach_obey },
};

static int
order_obey(struct supervisor *supervisor, const struct wire_message *message,
    const char *text, const int *fds)
{
	for (size_t i = 0; i < ARRAY_LEN(orders); i++)
		if (orders[i].type == message->type)
			return orders[i].obey(
			    supervisor, message, text, fds[0]);
	for (size_t i = 0; i < WIRE_FDS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return -EPROTO;
}

int
store_hear(struct supervisor *supervisor)
{
	static char text[WIRE_TEXT_MAX + 1];
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	for (int i = 0; i < HEAR_MAX; i++) {
		int code = wire_receive(supervisor->store.socket_fd,
		    MSG_DONTWAIT, &message, fds, text);
		if (code == -EAGAIN)
			return 0;
		if (code == 0)
			code = order_obey(supervisor, &message, text, fds);
		if (code == WIRE_E_CLOSED)
			return -EPIPE;
		if (code != 0) {
			supervisor_log(supervisor, "error",
			    "the store broke the protocol");
			child_end(&supervisor->store);
			return -EPROTO;
		}
	}
	return 0;
}

int
store_wait(struct supervisor *supervisor, struct err *err)
{
	const uint64_t end = supervisor_now_ms() + STORE_START_MS;

	while (!supervisor->store_told) {
		const uint64_t now = supervisor_now_ms();
		struct pollfd fd = { .fd = supervisor->store.socket_fd,
			.events = POLLIN };
		const int n = now < end ? poll(&fd, 1, (int)(end - now)) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n != 1)
			return err_set(err, -ETIMEDOUT,
			    "the store does not start within %d s",
			    STORE_START_MS / 1000);
		if (store_hear(supervisor) != 0)
			return err_set(err, -EIO,
			    "the store ended at its start: what it said "
			    "stands above");
	}
	return 0;
}

void
store_forget(struct supervisor *supervisor)
{
	supervisor->store_told = false;
	for (uint32_t i = 0; i < supervisor->n_deployments; i++)
		supervisor->deployments[i].told = false;
}
