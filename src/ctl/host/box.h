/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A server in a box, as options say it: `cordon upstream add NAME -- COMMAND`.
 */

#include "base/err.h"
#include "ctl/host/admin.h"

/* Whether an option was given that only a program understands. */
bool ctl_box_is_asked(const struct ctl_admin *admin);

/*
 * Appends ,"kind":"box" and all that says what is launched, of
 * admin->program; a package is resolved first. What was accepted but is not
 * obeyed is said on stderr. Negative errno, with the sentence.
 */
int
ctl_box_write(struct ctl_admin *admin, struct json_out *out, struct err *err);

struct ctl_launch;
/* The same of a launch that somebody else put together. A package is resolved
 * as the options say. */
int ctl_box_launch_write(const struct ctl_admin *admin,
    struct ctl_launch *launch, struct json_out *out, struct err *err);
