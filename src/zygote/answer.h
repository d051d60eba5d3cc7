/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The answer to the one call that a cell serves, and what it says and asks
 * before: frames on its one descriptor. Sizes are checked here, before bytes
 * leave; the caller checks them again. While muted (a warm-up) everything is
 * swallowed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Frames go to fd (borrowed); -1 mutes. Forgets all of the former call. */
void answer_begin(int fd, const struct wire_limits *limits);

void answer_log(int level, const char *text, size_t len);
void answer_result(const char *json, size_t len);
void answer_fail(enum wire_code code, const char *json, size_t len);
/* The same, of a plain sentence that needs no escaping. */
void answer_fail_text(enum wire_code code, const char *sentence);
void answer_head(const char *json, size_t len);
void answer_chunk(const uint8_t *bytes, size_t len);
void answer_end(void);
void answer_done(void);

/* A notification, {"method", "params"}; beyond the log limit it is dropped. */
void answer_note(const char *json, size_t len);

#define ANSWER_ASKS_MAX 16u /* open at once */

/* Asks the client, under a number that no open ask has. False: 16 are open,
 * it is longer than a result may be, or the call is answered. */
bool answer_ask(uint32_t ask, const char *json, size_t len);
/* An answer came: whether anybody asked. */
bool answer_ask_close(uint32_t ask);
bool answer_asks_open(void);
/* Nothing is left to do until an answer comes: said once for each. */
void answer_wait(void);

/* Ready for another call (a policy with reuse). */
void answer_idle(void);

/* RESULT, FAIL or END was said: nothing more may follow. */
bool answer_is_complete(void);
/* Nothing is left to do for this call. */
bool answer_is_done(void);
bool answer_is_muted(void);

/* Waits, for a timer. Returns early, or ends the cell, when the caller hangs
 * up before the answer is complete. */
void answer_sleep(int ms);

/* Milliseconds since answer_begin(), in steps of 0.1 ms: finer clocks help
 * only those who measure caches. */
double answer_clock_ms(void);

#ifdef __cplusplus
}
#endif
