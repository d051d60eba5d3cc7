/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "mcp/version.h"

#define HEADER_MAX 8192 /* a decoded header; more cannot be in one */

static const char *const legacy_versions[] = { MCP_VERSION_OLDEST,
	MCP_VERSION_BATCH, "2025-06-18", MCP_VERSION_LEGACY };

/* Which member of params the Mcp-Name header repeats. */
static const struct named_method {
	const char *method;
	const char *member;
} named_methods[] = {
	{ "tools/call", "name" },
	{ "prompts/get", "name" },
	{ "resources/read", "uri" },
	{ "tasks/get", "taskId" },
	{ "tasks/update", "taskId" },
	{ "tasks/cancel", "taskId" },
};

bool
mcp_version_is_legacy(const char *version)
{
	return mcp_version_number(version) >= 0;
}

int
mcp_version_number(const char *version)
{
	for (size_t i = 0; i < ARRAY_LEN(legacy_versions); i++)
		if (strcmp(version, legacy_versions[i]) == 0)
			return (int)i;
	return -1;
}

const char *
mcp_version_name(int number)
{
	return number < 0 || (size_t)number >= ARRAY_LEN(legacy_versions)
	    ? NULL
	    : legacy_versions[number];
}

bool
mcp_version_has_batches(const char *version_header)
{
	return version_header == NULL ||
	    strcmp(version_header, MCP_VERSION_BATCH) == 0;
}

void
mcp_modern_versions_write(struct json_out *out)
{
	json_out_text(out, "[\"" MCP_VERSION_MODERN "\"]");
}

static int
digit64(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* Standard alphabet, with its padding; out takes len / 4 * 3 bytes. */
static bool
base64_decode(const char *text, size_t len, char *out, size_t *out_len)
{
	uint32_t bits = 0;
	size_t n = 0, padding = 0;

	if (len % 4 != 0)
		return false;
	while (padding < 2 && len > 0 && text[len - 1] == '=') {
		len--;
		padding++;
	}
	for (size_t i = 0; i < len; i++) {
		const int digit = digit64(text[i]);
		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		if (i % 4 != 0)
			out[n++] = (char)(bits >> (6 - 2 * (i % 4)));
	}
	*out_len = n;
	return true;
}

/* White space after a value is none of it (RFC 9110 5.5). */
static bool
header_trim(const char *raw_header, char trimmed[HEADER_MAX])
{
	size_t len = strlen(raw_header);

	while (len > 0 && strchr(" \t", raw_header[len - 1]) != NULL)
		len--;
	if (len >= HEADER_MAX)
		return false;
	memcpy(trimmed, raw_header, len);
	trimmed[len] = '\0';
	return true;
}

static bool
says(const char *raw_header, struct json_span string)
{
	static const char open[] = "=?base64?", close[] = "?=";
	const size_t len = strlen(raw_header), frame = 11;
	char decoded[HEADER_MAX];
	size_t decoded_len;

	if (len < frame || memcmp(raw_header, open, 9) != 0 ||
	    memcmp(raw_header + len - 2, close, 2) != 0)
		return json_string_equals(string, raw_header);
	if (len - frame >= sizeof(decoded) ||
	    !base64_decode(raw_header + 9, len - frame, decoded, &decoded_len))
		return false;
	decoded[decoded_len] = '\0';
	return strlen(decoded) == decoded_len &&
	    json_string_equals(string, decoded);
}

bool
mcp_header_says(const char *raw_header, struct json_span string)
{
	char trimmed[HEADER_MAX];

	return says(raw_header, string) ||
	    (header_trim(raw_header, trimmed) && says(trimmed, string));
}

static int
mismatch(struct mcp_error *error, const char *header, const char *value,
    const char *member_name)
{
	if (value == NULL)
		return mcp_error_set(error, 400, MCP_HEADER_MISMATCH,
		    "Header mismatch: the request lacks the header %s, which "
		    "must repeat %s of its body",
		    header, member_name);
	return mcp_error_set(error, 400, MCP_HEADER_MISMATCH,
	    "Header mismatch: the header %s says '%.100s', which is not %s of "
	    "the body",
	    header, value, member_name);
}

static int
header_check(const char *header, const char *value, struct json_span string,
    const char *member_name, struct mcp_error *error)
{
	if (value != NULL && mcp_header_says(value, string))
		return 0;
	return mismatch(error, header, value, member_name);
}

static int
name_check(const struct mcp_message *message, const char *value,
    struct mcp_error *error)
{
	for (size_t i = 0; i < ARRAY_LEN(named_methods); i++) {
		const struct named_method *named = &named_methods[i];
		if (!json_string_equals(message->method, named->method))
			continue;
		const struct json_span name =
		    json_member(message->params, named->member);
		if (json_kind_of(name) != JSON_KIND_STRING)
			return mcp_error_set(error, 400, MCP_INVALID_PARAMS,
			    "Invalid params: %s must be a string",
			    named->member);
		return header_check(
		    "Mcp-Name", value, name, named->member, error);
	}
	return 0;
}

static int
unsupported(struct mcp_error *error, const char *requested)
{
	mcp_error_set(error, 400, MCP_UNSUPPORTED_VERSION,
	    "Unsupported protocol version '%.32s': ask per request "
	    "for " MCP_VERSION_MODERN ", or initialize with " MCP_VERSION_LEGACY
	    " or older",
	    requested);
	snprintf(error->requested, sizeof(error->requested), "%s", requested);
	return MCP_E_REFUSED;
}

static int
meta_lacks(struct mcp_error *error, const char *name)
{
	return mcp_error_set(error, 400, MCP_INVALID_PARAMS,
	    "Invalid params: params._meta must hold %s", name);
}

static int
modern_check(const struct mcp_message *message, struct json_span meta,
    const struct mcp_headers *headers, struct mcp_error *error)
{
	const struct json_span version = json_member(meta, MCP_META_VERSION);
	const struct json_span capabilities =
	    json_member(meta, MCP_META_CAPABILITIES);
	char requested[sizeof(error->requested)] = "";

	if (json_kind_of(version) != JSON_KIND_STRING)
		return meta_lacks(error, MCP_META_VERSION);
	int r = header_check("MCP-Protocol-Version", headers->version, version,
	    "params._meta's version", error);
	if (r != 0)
		return r;
	if (!json_string_equals(version, MCP_VERSION_MODERN)) {
		json_string_copy(version, requested, sizeof(requested), NULL);
		return unsupported(error, requested);
	}
	if (json_kind_of(capabilities) != JSON_KIND_OBJECT)
		return meta_lacks(error, MCP_META_CAPABILITIES);
	r = header_check(
	    "Mcp-Method", headers->method, message->method, "method", error);
	return r != 0 ? r : name_check(message, headers->name, error);
}

int
mcp_era_admit(const struct mcp_message *message,
    const struct mcp_headers *headers, enum mcp_era *era,
    struct mcp_error *error)
{
	const struct json_span meta = json_member(message->params, "_meta");
	const bool says_legacy =
	    headers->version == NULL || mcp_version_is_legacy(headers->version);
	const bool says_modern = headers->version != NULL &&
	    strcmp(headers->version, MCP_VERSION_MODERN) == 0;

	*era = says_modern || json_member(meta, MCP_META_VERSION).at != NULL
	    ? MCP_MODERN
	    : MCP_LEGACY;
	if (*era == MCP_LEGACY)
		return says_legacy ? 0 : unsupported(error, headers->version);
	if (message->kind == MCP_REQUEST)
		return modern_check(message, meta, headers, error);
	if (message->kind == MCP_NOTIFICATION && headers->method != NULL)
		return header_check("Mcp-Method", headers->method,
		    message->method, "method", error);
	return 0;
}
