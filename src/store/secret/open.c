/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "store/egress/egress.h"
#include "store/secret/secret.h"

int
secret_open(const struct store *store, struct db_secret *secret,
    uint32_t *which, const char **why)
{
	const struct vault_owner owner = { secret->tenant_name,
		secret->server_name };
	int code = VAULT_E_KEY;

	if (store->vault != NULL)
		code = vault_open(store->vault, &owner, secret->sealed,
		    secret->sealed_len, &secret->record, which);
	if (code == VAULT_E_KEY)
		*why = "was sealed with a vault key that this host does not "
		       "have: put that key behind the first one in the vault's "
		       "key file, or set the secret anew";
	if (code == VAULT_E_FORGED)
		*why = "was changed in the database by another program, or is "
		       "damaged: set it anew";
	return code;
}

int
store_secrets_for(struct store *store, uint32_t server,
    struct wire_egress_secret secrets[WIRE_SECRETS_MAX], size_t *n)
{
	struct db_secret secret = { .id = 0 };
	uint32_t which = 0;
	const char *why;
	int code = 0;

	*n = 0;
	while (*n < WIRE_SECRETS_MAX &&
	    (code = db_secret_next(store->db, server, secret.id, &secret)) ==
		0) {
		/* Somebody else's row, which secrets_check() complained of. */
		if (secret.record.kind > WIRE_SECRET_BASIC)
			continue;
		/* One that does not open goes without a value: egress refuses
		 * what it would be put into. */
		(void)secret_open(store, &secret, &which, &why);
		secrets[(*n)++] = secret.record;
	}
	sodium_memzero(&secret, sizeof(secret));
	return code == DB_E_NONE ? 0 : code;
}

static int
secret_check(struct store *store, struct db_secret *secret, unsigned *n_anew)
{
	const struct vault_owner owner = { secret->tenant_name,
		secret->server_name };
	const char *why = "";
	uint32_t which = 0;

	if (secret_open(store, secret, &which, &why) != 0) {
		store_log("error",
		    "the secret '%s' of the server '%s' (tenant '%s') %s; "
		    "until then requests to %s are refused",
		    secret->record.name, secret->server_name,
		    secret->tenant_name, why, secret->record.host);
		return 0;
	}
	if (which == 0)
		return 0;
	secret->sealed_len =
	    vault_seal(store->vault, &owner, &secret->record, secret->sealed);
	++*n_anew;
	return db_secret_seal(store->db, secret);
}

int
secrets_check(struct store *store)
{
	struct db_secret secret = { .id = 0 };
	unsigned n_anew = 0;
	int code = db_begin(store->db);

	while (code == 0 &&
	    (code = db_secret_next(store->db, 0, secret.id, &secret)) == 0)
		code = secret_check(store, &secret, &n_anew);
	sodium_memzero(&secret, sizeof(secret));
	if (code != DB_E_NONE) {
		db_rollback(store->db);
		return code;
	}
	code = store_commit(store);
	if (code == 0 && n_anew > 0)
		store_log("info",
		    "%u secrets are sealed with the new vault key: the old "
		    "one is of no more use, but for backups",
		    n_anew);
	return code;
}

int
secrets_push(struct store *store)
{
	struct db_secret secret = { .id = 0 };
	uint32_t last = 0;
	int code;

	while ((code = db_secret_next(store->db, 0, secret.id, &secret)) == 0) {
		if (secret.server != last)
			egress_push(store, secret.server);
		last = secret.server;
	}
	return code == DB_E_NONE ? 0 : code;
}
