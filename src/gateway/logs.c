/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The last lines of each server, as JSON objects, for `cordon upstream logs`:
 * the oldest go when there are too many bytes. Who follows gets each new line;
 * one that reads too slowly misses some, and is told how many.
 */

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/follow.h"
#include "gateway/log.h"
#include "json/out.h"

#define LINE_MAX_BYTES 8192
#define TEXT_MAX 1024 /* of a line; more is cut */

/* Of one server's log. */
struct log_follower {
	struct follower follower;
	struct server *server; /* held */
};

struct server_log {
	struct follow follow;
	size_t start; /* the lines are [start, end) */
	size_t end;
	char bytes[SERVER_LOG_MAX];
};

static void
log_follower_gone(struct follower *follower)
{
	struct log_follower *ours = (struct log_follower *)follower;

	server_unref(ours->server);
	free(ours);
}

static struct server_log *
log_of(struct server *server)
{
	if (server->log == NULL) {
		server->log = calloc(1, sizeof(*server->log));
		if (server->log != NULL)
			follow_init(&server->log->follow, log_follower_gone);
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
		follow_tell(&log->follow, out.bytes, out.len, NULL, NULL);
	}
	json_out_fini(&out);
}

static void
log_follow(const struct visit *visit, struct server *server)
{
	struct server_log *log = server->log;
	struct log_follower *ours = calloc(1, sizeof(*ours));

	if (ours != NULL)
		ours->server = server_ref(server);
	follow_begin(&log->follow, ours == NULL ? NULL : &ours->follower, visit,
	    log->bytes + log->start, log->end - log->start);
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
		log_follow(visit, server);
		return;
	}
	const size_t len = log->end - log->start;
	if (len > 0 && (lines = malloc(len)) != NULL)
		memcpy(lines, log->bytes + log->start, len);
	http_reply(visit->request, len > 0 && lines == NULL ? 500 : 200,
	    follow_ndjson, ARRAY_LEN(follow_ndjson), lines,
	    lines == NULL ? 0 : len);
}

void
server_log_drain(struct server *server)
{
	if (server->log != NULL)
		follow_end(&server->log->follow);
}
