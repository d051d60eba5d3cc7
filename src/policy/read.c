/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A policy's members. srt's settings are of the same form: what it has and we
 * do not is in the same tables, with the reason why it is not obeyed.
 */

#include "policy/read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"

static int
remark(const struct policy_at *at, const char *text)
{
	const int r = policy_list_add(at->policy, POLICY_REMARKS, text, false);

	return r == 0 ? 0
		      : err_set(at->err, r, "%s: %s: %s", at->name, at->pointer,
			    strerror(-r));
}

/* "/network/x" is "network.x" for people who read srt's manual. */
static int
remark_member(const struct policy_at *at, const char *why)
{
	char text[POLICY_POINTER_MAX + 256];

	snprintf(text, sizeof(text), "%s: %s", at->pointer + 1, why);
	for (char *c = text; *c != ':'; c++) {
		if (*c == '/')
			*c = '.';
	}
	return remark(at, text);
}

/* An editor's; nothing is read from there. */
static int
schema_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)member, (void)target;
	return json_kind_of(value) == JSON_KIND_STRING
	    ? 0
	    : policy_at_fail(at, "a text");
}

static bool
says_nothing(struct json_span value)
{
	struct json_span item = { 0 };
	struct json_iter iter;

	if (json_kind_of(value) == JSON_KIND_BOOL)
		return !json_value_is_true(value);
	if (json_kind_of(value) == JSON_KIND_NULL)
		return true;
	if (json_kind_of(value) == JSON_KIND_ARRAY)
		return json_iter_init(&iter, value) == 0 &&
		    !json_iter_element(&iter, &item);
	return json_kind_of(value) == JSON_KIND_OBJECT &&
	    json_iter_init(&iter, value) == 0 &&
	    !json_iter_member(&iter, &item, &item);
}

/* srt's alone. */
static int
foreign_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)target;
	if (!at->is_srt)
		return err_set(at->err, -EINVAL,
		    "%s: %s is a setting of srt's that a policy has not: %s",
		    at->name, at->pointer, member->remark);
	return says_nothing(value) ? 0 : remark_member(at, member->remark);
}

static int
item_add(const struct policy_at *at, struct json_span value,
    enum policy_list list, size_t max)
{
	char *text = NULL;
	int r = policy_text_get(at, value, max, &text);

	if (r != 0)
		return r;
	auto_free char *owned = text;
	if (owned[0] == '\0')
		return policy_at_fail(at, "a text that is not empty");
	r = policy_list_add(at->policy, list, owned, at->is_srt);
	return r == 0 ? 0
		      : err_set(at->err, r, "%s: %s: %s", at->name, at->pointer,
			    strerror(-r));
}

typedef int item_fn(const struct policy_at *at, struct json_span value,
    const struct policy_member *member);

static int
items_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, item_fn *read)
{
	struct policy_at inner;
	struct json_span item;
	struct json_iter iter;

	if (json_kind_of(value) != JSON_KIND_ARRAY)
		return policy_at_fail(at, "a list");
	(void)json_iter_init(&iter, value);
	for (size_t i = 0; json_iter_element(&iter, &item); i++) {
		policy_at_element(&inner, at, i);
		const int r = read(&inner, item, member);
		if (r != 0)
			return r;
	}
	return 0;
}

static int
path_item(const struct policy_at *at, struct json_span value,
    const struct policy_member *member)
{
	return item_add(
	    at, value, (enum policy_list)member->what, BOX_PATH_MAX - 1);
}

static int
paths_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)target;
	return items_read(at, value, member, path_item);
}

static int
domain_item(const struct policy_at *at, struct json_span value,
    const struct policy_member *member)
{
	const bool is_deny = member->what == POLICY_DENIED_DOMAINS;
	struct err why = { "" };
	char *text = NULL;
	int r = policy_text_get(at, value, 512, &text);

	if (r != 0)
		return r;
	auto_free char *owned = text;
	r = policy_domain_check(at->policy, owned, is_deny, &why);
	if (r == 0)
		return item_add(at, value, (enum policy_list)member->what, 512);
	/* srt takes more, and obeys it: an allow that is left out is the
	 * stricter, a deny is not. */
	if (at->is_srt && !is_deny) {
		char text_left[POLICY_POINTER_MAX];
		snprintf(text_left, sizeof(text_left),
		    "left out: \"%.64s\" %.160s", owned, why.text);
		return remark_member(at, text_left);
	}
	return err_set(at->err, -EINVAL, "%s: %s: \"%.256s\" %s", at->name,
	    at->pointer, owned, why.text);
}

static int
domains_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)target;
	return items_read(at, value, member, domain_item);
}

/* ---- rules with methods --------------------------------------------------- */

struct rule_words {
	char *url; /* owned */
	uint8_t methods;
};

static int
url_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	struct rule_words *words = target;

	(void)member;
	return policy_text_get(at, value, ADDR_RULE_TEXT_MAX, &words->url);
}

static int
methods_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	struct rule_words *words = target;
	struct json_span item;
	struct json_iter iter;

	(void)member;
	if (json_kind_of(value) != JSON_KIND_ARRAY)
		return policy_at_fail(at, "a list");
	(void)json_iter_init(&iter, value);
	while (json_iter_element(&iter, &item)) {
		uint8_t bit = 0;
		char name[16];

		if (json_kind_of(item) != JSON_KIND_STRING ||
		    json_string_copy(item, name, sizeof(name), NULL) != 0 ||
		    strchr(name, ',') != NULL ||
		    !addr_methods_parse(name, &bit))
			return policy_at_fail(at,
			    "a list of GET, HEAD, POST, PUT, PATCH, DELETE, "
			    "OPTIONS, OTHER");
		words->methods |= bit;
	}
	return words->methods != 0
	    ? 0
	    : policy_at_fail(at, "a list that is not empty");
}

static const struct policy_member rule_members[] = {
	{ "methods", methods_read, 0, NULL },
	{ "url", url_read, 0, NULL },
};

static const struct policy_part rule_part = { "rule", rule_members,
	ARRAY_LEN(rule_members) };

static int
rule_item(const struct policy_at *at, struct json_span value,
    const struct policy_member *member)
{
	struct rule_words words = { NULL, 0 };
	struct err why = { "" };

	(void)member;
	int r = policy_part_read(at, value, &rule_part, &words);
	auto_free char *url = words.url;
	if (r != 0)
		return r;
	if (url == NULL)
		return policy_at_fail(at, "an object with a \"url\"");
	r = policy_rule_word(at->policy, url, words.methods, &why);
	return r == 0 ? 0
		      : err_set(at->err, r, "%s: %s: \"%.256s\" %s", at->name,
			    at->pointer, url, why.text);
}

static int
rules_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)target;
	return items_read(at, value, member, rule_item);
}

static int
sockets_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)target;
	if (json_kind_of(value) != JSON_KIND_BOOL)
		return policy_at_fail(at, "true or false");
	at->policy->flags &= ~member->what;
	if (json_value_is_true(value))
		at->policy->flags |= member->what;
	return 0;
}

static int
profile_item(const struct policy_at *at, struct json_span value,
    const struct policy_member *member)
{
	struct err why;
	char *text = NULL;
	int r = policy_text_get(at, value, 64, &text);

	(void)member;
	if (r != 0)
		return r;
	auto_free char *owned = text;
	r = policy_profile(at->policy, owned, &why);
	return r == 0 ? 0
		      : err_set(at->err, r, "%s: %s: %s", at->name, at->pointer,
			    why.text);
}

static int
profiles_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)target;
	return items_read(at, value, member, profile_item);
}

static int
secret_item(const struct policy_at *at, struct json_span value,
    const struct policy_member *member)
{
	struct err why;
	char *text = NULL;
	int r = policy_text_get(at, value, POLICY_POINTER_MAX, &text);

	(void)member;
	if (r != 0)
		return r;
	auto_free char *owned = text;
	if (strchr(owned, '=') != NULL)
		return policy_at_fail(
		    at, "the name of a secret, never its value");
	r = policy_secret(at->policy, owned, &why);
	return r == 0 ? 0
		      : err_set(at->err, r, "%s: %s: %s", at->name, at->pointer,
			    why.text);
}

static int
secrets_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)target;
	return items_read(at, value, member, secret_item);
}

static int
variable_add(
    const struct policy_at *at, const char *name, struct json_span value)
{
	char *text = NULL, *word = NULL;
	struct err why;
	int r;

	if (json_kind_of(value) == JSON_KIND_NULL) {
		r = policy_env(at->policy, name, &why);
	} else {
		r = policy_text_get(at, value, POLICY_VALUE_MAX, &text);
		if (r != 0)
			return r;
		auto_free char *owned = text;
		if (asprintf(&word, "%s=%s", name, owned) < 0)
			return err_set(at->err, -ENOMEM, "no memory");
		auto_free char *owned_word = word;
		r = policy_env(at->policy, owned_word, &why);
	}
	return r == 0 ? 0
		      : err_set(at->err, r, "%s: %s: %s", at->name, at->pointer,
			    why.text);
}

static int
env_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	struct json_span key, item;
	struct policy_at inner;
	struct json_iter iter;
	char name[POLICY_POINTER_MAX];

	(void)member, (void)target;
	if (json_kind_of(value) != JSON_KIND_OBJECT)
		return policy_at_fail(at,
		    "an object of names and values; null passes a variable "
		    "on as it is");
	(void)json_iter_init(&iter, value);
	while (json_iter_member(&iter, &key, &item)) {
		struct json_want want = { name };

		policy_at_member(&inner, at, key);
		if (json_string_copy(key, name, sizeof(name), NULL) != 0 ||
		    !policy_name_is_valid(name, strlen(name)))
			return policy_at_fail(&inner,
			    "the name of a variable: letters, digits and _, "
			    "of which the first is no digit");
		if (json_members_find(value, &want, 1) != 0)
			return err_set(at->err, -EINVAL,
			    "%s: %s is there twice", at->name, inner.pointer);
		const int r = variable_add(&inner, name, item);
		if (r != 0)
			return r;
	}
	return 0;
}

static int
denials_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)member, (void)target;
	for (uint32_t i = 0; policy_denials_name(i) != NULL; i++) {
		if (json_string_equals(value, policy_denials_name(i))) {
			at->policy->notes = (enum box_notes)i;
			return 0;
		}
	}
	return policy_at_fail(at, "\"none\", \"calls\", \"files\" or \"all\"");
}

static policy_read_fn filesystem_read, network_read, limits_read,
    credentials_read, credential_files_read, credential_names_read;

#define ALL_OF_IT "one process leads out, by the lists of hosts alone"
#define ADDRESSES                                                              \
	"addresses inside are never dialled; single ones are in deniedDomains"
#define BUDGET(member) offsetof(struct addr_budget, member)
#define NOT_LINUX "it is of another system than Linux"
#define NOT_SRT "this box is not made by srt's helpers"

static const struct policy_member filesystem_members[] = {
	{ "allowRead", paths_read, POLICY_ALLOW_READ, NULL },
	{ "allowWrite", paths_read, POLICY_ALLOW_WRITE, NULL },
	{ "allowWriteGuarded", paths_read, POLICY_ALLOW_GUARDED, NULL },
	{ "denyRead", paths_read, POLICY_DENY_READ, NULL },
	{ "denyWrite", paths_read, POLICY_DENY_WRITE, NULL },
	{ "allowGitConfig", foreign_read, 0,
	    "a guarded folder keeps its .git/config" },
	{ "disabled", foreign_read, 0,
	    "the wall around files stays; only what is granted is there" },
};

static const struct policy_member network_members[] = {
	{ "allowAllUnixSockets", sockets_read, BOX_UNIX_SOCKETS, NULL },
	{ "allowedDomains", domains_read, POLICY_ALLOWED_DOMAINS, NULL },
	{ "deniedDomains", domains_read, POLICY_DENIED_DOMAINS, NULL },
	{ "rules", rules_read, 0, NULL },
	{ "requestsPerMinute", policy_budget_count_read,
	    BUDGET(requests_per_minute), NULL },
	{ "requestsPerCall", policy_budget_count_read, BUDGET(per_caller),
	    NULL },
	{ "concurrent", policy_budget_count_read, BUDGET(concurrent), NULL },
	{ "bytesIn", policy_budget_size_read, BUDGET(bytes_in), NULL },
	{ "bytesOut", policy_budget_size_read, BUDGET(bytes_out), NULL },
	{ "bytesPerMinute", policy_budget_size_read, BUDGET(bytes_per_minute),
	    NULL },
	{ "allowLocalBinding", foreign_read, 0,
	    "a box has a loopback of its own, and may bind there" },
	{ "allowMachLookup", foreign_read, 0, NOT_LINUX },
	{ "allowUnixSockets", foreign_read, 0,
	    "single sockets are not told apart; allowAllUnixSockets is" },
	{ "deniedDomainReasons", foreign_read, 0,
	    "a refusal names the rule that was missing" },
	{ "deniedResolvedAddresses", foreign_read, 0, ADDRESSES },
	{ "filterRequest", foreign_read, 0, ALL_OF_IT },
	{ "httpProxyPort", foreign_read, 0, ALL_OF_IT },
	{ "mitmProxy", foreign_read, 0, ALL_OF_IT },
	{ "parentProxy", foreign_read, 0, ALL_OF_IT },
	{ "socksProxyPort", foreign_read, 0, ALL_OF_IT },
	{ "strictAllowlist", foreign_read, 0, "nobody is asked here anyway" },
	{ "tlsTerminate", foreign_read, 0, ALL_OF_IT },
};

#define LIMIT(member) offsetof(struct box_limits, member)

static const struct policy_member limits_members[] = {
	{ "cpu", policy_cpu_read, LIMIT(cpu_milli), NULL },
	{ "fileSize", policy_size_read, LIMIT(file_bytes), NULL },
	{ "files", policy_count_read, LIMIT(files), NULL },
	{ "grace", policy_duration_read, LIMIT(grace_ms), NULL },
	{ "memory", policy_size_read, LIMIT(memory_bytes), NULL },
	{ "pids", policy_count_read, LIMIT(pids), NULL },
	{ "timeout", policy_duration_read, LIMIT(wall_ms), NULL },
	{ "tmp", policy_size_read, LIMIT(tmp_bytes), NULL },
};

static const struct policy_member credentials_members[] = {
	{ "files", credential_files_read, 0, NULL },
	{ "envVars", credential_names_read, 0, NULL },
	{ "allowPlaintextInject", foreign_read, 0, ALL_OF_IT },
	{ "awsPairs", foreign_read, 0, ALL_OF_IT },
	{ "sigv4", foreign_read, 0, ALL_OF_IT },
};

static const struct policy_member top_members[] = {
	{ "$schema", schema_read, 0, NULL },
	{ "denials", denials_read, 0, NULL },
	{ "env", env_read, 0, NULL },
	{ "filesystem", filesystem_read, 0, NULL },
	{ "limits", limits_read, 0, NULL },
	{ "network", network_read, 0, NULL },
	{ "profiles", profiles_read, 0, NULL },
	{ "secrets", secrets_read, 0, NULL },
	{ "allowAppleEvents", foreign_read, 0, NOT_LINUX },
	{ "allowPty", foreign_read, 0, NOT_LINUX },
	{ "bwrapPath", foreign_read, 0, NOT_SRT },
	{ "credentials", credentials_read, 0, NOT_SRT },
	{ "enableWeakerNestedSandbox", foreign_read, 0,
	    "a box is never weaker; it starts whole or not at all" },
	{ "enableWeakerNetworkIsolation", foreign_read, 0, NOT_LINUX },
	{ "git", foreign_read, 0,
	    "git's own settings are not changed; env can name them" },
	{ "ignoreViolations", foreign_read, 0, "every denial is told" },
	{ "javaAgentJarPath", foreign_read, 0, ALL_OF_IT },
	{ "mandatoryDenySearchDepth", foreign_read, 0,
	    "a guarded folder is guarded as box guards it" },
	{ "ripgrep", foreign_read, 0, NOT_SRT },
	{ "seccomp", foreign_read, 0, NOT_SRT },
	{ "socatPath", foreign_read, 0, NOT_SRT },
	{ "windows", foreign_read, 0, NOT_LINUX },
};

#define PART(name, members)                                                    \
	{                                                                      \
		name, members, ARRAY_LEN(members)                              \
	}

static const struct policy_part parts[] = {
	PART("", top_members),
	PART("filesystem", filesystem_members),
	PART("network", network_members),
	PART("limits", limits_members),
	PART("credentials", credentials_members),
	PART("rule", rule_members),
};

const struct policy_part *
policy_part_at(size_t i)
{
	return i < ARRAY_LEN(parts) ? &parts[i] : NULL;
}

static int
filesystem_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)member;
	return policy_part_read(at, value, &parts[1], target);
}

static int
network_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)member;
	return policy_part_read(at, value, &parts[2], target);
}

static int
limits_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)member;
	return policy_part_read(at, value, &parts[3], target);
}

static int
credentials_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	return at->is_srt ? policy_part_read(at, value, &parts[4], target)
			  : foreign_read(at, value, member, target);
}

/* {"path" or "name": …, "mode": "deny" or "mask", …} */
static int
credential_find(const struct policy_at *at, struct json_span value,
    const char *name, struct json_span *found, bool *is_mask)
{
	struct json_want wants[] = { { name }, { "mode" } };

	if (json_members_find(value, wants, 2) != 0)
		return policy_at_fail(at, "an object, each member once");
	*is_mask = json_string_equals(wants[1].value, "mask");
	if (!*is_mask && !json_string_equals(wants[1].value, "deny"))
		return policy_at_fail(
		    at, "an object whose \"mode\" is \"deny\" or \"mask\"");
	*found = wants[0].value;
	return 0;
}

/* Nothing is masked here: both modes hide the file. */
static int
credential_file_item(const struct policy_at *at, struct json_span value,
    const struct policy_member *member)
{
	struct json_span path;
	bool is_mask = false;
	int r = credential_find(at, value, "path", &path, &is_mask);

	(void)member;
	if (r == 0)
		r = item_add(at, path, POLICY_DENY_READ, BOX_PATH_MAX - 1);
	if (r == 0 && is_mask)
		r = remark(at,
		    "credentials.files: nothing is masked; such a file is "
		    "hidden");
	return r;
}

static int
credential_files_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)target;
	return items_read(at, value, member, credential_file_item);
}

/* A variable is not there unless env names it: both modes are the rule. */
static int
credential_name_item(const struct policy_at *at, struct json_span value,
    const struct policy_member *member)
{
	struct json_span name;
	bool is_mask = false;
	const int r = credential_find(at, value, "name", &name, &is_mask);

	(void)member;
	if (r != 0 || !is_mask)
		return r;
	return remark(at,
	    "credentials.envVars: nothing is masked; a variable is not there "
	    "unless env names it");
}

static int
credential_names_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	(void)target;
	return items_read(at, value, member, credential_name_item);
}

int
policy_value_read(const struct policy_at *at, struct json_span value)
{
	return policy_part_read(at, value, &parts[0], NULL);
}

int
policy_json(struct policy *policy, const char *raw_text, size_t len,
    bool is_srt, const char *name, struct err *err)
{
	const struct policy_at at = { policy, name, "", is_srt, err };
	struct json_span value;
	int r = policy_text_check(raw_text, len, name, &value, err);

	if (r == 0)
		r = policy_value_read(&at, value);
	if (r == 0 && is_srt)
		r = remark(&at,
		    "filesystem: srt's programs read all but denyRead; here "
		    "they read what allowRead and allowWrite name, and the "
		    "system's programs");
	return r;
}
