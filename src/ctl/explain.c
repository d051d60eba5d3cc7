/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/explain.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/auto.h"
#include "box/base.h"
#include "box/limits.h"
#include "ctl/text.h"
#include "json/out.h"
#include "policy/network.h"

#define REPORT_MAX (16u << 20)

static const char *const accesses[] = {
	[BOX_ACCESS_HIDE] = "hidden",
	[BOX_ACCESS_READ] = "read",
	[BOX_ACCESS_WRITE] = "write",
};

static const char *const denials[] = {
	[BOX_NOTES_NONE] = "none",
	[BOX_NOTES_CALLS] = "calls",
	[BOX_NOTES_FILES] = "files",
	[BOX_NOTES_ALL] = "all",
};

bool
ctl_box_sees(const struct box_spec *spec, const char *path)
{
	size_t deepest = 0;
	bool sees = box_base_has(path) || strcmp(path, "/") == 0;

	for (uint32_t i = 0; i < spec->n_grants; i++) {
		const struct box_grant *grant = &spec->grants[i];
		const size_t len = strlen(grant->path);

		if (len < deepest || !box_path_below(path, grant->path) ||
		    (grant->at[0] != '\0' &&
			strcmp(grant->at, grant->path) != 0))
			continue;
		deepest = len;
		sees = grant->access != BOX_ACCESS_HIDE;
	}
	return sees;
}

static void
label_print(FILE *out, const char *label)
{
	fprintf(out, "  %-10s ", label);
}

static void
value_print(FILE *out, const char *label, const char *value)
{
	label_print(out, label);
	ctl_line_print(out, value, strlen(value));
	putc('\n', out);
}

static void
grants_print(FILE *out, const struct box_spec *spec)
{
	for (uint32_t i = 0; i < spec->n_grants; i++) {
		const struct box_grant *grant = &spec->grants[i];

		label_print(out, accesses[grant->access]);
		ctl_line_print(out, grant->path, strlen(grant->path));
		if (grant->at[0] != '\0' &&
		    strcmp(grant->at, grant->path) != 0) {
			fputs(" as ", out);
			ctl_line_print(out, grant->at, strlen(grant->at));
		}
		if ((grant->flags & BOX_GRANT_GUARD) != 0)
			fputs(", but for its dotfiles and VCS hooks", out);
		if ((grant->flags & BOX_GRANT_OPTIONAL) != 0)
			fputs(", if it is there", out);
		putc('\n', out);
	}
}

/* Values may be secrets. */
static void
names_print(FILE *out, const struct box_spec *spec)
{
	label_print(out, "variables");
	for (uint32_t i = 0; i < spec->n_env; i++) {
		fputs(i > 0 ? " " : "", out);
		ctl_line_print(out, spec->env[i], strcspn(spec->env[i], "="));
	}
	putc('\n', out);
}

/* What is spent at most, and what holds it here. */
static void
limits_print(FILE *out, const struct box_limits *limits)
{
	struct cgroup *cgroup = NULL;
	char text[BOX_LIMITS_TEXT_MAX];

	if (cgroup_new(&cgroup) != 0)
		return;
	box_limits_describe(limits, cgroup, text);
	cgroup_free(cgroup);
	value_print(out, "limits", text);
}

static const char *
network_text(const struct box_spec *spec)
{
	if ((spec->flags & BOX_HOST_NETWORK) != 0)
		return "the host's";
	if (spec->n_ports > 0)
		return "by rules, all else is refused";
	return (spec->flags & BOX_UNIX_SOCKETS) != 0 ? "none, but unix sockets"
						     : "none";
}

/* What they come to: "example.com" is two. */
static void
rules_print(FILE *out, const struct policy *policy, const struct box_spec *spec)
{
	auto_free struct policy_network *network = malloc(sizeof(*network));
	char text[ADDR_RULE_TEXT_MAX];

	if (spec->n_ports == 0 || network == NULL ||
	    policy_network(policy, network, NULL) != 0)
		return;
	for (size_t i = 0; i < network->n_rules; i++) {
		const struct addr_rule *rule = &network->rules[i];

		addr_rule_put(rule, text);
		label_print(out,
		    (rule->flags & ADDR_RULE_DENY) != 0 ? "not" : "reaches");
		ctl_line_print(out, text, strlen(text));
		fputs(rule->methods != 0 ? ", by some methods\n" : "\n", out);
	}
}

void
ctl_explain_print(
    FILE *out, const struct policy *policy, const struct box_spec *spec)
{
	const char *remark;

	fputs("The box of ", out);
	for (uint32_t i = 0; i < spec->n_argv; i++) {
		fputs(i > 0 ? " " : "", out);
		ctl_line_print(out, spec->argv[i], strlen(spec->argv[i]));
	}
	fputs("\n  read       /usr and what programs need to start\n", out);
	grants_print(out, spec);
	value_print(out, "home", spec->home);
	fputs("             is private and empty, as /tmp is\n", out);
	value_print(out, "starts in",
	    ctl_box_sees(spec, spec->cwd) ? spec->cwd : spec->home);
	names_print(out, spec);
	value_print(out, "network", network_text(spec));
	rules_print(out, policy, spec);
	limits_print(out, &spec->limits);
	value_print(out, "denials", denials[spec->notes]);
	for (size_t i = 0; (remark = policy_remark(policy, i)) != NULL; i++)
		value_print(out, "remark", remark);
}

/* ---- JSON ---------------------------------------------------------------- */

static void
text_add(struct json_out *out, const char *before, const char *text)
{
	json_out_text(out, before);
	json_out_string(out, text, strlen(text));
}

static void
grants_add(struct json_out *out, const struct box_spec *spec)
{
	json_out_text(out, ",\"grants\":[");
	for (uint32_t i = 0; i < spec->n_grants; i++) {
		const struct box_grant *grant = &spec->grants[i];

		text_add(out, i > 0 ? ",{\"access\":" : "{\"access\":",
		    accesses[grant->access]);
		text_add(out, ",\"path\":", grant->path);
		if (grant->at[0] != '\0')
			text_add(out, ",\"at\":", grant->at);
		if ((grant->flags & BOX_GRANT_GUARD) != 0)
			json_out_text(out, ",\"guarded\":true");
		if ((grant->flags & BOX_GRANT_OPTIONAL) != 0)
			json_out_text(out, ",\"optional\":true");
		json_out_text(out, "}");
	}
	json_out_text(out, "]");
}

static void
limits_add(struct json_out *out, const struct box_limits *limits)
{
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		{ "memory_bytes", limits->memory_bytes },
		{ "tmp_bytes", limits->tmp_bytes },
		{ "file_bytes", limits->file_bytes },
		{ "wall_ms", limits->wall_ms },
		{ "grace_ms", limits->grace_ms },
		{ "pids", limits->pids },
		{ "cpu_milli", limits->cpu_milli },
		{ "files", limits->files },
	};

	json_out_text(out, ",\"limits\":{");
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		text_add(out, i > 0 ? "," : "", all[i].name);
		json_out_text(out, ":");
		json_out_uint(out, all[i].value);
	}
	json_out_text(out, "}");
}

static void
lists_add(struct json_out *out, const struct policy *policy,
    const struct box_spec *spec)
{
	const char *remark;

	json_out_text(out, "{\"command\":[");
	for (uint32_t i = 0; i < spec->n_argv; i++)
		text_add(out, i > 0 ? "," : "", spec->argv[i]);
	json_out_text(out, "],\"variables\":[");
	for (uint32_t i = 0; i < spec->n_env; i++) {
		json_out_text(out, i > 0 ? "," : "");
		json_out_string(out, spec->env[i], strcspn(spec->env[i], "="));
	}
	json_out_text(out, "],\"remarks\":[");
	for (size_t i = 0; (remark = policy_remark(policy, i)) != NULL; i++)
		text_add(out, i > 0 ? "," : "", remark);
	json_out_text(out, "]");
}

int
ctl_explain_json(
    FILE *to, const struct policy *policy, const struct box_spec *spec)
{
	struct json_out out;

	json_out_init(&out, REPORT_MAX);
	lists_add(&out, policy, spec);
	grants_add(&out, spec);
	text_add(&out, ",\"home\":", spec->home);
	text_add(&out, ",\"starts_in\":",
	    ctl_box_sees(spec, spec->cwd) ? spec->cwd : spec->home);
	text_add(&out, ",\"network\":", network_text(spec));
	limits_add(&out, &spec->limits);
	text_add(&out, ",\"denials\":", denials[spec->notes]);
	json_out_text(&out, ",\"policy\":");
	int r = policy_put(policy, &out);
	json_out_text(&out, "}\n");
	if (r == 0)
		r = json_out_status(&out);
	if (r == 0)
		fwrite(out.bytes, 1, out.len, to);
	json_out_fini(&out);
	return r > 0 ? -EFBIG : r;
}
