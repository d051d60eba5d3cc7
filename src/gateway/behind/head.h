/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The head of a response, as a cell claims it: hostile until admitted. A name
 * or value that could end a line would let a bundle write headers, or whole
 * answers, in this host's name.
 */

#include <stdbool.h>
#include <stddef.h>

#include "http/server.h"

#define HEAD_HEADERS_MAX 64
#define HEAD_TEXT_MAX 16384 /* decoded names and values, with their NULs */

#define HEAD_E_BROKEN 1

struct head {
	unsigned status; /* 200 to 599 */
	size_t n_headers;
	struct http_header headers[HEAD_HEADERS_MAX + 2]; /* room for ours */
	size_t text_len;
	char text[HEAD_TEXT_MAX]; /* what the headers point into */
};

/* Reads [status, [[name, value], …]]. Headers that head_drops() names are left
 * out. HEAD_E_BROKEN. */
int head_admit(const char *raw_json, size_t len, struct head *head);

/* Whether a header stays between client and host, in both directions. */
bool head_drops(const char *name);

bool head_is_event_stream(const struct head *head);
