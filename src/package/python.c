/* SPDX-License-Identifier: Apache-2.0 */
#include "package/python.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "package/entry.h"
#include "package/run.h"

#define INFO ".dist-info"

static const char *const environment[] = {
	"UV_DEFAULT_INDEX",
	"UV_INDEX",
	"UV_INDEX_URL",
	"UV_EXTRA_INDEX_URL",
	"UV_NATIVE_TLS",
	"HTTP_PROXY",
	"HTTPS_PROXY",
	"ALL_PROXY",
	"NO_PROXY",
	"http_proxy",
	"https_proxy",
	"all_proxy",
	"no_proxy",
	"SSL_CERT_FILE",
	"SSL_CERT_DIR",
};

/* -- uv and Python -------------------------------------------------------- */

static bool
is_binary(const char *path)
{
	char head[4] = "";

	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) &&
	    memcmp(head,
		"\x7f"
		"ELF",
		sizeof(head)) == 0;
}

/* "3.12", "python3.12", a path; NULL: the first one. A starter of a version
 * manager is a script: the system's own is taken then. */
static int
python_find(const char *wanted, char path[PATH_MAX], struct err *err)
{
	char name[64];

	if (wanted != NULL && wanted[0] == '/') {
		if (realpath(wanted, path) != NULL && is_binary(path))
			return 0;
	} else {
		const bool is_version =
		    wanted != NULL && isdigit((unsigned char)wanted[0]);
		snprintf(name, sizeof(name), "%s%s", is_version ? "python" : "",
		    wanted != NULL ? wanted : "python3");
		if (run_program_find(name, path) == 0 && is_binary(path))
			return 0;
		char system[96];
		snprintf(system, sizeof(system), "/usr/bin/%s", name);
		if (realpath(system, path) != NULL && is_binary(path))
			return 0;
	}
	return err_set(err, -ENOENT, "%s is not installed: uvx needs a Python",
	    wanted != NULL ? wanted : "python3");
}

static void
install_words(const struct fetch *fetch, const char *uv, const char *python,
    struct words *argv)
{
	static const char *const options[] = {
		"pip",
		"install",
		"--no-build",
		"--no-config",
		"--no-progress",
		"--no-python-downloads",
		"--link-mode=copy",
		"--target=" RUN_PLACE "/" KEEP_TREE "/lib",
	};

	words_add(argv, "%s", uv);
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		words_add(argv, "%s", options[i]);
	words_add(argv, "--python=%s", python);
	words_add(argv, "--");
	for (size_t i = 0; i < fetch->command->n_specs; i++)
		words_add(argv, "%s", fetch->command->specs[i]);
}

static void
environment_add(struct words *env, struct words *reads)
{
	words_add(env, "PATH=/usr/local/bin:/usr/bin:/bin");
	words_add(env, "NO_COLOR=1");
	for (size_t i = 0; i < ARRAY_LEN(environment); i++) {
		const char *value = getenv(environment[i]);
		if (value == NULL)
			continue;
		words_add(env, "%s=%s", environment[i], value);
		if (value[0] == '/')
			words_add(reads, "%s", value);
	}
}

/* The folder that holds bin/ and lib/ of a Python outside /usr. */
static void
python_reads_add(const char *python, struct words *reads)
{
	const char *end = strstr(python, "/bin/");

	words_add(reads, "%s", python);
	if (end != NULL && end != python)
		words_add(reads, "%.*s", (int)(end - python), python);
}

static int
install(const struct fetch *fetch, const char *uv, const char *python,
    struct err *err)
{
	struct words argv = { 0 }, env = { 0 }, reads = { 0 };
	struct run_result result;

	install_words(fetch, uv, python, &argv);
	environment_add(&env, &reads);
	words_add(&reads, "%s", uv);
	python_reads_add(python, &reads);
	const struct run run = {
		.what = "uv",
		.package = fetch->command->specs[0],
		.argv = (const char *const *)argv.items,
		.env = (const char *const *)env.items,
		.reads = (const char *const *)reads.items,
		.staging = fetch->staging,
		.limits = { fetch->options->bytes_max,
		    fetch->options->files_max },
		.deadline_ms = fetch->deadline_ms,
		.has_network = true,
		.quiet = fetch->options->quiet,
	};
	int r = argv.has_failed || env.has_failed || reads.has_failed
	    ? err_set(err, -ENOMEM, "no memory")
	    : run_package_manager(&run, &result, err);
	words_fini(&argv);
	words_fini(&env);
	words_fini(&reads);
	if (r == 0 && result.status != 0) {
		const size_t len = strlen(result.tail);
		r = err_set(err, -EIO, "%s: uv failed with status %d: %s",
		    fetch->command->specs[0], result.status,
		    result.tail + (len > 700 ? len - 700 : 0));
	}
	return r;
}

/* -- what came ------------------------------------------------------------ */

static char
plain(char c)
{
	return strchr("-_.", c) != NULL && c != '\0'
	    ? '-'
	    : (char)tolower((unsigned char)c);
}

bool
python_name_equals(const char *a, size_t a_len, const char *b)
{
	size_t i = 0, j = 0;

	while (i < a_len && b[j] != '\0') {
		const char c = plain(a[i]);
		if (c != plain(b[j]))
			return false;
		do
			i++;
		while (c == '-' && i < a_len && plain(a[i]) == '-');
		do
			j++;
		while (c == '-' && b[j] != '\0' && plain(b[j]) == '-');
	}
	return i == a_len && b[j] == '\0';
}

/* "NAME-VERSION.dist-info": a wheel's own name has no "-". */
static bool
info_fits(const char *folder, const char *name, struct package *package)
{
	const size_t len = strlen(folder), name_len = strcspn(folder, "-");

	if (folder[name_len] != '-' ||
	    !python_name_equals(folder, name_len, name))
		return false;
	snprintf(package->version, sizeof(package->version), "%.*s",
	    (int)(len - name_len - 1 - strlen(INFO)), folder + name_len + 1);
	return true;
}

static int
infos_read(int tree_fd, const char *name, struct package *package,
    char info[NAME_MAX + 1], struct err *err)
{
	const int fd = openat(
	    tree_fd, "lib", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	info[0] = '\0';
	if (dir == NULL)
		return err_set(err, -ENOENT, "uv left nothing behind");
	for (struct dirent *item; (item = readdir(dir)) != NULL;) {
		const size_t len = strlen(item->d_name);
		if (len <= strlen(INFO) ||
		    strcmp(item->d_name + len - strlen(INFO), INFO) != 0)
			continue;
		package->n_packages++;
		if (info_fits(item->d_name, name, package))
			snprintf(info, NAME_MAX + 1, "%s", item->d_name);
	}
	closedir(dir);
	snprintf(package->name, sizeof(package->name), "%s", name);
	return info[0] != '\0'
	    ? 0
	    : err_set(err, -ENOENT, "%s is not among what uv installed", name);
}

/* Programs that name a Python of this machine in their first line, and uv's
 * lock: neither is needed. */
static void
leftovers_remove(int tree_fd)
{
	auto_close int fd = openat(
	    tree_fd, "lib", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	tree_remove(fd, "bin");
	tree_remove(fd, ".lock");
}

int
python_fetch(const struct fetch *fetch, struct package *package,
    struct words *words, struct err *err)
{
	char uv[PATH_MAX], python[PATH_MAX], info[NAME_MAX + 1];
	char name[PACKAGE_NAME_MAX];
	struct words scripts = { 0 };

	if (run_program_find("uv", uv) < 0)
		return err_set(err, -ENOENT,
		    "uv is not installed: cordon resolves packages of PyPI "
		    "with it");
	int r = python_find(fetch->command->python, python, err);
	if (r == 0)
		r = install(fetch, uv, python, err);
	package_spec_name(fetch->command->specs[0], name);
	if (r == 0)
		r = infos_read(
		    fetch->staging->tree_fd, name, package, info, err);
	if (r < 0)
		return r;
	leftovers_remove(fetch->staging->tree_fd);
	r = entry_python(fetch->staging->tree_fd, info, fetch->command->program,
	    python, words, err);
	if (r == 0 && (package->scripts = words_steal(&scripts)) == NULL)
		r = err_set(err, -ENOMEM, "no memory");
	return r;
}
