/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The gateway's log: one line an event on stderr, for people or as JSON. What
 * strangers wrote is escaped. Never a secret, never a body.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR,
};

void log_init(bool json, enum log_level least);

/* `request` 0: of no request. */
void log_line(enum log_level level, uint64_t request, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A console line of a tool. */
void log_tool(enum log_level level, uint64_t request, const char *server,
    const char *raw_text, size_t len);
