/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A list of words that grows, NULL-ended, for argv and environments. The first
 * failure sticks; only the end asks. */

#include <stdbool.h>
#include <stddef.h>

struct words {
	char **items; /* owned, as each of them; NULL while empty */
	size_t n;
	bool has_failed; /* no memory */
};

void words_add(struct words *words, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Moves the list out, never NULL unless it had failed. */
char **words_steal(struct words *words);
void words_fini(struct words *words);

/* Frees a list that was stolen; takes NULL. */
void words_free(char **items);
