/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/err.h"
#include "box/spec.h"

/*
 * Layer 6: the same files once more, by another part of the kernel; signals and
 * abstract sockets stay among those who share this (Linux 6.12; before, that is
 * left to the namespaces). Called inside the box's root; needs no_new_privs.
 * Files may be read and run anywhere in it, written below the private folders
 * and the writable grants. -ENOSYS and a sentence where the kernel has no
 * Landlock. landlock(7)
 */
int box_landlock_enter(const struct box_spec *spec, struct err *err);

/* 0: none. */
int box_landlock_abi(void);
