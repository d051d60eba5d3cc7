/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/grants.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/auto.h"
#include "base/fd.h"

#define POLICY_BYTES_MAX (1u << 20)

static int
file_add(struct policy *policy, const char *path, bool is_srt, struct err *err)
{
	auto_free uint8_t *bytes = NULL;
	size_t len = 0;

	if (path == NULL)
		return 0;
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r =
	    fd < 0 ? -errno : fd_read_all(fd, POLICY_BYTES_MAX, &bytes, &len);
	if (r == -EFBIG)
		return err_set(err, r, "%s: larger than 1 MiB", path);
	if (r < 0)
		return err_set(err, r, "%s: %s", path, strerror(-r));
	return policy_json(policy, (const char *)bytes, len, is_srt, path, err);
}

typedef int add_fn(struct policy *policy, const char *text, struct err *err);

static int
list_add(struct policy *policy, const struct ctl_list *list, add_fn *add,
    struct err *err)
{
	for (size_t i = 0; i < list->n_items; i++) {
		const int r = add(policy, list->items[i], err);
		if (r != 0)
			return r;
	}
	return 0;
}

static int
profiles_add(struct policy *policy, const struct ctl_list *names,
    const char *command, struct err *err)
{
	bool is_none = false;

	for (size_t i = 0; i < names->n_items; i++) {
		if (strcmp(names->items[i], "none") == 0) {
			is_none = true;
			continue;
		}
		const int r = policy_profile(policy, names->items[i], err);
		if (r != 0)
			return r;
	}

	const char *own =
	    is_none || command == NULL ? NULL : policy_profile_for(command);
	return own != NULL ? policy_profile(policy, own, err) : 0;
}

static void
limits_set(const struct ctl_grants *grants, struct box_limits *limits)
{
	if (grants->memory_bytes != CTL_GRANTS_UNSET)
		limits->memory_bytes = grants->memory_bytes;
	if (grants->tmp_bytes != CTL_GRANTS_UNSET)
		limits->tmp_bytes = grants->tmp_bytes;
	if (grants->timeout_ns != CTL_GRANTS_UNSET)
		limits->wall_ms = (grants->timeout_ns + 999999) / 1000000;
	if (grants->pids != 0)
		limits->pids = grants->pids;
	if (grants->cpu_milli != 0)
		limits->cpu_milli = grants->cpu_milli;
}

static int
denials_set(const char *word, struct policy *policy, struct err *err)
{
	static const struct {
		const char *word;
		enum box_notes notes;
	} words[] = {
		{ "none", BOX_NOTES_NONE },
		{ "calls", BOX_NOTES_CALLS },
		{ "files", BOX_NOTES_FILES },
	};

	if (word == NULL)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(word, words[i].word) == 0) {
			policy_notes(policy, words[i].notes);
			return 0;
		}
	}
	return err_set(err, -EINVAL,
	    "--denials needs none, calls or files, \"%s\" is none of them",
	    word);
}

/* Its name; the rest is ctl/binding.h's. */
static int
secret_add(struct policy *policy, const char *text, struct err *err)
{
	auto_free char *name = strndup(text, strcspn(text, "="));

	return name == NULL ? err_set(err, -ENOMEM, "no memory")
			    : policy_secret(policy, name, err);
}

int
ctl_grants_apply(const struct ctl_grants *grants, const char *command,
    struct policy *policy, struct err *err)
{
	static const char sockets[] =
	    "{\"network\":{\"allowAllUnixSockets\":true}}";
	if (grants->is_own)
		policy_allow_loopback(policy);
	int r = file_add(policy, grants->policy, false, err);

	if (r == 0)
		r = file_add(policy, grants->settings, true, err);
	if (r == 0)
		r = profiles_add(policy, &grants->profiles, command, err);
	if (r == 0)
		r = list_add(policy, &grants->reads, policy_read, err);
	if (r == 0)
		r = list_add(policy, &grants->writes, policy_write, err);
	if (r == 0)
		r = list_add(policy, &grants->nets, policy_net, err);
	if (r == 0)
		r = list_add(policy, &grants->envs, policy_env, err);
	if (r == 0)
		r = list_add(policy, &grants->secrets,
		    grants->is_own ? secret_add : policy_secret, err);
	if (r == 0 && grants->unix_sockets)
		r = policy_json(policy, sockets, strlen(sockets), false,
		    "--unix-sockets", err);
	if (r == 0)
		r = denials_set(grants->denials, policy, err);
	if (r == 0)
		limits_set(grants, policy_limits(policy));
	return r;
}
