/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lives of links: who shares one, how many there are, how often one may be
 * started, when it ends.
 *
 * A spare is greeted before it is wanted. A legacy server is told once, when it
 * is greeted, what its client can do; so spares are greeted with what the last
 * client could that found none, and are given to whoever can the same. Who
 * comes with other capabilities gets a link of its own, in a spare's place. A
 * link that was somebody's is never given to another.
 *
 * One that is too old gets an heir, which is greeted first; then new calls go
 * there, and the old one ends with its last.
 */

#include <stdlib.h>
#include <string.h>

#include "gateway/behind/link.h"
#include "gateway/log.h"

#define START_MS 30000
#define SHORT_MS 10000 /* a life shorter than that, without an answer */
#define PAUSE_MIN_MS 250
#define PAUSE_MAX_MS 30000
#define MINUTE_MS 60000u
#define HEIR_MS 60000 /* until a new one is tried, if it came to nothing */
#define CHECK_AFTER_MS 10000 /* idle so long, it is asked whether it is there */
#define BOXES_MAX                                                              \
	(2 * LINKS_MAX) /* of one server, with those that are ending */

/* NULL: it runs in none. */
static const struct wire_box *
box_of(const struct upstream *upstream)
{
	const struct wire_deployment *launch = &upstream->server->record.launch;

	return launch->kind == WIRE_KIND_BOX ? &launch->box : NULL;
}

uint64_t
life_start_ms(const struct upstream *upstream)
{
	const struct wire_box *box = box_of(upstream);

	return box != NULL && box->start_ms != 0 ? box->start_ms : START_MS;
}

uint64_t
life_stage_ms(const struct link *link, uint64_t stage_ms)
{
	const uint64_t end = link->start_ms + life_start_ms(link->upstream);
	const uint64_t now = behind_now_ms();

	if (box_of(link->upstream) == NULL)
		return stage_ms;
	const uint64_t left = end > now ? end - now : 0;
	return link->stage == LINK_PROBING && stage_ms < left ? stage_ms : left;
}

static uint64_t
idle_ms(const struct upstream *upstream)
{
	const struct wire_box *box = box_of(upstream);

	return 1000ull *
	    (box != NULL && box->idle_s != 0
		    ? box->idle_s
		    : upstream->gateway->sessions.link_idle_s);
}

/* UINT64_MAX: for ever. */
static uint64_t
life_ms(const struct upstream *upstream)
{
	const struct wire_box *box = box_of(upstream);

	return box != NULL && box->life_s != 0 ? 1000ull * box->life_s
					       : UINT64_MAX;
}

/* ---- owners ---------------------------------------------------------------- */

static struct owner
owner_of(const struct upstream *upstream, const struct client *client)
{
	const uint32_t share = upstream->server->record.launch.share;
	struct owner owner = { .can = client->can };

	/* A modern server is told with each request what can be asked. */
	if (upstream->verdict == VERDICT_MODERN)
		owner.can = 0;
	if (share != WIRE_SHARE_ALL)
		owner.principal = client->principal;
	if (share == WIRE_SHARE_SESSION)
		owner.session = client->session;
	return owner;
}

struct owner
life_owner(const struct link *link)
{
	return (struct owner){ link->principal,
		link->has_session ? link->session : NULL, link->can };
}

/* An heir takes calls once its elder does not. */
static bool
is_taking(const struct link *link)
{
	return !link->is_spare && !link->is_leaving && !link->is_retired &&
	    link->elder == NULL;
}

static bool
is_owned(const struct link *link, const struct owner *owner)
{
	if (!is_taking(link) || link->principal != owner->principal ||
	    link->can != owner->can ||
	    link->has_session != (owner->session != NULL))
		return false;
	return !link->has_session ||
	    memcmp(link->session, owner->session, sizeof(link->session)) == 0;
}

static struct link *
owned_find(const struct upstream *upstream, const struct owner *owner)
{
	for (struct link *link = upstream->links; link != NULL;
	     link = link->next)
		if (is_owned(link, owner))
			return link;
	return NULL;
}

struct link *
link_find(struct upstream *upstream, const struct client *client)
{
	const struct owner owner = owner_of(upstream, client);

	return owned_find(upstream, &owner);
}

/* ---- room and pace --------------------------------------------------------- */

/* The longest idle of this principal (NULL: of all), and how many there are. */
static struct link *
idle_find(const struct upstream *upstream, const struct principal *principal,
    unsigned *n)
{
	struct link *idle = NULL;

	*n = 0;
	for (struct link *link = upstream->links; link != NULL;
	     link = link->next) {
		if (principal != NULL && link->principal != principal)
			continue;
		(*n)++;
		if (link->calls == NULL && !link->greets &&
		    link->stage == LINK_READY &&
		    (idle == NULL || link->used_ms < idle->used_ms))
			idle = link;
	}
	return idle;
}

static bool
room_make(struct upstream *upstream, const struct principal *principal,
    unsigned max, char why[256])
{
	unsigned n;
	struct link *idle = idle_find(upstream, principal, &n);

	if (n < max)
		return true;
	if (idle == NULL) {
		snprintf(why, 256,
		    "the server has %u links, all in use: try again later", n);
		return false;
	}
	link_end(idle, UPSTREAM_OVER_ROOM, false, "its place was needed");
	return true;
}

/* Seconds until one more may be started; 0: now. */
static uint64_t
pace_wait_s(const struct upstream *upstream, uint32_t max)
{
	const uint64_t passed = behind_now_ms() - upstream->minute_ms;

	if (max == 0 || upstream->n_starts < max || passed >= MINUTE_MS)
		return 0;
	return (MINUTE_MS - passed) / 1000 + 1;
}

static void
start_count(struct upstream *upstream)
{
	const uint64_t now = behind_now_ms();

	if (now - upstream->minute_ms >= MINUTE_MS) {
		upstream->minute_ms = now;
		upstream->n_starts = 0;
	}
	upstream->n_starts++;
}

static bool
may_start(const struct upstream *upstream, char why[256])
{
	const struct wire_box *box = box_of(upstream);
	const uint64_t now = behind_now_ms();

	if (now < upstream->not_before_ms) {
		snprintf(why, 256,
		    "the server ended %u times soon after its start; it is "
		    "tried again in %llu s",
		    upstream->n_short,
		    (unsigned long long)(upstream->not_before_ms - now) / 1000 +
			1);
		return false;
	}
	if (box == NULL)
		return true;
	const uint64_t wait_s = pace_wait_s(upstream, box->starts_per_minute);
	if (wait_s > 0) {
		snprintf(why, 256,
		    "the server was started %u times within a minute, which is "
		    "its limit (starts_per_minute): try again in %llu s",
		    upstream->n_starts, (unsigned long long)wait_s);
		return false;
	}
	if (upstream->server->n_boxes >= BOXES_MAX) {
		snprintf(why, 256,
		    "the server has %u boxes, most of which are just ending: "
		    "try again in a few seconds",
		    upstream->server->n_boxes);
		return false;
	}
	return true;
}

struct link *
life_start(struct upstream *upstream, const struct owner *owner, char why[256])
{
	if (!may_start(upstream, why) ||
	    (owner->principal != NULL &&
		!room_make(
		    upstream, owner->principal, LINKS_PRINCIPAL_MAX, why)) ||
	    !room_make(upstream, NULL, LINKS_MAX, why))
		return NULL;
	struct link *link = link_new(upstream, owner);
	if (link == NULL)
		snprintf(why, 256, "out of memory");
	else
		start_count(upstream);
	return link;
}

/* ---- spares ---------------------------------------------------------------- */

static unsigned
spares_count(const struct upstream *upstream)
{
	unsigned n = 0;

	for (const struct link *link = upstream->links; link != NULL;
	     link = link->next)
		n += link->is_spare;
	return n;
}

/* Calls come first: spares take half of the starts, and no place that somebody
 * has. */
static void
spares_fill(struct upstream *upstream)
{
	const struct wire_box *box = box_of(upstream);
	const struct owner nobody = { .can = upstream->spare_can };
	char why[256];

	if (box == NULL || upstream->gone)
		return;
	for (unsigned n = spares_count(upstream); n < box->spares; n++) {
		if (upstream->n_links >= LINKS_MAX ||
		    pace_wait_s(upstream, (box->starts_per_minute + 1) / 2) >
			0 ||
		    !may_start(upstream, why))
			return;
		struct link *link = link_new(upstream, &nobody);
		if (link == NULL)
			return;
		link->is_spare = true;
		start_count(upstream);
	}
}

static struct link *
spare_find(const struct upstream *upstream, uint32_t can)
{
	struct link *found = NULL;

	for (struct link *link = upstream->links; link != NULL;
	     link = link->next)
		if (link->is_spare && link->can == can && !link->is_leaving &&
		    (found == NULL || link->stage == LINK_READY))
			found = link;
	return found;
}

/* The oldest is the last of the list. */
static struct link *
spare_oldest(const struct upstream *upstream)
{
	struct link *oldest = NULL;

	for (struct link *link = upstream->links; link != NULL;
	     link = link->next)
		if (link->is_spare)
			oldest = link;
	return oldest;
}

static struct link *
spare_take(struct upstream *upstream, const struct owner *owner)
{
	struct link *link = spare_find(upstream, owner->can);
	unsigned n;

	if (link == NULL) {
		upstream->spare_can = owner->can;
		if ((link = spare_oldest(upstream)) != NULL)
			link_end(link, UPSTREAM_OVER_ROOM, false,
			    "it was greeted for other capabilities");
		return NULL;
	}
	if (owner->principal != NULL) {
		idle_find(upstream, owner->principal, &n);
		if (n >= LINKS_PRINCIPAL_MAX)
			return NULL;
		link->principal = principal_ref(owner->principal);
	}
	link->is_spare = false;
	link->has_session = owner->session != NULL;
	if (link->has_session)
		memcpy(link->session, owner->session, sizeof(link->session));
	spares_fill(upstream);
	return link;
}

struct link *
link_get(struct upstream *upstream, const struct client *client, char why[256])
{
	const struct owner owner = owner_of(upstream, client);
	const struct wire_box *box = box_of(upstream);
	struct link *link = owned_find(upstream, &owner);

	if (link == NULL && box != NULL && box->spares > 0)
		link = spare_take(upstream, &owner);
	return link != NULL ? link : life_start(upstream, &owner, why);
}

/* ---- age ------------------------------------------------------------------- */

static struct link *
heir_of(const struct link *elder)
{
	for (struct link *link = elder->upstream->links; link != NULL;
	     link = link->next)
		if (link->elder == elder)
			return link;
	return NULL;
}

/* Beyond what its principal may have: the elder ends for it. */
static void
heir_start(struct link *elder)
{
	struct upstream *upstream = elder->upstream;
	const struct owner owner = life_owner(elder);
	char why[256];

	if (heir_of(elder) != NULL || !may_start(upstream, why))
		return;
	struct link *link = link_new(upstream, &owner);
	if (link == NULL)
		return;
	link->elder = elder;
	start_count(upstream);
}

static void
heir_ready(struct link *link)
{
	struct link *elder = link->elder;

	link->elder = NULL;
	elder->is_retired = true;
	if (elder->uris != NULL) {
		link->uris = elder->uris;
		link->n_uris = elder->n_uris;
		elder->uris = NULL;
		elder->n_uris = 0;
	}
	link_timer_set(elder, 0);
}

/* How long until this happens to it; 0: now. */
static uint64_t
left_ms(uint64_t since_ms, uint64_t allowed_ms)
{
	const uint64_t passed = behind_now_ms() - since_ms;

	return passed < allowed_ms ? allowed_ms - passed : 0;
}

static bool
is_unused(const struct link *link)
{
	return link->calls == NULL && link->uris == NULL && !link->is_spare;
}

/* What is in use is looked at again when it may be idle: whole periods. */
void
life_timer_set(struct link *link)
{
	const uint64_t idle = idle_ms(link->upstream);
	const uint64_t age = left_ms(link->opened_ms, life_ms(link->upstream));
	uint64_t next = is_unused(link) ? left_ms(link->used_ms, idle) : idle;

	if (age == 0)
		next = next < HEIR_MS ? next : HEIR_MS;
	else if (age < next)
		next = age;
	link_timer_set(link, next + 1);
}

static void
spare_tick(struct link *link)
{
	struct upstream *upstream = link->upstream;

	if (left_ms(link->opened_ms, life_ms(upstream)) == 0) {
		link_end(link, UPSTREAM_OVER_AGE, false, "it was old");
		spares_fill(upstream);
		return;
	}
	life_timer_set(link);
	spares_fill(upstream);
}

void
life_tick(struct link *link)
{
	if (link->is_spare) {
		spare_tick(link);
		return;
	}
	if (link->is_retired) {
		if (link->calls == NULL)
			link_end(link, UPSTREAM_OVER_AGE, false,
			    "a younger one took its place");
		return;
	}
	if (is_unused(link) &&
	    left_ms(link->used_ms, idle_ms(link->upstream)) == 0) {
		link_end(link, UPSTREAM_OVER_IDLE, false, "it was idle");
		return;
	}
	if (left_ms(link->opened_ms, life_ms(link->upstream)) == 0)
		heir_start(link);
	life_timer_set(link);
}

void
life_ready(struct link *link)
{
	if (link->elder != NULL)
		heir_ready(link);
	life_timer_set(link);
	spares_fill(link->upstream);
}

bool
life_is_doubtful(const struct link *link)
{
	return link->calls == NULL &&
	    (link->is_doubted ||
		behind_now_ms() - link->used_ms >= CHECK_AFTER_MS);
}

/* ---- the end --------------------------------------------------------------- */

/* The more lives were short, the longer nobody tries. */
static void
life_weigh(const struct link *link)
{
	struct upstream *upstream = link->upstream;
	const uint64_t now = behind_now_ms();
	uint64_t pause = PAUSE_MIN_MS;

	if (link->n_answers > 0 || now - link->opened_ms >= SHORT_MS) {
		upstream->n_short = 0;
		return;
	}
	for (unsigned i = 0; i < upstream->n_short && pause < PAUSE_MAX_MS; i++)
		pause *= 2;
	/* Once may be chance: the next call tries at once. */
	if (upstream->n_short++ > 0)
		upstream->not_before_ms =
		    now + (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
}

void
life_over(struct link *link, enum upstream_over over)
{
	struct link *heir = heir_of(link);

	if (heir != NULL)
		heir->elder = NULL;
	if (over <= UPSTREAM_OVER_BROKEN)
		life_weigh(link);
}
