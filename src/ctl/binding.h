/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * --secret NAME=HOST[:PORT][,header=H|query=Q|basic]: the value is that of the
 * variable NAME here; it goes to egress, never to the box, and from there into
 * requests to that host.
 */

#include "base/err.h"
#include "policy/network.h"
#include "wire/egress.h"

/*
 * Fills a secret; wiped by whoever holds it. Without more words it is the header
 * "Authorization: Bearer VALUE". Some rule must lead to the host. Negative errno
 * and a sentence.
 */
int ctl_binding_parse(const char *word, const struct policy_network *network,
    struct wire_egress_secret *secret, struct err *err);
