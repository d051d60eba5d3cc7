/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The engine's code on huge pages. A file mapping is not copied by fork: every
 * cell would take some 150 page faults only to find V8's code and constants
 * again. Anonymous huge pages are inherited by one entry each.
 *
 * Moves those 2 MiB pieces of the program's read-only segments that were
 * touched so far. Returns how many; 0 where the kernel gives no huge pages
 * (then nothing is changed: small pages would make every fork slower). Must
 * run on the only thread, outside of the program's own code.
 * Documentation/admin-guide/mm/transhuge.rst, pagemap.rst
 */
int hugetext_remap(void);
