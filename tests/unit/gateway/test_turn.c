/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <event2/event.h>

#include "gateway/route.h"
#include "gateway/turn.h"

#define FLOOD 64

static struct gateway gateway;
static struct tenant loud, quiet, third;
static struct principal of_loud, of_quiet, of_third;
static struct arrival flood[FLOOD];
static struct arrival *served[4 * FLOOD];
static size_t n_served;

/* The front door's. */
void
route_serve(struct arrival *arrival)
{
	served[n_served++] = arrival;
}

static void
tenant_init(struct tenant *tenant, struct principal *principal)
{
	*tenant = (struct tenant){ .users = 1 };
	TAILQ_INIT(&tenant->waiting);
	*principal = (struct principal){ .tenant = tenant, .users = 1 };
}

static int
start(void **state)
{
	(void)state;
	gateway = (struct gateway){ .base = event_base_new() };
	tenant_init(&loud, &of_loud);
	tenant_init(&quiet, &of_quiet);
	tenant_init(&third, &of_third);
	for (size_t i = 0; i < FLOOD; i++)
		flood[i] = (struct arrival){ .gateway = &gateway,
			.principal = &of_loud };
	n_served = 0;
	return turn_start(&gateway);
}

static int
stop(void **state)
{
	(void)state;
	turn_stop(&gateway);
	event_base_free(gateway.base);
	return 0;
}

static struct arrival
arrival_of(struct principal *principal)
{
	return (struct arrival){ .gateway = &gateway, .principal = principal };
}

static void
arrive(struct arrival *arrival)
{
	if (turn_take(arrival))
		route_serve(arrival);
}

static void
flood_arrives(size_t n)
{
	for (size_t i = 0; i < n; i++)
		arrive(&flood[i]);
}

static bool
was_served(const struct arrival *arrival)
{
	for (size_t i = 0; i < n_served; i++)
		if (served[i] == arrival)
			return true;
	return false;
}

static void
turn(void)
{
	event_base_loop(gateway.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
serves_a_few_at_once_and_the_rest_in_order(void **state)
{
	(void)state;
	flood_arrives(FLOOD);
	assert_int_equal(n_served, TURN_MAX);
	for (size_t turns = 0; n_served < FLOOD; turns++) {
		assert_in_range(turns, 0, FLOOD / TURN_MAX);
		const size_t before = n_served;
		turn();
		assert_in_range(n_served, before + 1, before + TURN_MAX);
	}
	for (size_t i = 0; i < FLOOD; i++)
		assert_ptr_equal(served[i], &flood[i]);
}

static void
keeps_nobody_waiting_behind_a_flood(void **state)
{
	struct arrival one = arrival_of(&of_quiet);
	struct arrival two = arrival_of(&of_quiet);

	(void)state;
	flood_arrives(FLOOD);
	arrive(&one);
	assert_true(was_served(&one)); /* its first in this turn */
	arrive(&two);
	assert_false(was_served(&two));
	turn();
	assert_true(was_served(&two));
	assert_in_range(n_served, 0, 2 * TURN_MAX + 2);
}

static void
gives_those_who_wait_the_same(void **state)
{
	struct arrival quiets[FLOOD], thirds[FLOOD];
	size_t of[3] = { 0 };

	(void)state;
	flood_arrives(FLOOD);
	for (size_t i = 0; i < FLOOD; i++) {
		quiets[i] = arrival_of(&of_quiet);
		thirds[i] = arrival_of(&of_third);
		arrive(&quiets[i]);
		arrive(&thirds[i]);
	}
	const size_t from = n_served;
	while (n_served < from + 3 * TURN_MAX)
		turn();
	for (size_t i = from; i < from + 3 * TURN_MAX; i++)
		of[served[i]->principal == &of_loud         ? 0
			: served[i]->principal == &of_quiet ? 1
							    : 2]++;
	for (size_t i = 0; i < ARRAY_LEN(of); i++)
		assert_int_equal(of[i], TURN_MAX);
}

static void
serves_none_that_is_over(void **state)
{
	(void)state;
	flood_arrives(TURN_MAX + 3);
	assert_int_equal(n_served, TURN_MAX);
	turn_leave(&flood[TURN_MAX]);
	turn_leave(&flood[TURN_MAX + 2]);
	turn_leave(&flood[0]); /* did not wait */
	turn();
	assert_int_equal(n_served, TURN_MAX + 1);
	assert_ptr_equal(served[TURN_MAX], &flood[TURN_MAX + 1]);
	turn_leave(&flood[TURN_MAX + 1]);
	turn();
	assert_int_equal(n_served, TURN_MAX + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    serves_a_few_at_once_and_the_rest_in_order, start, stop),
		cmocka_unit_test_setup_teardown(
		    keeps_nobody_waiting_behind_a_flood, start, stop),
		cmocka_unit_test_setup_teardown(
		    gives_those_who_wait_the_same, start, stop),
		cmocka_unit_test_setup_teardown(
		    serves_none_that_is_over, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
