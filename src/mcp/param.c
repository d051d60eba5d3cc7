/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "mcp/param.h"
#include "mcp/version.h"

#define PREFIX "Mcp-Param-"
#define VALUE_MAX 8192 /* of a header, decoded */

enum param_type { PARAM_STRING, PARAM_INTEGER, PARAM_BOOLEAN };

struct param {
	char name[MCP_PARAM_NAME_MAX + 1];
	enum param_type type;
	struct json_span path[MCP_PARAM_DEPTH_MAX]; /* raw keys */
	size_t depth;
};

/* A walk through one schema; recursion is bounded by JSON_DEPTH_MAX. */
struct walk {
	struct param params[MCP_PARAMS_MAX];
	size_t n;
	const char *fault; /* NULL: none */
	struct json_span path[MCP_PARAM_DEPTH_MAX];
};

/* Subschemas that an argument is not found by one name below. */
static const char *const elsewhere[] = { "items", "prefixItems", "contains",
	"additionalProperties", "unevaluatedProperties", "unevaluatedItems",
	"propertyNames", "patternProperties", "dependentSchemas", "oneOf",
	"anyOf", "allOf", "not", "if", "then", "else", "$defs", "definitions" };

/* Most tools have none: a walk is not needed to see that. */
static bool
may_annotate(struct json_span schema)
{
	return memmem(schema.at, schema.len, "-mcp-", 5) != NULL ||
	    memmem(schema.at, schema.len, "\\u", 2) != NULL;
}

static bool
is_token(const char *text)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (const char *at = text; *at != '\0'; at++) {
		const bool is_alnum = (*at >= '0' && *at <= '9') ||
		    (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z');
		if (!is_alnum && strchr(marks, *at) == NULL)
			return false;
	}
	return *text != '\0';
}

static bool
type_read(struct json_span type, enum param_type *typep)
{
	static const char *const names[] = { [PARAM_STRING] = "string",
		[PARAM_INTEGER] = "integer",
		[PARAM_BOOLEAN] = "boolean" };

	for (enum param_type i = PARAM_STRING; i <= PARAM_BOOLEAN; i++)
		if (json_string_equals(type, names[i])) {
			*typep = i;
			return true;
		}
	return false;
}

static const char *
annotation_take(struct walk *walk, struct json_span annotation,
    struct json_span type, size_t depth)
{
	struct param *param = &walk->params[walk->n];

	if (depth == 0)
		return "x-mcp-header stands at a property, not at the whole";
	if (depth > MCP_PARAM_DEPTH_MAX)
		return "x-mcp-header stands more than 8 properties deep";
	if (walk->n == MCP_PARAMS_MAX)
		return "x-mcp-header stands at more than 32 properties";
	if (json_string_copy(
		annotation, param->name, sizeof(param->name), NULL) != 0 ||
	    !is_token(param->name))
		return "x-mcp-header must be a header's name of at most 64 "
		       "bytes";
	if (!type_read(type, &param->type))
		return "x-mcp-header is for strings, integers and booleans";
	for (size_t i = 0; i < walk->n; i++)
		if (strcasecmp(walk->params[i].name, param->name) == 0)
			return "two properties have the same x-mcp-header";
	memcpy(param->path, walk->path, sizeof(walk->path));
	param->depth = depth;
	walk->n++;
	return NULL;
}

static void schema_walk(
    struct walk *walk, struct json_span schema, size_t depth, bool reachable);

/* Each value of a container as a schema. */
static void
values_walk(
    struct walk *walk, struct json_span container, size_t depth, bool reachable)
{
	struct json_span key, value;
	struct json_iter iter;

	if (json_iter_init(&iter, container) != 0)
		return;
	const bool is_object = json_kind_of(container) == JSON_KIND_OBJECT;
	/* What has no name is no argument: properties that are an array. */
	reachable = reachable && is_object;
	while (walk->fault == NULL &&
	    (is_object ? json_iter_member(&iter, &key, &value)
		       : json_iter_element(&iter, &value))) {
		if (reachable && depth < MCP_PARAM_DEPTH_MAX)
			walk->path[depth] = key;
		schema_walk(walk, value, depth + 1, reachable);
	}
}

static bool
is_elsewhere(struct json_span key)
{
	for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
		if (json_string_equals(key, elsewhere[i]))
			return true;
	return false;
}

/* Keywords whose value is schemas by name, not one. */
static bool
is_map(struct json_span key)
{
	return json_string_equals(key, "patternProperties") ||
	    json_string_equals(key, "dependentSchemas") ||
	    json_string_equals(key, "$defs") ||
	    json_string_equals(key, "definitions");
}

static void
schema_walk(
    struct walk *walk, struct json_span schema, size_t depth, bool reachable)
{
	struct json_want members[] = { { .name = "x-mcp-header" },
		{ .name = "type" }, { .name = "properties" } };
	struct json_span key, value;
	struct json_iter iter;

	if (json_kind_of(schema) != JSON_KIND_OBJECT)
		return;
	if (json_members_find(schema, members, ARRAY_LEN(members)) != 0) {
		walk->fault = "a schema has a member twice";
		return;
	}
	if (members[0].value.at != NULL)
		walk->fault = reachable
		    ? annotation_take(
			  walk, members[0].value, members[1].value, depth)
		    : "x-mcp-header stands where no one argument is meant";
	if (walk->fault == NULL)
		values_walk(walk, members[2].value, depth, reachable);
	json_iter_init(&iter, schema);
	while (walk->fault == NULL && json_iter_member(&iter, &key, &value)) {
		if (!is_elsewhere(key))
			continue;
		if (json_kind_of(value) == JSON_KIND_ARRAY || is_map(key))
			values_walk(walk, value, depth, false);
		else
			schema_walk(walk, value, depth, false);
	}
}

static const char *
schema_read(struct json_span schema, struct walk *walk)
{
	walk->n = 0;
	walk->fault = NULL;
	if (may_annotate(schema))
		schema_walk(walk, schema, 0, true);
	return walk->fault;
}

int
mcp_param_schema_check(struct json_span input_schema, struct err *err)
{
	struct walk walk;
	const char *fault = schema_read(input_schema, &walk);

	return fault == NULL ? 0 : err_set(err, MCP_E_PARAM, "%s", fault);
}

/* The argument that is meant; empty: absent or null. */
static struct json_span
argument_find(const struct param *param, struct json_span arguments)
{
	struct json_span value = arguments;

	for (size_t i = 0; i < param->depth; i++) {
		char key[256];
		struct json_want want = { .name = key };
		if (json_string_copy(param->path[i], key, sizeof(key), NULL) !=
			0 ||
		    json_members_find(value, &want, 1) != 0)
			return (struct json_span){ 0 };
		value = want.value;
	}
	return json_kind_of(value) == JSON_KIND_NULL ? (struct json_span){ 0 }
						     : value;
}

static bool
is_scalar(struct json_span value)
{
	const enum json_kind kind = json_kind_of(value);

	return kind == JSON_KIND_STRING || kind == JSON_KIND_NUMBER ||
	    kind == JSON_KIND_BOOL;
}

/* 42, 42.0 and 4.2e1 are the same number. */
static bool
is_same_number(const char *header, struct json_span number)
{
	char text[64], *end;

	if (number.len >= sizeof(text) || header[0] == '\0' ||
	    strspn(header, "0123456789+-.eE") != strlen(header))
		return false;
	memcpy(text, number.at, number.len);
	text[number.len] = '\0';
	if (strcmp(text, header) == 0)
		return true;
	const double claimed = strtod(header, &end);
	/* Beyond 2^53 doubles lie: only the same digits will do. */
	return *end == '\0' && claimed == strtod(text, NULL) &&
	    claimed > -9007199254740992.0 && claimed < 9007199254740992.0;
}

static bool
header_says(const char *header, struct json_span value)
{
	if (json_kind_of(value) == JSON_KIND_STRING)
		return mcp_header_says(header, value);
	if (json_kind_of(value) == JSON_KIND_NUMBER)
		return is_same_number(header, value);
	return strlen(header) == value.len &&
	    memcmp(header, value.at, value.len) == 0;
}

int
mcp_params_admit(struct json_span input_schema, struct json_span arguments,
    mcp_header_fn *header, void *arg, struct mcp_error *error)
{
	char name[sizeof(PREFIX) + MCP_PARAM_NAME_MAX];
	struct walk walk;

	if (schema_read(input_schema, &walk) != NULL)
		return 0; /* such a tool is not offered */
	for (size_t i = 0; i < walk.n; i++) {
		const struct json_span value =
		    argument_find(&walk.params[i], arguments);
		if (!is_scalar(value))
			continue;
		snprintf(name, sizeof(name), PREFIX "%s", walk.params[i].name);
		const char *says = header(arg, name);
		if (says == NULL)
			return mcp_error_set(error, 400, MCP_HEADER_MISMATCH,
			    "Header mismatch: the request lacks the header %s, "
			    "which must repeat an argument of its body",
			    name);
		if (!header_says(says, value))
			return mcp_error_set(error, 400, MCP_HEADER_MISMATCH,
			    "Header mismatch: the header %s says '%.100s', "
			    "which is not the argument of the body",
			    name, says);
	}
	return 0;
}

static bool
is_plain_value(const char *text, size_t len)
{
	if (len == 0 || text[0] == ' ' || text[len - 1] == ' ' ||
	    (len >= 11 && memcmp(text, "=?base64?", 9) == 0 &&
		memcmp(text + len - 2, "?=", 2) == 0))
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return true;
}

static void
base64_write(struct json_out *out, const char *text, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		char four[4] = { '=', '=', '=', '=' };
		uint32_t bits = 0;
		const size_t n = len - i < 3 ? len - i : 3;
		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 |
			    (j < n ? (unsigned char)text[i + j] : 0u);
		for (size_t j = 0; j <= n; j++)
			four[j] = digits[bits >> (18 - 6 * j) & 63];
		json_out_raw(out, four, 4);
	}
}

void
mcp_header_write(struct json_out *out, const char *text, size_t len)
{
	if (is_plain_value(text, len)) {
		json_out_string(out, text, len);
		return;
	}
	json_out_text(out, "\"=?base64?");
	base64_write(out, text, len);
	json_out_text(out, "?=\"");
}

void
mcp_params_write(struct json_span input_schema, struct json_span arguments,
    struct json_out *out)
{
	char text[VALUE_MAX];
	struct walk walk;
	size_t len;

	if (schema_read(input_schema, &walk) != NULL)
		return;
	for (size_t i = 0; i < walk.n; i++) {
		const struct json_span value =
		    argument_find(&walk.params[i], arguments);
		if (!is_scalar(value))
			continue;
		if (json_kind_of(value) != JSON_KIND_STRING) {
			len =
			    value.len < sizeof(text) ? value.len : sizeof(text);
			memcpy(text, value.at, len);
		} else if (json_string_copy(value, text, sizeof(text), &len) !=
		    0) {
			continue; /* no header is that long */
		}
		json_out_text(out, ",[\"" PREFIX);
		json_out_text(out, walk.params[i].name);
		json_out_text(out, "\",");
		mcp_header_write(out, text, len);
		json_out_text(out, "]");
	}
}
