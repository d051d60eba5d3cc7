/* SPDX-License-Identifier: Apache-2.0
 *
 * template: pid 1 of a pid namespace of its own, so that its end is the end of
 * all its cells. Evaluates one deployment's bundle (a stranger's code, behind
 * the filter already), serves a dummy call, tells what the bundle advertises,
 * then only forks cells, reaps them and reports how they ended.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/pack.h"
#include "zygote/answer.h"
#include "zygote/engine.h"
#include "zygote/way.h"
#include "zygote/zygote.h"

#define CONTROL_FD 0
#define BUNDLE_FD 1
#define SURFACE_MAX (1u << 20)

/* Above the policy's number: what V8 itself needs besides the tool's data. */
#define DATA_SLACK (24u << 20)
/* Reserved but never written: shared by wasm memories and V8's own cages. */
#define SPACE_SLACK (1ull << 30)
#define FORK_MAX 64u /* cells by one order */

static struct wire_limits limits; /* this template's, from START */
static int egress_fd = -1; /* where cells' ways out are handed over; -1: none */
static char text[WIRE_TEXT_MAX + 1];

static void
refuse(enum wire_code code, const char *json, size_t len)
{
	static const char too_long[] =
	    "{\"message\":\"the bundle fails to load, with an error too long "
	    "to be told\"}";
	struct rusage usage;
	struct timespec cpu;

	if (len > WIRE_TEXT_MAX) {
		json = too_long;
		len = sizeof(too_long) - 1;
	}
	getrusage(RUSAGE_SELF, &usage);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	const struct wire_message message = { .type = WIRE_REFUSED,
		.status = (int)code,
		.text_len = (uint32_t)len,
		.usage = { .cpu_us = (uint64_t)cpu.tv_sec * 1000000u +
			(uint64_t)cpu.tv_nsec / 1000u,
		    .wall_us = (uint64_t)(answer_clock_ms() * 1000.0),
		    .peak_kib = (uint64_t)usage.ru_maxrss } };
	wire_send(CONTROL_FD, &message, NULL, 0, json);
	_exit(0);
}

static void
template_on_fatal(enum wire_code code, const char *sentence)
{
	static const char json[] =
	    "{\"message\":\"the memory of this deployment is used up while "
	    "loading the bundle\"}";

	(void)code;
	(void)sentence;
	refuse(WIRE_CODE_LOAD_ERROR, json, sizeof(json) - 1);
}

static void
limits_set(const struct zygote *zygote)
{
	const struct {
		__rlimit_resource_t what;
		rlim_t value;
	} table[] = {
		{ RLIMIT_DATA,
		    zygote->base_data + limits.memory_bytes + DATA_SLACK },
		{ RLIMIT_AS,
		    zygote->base_space + limits.memory_bytes + SPACE_SLACK },
		{ RLIMIT_NOFILE, 1024 }, /* counts those in flight, too */
		{ RLIMIT_STACK, 8u << 20 },
		{ RLIMIT_FSIZE, 2 * SURFACE_MAX },
		{ RLIMIT_MSGQUEUE, 0 },
		{ RLIMIT_MEMLOCK, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct rlimit limit = { table[i].value, table[i].value };
		if (setrlimit(table[i].what, &limit) < 0)
			_exit(1);
	}
	engine_heap_limit(limits.memory_bytes);
}

/* Wall time of the load, by SIGALRM; 0 ends it. */
static void
alarm_set(uint64_t ns)
{
	static timer_t timer;
	static int created;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGALRM };
	const struct itimerspec spec = {
		.it_value = { .tv_sec = (time_t)(ns / 1000000000u),
		    .tv_nsec = (long)(ns % 1000000000u) }
	};

	if (!created && timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
		_exit(1);
	created = 1;
	timer_settime(timer, 0, &spec, NULL);
}

static void
refuse_pack(const char *json)
{
	refuse(WIRE_CODE_LOAD_ERROR, json, strlen(json));
}

/* Reads and evaluates; returns only when the bundle is good. */
static void
bundle_load(void)
{
	static struct pack_file files[PACK_FILES_MAX];
	struct stat stat;
	uint32_t n_files = 0;

	if (fstat(BUNDLE_FD, &stat) < 0 || stat.st_size <= 0 ||
	    (uint64_t)stat.st_size > PACK_BYTES_MAX)
		refuse_pack("{\"message\":\"the bundle is empty or too big\"}");
	const size_t len = (size_t)stat.st_size;
	uint8_t *raw_bytes = malloc(len); /* the engine borrows it for good */
	if (raw_bytes == NULL ||
	    pread(BUNDLE_FD, raw_bytes, len, 0) != (ssize_t)len ||
	    pack_parse(raw_bytes, len, files, &n_files) != 0)
		refuse_pack("{\"message\":\"the bundle cannot be read\"}");

	const enum wire_code code = engine_load(files, n_files);
	if (code != WIRE_CODE_OK) {
		size_t json_len;
		const char *json = engine_error(&json_len);
		refuse(WIRE_CODE_LOAD_ERROR, json, json_len);
	}
}

static void
ready_tell(void)
{
	size_t len;
	const char *surface = engine_surface(&len);

	if (len > SURFACE_MAX)
		refuse_pack("{\"message\":\"the bundle advertises more than "
			    "1 MiB of tools\"}");
	int fd;
	if (fd_memfd_seal("surface", surface, len, &fd) != 0)
		_exit(1);
	const struct wire_message ready = { .type = WIRE_READY };
	if (wire_send(CONTROL_FD, &ready, &fd, 1, NULL) != 0)
		_exit(0);
	close(fd);
}

/* Egress that is away, or does not listen, is no reason to stop: the cell finds
 * its stream closed, and its fetches say so. */
static void
way_hand_over(pid_t pid, int way_fd)
{
	const struct wire_message message = { .type = WIRE_EGRESS_CALLER,
		.id = (uint32_t)pid };

	(void)wire_send(egress_fd, &message, &way_fd, 1, NULL);
}

static void
cell_fork(const struct zygote *zygote, bool is_awaited)
{
	int pair[2], way[2] = { -1, -1 };

	if (wire_pair(SOCK_STREAM, pair) != 0 ||
	    (egress_fd >= 0 && wire_pair(SOCK_STREAM, way) != 0))
		_exit(1);
	const pid_t pid = _Fork();
	if (pid == 0)
		cell_run(zygote, &limits, pair[1], way[1], is_awaited);
	close(pair[1]);
	if (egress_fd >= 0) {
		if (pid > 0)
			way_hand_over(pid, way[0]);
		close(way[0]);
		close(way[1]);
	}

	/* Its number is its pid in this namespace: KILL and EXIT name it. */
	if (pid > 0) {
		const struct wire_message message = { .type = WIRE_CELL,
			.id = (uint32_t)pid };
		if (wire_send(CONTROL_FD, &message, &pair[0], 1, NULL) != 0)
			_exit(0);
	} else {
		/* No process to be had: the caller must know, or it waits. */
		const struct wire_message message = {
			.type = WIRE_EXIT, .id = 0, .status = errno
		};
		if (wire_send(CONTROL_FD, &message, NULL, 0, NULL) != 0)
			_exit(0);
	}
	close(pair[0]);
}

static void
cells_reap(void)
{
	struct rusage usage;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		const struct wire_message message = { .type = WIRE_EXIT,
			.id = (uint32_t)pid,
			.status = status,
			.usage = { .cpu_us = (uint64_t)(usage.ru_utime.tv_sec +
						 usage.ru_stime.tv_sec) *
				    1000000u +
				(uint64_t)(usage.ru_utime.tv_usec +
				    usage.ru_stime.tv_usec),
			    .peak_kib = (uint64_t)usage.ru_maxrss } };
		if (wire_send(CONTROL_FD, &message, NULL, 0, NULL) != 0)
			_exit(0);
	}
}

static void
order_obey(const struct zygote *zygote)
{
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	const int code =
	    wire_receive(CONTROL_FD, MSG_DONTWAIT, &message, fds, text);
	if (code == -EAGAIN)
		return;
	if (code != 0)
		_exit(0);
	if (message.type == WIRE_FORK && message.id <= FORK_MAX) {
		for (uint32_t i = 0; i < message.id; i++)
			cell_fork(zygote, (int64_t)i < message.status);
	} else if (message.type == WIRE_KILL && message.id > 1) {
		kill((pid_t)message.id, SIGKILL);
	} else {
		_exit(1);
	}
}

static void
on_child(int sig)
{
	(void)sig; /* only to end the wait */
}

static void
orders_serve(const struct zygote *zygote)
{
	struct pollfd control = { .fd = CONTROL_FD, .events = POLLIN };
	const struct sigaction action = { .sa_handler = on_child };
	sigset_t child, none;

	sigemptyset(&none);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	sigaction(SIGCHLD, &action, NULL);
	for (;;) {
		cells_reap();
		if (ppoll(&control, 1, NULL, &none) > 0)
			order_obey(zygote);
	}
}

/* The supervisor speaks first, once the limits around us are set. Who may
 * reach something gets a channel to egress before that. */
static void
start_await(void)
{
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	for (;;) {
		if (wire_receive(CONTROL_FD, 0, &message, fds, text) != 0)
			_exit(1);
		if (message.type == WIRE_START)
			break;
		if (message.type != WIRE_EGRESS_CELLS || egress_fd >= 0)
			_exit(1);
		egress_fd = fds[0];
	}
	limits = message.limits;
	if (egress_fd >= 0)
		way_grant();
}

void
template_run(
    const struct zygote *zygote, uid_t uid, int bundle_fd, int control_fd)
{
	prctl(PR_SET_NAME, "cordon-template");
	signal(SIGCHLD, SIG_DFL);
	if ((uid != 0 &&
		(setresgid(uid, uid, uid) < 0 ||
		    setresuid(uid, uid, uid) < 0)) ||
	    dup2(control_fd, CONTROL_FD) < 0 ||
	    dup2(bundle_fd, BUNDLE_FD) < 0 ||
	    syscall(SYS_close_range, 2, ~0u, 0) < 0 || box_caps_drop(0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    box_filter_install(&zygote->template_filter) != 0)
		_exit(1);
	start_await();
	limits_set(zygote);

	engine_fatal_set(template_on_fatal);
	if (engine_reseed() != 0 || clock_create() != 0 ||
	    clock_arm(limits.load_cpu_ns, 2 * limits.load_cpu_ns) != 0)
		_exit(1);
	alarm_set(limits.load_wall_ns);
	answer_begin(-1, &limits);
	bundle_load();
	if ((limits.flags & WIRE_LIMITS_NO_WARMUP) == 0 && !engine_warm())
		refuse(WIRE_CODE_WARM_SPOILT, "", 0);
	if (engine_is_stopped())
		refuse_pack("{\"message\":\"the bundle uses up its time in the "
			    "warm-up (initialize, lists, a call of a tool that "
			    "does not exist)\"}");
	engine_seal();
	alarm_set(0);
	clock_arm(0, 0);
	close(BUNDLE_FD);
	ready_tell();
	orders_serve(zygote);
	_exit(0);
}
