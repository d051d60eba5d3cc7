/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A pack: the files of one bundle as one run of bytes, so that they can be
 * sealed in one memfd. Written by `cordon`, read only inside a template.
 *
 *     "CPK1" u32 n_files { u32 path_len u32 data_len path data } …
 *
 * Numbers are little-endian. Paths are relative, UTF-8, joined by '/', with no
 * empty, "." or ".." part and no NUL; no path occurs twice. A pack of one file
 * is a single tool file; else the entry is found by its package.json or name.
 */

#include <stddef.h>
#include <stdint.h>

#define PACK_BYTES_MAX (32u << 20)
#define PACK_FILES_MAX 4096u
#define PACK_PATH_MAX 1024u

#define PACK_E_FORMAT 1 /* not a pack, or one that breaks a rule above */
#define PACK_E_TOO_BIG 2 /* more bytes, files or path than the maxima */

struct pack_file {
	const char *path; /* borrowed from the pack, path_len bytes */
	const uint8_t *data; /* borrowed, data_len bytes */
	uint32_t path_len;
	uint32_t data_len;
};

struct pack_writer {
	uint8_t *bytes; /* owned; pack_writer_fini() frees */
	size_t len;
	size_t capacity;
	uint32_t n_files;
};

int pack_writer_init(struct pack_writer *writer);
void pack_writer_fini(struct pack_writer *writer);

/* Adds a file. PACK_E_FORMAT for a path that breaks the rules, PACK_E_TOO_BIG,
 * -ENOMEM. Bytes are copied. */
int pack_writer_add(struct pack_writer *writer, const char *path,
    const void *data, size_t data_len);

/* A memfd with the pack, sealed against every change (F_SEAL_WRITE, GROW,
 * SHRINK, SEAL), named for /proc; the caller owns it. Negative errno. */
int pack_writer_seal(const struct pack_writer *writer, int *fd);

/* Reads an untrusted pack. Returns 0 and the number of files; `files` has room
 * for PACK_FILES_MAX entries, which borrow from raw_bytes. */
int pack_parse(const uint8_t *raw_bytes, size_t len, struct pack_file *files,
    uint32_t *n_files);
