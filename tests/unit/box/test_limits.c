/* SPDX-License-Identifier: Apache-2.0
 *
 * What the limits of a box say of themselves, and do to a process without a
 * control group.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box/limits.h"
#include "test.h"

#define MIB (1u << 20)

/* What a child that took the limits says: its exit status. */
static int
child_status(const struct box_limits *limits, int (*work)(void))
{
	int status;

	const pid_t pid = fork();
	if (pid == 0)
		_exit(
		    limits != NULL && box_limits_apply(limits, false, NULL) != 0
			? 99
			: work());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int
memory_fill(void)
{
	char *memory = mmap(NULL, 64u * MIB, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? errno : 0;
}

static int
files_open(void)
{
	for (int i = 0; i < 100; i++)
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			return errno;
	return 0;
}

static int
file_grow(void)
{
	static char bytes[64 * 1024];

	signal(SIGXFSZ, SIG_IGN);
	const int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	for (int i = 0; i < 32; i++)
		if (write(fd, bytes, sizeof(bytes)) < 0)
			return errno;
	return 0;
}

static int
core_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_CORE, &limit);
	/* 1: no bytes, and a handler of the host is not started either. */
	return limit.rlim_cur == 1 && limit.rlim_max == 1 ? 0 : 1;
}

static int
files_hard(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_max == 64 && limit.rlim_cur == 64 ? 0 : 1;
}

static int
twice(void)
{
	const struct box_limits wider = { .files = 128 };

	return box_limits_apply(&wider, false, NULL) != 0 ? 98 : files_hard();
}

static void
each_limit_refuses_what_was_let_through_before(void **state)
{
	const struct box_limits limits = {
		.memory_bytes = 32u * MIB, .files = 64, .file_bytes = MIB
	};

	(void)state;
	assert_int_equal(child_status(NULL, memory_fill), 0);
	assert_int_equal(child_status(&limits, memory_fill), ENOMEM);
	assert_int_equal(child_status(NULL, files_open), 0);
	assert_int_equal(child_status(&limits, files_open), EMFILE);
	assert_int_equal(child_status(NULL, file_grow), 0);
	assert_int_equal(child_status(&limits, file_grow), EFBIG);
	assert_int_equal(child_status(&limits, core_limit), 0);
	assert_int_equal(child_status(&limits, files_hard), 0);
}

static void
nothing_is_raised_once_it_was_lowered(void **state)
{
	const struct box_limits limits = { .files = 64 };

	(void)state;
	assert_int_equal(child_status(&limits, twice), 0);
}

static void
no_limit_is_no_limit(void **state)
{
	const struct box_limits limits = { .files = 0 };

	(void)state;
	assert_int_equal(child_status(&limits, memory_fill), 0);
	assert_int_equal(child_status(&limits, files_open), 0);
	assert_int_equal(child_status(&limits, file_grow), 0);
}

static void
says_what_holds_by_what(void **state)
{
	const struct box_limits limits = { .memory_bytes = 512u * MIB,
		.pids = 64 };
	const struct box_limits all = { .memory_bytes = 3u * MIB / 2u,
		.pids = 1,
		.cpu_milli = 1500,
		.wall_ms = 2500 };
	const struct box_limits none = { .pids = 0 };
	char text[BOX_LIMITS_TEXT_MAX];

	(void)state;
	box_limits_describe(&limits, NULL, text);
	assert_string_equal(text,
	    "memory 512 MiB (each process, by rlimit), 64 processes (by "
	    "rlimit), no CPU limit");
	box_limits_describe(&all, NULL, text);
	assert_string_equal(text,
	    "memory 1536 KiB (each process, by rlimit), 1 process (by "
	    "rlimit), no CPU limit (1.5 CPUs were asked for: no control "
	    "group), 2.5 s");
	box_limits_describe(&none, NULL, text);
	assert_string_equal(
	    text, "no memory limit, no limit of processes, no CPU limit");
}

static void
says_who_ended_it(void **state)
{
	const struct box_limits limits = { .memory_bytes = 512u * MIB,
		.pids = 64 };
	const struct cgroup_usage quiet = { .memory_bytes = 511u * MIB },
				  oom = { .oom_kills = 1 },
				  both = { .oom_kills = 2, .pids_refused = 3 };
	char text[BOX_LIMITS_TEXT_MAX];

	(void)state;
	assert_false(box_limits_blame(&limits, &quiet, text));
	assert_true(box_limits_blame(&limits, &oom, text));
	assert_string_equal(text, "memory limit of 512 MiB: 1 process ended");
	assert_true(box_limits_blame(&limits, &both, text));
	assert_string_equal(text,
	    "memory limit of 512 MiB: 2 processes ended; limit of 64 "
	    "processes: refused 3 times");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    each_limit_refuses_what_was_let_through_before),
		cmocka_unit_test(nothing_is_raised_once_it_was_lowered),
		cmocka_unit_test(no_limit_is_no_limit),
		cmocka_unit_test(says_what_holds_by_what),
		cmocka_unit_test(says_who_ended_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
