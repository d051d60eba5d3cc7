/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The authority that TLS is ended with for boxes of this person: made once by
 * cordon-egress, kept in the state folder (egress/key.pem, cert.pem), trusted by
 * no program but those in a box that is given it.
 */

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"
#include "ctl/settings.h"

struct ctl_authority {
	char folder[PATH_MAX]; /* of both */
	char certificate[PATH_MAX]; /* cert.pem */
	char bundle[PATH_MAX]; /* bundle.pem: the system's, and that one */
	/* The system's is a plain file, where programs look that ask no
	 * variable; over a link nothing can be laid. */
	bool over_system;
};

/*
 * Makes what is missing; adds key and certificate to the settings, whose
 * certificates are the system's. Negative errno and a sentence.
 */
int ctl_authority_take(struct ctl_settings *settings,
    struct ctl_authority *authority, struct err *err);
