/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Replays a corpus folder through a fuzz target, then changes its files at
 * random, with a fixed seed: the same run every time.
 *
 *     fuzz_json CORPUS [ROUNDS]
 */

#include <dirent.h>
#include <err.h>
#include <string.h>

#include "base/auto.h"
#include "fuzz.h"

#define FILE_MAX_BYTES (1u << 16)
#define FILES_MAX 512

struct sample {
	uint8_t *bytes;
	size_t len;
};

static struct sample samples[FILES_MAX];
static size_t n_samples;

static uint64_t
next_random(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static size_t
random_below(size_t limit)
{
	return limit == 0 ? 0 : (size_t)(next_random() % limit);
}

/* A copy of exactly its size, so that a sanitizer sees a read past its end. */
static void
run_once(const uint8_t *bytes, size_t len)
{
	auto_free uint8_t *copy = malloc(len == 0 ? 1 : len);

	if (copy == NULL)
		err(1, "no memory for a sample");
	memcpy(copy, bytes, len);
	LLVMFuzzerTestOneInput(copy, len);
}

static void
sample_load(const char *folder, const char *name)
{
	char path[4096];
	static uint8_t buffer[FILE_MAX_BYTES];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	auto_fclose FILE *file = fopen(path, "re");
	if (file == NULL)
		err(1, "cannot open %s", path);

	const size_t len = fread(buffer, 1, sizeof(buffer), file);
	uint8_t *bytes = malloc(len + 1);
	if (bytes == NULL || n_samples == FILES_MAX)
		errx(1, "too many samples in %s", folder);
	memcpy(bytes, buffer, len);
	samples[n_samples++] = (struct sample){ bytes, len };
}

static int
by_content(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	const size_t shorter = x->len < y->len ? x->len : y->len;
	const int order = memcmp(x->bytes, y->bytes, shorter);

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static void
corpus_load(const char *folder)
{
	DIR *dir = opendir(folder);

	if (dir == NULL)
		err(1, "cannot read the corpus %s", folder);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (entry->d_name[0] != '.')
			sample_load(folder, entry->d_name);
	closedir(dir);
	if (n_samples == 0)
		errx(1, "the corpus %s is empty", folder);
	qsort(samples, n_samples, sizeof(samples[0]), by_content);
}

/* One small change: a byte, a cut, a repetition, a piece of another sample. */
static size_t
mutate(uint8_t *bytes, size_t len)
{
	const struct sample *other = &samples[random_below(n_samples)];
	const size_t at = random_below(len), from = random_below(other->len);
	size_t n = 1 + random_below(16);

	switch (next_random() % 4) {
	case 0:
		if (len > 0)
			bytes[at] = (uint8_t)next_random();
		return len;
	case 1:
		n = n < len - at ? n : len - at;
		memmove(bytes + at, bytes + at + n, len - at - n);
		return len - n;
	case 2:
		if (len > 0)
			bytes[at] ^= (uint8_t)(1u << (next_random() % 8));
		return len;
	default:
		n = n < other->len - from ? n : other->len - from;
		if (len + n > FILE_MAX_BYTES)
			return len;
		memmove(bytes + at + n, bytes + at, len - at);
		memcpy(bytes + at, other->bytes + from, n);
		return len + n;
	}
}

static void
run_mutations(size_t rounds)
{
	static uint8_t bytes[FILE_MAX_BYTES];

	for (size_t i = 0; i < rounds; i++) {
		const struct sample *sample = &samples[i % n_samples];
		size_t len = sample->len;

		memcpy(bytes, sample->bytes, len);
		for (size_t n = 1 + random_below(4); n > 0; n--)
			len = mutate(bytes, len);
		run_once(bytes, len);
	}
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		errx(2, "usage: %s CORPUS [ROUNDS]", argv[0]);

	const size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
	corpus_load(argv[1]);
	for (size_t i = 0; i < n_samples; i++)
		run_once(samples[i].bytes, samples[i].len);
	run_mutations(rounds);
	printf("%zu samples and %zu changes of them held\n", n_samples, rounds);
	for (size_t i = 0; i < n_samples; i++)
		free(samples[i].bytes);
	return 0;
}
