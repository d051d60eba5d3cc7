/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/err.h"
#include "wire/limits.h"

#define CTL_E_LIMIT 1

/*
 * Whether limits make sense: each has a least value below which nothing runs,
 * and a greatest. The sentence names the limit and the bound. CTL_E_LIMIT.
 */
int ctl_limits_check(const struct wire_limits *limits, struct err *err);
