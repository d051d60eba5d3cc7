/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a package starts: the file behind the name that npx or uvx would look
 * up, and what runs it, so that neither they nor a shell are there at start.
 */

#include "base/err.h"
#include "package/words.h"

/*
 * The program of an npm package in node_modules of a tree: `program` of
 * whatever was installed, or NULL: the one that npx would choose of package
 * `name`. Adds its words, PACKAGE_PLACE before the file.
 */
int entry_npm(int tree_fd, const char *name, const char *program,
    struct words *words, struct err *err);

/*
 * The program of a Python distribution in lib/ of a tree, by its entry points:
 * writes lib/__cordon_entry__.py, which calls it. `info` is the folder
 * "NAME-VERSION.dist-info" in lib/.
 */
int entry_python(int tree_fd, const char *info, const char *program,
    const char *python, struct words *words, struct err *err);
