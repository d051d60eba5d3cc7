/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sessions of legacy clients. What one is, is in its sealed id; kept here is
 * only that it lives, in about a hundred bytes: clients rarely say goodbye.
 * After a restart ids go on being good for as long as an idle session lives;
 * later an id without a record is of a session that is over.
 */

#include <errno.h>
#include <event2/event.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "gateway/front/front.h"
#include "gateway/log.h"

uint64_t
front_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t
front_unix_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

const uint8_t *
front_key(const struct front *front)
{
	return registry_key(front->gateway);
}

void
front_binding(const struct principal *principal,
    const struct endpoint *endpoint, struct seal_binding *binding)
{
	*binding = (struct seal_binding){
		.principal = principal->record.id,
		.tenant = endpoint->tenant->record.name,
		.server =
		    endpoint->server == NULL ? "" : endpoint->server->name,
	};
}

/* The id is random: any part of it is a hash. */
static struct session **
bucket(struct front *front, const uint8_t id[SEAL_ID_BYTES])
{
	return &front->sessions[(id[0] | id[1] << 8) % FRONT_BUCKETS];
}

static struct session *
find(struct front *front, const uint8_t id[SEAL_ID_BYTES])
{
	struct session *session = *bucket(front, id);

	while (session != NULL && memcmp(session->id, id, SEAL_ID_BYTES) != 0)
		session = session->next;
	return session;
}

static struct session_group **
group_bucket(struct front *front, const struct principal *principal,
    const struct tenant *tenant)
{
	const uintptr_t key =
	    principal != NULL ? (uintptr_t)principal : (uintptr_t)tenant;

	return &front->groups[(key >> 6) % FRONT_GROUPS];
}

static struct session_group *
group_get(
    struct front *front, struct principal *principal, struct tenant *tenant)
{
	struct session_group **first = group_bucket(front, principal, tenant);

	for (struct session_group *group = *first; group != NULL;
	     group = group->next)
		if (group->principal == principal && group->tenant == tenant)
			return group;

	struct session_group *group = calloc(1, sizeof(*group));
	if (group == NULL)
		return NULL;
	if (principal != NULL)
		group->principal = principal_ref(principal);
	group->tenant = tenant;
	TAILQ_INIT(&group->sessions);
	group->next = *first;
	*first = group;
	return group;
}

static void
group_settle(struct front *front, struct session_group *group)
{
	struct session_group **at;

	if (group->n > 0)
		return;
	at = group_bucket(front, group->principal, group->tenant);
	while (*at != group)
		at = &(*at)->next;
	*at = group->next;
	if (group->principal != NULL)
		principal_unref(group->principal);
	free(group);
}

static void
use(struct session *session, uint32_t now_s)
{
	session->used_s = now_s;
	TAILQ_REMOVE(
	    &session->principal_group->sessions, session, of_principal);
	TAILQ_INSERT_TAIL(
	    &session->principal_group->sessions, session, of_principal);
	TAILQ_REMOVE(&session->tenant_group->sessions, session, of_tenant);
	TAILQ_INSERT_TAIL(&session->tenant_group->sessions, session, of_tenant);
}

static bool
is_busy(const struct session *session)
{
	return session->live != NULL &&
	    (session->live->n_calls > 0 ||
		(session->live->get != NULL &&
		    session->live->get->visit != NULL));
}

/* The longest idle; one that is busy only where all are; never the one that the
 * room is for, which is the last. */
static void
make_room(struct front *front, struct session_group *group, bool of_principal,
    const struct session *fresh)
{
	struct session *first = TAILQ_FIRST(&group->sessions), *session = first;

	if (first == fresh)
		return;
	while (session != fresh && is_busy(session))
		session = of_principal ? TAILQ_NEXT(session, of_principal)
				       : TAILQ_NEXT(session, of_tenant);
	log_line(LOG_DEBUG, 0, "a session of tenant %s makes room for another",
	    group->tenant->record.name);
	session_end(front, session != fresh ? session : first);
}

static int
record_new(struct front *front, const struct visit *visit,
    const struct seal_session *sealed, struct session **sessionp)
{
	struct tenant *tenant = visit->principal->tenant;
	const struct wire_sessions *limits = &visit->gateway->sessions;
	struct session *session = calloc(1, sizeof(*session));
	struct session_group *own, *all;

	if (session == NULL)
		return -ENOMEM;
	own = group_get(front, visit->principal, tenant);
	all = own == NULL ? NULL : group_get(front, NULL, tenant);
	if (all == NULL) {
		if (own != NULL)
			group_settle(front, own);
		free(session);
		return -ENOMEM;
	}
	memcpy(session->id, sealed->id, SEAL_ID_BYTES);
	session->can = sealed->can;
	session->version = sealed->version;
	session->ends = sealed->issued / 1000 + limits->life_s;
	session->principal_group = own;
	session->tenant_group = all;
	session->next = *bucket(front, session->id);
	*bucket(front, session->id) = session;
	TAILQ_INSERT_TAIL(&own->sessions, session, of_principal);
	TAILQ_INSERT_TAIL(&all->sessions, session, of_tenant);
	own->n++;
	all->n++;
	front->n_sessions++;
	visit->principal->n_sessions = own->n;
	tenant->n_sessions = all->n;
	session->used_s = (uint32_t)(front_now_ms() / 1000);
	*sessionp = session;
	if (own->n > limits->per_principal)
		make_room(front, own, true, session);
	if (all->n > limits->per_tenant)
		make_room(front, all, false, session);
	/* What made room may have let others in, who took it. */
	return find(front, sealed->id) == session ? 0 : SESSION_E_UNKNOWN;
}

int
session_new(const struct visit *visit, uint32_t can, int version,
    struct session **sessionp, char text[SEAL_SESSION_TEXT])
{
	struct front *front = visit->gateway->front;
	const uint8_t *key = front_key(front);
	struct seal_binding binding;
	struct seal_session sealed = {
		.issued = front_unix_ms(),
		.can = can,
		.version = (uint8_t)version,
	};

	if (key == NULL)
		return -EAGAIN;
	randombytes_buf(sealed.id, sizeof(sealed.id));
	const int r = record_new(front, visit, &sealed, sessionp);
	if (r != 0)
		return r;
	front_binding(visit->principal, &visit->endpoint, &binding);
	seal_session_write(key, &binding, &sealed, text);
	return 0;
}

/* Whether a session without a record can be one from before the restart. */
static bool
is_from_before(const struct front *front, const struct seal_session *sealed)
{
	const struct wire_sessions *limits = &front->gateway->sessions;
	const uint64_t now = front_unix_ms();

	return sealed->issued < front->started &&
	    now < front->started + limits->idle_s * UINT64_C(1000) &&
	    now < sealed->issued + limits->life_s * UINT64_C(1000) &&
	    !registry_session_is_ended(front->gateway, sealed->id);
}

int
session_admit(
    const struct visit *visit, const char *raw_text, struct session **sessionp)
{
	struct front *front = visit->gateway->front;
	const uint8_t *key = front_key(front);
	struct seal_binding binding;
	struct seal_session sealed;

	front_binding(visit->principal, &visit->endpoint, &binding);
	if (key == NULL ||
	    seal_session_admit(key, &binding, raw_text, &sealed) != 0)
		return SESSION_E_UNKNOWN;
	struct session *session = find(front, sealed.id);
	if (session != NULL && session->ends <= front_unix_ms() / 1000) {
		session_end(front, session);
		return SESSION_E_UNKNOWN;
	}
	if (session != NULL) {
		use(session, (uint32_t)(front_now_ms() / 1000));
		*sessionp = session;
		return 0;
	}
	return is_from_before(front, &sealed)
	    ? record_new(front, visit, &sealed, sessionp)
	    : SESSION_E_UNKNOWN;
}

struct live *
session_live(struct front *front, struct session *session)
{
	struct live *live = session->live;

	if (live != NULL)
		return live;
	live = calloc(1, sizeof(*live));
	if (live == NULL)
		return NULL;
	live->front = front;
	live->session = session;
	live->next_stream = randombytes_random() & ~1u;
	live->next_ask = randombytes_random() >> 1;
	TAILQ_INIT(&live->streams);
	TAILQ_INIT(&live->kept);
	TAILQ_INIT(&live->calls);
	TAILQ_INSERT_TAIL(&front->lives, live, link);
	session->live = live;
	return live;
}

void
session_settle(struct front *front, struct session *session)
{
	struct live *live = session->live;

	if (live == NULL || live->n_calls > 0 || live->n_streams > 0 ||
	    live->listener != NULL)
		return;
	TAILQ_REMOVE(&front->lives, live, link);
	free(live);
	session->live = NULL;
}

static void
live_end(struct front *front, struct session *session)
{
	struct live *live = session->live;

	while (!TAILQ_EMPTY(&live->calls))
		call_cancel(TAILQ_FIRST(&live->calls), "the session has ended");
	live->listener = listen_free(live->listener);
	while (!TAILQ_EMPTY(&live->streams))
		stream_free(TAILQ_FIRST(&live->streams));
	session_settle(front, session);
}

void
session_end(struct front *front, struct session *session)
{
	struct session **at = bucket(front, session->id);
	struct session_group *own = session->principal_group;
	struct session_group *all = session->tenant_group;

	if (session->live != NULL)
		live_end(front, session);
	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
	TAILQ_REMOVE(&own->sessions, session, of_principal);
	TAILQ_REMOVE(&all->sessions, session, of_tenant);
	front->n_sessions--;
	own->principal->n_sessions = --own->n;
	own->tenant->n_sessions = --all->n;
	/* The tenant is held by the principal, who goes last. */
	group_settle(front, all);
	group_settle(front, own);
	/* Last: a link that ends lets others' requests go on, which may want
	 * room, and must not find this one. */
	upstream_session_end(front->gateway, session->id);
	free(session);
}

static struct session_group *
group_find(struct front *front, const struct principal *principal)
{
	struct session_group *group =
	    *group_bucket(front, principal, principal->tenant);

	while (group != NULL && group->principal != principal)
		group = group->next;
	return group;
}

void
session_end_all(struct front *front, const struct principal *principal)
{
	struct session_group *group;

	while ((group = group_find(front, principal)) != NULL)
		session_end(front, TAILQ_FIRST(&group->sessions));
}

/* One made while sessions end can have been used after now_s. */
static bool
is_idle(
    const struct front *front, const struct session *session, uint32_t now_s)
{
	const int32_t idle_s = (int32_t)(now_s - session->used_s);

	return idle_s > 0 &&
	    (uint32_t)idle_s >= front->gateway->sessions.idle_s;
}

/* True: some ended, and groups with them. Each is looked for anew: what ends
 * can let a request go on that makes another session, and room for it. */
static bool
group_sweep(struct front *front, struct session_group *group, uint32_t now_s)
{
	struct session *session;
	bool any = false;

	while ((session = TAILQ_FIRST(&group->sessions)) != NULL &&
	    is_idle(front, session, now_s)) {
		if (is_busy(session)) {
			use(session, now_s);
			continue;
		}
		const bool is_last = group->n == 1;
		session_end(front, session);
		any = true;
		if (is_last)
			break;
	}
	return any;
}

void
session_sweep(struct front *front)
{
	const uint64_t now_ms = front_now_ms();
	struct session_group *group, *next;
	struct live *live, *next_live;

	for (size_t i = 0; i < FRONT_GROUPS; i++) {
		group = front->groups[i];
		while (group != NULL) {
			/* Ending the last of a tenant's ends a principal's
			 * group too, which may be the next: so begin anew. */
			next = group->next;
			group = group->principal == NULL &&
				group_sweep(
				    front, group, (uint32_t)(now_ms / 1000))
			    ? front->groups[i]
			    : next;
		}
	}
	for (live = TAILQ_FIRST(&front->lives); live != NULL;
	     live = next_live) {
		next_live = TAILQ_NEXT(live, link);
		stream_sweep(live, now_ms);
		session_settle(front, live->session);
	}
}

void
session_stop(struct front *front)
{
	for (size_t i = 0; i < FRONT_BUCKETS; i++)
		while (front->sessions[i] != NULL)
			session_end(front, front->sessions[i]);
}
