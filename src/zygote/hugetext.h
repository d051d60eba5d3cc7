/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The engine's code on huge pages. A file mapping is not copied by fork: every
 * cell would take some 150 page faults only to find V8's code and constants
 * again. Anonymous huge pages are inherited by one entry each.
 *
 * Which pieces are worth it is learnt from trials: each runs in a forked child
 * that does what cells do, then looks which pages it touched. Those 2 MiB
 * pieces of the program's read-only segments are moved. Returns how many; 0
 * where the kernel gives no huge pages (then nothing is changed: small pages
 * would make every fork slower). Must run on the only thread, outside of the
 * program's own code. Documentation/admin-guide/mm/transhuge.rst, pagemap.rst
 */
typedef void hugetext_trial(void);

int hugetext_remap(hugetext_trial *const *trials, int n_trials);
