/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The ways in which a byte is spelt in what an origin answers: as itself, as
 * %41, as \u0041 or \x41, as &#x41; — read from a stream, however it is cut.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPELLING_PERCENT 1u /* %41 */
#define SPELLING_PLUS 2u /* '+' is a space, as in forms */
#define SPELLING_SLASH 4u /* JSON, JavaScript, C: \n \/ \u0041 \x41 */
#define SPELLING_HTML 8u /* &amp; &#65; &#x41; */

#define SPELLING_MAX 12u /* bytes of the longest: a pair of surrogates */
/* The bytes that one byte is spelt with at most: &#x000041; */
#define SPELLING_FACTOR 10u

struct spelling {
	unsigned kinds;
	uint8_t pending[SPELLING_MAX]; /* what may be one's beginning */
	uint8_t n_pending;
	uint64_t at; /* where pending begins, in the stream */
};

/* Each byte that was read, and from where to where it stood. */
typedef void spelling_fn(void *arg, uint8_t byte, uint64_t from, uint64_t to);

/* Takes the byte that stands at `at`. */
void spelling_feed(struct spelling *spelling, uint8_t byte, uint64_t at,
    spelling_fn *fn, void *arg);
/* There are no more: what is pending is nobody's beginning. */
void spelling_end(struct spelling *spelling, spelling_fn *fn, void *arg);
