/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "policy/memory.h"
#include "policy/path.h"
#include "policy/resolve.h"

struct policy_memory *
policy_spec_free(struct policy_memory *memory)
{
	if (memory == NULL)
		return NULL;
	policy_resolution_fini(&memory->all);
	policy_words_fini(&memory->env);
	policy_words_fini(&memory->words);
	free(memory->argv);
	free(memory->env_list);
	free(memory->grants);
	free(memory->home);
	free(memory->cwd);
	free(memory->bundle);
	free(memory->certificate);
	free(memory);
	return NULL;
}

/* Borrowed texts and a NULL, for free(). */
static const char **
list_of(const struct policy_words *words)
{
	const char **list = calloc(words->n + 1, sizeof(*list));

	for (size_t i = 0; list != NULL && i < words->n; i++)
		list[i] = words->at[i].text;
	return list;
}

static int
grants_fill(struct policy_memory *memory)
{
	memory->grants =
	    calloc(memory->all.n_grants + 1, sizeof(*memory->grants));
	if (memory->grants == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < memory->all.n_grants; i++) {
		const struct policy_grant *grant = &memory->all.grants[i];

		memory->grants[i] = (struct box_grant){
			.path = grant->path,
			.at = strcmp(grant->path, grant->at) == 0 ? ""
								  : grant->at,
			.access = (uint32_t)grant->access,
			.flags = grant->flags,
		};
	}
	return 0;
}

int
policy_memory_spec(struct policy_memory *memory, const struct policy *policy,
    struct box_spec *spec, struct err *err)
{
	int r = policy_ports_make(policy, &memory->ports, err);
	memory->all.has_network = memory->ports.n_ports > 0;
	if (r == 0)
		r = policy_env_make(
		    &memory->all, policy, memory->home, &memory->env);
	if (r != 0)
		return r;
	memory->argv = list_of(&memory->words);
	memory->env_list = list_of(&memory->env);
	if (memory->argv == NULL || memory->env_list == NULL ||
	    grants_fill(memory) != 0)
		return err_set(err, -ENOMEM, "no memory");
	if (memory->words.n + memory->env.n > BOX_WORDS_MAX)
		return err_set(err, -E2BIG,
		    "the command and its environment have more than %u words",
		    BOX_WORDS_MAX);
	*spec = (struct box_spec){
		.argv = memory->argv,
		.env = memory->env_list,
		.grants = memory->grants,
		.n_argv = (uint32_t)memory->words.n,
		.n_env = (uint32_t)memory->env.n,
		.n_grants = (uint32_t)memory->all.n_grants,
		.flags = policy->flags,
		.notes = (uint32_t)policy->notes,
		.cwd = memory->cwd,
		.home = memory->home,
		.limits = policy->limits,
		.ports = memory->ports.ports,
		.n_ports = memory->ports.n_ports,
		.addresses = memory->ports.addresses,
		.n_addresses = memory->ports.n_addresses,
	};
	return 0;
}

/* A home that is the root would hide all. */
static char *
home_of(const struct policy_place *place)
{
	char *home = NULL;

	if (place->home == NULL || place->home[0] != '/' ||
	    policy_path_absolute(place, place->home, &home, NULL) != 0)
		return strdup(POLICY_HOME_DEFAULT);
	if (strcmp(home, "/") != 0)
		return home;
	free(home);
	return strdup(POLICY_HOME_DEFAULT);
}

int
policy_spec(const struct policy *policy, const struct policy_place *place,
    const char *const *argv, struct box_spec *spec,
    struct policy_memory **memoryp, struct err *err)
{
	struct policy_memory *memory = calloc(1, sizeof(*memory));
	int r = 0;

	if (memory == NULL)
		return err_set(err, -ENOMEM, "no memory");
	memory->all.place = place;
	memory->all.err = err;
	memory->home = home_of(place);
	for (size_t i = 0; r == 0 && argv[i] != NULL; i++)
		r = policy_words_add(&memory->words, argv[i], false);
	if (r == 0 && memory->home == NULL)
		r = -ENOMEM;
	if (r != 0)
		(void)err_set(err, r, "the command: %s", strerror(-r));
	else if (memory->words.n == 0 || argv[0][0] == '\0')
		r = err_set(
		    err, -EINVAL, "there is no command; write it behind --");
	if (r == 0)
		r = policy_path_absolute(place, ".", &memory->cwd, err);
	if (r == 0)
		r = policy_resolve(&memory->all, policy, argv);
	if (r == 0)
		r = policy_memory_spec(memory, policy, spec, err);
	if (r != 0)
		policy_spec_free(memory);
	else
		*memoryp = memory;
	return r;
}

/* ---- an authority of ours -------------------------------------------------- */

/* Inside; the folder is the box's own. */
#define BUNDLE_AT "/run/cordon/certificates.pem"
#define CERTIFICATE_AT "/run/cordon/authority.pem"

static const char *
place_get(const struct box_grant *grant)
{
	return grant->at[0] != '\0' ? grant->at : grant->path;
}

/* In order; what is granted at that place already stays. */
static void
grant_insert(struct policy_memory *memory, struct box_spec *spec,
    const char *path, const char *at)
{
	struct box_grant *grants = memory->grants;
	uint32_t i = spec->n_grants;

	for (uint32_t j = 0; j < spec->n_grants; j++)
		if (strcmp(place_get(&grants[j]), at) == 0)
			return;
	for (; i > 0 && strcmp(place_get(&grants[i - 1]), at) > 0; i--)
		grants[i] = grants[i - 1];
	grants[i] = (struct box_grant){
		.path = path, .at = at, .access = BOX_ACCESS_READ
	};
	spec->n_grants++;
}

static int
variables_add(struct policy_memory *memory)
{
	static const char *const variables[] = {
		"NODE_EXTRA_CA_CERTS=" CERTIFICATE_AT,
		"SSL_CERT_FILE=" BUNDLE_AT,
		"REQUESTS_CA_BUNDLE=" BUNDLE_AT,
		"CURL_CA_BUNDLE=" BUNDLE_AT,
		"GIT_SSL_CAINFO=" BUNDLE_AT,
	};

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const size_t len = strcspn(variables[i], "=") + 1;
		bool is_set = false;

		for (size_t j = 0; j < memory->env.n; j++)
			is_set |= strncmp(memory->env.at[j].text, variables[i],
				      len) == 0;
		const int r = is_set
		    ? 0
		    : policy_words_add(&memory->env, variables[i], false);
		if (r != 0)
			return r;
	}
	return 0;
}

int
policy_spec_authority(struct policy_memory *memory, struct box_spec *spec,
    const struct policy_authority *authority, struct err *err)
{
	struct box_grant *grants =
	    reallocarray(memory->grants, spec->n_grants + 4u, sizeof(*grants));

	if (grants == NULL)
		return err_set(err, -ENOMEM, "no memory");
	spec->grants = memory->grants = grants;
	if (spec->n_grants + 3u > BOX_GRANTS_MAX ||
	    spec->n_env + 5u + spec->n_argv > BOX_WORDS_MAX)
		return err_set(err, -E2BIG,
		    "too many paths or variables for an authority of its own");
	memory->bundle = strdup(authority->bundle);
	memory->certificate = strdup(authority->certificate);
	if (memory->bundle == NULL || memory->certificate == NULL ||
	    variables_add(memory) != 0)
		return err_set(err, -ENOMEM, "no memory");
	const char **env = list_of(&memory->env);
	if (env == NULL)
		return err_set(err, -ENOMEM, "no memory");
	free(memory->env_list);
	spec->env = memory->env_list = env;
	spec->n_env = (uint32_t)memory->env.n;
	grant_insert(memory, spec, memory->bundle, BUNDLE_AT);
	grant_insert(memory, spec, memory->certificate, CERTIFICATE_AT);
	if (authority->over_system)
		grant_insert(
		    memory, spec, memory->bundle, POLICY_SYSTEM_BUNDLE);
	return 0;
}
