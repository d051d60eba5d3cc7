/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How an origin may read a path. Rules compare the bytes as they were sent; an
 * origin decodes them, perhaps twice, and may see another folder. So a path
 * that any decoding turns into dot segments, empty segments, backslashes,
 * controls, signs that look like dots and slashes, or bytes that are no UTF-8
 * is not plain: a prefix does not allow it. An encoded '/' between names
 * ("group%2Fproject") is plain.
 */

#include <stdbool.h>
#include <stddef.h>

#include "addr/url.h"

struct path_read {
	bool is_plain;
	size_t len;
	char decoded[ADDR_URL_MAX]; /* until nothing is left to decode; no NUL
				     * behind it */
};

/* `path` begins with '/', without its query; len < ADDR_URL_MAX. */
void path_read(const char *path, size_t len, struct path_read *read);
