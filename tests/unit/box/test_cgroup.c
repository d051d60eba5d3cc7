/* SPDX-License-Identifier: Apache-2.0
 *
 * Control groups as this machine has them: real processes in real groups.
 * Where none may be made, the tests say so and are skipped.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/cgroup.h"
#include "test.h"

#define MIB (1u << 20)

static struct cgroup *
cgroup_or_skip(int memory, int pids)
{
	struct cgroup *cgroup;

	assert_int_equal(cgroup_new(&cgroup), 0);
	const struct cgroup_can can = cgroup_can(cgroup);
	if ((memory && !can.memory) || (pids && !can.pids)) {
		print_message("# %s\n", cgroup_complaint(cgroup));
		cgroup_free(cgroup);
		skip();
	}
	return cgroup;
}

/* A child that is born in a group, and does this there. */
static pid_t
child_start(struct cgroup *cgroup, const char *group, int (*work)(void))
{
	struct cgroup_door door;
	struct err err = { "" };

	if (cgroup_door_open(cgroup, group, &door, &err) != 0)
		fail_msg("%s", err.text);
	struct clone_args args = { .exit_signal = SIGCHLD };
	if (door.into_fd >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (unsigned int)door.into_fd;
	}
	const pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(cgroup_door_enter(&door) == 0 ? work() : 99);
	assert_true(pid > 0);
	cgroup_door_close(&door);
	return pid;
}

static int
status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Folders of ours, in whatever hierarchy. */
static int
places_left(void)
{
	char name[64], path[512];
	int n = 0;

	snprintf(name, sizeof(name), "cordon.%d", getpid());
	auto_fclose FILE *file = fopen("/proc/self/cgroup", "re");
	for (char line[512]; fgets(line, sizeof(line), file) != NULL;) {
		line[strcspn(line, "\n")] = '\0';
		char *names = strchr(line, ':') + 1;
		char *own = strchr(names, ':');
		*own++ = '\0';
		const char *const mounts[] = { names, "unified", "." };
		for (size_t i = 0; i < ARRAY_LEN(mounts); i++) {
			snprintf(path, sizeof(path), "/sys/fs/cgroup/%s%s/%s",
			    mounts[i], own, name);
			n += access(path, F_OK) == 0;
		}
	}
	return n;
}

static int
hog(void)
{
	const size_t size = 64u * MIB;

	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(memory, 1, size);
	return 7;
}

static int
fork_often(void)
{
	for (int i = 0; i < 20; i++) {
		const pid_t pid = fork();
		if (pid == 0) {
			pause();
			_exit(0);
		}
		if (pid < 0)
			return errno == EAGAIN ? 7 : 8;
	}
	return 9;
}

static int
family(void)
{
	for (int i = 0; i < 5; i++)
		if (fork() == 0)
			break;
	pause();
	return 0;
}

static void
a_memory_limit_ends_the_child_and_is_counted(void **state)
{
	const struct cgroup_limits limits = { .memory_bytes = 16u * MIB };
	struct cgroup *cgroup = cgroup_or_skip(1, 0);
	struct cgroup_usage usage;
	struct err err = { "" };

	(void)state;
	assert_int_equal(cgroup_set(cgroup, "t-x/b-1", &limits, &err), 0);
	const int status = status_of(child_start(cgroup, "t-x/b-1", hog));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	cgroup_usage(cgroup, "t-x/b-1", &usage);
	assert_int_equal(usage.oom_kills, 1);
	assert_in_range(usage.memory_peak_bytes, 8u * MIB, 16u * MIB);
	cgroup_free(cgroup);
	assert_int_equal(places_left(), 0);
}

/* The control: the same program, with room. */
static void
with_room_the_same_child_lives(void **state)
{
	const struct cgroup_limits limits = { .memory_bytes = 128u * MIB };
	struct cgroup *cgroup = cgroup_or_skip(1, 0);
	struct cgroup_usage usage;

	(void)state;
	assert_int_equal(cgroup_set(cgroup, "", &limits, NULL), 0);
	const int status = status_of(child_start(cgroup, "", hog));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	cgroup_usage(cgroup, "", &usage);
	assert_int_equal(usage.oom_kills, 0);
	cgroup_free(cgroup);
	assert_int_equal(places_left(), 0);
}

static void
a_limit_of_the_parent_holds_for_its_groups(void **state)
{
	const struct cgroup_limits tenant = { .memory_bytes = 16u * MIB },
				   box = { .memory_bytes = 512u * MIB };
	struct cgroup *cgroup = cgroup_or_skip(1, 0);

	(void)state;
	assert_int_equal(cgroup_set(cgroup, "t-x", &tenant, NULL), 0);
	assert_int_equal(cgroup_set(cgroup, "t-x/b-1", &box, NULL), 0);
	const int status = status_of(child_start(cgroup, "t-x/b-1", hog));
	assert_true(WIFSIGNALED(status));
	cgroup_free(cgroup);
	assert_int_equal(places_left(), 0);
}

static void
a_pids_limit_refuses_forks_and_all_are_killed(void **state)
{
	const struct cgroup_limits limits = { .pids = 8 };
	struct cgroup *cgroup = cgroup_or_skip(0, 1);
	struct cgroup_usage usage;

	(void)state;
	assert_int_equal(cgroup_set(cgroup, "b-1", &limits, NULL), 0);
	const int status = status_of(child_start(cgroup, "b-1", fork_often));
	assert_int_equal(WEXITSTATUS(status), 7);
	cgroup_usage(cgroup, "b-1", &usage);
	assert_int_equal(usage.pids, 7);
	assert_int_equal(usage.pids_refused, 1);
	cgroup_kill(cgroup, "b-1");
	cgroup_remove(cgroup, "b-1");
	assert_false(cgroup_has(cgroup, "b-1"));
	cgroup_free(cgroup);
	assert_int_equal(places_left(), 0);
}

static void
kills_what_is_below_and_removes_it_at_once(void **state)
{
	const struct cgroup_limits limits = { .pids = 64 };
	struct cgroup *cgroup = cgroup_or_skip(0, 1);

	(void)state;
	assert_int_equal(cgroup_set(cgroup, "t-x", &limits, NULL), 0);
	assert_int_equal(cgroup_set(cgroup, "t-x/b-1", &limits, NULL), 0);
	const pid_t pid = child_start(cgroup, "t-x/b-1", family);
	cgroup_kill(cgroup, "t-x");
	assert_true(WIFSIGNALED(status_of(pid)));
	cgroup_free(cgroup);
	assert_int_equal(places_left(), 0);
}

static void
new_limits_take_the_place_of_those_before(void **state)
{
	const struct cgroup_limits wide = { .pids = 64 }, none = { .pids = 0 },
				   narrow = { .pids = 3 };
	struct cgroup *cgroup = cgroup_or_skip(0, 1);

	(void)state;
	assert_int_equal(cgroup_set(cgroup, "b-1", &wide, NULL), 0);
	assert_int_equal(cgroup_set(cgroup, "b-1", &narrow, NULL), 0);
	assert_int_equal(
	    WEXITSTATUS(status_of(child_start(cgroup, "b-1", fork_often))), 7);
	assert_int_equal(cgroup_set(cgroup, "b-1", &none, NULL), 0);
	assert_int_equal(
	    WEXITSTATUS(status_of(child_start(cgroup, "b-1", fork_often))), 9);
	cgroup_kill(cgroup, "b-1");
	cgroup_free(cgroup);
	assert_int_equal(places_left(), 0);
}

/* A process that is there already. */
static void
puts_a_process_by_its_pid(void **state)
{
	const struct cgroup_limits limits = { .pids = 64 };
	struct cgroup *cgroup = cgroup_or_skip(0, 1);
	struct cgroup_usage usage;
	struct err err = { "" };

	(void)state;
	const pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(cgroup_set(cgroup, "t-x", &limits, NULL), 0);
	if (cgroup_put(cgroup, "t-x/cells", pid, &err) != 0)
		fail_msg("%s", err.text);
	cgroup_usage(cgroup, "t-x", &usage);
	assert_int_equal(usage.pids, 1);
	cgroup_kill(cgroup, "t-x");
	assert_true(WIFSIGNALED(status_of(pid)));
	cgroup_free(cgroup);
	assert_int_equal(places_left(), 0);
}

/* One that died without a word left a place; a second one lives. */
static void
sweeps_what_the_dead_left_and_nothing_else(void **state)
{
	const struct cgroup_limits limits = { .pids = 64 };
	struct cgroup *cgroup = cgroup_or_skip(0, 1);
	struct cgroup *other;
	int pipe_fds[2];
	char byte = 0;

	(void)state;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	const pid_t pid = fork();
	if (pid == 0) {
		if (cgroup_new(&other) != 0 ||
		    cgroup_set(other, "t-y/b-1", &limits, NULL) != 0 ||
		    write(pipe_fds[1], &byte, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	assert_int_equal(cgroup_set(cgroup, "b-1", &limits, NULL), 0);

	char path[256];
	snprintf(path, sizeof(path),
	    "find /sys/fs/cgroup -depth -name "
	    "cordon.%d | grep -q .",
	    pid);
	cgroup_sweep(cgroup);
	assert_int_equal(system(path), 0);
	assert_true(cgroup_has(cgroup, "b-1"));

	kill(pid, SIGKILL);
	status_of(pid);
	cgroup_sweep(cgroup);
	assert_int_not_equal(system(path), 0);
	assert_true(cgroup_has(cgroup, "b-1"));

	close(pipe_fds[0]);
	close(pipe_fds[1]);
	cgroup_free(cgroup);
	assert_int_equal(places_left(), 0);
}

/* As another of the same pid in another pid namespace. */
static void
two_of_the_same_pid_do_not_meet(void **state)
{
	const struct cgroup_limits limits = { .pids = 64 };
	struct cgroup *first = cgroup_or_skip(0, 1);
	struct cgroup *second = cgroup_or_skip(0, 1);

	(void)state;
	assert_int_equal(cgroup_set(first, "b-1", &limits, NULL), 0);
	assert_int_equal(cgroup_set(second, "b-2", &limits, NULL), 0);
	assert_false(cgroup_has(first, "b-2"));
	second = cgroup_free(second);
	assert_true(cgroup_has(first, "b-1"));
	cgroup_free(first);
	assert_int_equal(places_left(), 0);
}

/* Each sweeps while the others make and remove: nobody loses what is his. */
static int
rounds_run(void)
{
	const struct cgroup_limits limits = { .memory_bytes = 64u * MIB,
		.pids = 64 };

	for (int i = 0; i < 40; i++) {
		struct cgroup *cgroup;
		struct cgroup_door door;
		if (cgroup_new(&cgroup) != 0 ||
		    cgroup_set(cgroup, "t-x/b-1", &limits, NULL) != 0)
			return 1;
		cgroup_sweep(cgroup);
		if (!cgroup_has(cgroup, "t-x/b-1") ||
		    cgroup_door_open(cgroup, "t-x/b-1", &door, NULL) != 0)
			return 2;
		cgroup_door_close(&door);
		cgroup_free(cgroup);
	}
	return 0;
}

static void
many_at_once_do_not_take_each_others(void **state)
{
	struct cgroup *cgroup = cgroup_or_skip(1, 1);
	pid_t pids[6];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pids); i++)
		if ((pids[i] = fork()) == 0)
			_exit(rounds_run());
	for (size_t i = 0; i < ARRAY_LEN(pids); i++)
		assert_int_equal(status_of(pids[i]), 0);
	cgroup_free(cgroup);
	assert_int_equal(places_left(), 0);
}

static void
refuses_names_that_lead_elsewhere(void **state)
{
	static const char *const names[] = { "/x", "..", "x/../y", "x//y", "x/",
		"." };
	const struct cgroup_limits limits = { .pids = 64 };
	struct cgroup *cgroup;

	(void)state;
	assert_int_equal(cgroup_new(&cgroup), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct cgroup_door door;
		assert_int_equal(
		    cgroup_set(cgroup, names[i], &limits, NULL), -EINVAL);
		assert_int_equal(
		    cgroup_put(cgroup, names[i], 1, NULL), -EINVAL);
		assert_int_equal(
		    cgroup_door_open(cgroup, names[i], &door, NULL), -EINVAL);
	}
	cgroup_free(cgroup);
	assert_int_equal(places_left(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_memory_limit_ends_the_child_and_is_counted),
		cmocka_unit_test(with_room_the_same_child_lives),
		cmocka_unit_test(a_limit_of_the_parent_holds_for_its_groups),
		cmocka_unit_test(a_pids_limit_refuses_forks_and_all_are_killed),
		cmocka_unit_test(kills_what_is_below_and_removes_it_at_once),
		cmocka_unit_test(new_limits_take_the_place_of_those_before),
		cmocka_unit_test(puts_a_process_by_its_pid),
		cmocka_unit_test(sweeps_what_the_dead_left_and_nothing_else),
		cmocka_unit_test(two_of_the_same_pid_do_not_meet),
		cmocka_unit_test(many_at_once_do_not_take_each_others),
		cmocka_unit_test(refuses_names_that_lead_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
