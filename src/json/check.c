/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The check of a whole text. A loop with one bit per open container (object or
 * array) in place of recursion: depth is the attacker's to choose.
 */

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "json/json.h"

struct scan {
	const char *at;
	const char *end;
	size_t depth;
	uint64_t objects[JSON_DEPTH_MAX / 64]; /* bit set: level is an object */
};

static void
skip_space(struct scan *scan)
{
	while (scan->at < scan->end &&
	    (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' ||
		*scan->at == '\t'))
		scan->at++;
}

static bool
accept(struct scan *scan, char c)
{
	if (scan->at == scan->end || *scan->at != c)
		return false;
	scan->at++;
	return true;
}

/* Eight bytes at once: is none of them a quote, a backslash, a control
 * character or beyond ASCII? (Bit tricks: each term sets the top bit of a byte
 * that offends.) */
static bool
is_plain_word(const char *at)
{
	const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
	uint64_t word, quote, slash;

	memcpy(&word, at, sizeof(word));
	quote = word ^ (ones * '"');
	slash = word ^ (ones * '\\');
	return ((word | (word - ones * 0x20) | (quote - ones) |
		    (slash - ones)) &
		   tops) == 0;
}

static bool
scan_hex4(struct scan *scan)
{
	for (int i = 0; i < 4; i++, scan->at++) {
		if (scan->at == scan->end)
			return false;
		const char c = *scan->at;
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
			(c >= 'A' && c <= 'F')))
			return false;
	}
	return true;
}

static bool
scan_escape(struct scan *scan)
{
	if (scan->at == scan->end || *scan->at == '\0')
		return false;
	if (accept(scan, 'u'))
		return scan_hex4(scan);
	if (strchr("\"\\/bfnrt", *scan->at) == NULL)
		return false;
	scan->at++;
	return true;
}

/* After the opening quote. */
static bool
scan_string(struct scan *scan)
{
	uint32_t character;

	while (scan->at < scan->end) {
		const unsigned char c = (unsigned char)*scan->at;

		if (scan->end - scan->at >= 8 && is_plain_word(scan->at)) {
			scan->at += 8;
		} else if (c == '"') {
			scan->at++;
			return true;
		} else if (c == '\\') {
			scan->at++;
			if (!scan_escape(scan))
				return false;
		} else if (c < 0x20) {
			return false;
		} else if (c < 0x80) {
			scan->at++;
		} else {
			const size_t length =
			    utf8_next((const uint8_t *)scan->at,
				(size_t)(scan->end - scan->at), &character);
			if (length == 0)
				return false;
			scan->at += length;
		}
	}
	return false;
}

static bool
scan_digits(struct scan *scan)
{
	const char *start = scan->at;

	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return scan->at > start;
}

static bool
scan_number(struct scan *scan)
{
	accept(scan, '-');
	if (!accept(scan, '0') && !scan_digits(scan))
		return false;
	if (accept(scan, '.') && !scan_digits(scan))
		return false;
	if (!accept(scan, 'e') && !accept(scan, 'E'))
		return true;
	if (!accept(scan, '+'))
		accept(scan, '-');
	return scan_digits(scan);
}

static bool
scan_word(struct scan *scan, const char *word)
{
	const size_t len = strlen(word);

	if ((size_t)(scan->end - scan->at) < len ||
	    memcmp(scan->at, word, len) != 0)
		return false;
	scan->at += len;
	return true;
}

static bool
scan_scalar(struct scan *scan)
{
	switch (*scan->at) {
	case '"':
		scan->at++;
		return scan_string(scan);
	case 't':
		return scan_word(scan, "true");
	case 'f':
		return scan_word(scan, "false");
	case 'n':
		return scan_word(scan, "null");
	default:
		return scan_number(scan);
	}
}

static bool
in_object(const struct scan *scan)
{
	const size_t level = scan->depth - 1;

	return (scan->objects[level / 64] >> (level % 64)) & 1;
}

static int
container_open(struct scan *scan)
{
	const size_t level = scan->depth;
	const uint64_t bit = (uint64_t)1 << (level % 64);

	if (level == JSON_DEPTH_MAX)
		return JSON_E_DEPTH;
	if (*scan->at == '{')
		scan->objects[level / 64] |= bit;
	else
		scan->objects[level / 64] &= ~bit;
	scan->at++;
	scan->depth++;
	skip_space(scan);
	return 0;
}

/* "key" : and the space around it. */
static bool
scan_key(struct scan *scan)
{
	skip_space(scan);
	if (!accept(scan, '"') || !scan_string(scan))
		return false;
	skip_space(scan);
	if (!accept(scan, ':'))
		return false;
	skip_space(scan);
	return true;
}

/*
 * After a value: closes what ends here, and stops before the next value.
 * *more is false when the outermost container is closed.
 */
static bool
scan_after_value(struct scan *scan, bool *more)
{
	while (scan->depth > 0) {
		skip_space(scan);
		if (accept(scan, ',')) {
			*more = true;
			if (in_object(scan))
				return scan_key(scan);
			skip_space(scan);
			return true;
		}
		if (!accept(scan, in_object(scan) ? '}' : ']'))
			return false;
		scan->depth--;
	}
	*more = false;
	return true;
}

/* At a value's first byte. *nested: it is a container that is not empty, and
 * the scan stands before its first value. */
static int
scan_value(struct scan *scan, bool *nested)
{
	*nested = false;
	if (scan->at == scan->end)
		return JSON_E_SYNTAX;
	if (*scan->at != '{' && *scan->at != '[')
		return scan_scalar(scan) ? 0 : JSON_E_SYNTAX;

	const int r = container_open(scan);
	if (r != 0)
		return r;
	if (accept(scan, in_object(scan) ? '}' : ']')) {
		scan->depth--;
		return 0;
	}
	*nested = true;
	return !in_object(scan) || scan_key(scan) ? 0 : JSON_E_SYNTAX;
}

static int
scan_text(struct scan *scan, struct json_span *value)
{
	bool nested, more = true;

	skip_space(scan);
	value->at = scan->at;
	while (more) {
		const int r = scan_value(scan, &nested);
		if (r != 0)
			return r;
		if (!nested && !scan_after_value(scan, &more))
			return JSON_E_SYNTAX;
	}
	value->len = (size_t)(scan->at - value->at);
	skip_space(scan);
	return scan->at == scan->end ? 0 : JSON_E_SYNTAX;
}

int
json_check(
    const char *raw_text, size_t len, struct json_span *value, size_t *offset)
{
	struct scan scan = { .at = raw_text, .end = raw_text + len };
	struct json_span found = { 0 };

	const int r = scan_text(&scan, &found);
	if (r != 0) {
		if (offset != NULL)
			*offset = (size_t)(scan.at - raw_text);
		return r;
	}
	*value = found;
	return 0;
}
