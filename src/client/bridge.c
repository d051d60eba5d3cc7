/* SPDX-License-Identifier: Apache-2.0 */
#include "client/bridge.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/fd.h"
#include "client/exchange.h"
#include "json/out.h"

#define READ_BYTES 65536u
#define END_MS 2000u /* for the DELETE at the end */

uint64_t
bridge_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void
bridge_say(struct bridge *bridge, const char *format, ...)
{
	char sentence[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	bridge->task->say(sentence);
}

/* A line break in a checked JSON text is white space between values. */
void
bridge_line_write(struct bridge *bridge, const char *text, size_t len)
{
	auto_free char *line = malloc(len + 1);

	if (line == NULL || bridge->output_broken) {
		bridge->output_broken = true;
		return;
	}
	for (size_t i = 0; i < len; i++)
		line[i] = text[i] == '\n' || text[i] == '\r' ? ' ' : text[i];
	line[len] = '\n';
	if (fd_write_all(bridge->task->out_fd, line, len + 1) < 0)
		bridge->output_broken = true;
}

void
bridge_refuse(
    struct bridge *bridge, struct json_span id, int code, const char *message)
{
	char number[16];
	struct json_out out;

	json_out_init(&out, 65536);
	json_out_text(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
	if (id.at != NULL)
		json_out_span(&out, id);
	else
		json_out_text(&out, "null");
	snprintf(number, sizeof(number), "%d", code);
	json_out_text(&out, ",\"error\":{\"code\":");
	json_out_text(&out, number);
	json_out_text(&out, ",\"message\":");
	json_out_string(&out, message, strlen(message));
	json_out_text(&out, "}}");
	if (json_out_status(&out) == 0)
		bridge_line_write(bridge, out.bytes, out.len);
	json_out_fini(&out);
}

static void
exchange_remove(struct bridge *bridge, struct exchange *exchange)
{
	struct exchange **at = &bridge->exchanges;

	while (*at != exchange)
		at = &(*at)->next;
	*at = exchange->next;
	if (exchange->kind == EXCHANGE_REQUEST)
		bridge->n_requests--;
	if (bridge->barrier == exchange)
		bridge->barrier = NULL;
	exchange_free(exchange);
}

static void
exchange_add(struct bridge *bridge, struct exchange *exchange)
{
	exchange->next = bridge->exchanges;
	bridge->exchanges = exchange;
	if (exchange->kind == EXCHANGE_REQUEST)
		bridge->n_requests++;
	if (exchange_start(exchange) == 0)
		return;
	bridge_refuse(bridge, exchange->id, -32000, "cordon: no memory");
	exchange_remove(bridge, exchange);
}

static const char initialized[] =
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";

/* A message of our own, before which nothing else goes. */
static void
own_send(struct bridge *bridge, const char *text, bool is_initialize)
{
	char *body = strdup(text);
	struct exchange *exchange = body == NULL
	    ? NULL
	    : exchange_new(bridge, EXCHANGE_NOTICE, body, strlen(body));

	if (exchange == NULL)
		return;
	exchange->is_own = true;
	exchange->is_initialize = is_initialize;
	exchange->is_initialized = !is_initialize;
	bridge->barrier = exchange;
	exchange_add(bridge, exchange);
}

static void
stream_open(struct bridge *bridge)
{
	struct exchange *exchange;

	for (exchange = bridge->exchanges; exchange != NULL;
	     exchange = exchange->next) {
		if (exchange->kind == EXCHANGE_STREAM)
			return;
	}
	exchange = exchange_new(bridge, EXCHANGE_STREAM, NULL, 0);
	if (exchange != NULL)
		exchange_add(bridge, exchange);
}

/* The end of the era of a request is another's: HTTP has the closing of its
 * stream for it (2026-07-28); true: it was such a one. */
static bool
is_cancelled(struct bridge *bridge, struct json_span message)
{
	struct json_want params = { "params" };
	struct json_want id = { "requestId" };

	if (json_members_find(message, &params, 1) != 0 ||
	    params.value.at == NULL ||
	    json_members_find(params.value, &id, 1) != 0 || id.value.at == NULL)
		return false;
	for (struct exchange *one = bridge->exchanges; one != NULL;
	     one = one->next) {
		if (one->kind == EXCHANGE_REQUEST && one->is_modern &&
		    one->id.len == id.value.len &&
		    memcmp(one->id.at, id.value.at, one->id.len) == 0) {
			exchange_remove(bridge, one);
			return true;
		}
	}
	return false;
}

/* The stream of a session that has ended, but for one that waits itself. */
static void
stream_close(struct bridge *bridge, const struct exchange *but)
{
	struct exchange *next;

	for (struct exchange *one = bridge->exchanges; one != NULL;
	     one = next) {
		next = one->next;
		if (one->kind == EXCHANGE_STREAM && one != but)
			exchange_remove(bridge, one);
	}
}

/* Until the new session is there, or is not. */
#define SESSION_WAIT_MS 60000u

bool
bridge_renew(struct bridge *bridge, struct exchange *exchange)
{
	if (exchange->is_modern || exchange->is_initialize ||
	    exchange->is_own || exchange->was_renewed ||
	    exchange->kind == EXCHANGE_END || bridge->initialize == NULL ||
	    (bridge->session[0] == '\0' && !bridge->is_renewing))
		return false;
	exchange->was_renewed = exchange->waits_session = true;
	exchange->again_ms = bridge_now_ms() + SESSION_WAIT_MS;
	exchange->sse.id[0] = '\0';
	exchange_stop(exchange);
	if (bridge->is_renewing)
		return true;

	bridge_say(bridge, "the session has ended; beginning another");
	bridge->is_renewing = true;
	bridge->session[0] = bridge->version[0] = '\0';
	stream_close(bridge, exchange);
	own_send(bridge, bridge->initialize, true);
	return true;
}

/* Those that wait for the session go on, or are told that there is none. */
static void
renewed(struct bridge *bridge)
{
	bridge->is_renewing = false;
	for (struct exchange *one = bridge->exchanges; one != NULL;
	     one = one->next) {
		if (one->waits_session)
			one->again_ms = 0;
		one->waits_session = false;
	}
}

static void
exchange_describe(struct exchange *exchange, const struct head *head)
{
	exchange->head = *head;
	exchange->is_modern = head->is_modern;
	exchange->is_initialize = strcmp(head->method, "initialize") == 0;
	exchange->is_initialized =
	    strcmp(head->method, "notifications/initialized") == 0;
	exchange->is_listen = strcmp(head->method, "subscriptions/listen") == 0;
}

/* Takes the line. */
static void
message_send(struct bridge *bridge, char *line, size_t len)
{
	struct json_want wants[] = { { "method" }, { "id" } };
	auto_free char *owned = line;
	struct json_span message;
	struct head head;

	if (json_check(line, len, &message, NULL) != 0) {
		bridge_say(bridge, "the client sent what is not JSON");
		bridge_refuse(bridge, (struct json_span){ 0 }, -32700,
		    "cordon connect: this line is not JSON");
		return;
	}
	if (json_kind_of(message) != JSON_KIND_OBJECT ||
	    json_members_find(message, wants, ARRAY_LEN(wants)) != 0 ||
	    head_take(message, &head) != 0) {
		bridge_refuse(bridge, wants[1].value, -32600,
		    "cordon connect: this is no JSON-RPC message, or its "
		    "method or name cannot be one");
		return;
	}
	const bool is_request =
	    wants[0].value.at != NULL && wants[1].value.at != NULL;
	if (!is_request &&
	    strcmp(head.method, "notifications/cancelled") == 0 &&
	    is_cancelled(bridge, message))
		return;
	if (is_request && bridge->n_requests == BRIDGE_REQUESTS_MAX) {
		bridge_refuse(bridge, wants[1].value, -32000,
		    "cordon connect: too many requests without an answer");
		return;
	}

	struct exchange *exchange = exchange_new(bridge,
	    is_request ? EXCHANGE_REQUEST : EXCHANGE_NOTICE, steal_ptr(&owned),
	    len);
	if (exchange == NULL)
		return;
	exchange->message = message;
	if (is_request)
		exchange->id = wants[1].value;
	exchange_describe(exchange, &head);
	if (exchange->is_initialize || exchange->is_initialized)
		bridge->barrier = exchange;
	if (exchange->is_initialize) {
		free(bridge->initialize);
		bridge->initialize = strdup(exchange->body);
	}
	exchange_add(bridge, exchange);
}

/* The next whole line of what was read, while nothing holds it back. */
static bool
line_next(struct bridge *bridge)
{
	if (bridge->barrier != NULL || bridge->line_len == 0)
		return false;
	char *end = memchr(bridge->line + bridge->line_seen, '\n',
	    bridge->line_len - bridge->line_seen);
	if (end == NULL && !bridge->input_ended) {
		bridge->line_seen = bridge->line_len;
		return false;
	}

	const size_t len =
	    end != NULL ? (size_t)(end - bridge->line) : bridge->line_len;
	const size_t used = end != NULL ? len + 1 : len;
	char *line = malloc(len + 1);
	if (line == NULL)
		return false;
	memcpy(line, bridge->line, len);
	line[len] = '\0';
	bridge->line_len -= used;
	bridge->line_seen = 0;
	memmove(bridge->line, bridge->line + used, bridge->line_len);
	if (strspn(line, " \t\r") == len)
		free(line);
	else
		message_send(bridge, line, len);
	return true;
}

static void
input_read(struct bridge *bridge)
{
	if (bridge->line_capacity - bridge->line_len < READ_BYTES) {
		const size_t wanted = bridge->line_capacity * 2 + READ_BYTES;
		char *grown = wanted > 2 * BRIDGE_LINE_MAX
		    ? NULL
		    : realloc(bridge->line, wanted);

		if (grown == NULL) {
			bridge_say(bridge,
			    "a message of the client is longer "
			    "than 32 MiB");
			bridge->input_ended = true;
			bridge->line_len = 0;
			return;
		}
		bridge->line = grown;
		bridge->line_capacity = wanted;
	}
	const ssize_t n = read(
	    bridge->task->in_fd, bridge->line + bridge->line_len, READ_BYTES);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0)
		bridge->input_ended = true;
	else
		bridge->line_len += (size_t)n;
}

static void
transfers_finish(struct bridge *bridge)
{
	CURLMsg *done;
	int left;

	while ((done = curl_multi_info_read(bridge->multi, &left)) != NULL) {
		struct exchange *exchange = NULL;

		if (done->msg != CURLMSG_DONE)
			continue;
		const CURLcode code = done->data.result;
		curl_easy_getinfo(
		    done->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
		if (!exchange_ended(exchange, code))
			continue;
		const bool has_session = bridge->session[0] != '\0';
		const bool is_first = exchange->is_initialize;
		const bool is_second = exchange->is_initialized;
		const bool is_own = exchange->is_own;
		exchange_remove(bridge, exchange);
		if (is_first && is_own && has_session)
			own_send(bridge, initialized, false);
		else if (is_own)
			renewed(bridge);
		if (is_second && has_session)
			stream_open(bridge);
	}
}

/* Starts again what waited long enough; how long until the next. */
static int
waiting_start(struct bridge *bridge)
{
	const uint64_t now = bridge_now_ms();
	uint64_t next = now + 60000;

	for (struct exchange *one = bridge->exchanges; one != NULL;
	     one = one->next) {
		if (one->handle == NULL && one->again_ms <= now)
			(void)exchange_start(one);
		if (one->handle == NULL && one->again_ms < next)
			next = one->again_ms;
	}
	return (int)(next - now);
}

static bool
is_over(const struct bridge *bridge)
{
	if (bridge->output_broken)
		return true;
	if (!bridge->input_ended || bridge->line_len > 0)
		return false;
	for (const struct exchange *one = bridge->exchanges; one != NULL;
	     one = one->next) {
		if (one->kind != EXCHANGE_STREAM && !one->is_listen)
			return false;
	}
	return true;
}

/* One round: waits for the host or the client. True: told to stop. */
static bool
turn(struct bridge *bridge)
{
	const struct bridge_task *task = bridge->task;
	struct curl_waitfd fds[2] = {
		{ .fd = task->stop_fd, .events = CURL_WAIT_POLLIN },
		{ .fd = task->in_fd, .events = CURL_WAIT_POLLIN },
	};
	int running;

	curl_multi_perform(bridge->multi, &running);
	transfers_finish(bridge);
	while (line_next(bridge))
		continue;
	if (is_over(bridge))
		return false;
	/* Now, for what has ended may have held the input back. */
	const bool reads = !bridge->input_ended && bridge->barrier == NULL;
	/* No transfer may end between the look at those that have and the
	 * wait: nothing would wake it. What was added now ends the wait. */
	const int wait_ms = waiting_start(bridge);
	curl_multi_poll(bridge->multi, fds, reads ? 2 : 1, wait_ms, NULL);
	if (fds[0].revents != 0)
		return true;
	if (reads && fds[1].revents != 0)
		input_read(bridge);
	return false;
}

static void
session_end(struct bridge *bridge)
{
	struct exchange *end;
	int running = 1;

	while (bridge->exchanges != NULL)
		exchange_remove(bridge, bridge->exchanges);
	if (bridge->session[0] == '\0')
		return;
	end = exchange_new(bridge, EXCHANGE_END, NULL, 0);
	if (end == NULL)
		return;
	exchange_add(bridge, end);
	const uint64_t until = bridge_now_ms() + END_MS;
	while (bridge->exchanges != NULL && bridge_now_ms() < until) {
		curl_multi_perform(bridge->multi, &running);
		transfers_finish(bridge);
		if (bridge->exchanges != NULL)
			curl_multi_poll(bridge->multi, NULL, 0, 100, NULL);
	}
	while (bridge->exchanges != NULL)
		exchange_remove(bridge, bridge->exchanges);
}

int
bridge_run(const struct bridge_task *task)
{
	struct bridge bridge = { .task = task, .multi = curl_multi_init() };

	if (bridge.multi == NULL)
		return -ENOMEM;
	/* Streams stay open: what waits for a connection would never get it. */
	curl_multi_setopt(bridge.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 0L);
	while (!is_over(&bridge)) {
		if (turn(&bridge))
			break;
	}
	session_end(&bridge);
	params_fini(&bridge.params);
	free(bridge.initialize);
	free(bridge.line);
	curl_multi_cleanup(bridge.multi);
	return 0;
}
