/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * No core file of this process, nor of what it starts, from here on: said where
 * a key or the value of a secret is first read.
 */
void ctl_core_forbid(void);
