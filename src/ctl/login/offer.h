/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a host offers a person: an address to open, and who is behind it. It
 * comes by way of the gateway, which could put in a challenge of its own and
 * redeem the code that comes back; so nothing of it is shown, or waited for,
 * that is not proven to be the store's.
 */

#include <stdbool.h>
#include <stdint.h>

#include "addr/url.h"
#include "ctl/host/admin.h"
#include "vault/vault.h"

#define OFFER_TEXT_MAX 2048
#define OFFER_SECONDS_MAX 600 /* for the person to come back */

struct offer {
	char url[ADDR_URL_MAX];
	char issuer[OFFER_TEXT_MAX];
	char resource[OFFER_TEXT_MAX];
	char scope[OFFER_TEXT_MAX];
	char registration[32];
	char state[128]; /* of the redirect that is waited for */
	uint64_t seconds;
};

/* The answer of POST /admin/logins; `key` is the one that was sent, sealed, to
 * the store. False, and the end of a sentence: it is not to be used. */
bool offer_read(struct json_span raw_answer, const uint8_t key[VAULT_PROOF_KEY],
    const char *redirect_uri, struct offer *offer, const char **why);

/* For a person, and for a program: of what is proven alone. */
void offer_print(const struct offer *offer, const char *server);
void offer_print_json(const struct offer *offer);
