/* SPDX-License-Identifier: Apache-2.0 */

/* package_resolve() as a program, with the limits that no command shows.
 *
 *     package-host FOLDER [--refresh] [--verify] [--offline] [--allow-scripts]
 *         [--bytes N] [--files N] [--ms N] -- CMD…
 *
 * Prints the package as JSON, then what is to be run, a word a line; with
 * status 3 a sentence on stderr, with 4 if it is no package command. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "json/out.h"
#include "package/package.h"

struct flag {
	const char *name;
	bool *flag;
	uint64_t *number;
};

static int
flags_read(char **argv, struct package_options *options)
{
	uint64_t files = 0, ms = 0;
	const struct flag flags[] = {
		{ "--refresh", .flag = &options->refresh },
		{ "--verify", .flag = &options->verify },
		{ "--offline", .flag = &options->offline },
		{ "--allow-scripts", .flag = &options->allow_scripts },
		{ "--bytes", .number = &options->bytes_max },
		{ "--files", .number = &files },
		{ "--ms", .number = &ms },
	};
	int n = 0;

	for (; argv[n] != NULL && strcmp(argv[n], "--") != 0; n++)
		for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
			if (strcmp(argv[n], flags[i].name) != 0)
				continue;
			if (flags[i].flag != NULL)
				*flags[i].flag = true;
			else
				*flags[i].number =
				    strtoull(argv[++n], NULL, 10);
		}
	options->files_max = (uint32_t)files;
	options->ms_max = (uint32_t)ms;
	return n + 1;
}

static void
package_print(const struct package *package)
{
	struct json_out out;

	json_out_init(&out, 1 << 20);
	package_put(package, &out);
	printf("%.*s\n", (int)out.len, out.bytes);
	json_out_fini(&out);
	for (char **word = package->run; *word != NULL; word++)
		printf("%s\n", *word);
}

int
main(int argc, char **argv)
{
	struct package_options options = { 0 };
	struct package package;
	struct err err = { "" };

	if (argc < 4)
		return 2;
	const int n = flags_read(argv + 2, &options);
	const int r = package_resolve((const char *const *)argv + 2 + n,
	    argv[1], &options, &package, &err);
	if (r == PACKAGE_E_NONE)
		return 4;
	if (r < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 3;
	}
	package_print(&package);
	package_fini(&package);
	return 0;
}
