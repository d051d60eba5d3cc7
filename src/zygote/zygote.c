/* SPDX-License-Identifier: Apache-2.0
 *
 * The zygote's life: warm the engine, shut the door, fork templates on the
 * supervisor's order. See main.c for where it runs and what it must never do.
 */
#include "zygote/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "zygote/answer.h"
#include "zygote/engine.h"
#include "zygote/hugetext.h"

static struct zygote zygote;
static char text[WIRE_TEXT_MAX + 1];

static void __attribute__((noreturn)) give_up(const struct err *err)
{
	const struct wire_message message = { .type = WIRE_ZYGOTE_REFUSED,
		.text_len = (uint32_t)strlen(err->text) };

	wire_send(ZYGOTE_CONTROL_FD, &message, NULL, 0, err->text);
	_exit(1);
}

static char *
platform_read(size_t *len, struct err *err)
{
	struct stat stat;

	if (fstat(ZYGOTE_PLATFORM_FD, &stat) < 0 || stat.st_size <= 0) {
		err_set(err, -EINVAL, "the platform script cannot be read");
		return NULL;
	}
	*len = (size_t)stat.st_size;
	auto_free char *bytes = malloc(*len);
	if (bytes == NULL ||
	    pread(ZYGOTE_PLATFORM_FD, bytes, *len, 0) != (ssize_t)*len) {
		err_set(err, -EIO, "the platform script cannot be read");
		return NULL;
	}
	return steal_ptr(&bytes);
}

/* proc(5), statm: total size first, data + stack sixth; in pages. */
static int
base_measure(struct err *err)
{
	char line[128] = "";
	unsigned long size, data;

	auto_close int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, line, sizeof(line) - 1) <= 0 ||
	    sscanf(line, "%lu %*u %*u %*u %*u %lu", &size, &data) != 2)
		return err_set(err, -EIO, "/proc/self/statm cannot be read");
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	zygote.base_space = size * page;
	zygote.base_data = data * page;
	return 0;
}

/* ---- what cells do, in small: which code is worth huge pages ------------ */

static void
trial(const char *source, int kind, const char *json, const char *body)
{
	const struct wire_limits limits = WIRE_LIMITS_DEFAULT;
	const struct pack_file file = { .path = "trial.js",
		.path_len = 8,
		.data = (const uint8_t *)source,
		.data_len = (uint32_t)strlen(source) };

	answer_begin(-1, &limits);
	if (engine_load(&file, 1) != WIRE_CODE_OK)
		return;
	engine_warm();
	engine_call(kind, json, strlen(json), (const uint8_t *)body,
	    body != NULL ? strlen(body) : 0);
	for (int i = 0; i < 100 && !answer_is_done() && engine_turn() >= 0; i++)
		;
}

static void
trial_tool(void)
{
	trial("function run(i) { console.log('x', i); return { d: i.p * 2 } }",
	    0, "{\"tool\":\"trial\",\"input\":{\"p\":1}}", NULL);
}

static void
trial_request(void)
{
	trial("export default { async fetch(request) {\n"
	      "const { params } = await request.json();\n"
	      "return Response.json({ path: new URL(request.url).pathname,\n"
	      "text: `${params.a + 1}` }) } }",
	    1,
	    "{\"method\":\"POST\",\"url\":\"http://localhost/mcp\",\"headers\":"
	    "[[\"content-type\",\"application/json\"]]}",
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"params\":{\"a\":1}}");
}

static hugetext_trial *const trials[] = { trial_tool, trial_request };

/* user_namespaces(7): the second line is there when root started us. */
static void
uids_count(void)
{
	unsigned int inside, count;

	auto_fclose FILE *file = fopen("/proc/self/uid_map", "re");
	if (file != NULL && fscanf(file, "%*u %*u %*u") == 0 &&
	    fscanf(file, "%u %*u %u", &inside, &count) == 2)
		zygote.n_uids = count;
}

static int
filters_make(int flags, struct err *err)
{
	int code =
	    box_filter_init(&zygote.template_filter, "template", flags, err);
	if (code == 0)
		code = box_filter_init(&zygote.cell_filter, "cell", flags, err);
	if (code == 0)
		code = box_filter_init(
		    &zygote.cell_reuse_filter, "cell-reuse", flags, err);
	return code;
}

static void
template_fork(uint32_t id, int raw_bundle_fd, int raw_control_fd)
{
	auto_close int bundle_fd = raw_bundle_fd;
	auto_close int control_fd = raw_control_fd;
	int pidfd = -1;
	struct clone_args args = { .flags = CLONE_NEWPID | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD };
	struct wire_message reply = { .type = WIRE_TEMPLATE_FORKED, .id = id };

	const pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		template_run(&zygote,
		    zygote.n_uids > 0 ? 1 + id % zygote.n_uids : 0,
		    fd_steal(&bundle_fd), fd_steal(&control_fd));

	auto_close int template_fd = pidfd;
	int code;
	if (pid > 0) {
		code =
		    wire_send(ZYGOTE_CONTROL_FD, &reply, &template_fd, 1, NULL);
	} else {
		reply.type = WIRE_TEMPLATE_FAILED;
		reply.status = errno;
		code = wire_send(ZYGOTE_CONTROL_FD, &reply, NULL, 0, NULL);
	}
	if (code != 0)
		_exit(1);
}

int
zygote_main(int argc, char **argv, char **env)
{
	const int jitless = argc > 1 && strcmp(argv[1], "--jitless") == 0;
	const int once = argc > 2 && strcmp(argv[2], "--once") == 0;
	struct err err = { "" };
	size_t len;

	(void)env;
	prctl(PR_SET_NAME, "cordon-zygote");
	signal(SIGCHLD, SIG_IGN); /* the supervisor holds the pidfds */
	auto_free char *platform = platform_read(&len, &err);
	if (platform == NULL ||
	    engine_init(jitless ? ENGINE_JITLESS : 0, platform, len, &err) !=
		0 ||
	    filters_make(jitless ? BOX_FILTER_NO_EXEC : 0, &err) != 0)
		give_up(&err);
	free(steal_ptr(&platform));
	malloc_trim(0); /* what parsing took would be copied by every fork */
	if (!once)
		hugetext_remap(trials, ARRAY_LEN(trials));
	if (base_measure(&err) != 0)
		give_up(&err);
	uids_count();
	syscall(SYS_close_range, ZYGOTE_CONTROL_FD + 1, ~0u, 0);
	if (box_enter("zygote", &err) != 0)
		give_up(&err);

	const struct wire_message ready = { .type = WIRE_ZYGOTE_READY };
	if (wire_send(ZYGOTE_CONTROL_FD, &ready, NULL, 0, NULL) != 0)
		_exit(1);
	for (;;) {
		struct wire_message order;
		int fds[WIRE_FDS_MAX];

		/* Any misbehaviour of this channel is the end. */
		if (wire_receive(ZYGOTE_CONTROL_FD, 0, &order, fds, text) !=
			0 ||
		    order.type != WIRE_TEMPLATE_FORK)
			_exit(0);
		template_fork(order.id, fds[0], fds[1]);
	}
}
