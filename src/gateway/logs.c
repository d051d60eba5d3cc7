/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The last lines of each server, as JSON objects, for `cordon upstream logs`:
 * the oldest go when there are too many bytes. Who follows gets each new line;
 * one that reads too slowly misses some, and is told how many.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/auto.h"
#include "gateway/gateway.h"
#include "gateway/log.h"
#include "json/out.h"

#define LINE_MAX_BYTES 8192
#define TEXT_MAX 1024 /* of a line; more is cut */
#define FOLLOWERS_MAX 16 /* of one server */

struct follower {
	struct visit visit;
	TAILQ_ENTRY(follower) link;
	struct server *server; /* held */
	bool full;
	unsigned missed;
};

struct server_log {
	TAILQ_HEAD(, follower) followers;
	unsigned n_followers;
	size_t start; /* the lines are [start, end) */
	size_t end;
	char bytes[SERVER_LOG_MAX];
};

static struct server_log *
log_of(struct server *server)
{
	if (server->log == NULL) {
		server->log = calloc(1, sizeof(*server->log));
		if (server->log != NULL)
			TAILQ_INIT(&server->log->followers);
	}
	return server->log;
}

/* Followers hold the server: there are none any more. */
void
server_log_free(struct server *server)
{
	free(server->log);
	server->log = NULL;
}

static void
lines_keep(struct server_log *log, const char *line, size_t len)
{
	while (log->end - log->start + len > SERVER_LOG_MAX) {
		const char *oldest = log->bytes + log->start;
		const char *newline =
		    memchr(oldest, '\n', log->end - log->start);
		log->start += (size_t)(newline - oldest) + 1;
	}
	if (log->end + len > SERVER_LOG_MAX) {
		memmove(
		    log->bytes, log->bytes + log->start, log->end - log->start);
		log->end -= log->start;
		log->start = 0;
	}
	memcpy(log->bytes + log->end, line, len);
	log->end += len;
}

static void
follower_gone(struct visit *visit)
{
	struct follower *follower = (struct follower *)visit;
	struct server_log *log = follower->server->log;

	TAILQ_REMOVE(&log->followers, follower, link);
	log->n_followers--;
	server_unref(follower->server);
	free(follower);
}

static void
follower_end(struct follower *follower)
{
	http_stream_end(follower->visit.request);
	follower_gone(&follower->visit);
}

static void
follower_tell(struct follower *follower, const char *line, size_t len)
{
	if (follower->visit.principal->gone)
		follower_end(follower);
	else if (follower->full)
		follower->missed++;
	else
		follower->full =
		    http_stream_write(follower->visit.request, line, len);
}

static void
line_write(struct json_out *out, int level, uint64_t request,
    const char *raw_text, size_t len)
{
	char time[LOG_TIME_MAX], id[20];

	log_time(time);
	json_out_text(out, "{\"time\":\"");
	json_out_text(out, time);
	json_out_text(out, "\",\"level\":\"");
	json_out_text(out, log_level_name((enum log_level)level));
	if (request != 0) {
		log_id(id, request);
		json_out_text(out, "\",\"request\":\"");
		json_out_text(out, id);
	}
	json_out_text(out, "\",\"text\":");
	json_out_string(out, raw_text, len < TEXT_MAX ? len : TEXT_MAX);
	json_out_text(out, "}\n");
}

void
server_log(struct server *server, int level, uint64_t request,
    const char *raw_text, size_t len)
{
	struct server_log *log = log_of(server);
	struct follower *follower, *next;
	struct json_out out;

	if (level < LOG_DEBUG || level > LOG_ERROR)
		level = LOG_INFO;
	log_tool((enum log_level)level, request, server->name, raw_text, len);
	if (log == NULL)
		return;
	json_out_init(&out, LINE_MAX_BYTES);
	line_write(&out, level, request, raw_text, len);
	if (json_out_status(&out) == 0) {
		lines_keep(log, out.bytes, out.len);
		for (follower = TAILQ_FIRST(&log->followers); follower != NULL;
		     follower = next) {
			next = TAILQ_NEXT(follower, link);
			follower_tell(follower, out.bytes, out.len);
		}
	}
	json_out_fini(&out);
}

static void
follower_drained(struct visit *visit)
{
	struct follower *follower = (struct follower *)visit;
	char line[64];

	follower->full = false;
	if (follower->missed == 0)
		return;
	const int len =
	    snprintf(line, sizeof(line), "{\"missed\":%u}\n", follower->missed);
	follower->missed = 0;
	http_stream_write(visit->request, line, (size_t)len);
}

/* An empty line is no object, and keeps middle boxes from cutting. */
static void
follower_silent(struct visit *visit)
{
	http_stream_write(visit->request, "\n", 1);
}

static const struct visit_ops follower_ops = {
	.gone = follower_gone,
	.drained = follower_drained,
	.silent = follower_silent,
};

static const struct http_header ndjson[] = {
	{ "Content-Type", "application/x-ndjson" },
	{ "Cache-Control", "no-store" },
};

static void
follow_start(const struct visit *visit, struct server *server)
{
	struct server_log *log = server->log;
	struct follower *follower = calloc(1, sizeof(*follower));

	if (follower == NULL || log->n_followers == FOLLOWERS_MAX) {
		free(follower);
		http_request_answer_with(visit->request, "Retry-After", "5");
		route_refuse(visit->gateway, visit->request, 503,
		    "%u already follow this log, which is all there may be",
		    FOLLOWERS_MAX);
		return;
	}
	follower->visit = *visit;
	follower->visit.ops = &follower_ops;
	follower->server = server_ref(server);
	TAILQ_INSERT_TAIL(&log->followers, follower, link);
	log->n_followers++;
	http_request_owner_set(visit->request, follower);
	http_stream_begin(visit->request, 200, ndjson, ARRAY_LEN(ndjson));
	follower->full = http_stream_write(
	    visit->request, log->bytes + log->start, log->end - log->start);
}

void
server_log_answer(const struct visit *visit, struct server *server, bool follow)
{
	const struct server_log *log = log_of(server);
	char *lines = NULL;

	if (log == NULL) {
		route_refuse(
		    visit->gateway, visit->request, 503, "out of memory");
		return;
	}
	if (follow) {
		follow_start(visit, server);
		return;
	}
	const size_t len = log->end - log->start;
	if (len > 0 && (lines = malloc(len)) != NULL)
		memcpy(lines, log->bytes + log->start, len);
	http_reply(visit->request, len > 0 && lines == NULL ? 500 : 200, ndjson,
	    ARRAY_LEN(ndjson), lines, lines == NULL ? 0 : len);
}

void
server_log_drain(struct server *server)
{
	struct follower *follower;

	if (server->log == NULL)
		return;
	while ((follower = TAILQ_FIRST(&server->log->followers)) != NULL)
		follower_end(follower);
}
