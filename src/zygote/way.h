/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A cell's way out: fetches, as frames on descriptor 1 (wire/egress.h). It is
 * there only where the deployment may reach something, and open only while a
 * call is served: a bundle that is loaded or warmed up asks nobody.
 *
 * Sending never waits: what the socket does not take stays in a queue of
 * WAY_QUEUE_MAX bytes, and goes on from the cell's loop. What comes is checked
 * strictly; a frame that egress never sends breaks the stream, and with it what
 * was under way, which is told.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/egress.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef WAY_FD
#define WAY_FD 1
#endif
#define WAY_QUEUE_MAX (1u << 20) /* of requests and bodies */

enum way_said {
	WAY_SAID,
	WAY_LATER, /* the queue is full, or WIRE_FETCH_OPEN_MAX are open: say it
		    * again when engine_fetch_room() is called */
	WAY_NONE, /* this deployment may reach nothing */
	WAY_NO_CALL, /* the bundle is loaded, or warmed up */
	WAY_BROKEN, /* egress is gone, or said nonsense */
	WAY_TOO_LONG, /* longer than WIRE_FETCH_HEAD_MAX */
};

/* This deployment has a way out, its cells' descriptor 1. */
void way_grant(void);

/* A call begins and ends; the end cancels what is open. */
void way_begin(void);
void way_end(void);

/* "METHOD\0URL\0name\0value\0…" under a number that was never used. */
enum way_said
way_fetch(uint32_t number, int flags, const uint8_t *bytes, size_t len);
/* At most WIRE_FETCH_DATA_MAX bytes; none: the end. */
enum way_said way_body(uint32_t number, const uint8_t *bytes, size_t len);
void way_room(uint32_t number, uint32_t bytes);
void way_cancel(uint32_t number);

/* Something may still come, or waits to be sent. */
bool way_is_used(void);
/* Of no use to another call: what egress counts of a call, it counts of the
 * stream; and a stream that broke is not mended. */
bool way_is_spent(void);
/* What to poll for: the descriptor, or -1. */
int way_poll(short *events);
/* Sends and hears; what is heard goes to engine_fetched(). */
void way_serve(short revents);

#ifdef __cplusplus
}
#endif
