/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of what may run.
 */
#include <stdlib.h>
#include <string.h>

#include "supervisor/supervisor.h"

struct deployment *
deployment_find(struct supervisor *supervisor, uint32_t id)
{
	for (uint32_t i = 0; i < supervisor->n_deployments; i++)
		if (supervisor->deployments[i].used &&
		    supervisor->deployments[i].id == id)
			return &supervisor->deployments[i];
	return NULL;
}

struct deployment *
deployment_new(struct supervisor *supervisor, uint32_t id)
{
	uint32_t at = 0;

	while (
	    at < supervisor->n_deployments && supervisor->deployments[at].used)
		at++;
	if (at == WIRE_DEPLOYMENTS_MAX)
		return NULL;
	if (at == supervisor->n_deployments) {
		const uint32_t wanted = at == 0 ? 16 : 2 * at;
		struct deployment *grown = reallocarray(
		    supervisor->deployments, wanted, sizeof(*grown));
		if (grown == NULL)
			return NULL;
		memset(grown + at, 0, (wanted - at) * sizeof(*grown));
		supervisor->deployments = grown;
		supervisor->n_deployments = wanted;
	}
	struct deployment *deployment = &supervisor->deployments[at];
	*deployment = (struct deployment){ .id = id,
		.used = true,
		.record = { .bundle_fd = -1 },
		.template = { .pidfd = -1, .control_fd = -1 } };
	return deployment;
}

void
deployments_free(struct supervisor *supervisor)
{
	free(supervisor->deployments);
	free(supervisor->tenants);
	supervisor->deployments = NULL;
	supervisor->tenants = NULL;
	supervisor->n_deployments = supervisor->n_tenants = 0;
}
