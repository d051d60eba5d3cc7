/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box/caps.h"

int
box_caps_drop(uint64_t keep)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
	    SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
	    SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
	    SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	/* A template was already robbed of CAP_SETPCAP: nothing to drop from
	 * the sets that need it. */
	if (prctl(PR_CAPBSET_READ, CAP_SETPCAP) == 1) {
		if (prctl(PR_SET_SECUREBITS, bits) < 0)
			return -errno;
		for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
			if (prctl(PR_CAPBSET_DROP, cap) < 0)
				return -errno;
	}

	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	const struct __user_cap_data_struct sets[2] = {
		{ .effective = (uint32_t)keep, .permitted = (uint32_t)keep },
		{ .effective = (uint32_t)(keep >> 32),
		    .permitted = (uint32_t)(keep >> 32) },
	};
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}
