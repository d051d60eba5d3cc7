/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What each server may reach: taken in, kept, told to egress (wire/egress.h).
 *
 *   network.c   as JSON: a policy of its network member alone
 *   records.c   as the record that egress gets
 *   stream.c    the stream to egress
 *   ask.c       what egress is asked, since the store has no network
 *   told.c      what it says: answers, and tokens that were rejected
 */

#include "policy/network.h"
#include "store/launch.h"

/* ---- network.c ------------------------------------------------------------ */

#define STORE_NETWORK_MAX 24576u /* bytes: it comes beside a record */

/* /network of a body, in its one spelling: {"network":{…}} into `out`, which
 * the caller finishes; nothing where it reaches nothing. 0, or a status. */
int network_make(
    struct request *request, const struct member *member, struct json_out *out);

/* The same of the operator's, which has that form already. Negative errno. */
int network_check(const char *raw_text, size_t len, struct err *err);

/* ,"network":{…} of an isolate that may reach something, unless it is longer
 * than `max`. Negative errno. */
int network_put(struct store *store, const struct db_server *server, size_t max,
    struct json_out *out);

/* ---- records.c ------------------------------------------------------------ */

/* What a server may reach, approved or not: of its network, its policy or its
 * URL. Negative errno and a sentence. */
int egress_network(struct store *store, const struct db_server *server,
    struct policy_network *network, struct err *err);

/* Whether that can be made of what is stored of it, and is something where a
 * server is elsewhere. Negative errno and a sentence. */
int egress_check(
    struct store *store, const struct db_server *server, struct err *err);

/* Whether that is anything. What cannot be read is nothing; the log says so. */
bool egress_reaches(struct store *store, const struct db_server *server);

struct egress_record {
	struct wire_frame head;
	uint8_t *bytes; /* head.len; sodium_malloc'ed, the caller's */
};
/* SERVER, or GONE where it may reach nothing now. Negative errno. */
int egress_record_make(
    struct store *store, uint32_t id, struct egress_record *record);

/* ---- stream.c ------------------------------------------------------------- */

/* Takes the descriptor; tells all of it. The one before is closed. */
void egress_open(struct store *store, int fd);
void egress_close(struct store *store);
/* Something of this server is new, and durable: egress is told what it is by
 * now, at once where it listens. Nothing where there is no egress. */
void egress_push(struct store *store, uint32_t id);
/* There is something to ask. */
void egress_flush_soon(struct store *store);

/* ---- ask.c ---------------------------------------------------------------- */

/* Borrowed while it is asked. */
struct egress_question {
	uint32_t deployment; /* in whose budget it counts */
	uint32_t principal;
	const char *head; /* "METHOD\0URL\0name\0value\0…" */
	size_t head_len;
	const void *body;
	size_t body_len;
};

/* Borrowed by who hears it; wiped afterwards. */
struct egress_answer {
	enum wire_egress_end end;
	unsigned status; /* of HTTP, where end is OK */
	const char *head; /* "name\0value\0…" */
	size_t head_len;
	const char *body;
	size_t len;
	char text[512]; /* where it failed: for a person */
};

typedef void
egress_told_fn(void *arg, uint32_t number, const struct egress_answer *answer);

/*
 * Asks; `fn` hears exactly once, later, what became of it. Without an egress it
 * is asked when there is one; who does not want to wait forgets it. What an
 * egress that ended had not answered has failed. -ENOMEM; -EBUSY: more is asked
 * than may be at once.
 */
int egress_ask(struct store *store, const struct egress_question *question,
    egress_told_fn *fn, void *arg, uint32_t *number);
/* Nobody wants to hear of it any more. */
void egress_ask_forget(struct store *store, uint32_t number);
/* The first value of the i-th header of this name (any case). NULL: there are
 * not so many. */
const char *egress_answer_header(
    const struct egress_answer *answer, const char *name, unsigned i);

/* For stream.c: the next that was not sent yet, as a frame and its bytes
 * (sodium_malloc'ed, the caller's). False: there is none. */
bool asks_next(struct store *store, struct wire_frame *head, uint8_t **bytes);
/* What was sent is not answered any more. */
void asks_lost(struct store *store);
void asks_told(
    struct store *store, uint32_t number, const struct egress_answer *answer);
void asks_free(struct store *store);

/* ---- told.c --------------------------------------------------------------- */

struct told;
struct told *told_new(void); /* NULL: out of memory */
void told_free(struct told *told);
/* Reads what is there. What is heard may close the stream: `told` is kept until
 * it is over. 0; TOLD_E_END: it is closed; TOLD_E_BREACH: what no egress says,
 * nothing of it is to be read any more. */
#define TOLD_E_END 1
#define TOLD_E_BREACH 2
int told_read(struct store *store, struct told *told, int fd);
