/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a box says of itself: one datagram each on a SOCK_SEQPACKET pair, from
 * the box's init to whoever holds the other end: `cordon wrap`, or the gateway.
 * Init is in reach of a kernel that the payload has broken, so a reader checks
 * lengths and escapes text. Nothing is decided by a note.
 *
 * The pair is the leash, too: once the other end is closed, the box ends: TERM,
 * grace, KILL.
 */

#include <stdint.h>

enum box_note_kind {
	BOX_NOTE_FAILED = 1, /* code: errno; text: why it did not start */
	BOX_NOTE_STARTED, /* the walls stand; the program is started */
	BOX_NOTE_FILE, /* refused: code: enum box_verb; text: the path */
	BOX_NOTE_CALL, /* refused: code: system call number; text: its name */
	BOX_NOTE_NET, /* refused: text: "connect tcp 10.0.0.1:80" */
	BOX_NOTE_TOUCHED, /* BOX_NOTES_ALL: as FILE, but it was let through */
	BOX_NOTE_LOST, /* count: notes dropped, too many to tell */
	BOX_NOTE_LIMIT, /* text: the limit that ended it or a part of it */
	BOX_NOTE_EXITED, /* code: wait status of the payload; the last note */
	BOX_NOTE_STOPPED, /* code: the signal that stopped the payload (^Z) */
};

enum box_verb {
	BOX_VERB_READ,
	BOX_VERB_WRITE, /* open for writing, truncate, chmod, … */
	BOX_VERB_MAKE, /* create, mkdir, link, rename to */
	BOX_VERB_REMOVE, /* unlink, rmdir, rename from */
	BOX_VERB_RUN, /* execve */
	BOX_VERB_LOOK, /* stat, access, readlink: BOX_NOTES_ALL only */
};

#define BOX_NOTE_TEXT_MAX 4096u

struct box_note {
	uint32_t kind; /* enum box_note_kind */
	int32_t code;
	uint32_t pid; /* inside the box; 0: of none */
	uint32_t count;
	uint32_t text_len; /* at most BOX_NOTE_TEXT_MAX; bytes that follow */
	uint32_t reserved;
	char text[BOX_NOTE_TEXT_MAX];
};

#define BOX_NOTE_HEAD offsetof(struct box_note, text)

/* "read", "write", … Static. */
const char *box_verb_name(uint32_t verb);
