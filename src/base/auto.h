/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ownership in the type of a local variable: what is declared auto_… is
 * given back when its scope ends. Hand it on with fd_steal()/steal_ptr().
 */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define auto_free __attribute__((cleanup(auto_free_cleanup)))
#define auto_close __attribute__((cleanup(auto_close_cleanup)))
#define auto_fclose __attribute__((cleanup(auto_fclose_cleanup)))

static inline void
auto_free_cleanup(void *pp)
{
	free(*(void **)pp);
}

static inline void
auto_close_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void
auto_fclose_cleanup(FILE **file)
{
	if (*file != NULL)
		fclose(*file);
}

/* Moves the descriptor out: the source is left "none" (-1). */
static inline int
fd_steal(int *fd)
{
	const int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void *
auto_steal_ptr(void *pp)
{
	void **source = pp, *taken = *source;

	*source = NULL;
	return taken;
}

/* Moves the pointer out: the source is left NULL. */
#define steal_ptr(pp) ((__typeof__(*(pp)))auto_steal_ptr(pp))
