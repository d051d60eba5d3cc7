/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sealed part of a row: every field with its length before it. A vault key
 * that is another seals it anew.
 */

#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "store/login/login.h"

#define VERSION 1u

const char *const login_registrations[LOGIN_N_REGISTRATIONS] = { "dynamic",
	"document", "given" };
const char *const login_states[LOGIN_N_STATES] = { "good", "expired", "refused",
	"key_missing", "damaged", "elsewhere" };

/* ---- as bytes --------------------------------------------------------------
 */

#define TEXT(field)                                                            \
	{                                                                      \
		offsetof(struct login_kept, field),                            \
		    sizeof(((struct login_kept *)0)->field)                    \
	}

/* The order is that of the bytes: what is there is not moved. */
static const struct {
	size_t at;
	size_t size;
} texts[] = {
	TEXT(issuer),
	TEXT(token_url),
	TEXT(revocation),
	TEXT(resource),
	TEXT(scope),
	TEXT(client.id),
	TEXT(client.secret),
	TEXT(access),
	TEXT(refresh),
};

enum { N_NUMBERS = 3 }; /* 8 bytes each, behind the version */

_Static_assert(
    8 * (1 + N_NUMBERS) + sizeof(struct login_kept) <= VAULT_LOGIN_MAX,
    "a login fits into what is sealed of it");

static void
number_put(uint8_t **at, uint64_t number)
{
	for (size_t i = 0; i < 8; i++)
		*(*at)++ = (uint8_t)(number >> (8 * i));
}

static uint64_t
number_take(const uint8_t **at)
{
	uint64_t number = 0;

	for (size_t i = 8; i-- > 0;)
		number = number << 8 | (*at)[i];
	*at += 8;
	return number;
}

static size_t
kept_pack(const struct login_kept *kept, uint8_t bytes[VAULT_LOGIN_MAX])
{
	uint8_t *at = bytes;

	number_put(&at, VERSION);
	number_put(&at, kept->obtained);
	number_put(&at, kept->expires);
	number_put(&at, kept->client.auth);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *text = (const char *)kept + texts[i].at;
		const size_t len = strnlen(text, texts[i].size - 1);
		*at++ = (uint8_t)len;
		*at++ = (uint8_t)(len >> 8);
		memcpy(at, text, len);
		at += len;
	}
	return (size_t)(at - bytes);
}

/* Sealed by us; of another version it may be all the same. */
static bool
kept_unpack(const uint8_t *bytes, size_t len, struct login_kept *kept)
{
	const uint8_t *at = bytes, *end = bytes + len;

	if (len < 8 * (1 + N_NUMBERS) || number_take(&at) != VERSION)
		return false;
	kept->obtained = number_take(&at);
	kept->expires = number_take(&at);
	const uint64_t auth = number_take(&at);
	if (auth > OAUTH_AUTH_BASIC)
		return false;
	kept->client.auth = (enum oauth_client_auth)auth;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (end - at < 2)
			return false;
		const size_t n = (size_t)at[0] | (size_t)at[1] << 8;
		at += 2;
		if (n > (size_t)(end - at) || n >= texts[i].size)
			return false;
		memcpy((char *)kept + texts[i].at, at, n);
		at += n;
	}
	return at == end;
}

/* ---- sealed ----------------------------------------------------------------
 */

struct login_kept *
login_kept_new(void)
{
	struct login_kept *kept = sodium_malloc(sizeof(*kept));

	if (kept != NULL)
		memset(kept, 0, sizeof(*kept));
	return kept;
}

int
login_open(const struct store *store, const struct db_login *login,
    struct login_kept *kept, uint32_t *which)
{
	static uint8_t bytes[VAULT_LOGIN_MAX];
	const struct vault_owner owner = { login->tenant_name,
		login->server_name };
	int code = VAULT_E_KEY;
	size_t n = 0;

	memset(kept, 0, sizeof(*kept));
	if (store->vault != NULL)
		code = vault_login_open(store->vault, &owner, login->principal,
		    login->url, login->sealed, login->sealed_len, bytes, &n,
		    which);
	if (code == 0 && !kept_unpack(bytes, n, kept)) {
		sodium_memzero(kept, sizeof(*kept));
		code = VAULT_E_FORGED;
	}
	sodium_memzero(bytes, n);
	return code;
}

void
login_seal(const struct store *store, struct db_login *login,
    const struct login_kept *kept)
{
	static uint8_t bytes[VAULT_LOGIN_MAX];
	const struct vault_owner owner = { login->tenant_name,
		login->server_name };
	const size_t n = kept_pack(kept, bytes);

	login->sealed_len = vault_login_seal(store->vault, &owner,
	    login->principal, login->url, bytes, n, login->sealed);
	sodium_memzero(bytes, n);
}

enum login_state
login_look(const struct store *store, const struct db_login *login,
    const char *url, uint64_t now, struct login_kept *kept)
{
	uint32_t which = 0;
	const int code = login_open(store, login, kept, &which);

	if (code != 0)
		return code == VAULT_E_KEY ? LOGIN_KEY_MISSING : LOGIN_DAMAGED;
	if (strcmp(login->url, url) != 0)
		return LOGIN_ELSEWHERE;
	if (login->refused != 0)
		return LOGIN_REFUSED;
	return kept->expires != 0 && kept->expires <= now ? LOGIN_EXPIRED
							  : LOGIN_GOOD;
}

/* ---- a new vault key -------------------------------------------------------
 */

static int
row_check(struct store *store, struct db_login *login, struct login_kept *kept,
    unsigned *n_anew)
{
	uint32_t which = 0;
	const int code = login_open(store, login, kept, &which);

	if (code != 0) {
		store_log("error",
		    "a sign-in to the server '%s' (tenant '%s') %s sign in "
		    "again: cordon upstream login %s",
		    login->server_name, login->tenant_name,
		    code == VAULT_E_KEY
			? "was sealed with a vault key that this host does "
			  "not have: put that key behind the first one in the "
			  "vault's key file, or"
			: "was changed in the database by another program, or "
			  "is damaged:",
		    login->server_name);
		return 0;
	}
	if (which == 0)
		return 0;
	login_seal(store, login, kept);
	++*n_anew;
	return db_login_seal(store->db, login);
}

int
logins_check(struct store *store)
{
	static struct db_login login;
	struct login_kept *kept = login_kept_new();
	unsigned n_anew = 0;

	if (kept == NULL)
		return -ENOMEM;
	login.id = 0;
	int code = db_begin(store->db);
	while (code == 0 &&
	    (code = db_login_next(store->db, 0, login.id, &login)) == 0)
		code = row_check(store, &login, kept, &n_anew);
	sodium_free(kept);
	if (code != DB_E_NONE) {
		db_rollback(store->db);
		return code;
	}
	code = store_commit(store);
	if (code == 0 && n_anew > 0)
		store_log("info",
		    "%u sign-ins are sealed with the new vault key: the old "
		    "one is of no more use, but for backups",
		    n_anew);
	return code;
}

/* ---- towards egress --------------------------------------------------------
 */

static const char *
value_put(const char *access, struct wire_egress_secret *secret)
{
	const size_t len = strlen(access);

	if (len == 0 || len > sizeof(secret->value))
		return "is empty, or longer than 4096 bytes";
	memcpy(secret->value, access, len);
	secret->value_len = (uint32_t)len;
	return vault_value_complaint(secret);
}

const char *
login_token_complaint(const char *access)
{
	struct wire_egress_secret secret = { .kind = WIRE_SECRET_HEADER };
	const char *complaint = value_put(access, &secret);

	sodium_memzero(&secret, sizeof(secret));
	return complaint;
}

const char *
login_secret_make(const char *url, uint32_t principal, const char *access,
    struct wire_egress_secret *secret)
{
	struct addr_url parsed;

	*secret = (struct wire_egress_secret){ .name = WIRE_LOGIN_SECRET,
		.kind = WIRE_SECRET_HEADER,
		.principal = principal,
		.field = "authorization",
		.template_ = "Bearer {}" };
	if (addr_base_url_parse(url, strlen(url), &parsed, NULL) != 0)
		return "is for a server whose URL is none";
	memcpy(secret->host, parsed.host.text, sizeof(secret->host));
	secret->port = parsed.port;
	return value_put(access, secret);
}

int
store_logins_count(struct store *store, uint32_t server, size_t *n)
{
	uint64_t rows = 0;
	const int code = db_login_count(store->db, server, &rows);

	*n = rows > WIRE_LOGINS_MAX ? WIRE_LOGINS_MAX : (size_t)rows;
	return code == DB_E_NONE ? -EIO : code;
}

int
store_logins_for(struct store *store, const struct db_server *server,
    struct wire_egress_secret *secrets, size_t room, size_t *n)
{
	static struct db_login login;
	const char *url = server->record.launch.url;
	struct login_kept *kept = login_kept_new();
	size_t told = 0;
	int code = 0;

	if (kept == NULL)
		return -ENOMEM;
	login.id = 0;
	while (told < room &&
	    (code = db_login_next(
		 store->db, server->record.id, login.id, &login)) == 0) {
		const enum login_state state =
		    login_look(store, &login, url, (uint64_t)time(NULL), kept);
		struct wire_egress_secret *secret = &secrets[told];
		if (state == LOGIN_ELSEWHERE && login.principal == 0)
			continue;
		/* One that is not good, or for another URL, goes without its
		 * value: what would carry it fails, and nobody else's is sent
		 * instead. */
		if (login_secret_make(
			url, login.principal, kept->access, secret) != NULL ||
		    state != LOGIN_GOOD) {
			sodium_memzero(secret->value, sizeof(secret->value));
			secret->value_len = 0;
		}
		told++;
	}
	sodium_free(kept);
	if (code != 0 && code != DB_E_NONE)
		return code;
	*n = told;
	return 0;
}
