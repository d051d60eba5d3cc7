/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "addr/url.h"
#include "base/auto.h"
#include "gateway/egress/watch.h"
#include "gateway/log.h"
#include "json/out.h"

const char *
egress_end_name(uint32_t end)
{
	static const char *const names[WIRE_EGRESS_N_ENDS] = {
		[WIRE_EGRESS_OK] = "ok",
		[WIRE_EGRESS_BAD] = "bad",
		[WIRE_EGRESS_NO_RULE] = "no_rule",
		[WIRE_EGRESS_ADDRESS] = "address",
		[WIRE_EGRESS_BUDGET] = "budget",
		[WIRE_EGRESS_DNS] = "dns",
		[WIRE_EGRESS_CONNECT] = "connect",
		[WIRE_EGRESS_TLS] = "tls",
		[WIRE_EGRESS_PROTOCOL] = "protocol",
		[WIRE_EGRESS_TIMEOUT] = "timeout",
		[WIRE_EGRESS_TOO_LARGE] = "too_large",
		[WIRE_EGRESS_REDIRECT] = "redirect",
		[WIRE_EGRESS_MISMATCH] = "mismatch",
		[WIRE_EGRESS_SECRET] = "secret",
		[WIRE_EGRESS_CANCELLED] = "cancelled",
		[WIRE_EGRESS_CUT] = "cut",
		[WIRE_EGRESS_INTERNAL] = "internal",
	};

	return names[end < WIRE_EGRESS_N_ENDS ? end : WIRE_EGRESS_INTERNAL];
}

const char *
egress_verdict(const struct wire_egress_event *event)
{
	if (event->refused)
		return "refused";
	return event->end == WIRE_EGRESS_OK ? "allowed" : "failed";
}

/* Of a question for a name: "dns". */
static const char *
scheme_name(const struct wire_egress_event *event)
{
	return event->scheme == 0
	    ? "dns"
	    : addr_scheme_name((enum addr_scheme)event->scheme);
}

static void
text_put(struct json_out *out, const char *before, const char *raw_text)
{
	if (raw_text == NULL || raw_text[0] == '\0')
		return;
	json_out_text(out, before);
	json_out_string(out, raw_text, strlen(raw_text));
}

static void
number_put(struct json_out *out, const char *before, uint64_t number)
{
	json_out_text(out, before);
	json_out_uint(out, number);
}

static void
whose_put(struct json_out *out, const struct egress_told *told)
{
	static const char *const units[] = { "host", "cell", "link" };
	const struct wire_egress_event *event = &told->event;
	char id[LOG_ID_MAX];

	if (told->server != NULL) {
		text_put(
		    out, ",\"tenant\":", told->server->tenant->record.name);
		text_put(out, ",\"server\":", told->server->name);
	}
	text_put(out, ",\"unit\":",
	    units[event->unit < ARRAY_LEN(units) ? event->unit : 0]);
	if (told->mark.request != 0) {
		log_id(id, told->mark.request);
		text_put(out, ",\"request\":", id);
	}
	text_put(out, ",\"call\":", told->mark.what);
	if (told->principal != NULL)
		text_put(out, ",\"principal\":", told->principal->record.name);
}

static void
what_put(struct json_out *out, const struct wire_egress_event *event)
{
	text_put(out, ",\"verdict\":", egress_verdict(event));
	text_put(out, ",\"end\":", egress_end_name(event->end));
	text_put(out, ",\"method\":", event->method);
	text_put(out, ",\"scheme\":", scheme_name(event));
	text_put(out, ",\"host\":", event->host);
	if (event->port != 0)
		number_put(out, ",\"port\":", event->port);
	text_put(out, ",\"path\":", event->path);
}

void
egress_line_write(struct json_out *out, const struct egress_told *told)
{
	const struct wire_egress_event *event = &told->event;
	char time[LOG_TIME_MAX];

	log_time(time);
	text_put(out, "{\"time\":", time);
	whose_put(out, told);
	what_put(out, event);
	if (event->status != 0)
		number_put(out, ",\"status\":", event->status);
	number_put(out, ",\"bytes_in\":", event->bytes_in);
	number_put(out, ",\"bytes_out\":", event->bytes_out);
	number_put(out, ",\"ms\":", event->ms);
	if (event->lost != 0)
		number_put(out, ",\"lost\":", event->lost);
	text_put(out, ",\"text\":", event->text);
	json_out_text(out, "}\n");
}

void
egress_audit_write(
    struct json_out *out, const struct egress_told *told, uint32_t left_out)
{
	text_put(out, "{\"server\":", told->server->name);
	text_put(out, ",\"call\":", told->mark.what);
	what_put(out, &told->event);
	text_put(out, ",\"why\":", told->event.text);
	if (left_out != 0)
		number_put(out, ",\"left_out\":", left_out);
	json_out_text(out, "}");
}

void
egress_text_write(const struct egress_told *told, char *text, size_t size)
{
	const struct wire_egress_event *event = &told->event;
	char port[8] = "", status[24] = "";

	if (event->port != 0)
		snprintf(port, sizeof(port), ":%u", event->port);
	if (event->status != 0)
		snprintf(status, sizeof(status), " %u,", event->status);
	snprintf(text, size,
	    "egress %s: %s%s%s://%s%s%s%s%s%s %llu B in, %llu B out, %llu ms",
	    egress_verdict(event), event->method,
	    event->method[0] != '\0' ? " " : "", scheme_name(event),
	    event->host, port, event->path, event->text[0] != '\0' ? ": " : ";",
	    event->text, event->text[0] != '\0' ? ";" : status,
	    (unsigned long long)event->bytes_in,
	    (unsigned long long)event->bytes_out,
	    (unsigned long long)event->ms);
}
