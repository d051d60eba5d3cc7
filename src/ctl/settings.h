/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The settings of egress (wire/egress.h): whom it asks for names, whose
 * certificates it trusts, what this network has that nobody may dial. Read by
 * the person who types the command, sealed, handed down.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "policy/network.h"
#include "wire/egress.h"

#define CTL_SETTINGS_CA_MAX (8u << 20)

struct ctl_settings {
	struct wire_egress_settings head; /* lengths are set by the seal */
	char *ca; /* owned: PEM, one after another */
	size_t ca_len;
	char *authority; /* owned */
	size_t authority_len;
	const void *records; /* borrowed; NULL: a store has them */
	size_t records_len;
	char remarks[1024]; /* what was left out and why: lines */
};

void ctl_settings_init(struct ctl_settings *settings);
void ctl_settings_fini(struct ctl_settings *settings);

/*
 * resolv.conf(5), strictly: "nameserver ADDRESS" alone counts, as the C library
 * reads it; the first four. What else could have been one is left out, with a
 * remark. A file that is not there, or names none, is a remark, too.
 */
void ctl_settings_resolv(struct ctl_settings *settings, const char *path);
void ctl_settings_resolv_text(
    struct ctl_settings *settings, const char *raw_text, size_t len);

/* "9.9.9.9", "9.9.9.9:5353", "2620:fe::fe", "[2620:fe::fe]:53"; the first that
 * is added so takes the place of those of resolv.conf. Negative errno and a
 * sentence's end. */
int ctl_settings_nameserver(
    struct ctl_settings *settings, const char *raw_text, struct err *err);
/* "10.0.0.0/8": no bit behind the prefix may be set. The same. */
int ctl_settings_denied(
    struct ctl_settings *settings, const char *raw_text, struct err *err);
/* "64:ff9b:1::/48": a length of RFC 6052. */
int ctl_settings_nat64(
    struct ctl_settings *settings, const char *raw_text, struct err *err);

/* The bundle of the system: the first of the places where distributions put
 * it. NULL: none has it. Static. */
const char *ctl_settings_ca_path(void);
/* Adds a file of certificates. Negative errno and a sentence. */
int ctl_settings_ca(
    struct ctl_settings *settings, const char *path, struct err *err);

/* The one server of a host without a store. */
struct ctl_record {
	const char *tenant, *name;
	uint32_t deployment;
	const struct policy_network *network;
	const struct wire_egress_secret *secrets;
	uint32_t n_secrets;
};
/* What a store would tell of it, for `records`. The caller's to free, and to wipe
 * where there are secrets. NULL: no memory. */
uint8_t *ctl_settings_record(const struct ctl_record *of, size_t *len);

/* A sealed memfd; the caller's. Negative errno. */
int ctl_settings_seal(const struct ctl_settings *settings, int *fd);
