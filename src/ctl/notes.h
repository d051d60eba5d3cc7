/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a box refused, for a person: each thing once, with how often, and the
 * option that would grant it. A file that is not there for the person either is
 * no refusal: programs search for many. All text is a stranger's and escaped.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/sorted.h"
#include "box/note.h"
#include "policy/network.h"
#include "wire/egress.h"

struct ctl_notes {
	const char *who; /* borrowed: "cordon wrap" */
	FILE *out; /* borrowed */
	bool json; /* one object a line */
	bool live; /* as they come, each once */
	/* borrowed: what its way out allows; NULL: it has none */
	const struct policy_network *network;
	const char *hint; /* borrowed; NULL: said where things went wrong */
	struct sorted refusals; /* owned, of struct refusal */
	uint64_t n_lost;
};

void ctl_notes_init(struct ctl_notes *notes, const char *who, FILE *out);
void ctl_notes_fini(struct ctl_notes *notes);

/*
 * Receives a note into `note` (NUL-terminated, which a datagram need not be).
 * 1; 0: the other end is closed; -EAGAIN: none is there; other negative errno.
 * Shorter or longer than it says of itself: -EPROTO, the next may be asked for.
 */
int ctl_note_read(int fd, struct box_note *note);

/*
 * Whether the person who started the box has that file; for one to be made
 * (enum box_verb), its folder. Step by step: a path through an automounter would
 * have our host look up a name that a stranger chose. What lies behind a link is
 * taken for there.
 */
bool ctl_note_is_there(const char *path, int32_t verb);

/* Notes a refusal; says at once what ended the box or its start. */
void ctl_notes_take(struct ctl_notes *notes, const struct box_note *note);

/* What went out, or did not: a refusal is noted with its reason. */
void
ctl_notes_event(struct ctl_notes *notes, const struct wire_egress_event *event);

/*
 * What would have to be granted for an event: a word for --net. False: no rule
 * grants it, or one denies it. Where there is a rule for a part of that host,
 * it is another part. network: what is granted by now; NULL: nothing.
 */
#define CTL_EVENT_WORD_MAX 450
bool ctl_event_word(const struct wire_egress_event *event,
    const struct policy_network *network, char word[CTL_EVENT_WORD_MAX]);

/* A line of ours: "kind" is for --json only. */
void ctl_notes_say(struct ctl_notes *notes, const char *kind, const char *text);

/* What is left to say, once the box has ended: the refusals, and the hint when
 * there were some or the program failed. */
void ctl_notes_end(struct ctl_notes *notes, int exit_code);
