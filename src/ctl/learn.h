/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a program touched, boiled down to what a policy would have to grant: a
 * path each, with the reason. Folders of which it touched much stand for what
 * is in them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "box/note.h"

#define CTL_LESSON_WHY_MAX 160u

struct ctl_lesson {
	char *path; /* owned */
	uint32_t verbs; /* 1 << enum box_verb, of it or of what is in it */
	uint32_t n_places; /* that it stands for */
	bool writes;
	bool is_secret; /* named, never proposed */
};

struct ctl_lessons {
	struct ctl_lesson *at; /* owned; by path once settled */
	size_t n;
	size_t room;
	bool is_short; /* memory ran out: some are missing */
};

/* Takes a note of kind FILE or TOUCHED: what exists for the user, and no box
 * has anyhow. */
void ctl_lessons_add(struct ctl_lessons *lessons, const struct box_note *note);
/* Boils down what was added. */
void ctl_lessons_settle(struct ctl_lessons *lessons);
void ctl_lessons_fini(struct ctl_lessons *lessons);

/* "read, looked at; 12 places in it". */
void
ctl_lesson_why(const struct ctl_lesson *lesson, char why[CTL_LESSON_WHY_MAX]);

/* Whether a path is where keys, passwords and histories are kept. */
bool ctl_lesson_is_secret(const char *path);

/* ---- hosts ----------------------------------------------------------------- */

#define CTL_HOSTS_MAX 64u /* of one run: a flood of names is no lesson */

struct ctl_host {
	char *word; /* owned: for --net */
	char *why; /* owned */
};

struct ctl_hosts {
	struct ctl_host *at; /* owned; in the order they were asked for */
	size_t n;
};

/* Each word once. */
void ctl_hosts_add(struct ctl_hosts *hosts, const char *word, const char *why);
void ctl_hosts_fini(struct ctl_hosts *hosts);
