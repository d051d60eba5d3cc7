/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <sys/socket.h>

#include "wire/plan.h"

static const struct pool_deployment other = {
	.name = "other", .pool_max = 1, .limits = WIRE_LIMITS_DEFAULT
};

static void
takes_deployments_while_it_runs(void **state)
{
	struct fake *fake = fake_new(0);
	struct told told = { 0 };
	int control_fd;
	(void)state;

	fake_start(fake);
	struct pool_call *call;
	assert_int_equal(pool_call_start(fake->pool, 70, POOL_TOOL, "{}", 2,
			     NULL, 0, NULL, NULL, &call),
	    -EINVAL);
	assert_int_equal(pool_deployment_set(fake->pool, 70, &other, false), 0);
	fake_call(fake, &told, 70, POOL_TOOL);
	const int cell_fd = fake_serve(fake, 70, &control_fd);
	fake_call_read(cell_fd, POOL_TOOL);
	fake_say(cell_fd, WIRE_FRAME_RESULT, 0, "1");
	fake_await(fake, &told);
	assert_int_equal(told.end, POOL_OK);
	close(cell_fd);
	close(control_fd);
	fake_free(fake);
}

static void
refuses_what_cannot_be_one(void **state)
{
	struct pool_deployment long_name = other;
	char name[WIRE_NAME_MAX + 1];
	struct fake *fake = fake_new(0);
	(void)state;

	fake_start(fake);
	memset(name, 'n', sizeof(name));
	name[WIRE_NAME_MAX] = '\0';
	long_name.name = name;
	assert_int_equal(
	    pool_deployment_set(fake->pool, 0, &long_name, false), -EINVAL);
	assert_int_equal(pool_deployment_set(
			     fake->pool, WIRE_DEPLOYMENTS_MAX, &other, false),
	    -EINVAL);
	pool_deployment_remove(fake->pool, WIRE_DEPLOYMENTS_MAX);
	pool_deployment_remove(fake->pool, 3);
	fake_free(fake);
}

/* One call in a cell, one more in the queue. */
struct pair {
	struct fake *fake;
	struct told inside, queued;
	int control_fd, cell_fd;
};

static void
pair_start(struct pair *pair)
{
	pair->fake = fake_new(1);
	fake_start(pair->fake);
	fake_call(pair->fake, &pair->inside, 0, POOL_TOOL);
	pair->cell_fd = fake_serve(pair->fake, 0, &pair->control_fd);
	fake_call_read(pair->cell_fd, POOL_TOOL);
	fake_expect(pair->fake, pair->control_fd, WIRE_FORK);
	fake_call(pair->fake, &pair->queued, 0, POOL_TOOL);
}

static void
pair_end(struct pair *pair)
{
	close(pair->cell_fd);
	close(pair->control_fd);
	fake_free(pair->fake);
}

static void
ends_its_calls_when_it_is_removed(void **state)
{
	struct pair p = { 0 };
	struct pool_call *call;
	(void)state;

	pair_start(&p);
	pool_deployment_remove(p.fake->pool, 0);
	assert_int_equal(p.inside.n_done + p.queued.n_done, 0);
	fake_expect(p.fake, p.fake->supervisor_fd, WIRE_CLOSE);
	assert_int_equal(p.inside.end, POOL_CANCELLED);
	assert_int_equal(p.queued.end, POOL_CANCELLED);
	assert_non_null(strstr(p.inside.text, "taken away"));
	assert_int_equal(pool_calls_pending(p.fake->pool), 0);
	assert_true(fake_is_hung_up(p.cell_fd));
	assert_int_equal(pool_call_start(p.fake->pool, 0, POOL_TOOL, "{}", 2,
			     NULL, 0, NULL, NULL, &call),
	    -EINVAL);
	struct pool_stats stats;
	pool_stats_get(p.fake->pool, &stats);
	assert_int_equal(
	    stats.templates + stats.cells_busy + stats.cells_waiting, 0);
	pair_end(&p);
}

static void
on_surface(void *arg, const char *raw_json, size_t len,
    const struct pool_outcome *failure)
{
	enum pool_end *end = arg;

	(void)raw_json;
	(void)len;
	*end = failure != NULL ? failure->end : POOL_OK;
}

/* The same number may be another server: nothing of the first is left. */
static void
comes_back_as_another(void **state)
{
	struct pair p = { 0 };
	struct told told = { 0 };
	enum pool_end surface = POOL_INTERNAL;
	int control_fd;
	(void)state;

	pair_start(&p);
	pool_deployment_remove(p.fake->pool, 0);
	fake_expect(p.fake, p.fake->supervisor_fd, WIRE_CLOSE);
	assert_int_equal(pool_deployment_set(p.fake->pool, 0, &other, true), 0);
	fake_expect_nothing(p.fake, p.fake->supervisor_fd);
	assert_int_equal(
	    pool_surface_get(p.fake->pool, 0, on_surface, &surface), 0);
	assert_int_equal(surface, POOL_INTERNAL); /* it is not known yet */
	fake_call(p.fake, &told, 0, POOL_TOOL);
	const int cell_fd = fake_serve(p.fake, 0, &control_fd);
	assert_int_equal(surface, POOL_OK);
	fake_call_read(cell_fd, POOL_TOOL);
	close(cell_fd);
	close(control_fd);
	pair_end(&p);
}

static void
tells_who_waits_for_a_surface_that_it_is_gone(void **state)
{
	enum pool_end surface = POOL_OK;
	struct fake *fake = fake_new(1);
	(void)state;

	fake_start(fake);
	assert_int_equal(
	    pool_surface_get(fake->pool, 0, on_surface, &surface), 0);
	const int control_fd = fake_open(fake, 0);
	pool_deployment_remove(fake->pool, 0);
	assert_int_equal(surface, POOL_CANCELLED);
	close(control_fd);
	fake_free(fake);
}

/* The old template finishes what is in it; then comes the new one. */
static void
lets_calls_run_out_before_a_new_template(void **state)
{
	struct pair p = { 0 };
	int control_fd;
	(void)state;

	pair_start(&p);
	assert_int_equal(pool_deployment_set(p.fake->pool, 0, &other, true), 0);
	fake_expect_nothing(p.fake, p.fake->supervisor_fd);
	/* A cell that was ordered before serves nobody. */
	const int late_fd = fake_cell(p.control_fd, 2);
	fake_pump(p.fake);
	assert_true(fake_is_hung_up(late_fd));
	fake_say(p.cell_fd, WIRE_FRAME_RESULT, 0, "1");
	fake_await(p.fake, &p.inside);
	assert_int_equal(p.inside.end, POOL_OK);
	fake_exit(p.control_fd, 1, FAKE_EXITED, 1, 1);
	fake_exit(p.control_fd, 2, FAKE_EXITED, 1, 1);
	fake_expect(p.fake, p.fake->supervisor_fd, WIRE_CLOSE);
	const int cell_fd = fake_serve(p.fake, 0, &control_fd);
	fake_call_read(cell_fd, POOL_TOOL);
	fake_say(cell_fd, WIRE_FRAME_RESULT, 0, "2");
	fake_await(p.fake, &p.queued);
	assert_string_equal(p.queued.text, "2");
	close(late_fd);
	close(cell_fd);
	close(control_fd);
	pair_end(&p);
}

static void
renews_for_other_limits_but_not_for_more_cells(void **state)
{
	struct pool_deployment changed = other;
	struct told told = { 0 };
	struct fake *fake = fake_new(1);
	int control_fd;
	(void)state;

	fake_start(fake);
	fake_call(fake, &told, 0, POOL_TOOL);
	const int cell_fd = fake_serve(fake, 0, &control_fd);
	fake_call_read(cell_fd, POOL_TOOL);
	fake_say(cell_fd, WIRE_FRAME_RESULT, 0, "1");
	fake_await(fake, &told);
	fake_exit(control_fd, 1, FAKE_EXITED, 1, 1);
	changed.pool_max = 5;
	assert_int_equal(
	    pool_deployment_set(fake->pool, 0, &changed, false), 0);
	fake_expect_nothing(fake, fake->supervisor_fd);
	changed.limits.cpu_ns++;
	assert_int_equal(
	    pool_deployment_set(fake->pool, 0, &changed, false), 0);
	fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE);
	close(cell_fd);
	close(control_fd);
	fake_free(fake);
}

/* OPENED of the old bundle may be on its way when the new one is asked for:
 * its end is no failure of the new one. */
static void
survives_the_end_of_a_template_that_came_too_late(void **state)
{
	struct told told = { 0 };
	struct fake *fake = fake_new(1);
	int control_fd;
	(void)state;

	fake_start(fake);
	fake_call(fake, &told, 0, POOL_TOOL);
	fake_expect(fake, fake->supervisor_fd, WIRE_OPEN);
	assert_int_equal(pool_deployment_set(fake->pool, 0, &other, true), 0);
	fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE);
	close(fake_open(fake, 0)); /* that was the old one */
	fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE);
	assert_int_equal(told.n_done, 0);
	const int cell_fd = fake_serve(fake, 0, &control_fd);
	fake_call_read(cell_fd, POOL_TOOL);
	close(cell_fd);
	close(control_fd);
	fake_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_deployments_while_it_runs),
		cmocka_unit_test(refuses_what_cannot_be_one),
		cmocka_unit_test(ends_its_calls_when_it_is_removed),
		cmocka_unit_test(comes_back_as_another),
		cmocka_unit_test(tells_who_waits_for_a_surface_that_it_is_gone),
		cmocka_unit_test(lets_calls_run_out_before_a_new_template),
		cmocka_unit_test(
		    renews_for_other_limits_but_not_for_more_cells),
		cmocka_unit_test(
		    survives_the_end_of_a_template_that_came_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
