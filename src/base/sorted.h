/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pointers in an order: found in log n steps, walked in order. The set owns
 * its own memory, never what it points to; how many there may be is for its
 * user to bound.
 */

#include <stdbool.h>
#include <stddef.h>

/* <0, 0, >0 as memcmp(3): a key against the key of an item. */
typedef int sorted_compare_fn(const void *key, const void *item);

struct sorted {
	sorted_compare_fn *compare;
	void **items;
	size_t n;
	size_t capacity;
};

void sorted_fini(struct sorted *set);

/* Where the key is, or would be: the first item that is not before it. */
size_t sorted_place(const struct sorted *set, const void *key, bool *found);

/* NULL: there is none. */
void *sorted_find(const struct sorted *set, const void *key);

/* -EEXIST: an item with this key is there; -ENOMEM. */
int sorted_add(struct sorted *set, const void *key, void *item);

/* The item, which is then no longer in it; NULL. */
void *sorted_remove(struct sorted *set, const void *key);
