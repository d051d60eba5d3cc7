/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The vault's key, on its way from where the operator keeps it to the store:
 *
 *   key_file of the settings
 *   $CORDON_VAULT_KEY, wiped out of the environment at once
 *   $CREDENTIALS_DIRECTORY/cordon-vault-key (systemd's LoadCredential=)
 *   STATE/vault.key, made at the first start
 *
 * The first that is there holds. Files are readable by their owner only.
 */

#include <limits.h>

#include "base/err.h"
#include "vault/vault.h"

#define CTL_STATE_VAULT "vault.key"
#define CTL_STATE_PUBLIC "vault.pub"
#define CTL_VAULT_FILE_MAX 4096

/* Takes $CORDON_VAULT_KEY out of the environment, before anything is started.
 */
void ctl_vault_env_take(void);

/*
 * Finds the keys; `path`: of the settings, or "". Writes STATE/vault.pub, which
 * secrets are sealed to. The ring is the caller's to wipe, and `fd` (a sealed
 * memfd of the same) to close. Negative errno, and a sentence without a key.
 */
int ctl_vault_find(
    const char *path, struct vault_ring *ring, int *fd, struct err *err);

/* A new key before those of the file, which stay; NULL: STATE/vault.key, unless
 * STATE/vault.pub says that the host has its keys from elsewhere. The path that
 * it is, for the sentence. */
int ctl_vault_rotate(const char *path, char written[PATH_MAX], struct err *err);

/* STATE/vault.pub; -ENOENT: there is none. */
int ctl_vault_public(uint8_t public_key[VAULT_PUBLIC], struct err *err);
