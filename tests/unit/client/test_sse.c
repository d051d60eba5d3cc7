/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "client/sse.h"

static char heard[4096];

static void
hear(void *arg, const char *id, const char *raw_data, size_t len)
{
	const size_t at = strlen(heard);

	(void)arg;
	snprintf(heard + at, sizeof(heard) - at, "[%s|%.*s]", id, (int)len,
	    raw_data != NULL ? raw_data : "");
}

/* In pieces of every size, from byte by byte to all at once. */
static void
assert_heard(const char *text, size_t len, const char *wanted)
{
	for (size_t piece = 1; piece <= len; piece++) {
		struct sse sse;

		heard[0] = '\0';
		sse_init(&sse, hear, NULL);
		for (size_t at = 0; at < len; at += piece)
			assert_int_equal(
			    sse_push(&sse, text + at,
				len - at < piece ? len - at : piece),
			    0);
		assert_string_equal(heard, wanted);
		sse_fini(&sse);
	}
}

#define HEARD(text, wanted) assert_heard(text, sizeof(text) - 1, wanted)

static void
events_come_whatever_ends_their_lines(void **state)
{
	(void)state;
	HEARD("data: a\n\ndata: b\n\n", "[|a][|b]");
	HEARD("data: a\r\n\r\ndata: b\r\n\r\n", "[|a][|b]");
	HEARD("data: a\r\rdata: b\r\r", "[|a][|b]");
	HEARD("data: a\r\n\ndata: b\n\r\n", "[|a][|b]");
}

static void
lines_of_data_are_joined_and_one_space_goes(void **state)
{
	(void)state;
	HEARD("data:a\ndata:  b\ndata\ndata: c\n\n", "[|a\n b\n\nc]");
	HEARD("data: {\"a\":\ndata: 1}\n\n", "[|{\"a\":\n1}]");
}

static void
comments_other_fields_and_empty_events_are_silent(void **state)
{
	(void)state;
	HEARD(
	    ": hello\n\nevent: x\n\nfoo: bar\ndatax: 1\n\ndata: a\n\n", "[|a]");
}

static void
an_id_stays_until_the_next(void **state)
{
	(void)state;
	HEARD(
	    "id: 1\ndata: a\n\ndata: b\n\nid: 2\n\ndata: c\n\nid\ndata: d\n\n",
	    "[1|a][1|b][2|c][|d]");
	HEARD("id: x\0y\ndata: a\n\n", "[|a]");
}

static void
an_event_that_has_not_ended_is_none(void **state)
{
	(void)state;
	HEARD("data: a\n\ndata: b\n", "[|a]");
	HEARD("data: a", "");
}

static void
retry_is_a_number_or_nothing(void **state)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} cases[] = { { "retry: 250\n", 250 }, { "retry: -1\n", 0 },
		{ "retry: 1e3\n", 0 }, { "retry:\n", 0 },
		{ "retry: 99999999999\n", 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sse sse;

		sse_init(&sse, hear, NULL);
		assert_int_equal(
		    sse_push(&sse, cases[i].text, strlen(cases[i].text)), 0);
		assert_int_equal(sse.retry_ms, cases[i].ms);
		sse_fini(&sse);
	}
}

static void
an_event_without_end_is_given_up(void **state)
{
	const size_t len = 8u << 20;
	char *bytes = malloc(len);
	struct sse sse;
	int r = 0;

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'x', len);
	sse_init(&sse, hear, NULL);
	for (size_t i = 0; i < SSE_EVENT_MAX / len + 1 && r == 0; i++)
		r = sse_push(&sse, bytes, len);
	assert_int_equal(r, SSE_E_TOO_LONG);
	assert_true(sse.line.capacity <= 2 * SSE_EVENT_MAX + 256);
	sse_fini(&sse);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_whatever_ends_their_lines),
		cmocka_unit_test(lines_of_data_are_joined_and_one_space_goes),
		cmocka_unit_test(
		    comments_other_fields_and_empty_events_are_silent),
		cmocka_unit_test(an_id_stays_until_the_next),
		cmocka_unit_test(an_event_that_has_not_ended_is_none),
		cmocka_unit_test(retry_is_a_number_or_nothing),
		cmocka_unit_test(an_event_without_end_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
