/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names to addresses that may be dialled. c-ares sends and receives; the name
 * servers are those of the settings, nothing is read of the system: no search
 * domains, no hosts file, no aliases. A name is asked for A and AAAA at once;
 * however many want it meanwhile, it is asked once.
 *
 * Every address of both answers is checked, not only the one that would be
 * dialled: one that may not be dialled refuses the name, so that a set in which
 * an inner address hides among others is no way in. Names on the way (CNAME)
 * are not looked at: where they lead is. What is dialled are the addresses that
 * were checked; a name that leads elsewhere a moment later changes nothing, and
 * an answer out of the cache is checked again.
 *
 * The numbers of questions come from the kernel, not from c-ares: 1.18 makes
 * them predictable where it cannot open a file (CVE-2023-31147).
 */

#include "egress/resolved.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/auto.h"
#include "base/sorted.h"

#define DEADLINE_MS 5000
#define GRACE_MS 500 /* for the other family, once one has an address */
#define KEPT_MAX 1024u
#define LOOKUPS_MAX 16384u
#define LOOKUPS_EACH_MAX 64u /* of one deployment */
#define UDP_MAX 1232 /* DNS flag day 2020: does not fragment */

struct kept {
	char name[ADDR_HOST_MAX];
	struct resolved answer;
	uint64_t until_ms;
};

/* A name that is being asked for. */
struct lookup {
	struct resolver *resolver;
	uint32_t deployment; /* that asked first */
	char name[ADDR_HOST_MAX];
	struct event *timer;
	struct resolve *first; /* who waits */
	struct resolved v4, v6;
	unsigned pending; /* questions that c-ares still has */
	bool is_over; /* told; freed when pending is 0 */
	struct lookup *next, **link; /* of all */
};

struct resolve {
	struct lookup *lookup;
	resolve_fn *done;
	void *arg;
	struct resolve *next, **link;
};

struct watched {
	struct event *event;
	ares_socket_t fd;
	struct watched *next;
};

struct resolver {
	struct egress *egress;
	ares_channel channel;
	struct event *timer; /* c-ares' */
	struct watched *watched;
	struct sorted kept; /* struct kept */
	struct sorted asked; /* struct lookup that is not over */
	struct lookup *lookups; /* also those that are over */
	size_t n_lookups;
	bool is_ending;
};

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct timeval
in_ms(unsigned ms)
{
	return (struct timeval){ .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };
}

static int
kept_compare(const void *key, const void *item)
{
	return strcmp(key, ((const struct kept *)item)->name);
}

static int
lookup_compare(const void *key, const void *item)
{
	return strcmp(key, ((const struct lookup *)item)->name);
}

/* ---- what is kept --------------------------------------------------------- */

static void
kept_drop(struct resolver *resolver, struct kept *kept)
{
	sorted_remove(&resolver->kept, kept->name);
	free(kept);
}

static struct kept *
kept_find(struct resolver *resolver, const char *name)
{
	struct kept *kept = sorted_find(&resolver->kept, name);

	if (kept != NULL && kept->until_ms <= now_ms()) {
		kept_drop(resolver, kept);
		return NULL;
	}
	return kept;
}

/* Room for one more: who would go next goes now. */
static void
kept_make_room(struct resolver *resolver)
{
	struct kept *first = NULL;

	if (resolver->kept.n < KEPT_MAX)
		return;
	for (size_t i = 0; i < resolver->kept.n; i++) {
		struct kept *kept = resolver->kept.items[i];
		if (first == NULL || kept->until_ms < first->until_ms)
			first = kept;
	}
	kept_drop(resolver, first);
}

/* Without memory nothing is kept, and asked again. */
static void
kept_add(
    struct resolver *resolver, const char *name, const struct resolved *answer)
{
	struct kept *kept = sorted_find(&resolver->kept, name);

	if (answer->ttl == 0)
		return;
	if (kept != NULL)
		kept_drop(resolver, kept);
	kept_make_room(resolver);
	kept = calloc(1, sizeof(*kept));
	if (kept == NULL)
		return;
	memcpy(kept->name, name, strlen(name) + 1);
	kept->answer = *answer;
	kept->until_ms = now_ms() + (uint64_t)answer->ttl * 1000;
	if (sorted_add(&resolver->kept, kept->name, kept) != 0)
		free(kept);
}

/* ---- lookups -------------------------------------------------------------- */

static void
resolve_unlink(struct resolve *resolve)
{
	*resolve->link = resolve->next;
	if (resolve->next != NULL)
		resolve->next->link = resolve->link;
}

static struct lookup *
lookup_free(struct lookup *lookup)
{
	while (lookup->first != NULL) {
		struct resolve *resolve = lookup->first;
		resolve_unlink(resolve);
		free(resolve);
	}
	*lookup->link = lookup->next;
	if (lookup->next != NULL)
		lookup->next->link = lookup->link;
	lookup->resolver->n_lookups--;
	if (lookup->timer != NULL)
		event_free(lookup->timer);
	free(lookup);
	return NULL;
}

/* Both answers are there, or its time is over. done() may ask for more, the
 * same name, too, and may cancel others that wait here. */
static void
on_lookup_over(evutil_socket_t fd, short what, void *arg)
{
	struct lookup *lookup = arg;
	struct resolver *resolver = lookup->resolver;
	(void)fd;
	(void)what;

	const struct resolved answer = resolved_join(&lookup->v6, &lookup->v4);
	sorted_remove(&resolver->asked, lookup->name);
	lookup->is_over = true;
	kept_add(resolver, lookup->name, &answer);
	while (lookup->first != NULL) {
		struct resolve *resolve = lookup->first;
		resolve_fn *done = resolve->done;
		void *done_arg = resolve->arg;
		resolve_unlink(resolve);
		free(resolve);
		resolved_tell(resolver->egress, &answer, done, done_arg);
	}
	if (lookup->pending == 0)
		lookup_free(lookup);
}

/* One of the two questions has come back, or is given up. */
static void
on_answer(
    struct lookup *lookup, bool is_v6, int status, const uint8_t *raw, int len)
{
	const struct egress *egress = lookup->resolver->egress;
	struct resolved *answer = is_v6 ? &lookup->v6 : &lookup->v4;

	lookup->pending--;
	if (lookup->is_over || lookup->resolver->is_ending) {
		if (lookup->pending == 0)
			lookup_free(lookup);
		return;
	}
	if (status == ARES_SUCCESS)
		resolved_take(answer, egress, is_v6, raw, len);
	else if (status != ARES_ETIMEOUT)
		answer->none = RESOLVED_FAILED;

	/* told by the loop, not from within c-ares */
	const struct timeval grace = in_ms(GRACE_MS);
	if (lookup->pending == 0)
		event_active(lookup->timer, EV_TIMEOUT, 0);
	else if (resolved_has_any(answer) || answer->none == RESOLVED_NO_NAME)
		evtimer_add(lookup->timer, &grace);
}

static void
on_a(void *arg, int status, int timeouts, unsigned char *raw, int len)
{
	(void)timeouts;
	on_answer(arg, false, status, raw, len);
}

static void
on_aaaa(void *arg, int status, int timeouts, unsigned char *raw, int len)
{
	(void)timeouts;
	on_answer(arg, true, status, raw, len);
}

static int
question_send(struct lookup *lookup, int type, ares_callback callback)
{
	unsigned char *question = NULL;
	uint16_t id;
	int len = 0;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -errno;
	if (ares_create_query(lookup->name, C_IN, type, id, 1, &question, &len,
		UDP_MAX) != ARES_SUCCESS)
		return -EINVAL;
	ares_send(lookup->resolver->channel, question, len, callback, lookup);
	ares_free_string(question);
	return 0;
}

static void timer_set(struct resolver *resolver);

static int
lookup_new(struct resolver *resolver, uint32_t deployment, const char *name,
    struct lookup **lookupp)
{
	const struct timeval deadline = in_ms(DEADLINE_MS);
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (lookup == NULL)
		return -ENOMEM;
	lookup->resolver = resolver;
	lookup->deployment = deployment;
	memcpy(lookup->name, name, strlen(name) + 1);
	lookup->next = resolver->lookups;
	lookup->link = &resolver->lookups;
	if (lookup->next != NULL)
		lookup->next->link = &lookup->next;
	resolver->lookups = lookup;
	resolver->n_lookups++;

	lookup->timer =
	    evtimer_new(resolver->egress->base, on_lookup_over, lookup);
	if (lookup->timer == NULL || evtimer_add(lookup->timer, &deadline) ||
	    sorted_add(&resolver->asked, lookup->name, lookup) != 0) {
		lookup_free(lookup);
		return -ENOMEM;
	}
	/* both count before one is sent: an answer may come at once */
	lookup->pending = 2;
	if (question_send(lookup, ns_t_aaaa, on_aaaa) != 0)
		on_aaaa(lookup, ARES_EBADQUERY, 0, NULL, 0);
	if (question_send(lookup, ns_t_a, on_a) != 0)
		on_a(lookup, ARES_EBADQUERY, 0, NULL, 0);
	timer_set(resolver);
	*lookupp = lookup;
	return 0;
}

static struct resolve *
resolve_fail(
    resolve_fn *done, void *arg, enum wire_egress_end end, const char *text)
{
	done(arg, end, NULL, 0, text);
	return NULL;
}

static struct resolve *
resolve_ip(const struct egress *egress, const struct addr_ip *ip,
    resolve_fn *done, void *arg)
{
	const struct addr_range *range = egress_refuses(egress, ip);
	struct err why;

	if (range == NULL) {
		done(arg, WIRE_EGRESS_OK, ip, 1, "");
		return NULL;
	}
	err_set(
	    &why, 0, "is never dialled: %s (%s)", range->name, range->source);
	return resolve_fail(done, arg, WIRE_EGRESS_ADDRESS, why.text);
}

static struct resolve *
resolve_wait(struct lookup *lookup, resolve_fn *done, void *arg)
{
	struct resolve *resolve = calloc(1, sizeof(*resolve));

	if (resolve == NULL)
		return resolve_fail(
		    done, arg, WIRE_EGRESS_INTERNAL, "out of memory");
	*resolve = (struct resolve){ .lookup = lookup,
		.done = done,
		.arg = arg,
		.next = lookup->first,
		.link = &lookup->first };
	if (resolve->next != NULL)
		resolve->next->link = &resolve->next;
	lookup->first = resolve;
	return resolve;
}

/* NULL: one more may be asked for. Those that nobody waits for any more count
 * as long as c-ares has them: a name server that says nothing costs who chose
 * it, not the others. */
static const char *
lookup_complaint(const struct resolver *resolver, uint32_t deployment)
{
	size_t n = 0;

	for (const struct lookup *lookup = resolver->lookups; lookup != NULL;
	     lookup = lookup->next)
		n += lookup->deployment == deployment;
	if (n >= LOOKUPS_EACH_MAX)
		return "cannot be resolved: too many names (64) are being "
		       "asked for by this server: try again when they are "
		       "answered";
	return resolver->n_lookups >= LOOKUPS_MAX
	    ? "cannot be resolved: too many names are being asked for"
	    : NULL;
}

static struct resolve *
resolve_name(struct resolver *resolver, uint32_t deployment, const char *name,
    resolve_fn *done, void *arg)
{
	struct lookup *lookup = sorted_find(&resolver->asked, name);

	if (lookup != NULL)
		return resolve_wait(lookup, done, arg);
	const char *complaint = lookup_complaint(resolver, deployment);
	if (complaint != NULL)
		return resolve_fail(done, arg, WIRE_EGRESS_DNS, complaint);
	if (lookup_new(resolver, deployment, name, &lookup) != 0)
		return resolve_fail(
		    done, arg, WIRE_EGRESS_INTERNAL, "out of memory");
	return resolve_wait(lookup, done, arg);
}

struct resolve *
resolve_start(struct resolver *resolver, uint32_t deployment,
    const struct addr_host_name *host, resolve_fn *done, void *arg)
{
	struct egress *egress = resolver->egress;
	const char *reason =
	    host->is_ip ? NULL : addr_name_is_special(host->text);

	if (host->is_ip)
		return resolve_ip(egress, &host->ip, done, arg);
	if (reason != NULL)
		return resolve_fail(done, arg, WIRE_EGRESS_ADDRESS, reason);
	if (egress->settings.n_nameservers == 0)
		return resolve_fail(done, arg, WIRE_EGRESS_DNS,
		    "cannot be resolved: no name server is known (set "
		    "egress.nameservers)");

	const struct kept *kept = kept_find(resolver, host->text);
	if (kept != NULL) {
		/* done() may ask, and what is kept then changes */
		const struct resolved answer = kept->answer;
		resolved_tell(egress, &answer, done, arg);
		return NULL;
	}
	return resolve_name(resolver, deployment, host->text, done, arg);
}

void
resolve_cancel(struct resolve *resolve)
{
	resolve_unlink(resolve);
	free(resolve);
}

/* ---- c-ares on the loop --------------------------------------------------- */

static void
timer_set(struct resolver *resolver)
{
	struct timeval room,
	    *next = ares_timeout(resolver->channel, NULL, &room);

	if (next == NULL)
		evtimer_del(resolver->timer);
	else
		evtimer_add(resolver->timer, next);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *resolver = arg;
	(void)fd;
	(void)what;

	ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	timer_set(resolver);
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *resolver = arg;

	ares_process_fd(resolver->channel,
	    (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
	    (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
	timer_set(resolver);
}

static struct watched **
watched_find(struct resolver *resolver, ares_socket_t fd)
{
	struct watched **at = &resolver->watched;

	while (*at != NULL && (*at)->fd != fd)
		at = &(*at)->next;
	return at;
}

static void
watched_drop(struct watched **at)
{
	struct watched *watched = *at;

	*at = watched->next;
	event_free(watched->event);
	free(watched);
}

/* c-ares says what it waits for at a socket of its own. Without memory the
 * socket stays deaf: its questions run into their time. */
static void
on_state(void *arg, ares_socket_t fd, int is_readable, int is_writable)
{
	struct resolver *resolver = arg;
	struct watched **at = watched_find(resolver, fd);

	if (*at != NULL)
		watched_drop(at);
	if (!is_readable && !is_writable)
		return;
	struct watched *watched = calloc(1, sizeof(*watched));
	if (watched == NULL)
		return;
	*watched = (struct watched){ .fd = fd, .next = resolver->watched };
	watched->event = event_new(resolver->egress->base, fd,
	    (short)((is_readable ? EV_READ : 0) | (is_writable ? EV_WRITE : 0) |
		EV_PERSIST),
	    on_socket, resolver);
	if (watched->event == NULL || event_add(watched->event, NULL) != 0) {
		if (watched->event != NULL)
			event_free(watched->event);
		free(watched);
		return;
	}
	resolver->watched = watched;
}

static int
servers_set(struct resolver *resolver)
{
	const struct wire_egress_settings *settings =
	    &resolver->egress->settings;
	struct ares_addr_port_node nodes[WIRE_NAMESERVERS_MAX] = { 0 };

	for (size_t i = 0; i < settings->n_nameservers; i++) {
		const struct wire_nameserver *server =
		    &settings->nameservers[i];
		nodes[i].family = server->ip.version == 4 ? AF_INET : AF_INET6;
		memcpy(&nodes[i].addr, server->ip.bytes,
		    server->ip.version == 4 ? 4 : 16);
		nodes[i].udp_port = nodes[i].tcp_port = server->port;
		if (i > 0)
			nodes[i - 1].next = &nodes[i];
	}
	if (settings->n_nameservers == 0)
		return 0;
	return ares_set_servers_ports(resolver->channel, nodes) == ARES_SUCCESS
	    ? 0
	    : -EINVAL;
}

/* Everything is said here, so that c-ares reads no file of the system. */
static int
channel_new(struct resolver *resolver)
{
	char lookups[] = "b"; /* DNS, no hosts file */
	struct ares_options options = {
		.flags =
		    ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = 1000,
		.tries = 3,
		.ndots = 1,
		.lookups = lookups,
		.ednspsz = UDP_MAX,
		.sock_state_cb = on_state,
		.sock_state_cb_data = resolver,
	};
	const int status = ares_init_options(&resolver->channel, &options,
	    ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
		ARES_OPT_NDOTS | ARES_OPT_SERVERS | ARES_OPT_DOMAINS |
		ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST | ARES_OPT_EDNSPSZ |
		ARES_OPT_NOROTATE | ARES_OPT_SOCK_STATE_CB);

	if (status == ARES_ENOMEM)
		return -ENOMEM;
	return status == ARES_SUCCESS ? servers_set(resolver) : -EIO;
}

int
resolver_new(struct resolver **resolverp, struct egress *egress)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (resolver == NULL)
		return -ENOMEM;
	resolver->egress = egress;
	resolver->kept.compare = kept_compare;
	resolver->asked.compare = lookup_compare;
	resolver->timer = evtimer_new(egress->base, on_timer, resolver);
	int r = resolver->timer == NULL ? -ENOMEM : channel_new(resolver);
	if (r != 0)
		resolver = resolver_free(resolver);
	else
		*resolverp = resolver;
	return r;
}

struct resolver *
resolver_free(struct resolver *resolver)
{
	if (resolver == NULL)
		return NULL;
	resolver->is_ending = true;
	if (resolver->channel != NULL)
		ares_destroy(resolver->channel);
	while (resolver->lookups != NULL)
		lookup_free(resolver->lookups);
	while (resolver->watched != NULL)
		watched_drop(&resolver->watched);
	for (size_t i = 0; i < resolver->kept.n; i++)
		free(resolver->kept.items[i]);
	sorted_fini(&resolver->kept);
	sorted_fini(&resolver->asked);
	if (resolver->timer != NULL)
		event_free(resolver->timer);
	free(resolver);
	return NULL;
}
