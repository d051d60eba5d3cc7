/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/core.h"

#include <sys/resource.h>

/*
 * Where core_pattern is a pipe the kernel heeds no limit but 1 (core(5)). Not
 * PR_SET_DUMPABLE: a rootless box is made through our own /proc/self, which
 * would be root's.
 */
void
ctl_core_forbid(void)
{
	const struct rlimit one = { 1, 1 }, none = { 0, 0 };

	/* Who may have none may not have one either. */
	if (setrlimit(RLIMIT_CORE, &one) < 0)
		(void)setrlimit(RLIMIT_CORE, &none);
}
