/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What egress tells of what left, or was not let out (wire/egress.h, EVENT):
 * made out whose it was, counted, logged, kept, and, where it was refused,
 * written into the audit.
 *
 *   watch.c   the stream, and what is done with an event
 *   line.c    an event in words
 *   kept.c    the last ones, and who follows them
 *
 * What a server made egress say is a stranger's: hosts, paths and sentences are
 * escaped wherever they go. A server that makes many events is told of less,
 * and how much less; its numbers stay right.
 */

#include "gateway/gateway.h"
#include "gateway/registry.h"
#include "wire/egress.h"

#define EGRESS_LOG_LINES_S 20u /* of one server, in a second */
#define EGRESS_AUDIT_MINUTE 20u /* refusals of one server, in a minute */
#define EGRESS_KEPT_BYTES (1u << 20) /* of the last events */
#define EGRESS_KEPT_SHARE (EGRESS_KEPT_BYTES / 8) /* of one server, if full */
#define EGRESS_LINE_MAX 8192u

/* At most so many in a window; the rest is counted. */
struct egress_bound {
	uint64_t window;
	uint32_t n;
	uint32_t left_out;
};

/* Of one server, of all its life here. */
struct server_egress {
	uint64_t n_requests[WIRE_EGRESS_N_ENDS]; /* and connections */
	uint64_t n_names[WIRE_EGRESS_N_ENDS]; /* questions for a name */
	uint64_t n_refused;
	uint64_t bytes_in;
	uint64_t bytes_out;
	struct egress_bound log;
	struct egress_bound audit;
};

/* ---- watch.c -------------------------------------------------------------- */

/* -ENOMEM. */
int egress_watch_start(struct gateway *gateway);
void egress_watch_stop(struct gateway *gateway);
/* Takes the stream of an egress that has (re)started. */
void egress_connect(struct gateway *gateway, int fd);

struct egress_counts {
	uint64_t connects;
	uint64_t lost; /* events that egress had no room for */
	bool is_here;
};
void
egress_counts_get(const struct gateway *gateway, struct egress_counts *counts);

/* ---- line.c --------------------------------------------------------------- */

/* An event, and what is known of whose it is. */
struct egress_told {
	struct wire_egress_event event; /* its texts end, and are hostile */
	struct server *server; /* NULL: it went in the meantime */
	struct principal *principal; /* NULL: nobody's, or gone */
	struct pool_mark mark;
};

const char *egress_end_name(uint32_t end); /* "no_rule" */
/* "allowed", "refused", "failed" */
const char *egress_verdict(const struct wire_egress_event *event);
/* {"time", "tenant", "server", …} and a newline, in at most EGRESS_LINE_MAX
 * bytes. */
void egress_line_write(struct json_out *out, const struct egress_told *told);
/* The same for a person, in one line. */
void egress_text_write(const struct egress_told *told, char *text, size_t size);
/* The members of an audit record; `left_out`: of refusals before. */
void egress_audit_write(
    struct json_out *out, const struct egress_told *told, uint32_t left_out);

/* ---- kept.c --------------------------------------------------------------- */

struct egress_kept *egress_kept_new(void);
struct egress_kept *egress_kept_free(struct egress_kept *kept);
void egress_keep(struct egress_kept *kept, const struct egress_told *told,
    const char *line, size_t len);

/* Whose events are wanted; NULL: all. */
struct egress_wanted {
	const struct tenant *tenant;
	char server[WIRE_NAME_MAX]; /* "" */
	bool refused; /* those alone */
	bool follow;
};
/* Answers with what is kept, and (follow) with what comes, as NDJSON. */
void egress_log_answer(const struct visit *visit, struct egress_kept *kept,
    const struct egress_wanted *wanted);
/* Ends those who follow. */
void egress_kept_drain(struct egress_kept *kept);

/* What admin.c and main.c call, with the gateway's own. */
void
egress_admin_log(const struct visit *visit, const struct egress_wanted *wanted);
void egress_watch_drain(struct gateway *gateway);
