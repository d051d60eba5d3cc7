/* SPDX-License-Identifier: Apache-2.0
 *
 * What a call says and asks in its middle, and its wall clock, which stands
 * still while the cell waits for nothing but answers: a person may take his
 * time. A cell can lie about that; so the clock stands an hour at most, and
 * whoever answers has a patience of his own.
 */
#include <errno.h>
#include <string.h>

#include "pool/slot.h"

#define WAIT_MAX_MS (3600u * 1000u) /* of all waits of one call */

static void
on_wall(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	call_abandon(arg, POOL_TIMEOUT_WALL);
}

static int
clock_set(struct pool_call *call, uint64_t ms)
{
	const struct timeval after = { .tv_sec = (time_t)(ms / 1000u),
		.tv_usec = (suseconds_t)(ms % 1000u) * 1000 };

	return evtimer_add(call->wall, &after) < 0 ? -ENOMEM : 0;
}

int
call_clock_start(struct pool_call *call)
{
	const uint64_t ns = call->slot->deployment.limits.wall_ns;
	const uint64_t ms = ns / 1000000u + (ns % 1000000u > 0);

	call->wall = evtimer_new(call->slot->pool->base, on_wall, call);
	call->wall_due_ms = call->started_ms + ms;
	call->wait_left_ms = WAIT_MAX_MS;
	return call->wall != NULL ? clock_set(call, ms) : -ENOMEM;
}

static void
clock_stop(struct pool_call *call)
{
	const uint64_t now = pool_now_ms();

	call->waits = true;
	call->wall_left_ms =
	    call->wall_due_ms > now ? call->wall_due_ms - now : 0;
	call->wall_due_ms = now; /* since when it stands */
	(void)clock_set(call, call->wait_left_ms);
}

static void
clock_resume(struct pool_call *call)
{
	const uint64_t now = pool_now_ms(), waited = now - call->wall_due_ms;

	call->waits = false;
	call->wait_left_ms -=
	    waited < call->wait_left_ms ? waited : call->wait_left_ms;
	call->wall_due_ms = now + call->wall_left_ms;
	(void)clock_set(call, call->wall_left_ms);
}

static uint32_t *
ask_find(struct pool_call *call, uint32_t ask)
{
	for (uint32_t i = 0; i < call->n_asks; i++)
		if (call->asks[i] == ask)
			return &call->asks[i];
	return NULL;
}

bool
ask_may_come(const struct pool_call *call, const struct wire_frame *frame)
{
	if (call->kind != POOL_TOOL)
		return false;
	if (frame->type != WIRE_FRAME_ASK)
		return true;
	for (uint32_t i = 0; i < call->n_asks; i++)
		if (call->asks[i] == (uint32_t)frame->code)
			return false; /* which of them would be answered? */
	return call->n_asks < ASKS_MAX;
}

void
ask_note(struct pool_call *call, const uint8_t *raw_bytes, size_t len)
{
	const uint64_t cost = len + WIRE_LOG_LINE_COST;

	/* The cell counted the same, and said where it was cut. */
	if (cost > call->note_bytes || call->ops->note == NULL)
		return;
	call->note_bytes -= cost;
	call->ops->note(call->arg, (const char *)raw_bytes, len);
}

void
pool_ask_take(struct cell *cell, uint32_t claimed_ask, const uint8_t *raw_bytes,
    size_t len)
{
	static const char nobody[] =
	    "{\"error\":{\"code\":-32601,\"message\":\"nobody can be asked "
	    "here\"}}";
	struct pool_call *call = cell->call;

	call->asks[call->n_asks++] = claimed_ask;
	if (call->ops->ask != NULL)
		call->ops->ask(
		    call->arg, claimed_ask, (const char *)raw_bytes, len);
	else
		(void)pool_call_answer(
		    call, claimed_ask, nobody, sizeof(nobody) - 1);
}

void
pool_ask_wait(struct pool_call *call, uint32_t claimed_answers)
{
	/* An answer that it did not read yet wakes it. */
	if (call->waits || call->n_asks == 0 ||
	    claimed_answers != call->n_answers)
		return;
	clock_stop(call);
	if (call->ops->wait != NULL)
		call->ops->wait(call->arg);
}

int
pool_call_answer(
    struct pool_call *call, uint32_t ask, const char *json, size_t len)
{
	uint32_t *open = ask_find(call, ask);

	if (call->cell == NULL || open == NULL)
		return -ENOENT;
	if (len > WIRE_FRAME_MAX)
		return -EINVAL;
	*open = call->asks[--call->n_asks];
	call->n_answers++;
	if (call->waits)
		clock_resume(call);
	cell_send_answer(call->cell, ask, json, len);
	return 0;
}
