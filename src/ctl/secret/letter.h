/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is typed for a host's vault: read off stdin or the terminal, and sealed
 * to the store, so that neither the command line nor the gateway has it. All
 * return an exit code, with the sentence said.
 */

#include "ctl/host/admin.h"
#include "vault/vault.h"

struct ctl_letter {
	const struct ctl_admin *admin;
	struct vault_owner owner;
	struct wire_egress_secret secret; /* wiped by who filled it */
	uint8_t public_key[VAULT_PUBLIC];
};

/* Whose secret it is: the tenant of the options, or "local". */
struct vault_owner
ctl_letter_owner(const struct ctl_admin *admin, const char *server);

/* Asks the host to whom it is sealed, and believes only a key that is known
 * here. */
int ctl_letter_ask(struct ctl_letter *letter);

/* The value, without the last line end; a terminal is asked for `what`, without
 * echo. */
int ctl_letter_read(struct ctl_letter *letter, const char *what);

/* ,"MEMBER":"…" */
int ctl_letter_put(
    const struct ctl_letter *letter, const char *member, struct json_out *out);

/* The token of --principal, by its number or its name; 0 where none was said.
 */
int ctl_principal_find(const struct ctl_admin *admin, uint32_t *principal);
