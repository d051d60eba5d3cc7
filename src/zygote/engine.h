/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * V8 behind a C header. One engine a process, one thread; everything here is
 * inherited warm by fork. The engine computes: every byte in and out goes
 * through the functions of answer.h, which are plain C.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/err.h"
#include "base/pack.h"
#include "wire/egress.h"
#include "wire/wire.h"

#define ENGINE_JITLESS 1u

/*
 * Starts V8 and evaluates the platform script (js/README.md). -EINVAL with a
 * sentence when the engine is another version than this was built for, or the
 * platform does not evaluate.
 */
int
engine_init(uint32_t flags, const char *platform, size_t len, struct err *err);

/* Lets the heap grow to bytes; near its end the running code is interrupted
 * with WIRE_CODE_MEMORY. */
void engine_heap_limit(uint64_t bytes);

/*
 * Evaluates a bundle; files are borrowed for the engine's life. 0, or the code
 * of the refusal; then engine_error() tells. Runs tenant code.
 */
enum wire_code engine_load(const struct pack_file *files, uint32_t n_files);

/* What the bundle advertises, JSON; borrowed. After engine_load(). */
const char *engine_surface(size_t *len);

/* {"message", …}: the last error as JSON; borrowed. */
const char *engine_error(size_t *len);

/* Serves the dummy calls; the answers must be muted. Runs tenant code. False:
 * they used up what the first caller needs (a server of one session), so that
 * this process must not serve. */
bool engine_warm(void);

/* Before the forks: gives back what loading left behind, so that no cell has
 * to copy it. Bytecode stays (--no-flush-bytecode). */
void engine_seal(void);

/* In a new cell: fresh randomness. 0 or negative errno. */
int engine_reseed(void);

/* Touches the pages that the coming call will allocate from. */
void engine_populate(void);

/* Starts a call; kind 0 a tool, 1 a request. Runs tenant code. The answer
 * comes through answer.h, perhaps only after some turns. */
void engine_call(int kind, const char *json, size_t json_len,
    const uint8_t *body, size_t body_len);

/* The answer to an ask of the call came: {"result"} or {"error"}. What waits
 * for it runs in the next turn. */
void engine_answer(uint32_t ask, const char *json, size_t len);

/*
 * What egress said of a fetch (wire/egress.h): HEAD, DATA, END, FAIL, ROOM. What
 * waits for it runs in the next turn. False: it is misshapen.
 */
bool engine_fetched(enum wire_egress_frame type, uint32_t number, int32_t code,
    const uint8_t *bytes, size_t len);
/* There is room again for what was told to come later (way.h). */
void engine_fetch_room(void);

/*
 * One turn of the loop: microtasks, V8's own tasks, at most one due timer.
 * Milliseconds until the next timer; 0: call again; -1: nothing is left that
 * could ever happen. Runs tenant code.
 */
int engine_turn(void);

/*
 * From a signal handler: stop the running code as soon as it can be stopped;
 * the answer becomes FAIL with this code and where it was.
 */
void engine_interrupt(enum wire_code code);

/* Has the running code been stopped? Then the process is at its end. */
bool engine_is_stopped(void);

/* After a stop: makes engine_error() tell where it was; returns the code. */
enum wire_code engine_stop_describe(void);

/* Called when the engine cannot go on (no memory); must end the process. */
typedef void engine_fatal_fn(enum wire_code code, const char *sentence);
void engine_fatal_set(engine_fatal_fn *fn);

#ifdef __cplusplus
}
#endif
