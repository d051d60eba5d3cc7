/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "gateway/route.h"
#include "gateway/turn.h"

struct turns {
	TAILQ_HEAD(, tenant) tenants; /* who has somebody waiting, next first */
	struct event *next;
	uint64_t number; /* of this turn */
	unsigned n_served; /* in it */
};

/* After a look at everything else that has happened. */
static void
next_set(struct turns *turns)
{
	static const struct timeval at_once = { 0, 0 };

	event_add(turns->next, &at_once);
}

static void
served_count(struct turns *turns, struct tenant *tenant)
{
	tenant->turn = turns->number;
	if (++turns->n_served == TURN_MAX)
		next_set(turns);
}

/* A tenant that had nothing yet in this turn need not wait for the next. */
bool
turn_take(struct arrival *arrival)
{
	struct turns *turns = arrival->gateway->turns;
	struct tenant *tenant = arrival->principal->tenant;

	if (TAILQ_EMPTY(&tenant->waiting)) {
		if (turns->n_served < TURN_MAX ||
		    tenant->turn != turns->number) {
			served_count(turns, tenant);
			return true;
		}
		TAILQ_INSERT_TAIL(&turns->tenants, tenant, in_turn);
	}
	TAILQ_INSERT_TAIL(&tenant->waiting, arrival, in_turn);
	arrival->is_waiting = true;
	next_set(turns);
	return false;
}

void
turn_leave(struct arrival *arrival)
{
	if (!arrival->is_waiting)
		return;
	struct tenant *tenant = arrival->principal->tenant;
	arrival->is_waiting = false;
	TAILQ_REMOVE(&tenant->waiting, arrival, in_turn);
	if (TAILQ_EMPTY(&tenant->waiting))
		TAILQ_REMOVE(
		    &arrival->gateway->turns->tenants, tenant, in_turn);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct turns *turns = arg;
	struct tenant *tenant;

	(void)fd;
	(void)what;
	turns->number++;
	turns->n_served = 0;
	while (turns->n_served < TURN_MAX &&
	    (tenant = TAILQ_FIRST(&turns->tenants)) != NULL) {
		struct arrival *arrival = TAILQ_FIRST(&tenant->waiting);
		turn_leave(arrival);
		if (!TAILQ_EMPTY(&tenant->waiting)) {
			TAILQ_REMOVE(&turns->tenants, tenant, in_turn);
			TAILQ_INSERT_TAIL(&turns->tenants, tenant, in_turn);
		}
		served_count(turns, tenant);
		route_serve(arrival);
	}
}

int
turn_start(struct gateway *gateway)
{
	struct turns *turns = calloc(1, sizeof(*turns));

	gateway->turns = turns;
	if (turns == NULL)
		return -ENOMEM;
	TAILQ_INIT(&turns->tenants);
	turns->number = 1;
	turns->next = evtimer_new(gateway->base, on_turn, turns);
	return turns->next == NULL ? -ENOMEM : 0;
}

void
turn_stop(struct gateway *gateway)
{
	struct turns *turns = gateway->turns;

	if (turns == NULL)
		return;
	if (turns->next != NULL)
		event_free(turns->next);
	free(turns);
	gateway->turns = NULL;
}
