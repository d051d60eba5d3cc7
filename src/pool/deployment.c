/* SPDX-License-Identifier: Apache-2.0
 *
 * Deployments come, are renewed and go while calls run. A slot, once made,
 * stays: what a callback still holds of it is never freed under its feet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pool/slot.h"

/* A template that is replaced has this long to finish its calls: those of the
 * new one wait for it. */
#define STALE_MS 10000

struct slot *
pool_slot_find(const struct pool *pool, uint32_t index)
{
	struct slot *slot =
	    index < WIRE_DEPLOYMENTS_MAX ? pool->slots[index] : NULL;

	return slot != NULL && slot->is_there ? slot : NULL;
}

static struct slot *
slot_new(struct pool *pool, uint32_t index)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (slot == NULL)
		return NULL;
	*slot = (struct slot){
		.pool = pool, .index = index, .control_fd = -1, .target = 1
	};
	TAILQ_INIT(&slot->cells);
	TAILQ_INIT(&slot->queue);
	STAILQ_INIT(&slot->waiters);
	pool->slots[index] = slot;
	if (index >= pool->n_slots)
		pool->n_slots = index + 1;
	return slot;
}

/* What is known of the old bundle says nothing of the new one. */
static void
slot_forget(struct slot *slot)
{
	free(slot->surface);
	free(slot->failure_text);
	slot->surface = slot->failure_text = NULL;
	slot->failure = POOL_OK;
	slot->cold = false;
}

static void
cells_release(struct slot *slot)
{
	struct cell *cell, *next;

	for (cell = TAILQ_FIRST(&slot->cells); cell != NULL; cell = next) {
		next = TAILQ_NEXT(cell, link);
		if (cell->waiting)
			cell_let_go(cell);
	}
}

bool
slot_renew(struct slot *slot)
{
	cells_release(slot);
	if (!TAILQ_EMPTY(&slot->cells) && pool_now_ms() < slot->stale_until_ms)
		return false;
	slot_close(slot);
	slot_serve(slot);
	return true;
}

static void
slot_make_stale(struct slot *slot)
{
	const enum slot_state was = slot->state;

	slot_forget(slot);
	switch (was) {
	case SLOT_READY:
		slot->is_stale = true;
		slot->stale_until_ms = pool_now_ms() + STALE_MS;
		break;
	case SLOT_OPENING:
	case SLOT_LOADING:
		slot_close(slot);
		slot->is_reopened = was == SLOT_OPENING;
		break;
	case SLOT_QUEUED:
	case SLOT_NONE:
	default:
		break;
	}
	if (!slot->is_stale || !slot_renew(slot))
		slot_serve(slot);
}

int
pool_deployment_set(struct pool *pool, uint32_t index,
    const struct pool_deployment *deployment, bool fresh)
{
	if (index >= WIRE_DEPLOYMENTS_MAX ||
	    strlen(deployment->name) >= WIRE_NAME_MAX)
		return -EINVAL;
	struct slot *slot = pool->slots[index];
	if (slot == NULL)
		slot = slot_new(pool, index);
	if (slot == NULL)
		return -ENOMEM;

	/* The limits are in the template: others need another one. */
	const bool renewed = slot->is_there &&
	    (fresh ||
		memcmp(&slot->deployment.limits, &deployment->limits,
		    sizeof(deployment->limits)) != 0);
	strcpy(slot->name, deployment->name);
	slot->deployment = *deployment;
	slot->deployment.name = slot->name;
	slot->is_there = true;
	if (renewed)
		slot_make_stale(slot);
	return 0;
}

/* Everybody who waits for something of it hears that it is gone. */
static void
slot_cancel(struct slot *slot)
{
	static const char json[] =
	    "{\"message\":\"this server was taken away\"}";
	struct pool_call *call;
	struct cell *cell;

	while ((call = TAILQ_FIRST(&slot->queue)) != NULL)
		call_end(call, POOL_CANCELLED, json, sizeof(json) - 1, NULL);
	TAILQ_FOREACH (cell, &slot->cells, link) {
		call = cell->call;
		cell->call = NULL;
		if (call != NULL)
			call_end(
			    call, POOL_CANCELLED, json, sizeof(json) - 1, NULL);
	}
	slot_forget(slot);
	slot->failure = POOL_CANCELLED;
	slot->failure_text = strdup(json);
	if (slot->failure_text != NULL)
		slot_surface_tell(slot);
	slot_forget(slot);
}

void
pool_deployment_remove(struct pool *pool, uint32_t index)
{
	struct slot *slot = pool_slot_find(pool, index);

	if (slot == NULL)
		return;
	slot->is_there = false;
	slot_cancel(slot);
	if (slot->state != SLOT_NONE)
		slot_close(slot);
}
