/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "mcp/version.h"

#define META                                                                   \
	"\"_meta\":{\"" MCP_META_VERSION "\":\"2026-07-28\","                  \
	"\"" MCP_META_CAPABILITIES "\":{}}"
#define REQUEST(method, params)                                                \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\","             \
	"\"params\":{" params "}}"

struct row {
	const char *text;
	struct mcp_headers headers;
	enum mcp_era era;
	int code; /* 0: let in */
};

static const struct row rows[] = {
	/* Legacy: no header, a known one, an unknown one. */
	{ REQUEST("tools/list", ""), { NULL, NULL, NULL }, MCP_LEGACY, 0 },
	{ REQUEST("ping", ""), { "2024-11-05", NULL, NULL }, MCP_LEGACY, 0 },
	{ REQUEST("ping", ""), { "2025-11-25", NULL, NULL }, MCP_LEGACY, 0 },
	{ REQUEST("ping", "\"_meta\":7"), { NULL, NULL, NULL }, MCP_LEGACY, 0 },
	{ REQUEST("ping", ""), { "2025-11-26", NULL, NULL }, MCP_LEGACY,
	    MCP_UNSUPPORTED_VERSION },
	{ REQUEST("ping", ""), { "", NULL, NULL }, MCP_LEGACY,
	    MCP_UNSUPPORTED_VERSION },
	/* Modern, as it should be. */
	{ REQUEST("tools/list", META), { "2026-07-28", "tools/list", NULL },
	    MCP_MODERN, 0 },
	{ REQUEST("tools/call", "\"name\":\"a\"," META),
	    { "2026-07-28", "tools/call", "a" }, MCP_MODERN, 0 },
	{ REQUEST("tools/call", "\"name\":\"\\u00e9\"," META),
	    { "2026-07-28", "tools/call", "=?base64?w6k=?=" }, MCP_MODERN, 0 },
	{ REQUEST("resources/read", "\"uri\":\"x:y\"," META),
	    { "2026-07-28", "resources/read", "x:y" }, MCP_MODERN, 0 },
	{ REQUEST("resources/read", "\"uri\":\"x:y\"," META),
	    { "2026-07-28", "resources/read", "x:y \t" }, MCP_MODERN, 0 },
	/* Members of _meta that are missing. */
	{ REQUEST("tools/list", ""), { "2026-07-28", "tools/list", NULL },
	    MCP_MODERN, MCP_INVALID_PARAMS },
	{ REQUEST("tools/list",
	      "\"_meta\":{\"" MCP_META_VERSION "\":\"2026-07-28\"}"),
	    { "2026-07-28", "tools/list", NULL }, MCP_MODERN,
	    MCP_INVALID_PARAMS },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
	    { "2026-07-28", "tools/list", NULL }, MCP_MODERN,
	    MCP_INVALID_PARAMS },
	/* Headers that are missing or say something else. */
	{ REQUEST("tools/list", META), { NULL, "tools/list", NULL }, MCP_MODERN,
	    MCP_HEADER_MISMATCH },
	{ REQUEST("tools/list", META), { "2025-11-25", "tools/list", NULL },
	    MCP_MODERN, MCP_HEADER_MISMATCH },
	{ REQUEST("tools/list", META), { "2026-07-28", NULL, NULL }, MCP_MODERN,
	    MCP_HEADER_MISMATCH },
	{ REQUEST("tools/list", META), { "2026-07-28", "tools/call", NULL },
	    MCP_MODERN, MCP_HEADER_MISMATCH },
	{ REQUEST("tools/call", "\"name\":\"a\"," META),
	    { "2026-07-28", "tools/call", NULL }, MCP_MODERN,
	    MCP_HEADER_MISMATCH },
	{ REQUEST("tools/call", "\"name\":\"a\"," META),
	    { "2026-07-28", "tools/call", "A" }, MCP_MODERN,
	    MCP_HEADER_MISMATCH },
	{ REQUEST("tools/call", "\"name\":\"a\"," META),
	    { "2026-07-28", "tools/call", "=?base64?w6k=?=" }, MCP_MODERN,
	    MCP_HEADER_MISMATCH },
	{ REQUEST("tools/call", META), { "2026-07-28", "tools/call", "a" },
	    MCP_MODERN, MCP_INVALID_PARAMS },
	/* A version nobody has. */
	{ REQUEST("tools/list",
	      "\"_meta\":{\"" MCP_META_VERSION "\":\"2099-01-01\"}"),
	    { "2099-01-01", "tools/list", NULL }, MCP_MODERN,
	    MCP_UNSUPPORTED_VERSION },
	/* What is no request has less to obey. */
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}",
	    { "2026-07-28", NULL, NULL }, MCP_MODERN, 0 },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}",
	    { "2026-07-28", "x", NULL }, MCP_MODERN, MCP_HEADER_MISMATCH },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", { NULL, NULL, NULL },
	    MCP_LEGACY, 0 },
};

static void
holds_each_era_to_its_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct mcp_message message;
		struct mcp_error error = { 0 };
		struct json_span value;
		enum mcp_era era;

		assert_int_equal(
		    json_check(row->text, strlen(row->text), &value, NULL), 0);
		assert_int_equal(mcp_message_parse(value, &message, &error), 0);
		const int r =
		    mcp_era_admit(&message, &row->headers, &era, &error);
		if (r != (row->code == 0 ? 0 : MCP_E_REFUSED) ||
		    era != row->era || (r != 0 && error.code != row->code))
			fail_msg("row %zu: %d %d %d %s", i, r, era, error.code,
			    error.message);
		if (r != 0)
			assert_int_equal(error.status, 400);
	}
}

static void
tells_which_versions_there_are(void **state)
{
	struct mcp_error error = { .code = MCP_UNSUPPORTED_VERSION,
		.message = "m",
		.requested = "r\"" };
	struct json_out out;

	(void)state;
	json_out_init(&out, 4096);
	mcp_error_write(&out, (struct json_span){ "7", 1 }, &error);
	json_out_raw(&out, "", 1);
	assert_string_equal(out.bytes,
	    "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32022,"
	    "\"message\":\"m\",\"data\":{\"supported\":[\"2026-07-28\"],"
	    "\"requested\":\"r\\\"\"}}}");
	json_out_fini(&out);
}

static void
takes_batches_of_one_version_only(void **state)
{
	(void)state;
	assert_true(mcp_version_has_batches(NULL));
	assert_true(mcp_version_has_batches("2025-03-26"));
	assert_false(mcp_version_has_batches("2024-11-05"));
	assert_false(mcp_version_has_batches("2025-06-18"));
	assert_false(mcp_version_has_batches("2026-07-28"));
}

static bool
says(const char *header, const char *text)
{
	struct json_span value;

	assert_int_equal(json_check(text, strlen(text), &value, NULL), 0);
	return mcp_header_says(header, value);
}

static void
decodes_header_sentinels(void **state)
{
	(void)state;
	assert_true(says("abc", "\"abc\""));
	assert_true(says("=?base64?YWJj?=", "\"abc\""));
	assert_true(says("=?base64?YWI=?=", "\"ab\""));
	assert_true(says("=?base64?YQ==?=", "\"a\""));
	assert_true(says("=?base64?\?=", "\"\""));
	assert_false(says("=?base64?YWJ?=", "\"ab\""));
	assert_false(says("=?base64?Y*Jj?=", "\"abc\""));
	assert_false(says("=?base64?YWIA?=", "\"ab\""));
	assert_false(says("=?base64?====?=", "\"\""));
	assert_true(says("=?base64?=", "\"=?base64?=\""));
	assert_false(says("1", "1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_each_era_to_its_rules),
		cmocka_unit_test(tells_which_versions_there_are),
		cmocka_unit_test(takes_batches_of_one_version_only),
		cmocka_unit_test(decodes_header_sentinels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
