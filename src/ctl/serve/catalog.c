/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/serve/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"

static const char *const tool_endings[] = { ".js", ".mjs" };

/* Where the ending of a tool file begins, or NULL. */
static const char *
ending_find(const char *file)
{
	const char *dot = strrchr(file, '.');

	for (size_t i = 0; dot != NULL && i < ARRAY_LEN(tool_endings); i++) {
		if (strcmp(dot, tool_endings[i]) == 0)
			return dot;
	}
	return NULL;
}

bool
ctl_name_is_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	return strnlen(name, WIRE_NAME_MAX) < WIRE_NAME_MAX &&
	    name[0] != '\0' && strchr(letters, name[0]) != NULL &&
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-")] ==
	    '\0';
}

int
ctl_server_name(const char *file, bool is_folder, char name[WIRE_NAME_MAX])
{
	const char *end = is_folder ? NULL : ending_find(file);
	const size_t len = end != NULL ? (size_t)(end - file) : strlen(file);
	char stem[WIRE_NAME_MAX];

	if (len >= WIRE_NAME_MAX)
		return CTL_E_CATALOG;
	for (size_t i = 0; i < len; i++)
		stem[i] = (char)(file[i] >= 'A' && file[i] <= 'Z'
			? file[i] - 'A' + 'a'
			: file[i]);
	stem[len] = '\0';
	if (!ctl_name_is_valid(stem))
		return CTL_E_CATALOG;
	strcpy(name, stem);
	return 0;
}

void
ctl_catalog_fini(struct ctl_catalog *catalog)
{
	for (size_t i = 0; i < catalog->n_servers; i++) {
		free(catalog->servers[i].path);
		free(catalog->servers[i].network);
		if (catalog->servers[i].bundle.fd >= 0)
			close(catalog->servers[i].bundle.fd);
	}
	free(catalog->servers);
	*catalog = (struct ctl_catalog){ 0 };
}

const struct ctl_server *
ctl_catalog_find(const struct ctl_catalog *catalog, const char *name)
{
	for (size_t i = 0; i < catalog->n_servers; i++) {
		if (strcmp(catalog->servers[i].name, name) == 0)
			return &catalog->servers[i];
	}
	return NULL;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static int
server_append(struct ctl_catalog *catalog, const char *name, const char *path,
    enum wire_kind kind)
{
	struct ctl_server *servers = reallocarray(catalog->servers,
	    catalog->n_servers + 1, sizeof(*catalog->servers));
	if (servers == NULL)
		return -ENOMEM;
	catalog->servers = servers;

	struct ctl_server *server = &servers[catalog->n_servers];
	*server = (struct ctl_server){ .kind = kind,
		.path = path != NULL ? strdup(path) : NULL,
		.bundle.fd = -1 };
	if (path != NULL && server->path == NULL)
		return -ENOMEM;
	strcpy(server->name, name);
	catalog->n_servers++;
	return 0;
}

/* Without a path, it is the settings'. */
static int
named_add(struct ctl_catalog *catalog, const char *name, const char *path,
    enum wire_kind kind, struct err *err)
{
	const struct ctl_server *other = ctl_catalog_find(catalog, name);

	if (other != NULL)
		return err_set(err, CTL_E_CATALOG,
		    "%s and %s would both be the server \"%s\"; rename one",
		    other->path != NULL ? other->path : "one of the settings",
		    path != NULL ? path : "one of the settings", name);
	if (catalog->n_servers == WIRE_DEPLOYMENTS_MAX)
		return err_set(err, CTL_E_CATALOG,
		    "%s: there are more than %d servers", name,
		    WIRE_DEPLOYMENTS_MAX);

	const int r = server_append(catalog, name, path, kind);
	return r == 0 ? 0 : err_set(err, r, "%s: no memory", name);
}

static int
server_add(struct ctl_catalog *catalog, const char *path, bool is_folder,
    struct err *err)
{
	char name[WIRE_NAME_MAX];

	if (ctl_server_name(base_name(path), is_folder, name) != 0)
		return err_set(err, CTL_E_CATALOG,
		    "%s: its name cannot be a server's: a letter or digit, "
		    "then letters, digits, '.', '_' or '-', at most %d; "
		    "rename it",
		    path, WIRE_NAME_MAX - 1);

	return named_add(catalog, name, path, WIRE_KIND_ISOLATE, err);
}

int
ctl_catalog_named_add(struct ctl_catalog *catalog, const char *name,
    enum wire_kind kind, struct err *err)
{
	if (!ctl_name_is_valid(name))
		return err_set(err, CTL_E_CATALOG,
		    "/servers/%s has a socket, a URL or a command, but cannot "
		    "be a "
		    "server's name: "
		    "a letter or digit, then small letters, digits, '.', '_' "
		    "or '-', at most %d",
		    name, WIRE_NAME_MAX - 1);
	return named_add(catalog, name, NULL, kind, err);
}

static int
wants(const struct dirent *entry)
{
	return ctl_bundle_wants(entry->d_name);
}

/* Whether a folder holds a bundle: a package.json or a tool file at its top,
 * or an entry where bundlers put it. */
static bool
is_bundle(const char *path)
{
	struct dirent **names = NULL;
	char entry[PATH_MAX + 16];
	bool found = false;

	const int n = scandir(path, &names, wants, NULL);
	for (int i = 0; i < n; i++) {
		found = found || ending_find(names[i]->d_name) != NULL ||
		    strcmp(names[i]->d_name, "package.json") == 0;
		free(names[i]);
	}
	free(names);
	snprintf(entry, sizeof(entry), "%s/src/index.js", path);
	return found || access(entry, R_OK) == 0;
}

static int
entry_add(struct ctl_catalog *catalog, const char *folder, const char *name,
    struct err *err)
{
	char path[PATH_MAX];
	struct stat status;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "%s: too long", folder);
	if (stat(path, &status) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));

	if (S_ISDIR(status.st_mode))
		return is_bundle(path) ? server_add(catalog, path, true, err)
				       : 0;
	if (S_ISREG(status.st_mode) && ending_find(name) != NULL)
		return server_add(catalog, path, false, err);
	return 0;
}

static int
folder_add(struct ctl_catalog *catalog, const char *folder, struct err *err)
{
	struct dirent **names = NULL;
	int r = 0;

	const int n = scandir(folder, &names, wants, alphasort);
	if (n < 0)
		return err_set(err, -errno, "%s: %s", folder, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = entry_add(catalog, folder, names[i]->d_name, err);
		free(names[i]);
	}
	free(names);
	return r;
}

int
ctl_catalog_add(struct ctl_catalog *catalog, const char *path, struct err *err)
{
	struct stat status;
	char trimmed[PATH_MAX];
	size_t len = strlen(path);

	if (stat(path, &status) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (len >= sizeof(trimmed))
		return err_set(err, -ENAMETOOLONG, "%s: too long", path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	memcpy(trimmed, path, len);
	trimmed[len] = '\0';
	if (S_ISDIR(status.st_mode))
		return folder_add(catalog, trimmed, err);
	if (!S_ISREG(status.st_mode) || ending_find(trimmed) == NULL)
		return err_set(err, CTL_E_CATALOG,
		    "%s is neither a folder nor a .js or .mjs file", path);
	return server_add(catalog, trimmed, false, err);
}

static int
name_order(const void *a, const void *b)
{
	return strcmp(((const struct ctl_server *)a)->name,
	    ((const struct ctl_server *)b)->name);
}

int
ctl_catalog_read(struct ctl_catalog *catalog, struct err *err)
{
	if (catalog->n_servers > 0)
		qsort(catalog->servers, catalog->n_servers,
		    sizeof(*catalog->servers), name_order);
	for (size_t i = 0; i < catalog->n_servers; i++) {
		struct ctl_server *server = &catalog->servers[i];
		const int r = server->kind != WIRE_KIND_ISOLATE
		    ? 0
		    : ctl_bundle_read(server->path, &server->bundle, err);
		if (r != 0)
			return r;
	}
	return 0;
}
