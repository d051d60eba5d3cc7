/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The gateway's end of the stream to the store (wire/registry.h). The store may
 * go away and come back at any time: what is to be said to it waits, up to a
 * bound; what was asked of it is answered with 503.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/registry.h"
#include "wire/wire.h"

struct gateway;

#define STORE_AUDIT_MAX (4u << 20) /* bytes of audit that are not yet kept */
#define STORE_REPLY_MAX (16u << 20) /* a list of all servers, a page of audit */
#define STORE_ASKED_MAX 16u /* admin requests at once */
#define STORE_ASKED_BYTES (96u << 20) /* and the bytes of all of them */

/* -ENOMEM. */
int store_start(struct gateway *gateway);
void store_stop(struct gateway *gateway);
/* Before the process ends: what waits to be said, as far as the store takes it
 * at once. */
void store_last_words(struct gateway *gateway);

/* Takes the descriptor of a store that has (re)started; the last one's is
 * closed. */
void store_connect(struct gateway *gateway, int fd);

bool store_is_here(const struct gateway *gateway);

/* For registry.c. */
void store_session_end(struct gateway *gateway, const struct wire_ended *ended);

/* What the store answers, or status 503 with a sentence of ours when it left;
 * the JSON is borrowed. */
typedef void
store_reply_fn(void *arg, unsigned status, const char *json, size_t len);

#define STORE_E_AWAY 1
#define STORE_E_BUSY 2

/* Asks the store. The body is copied. *idp is for store_forget(). -ENOMEM. */
int store_ask(struct gateway *gateway, const struct wire_admin *admin,
    const uint8_t *body, size_t len, store_reply_fn *fn, void *arg,
    uint32_t *idp);
/* The callback will not come. */
void store_forget(struct gateway *gateway, uint32_t id);

struct store_counts {
	uint64_t audit_sent;
	uint64_t audit_dropped;
	uint64_t connects;
};
void
store_counts_get(const struct gateway *gateway, struct store_counts *counts);

/*
 * The reader of frames, by itself: bytes in, whole frames out. What it is given
 * is hostile.
 */
struct store_reader {
	struct wire_frame head;
	size_t head_len; /* bytes of head that are there */
	uint8_t *payload; /* owned */
	size_t payload_len;
};

/* 0: go on. Anything else ends the reading. */
typedef int store_frame_fn(
    void *arg, const struct wire_frame *frame, const uint8_t *payload);

#define STORE_E_BROKEN 3

/* STORE_E_BROKEN: a frame that the store never sends; -ENOMEM; what the
 * function said. */
int store_reader_feed(struct store_reader *reader, const uint8_t *raw_bytes,
    size_t len, store_frame_fn *fn, void *arg);
void store_reader_fini(struct store_reader *reader);
