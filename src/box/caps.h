/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Drops every capability but those in the mask, from every set, the bounding
 * set too. Negative errno. capabilities(7) */
int box_caps_drop(uint64_t keep);
