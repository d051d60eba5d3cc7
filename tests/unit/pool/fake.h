/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The pool's surroundings, played by the test: the supervisor, templates and
 * cells at the other ends of socket pairs, and the event loop.
 */

#include "test.h"

#include <event2/event.h>

#include "pool/pool.h"
#include "wire/wire.h"

#define FAKE_DEPLOYMENTS_MAX 200

struct fake {
	struct event_base *base;
	struct pool *pool;
	struct pool_deployment deployments[FAKE_DEPLOYMENTS_MAX];
	struct pool_options options;
	int supervisor_fd; /* the supervisor's end */
	size_t n_open; /* descriptors of this process at the start */
};

/* A call, what was said of it, and what its callbacks do. */
struct told {
	struct fake *fake;
	struct pool_call *call; /* NULL once it is done */
	int n_done;
	int n_heads, n_logs, n_notes, n_asks, n_waits;
	size_t chunk_bytes, log_bytes, note_bytes;
	uint32_t last_ask;
	enum pool_end end;
	struct pool_usage usage;
	char text[1024]; /* of the outcome; "" for none */
	bool cancel_in_head, cancel_in_chunk, cancel_in_log;
	bool pause_in_head, pause_in_chunk;
	bool answer_in_ask, cancel_in_ask, cancel_in_note, cancel_in_wait;
	bool cancel_in_done;
	bool asks_nobody; /* its caller has no callbacks for that */
};

/* Limits a test may change before fake_start(). */
struct fake *fake_new(uint32_t n_deployments);
void fake_start(struct fake *fake);
/* Ends the pool; every descriptor of the pool must be closed by then. */
void fake_free(struct fake *fake);

/* Runs the loop until there is nothing more to do now. */
void fake_pump(struct fake *fake);
/* Runs the loop until the call is done; a watchdog ends a test that waits in
 * vain. */
void fake_await(struct fake *fake, const struct told *told);

/* The next message at the other end, after a pump: must be of this type. */
struct wire_message fake_expect(struct fake *fake, int fd, enum wire_type type);
void fake_expect_nothing(struct fake *fake, int fd);

/* The supervisor's part: OPEN is expected, OPENED is sent. The template's end
 * of the control channel. */
int fake_open(struct fake *fake, uint32_t deployment);
void fake_supervisor_say(
    struct fake *fake, enum wire_type type, uint32_t id, const char *text);

/* The template's part. */
void fake_surface_send(int control_fd, size_t len);
void fake_ready(struct fake *fake, int control_fd);
void fake_refuse(int control_fd, enum wire_code code, const char *text);
/* The cell's end of its stream. */
int fake_cell(int control_fd, uint32_t id);
void fake_exit(int control_fd, uint32_t id, int status, uint64_t cpu_us,
    uint64_t peak_kib);
/* All of it: open, ready, FORK expected, a cell delivered, its id is 1. */
int fake_serve(struct fake *fake, uint32_t deployment, int *control_fd);

/* The cell's part. */
void
fake_frame(int cell_fd, uint32_t type, int code, const void *bytes, size_t len);
#define fake_say(cell_fd, type, code, text)                                    \
	fake_frame(cell_fd, type, code, text, strlen(text))
/* The call is expected, and read. */
void fake_call_read(int cell_fd, enum pool_kind kind);
/* An answer to this ask is expected, with this text, and read. */
void fake_answer_read(int cell_fd, uint32_t ask, const char *text);
/* Whether the pool has let go of the stream. */
bool fake_is_hung_up(int cell_fd);

/* The caller's part. */
void fake_call(struct fake *fake, struct told *told, uint32_t deployment,
    enum pool_kind kind);

/* A tool call of deployment 0 with this JSON. */
void fake_call_long(
    struct fake *fake, struct told *told, const char *json, size_t len);

size_t fake_open_descriptors(void);

/* A wait status of wait(2). */
#define FAKE_KILLED_BY(sig) (sig)
#define FAKE_EXITED 0
