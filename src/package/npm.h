/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Filling a staged tree with npm, install scripts off. */

#include "package/command.h"
#include "package/keep.h"
#include "package/words.h"

struct fetch {
	const struct package_command *command;
	const struct package_options *options; /* its zeros are filled in */
	const struct staging *staging;
	uint64_t deadline_ms;
};

/*
 * Installs the specs; then `package` has name, version, the number of packages
 * and the scripts that were not run, and `words` the program, PACKAGE_PLACE
 * before its file.
 */
int npm_fetch(const struct fetch *fetch, struct package *package,
    struct words *words, struct err *err);

/*
 * The lines of an npmrc that say how a registry is reached, and by whom: the
 * rest stays outside. Names of environment variables that they refer to, and
 * files (cafile), are added to the lists.
 */
int npm_settings_filter(
    const char *text, char **kept, struct words *names, struct words *files);
