/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The names that a box has asked for, each with an address of BOX_NET that only
 * means it. Once given, it stays for the box's life: what was dialled says
 * which name was meant.
 */

#include <stdint.h>

#define NAMES_MAX 4096u

#define NAMES_E_FULL 1

struct names;

int names_new(struct names **namesp);
struct names *names_free(struct names *names);
/* The address (host order) of a host (canonical, copied). NAMES_E_FULL,
 * -ENOMEM. */
int names_take(struct names *names, const char *host, uint32_t *address);
/* Borrowed for the life of names; NULL: nobody has it. */
const char *names_find(const struct names *names, uint32_t address);
