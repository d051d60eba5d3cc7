/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/utf8.h"
#include "gateway/log.h"
#include "json/out.h"

#define TEXT_MAX 2048 /* of a line; more is cut */
#define FIELD_MAX 128
#define LINE_MAX_BYTES (TEXT_MAX * 6 + 10 * FIELD_MAX * 6 + 512)

static const char *const level_names[] = { "debug", "info", "warn", "error" };

static struct {
	bool json;
	enum log_level least;
} log_state = { .least = LOG_INFO };

void
log_init(bool json, enum log_level least)
{
	log_state.json = json;
	log_state.least = least;
}

static void
put_time(struct json_out *out)
{
	char text[LOG_TIME_MAX];

	log_time(text);
	json_out_text(out, text);
}

struct line {
	enum log_level level;
	uint64_t request;
	const char *server; /* NULL: the gateway speaks */
	const struct log_fields *fields; /* NULL: there are none */
	const char *text;
	size_t len;
};

/* How the members of a line are written, in either form. */
struct field {
	const char *name;
	const char *text; /* NULL: the number is meant */
	uint64_t number;
};

static void
put_field(struct json_out *out, const struct field *field)
{
	if (field->text == NULL && field->number == 0)
		return;
	json_out_text(out, log_state.json ? ",\"" : " ");
	json_out_text(out, field->name);
	json_out_text(out, log_state.json ? "\":" : "=");
	if (field->text == NULL)
		json_out_uint(out, field->number);
	else
		json_out_string(
		    out, field->text, strnlen(field->text, FIELD_MAX));
}

static void
put_fields(struct json_out *out, const struct log_fields *fields)
{
	if (fields == NULL)
		return;
	const struct field all[] = {
		{ "principal", fields->principal, 0 },
		{ "token", NULL, fields->principal_id },
		{ "tenant", fields->tenant, 0 },
		{ "server", fields->server, 0 },
		{ "method", fields->method, 0 },
		{ "outcome", fields->outcome, 0 },
		{ "status", NULL, fields->status },
		{ "us", NULL, fields->us },
		{ "traceparent", fields->trace, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		put_field(out, &all[i]);
}

static void
put_json(struct json_out *out, const struct line *line)
{
	char request[64];

	json_out_text(out, "{\"time\":\"");
	put_time(out);
	json_out_text(out, "\",\"level\":\"");
	json_out_text(out, level_names[line->level]);
	if (line->request != 0) {
		snprintf(request, sizeof(request),
		    "\",\"request\":\"%016" PRIx64, line->request);
		json_out_text(out, request);
	}
	if (line->server != NULL) {
		json_out_text(out, "\",\"tool_of\":\"");
		json_out_text(out, line->server);
	}
	json_out_text(out, "\"");
	put_fields(out, line->fields);
	json_out_text(out, ",\"text\":");
	json_out_string(out, line->text, line->len);
	json_out_text(out, "}\n");
}

static void
put_plain(struct json_out *out, const struct line *line)
{
	char request[64];

	put_time(out);
	json_out_text(out, " ");
	json_out_text(out, level_names[line->level]);
	if (line->request != 0) {
		snprintf(request, sizeof(request), " [%016" PRIx64 "]",
		    line->request);
		json_out_text(out, request);
	}
	if (line->server != NULL) {
		json_out_text(out, " ");
		json_out_text(out, line->server);
		json_out_text(out, " says ");
		json_out_string(out, line->text, line->len);
	} else {
		json_out_text(out, " ");
		json_out_raw(out, line->text, line->len);
	}
	put_fields(out, line->fields);
	json_out_text(out, "\n");
}

static void
put_line(const struct line *line)
{
	struct json_out out;

	json_out_init(&out, LINE_MAX_BYTES);
	(log_state.json ? put_json : put_plain)(&out, line);
	if (json_out_status(&out) == 0)
		(void)!write(STDERR_FILENO, out.bytes, out.len);
	json_out_fini(&out);
}

/* In place: no control character and no broken UTF-8, so that no terminal
 * obeys what a stranger wrote. */
static void
text_calm(char *text)
{
	const size_t len = strlen(text);
	uint32_t character;

	for (size_t at = 0; at < len;) {
		const size_t n =
		    utf8_next((const uint8_t *)text + at, len - at, &character);
		if (n == 0 || character < 0x20 ||
		    (character >= 0x7f && character < 0xa0))
			memset(text + at, '?', n == 0 ? 1 : n);
		at += n == 0 ? 1 : n;
	}
}

static void __attribute__((format(printf, 4, 0)))
say(enum log_level level, uint64_t request, const struct log_fields *fields,
    const char *format, va_list args)
{
	char text[TEXT_MAX];

	vsnprintf(text, sizeof(text), format, args);
	text_calm(text);
	put_line(&(struct line){ .level = level,
	    .request = request,
	    .fields = fields,
	    .text = text,
	    .len = strlen(text) });
}

void
log_line(enum log_level level, uint64_t request, const char *format, ...)
{
	va_list args;

	if (level < log_state.least)
		return;
	va_start(args, format);
	say(level, request, NULL, format, args);
	va_end(args);
}

void
log_event(enum log_level level, const struct log_fields *fields,
    const char *format, ...)
{
	va_list args;

	if (level < log_state.least)
		return;
	va_start(args, format);
	say(level, fields->request, fields, format, args);
	va_end(args);
}

const char *
log_level_name(enum log_level level)
{
	return level_names[level];
}

/* Several times a request: without printf. */
void
log_id(char text[LOG_ID_MAX], uint64_t request)
{
	for (size_t i = 0; i < LOG_ID_MAX - 1; i++)
		text[i] = "0123456789abcdef"[request >> (60 - 4 * i) & 0xf];
	text[LOG_ID_MAX - 1] = '\0';
}

void
log_time(char text[LOG_TIME_MAX])
{
	struct timespec now;
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	const size_t n = strftime(text, LOG_TIME_MAX, "%FT%T", &utc);
	snprintf(text + n, LOG_TIME_MAX - n, ".%03ldZ", now.tv_nsec / 1000000);
}

void
log_tool(enum log_level level, uint64_t request, const char *server,
    const char *raw_text, size_t len)
{
	if (level < log_state.least)
		return;
	put_line(&(struct line){ .level = level,
	    .request = request,
	    .server = server,
	    .text = raw_text,
	    .len = len < TEXT_MAX ? len : TEXT_MAX });
}
