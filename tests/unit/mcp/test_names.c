/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "mcp/names.h"

static char joined[MCP_JOINED_MAX + 1];
static struct json_out out;

static struct json_span
span(const char *text)
{
	return (struct json_span){ text, strlen(text) };
}

static const char *
result(const char *method, const char *json)
{
	static char text[4096];

	json_out_init(&out, sizeof(text));
	mcp_result_join(&out, "srv", method, span(json));
	assert_int_equal(json_out_status(&out), 0);
	snprintf(text, sizeof(text), "%.*s", (int)out.len, out.bytes);
	json_out_fini(&out);
	return text;
}

static void
joins_what_can_be_taken_apart_again(void **state)
{
	static const char *const pairs[][2] = { { "a", "b" },
		{ "files", "read_file" }, { "a.b-c", "_x" }, { "a", "b__c" },
		{ "a_b", "c.d-e" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		char server[MCP_SERVER_NAME_MAX];
		const char *name;
		mcp_name_join(pairs[i][0], pairs[i][1], joined);
		assert_true(mcp_name_split(joined, server, &name));
		assert_string_equal(server, pairs[i][0]);
		assert_string_equal(name, pairs[i][1]);
	}
	assert_string_equal(joined, "a_b__c.d-e");
}

static void
never_gives_two_the_same_name(void **state)
{
	/* Each pair would be one name if they were only put together. */
	static const char *const pairs[][2] = { { "a", "b__c" },
		{ "a__b", "c" }, { "a_", "b" }, { "a", "_b" }, { "a", "b c" },
		{ "a", "b_c" }, { "a", "b\tc" }, { "a", "B c" } };
	char names[ARRAY_LEN(pairs)][MCP_JOINED_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		mcp_name_join(pairs[i][0], pairs[i][1], names[i]);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(names[i], names[j]);
	}
}

static void
shortens_by_a_hash(void **state)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"
				      "OPQRSTUVWXYZ0123456789_.-";
	char again[MCP_JOINED_MAX + 1], server[MCP_SERVER_NAME_MAX], name[129];
	const char *rest;

	(void)state;
	memset(name, 'n', 128);
	name[128] = '\0';
	mcp_name_join("server", name, joined);
	assert_int_equal(strlen(joined), MCP_JOINED_MAX);
	assert_int_equal(strspn(joined, allowed), MCP_JOINED_MAX);
	assert_int_equal(strncmp(joined, "server__nnn", 11), 0);
	assert_false(mcp_name_split(joined, server, &rest));
	name[127] = 'm';
	mcp_name_join("server", name, again);
	assert_string_not_equal(joined, again);
	/* A tool cannot take the name that another one's hash makes. */
	mcp_name_join("server", joined + 8, again);
	assert_string_not_equal(joined, again);
	/* Stable: clients keep names. */
	mcp_name_join("a", "b c", joined);
	assert_string_equal(joined, "a__b_c_fa1e0a6ab73453f0cffe");
}

static void
takes_uris_apart(void **state)
{
	static const char *const bad[] = { "\"file:///a\"", "\"cordon:a\"",
		"\"cordon:/a\"", "\"cordon:\"", "\"cordon\"", "7",
		"\"cordon:a\\u0000b/c\"" };
	char server[MCP_SERVER_NAME_MAX];

	(void)state;
	json_out_init(&out, 4096);
	mcp_uri_join(&out, "srv", span("\"file:///a b?c#d\\u00e9\""));
	assert_int_equal(
	    out.len, strlen("\"cordon:srv/file:///a b?c#d\\u00e9\""));
	const struct json_span uri = { out.bytes, out.len };
	struct json_out inner;
	json_out_init(&inner, 4096);
	assert_true(mcp_uri_split(uri, server, &inner));
	assert_string_equal(server, "srv");
	assert_int_equal(inner.len, strlen("\"file:///a b?c#d\xc3\xa9\""));
	json_out_reset(&inner);
	/* Escaped as some clients do. */
	assert_true(
	    mcp_uri_split(span("\"cordon:srv\\/a:\\/\\/b\""), server, &inner));
	assert_int_equal(memcmp(inner.bytes, "\"a://b\"", inner.len), 0);
	json_out_reset(&inner);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(mcp_uri_split(span(bad[i]), server, &inner));
	json_out_fini(&inner);
	json_out_fini(&out);
}

static void
keeps_ui_uris(void **state)
{
	(void)state;
	assert_true(mcp_uri_is_kept(span("\"ui://a/b\"")));
	assert_true(mcp_uri_is_kept(span("\"\\u0075i://a/b\"")));
	assert_false(mcp_uri_is_kept(span("\"uix://a\"")));
	assert_false(mcp_uri_is_kept(span("\"\"")));
	assert_string_equal(
	    result("resources/read", "{\"contents\":[{\"uri\":\"ui://x\"}]}"),
	    "{\"contents\":[{\"uri\":\"ui://x\"}]}");
}

static void
rewrites_results_where_mcp_has_uris(void **state)
{
	(void)state;
	assert_string_equal(
	    result("tools/call",
		"{ \"uri\":\"no\", \"content\" :[{\"type\":\"resource_link\","
		"\"uri\":\"a:b\",\"big\":1e999},{\"type\":\"resource\","
		"\"resource\":{\"text\":\"a:b\",\"uri\":\"c:d\"}},{\"type\":"
		"\"text\",\"uri\":\"no\"}],\"structuredContent\":{\"uri\":"
		"\"no\"}}"),
	    "{ \"uri\":\"no\", \"content\" :[{\"type\":\"resource_link\","
	    "\"uri\":\"cordon:srv/a:b\",\"big\":1e999},{\"type\":\"resource\","
	    "\"resource\":{\"text\":\"a:b\",\"uri\":\"cordon:srv/c:d\"}},{"
	    "\"type\":\"text\",\"uri\":\"no\"}],\"structuredContent\":{"
	    "\"uri\":\"no\"}}");
	assert_string_equal(
	    result("prompts/get",
		"{\"messages\":[{\"content\":{\"type\":\"resource\","
		"\"resource\":{\"uri\":\"a:b\"}}}]}"),
	    "{\"messages\":[{\"content\":{\"type\":\"resource\",\"resource\":{"
	    "\"uri\":\"cordon:srv/a:b\"}}}]}");
	assert_string_equal(result("resources/read",
				"{\"contents\":[{\"uri\":\"a\"},{\"uri\":7}]}"),
	    "{\"contents\":[{\"uri\":\"cordon:srv/a\"},{\"uri\":7}]}");
	assert_string_equal(
	    result("notifications/resources/updated", "{\"uri\":\"a\"}"),
	    "{\"uri\":\"cordon:srv/a\"}");
}

/* Which of two members of a name a client takes is its own matter. */
static void
rewrites_what_stands_twice(void **state)
{
	(void)state;
	assert_string_equal(
	    result("tools/call",
		"{\"content\":[],\"content\":[{\"type\":\"text\",\"type\":"
		"\"resource_link\",\"uri\":\"x\",\"\\u0075ri\":\"cordon:a/"
		"y\"}]}"),
	    "{\"content\":[],\"content\":[{\"type\":\"text\",\"type\":"
	    "\"resource_link\",\"uri\":\"cordon:srv/x\",\"\\u0075ri\":"
	    "\"cordon:srv/cordon:a/y\"}]}");
	assert_string_equal(
	    result("resources/read",
		"{\"contents\":[{\"uri\":\"a\",\"uri\":\"cordon:a/y\"}]}"),
	    "{\"contents\":[{\"uri\":\"cordon:srv/a\",\"uri\":"
	    "\"cordon:srv/cordon:a/y\"}]}");
}

static void
rewrites_however_many(void **state)
{
	static const char one[] =
	    "{\"type\":\"resource_link\",\"uri\":\"cordon:a/y\"},";
	struct json_out in, whole;
	size_t n = 0;

	(void)state;
	json_out_init(&in, 1 << 20);
	json_out_init(&whole, 1 << 20);
	json_out_text(&in, "{\"content\":[");
	for (int i = 0; i < 10000; i++)
		json_out_text(&in, one);
	json_out_text(&in, "{}]}");
	mcp_result_join(&whole, "srv", "tools/call",
	    (struct json_span){ in.bytes, in.len });
	json_out_raw(&whole, "", 1);
	assert_int_equal(json_out_status(&whole), 0);
	for (const char *at = whole.bytes;
	     (at = strstr(at, "\"cordon:srv/cordon:a/y\"")) != NULL; at++)
		n++;
	assert_int_equal(n, 10000);
	json_out_fini(&in);
	json_out_fini(&whole);
}

static void
rewrites_task_ids(void **state)
{
	(void)state;
	assert_string_equal(
	    result("tools/call", "{\"task\":{\"taskId\":\"1\"}}"),
	    "{\"task\":{\"taskId\":\"cordon:srv/1\"}}");
	assert_string_equal(result("tasks/get", "{\"taskId\":\"1\"}"),
	    "{\"taskId\":\"cordon:srv/1\"}");
	assert_string_equal(
	    result("tools/call", "{\"taskId\":\"1\"}"), "{\"taskId\":\"1\"}");
	assert_string_equal(
	    result("notifications/message",
		"{\"_meta\":{\"io.modelcontextprotocol/related-task\":{"
		"\"taskId\":\"1\"}}}"),
	    "{\"_meta\":{\"io.modelcontextprotocol/related-task\":{"
	    "\"taskId\":\"cordon:srv/1\"}}}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_what_can_be_taken_apart_again),
		cmocka_unit_test(never_gives_two_the_same_name),
		cmocka_unit_test(shortens_by_a_hash),
		cmocka_unit_test(takes_uris_apart),
		cmocka_unit_test(keeps_ui_uris),
		cmocka_unit_test(rewrites_results_where_mcp_has_uris),
		cmocka_unit_test(rewrites_what_stands_twice),
		cmocka_unit_test(rewrites_however_many),
		cmocka_unit_test(rewrites_task_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
