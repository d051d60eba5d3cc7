/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/err.h"
#include "wire/plan.h"

struct gateway;

/* Maps and checks the plan behind the descriptor, for the process's life. */
int plan_map(int plan_fd, const struct wire_plan **planp,
    const struct wire_deployment **deploymentsp, struct err *err);

/* The plan's token and deployments as a registry, where no store will come. */
int plan_registry(struct gateway *gateway, struct err *err);
