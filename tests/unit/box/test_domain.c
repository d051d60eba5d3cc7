/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <stdbool.h>
#include <sys/syscall.h>

#include "box/domain.h"

static void
gives_a_reason_for_everything(void **state)
{
	const struct box_domain *domain;
	size_t n = 0;
	(void)state;

	for (; (domain = box_domain_at(n)) != NULL; n++) {
		assert_ptr_equal(box_domain_find(domain->name), domain);
		assert_true(strlen(domain->duty) > 0);
		assert_true(domain->uid_offset > 0);
		if (domain->keep_caps != 0)
			assert_true(strlen(domain->caps_why) > 0);
		assert_true(domain->n_calls > 0);
		for (size_t i = 0; i < domain->n_calls; i++)
			if (domain->calls[i].why == NULL ||
			    domain->calls[i].why[0] == '\0')
				fail_msg("%s: call %d has no reason",
				    domain->name, domain->calls[i].nr);
	}
	assert_int_equal(n, 7);
	assert_null(box_domain_find("nobody"));
	assert_null(box_domain_find(""));
}

static void
lists_no_call_twice(void **state)
{
	const struct box_domain *domain;
	(void)state;

	for (size_t d = 0; (domain = box_domain_at(d)) != NULL; d++)
		for (size_t i = 0; i < domain->n_calls; i++)
			for (size_t j = 0; j < i; j++)
				if (domain->calls[i].nr ==
					domain->calls[j].nr &&
				    (domain->calls[i].test != BOX_EQ ||
					domain->calls[i].value ==
					    domain->calls[j].value))
					fail_msg("%s: call %d stands twice",
					    domain->name, domain->calls[i].nr);
}

/* Who sees one folder and nothing else may take files of it away. */
static bool
is_of_its_folder(const struct box_domain *domain, int nr)
{
	return domain->folder_why != NULL && nr == SYS_unlink;
}

/* Who is the way out may make sockets; it listens on none of its own. */
static bool
is_the_way_out(const struct box_domain *domain, int nr)
{
	return domain->network_why != NULL &&
	    (nr == SYS_socket || nr == SYS_connect);
}

static void
gives_the_network_to_egress_alone(void **state)
{
	const struct box_domain *domain;
	(void)state;

	for (size_t d = 0; (domain = box_domain_at(d)) != NULL; d++)
		if (strcmp(domain->name, "egress") == 0)
			assert_true(strlen(domain->network_why) > 0);
		else
			assert_null(domain->network_why);
}

static void
gives_a_folder_to_the_store_alone(void **state)
{
	const struct box_domain *domain;
	(void)state;

	for (size_t d = 0; (domain = box_domain_at(d)) != NULL; d++)
		if (strcmp(domain->name, "store") == 0)
			assert_true(strlen(domain->folder_why) > 0);
		else
			assert_null(domain->folder_why);
}

/* What gets out, looks into others, or has had too many bugs. */
static void
grants_nobody_what_nobody_needs(void **state)
{
	static const int never[] = { SYS_execve, SYS_execveat, SYS_fork,
		SYS_vfork, SYS_ptrace, SYS_process_vm_readv,
		SYS_process_vm_writev, SYS_mount, SYS_umount2, SYS_pivot_root,
		SYS_chroot, SYS_setns, SYS_unshare, SYS_move_mount, SYS_fsopen,
		SYS_open_tree, SYS_bpf, SYS_io_uring_setup, SYS_io_uring_enter,
		SYS_io_uring_register, SYS_perf_event_open, SYS_userfaultfd,
		SYS_keyctl, SYS_add_key, SYS_request_key, SYS_socket,
		SYS_connect, SYS_bind, SYS_listen, SYS_init_module,
		SYS_finit_module, SYS_kexec_load, SYS_reboot, SYS_pidfd_getfd,
		SYS_modify_ldt, SYS_personality, SYS_quotactl, SYS_swapon,
		SYS_acct, SYS_iopl, SYS_ioperm, SYS_open_by_handle_at,
		SYS_name_to_handle_at, SYS_mknod, SYS_mknodat, SYS_unlink,
		SYS_rename, SYS_symlink, SYS_link, SYS_chmod, SYS_chown,
		SYS_truncate, SYS_creat, SYS_shmget, SYS_msgget, SYS_semget,
		SYS_inotify_init1, SYS_fanotify_init, SYS_remap_file_pages,
		SYS_mbind, SYS_move_pages, SYS_vmsplice };
	const struct box_domain *domain;
	(void)state;

	for (size_t d = 0; (domain = box_domain_at(d)) != NULL; d++)
		for (size_t i = 0; i < domain->n_calls; i++)
			for (size_t n = 0; n < ARRAY_LEN(never); n++)
				if (domain->calls[i].nr == never[n] &&
				    !is_of_its_folder(domain, never[n]) &&
				    !is_the_way_out(domain, never[n]))
					fail_msg("%s may do call %d",
					    domain->name, never[n]);
}

/* A cell holds one descriptor: it can neither make nor pass one. */
static void
grants_a_cell_no_descriptor(void **state)
{
	static const int never[] = { SYS_open, SYS_openat, SYS_openat2,
		SYS_memfd_create, SYS_pipe2, SYS_pipe, SYS_socketpair,
		SYS_eventfd2, SYS_epoll_create1, SYS_dup, SYS_dup2, SYS_dup3,
		SYS_fcntl, SYS_sendmsg, SYS_recvmsg, SYS_clone, SYS_clone3,
		SYS_kill, SYS_tgkill, SYS_prctl, SYS_seccomp, SYS_prlimit64,
		SYS_setrlimit, SYS_ioctl, SYS_capset, SYS_setresuid };
	static const char *const names[] = { "cell", "cell-reuse" };
	(void)state;

	for (size_t d = 0; d < ARRAY_LEN(names); d++) {
		const struct box_domain *domain = box_domain_find(names[d]);
		assert_int_equal(domain->keep_caps, 0);
		for (size_t i = 0; i < domain->n_calls; i++)
			for (size_t n = 0; n < ARRAY_LEN(never); n++)
				assert_int_not_equal(
				    domain->calls[i].nr, never[n]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_a_reason_for_everything),
		cmocka_unit_test(lists_no_call_twice),
		cmocka_unit_test(gives_a_folder_to_the_store_alone),
		cmocka_unit_test(gives_the_network_to_egress_alone),
		cmocka_unit_test(grants_nobody_what_nobody_needs),
		cmocka_unit_test(grants_a_cell_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
