/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A connection to a host that a rule allows: resolved, every address checked,
 * dialled in the resolver's order, the next one while the last does not answer;
 * whoever answers first is checked once more. Ten seconds for all of it.
 */

#include "egress/egress.h"

#define DIAL_MS 10000

struct dial;

/* OK: fd is a connected, non-blocking socket that is the callee's from now on.
 * Else -1, and text (a sentence). The dial is gone after this. */
typedef void
dial_fn(void *arg, enum wire_egress_end end, int fd, const char *text);

/*
 * done() is called from the loop, never at once; NULL: out of memory. `rule` is
 * the one that allows it: ADDR_RULE_LOOPBACK leads to the host's own 127.0.0.1,
 * where the settings say that it may. The host is copied; its name is asked for
 * on the deployment's account.
 */
struct dial *dial_start(struct egress *egress, uint32_t deployment,
    const struct addr_rule *rule, const struct addr_host_name *host,
    uint16_t port, dial_fn *done, void *arg);
/* done() is not called; takes NULL. */
void dial_cancel(struct dial *dial);
