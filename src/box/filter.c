/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/box.h"

static void
filter_ctx_cleanup(scmp_filter_ctx *ctx)
{
	if (*ctx != NULL)
		seccomp_release(*ctx);
}

#define auto_ctx __attribute__((cleanup(filter_ctx_cleanup)))

static int
call_add(scmp_filter_ctx ctx, const struct box_call *call, int no_exec)
{
	struct scmp_arg_cmp tests[2];
	unsigned int n = 0;

	if (call->test == BOX_EQ)
		tests[n++] = SCMP_CMP(call->argument, SCMP_CMP_EQ, call->value);
	if (call->test == BOX_NO_BITS)
		tests[n++] = SCMP_CMP(
		    call->argument, SCMP_CMP_MASKED_EQ, call->value, 0);

	const int maps = call->nr == SYS_mmap || call->nr == SYS_mprotect ||
	    call->nr == SYS_pkey_mprotect;
	/* libseccomp takes one test an argument: the domain's own may do. */
	const int refused_anyway = call->test == BOX_NO_BITS &&
	    call->argument == 2 && (call->value & PROT_EXEC) != 0;
	if (no_exec && maps && !refused_anyway)
		tests[n++] = SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	return seccomp_rule_add_exact_array(
	    ctx, SCMP_ACT_ALLOW, call->nr, n, tests);
}

/* libseccomp writes its program to a descriptor: read it back. */
static int
program_read(scmp_filter_ctx ctx, struct box_filter *filter)
{
	auto_close int fd = memfd_create("filter", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;

	const int code = seccomp_export_bpf(ctx, fd);
	const off_t len = lseek(fd, 0, SEEK_END);
	if (code != 0 || len <= 0)
		return code != 0 ? code : -EIO;

	auto_free struct sock_filter *insns = malloc((size_t)len);
	if (insns == NULL)
		return -ENOMEM;
	if (pread(fd, insns, (size_t)len, 0) != len)
		return -EIO;

	filter->n_insns = (uint16_t)((size_t)len / sizeof(*insns));
	filter->insns = steal_ptr(&insns);
	return 0;
}

int
box_filter_init(struct box_filter *filter, const char *domain_name, int flags,
    struct err *err)
{
	const struct box_domain *domain = box_domain_find(domain_name);
	if (domain == NULL)
		return err_set(
		    err, -EINVAL, "no domain named '%s'", domain_name);

	auto_ctx scmp_filter_ctx ctx =
	    seccomp_init(SCMP_ACT_ERRNO(BOX_REFUSED_ERRNO));
	if (ctx == NULL)
		return err_set(err, -ENOMEM, "seccomp: out of memory");

	/* Another ABI is another numbering: nothing honest comes that way. */
	int code = seccomp_attr_set(
	    ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A binary tree instead of a ladder: 3 comparisons less per call. */
	if (code == 0)
		code = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	for (size_t i = 0; code == 0 && i < domain->n_calls; i++)
		code = call_add(
		    ctx, &domain->calls[i], flags & BOX_FILTER_NO_EXEC);
	if (code == 0)
		code = program_read(ctx, filter);
	return code == 0 ? 0
			 : err_set(err, code, "seccomp: filter '%s': %s",
			       domain_name, strerror(-code));
}

void
box_filter_fini(struct box_filter *filter)
{
	free(filter->insns);
	*filter = (struct box_filter){ 0 };
}

int
box_filter_install(const struct box_filter *filter)
{
	const struct sock_fprog program = { filter->n_insns, filter->insns };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0
	    ? -errno
	    : 0;
}
