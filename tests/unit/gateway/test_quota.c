/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <time.h>

#include "gateway/gateway.h"

/* The clock that quota.c reads. */
static uint64_t now_ms = 1000000;

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	now->tv_sec = (time_t)(now_ms / 1000);
	now->tv_nsec = (long)(now_ms % 1000) * 1000000;
	return 0;
}

static struct tenant tenant;
static struct principal principal;
static struct quota_refusal refusal;

static int
start(void **state)
{
	(void)state;
	tenant = (struct tenant){ .users = 1 };
	principal = (struct principal){ .tenant = &tenant, .users = 1 };
	return 0;
}

static void
says_exactly_when_there_is_room(void **state)
{
	(void)state;
	principal.record.quota.requests_per_minute = 10;
	for (int round = 0; round < 200; round++) {
		now_ms += (uint64_t)(round * 997 % 20000);
		if (quota_request(&principal, &refusal) == 0)
			continue;
		assert_string_equal(refusal.what, "requests_per_minute");
		assert_string_equal(refusal.whose, "token");
		assert_in_range(refusal.retry_s, 1, 120);
		const uint64_t then = now_ms;
		now_ms = then + refusal.retry_s * 1000u;
		assert_int_equal(quota_request(&principal, &refusal), 0);
	}
}

static void
lets_no_rush_through_at_the_turn(void **state)
{
	unsigned let = 0;

	(void)state;
	tenant.record.quota.requests_per_minute = 60;
	/* As fast as it goes, for ten minutes. */
	for (int i = 0; i < 6000; i++, now_ms += 100)
		let += quota_request(&principal, &refusal) == 0;
	assert_in_range(let, 540, 660);
	assert_string_equal(refusal.whose, "tenant");
	assert_int_equal(tenant.meter.n_requests, let);
	assert_int_equal(tenant.meter.n_refused, 6000 - let);
}

static void
counts_calls_in_and_out(void **state)
{
	const struct pool_usage usage = { .cpu_us = 400000 };

	(void)state;
	tenant.record.quota.concurrent = 2;
	principal.record.quota.cpu_ms_per_minute = 1000;
	assert_int_equal(quota_call_enter(&principal, &refusal), 0);
	assert_int_equal(quota_call_enter(&principal, &refusal), 0);
	assert_int_equal(quota_call_enter(&principal, &refusal), QUOTA_E_OVER);
	assert_string_equal(refusal.what, "concurrent");
	quota_call_leave(&principal, &usage);
	quota_call_leave(&principal, &usage);
	assert_int_equal(tenant.meter.running, 0);
	assert_int_equal(quota_call_enter(&principal, &refusal), 0);
	quota_call_leave(&principal, &usage);
	assert_int_equal(quota_call_enter(&principal, &refusal), QUOTA_E_OVER);
	assert_string_equal(refusal.what, "cpu_ms_per_minute");
	now_ms += refusal.retry_s * 1000u;
	assert_int_equal(quota_call_enter(&principal, &refusal), 0);
	assert_int_equal(principal.meter.total_cpu_us, 1200000);
}

static void
leaves_cells_to_others(void **state)
{
	(void)state;
	tenant.share = 3;
	for (int i = 0; i < 3; i++)
		assert_int_equal(quota_call_enter(&principal, &refusal), 0);
	assert_int_equal(quota_call_enter(&principal, &refusal), QUOTA_E_OVER);
	assert_string_equal(refusal.what, "fair_share");
}

/* How many more requests of this token may stay open. */
static unsigned
hold_all(struct quota_hold *hold, struct principal *whose)
{
	unsigned n = 0;

	while (quota_hold_enter(hold, whose, &refusal) == 0)
		n++;
	return n;
}

static void
leaves_connections_to_others(void **state)
{
	struct tenant other = { .users = 1 };
	struct principal second = { .tenant = &tenant };
	struct principal theirs = { .tenant = &other };
	struct quota_hold hold = { .max = 128, .is_shared = true };

	(void)state;
	assert_int_equal(hold_all(&hold, &principal), 69);
	assert_string_equal(refusal.whose, "token");
	assert_string_equal(refusal.what, "connections");
	assert_true(refusal.retry_s > 0);
	assert_int_equal(hold_all(&hold, &second), 93 - 69);
	assert_string_equal(refusal.whose, "tenant");
	assert_int_equal(hold_all(&hold, &theirs), 124 - 93);
	assert_string_equal(refusal.whose, "host");
	quota_hold_leave(&hold, &principal);
	assert_int_equal(hold_all(&hold, &second), 1);
}

static void
gives_a_lone_tenant_all_but_a_reserve(void **state)
{
	struct principal second = { .tenant = &tenant };
	struct quota_hold hold = { .max = 16384 };

	(void)state;
	assert_in_range(hold_all(&hold, &principal), 10000, 12288);
	hold_all(&hold, &second);
	assert_int_equal(tenant.meter.held, 16384 - 512);
}

static void
takes_the_lesser_bound_of_an_answer(void **state)
{
	(void)state;
	assert_int_equal(quota_result_bytes(&principal), 0);
	tenant.record.quota.result_bytes = 100;
	assert_int_equal(quota_result_bytes(&principal), 100);
	principal.record.quota.result_bytes = 50;
	assert_int_equal(quota_result_bytes(&principal), 50);
	principal.record.quota.result_bytes = 500;
	assert_int_equal(quota_result_bytes(&principal), 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(says_exactly_when_there_is_room, start),
		cmocka_unit_test_setup(lets_no_rush_through_at_the_turn, start),
		cmocka_unit_test_setup(counts_calls_in_and_out, start),
		cmocka_unit_test_setup(leaves_cells_to_others, start),
		cmocka_unit_test_setup(leaves_connections_to_others, start),
		cmocka_unit_test_setup(
		    gives_a_lone_tenant_all_but_a_reserve, start),
		cmocka_unit_test_setup(
		    takes_the_lesser_bound_of_an_answer, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
