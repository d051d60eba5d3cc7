/* SPDX-License-Identifier: Apache-2.0
 *
 * cordon at its host API: pool_call_start() to done(), timed in this process.
 * Reads commands from stdin, one a line, and answers each with one line of
 * JSON; between commands whoever drives it measures the tree of processes.
 *
 *   ready                        makes every template; how long that took
 *   first                        each deployment's first call, cold
 *   calls N SECONDS LANES PAUSE  calls, LANES in flight, PAUSE us between
 *   hold N                       N calls that stay: each says it is there
 *   settle MS                    lets the pool do what it has to do
 *   stats                        the pool's own count
 *
 * Whatever a call asks its client is answered with the text of --answer, at
 * once or --answer-after so many milliseconds. With --net and --policy the first
 * deployment may fetch (ctl/run/net.h).
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/fd.h"
#include "ctl/run/bundle.h"
#include "ctl/run/net.h"
#include "ctl/serve/supervisor.h"
#include "pool/pool.h"
#include "wire/wire.h"

#define BENCH_FILE_MAX (32u << 20)
#define BENCH_SAMPLES_MAX 200000u
#define BENCH_ANSWER_MAX 4096u
#define BENCH_LANES_MAX 256u
#define BENCH_OPENINGS 8u
#define BENCH_STALL_S 60

struct text {
	uint8_t *bytes;
	size_t len;
};

struct lane {
	struct event *timer; /* the pause before the next call */
	uint64_t started_ns;
	struct pool_call *call; /* NULL: over */
	char answer[BENCH_ANSWER_MAX + 1]; /* of a request: its body so far */
	size_t answer_len;
};

/* This process's state. */
static struct bench {
	const char *bundle;
	uint32_t n_deployments, pool_max, cells_max;
	struct wire_limits limits;
	struct ctl_list nets; /* what the first deployment may reach */
	const char *policy; /* the same, of this file */
	int egress_fd; /* -1: nothing */
	struct ctl_supervisor supervisor;
	struct event_base *base;
	struct pool *pool;
	enum pool_kind kind;
	struct text json, body, answer;
	uint32_t answer_after_ms;
	uint32_t n_asks, n_notes, n_waits;
	const char *expect;

	struct lane lanes[BENCH_LANES_MAX];
	uint64_t samples_ns[BENCH_SAMPLES_MAX];
	uint32_t n_samples, n_wanted, n_started, n_failed, n_open, next;
	uint64_t cpu_us, end_ns, pause_us;
	uint32_t n_held, n_hold_wanted;
	char failure[512];
} bench;

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("cordon-bench: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* --- one call ----------------------------------------------------------- */

static void
failure_note(const char *what, const char *text, size_t len)
{
	bench.n_failed++;
	if (bench.failure[0] != '\0')
		return;
	snprintf(bench.failure, sizeof(bench.failure), "%s: %.*s", what,
	    (int)(len < 300 ? len : 300), text != NULL ? text : "");
	for (char *c = bench.failure; *c != '\0'; c++)
		if (*c == '"' || *c == '\\' || (unsigned char)*c < 0x20)
			*c = '\'';
}

static void
on_head(void *arg, const char *raw_json, size_t len)
{
	(void)arg;
	(void)raw_json;
	(void)len;
}

static void
on_chunk(void *arg, const uint8_t *raw_bytes, size_t len)
{
	struct lane *lane = arg;
	const size_t room = BENCH_ANSWER_MAX - lane->answer_len;
	const size_t taken = len < room ? len : room;

	memcpy(lane->answer + lane->answer_len, raw_bytes, taken);
	lane->answer_len += taken;
	lane->answer[lane->answer_len] = '\0';
}

/* An ask, and the call that asked. */
struct asked {
	struct event *timer;
	struct lane *lane;
	uint64_t started_ns; /* the lane's, then */
	uint32_t ask;
};

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct asked *asked = arg;
	struct lane *lane = asked->lane;

	(void)fd;
	(void)what;
	if (lane->call != NULL && lane->started_ns == asked->started_ns)
		(void)pool_call_answer(lane->call, asked->ask,
		    (const char *)bench.answer.bytes, bench.answer.len);
	event_free(asked->timer);
	free(asked);
}

static void
on_ask(void *arg, uint32_t ask, const char *raw_json, size_t len)
{
	const struct timeval after = { .tv_sec = bench.answer_after_ms / 1000,
		.tv_usec = (suseconds_t)(bench.answer_after_ms % 1000) * 1000 };
	struct asked *asked = calloc(1, sizeof(*asked));
	struct lane *lane = arg;

	(void)raw_json;
	(void)len;
	bench.n_asks++;
	if (asked == NULL)
		die("out of memory");
	*asked = (struct asked){
		.lane = lane, .started_ns = lane->started_ns, .ask = ask
	};
	asked->timer = event_new(bench.base, -1, 0, on_answer, asked);
	event_add(asked->timer, &after);
}

static void
on_note(void *arg, const char *raw_json, size_t len)
{
	(void)arg;
	(void)raw_json;
	(void)len;
	bench.n_notes++;
}

static void
on_wait(void *arg)
{
	(void)arg;
	bench.n_waits++;
}

static void
outcome_check(struct lane *lane, const struct pool_outcome *outcome)
{
	const char *text =
	    bench.kind == POOL_TOOL ? outcome->text : lane->answer;
	const size_t len =
	    bench.kind == POOL_TOOL ? outcome->text_len : lane->answer_len;

	if (outcome->end != POOL_OK)
		failure_note(pool_end_name(outcome->end), outcome->text,
		    outcome->text_len);
	else if (memmem(text, len, bench.expect, strlen(bench.expect)) == NULL)
		failure_note("wrong answer", text, len);
}

static void on_done(void *arg, const struct pool_outcome *outcome);

static const struct pool_call_ops call_ops = {
	.head = on_head,
	.chunk = on_chunk,
	.note = on_note,
	.ask = on_ask,
	.wait = on_wait,
	.done = on_done,
};

static void
lane_start(struct lane *lane)
{
	bench.n_started++;
	bench.n_open++;
	lane->answer_len = 0;
	lane->started_ns = now_ns();
	const int code =
	    pool_call_start(bench.pool, bench.next++ % bench.n_deployments,
		bench.kind, (const char *)bench.json.bytes, bench.json.len,
		bench.body.bytes, bench.body.len, &call_ops, lane, &lane->call);
	if (code != 0)
		die("pool_call_start: %s", strerror(-code));
}

static void
on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	lane_start(arg);
}

/* The next call of this lane, or the end of the phase. */
static void
lane_go_on(struct lane *lane)
{
	if (bench.n_started >= bench.n_wanted || now_ns() >= bench.end_ns ||
	    bench.n_failed > 100) {
		if (bench.n_open == 0)
			event_base_loopbreak(bench.base);
		return;
	}
	const struct timeval pause = {
		.tv_sec = (time_t)(bench.pause_us / 1000000u),
		.tv_usec = (suseconds_t)(bench.pause_us % 1000000u),
	};
	if (bench.pause_us == 0)
		lane_start(lane);
	else
		event_add(lane->timer, &pause);
}

static void
on_done(void *arg, const struct pool_outcome *outcome)
{
	struct lane *lane = arg;
	const uint64_t took = now_ns() - lane->started_ns;

	bench.n_open--;
	lane->call = NULL;
	if (bench.n_samples < BENCH_SAMPLES_MAX)
		bench.samples_ns[bench.n_samples++] = took;
	bench.cpu_us += outcome->usage.cpu_us;
	outcome_check(lane, outcome);
	lane_go_on(lane);
}

/* --- phases -------------------------------------------------------------- */

static void
on_stall(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	die("nothing ended for %d s (%u of %u calls are open)", BENCH_STALL_S,
	    bench.n_open, bench.n_started);
}

/* Runs the loop until something breaks it; a host that hangs is an error. */
static void
loop_run(int64_t most_ms)
{
	const struct timeval stall = { .tv_sec = BENCH_STALL_S };
	const struct timeval most = { .tv_sec = most_ms / 1000,
		.tv_usec = most_ms % 1000 * 1000 };

	if (most_ms >= 0) {
		event_base_loopexit(bench.base, &most);
		event_base_dispatch(bench.base);
		return;
	}
	struct event *timer = event_new(bench.base, -1, 0, on_stall, NULL);
	event_add(timer, &stall);
	event_base_dispatch(bench.base);
	event_free(timer);
}

static int
compare_ns(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Milliseconds at a fraction of the sorted sample (nearest rank). */
static double
sample_ms(double fraction)
{
	const double rank = fraction * (double)bench.n_samples;
	uint32_t i = (uint32_t)rank;

	if ((double)i == rank && i > 0)
		i--;
	if (i >= bench.n_samples)
		i = bench.n_samples - 1;
	return (double)bench.samples_ns[i] / 1e6;
}

static void
phase_reset(uint32_t wanted, double seconds, uint64_t pause_us)
{
	bench.n_samples = bench.n_started = bench.n_failed = 0;
	bench.n_wanted = wanted;
	bench.cpu_us = 0;
	bench.n_asks = bench.n_notes = bench.n_waits = 0;
	bench.pause_us = pause_us;
	bench.failure[0] = '\0';
	bench.end_ns = now_ns() + (uint64_t)(seconds * 1e9);
}

static void
phase_report(uint64_t began_ns)
{
	const double seconds = (double)(now_ns() - began_ns) / 1e9;
	const uint32_t calls = bench.n_samples;

	qsort(bench.samples_ns, calls, sizeof(bench.samples_ns[0]), compare_ns);
	printf("{\"calls\":%u,\"failed\":%u,\"failure\":\"%s\","
	       "\"p50\":%.6f,\"p99\":%.6f,\"min\":%.6f,"
	       "\"perSecond\":%.1f,\"cellCpuMs\":%.6f,"
	       "\"asks\":%u,\"notes\":%u,\"waits\":%u}\n",
	    calls, bench.n_failed, bench.failure, sample_ms(0.5),
	    sample_ms(0.99), sample_ms(0), (double)calls / seconds,
	    (double)bench.cpu_us / 1000.0 / (double)calls, bench.n_asks,
	    bench.n_notes, bench.n_waits);
}

static void
command_calls(const char *args)
{
	unsigned wanted, lanes, pause_us;
	double seconds;

	if (sscanf(args, "%u %lf %u %u", &wanted, &seconds, &lanes,
		&pause_us) != 4 ||
	    lanes == 0 || lanes > BENCH_LANES_MAX)
		die("calls N SECONDS LANES PAUSE, not '%s'", args);
	phase_reset(wanted, seconds, pause_us);
	const uint64_t began_ns = now_ns();
	for (unsigned i = 0; i < lanes && i < wanted; i++)
		lane_start(&bench.lanes[i]);
	loop_run(-1);
	phase_report(began_ns);
}

/* Every deployment once, one after the other: the template is not there. */
static void
command_first(const char *args)
{
	(void)args;
	phase_reset(bench.n_deployments, 600, 0);
	bench.next = 0;
	const uint64_t began_ns = now_ns();
	lane_start(&bench.lanes[0]);
	loop_run(-1);
	phase_report(began_ns);
}

static void on_surface(void *arg, const char *raw_json, size_t len,
    const struct pool_outcome *failure);

/* Keeps a few templates in the making: a host that makes a thousand at once
 * only makes them wait for each other. */
static void
surfaces_ask(void)
{
	while (bench.n_open < BENCH_OPENINGS &&
	    bench.n_started < bench.n_deployments) {
		bench.n_open++;
		const int code = pool_surface_get(
		    bench.pool, bench.n_started++, on_surface, NULL);
		if (code != 0)
			die("pool_surface_get: %s", strerror(-code));
	}
}

static void
on_surface(void *arg, const char *raw_json, size_t len,
    const struct pool_outcome *failure)
{
	(void)arg;
	(void)len;
	if (raw_json == NULL)
		failure_note(pool_end_name(failure->end), failure->text,
		    failure->text_len);
	bench.n_open--;
	bench.n_samples++;
	surfaces_ask();
	if (bench.n_samples == bench.n_deployments)
		event_base_loopbreak(bench.base);
}

static void
command_ready(const char *args)
{
	(void)args;
	phase_reset(0, 600, 0);
	const uint64_t began_ns = now_ns();
	surfaces_ask();
	if (bench.n_samples < bench.n_deployments)
		loop_run(-1);
	printf("{\"deployments\":%u,\"failed\":%u,\"failure\":\"%s\","
	       "\"seconds\":%.6f}\n",
	    bench.n_deployments, bench.n_failed, bench.failure,
	    (double)(now_ns() - began_ns) / 1e9);
}

static void
on_held_log(void *arg, int level, const char *raw_text, size_t len)
{
	(void)arg;
	(void)level;
	(void)raw_text;
	(void)len;
	if (++bench.n_held == bench.n_hold_wanted)
		event_base_loopbreak(bench.base);
}

static void
on_held_done(void *arg, const struct pool_outcome *outcome)
{
	(void)arg;
	die("a call that should stay ended: %s %.*s",
	    pool_end_name(outcome->end), (int)outcome->text_len,
	    outcome->text != NULL ? outcome->text : "");
}

static void
command_hold(const char *args)
{
	static const struct pool_call_ops hold_ops = {
		.head = on_head,
		.chunk = on_chunk,
		.log = on_held_log,
		.done = on_held_done,
	};
	struct pool_call *call;

	bench.n_held = 0;
	bench.n_hold_wanted = (uint32_t)strtoul(args, NULL, 10);
	for (uint32_t i = 0; i < bench.n_hold_wanted; i++) {
		const int code =
		    pool_call_start(bench.pool, i % bench.n_deployments,
			bench.kind, (const char *)bench.json.bytes,
			bench.json.len, bench.body.bytes, bench.body.len,
			&hold_ops, &bench.lanes[0], &call);
		if (code != 0)
			die("pool_call_start: %s", strerror(-code));
	}
	loop_run(-1);
	printf("{\"held\":%u}\n", bench.n_held);
}

static void
command_settle(const char *args)
{
	loop_run(strtol(args, NULL, 10));
	puts("{}");
}

static void
command_stats(const char *args)
{
	struct pool_stats stats;

	(void)args;
	pool_stats_get(bench.pool, &stats);
	printf("{\"templates\":%u,\"waiting\":%u,\"busy\":%u,"
	       "\"started\":%lu,\"failed\":%lu,\"forked\":%lu,"
	       "\"made\":%lu,\"evicted\":%lu,\"templateBytes\":%lu,"
	       "\"cellLifeCpuUs\":%lu}\n",
	    stats.templates, stats.cells_waiting, stats.cells_busy,
	    stats.calls_started, stats.calls_failed, stats.cells_forked,
	    stats.templates_made, stats.templates_evicted, stats.template_bytes,
	    stats.cells_cpu_us / (stats.cells_forked + 1));
}

static const struct command {
	const char *name;
	void (*run)(const char *args);
} commands[] = {
	{ "calls ", command_calls },
	{ "first", command_first },
	{ "hold ", command_hold },
	{ "ready", command_ready },
	{ "settle ", command_settle },
	{ "stats", command_stats },
};

static void
command_run(const char *line)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const size_t len = strlen(commands[i].name);
		if (strncmp(line, commands[i].name, len) != 0)
			continue;
		commands[i].run(line + len);
		fflush(stdout);
		return;
	}
	die("no such command: %s", line);
}

/* --- start --------------------------------------------------------------- */

static struct text
file_read(const char *path)
{
	struct text text = { 0 };
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	const int code =
	    fd_read_all(fd, BENCH_FILE_MAX, &text.bytes, &text.len);
	if (code != 0)
		die("%s: %s", path, strerror(-code));
	return text;
}

static void
on_notice(void *arg, uint32_t deployment, int level, const char *text)
{
	(void)arg;
	(void)deployment;
	if (level >= 2)
		fprintf(stderr, "cordon-bench: %s\n", text);
}

static void *
many(size_t size)
{
	void *all = calloc(bench.n_deployments, size);

	if (all == NULL)
		die("out of memory");
	return all;
}

/* The same bundle under every name, each in a memfd of its own. */
static void
deployment_fill(struct wire_deployment *record, uint32_t i)
{
	struct ctl_bundle bundle;
	struct err err;
	char name[WIRE_NAME_MAX];

	snprintf(name, sizeof(name), "bench-%u", i);
	if (ctl_bundle_read(bench.bundle, &bundle, &err) != 0)
		die("%s", err.text);
	if (ctl_deployment_set(
		record, name, bundle.fd, bench.pool_max, &bench.limits) != 0)
		die("%s: no name for a deployment", name);
	if (bench.egress_fd >= 0)
		record->flags |= WIRE_DEPLOYMENT_EGRESS;
}

/* Starts the supervisor with a plan in which we play the gateway's part. */
static int
supervisor_start(struct wire_deployment *records)
{
	int pair[2];
	struct err err;

	const int code = wire_pair(SOCK_SEQPACKET, pair);
	if (code != 0)
		die("socketpair: %s", strerror(-code));
	if (ctl_net_settings(
		&bench.nets, bench.policy, &bench.egress_fd, &err) != 0)
		die("%s", err.text);
	for (uint32_t i = 0; i < bench.n_deployments; i++)
		deployment_fill(&records[i], i);
	const struct wire_plan plan = {
		.magic = WIRE_PLAN_MAGIC,
		.n_deployments = bench.n_deployments,
		.client_fd = pair[1],
		.listen_fd = -1,
		.admin_fd = -1,
		.operator_fd = -1,
		.store_fd = -1,
		.egress_fd = bench.egress_fd,
		.tls_fd = -1,
		.cells_max = bench.cells_max,
	};
	if (ctl_supervisor_start(
		&plan, records, false, &bench.supervisor, &err) != 0)
		die("%s", err.text);
	close(pair[1]);
	for (uint32_t i = 0; i < bench.n_deployments; i++)
		close(records[i].bundle_fd);
	return pair[0];
}

static void
pool_start(const struct wire_deployment *records, int socket_fd)
{
	struct pool_deployment *deployments = many(sizeof(*deployments));

	for (uint32_t i = 0; i < bench.n_deployments; i++)
		deployments[i] = (struct pool_deployment){
			.name = records[i].name,
			.pool_max = bench.pool_max,
			.limits = bench.limits,
		};
	const struct pool_options options = {
		.deployments = deployments,
		.n_deployments = bench.n_deployments,
		.cells_max = bench.cells_max,
		.notice = on_notice,
	};
	bench.base = event_base_new();
	const int code = pool_new(&bench.pool, bench.base, socket_fd, &options);
	if (code != 0)
		die("pool_new: %s", strerror(-code));
	for (size_t i = 0; i < BENCH_LANES_MAX; i++)
		bench.lanes[i].timer = event_new(
		    bench.base, -1, 0, on_pause_over, &bench.lanes[i]);
}

static uint32_t
number(const char *text)
{
	char *end;
	const unsigned long value = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value > UINT32_MAX)
		die("not a number: '%s'", text);
	return (uint32_t)value;
}

static void
options_read(int argc, char **argv)
{
	static const struct option options[] = {
		{ "bundle", required_argument, NULL, 'b' },
		{ "json", required_argument, NULL, 'j' },
		{ "body", required_argument, NULL, 'r' },
		{ "expect", required_argument, NULL, 'e' },
		{ "deployments", required_argument, NULL, 'n' },
		{ "pool-max", required_argument, NULL, 'p' },
		{ "cells-max", required_argument, NULL, 'c' },
		{ "memory-mib", required_argument, NULL, 'm' },
		{ "wall-ms", required_argument, NULL, 'w' },
		{ "reuse", required_argument, NULL, 'u' },
		{ "answer", required_argument, NULL, 'a' },
		{ "answer-after", required_argument, NULL, 'd' },
		{ "net", required_argument, NULL, 'N' },
		{ "policy", required_argument, NULL, 'P' },
		{ 0 },
	};

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
		switch (c) {
		case 'b':
			bench.bundle = optarg;
			break;
		case 'j':
			bench.json = file_read(optarg);
			break;
		case 'e':
			bench.expect = optarg;
			break;
		case 'n':
			bench.n_deployments = number(optarg);
			break;
		case 'p':
			bench.pool_max = number(optarg);
			break;
		case 'c':
			bench.cells_max = number(optarg);
			break;
		case 'r':
			bench.body = file_read(optarg);
			bench.kind = POOL_REQUEST;
			break;
		case 'm':
			bench.limits.memory_bytes = (uint64_t)number(optarg)
			    << 20;
			break;
		case 'w':
			bench.limits.wall_ns = number(optarg) * 1000000ull;
			break;
		case 'u':
			bench.limits.reuse_calls = number(optarg);
			break;
		case 'a':
			bench.answer = file_read(optarg);
			break;
		case 'd':
			bench.answer_after_ms = number(optarg);
			break;
		case 'N':
			if (bench.nets.n_items == CTL_LIST_MAX)
				die("--net: too many");
			bench.nets.items[bench.nets.n_items++] = optarg;
			break;
		case 'P':
			bench.policy = optarg;
			break;
		default:
			exit(2);
		}
	if (bench.bundle == NULL || bench.json.bytes == NULL ||
	    bench.n_deployments == 0)
		die("--bundle and --json are needed");
}

int
main(int argc, char **argv)
{
	char line[256];

	bench.expect = "";
	bench.n_deployments = 1;
	bench.pool_max = 8;
	bench.cells_max = 512;
	bench.egress_fd = -1;
	bench.limits = (struct wire_limits)WIRE_LIMITS_DEFAULT;
	options_read(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	ctl_files_raise();

	struct wire_deployment *records = many(sizeof(*records));
	pool_start(records, supervisor_start(records));
	puts("{}");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		command_run(line);
	}
	pool_free(bench.pool);
	ctl_supervisor_end(&bench.supervisor, 10000);
	return 0;
}
