/* SPDX-License-Identifier: Apache-2.0 */

/* See path.h: paths, as an origin that decodes them would read them. */

#include "addr/path.h"

#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/utf8.h"

#define ROUNDS_MAX 4 /* more than four times encoded is an attack */

/* Signs that become dots and slashes where an origin normalises (NFKC, best
 * fit of a code page). */
static const char *const lookalikes[] = {
	"\xef\xbc\x8e", /* fullwidth full stop */
	"\xef\xb9\x92", /* small full stop */
	"\xe2\x80\xa4", /* one dot leader */
	"\xe2\x80\xa5", /* two dot leader */
	"\xef\xbc\x8f", /* fullwidth solidus */
	"\xe2\x81\x84", /* fraction slash */
	"\xe2\x88\x95", /* division slash */
	"\xef\xbc\xbc", /* fullwidth reverse solidus */
	"\xef\xb9\xa8", /* small reverse solidus */
	"\xe2\x88\x96", /* set minus */
};

static int
hex_value(char byte)
{
	const char *digits = "0123456789abcdef";
	const char lower =
	    (byte >= 'A' && byte <= 'F') ? (char)(byte | 0x20) : byte;
	const char *found = lower == '\0' ? NULL : strchr(digits, lower);

	return found == NULL ? -1 : (int)(found - digits);
}

/* One round, in place; false: nothing was encoded. */
static bool
decode(char *text, size_t *len)
{
	size_t out = 0;

	for (size_t i = 0; i < *len; out++) {
		const bool is_code = text[i] == '%' && *len - i >= 3 &&
		    hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
		if (!is_code) {
			text[out] = text[i++];
			continue;
		}
		text[out] = (char)(hex_value(text[i + 1]) << 4 |
		    hex_value(text[i + 2]));
		i += 3;
	}
	const bool changed = out != *len;
	*len = out;
	return changed;
}

/* Dots alone, before what some origins cut off: ";jsessionid", spaces. */
static bool
is_dots(const char *segment, size_t len)
{
	bool has_dot = false;

	for (size_t i = 0; i < len; i++) {
		if (strchr(";?#", segment[i]) != NULL)
			break;
		if (segment[i] != '.' && segment[i] != ' ')
			return false;
		has_dot |= segment[i] == '.';
	}
	return has_dot;
}

static bool
text_is_plain(const char *path, size_t len)
{
	if (!utf8_is_valid((const uint8_t *)path, len))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(lookalikes); i++)
		if (memmem(path, len, lookalikes[i], strlen(lookalikes[i])))
			return false;
	return true;
}

static bool
bytes_are_plain(const char *path, size_t len)
{
	bool is_ascii = true;

	for (size_t i = 0; i < len; i++) {
		const uint8_t byte = (uint8_t)path[i];
		if (byte < ' ' || byte == 0x7f || byte == '\\')
			return false;
		is_ascii &= byte < 0x80;
	}
	return is_ascii || text_is_plain(path, len);
}

static bool
is_plain(const char *path, size_t len)
{
	size_t start = 1;

	if (len == 0 || path[0] != '/' || !bytes_are_plain(path, len))
		return false;
	for (size_t i = 1; i <= len; i++) {
		if (i < len && path[i] != '/')
			continue;
		if (i == start && i < len)
			return false;
		if (is_dots(path + start, i - start))
			return false;
		start = i + 1;
	}
	return true;
}

void
path_read(const char *path, size_t len, struct path_read *read)
{
	int rounds = 0;

	read->len = len;
	read->is_plain = false;
	if (len >= sizeof(read->decoded)) {
		read->len = 0;
		return;
	}
	memcpy(read->decoded, path, len);
	do {
		read->is_plain = is_plain(read->decoded, read->len);
	} while (read->is_plain && rounds++ <= ROUNDS_MAX &&
	    decode(read->decoded, &read->len));
	if (rounds > ROUNDS_MAX)
		read->is_plain = false;
}
