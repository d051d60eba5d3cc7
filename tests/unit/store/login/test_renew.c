/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>
#include <sodium.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "store/login/login.h"

static const char url[] = "https://mcp.example.com/v1";
static const char renewed[] =
    "{\"access_token\":\"access-token-2\",\"token_type\":\"Bearer\","
    "\"refresh_token\":\"refresh-token-2\",\"expires_in\":3600}";

static struct vault_ring ring = { .n = 1 };
static struct store store;
static char folder[64], path[96];
static struct db_login login;

/* What the database says of a row, and how far on the clock is. */
static int broken;
static time_t ahead;

int __real_db_login_get(struct db *db, uint32_t id, struct db_login *found);
int __wrap_db_login_get(struct db *db, uint32_t id, struct db_login *found);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int
__wrap_db_login_get(struct db *db, uint32_t id, struct db_login *found)
{
	return broken != 0 ? broken : __real_db_login_get(db, id, found);
}

int
__wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	const int r = __real_clock_gettime(clock, now);

	if (clock == CLOCK_MONOTONIC)
		now->tv_sec += ahead;
	return r;
}

static uint32_t
server_put(void)
{
	struct wire_tenant tenant = { .name = "acme" };
	struct db_server server = { .record = { .state = WIRE_STATE_APPROVED,
					.launch = { .kind = WIRE_KIND_REMOTE,
					    .bundle_fd = -1,
					    .limits = WIRE_LIMITS_DEFAULT } } };

	assert_int_equal(db_tenant_put(store.db, &tenant), 0);
	server.record.tenant = tenant.id;
	strcpy(server.record.launch.name, "files");
	strcpy(server.record.launch.tenant, "acme");
	strcpy(server.record.launch.url, url);
	assert_int_equal(db_server_put(store.db, &server), 0);
	return server.record.id;
}

/* A row whose token is due. */
static void
row_put(void)
{
	static struct login_kept kept;
	const uint64_t now = (uint64_t)time(NULL);

	login =
	    (struct db_login){ .tenant_name = "acme", .server_name = "files" };
	strcpy(login.url, url);
	strcpy(kept.token_url, "https://auth.example.com/token");
	strcpy(kept.client.id, "client");
	strcpy(kept.access, "access-token-1");
	strcpy(kept.refresh, "refresh-token-1");
	kept.expires = now + 600;
	kept.obtained = now - 7200;
	assert_int_equal(db_begin(store.db), 0);
	login.server = server_put();
	login_seal(&store, &login, &kept);
	assert_int_equal(db_login_put(store.db, &login), 0);
	assert_int_equal(db_commit(store.db), 0);
}

static void
on_batch(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static int
setup(void **state)
{
	struct err err = { "" };
	(void)state;

	memset(ring.keys[0], 7, VAULT_KEY);
	broken = 0;
	strcpy(folder, "/tmp/cordon-renew-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/cordon.db", folder);
	store = (struct store){ .vault = &ring, .base = event_base_new() };
	store.batch_timer = evtimer_new(store.base, on_batch, NULL);
	if (db_open(&store.db, path, &err) != 0)
		fail_msg("%s", err.text);
	row_put();
	assert_int_equal(logins_start(&store), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	logins_stop(&store);
	asks_free(&store);
	event_free(store.batch_timer);
	event_base_free(store.base);
	store.db = db_close(store.db);
	unlink(path);
	rmdir(folder);
	return 0;
}

/* All are looked at, `seconds` later. */
static void
look(time_t seconds)
{
	ahead += seconds;
	logins_wake(&store);
	assert_int_equal(event_base_loop(store.base, EVLOOP_ONCE), 0);
}

/* Its number; 0: nothing is asked. */
static uint32_t
question_take(void)
{
	struct wire_frame head;
	uint8_t *bytes = NULL;

	if (!asks_next(&store, &head, &bytes))
		return 0;
	sodium_free(bytes);
	return head.reserved;
}

/* It is asked; what is heard finds the database like this. */
static void
answer(int code, unsigned status, const char *body)
{
	look(400);
	const uint32_t number = question_take();

	assert_int_not_equal(number, 0);
	broken = code;
	asks_told(&store, number,
	    &(struct egress_answer){ .end = WIRE_EGRESS_OK,
		.status = status,
		.head = "",
		.body = body,
		.len = strlen(body) });
	broken = 0;
}

static void
assert_kept(const char *access, const char *refresh)
{
	static struct db_login row;
	static struct login_kept kept;
	uint32_t which;

	assert_int_equal(__real_db_login_get(store.db, login.id, &row), 0);
	assert_int_equal(login_open(&store, &row, &kept, &which), 0);
	assert_string_equal(kept.access, access);
	assert_string_equal(kept.refresh, refresh);
}

static void
assert_nothing_asked(void)
{
	look(400);
	assert_int_equal(question_take(), 0);
}

static void
a_new_token_is_kept(void **state)
{
	(void)state;
	answer(0, 200, renewed);
	assert_kept("access-token-2", "refresh-token-2");
	assert_nothing_asked();
}

/* The authorization server took the old one, and gives the new one once. */
static void
a_new_token_outlives_a_database_that_cannot_be_read(void **state)
{
	static const int codes[] = { -EIO, -ENOMEM, -EBUSY };
	(void)state;

	answer(-EIO, 200, renewed);
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		broken = codes[i];
		assert_nothing_asked();
		broken = 0;
		assert_kept("access-token-1", "refresh-token-1");
	}
	assert_nothing_asked();
	assert_kept("access-token-2", "refresh-token-2");
	assert_nothing_asked();
}

static void
a_new_token_of_a_row_that_is_gone_is_let_go(void **state)
{
	(void)state;
	answer(DB_E_NONE, 200, renewed);
	answer(-EIO, 200, renewed);
	broken = DB_E_NONE;
	assert_nothing_asked();
	broken = 0;
	assert_kept("access-token-1", "refresh-token-1");
	answer(0, 200, renewed);
	assert_kept("access-token-2", "refresh-token-2");
}

static void
a_refusal_that_cannot_be_written_is_asked_for_again(void **state)
{
	static const char refusal[] = "{\"error\":\"invalid_grant\"}";
	(void)state;

	answer(-EIO, 400, refusal);
	answer(0, 200, refusal);
	assert_nothing_asked();
	assert_int_equal(db_login_get(store.db, login.id, &login), 0);
	assert_int_not_equal(login.refused, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_new_token_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_new_token_outlives_a_database_that_cannot_be_read, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_new_token_of_a_row_that_is_gone_is_let_go, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_refusal_that_cannot_be_written_is_asked_for_again, setup,
		    teardown),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
