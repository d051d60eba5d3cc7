/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/err.h"
#include "wire/plan.h"

/* Maps and checks the plan behind the descriptor, for the process's life. */
int plan_map(int plan_fd, const struct wire_plan **planp, struct err *err);

/*
 * What a new plan (WIRE_SETTINGS) changes while the gateway runs: hosts,
 * origins, flags, sessions. Takes the descriptor.
 */
int plan_settings(int plan_fd, struct wire_plan *settings, struct err *err);

#define PLAN_PEM_MAX (1u << 20)

/* Certificate chain and key behind the descriptor, which is taken: a text of
 * PLAN_PEM_MAX at most, for plan_pem_free(). NULL: err says why. */
char *plan_pem_read(int tls_fd, struct err *err);
void plan_pem_free(char *pem);
