/* SPDX-License-Identifier: Apache-2.0 */
#include "package/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
words_add(struct words *words, const char *format, ...)
{
	char *word = NULL;
	va_list list;

	va_start(list, format);
	const int n = vasprintf(&word, format, list);
	va_end(list);
	char **grown = n < 0
	    ? NULL
	    : reallocarray(words->items, words->n + 2, sizeof(*grown));
	if (grown == NULL) {
		if (n >= 0)
			free(word);
		words->has_failed = true;
		return;
	}
	words->items = grown;
	words->items[words->n++] = word;
	words->items[words->n] = NULL;
}

char **
words_steal(struct words *words)
{
	char **items = words->items;

	if (words->has_failed) {
		words_fini(words);
		return NULL;
	}
	if (items == NULL)
		items = calloc(1, sizeof(*items));
	*words = (struct words){ 0 };
	return items;
}

void
words_fini(struct words *words)
{
	words_free(words->items);
	*words = (struct words){ 0 };
}

void
words_free(char **items)
{
	if (items == NULL)
		return;
	for (char **item = items; *item != NULL; item++)
		free(*item);
	free(items);
}
