/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Third-party packages are resolved once. `npx -y PKG`, `uvx PKG` and their
 * kin ask a registry at each start what they shall run, and run its install
 * scripts. Here the question is asked once, in a box, install scripts off; the
 * answer is a tree, named by the SHA-256 of its manifest (tree.h), that every
 * later start runs as it is, without a registry and without npm.
 *
 *   <folder>/<digest>/           the tree, read-only: package.json, the lock
 *                                with its integrities, node_modules; or lib
 *   <folder>/<digest>.manifest   what the digest is the digest of
 *   <folder>/<digest>.seal       inode, size and times of each entry, so that
 *                                a start need not hash it all again
 *   <folder>/<request>.request   what a command was resolved to
 *
 * Trees are never changed, requests are replaced; all of it appears by
 * rename(2), so that two who resolve at once do not disturb each other.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PACKAGE_DIGEST_HEX 65 /* SHA-256 in lower case, with the NUL */
#define PACKAGE_NAME_MAX 256
#define PACKAGE_VERSION_MAX 128

/* Stands for <folder>/<digest> in the command of a launch document. */
#define PACKAGE_PLACE "${package}"

#define PACKAGE_E_NONE 1 /* no package command: run it as it is */

/* What a resolution may spend; 0: these. */
#define PACKAGE_BYTES_DEFAULT (1ull << 30)
#define PACKAGE_FILES_DEFAULT 100000u
#define PACKAGE_MS_DEFAULT 300000u

struct package_options {
	bool refresh; /* ask the registry, though an answer is there */
	bool verify; /* read every byte, though the seal fits */
	bool offline; /* never ask it: what is not there is refused */
	bool allow_scripts; /* install scripts: after the download, in a box
			     * without a network */
	bool quiet; /* no progress on stderr */
	uint64_t bytes_max; /* of the tree */
	uint32_t files_max;
	uint32_t ms_max;
};

struct package {
	char name[PACKAGE_NAME_MAX];
	char version[PACKAGE_VERSION_MAX];
	char digest[PACKAGE_DIGEST_HEX];
	char *path; /* <folder>/<digest>, absolute: to be granted for reading */
	char *
	    *argv; /* as a launch document has it: PACKAGE_PLACE; NULL-ended */
	char **run; /* the same with the path in its place */
	char **scripts; /* "name@version" whose install scripts were not run;
			 * NULL-ended, may be empty, never NULL */
	uint64_t bytes;
	uint32_t n_files;
	uint32_t n_packages;
	bool is_fresh; /* resolved by this call */
};

/* Whether these words start a package: npx, npm exec, pnpm dlx, bunx, yarn dlx,
 * uvx, pipx run. Nothing is read. */
bool package_is_command(const char *const *argv);

/*
 * Resolves a command, or finds what it was resolved to before; then the tree is
 * there, whole, and checked: after a resolution by its digest, else by its
 * seal, and by its digest where the seal does not fit. `folder` is made when it
 * is missing, for its owner only. Progress goes to stderr once a second has
 * passed. The caller finishes `out` after success.
 *
 * PACKAGE_E_NONE: another command. Negative: refused, with a sentence.
 */
int package_resolve(const char *const *argv, const char *folder,
    const struct package_options *options, struct package *out,
    struct err *err);
void package_fini(struct package *package);

/* Checks a tree against its digest, every byte: before something is approved,
 * and by `cordon doctor`. The sentence names what is not as it was. */
int package_verify(const char *folder, const char *digest, struct err *err);

/*
 * Looks at all trees of a folder as a start of one does, by their seals. One
 * that is not as it was is set aside, as "<digest>.damaged": nothing runs it
 * any more, and `say` is told why. For who starts trees later and does not look
 * (a host, whose folder is its own), before it starts. Where there is no folder
 * there is nothing to do.
 */
int package_check_all(
    const char *folder, void (*say)(const char *sentence), struct err *err);

/* Removes a tree, and what was resolved to it: the next who asks resolves anew.
 * Who runs it must have ended. Nothing happens where it is not there. */
int package_remove(const char *folder, const char *digest, struct err *err);

/* The folder of a user: $XDG_DATA_HOME/cordon/packages, else below
 * ~/.local/share. Nothing is made. The caller frees. */
int package_folder_user(char **path, struct err *err);

/* Writes it for people, a line each, or as one JSON object. */
struct json_out;
void package_put(const struct package *package, struct json_out *out);
