/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Package commands as people write them, in their configuration files most of
 * all: what is wanted of which registry, and what it is to be given.
 */

#include <stddef.h>

#include "base/err.h"
#include "package/package.h"

#define PACKAGE_SPECS_MAX 32

enum package_kind {
	PACKAGE_NPM,
	PACKAGE_PYTHON,
};

struct package_command {
	enum package_kind kind;
	const char *runner; /* "npx", "uv tool run": static */
	/* Owned: "name@range" of npm, "name==version" of PyPI; names of a
	 * registry, never a path or an address. The first is the package. */
	char *specs[PACKAGE_SPECS_MAX];
	size_t n_specs;
	char *program; /* owned; NULL: the one the package has, as npx does */
	const char *python; /* borrowed: --python; NULL */
	const char *const *args; /* borrowed: what follows; NULL-ended */
};

/*
 * Reads a command. PACKAGE_E_NONE: it starts no package. Negative: it does, in
 * a way that is refused; the sentence says why and what to write instead. The
 * caller finishes `out` after success.
 */
int package_command_parse(
    const char *const *argv, struct package_command *out, struct err *err);
void package_command_fini(struct package_command *command);

/* The name in a spec: "@scope/a" of "@scope/a@^1", "a" of "a[b]==1". */
void package_spec_name(const char *spec, char name[PACKAGE_NAME_MAX]);
