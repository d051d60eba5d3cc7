/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "policy/rules.h"

#define NAME_MAX_BYTES 128u

int
policy_words_take(struct policy_words *words, char *text, bool is_srt)
{
	auto_free char *owned = text;

	if (owned == NULL)
		return -ENOMEM;
	if (words->n == POLICY_WORDS_MAX)
		return -E2BIG;
	if (words->n == words->capacity) {
		const size_t capacity =
		    words->capacity == 0 ? 8 : words->capacity * 2;
		struct policy_word *more =
		    reallocarray(words->at, capacity, sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		words->at = more;
		words->capacity = capacity;
	}
	words->at[words->n++] =
	    (struct policy_word){ steal_ptr(&owned), is_srt };
	return 0;
}

int
policy_words_add(struct policy_words *words, const char *text, bool is_srt)
{
	return policy_words_take(words, strdup(text), is_srt);
}

bool
policy_words_has(const struct policy_words *words, const char *text)
{
	for (size_t i = 0; i < words->n; i++) {
		if (strcmp(words->at[i].text, text) == 0)
			return true;
	}
	return false;
}

void
policy_words_fini(struct policy_words *words)
{
	for (size_t i = 0; i < words->n; i++)
		free(words->at[i].text);
	free(words->at);
	*words = (struct policy_words){ 0 };
}

int
policy_list_add(
    struct policy *policy, enum policy_list list, const char *text, bool is_srt)
{
	struct policy_words *words = &policy->lists[list];

	for (size_t i = 0; i < words->n; i++) {
		if (strcmp(words->at[i].text, text) == 0) {
			words->at[i].is_srt &= is_srt; /* the stricter */
			return 0;
		}
	}
	return policy_words_add(words, text, is_srt);
}

int
policy_new(struct policy **policyp)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (policy == NULL)
		return -ENOMEM;
	policy->limits = (struct box_limits)BOX_LIMITS_DEFAULT;
	policy->notes = POLICY_NOTES_DEFAULT;
	*policyp = policy;
	return 0;
}

struct policy *
policy_free(struct policy *policy)
{
	if (policy == NULL)
		return NULL;
	for (size_t i = 0; i < POLICY_LISTS; i++)
		policy_words_fini(&policy->lists[i]);
	free(policy);
	return NULL;
}

struct box_limits *
policy_limits(struct policy *policy)
{
	return &policy->limits;
}

void
policy_notes(struct policy *policy, enum box_notes notes)
{
	policy->notes = notes;
}

const char *
policy_remark(const struct policy *policy, size_t i)
{
	const struct policy_words *remarks = &policy->lists[POLICY_REMARKS];

	return i < remarks->n ? remarks->at[i].text : NULL;
}

static int
path_add(struct policy *policy, enum policy_list list, const char *path,
    const char *option, struct err *err)
{
	if (path[0] == '\0' || strlen(path) >= BOX_PATH_MAX)
		return err_set(err, -EINVAL,
		    "%s: a path of 1 to %u bytes is wanted", option,
		    BOX_PATH_MAX - 1);
	const int r = policy_list_add(policy, list, path, false);
	return r == 0
	    ? 0
	    : err_set(err, r, "%s %s: %s", option, path, strerror(-r));
}

int
policy_read(struct policy *policy, const char *path, struct err *err)
{
	return path_add(policy, POLICY_ALLOW_READ, path, "--read", err);
}

int
policy_write(struct policy *policy, const char *path, struct err *err)
{
	return path_add(policy, POLICY_ALLOW_WRITE, path, "--write", err);
}

bool
policy_name_is_valid(const char *name, size_t len)
{
	if (len == 0 || len > NAME_MAX_BYTES ||
	    (name[0] >= '0' && name[0] <= '9'))
		return false;
	for (size_t i = 0; i < len; i++) {
		const char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return true;
}

/* The later word for a name wins. */
static void
env_forget(struct policy_words *words, const char *name, size_t len)
{
	size_t kept = 0;

	for (size_t i = 0; i < words->n; i++) {
		char *text = words->at[i].text;

		if (strncmp(text, name, len) == 0 &&
		    (text[len] == '=' || text[len] == '\0'))
			free(text);
		else
			words->at[kept++] = words->at[i];
	}
	words->n = kept;
}

int
policy_env(struct policy *policy, const char *name_value, struct err *err)
{
	const size_t len = strcspn(name_value, "=");
	struct policy_words *words = &policy->lists[POLICY_ENV];

	if (!policy_name_is_valid(name_value, len))
		return err_set(err, -EINVAL,
		    "env: \"%.*s\" is no name of a variable: letters, digits "
		    "and _, of which the first is no digit",
		    (int)(len > 64 ? 64 : len), name_value);
	if (strlen(name_value) >= POLICY_VALUE_MAX)
		return err_set(err, -EINVAL,
		    "env: %.*s is longer than %u bytes", (int)len, name_value,
		    POLICY_VALUE_MAX - 1);

	char *copy = strdup(name_value);
	if (copy != NULL)
		env_forget(words, copy, len);
	const int r = policy_words_take(words, copy, false);
	return r == 0 ? 0
		      : err_set(err, r, "env: %.*s: %s", (int)len, name_value,
			    strerror(-r));
}

int
policy_secret(struct policy *policy, const char *name, struct err *err)
{
	if (strchr(name, '=') != NULL)
		return err_set(err, -EINVAL,
		    "--secret takes a name alone here: its host and value are "
		    "set with cordon secret set NAME --for SERVER --host "
		    "HOST");
	if (!secret_name_is_good(name))
		return err_set(err, -EINVAL,
		    "secret: \"%.64s\" is no name: at most 63 letters, digits "
		    "and _, of which the first is no digit",
		    name);
	const int r = policy_list_add(policy, POLICY_SECRETS, name, false);
	return r == 0 ? 0 : err_set(err, r, "secret: %s", strerror(-r));
}

const char *
policy_secret_at(const struct policy *policy, size_t i)
{
	const struct policy_words *names = &policy->lists[POLICY_SECRETS];

	return i < names->n ? names->at[i].text : NULL;
}
