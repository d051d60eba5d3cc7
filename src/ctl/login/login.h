/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "ctl/option.h"

/* cordon upstream login | logins | logout */
extern const struct ctl_command ctl_login_command;
extern const struct ctl_command ctl_logins_command;
extern const struct ctl_command ctl_logout_command;
