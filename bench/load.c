/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "load.h"

void
load_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

uint64_t
load_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void
load_sample(struct load_samples *samples, uint64_t started_ns)
{
	if (samples->n < LOAD_SAMPLES_MAX)
		samples->ns[samples->n++] = load_now_ns() - started_ns;
}

void
load_fail(struct load_samples *samples, const char *answer)
{
	samples->n_failed++;
	if (samples->failure[0] != '\0')
		return;
	snprintf(samples->failure, sizeof(samples->failure), "%.60s", answer);
	for (char *c = samples->failure; *c != '\0'; c++)
		if (*c == '"' || *c == '\\' || (unsigned char)*c < 0x20)
			*c = ' ';
}

static int
compare_ns(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Milliseconds, hundredths of the sorted sample (nearest rank). */
static double
sample_ms(const struct load_samples *samples, uint64_t hundredth)
{
	const uint64_t rank = (hundredth * samples->n + 99) / 100;

	return samples->n == 0
	    ? 0
	    : (double)samples->ns[rank == 0 ? 0 : rank - 1] / 1e6;
}

void
load_report(struct load_samples *samples, double seconds)
{
	qsort(samples->ns, samples->n, sizeof(samples->ns[0]), compare_ns);
	printf("{\"calls\":%u,\"failed\":%u,\"failure\":\"%s\","
	       "\"p50\":%.6f,\"p99\":%.6f,\"min\":%.6f,\"perSecond\":%.1f}\n",
	    samples->n, samples->n_failed, samples->failure,
	    sample_ms(samples, 50), sample_ms(samples, 99),
	    sample_ms(samples, 0), (double)samples->n / seconds);
}
