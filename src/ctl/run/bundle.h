/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files of a tool, read as the person who typed the command, into one sealed
 * pack (base/pack.h). Nothing in them is looked at.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ctl_bundle {
	int fd; /* sealed memfd, owned by the caller */
	bool is_folder;
	uint32_t n_files;
	size_t n_bytes; /* of the pack */
};

/*
 * Reads a file, or a folder with all its regular files. Left out: what starts
 * with a dot, node_modules, *.d.ts. A symbolic link, a device or a pipe in a
 * folder ends it with a sentence, as do too many or too large files. Negative
 * errno, or a PACK_E_….
 */
int
ctl_bundle_read(const char *path, struct ctl_bundle *bundle, struct err *err);

/* Whether a file of a folder belongs to the bundle, by its name. */
bool ctl_bundle_wants(const char *name);
