/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <signal.h>
#include <sys/socket.h>

#define RESULT_MAX 1000u
#define LOG_MAX 500u
#define WALL_MS 50

/* One call, in flight in one cell. */
struct flight {
	struct fake *fake;
	struct told told;
	int control_fd;
	int cell_fd;
};

static void
flight_start_with(struct flight *flight, enum pool_kind kind,
    const struct wire_limits *limits)
{
	struct fake *fake = flight->fake = fake_new(1);

	fake->deployments[0].limits = *limits;
	fake_start(fake);
	fake_call(fake, &flight->told, 0, kind);
	flight->cell_fd = fake_serve(fake, 0, &flight->control_fd);
	fake_call_read(flight->cell_fd, kind);
	/* One more waits behind it. */
	fake_expect(fake, flight->control_fd, WIRE_FORK);
}

static void
flight_start(struct flight *flight, enum pool_kind kind)
{
	struct wire_limits limits = WIRE_LIMITS_DEFAULT;

	limits.result_bytes = RESULT_MAX;
	limits.log_bytes = LOG_MAX;
	flight_start_with(flight, kind, &limits);
}

static void
flight_end(struct flight *flight)
{
	close(flight->cell_fd);
	close(flight->control_fd);
	fake_free(flight->fake);
}

static void
assert_done(const struct told *told, enum pool_end end, const char *text)
{
	assert_int_equal(told->n_done, 1);
	assert_int_equal(told->end, end);
	if (strstr(told->text, text) == NULL)
		fail_msg("'%s' is not in '%s'", text, told->text);
}

/* Ended by the pool, as an enemy: KILL was sent, nobody listens any more. */
static void
assert_condemned(struct flight *flight)
{
	assert_done(
	    &flight->told, POOL_INTERNAL, "the cell broke the protocol");
	assert_int_equal(
	    fake_expect(flight->fake, flight->control_fd, WIRE_KILL).id, 1);
	assert_true(fake_is_hung_up(flight->cell_fd));
}

static void
tells_the_result_and_the_usage(void **state)
{
	struct flight f = { 0 };
	(void)state;

	flight_start(&f, POOL_TOOL);
	fake_say(f.cell_fd, WIRE_FRAME_LOG, 1, "hello");
	fake_say(f.cell_fd, WIRE_FRAME_RESULT, 0, "{\"sum\":5}");
	fake_pump(f.fake);
	assert_done(&f.told, POOL_OK, "{\"sum\":5}");
	assert_int_equal(f.told.n_logs, 1);
	assert_int_equal(f.told.usage.cpu_us, 21);
	assert_true(fake_is_hung_up(f.cell_fd));
	fake_exit(f.control_fd, 1, FAKE_EXITED, 40, 0);
	fake_pump(f.fake);
	struct pool_stats stats;
	pool_stats_get(f.fake->pool, &stats);
	assert_int_equal(stats.cells_cpu_us, 40);
	assert_int_equal(stats.calls_failed, 0);
	assert_int_equal(pool_calls_pending(f.fake->pool), 0);
	flight_end(&f);
}

static void
tells_a_response_in_its_order(void **state)
{
	struct flight f = { 0 };
	(void)state;

	flight_start(&f, POOL_REQUEST);
	fake_say(f.cell_fd, WIRE_FRAME_HEAD, 0, "[200,[]]");
	fake_say(f.cell_fd, WIRE_FRAME_CHUNK, 0, "abc");
	fake_say(f.cell_fd, WIRE_FRAME_CHUNK, 0, "");
	fake_say(f.cell_fd, WIRE_FRAME_CHUNK, 0, "de");
	fake_say(f.cell_fd, WIRE_FRAME_END, 0, "");
	fake_pump(f.fake);
	assert_done(&f.told, POOL_OK, "");
	assert_int_equal(f.told.n_heads, 1);
	assert_int_equal(f.told.chunk_bytes, 5);
	flight_end(&f);
}

static void
takes_a_frame_byte_by_byte(void **state)
{
	const struct wire_frame frame = { .type = WIRE_FRAME_RESULT, .len = 4 };
	uint8_t bytes[sizeof(frame) + 4];
	struct flight f = { 0 };
	(void)state;

	memcpy(bytes, &frame, sizeof(frame));
	memcpy(bytes + sizeof(frame), "true", 4);
	flight_start(&f, POOL_TOOL);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(f.told.n_done, 0);
		assert_int_equal(send(f.cell_fd, bytes + i, 1, 0), 1);
		fake_pump(f.fake);
	}
	assert_done(&f.told, POOL_OK, "true");
	flight_end(&f);
}

/* Frames that may not come, each after the lawful ones before it. */
static void
ends_a_cell_that_breaks_the_order(void **state)
{
	static const struct {
		enum pool_kind kind;
		uint32_t types[3]; /* the last is the breach */
	} breaches[] = {
		{ POOL_TOOL, { WIRE_FRAME_HEAD } },
		{ POOL_TOOL, { WIRE_FRAME_CHUNK } },
		{ POOL_TOOL, { WIRE_FRAME_END } },
		{ POOL_TOOL, { WIRE_FRAME_IDLE } },
		{ POOL_TOOL, { WIRE_FRAME_LOG, WIRE_FRAME_IDLE } },
		{ POOL_TOOL, { WIRE_FRAME_CALL_TOOL } },
		{ POOL_TOOL, { WIRE_FRAME_CALL_REQUEST } },
		{ POOL_TOOL, { WIRE_FRAME_BODY } },
		{ POOL_TOOL, { 0x80000000u } },
		{ POOL_TOOL, { WIRE_N_FRAMES } },
		{ POOL_REQUEST, { WIRE_FRAME_RESULT } },
		{ POOL_REQUEST, { WIRE_FRAME_CHUNK } },
		{ POOL_REQUEST, { WIRE_FRAME_END } },
		{ POOL_REQUEST, { WIRE_FRAME_IDLE } },
		{ POOL_REQUEST, { WIRE_FRAME_HEAD, WIRE_FRAME_HEAD } },
		{ POOL_REQUEST, { WIRE_FRAME_HEAD, WIRE_FRAME_RESULT } },
		{ POOL_REQUEST,
		    { WIRE_FRAME_HEAD, WIRE_FRAME_CHUNK, WIRE_FRAME_HEAD } },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(breaches); i++) {
		struct flight f = { 0 };
		flight_start(&f, breaches[i].kind);
		for (size_t n = 0; n < 3 && breaches[i].types[n] != 0; n++)
			fake_say(f.cell_fd, breaches[i].types[n], 0, "");
		fake_pump(f.fake);
		assert_condemned(&f);
		flight_end(&f);
	}
	struct flight f = { 0 };
	flight_start(&f, POOL_TOOL);
	fake_say(f.cell_fd, 0, 0, "");
	fake_pump(f.fake);
	assert_condemned(&f);
	flight_end(&f);
}

static void
ends_a_cell_that_says_too_much(void **state)
{
	static const struct {
		enum pool_kind kind;
		uint32_t before, type;
		uint32_t claimed_len;
	} floods[] = {
		{ POOL_TOOL, 0, WIRE_FRAME_RESULT, RESULT_MAX + 1 },
		{ POOL_TOOL, 0, WIRE_FRAME_RESULT, UINT32_MAX },
		{ POOL_TOOL, 0, WIRE_FRAME_FAIL, WIRE_TEXT_MAX + 1 },
		{ POOL_TOOL, 0, WIRE_FRAME_LOG, LOG_MAX + 1025 },
		{ POOL_TOOL, 0, WIRE_FRAME_LOG, UINT32_MAX },
		{ POOL_REQUEST, 0, WIRE_FRAME_HEAD, RESULT_MAX + 1 },
		{ POOL_REQUEST, WIRE_FRAME_HEAD, WIRE_FRAME_CHUNK,
		    RESULT_MAX + 1 },
		{ POOL_REQUEST, WIRE_FRAME_HEAD, WIRE_FRAME_CHUNK, UINT32_MAX },
		{ POOL_REQUEST, WIRE_FRAME_HEAD, WIRE_FRAME_END, 1 },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
		const struct wire_frame frame = { .type = floods[i].type,
			.len = floods[i].claimed_len };
		struct flight f = { 0 };

		flight_start(&f, floods[i].kind);
		if (floods[i].before != 0)
			fake_say(f.cell_fd, floods[i].before, 0, "");
		/* What it claims is enough: no byte of it is waited for. */
		assert_int_equal(
		    send(f.cell_fd, &frame, sizeof(frame), 0), sizeof(frame));
		fake_pump(f.fake);
		assert_condemned(&f);
		flight_end(&f);
	}
}

static void
takes_a_body_up_to_its_limit_and_no_further(void **state)
{
	static const char half[RESULT_MAX / 2];
	struct flight f = { 0 };
	(void)state;

	flight_start(&f, POOL_REQUEST);
	fake_say(f.cell_fd, WIRE_FRAME_HEAD, 0, "[200,[]]");
	fake_frame(f.cell_fd, WIRE_FRAME_CHUNK, 0, half, sizeof(half));
	fake_frame(f.cell_fd, WIRE_FRAME_CHUNK, 0, half, sizeof(half));
	fake_pump(f.fake);
	assert_int_equal(f.told.chunk_bytes, RESULT_MAX);
	fake_say(f.cell_fd, WIRE_FRAME_CHUNK, 0, "x");
	fake_pump(f.fake);
	assert_condemned(&f);
	assert_int_equal(f.told.chunk_bytes, RESULT_MAX);
	flight_end(&f);
}

static void
drops_logs_over_their_limit(void **state)
{
	struct flight f = { 0 };
	(void)state;

	flight_start(&f, POOL_TOOL);
	for (int i = 0; i < 2000; i++) {
		fake_say(f.cell_fd, WIRE_FRAME_LOG, i - 1000, "flood");
		if (i % 50 == 0)
			fake_pump(f.fake);
	}
	fake_say(f.cell_fd, WIRE_FRAME_RESULT, 0, "1");
	fake_pump(f.fake);
	assert_done(&f.told, POOL_OK, "1");
	assert_in_range(
	    f.told.n_logs, 1, (LOG_MAX + 128) / (5 + WIRE_LOG_LINE_COST));
	flight_end(&f);
}

static void
composes_what_a_failure_does_not_say(void **state)
{
	static const struct {
		int code;
		const char *said, *told;
		enum pool_end end;
	} fails[] = {
		{ WIRE_CODE_EXCEPTION, "{\"message\":\"no\",\"name\":\"E\"}",
		    "{\"message\":\"no\",\"name\":\"E\"}", POOL_EXCEPTION },
		{ WIRE_CODE_EXCEPTION, "", "the tool threw", POOL_EXCEPTION },
		{ WIRE_CODE_EXCEPTION, "no JSON", "the tool threw",
		    POOL_EXCEPTION },
		{ WIRE_CODE_EXCEPTION, "{\"message\":\"a\"} ,",
		    "the tool threw", POOL_EXCEPTION },
		{ WIRE_CODE_EXCEPTION, "{\"name\":\"E\"}", "the tool threw",
		    POOL_EXCEPTION },
		{ WIRE_CODE_EXCEPTION, "{\"message\":7}", "the tool threw",
		    POOL_EXCEPTION },
		{ WIRE_CODE_EXCEPTION, "[\"message\"]", "the tool threw",
		    POOL_EXCEPTION },
		{ WIRE_CODE_EXCEPTION, "\"message\"", "the tool threw",
		    POOL_EXCEPTION },
		{ WIRE_CODE_EXCEPTION, "{\"message\":\"\xff\"}",
		    "the tool threw", POOL_EXCEPTION },
		{ WIRE_CODE_TIMEOUT_CPU, "", "the CPU time", POOL_TIMEOUT_CPU },
		{ WIRE_CODE_MEMORY, "", "the memory", POOL_MEMORY },
		{ WIRE_CODE_STACK, "", "the stack", POOL_STACK },
		{ WIRE_CODE_RESULT_TOO_LARGE, "", "larger than its limit",
		    POOL_RESULT_TOO_LARGE },
		{ WIRE_CODE_INVALID_RESULT, "", "not JSON",
		    POOL_INVALID_RESULT },
		{ WIRE_CODE_OK, "", "was lost", POOL_INTERNAL },
		{ WIRE_CODE_LOAD_ERROR, "", "was lost", POOL_INTERNAL },
		{ WIRE_CODE_WARM_SPOILT, "", "was lost", POOL_INTERNAL },
		{ POOL_OVERLOADED, "", "was lost", POOL_INTERNAL },
		{ POOL_CANCELLED, "", "was lost", POOL_INTERNAL },
		{ -1, "", "was lost", POOL_INTERNAL },
		{ 1 << 30, "", "was lost", POOL_INTERNAL },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(fails); i++) {
		struct flight f = { 0 };
		flight_start(&f, i % 2 == 0 ? POOL_TOOL : POOL_REQUEST);
		fake_say(
		    f.cell_fd, WIRE_FRAME_FAIL, fails[i].code, fails[i].said);
		fake_pump(f.fake);
		assert_done(&f.told, fails[i].end, fails[i].told);
		flight_end(&f);
	}
}

static void
says_why_a_cell_ended_without_an_answer(void **state)
{
	static const struct {
		int status;
		uint64_t cpu_us, peak_kib;
		enum pool_end end;
	} ends[] = {
		{ FAKE_KILLED_BY(SIGKILL), 50000, 0, POOL_TIMEOUT_CPU },
		{ FAKE_KILLED_BY(SIGKILL), 49999, 128 << 10, POOL_MEMORY },
		{ FAKE_KILLED_BY(SIGKILL), 49999, 127 << 10, POOL_INTERNAL },
		{ FAKE_KILLED_BY(SIGSEGV), 0, 128 << 10, POOL_MEMORY },
		{ FAKE_KILLED_BY(SIGSEGV), 0, 0, POOL_INTERNAL },
		{ FAKE_KILLED_BY(SIGSYS), 90000, 0, POOL_INTERNAL },
		{ FAKE_EXITED, 0, 0, POOL_INTERNAL },
		{ 1 << 8, 0, 0, POOL_INTERNAL },
	};
	(void)state;

	for (size_t i = 0; i < 2 * ARRAY_LEN(ends); i++) {
		struct flight f = { 0 };
		flight_start(&f, POOL_TOOL);
		/* With the end of its stream seen before, or only after. */
		if (i % 2 == 0) {
			shutdown(f.cell_fd, SHUT_RDWR);
			fake_pump(f.fake);
			assert_int_equal(f.told.n_done, 0);
		}
		fake_exit(f.control_fd, 1, ends[i / 2].status,
		    ends[i / 2].cpu_us, ends[i / 2].peak_kib);
		fake_pump(f.fake);
		assert_done(&f.told, ends[i / 2].end, "{\"message\":\"");
		assert_int_equal(f.told.usage.cpu_us, ends[i / 2].cpu_us);
		flight_end(&f);
	}
}

static void
kills_who_hangs_up_and_does_not_end(void **state)
{
	struct flight f = { 0 };
	(void)state;

	flight_start(&f, POOL_TOOL);
	shutdown(f.cell_fd, SHUT_RDWR);
	struct wire_message message;
	int fds[WIRE_FDS_MAX];
	static char text[WIRE_TEXT_MAX + 1];
	while (
	    wire_receive(f.control_fd, MSG_DONTWAIT, &message, fds, text) != 0)
		event_base_loop(f.fake->base, EVLOOP_ONCE);
	assert_int_equal(message.type, WIRE_KILL);
	fake_exit(f.control_fd, 1, FAKE_KILLED_BY(SIGKILL), 90000, 0);
	fake_pump(f.fake);
	assert_done(&f.told, POOL_TIMEOUT_WALL, "the time of this call");
	flight_end(&f);
}

static void
still_counts_what_was_said_before_the_end(void **state)
{
	struct flight f = { 0 };
	(void)state;

	flight_start(&f, POOL_TOOL);
	/* The EXIT may be seen first: another channel. */
	fake_exit(f.control_fd, 1, FAKE_EXITED, 0, 0);
	fake_say(f.cell_fd, WIRE_FRAME_RESULT, 0, "\"said\"");
	fake_pump(f.fake);
	assert_done(&f.told, POOL_OK, "\"said\"");
	flight_end(&f);
}

static void
loses_nothing_of_a_paused_response_whose_cell_ended(void **state)
{
	static const char piece[35000];
	const struct wire_limits limits = WIRE_LIMITS_DEFAULT;
	struct flight f = { .told = { .pause_in_head = true,
				.pause_in_chunk = true } };
	(void)state;

	flight_start_with(&f, POOL_REQUEST, &limits);
	fake_say(f.cell_fd, WIRE_FRAME_HEAD, 0, "[200,[]]");
	fake_pump(f.fake);
	for (int i = 0; i < 4; i++)
		fake_frame(
		    f.cell_fd, WIRE_FRAME_CHUNK, 0, piece, sizeof(piece));
	fake_say(f.cell_fd, WIRE_FRAME_END, 0, "");
	shutdown(f.cell_fd, SHUT_WR);
	fake_pump(f.fake);
	assert_int_equal(f.told.chunk_bytes, 0);
	fake_exit(f.control_fd, 1, FAKE_EXITED, 0, 0);
	fake_pump(f.fake);
	assert_done(&f.told, POOL_OK, "");
	assert_int_equal(f.told.chunk_bytes, 4 * sizeof(piece));
	flight_end(&f);
}

static void
reads_nothing_while_paused(void **state)
{
	struct flight f = { .told = { .pause_in_head = true } };
	(void)state;

	flight_start(&f, POOL_REQUEST);
	fake_say(f.cell_fd, WIRE_FRAME_HEAD, 0, "[200,[]]");
	fake_pump(f.fake);
	fake_say(f.cell_fd, WIRE_FRAME_CHUNK, 0, "abc");
	fake_say(f.cell_fd, WIRE_FRAME_END, 0, "");
	fake_pump(f.fake);
	assert_int_equal(f.told.chunk_bytes, 0);
	assert_int_equal(f.told.n_done, 0);
	pool_call_pause(f.told.call, false);
	fake_pump(f.fake);
	assert_int_equal(f.told.chunk_bytes, 3);
	assert_done(&f.told, POOL_OK, "");
	flight_end(&f);
}

static void
ends_a_call_when_its_wall_time_is_over(void **state)
{
	struct wire_limits limits = WIRE_LIMITS_DEFAULT;
	struct flight f = { 0 };
	(void)state;

	limits.wall_ns = WALL_MS * 1000000u;
	flight_start_with(&f, POOL_TOOL, &limits);
	fake_await(f.fake, &f.told);
	assert_done(&f.told, POOL_TIMEOUT_WALL, "the time of this call");
	/* The loop's clock and ours may be a tick apart. */
	assert_true(f.told.usage.wall_us >= (WALL_MS - 5) * 1000);
	assert_int_equal(fake_expect(f.fake, f.control_fd, WIRE_KILL).id, 1);
	assert_true(fake_is_hung_up(f.cell_fd));
	fake_exit(f.control_fd, 1, FAKE_KILLED_BY(SIGKILL), 0, 0);
	fake_pump(f.fake);
	assert_int_equal(f.told.n_done, 1);
	flight_end(&f);
}

static void
cancels_from_inside_every_callback(void **state)
{
	(void)state;

	for (int i = 0; i < 3; i++) {
		struct flight f = { .told = { .cancel_in_head = i == 0,
					.cancel_in_chunk = i == 1,
					.cancel_in_log = i == 2 } };
		flight_start(&f, POOL_REQUEST);
		fake_say(f.cell_fd, WIRE_FRAME_HEAD, 0, "[200,[]]");
		fake_say(f.cell_fd, WIRE_FRAME_CHUNK, 0, "abc");
		fake_say(f.cell_fd, WIRE_FRAME_LOG, 1, "abc");
		fake_say(f.cell_fd, WIRE_FRAME_CHUNK, 0, "abc");
		fake_say(f.cell_fd, WIRE_FRAME_END, 0, "");
		fake_pump(f.fake);
		assert_done(&f.told, POOL_CANCELLED, "was cancelled");
		assert_int_equal(f.told.chunk_bytes, i == 0 ? 0 : 3);
		fake_expect(f.fake, f.control_fd, WIRE_KILL);
		assert_true(fake_is_hung_up(f.cell_fd));
		flight_end(&f);
	}
}

static void
cancels_nothing_that_is_over(void **state)
{
	struct flight f = { .told = { .cancel_in_done = true } };
	(void)state;

	flight_start(&f, POOL_TOOL);
	fake_say(f.cell_fd, WIRE_FRAME_RESULT, 0, "1");
	fake_pump(f.fake);
	assert_done(&f.told, POOL_OK, "1");
	fake_exit(f.control_fd, 1, FAKE_EXITED, 40, 0);
	fake_pump(f.fake);
	assert_int_equal(f.told.n_done, 1);
	flight_end(&f);
}

static void
cancels_a_call_in_flight(void **state)
{
	struct flight f = { 0 };
	(void)state;

	flight_start(&f, POOL_TOOL);
	pool_call_cancel(f.told.call);
	assert_int_equal(f.told.n_done, 0);
	pool_call_cancel(f.told.call); /* twice is once */
	fake_pump(f.fake);
	assert_done(&f.told, POOL_CANCELLED, "was cancelled");
	fake_expect(f.fake, f.control_fd, WIRE_KILL);
	flight_end(&f);
}

/* ---- cells that serve more than one call -------------------------------- */

static void
reuse_start(struct flight *flight, enum pool_kind kind)
{
	struct wire_limits limits = WIRE_LIMITS_DEFAULT;

	limits.reuse_calls = 3;
	flight_start_with(flight, kind, &limits);
}

static void
serves_three_calls_in_one_cell_and_no_fourth(void **state)
{
	struct flight f = { 0 };
	(void)state;

	reuse_start(&f, POOL_TOOL);
	for (int i = 0; i < 3; i++) {
		fake_say(f.cell_fd, WIRE_FRAME_RESULT, 0, "1");
		fake_pump(f.fake);
		assert_done(&f.told, POOL_OK, "1");
		assert_int_equal(fake_is_hung_up(f.cell_fd), i == 2);
		if (i == 2)
			break;
		fake_say(f.cell_fd, WIRE_FRAME_IDLE, 0, "");
		fake_pump(f.fake);
		f.told = (struct told){ 0 };
		fake_call(f.fake, &f.told, 0, POOL_TOOL);
		fake_call_read(f.cell_fd, POOL_TOOL);
	}
	flight_end(&f);
}

static void
gives_no_call_to_a_cell_that_failed(void **state)
{
	struct flight f = { 0 };
	(void)state;

	reuse_start(&f, POOL_TOOL);
	fake_say(f.cell_fd, WIRE_FRAME_FAIL, WIRE_CODE_EXCEPTION, "");
	fake_pump(f.fake);
	assert_done(&f.told, POOL_EXCEPTION, "");
	assert_true(fake_is_hung_up(f.cell_fd));
	flight_end(&f);
}

static void
ends_a_cell_that_is_idle_twice(void **state)
{
	struct told next = { 0 };
	struct pool_stats stats;
	struct flight f = { 0 };
	(void)state;

	reuse_start(&f, POOL_TOOL);
	fake_say(f.cell_fd, WIRE_FRAME_RESULT, 0, "1");
	for (int i = 0; i < 3; i++)
		fake_say(f.cell_fd, WIRE_FRAME_IDLE, 0, "");
	fake_pump(f.fake);
	assert_true(fake_is_hung_up(f.cell_fd));
	pool_stats_get(f.fake->pool, &stats);
	assert_int_equal(stats.cells_waiting, 0);
	assert_int_equal(stats.cells_busy, 0);
	fake_call(f.fake, &next, 0, POOL_TOOL);
	fake_pump(f.fake);
	assert_int_equal(next.n_done, 0);
	flight_end(&f);
}

static void
hears_an_idle_cell_after_a_paused_call(void **state)
{
	struct told next = { 0 };
	struct flight f = { .told = { .pause_in_chunk = true } };
	(void)state;

	reuse_start(&f, POOL_REQUEST);
	fake_say(f.cell_fd, WIRE_FRAME_HEAD, 0, "[200,[]]");
	fake_say(f.cell_fd, WIRE_FRAME_CHUNK, 0, "abc");
	fake_say(f.cell_fd, WIRE_FRAME_END, 0, "");
	fake_pump(f.fake);
	assert_done(&f.told, POOL_OK, "");
	fake_say(f.cell_fd, WIRE_FRAME_IDLE, 0, "");
	fake_pump(f.fake);
	fake_call(f.fake, &next, 0, POOL_TOOL);
	fake_call_read(f.cell_fd, POOL_TOOL);
	flight_end(&f);
}

/* A call that does not fit the socket, answered before it was read. */
static void
trusts_no_cell_that_answers_what_it_did_not_read(void **state)
{
	static char json[1 << 20];
	struct flight f = { 0 };
	struct told next = { 0 };
	(void)state;

	reuse_start(&f, POOL_TOOL);
	fake_say(f.cell_fd, WIRE_FRAME_RESULT, 0, "1");
	fake_say(f.cell_fd, WIRE_FRAME_IDLE, 0, "");
	fake_pump(f.fake);
	fake_call_long(f.fake, &next, json, sizeof(json));
	fake_pump(f.fake);
	fake_say(f.cell_fd, WIRE_FRAME_RESULT, 0, "2");
	fake_say(f.cell_fd, WIRE_FRAME_IDLE, 0, "");
	fake_pump(f.fake);
	assert_done(&next, POOL_OK, "2");
	assert_true(fake_is_hung_up(f.cell_fd));
	flight_end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_result_and_the_usage),
		cmocka_unit_test(tells_a_response_in_its_order),
		cmocka_unit_test(takes_a_frame_byte_by_byte),
		cmocka_unit_test(ends_a_cell_that_breaks_the_order),
		cmocka_unit_test(ends_a_cell_that_says_too_much),
		cmocka_unit_test(takes_a_body_up_to_its_limit_and_no_further),
		cmocka_unit_test(drops_logs_over_their_limit),
		cmocka_unit_test(composes_what_a_failure_does_not_say),
		cmocka_unit_test(says_why_a_cell_ended_without_an_answer),
		cmocka_unit_test(kills_who_hangs_up_and_does_not_end),
		cmocka_unit_test(still_counts_what_was_said_before_the_end),
		cmocka_unit_test(
		    loses_nothing_of_a_paused_response_whose_cell_ended),
		cmocka_unit_test(reads_nothing_while_paused),
		cmocka_unit_test(ends_a_call_when_its_wall_time_is_over),
		cmocka_unit_test(cancels_from_inside_every_callback),
		cmocka_unit_test(cancels_nothing_that_is_over),
		cmocka_unit_test(cancels_a_call_in_flight),
		cmocka_unit_test(serves_three_calls_in_one_cell_and_no_fourth),
		cmocka_unit_test(gives_no_call_to_a_cell_that_failed),
		cmocka_unit_test(ends_a_cell_that_is_idle_twice),
		cmocka_unit_test(hears_an_idle_cell_after_a_paused_call),
		cmocka_unit_test(
		    trusts_no_cell_that_answers_what_it_did_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
