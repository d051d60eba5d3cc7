/* SPDX-License-Identifier: Apache-2.0 */

/*
 * value \n cuts \n text: the text in pieces comes out as it does whole, as long
 * as it was; the value spelt in it at random (as the cuts say), is gone from
 * it; and what is held back is no more than is said.
 */

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "egress/egress.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define TEXT_MAX 20000u
#define GAP 64u

static struct wire_egress_secret secret;

struct part {
	const uint8_t *at;
	size_t len;
};

static struct part
part_take(const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, '\n', *size);
	const struct part part = { *data,
		end != NULL ? (size_t)(end - *data) : *size };
	const size_t used = part.len + (end != NULL);

	*data += used;
	*size -= used;
	return part;
}

/* One byte of a value, as one of the ways of its lane. */
static size_t
byte_spell(char *out, uint8_t byte, unsigned lane, uint8_t way)
{
	/* In JSON and HTML they are code points; elsewhere bytes are meant. */
	if (byte >= 0x80 && lane == 2)
		return (size_t)sprintf(out, "\\x%02x", byte);
	if (byte >= 0x80 && lane == 3)
		lane = 0;
	/* What a spelling means something by, it spells. */
	const bool must = (lane == 1 && byte == '%') ||
	    (lane == 2 && byte == '\\') || (lane == 3 && byte == '&');
	if (!must && (way & 1) == 0)
		lane = 0;
	const bool upper = (way & 2) != 0, other = (way & 4) != 0;
	if (lane == 1)
		return (size_t)sprintf(out, upper ? "%%%02X" : "%%%02x", byte);
	if (lane == 2 && other)
		return (size_t)sprintf(
		    out, upper ? "\\x%02X" : "\\x%02x", byte);
	if (lane == 2)
		return (size_t)sprintf(
		    out, upper ? "\\u%04X" : "\\u%04x", byte);
	if (lane == 3 && other)
		return (size_t)sprintf(out, "&#%u;", byte);
	if (lane == 3)
		return (size_t)sprintf(
		    out, upper ? "&#x%06X;" : "&#x%x;", byte);
	*out = (char)byte;
	return 1;
}

static size_t
value_spell(char *out, const struct part *value, const struct part *cuts)
{
	const unsigned lane = cuts->len > 0 ? cuts->at[0] & 3 : 0;
	size_t n = 0;

	for (size_t i = 0; i < value->len; i++)
		n += byte_spell(out + n, value->at[i], lane,
		    cuts->len > 0 ? cuts->at[i % cuts->len] : 0);
	return n;
}

static void
in_pieces(struct scrub *scrub, const char *text, size_t len,
    const struct part *cuts, const char *want)
{
	const size_t max = scrub_held_max(scrub);
	auto_free uint8_t *out = malloc(len + max);
	size_t told = 0;

	CHECK(out != NULL);
	for (size_t at = 0, i = 0; at < len; i++) {
		size_t piece =
		    1 + (cuts->len > 0 ? cuts->at[i % cuts->len] : 0);
		piece = piece < len - at ? piece : len - at;
		auto_free uint8_t *exact = malloc(piece);
		CHECK(exact != NULL);
		memcpy(exact, text + at, piece);
		told += scrub_feed(scrub, exact, piece, false, out + told);
		at += piece;
		CHECK(told <= at && at - told <= max);
	}
	told += scrub_feed(scrub, NULL, 0, true, out + told);
	CHECK(told == len && memcmp(out, want, len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[TEXT_MAX * 2 + 1], whole[sizeof(text)];
	const struct wire_egress_secret *const secrets[] = { &secret };

	if (size > TEXT_MAX)
		return 0;
	const struct part value = part_take(&data, &size);
	const struct part cuts = part_take(&data, &size);
	if (value.len < 8 || value.len > 512)
		return 0;
	secret.kind = cuts.len > 0 && (cuts.at[0] & 4) ? WIRE_SECRET_BASIC
						       : WIRE_SECRET_HEADER;
	memcpy(secret.value, value.at, value.len);
	secret.value_len = (uint32_t)value.len;

	/* Words between, over which an escape that is open does not reach. */
	memcpy(text, data, size);
	memset(text + size, ' ', GAP);
	memcpy(text + size + 8, "some words ", 11);
	const size_t spelt = value_spell(text + size + GAP, &value, &cuts);
	const size_t len = size + GAP + spelt;
	memcpy(whole, text, len);
	struct scrub *scrub = scrub_new(secrets, 1);
	CHECK(scrub != NULL);
	scrub_text(scrub, whole, len);
	for (size_t i = size + GAP; i < len; i++)
		CHECK(whole[i] == '*');
	in_pieces(scrub, text, len, &cuts, whole);
	scrub_free(scrub);
	return 0;
}
