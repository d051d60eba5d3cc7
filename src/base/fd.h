/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Descriptors and the bytes behind them. None of these functions waits for a
 * signal to be retried by the caller: EINTR is handled here.
 */

#include <stddef.h>
#include <stdint.h>

/* Writes all of it to a blocking descriptor. Negative errno. */
int fd_write_all(int fd, const void *bytes, size_t len);

/*
 * Reads to the end of a blocking descriptor, `max` bytes at most: more is
 * -EFBIG. The caller frees *bytes, which has a NUL behind its end that *len
 * does not count.
 */
int fd_read_all(int fd, size_t max, uint8_t **bytes, size_t *len);

/*
 * A memfd that holds these bytes and can never change (F_SEAL_WRITE, GROW,
 * SHRINK, SEAL), at offset 0. The name shows in /proc only. The caller owns
 * *memfd. Negative errno.
 */
int fd_memfd_seal(const char *name, const void *bytes, size_t len, int *memfd);

/* Lets an exec'd program inherit the descriptor. Negative errno. */
int fd_inherit(int fd);
