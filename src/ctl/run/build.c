/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon build: esbuild with the settings that a cell needs. It runs on the
 * person's own code, as the person, outside of any cell.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "ctl/ctl.h"
#include "ctl/libexec.h"
#include "ctl/option.h"

static const char notes[] =
    "ENTRY is a .ts, .tsx, .js or .mjs file, or a folder with a "
    "package.json.\nWhat it imports is bundled with it. Needs esbuild: npm "
    "install esbuild.";

/* The engine is a whole Node.js, which can run tools too; else the system's. */
static void
node_find(char path[PATH_MAX])
{
	if (ctl_libexec_find("engine/node", path, NULL) != 0)
		strcpy(path, "node");
}

/* As Node.js looks for it: in every node_modules from the script upwards. */
static bool
esbuild_is_there(const char *script)
{
	char folder[PATH_MAX], path[PATH_MAX + 64];

	strcpy(folder, script);
	for (char *slash = strrchr(folder, '/'); slash != NULL;
	     slash = strrchr(folder, '/')) {
		*slash = '\0';
		snprintf(path, sizeof(path),
		    "%s/node_modules/esbuild/package.json", folder);
		if (access(path, R_OK) == 0)
			return true;
	}
	return false;
}

/* The script itself, not a link to it: its packages lie beside it. */
static int
script_find(char script[PATH_MAX], struct err *err)
{
	char found[PATH_MAX];

	const int r = ctl_libexec_find("js/build-tool.mjs", found, err);
	if (r < 0)
		return r;
	if (realpath(found, script) == NULL)
		return err_set(err, -errno, "%s: %s", found, strerror(errno));
	if (!esbuild_is_there(script))
		return err_set(err, -ENOENT,
		    "esbuild is missing: run npm install esbuild in the "
		    "folder of %s",
		    script);
	return 0;
}

struct command {
	const char *out;
	bool sourcemap, minify;
};

static int
build_exec(const struct command *command, const char *entry)
{
	char node[PATH_MAX], script[PATH_MAX];
	const char *words[8] = { "node", script, entry, "-o", command->out };
	size_t n = 5;
	struct err err;

	if (access(entry, R_OK) < 0) {
		fprintf(
		    stderr, "cordon build: %s: %s\n", entry, strerror(errno));
		return CTL_EXIT_USAGE;
	}
	if (script_find(script, &err) != 0) {
		fprintf(stderr, "cordon build: %s\n", err.text);
		return CTL_EXIT_INTERNAL;
	}
	node_find(node);
	if (command->sourcemap)
		words[n++] = "--sourcemap";
	if (command->minify)
		words[n++] = "--minify";
	/* execv(3) promises to leave the words alone. */
	execvp(node, (char *const *)(uintptr_t)words);
	fprintf(stderr,
	    "cordon build: no Node.js to bundle with: %s: %s; run npm ci, or "
	    "install the package nodejs\n",
	    node, strerror(errno));
	return CTL_EXIT_INTERNAL;
}

static const struct ctl_option options[] = {
	{ "out", 'o', CTL_TEXT, offsetof(struct command, out), "OUT.js",
	    "where to write it" },
	{ "sourcemap", 0, CTL_FLAG, offsetof(struct command, sourcemap), NULL,
	    "errors name the lines of the sources" },
	{ "minify", 0, CTL_FLAG, offsetof(struct command, minify), NULL,
	    "make it small" },
};

static ctl_run_fn command_run;

static const struct ctl_command build = { "cordon build", "ENTRY -o OUT.js",
	"Bundles a tool of several files, of TypeScript or with npm packages "
	"into one\nfile that cordon run and cordon serve take.",
	options, ARRAY_LEN(options), notes, 1, 1, command_run };

static int
command_run(void *values, int n, char **operands)
{
	const struct command *command = values;
	struct err err;

	(void)n;
	if (command->out != NULL)
		return build_exec(command, operands[0]);
	err_set(&err, 0, "where to? say -o OUT.js");
	return ctl_usage_fail(&build, &err);
}

int
ctl_build(int argc, char **argv)
{
	struct command command = { 0 };

	return ctl_command_run(&build, &command, argc, argv);
}
