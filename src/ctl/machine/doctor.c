/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon doctor: every probe, what it found, what to do about it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "client/client.h"
#include "ctl/ctl.h"
#include "ctl/option.h"
#include "ctl/machine/probe.h"
#include "ctl/host/state.h"
#include "ctl/text.h"
#include "ctl/host/token.h"
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

/* The worst of all findings, for each of those who need them. */
struct verdict {
	enum ctl_probe_state worst[CTL_PROBE_KINDS];
};

static struct verdict
examine(struct json_out *out)
{
	struct verdict verdict = { { CTL_PROBE_OK, CTL_PROBE_OK,
	    CTL_PROBE_OK } };

	for (size_t i = 0; i < ctl_n_probes; i++) {
		enum ctl_probe_state *worst = &verdict.worst[ctl_probes[i].of];
		struct ctl_finding finding = { 0 };

		ctl_probes[i].run(&finding);
		if (finding.state > *worst)
			*worst = finding.state;
		if (out == NULL) {
			finding_print(&ctl_probes[i], &finding);
			continue;
		}
		json_out_text(out, i > 0 ? "," : "");
		finding_add(out, &ctl_probes[i], &finding);
	}
	return verdict;
}

static bool
is_ready(const struct verdict *verdict, enum ctl_probe_of of)
{
	return verdict->worst[of] != CTL_PROBE_MISSING;
}

#define HOST_TEXT_MAX 1024

enum host_state { HOST_NONE, HOST_READY, HOST_BROKEN };

static const char *const host_states[] = {
	[HOST_NONE] = "none",
	[HOST_READY] = "ready",
	[HOST_BROKEN] = "BROKEN",
};

/* Whether it is ready, and its store answers. */
static enum host_state
host_ask(struct client *client, char found[HOST_TEXT_MAX])
{
	static const char *const paths[] = { "/readyz", "/admin/tenants" };
	static const char *const what[] = { "is not ready", "has no store" };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const struct client_request request = { .method = "GET",
			.path = paths[i] };
		struct client_answer answer;
		struct err err;

		const int r = client_ask(client, &request, &answer, &err);
		client_answer_fini(&answer);
		if (r == 0 && answer.status == 200)
			continue;
		if (r != 0)
			snprintf(found, HOST_TEXT_MAX, "%.900s", err.text);
		else
			snprintf(found, HOST_TEXT_MAX,
			    "it answers, but %s (HTTP %ld)", what[i],
			    answer.status);
		return HOST_BROKEN;
	}
	snprintf(found, HOST_TEXT_MAX, "it answers, is ready, has its store");
	return HOST_READY;
}

static const char cells_ok[] = "Cells can run here, behind every wall.";
static const char cells_weaker[] =
    "Cells can run here, behind every wall. What is \"weaker\" is a "
    "limit on all of a\ntenant's cells together: each single cell is "
    "limited in any case, by rlimits,\ntimers and V8 (memory, CPU and "
    "wall time, result, logs).";
static const char cells_missing[] =
    "Cells cannot run here, and nothing runs without its walls: see "
    "the lines marked\nMISSING.";

static const char *const cells[] = {
	[CTL_PROBE_OK] = cells_ok,
	[CTL_PROBE_WEAKER] = cells_weaker,
	[CTL_PROBE_MISSING] = cells_missing,
};

static const char boxes_ok[] = "Boxes can stand here, behind every wall.";
static const char boxes_weaker[] =
    "Boxes can stand here, behind every wall. What is \"weaker\" is a "
    "limit on all\nprocesses of a box together: rlimits hold for each, "
    "and for their number.";
static const char boxes_missing[] =
    "Boxes cannot stand here, and nothing runs without its walls: see "
    "the lines marked\nMISSING.";

static const char *const boxes[] = {
	[CTL_PROBE_OK] = boxes_ok,
	[CTL_PROBE_WEAKER] = boxes_weaker,
	[CTL_PROBE_MISSING] = boxes_missing,
};

static const char *const egress[] = {
	[CTL_PROBE_OK] = "What is granted to them can be reached from here.",
	[CTL_PROBE_WEAKER] = "",
	[CTL_PROBE_MISSING] =
	    ("Not all that is granted to them can be reached from here: see "
	     "the lines marked\nMISSING. Nothing else is let out for that."),
};

/* The host of this state folder, from outside: its word, not ours. */
static enum host_state
host_look(char found[HOST_TEXT_MAX])
{
	struct client_place place = { 0 };
	struct client *client = NULL;
	struct ctl_token token;
	char path[PATH_MAX];
	struct err err;

	if (ctl_state_path(CTL_STATE_SOCKET, path, &err) != 0 ||
	    access(path, F_OK) < 0) {
		snprintf(found, HOST_TEXT_MAX, "none runs here");
		return HOST_NONE;
	}
	if (ctl_token_find(&token, NULL, &err) != 0) {
		snprintf(found, HOST_TEXT_MAX, "%.900s", err.text);
		return HOST_BROKEN;
	}
	place.socket_path = path;
	place.token = token.text;
	const int r = client_new(&client, &place, &err);
	ctl_token_fini(&token);
	enum host_state state = HOST_BROKEN;
	if (r != 0)
		snprintf(found, HOST_TEXT_MAX, "%.900s", err.text);
	else
		state = host_ask(client, found);
	client_free(client);
	return state;
}

static struct verdict
report_json(void)
{
	char found[HOST_TEXT_MAX];
	struct json_out out;

	json_out_init(&out, 1u << 20);
	json_out_text(&out, "{\"findings\":[");
	const struct verdict verdict = examine(&out);
	json_out_text(&out, "],\"ready\":");
	json_out_text(
	    &out, is_ready(&verdict, CTL_PROBE_CELLS) ? "true" : "false");
	json_out_text(&out, ",\"boxes_ready\":");
	json_out_text(
	    &out, is_ready(&verdict, CTL_PROBE_BOXES) ? "true" : "false");
	json_out_text(&out, ",\"egress_ready\":");
	json_out_text(
	    &out, is_ready(&verdict, CTL_PROBE_EGRESS) ? "true" : "false");
	text_add(&out, ",\"host\":{\"state\":", host_states[host_look(found)]);
	text_add(&out, ",\"found\":", found);
	json_out_text(&out, "}");
	text_add(&out, ",\"runs_as\":", geteuid() == 0 ? "root" : "user");
	json_out_text(&out, "}\n");
	fwrite(out.bytes, 1, out.len, stdout);
	json_out_fini(&out);
	return verdict;
}

struct command {
	bool json;
};

static int
command_run(void *values, int n, char **operands)
{
	const struct command *command = values;
	struct verdict verdict;
	char found[HOST_TEXT_MAX];

	(void)n;
	(void)operands;
	if (command->json) {
		verdict = report_json();
	} else {
		printf("As %s:\n\n",
		    geteuid() == 0
			? "root (cells and boxes get uids of their own)"
			: "a user (cells and boxes live in user namespaces)");
		verdict = examine(NULL);
		const enum host_state host = host_look(found);
		printf("%-7s  %-14s  ", host_states[host], "host");
		ctl_line_print(stdout, found, strlen(found));
		printf("\n\n%s\n%s\n%s\n",
		    cells[verdict.worst[CTL_PROBE_CELLS]],
		    boxes[verdict.worst[CTL_PROBE_BOXES]],
		    egress[verdict.worst[CTL_PROBE_EGRESS]]);
	}
	return is_ready(&verdict, CTL_PROBE_CELLS) &&
		is_ready(&verdict, CTL_PROBE_BOXES)
	    ? CTL_EXIT_OK
	    : CTL_EXIT_NOT_READY;
}

int
ctl_doctor(int argc, char **argv)
{
	static const struct ctl_option options[] = {
		{ "json", 0, CTL_FLAG, offsetof(struct command, json), NULL,
		    "as JSON" },
	};
	static const struct ctl_command doctor = { "cordon doctor", "",
		"Tries what cells and boxes need of this machine, and says "
		"what is in force; looks\nat a running host, too. Exit code 0: "
		"both can run; 1: one of them cannot.",
		options, ARRAY_LEN(options), NULL, 0, 0, command_run };
	struct command command = { 0 };

	return ctl_command_run(&doctor, &command, argc, argv);
}
