/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon wrap: any program, in a box of its own. From here to the start of the
 * box everything is measured in microseconds: no thread, no library, no file
 * that was not asked for.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "box/base.h"
#include "box/launch.h"
#include "ctl/ctl.h"
#include "ctl/explain.h"
#include "ctl/grants.h"
#include "ctl/notes.h"
#include "ctl/option.h"
#include "ctl/packaged.h"
#include "ctl/watcher.h"
#include "ctl/way.h"

struct wrap {
	struct ctl_grants grants;
	struct ctl_packaged packaged;
	bool live, json, explain;
	struct policy *policy; /* owned */
	struct policy_memory *memory; /* owned: of spec */
	struct box_spec spec;
	struct ctl_way way;
	char cwd[PATH_MAX];
	char hint[PATH_MAX + 128];
};

static ctl_run_fn wrap_run;

static const struct ctl_option wrap_options[] = {
	CTL_GRANTS_OPTIONS(struct wrap, grants),
	{ "live", 0, CTL_FLAG, offsetof(struct wrap, live), NULL,
	    "tell what is refused as it happens" },
	{ "json", 0, CTL_FLAG, offsetof(struct wrap, json), NULL,
	    "tell it as JSON, an object a line" },
	{ "explain", 0, CTL_FLAG, offsetof(struct wrap, explain), NULL,
	    "print what the box would be; start nothing" },
	{ "refresh", 0, CTL_FLAG, offsetof(struct wrap, packaged.refresh), NULL,
	    "npx, uvx: resolve the package again" },
	{ "allow-scripts", 0, CTL_FLAG,
	    offsetof(struct wrap, packaged.allow_scripts), NULL,
	    "npx: run its install scripts, in a box" },
};

static const char wrap_notes[] =
    "Nothing else is granted: no file but /usr and what programs need to "
    "start, no\nhost, no other process. What was refused is told on "
    "standard error, at the end.\n\n"
    "  cordon wrap -- node --version\n"
    "  cordon wrap --write . --timeout 1m -- make\n"
    "  cordon wrap --net example.com -- curl -s https://example.com/\n"
    "  cordon wrap --net api.example.com --secret API_KEY=api.example.com "
    "-- ./client\n"
    "  cordon wrap --profile workspace --explain -- npx some-server\n\n"
    "A host is HOST (https and http), HOST:PORT, https://HOST/PATH/ or "
    "localhost:PORT;\n*.HOST is every name below. A secret is the variable "
    "of its name here; inside it\nis a placeholder, and HOW is header=NAME, "
    "query=NAME or basic.\n\n"
    "Exit code: the command's; 128 and a signal's number; 124 the time limit; "
    "125 the\nbox could not be built; 126, 127 the command cannot be run, is "
    "not there.";

static const struct ctl_command wrap_command = { "cordon wrap",
	"[--] COMMAND [ARGUMENT ...]",
	"Runs a program in a box: it sees, changes and reaches what is "
	"granted, and\nspends no more than its limits.",
	wrap_options, ARRAY_LEN(wrap_options), wrap_notes, 1, CTL_OPERANDS_ANY,
	wrap_run, true };

static const char *
variable(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : otherwise;
}

static int
spec_make(struct wrap *wrap, char **words, struct err *err)
{
	int r = policy_new(&wrap->policy);

	if (r < 0)
		return err_set(err, r, "%s", strerror(-r));
	if (getcwd(wrap->cwd, sizeof(wrap->cwd)) == NULL || wrap->cwd[0] != '/')
		strcpy(wrap->cwd, "/"); /* it was removed, or lies outside */
	r = ctl_grants_apply(&wrap->grants, words[0], wrap->policy, err);
	if (r == 0)
		r = ctl_packaged_grant(&wrap->packaged, wrap->policy, err);
	if (r != 0)
		return r;

	const struct policy_place place = {
		.home = variable("HOME", "/nonexistent"),
		.cwd = wrap->cwd,
		.path = variable("PATH", "/usr/local/bin:/usr/bin:/bin"),
		.env = (const char *const *)environ,
	};
	r = policy_spec(wrap->policy, &place, (const char *const *)words,
	    &wrap->spec, &wrap->memory, err);
	return r != 0 ? r
		      : ctl_way_prepare(&wrap->way, wrap->policy,
			    &wrap->grants.secrets, false, err);
}

static void
note_take(void *context, const struct box_note *note)
{
	ctl_notes_take(context, note);
}

static void
event_take(void *context, const struct wire_egress_event *event)
{
	ctl_notes_event(context, event);
}

/* Not for a home, nor for what holds it: who follows a hint should not grant all
 * that is his. */
static void
hint_set(struct wrap *wrap, struct ctl_notes *notes)
{
	const char *home = variable("HOME", "/nonexistent");
	const bool is_home = strcmp(home, wrap->cwd) == 0;

	if (ctl_box_sees(&wrap->spec, wrap->cwd) ||
	    (!is_home && box_path_below(home, wrap->cwd)))
		return;
	snprintf(wrap->hint, sizeof(wrap->hint),
	    is_home ? "%s, where it was started, was private and empty for it: "
		      "--read PATH grants what it needs of it"
		    : "the program did not see %s, where it was started: "
		      "--read . or --write . grants it",
	    wrap->cwd);
	notes->hint = wrap->hint;
}

/* Only what was asked for by name: the others have rlimits, too. */
static void
remarks_say(const struct wrap *wrap, struct ctl_notes *notes)
{
	const char *remark;

	for (size_t i = 0; (remark = policy_remark(wrap->policy, i)) != NULL;
	     i++)
		ctl_notes_say(notes, "remark", remark);
}

/* A policy names a secret; where it may go is said here. */
static void
unbound_say(const struct wrap *wrap, struct ctl_notes *notes)
{
	char text[256];
	const char *name;

	for (size_t i = 0; (name = policy_secret_at(wrap->policy, i)) != NULL;
	     i++) {
		if (ctl_way_binds(&wrap->way, name))
			continue;
		snprintf(text, sizeof(text),
		    "the secret %s is bound to no host, and only its "
		    "placeholder is there: --secret %s=HOST",
		    name, name);
		ctl_notes_say(notes, "remark", text);
	}
}

/* Of resolv.conf and the like: a line each. */
static void
way_remarks_say(const struct wrap *wrap, struct ctl_notes *notes)
{
	char line[256];

	for (const char *at = wrap->way.settings.remarks; *at != '\0';) {
		const size_t len = strcspn(at, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, at);
		ctl_notes_say(notes, "remark", line);
		at += len + (at[len] == '\n');
	}
}

static int
way_settle(struct wrap *wrap, struct ctl_notes *notes, struct err *err)
{
	if (!ctl_way_is_there(&wrap->way))
		return 0;
	notes->network = wrap->way.network;
	const int r =
	    ctl_way_settle(&wrap->way, wrap->memory, &wrap->spec, err);
	way_remarks_say(wrap, notes);
	return r;
}

static int
box_run(struct wrap *wrap)
{
	struct ctl_notes notes;
	struct err err = { "" };
	int code = BOX_EXIT_FAILED;

	ctl_notes_init(&notes, "cordon wrap", stderr);
	notes.json = wrap->json;
	notes.live = wrap->live;
	remarks_say(wrap, &notes);
	unbound_say(wrap, &notes);
	hint_set(wrap, &notes);

	const struct ctl_watcher watcher = { .spec = &wrap->spec,
		.note = note_take,
		.context = &notes,
		.way = ctl_way_is_there(&wrap->way) ? &wrap->way : NULL,
		.event = event_take };
	if (way_settle(wrap, &notes, &err) == 0)
		code = ctl_watcher_run(&watcher, &err);
	if (err.text[0] != '\0')
		ctl_notes_say(&notes, "failed", err.text);
	ctl_notes_end(&notes, code);
	ctl_notes_fini(&notes);
	return code;
}

static int
explain(struct wrap *wrap)
{
	if (!wrap->json) {
		ctl_explain_print(stdout, wrap->policy, &wrap->spec);
		return CTL_EXIT_OK;
	}
	const int r = ctl_explain_json(stdout, wrap->policy, &wrap->spec);
	if (r < 0)
		fprintf(stderr, "cordon wrap: %s\n", strerror(-r));
	return r < 0 ? CTL_EXIT_INTERNAL : CTL_EXIT_OK;
}

static int
wrap_run(void *values, int n, char **words)
{
	struct wrap *wrap = values;
	struct err err;

	words[n] = NULL;
	wrap->packaged.quiet = wrap->json;
	if (ctl_packaged_find(&wrap->packaged, &words, &err) != 0) {
		fprintf(stderr, "cordon wrap: %s\n", err.text);
		return BOX_EXIT_FAILED;
	}
	if (spec_make(wrap, words, &err) != 0)
		return ctl_usage_fail(&wrap_command, &err);
	return wrap->explain ? explain(wrap) : box_run(wrap);
}

int
ctl_wrap(int argc, char **argv)
{
	struct wrap wrap = { .grants = CTL_GRANTS_NONE, .way = CTL_WAY_NONE };

	wrap.grants.is_own = true;
	const int code = ctl_command_run(&wrap_command, &wrap, argc, argv);
	ctl_way_fini(&wrap.way);
	policy_spec_free(wrap.memory);
	policy_free(wrap.policy);
	package_fini(&wrap.packaged.package);
	return code;
}
