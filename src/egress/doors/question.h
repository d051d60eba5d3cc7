/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One datagram of DNS in, one out (RFC 1035 4.1, RFC 9460). Pure functions.
 * What is read is a header and one question without compression: no more is
 * needed to answer, and nothing else of a datagram is looked at.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUESTION_BYTES_MAX (12 + 255 + 4) /* header, name, type and class */
#define QUESTION_ANSWER_MAX (QUESTION_BYTES_MAX + 16)
#define QUESTION_TEXT_MAX 256

enum question_type {
	QUESTION_A = 1,
	QUESTION_PTR = 12,
	QUESTION_AAAA = 28,
};

enum question_code {
	QUESTION_NOERROR = 0,
	QUESTION_FORMERR = 1,
	QUESTION_SERVFAIL = 2,
	QUESTION_NXDOMAIN = 3,
	QUESTION_NOTIMP = 4,
	QUESTION_REFUSED = 5,
};

struct question {
	size_t len; /* of the datagram, to the question's end */
	uint16_t type;
	uint16_t class;
	char name[QUESTION_TEXT_MAX]; /* raw, labels joined by dots; "" where a
				       * label holds a dot, or what is not
				       * printable */
};

/*
 * QUESTION_NOERROR: question is filled in. FORMERR, NOTIMP: it can be answered
 * so, with question->len bytes echoed. -1: no answer at all (too short, or an
 * answer itself).
 */
int question_read(const uint8_t *raw, size_t len, struct question *question);

/* The answer; `address` (host order; NULL: none) for ttl seconds. Returns its
 * length. */
size_t question_answer(const uint8_t *raw, const struct question *question,
    enum question_code code, const uint32_t *address, uint32_t ttl,
    uint8_t out[QUESTION_ANSWER_MAX]);
