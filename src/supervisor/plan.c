/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "supervisor/supervisor.h"

/* Names become folders of control groups and parts of URLs. */
static int
name_is_good(const char *name)
{
	const size_t len = strnlen(name, WIRE_NAME_MAX);

	if (len == 0 || len == WIRE_NAME_MAX || strchr("._-", name[0]) != NULL)
		return 0;
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

static int
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
	if (deployment->pool_max == 0 || deployment->bundle_fd < 3)
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
	if (plan->cells_max == 0)
		return err_set(err, -EINVAL, "plan: no cell may live");
	if (memchr(plan->hosts, '\0', sizeof(plan->hosts)) == NULL ||
	    memchr(plan->origins, '\0', sizeof(plan->origins)) == NULL)
		return err_set(
		    err, -EINVAL, "plan: hosts or origins do not end");
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
	const size_t size = n * sizeof(struct wire_deployment);
	if ((uint64_t)stat.st_size != sizeof(plan) + size)
		return err_set(err, -EINVAL, "plan: wrong length");
	supervisor->deployments = calloc(n + 1, sizeof(struct wire_deployment));
	supervisor->templates = calloc(n + 1, sizeof(struct template));
	if (supervisor->deployments == NULL || supervisor->templates == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (pread(plan_fd, supervisor->deployments, size, sizeof(plan)) !=
	    (ssize_t)size)
		return err_set(err, -EIO, "plan: cannot be read");

	int code = header_check(&plan, err);
	for (uint32_t i = 0; i < n && code == 0; i++) {
		supervisor->templates[i].pidfd = -1;
		supervisor->templates[i].control_fd = -1;
		code = deployment_check(&supervisor->deployments[i], err);
	}
	if (code != 0)
		return code;
	supervisor->plan = plan;
	supervisor->plan_fd = plan_fd;
	return 0;
}
