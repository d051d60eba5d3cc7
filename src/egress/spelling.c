/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/spelling.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

enum verdict { NO, MORE, YES };

/* What is read of the pending bytes. */
struct reading {
	uint8_t bytes[4];
	uint8_t n_bytes;
	uint8_t n_source;
};

static int
hex_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* n hex digits at `at`. */
static enum verdict
hex_read(const uint8_t *text, size_t len, size_t at, size_t n, uint32_t *number)
{
	*number = 0;
	for (size_t i = at; i < at + n; i++) {
		if (i >= len)
			return MORE;
		if (hex_of(text[i]) < 0)
			return NO;
		*number = *number << 4 | (uint32_t)hex_of(text[i]);
	}
	return YES;
}

static enum verdict
byte_set(struct reading *reading, uint32_t byte, size_t n_source)
{
	reading->bytes[0] = (uint8_t)byte;
	reading->n_bytes = 1;
	reading->n_source = (uint8_t)n_source;
	return YES;
}

/* A code point, as UTF-8. */
static enum verdict
point_set(struct reading *reading, uint32_t point, size_t n_source)
{
	uint8_t *out = reading->bytes;

	if (point < 0x80)
		return byte_set(reading, point, n_source);
	if (point > 0x10ffff)
		return NO;
	const uint8_t n = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	static const uint8_t marks[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (uint8_t i = n; i-- > 1; point >>= 6)
		out[i] = (uint8_t)(0x80 | (point & 0x3f));
	out[0] = (uint8_t)(marks[n] | point);
	reading->n_bytes = n;
	reading->n_source = (uint8_t)n_source;
	return YES;
}

static enum verdict
percent_read(const uint8_t *text, size_t len, struct reading *reading)
{
	uint32_t number;
	const enum verdict verdict = hex_read(text, len, 1, 2, &number);

	return verdict == YES ? byte_set(reading, number, 3) : verdict;
}

static enum verdict
unicode_read(const uint8_t *text, size_t len, struct reading *reading)
{
	uint32_t high, low;

	enum verdict verdict = hex_read(text, len, 2, 4, &high);
	if (verdict != YES || high < 0xd800 || high > 0xdbff)
		return verdict == YES ? point_set(reading, high, 6) : verdict;
	if ((len > 6 && text[6] != '\\') || (len > 7 && text[7] != 'u'))
		return NO;
	verdict = len < 8 ? MORE : hex_read(text, len, 8, 4, &low);
	if (verdict != YES)
		return verdict;
	if (low < 0xdc00 || low > 0xdfff)
		return NO;
	return point_set(
	    reading, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12);
}

static enum verdict
slash_read(const uint8_t *text, size_t len, struct reading *reading)
{
	static const char names[] = "bfnrt\"'\\/";
	static const char bytes[] = "\b\f\n\r\t\"'\\/";
	uint32_t number;

	if (len < 2)
		return MORE;
	if (text[1] == 'u')
		return unicode_read(text, len, reading);
	if (text[1] == 'x') {
		const enum verdict verdict = hex_read(text, len, 2, 2, &number);
		return verdict == YES ? byte_set(reading, number, 4) : verdict;
	}
	const char *name = text[1] != '\0' ? strchr(names, text[1]) : NULL;
	return name == NULL
	    ? NO
	    : byte_set(reading, (uint8_t)bytes[name - names], 2);
}

/* &#65; &#x41;, of 10 bytes at most. */
static enum verdict
number_read(const uint8_t *text, size_t len, struct reading *reading)
{
	const bool is_hex = len > 2 && (text[2] | 0x20) == 'x';
	size_t i = is_hex ? 3 : 2;
	const size_t first = i;
	uint32_t point = 0;

	for (; i < len && text[i] != ';'; i++) {
		const int digit = hex_of(text[i]);
		if (digit < 0 || (!is_hex && digit > 9))
			return NO;
		point = point * (is_hex ? 16 : 10) + (uint32_t)digit;
	}
	if (i >= SPELLING_FACTOR)
		return NO;
	if (i == len)
		return MORE;
	return i > first ? point_set(reading, point, i + 1) : NO;
}

static enum verdict
html_read(const uint8_t *text, size_t len, struct reading *reading)
{
	static const struct {
		const char *name;
		char byte;
	} names[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' },
		{ "&quot;", '"' }, { "&apos;", '\'' } };

	if (len < 2)
		return MORE;
	if (text[1] == '#')
		return number_read(text, len, reading);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const size_t whole = strlen(names[i].name);
		if (memcmp(text, names[i].name, len < whole ? len : whole) != 0)
			continue;
		return len < whole
		    ? MORE
		    : byte_set(reading, (uint8_t)names[i].byte, whole);
	}
	return NO;
}

static enum verdict
any_read(
    unsigned kinds, const uint8_t *text, size_t len, struct reading *reading)
{
	if (text[0] == '%' && (kinds & SPELLING_PERCENT))
		return percent_read(text, len, reading);
	if (text[0] == '\\' && (kinds & SPELLING_SLASH))
		return slash_read(text, len, reading);
	if (text[0] == '&' && (kinds & SPELLING_HTML))
		return html_read(text, len, reading);
	return NO;
}

static void
pending_drop(struct spelling *spelling, size_t n)
{
	spelling->n_pending = (uint8_t)(spelling->n_pending - n);
	spelling->at += n;
	memmove(spelling->pending, spelling->pending + n, spelling->n_pending);
}

static void
literal_tell(struct spelling *spelling, spelling_fn *fn, void *arg)
{
	const uint8_t byte = spelling->pending[0];
	const bool is_space = byte == '+' && (spelling->kinds & SPELLING_PLUS);

	fn(arg, is_space ? ' ' : byte, spelling->at, spelling->at + 1);
	pending_drop(spelling, 1);
}

static void
pending_read(struct spelling *spelling, bool is_end, spelling_fn *fn, void *arg)
{
	while (spelling->n_pending > 0) {
		struct reading reading = { .n_bytes = 0 };
		const enum verdict verdict = any_read(spelling->kinds,
		    spelling->pending, spelling->n_pending, &reading);
		if (verdict == MORE && !is_end)
			return;
		if (verdict != YES) {
			literal_tell(spelling, fn, arg);
			continue;
		}
		for (size_t i = 0; i < reading.n_bytes; i++)
			fn(arg, reading.bytes[i], spelling->at,
			    spelling->at + reading.n_source);
		pending_drop(spelling, reading.n_source);
	}
}

void
spelling_feed(struct spelling *spelling, uint8_t byte, uint64_t at,
    spelling_fn *fn, void *arg)
{
	/* Nearly every byte. */
	if (spelling->n_pending == 0 && byte != '%' && byte != '\\' &&
	    byte != '&' && byte != '+') {
		fn(arg, byte, at, at + 1);
		return;
	}
	if (spelling->n_pending == 0)
		spelling->at = at;
	spelling->pending[spelling->n_pending++] = byte;
	pending_read(spelling, false, fn, arg);
}

void
spelling_end(struct spelling *spelling, spelling_fn *fn, void *arg)
{
	pending_read(spelling, true, fn, arg);
}
