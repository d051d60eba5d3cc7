/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Records of what servers may reach: from the settings, and the store's stream
 * (wire/egress.h). */

#include "egress/egress.h"

/* All of them, whole. -EINVAL: a record that is none. */
int records_take(struct servers *servers, const uint8_t *bytes, size_t len);

/* Takes the store's stream, in the place of the one before. What it says that
 * no store says ends the stream; what is known stays. Until all is said that
 * there is to say at its beginning the supervisor's door is not heard: nobody
 * asks before it is known what they may. */
void records_start(struct egress *egress, int stream_fd);
