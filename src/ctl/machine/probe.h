/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What this machine can do, found out by doing it. Each probe writes a short
 * line of what it found; a feature that is missing also gets what to do.
 */

#include <stdbool.h>
#include <stddef.h>

#define CTL_PROBE_TEXT 1024

enum ctl_probe_state {
	CTL_PROBE_OK,
	CTL_PROBE_WEAKER, /* they run, with one limit less */
	CTL_PROBE_MISSING, /* they cannot run */
};

struct ctl_finding {
	enum ctl_probe_state state;
	char text[CTL_PROBE_TEXT];
	char advice[CTL_PROBE_TEXT]; /* empty if there is nothing to do */
};

/* Whose it is. */
enum ctl_probe_of {
	CTL_PROBE_CELLS,
	CTL_PROBE_BOXES,
	CTL_PROBE_EGRESS,
	CTL_PROBE_KINDS
};

struct ctl_probe {
	enum ctl_probe_of of;
	const char *name;
	void (*run)(struct ctl_finding *finding);
};

/* egress.c */
void ctl_probe_egress_program(struct ctl_finding *finding);
void ctl_probe_names(struct ctl_finding *finding);
void ctl_probe_certificates(struct ctl_finding *finding);

/* The table of all, in the order of the report. */
extern const struct ctl_probe ctl_probes[];
extern const size_t ctl_n_probes;
