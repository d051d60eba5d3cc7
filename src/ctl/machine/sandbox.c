/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon sandbox show: the privilege tables, as src/box has them.
 */
#include <inttypes.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>

#include "base/auto.h"
#include "box/domain.h"
#include "ctl/ctl.h"
#include "ctl/machine/payload.h"
#include "ctl/option.h"
#include "json/out.h"

#define REPORT_MAX (8u << 20)

struct show {
	bool all, json;
	const char *name;
	struct json_out out;
	size_t n_shown;
};

static ctl_run_fn show_run;

static const struct ctl_option show_options[] = {
	{ "all", 0, CTL_FLAG, offsetof(struct show, all), NULL,
	    "every process" },
	{ "json", 0, CTL_FLAG, offsetof(struct show, json), NULL, "as JSON" },
};

static const struct ctl_command sandbox_show = { "cordon sandbox show",
	"NAME | --all",
	"Prints what a process of the program may ask of the kernel, with the "
	"reason\nfor each call.",
	show_options, ARRAY_LEN(show_options), NULL, 0, 1, show_run };

static void
condition_write(const struct box_call *call, char text[96])
{
	text[0] = '\0';
	if (call->test == BOX_EQ)
		snprintf(text, 96, "argument %u is 0x%" PRIx64, call->argument,
		    call->value);
	else if (call->test == BOX_NO_BITS)
		snprintf(text, 96, "argument %u without 0x%" PRIx64,
		    call->argument, call->value);
}

static void
domain_print(const struct box_domain *domain)
{
	printf("%s: %s\n", domain->name, domain->duty);
	printf("  started by root it is host uid %u\n",
	    BOX_UID_BASE + domain->uid_offset);
	if (domain->keep_caps != 0)
		printf("  keeps capabilities 0x%" PRIx64 ": %s\n",
		    domain->keep_caps, domain->caps_why);
	else
		printf("  keeps no capability\n");
	if (domain->folder_why != NULL)
		printf("  may write one folder, at " BOX_FOLDER ": %s\n",
		    domain->folder_why);
	if (domain->network_why != NULL)
		printf("  is in the host's network: %s\n", domain->network_why);
	printf("  %zu system calls, each other one is refused:\n",
	    domain->n_calls);

	for (size_t i = 0; i < domain->n_calls; i++) {
		const struct box_call *call = &domain->calls[i];
		char *name = seccomp_syscall_resolve_num_arch(
		    SCMP_ARCH_NATIVE, call->nr);
		char condition[96];

		condition_write(call, condition);
		printf("    %-20s %s%s%s%s\n", name != NULL ? name : "?",
		    call->why, condition[0] != '\0' ? " [only if " : "",
		    condition, condition[0] != '\0' ? "]" : "");
		free(name);
	}
}

static void
text_add(struct json_out *out, const char *before, const char *text)
{
	json_out_text(out, before);
	json_out_string(out, text, strlen(text));
}

static void
domain_add(struct json_out *out, const struct box_domain *domain)
{
	text_add(out, "{\"name\":", domain->name);
	text_add(out, ",\"duty\":", domain->duty);
	json_out_text(out, ",\"uid\":");
	json_out_uint(out, BOX_UID_BASE + domain->uid_offset);
	json_out_text(out, ",\"capabilities\":");
	json_out_uint(out, domain->keep_caps);
	if (domain->folder_why != NULL)
		text_add(out, ",\"folder\":", domain->folder_why);
	if (domain->network_why != NULL)
		text_add(out, ",\"network\":", domain->network_why);
	json_out_text(out, ",\"calls\":[");
	for (size_t i = 0; i < domain->n_calls; i++) {
		const struct box_call *call = &domain->calls[i];
		char *name = seccomp_syscall_resolve_num_arch(
		    SCMP_ARCH_NATIVE, call->nr);
		char condition[96];

		condition_write(call, condition);
		text_add(out, i > 0 ? ",{\"name\":" : "{\"name\":",
		    name != NULL ? name : "?");
		text_add(out, ",\"why\":", call->why);
		if (condition[0] != '\0')
			text_add(out, ",\"only_if\":", condition);
		json_out_text(out, "}");
		free(name);
	}
	json_out_text(out, "]}");
}

/* Between two of them. */
static void
part(struct show *show)
{
	if (show->n_shown++ == 0)
		return;
	if (show->json)
		json_out_text(&show->out, ",");
	else
		putchar('\n');
}

static void
domain_show(struct show *show, const struct box_domain *domain)
{
	part(show);
	if (show->json)
		domain_add(&show->out, domain);
	else
		domain_print(domain);
}

static void
payload_show(struct show *show)
{
	part(show);
	if (show->json)
		ctl_payload_put(&show->out);
	else
		ctl_payload_print();
}

static void
domains_show(struct show *show)
{
	const struct box_domain *domain;

	json_out_init(&show->out, REPORT_MAX);
	for (size_t i = 0; (domain = box_domain_at(i)) != NULL; i++) {
		if (show->all || strcmp(domain->name, show->name) == 0)
			domain_show(show, domain);
	}
	if (show->all || strcmp(show->name, CTL_PAYLOAD) == 0)
		payload_show(show);
	if (show->json)
		printf("[%.*s]\n", (int)show->out.len,
		    show->out.bytes != NULL ? show->out.bytes : "");
	json_out_fini(&show->out);
}

static void
names_fail(const char *wanted, struct err *err)
{
	const struct box_domain *domain;
	char names[256] = "";
	size_t at = 0;

	for (size_t i = 0; (domain = box_domain_at(i)) != NULL; i++)
		at += (size_t)snprintf(
		    names + at, sizeof(names) - at, "%s, ", domain->name);
	err_set(err, 0, "there is no process \"%s\"; there is: %s" CTL_PAYLOAD,
	    wanted, names);
}

static int
show_run(void *values, int n, char **operands)
{
	struct show *show = values;
	struct err err;

	if (n == (show->all ? 1 : 0)) {
		err_set(&err, 0, "say \"show NAME\" or \"show --all\"");
		return ctl_usage_fail(&sandbox_show, &err);
	}
	show->name = show->all ? NULL : operands[0];
	if (!show->all && strcmp(show->name, CTL_PAYLOAD) != 0 &&
	    box_domain_find(show->name) == NULL) {
		names_fail(show->name, &err);
		return ctl_usage_fail(&sandbox_show, &err);
	}
	domains_show(show);
	return CTL_EXIT_OK;
}

int
ctl_sandbox(int argc, char **argv)
{
	static const struct ctl_group sandbox = { "cordon sandbox",
		"Shows the walls of each process.", &sandbox_show, 1 };
	struct show show = { 0 };

	return ctl_group_run(&sandbox, &show, argc, argv);
}
