/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/serve/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fd.h"
#include "ctl/grants.h"
#include "ctl/host/launch.h"
#include "ctl/host/state.h"
#include "package/package.h"

#define WORDS_MAX 4096u
#define DOCUMENT_MAX (1u << 20)

/* The words of a list that the reader has checked; owned, NULL-ended. */
static char **
words_take(struct json_span list)
{
	char **words = calloc(WORDS_MAX + 1, sizeof(*words));
	struct json_span item;
	struct json_iter iter;
	size_t n = 0;

	if (words == NULL)
		return NULL;
	json_iter_init(&iter, list);
	while (n < WORDS_MAX && json_iter_element(&iter, &item)) {
		words[n] = malloc(item.len + 1);
		if (words[n] == NULL ||
		    json_string_copy(item, words[n], item.len + 1, NULL) != 0)
			break;
		n++;
	}
	return words;
}

static void
words_free(char **words)
{
	for (size_t i = 0; words != NULL && i <= WORDS_MAX; i++)
		free(words[i]);
	free(words);
}

/* The folder of the settings; the current one where there is no file. */
static int
folder_find(const char *config_path, char folder[PATH_MAX], struct err *err)
{
	if (config_path == NULL || realpath(config_path, folder) == NULL)
		return err_set(err, -errno, "%s: %s",
		    config_path != NULL ? config_path : "the settings",
		    strerror(errno));
	char *slash = strrchr(folder, '/');
	slash[slash == folder] = '\0';
	return 0;
}

/* "policy" is an object, or the name of a file with one. */
static int
policy_take(const struct ctl_config *config, const char *folder,
    struct json_span value, struct policy *policy, struct err *err)
{
	auto_free uint8_t *bytes = NULL;
	char name[CTL_FILE_MAX], path[PATH_MAX + CTL_FILE_MAX];
	size_t len = 0;

	if (value.at == NULL)
		return 0;
	if (json_kind_of(value) == JSON_KIND_OBJECT)
		return policy_json(
		    policy, value.at, value.len, false, config->path, err);
	if (json_string_copy(value, name, sizeof(name), NULL) != 0)
		return err_set(err, CTL_E_CONFIG,
		    "%s: the path of a policy is too long", config->path);
	snprintf(path, sizeof(path), "%s%s%s", name[0] == '/' ? "" : folder,
	    name[0] == '/' ? "" : "/", name);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	const int r =
	    fd < 0 ? -errno : fd_read_all(fd, DOCUMENT_MAX, &bytes, &len);
	if (r != 0)
		return err_set(err, r, "%s: %s", path, strerror(-r));
	return policy_json(policy, (const char *)bytes, len, false, path, err);
}

static int
package_take(const char *const *words, struct package *package, struct err *err)
{
	const struct package_options options = { 0 };
	char folder[PATH_MAX];

	if (!package_is_command(words))
		return PACKAGE_E_NONE;
	const int r = ctl_packages_path(folder, err);
	return r == 0 ? package_resolve(words, folder, &options, package, err)
		      : r;
}

static int
document_seal(
    struct ctl_launch *launch, struct ctl_server *server, struct err *err)
{
	struct package package;
	struct json_out out;

	int r = package_take(launch->argv, &package, err);
	const bool is_package = r == 0;
	if (is_package) {
		launch->package = &package;
		launch->argv = (const char *const *)package.argv;
	}
	json_out_init(&out, DOCUMENT_MAX);
	json_out_text(&out, "{");
	if (r == 0 || r == PACKAGE_E_NONE)
		r = ctl_launch_write(launch, &out, NULL, err);
	json_out_text(&out, "}");
	if (r == 0 && json_out_status(&out) != 0)
		r = err_set(err, -E2BIG, "command and policy are over 1 MiB");
	if (r == 0) {
		r = fd_memfd_seal(
		    "document", out.bytes, out.len, &server->bundle.fd);
		server->bundle.n_bytes = out.len;
	}
	json_out_fini(&out);
	if (is_package)
		package_fini(&package);
	return r;
}

int
ctl_program_read(
    const struct ctl_config *config, struct ctl_server *server, struct err *err)
{
	const struct ctl_grants grants = CTL_GRANTS_NONE;
	struct ctl_server_config own;
	struct policy *policy = NULL;
	struct err why = { "no memory" };
	char folder[PATH_MAX] = "";

	ctl_config_server(config, server->name, &own);
	char **words = words_take(own.command);
	struct ctl_launch launch = { .argv = (const char *const *)words };
	int r =
	    words == NULL || words[0] == NULL ? -ENOMEM : policy_new(&policy);
	if (r == 0)
		r = ctl_place_here(&launch.place, folder, PATH_MAX, &why);
	if (r == 0)
		r = folder_find(config->path, folder, &why);
	if (r == 0)
		r = policy_take(config, folder, own.policy, policy, &why);
	if (r == 0)
		r = ctl_grants_apply(&grants, words[0], policy, &why);
	launch.policy = policy;
	if (r == 0)
		r = document_seal(&launch, server, &why);
	policy_free(policy);
	words_free(words);
	return r == 0 ? 0
		      : err_set(err, CTL_E_CONFIG, "server '%s': %s",
			    server->name, why.text);
}
