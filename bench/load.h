/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the loads of the bench have in common: a clock, an end, a report. */

#include <stdint.h>

#define LOAD_SAMPLES_MAX 1000000u
#define LOAD_ANSWER_MAX 65536
#define LOAD_ID_FIRST 10000000u /* eight digits, counted up in place */
#define LOAD_STALL_MS 20000

struct load_samples {
	uint32_t n, n_failed;
	char failure[200];
	uint64_t ns[LOAD_SAMPLES_MAX];
};

/* One sentence on stderr, and the end. */
void load_die(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

uint64_t load_now_ns(void);

/* How long a call took; beyond the maximum it is counted by nobody. */
void load_sample(struct load_samples *samples, uint64_t started_ns);

/* A wrong answer: its beginning is kept, if it is the first. */
void load_fail(struct load_samples *samples, const char *answer);

/* One line of JSON on stdout; sorts the samples. */
void load_report(struct load_samples *samples, double seconds);
