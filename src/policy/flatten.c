/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "policy/path.h"
#include "policy/resolve.h"

static enum policy_list
grant_list(const struct policy_grant *grant)
{
	if (grant->access == BOX_ACCESS_HIDE)
		return POLICY_DENY_READ;
	if (grant->access == BOX_ACCESS_READ)
		return grant->is_deny ? POLICY_DENY_WRITE : POLICY_ALLOW_READ;
	return (grant->flags & BOX_GRANT_GUARD) != 0 ? POLICY_ALLOW_GUARDED
						     : POLICY_ALLOW_WRITE;
}

static int
paths_flatten(const struct policy_resolution *all, struct policy_words *lists)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < all->n_grants; i++) {
		const struct policy_grant *grant = &all->grants[i];

		r = policy_words_take(&lists[grant_list(grant)],
		    policy_glob_escape(grant->at), false);
	}
	return r;
}

static int
env_flatten(const struct policy_resolution *all,
    const struct policy_words *named, struct policy_words *words)
{
	char *word = NULL;
	int r = 0;

	if (all->folders.n > 0) {
		auto_free char *path = policy_env_path(all);

		if (path == NULL || asprintf(&word, "PATH=%s", path) < 0)
			return -ENOMEM;
		r = policy_env_set(words, word);
	}
	for (size_t i = 0; r == 0 && i < all->env.n; i++)
		r = policy_env_set(words, strdup(all->env.at[i].text));
	for (size_t i = 0; r == 0 && i < named->n; i++) {
		const char *text = named->at[i].text;
		const char *value = policy_place_env(all->place, text);

		word = NULL;
		if (strchr(text, '=') != NULL)
			word = strdup(text);
		else if (value == NULL)
			continue;
		else if (asprintf(&word, "%s=%s", text, value) < 0)
			word = NULL;
		r = policy_env_set(words, word);
	}
	return r;
}

static int
words_copy(const struct policy *from, struct policy *to)
{
	static const enum policy_list lists[] = { POLICY_ALLOWED_DOMAINS,
		POLICY_DENIED_DOMAINS, POLICY_RULES, POLICY_SECRETS,
		POLICY_REMARKS };
	int r = 0;

	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct policy_words *words = &from->lists[lists[l]];

		for (size_t i = 0; r == 0 && i < words->n; i++)
			r = policy_words_add(&to->lists[lists[l]],
			    words->at[i].text, words->at[i].is_srt);
	}
	to->limits = from->limits;
	to->flags = from->flags;
	to->notes = from->notes;
	to->budget = from->budget;
	to->may_loopback = from->may_loopback;
	return r;
}

int
policy_flatten(const struct policy *policy, const struct policy_place *place,
    const char *const *argv, struct policy **flatp, struct err *err)
{
	struct policy_resolution all = { .place = place, .err = err };
	struct policy *flat = NULL;
	int r = policy_new(&flat);

	if (r != 0)
		return err_set(err, r, "no memory");
	r = policy_resolve(&all, policy, argv);
	if (r == 0) {
		r = words_copy(policy, flat);
		if (r == 0)
			r = paths_flatten(&all, flat->lists);
		if (r == 0)
			r = env_flatten(&all, &policy->lists[POLICY_ENV],
			    &flat->lists[POLICY_ENV]);
		if (r != 0)
			(void)err_set(err, r, "the policy: %s", strerror(-r));
	}
	policy_resolution_fini(&all);
	if (r != 0)
		policy_free(flat);
	else
		*flatp = flat;
	return r;
}
