/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a program inside sees of the environment: where it is and how to write,
 * and what the policy names. Everything else of whoever starts it stays there.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "policy/resolve.h"

/* BOX_NET_SELF and BOX_HTTP_PROXY_PORT. */
#define PROXY "http://198.18.0.1:3128"

/* Language, terminal, time zone. */
static const char *const passed[] = { "LANG", "TERM", "COLORTERM", "NO_COLOR",
	"TZ" };

int
policy_env_set(struct policy_words *words, char *name_value)
{
	auto_free char *word = name_value;

	if (word == NULL)
		return -ENOMEM;
	const size_t len = strcspn(word, "=") + 1;
	for (size_t i = 0; i < words->n; i++) {
		if (strncmp(words->at[i].text, word, len) == 0) {
			free(words->at[i].text);
			words->at[i].text = steal_ptr(&word);
			return 0;
		}
	}
	return policy_words_take(words, steal_ptr(&word), false);
}

static int
value_set(struct policy_words *words, const char *name, const char *value)
{
	char *word = NULL;

	if (value == NULL)
		return 0;
	if (asprintf(&word, "%s=%s", name, value) < 0)
		return -ENOMEM;
	return policy_env_set(words, word);
}

char *
policy_env_path(const struct policy_resolution *all)
{
	size_t size = sizeof(POLICY_PATH_DEFAULT);

	for (size_t i = 0; i < all->folders.n; i++)
		size += strlen(all->folders.at[i].text) + 1;
	char *path = malloc(size), *end = path;
	if (path == NULL)
		return NULL;
	for (size_t i = 0; i < all->folders.n; i++) {
		end = stpcpy(end, all->folders.at[i].text);
		end = stpcpy(end, ":");
	}
	memcpy(end, POLICY_PATH_DEFAULT, sizeof(POLICY_PATH_DEFAULT));
	return path;
}

static int
standard_set(const struct policy_resolution *all, const char *home,
    struct policy_words *words)
{
	const char *user = policy_place_env(all->place, "USER");
	int r;

	if (user == NULL || user[0] == '\0')
		user = policy_place_env(all->place, "LOGNAME");
	if (user == NULL || user[0] == '\0')
		user = "user";
	auto_free char *path = policy_env_path(all);
	if (path == NULL)
		return -ENOMEM;
	r = value_set(words, "PATH", path);
	if (r == 0)
		r = value_set(words, "HOME", home);
	if (r == 0)
		r = value_set(words, "USER", user);
	if (r == 0)
		r = value_set(words, "LOGNAME", user);
	if (r == 0 && all->place == NULL)
		r = value_set(words, "LANG", "C.UTF-8");
	return r;
}

static int
passed_set(const struct policy_place *place, struct policy_words *words)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(passed); i++)
		r = value_set(
		    words, passed[i], policy_place_env(place, passed[i]));
	if (place == NULL || place->env == NULL)
		return r;
	for (const char *const *at = place->env; r == 0 && *at != NULL; at++) {
		if (strncmp(*at, "LC_", 3) == 0 && strchr(*at, '=') != NULL)
			r = policy_env_set(words, strdup(*at));
	}
	return r;
}

/* Programs need know of none; some connect only by a proxy. */
static int
proxies_set(struct policy_words *words)
{
	static const char *const proxied[] = { "HTTP_PROXY", "HTTPS_PROXY",
		"http_proxy", "https_proxy" };
	static const char *const direct[] = { "NO_PROXY", "no_proxy" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(proxied); i++)
		r = value_set(words, proxied[i], PROXY);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(direct); i++)
		r = value_set(words, direct[i], "localhost,127.0.0.1,::1");
	return r;
}

/* Whatever else is said of that variable: no value of a secret is in a box. */
static int
secrets_set(const struct policy *policy, struct policy_words *words)
{
	const struct policy_words *names = &policy->lists[POLICY_SECRETS];
	char placeholder[SECRET_PLACEHOLDER_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < names->n; i++) {
		secret_placeholder_put(names->at[i].text, placeholder);
		r = value_set(words, names->at[i].text, placeholder);
	}
	return r;
}

int
policy_env_make(const struct policy_resolution *all,
    const struct policy *policy, const char *home, struct policy_words *words)
{
	const struct policy_words *named = &policy->lists[POLICY_ENV];
	int r = standard_set(all, home, words);

	if (r == 0)
		r = passed_set(all->place, words);
	if (r == 0 && all->has_network)
		r = proxies_set(words);
	for (size_t i = 0; r == 0 && i < all->env.n; i++)
		r = policy_env_set(words, strdup(all->env.at[i].text));
	for (size_t i = 0; r == 0 && i < named->n; i++) {
		const char *word = named->at[i].text;

		if (strchr(word, '=') != NULL)
			r = policy_env_set(words, strdup(word));
		else if (all->place == NULL)
			return err_set(all->err, -EINVAL,
			    "env: %s: is passed on by nobody; write its value",
			    word);
		else
			r = value_set(
			    words, word, policy_place_env(all->place, word));
	}
	if (r == 0)
		r = secrets_set(policy, words);
	return r == 0 ? 0 : err_set(all->err, r, "env: %s", strerror(-r));
}
