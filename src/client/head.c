/* SPDX-License-Identifier: Apache-2.0 */
#include "client/head.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"

#define PREFIX "=?base64?"
#define SUFFIX "?="

/* Which member of params is the Mcp-Name of a method. */
static const struct named {
	const char *method, *member;
} nameds[] = {
	{ "tools/call", "name" },
	{ "prompts/get", "name" },
	{ "resources/read", "uri" },
	{ "tasks/get", "taskId" },
	{ "tasks/update", "taskId" },
	{ "tasks/cancel", "taskId" },
	{ "tasks/result", "taskId" },
};

static bool
is_plain(const char *text, size_t len)
{
	if (len == 0 || text[0] == ' ' || text[len - 1] == ' ' ||
	    (len >= sizeof(PREFIX) - 1 &&
		memcmp(text, PREFIX, sizeof(PREFIX) - 1) == 0))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	return true;
}

int
head_value(const char *text, size_t len, char *buffer, size_t size)
{
	const size_t encoded =
	    sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);

	if (is_plain(text, len)) {
		if (len >= size)
			return JSON_E_TOO_LONG;
		memcpy(buffer, text, len);
		buffer[len] = '\0';
		return 0;
	}
	if (encoded + sizeof(PREFIX) + sizeof(SUFFIX) > size)
		return JSON_E_TOO_LONG;
	strcpy(buffer, PREFIX);
	sodium_bin2base64(buffer + strlen(buffer), encoded,
	    (const unsigned char *)text, len, sodium_base64_VARIANT_ORIGINAL);
	strcat(buffer, SUFFIX);
	return 0;
}

static int
name_take(struct json_span params, struct head *head)
{
	char text[HEAD_NAME_MAX];
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(nameds); i++) {
		struct json_want want = { nameds[i].member };

		if (strcmp(nameds[i].method, head->method) != 0)
			continue;
		if (json_members_find(params, &want, 1) != 0 ||
		    json_kind_of(want.value) != JSON_KIND_STRING)
			return JSON_E_TYPE;
		const int r =
		    json_string_copy(want.value, text, sizeof(text), &len);
		return r != 0
		    ? r
		    : head_value(text, len, head->name, sizeof(head->name));
	}
	return 0;
}

static bool
is_token(const char *text)
{
	return is_plain(text, strlen(text));
}

int
head_take(struct json_span message, struct head *head)
{
	struct json_want top[] = { { "method" }, { "params" } };
	struct json_want meta = { "_meta" };
	struct json_want version = { "io.modelcontextprotocol/"
				     "protocolVersion" };

	*head = (struct head){ 0 };
	if (json_members_find(message, top, ARRAY_LEN(top)) != 0)
		return JSON_E_TYPE;
	if (top[0].value.at == NULL)
		return 0; /* an answer: no headers of its own */
	int r = json_string_copy(
	    top[0].value, head->method, sizeof(head->method), NULL);
	if (r != 0 || !is_token(head->method))
		return r != 0 ? r : JSON_E_TYPE;

	if (top[1].value.at == NULL ||
	    json_members_find(top[1].value, &meta, 1) != 0 ||
	    meta.value.at == NULL ||
	    json_members_find(meta.value, &version, 1) != 0 ||
	    version.value.at == NULL)
		return 0;
	r = json_string_copy(
	    version.value, head->version, sizeof(head->version), NULL);
	if (r != 0 || !is_token(head->version))
		return r != 0 ? r : JSON_E_TYPE;
	head->is_modern = true;
	return name_take(top[1].value, head);
}
