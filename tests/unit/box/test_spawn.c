/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box/box.h"

/* A process in its box, looked at through /proc while it waits. */
struct boxed {
	pid_t pid;
	int pidfd;
	int fd;
	const struct box_domain *domain;
};

static int
boxed_start(struct boxed *boxed, const char *domain)
{
	const char *const argv[] = { "boxed", domain, NULL };
	struct err err = { "" };
	char said[1024] = "";
	int pair[2];

	alarm(60);
	auto_close int exe_fd = open(getenv("BOXED"), O_RDONLY | O_CLOEXEC);
	assert_true(exe_fd >= 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	auto_close int theirs_fd = pair[1];
	const struct box_spawn spawn = { .domain = domain,
		.exe_fd = exe_fd,
		.argv = argv,
		.fds = &theirs_fd,
		.n_fds = 1 };
	const int code = box_spawn(&spawn, &boxed->pid, &boxed->pidfd, &err);
	if (code == -EPERM || code == -ENOSPC || code == -ENOSYS) {
		print_message("skipped: %s\n", err.text);
		close(pair[0]);
		return code;
	}
	if (code != 0)
		fail_msg("%s", err.text);
	close(fd_steal(&theirs_fd));
	boxed->fd = pair[0];
	boxed->domain = box_domain_find(domain);
	recv(boxed->fd, said, sizeof(said) - 1, 0);
	assert_string_equal(said, "inside");
	return 0;
}

static void
boxed_end(struct boxed *boxed)
{
	int status;

	close(boxed->fd);
	assert_int_equal(waitpid(boxed->pid, &status, 0), boxed->pid);
	assert_int_equal(status, 0);
	close(boxed->pidfd);
	alarm(0);
}

/* The rest of the line of /proc/PID/FILE that begins so. */
static void
line_find(const struct boxed *boxed, const char *file, const char *begin,
    char line[512])
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/%d/%s", boxed->pid, file);
	auto_fclose FILE *stream = fopen(path, "re");
	assert_non_null(stream);
	while (fgets(text, sizeof(text), stream) != NULL)
		if (strncmp(text, begin, strlen(begin)) == 0) {
			strcpy(line, text + strlen(begin));
			return;
		}
	fail_msg("no line '%s' in %s", begin, path);
}

static uint64_t
status_number(const struct boxed *boxed, const char *name, int base)
{
	char line[512];

	line_find(boxed, "status", name, line);
	return strtoull(line, NULL, base);
}

static size_t
entries_count(const struct boxed *boxed, const char *folder)
{
	char path[64];
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", boxed->pid, folder);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* Another namespace of every kind than ours. */
static void
assert_namespaces(const struct boxed *boxed)
{
	static const char *const kinds[] = { "user", "mnt", "pid", "net", "ipc",
		"uts", "cgroup" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		char path[64], ours[64] = "", theirs[64] = "";
		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		assert_true(readlink(path, ours, sizeof(ours) - 1) > 0);
		snprintf(
		    path, sizeof(path), "/proc/%d/ns/%s", boxed->pid, kinds[i]);
		assert_true(readlink(path, theirs, sizeof(theirs) - 1) > 0);
		assert_string_not_equal(ours, theirs);
	}
}

static void
assert_uid(const struct boxed *boxed)
{
	const uint64_t uid = status_number(boxed, "Uid:", 10);

	assert_int_equal(uid, status_number(boxed, "Gid:", 10));
	assert_int_not_equal(uid, 0);
	if (geteuid() == 0)
		assert_int_equal(uid, BOX_UID_BASE + boxed->domain->uid_offset);
}

static void
stands_behind_every_wall(void **state)
{
	static const char *const names[] = { "gateway", "zygote", "cell" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct boxed boxed;
		char line[512];

		if (boxed_start(&boxed, names[i]) != 0)
			skip();
		const uint64_t caps = boxed.domain->keep_caps;
		assert_int_equal(status_number(&boxed, "CapEff:", 16), caps);
		assert_int_equal(status_number(&boxed, "CapPrm:", 16), caps);
		assert_int_equal(status_number(&boxed, "CapInh:", 16), 0);
		assert_int_equal(status_number(&boxed, "CapBnd:", 16), 0);
		assert_int_equal(status_number(&boxed, "CapAmb:", 16), 0);
		assert_int_equal(status_number(&boxed, "NoNewPrivs:", 10), 1);
		assert_int_equal(status_number(&boxed, "Seccomp:", 10), 2);
		assert_uid(&boxed);
		assert_namespaces(&boxed);
		/* 0, 1: nothing; 2: the log; 3: the heritage. */
		assert_int_equal(entries_count(&boxed, "fd"), 4);
		assert_int_equal(entries_count(&boxed, "root"), 0);
		line_find(&boxed, "mounts", "cordon / tmpfs ", line);
		assert_int_equal(strncmp(line, "ro,", 3), 0);
		boxed_end(&boxed);
	}
}

static void
starts_no_domain_that_is_not_there(void **state)
{
	const struct box_spawn unknown = { .domain = "nobody" };
	const struct box_spawn many = { .domain = "cell",
		.n_fds = BOX_SPAWN_FDS_MAX + 1 };
	struct err err = { "" };
	pid_t pid = 77;
	int pidfd = 78;
	(void)state;

	assert_int_equal(box_spawn(&unknown, &pid, &pidfd, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'nobody'"));
	assert_int_equal(box_spawn(&many, &pid, &pidfd, &err), -EINVAL);
	assert_int_equal(box_enter("nobody", &err), -EINVAL);
	assert_int_equal(pid, 77);
	assert_int_equal(pidfd, 78);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stands_behind_every_wall),
		cmocka_unit_test(starts_no_domain_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
