/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What comes out of a box. Every connection that a program inside makes is
 * accepted here, and is a guest until it is over, which is told once.
 *
 *   boxes.c      listeners in, guests accepted, counted, ended
 *   names.c      name <-> address of BOX_NET; question.c, dns.c: told by DNS
 *   door.c       which host is meant, by what rule, in which way
 *   hello.c      TLS' first message: is it the same host?
 *   proxy.c      CONNECT; socks.c: SOCKS5
 *   dial.c       out, to checked addresses; relay.c: bytes both ways
 *   seen.c       requests that are seen, and fetched
 *   terminate.c  TLS ended by us, with certificates of authority.c's
 */

#include <event2/event.h>
#include <sys/queue.h>

#include "box/spec.h"
#include "egress/doors/dial.h"
#include "egress/doors/hello.h"
#include "egress/doors/names.h"
#include "egress/doors/relay.h"
#include "egress/egress.h"
#include "http/server.h"

#define BOX_GUESTS_MAX 256u
#define GUEST_GREET_MS 10000 /* until what is meant must be said */
#define GUEST_IDLE_MS 600000
#define GUEST_HALF_MS 60000 /* when one end has ended */

struct box;

struct listener {
	LIST_ENTRY(listener) link;
	struct box *box;
	struct event *event;
	struct event *again; /* a timer: it rests until then */
	int fd;
	uint32_t kind; /* enum box_listener */
	uint16_t port;
};

#define ASKED_MAX 64u

/* Names that were refused lately: told once a minute. */
struct asked {
	char host[ADDR_HOST_MAX];
	uint64_t at; /* ms; 0: none */
};

struct box {
	struct egress *egress;
	uint32_t deployment;
	struct egress_unit unit;
	int channel_fd;
	struct event *channel_event;
	struct event *tick_event; /* runs while there are guests */
	LIST_HEAD(, listener) listeners;
	TAILQ_HEAD(, guest) guests;
	struct names *names;
	struct http_server *http; /* NULL until requests are seen */
	unsigned n_listeners;
	unsigned n_guests;
	bool is_full; /* its listeners wait */
	struct asked asked[ASKED_MAX];
	unsigned n_asked; /* ever */
};

/* How the guest said which host it wants, and is answered if it cannot. */
enum guest_via {
	VIA_ADDRESS, /* by what it dialled */
	VIA_CONNECT,
	VIA_SOCKS,
};

struct guest;
/* More bytes are in guest->head. */
typedef void guest_fn(struct guest *guest);

struct guest {
	TAILQ_ENTRY(guest) link;
	struct box *box;
	struct server *server; /* held; NULL */
	bool has_begun; /* server_begin() */
	bool is_answered; /* a proxy's yes was said */
	bool is_proxy; /* seen requests name their host themselves */
	bool is_adopted; /* the HTTP server has it, or its inner end */
	bool is_told; /* of it, or of its requests */
	bool broke_tls; /* the program did not go on with our handshake */
	int fd; /* -1: somebody else's */
	struct event *event;
	guest_fn *hear;
	uint8_t *head; /* owned; what was read, up to HELLO_BYTES_MAX; NULL */
	size_t head_len;
	enum guest_via via;
	struct addr_host_name host;
	uint16_t port;
	uint8_t scheme; /* enum addr_scheme; 0: not known */
	struct dial *dial;
	struct relay *relay;
	uint64_t began; /* ms */
	uint64_t deadline; /* ms; 0: somebody else's */
	uint64_t bytes_in;
	uint64_t bytes_out;
};

/* ---- boxes.c -------------------------------------------------------------- */

uint64_t doors_now_ms(void);
/* From now on: reads into head, and calls hear() after each piece. False: there
 * was no memory, and the guest is gone. */
bool guest_hear(struct guest *guest, guest_fn *hear);
void guest_hear_stop(struct guest *guest);
/* The first n bytes of head have been used. */
void guest_head_drop(struct guest *guest, size_t n);
/* Tells it (if its requests have not been told), and frees the guest. */
void guest_end(struct guest *guest, enum wire_egress_end end, const char *text);
/* What is told: whose, and that nothing has happened yet. */
struct wire_egress_event box_event(const struct box *box);
/* What is told of a guest: whose, which host, so far. */
struct wire_egress_event guest_event(const struct guest *guest);
/* Now holds what is in force for its box; NULL: nothing is. */
struct server *guest_server(struct guest *guest);
/* A short answer, past whatever else. */
void guest_say(struct guest *guest, const void *bytes, size_t len);
/* The relay's, for guests that are relayed as they are. */
bool guest_moved(void *arg, unsigned end, size_t len);
void guest_relay_over(void *arg, enum relay_over how);

/* ---- dns.c ---------------------------------------------------------------- */

/* Datagrams wait at the listener. */
void dns_serve(struct listener *listener);

/* ---- door.c --------------------------------------------------------------- */

/* A guest that dialled a host itself. */
void door_enter(struct guest *guest);
/* A guest whose host and port are known. */
void door_open(struct guest *guest);
/* The host that an address of the box means. False: none. */
bool door_host_of(
    const struct box *box, uint32_t address, struct addr_host_name *host);
/* A host that was given as an address of the box is the name it means. */
void door_name(struct guest *guest);
/* Refuses it, in the words of how it came. */
void
door_refuse(struct guest *guest, enum wire_egress_end end, const char *text);

/* ---- proxy.c, socks.c ----------------------------------------------------- */

void proxy_enter(struct guest *guest);
void socks_enter(struct guest *guest);
void proxy_answer(struct guest *guest);
void
proxy_refuse(struct guest *guest, enum wire_egress_end end, const char *text);
void socks_answer(struct guest *guest);
void socks_refuse(struct guest *guest, enum wire_egress_end end);

/* ---- seen.c --------------------------------------------------------------- */

/* Requests from here on: the guest's scheme, host and port are set, or
 * is_proxy. What is in head comes first. */
void seen_take(struct guest *guest);
/* Gives one end of a pair to the HTTP server, returns the other; negative
 * errno. */
int seen_inner(struct guest *guest);
/* The relay's, between the program and that end. */
bool seen_moved(void *arg, unsigned end, size_t len);
void seen_relay_over(void *arg, enum relay_over how);
struct http_server *seen_free(struct http_server *http);
/* The status that says so, and its words. */
unsigned seen_status(enum wire_egress_end end);
const char *seen_reason(unsigned status);

/* ---- terminate.c ---------------------------------------------------------- */

/* TLS is ended by us, with a certificate of the guest's host; head begins it. */
void terminate_take(struct guest *guest);
