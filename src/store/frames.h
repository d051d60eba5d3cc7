/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Frames of the gateway out of a stream, put together piece by piece. What is
 * claimed is looked at before a byte of it is kept.
 */

#include <stddef.h>
#include <stdint.h>

#include "wire/registry.h"
#include "wire/wire.h"

#define FRAMES_E_BREACH 1 /* no frame that a gateway may send */

struct frames {
	struct wire_frame head;
	size_t have_head;
	uint8_t *body; /* owned; grows as bytes come */
	size_t have_body;
	size_t capacity;
};

/* A frame is complete; body has head->len bytes and one more, 0. The callee
 * may free or replace what holds `frames`, and then returns other than 0. */
typedef int
frames_fn(void *arg, const struct wire_frame *head, const uint8_t *raw_body);

void frames_fini(struct frames *frames);

/*
 * Takes bytes. FRAMES_E_BREACH: a type or length that is not allowed (*what
 * says which); -ENOMEM; or what fn returned.
 */
int frames_feed(struct frames *frames, const uint8_t *raw_bytes, size_t len,
    frames_fn *fn, void *arg, const char **what);
