/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Writing JSON: bytes appended to one buffer that grows to a stated limit. The
 * first failure sticks and everything after it is ignored, so that only the
 * end asks: json_out_status().
 */

#include <stddef.h>
#include <stdint.h>

#include "json/json.h"

struct json_out {
	char *bytes; /* owned; not terminated */
	size_t len;
	size_t capacity;
	size_t limit;
	int status; /* 0, -ENOMEM, JSON_E_TOO_LONG */
};

void json_out_init(struct json_out *out, size_t limit);
void json_out_fini(struct json_out *out);

/* What was written, borrowed until more is. */
struct json_span json_out_written(const struct json_out *out);

/* Empties it; the memory stays. */
void json_out_reset(struct json_out *out);

/* Moves the bytes out, for free(); the writer is left empty. NULL if it had
 * failed, or never got a byte. */
char *json_out_steal(struct json_out *out, size_t *len);

int json_out_status(const struct json_out *out);

/* Bytes as they are. */
void json_out_raw(struct json_out *out, const char *bytes, size_t len);
void json_out_text(struct json_out *out, const char *text);
void json_out_span(struct json_out *out, struct json_span value);
void json_out_uint(struct json_out *out, uint64_t number);

/*
 * A string, quoted and escaped. What is not UTF-8 becomes U+FFFD, one per bad
 * byte: any bytes make a valid string. DEL and C1 controls are escaped too, so
 * that no terminal obeys them.
 */
void json_out_string(struct json_out *out, const char *raw_bytes, size_t len);
