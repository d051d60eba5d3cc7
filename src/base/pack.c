/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pack.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/utf8.h"

#define MAGIC "CPK1"
#define MAGIC_LEN 4u
#define HEAD_LEN 8u /* magic, n_files */
#define ENTRY_LEN 8u /* path_len, data_len */

static uint32_t
u32_get(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static void
u32_put(uint8_t *bytes, uint32_t value)
{
	value = htole32(value);
	memcpy(bytes, &value, sizeof(value));
}

static bool
part_is_safe(const char *part, size_t len)
{
	if (len == 0 || (len == 1 && part[0] == '.'))
		return false;
	return len != 2 || part[0] != '.' || part[1] != '.';
}

static bool
path_is_safe(const char *path, size_t len)
{
	const char *const end = path + len;

	if (!utf8_is_valid((const uint8_t *)path, len) ||
	    memchr(path, '\0', len) != NULL)
		return false;

	for (const char *part = path;;) {
		const char *slash = memchr(part, '/', (size_t)(end - part));
		const char *part_end = slash != NULL ? slash : end;

		if (!part_is_safe(part, (size_t)(part_end - part)))
			return false;
		if (slash == NULL)
			return true;
		part = slash + 1;
	}
}

int
pack_writer_init(struct pack_writer *writer)
{
	uint8_t *bytes = malloc(4096);

	if (bytes == NULL)
		return -ENOMEM;

	memcpy(bytes, MAGIC, MAGIC_LEN);
	u32_put(bytes + MAGIC_LEN, 0);
	*writer = (struct pack_writer){
		.bytes = bytes,
		.len = HEAD_LEN,
		.capacity = 4096,
	};
	return 0;
}

void
pack_writer_fini(struct pack_writer *writer)
{
	free(writer->bytes);
	*writer = (struct pack_writer){ 0 };
}

static bool
writer_has(const struct pack_writer *writer, const char *path, size_t path_len)
{
	for (size_t at = HEAD_LEN; at < writer->len;) {
		const uint8_t *entry = writer->bytes + at;
		const uint32_t len = u32_get(entry);

		if (len == path_len &&
		    memcmp(entry + ENTRY_LEN, path, path_len) == 0)
			return true;
		at += ENTRY_LEN + len + u32_get(entry + 4);
	}
	return false;
}

static int
writer_reserve(struct pack_writer *writer, size_t more)
{
	size_t capacity = writer->capacity;

	while (capacity - writer->len < more)
		capacity *= 2;
	if (capacity == writer->capacity)
		return 0;

	uint8_t *bytes = realloc(writer->bytes, capacity);
	if (bytes == NULL)
		return -ENOMEM;

	writer->bytes = bytes;
	writer->capacity = capacity;
	return 0;
}

static void
writer_append(struct pack_writer *writer, const void *bytes, size_t len)
{
	if (len == 0)
		return;
	memcpy(writer->bytes + writer->len, bytes, len);
	writer->len += len;
}

int
pack_writer_add(struct pack_writer *writer, const char *path, const void *data,
    size_t data_len)
{
	const size_t path_len = strlen(path);
	uint8_t entry[ENTRY_LEN];

	if (path_len > PACK_PATH_MAX || data_len > PACK_BYTES_MAX ||
	    writer->n_files == PACK_FILES_MAX)
		return PACK_E_TOO_BIG;
	if (!path_is_safe(path, path_len) || writer_has(writer, path, path_len))
		return PACK_E_FORMAT;

	const size_t more = ENTRY_LEN + path_len + data_len;
	if (more > PACK_BYTES_MAX - writer->len)
		return PACK_E_TOO_BIG;
	if (writer_reserve(writer, more) < 0)
		return -ENOMEM;

	u32_put(entry, (uint32_t)path_len);
	u32_put(entry + 4, (uint32_t)data_len);
	writer_append(writer, entry, sizeof(entry));
	writer_append(writer, path, path_len);
	writer_append(writer, data, data_len);
	u32_put(writer->bytes + MAGIC_LEN, ++writer->n_files);
	return 0;
}

int
pack_writer_seal(const struct pack_writer *writer, int *fd)
{
	return fd_memfd_seal("cordon-bundle", writer->bytes, writer->len, fd);
}

/* Takes one entry off the front of the raw bytes. */
static int
entry_parse(const uint8_t **raw_bytes, size_t *len, struct pack_file *file)
{
	if (*len < ENTRY_LEN)
		return PACK_E_FORMAT;

	const uint32_t claimed_path = u32_get(*raw_bytes);
	const uint32_t claimed_data = u32_get(*raw_bytes + 4);
	const size_t left = *len - ENTRY_LEN;

	if (claimed_path > PACK_PATH_MAX)
		return PACK_E_TOO_BIG;
	if (claimed_path > left || claimed_data > left - claimed_path)
		return PACK_E_FORMAT;

	*file = (struct pack_file){
		.path = (const char *)*raw_bytes + ENTRY_LEN,
		.data = *raw_bytes + ENTRY_LEN + claimed_path,
		.path_len = claimed_path,
		.data_len = claimed_data,
	};
	*raw_bytes += ENTRY_LEN + claimed_path + claimed_data;
	*len = left - claimed_path - claimed_data;
	return path_is_safe(file->path, file->path_len) ? 0 : PACK_E_FORMAT;
}

static int
path_order(const void *a, const void *b, void *files)
{
	const struct pack_file *one =
	    (const struct pack_file *)files + *(const uint16_t *)a;
	const struct pack_file *two =
	    (const struct pack_file *)files + *(const uint16_t *)b;

	if (one->path_len != two->path_len)
		return one->path_len < two->path_len ? -1 : 1;
	return memcmp(one->path, two->path, one->path_len);
}

/* By an index in order of the paths, so that 4,096 files cost no 16 million
 * comparisons. */
static bool
paths_differ(struct pack_file *files, uint32_t n_files)
{
	uint16_t order[PACK_FILES_MAX];

	for (uint32_t i = 0; i < n_files; i++)
		order[i] = (uint16_t)i;
	qsort_r(order, n_files, sizeof(order[0]), path_order, files);
	for (uint32_t i = 1; i < n_files; i++) {
		if (path_order(&order[i - 1], &order[i], files) == 0)
			return false;
	}
	return true;
}

int
pack_parse(const uint8_t *raw_bytes, size_t len, struct pack_file *files,
    uint32_t *n_files)
{
	if (len > PACK_BYTES_MAX)
		return PACK_E_TOO_BIG;
	if (len < HEAD_LEN || memcmp(raw_bytes, MAGIC, MAGIC_LEN) != 0)
		return PACK_E_FORMAT;

	const uint32_t claimed_files = u32_get(raw_bytes + MAGIC_LEN);
	if (claimed_files > PACK_FILES_MAX)
		return PACK_E_TOO_BIG;

	raw_bytes += HEAD_LEN;
	len -= HEAD_LEN;
	for (uint32_t i = 0; i < claimed_files; i++) {
		const int r = entry_parse(&raw_bytes, &len, &files[i]);
		if (r != 0)
			return r;
	}
	if (len != 0 || !paths_differ(files, claimed_files))
		return PACK_E_FORMAT;

	*n_files = claimed_files;
	return 0;
}
