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

/* What a line is about, member by member; what is NULL or 0 is left out. */
struct log_fields {
	uint64_t request;
	const char *principal; /* its token's name */
	uint32_t principal_id;
	const char *tenant;
	const char *server;
	const char *method; /* JSON-RPC */
	const char *trace; /* raw: traceparent */
	const char *outcome;
	unsigned status; /* HTTP */
	uint64_t us; /* how long it took */
};

void log_event(enum log_level level, const struct log_fields *fields,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A console line of a tool. */
void log_tool(enum log_level level, uint64_t request, const char *server,
    const char *raw_text, size_t len);

const char *log_level_name(enum log_level level);

#define LOG_ID_MAX 17
/* A request as it is called everywhere: 16 hexadecimal digits. */
void log_id(char text[LOG_ID_MAX], uint64_t request);

#define LOG_TIME_MAX 64
void log_time(char text[LOG_TIME_MAX]); /* now: 2026-01-02T03:04:05.678Z */
