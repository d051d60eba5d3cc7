/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "gateway/gateway.h"

/* What runs, as JSON (from malloc, NULL: no memory): of one tenant, or (NULL)
 * of all. For /admin/runtime. */
char *
runtime_json(struct gateway *gateway, const struct tenant *tenant, size_t *len);
