/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Records of what servers may reach: from the settings, and the store's stream
 * (wire/egress.h). */

#include "egress/egress.h"

/* All of them, whole. -EINVAL: a record that is none. */
int records_take(struct servers *servers, const uint8_t *bytes, size_t len);

/* Takes the store's stream, in the place of the one before. What it says that
 * no store says ends the stream; what is known stays. */
void records_start(struct egress *egress, int stream_fd);
