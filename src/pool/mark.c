/* SPDX-License-Identifier: Apache-2.0
 *
 * Egress knows a cell by its template's number for it, and tells of what it did
 * when that is over: maybe after the cell.
 */
#include <string.h>

#include "pool/slot.h"

void
mark_begin(struct cell *cell, const struct pool_call *call)
{
	cell->mark = call->mark;
}

void
mark_end(const struct cell *cell)
{
	struct pool *pool = cell->slot->pool;

	if (cell->mark.request == 0)
		return;
	pool->past[pool->n_past++ % PAST_MAX] =
	    (struct past){ cell->slot->index, cell->id, cell->mark };
}

void
pool_call_mark(struct pool_call *call, const struct pool_mark *mark)
{
	call->mark = *mark;
	if (call->cell != NULL)
		mark_begin(call->cell, call);
}

bool
pool_mark_find(const struct pool *pool, uint32_t deployment, uint32_t cell_id,
    struct pool_mark *mark)
{
	struct slot *slot =
	    deployment < WIRE_DEPLOYMENTS_MAX ? pool->slots[deployment] : NULL;
	const struct cell *cell =
	    slot != NULL ? cell_find(slot, cell_id) : NULL;

	if (cell != NULL) {
		*mark = cell->mark;
		return cell->mark.request != 0;
	}
	/* The youngest first: a new template numbers its cells anew. */
	for (uint32_t i = 0; i < PAST_MAX && i < pool->n_past; i++) {
		const struct past *past =
		    &pool->past[(pool->n_past - 1 - i) % PAST_MAX];
		if (past->deployment != deployment || past->cell != cell_id)
			continue;
		*mark = past->mark;
		return true;
	}
	return false;
}
