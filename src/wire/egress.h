/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Egress, and those who speak with it. Whose a channel is, is said by the
 * supervisor, when it hands it over (wire.h: EGRESS_…), so it cannot be forged;
 * what comes over it is a stranger's.
 *
 * Settings: a sealed memfd, inherited: struct wire_egress_settings, then ca_len
 * bytes of PEM (roots to verify with), authority_len bytes of PEM (key and
 * certificate that TLS is ended with inside boxes), and records_len bytes of
 * records, for hosts without a store (`wrap`, `run`).
 *
 * Records: what a server may reach, from the store (or in the settings):
 * struct wire_frame with the deployment in `reserved`:
 *   SERVER    struct wire_egress_server, n_rules struct addr_rule,
 *             n_secrets struct wire_egress_secret; replaces the one before
 *   GONE      nothing
 *   SNAPSHOT  nothing: what was not told on this stream is gone
 *
 * Fetches: a stream of struct wire_frame, `reserved` is the fetch's number,
 * chosen by the caller, used once:
 *   caller -> egress
 *   FETCH     code: WIRE_FETCH_… flags; "METHOD\0URL\0name\0value\0…"
 *   BODY      bytes of the request's body; none: its end. Where
 *             WIRE_FETCH_BODY was not set there is none
 *   ROOM      code: bytes of the answer that may be sent beyond those before
 *   CANCEL    it is over; nothing more is sent for it
 *   PRINCIPAL code: whose the next fetches are (the gateway alone may say so)
 *   egress -> caller
 *   HEAD      code: the status; "URL\0name\0value\0…" (URL: that answered)
 *   DATA      bytes of the answer's body
 *   END       the answer is complete
 *   FAIL      code: enum wire_egress_end; text for a person
 *   ROOM      code: bytes of the request's body that may be sent beyond
 * Both directions start with room for WIRE_FETCH_WINDOW bytes. Who reads a large
 * answer grants more, so that it need not be waited for: at most
 * WIRE_FETCH_ROOM_MAX in all.
 *
 * Questions: over the stream of records, since the store has no network, and
 * what it signs in with is for nobody else's eyes (oauth/oauth.h). `reserved`
 * is the question's number, chosen by the store. One goes to https alone, to a
 * public address, whatever the deployment's rules; with no secret but what is
 * in it; a redirect is a failure. It counts in the deployment's budget, and has
 * 20 seconds. It is under way until TOLD was written; a store that asks more than
 * WIRE_ASKS_MAX at once, or misshapen, ends egress.
 *   store -> egress
 *   ASK       struct wire_egress_ask, "METHOD\0URL\0name\0value\0…", body
 *   egress -> store
 *   TOLD      code: enum wire_egress_end; struct wire_egress_told, then the
 *             answer's "name\0value\0…" and body, or text for a person
 *   REJECTED  a server answered 401 to a secret: struct wire_egress_rejected
 *
 * Events: egress -> gateway (or the watcher of `wrap`): EVENT frames, struct
 * wire_egress_event. One that finds no room is dropped and counted in the next.
 */

#include <stdint.h>

#include "addr/rule.h"
#include "wire/plan.h"

#define WIRE_EGRESS_MAGIC 0x31524745u /* "EGR1" */
#define WIRE_NAMESERVERS_MAX 4u
#define WIRE_NAT64_MAX 4u
#define WIRE_DENIED_MAX 16u

struct wire_nameserver {
	struct addr_ip ip;
	uint8_t pad;
	uint16_t port;
};

#define WIRE_EGRESS_LOOPBACK 1u /* `wrap`: ADDR_RULE_LOOPBACK is obeyed */

struct wire_egress_settings {
	uint32_t magic;
	uint32_t flags; /* WIRE_EGRESS_… */
	uint32_t n_nameservers;
	uint32_t n_nat64;
	uint32_t n_denied;
	struct wire_nameserver nameservers[WIRE_NAMESERVERS_MAX];
	struct addr_prefix nat64[WIRE_NAT64_MAX];
	struct addr_prefix denied[WIRE_DENIED_MAX];
	uint32_t ca_len;
	uint32_t authority_len; /* 0: TLS is never ended inside a box */
	uint32_t records_len;
};

enum wire_egress_frame {
	WIRE_EGRESS_SERVER = 64, /* apart from enum wire_frame_type */
	WIRE_EGRESS_GONE,
	WIRE_EGRESS_SNAPSHOT,
	WIRE_EGRESS_FETCH,
	WIRE_EGRESS_BODY,
	WIRE_EGRESS_ROOM,
	WIRE_EGRESS_CANCEL,
	WIRE_EGRESS_PRINCIPAL,
	WIRE_EGRESS_HEAD,
	WIRE_EGRESS_DATA,
	WIRE_EGRESS_END,
	WIRE_EGRESS_FAIL,
	WIRE_EGRESS_EVENT,
	WIRE_EGRESS_ASK,
	WIRE_EGRESS_TOLD,
	WIRE_EGRESS_REJECTED,
};

struct wire_egress_server {
	char tenant[WIRE_NAME_MAX];
	char name[WIRE_NAME_MAX];
	struct addr_budget budget;
	uint32_t n_rules;
	uint32_t n_secrets;
};

#define WIRE_SECRET_NAME_MAX 64 /* with the NUL: [A-Za-z_][A-Za-z0-9_]* */
#define WIRE_SECRET_VALUE_MAX 4096
#define WIRE_SECRET_TEMPLATE_MAX 64
#define WIRE_SECRETS_MAX 32u /* of one server, that people set */
#define WIRE_LOGINS_MAX 256u /* of one server: tokens of those signed in */
#define WIRE_SERVER_SECRETS_MAX (WIRE_SECRETS_MAX + WIRE_LOGINS_MAX)
/* The name of a token that signing in brought (a header `authorization`). */
#define WIRE_LOGIN_SECRET "OAUTH_TOKEN"

enum wire_secret_kind {
	WIRE_SECRET_HEADER, /* the request's header `field`: template */
	WIRE_SECRET_QUERY, /* the query's member `field` */
	WIRE_SECRET_BASIC, /* Authorization: Basic; the value is USER:PASSWORD */
};

/* Only towards https, this host, this port, and (if it is one's) for this
 * principal, whose own comes before whoever's. One without a value (value_len 0)
 * cannot be opened, or is a login that has ended: what would carry it fails,
 * and nobody else's is sent instead. */
struct wire_egress_secret {
	char name[WIRE_SECRET_NAME_MAX];
	char host[ADDR_HOST_MAX]; /* exact */
	uint16_t port;
	uint16_t kind; /* enum wire_secret_kind */
	uint32_t principal; /* 0: whoever's */
	char field[64]; /* header or query member; lower case header names */
	char template_[WIRE_SECRET_TEMPLATE_MAX]; /* "Bearer {}"; "{}" */
	uint32_t value_len;
	uint8_t value[WIRE_SECRET_VALUE_MAX];
};

#define WIRE_FETCH_WINDOW (256u << 10)
#define WIRE_FETCH_ROOM_MAX (1u << 20)
#define WIRE_FETCH_HEAD_MAX (64u << 10) /* FETCH, HEAD */
#define WIRE_FETCH_DATA_MAX (64u << 10) /* a BODY's, a DATA's bytes */
#define WIRE_FETCH_OPEN_MAX 64u /* at once, of one caller */
#define WIRE_FETCH_REDIRECTS_MAX 20u

#define WIRE_FETCH_BODY 1 /* BODY frames follow */
#define WIRE_FETCH_FOLLOW                                                      \
	2 /* follow redirects, each hop checked; else 3xx is
			     * an answer like others */
#define WIRE_FETCH_REDIRECT_FAILS 4 /* a redirect is a failure */
#define WIRE_FETCH_LONG 8 /* silence is no failure (the gateway alone) */

/* Why there is no answer. */
enum wire_egress_end {
	WIRE_EGRESS_OK,
	WIRE_EGRESS_BAD, /* the request itself is malformed */
	WIRE_EGRESS_NO_RULE, /* no rule allows it */
	WIRE_EGRESS_ADDRESS, /* the name leads where nothing may be dialled */
	WIRE_EGRESS_BUDGET, /* a budget is spent */
	WIRE_EGRESS_DNS, /* the name cannot be resolved */
	WIRE_EGRESS_CONNECT, /* nobody is there, or too slow */
	WIRE_EGRESS_TLS, /* the certificate, or the handshake */
	WIRE_EGRESS_PROTOCOL, /* the origin does not speak HTTP */
	WIRE_EGRESS_TIMEOUT,
	WIRE_EGRESS_TOO_LARGE, /* the answer is larger than its budget */
	WIRE_EGRESS_REDIRECT, /* refused, or too many */
	WIRE_EGRESS_MISMATCH, /* SNI, Host or CONNECT name another host */
	WIRE_EGRESS_SECRET, /* a secret would have left where it must not */
	WIRE_EGRESS_CANCELLED,
	WIRE_EGRESS_CUT, /* the origin closed in the middle */
	WIRE_EGRESS_INTERNAL,
	WIRE_EGRESS_N_ENDS,
};

#define WIRE_ASK_HEAD_MAX (32u << 10)
#define WIRE_ASK_BODY_MAX (64u << 10) /* of a question, of an answer */
#define WIRE_ASKS_MAX 64u /* at once */

struct wire_egress_ask {
	uint32_t deployment;
	uint32_t principal;
	uint32_t head_len;
	uint32_t body_len;
};

struct wire_egress_told {
	uint32_t status;
	uint32_t head_len; /* 0 where it failed */
	uint32_t body_len; /* or the text's */
	uint32_t reserved;
};

/* Of what was put into Authorization, and is still what the store has told; at
 * most once a second of each, and not while TOLD frames wait to be read. */
struct wire_egress_rejected {
	uint32_t deployment;
	uint32_t principal; /* of the secret; 0: whoever's */
	char name[WIRE_SECRET_NAME_MAX];
};

enum wire_egress_unit {
	WIRE_UNIT_NONE,
	WIRE_UNIT_CELL, /* number: the template's cell */
	WIRE_UNIT_LINK, /* number: the gateway's link: a box, a remote server */
};

/* One request, connection or question, when it is over. */
struct wire_egress_event {
	uint32_t deployment;
	uint32_t unit; /* enum wire_egress_unit */
	uint32_t number;
	uint32_t end; /* enum wire_egress_end; OK: it went through */
	uint32_t status; /* of HTTP; 0 */
	uint32_t lost; /* events before this that found no room */
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t ms;
	uint16_t port;
	uint8_t scheme; /* enum addr_scheme; 0: a question for a name */
	uint8_t refused; /* by a rule, an address, a budget, a mismatch */
	char method[16]; /* "" where requests are not seen */
	char host[ADDR_HOST_MAX];
	char path[128]; /* without query, cut; "" */
	char text[512]; /* of what was refused or failed: the sentence */
};
