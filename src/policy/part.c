/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "policy/read.h"

#define NAME_LONGEST 48u /* of a member that may be misspelt */
#define NEAR 3u /* changes that make another name of it */

int
policy_at_fail(const struct policy_at *at, const char *wanted)
{
	return err_set(at->err, -EINVAL, "%s: %s must be %s", at->name,
	    at->pointer[0] == '\0' ? "the whole" : at->pointer, wanted);
}

/* ~ and / are escaped (RFC 6901); hidden characters are left to whoever prints
 * the sentence. */
void
policy_at_member(struct policy_at *inner, const struct policy_at *outer,
    struct json_span key)
{
	char name[POLICY_POINTER_MAX] = "?";

	(void)json_string_copy(key, name, sizeof(name), NULL);
	*inner = *outer;
	size_t at = strlen(inner->pointer);
	if (at + 4 < POLICY_POINTER_MAX)
		inner->pointer[at++] = '/';
	for (const char *c = name; *c != '\0' && at + 4 < POLICY_POINTER_MAX;
	     c++) {
		if (*c == '~' || *c == '/') {
			inner->pointer[at++] = '~';
			inner->pointer[at++] = *c == '~' ? '0' : '1';
		} else {
			inner->pointer[at++] = *c;
		}
	}
	inner->pointer[at] = '\0';
}

void
policy_at_element(
    struct policy_at *inner, const struct policy_at *outer, size_t i)
{
	*inner = *outer;
	const size_t at = strlen(inner->pointer);
	snprintf(inner->pointer + at, POLICY_POINTER_MAX - at, "/%zu", i);
}

int
policy_text_get(const struct policy_at *at, struct json_span value, size_t max,
    char **textp)
{
	if (json_kind_of(value) != JSON_KIND_STRING)
		return policy_at_fail(at, "a text");

	auto_free char *text = malloc(value.len + 1);
	if (text == NULL)
		return err_set(at->err, -ENOMEM, "%s: no memory", at->name);
	if (json_string_copy(value, text, value.len + 1, NULL) != 0 ||
	    strlen(text) > max)
		return policy_at_fail(at, "a shorter text, without a NUL");
	*textp = steal_ptr(&text);
	return 0;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance; letters of either case are the same. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[NAME_LONGEST + 1];
	const size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t corner = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			const bool same = (a[i] | 0x20) == (b[j] | 0x20);
			const size_t above = row[j + 1];

			row[j + 1] =
			    least(corner + !same, least(above, row[j]) + 1);
			corner = above;
		}
	}
	return row[n];
}

static const char *
nearest(const char *name, const struct policy_part *part)
{
	const char *best = NULL;
	size_t least_far = NEAR + 1;

	if (strlen(name) > NAME_LONGEST)
		return NULL;
	for (size_t i = 0; i < part->n_members; i++) {
		const char *other = part->members[i].name;
		const size_t far = distance(name, other);

		if (far < least_far && far * 2 < strlen(other)) {
			least_far = far;
			best = other;
		}
	}
	return best;
}

/* Where else a member of this name may stand; NULL. */
static const char *
elsewhere(const char *name)
{
	const struct policy_part *part;

	for (size_t i = 0; (part = policy_part_at(i)) != NULL; i++) {
		for (size_t m = 0; m < part->n_members; m++) {
			if (strcmp(part->members[m].name, name) == 0)
				return part->name[0] == '\0' ? "the top"
							     : part->name;
		}
	}
	return NULL;
}

static int
unknown_fail(const struct policy_at *at, struct json_span key,
    const struct policy_part *part)
{
	char name[POLICY_POINTER_MAX] = "", names[384] = "";
	size_t end = 0;

	(void)json_string_copy(key, name, sizeof(name), NULL);
	const char *near = nearest(name, part), *place = elsewhere(name);

	if (near != NULL)
		return err_set(at->err, -EINVAL,
		    "%s: %s is not known; did you mean \"%s\"?", at->name,
		    at->pointer, near);
	if (place != NULL)
		return err_set(at->err, -EINVAL,
		    "%s: %s is not known here; it belongs in %s", at->name,
		    at->pointer, place);
	for (size_t i = 0; i < part->n_members; i++) {
		if (part->members[i].remark != NULL)
			continue;
		end += (size_t)snprintf(names + end, sizeof(names) - end,
		    "%s%s", end > 0 ? ", " : "", part->members[i].name);
	}
	return err_set(at->err, -EINVAL, "%s: %s is not known; here may be: %s",
	    at->name, at->pointer, names);
}

int
policy_part_read(const struct policy_at *at, struct json_span value,
    const struct policy_part *part, void *target)
{
	struct json_span key, item;
	struct policy_at inner;
	struct json_iter iter;
	uint32_t seen = 0;

	if (json_kind_of(value) != JSON_KIND_OBJECT)
		return policy_at_fail(at, "an object");

	(void)json_iter_init(&iter, value);
	while (json_iter_member(&iter, &key, &item)) {
		size_t i = 0;

		while (i < part->n_members &&
		    !json_string_equals(key, part->members[i].name))
			i++;
		policy_at_member(&inner, at, key);
		if (i == part->n_members)
			return unknown_fail(&inner, key, part);
		if ((seen & 1u << i) != 0)
			return err_set(at->err, -EINVAL,
			    "%s: %s is there twice", at->name, inner.pointer);
		seen |= 1u << i;

		const struct policy_member *member = &part->members[i];
		const int r = member->read(&inner, item, member, target);
		if (r != 0)
			return r;
	}
	return 0;
}

int
policy_text_check(const char *raw_text, size_t len, const char *name,
    struct json_span *value, struct err *err)
{
	size_t offset = 0, line = 1, column = 1;
	const int r = json_check(raw_text, len, value, &offset);

	if (r == 0)
		return 0;
	for (size_t i = 0; i < offset && i < len; i++) {
		column = raw_text[i] == '\n' ? 1 : column + 1;
		line += raw_text[i] == '\n';
	}
	return err_set(err, -EINVAL, "%s:%zu:%zu: %s", name, line, column,
	    r == JSON_E_DEPTH ? "too many objects and lists in one another"
		: len == 0    ? "is empty; a policy that says nothing is {}"
			      : "is no JSON");
}
