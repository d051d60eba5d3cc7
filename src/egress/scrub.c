/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs in egress: takes out of an answer what was put into its request.
 *
 * A secret comes back as the origin likes to spell it, so the answer is read
 * in every spelling at once. Each lane reads it in one way and sees bytes; in
 * each the secrets are searched for as they are (Knuth, Morris, Pratt), and
 * where one ends, the place in the answer that it was read from is blotted out:
 *
 *   raw                                    as it stands
 *   percent, form, slash, html             with these escapes
 *   any of these escapes, then hex         from an even or an odd digit
 *   any of these escapes, then base64      from each of four digits; the URL's
 *                                          alphabet too, and folded lines
 *
 * So a spelling needs no list of its own: half of the bytes escaped, in upper
 * or lower case, inside of a longer base64, cut into pieces anywhere.
 */

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "egress/egress.h"
#include "egress/spelling.h"

enum lane_name {
	LANE_RAW,
	LANE_PERCENT,
	LANE_FORM,
	LANE_SLASH,
	LANE_HTML,
	LANE_ANY,
	LANE_HEX, /* two */
	LANE_BASE64 = LANE_HEX + 2, /* four */
	N_LANES = LANE_BASE64 + 4,
};

/* Those that are read with spelling.c: the last feeds hex and base64. */
static const struct {
	enum lane_name lane;
	unsigned kinds;
} readers[] = {
	{ LANE_PERCENT, SPELLING_PERCENT },
	{ LANE_FORM, SPELLING_PERCENT | SPELLING_PLUS },
	{ LANE_SLASH, SPELLING_SLASH },
	{ LANE_HTML, SPELLING_HTML },
	{ LANE_ANY, SPELLING_PERCENT | SPELLING_SLASH | SPELLING_HTML },
};
#define N_READERS ARRAY_LEN(readers)

/* Lines of base64 are folded at 64 or 76, with CR LF. */
#define FOLD_LEN 32u
#define FOLD_MAX 2u

/* A byte takes two hex digits, or less than two of base64, each of them spelt;
 * and folds, at most two bytes for FOLD_LEN digits, spelt too. */
#define HELD_FACTOR (2 * SPELLING_FACTOR + 2)
#define HELD_SLACK 128u

struct word {
	uint8_t *bytes;
	size_t len;
	uint32_t *fallback; /* of the prefix of i + 1 bytes */
};

#define WORDS_MAX ((size_t)WIRE_SECRETS_MAX * 3)

struct words {
	struct word words[WORDS_MAX];
	size_t n;
	size_t longest;
	bool begins[256]; /* one of them begins so */
};

struct lane {
	uint64_t *starts; /* a ring: where each of the last bytes stood */
	uint64_t n; /* bytes read */
	uint32_t *found; /* of each word: the bytes that are there */
	uint32_t deepest; /* of found */
};

/* Digits, and the one before. */
struct digits {
	uint64_t n;
	uint64_t from;
	uint8_t last;
	unsigned since_fold;
	unsigned n_fold;
};

/* One reading of one text. */
struct scan {
	const struct words *words;
	struct lane lanes[N_LANES];
	struct spelling spellings[N_READERS];
	struct digits hex;
	struct digits base64;
	uint64_t ring; /* a power of two, less one */
	uint64_t at; /* bytes of the text before `out` */
	uint8_t *out;
	unsigned reader; /* of N_READERS, whose bytes are told */
};

struct scrub {
	struct words words;
	struct scan *scan;
	uint8_t *held;
	size_t held_len;
};

/* ---- words ----------------------------------------------------------------
 */

static int
word_add(struct words *words, const void *bytes, size_t len)
{
	if (len == 0 || words->n == WORDS_MAX)
		return 0;
	struct word *word = &words->words[words->n];
	word->bytes = malloc(len);
	word->fallback = calloc(len, sizeof(*word->fallback));
	words->n++;
	if (word->bytes == NULL || word->fallback == NULL)
		return -ENOMEM;
	memcpy(word->bytes, bytes, len);
	word->len = len;
	for (uint32_t i = 1, k = 0; i < len; i++) {
		while (k > 0 && word->bytes[k] != word->bytes[i])
			k = word->fallback[k - 1];
		k += word->bytes[k] == word->bytes[i];
		word->fallback[i] = k;
	}
	words->begins[word->bytes[0]] = true;
	if (words->longest < len)
		words->longest = len;
	return 0;
}

/* USER:PASSWORD: both, the password (the user, where it is empty: then that is
 * the key), and what the header holds. */
static int
basic_add(struct words *words, const struct wire_egress_secret *secret)
{
	const uint8_t *colon = memchr(secret->value, ':', secret->value_len);
	char text[sodium_base64_ENCODED_LEN(
	    WIRE_SECRET_VALUE_MAX, sodium_base64_VARIANT_ORIGINAL)];

	sodium_bin2base64(text, sizeof(text), secret->value, secret->value_len,
	    sodium_base64_VARIANT_ORIGINAL);
	int code = word_add(words, text, strlen(text));
	sodium_memzero(text, sizeof(text));
	if (code != 0 || colon == NULL)
		return code;
	const size_t user_len = (size_t)(colon - secret->value);
	const size_t len = secret->value_len - user_len - 1;
	if (len == 0)
		return word_add(words, secret->value, user_len);
	return len < SECRET_VALUE_MIN ? 0 : word_add(words, colon + 1, len);
}

static int
words_init(struct words *words, const struct wire_egress_secret *const *secrets,
    size_t n)
{
	int code = 0;

	for (size_t i = 0; i < n && code == 0; i++) {
		code =
		    word_add(words, secrets[i]->value, secrets[i]->value_len);
		if (code == 0 && secrets[i]->kind == WIRE_SECRET_BASIC)
			code = basic_add(words, secrets[i]);
	}
	return code;
}

static void
words_fini(struct words *words)
{
	for (size_t i = 0; i < words->n; i++) {
		struct word *word = &words->words[i];
		if (word->bytes != NULL)
			sodium_memzero(word->bytes, word->len);
		free(word->bytes);
		free(word->fallback);
	}
}

/* ---- lanes ----------------------------------------------------------------
 */

static void
blot(struct scan *scan, uint64_t from, uint64_t to)
{
	/* What was told already cannot be: it was held back. */
	const size_t first = from > scan->at ? (size_t)(from - scan->at) : 0;

	memset(scan->out + first, '*', (size_t)(to - scan->at) - first);
}

/* A byte of a word more, or the longest part of it that still may be one. */
static uint32_t
word_step(const struct word *word, uint32_t found, uint8_t byte)
{
	while (found > 0 && word->bytes[found] != byte)
		found = word->fallback[found - 1];
	return found + (word->bytes[found] == byte);
}

static void
lane_take(
    struct scan *scan, unsigned name, uint8_t byte, uint64_t from, uint64_t to)
{
	const struct words *words = scan->words;
	struct lane *lane = &scan->lanes[name];

	lane->starts[lane->n++ & scan->ring] = from;
	if (lane->deepest == 0 && !words->begins[byte])
		return;
	lane->deepest = 0;
	for (size_t i = 0; i < words->n; i++) {
		const struct word *word = &words->words[i];
		uint32_t found = word_step(word, lane->found[i], byte);
		if (found == word->len) {
			blot(scan,
			    lane->starts[(lane->n - word->len) & scan->ring],
			    to);
			found = word->fallback[found - 1];
		}
		lane->found[i] = found;
		if (lane->deepest < found)
			lane->deepest = found;
	}
}

static void
lane_break(struct scan *scan, unsigned name)
{
	struct lane *lane = &scan->lanes[name];

	if (lane->deepest > 0)
		memset(lane->found, 0, scan->words->n * sizeof(lane->found[0]));
	lane->deepest = 0;
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
hex_take(struct scan *scan, uint8_t byte, uint64_t from, uint64_t to)
{
	struct digits *digits = &scan->hex;
	const int digit = hex_digit(byte);

	if (digit < 0) {
		if (digits->n > 1)
			for (unsigned i = 0; i < 2; i++)
				lane_break(scan, LANE_HEX + i);
		digits->n = 0;
		return;
	}
	if (digits->n > 0)
		lane_take(scan, LANE_HEX + (digits->n & 1),
		    (uint8_t)(digits->last << 4 | digit), digits->from, to);
	digits->n++;
	digits->last = (uint8_t)digit;
	digits->from = from;
}

static int
base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/* Whether a byte that is no digit leaves the run as it is. */
static bool
base64_folds(struct digits *digits, uint8_t byte)
{
	if (byte != '\r' && byte != '\n')
		return false;
	if (digits->n_fold == 0 && digits->since_fold < FOLD_LEN &&
	    digits->since_fold < digits->n)
		return false;
	digits->since_fold = 0;
	return digits->n > 0 && ++digits->n_fold <= FOLD_MAX;
}

static void
base64_take(struct scan *scan, uint8_t byte, uint64_t from, uint64_t to)
{
	struct digits *digits = &scan->base64;
	const int digit = base64_digit(byte);

	if (digit < 0) {
		if (digits->n == 0 || base64_folds(digits, byte))
			return;
		for (unsigned i = 0; i < 4; i++)
			lane_break(scan, LANE_BASE64 + i);
		*digits = (struct digits){ .n = 0 };
		return;
	}
	/* The three ways to cut 8 of these 12 bits. */
	const unsigned both = (unsigned)digits->last << 6 | (unsigned)digit;
	for (unsigned i = 0; i < 4 && digits->n > 0; i++) {
		const unsigned place = (unsigned)(digits->n - i) & 3;
		if (place != 0)
			lane_take(scan, LANE_BASE64 + i,
			    (uint8_t)(both >> (6 - 2 * place)), digits->from,
			    to);
	}
	digits->n++;
	digits->since_fold++;
	digits->n_fold = 0;
	digits->last = (uint8_t)digit;
	digits->from = from;
}

/* A byte as the reader whose turn it is has read it. */
static void
on_byte(void *arg, uint8_t byte, uint64_t from, uint64_t to)
{
	struct scan *scan = arg;

	lane_take(scan, readers[scan->reader].lane, byte, from, to);
	if (readers[scan->reader].lane != LANE_ANY)
		return;
	hex_take(scan, byte, from, to);
	base64_take(scan, byte, from, to);
}

/* ---- a text ---------------------------------------------------------------
 */

static void *
part_of(uint8_t **room, size_t size)
{
	void *part = *room;

	*room += size;
	return part;
}

/* One piece of memory, freed as one. */
static struct scan *
scan_new(const struct words *words)
{
	uint64_t ring = 1;

	while (ring < words->longest)
		ring <<= 1;
	const size_t starts = ring * sizeof(uint64_t);
	const size_t found = words->n * sizeof(uint32_t);
	struct scan *scan =
	    calloc(1, sizeof(*scan) + N_LANES * (starts + found));
	if (scan == NULL)
		return NULL;
	uint8_t *room = (uint8_t *)(scan + 1);
	for (size_t i = 0; i < N_LANES; i++)
		scan->lanes[i].starts = part_of(&room, starts);
	for (size_t i = 0; i < N_LANES; i++)
		scan->lanes[i].found = part_of(&room, found);
	for (size_t i = 0; i < N_READERS; i++)
		scan->spellings[i].kinds = readers[i].kinds;
	scan->words = words;
	scan->ring = ring - 1;
	return scan;
}

static struct scan *
scan_free(struct scan *scan)
{
	if (scan == NULL)
		return NULL;
	/* Letters of a secret may be pending. */
	sodium_memzero(scan, sizeof(*scan));
	free(scan);
	return NULL;
}

/* `out` has the bytes from `at` of the text on; those from `first` on are new.
 */
static void
scan_read(struct scan *scan, size_t first, size_t len, bool is_end)
{
	for (size_t i = first; i < len; i++) {
		const uint8_t byte = scan->out[i];
		const uint64_t at = scan->at + i;
		lane_take(scan, LANE_RAW, byte, at, at + 1);
		for (scan->reader = 0; scan->reader < N_READERS; scan->reader++)
			spelling_feed(&scan->spellings[scan->reader], byte, at,
			    on_byte, scan);
	}
	for (scan->reader = 0; is_end && scan->reader < N_READERS;
	     scan->reader++)
		spelling_end(&scan->spellings[scan->reader], on_byte, scan);
}

/* Before this place nothing will be blotted out any more. */
static uint64_t
scan_sure(const struct scan *scan, uint64_t end)
{
	uint64_t sure = end;

	for (size_t i = 0; i < N_LANES; i++) {
		const struct lane *lane = &scan->lanes[i];
		const uint64_t from = lane->deepest == 0
		    ? end
		    : lane->starts[(lane->n - lane->deepest) & scan->ring];
		sure = from < sure ? from : sure;
	}
	for (size_t i = 0; i < N_READERS; i++)
		if (scan->spellings[i].n_pending > 0 &&
		    scan->spellings[i].at < sure)
			sure = scan->spellings[i].at;
	if (scan->hex.n > 0 && scan->hex.from < sure)
		sure = scan->hex.from;
	if (scan->base64.n > 0 && scan->base64.from < sure)
		sure = scan->base64.from;
	return sure;
}

/* ---- what others see ------------------------------------------------------
 */

struct scrub *
scrub_new(const struct wire_egress_secret *const *secrets, size_t n)
{
	struct scrub *scrub = calloc(1, sizeof(*scrub));
	if (scrub == NULL)
		return NULL;

	if (words_init(&scrub->words, secrets, n) == 0)
		scrub->scan = scan_new(&scrub->words);
	if (scrub->scan != NULL)
		scrub->held = malloc(scrub_held_max(scrub));
	return scrub->held != NULL ? scrub : scrub_free(scrub);
}

struct scrub *
scrub_free(struct scrub *scrub)
{
	if (scrub == NULL)
		return NULL;
	if (scrub->held != NULL)
		sodium_memzero(scrub->held, scrub_held_max(scrub));
	free(scrub->held);
	scan_free(scrub->scan);
	words_fini(&scrub->words);
	free(scrub);
	return NULL;
}

size_t
scrub_held_max(const struct scrub *scrub)
{
	return scrub->words.longest * HELD_FACTOR + HELD_SLACK;
}

size_t
scrub_feed(struct scrub *scrub, const uint8_t *bytes, size_t len, bool is_end,
    uint8_t *out)
{
	struct scan *scan = scrub->scan;
	const size_t first = scrub->held_len, end = first + len;

	memcpy(out, scrub->held, first);
	if (len > 0)
		memcpy(out + first, bytes, len);
	scan->out = out;
	scan_read(scan, first, end, is_end);
	const uint64_t sure =
	    is_end ? scan->at + end : scan_sure(scan, scan->at + end);
	size_t told = (size_t)(sure - scan->at);
	const size_t max = scrub_held_max(scrub);
	/* Cannot be (HELD_FACTOR); if it could, nothing must leak. */
	if (end - told > max) {
		memset(out + told, '*', end - told - max);
		told = end - max;
	}
	scrub->held_len = end - told;
	memcpy(scrub->held, out + told, scrub->held_len);
	scan->at += told;
	scan->out = NULL;
	return told;
}

void
scrub_text(const struct scrub *scrub, char *text, size_t len)
{
	struct scan *scan = scan_new(&scrub->words);

	if (scan == NULL) {
		memset(text, '*', len);
		return;
	}
	scan->out = (uint8_t *)text;
	scan_read(scan, 0, len, true);
	scan_free(scan);
}
