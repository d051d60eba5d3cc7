/* SPDX-License-Identifier: Apache-2.0
 *
 * Control groups of other machines: trees of plain files in a temporary folder.
 * A folder made there gets the files that the kernel would put into it, and
 * loses them with it: mkdirat() and unlinkat() of the library are ours here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/fd.h"
#include "box/cgroup.h"
#include "test.h"

int __real_mkdirat(int fd, const char *path, mode_t mode);
int __real_unlinkat(int fd, const char *path, int flags);
int __wrap_mkdirat(int fd, const char *path, mode_t mode);
int __wrap_unlinkat(int fd, const char *path, int flags);
int __wrap_sysinfo(struct sysinfo *info);

static struct machine {
	char root[64];
	uint64_t swap;
} machine;

static const char *const v1_files[] = { "tasks", "cgroup.procs",
	"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "pids.max",
	"cpu.cfs_quota_us" };
static const char *const v2_files[] = { "cgroup.procs", "cgroup.type",
	"cgroup.kill", "cgroup.subtree_control", "memory.max",
	"memory.swap.max", "pids.max", "cpu.max" };

static void
file_make(int fd, const char *file, const char *text)
{
	auto_close int made =
	    openat(fd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(made >= 0);
	assert_int_equal(fd_write_all(made, text, strlen(text)), 0);
}

static void
files_fill(int fd, bool is_v1)
{
	const char *const *files = is_v1 ? v1_files : v2_files;
	const size_t n = is_v1 ? ARRAY_LEN(v1_files) : ARRAY_LEN(v2_files);

	for (size_t i = 0; i < n; i++)
		file_make(fd, files[i], "");
}

static bool
is_unified(int fd)
{
	return faccessat(fd, "cgroup.subtree_control", F_OK, 0) == 0;
}

int
__wrap_mkdirat(int at_fd, const char *path, mode_t mode)
{
	if (__real_mkdirat(at_fd, path, mode) < 0)
		return -1;
	auto_close int fd =
	    openat(at_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int parent_fd =
	    openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	files_fill(fd, !is_unified(parent_fd));
	return 0;
}

/* A group with children is busy, one with processes too. */
int
__wrap_unlinkat(int at_fd, const char *path, int flags)
{
	auto_close int fd =
	    openat(at_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	for (int pass = 0; pass < 2; pass++) {
		auto_close int again =
		    openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *dir = fdopendir(fd_steal(&again));
		for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
			if (entry->d_name[0] == '.')
				continue;
			if (pass == 0 && entry->d_type == DT_DIR) {
				closedir(dir);
				errno = EBUSY;
				return -1;
			}
			if (pass == 1)
				__real_unlinkat(fd, entry->d_name, 0);
		}
		closedir(dir);
	}
	return __real_unlinkat(at_fd, path, flags);
}

int
__wrap_sysinfo(struct sysinfo *info)
{
	*info = (struct sysinfo){ .totalswap = machine.swap };
	return 0;
}

/* ---- trees ---------------------------------------------------------------- */

static const char *
at(const char *path)
{
	static char texts[4][2 * PATH_MAX];
	static size_t i;

	char *text = texts[i++ % ARRAY_LEN(texts)];
	snprintf(text, sizeof(texts[0]), "%s/%s", machine.root, path);
	return text;
}

/* A path's folders, each of them a group. */
static void
group_make(const char *path, bool is_v1)
{
	char part[PATH_MAX];

	for (const char *c = path; *c != '\0'; c++) {
		if (c[1] != '/' && c[1] != '\0')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)(c + 1 - path), path);
		if (mkdir(at(part), 0755) < 0)
			continue;
		auto_close int fd =
		    open(at(part), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		files_fill(fd, is_v1);
	}
}

static void
file_set(const char *path, const char *text)
{
	file_make(AT_FDCWD, at(path), text);
}

static void
file_assert(const char *path, const char *expected)
{
	char text[256];

	auto_close int fd = open(at(path), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	const ssize_t len = read(fd, text, sizeof(text) - 1);
	text[len < 0 ? 0 : len] = '\0';
	assert_string_equal(text, expected);
}

/* Of a place's file: "mount/…/cordon.PID/file". */
static const char *
placed(const char *parent, const char *file)
{
	static char texts[4][PATH_MAX];
	static size_t i;

	char *text = texts[i++ % ARRAY_LEN(texts)];
	snprintf(text, PATH_MAX, "%s/cordon.%d%s%s", parent, getpid(),
	    file[0] != '\0' ? "/" : "", file);
	return text;
}

static bool
is_there(const char *path)
{
	return access(at(path), F_OK) == 0;
}

static int
machine_set(void **state)
{
	(void)state;
	machine = (struct machine){ .root = "/tmp/cordon-tree.XXXXXX" };
	if (mkdtemp(machine.root) == NULL)
		return -1;
	return mkdir(at("fs"), 0755);
}

static int
machine_clear(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", machine.root);
	return system(command);
}

static struct cgroup *
cgroup_found(const char *self)
{
	struct cgroup *cgroup;

	file_set("self", self);
	assert_int_equal(cgroup_new_at(at("fs"), at("self"), &cgroup), 0);
	return cgroup;
}

/* Pure v2, whose root hands down what it is asked for. */
static void
v2_mount(const char *controllers)
{
	file_set("fs/cgroup.controllers", controllers);
	file_set("fs/cgroup.subtree_control", "");
	file_set("fs/cgroup.procs", "1\n");
}

static void
v2_group(const char *path, const char *controllers, const char *handed,
    const char *procs)
{
	char file[PATH_MAX];

	group_make(path, false);
	snprintf(file, sizeof(file), "%s/cgroup.controllers", path);
	file_set(file, controllers);
	snprintf(file, sizeof(file), "%s/cgroup.subtree_control", path);
	file_set(file, handed);
	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	file_set(file, procs);
}

/* ---- tests ---------------------------------------------------------------- */

static const struct cgroup_limits all = {
	.memory_bytes = 1 << 20, .pids = 64, .cpu_milli = 500
};

static void
on_v1_each_controller_has_its_place(void **state)
{
	(void)state;
	group_make("fs/memory/a/b", true);
	group_make("fs/pids", true);
	group_make("fs/cpu", true);
	struct cgroup *cgroup = cgroup_found(
	    "4:memory:/a/b\n3:pids:/\n2:cpu,cpuacct:/\n1:name=systemd:/x\n");
	assert_string_equal(
	    cgroup_describe(cgroup), "memory v1, pids v1, cpu v1");
	assert_null(cgroup_complaint(cgroup));
	assert_int_equal(cgroup_can(cgroup).kill, 0);
	assert_false(is_there(placed("fs/pids", "")));

	assert_int_equal(cgroup_set(cgroup, "t-x/b-1", &all, NULL), 0);
	file_assert(placed("fs/memory/a/b", "t-x/b-1/memory.limit_in_bytes"),
	    "1048576");
	file_assert(
	    placed("fs/memory/a/b", "t-x/b-1/memory.memsw.limit_in_bytes"), "");
	file_assert(placed("fs/pids", "t-x/b-1/pids.max"), "64");
	file_assert(placed("fs/cpu", "t-x/b-1/cpu.cfs_quota_us"), "50000");
	file_assert(placed("fs/pids", "t-x/pids.max"), "");

	cgroup_free(cgroup);
	assert_false(is_there(placed("fs/pids", "")));
	assert_false(is_there(placed("fs/memory/a/b", "")));
	assert_true(is_there("fs/memory/a/b/tasks"));
}

static void
where_there_is_swap_it_counts_as_memory(void **state)
{
	(void)state;
	machine.swap = 1;
	group_make("fs/memory", true);
	struct cgroup *cgroup = cgroup_found("4:memory:/\n");
	assert_int_equal(cgroup_set(cgroup, "", &all, NULL), 0);
	file_assert(
	    placed("fs/memory", "memory.memsw.limit_in_bytes"), "1048576");
	cgroup_free(cgroup);
}

static void
only_what_is_limited_is_made(void **state)
{
	const struct cgroup_limits pids = { .pids = 5 };

	(void)state;
	group_make("fs/memory", true);
	group_make("fs/pids", true);
	struct cgroup *cgroup = cgroup_found("4:memory:/\n3:pids:/\n");
	assert_string_equal(
	    cgroup_complaint(cgroup), "no such control group is mounted (cpu)");
	assert_int_equal(cgroup_set(cgroup, "b-1", &pids, NULL), 0);
	assert_true(is_there(placed("fs/pids", "b-1")));
	assert_false(is_there(placed("fs/memory", "")));
	cgroup_free(cgroup);
}

/* v1 lets a group with children have processes: no folder for their sake. */
static void
on_v1_the_door_is_that_of_the_nearest_group(void **state)
{
	const struct cgroup_limits share = { .cpu_share = 1, .pids = 9 };
	struct cgroup_door door = CGROUP_DOOR_NONE;

	(void)state;
	group_make("fs/cpu", true);
	group_make("fs/pids", true);
	struct cgroup *cgroup = cgroup_found("4:cpu:/\n3:pids:/\n");
	assert_int_equal(cgroup_set(cgroup, "t-x", &share, NULL), 0);
	assert_int_equal(cgroup_door_open(cgroup, "t-x/cells", &door, NULL), 0);
	assert_int_equal(door.into_fd, -1);
	assert_int_equal(cgroup_door_enter(&door), 0);
	cgroup_door_close(&door);
	file_assert(placed("fs/cpu", "t-x/tasks"), "0");
	file_assert(placed("fs/pids", "t-x/tasks"), "0");
	assert_false(is_there(placed("fs/cpu", "t-x/cells")));
	cgroup_free(cgroup);
}

static void
on_v2_parents_hand_down_and_hold_nobody(void **state)
{
	struct cgroup_door door;

	(void)state;
	v2_mount("cpuset cpu io memory pids\n");
	struct cgroup *cgroup = cgroup_found("0::/\n");
	file_assert("fs/cgroup.subtree_control", "+memory +pids +cpu");
	assert_string_equal(
	    cgroup_describe(cgroup), "memory v2, pids v2, cpu v2");
	assert_int_equal(cgroup_can(cgroup).kill, 2);
	assert_int_equal(cgroup_set(cgroup, "t-x/b-1", &all, NULL), 0);
	file_assert(
	    placed("fs", "cgroup.subtree_control"), "+memory +pids +cpu");
	file_assert(
	    placed("fs", "t-x/cgroup.subtree_control"), "+memory +pids +cpu");
	file_assert(placed("fs", "t-x/b-1/cgroup.subtree_control"), "");
	file_assert(placed("fs", "t-x/b-1/memory.max"), "1048576");
	file_assert(placed("fs", "t-x/b-1/pids.max"), "64");
	file_assert(placed("fs", "t-x/b-1/cpu.max"), "50000");
	file_assert(placed("fs", "t-x/memory.max"), "");

	assert_int_equal(cgroup_door_open(cgroup, "t-x/b-1", &door, NULL), 0);
	assert_true(door.into_fd >= 0);
	cgroup_door_close(&door);
	assert_int_equal(cgroup_put(cgroup, "t-x/cells", 77, NULL), 0);
	file_assert(placed("fs", "t-x/cells/cgroup.procs"), "77");
	cgroup_kill(cgroup, "t-x");
	file_assert(placed("fs", "t-x/cgroup.kill"), "1");
	cgroup_free(cgroup);
	assert_false(is_there(placed("fs", "")));
}

static void
on_a_hybrid_v1_limits_and_v2_kills(void **state)
{
	struct cgroup_door door;

	(void)state;
	group_make("fs/memory", true);
	group_make("fs/pids", true);
	group_make("fs/cpu", true);
	group_make("fs/unified", false);
	v2_group("fs/unified", "hugetlb\n", "", "1\n");
	struct cgroup *cgroup =
	    cgroup_found("4:memory:/\n3:pids:/\n2:cpu:/\n0::/\n");
	assert_string_equal(
	    cgroup_describe(cgroup), "memory v1, pids v1, cpu v1");
	assert_int_equal(cgroup_can(cgroup).kill, 2);
	assert_int_equal(cgroup_set(cgroup, "b-1", &all, NULL), 0);
	assert_true(is_there(placed("fs/unified", "b-1")));
	assert_int_equal(cgroup_door_open(cgroup, "b-1", &door, NULL), 0);
	assert_true(door.into_fd >= 0);
	assert_true(door.task_fds[0] >= 0);
	cgroup_door_close(&door);
	cgroup_kill(cgroup, "b-1");
	file_assert(placed("fs/unified", "b-1/cgroup.kill"), "1");
	cgroup_free(cgroup);
	assert_false(is_there(placed("fs/unified", "")));
	assert_false(is_there(placed("fs/cpu", "")));
}

/* systemd-run --user --scope -p Delegate=yes: nobody in it but us. */
static void
in_a_delegated_group_we_move_into_a_leaf(void **state)
{
	char procs[32], self[128];

	(void)state;
	v2_mount("memory pids\n");
	snprintf(procs, sizeof(procs), "%d\n", getpid());
	v2_group("fs/user/mine", "memory pids\n", "", procs);
	struct cgroup *cgroup = cgroup_found("0::/user/mine\n");
	snprintf(self, sizeof(self), "fs/user/mine/cordon.%d.self/cgroup.procs",
	    getpid());
	file_assert(self, "0");
	file_assert("fs/user/mine/cgroup.subtree_control", "+memory +pids");
	assert_string_equal(cgroup_describe(cgroup), "memory v2, pids v2");
	assert_int_equal(cgroup_set(cgroup, "", &all, NULL), 0);
	file_assert(placed("fs/user/mine", "pids.max"), "64");
	cgroup_free(cgroup);
}

/* Where others are, too, they are left alone: the one above that hands down. */
static void
beside_others_a_group_above_is_used(void **state)
{
	(void)state;
	v2_mount("memory pids\n");
	v2_group("fs/user", "memory pids\n", "memory pids\n", "1\n");
	v2_group("fs/user/session", "memory pids\n", "", "1\n2\n");
	struct cgroup *cgroup = cgroup_found("0::/user/session\n");
	assert_string_equal(cgroup_describe(cgroup), "memory v2, pids v2");
	assert_string_equal(cgroup_complaint(cgroup),
	    "no control group that may limit this (cpu) is delegated to us: "
	    "the group of this process holds others too, or is not ours to "
	    "write");
	assert_int_equal(cgroup_set(cgroup, "", &all, NULL), 0);
	file_assert(placed("fs/user", "memory.max"), "1048576");
	file_assert("fs/user/session/cgroup.subtree_control", "");
	file_assert("fs/user/session/cgroup.procs", "1\n2\n");
	cgroup_free(cgroup);
}

static void
nothing_to_be_had_is_no_error_and_is_said(void **state)
{
	struct cgroup_door door;

	(void)state;
	struct cgroup *cgroup = cgroup_found("");
	assert_string_equal(cgroup_describe(cgroup), "none");
	assert_string_equal(cgroup_complaint(cgroup),
	    "no such control group is mounted (memory, pids, cpu)");
	assert_int_equal(cgroup_set(cgroup, "b-1", &all, NULL), 0);
	assert_int_equal(cgroup_door_open(cgroup, "b-1", &door, NULL), 0);
	assert_int_equal(door.into_fd, -1);
	assert_int_equal(cgroup_door_enter(&door), 0);
	assert_false(cgroup_has(cgroup, "b-1"));
	cgroup_free(cgroup);
}

/* A path that leads out of the mount: of a group outside of our namespace. */
static void
a_group_outside_of_our_namespace_is_none(void **state)
{
	(void)state;
	group_make("fs/memory", true);
	group_make("memory", true);
	struct cgroup *cgroup = cgroup_found("4:memory:/../../memory\n");
	assert_string_equal(cgroup_describe(cgroup), "none");
	cgroup_free(cgroup);
}

static void
a_container_sees_its_own_group_as_the_root(void **state)
{
	(void)state;
	group_make("fs/memory", true);
	struct cgroup *cgroup = cgroup_found("4:memory:/docker/abc\n");
	assert_string_equal(cgroup_describe(cgroup), "memory v1");
	assert_int_equal(cgroup_set(cgroup, "", &all, NULL), 0);
	assert_true(is_there(placed("fs/memory", "")));
	cgroup_free(cgroup);
}

static void
says_which_file_refused(void **state)
{
	struct err err = { "" };
	char expected[PATH_MAX];

	(void)state;
	group_make("fs/memory", true);
	struct cgroup *cgroup = cgroup_found("4:memory:/\n");
	assert_int_equal(cgroup_set(cgroup, "b-1", &all, &err), 0);
	unlink(at(placed("fs/memory", "b-1/memory.limit_in_bytes")));
	assert_int_equal(cgroup_set(cgroup, "b-1", &all, &err), -ENOENT);
	snprintf(expected, sizeof(expected),
	    "control group %s/b-1: memory: No such file or directory",
	    at(placed("fs/memory", "")));
	assert_string_equal(err.text, expected);
	cgroup_free(cgroup);
}

static void
reads_what_the_kernel_counted(void **state)
{
	struct cgroup_usage usage;

	(void)state;
	group_make("fs/memory", true);
	group_make("fs/pids", true);
	struct cgroup *cgroup = cgroup_found("4:memory:/\n3:pids:/\n");
	assert_int_equal(cgroup_set(cgroup, "b-1", &all, NULL), 0);
	file_set(placed("fs/memory", "b-1/memory.usage_in_bytes"), "100\n");
	file_set(placed("fs/memory", "b-1/memory.max_usage_in_bytes"), "200\n");
	file_set(placed("fs/memory", "b-1/memory.oom_control"),
	    "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
	file_set(placed("fs/pids", "b-1/pids.events"), "max 4\n");
	file_set(placed("fs/pids", "b-1/pids.current"), "5\n");
	cgroup_usage(cgroup, "b-1", &usage);
	assert_int_equal(usage.memory_bytes, 100);
	assert_int_equal(usage.memory_peak_bytes, 200);
	assert_int_equal(usage.oom_kills, 3);
	assert_int_equal(usage.pids_refused, 4);
	assert_int_equal(usage.pids, 5);
	cgroup_usage(cgroup, "b-2", &usage);
	assert_int_equal(usage.memory_bytes, 0);
	cgroup_free(cgroup);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, machine_set, machine_clear)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(on_v1_each_controller_has_its_place),
		TEST(where_there_is_swap_it_counts_as_memory),
		TEST(only_what_is_limited_is_made),
		TEST(on_v1_the_door_is_that_of_the_nearest_group),
		TEST(on_v2_parents_hand_down_and_hold_nobody),
		TEST(on_a_hybrid_v1_limits_and_v2_kills),
		TEST(in_a_delegated_group_we_move_into_a_leaf),
		TEST(beside_others_a_group_above_is_used),
		TEST(nothing_to_be_had_is_no_error_and_is_said),
		TEST(a_group_outside_of_our_namespace_is_none),
		TEST(a_container_sees_its_own_group_as_the_root),
		TEST(says_which_file_refused),
		TEST(reads_what_the_kernel_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
