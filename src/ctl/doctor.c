/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon doctor: every probe, what it found, what to do about it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "ctl/ctl.h"
#include "ctl/option.h"
#include "ctl/probe.h"
#include "json/out.h"

static const char *const states[] = {
	[CTL_PROBE_OK] = "ok",
	[CTL_PROBE_WEAKER] = "weaker",
	[CTL_PROBE_MISSING] = "MISSING",
};

static void
finding_print(const struct ctl_probe *probe, const struct ctl_finding *finding)
{
	printf("%-7s  %-14s  %s\n", states[finding->state], probe->name,
	    finding->text);
	if (finding->advice[0] != '\0')
		printf("%25s  -> %s\n", "", finding->advice);
}

static void
text_add(struct json_out *out, const char *before, const char *text)
{
	json_out_text(out, before);
	json_out_string(out, text, strlen(text));
}

static void
finding_add(struct json_out *out, const struct ctl_probe *probe,
    const struct ctl_finding *finding)
{
	text_add(out, "{\"name\":", probe->name);
	text_add(out, ",\"state\":",
	    finding->state == CTL_PROBE_MISSING ? "missing"
						: states[finding->state]);
	text_add(out, ",\"found\":", finding->text);
	if (finding->advice[0] != '\0')
		text_add(out, ",\"advice\":", finding->advice);
	json_out_text(out, "}");
}

/* The worst of all findings. */
static enum ctl_probe_state
examine(struct json_out *out)
{
	enum ctl_probe_state worst = CTL_PROBE_OK;

	for (size_t i = 0; i < ctl_n_probes; i++) {
		struct ctl_finding finding = { 0 };

		ctl_probes[i].run(&finding);
		if (finding.state > worst)
			worst = finding.state;
		if (out == NULL) {
			finding_print(&ctl_probes[i], &finding);
			continue;
		}
		json_out_text(out, i > 0 ? "," : "");
		finding_add(out, &ctl_probes[i], &finding);
	}
	return worst;
}

static const char verdict_ok[] = "Cells can run here, behind every wall.";
static const char verdict_weaker[] =
    "Cells can run here, behind every wall. What is \"weaker\" is a limit on "
    "all of a\ntenant's cells together: each single cell is limited in any "
    "case, by rlimits,\ntimers and V8 (memory, CPU and wall time, result, "
    "logs).";
static const char verdict_missing[] =
    "Cells cannot run here, and nothing runs without its walls: see the "
    "lines marked\nMISSING.";

static const char *const verdicts[] = {
	[CTL_PROBE_OK] = verdict_ok,
	[CTL_PROBE_WEAKER] = verdict_weaker,
	[CTL_PROBE_MISSING] = verdict_missing,
};

static enum ctl_probe_state
report_json(void)
{
	struct json_out out;

	json_out_init(&out, 1u << 20);
	json_out_text(&out, "{\"findings\":[");
	const enum ctl_probe_state worst = examine(&out);
	json_out_text(&out, "],\"ready\":");
	json_out_text(&out, worst == CTL_PROBE_MISSING ? "false" : "true");
	text_add(&out, ",\"runs_as\":", geteuid() == 0 ? "root" : "user");
	json_out_text(&out, "}\n");
	fwrite(out.bytes, 1, out.len, stdout);
	json_out_fini(&out);
	return worst;
}

struct command {
	bool json;
};

static int
command_run(void *values, int n, char **operands)
{
	const struct command *command = values;
	enum ctl_probe_state worst;

	(void)n;
	(void)operands;
	if (command->json) {
		worst = report_json();
	} else {
		printf("As %s:\n\n",
		    geteuid() == 0 ? "root (cells get uids of their own)"
				   : "a user (cells live in a user namespace)");
		worst = examine(NULL);
		printf("\n%s\n", verdicts[worst]);
	}
	return worst == CTL_PROBE_MISSING ? CTL_EXIT_NOT_READY : CTL_EXIT_OK;
}

int
ctl_doctor(int argc, char **argv)
{
	static const struct ctl_option options[] = {
		{ "json", 0, CTL_FLAG, offsetof(struct command, json), NULL,
		    "as JSON" },
	};
	static const struct ctl_command doctor = { "cordon doctor", "",
		"Tries what cells need of this machine, and says what is in "
		"force. Exit code 0:\ncells can run; 1: they cannot.",
		options, ARRAY_LEN(options), NULL, 0, 0, command_run };
	struct command command = { 0 };

	return ctl_command_run(&doctor, &command, argc, argv);
}
