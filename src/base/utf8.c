/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include "base/auto.h"

/* What a first byte says: the length, its own bits, the least legal value. */
static const struct lead {
	uint8_t mask, bits, length;
	uint32_t least;
} leads[] = {
	{ 0x80, 0x00, 1, 0 },
	{ 0xe0, 0xc0, 2, 0x80 },
	{ 0xf0, 0xe0, 3, 0x800 },
	{ 0xf8, 0xf0, 4, 0x10000 },
};

static const struct lead *
lead_find(uint8_t byte)
{
	for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
		if ((byte & leads[i].mask) == leads[i].bits)
			return &leads[i];
	}
	return NULL;
}

size_t
utf8_next(const uint8_t *raw_bytes, size_t len, uint32_t *character)
{
	if (len == 0)
		return 0;

	const struct lead *lead = lead_find(raw_bytes[0]);
	if (lead == NULL || lead->length > len)
		return 0;

	uint32_t value = raw_bytes[0] & (uint8_t)~lead->mask;
	for (size_t i = 1; i < lead->length; i++) {
		if ((raw_bytes[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (raw_bytes[i] & 0x3f);
	}
	if (value < lead->least || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return 0;

	*character = value;
	return lead->length;
}

bool
utf8_is_valid(const uint8_t *raw_bytes, size_t len)
{
	uint32_t character;

	for (size_t at = 0; at < len;) {
		const size_t n =
		    utf8_next(raw_bytes + at, len - at, &character);
		if (n == 0)
			return false;
		at += n;
	}
	return true;
}
