/* SPDX-License-Identifier: Apache-2.0 */
#include "package/package.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/units.h"
#include "package/command.h"
#include "package/keep.h"
#include "package/npm.h"
#include "package/python.h"
#include "package/run.h"

/* What a resolution depends on: a text of lines, and its hash. The machine is
 * in it since a home may be shared, and native modules are not. */
static int
key_make(const struct package_command *command,
    const struct package_options *options, char key[PACKAGE_DIGEST_HEX])
{
	struct utsname machine;
	char *text = NULL;
	size_t len;

	FILE *out = open_memstream(&text, &len);
	if (out == NULL)
		return -ENOMEM;
	uname(&machine);
	fprintf(out, "%s\n%s\n%s\n%s\n%s\n",
	    command->kind == PACKAGE_NPM ? "npm" : "python",
	    options->allow_scripts ? "scripts" : "", machine.machine,
	    command->program != NULL ? command->program : "",
	    command->python != NULL ? command->python : "");
	for (size_t i = 0; i < command->n_specs; i++)
		fprintf(out, "%s\n", command->specs[i]);
	if (fclose(out) != 0) {
		free(text);
		return -ENOMEM;
	}
	tree_digest(text, len, key);
	free(text);
	return 0;
}

/* -- the words ------------------------------------------------------------ */

/* The word with the path in each place that stands for it. */
static void
word_place(struct words *words, const char *word, const char *path)
{
	const size_t len = strlen(PACKAGE_PLACE);

	if (strncmp(word, PACKAGE_PLACE, len) == 0)
		words_add(words, "%s%s", path, word + len);
	else
		words_add(words, "%s", word);
}

/* argv of the program alone becomes argv and run, with the arguments. */
static int
words_complete(struct package *package, const char *folder,
    const char *const *args, struct err *err)
{
	struct words argv = { 0 }, run = { 0 };

	if (asprintf(&package->path, "%s/%s", folder, package->digest) < 0) {
		package->path = NULL;
		return err_set(err, -ENOMEM, "no memory");
	}
	for (char **word = package->argv; *word != NULL; word++) {
		words_add(&argv, "%s", *word);
		word_place(&run, *word, package->path);
	}
	for (; *args != NULL; args++) {
		words_add(&argv, "%s", *args);
		words_add(&run, "%s", *args);
	}
	words_free(package->argv);
	package->argv = words_steal(&argv);
	package->run = words_steal(&run);
	return package->argv != NULL && package->run != NULL
	    ? 0
	    : err_set(err, -ENOMEM, "no memory");
}

/* -- resolving ------------------------------------------------------------ */

struct resolving {
	const struct package_command *command;
	struct package_options options; /* no zeros in it */
	const struct keep *keep;
	char key[PACKAGE_DIGEST_HEX];
};

static struct package_options
options_complete(const struct package_options *options)
{
	struct package_options complete = *options;

	if (complete.bytes_max == 0)
		complete.bytes_max = PACKAGE_BYTES_DEFAULT;
	if (complete.files_max == 0)
		complete.files_max = PACKAGE_FILES_DEFAULT;
	if (complete.ms_max == 0)
		complete.ms_max = PACKAGE_MS_DEFAULT;
	return complete;
}

static int
staged_resolve(struct resolving *resolving, struct staging *staging,
    struct package *package, struct err *err)
{
	const struct package_options *options = &resolving->options;
	const struct tree_limits limits = { options->bytes_max,
		options->files_max };
	const struct fetch fetch = {
		.command = resolving->command,
		.options = options,
		.staging = staging,
		.deadline_ms = run_now_ms() + options->ms_max,
	};
	struct words words = { 0 };

	int r = resolving->command->kind == PACKAGE_NPM
	    ? npm_fetch(&fetch, package, &words, err)
	    : python_fetch(&fetch, package, &words, err);
	if (r == 0 && (package->argv = words_steal(&words)) == NULL)
		r = err_set(err, -ENOMEM, "no memory");
	words_fini(&words);
	if (r == 0)
		r = keep_take(staging, &limits, package, err);
	if (r == 0)
		r = keep_request_put(
		    resolving->keep, staging, resolving->key, package, err);
	return r;
}

static void
done_say(const struct package *package, uint64_t took_ms)
{
	char size[UNITS_TEXT_MAX];

	if (took_ms < 1000)
		return;
	units_size_format(package->bytes >> 20 << 20, size);
	fprintf(stderr,
	    "cordon: %s %s is resolved: %u packages, %s, %llu.%llu s\n",
	    package->name, package->version, package->n_packages, size,
	    (unsigned long long)(took_ms / 1000),
	    (unsigned long long)(took_ms % 1000 / 100));
	for (char **script = package->scripts; *script != NULL; script++)
		fprintf(stderr,
		    "cordon: the install scripts of %s were not run\n",
		    *script);
}

static int
resolve(struct resolving *resolving, struct package *package, struct err *err)
{
	struct staging staging = STAGING_NONE;
	const uint64_t started_ms = run_now_ms();

	int r = staging_open(&staging, resolving->keep, err);
	if (r == 0)
		r = staged_resolve(resolving, &staging, package, err);
	staging_fini(&staging);
	if (r == 0 && !resolving->options.quiet)
		done_say(package, run_now_ms() - started_ms);
	package->is_fresh = r == 0;
	return r;
}

static int
find_or_resolve(
    struct resolving *resolving, struct package *package, struct err *err)
{
	if (!resolving->options.refresh) {
		const int r =
		    keep_request_get(resolving->keep, resolving->key, package);
		if (r == 0)
			return keep_check(resolving->keep, package->digest,
			    resolving->options.verify, err);
		if (resolving->options.offline)
			return err_set(err, -ENOENT,
			    "%s was never resolved here: run it once, or add "
			    "it, while its registry can be reached",
			    resolving->command->specs[0]);
	}
	return resolve(resolving, package, err);
}

static int
command_resolve(const struct package_command *command, const char *folder,
    const struct package_options *options, struct package *out, struct err *err)
{
	struct package package = { 0 };
	struct keep keep = KEEP_NONE;
	struct resolving resolving = {
		.command = command,
		.options = options_complete(options),
		.keep = &keep,
	};

	int r = key_make(command, options, resolving.key);
	if (r < 0)
		return err_set(err, r, "no memory");
	r = keep_open(&keep, folder, err);
	if (r == 0)
		r = find_or_resolve(&resolving, &package, err);
	if (r == 0)
		r = words_complete(&package, folder, command->args, err);
	keep_fini(&keep);
	if (r == 0)
		*out = package;
	else
		package_fini(&package);
	return r;
}

int
package_resolve(const char *const *argv, const char *folder,
    const struct package_options *options, struct package *out, struct err *err)
{
	struct package_command command;

	int r = package_command_parse(argv, &command, err);
	if (r != 0)
		return r;
	r = command_resolve(&command, folder, options, out, err);
	package_command_fini(&command);
	return r;
}

void
package_fini(struct package *package)
{
	free(package->path);
	words_free(package->argv);
	words_free(package->run);
	words_free(package->scripts);
	*package = (struct package){ 0 };
}

int
package_verify(const char *folder, const char *digest, struct err *err)
{
	struct keep keep = KEEP_NONE;

	int r = keep_open(&keep, folder, err);
	if (r == 0)
		r = keep_check(&keep, digest, true, err);
	keep_fini(&keep);
	return r;
}

int
package_check_all(
    const char *folder, void (*say)(const char *sentence), struct err *err)
{
	struct keep keep = KEEP_NONE;

	if (access(folder, F_OK) < 0 && errno == ENOENT)
		return 0;
	int r = keep_open(&keep, folder, err);
	if (r == 0)
		r = keep_check_all(&keep, say, err);
	keep_fini(&keep);
	return r;
}

int
package_remove(const char *folder, const char *digest, struct err *err)
{
	struct keep keep = KEEP_NONE;

	if (access(folder, F_OK) < 0 && errno == ENOENT)
		return 0;
	int r = keep_open(&keep, folder, err);
	if (r == 0)
		r = keep_remove(&keep, digest, err);
	keep_fini(&keep);
	return r;
}

int
package_folder_user(char **path, struct err *err)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	int n;

	if (data != NULL && data[0] == '/')
		n = asprintf(path, "%s/cordon/packages", data);
	else if (home != NULL && home[0] == '/')
		n = asprintf(path, "%s/.local/share/cordon/packages", home);
	else
		return err_set(err, -ENOENT,
		    "neither XDG_DATA_HOME nor HOME says where packages are to "
		    "be kept");
	return n < 0 ? err_set(err, -ENOMEM, "no memory") : 0;
}
