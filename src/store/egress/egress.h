/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What each server may reach: taken in, kept, told to egress (wire/egress.h).
 *
 *   network.c   as JSON: a policy of its network member alone
 *   records.c   as the record that egress gets
 *   stream.c    the stream to egress
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
	uint8_t *bytes; /* head.len; sodium_malloc'ed */
};
/* SERVER, or GONE where it may reach nothing now. Negative errno. */
int egress_record_make(
    struct store *store, uint32_t id, struct egress_record *record);
void egress_record_fini(struct egress_record *record);

/* ---- stream.c ------------------------------------------------------------- */

/* Takes the descriptor; tells all of it. The one before is closed. */
void egress_open(struct store *store, int fd);
void egress_close(struct store *store);
/* Something of this server is new, and durable: egress is told what it is by
 * now, at once where it listens. Nothing where there is no egress. */
void egress_push(struct store *store, uint32_t id);
