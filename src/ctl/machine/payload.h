/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a program in a box may, as src/box has it: its layers, the files that
 * every box holds, the system calls. */

#include "json/out.h"

#define CTL_PAYLOAD "payload"

void ctl_payload_print(void);
void ctl_payload_put(struct json_out *out);
