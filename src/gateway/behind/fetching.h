/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The caller's side of a stream of fetches (wire/egress.h): requests go out to
 * egress, what comes back is a stranger's answer. Nothing calls back from
 * inside of fetching_start(), fetching_cancel() or fetching_free(); each of
 * these may be called from a callback.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/egress.h"

struct event_base;
struct fetching; /* the stream */
struct fetch_one; /* one request */

struct fetching_ops {
	/* status: 200 to 599; url: that answered; headers: whole pairs of
	 * strings, "name\0value\0…". Once, before data. */
	void (*head)(void *arg, unsigned status, const char *url,
	    const char *headers, size_t len);
	void (*data)(void *arg, const char *raw_bytes, size_t len);
	/* The end, once: OK, the answer is complete; else text says why there
	 * is none, or no more. The request is gone after it. */
	void (*over)(void *arg, enum wire_egress_end end, const char *text);
};

struct fetching_request {
	const char *method;
	const char *url;
	const char *headers; /* "name\0value\0…" */
	size_t headers_len;
	unsigned flags; /* WIRE_FETCH_…, without BODY */
	const char *body; /* copied; NULL: there is none */
	size_t body_len;
};

/* Egress is gone, or speaks what is not its part: every request has been told
 * already. */
typedef void fetching_lost_fn(void *arg);

/* Takes the descriptor, on failure too. -ENOMEM. */
int fetching_new(struct fetching **fetchingp, struct event_base *base,
    int raw_fd, fetching_lost_fn *lost, void *arg);
/* Nobody is told of anything any more. */
struct fetching *fetching_free(struct fetching *fetching);

/* Whose the next requests are; 0: nobody's. */
void fetching_principal_set(struct fetching *fetching, uint32_t principal);

/* -ENOMEM, -E2BIG: the head is over WIRE_FETCH_HEAD_MAX; -EPIPE: lost;
 * -EAGAIN: WIRE_FETCH_OPEN_MAX are open. */
int fetching_start(struct fetching *fetching,
    const struct fetching_request *request, const struct fetching_ops *ops,
    void *arg, struct fetch_one **onep);
/* over() is not called. */
void fetching_cancel(struct fetch_one *one);

/* The first header of this name; NULL. Case does not count. */
const char *fetching_header(const char *headers, size_t len, const char *name);
