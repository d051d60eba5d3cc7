/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A box seen from the outside, by the person who started it: it lives as long
 * as this process does. Signals that a process sent are handed on; those of the
 * terminal reach the program by themselves, which is of the same process group.
 * The terminal is left as it was found. Standard input, output and error are
 * the program's own: no byte of them passes through here.
 */

#include "base/err.h"
#include "box/note.h"
#include "box/spec.h"
#include "ctl/way.h"

typedef void ctl_note_fn(void *context, const struct box_note *note);

struct ctl_watcher {
	const struct box_spec *spec; /* borrowed */
	ctl_note_fn *note; /* for each note that comes */
	void *context; /* borrowed: for it, and for events */
	struct ctl_way *way; /* borrowed: settled; NULL: there is none */
	ctl_event_fn *event; /* for each event of the way out */
};

/*
 * Starts a box and waits for its end. The exit code as of launch.h:
 * BOX_EXIT_FAILED and a sentence in err when there was no start, else err is
 * left alone. Called once a process: signals stay blocked.
 */
int ctl_watcher_run(const struct ctl_watcher *watcher, struct err *err);
