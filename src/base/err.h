/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The sentence for a person: what was wrong, where, and what to do. A fixed
 * buffer, so that saying it cannot fail. Functions take it last, may be given
 * NULL, and write it only when they fail.
 */
struct err {
	char text[1024];
};

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the sentence; returns `code`, so that a guard is one statement. */
int err_set(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif
