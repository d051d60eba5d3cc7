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
 * Nearly all of an answer is none of it, and is passed over: what spells a word
 * begins with one of a few runs of four bytes (clues), or has an escape near its
 * beginning. Reading starts a little before one of these, and stops where
 * nothing is begun any more.
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

/* Lines of base64 are folded, with LF or CR LF. */
#define FOLD_MAX 2u

/* A byte takes less than two digits of base64; each of them, and the fold
 * before it, may be spelt. Other lanes take less. */
#define HELD_FACTOR (2 * (1 + FOLD_MAX) * SPELLING_FACTOR)
#define HELD_SLACK 128u

struct word {
	uint8_t *bytes;
	size_t len;
	uint32_t *fallback; /* of the prefix of i + 1 bytes */
};

/* Four bytes that spell the beginning of a word, as a bit of a hash. */
#define CLUE 4u
#define CLUE_BITS 16u
/* From the beginning of what spells a word to the end of its clue, or to an
 * escape that took the place of one, there are fewer bytes than this. */
#define CLUE_NEAR 16u

struct words {
	struct word *words; /* owned */
	size_t room;
	size_t n;
	size_t longest;
	bool has_space;
	bool has_short; /* one is too short for clues */
	bool begins[256]; /* one of them begins so */
	uint8_t clues[(1u << CLUE_BITS) / 8];
};

struct lane {
	uint64_t *starts; /* a ring: where each of the found bytes stood */
	uint64_t n; /* bytes that went into it */
	uint32_t *found; /* of each word: the bytes that are there */
	uint32_t deepest; /* of found */
};

/* Digits, and the one before. */
struct digits {
	uint64_t n;
	uint64_t from;
	uint8_t last;
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
	uint64_t blotted; /* up to there, at least once */
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

static uint32_t
clue_hash(uint32_t four)
{
	return four * 2654435761u >> (32 - CLUE_BITS);
}

static bool
clue_has(const struct words *words, uint32_t four)
{
	const uint32_t hash = clue_hash(four);

	return (words->clues[hash / 8] >> hash % 8 & 1) != 0;
}

static void
clue_add(struct words *words, const char four[CLUE])
{
	uint32_t number = 0;

	for (size_t i = 0; i < CLUE; i++)
		number = number << 8 | (uint8_t)four[i];
	const uint32_t hash = clue_hash(number);
	words->clues[hash / 8] |= (uint8_t)(1u << hash % 8);
}

/* With each byte as it is or as its other: in hex the digit of the other case,
 * in base64 that of the other alphabet. */
static void
clues_add_both(struct words *words, const char *text, char (*other)(char byte))
{
	for (unsigned which = 0; which < 1u << CLUE; which++) {
		char four[CLUE];
		for (size_t i = 0; i < CLUE; i++)
			four[i] =
			    (which >> i & 1) != 0 ? other(text[i]) : text[i];
		clue_add(words, four);
	}
}

static char
hex_other(char c)
{
	return c >= 'a' ? (char)(c - 0x20) : c;
}

static char
base64_other(char c)
{
	return c == '+' ? '-' : c == '/' ? '_' : c;
}

/* In base64 the first digits that do not depend on the bytes before. */
static void
clues_add(struct words *words, const struct word *word)
{
	static const size_t first[] = { 0, 2, 3 };
	char text[16];

	if (word->len < 6) {
		words->has_short = true;
		return;
	}
	clue_add(words, (const char *)word->bytes);
	sodium_bin2hex(text, sizeof(text), word->bytes, 2);
	clues_add_both(words, text, hex_other);
	for (size_t before = 0; before < ARRAY_LEN(first); before++) {
		uint8_t whole[9] = { 0 };
		memcpy(whole + before, word->bytes, 6);
		sodium_bin2base64(text, sizeof(text), whole, sizeof(whole),
		    sodium_base64_VARIANT_ORIGINAL);
		clues_add_both(words, text + first[before], base64_other);
	}
	sodium_memzero(text, sizeof(text));
}

static int
word_add(struct words *words, const void *bytes, size_t len)
{
	if (len == 0 || words->n == words->room)
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
	words->has_space |= memchr(bytes, ' ', len) != NULL;
	clues_add(words, word);
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

	/* At most: what is sent of USER:PASSWORD, and two parts of it. */
	words->room = 3 * n;
	words->words = calloc(words->room + 1, sizeof(*words->words));
	if (words->words == NULL)
		return -ENOMEM;
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
	free(words->words);
}

/* ---- lanes ----------------------------------------------------------------
 */

static void
blot(struct scan *scan, uint64_t from, uint64_t to)
{
	/* What was told already cannot be: it was held back. */
	const size_t first = from > scan->at ? (size_t)(from - scan->at) : 0;

	memset(scan->out + first, '*', (size_t)(to - scan->at) - first);
	scan->blotted = to;
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
lane_search(struct scan *scan, struct lane *lane, uint8_t byte, uint64_t from,
    uint64_t to)
{
	const struct words *words = scan->words;

	lane->starts[lane->n++ & scan->ring] = from;
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

/* Nearly always nothing is begun, and this byte begins nothing. */
static inline void
lane_take(
    struct scan *scan, unsigned name, uint8_t byte, uint64_t from, uint64_t to)
{
	struct lane *lane = &scan->lanes[name];

	if (lane->deepest > 0 || scan->words->begins[byte])
		lane_search(scan, lane, byte, from, to);
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
	return (byte == '\r' || byte == '\n') && ++digits->n_fold <= FOLD_MAX;
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
	digits->n_fold = 0;
	digits->last = (uint8_t)digit;
	digits->from = from;
}

/* A byte as a reader has read it. */
static void
reader_take(struct scan *scan, unsigned reader, uint8_t byte, uint64_t from,
    uint64_t to)
{
	lane_take(scan, readers[reader].lane, byte, from, to);
	if (readers[reader].lane != LANE_ANY)
		return;
	hex_take(scan, byte, from, to);
	base64_take(scan, byte, from, to);
}

static void
on_byte(void *arg, uint8_t byte, uint64_t from, uint64_t to)
{
	struct scan *scan = arg;

	reader_take(scan, scan->reader, byte, from, to);
}

static bool
is_escape(uint8_t byte)
{
	return byte == '%' || byte == '\\' || byte == '&' || byte == '+';
}

static void
byte_read(struct scan *scan, uint8_t byte, uint64_t at)
{
	const bool escape = is_escape(byte);

	lane_take(scan, LANE_RAW, byte, at, at + 1);
	for (unsigned i = 0; i < N_READERS; i++) {
		if (readers[i].lane == LANE_FORM && !scan->words->has_space)
			continue;
		if (!escape && scan->spellings[i].n_pending == 0) {
			reader_take(scan, i, byte, at, at + 1);
			continue;
		}
		scan->reader = i;
		spelling_feed(&scan->spellings[i], byte, at, on_byte, scan);
	}
}

/* ---- what is passed over --------------------------------------------------
 */

/* Nothing is begun. */
static bool
is_quiet(const struct scan *scan, uint64_t at)
{
	if (scan->words->has_short || at < scan->blotted + CLUE_NEAR)
		return false;
	for (size_t i = 0; i < N_LANES; i++)
		if (scan->lanes[i].deepest > 0)
			return false;
	for (size_t i = 0; i < N_READERS; i++)
		if (scan->spellings[i].n_pending > 0)
			return false;
	return true;
}

/* Whether a line of base64 may be folded here. */
static bool
is_fold(const struct scan *scan, size_t i)
{
	const uint8_t byte = scan->out[i];

	return (byte == '\r' || byte == '\n') &&
	    (i == 0 || base64_digit(scan->out[i - 1]) >= 0);
}

/* The first byte from i on that ends a clue, or escapes. */
static size_t
clue_find(const struct scan *scan, size_t i, size_t len)
{
	const size_t first = i < CLUE - 1 ? CLUE - 1 : i;
	uint32_t four = 0;

	for (size_t at = first - (CLUE - 1); at < len; at++) {
		const uint8_t byte = scan->out[at];
		four = four << 8 | byte;
		if (at < i)
			continue;
		if (at >= first && clue_has(scan->words, four))
			return at;
		/* A '+' is one only where a word has a space. */
		if (is_escape(byte) && (byte != '+' || scan->words->has_space))
			return at;
		if (is_fold(scan, at))
			return at;
	}
	return len;
}

/* Where to read on: here, or where a word may have begun next. Until `look`
 * that is known. */
static size_t
pass_over(struct scan *scan, size_t i, size_t len, size_t *look)
{
	if (i < *look || !is_quiet(scan, scan->at + i))
		return i;
	const size_t found = clue_find(scan, i, len);
	*look = found + 1;
	if (found < i + CLUE_NEAR)
		return i;
	scan->hex = scan->base64 = (struct digits){ .n = 0 };
	return found - CLUE_NEAR;
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
	size_t look = 0;

	for (size_t i = first; i < len; i++) {
		i = pass_over(scan, i, len, &look);
		byte_read(scan, scan->out[i], scan->at + i);
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
