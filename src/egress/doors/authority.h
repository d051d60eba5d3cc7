/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/err.h"

/*
 * Makes the authority that TLS is ended with inside boxes, once: key.pem (for
 * its owner alone) and cert.pem in the folder, which is made if need be. P-256,
 * ten years, for leaf certificates only. It is made anew when less than thirty
 * days are left. Runs as whoever owns the folder, before any door. Negative
 * errno and a sentence.
 */
int authority_make(const char *folder, struct err *err);
