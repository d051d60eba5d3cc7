/* SPDX-License-Identifier: Apache-2.0 */
#include "behind_fake.h"

#include "gateway/behind/behind.h"

#include <errno.h>
#include <sys/socket.h>

static struct fake_answer answer, other;
static struct fake_surface told;

static const char tool[] = "{\"name\":\"t\",\"inputSchema\":{}}";

static int
set_up(void **state)
{
	(void)state;
	fake_start(WIRE_KIND_SOCKET);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fake_stop();
	return 0;
}

/* A legacy server with one tool, captured by client 0. */
static void
start_legacy(void)
{
	fake_surface_get(0, 0, &told);
	fake_greet(0, "{\"tools\":{\"listChanged\":true},\"logging\":{}}");
	fake_serve_tools(0, tool);
	fake_until(&told.is_told);
	assert_non_null(told.surface);
}

static uint64_t
id_of(const char *request)
{
	const char *id = strstr(request, "\"id\":");

	assert_non_null(id);
	return strtoull(id + 5, NULL, 10);
}

static void
says(unsigned link, const char *format, unsigned long long id)
{
	char text[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), format, id);
#pragma GCC diagnostic pop
	fake_write(link, text);
}

static void
finds_the_legacy_era_and_the_lists(void **state)
{
	(void)state;
	fake_surface_get(0, 0, &told);
	fake_greet(0, "{\"tools\":{},\"resources\":{}}");
	const char *request = fake_read(0);
	assert_non_null(strstr(request, "\"tools/list\""));
	fake_reply(0, request,
	    "\"result\":{\"tools\":[{\"name\":\"a\",\"inputSchema\":{}}],"
	    "\"nextCursor\":\"x\\ny\"}");
	request = fake_read(0);
	assert_non_null(strstr(request, "\"params\":{\"cursor\":\"x\\ny\"}"));
	fake_reply(0, request,
	    "\"result\":{\"tools\":[{\"name\":\"b\",\"inputSchema\":{},"
	    "\"big\":123456789012345678901234567890}]}");
	fake_reply(0, fake_read(0),
	    "\"result\":{\"resources\":[{\"uri\":\"a:b\",\"name\":\"n\"}]}");
	/* Many have no templates, whatever they say. */
	fake_reply(
	    0, fake_read(0), "\"error\":{\"code\":-32601,\"message\":\"\"}");
	fake_until(&told.is_told);
	assert_non_null(told.surface);
	assert_int_equal(told.surface->era, MCP_LEGACY);
	assert_int_equal(told.surface->lists[MCP_TOOLS].n, 2);
	assert_int_equal(told.surface->lists[MCP_RESOURCES].n, 1);
	assert_int_equal(fake_n_kept, 1);
	assert_ptr_equal(
	    upstream_surface_known(&fake_servers[0]), told.surface);
}

static void
speaks_to_modern_servers_as_they_are(void **state)
{
	(void)state;
	fake_surface_get(0, 0, &told);
	const char *request = fake_read(0);
	assert_non_null(strstr(request, "\"server/discover\""));
	assert_non_null(strstr(request, MCP_META_VERSION));
	fake_reply(0, request,
	    "\"result\":{\"resultType\":\"complete\",\"supportedVersions\":["
	    "\"2026-07-28\"],\"capabilities\":{\"tools\":{}},\"_meta\":{"
	    "\"io.modelcontextprotocol/serverInfo\":{\"name\":\"m\","
	    "\"version\":\"2\"}}}");
	assert_non_null(strstr(fake_read(0), "\"subscriptions/listen\""));
	fake_serve_tools(0, tool);
	fake_until(&told.is_told);
	assert_int_equal(told.surface->era, MCP_MODERN);

	fake_call(0, 0, "tools/call", "{\"name\":\"t\",\"_meta\":{\"x\":1}}",
	    &answer);
	request = fake_read(0);
	assert_non_null(strstr(request, MCP_META_CAPABILITIES));
	assert_non_null(strstr(request, "\"x\":1"));
	fake_reply(0, request,
	    "\"result\":{\"resultType\":\"input_required\","
	    "\"requestState\":\"s\"}");
	fake_until(&answer.is_done);
	assert_int_equal(answer.era, MCP_MODERN);
	assert_non_null(strstr(answer.value, "input_required"));
}

static void
opens_anew_for_one_that_leaves_at_the_probe(void **state)
{
	(void)state;
	fake_surface_get(0, 0, &told);
	assert_non_null(strstr(fake_read(0), "\"server/discover\""));
	shutdown(fake_links[0], SHUT_RDWR);
	const char *request = fake_read(1);
	assert_non_null(strstr(request, "\"initialize\""));
	fake_reply(1, request,
	    "\"result\":{\"protocolVersion\":\"2024-11-05\",\"capabilities\":"
	    "{},\"serverInfo\":{\"name\":\"f\",\"version\":\"1\"}}");
	fake_until(&told.is_told);
	assert_non_null(told.surface);
	assert_string_equal(told.surface->version, "2024-11-05");
}

static void
passes_a_result_byte_for_byte(void **state)
{
	(void)state;
	start_legacy();
	fake_call(0, 0, "tools/call",
	    "{\"name\":\"t\",\"arguments\":{\"n\":1e400,\"s\":\"\\u00e9\"},"
	    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-"
	    "28\",\"traceparent\":\"00-1\"}}",
	    &answer);
	const char *request = fake_read(0);
	assert_non_null(
	    strstr(request, "\"arguments\":{\"n\":1e400,\"s\":\"\\u00e9\"}"));
	assert_non_null(
	    strstr(request, "\"_meta\":{\"traceparent\":\"00-1\"}"));
	fake_reply(0, request,
	    "\"result\":{ \"content\":[],\"z\":12345678901234567890123}");
	fake_until(&answer.is_done);
	assert_int_equal(answer.end, UPSTREAM_RESULT);
	assert_string_equal(
	    answer.value, "{ \"content\":[],\"z\":12345678901234567890123}");
}

static void
passes_errors_on(void **state)
{
	(void)state;
	start_legacy();
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_reply(0, fake_read(0),
	    "\"error\":{\"code\":-32042,\"message\":\"m\",\"data\":{\"u\":1}}");
	fake_until(&answer.is_done);
	assert_int_equal(answer.end, UPSTREAM_ERROR);
	assert_string_equal(answer.value,
	    "{\"code\":-32042,\"message\":\"m\",\"data\":{\"u\":1}}");
	/* What is neither is made one that says so. */
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_reply(0, fake_read(0), "\"result\":7");
	fake_until(&answer.is_done);
	assert_int_equal(answer.end, UPSTREAM_ERROR);
	assert_non_null(strstr(answer.value, "answer is broken"));
}

static void
keeps_answers_of_two_calls_apart(void **state)
{
	char reply[128];

	(void)state;
	start_legacy();
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &other);
	const uint64_t first = id_of(fake_read(0));
	const uint64_t second = id_of(fake_read(0));
	assert_true(first != second);
	/* Not the id, but like it. */
	says(0, "{\"jsonrpc\":\"2.0\",\"id\":\"%llu\",\"result\":{}}", second);
	says(0, "{\"jsonrpc\":\"2.0\",\"id\":%llu.0,\"result\":{}}", second);
	says(0, "{\"jsonrpc\":\"2.0\",\"id\":0%llu,\"result\":{}}", second);
	assert_false(answer.is_done || other.is_done);
	snprintf(reply, sizeof(reply),
	    "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"n\":2}}",
	    (unsigned long long)second);
	fake_write(0, reply);
	fake_until(&other.is_done);
	assert_false(answer.is_done);
	assert_string_equal(other.value, "{\"n\":2}");
	/* Once more, for whom nobody waits. */
	fake_write(0, reply);
	assert_false(answer.is_done);
	says(
	    0, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"n\":1}}", first);
	fake_until(&answer.is_done);
	assert_string_equal(answer.value, "{\"n\":1}");
}

static void
ends_a_link_that_answers_nothing_at_length(void **state)
{
	(void)state;
	start_legacy();
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_read(0);
	for (unsigned long long i = 0; i < 300 && !answer.is_done; i++)
		if (upstream_links(&fake_servers[0]) > 0)
			says(0,
			    "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{}}",
			    1000000 + i);
	fake_until(&answer.is_done);
	assert_non_null(strstr(answer.value, "answer nothing"));
	assert_int_equal(upstream_links(&fake_servers[0]), 0);
}

static void
never_shares_a_link_between_principals(void **state)
{
	(void)state;
	start_legacy();
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_read(0);
	fake_call(0, 1, "tools/call", "{\"name\":\"t\"}", &other);
	fake_greet(1, "{\"tools\":{}}");
	const char *request = fake_read(1);
	assert_non_null(strstr(request, "\"tools/call\""));
	/* The ids of the one are nothing on the link of the other. */
	says(0, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"stolen\":1}}",
	    id_of(request) + 1000);
	fake_reply(1, request, "\"result\":{\"mine\":1}");
	fake_until(&other.is_done);
	assert_string_equal(other.value, "{\"mine\":1}");
	assert_false(answer.is_done);
	assert_int_equal(upstream_links(&fake_servers[0]), 2);
}

static void
shares_by_session_where_told_so(void **state)
{
	(void)state;
	fake_servers[0].record.launch.share = WIRE_SHARE_SESSION;
	start_legacy();
	fake_clients[1].principal = fake_clients[0].principal;
	fake_call(0, 1, "tools/call", "{\"name\":\"t\"}", &other);
	fake_greet(1, "{\"tools\":{}}");
	fake_reply(1, fake_read(1), "\"result\":{}");
	fake_until(&other.is_done);
	assert_int_equal(upstream_links(&fake_servers[0]), 2);
	upstream_session_end(&fake_gateway, fake_clients[1].session);
	assert_int_equal(upstream_links(&fake_servers[0]), 1);
}

static void
declares_what_the_caller_has_and_asks_that(void **state)
{
	(void)state;
	start_legacy();
	fake_clients[0].can = MCP_CAN_ELICIT;
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	const char *request = fake_read(1); /* another link: it can more */
	assert_non_null(strstr(
	    request, "\"capabilities\":{\"elicitation\":{\"form\":{}}}"));
	fake_reply(1, request,
	    "\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":"
	    "{\"tools\":{}},\"serverInfo\":{\"name\":\"f\",\"version\":\"1\"}"
	    "}");
	fake_read(1);
	char call[8192];
	strcpy(call, fake_read(1));
	fake_write(1,
	    "{\"jsonrpc\":\"2.0\",\"id\":\"ask-1\",\"method\":"
	    "\"elicitation/create\",\"params\":{\"message\":\"?\"}}");
	assert_int_equal(answer.n_asks, 1);
	fake_until(&answer.has_waited);
	assert_int_equal(answer.n_waits, 1);
	/* Not declared: refused, without a word to the client. */
	fake_write(
	    1, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"roots/list\"}");
	assert_non_null(strstr(fake_read(1), "\"id\":2,\"error\""));
	assert_int_equal(answer.n_asks, 1);
	fake_write(1, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}");
	assert_non_null(strstr(fake_read(1), "\"id\":3,\"result\":{}"));
	fake_reply(1, call, "\"result\":{}");
	fake_until(&answer.is_done);
}

static void
carries_the_answer_of_an_ask(void **state)
{
	(void)state;
	fake_clients[0].can = MCP_CAN_SAMPLE;
	start_legacy();
	struct upstream_call *call =
	    fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_read(0);
	fake_write(0,
	    "{\"jsonrpc\":\"2.0\",\"id\":\"q\\u0041\",\"method\":"
	    "\"sampling/createMessage\",\"params\":{}}");
	assert_int_equal(answer.n_asks, 1);
	assert_int_equal(
	    upstream_call_answer(call, answer.last_ask + 1, false, "{}", 2),
	    -ENOENT);
	assert_int_equal(
	    upstream_call_answer(call, answer.last_ask, false, "{\"r\":1}", 7),
	    0);
	assert_string_equal(fake_read(0),
	    "{\"jsonrpc\":\"2.0\",\"id\":\"q\\u0041\",\"result\":{\"r\":1}}");
	assert_int_equal(
	    upstream_call_answer(call, answer.last_ask, false, "{}", 2),
	    -ENOENT);
	upstream_call_cancel(call, "enough");
	assert_non_null(strstr(fake_read(0), "\"notifications/cancelled\""));
}

static void
refuses_asks_that_could_be_for_two(void **state)
{
	(void)state;
	fake_clients[0].can = MCP_CAN_ELICIT;
	start_legacy();
	fake_write(0,
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\"}");
	assert_non_null(strstr(fake_read(0), "cannot be told which client"));
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &other);
	fake_read(0);
	fake_read(0);
	fake_write(0,
	    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"elicitation/create\"}");
	assert_non_null(strstr(fake_read(0), "cannot be told which client"));
	assert_int_equal(answer.n_asks + other.n_asks, 0);
	/* A log message is told the principal, not a call. */
	fake_write(0,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\","
	    "\"params\":{\"data\":1}}");
	assert_string_equal(fake_log, "0 {\"data\":1}\n");
	assert_int_equal(answer.n_notes + other.n_notes, 0);
}

static const char elicit[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\"}";

static void
asks_past_a_call_of_the_same_client_that_waits(void **state)
{
	(void)state;
	fake_clients[0].can = MCP_CAN_ELICIT;
	start_legacy();
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_read(0);
	fake_write(0, elicit);
	fake_write(0, elicit); /* it may ask two things at once */
	assert_int_equal(answer.n_asks, 2);
	fake_until(&answer.has_waited);
	assert_int_equal(answer.n_waits, 1);
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &other);
	fake_read(0);
	fake_write(0, elicit);
	assert_int_equal(other.n_asks, 1);
	fake_until(&other.has_waited);
	/* Both wait now: whose the next one is, nobody can tell. */
	fake_write(0, elicit);
	assert_non_null(strstr(fake_read(0), "cannot be told which client"));
	assert_int_equal(answer.n_asks + other.n_asks, 3);
}

static void
never_asks_past_a_call_of_another_client(void **state)
{
	(void)state;
	fake_clients[0].can = fake_clients[1].can = MCP_CAN_ELICIT;
	fake_clients[1].principal = fake_clients[0].principal;
	start_legacy();
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_read(0);
	fake_write(0, elicit);
	assert_int_equal(answer.n_asks, 1);
	fake_call(0, 1, "tools/call", "{\"name\":\"t\"}", &other);
	fake_read(0);
	fake_write(0, elicit);
	assert_non_null(strstr(fake_read(0), "cannot be told which client"));
	assert_int_equal(answer.n_asks + other.n_asks, 1);
}

static void
asks_nobody_what_a_cancelled_call_of_another_may_want(void **state)
{
	(void)state;
	fake_servers[0].record.launch.share = WIRE_SHARE_ALL;
	fake_clients[0].can = fake_clients[1].can = MCP_CAN_ELICIT;
	start_legacy();
	struct upstream_call *call =
	    fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_read(0);
	upstream_call_cancel(call, "enough");
	assert_non_null(strstr(fake_read(0), "notifications/cancelled"));
	fake_call(0, 1, "tools/call", "{\"name\":\"t\"}", &other);
	fake_read(0);
	fake_write(0, elicit);
	assert_non_null(strstr(fake_read(0), "cannot be told which client"));
	fake_write(0,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\","
	    "\"params\":{}}");
	assert_int_equal(other.n_asks + other.n_notes, 0);
}

static void
tells_nobody_of_logs_on_a_link_of_all(void **state)
{
	(void)state;
	fake_servers[0].record.launch.share = WIRE_SHARE_ALL;
	start_legacy();
	fake_write(0,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\","
	    "\"params\":{}}");
	assert_string_equal(fake_log, "-1 {}\n");
}

static void
bounds_logs_of_no_call(void **state)
{
	size_t n = 0;

	(void)state;
	start_legacy();
	for (int i = 0; i < 2000; i++)
		fake_write(0,
		    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\","
		    "\"params\":{}}");
	for (const char *at = fake_log; *at != '\0'; at++)
		n += *at == '\n';
	/* Within two seconds at most, were the clock's turn in between. */
	assert_in_range(n, 200, 400);
}

static void
gives_progress_to_the_call_that_it_is_of(void **state)
{
	char token[32];

	(void)state;
	start_legacy();
	fake_call(0, 0, "tools/call",
	    "{\"name\":\"t\",\"_meta\":{\"progressToken\":\"mine\"}}", &answer);
	fake_call(0, 0, "tools/call",
	    "{\"name\":\"t\",\"_meta\":{\"progressToken\":\"mine\"}}", &other);
	const uint64_t first = id_of(fake_read(0));
	const char *request = fake_read(0);
	const uint64_t second = id_of(request);
	snprintf(token, sizeof(token), "\"progressToken\":%llu",
	    (unsigned long long)second);
	assert_non_null(strstr(request, token));
	assert_null(strstr(request, "mine"));
	says(0,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
	    "\"params\":{\"progressToken\":%llu,\"progress\":1}}",
	    second);
	says(0,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
	    "\"params\":{\"progressToken\":\"%llu\",\"progress\":1}}",
	    first);
	assert_int_equal(other.n_notes, 1);
	assert_int_equal(answer.n_notes, 0);
}

static void
bounds_a_call_however_much_progress_it_tells_of(void **state)
{
	struct upstream_call *call;

	(void)state;
	fake_servers[0].record.launch.limits.wall_ns = UINT64_C(60000000000);
	start_legacy();
	call = fake_call(0, 0, "tools/call",
	    "{\"name\":\"t\",\"_meta\":{\"progressToken\":1}}", &answer);
	const uint64_t id = id_of(fake_read(0));
	static const char progress[] =
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
	    "\"params\":{\"progressToken\":%llu,\"progress\":1}}";
	says(0, progress, id);
	assert_int_equal(answer.n_notes, 1);
	assert_false(answer.is_done);
	call->sent_ms -= 3600u * 1000u; /* an hour has passed */
	says(0, progress, id);
	fake_until(&answer.is_done);
	assert_non_null(strstr(answer.value, "within 3600 s"));
}

static void
bounds_a_flood_of_notifications(void **state)
{
	(void)state;
	start_legacy();
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	const char *request = fake_read(0);
	char call[4096];
	strcpy(call, request);
	for (int i = 0; i < 10500; i++)
		fake_write(0,
		    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\","
		    "\"params\":{}}");
	assert_int_equal(answer.n_notes, 10000);
	fake_reply(0, call, "\"result\":{}");
	fake_until(&answer.is_done);
}

static void
cancels_ahead_of_what_is_queued(void **state)
{
	(void)state;
	start_legacy();
	struct upstream_call *call =
	    fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	const uint64_t id = id_of(fake_read(0));
	upstream_call_cancel(call, "the client left");
	const char *cancelled = fake_read(0);
	assert_non_null(strstr(cancelled, "\"notifications/cancelled\""));
	assert_non_null(strstr(cancelled, "\"reason\":\"the client left\""));
	says(0, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{}}", id);
	assert_false(answer.is_done); /* and nothing was harmed */
	assert_int_equal(upstream_links(&fake_servers[0]), 1);
}

static void
says_that_the_server_ended(void **state)
{
	(void)state;
	start_legacy();
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_read(0);
	shutdown(fake_links[0], SHUT_RDWR);
	fake_until(&answer.is_done);
	assert_int_equal(answer.end, UPSTREAM_ERROR);
	assert_non_null(
	    strstr(answer.value, "ended in the middle of the call"));
	/* The next one finds it again; its lists are asked for anew. */
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_greet(1, "{\"tools\":{}}");
	fake_reply(1, fake_read(1), "\"result\":{\"again\":1}");
	fake_until(&answer.is_done);
	assert_string_equal(answer.value, "{\"again\":1}");
	fake_serve_tools(1, "{\"name\":\"new\",\"inputSchema\":{}}");
	fake_settle();
	assert_int_equal(fake_changed, UPSTREAM_TOOLS);
}

static void
waits_longer_before_each_start_of_one_that_dies(void **state)
{
	(void)state;
	fake_link_failure = "it is not there";
	for (int i = 0; i < 2; i++) {
		fake_surface_get(0, 0, &told);
		fake_until(&told.is_told);
		assert_null(told.surface);
		assert_non_null(strstr(told.failure, "it is not there"));
	}
	fake_surface_get(0, 0, &told);
	fake_until(&told.is_told);
	assert_non_null(strstr(told.failure, "soon after its start"));
	assert_int_equal(upstream_links(&fake_servers[0]), 0);
}

static void
refuses_a_line_beyond_the_limit(void **state)
{
	static char text[1 << 16];
	size_t sent = 0;

	(void)state;
	start_legacy();
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_read(0);
	memset(text, 'x', sizeof(text));
	while (!answer.is_done && sent < 64u << 20) {
		const ssize_t n = send(fake_links[0], text, sizeof(text),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		fake_settle();
	}
	assert_true(answer.is_done);
	assert_true(sent < 4u << 20);
	assert_non_null(strstr(answer.value, "1048576 bytes"));
}

static void
refuses_cursors_that_come_again(void **state)
{
	(void)state;
	fake_surface_get(0, 0, &told);
	fake_greet(0, "{\"tools\":{}}");
	for (int i = 0; i < 2; i++)
		fake_reply(0, fake_read(0),
		    "\"result\":{\"tools\":[],\"nextCursor\":\"c\"}");
	fake_until(&told.is_told);
	assert_null(told.surface);
	assert_non_null(strstr(told.failure, "never ends"));
}

static void
asks_again_once_for_many_changes(void **state)
{
	(void)state;
	start_legacy();
	for (int i = 0; i < 100; i++)
		fake_write(0,
		    "{\"jsonrpc\":\"2.0\",\"method\":"
		    "\"notifications/tools/list_changed\"}");
	fake_serve_tools(0, "{\"name\":\"u\",\"inputSchema\":{}}");
	fake_settle();
	assert_int_equal(fake_n_changed, 1);
	assert_int_equal(fake_changed, UPSTREAM_TOOLS);
	assert_true(fake_read_nothing(0));
	assert_non_null(mcp_surface_find(
	    upstream_surface_known(&fake_servers[0]), MCP_TOOLS, "u"));
}

static void
subscribes_and_hears_of_updates(void **state)
{
	static const char uri[] = "\"a:b\"";
	const struct json_span span = { uri, sizeof(uri) - 1 };

	(void)state;
	start_legacy();
	upstream_subscribe(
	    &fake_gateway, &fake_servers[0], &fake_clients[0], span, true);
	const char *request = fake_read(0);
	assert_non_null(strstr(request, "\"resources/subscribe\""));
	assert_non_null(strstr(request, "{\"uri\":\"a:b\"}"));
	fake_reply(0, request, "\"result\":{}");
	fake_write(0,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/"
	    "updated\",\"params\":{\"uri\":\"a:b\",\"of\":\"another\"}}");
	/* It goes to others as well: of this client's things, nothing. */
	assert_string_equal(fake_updated, "\"a:b\" {\"uri\":\"a:b\"}");
	upstream_subscribe(
	    &fake_gateway, &fake_servers[0], &fake_clients[0], span, false);
	assert_non_null(strstr(fake_read(0), "\"resources/unsubscribe\""));
}

static void
subscribes_again_after_the_server_came_back(void **state)
{
	static const char uri[] = "\"a:b\"";
	const struct json_span span = { uri, sizeof(uri) - 1 };

	(void)state;
	start_legacy();
	upstream_subscribe(
	    &fake_gateway, &fake_servers[0], &fake_clients[0], span, true);
	fake_reply(0, fake_read(0), "\"result\":{}");
	shutdown(fake_links[0], SHUT_RDWR);
	fake_greet(1, "{\"tools\":{}}");
	assert_non_null(strstr(fake_read(1), "\"resources/subscribe\""));
	assert_int_equal(upstream_links(&fake_servers[0]), 1);
}

/* Leaves after this many messages were answered. */
static void
leaves_after(unsigned n)
{
	fake_surface_get(0, 0, &told);
	const unsigned first = fake_n_links;
	for (unsigned i = 0; i < n; i++) {
		const char *request = fake_read(first);
		if (strstr(request, "\"initialize\"") != NULL)
			fake_reply(first, request,
			    "\"result\":{\"protocolVersion\":\"2025-11-25\","
			    "\"capabilities\":{\"tools\":{},\"prompts\":{}},"
			    "\"serverInfo\":{\"name\":\"f\",\"version\":"
			    "\"1\"}}");
		else if (strstr(request, "\"tools/list\"") != NULL)
			fake_reply(first, request, "\"result\":{\"tools\":[]}");
		else if (strstr(request, "\"id\"") != NULL)
			fake_reply(first, request,
			    "\"error\":{\"code\":-32601,\"message\":\"\"}");
	}
	shutdown(fake_links[first], SHUT_RDWR);
	fake_settle();
}

static void
fails_clearly_wherever_the_server_leaves(void **state)
{
	(void)state;
	/* 1: the probe answered; 2: initialize; 4: the tools. */
	for (unsigned n = 1; n < 5; n++) {
		leaves_after(n);
		fake_until(&told.is_told);
		assert_null(told.surface);
		assert_non_null(strstr(told.failure, "the server ended"));
		assert_int_equal(upstream_links(&fake_servers[0]), 0);
		upstream_restart(&fake_gateway, &fake_servers[0]);
		assert_int_equal(fake_n_lost, n);
		fake_servers[0].upstream->verdict = VERDICT_NONE;
	}
}

static void
passes_over_what_is_no_message(void **state)
{
	static char deep[2048];

	(void)state;
	start_legacy();
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	char call[4096];
	strcpy(call, fake_read(0));
	memset(deep, '[', 1000);
	fake_write(0, deep);
	fake_write(0, "Server is running on stdio");
	fake_write(0, "{\"jsonrpc\":\"2.0\",\"result\":{}}");
	fake_write(0, "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}");
	fake_write(0, "{\"id\":1,\"result\":{}}");
	fake_write(0, "\xff\xfe");
	fake_write(0, "[]");
	assert_false(answer.is_done);
	fake_reply(0, call, "\"result\":{\"ok\":1}");
	fake_until(&answer.is_done);
	assert_string_equal(answer.value, "{\"ok\":1}");
}

static void
survives_being_forgotten_in_the_middle(void **state)
{
	(void)state;
	start_legacy();
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_read(0);
	upstream_forget(&fake_gateway, &fake_servers[0]);
	assert_null(fake_servers[0].upstream);
	assert_false(answer.is_done);
	fake_until(&answer.is_done);
	assert_non_null(strstr(answer.value, "changed or removed"));
}

/* A tools/call with an argument of `len` bytes; the caller frees it. */
static char *
long_params(size_t len)
{
	static const char before[] = "{\"name\":\"t\",\"arguments\":{\"x\":\"";
	char *params = malloc(sizeof(before) + len + 4);

	assert_non_null(params);
	strcpy(params, before);
	memset(params + sizeof(before) - 1, 'x', len);
	strcpy(params + sizeof(before) - 1 + len, "\"}}");
	return params;
}

/* Who has read the id of a request may answer it, and read the rest later. */
static void
takes_an_answer_to_what_is_half_read(void **state)
{
	char head[4096] = "";
	size_t n_ends = 0;

	(void)state;
	start_legacy();
	char *params = long_params(4 << 20);
	fake_call(0, 0, "tools/call", params, &answer);
	free(params);
	fake_settle();
	assert_true(read(fake_links[0], head, sizeof(head) - 1) > 0);
	says(0, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"early\":1}}",
	    id_of(head));
	fake_until(&answer.is_done);
	assert_string_equal(answer.value, "{\"early\":1}");
	while (n_ends == 0) {
		fake_settle();
		const ssize_t n = read(fake_links[0], head, sizeof(head));
		assert_true(n > 0);
		n_ends = memchr(head, '\n', (size_t)n) != NULL;
	}
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_reply(0, fake_read(0), "\"result\":{\"ok\":1}");
	fake_until(&answer.is_done);
	assert_string_equal(answer.value, "{\"ok\":1}");
}

static void
queues_nothing_behind_what_is_too_long(void **state)
{
	(void)state;
	start_legacy();
	char *params = long_params(20 << 20);
	fake_call(0, 0, "tools/call", params, &answer);
	free(params);
	fake_settle();
	assert_false(answer.is_done);
	fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &other);
	fake_until(&other.is_done);
	assert_int_equal(other.status, 503);
	assert_non_null(strstr(other.value, "does not read"));
}

/* A link that a capture gave up waiting for is nothing to the next one. */
static void
begins_a_capture_once(void **state)
{
	static struct fake_surface late;

	(void)state;
	fake_surface_get(0, 0, &late);
	fake_settle();
	capture_refuse(fake_servers[0].upstream->capture, "too slow");
	assert_true(late.is_told);
	fake_surface_get(0, 1, &told);
	fake_greet(0, "{\"tools\":{}}");
	fake_settle();
	fake_greet(1, "{\"tools\":{}}");
	fake_serve_tools(1, tool);
	fake_until(&told.is_told);
	assert_non_null(told.surface);
	assert_int_equal(told.surface->lists[MCP_TOOLS].n, 1);
	assert_true(fake_read_nothing(1));
}

/* After a restart of the host: a list starts nothing, a call does, and then it
 * is asked whether it still offers what it did. */
static void
knows_what_it_offered_before_it_is_started(void **state)
{
	static const char known[] =
	    "{\"protocolVersion\":\"2025-06-18\",\"serverInfo\":{\"name\":"
	    "\"n\",\"version\":\"1\"},\"capabilities\":{\"tools\":{}},"
	    "\"tools\":[{\"name\":\"old\",\"inputSchema\":{}}],\"prompts\":[],"
	    "\"resources\":[],\"resourceTemplates\":[]}";

	(void)state;
	upstream_surface_recall(
	    &fake_gateway, &fake_servers[0], "{}", strlen("{}"));
	assert_null(upstream_surface_known(&fake_servers[0]));
	upstream_surface_recall(
	    &fake_gateway, &fake_servers[0], known, strlen(known));
	fake_surface_get(0, 0, &told);
	assert_true(told.is_told);
	assert_non_null(mcp_surface_find(told.surface, MCP_TOOLS, "old"));
	fake_settle();
	assert_int_equal(fake_n_links, 0);
	assert_int_equal(fake_n_kept, 0);

	fake_call(0, 0, "tools/call", "{\"name\":\"old\"}", &answer);
	fake_greet(0, "{\"tools\":{}}");
	fake_reply(0, fake_read(0), "\"result\":{\"content\":[]}");
	fake_until(&answer.is_done);
	fake_serve_tools(0, tool);
	fake_settle();
	assert_int_equal(fake_n_kept, 1);
	assert_int_equal(fake_changed, UPSTREAM_TOOLS);
	assert_null(mcp_surface_find(
	    upstream_surface_known(&fake_servers[0]), MCP_TOOLS, "old"));

	/* What it says itself counts, whatever the store says later. */
	upstream_surface_recall(
	    &fake_gateway, &fake_servers[0], known, strlen(known));
	assert_null(mcp_surface_find(
	    upstream_surface_known(&fake_servers[0]), MCP_TOOLS, "old"));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(finds_the_legacy_era_and_the_lists),
		T(speaks_to_modern_servers_as_they_are),
		T(opens_anew_for_one_that_leaves_at_the_probe),
		T(passes_a_result_byte_for_byte),
		T(passes_errors_on),
		T(keeps_answers_of_two_calls_apart),
		T(ends_a_link_that_answers_nothing_at_length),
		T(never_shares_a_link_between_principals),
		T(shares_by_session_where_told_so),
		T(declares_what_the_caller_has_and_asks_that),
		T(carries_the_answer_of_an_ask),
		T(refuses_asks_that_could_be_for_two),
		T(asks_past_a_call_of_the_same_client_that_waits),
		T(never_asks_past_a_call_of_another_client),
		T(asks_nobody_what_a_cancelled_call_of_another_may_want),
		T(tells_nobody_of_logs_on_a_link_of_all),
		T(bounds_logs_of_no_call),
		T(gives_progress_to_the_call_that_it_is_of),
		T(bounds_a_call_however_much_progress_it_tells_of),
		T(bounds_a_flood_of_notifications),
		T(cancels_ahead_of_what_is_queued),
		T(says_that_the_server_ended),
		T(waits_longer_before_each_start_of_one_that_dies),
		T(refuses_a_line_beyond_the_limit),
		T(refuses_cursors_that_come_again),
		T(asks_again_once_for_many_changes),
		T(subscribes_and_hears_of_updates),
		T(subscribes_again_after_the_server_came_back),
		T(fails_clearly_wherever_the_server_leaves),
		T(passes_over_what_is_no_message),
		T(survives_being_forgotten_in_the_middle),
		T(takes_an_answer_to_what_is_half_read),
		T(queues_nothing_behind_what_is_too_long),
		T(begins_a_capture_once),
		T(knows_what_it_offered_before_it_is_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
