/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What `cordon serve` tells its running supervisor (wire/wire.h): the servers
 * that the operator serves, as a whole, and new settings.
 */

#include "base/err.h"
#include "ctl/serve/catalog.h"
#include "ctl/serve/config.h"

/* None of them is a CTL_E_CONFIG or CTL_E_CATALOG: one place has them all. */
#define CTL_E_FEED_STOPPED 16 /* stop_fd was readable first */
#define CTL_E_FEED_REFUSED 17 /* the store's sentence is in err */
#define CTL_E_FEED_LOST 18 /* the supervisor has ended */

struct ctl_feed {
	int operator_fd; /* not blocking; borrowed */
	int stop_fd; /* a signal to end waits there; borrowed, or -1 */
};

/* Sends every server of the catalog, with what the settings say of each, then
 * COMMIT, and waits for the store's word. */
int
ctl_feed_servers(const struct ctl_feed *feed, const struct ctl_catalog *catalog,
    const struct ctl_config *config, struct err *err);

/* SETTINGS or TLS: `type` is the wire's. */
int ctl_feed_file(
    const struct ctl_feed *feed, uint32_t type, int memfd, struct err *err);
