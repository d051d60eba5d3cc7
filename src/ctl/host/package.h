/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The trees of packages that servers of a host run from (package/package.h),
 * as the commands look after them: on the host's own machine alone, with the
 * state folder that is ours, too.
 */

#include "ctl/host/admin.h"
#include "package/package.h"

/* The digest of the tree that a server runs from; "": from none, or it is not
 * ours to look at. An exit code, with the sentence said. */
int ctl_package_find(const struct ctl_admin *admin, const char *name,
    char digest[PACKAGE_DIGEST_HEX]);

/* Byte by byte: what is approved is what is there. An exit code as above. */
int ctl_package_check(const struct ctl_admin *admin, const char *name);

/* Removes a tree that no server of any tenant runs from any more. It stays in
 * doubt: where not all servers could be asked for. */
void ctl_package_drop(
    const struct ctl_admin *admin, const char digest[PACKAGE_DIGEST_HEX]);
