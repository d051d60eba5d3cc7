/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * gzip and deflate, undone piece by piece: what comes out is bounded by who
 * takes it, however small what went in was. The engine brings zlib along.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define INFLATE_PIECE (64u << 10)
#define INFLATE_MAX 128u /* streams at once */

enum inflate_said {
	INFLATE_HUNGRY, /* nothing comes out before more goes in */
	INFLATE_COMPLETE,
	INFLATE_BROKEN,
};

/* A stream: gzip, or deflate (RFC 1950, or RFC 1951 as some servers have it).
 * -1: there are INFLATE_MAX of them, or no memory. */
int inflate_open(bool is_gzip);
void inflate_close(uint32_t stream);
/* Bytes for it, copied; once the former ones were used up. False: no memory. */
bool inflate_feed(uint32_t stream, const uint8_t *bytes, size_t len);
/* At most INFLATE_PIECE bytes; none: why not. */
enum inflate_said
inflate_take(uint32_t stream, uint8_t piece[INFLATE_PIECE], size_t *len);

#ifdef __cplusplus
}
#endif
