/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What comes out of a box besides MCP: its stderr, and what its init notes
 * (box/note.h). Both are written by strangers: bounded in length and in rate,
 * they go into the server's log, and decide nothing. A box outlives its link,
 * until all of it has ended: its notes end when the supervisor has reaped it.
 */

#include "gateway/behind/behind.h"

struct box;

/* Takes the descriptors, on failure too. NULL: out of memory. */
struct box *box_new(struct link *link, int stderr_fd, int notes_fd);

/* Whether all that will ever be noted has been. */
bool box_is_over(const struct box *box);

/* Why it ended, as a sentence; NULL: nothing was said of it. */
const char *box_why(struct box *box, enum upstream_over *over);

/* Its link is over for this reason: stdin is closed, and it has two seconds;
 * then TERM, its grace, KILL. Nothing is told to the link any more. */
void box_leave(struct box *box, enum upstream_over over, const char *why);

/* link.c: its notes have ended. */
void link_box_over(struct link *link);
