/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "ctl/run/answer.h"
#include "json/out.h"

/* pool_end_name() of the table in pool.h: this test links no pool. */
const char *
pool_end_name(enum pool_end end)
{
	static const char *const names[] = { "ok", "exception", "timeout",
		"timeout", "memory", "stack", "result_too_large",
		"invalid_result", "load_error", "internal", "overloaded",
		"cancelled" };

	return names[end];
}

static const struct wire_limits limits = WIRE_LIMITS_DEFAULT;

static void
take(struct ctl_answer *answer, enum pool_end end, const char *text,
    bool loading)
{
	const struct pool_outcome outcome = {
		.end = end,
		.text = text,
		.text_len = text != NULL ? strlen(text) : 0,
		.usage = { .cpu_us = 51234, .wall_us = 60001, .peak_kib = 7 },
	};

	*answer = (struct ctl_answer){ 0 };
	ctl_answer_take(answer, &outcome, loading);
}

/* What a person sees: standard output, then standard error. */
static void
assert_shown(
    const struct ctl_answer *answer, const char *out_text, const char *say_text)
{
	FILE *out = tmpfile(), *say = tmpfile();
	char text[4096];

	assert_non_null(out);
	assert_non_null(say);
	ctl_answer_print(answer, &limits, out, say);
	rewind(out);
	rewind(say);
	text[fread(text, 1, sizeof(text) - 1, out)] = '\0';
	assert_string_equal(text, out_text);
	text[fread(text, 1, sizeof(text) - 1, say)] = '\0';
	assert_string_equal(text, say_text);
	fclose(out);
	fclose(say);
}

static void
each_end_has_its_exit_code(void **state)
{
	static const int codes[] = { 0, 10, 11, 11, 12, 10, 13, 13, 14, 70, 70,
		130 };
	struct ctl_answer answer;

	(void)state;
	for (int end = POOL_OK; end <= POOL_CANCELLED; end++) {
		take(&answer, (enum pool_end)end, "{\"message\":\"m\"}", false);
		assert_int_equal(answer.exit_code, codes[end]);
		ctl_answer_fini(&answer);
	}
	take(&answer, POOL_TIMEOUT_CPU, "{\"message\":\"m\"}", true);
	assert_int_equal(answer.exit_code, CTL_EXIT_LOAD);
	assert_string_equal(answer.code, "load_error");
	ctl_answer_fini(&answer);
}

static void
a_result_goes_out_as_it_is(void **state)
{
	struct ctl_answer answer;

	(void)state;
	take(&answer, POOL_OK, "{\"n\": 12345678901234567890.10}", false);
	assert_shown(&answer, "{\"n\": 12345678901234567890.10}\n", "");
	ctl_answer_fini(&answer);
}

static void
a_result_that_is_no_json_is_no_result(void **state)
{
	struct ctl_answer answer;

	(void)state;
	take(&answer, POOL_OK, "{\"a\":", false);
	assert_int_equal(answer.exit_code, CTL_EXIT_RESULT);
	assert_string_equal(answer.code, "invalid_result");
	ctl_answer_fini(&answer);

	char deep[601];
	memset(deep, '[', 300);
	memset(deep + 300, ']', 300);
	deep[600] = '\0';
	take(&answer, POOL_OK, deep, false);
	assert_string_equal(answer.code, "invalid_result");
	assert_non_null(strstr(answer.json, "deeper than 256 levels"));
	ctl_answer_fini(&answer);

	take(&answer, POOL_EXCEPTION, NULL, false);
	assert_int_equal(answer.exit_code, CTL_EXIT_INTERNAL);
	ctl_answer_fini(&answer);
}

static void
an_error_has_its_stack_below_and_its_message_once(void **state)
{
	struct ctl_answer answer;

	(void)state;
	take(&answer, POOL_EXCEPTION,
	    "{\"message\":\"no \\u001b[2J good\",\"stack\":\"TypeError: no "
	    "good\\n    at run (tool.js:3:9)\\n    at x\"}",
	    false);
	assert_shown(&answer, "",
	    "exception: no \\x1b[2J good\n"
	    "    at run (tool.js:3:9)\n    at x\n");
	ctl_answer_fini(&answer);

	take(&answer, POOL_LOAD_ERROR,
	    "{\"message\":\"m\",\"file\":\"a.js\",\"line\":3,\"column\":7}",
	    true);
	assert_shown(&answer, "", "load_error: m\n    at a.js:3:7\n");
	ctl_answer_fini(&answer);

	take(&answer, POOL_LOAD_ERROR, "{\"message\":\"m\",\"file\":\"a.ts\"}",
	    true);
	assert_shown(&answer, "",
	    "load_error: m\n    at a.ts\n"
	    "This is TypeScript: 'cordon build' makes JavaScript of it.\n");
	ctl_answer_fini(&answer);
}

static void
a_limit_says_how_to_raise_it(void **state)
{
	struct ctl_answer answer;

	(void)state;
	take(&answer, POOL_TIMEOUT_CPU, "{\"message\":\"m\"}", false);
	assert_shown(&answer, "",
	    "timeout: m\nThe limit is 50ms; --timeout-cpu sets another.\n");
	ctl_answer_fini(&answer);

	/* 60 ms of 30 s: it was not the limit. */
	take(&answer, POOL_TIMEOUT_WALL, "{\"message\":\"m\"}", false);
	assert_shown(&answer, "", "timeout: m\n");
	ctl_answer_fini(&answer);

	take(&answer, POOL_MEMORY, "{\"message\":\"m\"}", false);
	assert_shown(&answer, "",
	    "memory: m\nThe limit is 128MiB; --memory sets another.\n");
	ctl_answer_fini(&answer);
}

static void
assert_report(const struct ctl_answer *answer, const struct json_out *logs,
    const char *expected)
{
	struct json_span value;
	char text[4096];

	FILE *out = tmpfile();
	assert_non_null(out);
	ctl_answer_print_json(answer, logs, out);
	rewind(out);
	const size_t len = fread(text, 1, sizeof(text) - 1, out);
	text[len] = '\0';
	fclose(out);
	assert_string_equal(text, expected);
	assert_int_equal(json_check(text, len, &value, NULL), 0);
}

static void
the_report_is_one_object_in_a_line(void **state)
{
	struct ctl_answer answer;
	struct json_out logs;

	(void)state;
	json_out_init(&logs, 1 << 16);
	json_out_text(&logs, "[");
	ctl_log_add(&logs, 2, "a\x1b\xff", 3);
	ctl_log_add(&logs, 99, "b", 1);
	take(&answer, POOL_OK, "[1]", false);
	assert_report(&answer, &logs,
	    "{\"ok\":true,\"result\":[1],\"usage\":{\"cpu_ms\":51.234,"
	    "\"wall_ms\":60.001,\"peak_kib\":7},\"logs\":[{\"level\":\"warn\","
	    "\"text\":\"a\\u001b\xef\xbf\xbd\"},{\"level\":\"info\","
	    "\"text\":\"b\"}]}\n");
	ctl_answer_fini(&answer);

	json_out_reset(&logs);
	json_out_text(&logs, "[");
	take(&answer, POOL_TIMEOUT_WALL,
	    "{\"message\":\"m\",\"extra\":1,\"line\":3}", false);
	assert_report(&answer, &logs,
	    "{\"ok\":false,\"error\":{\"code\":\"timeout\",\"message\":\"m\","
	    "\"line\":3,\"limit\":\"wall\"},\"usage\":{\"cpu_ms\":51.234,"
	    "\"wall_ms\":60.001,\"peak_kib\":7},\"logs\":[]}\n");
	ctl_answer_fini(&answer);
	json_out_fini(&logs);
}

static void
a_log_line_cannot_look_like_another(void **state)
{
	char *text = NULL;
	size_t size = 0;

	(void)state;
	FILE *out = open_memstream(&text, &size);
	ctl_log_print(out, 2, "a\n[error] b", 11);
	fclose(out);
	assert_string_equal(text, "[warn] a\n    [error] b\n");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_end_has_its_exit_code),
		cmocka_unit_test(a_result_goes_out_as_it_is),
		cmocka_unit_test(a_result_that_is_no_json_is_no_result),
		cmocka_unit_test(
		    an_error_has_its_stack_below_and_its_message_once),
		cmocka_unit_test(a_limit_says_how_to_raise_it),
		cmocka_unit_test(the_report_is_one_object_in_a_line),
		cmocka_unit_test(a_log_line_cannot_look_like_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
