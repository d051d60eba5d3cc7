/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Launch documents: read by the store, which sees no file of the host. All that
 * has to be looked up was looked up when the server was added
 * (policy_flatten()); what still would have to be is refused.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "policy/memory.h"
#include "policy/path.h"
#include "policy/read.h"

#define PACKAGE_WORD "${package}"
#define DIGEST_MIN 16
#define DIGEST_MAX 128

struct document {
	struct policy *policy;
	struct policy_memory *memory;
	char digest[DIGEST_MAX + 1]; /* "": no package */
};

static int
words_read(const struct policy_at *at, struct json_span value,
    struct policy_words *words)
{
	struct policy_at inner;
	struct json_span item;
	struct json_iter iter;

	if (json_kind_of(value) != JSON_KIND_ARRAY)
		return policy_at_fail(at, "a list of words");
	(void)json_iter_init(&iter, value);
	for (size_t i = 0; json_iter_element(&iter, &item); i++) {
		char *text = NULL;

		policy_at_element(&inner, at, i);
		int r = policy_text_get(&inner, item, POLICY_VALUE_MAX, &text);
		if (r != 0)
			return r;
		r = policy_words_take(words, text, false);
		if (r != 0)
			return err_set(at->err, r, "%s: %s: %s", at->name,
			    at->pointer, strerror(-r));
	}
	if (words->n == 0 || words->at[0].text[0] == '\0')
		return policy_at_fail(
		    at, "a list whose first word is a program");
	return 0;
}

static int
command_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	struct document *document = target;

	(void)member;
	return words_read(at, value, &document->memory->words);
}

static int
cwd_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	struct document *document = target;
	char *text = NULL;
	const int r = policy_text_get(at, value, BOX_PATH_MAX - 1, &text);

	(void)member;
	if (r != 0)
		return r;
	document->memory->cwd = text;
	return policy_path_is_normal(text)
	    ? 0
	    : policy_at_fail(at, "the whole path of a folder, from /");
}

static int
nested_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)member, (void)target;
	return policy_value_read(at, value);
}

static int
text_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)member, (void)target;
	return json_kind_of(value) == JSON_KIND_STRING
	    ? 0
	    : policy_at_fail(at, "a text");
}

/* A digest is the name of a folder. */
static int
digest_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	struct document *document = target;
	char *digest = document->digest;

	(void)member;
	if (json_kind_of(value) != JSON_KIND_STRING ||
	    json_string_copy(value, digest, DIGEST_MAX + 1, NULL) != 0 ||
	    strlen(digest) < DIGEST_MIN || digest[0] == '-' ||
	    digest[strspn(digest, "0123456789abcdefghijklmnopqrstuvwxyz-")] !=
		'\0')
		return policy_at_fail(
		    at, "a digest: 16 to 128 small letters, digits and -");
	return 0;
}

static const struct policy_member package_members[] = {
	{ "digest", digest_read, 0, NULL },
	{ "name", text_read, 0, NULL },
	{ "version", text_read, 0, NULL },
};

static const struct policy_part package_part = { "package", package_members,
	ARRAY_LEN(package_members) };

static int
package_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	struct document *document = target;
	const int r = policy_part_read(at, value, &package_part, target);

	(void)member;
	return r == 0 && document->digest[0] == '\0'
	    ? policy_at_fail(at, "an object with a \"digest\"")
	    : r;
}

static const struct policy_member document_members[] = {
	{ "$schema", text_read, 0, NULL },
	{ "command", command_read, 0, NULL },
	{ "cwd", cwd_read, 0, NULL },
	{ "package", package_read, 0, NULL },
	{ "policy", nested_read, 0, NULL },
};

static const struct policy_part document_part = { "document", document_members,
	ARRAY_LEN(document_members) };

/* "${package}/x" is the package's folder and "/x". */
static int
package_put(char **textp, size_t at, const char *folder, struct err *err)
{
	const size_t len = strlen(PACKAGE_WORD);
	char *text = *textp, *whole = NULL;

	if (strncmp(text + at, PACKAGE_WORD, len) != 0)
		return 0;
	if (folder == NULL)
		return err_set(err, -EINVAL,
		    "launch document: %s: there is no package in it", text);
	if (asprintf(
		&whole, "%.*s%s%s", (int)at, text, folder, text + at + len) < 0)
		return err_set(err, -ENOMEM, "no memory");
	free(text);
	*textp = whole;
	return 0;
}

static int
packages_put(
    const struct document *document, const char *folder, struct err *err)
{
	struct policy_words *words = &document->memory->words;
	struct policy_words *env = &document->policy->lists[POLICY_ENV];
	int r = 0;

	for (size_t i = 0; r == 0 && i < words->n; i++)
		r = package_put(&words->at[i].text, 0, folder, err);
	for (size_t i = 0; r == 0 && i < env->n; i++) {
		const size_t name = strcspn(env->at[i].text, "=");

		if (env->at[i].text[name] == '=')
			r = package_put(
			    &env->at[i].text, name + 1, folder, err);
	}
	return r;
}

static int
package_grant(struct document *document, const char *packages, struct err *err)
{
	if (document->digest[0] == '\0')
		return packages_put(document, NULL, err);
	if (packages == NULL || !policy_path_is_normal(packages))
		return err_set(err, -EINVAL,
		    "launch document: there is no folder of packages here");
	auto_free char *folder = policy_path_join(packages, document->digest);
	if (folder == NULL)
		return err_set(err, -ENOMEM, "no memory");
	int r = packages_put(document, folder, err);
	if (r == 0)
		r = policy_rule_add(
		    &document->memory->all, POLICY_ALLOW_READ, folder, false);
	return r;
}

static int
document_spec(struct document *document, const char *packages,
    struct box_spec *spec, struct err *err)
{
	struct policy_memory *memory = document->memory;

	if (memory->words.n == 0)
		return err_set(err, -EINVAL,
		    "launch document: there is no \"command\" in it");
	memory->home = strdup(POLICY_HOME_DEFAULT);
	if (memory->cwd == NULL)
		memory->cwd = strdup(POLICY_HOME_DEFAULT);
	if (memory->home == NULL || memory->cwd == NULL)
		return err_set(err, -ENOMEM, "no memory");
	int r = package_grant(document, packages, err);
	if (r == 0)
		r = policy_resolve(&memory->all, document->policy, NULL);
	if (r == 0)
		r = policy_memory_spec(memory, document->policy, spec, err);
	return r;
}

typedef int
document_fn(struct document *document, void *context, struct err *err);

/* Reads one; what becomes of it says `then`. *memoryp, if any, on success. */
static int
document_read(const char *raw_text, size_t len, document_fn *then,
    void *context, struct policy_memory **memoryp, struct err *err)
{
	struct document document = { .memory = calloc(
					 1, sizeof(struct policy_memory)) };
	struct json_span value;

	if (document.memory == NULL || policy_new(&document.policy) != 0) {
		free(document.memory);
		return err_set(err, -ENOMEM, "no memory");
	}
	const struct policy_at at = { document.policy, "launch document", "",
		false, err };
	document.memory->all.err = err;

	int r = policy_text_check(raw_text, len, at.name, &value, err);
	if (r == 0)
		r = policy_part_read(&at, value, &document_part, &document);
	if (r == 0)
		r = then(&document, context, err);
	policy_free(document.policy);
	if (r != 0 || memoryp == NULL)
		policy_spec_free(document.memory);
	else
		*memoryp = document.memory;
	return r;
}

struct spec_context {
	const char *packages;
	struct box_spec *spec;
};

static int
then_spec(struct document *document, void *context, struct err *err)
{
	const struct spec_context *wanted = context;

	return document_spec(document, wanted->packages, wanted->spec, err);
}

int
policy_document_spec(const char *raw_text, size_t len, const char *packages,
    struct box_spec *spec, struct policy_memory **memoryp, struct err *err)
{
	struct spec_context wanted = { packages, spec };

	return document_read(raw_text, len, then_spec, &wanted, memoryp, err);
}

static int
then_network(struct document *document, void *context, struct err *err)
{
	return policy_network(document->policy, context, err);
}

int
policy_document_network(const char *raw_text, size_t len,
    struct policy_network *network, struct err *err)
{
	return document_read(raw_text, len, then_network, network, NULL, err);
}
