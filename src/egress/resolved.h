/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is known of a name: the addresses of an answer, checked one by one as
 * they are read, and checked again when they are told.
 */

#include "egress/egress.h"

#define RESOLVED_MAX 16u /* addresses given to who asked */

enum resolved_none {
	RESOLVED_NOT_YET, /* nobody answered */
	RESOLVED_FAILED, /* a name server could not */
	RESOLVED_NO_ADDRESS, /* the name has no address */
	RESOLVED_NO_NAME, /* there is no such name */
};

/* What is known of a name. */
struct resolved {
	struct addr_ip ips[RESOLVED_MAX];
	size_t n;
	struct addr_ip refused; /* one that may not be dialled */
	bool has_refused;
	struct addr_ip synthetic; /* one that a DNS64 made up */
	bool has_synthetic;
	bool is_too_large;
	enum resolved_none none; /* where n is 0 */
	uint32_t ttl;
};

/* A DNS message with an answer, whatever it holds: v6 or v4, empty before. */
void resolved_take(struct resolved *resolved, const struct egress *egress,
    bool is_v6, const uint8_t *raw, int len);
/* It has an address, dialled or not. */
bool resolved_has_any(const struct resolved *resolved);
/* The two answers as one. */
struct resolved
resolved_join(const struct resolved *v6, const struct resolved *v4);
/* Tells one who asked; checked as of now. */
void resolved_tell(const struct egress *egress, const struct resolved *resolved,
    resolve_fn *done, void *arg);
