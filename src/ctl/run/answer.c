/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/run/answer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "ctl/text.h"
#include "json/json.h"
#include "json/out.h"

#define ERROR_JSON_MAX (1u << 20)
#define REPORT_MAX (256u << 20)

/* By the end: the exit code, and the limit that has been passed. */
static const struct ending {
	int exit_code;
	const char *limit;
} endings[] = {
	[POOL_OK] = { CTL_EXIT_OK, NULL },
	[POOL_EXCEPTION] = { CTL_EXIT_EXCEPTION, NULL },
	[POOL_TIMEOUT_CPU] = { CTL_EXIT_TIMEOUT, "cpu" },
	[POOL_TIMEOUT_WALL] = { CTL_EXIT_TIMEOUT, "wall" },
	[POOL_MEMORY] = { CTL_EXIT_MEMORY, "memory" },
	[POOL_STACK] = { CTL_EXIT_EXCEPTION, NULL },
	[POOL_RESULT_TOO_LARGE] = { CTL_EXIT_RESULT, "result" },
	[POOL_INVALID_RESULT] = { CTL_EXIT_RESULT, NULL },
	[POOL_LOAD_ERROR] = { CTL_EXIT_LOAD, NULL },
	[POOL_INTERNAL] = { CTL_EXIT_INTERNAL, NULL },
	[POOL_OVERLOADED] = { CTL_EXIT_INTERNAL, NULL },
	[POOL_CANCELLED] = { CTL_EXIT_INTERRUPTED, NULL },
};

static const char *const levels[] = { "debug", "info", "warn", "error" };

static const char *
level_name(int level)
{
	return level >= 0 && level < (int)ARRAY_LEN(levels) ? levels[level]
							    : "info";
}

void
ctl_answer_fini(struct ctl_answer *answer)
{
	free(answer->json);
	*answer = (struct ctl_answer){ .code = "internal",
		.exit_code = CTL_EXIT_INTERNAL };
}

void
ctl_answer_fail(struct ctl_answer *answer, int exit_code, const char *code,
    const char *format, ...)
{
	char message[2048];
	struct json_out out;
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);

	json_out_init(&out, ERROR_JSON_MAX);
	json_out_text(&out, "{\"message\":");
	json_out_string(&out, message, strlen(message));
	json_out_text(&out, "}");

	free(answer->json);
	answer->exit_code = exit_code;
	answer->code = code;
	answer->limit = NULL;
	answer->json = json_out_steal(&out, &answer->json_len);
	json_out_fini(&out);
}

static int
text_check(const char *text, size_t len, struct json_span *value)
{
	return text != NULL ? json_check(text, len, value, NULL)
			    : JSON_E_SYNTAX;
}

/* The cell said that it is JSON: too deep is what an honest one can be. */
static void
text_refuse(struct ctl_answer *answer, bool ok, int r)
{
	const int exit_code = ok ? CTL_EXIT_RESULT : CTL_EXIT_INTERNAL;
	const char *code = ok ? "invalid_result" : "internal";

	if (r == JSON_E_DEPTH)
		ctl_answer_fail(answer, exit_code, code,
		    "the result is deeper than %d levels", JSON_DEPTH_MAX);
	else
		ctl_answer_fail(answer, exit_code, code,
		    "what the cell answered is not JSON");
}

void
ctl_answer_take(
    struct ctl_answer *answer, const struct pool_outcome *outcome, bool loading)
{
	struct json_span value;

	answer->usage = outcome->usage;
	const int r = text_check(outcome->text, outcome->text_len, &value);
	if (r != 0) {
		text_refuse(answer, outcome->end == POOL_OK, r);
		return;
	}

	free(answer->json);
	answer->exit_code =
	    loading ? CTL_EXIT_LOAD : endings[outcome->end].exit_code;
	answer->code = loading ? "load_error" : pool_end_name(outcome->end);
	answer->limit = loading ? NULL : endings[outcome->end].limit;
	answer->json = strndup(value.at, value.len);
	answer->json_len = answer->json != NULL ? value.len : 0;
}

/* What a person can do about a limit; nothing where time was up for another
 * reason than its limit (a promise that nothing can settle). */
static void
limit_print(const struct ctl_answer *answer, const struct wire_limits *limits,
    FILE *say)
{
	const struct {
		const char *limit, *option;
		uint64_t is, spent;
		void (*format)(uint64_t value, char text[UNITS_TEXT_MAX]);
	} hints[] = {
		{ "cpu", "--timeout-cpu", limits->cpu_ns,
		    answer->usage.cpu_us * 1000, units_duration_format },
		{ "wall", "--timeout", limits->wall_ns,
		    answer->usage.wall_us * 1000, units_duration_format },
		{ "memory", "--memory", limits->memory_bytes, UINT64_MAX,
		    units_size_format },
		{ "result", "--result-size", limits->result_bytes, UINT64_MAX,
		    units_size_format },
	};
	char text[UNITS_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(hints) && answer->limit != NULL; i++) {
		if (strcmp(answer->limit, hints[i].limit) != 0 ||
		    hints[i].spent < hints[i].is - hints[i].is / 10)
			continue;
		hints[i].format(hints[i].is, text);
		fprintf(say, "The limit is %s; %s sets another.\n", text,
		    hints[i].option);
	}
}

/* Decodes a string member; NULL if it is none. The caller frees. */
static char *
string_dup(struct json_span value, size_t *len)
{
	auto_free char *text = malloc(value.len + 1);

	if (text == NULL || json_kind_of(value) != JSON_KIND_STRING ||
	    json_string_copy(value, text, value.len + 1, len) != 0)
		return NULL;
	return steal_ptr(&text);
}

/* A stack as V8 writes it repeats the message above its first frame. */
static const char *
frames_find(const char *stack)
{
	const char *at = strstr(stack, "\n    at ");

	if (at != NULL)
		return at + 1;
	return strncmp(stack, "    at ", 7) == 0 ? stack : NULL;
}

static void
place_print(const struct json_want *wants, FILE *say)
{
	size_t len;
	auto_free char *file = string_dup(wants[2].value, &len);

	if (file == NULL)
		return;
	fputs("    at ", say);
	ctl_text_print(say, file, len, "");
	if (json_value_is_integer(wants[3].value))
		fprintf(
		    say, ":%.*s", (int)wants[3].value.len, wants[3].value.at);
	if (json_value_is_integer(wants[4].value))
		fprintf(
		    say, ":%.*s", (int)wants[4].value.len, wants[4].value.at);
	putc('\n', say);
}

/* TypeScript is no syntax error that a person looks for in line 1. */
static void
typescript_print(
    const struct ctl_answer *answer, struct json_span name, FILE *say)
{
	size_t len;
	auto_free char *file = string_dup(name, &len);

	if (file == NULL || answer->exit_code != CTL_EXIT_LOAD || len < 3 ||
	    (strcmp(file + len - 3, ".ts") != 0 &&
		strcmp(file + len - 3, "tsx") != 0))
		return;
	fputs("This is TypeScript: 'cordon build' makes JavaScript of it.\n",
	    say);
}

static void
error_print(const struct ctl_answer *answer, const struct wire_limits *limits,
    FILE *say)
{
	struct json_span error = { answer->json, answer->json_len };
	struct json_want wants[] = { { "message" }, { "stack" }, { "file" },
		{ "line" }, { "column" } };
	size_t message_len = 0, stack_len = 0;

	if (error.at != NULL)
		(void)json_members_find(error, wants, ARRAY_LEN(wants));
	auto_free char *message = string_dup(wants[0].value, &message_len);
	auto_free char *stack = string_dup(wants[1].value, &stack_len);

	fprintf(say, "%s: ",
	    answer->exit_code == CTL_EXIT_USAGE ? "cordon run" : answer->code);
	ctl_text_print(say, message != NULL ? message : "no message",
	    message != NULL ? message_len : strlen("no message"), "  ");
	putc('\n', say);

	const char *frames = stack != NULL ? frames_find(stack) : NULL;
	if (frames != NULL) {
		const size_t skipped = (size_t)(frames - stack);
		ctl_text_print(say, frames, stack_len - skipped, "");
		if (stack[stack_len - 1] != '\n')
			putc('\n', say);
	} else {
		place_print(wants, say);
	}
	typescript_print(answer, wants[2].value, say);
	limit_print(answer, limits, say);
}

void
ctl_answer_print(const struct ctl_answer *answer,
    const struct wire_limits *limits, FILE *out, FILE *say)
{
	if (answer->exit_code != CTL_EXIT_OK) {
		fflush(out);
		error_print(answer, limits, say);
		return;
	}
	if (isatty(fileno(out)))
		ctl_json_print(out, answer->json, answer->json_len);
	else
		fwrite(answer->json, 1, answer->json_len, out);
	putc('\n', out);
	fflush(out);
}

void
ctl_log_print(FILE *say, int level, const char *raw_text, size_t len)
{
	fprintf(say, "[%s] ", level_name(level));
	ctl_text_print(say, raw_text, len, "    ");
	putc('\n', say);
}

void
ctl_log_add(struct json_out *logs, int level, const char *raw_text, size_t len)
{
	json_out_text(logs, logs->len > 1 ? ",{\"level\":\"" : "{\"level\":\"");
	json_out_text(logs, level_name(level));
	json_out_text(logs, "\",\"text\":");
	json_out_string(logs, raw_text, len);
	json_out_text(logs, "}");
}

static void
milliseconds_add(struct json_out *out, const char *name, uint64_t us)
{
	char text[64];

	snprintf(text, sizeof(text), "\"%s\":%" PRIu64 ".%03" PRIu64 ",", name,
	    us / 1000, us % 1000);
	json_out_text(out, text);
}

static void
usage_add(struct json_out *out, const struct pool_usage *usage)
{
	json_out_text(out, ",\"usage\":{");
	milliseconds_add(out, "cpu_ms", usage->cpu_us);
	milliseconds_add(out, "wall_ms", usage->wall_us);
	json_out_text(out, "\"peak_kib\":");
	json_out_uint(out, usage->peak_kib);
	json_out_text(out, "}");
}

/* {"code", "message", "stack"?, "file"?, "line"?, "column"?, "limit"?} */
static void
error_add(struct json_out *out, const struct ctl_answer *answer)
{
	struct json_span error = { answer->json, answer->json_len };
	struct json_want wants[] = { { "message" }, { "stack" }, { "file" },
		{ "line" }, { "column" } };

	if (error.at != NULL)
		(void)json_members_find(error, wants, ARRAY_LEN(wants));

	json_out_text(out, ",\"error\":{\"code\":\"");
	json_out_text(out, answer->code);
	json_out_text(out, "\"");
	for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
		if (wants[i].value.at == NULL)
			continue;
		json_out_text(out, ",\"");
		json_out_text(out, wants[i].name);
		json_out_text(out, "\":");
		json_out_span(out, wants[i].value);
	}
	if (answer->limit != NULL) {
		json_out_text(out, ",\"limit\":\"");
		json_out_text(out, answer->limit);
		json_out_text(out, "\"");
	}
	json_out_text(out, "}");
}

void
ctl_answer_print_json(
    const struct ctl_answer *answer, const struct json_out *logs, FILE *out)
{
	const bool ok = answer->exit_code == CTL_EXIT_OK;
	struct json_out report;

	json_out_init(&report, REPORT_MAX);
	json_out_text(&report, ok ? "{\"ok\":true" : "{\"ok\":false");
	if (ok) {
		json_out_text(&report, ",\"result\":");
		json_out_raw(&report, answer->json, answer->json_len);
	} else {
		error_add(&report, answer);
	}
	usage_add(&report, &answer->usage);
	json_out_text(&report, ",\"logs\":");
	if (logs->len > 0)
		json_out_raw(&report, logs->bytes, logs->len);
	else
		json_out_text(&report, "[");
	json_out_text(&report, "]}\n");

	if (json_out_status(&report) == 0)
		fwrite(report.bytes, 1, report.len, out);
	else
		fputs("{\"ok\":false,\"error\":{\"code\":\"internal\","
		      "\"message\":\"no memory for the report\"}}\n",
		    out);
	json_out_fini(&report);
	fflush(out);
}
