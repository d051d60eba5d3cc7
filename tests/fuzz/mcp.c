/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as a message, with any headers, as a tool's result, as a failure
 * and as a surface: what is written back is always one JSON object.
 */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "fuzz.h"
#include "mcp/method.h"
#include "mcp/result.h"
#include "mcp/surface.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static const char *const versions[] = { NULL, "2025-03-26", "2025-11-25",
	"2026-07-28", "2099-01-01", "" };
static const char *const names[] = { NULL, "tools/call", "a",
	"=?base64?YQ==?=", "=?base64?!?=" };

static void
check_reply(struct json_out *out)
{
	struct json_span whole;

	CHECK(json_out_status(out) == 0);
	CHECK(json_check(out->bytes, out->len, &whole, NULL) == 0);
	CHECK(json_kind_of(whole) == JSON_KIND_OBJECT);
	json_out_reset(out);
}

static void
as_message(struct json_span value, unsigned salt, struct json_out *out)
{
	const struct mcp_headers headers = {
		.version = versions[salt % ARRAY_LEN(versions)],
		.method = names[salt / 7 % ARRAY_LEN(names)],
		.name = names[salt / 41 % ARRAY_LEN(names)],
	};
	struct mcp_message message;
	struct mcp_error error;
	enum mcp_era era;

	if (mcp_message_parse(value, &message, &error) != 0 ||
	    mcp_era_admit(&message, &headers, &era, &error) != 0) {
		CHECK(error.status >= 400 && error.code < 0);
		mcp_error_write(out, message.id, &error);
		check_reply(out);
		return;
	}
	if (message.kind != MCP_REQUEST)
		return;
	mcp_method_find(message.method, era);
}

static void
as_result(const char *text, size_t len, enum mcp_era era, struct json_out *out)
{
	const struct mcp_failure failure = {
		.code = "exception", .json = text, .json_len = len
	};

	if (mcp_tool_result_make(out, era, text, len) == 0)
		check_reply(out);
	else
		CHECK(out->len == 0);
	mcp_tool_failure_make(out, era, &failure);
	check_reply(out);
	mcp_load_failure_make(out, "server", &failure);
	check_reply(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mcp_surface *surface = NULL;
	struct json_span value;
	struct json_out out;

	if (size < 1 || size > 1 << 16)
		return 0;
	const char *text = (const char *)data + 1;
	const size_t len = size - 1;
	json_out_init(&out, 1 << 22);
	if (json_check(text, len, &value, NULL) == 0)
		as_message(value, data[0], &out);
	as_result(text, len, data[0] & 1 ? MCP_MODERN : MCP_LEGACY, &out);
	if (mcp_surface_admit(text, len, &surface, NULL) == 0)
		mcp_surface_free(surface);
	json_out_fini(&out);
	return 0;
}
