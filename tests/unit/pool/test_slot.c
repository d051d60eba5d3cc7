/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

struct heard {
	int n;
	size_t surface_len;
	enum pool_end end;
	char text[512];
};

static void
on_surface(void *arg, const char *raw_json, size_t len,
    const struct pool_outcome *failure)
{
	struct heard *heard = arg;

	heard->n++;
	heard->surface_len = raw_json != NULL ? len : 0;
	heard->end = failure != NULL ? failure->end : POOL_OK;
	if (failure != NULL)
		snprintf(heard->text, sizeof(heard->text), "%.*s",
		    (int)failure->text_len, failure->text);
}

static struct fake *
fake_one(void)
{
	struct fake *fake = fake_new(1);

	fake_start(fake);
	return fake;
}

static void
assert_ended(const struct told *told, enum pool_end end, const char *text)
{
	assert_int_equal(told->n_done, 1);
	assert_int_equal(told->end, end);
	if (strstr(told->text, text) == NULL)
		fail_msg("'%s' is not in '%s'", text, told->text);
}

static void
tells_the_surface_once_and_from_memory(void **state)
{
	struct fake *fake = fake_one();
	struct heard first = { 0 }, second = { 0 };
	(void)state;

	pool_surface_get(fake->pool, 0, on_surface, &first);
	auto_close int control_fd = fake_open(fake, 0);
	assert_int_equal(first.n, 0);
	fake_ready(fake, control_fd);
	assert_int_equal(first.n, 1);
	assert_int_equal(first.surface_len, 10);
	pool_surface_get(fake->pool, 0, on_surface, &second);
	assert_int_equal(second.n, 1);
	assert_int_equal(
	    pool_surface_get(fake->pool, 1, on_surface, &second), -EINVAL);
	close(fd_steal(&control_fd));
	fake_free(fake);
}

static void
refuses_a_surface_that_is_none(void **state)
{
	static const size_t sizes[] = { 0, POOL_SURFACE_MAX + 1 };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct fake *fake = fake_one();
		struct told told = { 0 };

		fake_call(fake, &told, 0, POOL_TOOL);
		const int control_fd = fake_open(fake, 0);
		fake_surface_send(control_fd, sizes[i]);
		fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE);
		assert_ended(&told, POOL_LOAD_ERROR, "was lost");
		close(control_fd);
		fake_free(fake);
	}
}

static void
takes_the_longest_surface(void **state)
{
	struct fake *fake = fake_one();
	struct heard heard = { 0 };
	(void)state;

	pool_surface_get(fake->pool, 0, on_surface, &heard);
	const int control_fd = fake_open(fake, 0);
	fake_surface_send(control_fd, POOL_SURFACE_MAX);
	fake_expect(fake, fake->supervisor_fd, WIRE_WEIGH);
	assert_int_equal(heard.surface_len, POOL_SURFACE_MAX);
	close(control_fd);
	fake_free(fake);
}

static void
remembers_a_refusal_for_a_while(void **state)
{
	struct fake *fake = fake_one();
	struct told told = { 0 }, again = { 0 };
	struct heard heard = { 0 };
	(void)state;

	fake_call(fake, &told, 0, POOL_TOOL);
	const int control_fd = fake_open(fake, 0);
	fake_refuse(control_fd, WIRE_CODE_LOAD_ERROR, "{\"message\":\"bad\"}");
	fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE);
	assert_ended(&told, POOL_LOAD_ERROR, "{\"message\":\"bad\"}");
	assert_int_equal(told.usage.cpu_us, 11);
	fake_call(fake, &again, 0, POOL_TOOL);
	fake_expect_nothing(fake, fake->supervisor_fd);
	assert_ended(&again, POOL_LOAD_ERROR, "{\"message\":\"bad\"}");
	pool_surface_get(fake->pool, 0, on_surface, &heard);
	assert_int_equal(heard.end, POOL_LOAD_ERROR);
	close(control_fd);
	fake_free(fake);
}

/* Also to those who only asked for the surface: they are given it as JSON. */
static void
passes_on_no_refusal_that_is_not_json(void **state)
{
	static const char *const texts[] = { "", "no", "{\"name\":\"x\"}",
		"{\"message\":\"x\"},\"y\":{}" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct fake *fake = fake_one();
		struct told told = { 0 };
		struct heard heard = { 0 };

		fake_call(fake, &told, 0, POOL_TOOL);
		pool_surface_get(fake->pool, 0, on_surface, &heard);
		const int control_fd = fake_open(fake, 0);
		fake_refuse(control_fd, WIRE_CODE_LOAD_ERROR, texts[i]);
		fake_pump(fake);
		assert_ended(&told, POOL_LOAD_ERROR, "does not load");
		assert_string_equal(
		    heard.text, "{\"message\":\"the bundle does not load\"}");
		close(control_fd);
		fake_free(fake);
	}
}

static void
opens_without_a_warm_up_what_it_spoils(void **state)
{
	struct fake *fake = fake_one();
	struct told told = { 0 };
	(void)state;

	fake_call(fake, &told, 0, POOL_TOOL);
	const int first_fd = fake_open(fake, 0);
	fake_refuse(first_fd, WIRE_CODE_WARM_SPOILT, "");
	const struct wire_message open =
	    fake_expect(fake, fake->supervisor_fd, WIRE_OPEN);
	assert_int_equal(open.status, 1);
	assert_int_equal(told.n_done, 0);
	fake_supervisor_say(fake, WIRE_OPEN_FAILED, 0, "");
	fake_pump(fake);
	assert_ended(&told, POOL_INTERNAL, "could not be started");
	close(first_fd);
	fake_free(fake);
}

static void
says_that_no_template_is_to_be_had(void **state)
{
	struct fake *fake = fake_one();
	struct told told = { 0 };
	(void)state;

	fake_call(fake, &told, 0, POOL_TOOL);
	fake_expect(fake, fake->supervisor_fd, WIRE_OPEN);
	fake_supervisor_say(fake, WIRE_OPEN_FAILED, 0, "no process");
	fake_pump(fake);
	assert_ended(&told, POOL_INTERNAL, "could not be started");
	fake_free(fake);
}

static void
fails_what_waits_when_the_supervisor_is_gone(void **state)
{
	struct fake *fake = fake_new(20);
	struct told told[20] = { 0 }, late = { 0 };
	(void)state;

	fake_start(fake);
	for (uint32_t i = 0; i < 20; i++)
		fake_call(fake, &told[i], i, POOL_TOOL);
	close(fake->supervisor_fd);
	fake->supervisor_fd = -1;
	fake_pump(fake);
	for (uint32_t i = 0; i < 20; i++)
		assert_ended(&told[i], POOL_INTERNAL, "could not be started");
	fake_call(fake, &late, 0, POOL_TOOL);
	fake_pump(fake);
	assert_ended(&late, POOL_INTERNAL, "could not be started");
	fake_free(fake);
}

static void
loses_a_template_while_it_loads(void **state)
{
	struct fake *fake = fake_one();
	struct told told = { 0 };
	(void)state;

	fake_call(fake, &told, 0, POOL_TOOL);
	close(fake_open(fake, 0));
	fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE);
	assert_ended(&told, POOL_LOAD_ERROR, "lost while it was loading");
	fake_free(fake);
}

static void
gives_queued_calls_the_next_template(void **state)
{
	struct fake *fake = fake_one();
	struct told in_flight = { 0 }, queued = { 0 };
	int control_fd, next_fd;
	(void)state;

	fake_call(fake, &in_flight, 0, POOL_TOOL);
	const int cell_fd = fake_serve(fake, 0, &control_fd);
	fake_call(fake, &queued, 0, POOL_TOOL);
	close(control_fd);
	fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE);
	assert_ended(&in_flight, POOL_INTERNAL, "may or may not have run");
	assert_int_equal(queued.n_done, 0);
	assert_true(fake_is_hung_up(cell_fd));

	const int next_cell_fd = fake_serve(fake, 0, &next_fd);
	fake_call_read(next_cell_fd, POOL_TOOL);
	fake_say(next_cell_fd, WIRE_FRAME_RESULT, 0, "1");
	fake_pump(fake);
	assert_ended(&queued, POOL_OK, "1");
	close(cell_fd);
	close(next_cell_fd);
	close(next_fd);
	fake_free(fake);
}

/* What a template may not say, when it is ready; nothing of it stays open. */
static void
loses_a_template_that_breaks_the_protocol(void **state)
{
	static const enum wire_type types[] = { WIRE_NONE, WIRE_OPENED,
		WIRE_TEMPLATE_FORK, WIRE_TEMPLATE_FORKED, WIRE_FORK, WIRE_KILL,
		WIRE_READY, WIRE_REFUSED, WIRE_WEIGHT, WIRE_START };
	static const size_t n_fds[] = { 0, 1, 2, 1, 0, 0, 1, 0, 0, 0 };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct fake *fake = fake_one();
		struct told told = { 0 };
		const struct wire_message message = { .type = types[i] };
		const int fds[] = { 0, 0 };
		int control_fd;

		fake_call(fake, &told, 0, POOL_TOOL);
		const int cell_fd = fake_serve(fake, 0, &control_fd);
		assert_int_equal(
		    wire_send(control_fd, &message, fds, n_fds[i], NULL), 0);
		fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE);
		assert_ended(&told, POOL_INTERNAL, "was lost");
		close(cell_fd);
		close(control_fd);
		fake_free(fake);
	}
}

static void
takes_no_cell_before_the_template_is_ready(void **state)
{
	struct fake *fake = fake_one();
	struct told told = { 0 };
	(void)state;

	fake_call(fake, &told, 0, POOL_TOOL);
	const int control_fd = fake_open(fake, 0);
	const int cell_fd = fake_cell(control_fd, 1);
	fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE);
	assert_ended(&told, POOL_LOAD_ERROR, "was lost");
	close(cell_fd);
	close(control_fd);
	fake_free(fake);
}

static void
takes_no_cell_that_was_not_ordered(void **state)
{
	struct fake *fake = fake_one();
	struct told told = { 0 };
	int control_fd, cells[3];
	(void)state;

	fake_call(fake, &told, 0, POOL_TOOL);
	cells[0] = fake_serve(fake, 0, &control_fd);
	assert_int_equal(fake_expect(fake, control_fd, WIRE_FORK).id, 1);
	for (uint32_t i = 1; i < 3; i++)
		cells[i] = fake_cell(control_fd, 1 + i);
	fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE);
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(fake_is_hung_up(cells[i]));
		close(cells[i]);
	}
	close(control_fd);
	fake_free(fake);
}

static bool
has_template(const struct fake *fake)
{
	struct pool_stats stats;

	pool_stats_get(fake->pool, &stats);
	return stats.templates > 0;
}

/* It answers, but never reads an order: the pool must not wait for it. */
static void
ends_a_template_that_does_not_read_its_orders(void **state)
{
	struct fake *fake = fake_one();
	static struct told told[2000];
	int control_fd;
	(void)state;

	memset(told, 0, sizeof(told));
	fake_call(fake, &told[1], 0, POOL_TOOL);
	int cell_fd = fake_serve(fake, 0, &control_fd);
	for (uint32_t id = 2; id < ARRAY_LEN(told) && has_template(fake);
	     id++) {
		fake_say(cell_fd, WIRE_FRAME_RESULT, 0, "1");
		close(cell_fd);
		fake_exit(control_fd, id - 1, FAKE_EXITED, 0, 0);
		cell_fd = fake_cell(control_fd, id);
		for (int i = 0; i < 4; i++)
			event_base_loop(fake->base, EVLOOP_NONBLOCK);
		assert_ended(&told[id - 1], POOL_OK, "1");
		if (has_template(fake))
			fake_call(fake, &told[id], 0, POOL_TOOL);
	}
	while (has_template(fake))
		event_base_loop(fake->base, EVLOOP_ONCE);
	fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE);
	close(cell_fd);
	close(control_fd);
	fake_free(fake);
}

static void
closes_a_template_that_does_not_end_its_cells(void **state)
{
	struct fake *fake = fake_one();
	struct told told = { 0 };
	struct wire_message message;
	static char text[WIRE_TEXT_MAX + 1];
	int control_fd, fds[WIRE_FDS_MAX];
	(void)state;

	fake_call(fake, &told, 0, POOL_TOOL);
	const int cell_fd = fake_serve(fake, 0, &control_fd);
	pool_call_cancel(told.call);
	fake_await(fake, &told);
	while (wire_receive(
		   fake->supervisor_fd, MSG_DONTWAIT, &message, fds, text) != 0)
		event_base_loop(fake->base, EVLOOP_ONCE);
	assert_int_equal(message.type, WIRE_CLOSE);
	assert_ended(&told, POOL_CANCELLED, "cancelled");
	close(cell_fd);
	close(control_fd);
	fake_free(fake);
}

static void
orders_again_when_no_process_was_to_be_had(void **state)
{
	struct fake *fake = fake_one();
	struct told told = { 0 }, next = { 0 };
	(void)state;

	fake_call(fake, &told, 0, POOL_TOOL);
	const int control_fd = fake_open(fake, 0);
	fake_ready(fake, control_fd);
	fake_expect(fake, control_fd, WIRE_FORK);
	fake_exit(control_fd, 0, EAGAIN, 0, 0);
	fake_pump(fake);
	fake_call(fake, &next, 0, POOL_TOOL);
	assert_int_equal(fake_expect(fake, control_fd, WIRE_FORK).id, 2);
	close(control_fd);
	fake_free(fake);
}

static void
cancels_a_queued_call(void **state)
{
	struct fake *fake = fake_one();
	struct told told = { 0 };
	(void)state;

	fake_call(fake, &told, 0, POOL_TOOL);
	pool_call_cancel(told.call);
	assert_int_equal(told.n_done, 0);
	fake_pump(fake);
	assert_ended(&told, POOL_CANCELLED, "was cancelled");
	assert_int_equal(pool_calls_pending(fake->pool), 0);
	fake_free(fake);
}

static void
opens_no_more_than_eight_at_once(void **state)
{
	struct fake *fake = fake_new(200);
	static struct told told[200];
	int controls[200];
	(void)state;

	memset(told, 0, sizeof(told));
	fake_start(fake);
	for (uint32_t i = 0; i < 200; i++)
		fake_call(fake, &told[i], i, POOL_TOOL);
	for (uint32_t i = 0; i < 8; i++)
		controls[i] = fake_open(fake, i);
	for (uint32_t i = 0; i < 200; i++) {
		fake_expect_nothing(fake, fake->supervisor_fd);
		/* In turn: one is ready, one is refused, one is lost. */
		if (i % 3 == 0)
			fake_surface_send(controls[i], 10);
		else if (i % 3 == 1)
			fake_refuse(controls[i], WIRE_CODE_LOAD_ERROR, "");
		else
			shutdown(controls[i], SHUT_RDWR);
		fake_pump(fake);
		if (i + 8 < 200 && i % 3 == 0) {
			controls[i + 8] = fake_open(fake, i + 8);
			fake_expect(fake, fake->supervisor_fd, WIRE_WEIGH);
		} else if (i + 8 < 200) {
			fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE);
			controls[i + 8] = fake_open(fake, i + 8);
		} else {
			fake_expect(fake, fake->supervisor_fd,
			    i % 3 == 0 ? WIRE_WEIGH : WIRE_CLOSE);
		}
	}
	for (uint32_t i = 0; i < 200; i++)
		close(controls[i]);
	fake_free(fake);
}

static void
ends_while_deployments_wait_for_their_turn(void **state)
{
	struct fake *fake = fake_new(20);
	static struct told told[20];
	(void)state;

	memset(told, 0, sizeof(told));
	fake_start(fake);
	/* Those whose turn it is come last in the table. */
	for (uint32_t i = 20; i > 0; i--)
		fake_call(fake, &told[i - 1], i - 1, POOL_TOOL);
	for (uint32_t i = 20; i > 12; i--)
		fake_expect(fake, fake->supervisor_fd, WIRE_OPEN);
	fake->pool = pool_free(fake->pool);
	struct wire_message message;
	static char text[WIRE_TEXT_MAX + 1];
	int fds[WIRE_FDS_MAX];
	assert_int_equal(wire_receive(fake->supervisor_fd, MSG_DONTWAIT,
			     &message, fds, text),
	    WIRE_E_CLOSED);
	fake_free(fake);
}

static void
orders_no_more_cells_than_there_may_be(void **state)
{
	struct fake *fake = fake_new(2);
	struct told told[10] = { 0 };
	int cells[4];
	(void)state;

	fake->options.cells_max = 4;
	fake->deployments[0].pool_max = 16;
	fake_start(fake);
	for (int i = 0; i < 10; i++)
		fake_call(fake, &told[i], 0, POOL_TOOL);
	const int control_fd = fake_open(fake, 0);
	fake_ready(fake, control_fd);
	const struct wire_message order =
	    fake_expect(fake, control_fd, WIRE_FORK);
	assert_int_equal(order.id, 4);
	for (uint32_t i = 0; i < 4; i++)
		cells[i] = fake_cell(control_fd, 10 + i);
	fake_expect_nothing(fake, control_fd);
	fake_say(cells[0], WIRE_FRAME_RESULT, 0, "1");
	fake_pump(fake);
	fake_exit(control_fd, 10, FAKE_EXITED, 0, 0);
	assert_int_equal(fake_expect(fake, control_fd, WIRE_FORK).id, 1);

	/* More, while it runs. */
	pool_bounds_set(fake->pool, 8, 0);
	assert_int_equal(fake_expect(fake, control_fd, WIRE_FORK).id, 4);
	for (uint32_t i = 0; i < 4; i++)
		close(cells[i]);
	close(control_fd);
	fake_free(fake);
}

static void
weigh(struct fake *fake, uint32_t deployment, uint64_t kib)
{
	const struct wire_message weight = {
		.type = WIRE_WEIGHT, .id = deployment, .usage.peak_kib = kib
	};

	assert_int_equal(
	    wire_send(fake->supervisor_fd, &weight, NULL, 0, NULL), 0);
	fake_pump(fake);
}

static void
evicts_the_least_used_template_over_the_budget(void **state)
{
	struct fake *fake = fake_new(3);
	struct told told[3] = { 0 };
	struct pool_stats stats;
	int controls[3], cells[3];
	(void)state;

	fake->options.memory_budget = 2500u << 10;
	fake_start(fake);
	for (uint32_t i = 0; i < 3; i++) {
		fake_call(fake, &told[i], i, POOL_TOOL);
		cells[i] = fake_serve(fake, i, &controls[i]);
		if (i == 0)
			continue; /* busy: stays, whatever it weighs */
		fake_say(cells[i], WIRE_FRAME_RESULT, 0, "1");
		fake_pump(fake);
		assert_int_equal(told[i].n_done, 1);
	}
	weigh(fake, 0, 1000);
	weigh(fake, 1, 1000);
	fake_expect_nothing(fake, fake->supervisor_fd);
	weigh(fake, 2, 1000);
	assert_int_equal(
	    fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE).id, 1);
	fake_expect_nothing(fake, fake->supervisor_fd);
	pool_stats_get(fake->pool, &stats);
	assert_int_equal(stats.templates, 2);
	assert_int_equal(stats.templates_evicted, 1);
	assert_int_equal(stats.template_bytes, 2000u << 10);
	assert_int_equal(told[0].n_done, 0);

	struct pool_deployment_stats one;
	pool_deployment_stats_get(fake->pool, 0, &one);
	assert_int_equal(one.templates, 1);
	assert_int_equal(one.cells_busy, 1);
	pool_deployment_stats_get(fake->pool, 1, &one);
	assert_int_equal(one.templates, 0);
	pool_deployment_stats_get(fake->pool, POOL_ALL, &one);
	assert_int_equal(one.templates, 0);

	/* Less, while it runs: the busy one stays again. */
	pool_bounds_set(fake->pool, 64, 500u << 10);
	assert_int_equal(
	    fake_expect(fake, fake->supervisor_fd, WIRE_CLOSE).id, 2);
	fake_expect_nothing(fake, fake->supervisor_fd);
	for (uint32_t i = 0; i < 3; i++) {
		close(cells[i]);
		close(controls[i]);
	}
	fake_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_surface_once_and_from_memory),
		cmocka_unit_test(refuses_a_surface_that_is_none),
		cmocka_unit_test(takes_the_longest_surface),
		cmocka_unit_test(remembers_a_refusal_for_a_while),
		cmocka_unit_test(passes_on_no_refusal_that_is_not_json),
		cmocka_unit_test(opens_without_a_warm_up_what_it_spoils),
		cmocka_unit_test(says_that_no_template_is_to_be_had),
		cmocka_unit_test(fails_what_waits_when_the_supervisor_is_gone),
		cmocka_unit_test(loses_a_template_while_it_loads),
		cmocka_unit_test(gives_queued_calls_the_next_template),
		cmocka_unit_test(loses_a_template_that_breaks_the_protocol),
		cmocka_unit_test(takes_no_cell_before_the_template_is_ready),
		cmocka_unit_test(takes_no_cell_that_was_not_ordered),
		cmocka_unit_test(ends_a_template_that_does_not_read_its_orders),
		cmocka_unit_test(closes_a_template_that_does_not_end_its_cells),
		cmocka_unit_test(orders_again_when_no_process_was_to_be_had),
		cmocka_unit_test(cancels_a_queued_call),
		cmocka_unit_test(opens_no_more_than_eight_at_once),
		cmocka_unit_test(ends_while_deployments_wait_for_their_turn),
		cmocka_unit_test(orders_no_more_cells_than_there_may_be),
		cmocka_unit_test(
		    evicts_the_least_used_template_over_the_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
