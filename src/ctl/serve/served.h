/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The first words of `cordon serve`: what it serves, where, and with which
 * token.
 */

#include "ctl/serve/catalog.h"
#include "ctl/serve/listen.h"
#include "ctl/host/token.h"

struct ctl_served {
	const struct ctl_listener *listener;
	const struct ctl_token *token;
	const struct ctl_catalog *catalog;
	const char *socket_path; /* of the admin socket */
	bool no_auth, has_tls;
};

void ctl_served_print(const struct ctl_served *served);

/* One JSON line. */
void ctl_served_print_json(const struct ctl_served *served);
