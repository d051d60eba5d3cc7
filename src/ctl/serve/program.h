/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Programs that the settings name: "command" and "policy" of a server, made
 * into a launch document (policy/policy.h).
 */

#include "ctl/serve/catalog.h"
#include "ctl/serve/config.h"

/*
 * The document of a server, as its bundle: a sealed memfd. Paths in the
 * settings are relative to the folder they are in. A package is resolved first,
 * or found as it was resolved. Refused with a sentence.
 */
int ctl_program_read(const struct ctl_config *config, struct ctl_server *server,
    struct err *err);
