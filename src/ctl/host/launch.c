/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/host/launch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "ctl/host/admin.h"
#include "ctl/host/table.h"
#include "ctl/text.h"
#include "package/package.h"
#include "policy/path.h"

int
ctl_place_here(
    struct policy_place *place, char *cwd, size_t size, struct err *err)
{
	if (getcwd(cwd, size) == NULL)
		return err_set(
		    err, -errno, "the current folder: %s", strerror(errno));
	*place = (struct policy_place){ .home = getenv("HOME"),
		.cwd = cwd,
		.path = getenv("PATH"),
		.env = (const char *const *)environ };
	return 0;
}

/* ---- what is sent ---------------------------------------------------------
 */

static void
text_add(struct json_out *out, const char *before, const char *text)
{
	json_out_text(out, before);
	json_out_string(out, text, strlen(text));
}

/* A program that is named by a path is meant as seen from here. */
static int
program_write(
    const struct ctl_launch *launch, struct json_out *out, struct err *err)
{
	const char *name = launch->argv[0];
	char *path = NULL;

	if (launch->package != NULL || strchr(name, '/') == NULL) {
		text_add(out, "\"command\":[", name);
		return 0;
	}
	const int r = policy_path_absolute(&launch->place, name, &path, err);
	if (r != 0)
		return r;
	text_add(out, "\"command\":[", path);
	free(path);
	return 0;
}

/* The path of an operand that is a file, for free(); NULL. */
static char *
operand_path(const struct ctl_launch *launch, const char *word)
{
	char *path = NULL;

	if (word[0] == '-' || word[0] == '\0' || word[0] == '~' ||
	    policy_path_absolute(&launch->place, word, &path, NULL) != 0)
		return NULL;
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return NULL;
}

/* A relative operand that is a file is found where it was said. */
static bool
needs_cwd(const struct ctl_launch *launch)
{
	for (const char *const *word = launch->argv + 1; *word != NULL;
	     word++) {
		auto_free char *path =
		    (*word)[0] != '/' ? operand_path(launch, *word) : NULL;
		if (path != NULL)
			return true;
	}
	return launch->has_cwd;
}

static int
policy_write_flat(const struct ctl_launch *launch, const char *const *run,
    struct json_out *out, struct err *err)
{
	struct policy *flat = NULL;

	int r = policy_flatten(launch->policy, &launch->place, run, &flat, err);
	if (r != 0)
		return r;
	json_out_text(out, ",\"policy\":");
	r = policy_put(flat, out);
	policy_free(flat);
	return r == 0 ? 0 : err_set(err, -EINVAL, "the policy is too long");
}

static bool
is_shown(const struct box_spec *spec, const char *path)
{
	static const char *const base[] = { "/usr", "/bin", "/lib", "/lib64",
		"/sbin" };
	const char *best = "";
	bool shown = false;

	for (size_t i = 0; i < ARRAY_LEN(base); i++)
		shown |= policy_path_within(path, base[i]);
	for (uint32_t i = 0; i < spec->n_grants; i++) {
		const struct box_grant *grant = &spec->grants[i];
		const char *at = grant->at[0] != '\0' ? grant->at : grant->path;
		if (!policy_path_within(path, at) || strlen(at) < strlen(best))
			continue;
		best = at;
		shown = grant->access != BOX_ACCESS_HIDE;
	}
	return shown;
}

/* The first operand that is a file, and is not there inside. */
static char *
hidden_find(const struct ctl_launch *launch, const char *const *run)
{
	struct policy_memory *memory = NULL;
	struct box_spec spec;
	char *hidden = NULL;

	if (policy_spec(
		launch->policy, &launch->place, run, &spec, &memory, NULL) != 0)
		return NULL;
	for (const char *const *word = run + 1; *word != NULL && hidden == NULL;
	     word++) {
		auto_free char *path = operand_path(launch, *word);
		if (path != NULL && !is_shown(&spec, path))
			hidden = steal_ptr(&path);
	}
	policy_spec_free(memory);
	return hidden;
}

int
ctl_launch_write(const struct ctl_launch *launch, struct json_out *out,
    char **hidden, struct err *err)
{
	const struct package *package = launch->package;
	const char *const *run =
	    package != NULL ? (const char *const *)package->run : launch->argv;

	int r = program_write(launch, out, err);
	if (r != 0)
		return r;
	for (const char *const *word = launch->argv + 1; *word != NULL; word++)
		text_add(out, ",", *word);
	json_out_text(out, "]");
	if (needs_cwd(launch))
		text_add(out, ",\"cwd\":", launch->place.cwd);
	if (package != NULL) {
		text_add(out, ",\"package\":{\"digest\":", package->digest);
		text_add(out, ",\"name\":", package->name);
		text_add(out, ",\"version\":", package->version);
		json_out_text(out, "}");
	}
	r = policy_write_flat(launch, run, out, err);
	if (r == 0 && hidden != NULL)
		*hidden = package == NULL ? hidden_find(launch, run) : NULL;
	return r;
}

/* ---- for a person ---------------------------------------------------------
 */

static void
string_print(FILE *out, struct json_span value, const char *before)
{
	auto_free char *text = malloc(value.len + 1);
	size_t len = 0;

	fputs(before, out);
	if (text != NULL &&
	    json_string_copy(value, text, value.len + 1, &len) == 0)
		ctl_line_print(out, text, len);
	else
		ctl_line_print(out, value.at, value.len);
}

/* As a shell would take it: two words do not look like one. */
static void
word_print(FILE *out, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_./:=@,+%^{}$";
	const bool is_plain =
	    text[0] != '\0' && text[strspn(text, plain)] == '\0';

	fputs(is_plain ? " " : " '", out);
	while (*text != '\0') {
		const size_t len = strcspn(text, "'");
		const bool is_quote = text[len] == '\'';
		ctl_line_print(out, text, len);
		fputs(is_quote ? "'\\''" : "", out);
		text += len + is_quote;
	}
	fputs(is_plain ? "" : "'", out);
}

static void
words_print(FILE *out, struct json_span list)
{
	struct json_span item;
	struct json_iter iter;

	if (json_iter_init(&iter, list) != 0)
		return;
	fputs("  runs    ", out);
	while (json_iter_element(&iter, &item)) {
		auto_free char *text = malloc(item.len + 1);
		if (text != NULL &&
		    json_string_copy(item, text, item.len + 1, NULL) == 0)
			word_print(out, text);
	}
	putc('\n', out);
}

static void
folder_print(FILE *out, struct json_span cwd)
{
	if (cwd.at == NULL)
		return;
	string_print(out, cwd, "  in       ");
	putc('\n', out);
}

/* "  title    a, b": a line, or nothing of an empty list. */
static void
list_print(
    FILE *out, const char *title, struct json_span list, const char *after)
{
	struct json_span item;
	struct json_iter iter;
	unsigned n = 0;

	if (json_iter_init(&iter, list) != 0)
		return;
	for (; json_iter_element(&iter, &item); n++) {
		if (n == 0)
			fprintf(out, "  %-9s", title);
		string_print(out, item, n == 0 ? "" : ", ");
	}
	if (n > 0)
		fprintf(out, "%s\n", after);
}

/* "  requests https://example.com/v1/ by GET, POST", a line each. */
static void
rules_print(FILE *out, struct json_span list)
{
	struct json_span item;
	struct json_iter iter;

	if (json_iter_init(&iter, list) != 0)
		return;
	while (json_iter_element(&iter, &item)) {
		const struct json_span methods = ctl_member(item, "methods");

		string_print(out, ctl_member(item, "url"), "  requests ");
		if (methods.at == NULL)
			putc('\n', out);
		else
			list_print(out, " by", methods, "");
	}
}

static bool
has_elements(struct json_span list)
{
	struct json_span item;
	struct json_iter iter;

	return json_iter_init(&iter, list) == 0 &&
	    json_iter_element(&iter, &item);
}

static void
budgets_print(FILE *out, struct json_span network)
{
	static const struct {
		const char *member;
		const char *words;
	} budgets[] = {
		{ "requestsPerMinute", "requests a minute" },
		{ "requestsPerCall", "requests a call" },
		{ "concurrent", "at once" },
		{ "bytesIn", "of an answer" },
		{ "bytesOut", "of a request" },
		{ "bytesPerMinute", "a minute, both ways" },
	};
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(budgets); i++) {
		const struct json_span value =
		    ctl_member(network, budgets[i].member);
		if (value.at == NULL)
			continue;
		fputs(n++ == 0 ? "  spends   at most " : ", ", out);
		if (json_kind_of(value) == JSON_KIND_STRING)
			ctl_string_print(out, value);
		else
			ctl_line_print(out, value.at, value.len);
		fprintf(out, " %s", budgets[i].words);
	}
	fputs(n > 0 ? "\n" : "", out);
}

void
ctl_network_print(FILE *out, struct json_span network)
{
	const struct json_span none = { 0 };
	const bool is_there = network.at != NULL;
	const struct json_span hosts =
	    is_there ? ctl_member(network, "allowedDomains") : none;
	const struct json_span rules =
	    is_there ? ctl_member(network, "rules") : none;
	const bool reaches = has_elements(hosts) || has_elements(rules);

	if (reaches) {
		list_print(out, "reaches", hosts, "");
		list_print(
		    out, "but not", ctl_member(network, "deniedDomains"), "");
		rules_print(out, rules);
		budgets_print(out, network);
	}
	fprintf(out, "  network  %s%s\n",
	    reaches ? "these hosts alone" : "none",
	    is_there &&
		    json_value_is_true(
			ctl_member(network, "allowAllUnixSockets"))
		? ", but unix sockets of its own"
		: "");
}

static void
names_print(
    FILE *out, const char *title, struct json_span object, bool with_values)
{
	struct json_span key, value;
	struct json_iter iter;
	unsigned n = 0;

	if (json_kind_of(object) != JSON_KIND_OBJECT ||
	    json_iter_init(&iter, object) != 0)
		return;
	for (; json_iter_member(&iter, &key, &value); n++) {
		if (n == 0)
			fprintf(out, "  %-9s", title);
		string_print(out, key, n == 0 ? "" : ", ");
		if (with_values)
			string_print(out, value, " ");
	}
	if (n > 0)
		putc('\n', out);
}

static void
package_print(FILE *out, struct json_span package)
{
	if (package.at == NULL)
		return;
	fputs("  package  ", out);
	string_print(out, ctl_member(package, "name"), "");
	string_print(out, ctl_member(package, "version"), " ");
	fputs(", the tree ", out);
	ctl_cell_digest(out, ctl_member(package, "digest"));
	putc('\n', out);
}

void
ctl_launch_print(FILE *out, struct json_span server)
{
	static const struct {
		const char *title;
		const char *member;
		const char *after;
	} lists[] = {
		{ "reads", "policy/filesystem/allowRead", "" },
		{ "writes", "policy/filesystem/allowWrite", "" },
		{ "writes", "policy/filesystem/allowWriteGuarded",
		    " (but no dotfiles, no hooks)" },
		{ "never", "policy/filesystem/denyRead", "" },
		{ "keeps", "policy/filesystem/denyWrite", " as they are" },
		{ "secrets", "policy/secrets", "" },
	};

	words_print(out, ctl_member(server, "command"));
	folder_print(out, ctl_member(server, "cwd"));
	package_print(out, ctl_member(server, "package"));
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		list_print(out, lists[i].title,
		    ctl_member(server, lists[i].member), lists[i].after);
	names_print(out, "env", ctl_member(server, "policy/env"), false);
	names_print(out, "limits", ctl_member(server, "policy/limits"), true);
	ctl_network_print(out, ctl_member(server, "policy/network"));
}
