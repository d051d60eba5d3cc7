/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon run: one call of a tool in a fresh cell, without a host.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "base/auto.h"
#include "base/fd.h"
#include "ctl/run/answer.h"
#include "ctl/run/bundle.h"
#include "ctl/run/call.h"
#include "ctl/ctl.h"
#include "ctl/serve/bounds.h"
#include "ctl/run/input.h"
#include "ctl/run/net.h"
#include "ctl/option.h"
#include "ctl/serve/supervisor.h"
#include "ctl/text.h"
#include "ctl/serve/watch.h"
#include "json/json.h"
#include "json/out.h"

#define LOGS_MAX (128u << 20)

struct command {
	const char *path; /* of the file or folder */
	const char *tool;
	bool json, jitless, no_warmup, watch;
	struct wire_limits limits;
	struct ctl_list nets;
	const char *policy;
	char *text; /* owned: the input as it was given */
	struct json_span input;
	struct event_base *base;
	bool interrupted;
	struct json_out logs;
	int exit_code;
};

static const char notes[] =
    "JSON is the tool's input: a text, @FILE, or - for standard input; "
    "without it, {}.\n"
    "A server with a fetch handler takes a request instead, {\"method\", "
    "\"url\",\n\"headers\", \"body\"}; with --tool, it gets one MCP "
    "tools/call.\n\n"
    "The result is written to standard output, everything else to standard "
    "error.\n"
    "Exit codes: 0 ok, 2 usage, 10 exception, 11 timeout, 12 memory, 13 "
    "result,\n14 load error, 70 internal.";

/* The sentence of an error that stopped us before any call. */
static int
early_fail(struct command *command, int exit_code, const char *code,
    const struct err *err)
{
	struct ctl_answer answer = { .code = code };

	if (!command->json) {
		fprintf(stderr, "cordon run: %s\n", err->text);
		return exit_code;
	}
	ctl_answer_fail(&answer, exit_code, code, "%s", err->text);
	ctl_answer_print_json(&answer, &command->logs, stdout);
	ctl_answer_fini(&answer);
	return exit_code;
}

static void
call_log(void *arg, int level, const char *raw_text, size_t len)
{
	struct command *command = arg;

	if (command->json)
		ctl_log_add(&command->logs, level, raw_text, len);
	else
		ctl_log_print(stderr, level, raw_text, len);
}

static void
call_answered(void *arg, const struct ctl_answer *answer)
{
	struct command *command = arg;

	command->exit_code = answer->exit_code;
	if (command->json)
		ctl_answer_print_json(answer, &command->logs, stdout);
	else
		ctl_answer_print(answer, &command->limits, stdout, stderr);
}

static void
interrupted(evutil_socket_t number, short what, void *arg)
{
	struct command *command = arg;

	(void)number;
	(void)what;
	command->interrupted = true;
	command->exit_code = CTL_EXIT_INTERRUPTED;
	event_base_loopbreak(command->base);
}

static void
run_once(struct command *command)
{
	struct ctl_bundle bundle = { .fd = -1 };
	struct err err;

	json_out_reset(&command->logs);
	json_out_text(&command->logs, "[");
	int settings = -1;
	int r =
	    ctl_net_settings(&command->nets, command->policy, &settings, &err);
	if (r == 0)
		r = ctl_bundle_read(command->path, &bundle, &err);
	auto_close int settings_fd = settings;
	if (r != 0) {
		command->exit_code =
		    early_fail(command, CTL_EXIT_USAGE, "usage", &err);
		return;
	}

	const struct ctl_call call = {
		.bundle_fd = bundle.fd,
		.egress_fd = settings_fd,
		.name = "run",
		.tool = command->tool,
		.input = command->input,
		.limits = &command->limits,
		.log = call_log,
		.answered = call_answered,
		.arg = command,
	};
	(void)ctl_call_run(&call, command->base);
	close(bundle.fd);
}

struct change {
	struct command *command;
	int fd;
};

static void
changed(evutil_socket_t fd, short what, void *arg)
{
	struct change *change = arg;

	(void)what;
	if (ctl_watch_read(fd, change->command->path) != 0)
		event_base_loopbreak(change->command->base);
}

/* Until a file has changed, and the writer has had time for the others. */
static void
change_wait(struct command *command, int watch_fd)
{
	const struct timeval settle = { 0, 50000 };
	struct change change = { command, watch_fd };
	struct event *event = event_new(
	    command->base, watch_fd, EV_READ | EV_PERSIST, changed, &change);

	if (event == NULL || event_add(event, NULL) < 0) {
		command->interrupted = true;
		return;
	}
	event_base_dispatch(command->base);
	event_free(event);
	if (command->interrupted)
		return;
	event_base_loopexit(command->base, &settle);
	event_base_dispatch(command->base);
	(void)ctl_watch_read(watch_fd, command->path);
}

static int
watch_run(struct command *command)
{
	unsigned int round = 1;
	struct err err;

	while (!command->interrupted) {
		auto_close int watch_fd = -1;

		if (ctl_watch_new(command->path, &watch_fd, &err) < 0)
			return early_fail(
			    command, CTL_EXIT_USAGE, "usage", &err);
		run_once(command);
		if (command->interrupted)
			break;
		fprintf(stderr,
		    "-- run %u: exit %d; waiting for a change of "
		    "%s (Ctrl-C ends) --\n",
		    round++, (int)command->exit_code, command->path);
		change_wait(command, watch_fd);
	}
	return CTL_EXIT_OK;
}

static int
loop_run(struct command *command)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP };
	struct event *events[ARRAY_LEN(ending)] = { NULL };

	command->base = event_base_new();
	if (command->base == NULL)
		return CTL_EXIT_INTERNAL;
	for (size_t i = 0; i < ARRAY_LEN(ending); i++) {
		events[i] = evsignal_new(
		    command->base, ending[i], interrupted, command);
		if (events[i] != NULL)
			event_add(events[i], NULL);
	}

	if (command->watch)
		command->exit_code = watch_run(command);
	else
		run_once(command);

	for (size_t i = 0; i < ARRAY_LEN(ending); i++) {
		if (events[i] != NULL)
			event_free(events[i]);
	}
	event_base_free(command->base);
	return (int)command->exit_code;
}

static int
input_run(struct command *command, const char *path, const char *json)
{
	struct err err = { "no memory" };

	command->path = path;
	if (command->jitless)
		command->limits.flags |= WIRE_LIMITS_JITLESS;
	if (command->no_warmup)
		command->limits.flags |= WIRE_LIMITS_NO_WARMUP;

	json_out_init(&command->logs, LOGS_MAX);
	int r = ctl_limits_check(&command->limits, &err);
	if (r == 0)
		r = ctl_input_take(json, &command->text, &command->input, &err);
	if (r != 0)
		r = early_fail(command, CTL_EXIT_USAGE, "usage", &err);
	else
		r = loop_run(command);

	json_out_fini(&command->logs);
	free(command->text);
	return r;
}

#define AT(member) offsetof(struct command, member)

static const struct ctl_option options[] = {
	{ "tool", 0, CTL_TEXT, AT(tool), "NAME",
	    "the tool to call, where there are several" },
	{ "timeout-cpu", 0, CTL_DURATION, AT(limits.cpu_ns), "TIME",
	    "CPU time of the call (50ms)" },
	{ "timeout", 0, CTL_DURATION, AT(limits.wall_ns), "TIME",
	    "wall time of the call (30s)" },
	{ "memory", 0, CTL_SIZE, AT(limits.memory_bytes), "SIZE",
	    "memory of the call (128MiB)" },
	{ "result-size", 0, CTL_SIZE, AT(limits.result_bytes), "SIZE",
	    "bytes of the result (1MiB)" },
	{ "log-size", 0, CTL_SIZE, AT(limits.log_bytes), "SIZE",
	    "bytes of console output (256KiB)" },
	{ "net", 0, CTL_LIST, AT(nets), "HOST[:PORT]",
	    "fetch may reach this host; may be given often" },
	{ "policy", 0, CTL_TEXT, AT(policy), "FILE",
	    "and what the \"network\" of this policy allows" },
	{ "jitless", 0, CTL_FLAG, AT(jitless), NULL,
	    "no executable memory in the cell" },
	{ "no-warmup", 0, CTL_FLAG, AT(no_warmup), NULL,
	    "load the tool, but serve no dummy call" },
	{ "watch", 0, CTL_FLAG, AT(watch), NULL,
	    "run again whenever a file has changed" },
	{ "json", 0, CTL_FLAG, AT(json), NULL,
	    "one JSON object: ok, result or error, usage, logs" },
};

static ctl_run_fn command_run;

/* With --json, that operands are missing is an object too. */
static const struct ctl_command run = { "cordon run", "FILE|DIR [JSON]",
	"Calls a JavaScript tool once, in a fresh isolate in a fresh, "
	"locked-down process.",
	options, ARRAY_LEN(options), notes, 0, CTL_OPERANDS_ANY, command_run };

static int
command_run(void *values, int n, char **operands)
{
	struct command *command = values;
	struct err err;

	if (n < 1 || n > 2) {
		err_set(&err, 0, "%s",
		    n < 1 ? "which file or folder?"
			  : "too many operands: FILE, then one JSON text in "
			    "quotes");
		return command->json
		    ? early_fail(command, CTL_EXIT_USAGE, "usage", &err)
		    : ctl_usage_fail(&run, &err);
	}
	ctl_files_raise();
	return input_run(command, operands[0], n == 2 ? operands[1] : "{}");
}

int
ctl_run(int argc, char **argv)
{
	struct command command = { .limits = WIRE_LIMITS_DEFAULT };

	return ctl_command_run(&run, &command, argc, argv);
}
