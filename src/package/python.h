/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Filling a staged tree with uv: wheels only, since a source distribution runs
 * code of its own to be built. */

#include "package/npm.h"

/* As npm_fetch(). */
int python_fetch(const struct fetch *fetch, struct package *package,
    struct words *words, struct err *err);

/* Whether two names are one (PEP 503): "My.Server" and "my_server". */
bool python_name_equals(const char *a, size_t a_len, const char *b);
