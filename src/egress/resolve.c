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

#include "egress/egress.h"

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

#define ANSWER_MAX 16u /* addresses given to who asked */
#define ANSWER_V6_MAX 8u /* of them; IPv4 has room, too */
#define RECORDS_MAX 256 /* addresses of one answer that are looked at */
#define DEADLINE_MS 5000
#define GRACE_MS 500 /* for the other family, once one has an address */
#define KEEP_MAX_S 60
#define KEEP_NONE_S 5 /* that there is no such name */
#define KEPT_MAX 1024u
#define LOOKUPS_MAX 1024u
#define UDP_MAX 1232 /* DNS flag day 2020: does not fragment */

enum none {
	NONE_YET, /* nobody answered */
	NONE_FAILED, /* a name server could not */
	NONE_ADDRESS, /* the name has no address */
	NONE_NAME, /* there is no such name */
};

/* What is known of a name. */
struct answer {
	struct addr_ip ips[ANSWER_MAX];
	size_t n;
	struct addr_ip refused; /* one that may not be dialled */
	bool has_refused;
	struct addr_ip synthetic; /* one that a DNS64 made up */
	bool has_synthetic;
	bool is_too_large;
	enum none none; /* where n is 0 */
	uint32_t ttl;
};

struct kept {
	char name[ADDR_HOST_MAX];
	struct answer answer;
	uint64_t until_ms;
};

/* A name that is being asked for. */
struct lookup {
	struct resolver *resolver;
	char name[ADDR_HOST_MAX];
	struct event *timer;
	struct resolve *first; /* who waits */
	struct answer v4, v6;
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
    struct resolver *resolver, const char *name, const struct answer *answer)
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

/* ---- answers -------------------------------------------------------------- */

/*
 * RFC 6147: where a network translates, its name server gives each IPv4 address
 * as an IPv6 one, too. Such a one is refused as NAT64, by the table, if what is
 * inside of it is not (then it has that row); it is not dialled, but is no
 * reason to refuse the IPv4 address that it stands for.
 */
static bool
is_synthetic(const struct addr_range *range)
{
	return range->prefix.ip.version == 6 &&
	    strcmp(range->name, "NAT64") == 0;
}

static void
answer_put(struct answer *answer, const struct egress *egress,
    const struct addr_ip *ip, int ttl)
{
	const uint32_t seconds = ttl < 0 ? 0 : (uint32_t)ttl;
	const struct addr_range *range = egress_refuses(egress, ip);

	if (seconds < answer->ttl)
		answer->ttl = seconds;
	if (range != NULL && is_synthetic(range)) {
		answer->has_synthetic = true;
		answer->synthetic = *ip;
		return;
	}
	if (range != NULL && !answer->has_refused) {
		answer->has_refused = true;
		answer->refused = *ip;
	}
	if (answer->n < ANSWER_MAX)
		answer->ips[answer->n++] = *ip;
}

static int
records_a(const uint8_t *raw, int len, struct answer *answer,
    const struct egress *egress)
{
	struct ares_addrttl records[RECORDS_MAX];
	int n = RECORDS_MAX;
	const int status = ares_parse_a_reply(raw, len, NULL, records, &n);

	answer->is_too_large = status == ARES_SUCCESS && n == RECORDS_MAX;
	for (int i = 0; status == ARES_SUCCESS && i < n; i++) {
		struct addr_ip ip = { .version = 4 };
		memcpy(ip.bytes, &records[i].ipaddr, 4);
		answer_put(answer, egress, &ip, records[i].ttl);
	}
	return status;
}

static int
records_aaaa(const uint8_t *raw, int len, struct answer *answer,
    const struct egress *egress)
{
	struct ares_addr6ttl records[RECORDS_MAX];
	int n = RECORDS_MAX;
	const int status = ares_parse_aaaa_reply(raw, len, NULL, records, &n);

	answer->is_too_large = status == ARES_SUCCESS && n == RECORDS_MAX;
	for (int i = 0; status == ARES_SUCCESS && i < n; i++) {
		struct addr_ip ip = { .version = 6 };
		memcpy(ip.bytes, &records[i].ip6addr, 16);
		answer_put(answer, egress, &ip, records[i].ttl);
	}
	return status;
}

static bool
has_any(const struct answer *answer)
{
	return answer->n > 0 || answer->has_synthetic;
}

/* The two answers as one. */
static struct answer
answer_join(const struct answer *v6, const struct answer *v4)
{
	struct answer both = { .ttl = KEEP_MAX_S };
	const size_t n6 = v6->n < ANSWER_V6_MAX ? v6->n : ANSWER_V6_MAX;
	const size_t n4 = v4->n < ANSWER_MAX - n6 ? v4->n : ANSWER_MAX - n6;
	const struct answer *const each[] = { v6, v4 };

	memcpy(both.ips, v6->ips, n6 * sizeof(both.ips[0]));
	memcpy(both.ips + n6, v4->ips, n4 * sizeof(both.ips[0]));
	both.n = n6 + n4;
	for (size_t i = 0; i < 2; i++) {
		both.is_too_large |= each[i]->is_too_large;
		if (each[i]->has_refused && !both.has_refused) {
			both.has_refused = true;
			both.refused = each[i]->refused;
		}
		if (has_any(each[i]) && each[i]->ttl < both.ttl)
			both.ttl = each[i]->ttl;
	}
	for (size_t i = 0; i < 2 && both.n == 0; i++) {
		if (each[i]->has_synthetic && !both.has_refused) {
			both.has_refused = true;
			both.refused = each[i]->synthetic;
		}
	}
	if (both.n > 0 || both.has_refused)
		return both;

	/* one that failed may have had an address, unless there is no name */
	if (v4->none == NONE_NAME || v6->none == NONE_NAME)
		both.none = NONE_NAME;
	else
		both.none = v4->none < v6->none ? v4->none : v6->none;
	both.ttl = both.none >= NONE_ADDRESS ? KEEP_NONE_S : 0;
	return both;
}

static const char *const none_texts[] = {
	[NONE_YET] = "has no address that is known: no name server answered "
		     "in time",
	[NONE_FAILED] = "has no address that is known: the name servers are "
			"not there or could not tell (SERVFAIL, REFUSED or a "
			"broken answer)",
	[NONE_ADDRESS] = "has no address: the name exists, but without A and "
			 "AAAA records",
	[NONE_NAME] = "does not exist (NXDOMAIN)",
};

static void
address_refuse(const struct addr_ip *ip, const struct addr_range *range,
    resolve_fn *done, void *arg)
{
	char text[ADDR_IP_TEXT_MAX];
	struct err why;

	addr_ip_put(ip, text);
	err_set(&why, 0, "leads to %s, which is never dialled: %s (%s)", text,
	    range->name, range->source);
	done(arg, WIRE_EGRESS_ADDRESS, NULL, 0, why.text);
}

/* Tells one who asked; checked as of now. */
static void
answer_tell(const struct egress *egress, const struct answer *answer,
    resolve_fn *done, void *arg)
{
	const struct addr_range *range = NULL;
	const struct addr_ip *ip = NULL;

	if (answer->is_too_large) {
		done(arg, WIRE_EGRESS_DNS, NULL, 0,
		    "has more addresses than are looked at");
		return;
	}
	if (answer->has_refused)
		range = egress_refuses(egress, ip = &answer->refused);
	if (answer->n == 0 && range == NULL) {
		done(arg, WIRE_EGRESS_DNS, NULL, 0, none_texts[answer->none]);
		return;
	}
	for (size_t i = 0; range == NULL && i < answer->n; i++)
		range = egress_refuses(egress, ip = &answer->ips[i]);
	if (range != NULL)
		address_refuse(ip, range, done, arg);
	else
		done(arg, WIRE_EGRESS_OK, answer->ips, answer->n, "");
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

	const struct answer answer = answer_join(&lookup->v6, &lookup->v4);
	sorted_remove(&resolver->asked, lookup->name);
	lookup->is_over = true;
	kept_add(resolver, lookup->name, &answer);
	while (lookup->first != NULL) {
		struct resolve *resolve = lookup->first;
		resolve_fn *done = resolve->done;
		void *done_arg = resolve->arg;
		resolve_unlink(resolve);
		free(resolve);
		answer_tell(resolver->egress, &answer, done, done_arg);
	}
	if (lookup->pending == 0)
		lookup_free(lookup);
}

static void
answer_take(struct lookup *lookup, struct answer *answer, bool is_v6,
    const uint8_t *raw, int len)
{
	const struct egress *egress = lookup->resolver->egress;

	answer->none = NONE_FAILED;
	if (len < NS_HFIXEDSZ)
		return;
	const int code = raw[3] & 0x0f;
	if (code == NXDOMAIN) {
		answer->none = NONE_NAME;
		return;
	}
	if (code != NOERROR)
		return;
	answer->ttl = KEEP_MAX_S;
	const int status = is_v6 ? records_aaaa(raw, len, answer, egress)
				 : records_a(raw, len, answer, egress);
	if (status == ARES_ENODATA)
		answer->none = NONE_ADDRESS;
	else if (status != ARES_SUCCESS)
		answer->n = 0; /* a broken one has none */
}

/* One of the two questions has come back, or is given up. */
static void
on_answer(
    struct lookup *lookup, bool is_v6, int status, const uint8_t *raw, int len)
{
	struct answer *answer = is_v6 ? &lookup->v6 : &lookup->v4;

	lookup->pending--;
	if (lookup->is_over || lookup->resolver->is_ending) {
		if (lookup->pending == 0)
			lookup_free(lookup);
		return;
	}
	if (status == ARES_SUCCESS)
		answer_take(lookup, answer, is_v6, raw, len);
	else if (status != ARES_ETIMEOUT)
		answer->none = NONE_FAILED;

	/* told by the loop, not from within c-ares */
	const struct timeval grace = in_ms(GRACE_MS);
	if (lookup->pending == 0)
		event_active(lookup->timer, EV_TIMEOUT, 0);
	else if (has_any(answer) || answer->none == NONE_NAME)
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
lookup_new(struct resolver *resolver, const char *name, struct lookup **lookupp)
{
	const struct timeval deadline = in_ms(DEADLINE_MS);
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (lookup == NULL)
		return -ENOMEM;
	lookup->resolver = resolver;
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

struct resolve *
resolve_start(struct resolver *resolver, const struct addr_host_name *host,
    resolve_fn *done, void *arg)
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
		const struct answer answer = kept->answer;
		answer_tell(egress, &answer, done, arg);
		return NULL;
	}
	struct lookup *lookup = sorted_find(&resolver->asked, host->text);
	if (lookup == NULL && resolver->n_lookups >= LOOKUPS_MAX)
		return resolve_fail(done, arg, WIRE_EGRESS_DNS,
		    "cannot be resolved: too many names are being asked for");
	if (lookup == NULL && lookup_new(resolver, host->text, &lookup) != 0)
		return resolve_fail(
		    done, arg, WIRE_EGRESS_INTERNAL, "out of memory");
	return resolve_wait(lookup, done, arg);
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
