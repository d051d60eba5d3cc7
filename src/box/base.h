/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/* Whether every box holds this path, read-only (base.def). Absolute, without
 * "." and "..". */
bool box_base_has(const char *path);

/* Whether programs look for it as a habit, and do without. */
bool box_base_is_habit(const char *path);

/* Whether path is folder, or lies below it. */
bool box_path_below(const char *path, const char *folder);
