/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <sys/socket.h>

#define RESULT_MAX 1000u
#define LOG_MAX 500u
#define WALL_MS 60

/* One tool call, in flight in one cell. */
struct flight {
	struct fake *fake;
	struct told told;
	int control_fd;
	int cell_fd;
};

static void
flight_start(struct flight *flight, uint32_t wall_ms, uint32_t reuse_calls)
{
	struct fake *fake = flight->fake = fake_new(1);
	struct wire_limits *limits = &fake->deployments[0].limits;

	limits->result_bytes = RESULT_MAX;
	limits->log_bytes = LOG_MAX;
	limits->wall_ns = wall_ms * 1000000ull;
	limits->reuse_calls = reuse_calls;
	fake_start(fake);
	fake_call(fake, &flight->told, 0, POOL_TOOL);
	flight->cell_fd = fake_serve(fake, 0, &flight->control_fd);
	fake_call_read(flight->cell_fd, POOL_TOOL);
	fake_expect(fake, flight->control_fd, WIRE_FORK);
}

static void
flight_end(struct flight *flight)
{
	close(flight->cell_fd);
	close(flight->control_fd);
	fake_free(flight->fake);
}

static void
ask(struct flight *flight, uint32_t number)
{
	fake_say(flight->cell_fd, WIRE_FRAME_ASK, (int)number,
	    "{\"method\":\"roots/list\"}");
	fake_pump(flight->fake);
}

static void
waits(struct flight *flight, int claimed_answers)
{
	fake_say(flight->cell_fd, WIRE_FRAME_WAIT, claimed_answers, "");
	fake_pump(flight->fake);
}

static void
answer(struct flight *flight, uint32_t number)
{
	assert_int_equal(
	    pool_call_answer(flight->told.call, number, "{\"result\":1}", 12),
	    0);
	fake_answer_read(flight->cell_fd, number, "{\"result\":1}");
}

static void
end(struct flight *flight)
{
	fake_say(flight->cell_fd, WIRE_FRAME_RESULT, 0, "true");
	fake_await(flight->fake, &flight->told);
	assert_int_equal(flight->told.end, POOL_OK);
}

static void
assert_condemned(struct flight *flight)
{
	fake_pump(flight->fake);
	assert_int_equal(flight->told.n_done, 1);
	assert_int_equal(flight->told.end, POOL_INTERNAL);
	assert_int_equal(
	    fake_expect(flight->fake, flight->control_fd, WIRE_KILL).id, 1);
	assert_true(fake_is_hung_up(flight->cell_fd));
}

static void
carries_notes_asks_and_answers(void **state)
{
	struct flight f = { 0 };
	(void)state;

	flight_start(&f, 30000, 1);
	fake_say(f.cell_fd, WIRE_FRAME_NOTE, 0, "{\"method\":\"x\"}");
	ask(&f, 7);
	ask(&f, 8);
	assert_int_equal(f.told.n_notes, 1);
	assert_int_equal(f.told.n_asks, 2);
	assert_int_equal(f.told.last_ask, 8);
	answer(&f, 8);
	answer(&f, 7);
	end(&f);
	flight_end(&f);
}

static void
refuses_answers_that_nobody_waits_for(void **state)
{
	struct flight f = { 0 };
	(void)state;

	flight_start(&f, 30000, 1);
	assert_int_equal(pool_call_answer(f.told.call, 7, "{}", 2), -ENOENT);
	ask(&f, 7);
	assert_int_equal(pool_call_answer(f.told.call, 6, "{}", 2), -ENOENT);
	answer(&f, 7);
	assert_int_equal(pool_call_answer(f.told.call, 7, "{}", 2), -ENOENT);
	pool_call_cancel(f.told.call);
	assert_int_equal(pool_call_answer(f.told.call, 7, "{}", 2), -ENOENT);
	fake_await(f.fake, &f.told);
	flight_end(&f);
}

/* A call that waits in the queue has asked nothing. */
static void
refuses_answers_to_a_call_without_a_cell(void **state)
{
	struct told told = { 0 };
	struct fake *fake = fake_new(1);
	(void)state;

	fake_start(fake);
	fake_call(fake, &told, 0, POOL_TOOL);
	assert_int_equal(pool_call_answer(told.call, 0, "{}", 2), -ENOENT);
	fake_free(fake);
}

static void
lets_sixteen_be_open_and_no_more(void **state)
{
	struct flight f = { 0 };
	(void)state;

	flight_start(&f, 30000, 1);
	for (uint32_t i = 0; i < 16; i++)
		ask(&f, i);
	answer(&f, 3);
	ask(&f, 100);
	assert_int_equal(f.told.n_asks, 17);
	assert_int_equal(f.told.n_done, 0);
	ask(&f, 101);
	assert_condemned(&f);
	flight_end(&f);
}

/* Each by itself, after what the test has said lawfully. */
static void
ends_a_cell_that_asks_what_cannot_be(void **state)
{
	char large[RESULT_MAX + 1];
	const struct {
		uint32_t type;
		size_t len;
	} frames[] = {
		{ WIRE_FRAME_ASK, 2 }, /* a number that is open */
		{ WIRE_FRAME_ASK, RESULT_MAX + 1 },
		{ WIRE_FRAME_NOTE, LOG_MAX + 1 },
		{ WIRE_FRAME_WAIT, 1 },
		{ WIRE_FRAME_ANSWER, 2 },
	};
	(void)state;

	memset(large, ' ', sizeof(large));
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		struct flight f = { 0 };
		flight_start(&f, 30000, 1);
		ask(&f, 7);
		fake_frame(f.cell_fd, frames[i].type, 7, large, frames[i].len);
		assert_condemned(&f);
		flight_end(&f);
	}
}

/* A Workers-style bundle has nobody to ask by frames. */
static void
ends_a_request_that_asks(void **state)
{
	static const uint32_t types[] = { WIRE_FRAME_ASK, WIRE_FRAME_NOTE,
		WIRE_FRAME_WAIT };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct flight f = { .fake = fake_new(1) };
		fake_start(f.fake);
		fake_call(f.fake, &f.told, 0, POOL_REQUEST);
		f.cell_fd = fake_serve(f.fake, 0, &f.control_fd);
		fake_call_read(f.cell_fd, POOL_REQUEST);
		fake_expect(f.fake, f.control_fd, WIRE_FORK);
		fake_say(f.cell_fd, types[i], 1, "");
		assert_condemned(&f);
		flight_end(&f);
	}
}

static void
drops_the_notes_beyond_the_limit(void **state)
{
	struct flight f = { 0 };
	(void)state;

	flight_start(&f, 30000, 1);
	for (int i = 0; i < 100; i++)
		fake_say(f.cell_fd, WIRE_FRAME_NOTE, 0, "0123456789");
	fake_pump(f.fake);
	assert_int_equal(f.told.n_notes, LOG_MAX / (10 + WIRE_LOG_LINE_COST));
	end(&f);
	flight_end(&f);
}

static void
answers_itself_where_nobody_can_be_asked(void **state)
{
	struct flight f = { .told = { .asks_nobody = true } };
	(void)state;

	flight_start(&f, 30000, 1);
	fake_say(f.cell_fd, WIRE_FRAME_NOTE, 0, "{}");
	ask(&f, 9);
	fake_answer_read(f.cell_fd, 9,
	    "{\"error\":{\"code\":-32601,\"message\":\"nobody can be asked "
	    "here\"}}");
	waits(&f, 1);
	end(&f);
	flight_end(&f);
}

/* The clock: what a wait is worth, and to whom. */
static void
stands_still_while_only_an_answer_is_missing(void **state)
{
	const struct timeval long_after = { .tv_usec = 3 * WALL_MS * 1000 };
	struct flight f = { 0 };
	(void)state;

	flight_start(&f, WALL_MS, 1);
	ask(&f, 1);
	waits(&f, 0);
	assert_int_equal(f.told.n_waits, 1);
	event_base_loopexit(f.fake->base, &long_after);
	event_base_dispatch(f.fake->base);
	assert_int_equal(f.told.n_done, 0);
	/* It goes on with the answer, and ends what does not end. */
	answer(&f, 1);
	fake_await(f.fake, &f.told);
	assert_int_equal(f.told.end, POOL_TIMEOUT_WALL);
	flight_end(&f);
}

/* Open asks, but no honest WAIT: the clock goes on. */
static void
goes_on_where_a_wait_is_none(void **state)
{
	(void)state;

	for (int i = 0; i < 3; i++) {
		struct flight f = { 0 };
		flight_start(&f, WALL_MS, 1);
		if (i == 0)
			waits(&f, 0); /* nothing was asked */
		ask(&f, 1);
		ask(&f, 2);
		if (i == 1)
			waits(&f, 1); /* none was answered */
		if (i == 2) {
			answer(&f, 1);
			waits(&f, 0); /* the answer was not read yet */
		}
		assert_int_equal(f.told.n_waits, 0);
		fake_await(f.fake, &f.told);
		assert_int_equal(f.told.end, POOL_TIMEOUT_WALL);
		flight_end(&f);
	}
}

static void
may_be_cancelled_by_any_of_its_callbacks(void **state)
{
	(void)state;

	for (int i = 0; i < 3; i++) {
		struct flight f = { .told = { .cancel_in_note = i == 0,
					.cancel_in_ask = i == 1,
					.cancel_in_wait = i == 2 } };
		flight_start(&f, 30000, 1);
		fake_say(f.cell_fd, WIRE_FRAME_NOTE, 0, "{}");
		fake_say(f.cell_fd, WIRE_FRAME_ASK, 1, "{}");
		fake_say(f.cell_fd, WIRE_FRAME_WAIT, 0, "");
		fake_say(f.cell_fd, WIRE_FRAME_RESULT, 0, "1");
		fake_await(f.fake, &f.told);
		assert_int_equal(f.told.end, POOL_CANCELLED);
		flight_end(&f);
	}
}

/* Asks without end, answered at once, and never reads: it is ended before it
 * has filled our memory. */
static void
ends_a_cell_that_does_not_read_its_answers(void **state)
{
	struct flight f = { .told = { .asks_nobody = true } };
	(void)state;

	flight_start(&f, 30000, 1);
	for (uint32_t i = 0; f.told.n_done == 0; i++) {
		assert_in_range(i, 0, 200000);
		fake_say(f.cell_fd, WIRE_FRAME_ASK, (int)i, "{}");
		event_base_loop(f.fake->base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(f.told.end, POOL_INTERNAL);
	assert_non_null(strstr(f.told.text, "does not read its answers"));
	flight_end(&f);
}

/* What is left of one call says nothing of the next one in the same cell. */
static void
forgets_asks_between_calls_of_one_cell(void **state)
{
	struct flight f = { 0 };
	(void)state;

	flight_start(&f, 30000, 10);
	ask(&f, 1);
	end(&f);
	fake_say(f.cell_fd, WIRE_FRAME_IDLE, 0, "");
	fake_pump(f.fake);
	f.told = (struct told){ 0 };
	fake_call(f.fake, &f.told, 0, POOL_TOOL);
	fake_call_read(f.cell_fd, POOL_TOOL);
	assert_int_equal(pool_call_answer(f.told.call, 1, "{}", 2), -ENOENT);
	ask(&f, 1);
	answer(&f, 1);
	end(&f);
	flight_end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_notes_asks_and_answers),
		cmocka_unit_test(refuses_answers_that_nobody_waits_for),
		cmocka_unit_test(refuses_answers_to_a_call_without_a_cell),
		cmocka_unit_test(lets_sixteen_be_open_and_no_more),
		cmocka_unit_test(ends_a_cell_that_asks_what_cannot_be),
		cmocka_unit_test(ends_a_request_that_asks),
		cmocka_unit_test(drops_the_notes_beyond_the_limit),
		cmocka_unit_test(answers_itself_where_nobody_can_be_asked),
		cmocka_unit_test(stands_still_while_only_an_answer_is_missing),
		cmocka_unit_test(goes_on_where_a_wait_is_none),
		cmocka_unit_test(may_be_cancelled_by_any_of_its_callbacks),
		cmocka_unit_test(ends_a_cell_that_does_not_read_its_answers),
		cmocka_unit_test(forgets_asks_between_calls_of_one_cell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
