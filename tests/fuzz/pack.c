/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A pack from anywhere: what is accepted lies within the bytes and obeys every
 * rule of base/pack.h, and writing it again gives the same bytes.
 */

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/pack.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static struct pack_file files[PACK_FILES_MAX];

static void
lies_within(const struct pack_file *file, const uint8_t *bytes, size_t len)
{
	const uint8_t *const path = (const uint8_t *)file->path;

	CHECK(path >= bytes && path + file->path_len <= bytes + len);
	CHECK(
	    file->data >= bytes && file->data + file->data_len <= bytes + len);
	CHECK(file->path_len > 0 && file->path_len <= PACK_PATH_MAX);
	CHECK(file->path[0] != '/' && memchr(path, 0, file->path_len) == NULL);
}

static void
write_again(uint32_t n_files, const uint8_t *bytes, size_t len)
{
	struct pack_writer writer;

	CHECK(pack_writer_init(&writer) == 0);
	for (uint32_t i = 0; i < n_files; i++) {
		auto_free char *path =
		    strndup(files[i].path, files[i].path_len);
		CHECK(pack_writer_add(&writer, path, files[i].data,
			  files[i].data_len) == 0);
	}
	CHECK(writer.len == len && memcmp(writer.bytes, bytes, len) == 0);
	pack_writer_fini(&writer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint32_t n_files = 0;

	const int r = pack_parse(bytes, len, files, &n_files);
	CHECK(r == 0 || r == PACK_E_FORMAT || r == PACK_E_TOO_BIG);
	if (r != 0)
		return 0;

	CHECK(n_files <= PACK_FILES_MAX);
	for (uint32_t i = 0; i < n_files; i++)
		lies_within(&files[i], bytes, len);
	write_again(n_files, bytes, len);
	return 0;
}
