/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The bearer token of `cordon serve`: made at the first start, kept in a file
 * that only its owner can read, known to the gateway as a SHA-256 only.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CTL_TOKEN_MAX 256 /* with the NUL */
#define CTL_TOKEN_HASH 32

struct ctl_token {
	char path[PATH_MAX];
	char text[CTL_TOKEN_MAX]; /* wiped by ctl_token_fini() */
	uint8_t hash[CTL_TOKEN_HASH]; /* as wire/registry.h has it */
	bool is_new;
};

void ctl_token_fini(struct ctl_token *token);

/*
 * Reads the token of `path`, or, where that is NULL, of "token" in the state
 * folder: $CORDON_STATE, $XDG_STATE_HOME/cordon or ~/.local/state/cordon. A
 * file that is not there is made, folders and all. Refused with a sentence: a
 * file that others can read, or that holds no token.
 */
int ctl_token_get(struct ctl_token *token, const char *path, struct err *err);

/* The same, but makes none: -ENOENT. */
int ctl_token_find(struct ctl_token *token, const char *path, struct err *err);
