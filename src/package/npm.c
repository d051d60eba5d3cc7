/* SPDX-License-Identifier: Apache-2.0 */
#include "package/npm.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "package/entry.h"
#include "package/file.h"
#include "package/run.h"

#define LOCK_BYTES_MAX (64u << 20)
#define SETTINGS_BYTES_MAX (1u << 20)
#define KEY_MAX 256

/* The same text for all, whatever the folder is called. */
static const char root_manifest[] =
    "{\n  \"name\": \"package\",\n  \"private\": true\n}\n";

/* -- settings ------------------------------------------------------------- */

static const char *const settings[] = {
	"registry",
	"proxy",
	"https-proxy",
	"http-proxy",
	"noproxy",
	"cafile",
	"ca",
	"ca[]",
	"cert",
	"key",
	"strict-ssl",
	"_auth",
	"_authToken",
	"replace-registry-host",
	"fetch-timeout",
	"fetch-retries",
	"before",
	"min-release-age",
};

static const char *const environment[] = {
	"HTTP_PROXY",
	"HTTPS_PROXY",
	"NO_PROXY",
	"http_proxy",
	"https_proxy",
	"no_proxy",
	"NODE_EXTRA_CA_CERTS",
	"SSL_CERT_FILE",
	"SSL_CERT_DIR",
};

static bool
setting_is_kept(const char *key)
{
	static const char scoped[] = ":registry";
	const size_t len = strlen(key), end = strlen(scoped);

	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (strcmp(settings[i], key) == 0)
			return true;
	return strncmp(key, "//", 2) == 0 ||
	    (key[0] == '@' && len > end &&
		strcmp(key + len - end, scoped) == 0);
}

/* "${NAME}" in a value. */
static void
names_collect(const char *value, struct words *names)
{
	while ((value = strstr(value, "${")) != NULL) {
		value += 2;
		const size_t len = strcspn(value, "}?");
		if (value[len] != '\0' && len > 0)
			words_add(names, "%.*s", (int)len, value);
	}
}

static void
line_filter(char *line, FILE *out, struct words *names, struct words *files)
{
	char key[KEY_MAX];

	line += strspn(line, " \t");
	size_t len = strcspn(line, "=");
	const char *value = line + len + (line[len] == '=');
	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	if (len == 0 || len >= sizeof(key) || line[0] == '#' || line[0] == ';')
		return;
	memcpy(key, line, len);
	key[len] = '\0';
	if (!setting_is_kept(key))
		return;
	value += strspn(value, " \t\"");
	names_collect(value, names);
	if (strcmp(key, "cafile") == 0)
		words_add(files, "%.*s", (int)strcspn(value, "\""), value);
	fprintf(out, "%s\n", line);
}

int
npm_settings_filter(
    const char *text, char **kept, struct words *names, struct words *files)
{
	auto_free char *copy = strdup(text);
	char *bytes = NULL, *save;
	size_t len;

	FILE *out = copy != NULL ? open_memstream(&bytes, &len) : NULL;
	if (out == NULL)
		return -ENOMEM;
	for (char *line = strtok_r(copy, "\r\n", &save); line != NULL;
	     line = strtok_r(NULL, "\r\n", &save))
		line_filter(line, out, names, files);
	if (fclose(out) != 0) {
		free(bytes);
		return -ENOMEM;
	}
	*kept = bytes;
	return 0;
}

static const char *
settings_path(char path[PATH_MAX])
{
	const char *named = getenv("npm_config_userconfig");
	const char *home = getenv("HOME");

	if (named == NULL)
		named = getenv("NPM_CONFIG_USERCONFIG");
	if (named != NULL)
		return named;
	if (home == NULL)
		return NULL;
	const int n = snprintf(path, PATH_MAX, "%s/.npmrc", home);
	return n > 0 && n < PATH_MAX ? path : NULL;
}

/* The user's own file; one of the folder at hand is not asked: whoever wrote
 * that folder would say where packages come from. */
static int
settings_read(char **text)
{
	char path[PATH_MAX];
	size_t len;

	const char *name = settings_path(path);
	auto_close int fd =
	    name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		*text = strdup("");
		return *text != NULL ? 0 : -ENOMEM;
	}
	return fd_read_all(fd, SETTINGS_BYTES_MAX, (uint8_t **)text, &len);
}

struct settings {
	struct words env;
	struct words reads;
};

static void
variable_add(struct settings *made, const char *name)
{
	const char *value = getenv(name);

	if (value == NULL)
		return;
	words_add(&made->env, "%s=%s", name, value);
	if (value[0] == '/' && strstr(name, "C") != NULL)
		words_add(&made->reads, "%s", value);
}

/* npm_config_https_proxy=… is https-proxy of an npmrc. */
static void
variable_as_setting_add(struct settings *made, const char *variable)
{
	static const char prefix[] = "npm_config_";
	char key[KEY_MAX];
	size_t len = 0;

	if (strncasecmp(variable, prefix, strlen(prefix)) != 0)
		return;
	const char *name = variable + strlen(prefix);
	for (; name[len] != '=' && name[len] != '\0'; len++) {
		if (len + 1 >= sizeof(key))
			return;
		const char c = (char)tolower((unsigned char)name[len]);
		key[len] = c == '_' && len > 0 ? '-' : c;
	}
	key[len] = '\0';
	if (strncmp(name, "//", 2) != 0 && !setting_is_kept(key))
		return;
	words_add(&made->env, "%s", variable);
	if (strcmp(key, "cafile") == 0 && name[len] == '=')
		words_add(&made->reads, "%s", name + len + 1);
}

static int
settings_make(
    const struct staging *staging, struct settings *made, struct err *err)
{
	auto_free char *text = NULL, *kept = NULL;
	struct words names = { 0 };

	int r = settings_read(&text);
	if (r == 0)
		r = npm_settings_filter(text, &kept, &names, &made->reads);
	if (r == 0)
		r = file_make(staging->fd, "npmrc", kept, strlen(kept), 0600);
	for (size_t i = 0; i < names.n; i++)
		variable_add(made, names.items[i]);
	words_fini(&names);
	for (size_t i = 0; i < ARRAY_LEN(environment); i++)
		variable_add(made, environment[i]);
	for (char **variable = environ; *variable != NULL; variable++)
		variable_as_setting_add(made, *variable);
	return r == 0 ? 0 : err_set(err, r, "npm's settings: %s", strerror(-r));
}

/* -- npm itself ----------------------------------------------------------- */

struct npm {
	char node[PATH_MAX];
	char script[PATH_MAX]; /* npm-cli.js */
	char folder[PATH_MAX]; /* of npm */
};

static int
npm_find(struct npm *npm, struct err *err)
{
	if (run_program_find("node", npm->node) < 0 ||
	    run_program_find("npm", npm->script) < 0)
		return err_set(err, -ENOENT,
		    "npm is not installed: cordon resolves packages of npm "
		    "with it; install Node.js");
	strcpy(npm->folder, npm->script);
	char *bin = strstr(npm->folder, "/bin/npm-cli.js");
	if (bin == NULL)
		return err_set(err, -ENOENT,
		    "%s is not npm itself but a starter of some version "
		    "manager: put the npm that it starts before it in PATH",
		    npm->script);
	*bin = '\0';
	return 0;
}

static void
install_words(
    const struct fetch *fetch, const struct npm *npm, struct words *argv)
{
	static const char *const options[] = {
		"install",
		"--ignore-scripts",
		"--no-audit",
		"--no-fund",
		"--no-update-notifier",
		"--no-progress",
		"--omit=dev",
		"--save-exact",
		"--package-lock",
		"--omit-lockfile-registry-resolved",
		"--loglevel=error",
		"--userconfig=" RUN_PLACE "/npmrc",
		"--",
	};

	words_add(argv, "%s", npm->node);
	words_add(argv, "%s", npm->script);
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		words_add(argv, "%s", options[i]);
	for (size_t i = 0; i < fetch->command->n_specs; i++)
		words_add(argv, "%s", fetch->command->specs[i]);
}

static void
rebuild_words(const struct npm *npm, struct words *argv)
{
	words_add(argv, "%s", npm->node);
	words_add(argv, "%s", npm->script);
	words_add(argv, "rebuild");
	words_add(argv, "--foreground-scripts");
	words_add(argv, "--no-update-notifier");
	words_add(argv, "--userconfig=/dev/null");
}

/* npm's own sentences: its lines of "npm error", without the head. */
static int
npm_failed(const char *what, const struct run_result *result, struct err *err)
{
	char text[700] = "";
	size_t len = 0;

	for (const char *line = strstr(result->tail, "npm error ");
	     line != NULL; line = strstr(line, "npm error ")) {
		line += strlen("npm error ");
		const size_t n = strcspn(line, "\n");
		if (n == 0 || strncmp(line, "A complete log", 14) == 0 ||
		    len + n + 3 > sizeof(text))
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s%.*s", len == 0 ? "" : "; ", (int)n, line);
	}
	return err_set(err, -EIO, "%s: npm failed with status %d%s%s", what,
	    result->status, len == 0 ? "" : ": ", text);
}

static int
npm_run(const struct fetch *fetch, const struct npm *npm, struct words *argv,
    const struct settings *made, bool has_network, struct err *err)
{
	struct run_result result;
	struct words reads = { 0 };

	words_add(&reads, "%s", npm->node);
	words_add(&reads, "%s", npm->folder);
	for (size_t i = 0; i < made->reads.n; i++)
		words_add(&reads, "%s", made->reads.items[i]);
	const struct run run = {
		.what = "npm",
		.package = fetch->command->specs[0],
		.argv = (const char *const *)argv->items,
		.env = (const char *const *)made->env.items,
		.reads = (const char *const *)reads.items,
		.staging = fetch->staging,
		.limits = { fetch->options->bytes_max,
		    fetch->options->files_max },
		.deadline_ms = fetch->deadline_ms,
		.has_network = has_network,
		.quiet = fetch->options->quiet,
	};
	int r = -ENOMEM;
	if (argv->has_failed || made->env.has_failed || reads.has_failed)
		err_set(err, r, "no memory");
	else
		r = run_package_manager(&run, &result, err);
	words_fini(&reads);
	if (r == 0 && result.status != 0)
		return npm_failed(fetch->command->specs[0], &result, err);
	return r;
}

static int
install(const struct fetch *fetch, const struct npm *npm, struct err *err)
{
	struct settings made = { 0 };
	struct words argv = { 0 };

	words_add(&made.env, "PATH=/usr/local/bin:/usr/bin:/bin");
	words_add(&made.env, "NO_COLOR=1");
	int r = settings_make(fetch->staging, &made, err);
	if (r == 0) {
		install_words(fetch, npm, &argv);
		r = npm_run(fetch, npm, &argv, &made, true, err);
	}
	words_fini(&argv);
	words_fini(&made.env);
	words_fini(&made.reads);
	return r;
}

/* The scripts of strangers: no network, and nothing of the user's settings. */
static int
rebuild(const struct fetch *fetch, const struct npm *npm, struct err *err)
{
	struct settings made = { 0 };
	struct words argv = { 0 };

	words_add(&made.env, "PATH=/usr/local/bin:/usr/bin:/bin");
	words_add(&made.env, "NO_COLOR=1");
	unlinkat(fetch->staging->fd, "npmrc", 0);
	rebuild_words(npm, &argv);
	const int r = npm_run(fetch, npm, &argv, &made, false, err);
	words_fini(&argv);
	words_fini(&made.env);
	return r;
}

/* -- what came ------------------------------------------------------------ */

static void
script_add(struct json_span path, struct json_span entry, struct words *scripts)
{
	char name[PACKAGE_NAME_MAX], version[PACKAGE_VERSION_MAX];

	if (json_string_copy(path, name, sizeof(name), NULL) != 0)
		return;
	const char *start = name;
	for (const char *next; (next = strstr(start, "node_modules/")) != NULL;)
		start = next + strlen("node_modules/");
	if (json_string_copy(file_json_member(entry, "version"), version,
		sizeof(version), NULL) != 0)
		strcpy(version, "?");
	words_add(scripts, "%s@%s", start, version);
}

static void
packages_count(
    struct json_span packages, struct package *package, struct words *scripts)
{
	struct json_span key, entry;
	struct json_iter iter;

	if (json_iter_init(&iter, packages) != 0)
		return;
	while (json_iter_member(&iter, &key, &entry)) {
		if (json_string_equals(key, ""))
			continue;
		package->n_packages++;
		if (json_value_is_true(
			file_json_member(entry, "hasInstallScript")))
			script_add(key, entry, scripts);
	}
}

static int
lock_read(const struct fetch *fetch, const char *name, struct package *package,
    struct words *scripts, struct err *err)
{
	char path[PACKAGE_NAME_MAX + 16];
	struct file_json lock;

	int r = file_json_read(fetch->staging->tree_fd, "package-lock.json",
	    LOCK_BYTES_MAX, &lock);
	if (r < 0)
		return err_set(
		    err, r, "npm left no lock behind: %s", strerror(-r));
	const struct json_span packages =
	    file_json_member(lock.value, "packages");
	snprintf(path, sizeof(path), "node_modules/%s", name);
	const struct json_span own = file_json_member(packages, path);
	if (json_string_copy(file_json_member(own, "version"), package->version,
		sizeof(package->version), NULL) != 0)
		r = err_set(err, -EBADMSG,
		    "%s: npm's lock names no version of it", name);
	/* An alias: what it really is. */
	if (json_string_copy(file_json_member(own, "name"), package->name,
		sizeof(package->name), NULL) != 0)
		snprintf(package->name, sizeof(package->name), "%s", name);
	packages_count(packages, package, scripts);
	free(lock.text);
	return r;
}

int
npm_fetch(const struct fetch *fetch, struct package *package,
    struct words *words, struct err *err)
{
	const int tree_fd = fetch->staging->tree_fd;
	struct words scripts = { 0 };
	char name[PACKAGE_NAME_MAX];
	struct npm npm;

	int r = npm_find(&npm, err);
	if (r < 0)
		return r;
	r = file_make(tree_fd, "package.json", root_manifest,
	    strlen(root_manifest), 0644);
	if (r < 0)
		return err_set(err, r, "package.json: %s", strerror(-r));
	r = install(fetch, &npm, err);
	package_spec_name(fetch->command->specs[0], name);
	if (r == 0)
		r = lock_read(fetch, name, package, &scripts, err);
	/* A second lock, for npm alone. */
	if (r == 0)
		unlinkat(tree_fd, "node_modules/.package-lock.json", 0);
	if (r == 0 && scripts.n > 0 && fetch->options->allow_scripts) {
		words_fini(&scripts);
		r = rebuild(fetch, &npm, err);
	}
	if (r == 0)
		r = entry_npm(
		    tree_fd, name, fetch->command->program, words, err);
	if (r == 0 && (package->scripts = words_steal(&scripts)) == NULL)
		r = err_set(err, -ENOMEM, "no memory");
	words_fini(&scripts);
	return r;
}
