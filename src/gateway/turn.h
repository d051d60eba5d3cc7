/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Whose request is served next. In one turn of the loop a few are, whoever
 * comes first; of what is more than that, each tenant's oldest in turn. So a
 * tenant's flood waits for itself, and for the others no longer than they for
 * it.
 */

#include <stdbool.h>

struct arrival;
struct gateway;
struct turns;

#define TURN_MAX 4u /* requests in one turn; each is some 20 us of work */

/* -ENOMEM. */
int turn_start(struct gateway *gateway);
void turn_stop(struct gateway *gateway);

/* Whether this request, whose principal is known, is served now; if not,
 * route_serve() is called when its turn comes. */
bool turn_take(struct arrival *arrival);

/* It is over: it waits no more, if it did. */
void turn_leave(struct arrival *arrival);
