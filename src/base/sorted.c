/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"

void
sorted_fini(struct sorted *set)
{
	free(set->items);
	set->items = NULL;
	set->n = set->capacity = 0;
}

size_t
sorted_place(const struct sorted *set, const void *key, bool *found)
{
	size_t low = 0, high = set->n;

	*found = false;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = set->compare(key, set->items[middle]);
		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

void *
sorted_find(const struct sorted *set, const void *key)
{
	bool found;
	const size_t at = sorted_place(set, key, &found);

	return found ? set->items[at] : NULL;
}

static int
sorted_grow(struct sorted *set)
{
	const size_t capacity = set->capacity == 0 ? 16 : set->capacity * 2;
	void **items = reallocarray(set->items, capacity, sizeof(*items));

	if (items == NULL)
		return -ENOMEM;
	set->items = items;
	set->capacity = capacity;
	return 0;
}

int
sorted_add(struct sorted *set, const void *key, void *item)
{
	bool found;
	const size_t at = sorted_place(set, key, &found);

	if (found)
		return -EEXIST;
	if (set->n == set->capacity && sorted_grow(set) != 0)
		return -ENOMEM;
	memmove(&set->items[at + 1], &set->items[at],
	    (set->n - at) * sizeof(*set->items));
	set->items[at] = item;
	set->n++;
	return 0;
}

void *
sorted_remove(struct sorted *set, const void *key)
{
	bool found;
	const size_t at = sorted_place(set, key, &found);

	if (!found)
		return NULL;
	void *item = set->items[at];
	set->n--;
	memmove(&set->items[at], &set->items[at + 1],
	    (set->n - at) * sizeof(*set->items));
	return item;
}
