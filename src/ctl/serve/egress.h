/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The way out, as the settings of `cordon serve` have it: what holds for the
 * host ("egress"), and what one server may reach ("network").
 */

#include "ctl/serve/config.h"
#include "ctl/settings.h"

/* What egress is started with. CTL_E_CONFIG, negative errno. */
int ctl_egress_take(const struct ctl_config *config,
    struct ctl_settings *settings, struct err *err);

/* Sealed, and its SHA-256. Negative errno. */
int
ctl_egress_seal(const struct ctl_settings *settings, uint8_t hash[32], int *fd);

#define CTL_NETWORK_MAX 24576u /* beside a record in one message */

/*
 * What a server that is an isolate may reach: {"network":{…}} in its one
 * spelling, for free(); NULL where it may reach nothing. `name` is for the
 * sentence. Negative errno.
 */
int ctl_network_text(
    struct json_span network, const char *name, char **textp, struct err *err);
