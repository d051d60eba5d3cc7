/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "supervisor/supervisor.h"

/* Names become folders of control groups and parts of URLs. */
bool
name_is_good(const char *name)
{
	const size_t len = strnlen(name, WIRE_NAME_MAX);

	if (len == 0 || len == WIRE_NAME_MAX || strchr("._-", name[0]) != NULL)
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static int
limits_are_good(const struct wire_limits *limits)
{
	return limits->memory_bytes >= 8u << 20 && limits->cpu_ns > 0 &&
	    limits->wall_ns > 0 && limits->load_cpu_ns > 0 &&
	    limits->load_wall_ns > 0 && limits->reuse_calls > 0 &&
	    limits->result_bytes > 0 &&
	    limits->result_bytes <= WIRE_FRAME_MAX &&
	    limits->log_bytes <= WIRE_FRAME_MAX &&
	    limits->memory_bytes <= 1ull << 40;
}

/* KIND_SOCKET has a path to connect to, KIND_REMOTE a way out to its URL; the
 * others a bundle, or a spec. */
static int
source_is_good(const struct wire_deployment *deployment)
{
	if (deployment->kind == WIRE_KIND_ISOLATE ||
	    deployment->kind == WIRE_KIND_BOX)
		return deployment->bundle_fd >= 3;
	if (deployment->kind == WIRE_KIND_REMOTE)
		return (deployment->flags & WIRE_DEPLOYMENT_EGRESS) != 0;
	return deployment->kind == WIRE_KIND_SOCKET &&
	    deployment->socket[0] == '/' &&
	    memchr(deployment->socket, '\0', sizeof(deployment->socket)) !=
	    NULL;
}

int
deployment_check(const struct wire_deployment *deployment, struct err *err)
{
	if (!name_is_good(deployment->name) ||
	    !name_is_good(deployment->tenant))
		return err_set(err, -EINVAL, "plan: a name is not [a-z0-9._-]");
	if (!limits_are_good(&deployment->limits))
		return err_set(err, -EINVAL,
		    "plan: limits of '%s' are out of "
		    "range (memory from 8 MiB to 1 "
		    "TiB, results and logs up to 64 MiB)",
		    deployment->name);
	if (deployment->pool_max == 0 || deployment->share > WIRE_SHARE_ALL ||
	    !source_is_good(deployment))
		return err_set(err, -EINVAL, "plan: record of '%s' is broken",
		    deployment->name);
	return 0;
}

/* Descriptors 0 to 2 are the standard streams: nobody calls there. */
static int
header_check(const struct wire_plan *plan, struct err *err)
{
	const int caller_fd =
	    plan->client_fd >= 0 ? plan->client_fd : plan->listen_fd;

	if (caller_fd < 3)
		return err_set(err, -EINVAL,
		    "plan: no descriptor says who calls (client, listen)");
	if (plan->store_fd >= 3 &&
	    (plan->n_deployments > 0 || plan->client_fd >= 0))
		return err_set(err, -EINVAL,
		    "plan: where there is a store, servers come from it");
	if (plan->cells_max == 0)
		return err_set(err, -EINVAL, "plan: no cell may live");
	if (memchr(plan->hosts, '\0', sizeof(plan->hosts)) == NULL ||
	    memchr(plan->origins, '\0', sizeof(plan->origins)) == NULL)
		return err_set(
		    err, -EINVAL, "plan: hosts or origins do not end");
	return 0;
}

static int
record_read(
    struct supervisor *supervisor, int plan_fd, uint32_t i, struct err *err)
{
	struct wire_deployment record;
	const off_t at = (off_t)(sizeof(struct wire_plan) + i * sizeof(record));

	if (pread(plan_fd, &record, sizeof(record), at) != sizeof(record))
		return err_set(err, -EIO, "plan: cannot be read");
	const int code = deployment_check(&record, err);
	if (code != 0)
		return code;
	struct deployment *deployment = deployment_new(supervisor, i);
	if (deployment == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	deployment->record = record;
	return 0;
}

int
plan_read(struct supervisor *supervisor, int plan_fd, struct err *err)
{
	struct wire_plan plan;
	struct stat stat;

	if (fstat(plan_fd, &stat) < 0 ||
	    pread(plan_fd, &plan, sizeof(plan), 0) != sizeof(plan) ||
	    plan.magic != WIRE_PLAN_MAGIC ||
	    plan.n_deployments > WIRE_DEPLOYMENTS_MAX)
		return err_set(err, -EINVAL, "plan: not a plan of this build");

	const uint32_t n = plan.n_deployments;
	if ((uint64_t)stat.st_size !=
	    sizeof(plan) + n * sizeof(struct wire_deployment))
		return err_set(err, -EINVAL, "plan: wrong length");

	int code = header_check(&plan, err);
	for (uint32_t i = 0; i < n && code == 0; i++)
		code = record_read(supervisor, plan_fd, i, err);
	if (code != 0)
		return code;
	supervisor->plan = plan;
	supervisor->plan_fd = plan_fd;
	return 0;
}
