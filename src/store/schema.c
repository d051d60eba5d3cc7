/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema, as steps forward: the i-th step leads from user_version i to
 * i + 1. A step that was released is never changed.
 */
#include "base/auto.h"
#include "store/sqlite.h"

/* The columns of struct wire_quota. */
#define QUOTA                                                                  \
	"requests_per_minute INTEGER NOT NULL, concurrent INTEGER NOT NULL, "  \
	"cpu_ms_per_minute INTEGER NOT NULL, memory_bytes INTEGER NOT NULL, "  \
	"result_bytes INTEGER NOT NULL"

static const char *const steps[] = {
	"CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;"

	"CREATE TABLE tenants (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" name TEXT NOT NULL UNIQUE, " QUOTA ") STRICT;"

	"CREATE TABLE tokens (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" tenant INTEGER NOT NULL REFERENCES tenants (id),"
	" scopes INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),"
	" name TEXT NOT NULL, servers TEXT NOT NULL, " QUOTA ","
	" UNIQUE (tenant, name)) STRICT;"

	"CREATE TABLE bundles (digest BLOB PRIMARY KEY, bytes BLOB NOT NULL)"
	" STRICT;"

	/* tenant: history outlives tenants, so nothing refers to them here;
	 * a tenant with live servers is not removed (tenants.c). */
	"CREATE TABLE servers (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" tenant INTEGER NOT NULL, state INTEGER NOT NULL,"
	" origin INTEGER NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL,"
	" share INTEGER NOT NULL, socket TEXT NOT NULL, bundle BLOB NOT NULL,"
	" pool_max INTEGER NOT NULL, memory_bytes INTEGER NOT NULL,"
	" cpu_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL,"
	" result_bytes INTEGER NOT NULL, log_bytes INTEGER NOT NULL,"
	" load_cpu_ns INTEGER NOT NULL, load_wall_ns INTEGER NOT NULL,"
	" reuse_calls INTEGER NOT NULL, flags INTEGER NOT NULL,"
	" digest BLOB NOT NULL, approved BLOB NOT NULL,"
	" created INTEGER NOT NULL, removed INTEGER NOT NULL DEFAULT 0)"
	" STRICT;"
	"CREATE UNIQUE INDEX servers_by_name ON servers (tenant, name)"
	" WHERE removed = 0;"
	"CREATE INDEX servers_by_bundle ON servers (bundle);"
	"CREATE INDEX servers_past ON servers (tenant, name);"

	"CREATE TABLE decisions (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" server INTEGER NOT NULL REFERENCES servers (id),"
	" time INTEGER NOT NULL, principal INTEGER NOT NULL,"
	" state INTEGER NOT NULL, digest BLOB NOT NULL) STRICT;"
	"CREATE INDEX decisions_by_server ON decisions (server);"

	"CREATE TABLE surfaces (server INTEGER NOT NULL REFERENCES servers"
	" (id), digest BLOB NOT NULL, time INTEGER NOT NULL,"
	" surface BLOB NOT NULL, PRIMARY KEY (server, digest)) STRICT;"

	"CREATE TABLE ended (session BLOB PRIMARY KEY, until INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX ended_until ON ended (until);"

	"CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" time_ms INTEGER NOT NULL, principal INTEGER NOT NULL,"
	" tenant INTEGER NOT NULL, request TEXT NOT NULL,"
	" action TEXT NOT NULL, detail BLOB NOT NULL, hash BLOB NOT NULL)"
	" STRICT;"
	"CREATE INDEX audit_by_tenant ON audit (tenant, number);"
	"CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN"
	" SELECT RAISE (ABORT, 'the audit is append-only'); END;"
	"CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN"
	" SELECT RAISE (ABORT, 'the audit is append-only'); END;",

	/* The audit names who is long gone. */
	"CREATE TABLE past (kind TEXT NOT NULL, id INTEGER NOT NULL,"
	" name TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;"
	"CREATE TRIGGER tokens_past AFTER DELETE ON tokens BEGIN"
	" INSERT INTO past VALUES ('token', old.id, old.name); END;"
	"CREATE TRIGGER tenants_past AFTER DELETE ON tenants BEGIN"
	" INSERT INTO past VALUES ('tenant', old.id, old.name); END;",

	/* Up to where the gateway's audit is in ours. */
	("CREATE TABLE heard (one INTEGER PRIMARY KEY CHECK (one = 1),"
	 " boot BLOB NOT NULL, sequence INTEGER NOT NULL) STRICT;"),

	/* struct wire_box of servers that are programs. */
	("ALTER TABLE servers ADD COLUMN start_ms INTEGER NOT NULL DEFAULT 0;"
	 "ALTER TABLE servers ADD COLUMN idle_s INTEGER NOT NULL DEFAULT 0;"
	 "ALTER TABLE servers ADD COLUMN life_s INTEGER NOT NULL DEFAULT 0;"
	 "ALTER TABLE servers ADD COLUMN spares INTEGER NOT NULL DEFAULT 0;"
	 "ALTER TABLE servers ADD COLUMN starts_per_minute INTEGER NOT NULL"
	 " DEFAULT 0;"),

	/* What an isolate may reach: its digest among the bundles. */
	("ALTER TABLE servers ADD COLUMN network BLOB NOT NULL DEFAULT"
	 " x'0000000000000000000000000000000000000000000000000000000000000000'"
	 ";"),

	/* Sealed, each bound to the rest of its row (vault/vault.h). They go
	 * with their server, and with the token whose they are. */
	("CREATE TABLE secrets (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	 " server INTEGER NOT NULL REFERENCES servers (id),"
	 " name TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL,"
	 " kind INTEGER NOT NULL, field TEXT NOT NULL, template TEXT NOT NULL,"
	 " principal INTEGER NOT NULL, issued INTEGER NOT NULL,"
	 " sealed BLOB NOT NULL,"
	 " UNIQUE (server, name, host, port, principal)) STRICT;"
	 "CREATE TRIGGER servers_secrets AFTER UPDATE OF removed ON servers"
	 " WHEN new.removed <> 0 BEGIN"
	 " DELETE FROM secrets WHERE server = old.id; END;"
	 "CREATE TRIGGER tokens_secrets AFTER DELETE ON tokens BEGIN"
	 " DELETE FROM secrets WHERE principal = old.id; END;"),

	/* Who signed in to which remote server: tokens, sealed with all that
	 * renewing them needs (store/login/login.h). */
	("CREATE TABLE logins (id INTEGER PRIMARY KEY AUTOINCREMENT,"
	 " server INTEGER NOT NULL REFERENCES servers (id),"
	 " principal INTEGER NOT NULL, url TEXT NOT NULL,"
	 " set_at INTEGER NOT NULL, refused INTEGER NOT NULL,"
	 " sealed BLOB NOT NULL, UNIQUE (server, principal)) STRICT;"
	 "CREATE TRIGGER servers_logins AFTER UPDATE OF removed ON servers"
	 " WHEN new.removed <> 0 BEGIN"
	 " DELETE FROM logins WHERE server = old.id; END;"
	 "CREATE TRIGGER tokens_logins AFTER DELETE ON tokens BEGIN"
	 " DELETE FROM logins WHERE principal = old.id; END;"),
};

const uint32_t schema_version = ARRAY_LEN(steps);

const char *
schema_step(uint32_t version)
{
	return version < schema_version ? steps[version] : NULL;
}
