/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * "Assume V8 is owned": what native code in a cell would try. Compiled into the
 * glue of test builds only (-Dpayload=true), and into a program of its own that
 * tries the same where the walls are absent (control.c).
 */

struct payload_outcome {
	long result; /* of the system call; negative: it failed */
	int error; /* errno then */
};

/* 0, or -1 when there is no attack of that name. */
int payload_run(const char *name, struct payload_outcome *outcome);

/* The i-th attack's name; NULL past the last. */
const char *payload_name(int i);
