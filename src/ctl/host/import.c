/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon import: the servers of an MCP client's configuration, shown as they
 * would be added; added with --add. Nothing of the file is run: what is added
 * is quarantined.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fd.h"
#include "ctl/ctl.h"
#include "ctl/host/add.h"
#include "ctl/host/admin.h"
#include "ctl/host/box.h"
#include "ctl/host/import_read.h"
#include "ctl/host/launch.h"
#include "ctl/text.h"
#include "package/package.h"
#include "policy/path.h"

/* ---- shown ----------------------------------------------------------------
 */

static void
line(const char *text)
{
	ctl_line_print(stdout, text, strlen(text));
}

/* "--api-key=…" and the like, and what only looks so. */
static const char *
shown_word(const char *word, char buffer[256])
{
	const char *equals = strchr(word, '=');

	if (equals == NULL || word[0] != '-')
		return ctl_import_is_secret("", word) ? "(hidden)" : word;
	snprintf(buffer, 256, "%.*s", (int)(equals - word), word);
	if (!ctl_import_is_secret(buffer, equals + 1))
		return word;
	snprintf(buffer, 256, "%.*s=(hidden)", (int)(equals - word), word);
	return buffer;
}

/* The value behind "--token" is one, too. */
static bool
is_told(const char *before)
{
	return before != NULL && before[0] == '-' &&
	    strchr(before, '=') == NULL && ctl_import_is_secret(before, "");
}

static void
command_print(char **argv)
{
	char buffer[256];

	fputs("  runs     ", stdout);
	for (size_t i = 0; argv[i] != NULL; i++) {
		fputs(i > 0 ? " " : "", stdout);
		line(i > 1 && is_told(argv[i - 1])
			? "(hidden)"
			: shown_word(argv[i], buffer));
	}
	putchar('\n');
}

static void
env_print(const struct ctl_import_server *server)
{
	if (server->n_env == 0)
		return;
	fputs("  env      ", stdout);
	for (size_t i = 0; i < server->n_env; i++) {
		const struct ctl_import_variable *variable = &server->env[i];
		fputs(i > 0 ? ", " : "", stdout);
		line(variable->name);
		putchar('=');
		line(variable->is_secret ? "(hidden)" : variable->value);
	}
	putchar('\n');
}

static const char *
profile_of(
    const struct ctl_admin *admin, const struct ctl_import_server *server)
{
	for (size_t i = 0; i < admin->grants.profiles.n_items; i++)
		if (strcmp(admin->grants.profiles.items[i], "none") == 0)
			return NULL;
	return policy_profile_for(server->argv[0]);
}

static void
lists_print(const struct ctl_admin *admin)
{
	const struct {
		const char *title;
		const struct ctl_list *list;
	} lists[] = {
		{ "reads", &admin->grants.reads },
		{ "writes", &admin->grants.writes },
	};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (size_t n = 0; n < lists[i].list->n_items; n++) {
			if (n == 0)
				printf("  %-9s", lists[i].title);
			fputs(n > 0 ? ", " : "", stdout);
			line(lists[i].list->items[n]);
		}
		if (lists[i].list->n_items > 0)
			putchar('\n');
	}
}

static void
name_print(const struct ctl_import_server *server)
{
	const char *name = server->name[0] != '\0' ? server->name : "?";

	line(name);
	if (strcmp(name, server->from) != 0) {
		fputs(" (in the file: ", stdout);
		line(server->from);
		putchar(')');
	}
	putchar('\n');
}

static void
server_print(
    const struct ctl_admin *admin, const struct ctl_import_server *server)
{
	name_print(server);
	if (server->why[0] != '\0') {
		fputs("  cannot be brought: ", stdout);
		line(server->why);
		putchar('\n');
		return;
	}
	command_print(server->argv);
	if (server->cwd != NULL) {
		fputs("  starts in ", stdout);
		line(server->cwd);
		putchar('\n');
	}
	if (package_is_command((const char *const *)server->argv))
		puts("  package  resolved once, when it is added; no registry "
		     "is asked at a start");
	const char *profile = profile_of(admin, server);
	printf("  policy   %s%s\n",
	    profile != NULL ? "the profile " : "no profile",
	    profile != NULL ? profile : "");
	lists_print(admin);
	env_print(server);
	if (server->taken[0] != '\0') {
		fputs("  takes    ", stdout);
		line(server->taken);
		puts(" of your environment");
	}
	puts("  network  none");
}

static void
string_put(struct json_out *out, const char *before, const char *text)
{
	json_out_text(out, before);
	json_out_string(out, text, strlen(text));
}

static void
words_put(struct json_out *out, char **argv)
{
	char buffer[256];

	json_out_text(out, ",\"command\":[");
	for (size_t i = 0; argv[i] != NULL; i++)
		string_put(out, i > 0 ? "," : "",
		    i > 1 && is_told(argv[i - 1])
			? "(hidden)"
			: shown_word(argv[i], buffer));
	json_out_text(out, "]");
}

static void
server_put(const struct ctl_admin *admin,
    const struct ctl_import_server *server, struct json_out *out)
{
	string_put(out, "{\"name\":", server->name);
	string_put(out, ",\"from\":", server->from);
	if (server->why[0] != '\0') {
		string_put(out, ",\"refused\":", server->why);
		json_out_text(out, "}");
		return;
	}
	words_put(out, server->argv);
	const char *profile = profile_of(admin, server);
	if (profile != NULL)
		string_put(out, ",\"profile\":", profile);
	json_out_text(out, ",\"package\":");
	json_out_text(out,
	    package_is_command((const char *const *)server->argv) ? "true"
								  : "false");
	json_out_text(out, ",\"env\":{");
	for (size_t i = 0; i < server->n_env; i++) {
		const struct ctl_import_variable *variable = &server->env[i];
		string_put(out, i > 0 ? "," : "", variable->name);
		if (variable->is_secret)
			json_out_text(out, ":null");
		else
			string_put(out, ":", variable->value);
	}
	json_out_text(out, "}");
	if (server->taken[0] != '\0')
		string_put(out, ",\"takes\":", server->taken);
	json_out_text(out, "}");
}

/* ---- added ----------------------------------------------------------------
 */

static int
policy_make(const struct ctl_admin *admin,
    const struct ctl_import_server *server, struct policy *policy,
    struct err *err)
{
	auto_free char *word = NULL;
	int r = ctl_grants_apply(&admin->grants, server->argv[0], policy, err);

	for (size_t i = 0; r == 0 && i < server->n_env; i++) {
		free(steal_ptr(&word));
		if (asprintf(&word, "%s=%s", server->env[i].name,
			server->env[i].value) < 0) {
			word = NULL;
			return -ENOMEM;
		}
		r = policy_env(policy, word, err);
	}
	return r;
}

struct paths {
	char *items[2 * CTL_LIST_MAX]; /* owned */
	size_t n;
};

/* What the options grant is meant as seen from here, whatever folder the file
 * has a server start in. */
static int
list_absolute(struct ctl_list *list, const struct policy_place *here,
    struct paths *paths, struct err *err)
{
	for (size_t i = 0; i < list->n_items; i++) {
		char **path = &paths->items[paths->n];
		const int r =
		    policy_path_absolute(here, list->items[i], path, err);
		if (r != 0)
			return r;
		list->items[i] = *path;
		paths->n++;
	}
	return 0;
}

static int
grants_absolute(struct ctl_admin *admin, struct paths *paths, struct err *err)
{
	struct policy_place here;
	char cwd[PATH_MAX];

	int r = ctl_place_here(&here, cwd, sizeof(cwd), err);
	if (r == 0)
		r = list_absolute(&admin->grants.reads, &here, paths, err);
	if (r == 0)
		r = list_absolute(&admin->grants.writes, &here, paths, err);
	return r;
}

static void
paths_fini(struct paths *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		free(paths->items[i]);
}

static int
folder_enter(const struct ctl_admin *admin,
    const struct ctl_import_server *server, struct policy_place *place,
    struct err *err)
{
	const struct ctl_list *profiles = &admin->grants.profiles;
	bool asks_where = admin->grants.policy != NULL;

	for (size_t i = 0; i < profiles->n_items; i++)
		asks_where |= strcmp(profiles->items[i], "workspace") == 0;
	if (asks_where &&
	    (!policy_path_is_normal(server->cwd) ||
		!policy_path_within(server->cwd, place->cwd)))
		return err_set(err, -EPERM,
		    "it is to start in %s, as its file says, which is not "
		    "below the current folder: go there, or grant what it may "
		    "with --read and --write",
		    server->cwd);
	place->cwd = server->cwd;
	return 0;
}

static int
body_write(struct ctl_admin *admin, const struct ctl_import_server *server,
    struct json_out *out, struct err *err)
{
	struct ctl_launch launch = { .argv =
					 (const char *const *)server->argv };
	struct policy *policy = NULL;
	char cwd[PATH_MAX];

	int r = policy_new(&policy);
	if (r != 0)
		return err_set(err, r, "no memory");
	r = policy_make(admin, server, policy, err);
	if (r == 0)
		r = ctl_place_here(&launch.place, cwd, sizeof(cwd), err);
	launch.has_cwd = server->cwd != NULL;
	if (r == 0 && launch.has_cwd)
		r = folder_enter(admin, server, &launch.place, err);
	launch.policy = policy;
	string_put(out, "{\"name\":", server->name);
	if (r == 0)
		r = ctl_box_launch_write(admin, &launch, out, err);
	json_out_text(out, "}");
	policy_free(policy);
	return r;
}

/* Whether the host has one of that name: it is not changed by an import. */
static int
taken_check(const struct ctl_admin *admin, const char *name, bool *is_taken)
{
	struct client *client = NULL;
	char path[CTL_PATH_MAX];
	struct ctl_reply reply = { 0 };
	struct err err;

	int exit_code = ctl_admin_open(admin, &client);
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	snprintf(path, sizeof(path), "/admin/servers/%s%s%s", name,
	    admin->tenant != NULL ? "?tenant=" : "",
	    admin->tenant != NULL ? admin->tenant : "");
	const struct client_request request = { .method = "GET", .path = path };
	if (client_ask(client, &request, &reply.answer, &err) == 0)
		*is_taken = reply.answer.status == 200;
	else
		exit_code = CTL_EXIT_NO_HOST;
	if (exit_code != CTL_EXIT_OK)
		fprintf(stderr, "%s: %s\n", admin->command, err.text);
	ctl_reply_fini(&reply);
	client_free(client);
	return exit_code;
}

static int
server_send(struct ctl_admin *admin, const struct ctl_import_server *server)
{
	struct ctl_reply reply;
	struct json_out body;
	struct err err = { "it cannot be sent" };
	bool is_taken = false;

	int exit_code = taken_check(admin, server->name, &is_taken);
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	if (is_taken) {
		fprintf(stderr,
		    "%s: %s: the host has a server of this name already; it "
		    "is left as it is\n",
		    admin->command, server->name);
		return CTL_EXIT_REFUSED;
	}
	json_out_init(&body, CTL_BODY_MAX);
	if (body_write(admin, server, &body, &err) != 0) {
		fprintf(stderr, "%s: %s: ", admin->command, server->name);
		ctl_line_print(stderr, err.text, strlen(err.text));
		fputc('\n', stderr);
		json_out_fini(&body);
		return CTL_EXIT_REFUSED;
	}
	exit_code =
	    ctl_admin_ask(admin, "POST", "/admin/servers", &body, &reply);
	json_out_fini(&body);
	if (exit_code == CTL_EXIT_OK && admin->json)
		ctl_reply_print(&reply);
	else if (exit_code == CTL_EXIT_OK)
		ctl_server_state_print(&reply, server->name);
	ctl_reply_fini(&reply);
	return exit_code;
}

/* ---- the command ----------------------------------------------------------
 */

static bool
is_wanted(const struct ctl_admin *admin, const struct ctl_import_server *server)
{
	const struct ctl_list *names = &admin->servers;

	for (size_t i = 0; i < names->n_items; i++)
		if (strcmp(names->items[i], server->name) == 0 ||
		    strcmp(names->items[i], server->from) == 0)
			return true;
	return names->n_items == 0;
}

static void
all_print_json(const struct ctl_admin *admin, const struct ctl_import *import)
{
	struct json_out out;
	const char *comma = "";

	json_out_init(&out, 64u << 20);
	json_out_text(&out, "{\"servers\":[");
	for (size_t i = 0; i < import->n; i++) {
		if (!is_wanted(admin, &import->servers[i]))
			continue;
		json_out_text(&out, comma);
		server_put(admin, &import->servers[i], &out);
		comma = ",";
	}
	json_out_text(&out, "]}");
	if (json_out_status(&out) == 0)
		ctl_json_line_print(stdout, out.bytes, out.len);
	json_out_fini(&out);
}

/* The worst of what came of each; those that the file's form keeps here are no
 * failure of ours. */
static int
all_do(struct ctl_admin *admin, const struct ctl_import *import)
{
	int worst = CTL_EXIT_OK;
	size_t n = 0;

	for (size_t i = 0; i < import->n; i++) {
		const struct ctl_import_server *server = &import->servers[i];
		if (!is_wanted(admin, server))
			continue;
		n += server->why[0] == '\0';
		if (!admin->json && admin->add && server->why[0] == '\0')
			name_print(server);
		else if (!admin->json)
			server_print(admin, server);
		if (!admin->add || server->why[0] != '\0')
			continue;
		const int exit_code = server_send(admin, server);
		if (exit_code == CTL_EXIT_NO_HOST)
			return exit_code;
		worst = exit_code != CTL_EXIT_OK ? exit_code : worst;
	}
	if (!admin->add && !admin->json && n > 0)
		printf("\nNothing is added yet. The same with --add adds %s, "
		       "quarantined.\n",
		    n == 1 ? "it" : "them");
	return worst;
}

/* What a file in .vscode or .cursor configures is the folder around that. */
static void
workspace_find(const char *path, char workspace[PATH_MAX])
{
	static const char *const inner[] = { "/.vscode", "/.cursor",
		"/.claude" };
	char *slash;

	if (realpath(path, workspace) == NULL)
		strcpy(workspace, "/");
	slash = strrchr(workspace, '/');
	if (slash != NULL && slash != workspace)
		*slash = '\0';
	for (size_t i = 0; i < ARRAY_LEN(inner); i++) {
		const size_t len = strlen(workspace), tail = strlen(inner[i]);
		if (len > tail && strcmp(workspace + len - tail, inner[i]) == 0)
			workspace[len - tail] = '\0';
	}
}

static int
file_read(const char *path, struct ctl_import *import, struct err *err)
{
	auto_free uint8_t *bytes = NULL;
	char workspace[PATH_MAX];
	size_t len = 0;

	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	const int r = fd_read_all(fd, CTL_IMPORT_BYTES_MAX, &bytes, &len);
	if (r < 0)
		return err_set(err, r, "%s: %s", path,
		    r == -EFBIG ? "larger than 1 MiB" : strerror(-r));
	workspace_find(path, workspace);
	const struct ctl_import_place place = { .home = getenv("HOME"),
		.workspace = workspace,
		.env = (const char *const *)environ };
	return ctl_import_read(
	    path, (const char *)bytes, len, &place, import, err);
}

static int
import_file(struct ctl_admin *admin, const char *path, struct paths *paths)
{
	struct ctl_import import;
	struct err err;

	if (grants_absolute(admin, paths, &err) != 0 ||
	    file_read(path, &import, &err) != 0)
		return ctl_admin_usage(admin, "%s", err.text);
	if (admin->json && !admin->add)
		all_print_json(admin, &import);
	const int exit_code = all_do(admin, &import);
	ctl_import_fini(&import);
	return exit_code;
}

static int
import_run(void *values, int n, char **operands)
{
	struct paths paths = { 0 };

	(void)n;
	const int exit_code = import_file(values, operands[0], &paths);
	paths_fini(&paths);
	return exit_code;
}

#define AT(member) offsetof(struct ctl_admin, member)
#define GRANT(name, kind, field, argument, help)                               \
	CTL_GRANTS_ROW(                                                        \
	    struct ctl_admin, grants, name, kind, field, argument, help)

static const struct ctl_option options[] = {
	{ "add", 0, CTL_FLAG, AT(add), NULL, "add them, quarantined" },
	{ "yes", 'y', CTL_FLAG, AT(add), NULL, "the same" },
	{ "server", 0, CTL_LIST, AT(servers), "NAME",
	    "this one only; may be repeated (all)" },
	GRANT("policy", CTL_TEXT, policy, "FILE", "what they may, as JSON"),
	GRANT("profile", CTL_LIST, profiles, "NAME",
	    "a ready-made policy; \"none\": not even a command's own"),
	GRANT("read", CTL_LIST, reads, "PATH", "may be read and run"),
	GRANT(
	    "write", CTL_LIST, writes, "PATH", "may be read, run and changed"),
	{ "allow-scripts", 0, CTL_FLAG, AT(allow_scripts), NULL,
	    "run packages' install scripts, in a box" },
	CTL_HOST_OPTIONS,
};

int
ctl_import(int argc, char **argv)
{
	static const struct ctl_command command = { "cordon import", "FILE",
		"Shows the servers of an MCP client's configuration as they "
		"would be added here,\nand adds them with --add.",
		options, ARRAY_LEN(options),
		"FILE is claude_desktop_config.json, .mcp.json, "
		".cursor/mcp.json or\n.vscode/mcp.json. Nothing in it is run; "
		"what is added is quarantined until it is\napproved. Values "
		"that look like secrets are not shown.",
		1, 1, import_run, false };
	struct ctl_admin admin = { .command = "cordon import",
		.grants = CTL_GRANTS_NONE };

	return ctl_command_run(&command, &admin, argc, argv);
}
