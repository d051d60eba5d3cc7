/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "ctl/run/request.h"

static int
compose(const char *json, struct json_out *head, struct json_out *body,
    struct err *err)
{
	struct json_span input;

	json_out_init(head, 1 << 16);
	json_out_init(body, 1 << 16);
	assert_int_equal(json_check(json, strlen(json), &input, NULL), 0);
	return ctl_request_compose(input, head, body, err);
}

static void
assert_out(const struct json_out *out, const char *expected)
{
	assert_int_equal(json_out_status(out), 0);
	assert_int_equal(out->len, strlen(expected));
	assert_memory_equal(out->bytes, expected, out->len);
}

static void
fills_in_what_is_left_out(void **state)
{
	static const struct {
		const char *json, *head, *body;
	} cases[] = {
		{ "{}",
		    "{\"method\":\"GET\",\"url\":\"http://localhost/\","
		    "\"headers\":[]}",
		    "" },
		{ "{\"url\":\"/a?b\",\"body\":\"h\\u00e9\"}",
		    "{\"method\":\"POST\",\"url\":\"http://localhost/a?b\","
		    "\"headers\":[]}",
		    "h\xc3\xa9" },
		{ "{\"method\":\"PUT\",\"url\":\"https://x/\",\"headers\":"
		  "{\"A\":\"1\",\"B\":\"2\"},\"body\":{\"n\":1}}",
		    "{\"method\":\"PUT\",\"url\":\"https://x/\",\"headers\":"
		    "[[\"A\",\"1\"],[\"B\",\"2\"]]}",
		    "{\"n\":1}" },
		{ "{\"headers\":[[\"a\",\"1\"],[\"a\",\"2\"]]}",
		    "{\"method\":\"GET\",\"url\":\"http://localhost/\","
		    "\"headers\":[[\"a\",\"1\"],[\"a\",\"2\"]]}",
		    "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json_out head, body;

		assert_int_equal(compose(cases[i].json, &head, &body, NULL), 0);
		assert_out(&head, cases[i].head);
		assert_out(&body, cases[i].body);
		json_out_fini(&head);
		json_out_fini(&body);
	}
}

static void
refuses_what_is_no_request(void **state)
{
	static const char *const bad[] = { "1", "[]", "{\"uri\":\"/\"}",
		"{\"method\":1}", "{\"url\":null}", "{\"headers\":\"x\"}",
		"{\"headers\":{\"a\":1}}", "{\"headers\":[[\"a\"]]}",
		"{\"headers\":[{}]}", "{\"url\":\"/\",\"url\":\"/\"}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct json_out head, body;
		struct err err = { "" };

		if (compose(bad[i], &head, &body, &err) != CTL_E_REQUEST ||
		    err.text[0] == '\0')
			fail_msg("took %s", bad[i]);
		json_out_fini(&head);
		json_out_fini(&body);
	}
}

static void
a_tool_call_is_one_post(void **state)
{
	struct json_out head, body;
	struct json_span input, value;

	(void)state;
	json_out_init(&head, 1 << 16);
	json_out_init(&body, 1 << 16);
	assert_int_equal(json_check("{\"n\":1}", 7, &input, NULL), 0);
	ctl_request_compose_tool("a\"b", input, &head, &body);
	assert_int_equal(json_check(head.bytes, head.len, &value, NULL), 0);
	assert_out(&body,
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
	    "\"params\":{\"name\":\"a\\\"b\",\"arguments\":{\"n\":1}}}");
	json_out_fini(&head);
	json_out_fini(&body);
}

static void
shows_a_response(void **state)
{
	static const char head[] = "[201,[[\"set-cookie\",\"a\"],[\"x\",\"y\"],"
				   "[\"set-cookie\",\"b\"]]]";
	struct json_out out;

	(void)state;
	json_out_init(&out, 1 << 16);
	assert_int_equal(ctl_response_compose(head, strlen(head),
			     (const uint8_t *)"hi\n", 3, &out),
	    0);
	assert_out(&out,
	    "{\"status\":201,\"headers\":{\"set-cookie\":[\"a\",\"b\"],"
	    "\"x\":\"y\"},\"body\":\"hi\\n\"}");
	json_out_reset(&out);
	assert_int_equal(ctl_response_compose("[200,[]]", 8,
			     (const uint8_t *)"\xff\x00", 2, &out),
	    0);
	assert_out(
	    &out, "{\"status\":200,\"headers\":{},\"body_base64\":\"/wA=\"}");
	json_out_fini(&out);
}

static void
find(const char *body, struct json_out *buffer, struct ctl_rpc_answer *answer)
{
	json_out_init(buffer, 1 << 16);
	assert_int_equal(
	    ctl_rpc_find("[200,[]]", 8, body, strlen(body), buffer, answer), 0);
}

static void
finds_the_answer_in_json_and_in_events(void **state)
{
	static const char *const bodies[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":1}}",
		"event: message\ndata: {\"id\":1,\"result\":{\"a\":1}}\n\n",
		"data:{\"id\":1,\r\ndata:\"result\":{\"a\":1}}\r\n\r\n",
		": hello\n\ndata: {\"method\":\"notifications/progress\"}\n\n"
		"data: {\"id\":7,\"result\":{\"b\":1}}\n\n"
		"data: {\"id\":1,\"result\":{\"a\":1}}\n\n",
		"data: {\"id\":1,\"result\":{\"a\":1}}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct ctl_rpc_answer answer;
		struct json_out buffer;

		find(bodies[i], &buffer, &answer);
		assert_int_equal(answer.status, 200);
		if (i + 1 == ARRAY_LEN(bodies)) {
			/* An event counts when its empty line has come. */
			assert_int_equal(answer.result.len, 0);
		} else {
			assert_int_equal(answer.result.len, 7);
			assert_memory_equal(answer.result.at, "{\"a\":1}", 7);
		}
		json_out_fini(&buffer);
	}
}

static void
takes_no_answer_from_what_is_none(void **state)
{
	static const char *const bodies[] = { "", "not found", "[]",
		"{\"id\":1}", "{\"id\":2,\"result\":{}}",
		"{\"id\":1,\"result\":1}", "data: x\n\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct ctl_rpc_answer answer;
		struct json_out buffer;

		find(bodies[i], &buffer, &answer);
		assert_null(answer.result.at);
		assert_null(answer.error.at);
		json_out_fini(&buffer);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_in_what_is_left_out),
		cmocka_unit_test(refuses_what_is_no_request),
		cmocka_unit_test(a_tool_call_is_one_post),
		cmocka_unit_test(shows_a_response),
		cmocka_unit_test(finds_the_answer_in_json_and_in_events),
		cmocka_unit_test(takes_no_answer_from_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
