/* SPDX-License-Identifier: Apache-2.0 */

/* Servers in cells: declarative bundles, and Workers-style ones. */

#include "behind_fake.h"

static struct fake_answer answer;
static struct fake_surface told;

static const char declared[] =
    "{\"kind\":\"tools\",\"name\":\"d\",\"version\":\"1\",\"tools\":[{"
    "\"name\":\"t\",\"inputSchema\":{}}],\"prompts\":[{\"name\":\"p\"}],"
    "\"resources\":[{\"uri\":\"a:b\",\"name\":\"r\"}]}";

static int
set_up(void **state)
{
	(void)state;
	fake_start(WIRE_KIND_ISOLATE);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fake_stop();
	return 0;
}

/* The cell's outcome, from the loop as the pool has it. */
static void
cell_ends(unsigned cell, enum pool_end end, const char *text)
{
	const struct pool_outcome outcome = { .end = end,
		.text = text,
		.text_len = text == NULL ? 0 : strlen(text),
		.usage = { .cpu_us = 5 } };

	fake_cells[cell].is_there = false;
	fake_cells[cell].ops->done(fake_cells[cell].arg, &outcome);
	fake_settle();
}

static void
start(const char *method, const char *params)
{
	fake_declared = declared;
	fake_call(0, 0, method, params, &answer);
	fake_settle();
}

static void
calls_a_tool_with_its_context(void **state)
{
	(void)state;
	fake_clients[0].capabilities =
	    (struct json_span){ "{\"roots\":{}}", 12 };
	start("tools/call",
	    "{\"name\":\"\\u0074\",\"arguments\":{\"n\":1e400},\"_meta\":{"
	    "\"progressToken\":1}}");
	assert_int_equal(fake_n_cells, 1);
	assert_int_equal(fake_cells[0].kind, POOL_TOOL);
	const char *json = fake_cells[0].json;
	assert_non_null(
	    strstr(json, "{\"tool\":\"\\u0074\",\"input\":{\"n\":1e400},"));
	assert_non_null(strstr(json, "\"can\":{\"roots\":{}}"));
	assert_non_null(strstr(json, "\"progress\":true"));
	assert_non_null(strstr(json, "\"session\":\""));
	cell_ends(0, POOL_OK, "{\"a\":12345678901234567890}");
	assert_true(answer.is_done);
	assert_int_equal(answer.era, MCP_LEGACY);
	assert_non_null(strstr(answer.value,
	    "\"structuredContent\":{\"a\":12345678901234567890}"));
	assert_int_equal(answer.cpu_us, 5);
}

static void
refuses_what_the_bundle_does_not_have(void **state)
{
	static const struct {
		const char *method;
		const char *params;
		const char *says;
	} cases[] = {
		{ "tools/call", "{\"name\":\"u\"}", "Unknown tool: u" },
		{ "tools/call", "{\"name\":\"t\",\"arguments\":[]}",
		    "arguments must be an object" },
		{ "tools/call", "{}", "needs the tool's name" },
		{ "prompts/get", "{\"name\":\"q\"}", "Unknown prompt: q" },
		{ "resources/read", "{\"uri\":\"c:d\"}",
		    "\"code\":-32002,\"message\":\"Resource not found: c:d\"" },
		{ "completion/complete", "{}", "needs ref and argument" },
		{ "tasks/list", "{}", "Method not found: tasks/list" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		start(cases[i].method, cases[i].params);
		assert_true(answer.is_done);
		assert_int_equal(answer.end, UPSTREAM_ERROR);
		if (strstr(answer.value, cases[i].says) == NULL)
			fail_msg("%s", answer.value);
	}
	assert_int_equal(fake_n_cells, 0);
}

static void
makes_failures_of_tools_tool_errors(void **state)
{
	(void)state;
	start("tools/call", "{\"name\":\"t\"}");
	cell_ends(0, POOL_EXCEPTION, "{\"message\":\"it broke\"}");
	assert_int_equal(answer.end, UPSTREAM_RESULT);
	assert_non_null(strstr(answer.value, "\"isError\":true"));
	assert_non_null(strstr(answer.value, "cordon/error"));
	start("tools/call", "{\"name\":\"t\"}");
	cell_ends(1, POOL_OK, "{\"a\":");
	assert_non_null(strstr(answer.value, "not valid JSON"));
	start("prompts/get", "{\"name\":\"p\"}");
	cell_ends(2, POOL_EXCEPTION, "{\"message\":\"it broke\"}");
	assert_int_equal(answer.end, UPSTREAM_ERROR);
	start("prompts/get", "{\"name\":\"p\"}");
	cell_ends(3, POOL_OK, "{\"message\":[]}");
	assert_int_equal(answer.end, UPSTREAM_ERROR);
	assert_non_null(strstr(answer.value, "no result of its kind"));
	start("tools/call", "{\"name\":\"t\"}");
	cell_ends(4, POOL_OVERLOADED, "{}");
	assert_int_equal(answer.end, UPSTREAM_ERROR);
	assert_int_equal(answer.status, 503);
}

static void
passes_on_what_a_tool_wants_to_know(void **state)
{
	static const char text[] = "{\"resultType\":\"input_required\","
				   "\"inputRequests\":{\"q\":{}}}";

	(void)state;
	start("tools/call", "{\"name\":\"t\",\"requestState\":\"s\"}");
	assert_non_null(strstr(fake_cells[0].json, "\"requestState\":\"s\""));
	cell_ends(0, POOL_OK, text);
	assert_int_equal(answer.era, MCP_MODERN);
	assert_string_equal(answer.value, text);
}

static void
carries_asks_and_notes(void **state)
{
	static const char ask[] =
	    "{\"method\":\"elicitation/create\",\"params\":{\"message\":1}}";
	static const char note[] = "{\"method\":\"notifications/progress\","
				   "\"params\":{\"progress\":1}}";
	static const char lie[] = "{\"method\":7}";

	(void)state;
	fake_declared = declared;
	fake_clients[0].can = MCP_CAN_ELICIT;
	struct upstream_call *call =
	    fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_settle();
	struct fake_cell *cell = &fake_cells[0];
	cell->ops->note(cell->arg, note, sizeof(note) - 1);
	cell->ops->note(cell->arg, lie, sizeof(lie) - 1);
	cell->ops->note(cell->arg, "{", 1);
	assert_int_equal(answer.n_notes, 1);
	cell->ops->ask(cell->arg, 42, ask, sizeof(ask) - 1);
	cell->ops->ask(cell->arg, 43, lie, sizeof(lie) - 1);
	cell->ops->wait(cell->arg);
	assert_int_equal(answer.n_asks, 1);
	assert_int_equal(answer.n_waits, 1);
	assert_non_null(strstr(cell->answers, "43 {\"error\""));
	assert_int_equal(
	    upstream_call_answer(call, answer.last_ask, true, "{\"c\":1}", 7),
	    0);
	assert_non_null(strstr(cell->answers, "42 {\"error\":{\"c\":1}}"));
	upstream_call_cancel(call, "enough");
	assert_true(cell->is_cancelled);
	cell->ops->note(cell->arg, note, sizeof(note) - 1);
	cell_ends(0, POOL_CANCELLED, "{}");
	assert_false(answer.is_done);
}

static void
says_why_a_bundle_does_not_load(void **state)
{
	(void)state;
	fake_surface_get(0, 0, &told);
	fake_until(&told.is_told);
	assert_non_null(
	    strstr(told.failure, "bundle of server alpha cannot be loaded"));
	fake_declared = "{\"kind\":\"tools\",\"tools\":7}";
	fake_surface_get(0, 0, &told);
	fake_until(&told.is_told);
	assert_non_null(strstr(told.failure, "surface is broken"));
}

/* A response of the cell, in pieces of this size. */
static void
cell_says(unsigned cell, const char *head, const char *body, size_t piece)
{
	struct fake_cell *c = &fake_cells[cell];
	const size_t len = strlen(body);

	c->ops->head(c->arg, head, strlen(head));
	for (size_t at = 0; at < len; at += piece)
		c->ops->chunk(c->arg, (const uint8_t *)body + at,
		    len - at < piece ? len - at : piece);
}

static const char json_head[] =
    "[200,[[\"content-type\",\"application/json\"]]]";
static const char event_head[] =
    "[200,[[\"content-type\",\"text/event-stream\"]]]";

static void
start_worker(bool modern)
{
	fake_declared = "{\"kind\":\"fetch\"}";
	fake_surface_get(0, 0, &told);
	fake_settle();
	assert_non_null(strstr(fake_cells[0].body, "server/discover"));
	if (modern) {
		cell_says(0, json_head,
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{"
		    "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{"
		    "\"tools\":{\"listChanged\":true}}}}",
		    1000);
		cell_ends(0, POOL_OK, NULL);
	} else {
		cell_says(0, "[400,[]]",
		    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":"
		    "-32000,\"message\":\"m\"}}",
		    1000);
		cell_ends(0, POOL_OK, NULL);
		assert_non_null(strstr(fake_cells[1].body, "\"initialize\""));
		cell_says(1, event_head,
		    "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\r\n"
		    "data: \"result\":{\"protocolVersion\":\"2025-03-26\","
		    "\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":"
		    "\"w\",\"version\":\"1\"}}}\r\n\r\n",
		    1);
		cell_ends(1, POOL_OK, NULL);
	}
	const unsigned lists = fake_n_cells - 1;
	assert_non_null(strstr(fake_cells[lists].body, "\"tools/list\""));
	cell_says(lists, json_head,
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":"
	    "\"t\",\"inputSchema\":{\"properties\":{\"r\":{\"type\":\"string\","
	    "\"x-mcp-header\":\"Region\"}}}}]}}",
	    7);
	cell_ends(lists, POOL_OK, NULL);
	assert_true(told.is_told);
	assert_non_null(told.surface);
	fake_n_cells = 0;
}

static void
is_a_client_of_legacy_bundles(void **state)
{
	(void)state;
	start_worker(false);
	fake_call(0, 0, "tools/call",
	    "{\"name\":\"t\",\"_meta\":{\"progressToken\":\"x\"}}", &answer);
	fake_settle();
	assert_non_null(strstr(
	    fake_cells[0].json, "[\"mcp-protocol-version\",\"2025-03-26\"]"));
	assert_null(strstr(fake_cells[0].json, "mcp-method"));
	cell_says(0, event_head,
	    "\xef\xbb\xbf: hello\nid: 1\ndata:\n\n"
	    "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
	    "\"params\":{\"progressToken\":1,\"progress\":1}}\n\n"
	    "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"wrong\":1}}\n\n"
	    "data: not json\n\n"
	    "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"right\":1}}\n\n",
	    3);
	cell_ends(0, POOL_OK, NULL);
	assert_true(answer.is_done);
	assert_string_equal(answer.value, "{\"right\":1}");
	assert_int_equal(answer.n_notes, 1);
}

static void
repeats_in_headers_what_modern_bundles_want(void **state)
{
	(void)state;
	start_worker(true);
	fake_call(0, 0, "tools/call",
	    "{\"name\":\"t\",\"arguments\":{\"r\":\"\\u00e9\"}}", &answer);
	fake_settle();
	const char *head = fake_cells[0].json;
	assert_non_null(
	    strstr(head, "[\"mcp-protocol-version\",\"2026-07-28\"]"));
	assert_non_null(strstr(head, "[\"mcp-method\",\"tools/call\"]"));
	assert_non_null(strstr(head, "[\"mcp-name\",\"t\"]"));
	assert_non_null(
	    strstr(head, "[\"Mcp-Param-Region\",\"=?base64?w6k=?=\"]"));
	assert_non_null(strstr(fake_cells[0].body, MCP_META_VERSION));
	cell_says(0, json_head,
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,"
	    "\"message\":\"m\"}}",
	    1000);
	cell_ends(0, POOL_OK, NULL);
	assert_int_equal(answer.end, UPSTREAM_ERROR);
}

static void
fails_calls_that_ask_where_nobody_can_answer(void **state)
{
	(void)state;
	fake_clients[0].can = MCP_CAN_ELICIT;
	start_worker(false);
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_settle();
	cell_says(0, event_head,
	    "data: {\"jsonrpc\":\"2.0\",\"id\":5,\"method\":"
	    "\"elicitation/create\",\"params\":{}}\n\n",
	    1000);
	assert_true(fake_cells[0].is_cancelled);
	cell_ends(0, POOL_CANCELLED, "{}");
	assert_true(answer.is_done);
	assert_int_equal(answer.end, UPSTREAM_ERROR);
	assert_non_null(strstr(answer.value, "input_required"));
	assert_int_equal(answer.n_asks, 0);
}

static void
says_when_a_bundle_answers_nothing(void **state)
{
	(void)state;
	start_worker(false);
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_settle();
	cell_says(0, "[404,[]]", "not found", 1000);
	cell_ends(0, POOL_OK, NULL);
	assert_non_null(strstr(answer.value, "HTTP 404 without a response"));
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_settle();
	cell_ends(1, POOL_MEMORY, "{\"message\":\"m\"}");
	assert_int_equal(answer.end, UPSTREAM_RESULT);
	assert_non_null(strstr(answer.value, "\"isError\":true"));
}

/* The pool is told nothing of a call whose end it is just telling. */
static void
takes_a_question_for_no_answer(void **state)
{
	(void)state;
	start_worker(false);
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_settle();
	cell_says(0, json_head,
	    "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"elicitation/create\","
	    "\"params\":{}}",
	    1000);
	cell_ends(0, POOL_OK, NULL);
	assert_false(fake_cells[0].is_cancelled);
	assert_true(answer.is_done);
	assert_non_null(strstr(answer.value, "input_required"));
}

static struct upstream_call *to_cancel;

static void
cancel_in_note(void *arg, struct json_span method, struct json_span params)
{
	(void)method;
	(void)params;
	(*(int *)arg)++;
	upstream_call_cancel(to_cancel, "enough");
}

static void
never_done(void *arg, const struct upstream_answer *end)
{
	(void)arg;
	(void)end;
	fail_msg("it was cancelled");
}

static void
survives_a_cancel_in_its_last_words(void **state)
{
	static const struct upstream_call_ops ops = { .note = cancel_in_note,
		.done = never_done };
	const struct upstream_request request = { .method = "tools/call",
		.params = { "{\"name\":\"t\"}", 12 } };
	int n_notes = 0;

	(void)state;
	start_worker(false);
	assert_int_equal(
	    upstream_call_start(&fake_gateway, &fake_servers[0],
		&fake_clients[0], &request, &ops, &n_notes, &to_cancel),
	    0);
	fake_settle();
	cell_says(0, json_head,
	    "[{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
	    "\"params\":{\"progressToken\":1,\"progress\":1}},{\"jsonrpc\":"
	    "\"2.0\",\"id\":1,\"result\":{}}]",
	    1000);
	cell_ends(0, POOL_OK, NULL);
	assert_int_equal(n_notes, 1);
	assert_false(fake_cells[0].is_cancelled);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(calls_a_tool_with_its_context),
		T(refuses_what_the_bundle_does_not_have),
		T(makes_failures_of_tools_tool_errors),
		T(passes_on_what_a_tool_wants_to_know),
		T(carries_asks_and_notes),
		T(says_why_a_bundle_does_not_load),
		T(is_a_client_of_legacy_bundles),
		T(repeats_in_headers_what_modern_bundles_want),
		T(fails_calls_that_ask_where_nobody_can_answer),
		T(says_when_a_bundle_answers_nothing),
		T(takes_a_question_for_no_answer),
		T(survives_a_cancel_in_its_last_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
