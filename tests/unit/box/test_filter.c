/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box/box.h"

#define RW (PROT_READ | PROT_WRITE)
#define RWX (RW | PROT_EXEC)
#define PAGE 4096

static void
filter_init(struct box_filter *filter, const char *domain, int flags)
{
	struct err err = { "" };

	if (box_filter_init(filter, domain, flags, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(filter->n_insns > 0);
}

static void
builds_for_every_domain(void **state)
{
	static const int flags[] = { 0, BOX_FILTER_NO_EXEC };
	const struct box_domain *domain;
	(void)state;

	for (size_t d = 0; (domain = box_domain_at(d)) != NULL; d++)
		for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
			struct box_filter filter = { 0 };
			filter_init(&filter, domain->name, flags[i]);
			box_filter_fini(&filter);
			assert_null(filter.insns);
		}
}

static void
names_the_domain_that_is_not_there(void **state)
{
	struct box_filter filter = { 0 };
	struct err err = { "" };
	(void)state;

	assert_int_equal(box_filter_init(&filter, "nobody", 0, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'nobody'"));
	assert_null(filter.insns);
}

/* Runs the attempts in a child behind the filter; its exit code is the number
 * of the first that went otherwise, 0 for none. No library call between. */
struct attempt {
	long nr;
	long arguments[4];
	long code; /* 0: succeeds; else -errno */
};

static int
attempts_run(const struct attempt *attempts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct attempt *a = &attempts[i];
		errno = 0;
		const long r = syscall(a->nr, a->arguments[0], a->arguments[1],
		    a->arguments[2], a->arguments[3], -1, 0);
		const int failed = r == -1;
		if (a->code == 0 ? failed : !failed || errno != -a->code)
			return (int)i + 1;
	}
	return 0;
}

static void
assert_behind(
    const char *domain, int flags, const struct attempt *attempts, size_t n)
{
	struct box_filter filter = { 0 };
	int status;

	filter_init(&filter, domain, flags);
	const pid_t pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		    box_filter_install(&filter) != 0)
			_exit(99);
		syscall(SYS_exit_group, attempts_run(attempts, n));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	box_filter_fini(&filter);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s: attempt %d went otherwise (status %x)", domain,
		    WEXITSTATUS(status), status);
}

#define REFUSED (-BOX_REFUSED_ERRNO)
#define MAP(prot, flags)                                                       \
	SYS_mmap,                                                              \
	{                                                                      \
		0, PAGE, prot, flags                                           \
	}
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED (MAP_SHARED | MAP_ANONYMOUS)

static void
refuses_what_is_not_listed(void **state)
{
	static const struct attempt attempts[] = {
		{ SYS_socket, { 1, 1, 0 }, REFUSED },
		{ SYS_openat, { -100, 0, 0 }, REFUSED },
		{ SYS_execve, { 0, 0, 0 }, REFUSED },
		{ SYS_fork, { 0 }, REFUSED },
		{ SYS_ptrace, { 0 }, REFUSED },
		{ SYS_getppid, { 0 }, REFUSED },
		{ SYS_io_uring_setup, { 0 }, REFUSED },
		{ 100000, { 0 }, REFUSED },
		{ SYS_getpid, { 0 }, 0 },
		{ MAP(RW, PRIVATE), 0 },
		{ MAP(RWX, PRIVATE), 0 },
		{ MAP(RW, SHARED), REFUSED },
		{ MAP(RW, PRIVATE | MAP_GROWSDOWN), REFUSED },
		{ MAP(RW, PRIVATE | MAP_HUGETLB), REFUSED },
	};
	static const char *const names[] = { "cell", "cell-reuse", "template",
		"zygote" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_behind(names[i], 0, attempts, ARRAY_LEN(attempts));
}

static void
refuses_executable_memory_where_the_policy_does(void **state)
{
	/* The address is no page: what passes the filter fails behind it. */
	static const struct attempt attempts[] = {
		{ MAP(RW, PRIVATE), 0 },
		{ MAP(RWX, PRIVATE), REFUSED },
		{ MAP(PROT_EXEC, PRIVATE), REFUSED },
		{ MAP(PROT_READ | PROT_EXEC, PRIVATE), REFUSED },
		{ SYS_mprotect, { 1, PAGE, RW }, -EINVAL },
		{ SYS_mprotect, { 1, PAGE, RWX }, REFUSED },
		{ SYS_mprotect, { 1, PAGE, PROT_EXEC }, REFUSED },
		{ SYS_pkey_mprotect, { 1, PAGE, RWX, -1 }, REFUSED },
		{ SYS_pkey_mprotect, { 1, PAGE, PROT_EXEC, -1 }, REFUSED },
	};
	static const char *const names[] = { "cell", "cell-reuse", "template",
		"zygote" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_behind(names[i], BOX_FILTER_NO_EXEC, attempts,
		    ARRAY_LEN(attempts));
}

static void
lets_the_gateway_make_no_code(void **state)
{
	static const struct attempt attempts[] = {
		{ SYS_mprotect, { 1, PAGE, RW }, -EINVAL },
		{ SYS_mprotect, { 1, PAGE, RWX }, REFUSED },
		{ SYS_pkey_mprotect, { 1, PAGE, RW, -1 }, REFUSED },
		{ SYS_ioctl, { -1, 0x5421, 0 }, -EBADF },
		{ SYS_ioctl, { -1, 0x5413, 0 }, REFUSED },
		{ SYS_socketpair, { 2, 1, 0, 0 }, REFUSED },
		{ SYS_socket, { 2, 1, 0 }, REFUSED },
	};
	(void)state;

	assert_behind("gateway", 0, attempts, ARRAY_LEN(attempts));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds_for_every_domain),
		cmocka_unit_test(names_the_domain_that_is_not_there),
		cmocka_unit_test(refuses_what_is_not_listed),
		cmocka_unit_test(
		    refuses_executable_memory_where_the_policy_does),
		cmocka_unit_test(lets_the_gateway_make_no_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
