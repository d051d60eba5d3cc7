/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon learn: a program in a box that tells everything it touches, and the
 * smallest policy that would have let it. What is proposed was there to be
 * found: a hostile program may ask for your keys, so each line has its reason,
 * and what looks like a secret is named, never proposed. Standard output is the
 * program's own; all is told on standard error.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "box/base.h"
#include "box/launch.h"
#include "ctl/ctl.h"
#include "ctl/explain.h"
#include "ctl/grants.h"
#include "ctl/learn.h"
#include "ctl/notes.h"
#include "ctl/option.h"
#include "ctl/packaged.h"
#include "ctl/text.h"
#include "ctl/watcher.h"
#include "ctl/way.h"

struct learn {
	struct ctl_grants grants;
	struct ctl_packaged packaged;
	bool grant, json;
	const char *output;
	struct policy *policy; /* owned: what it runs under */
	struct policy *proposal; /* owned: that, and what it lacked */
	struct policy_memory *memory; /* owned: of spec */
	struct box_spec spec;
	struct policy_memory *before_memory; /* owned: of before */
	struct box_spec before; /* of the proposal, before it has learnt */
	struct ctl_lessons lessons;
	struct ctl_hosts hosts; /* asked for, and not reached */
	struct ctl_way way;
	struct ctl_notes notes; /* what is no file */
	char cwd[PATH_MAX];
};

static ctl_run_fn learn_run;

static const struct ctl_option learn_options[] = {
	CTL_GRANTS_OPTIONS(struct learn, grants),
	{ "grant", 0, CTL_FLAG, offsetof(struct learn, grant), NULL,
	    "let it read what you can read, but secrets" },
	{ "output", 'o', CTL_TEXT, offsetof(struct learn, output), "FILE",
	    "write the policy there, for cordon wrap --policy" },
	{ "json", 0, CTL_FLAG, offsetof(struct learn, json), NULL,
	    "print policy and reasons as JSON" },
};

static const char learn_notes[] =
    "Without --grant it sees the folder it is started in, and is told no as "
    "under\ncordon wrap: repeat until it has what it needs. With --grant one "
    "run tells more,\nof a program that you trust to read your files. Nothing "
    "is ever written but where\n--write says so.\n\n"
    "  cordon learn -o server.json -- node server.js\n"
    "  cordon wrap --policy server.json -- node server.js";

static const struct ctl_command learn_command = { "cordon learn",
	"[--] COMMAND [ARGUMENT ...]",
	"Runs a program in a box, notes what it touches, and proposes the "
	"smallest policy\nthat lets it.",
	learn_options, ARRAY_LEN(learn_options), learn_notes, 1,
	CTL_OPERANDS_ANY, learn_run, true };

/* ---- with --grant: all but secrets ---------------------------------------- */

/* What a link leads to in /proc or /dev is another thing in a box. */
static bool
is_of_the_kernel(const char *path)
{
	char real[PATH_MAX];

	return realpath(path, real) == NULL || box_path_below(real, "/proc") ||
	    box_path_below(real, "/dev") || box_path_below(real, "/sys") ||
	    box_path_below(real, "/run");
}

/* A folder's entries instead of the folder: its own place stays private. */
static int
entries_read(struct policy *policy, const char *folder, struct err *err)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int code = 0;

	DIR *dir = opendir(folder);
	if (dir == NULL)
		return 0; /* nothing to see for us either */
	while (code == 0 && (entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    (size_t)snprintf(path, sizeof(path), "%s/%s", folder,
			name) >= sizeof(path) ||
		    ctl_lesson_is_secret(path) || access(path, R_OK) < 0 ||
		    is_of_the_kernel(path))
			continue;
		code = policy_read(policy, path, err);
	}
	closedir(dir);
	return code;
}

/* What stands in the root of the machine, and is neither every box's nor private
 * in it; of what holds the home, its entries. */
static int
everything_read(struct policy *policy, const char *home, struct err *err)
{
	static const char *const others[] = { "/boot", "/dev", "/lost+found",
		"/proc", "/run", "/sys", "/tmp" };
	char path[PATH_MAX];
	struct dirent *entry;
	int code = entries_read(policy, "/etc", err);

	if (code == 0)
		code = entries_read(policy, home, err);
	DIR *dir = opendir("/");
	while (code == 0 && dir != NULL && (entry = readdir(dir)) != NULL) {
		bool is_other = entry->d_name[0] == '.' ||
		    strcmp(entry->d_name, "etc") == 0;
		snprintf(path, sizeof(path), "/%s", entry->d_name);
		for (size_t i = 0; i < ARRAY_LEN(others); i++)
			is_other |= strcmp(path, others[i]) == 0;
		if (!is_other && !box_base_has(path) &&
		    !box_path_below(home, path) && access(path, R_OK) == 0)
			code = policy_read(policy, path, err);
	}
	if (dir != NULL)
		closedir(dir);
	return code;
}

/* ---- the run --------------------------------------------------------------- */

static const char *
variable(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : otherwise;
}

static int
policy_make(const struct learn *learn, const char *command,
    struct policy **policyp, struct err *err)
{
	const int code = policy_new(policyp);

	if (code < 0)
		return err_set(err, code, "%s", strerror(-code));
	return ctl_grants_apply(&learn->grants, command, *policyp, err);
}

/* A spec of either policy, for the command. */
static int
spec_of(const struct learn *learn, const struct policy *policy, char **words,
    struct box_spec *spec, struct policy_memory **memoryp, struct err *err)
{
	const struct policy_place place = { .home = variable(
						"HOME", "/nonexistent"),
		.cwd = learn->cwd,
		.path = variable("PATH", "/usr/local/bin:/usr/bin:/bin"),
		.env = (const char *const *)environ };

	return policy_spec(
	    policy, &place, (const char *const *)words, spec, memoryp, err);
}

/* What needs no proposing: what was granted, and the package's own tree, which
 * cordon wrap will grant as well. */
static int
before_make(struct learn *learn, char **words, struct err *err)
{
	struct policy *policy = NULL;

	int code = policy_make(learn, words[0], &policy, err);
	if (code == 0)
		code = ctl_packaged_grant(&learn->packaged, policy, err);
	if (code == 0)
		code = spec_of(learn, policy, words, &learn->before,
		    &learn->before_memory, err);
	policy_free(policy);
	return code;
}

static int
specs_make(struct learn *learn, char **words, struct err *err)
{
	const char *home = variable("HOME", "/nonexistent");

	if (getcwd(learn->cwd, sizeof(learn->cwd)) == NULL ||
	    learn->cwd[0] != '/')
		strcpy(learn->cwd, "/"); /* it was removed, or lies outside */
	int code = policy_make(learn, words[0], &learn->policy, err);
	if (code == 0)
		code = policy_make(learn, words[0], &learn->proposal, err);
	/* Where it is started is where its files are, as a rule. */
	if (code == 0 && strcmp(learn->cwd, home) != 0 &&
	    strcmp(learn->cwd, "/") != 0 && !box_base_has(learn->cwd))
		code = policy_read(learn->policy, ".", err);
	if (code == 0 && learn->grant)
		code = everything_read(learn->policy, home, err);
	if (code != 0)
		return code;
	policy_notes(learn->policy, BOX_NOTES_ALL);

	code = ctl_packaged_grant(&learn->packaged, learn->policy, err);
	if (code == 0)
		code = spec_of(learn, learn->policy, words, &learn->spec,
		    &learn->memory, err);
	return code != 0 ? code : before_make(learn, words, err);
}

/* By the options, the profile, or as the program itself. In order: whatever is
 * below another grant comes after it. */
static bool
is_granted(const struct box_spec *spec, const struct box_note *note)
{
	const bool writes = note->code == BOX_VERB_WRITE ||
	    note->code == BOX_VERB_MAKE || note->code == BOX_VERB_REMOVE;
	uint32_t access = BOX_ACCESS_HIDE;

	for (uint32_t i = 0; i < spec->n_grants; i++) {
		const char *path = spec->grants[i].path;
		if (box_path_below(note->text, path))
			access = spec->grants[i].access;
		/* The way to a grant is there, to mount it on. */
		if (note->code == BOX_VERB_LOOK &&
		    box_path_below(path, note->text))
			return true;
	}
	return access == BOX_ACCESS_WRITE ||
	    (access == BOX_ACCESS_READ && !writes);
}

static void
note_take(void *context, const struct box_note *note)
{
	struct learn *learn = context;

	if (note->kind != BOX_NOTE_FILE && note->kind != BOX_NOTE_TOUCHED)
		ctl_notes_take(&learn->notes, note);
	else if (!is_granted(&learn->before, note))
		ctl_lessons_add(&learn->lessons, note);
}

/* A name or a port that a rule would let through is a lesson. */
static void
event_take(void *context, const struct wire_egress_event *event)
{
	struct learn *learn = context;
	char word[CTL_EVENT_WORD_MAX];

	if (event->refused && ctl_event_word(event, learn->way.network, word))
		ctl_hosts_add(&learn->hosts, word, event->text);
	else
		ctl_notes_event(&learn->notes, event);
}

/* There is a way out, though it may lead nowhere: it tells what is asked for.
 * The usual ports, where none is granted. */
static int
way_make(struct learn *learn, struct err *err)
{
	static const uint16_t usual[] = { 80, 443 };

	int code = ctl_way_prepare(
	    &learn->way, learn->policy, &learn->grants.secrets, true, err);
	if (code == 0)
		code = ctl_way_settle(
		    &learn->way, learn->memory, &learn->spec, err);
	if (code == 0 && learn->spec.n_ports == 0) {
		learn->spec.ports = usual;
		learn->spec.n_ports = ARRAY_LEN(usual);
	}
	return code;
}

/* ---- what comes of it ------------------------------------------------------ */

/* Also where the folder around it is granted. */
static int
secret_deny(struct policy *policy, const char *path, struct err *err)
{
	struct json_out text;

	json_out_init(&text, 1u << 20);
	json_out_text(&text, "{\"filesystem\":{\"denyRead\":[");
	json_out_string(&text, path, strlen(path));
	json_out_text(&text, "]}}");
	const int code = json_out_status(&text) != 0
	    ? err_set(err, -EINVAL, "%s: no name for a policy", path)
	    : policy_json(policy, text.bytes, text.len, false, path, err);
	json_out_fini(&text);
	return code;
}

static int
proposal_make(struct learn *learn, struct err *err)
{
	int code = 0;

	for (size_t i = 0; i < learn->lessons.n && code == 0; i++) {
		const struct ctl_lesson *lesson = &learn->lessons.at[i];
		if (lesson->is_secret) {
			code = secret_deny(learn->proposal, lesson->path, err);
			continue;
		}
		code = lesson->writes
		    ? policy_write(learn->proposal, lesson->path, err)
		    : policy_read(learn->proposal, lesson->path, err);
	}
	for (size_t i = 0; i < learn->hosts.n && code == 0; i++)
		code =
		    policy_net(learn->proposal, learn->hosts.at[i].word, err);
	return code;
}

static void
lesson_print(FILE *out, const struct ctl_lesson *lesson)
{
	char why[CTL_LESSON_WHY_MAX];

	ctl_lesson_why(lesson, why);
	fprintf(out, "  %s ",
	    lesson->is_secret    ? "(not proposed)"
		: lesson->writes ? "--write"
				 : "--read");
	ctl_line_print(out, lesson->path, strlen(lesson->path));
	fprintf(out, "\n      %s\n", why);
}

static void
host_print(FILE *out, const struct ctl_host *host)
{
	fputs("  --net ", out);
	ctl_line_print(out, host->word, strlen(host->word));
	fputs("\n      ", out);
	ctl_line_print(out, host->why, strlen(host->why));
	putc('\n', out);
}

static void
people_print(const struct learn *learn, const struct json_out *policy)
{
	fprintf(stderr,
	    "cordon learn: it touched %zu place%s outside of what every box "
	    "has.\n",
	    learn->lessons.n, learn->lessons.n == 1 ? "" : "s");
	for (size_t i = 0; i < learn->lessons.n; i++)
		lesson_print(stderr, &learn->lessons.at[i]);
	if (learn->hosts.n > 0)
		fprintf(stderr,
		    "It asked for %zu host%s that no rule names; whether it is "
		    "to reach them is yours to say.\n",
		    learn->hosts.n, learn->hosts.n == 1 ? "" : "s");
	for (size_t i = 0; i < learn->hosts.n; i++)
		host_print(stderr, &learn->hosts.at[i]);
	if (learn->output == NULL)
		fprintf(stderr, "The policy:\n%.*s\n", (int)policy->len,
		    policy->bytes);
	else
		fprintf(stderr,
		    "The policy is in %s: cordon wrap --policy %s -- ...\n",
		    learn->output, learn->output);
}

static void
json_print(const struct learn *learn, const struct json_out *policy)
{
	char why[CTL_LESSON_WHY_MAX];
	struct json_out out;

	json_out_init(&out, 16u << 20);
	json_out_text(&out, "{\"policy\":");
	json_out_raw(&out, policy->bytes, policy->len);
	json_out_text(&out, ",\"reasons\":[");
	for (size_t i = 0; i < learn->lessons.n; i++) {
		const struct ctl_lesson *lesson = &learn->lessons.at[i];
		ctl_lesson_why(lesson, why);
		json_out_text(&out, i > 0 ? ",{\"path\":" : "{\"path\":");
		json_out_string(&out, lesson->path, strlen(lesson->path));
		json_out_text(&out, ",\"access\":");
		json_out_text(&out, lesson->writes ? "\"write\"" : "\"read\"");
		json_out_text(&out, ",\"proposed\":");
		json_out_text(&out, lesson->is_secret ? "false" : "true");
		json_out_text(&out, ",\"why\":");
		json_out_string(&out, why, strlen(why));
		json_out_text(&out, "}");
	}
	for (size_t i = 0; i < learn->hosts.n; i++) {
		const struct ctl_host *host = &learn->hosts.at[i];
		json_out_text(&out,
		    i + learn->lessons.n > 0 ? ",{\"host\":" : "{\"host\":");
		json_out_string(&out, host->word, strlen(host->word));
		json_out_text(&out, ",\"proposed\":true,\"why\":");
		json_out_string(&out, host->why, strlen(host->why));
		json_out_text(&out, "}");
	}
	json_out_text(&out, "]}");
	if (json_out_status(&out) == 0)
		ctl_json_line_print(stderr, out.bytes, out.len);
	json_out_fini(&out);
}

static int
file_write(const char *path, const struct json_out *policy, struct err *err)
{
	auto_close int fd =
	    open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int code =
	    fd < 0 ? -errno : fd_write_all(fd, policy->bytes, policy->len);
	if (code == 0)
		code = fd_write_all(fd, "\n", 1);
	return code == 0 ? 0
			 : err_set(err, code, "%s: %s", path, strerror(-code));
}

static int
result_tell(struct learn *learn, struct err *err)
{
	struct json_out policy;

	ctl_lessons_settle(&learn->lessons);
	int code = proposal_make(learn, err);
	if (code != 0)
		return code;
	json_out_init(&policy, 16u << 20);
	code = policy_put(learn->proposal, &policy);
	if (code == 0 && learn->output != NULL)
		code = file_write(learn->output, &policy, err);
	else if (code != 0)
		err_set(err, code, "the policy: %s", strerror(-code));
	if (code == 0 && learn->json)
		json_print(learn, &policy);
	else if (code == 0)
		people_print(learn, &policy);
	json_out_fini(&policy);
	return code;
}

static int
learn_run(void *values, int n, char **words)
{
	struct learn *learn = values;
	struct err err = { "" };

	words[n] = NULL;
	if (ctl_packaged_find(&learn->packaged, &words, &err) != 0) {
		fprintf(stderr, "cordon learn: %s\n", err.text);
		return BOX_EXIT_FAILED;
	}
	if (specs_make(learn, words, &err) != 0 || way_make(learn, &err) != 0)
		return ctl_usage_fail(&learn_command, &err);

	ctl_notes_init(&learn->notes, "cordon learn", stderr);
	learn->notes.network = learn->way.network;
	const struct ctl_watcher watcher = { .spec = &learn->spec,
		.note = note_take,
		.context = learn,
		.way = &learn->way,
		.event = event_take };
	const int exit_code = ctl_watcher_run(&watcher, &err);
	if (err.text[0] != '\0')
		ctl_notes_say(&learn->notes, "failed", err.text);
	ctl_notes_end(&learn->notes, 0);
	ctl_notes_fini(&learn->notes);
	if (exit_code == BOX_EXIT_FAILED)
		return exit_code;
	if (exit_code != 0)
		fprintf(stderr,
		    "cordon learn: it ended with %d: there may be more that it "
		    "needs\n",
		    exit_code);
	if (result_tell(learn, &err) != 0) {
		fprintf(stderr, "cordon learn: %s\n", err.text);
		return CTL_EXIT_INTERNAL;
	}
	return CTL_EXIT_OK;
}

int
ctl_learn(int argc, char **argv)
{
	struct learn learn = { .grants = CTL_GRANTS_NONE, .way = CTL_WAY_NONE };

	learn.grants.is_own = true;
	const int code = ctl_command_run(&learn_command, &learn, argc, argv);
	ctl_way_fini(&learn.way);
	ctl_hosts_fini(&learn.hosts);
	ctl_lessons_fini(&learn.lessons);
	policy_spec_free(learn.before_memory);
	policy_spec_free(learn.memory);
	policy_free(learn.proposal);
	policy_free(learn.policy);
	package_fini(&learn.packaged.package);
	return code;
}
