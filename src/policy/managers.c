/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/managers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "json/json.h"
#include "policy/path.h"
#include "policy/resolve.h"

#define FILE_BYTES_MAX 65536u
#define VERSION_MAX 64u

/*
 * Looks a version up in a file's text: the first word, or what stands behind a
 * key, or in JSON.
 */
typedef bool version_fn(
    const char *text, size_t len, const char *key, char version[VERSION_MAX]);

static version_fn first_word, tool_versions, volta_platform;

static const struct manager {
	const char *runtime; /* the program: "node", "python3" */
	const char *root_env; /* names the manager's folder */
	const char *root; /* where that is, below the home */
	const char *shims; /* the folder in PATH, below the root */
	const char *version_env; /* names a version; NULL */
	const char *project_file; /* in the folder, or one above; NULL */
	const char *global_file; /* below the root; "~/": below the home */
	version_fn *read;
	const char *key;
	const char *installs; /* below the root, before the version */
} managers[] = {
	{ "node", "VOLTA_HOME", ".volta", "bin", NULL, NULL,
	    "tools/user/platform.json", volta_platform, NULL,
	    "tools/image/node" },
	{ "node", "ASDF_DATA_DIR", ".asdf", "shims", "ASDF_NODEJS_VERSION",
	    ".tool-versions", "~/.tool-versions", tool_versions, "nodejs",
	    "installs/nodejs" },
	{ "node", "MISE_DATA_DIR", ".local/share/mise", "shims",
	    "MISE_NODE_VERSION", ".tool-versions", "~/.tool-versions",
	    tool_versions, "nodejs", "installs/node" },
	{ "node", "NODENV_ROOT", ".nodenv", "shims", "NODENV_VERSION",
	    ".node-version", "version", first_word, NULL, "versions" },
	{ "python3", "PYENV_ROOT", ".pyenv", "shims", "PYENV_VERSION",
	    ".python-version", "version", first_word, NULL, "versions" },
	{ "python3", "ASDF_DATA_DIR", ".asdf", "shims", "ASDF_PYTHON_VERSION",
	    ".tool-versions", "~/.tool-versions", tool_versions, "python",
	    "installs/python" },
};

/* A version becomes a part of a path. */
static bool
version_take(const char *word, size_t len, char version[VERSION_MAX])
{
	if (len == 0 || len >= VERSION_MAX || word[0] == '.' ||
	    memchr(word, '/', len) != NULL)
		return false;
	memcpy(version, word, len);
	version[len] = '\0';
	return true;
}

static bool
first_word(
    const char *text, size_t len, const char *key, char version[VERSION_MAX])
{
	(void)len, (void)key;
	text += strspn(text, " \t\r\n");
	return version_take(text, strcspn(text, ": \t\r\n"), version);
}

static bool
tool_versions(
    const char *text, size_t len, const char *key, char version[VERSION_MAX])
{
	const size_t key_len = strlen(key);

	(void)len;
	while (*text != '\0') {
		if (strncmp(text, key, key_len) == 0 &&
		    (text[key_len] == ' ' || text[key_len] == '\t')) {
			text += key_len;
			text += strspn(text, " \t");
			return version_take(
			    text, strcspn(text, " \t\r\n"), version);
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return false;
}

/* {"node": {"runtime": "20.1.0"}} */
static bool
volta_platform(
    const char *text, size_t len, const char *key, char version[VERSION_MAX])
{
	struct json_want node = { "node" }, runtime = { "runtime" };
	struct json_span whole;
	char word[VERSION_MAX];

	(void)key;
	return json_check(text, len, &whole, NULL) == 0 &&
	    json_members_find(whole, &node, 1) == 0 &&
	    json_members_find(node.value, &runtime, 1) == 0 &&
	    json_kind_of(runtime.value) == JSON_KIND_STRING &&
	    json_string_copy(runtime.value, word, sizeof(word), NULL) == 0 &&
	    version_take(word, strlen(word), version);
}

static bool
file_version(const struct manager *manager, const char *folder,
    const char *name, char version[VERSION_MAX])
{
	auto_free char *path = policy_path_join(folder, name);
	uint8_t *bytes = NULL;
	size_t len;

	auto_close int fd =
	    path == NULL ? -1 : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fd_read_all(fd, FILE_BYTES_MAX, &bytes, &len) != 0)
		return false;
	auto_free uint8_t *text = bytes;
	return manager->read((const char *)text, len, manager->key, version);
}

/* In this folder or the nearest above it. */
static bool
project_version(
    const struct manager *manager, const char *cwd, char version[VERSION_MAX])
{
	auto_free char *folder = cwd == NULL ? NULL : strdup(cwd);

	while (manager->project_file != NULL && folder != NULL &&
	    folder[0] == '/') {
		if (file_version(
			manager, folder, manager->project_file, version))
			return true;
		if (folder[1] == '\0')
			return false;
		char *slash = strrchr(folder, '/');
		slash[slash == folder] = '\0';
	}
	return false;
}

static bool
version_find(const struct manager *manager, const struct policy_place *place,
    const char *root, char version[VERSION_MAX])
{
	const char *named = manager->version_env == NULL
	    ? NULL
	    : policy_place_env(place, manager->version_env);
	const char *file = manager->global_file;

	if (named != NULL)
		return version_take(named, strcspn(named, ":"), version);
	if (project_version(manager, place->cwd, version))
		return true;
	return file[0] == '~' ? place->home != NULL &&
		file_version(manager, place->home, file + 2, version)
			      : file_version(manager, root, file, version);
}

static char *
root_of(const struct manager *manager, const struct policy_place *place)
{
	const char *root = policy_place_env(place, manager->root_env);

	if (root != NULL && root[0] == '/')
		return strdup(root);
	return place->home == NULL
	    ? NULL
	    : policy_path_join(place->home, manager->root);
}

/* The program behind a folder of PATH that is this manager's; *is_its says
 * whether it is. */
static char *
manager_program(const struct manager *manager, const struct policy_place *place,
    const char *folder, bool *is_its)
{
	char version[VERSION_MAX], *path = NULL;

	auto_free char *root = root_of(manager, place);
	auto_free char *shims =
	    root == NULL ? NULL : policy_path_join(root, manager->shims);
	if (shims == NULL || strcmp(shims, folder) != 0)
		return NULL;
	*is_its = true;
	if (!version_find(manager, place, root, version) ||
	    asprintf(&path, "%s/%s/%s/bin/%s", root, manager->installs, version,
		manager->runtime) < 0)
		return NULL;
	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return NULL;
}

static char *
folder_program(
    const struct policy_place *place, const char *folder, const char *name)
{
	bool is_shim = false;
	struct stat info;

	for (size_t i = 0; i < ARRAY_LEN(managers); i++) {
		if (strcmp(managers[i].runtime, name) != 0)
			continue;
		char *path =
		    manager_program(&managers[i], place, folder, &is_shim);
		if (path != NULL)
			return path;
	}
	if (is_shim)
		return NULL; /* "system": the next one in PATH */
	auto_free char *path = policy_path_join(folder, name);
	if (path == NULL || stat(path, &info) != 0 || !S_ISREG(info.st_mode) ||
	    access(path, X_OK) != 0)
		return NULL;
	return steal_ptr(&path);
}

char *
policy_manager_find(const struct policy_place *place, const char *name)
{
	char *found = NULL;

	for (const char *at = place->path;
	     found == NULL && at != NULL && *at != '\0';) {
		const size_t len = strcspn(at, ":");
		auto_free char *folder = strndup(at, len);

		if (folder != NULL && folder[0] == '/')
			found = folder_program(place, folder, name);
		at += len + (at[len] == ':');
	}
	return found;
}
