/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The certificate of `cordon serve`: read as the person who typed it, checked
 * before it is handed on, so that a wrong one is told now and not at the first
 * client.
 */

#include "base/err.h"

/*
 * A sealed memfd with the certificate chain and the key, PEM one after the
 * other. Refused with a sentence: a file that cannot be read, a key that others
 * can read, what is no PEM, a key of another certificate. Negative errno.
 */
int ctl_tls_read(
    const char *cert_path, const char *key_path, int *tls_fd, struct err *err);
