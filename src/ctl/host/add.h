/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "ctl/host/admin.h"

extern const struct ctl_command ctl_add_command;

/* All that the host says of a server, in lines. */
void ctl_server_print(const struct ctl_reply *reply);

/* What the host made of a server that was added: what a program may do, in
 * which state it is, what is next. */
void ctl_server_state_print(const struct ctl_reply *reply, const char *name);
