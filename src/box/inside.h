/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The child's half of a launch, from its first instruction in its new
 * namespaces to the payload's exec. Internal to box/.
 */

#include <stdbool.h>

#include "box/launch.h"
#include "box/root.h"

/* Between launcher and child: it may go on; how far it came. */
struct box_reply {
	int code;
	struct err err;
};

struct box_inside {
	const struct box_launch *launch;
	int control_fd; /* SOCK_SEQPACKET: a byte in, a struct box_reply out */
	const int *trees; /* made by the launcher; NULL: to be made here */
	uid_t uid; /* inside */
	gid_t gid;
	uid_t user_uid; /* of the launcher, for its map; with trees NULL */
	gid_t user_gid;
};

void box_inside_run(const struct box_inside *inside) __attribute__((noreturn));

/* Pid 1 of the box from then on (init/init.c). */
struct box_init {
	const struct box_spec *spec;
	int notes_fd;
	int listener_fd; /* -1: nothing is noted */
	pid_t payload;
	bool is_guarded; /* writing calls are init's (init/guard.h) */
};

void box_init_run(struct box_init *init) __attribute__((noreturn));

/* init/notice.c: one notification of the payload's filter. */
void box_notice_take(struct box_init *init);
void box_note_send(struct box_init *init, enum box_note_kind kind, int code,
    uint32_t pid, const char *text, size_t len);
/* The last words: how many notes were dropped. */
void box_notes_end(struct box_init *init);
