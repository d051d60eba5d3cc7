/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>
#include <sodium.h>
#include <unistd.h>

#include "store/sqlite.h"
#include "store/store.h"

/* A database in a folder of its own, gone with the test. */
struct place {
	char folder[64];
	char path[96];
	struct db *db;
};

static void
place_open(struct place *place)
{
	struct err err = { "" };

	if (db_open(&place->db, place->path, &err) != 0)
		fail_msg("%s", err.text);
}

static int
setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_true(sodium_init() >= 0);
	strcpy(place->folder, "/tmp/cordon-db-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(
	    place->path, sizeof(place->path), "%s/cordon.db", place->folder);
	place_open(place);
	*state = place;
	return 0;
}

static int
teardown(void **state)
{
	struct place *place = *state;

	place->db = db_close(place->db);
	unlink(place->path);
	rmdir(place->folder);
	free(place);
	return 0;
}

static struct wire_tenant
tenant_put(struct db *db, const char *name)
{
	struct wire_tenant tenant = { .quota = { .requests_per_minute = 7,
					  .memory_bytes = 1ull << 40 } };

	strcpy(tenant.name, name);
	assert_int_equal(db_begin(db), 0);
	assert_int_equal(db_tenant_put(db, &tenant), 0);
	return tenant;
}

static void
keeps_what_was_committed_only(void **state)
{
	struct place *place = *state;
	struct wire_tenant found;

	const struct wire_tenant kept = tenant_put(place->db, "kept");
	assert_int_equal(db_commit(place->db), 0);
	tenant_put(place->db, "lost");
	place->db = db_close(place->db);
	place_open(place);
	assert_int_equal(db_tenant_find(place->db, "kept", &found), 0);
	assert_memory_equal(&found, &kept, sizeof(kept));
	assert_int_equal(db_tenant_find(place->db, "lost", &found), DB_E_NONE);
}

static void
an_action_fails_alone(void **state)
{
	struct place *place = *state;
	struct wire_tenant found;

	tenant_put(place->db, "before");
	assert_int_equal(db_action_begin(place->db), 0);
	tenant_put(place->db, "dropped");
	assert_int_equal(db_action_drop(place->db), 0);
	assert_int_equal(db_action_begin(place->db), 0);
	tenant_put(place->db, "after");
	assert_int_equal(db_action_keep(place->db), 0);
	assert_int_equal(db_commit(place->db), 0);
	assert_int_equal(db_tenant_find(place->db, "before", &found), 0);
	assert_int_equal(db_tenant_find(place->db, "after", &found), 0);
	assert_int_equal(
	    db_tenant_find(place->db, "dropped", &found), DB_E_NONE);
}

static void
gives_no_id_twice(void **state)
{
	struct place *place = *state;

	const struct wire_tenant first = tenant_put(place->db, "first");
	assert_int_equal(db_tenant_remove(place->db, first.id), 0);
	assert_int_equal(db_tenant_remove(place->db, first.id), DB_E_NONE);
	const struct wire_tenant second = tenant_put(place->db, "first");
	assert_int_not_equal(first.id, second.id);
}

static void
refuses_numbers_that_it_cannot_hold(void **state)
{
	struct place *place = *state;
	struct wire_tenant tenant = { .name = "big",
		.quota.memory_bytes = UINT64_MAX };

	assert_int_equal(db_tenant_put(place->db, &tenant), -EINVAL);
	tenant.quota.memory_bytes = INT64_MAX;
	assert_int_equal(db_tenant_put(place->db, &tenant), 0);
}

static struct db_server
server_of(uint32_t tenant, const char *name)
{
	struct db_server server = { .record = { .tenant = tenant,
					.launch = { .pool_max = 3,
					    .bundle_fd = -1,
					    .limits = WIRE_LIMITS_DEFAULT } } };

	strcpy(server.record.launch.name, name);
	strcpy(server.record.launch.tenant, "acme");
	strcpy(server.record.launch.socket, "/run/x");
	randombytes_buf(server.digest, sizeof(server.digest));
	return server;
}

static void
reads_a_server_as_it_was_written(void **state)
{
	struct place *place = *state;
	const struct wire_tenant tenant = tenant_put(place->db, "acme");
	struct db_server server = server_of(tenant.id, "tool"), found;
	uint32_t past;

	assert_int_equal(db_server_put(place->db, &server), 0);
	assert_true(server.record.id > 0);
	assert_int_equal(
	    db_server_find(place->db, tenant.id, "tool", &found), 0);
	assert_memory_equal(
	    &found.record, &server.record, sizeof(found.record));
	assert_memory_equal(found.digest, server.digest, DB_DIGEST);
	assert_int_equal(
	    db_server_find(place->db, tenant.id + 1, "tool", &found),
	    DB_E_NONE);

	server.record.state = WIRE_STATE_DENIED;
	assert_int_equal(db_decision_add(place->db, &server, 1), 0);
	assert_int_equal(
	    db_decision_past(place->db, tenant.id, "tool", &past), DB_E_NONE);
	assert_int_equal(db_server_remove(place->db, server.record.id), 0);
	assert_int_equal(
	    db_server_get(place->db, server.record.id, &found), DB_E_NONE);
	assert_int_equal(
	    db_decision_past(place->db, tenant.id, "tool", &past), 0);
	assert_int_equal(past, WIRE_STATE_DENIED);
}

static void
sweeps_bundles_that_nobody_uses(void **state)
{
	struct place *place = *state;
	const struct wire_tenant tenant = tenant_put(place->db, "acme");
	struct db_server server = server_of(tenant.id, "tool");
	const uint8_t other[DB_DIGEST] = { 1 };
	uint64_t total = 0;
	uint8_t *bytes = NULL;
	size_t len = 0;

	memset(server.record.launch.digest, 9, DB_DIGEST);
	assert_int_equal(db_bundle_put(place->db, other, "abc", 3), 0);
	assert_int_equal(
	    db_bundle_put(place->db, server.record.launch.digest, "12345", 5),
	    0);
	assert_int_equal(db_server_put(place->db, &server), 0);
	assert_int_equal(db_bundles_sweep(place->db), 0);
	assert_int_equal(
	    db_bundle_read(place->db, other, &bytes, &len), DB_E_NONE);
	assert_int_equal(db_bundle_read(place->db, server.record.launch.digest,
			     &bytes, &len),
	    0);
	assert_int_equal(len, 5);
	assert_memory_equal(bytes, "12345", 5);
	free(bytes);
	assert_int_equal(db_bundles_bytes(place->db, &total), 0);
	assert_int_equal(total, 5);
}

static void
finds_what_a_server_offered_as_it_is_now(void **state)
{
	struct place *place = *state;
	const struct wire_tenant tenant = tenant_put(place->db, "acme");
	struct db_server server = server_of(tenant.id, "tool");
	const uint8_t now[DB_DIGEST] = { 1 }, before[DB_DIGEST] = { 2 };
	uint8_t *json = NULL;
	size_t len = 0;

	assert_int_equal(db_server_put(place->db, &server), 0);
	assert_int_equal(
	    db_surface_put(place->db, server.record.id, before, "{}", 2), 0);
	assert_int_equal(
	    db_surface_read(place->db, server.record.id, now, &json, &len),
	    DB_E_NONE);
	assert_int_equal(
	    db_surface_put(place->db, server.record.id, now, "{1}", 3), 0);
	assert_int_equal(
	    db_surface_read(place->db, server.record.id, now, &json, &len), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(json, "{1}", 3);
	free(json);
}

static int
ended_count(void *arg, const struct wire_ended *ended)
{
	(void)ended;
	++*(int *)arg;
	return 0;
}

static void
forgets_ended_sessions_when_they_have_expired(void **state)
{
	struct place *place = *state;
	struct wire_ended ended = { .session = { 1 }, .until = 100 };
	int n = 0;

	assert_int_equal(db_ended_put(place->db, &ended), 0);
	assert_int_equal(db_ended_put(place->db, &ended), 0);
	ended.session[0] = 2;
	ended.until = 200;
	assert_int_equal(db_ended_put(place->db, &ended), 0);
	assert_int_equal(db_ended_purge(place->db, 100), 0);
	assert_int_equal(db_ended_each(place->db, ended_count, &n), 0);
	assert_int_equal(n, 1);
}

/* As the release before boxes left it: steps 0 to 2, and a server. */
static void
old_make(const char *path)
{
	static const char server[] =
	    "INSERT INTO servers (id, tenant, state, origin, name, kind, share,"
	    " socket, bundle, pool_max, memory_bytes, cpu_ns, wall_ns,"
	    " result_bytes, log_bytes, load_cpu_ns, load_wall_ns, reuse_calls,"
	    " flags, digest, approved, created) VALUES (5, 1, 1, 1, 'old', 0, "
	    "0,"
	    " '', zeroblob(32), 16, 134217728, 1, 2, 3, 4, 5, 6, 7, 0,"
	    " zeroblob(32), zeroblob(32), 8);"
	    "INSERT INTO tenants VALUES (1, 'local', 0, 0, 0, 0, 0);"
	    "INSERT INTO meta VALUES ('key', zeroblob(32));"
	    "PRAGMA user_version = 3;";
	sqlite3 *handle = NULL;

	(void)unlink(path);
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(
		    sqlite3_exec(handle, schema_step(i), NULL, NULL, NULL),
		    SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(handle, server, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(handle);
}

static void
brings_an_older_database_up_to_date(void **state)
{
	struct place *place = *state;
	struct db_server server, found;

	place->db = db_close(place->db);
	old_make(place->path);
	place_open(place);
	assert_int_equal(db_server_get(place->db, 5, &server), 0);
	assert_string_equal(server.record.launch.name, "old");
	assert_string_equal(server.record.launch.tenant, "local");
	assert_int_equal(server.record.launch.limits.reuse_calls, 7);
	assert_int_equal(server.record.launch.box.start_ms, 0);
	server.record.launch.kind = WIRE_KIND_BOX;
	server.record.launch.box = (struct wire_box){ 1, 2, 3, 4, 5, 0 };
	assert_int_equal(db_server_put(place->db, &server), 0);
	assert_int_equal(db_commit(place->db), 0);
	place->db = db_close(place->db);
	place_open(place);
	assert_int_equal(db_server_get(place->db, 5, &found), 0);
	assert_memory_equal(
	    &found.record, &server.record, sizeof(found.record));
}

static const uint8_t nothing[DB_DIGEST], network[DB_DIGEST] = { 1 };

/* Each thing that says how it runs is in the digest. */
static void
a_digest_covers_all_of_a_launch(void **state)
{
	const struct wire_deployment good = server_of(1, "tool").record.launch;
	uint8_t digest[DB_DIGEST], other[DB_DIGEST];
	(void)state;

	launch_digest(&good, nothing, digest);
	struct wire_deployment changed[] = { good, good, good, good, good, good,
		good, good, good, good, good, good, good, good };
	size_t n = 0;
	changed[n++].kind++;
	changed[n++].share++;
	changed[n++].pool_max++;
	changed[n++].digest[31]++;
	changed[n++].socket[5]++;
	changed[n++].limits.memory_bytes++;
	changed[n++].limits.cpu_ns++;
	changed[n++].limits.wall_ns++;
	changed[n++].limits.result_bytes++;
	changed[n++].limits.log_bytes++;
	changed[n++].limits.load_cpu_ns++;
	changed[n++].limits.load_wall_ns++;
	changed[n++].limits.reuse_calls++;
	changed[n++].limits.flags++;
	assert_int_equal(n, ARRAY_LEN(changed));
	for (size_t i = 0; i < n; i++) {
		launch_digest(&changed[i], nothing, other);
		if (memcmp(digest, other, sizeof(digest)) == 0)
			fail_msg("change %zu does not show", i);
	}
	struct wire_deployment same = good;
	same.bundle_fd = 7;
	same.box.idle_s = 9; /* of no effect on what is no box */
	launch_digest(&same, nothing, other);
	assert_memory_equal(digest, other, sizeof(digest));
	launch_digest(&good, network, other);
	assert_memory_not_equal(digest, other, sizeof(digest));
}

static void
a_digest_covers_how_a_box_lives(void **state)
{
	struct wire_deployment good = server_of(1, "tool").record.launch;
	uint8_t digest[DB_DIGEST], other[DB_DIGEST];
	(void)state;

	good.kind = WIRE_KIND_BOX;
	good.box = (struct wire_box)WIRE_BOX_DEFAULT;
	launch_digest(&good, nothing, digest);
	struct wire_deployment changed[] = { good, good, good, good, good,
		good };
	changed[0].box.start_ms++;
	changed[1].box.idle_s++;
	changed[2].box.life_s++;
	changed[3].box.spares++;
	changed[4].box.starts_per_minute++;
	changed[5].share++;
	for (size_t i = 0; i < ARRAY_LEN(changed); i++) {
		launch_digest(&changed[i], nothing, other);
		if (memcmp(digest, other, sizeof(digest)) == 0)
			fail_msg("change %zu does not show", i);
	}
	assert_null(launch_complaint(&good));
	good.box.spares = STORE_BOX_SPARES_MAX + 1;
	assert_non_null(launch_complaint(&good));
	good.kind = WIRE_KIND_SOCKET;
	strcpy(good.socket, "/x");
	assert_null(launch_complaint(&good));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    brings_an_older_database_up_to_date, setup, teardown),
		cmocka_unit_test(a_digest_covers_how_a_box_lives),
		cmocka_unit_test_setup_teardown(
		    keeps_what_was_committed_only, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    an_action_fails_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    gives_no_id_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    refuses_numbers_that_it_cannot_hold, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    reads_a_server_as_it_was_written, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    sweeps_bundles_that_nobody_uses, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    finds_what_a_server_offered_as_it_is_now, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    forgets_ended_sessions_when_they_have_expired, setup,
		    teardown),
		cmocka_unit_test(a_digest_covers_all_of_a_launch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
