/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

#define CTL_ADDRESS_MAX 80

struct ctl_listener {
	int fd; /* listening, non-blocking; owned by the caller */
	bool is_loopback;
	char address[CTL_ADDRESS_MAX]; /* "127.0.0.1:7330", "[::1]:7330" */
};

/*
 * Binds and listens. `where` is ADDRESS:PORT with a numeric address or
 * "localhost"; port 0 takes any free one. `loopback_only` refuses any other
 * address. Negative errno.
 */
int ctl_listen(const char *where, bool loopback_only,
    struct ctl_listener *listener, struct err *err);
