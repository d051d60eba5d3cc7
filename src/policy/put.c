/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A policy as canonical JSON: members in the order of their names, lists
 * sorted, no space, defaults left out. What is read back is the same policy.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "policy/rules.h"

static const char *const denials[] = {
	[BOX_NOTES_NONE] = "none",
	[BOX_NOTES_CALLS] = "calls",
	[BOX_NOTES_FILES] = "files",
	[BOX_NOTES_ALL] = "all",
};

const char *
policy_denials_name(size_t i)
{
	return i < ARRAY_LEN(denials) ? denials[i] : NULL;
}

/* An object under way; it is not written before its first member. */
struct object {
	struct json_out *out;
	struct object *outer;
	const char *name;
	bool is_open;
};

static void
member_begin(struct object *object, const char *name, size_t len)
{
	if (!object->is_open && object->outer != NULL)
		member_begin(object->outer, object->name, strlen(object->name));
	json_out_text(object->out, object->is_open ? "," : "{");
	object->is_open = true;
	json_out_string(object->out, name, len);
	json_out_text(object->out, ":");
}

static void
object_end(struct object *object)
{
	if (object->outer == NULL && !object->is_open)
		json_out_text(object->out, "{");
	if (object->outer == NULL || object->is_open)
		json_out_text(object->out, "}");
}

static void
text_put(struct object *object, const char *name, const char *text)
{
	member_begin(object, name, strlen(name));
	json_out_string(object->out, text, strlen(text));
}

/* Variables go by their names alone: "A1=x" stands behind "A=x". */
static int
word_compare(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	const size_t x_len = strcspn(x, "="), y_len = strcspn(y, "=");
	const int r = memcmp(x, y, x_len < y_len ? x_len : y_len);

	if (r != 0)
		return r;
	return x_len != y_len ? (x_len < y_len ? -1 : 1)
			      : strcmp(x + x_len, y + y_len);
}

/* Borrowed texts in order, for free(); NULL: no memory. */
static const char **
sorted_texts(const struct policy_words *words)
{
	const char **texts = calloc(words->n + 1, sizeof(*texts));

	if (texts == NULL)
		return NULL;
	for (size_t i = 0; i < words->n; i++)
		texts[i] = words->at[i].text;
	qsort(texts, words->n, sizeof(*texts), word_compare);
	return texts;
}

static int
list_put(
    struct object *object, const char *name, const struct policy_words *words)
{
	auto_free const char **texts = sorted_texts(words);

	if (texts == NULL)
		return -ENOMEM;
	if (words->n == 0)
		return 0;
	member_begin(object, name, strlen(name));
	for (size_t i = 0; i < words->n; i++) {
		json_out_text(object->out, i == 0 ? "[" : ",");
		json_out_string(object->out, texts[i], strlen(texts[i]));
	}
	json_out_text(object->out, "]");
	return 0;
}

static int
env_put(struct object *outer, const struct policy_words *words)
{
	struct object object = { outer->out, outer, "env", false };
	auto_free const char **texts = sorted_texts(words);

	if (texts == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < words->n; i++) {
		const size_t len = strcspn(texts[i], "=");
		const char *value = texts[i] + len;

		member_begin(&object, texts[i], len);
		if (*value == '=')
			json_out_string(
			    object.out, value + 1, strlen(value + 1));
		else
			json_out_text(object.out, "null");
	}
	object_end(&object);
	return 0;
}

static void
size_put(
    struct object *object, const char *name, uint64_t bytes, uint64_t standard)
{
	char text[UNITS_TEXT_MAX];

	if (bytes == standard)
		return;
	units_size_format(bytes, text);
	text_put(object, name, text);
}

static void
duration_put(
    struct object *object, const char *name, uint64_t ms, uint64_t standard)
{
	char text[UNITS_TEXT_MAX + 4];

	if (ms == standard)
		return;
	if (ms > UINT64_MAX / 1000000)
		snprintf(text, sizeof(text), "%llums", (unsigned long long)ms);
	else
		units_duration_format(ms * 1000000, text);
	text_put(object, name, text);
}

static void
count_put(
    struct object *object, const char *name, uint32_t count, uint32_t standard)
{
	if (count == standard)
		return;
	member_begin(object, name, strlen(name));
	json_out_uint(object->out, count);
}

static void
cpu_put(struct object *object, uint32_t milli, uint32_t standard)
{
	char text[32];

	if (milli == standard)
		return;
	int len =
	    snprintf(text, sizeof(text), "%u.%03u", milli / 1000, milli % 1000);
	while (text[len - 1] == '0')
		text[--len] = '\0';
	if (text[len - 1] == '.')
		text[--len] = '\0';
	member_begin(object, "cpu", 3);
	json_out_text(object->out, text);
}

static void
limits_put(struct object *outer, const struct box_limits *limits)
{
	static const struct box_limits standard = BOX_LIMITS_DEFAULT;
	struct object object = { outer->out, outer, "limits", false };

	cpu_put(&object, limits->cpu_milli, standard.cpu_milli);
	size_put(&object, "fileSize", limits->file_bytes, standard.file_bytes);
	count_put(&object, "files", limits->files, standard.files);
	duration_put(&object, "grace", limits->grace_ms, standard.grace_ms);
	size_put(
	    &object, "memory", limits->memory_bytes, standard.memory_bytes);
	count_put(&object, "pids", limits->pids, standard.pids);
	duration_put(&object, "timeout", limits->wall_ms, standard.wall_ms);
	size_put(&object, "tmp", limits->tmp_bytes, standard.tmp_bytes);
	object_end(&object);
}

static int
filesystem_put(struct object *outer, const struct policy_words *lists)
{
	static const struct {
		const char *name;
		enum policy_list list;
	} members[] = {
		{ "allowRead", POLICY_ALLOW_READ },
		{ "allowWrite", POLICY_ALLOW_WRITE },
		{ "allowWriteGuarded", POLICY_ALLOW_GUARDED },
		{ "denyRead", POLICY_DENY_READ },
		{ "denyWrite", POLICY_DENY_WRITE },
	};
	struct object object = { outer->out, outer, "filesystem", false };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(members); i++)
		r = list_put(&object, members[i].name, &lists[members[i].list]);
	object_end(&object);
	return r;
}

/* "URL METHOD,METHOD" as an object. */
static void
rule_put(struct json_out *out, const char *word)
{
	const size_t len = strcspn(word, " ");
	const char *before = "\"methods\":[";

	json_out_text(out, "{");
	if (word[len] != '\0') {
		for (const char *at = word + len; *at != '\0';) {
			const size_t n = strcspn(at + 1, ",");
			json_out_text(out, before);
			json_out_string(out, at + 1, n);
			before = ",";
			at += 1 + n;
		}
		json_out_text(out, "],");
	}
	json_out_text(out, "\"url\":");
	json_out_string(out, word, len);
	json_out_text(out, "}");
}

static int
rules_put(struct object *object, const struct policy_words *words)
{
	auto_free const char **texts = sorted_texts(words);

	if (texts == NULL)
		return -ENOMEM;
	if (words->n == 0)
		return 0;
	member_begin(object, "rules", 5);
	for (size_t i = 0; i < words->n; i++) {
		json_out_text(object->out, i == 0 ? "[" : ",");
		rule_put(object->out, texts[i]);
	}
	json_out_text(object->out, "]");
	return 0;
}

static int
network_put(struct object *outer, const struct policy *policy)
{
	struct object object = { outer->out, outer, "network", false };
	const struct addr_budget *budget = &policy->budget;

	if ((policy->flags & BOX_UNIX_SOCKETS) != 0) {
		member_begin(&object, "allowAllUnixSockets", 19);
		json_out_text(object.out, "true");
	}
	int r = list_put(
	    &object, "allowedDomains", &policy->lists[POLICY_ALLOWED_DOMAINS]);
	size_put(&object, "bytesIn", budget->bytes_in, 0);
	size_put(&object, "bytesOut", budget->bytes_out, 0);
	size_put(&object, "bytesPerMinute", budget->bytes_per_minute, 0);
	count_put(&object, "concurrent", budget->concurrent, 0);
	if (r == 0)
		r = list_put(&object, "deniedDomains",
		    &policy->lists[POLICY_DENIED_DOMAINS]);
	count_put(&object, "requestsPerCall", budget->per_caller, 0);
	count_put(&object, "requestsPerMinute", budget->requests_per_minute, 0);
	if (r == 0)
		r = rules_put(&object, &policy->lists[POLICY_RULES]);
	object_end(&object);
	return r;
}

int
policy_put(const struct policy *policy, struct json_out *out)
{
	struct object top = { out, NULL, "", false };

	if (policy->notes != POLICY_NOTES_DEFAULT)
		text_put(&top, "denials", denials[policy->notes]);
	int r = env_put(&top, &policy->lists[POLICY_ENV]);
	if (r == 0)
		r = filesystem_put(&top, policy->lists);
	if (r == 0) {
		limits_put(&top, &policy->limits);
		r = network_put(&top, policy);
	}
	if (r == 0)
		r = list_put(&top, "profiles", &policy->lists[POLICY_PROFILES]);
	if (r == 0)
		r = list_put(&top, "secrets", &policy->lists[POLICY_SECRETS]);
	object_end(&top);
	return r != 0 ? r : json_out_status(out);
}
