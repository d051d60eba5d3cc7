/* SPDX-License-Identifier: Apache-2.0
 *
 * The compiled filters, run by an interpreter of classic BPF, say what the
 * table says: every call number, every variant, the arguments at the borders of
 * each condition, in their low and high halves. The table is read here anew, by
 * its rows; nothing of payload_compile.c is used. seccomp_filter.rst,
 * Documentation/networking/filter.rst
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "box/payload.h"
#include "test.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* ---- the interpreter ------------------------------------------------------ */

/* As the kernel's, with its checks: a jump stays inside, a load is one of the
 * words of seccomp_data. Fails the test of what no filter may do. */
static uint32_t
run(const struct payload_filter *filter, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < filter->n_insns; pc++) {
		const struct sock_filter *insn = &filter->insns[pc];
		bool is_true = false;

		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(insn->k % 4 == 0);
			assert_true(insn->k + 4 <= sizeof(*data));
			memcpy(&a, (const char *)data + insn->k, 4);
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= insn->k;
			continue;
		case BPF_JMP | BPF_JA:
			assert_true(insn->k < filter->n_insns - pc - 1u);
			pc += insn->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			is_true = a == insn->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			is_true = a >= insn->k;
			break;
		case BPF_RET | BPF_K:
			return insn->k;
		default:
			fail_msg("instruction 0x%x at %zu", insn->code, pc);
		}
		pc += is_true ? insn->jt : insn->jf;
	}
	fail_msg("it runs over its end");
	return SECCOMP_RET_KILL_PROCESS;
}

/* ---- the table, read anew ------------------------------------------------- */

enum verb {
	ALLOW,
	NOTE,
	WRITES,
	GUARDED,
	UNGUARDED,
	UNIX,
	INIT,
	REFUSE,
	QUIET
};

struct row {
	long nr; /* -1: not of this architecture */
	const char *name;
	enum verb verb;
	bool has_test;
	unsigned argument;
	uint32_t mask, value;
	int code; /* errno, or the level of notes */
};

static long
number_of(const char *name)
{
	for (int nr = 0; nr < 1024; nr++)
		if (strcmp(payload_call_name(nr), name) == 0)
			return nr;
	/* Younger than the library that knows names. */
	return strcmp(name, "cachestat") == 0 ? 451
	    : strcmp(name, "fchmodat2") == 0  ? 452
					      : -1;
}

#define ROW(call, ...) { .nr = -1, .name = #call, __VA_ARGS__ },
#define TEST(a, m, v)                                                          \
	.has_test = true, .argument = (a), .mask = (m), .value = (v)
#define ALLOW(call, why) ROW(call, .verb = ALLOW)
#define ALLOW_BITS(call, a, m, v, why) ROW(call, .verb = ALLOW, TEST(a, m, v))
#define UNIX_BITS(call, a, m, v, why) ROW(call, .verb = UNIX, TEST(a, m, v))
#define INIT_BITS(call, a, m, v, why) ROW(call, .verb = INIT, TEST(a, m, v))
#define READS_BITS(call, a, m, v, why)                                         \
	ROW(call, .verb = NOTE, TEST(a, m, v), .code = BOX_NOTES_FILES)
#define GUARDED(call, why) ROW(call, .verb = GUARDED)
#define UNGUARDED(call, error, why)                                            \
	ROW(call, .verb = UNGUARDED, .code = (error))
#define NOTE(call, notes, why)                                                 \
	ROW(call, .verb = NOTE, .code = BOX_NOTES_##notes)
#define WRITES(call, why) ROW(call, .verb = WRITES)
#define WRITES_BITS(call, a, m, v, why) ROW(call, .verb = WRITES, TEST(a, m, v))
#define REFUSE(call, error, why) ROW(call, .verb = REFUSE, .code = (error))
#define QUIET(call, error, why) ROW(call, .verb = QUIET, .code = (error))
#define QUIET_BITS(call, a, m, v, error, why)                                  \
	ROW(call, .verb = QUIET, TEST(a, m, v), .code = (error))

static struct row rows[] = {
#include "box/payload.def"
};

static int
rows_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		rows[i].nr = number_of(rows[i].name);
	return 0;
}

struct variant {
	struct payload_filter filter;
	bool has_unix, is_guarded, is_init;
	int notes;
};

#define ANSWER(is_noted, otherwise)                                            \
	((is_noted) ? SECCOMP_RET_USER_NOTIF : (otherwise))

static uint32_t
answer(const struct row *row, const struct variant *variant)
{
	const uint32_t error = SECCOMP_RET_ERRNO | (uint32_t)row->code;

	switch (row->verb) {
	case NOTE:
		return ANSWER(variant->notes >= row->code, SECCOMP_RET_ALLOW);
	case WRITES:
		return ANSWER(
		    variant->is_guarded || variant->notes >= BOX_NOTES_FILES,
		    SECCOMP_RET_ALLOW);
	case GUARDED:
		return ANSWER(variant->is_guarded, SECCOMP_RET_ALLOW);
	case UNGUARDED:
		return variant->is_guarded ? error : SECCOMP_RET_ALLOW;
	case REFUSE:
		return ANSWER(variant->notes >= BOX_NOTES_CALLS, error);
	case QUIET:
		return error;
	case ALLOW:
	case UNIX:
	case INIT:
		break;
	}
	return SECCOMP_RET_ALLOW;
}

static bool
fits(const struct row *row, const struct seccomp_data *data,
    const struct variant *variant)
{
	if (row->nr != data->nr || (row->verb == UNIX && !variant->has_unix) ||
	    (row->verb == INIT && !variant->is_init))
		return false;
	return !row->has_test ||
	    ((uint32_t)data->args[row->argument] & row->mask) == row->value;
}

/* Rows with a condition come before those without. */
static uint32_t
wanted(const struct seccomp_data *data, const struct variant *variant)
{
	for (int has_test = 1; has_test >= 0; has_test--)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			if (rows[i].has_test == (has_test != 0) &&
			    fits(&rows[i], data, variant))
				return answer(&rows[i], variant);
	return ANSWER(
	    variant->notes >= BOX_NOTES_CALLS, SECCOMP_RET_ERRNO | ENOSYS);
}

/* ---- all of it ------------------------------------------------------------ */

static void
check(const struct variant *variant, const struct seccomp_data *data)
{
	const uint32_t is = run(&variant->filter, data);
	const uint32_t should_be = wanted(data, variant);

	if (is != should_be)
		fail_msg("%s (%d), arguments 0x%llx 0x%llx 0x%llx 0x%llx; "
			 "unix %d, notes %d, guard %d, init %d: 0x%x, not 0x%x",
		    payload_call_name(data->nr), data->nr,
		    (unsigned long long)data->args[0],
		    (unsigned long long)data->args[1],
		    (unsigned long long)data->args[2],
		    (unsigned long long)data->args[3], variant->has_unix,
		    variant->notes, variant->is_guarded, variant->is_init, is,
		    should_be);
}

static struct variant
variant_at(unsigned i)
{
	const unsigned n = (BOX_NOTES_ALL + 1) * 4;
	struct variant variant = { .is_init = i == n };

	assert_true(i <= n);
	if (variant.is_init) {
		variant.filter = payload_filter_init();
		return variant;
	}
	variant.has_unix = i & 1;
	variant.is_guarded = i & 2;
	variant.notes = (int)(i / 4);
	variant.filter =
	    payload_filter_get(variant.has_unix ? BOX_UNIX_SOCKETS : 0,
		(enum box_notes)variant.notes, variant.is_guarded);
	return variant;
}

#define N_VARIANTS ((BOX_NOTES_ALL + 1u) * 4u + 1u)

/* One argument: the value, its neighbours, each bit of it turned, bits that no
 * mask has, and the high half, which decides nothing. */
static void
borders_check(const struct variant *variant, const struct row *row)
{
	static const uint64_t highs[] = { 0, 1ull << 32, ~0ull << 32 };
	const uint32_t fixed[] = { 0, 1, ~0u, row->value, row->value - 1,
		row->value + 1, row->mask, ~row->mask,
		row->value | ~row->mask };

	for (size_t h = 0; h < ARRAY_LEN(highs); h++) {
		for (size_t i = 0; i < ARRAY_LEN(fixed) + 32; i++) {
			const uint32_t low = i < ARRAY_LEN(fixed)
			    ? fixed[i]
			    : row->value ^ 1u << (i - ARRAY_LEN(fixed));
			for (int others = 0; others < 2; others++) {
				struct seccomp_data data = { .nr = (int)row->nr,
					.arch = ARCH };
				memset(data.args, others ? 0xff : 0,
				    sizeof(data.args));
				data.args[row->argument] = highs[h] | low;
				check(variant, &data);
			}
		}
	}
}

static void
every_call_is_judged_as_the_table_says(void **state)
{
	(void)state;
	for (unsigned v = 0; v < N_VARIANTS; v++) {
		const struct variant variant = variant_at(v);

		for (int nr = 0; nr < 1024; nr++) {
			struct seccomp_data data = { .nr = nr, .arch = ARCH };
			check(&variant, &data);
			memset(data.args, 0xff, sizeof(data.args));
			check(&variant, &data);
		}
	}
}

static void
conditions_hold_at_their_borders(void **state)
{
	(void)state;
	for (unsigned v = 0; v < N_VARIANTS; v++) {
		const struct variant variant = variant_at(v);

		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			if (rows[i].has_test && rows[i].nr >= 0)
				borders_check(&variant, &rows[i]);
	}
}

/* Two rows of one call, each at its border: which of them comes first. */
static void
conditions_of_one_call_are_asked_in_order(void **state)
{
	(void)state;
	for (unsigned v = 0; v < N_VARIANTS; v++) {
		const struct variant variant = variant_at(v);

		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			for (size_t j = 0; j < ARRAY_LEN(rows); j++) {
				struct seccomp_data data = {
					.nr = (int)rows[i].nr, .arch = ARCH
				};
				if (rows[i].nr < 0 || !rows[i].has_test ||
				    !rows[j].has_test ||
				    rows[i].nr != rows[j].nr)
					continue;
				data.args[rows[i].argument] = rows[i].value;
				data.args[rows[j].argument] |= rows[j].value;
				check(&variant, &data);
			}
		}
	}
}

static void
other_architectures_kill(void **state)
{
	static const uint32_t arches[] = { 0, ARCH ^ 1, AUDIT_ARCH_I386,
		AUDIT_ARCH_ARM, ~0u, ARCH & 0xffff };

	(void)state;
	for (unsigned v = 0; v < N_VARIANTS; v++) {
		const struct variant variant = variant_at(v);

		for (size_t i = 0; i < ARRAY_LEN(arches); i++) {
			for (int nr = -1; nr < 1024; nr++) {
				const struct seccomp_data data = { .nr = nr,
					.arch = arches[i] };
				assert_int_equal(run(&variant.filter, &data),
				    SECCOMP_RET_KILL_PROCESS);
			}
		}
#if defined(__x86_64__)
		for (int nr = 0; nr < 1024; nr++) {
			const struct seccomp_data x32 = { .nr = nr | 0x40000000,
				.arch = ARCH };
			const struct seccomp_data high = {
				.nr = nr | (int)0x80000000u, .arch = ARCH
			};
			assert_int_equal(run(&variant.filter, &x32),
			    SECCOMP_RET_KILL_PROCESS);
			assert_int_equal(run(&variant.filter, &high),
			    SECCOMP_RET_KILL_PROCESS);
		}
#endif
	}
}

/* ---- what the table itself has to say ------------------------------------- */

/* Not by the table: what must never be allowed, whatever was written there. */
static const struct {
	long nr;
	uint64_t args[4];
} never[] = {
	{ SYS_clone, { CLONE_NEWUSER } },
	{ SYS_clone, { 0x80 /* CLONE_NEWTIME */ | SIGCHLD } },
	{ SYS_clone, { CLONE_NEWNS | CLONE_VM } },
	{ SYS_clone3, { 1 } },
	{ SYS_unshare, { CLONE_NEWUSER } },
	{ SYS_setns, { 3 } },
	{ SYS_ptrace, { 0 } },
	{ SYS_process_vm_writev, { 2 } },
	{ SYS_pidfd_getfd, { 3 } },
	{ SYS_ioctl, { 0, 0x5412 /* TIOCSTI */ } },
	{ SYS_ioctl, { 0, 1ull << 32 | 0x5412 } },
	{ SYS_ioctl, { 0, 0x541c /* TIOCLINUX */ } },
	{ SYS_ioctl, { 0, 0x5423 /* TIOCSETD */ } },
	{ SYS_ioctl, { 0, 0x541d /* TIOCCONS */ } },
	{ SYS_ioctl, { 0, 0x40086602 /* FS_IOC_SETFLAGS */ } },
	{ SYS_ioctl, { 0, 0xc0502100 /* SECCOMP_IOCTL_NOTIF_RECV */ } },
	{ SYS_socket, { AF_NETLINK, SOCK_RAW } },
	{ SYS_socket, { AF_VSOCK, SOCK_STREAM } },
	{ SYS_socket, { AF_ALG, SOCK_SEQPACKET } },
	{ SYS_socket, { AF_PACKET, SOCK_RAW } },
	{ SYS_socket, { 1ull << 32 | AF_NETLINK, SOCK_RAW } },
	{ SYS_socketpair, { AF_TIPC, SOCK_STREAM } },
	{ SYS_socketpair, { AF_TIPC, SOCK_SEQPACKET } },
	{ SYS_socketpair, { 1ull << 32 | AF_TIPC, SOCK_STREAM } },
	{ SYS_socket, { AF_INET, SOCK_STREAM, 132 /* SCTP */ } },
	{ SYS_socket, { AF_INET, SOCK_SEQPACKET, 132 } },
	{ SYS_socket, { AF_INET6, 6 /* SOCK_DCCP */, 0 } },
	{ SYS_socket, { AF_INET, 6 | SOCK_CLOEXEC, 33 /* DCCP */ } },
	{ SYS_socket, { AF_INET, SOCK_STREAM, 262 /* MPTCP */ } },
	{ SYS_socket, { AF_INET, SOCK_DGRAM, 115 /* L2TP */ } },
	{ SYS_socket, { AF_INET6, SOCK_STREAM, 256 /* SMC */ } },
	{ SYS_personality, { 0x0400000 /* READ_IMPLIES_EXEC */ } },
	{ SYS_prctl, { 28 /* PR_SET_SECUREBITS */ } },
	{ SYS_prctl, { 24 /* PR_CAPBSET_DROP */ } },
	{ SYS_prctl, { 35 /* PR_SET_MM */ } },
	{ SYS_prctl, { 1024 } },
	{ SYS_fchmod, { 0, 04755 } },
	{ SYS_fchmodat, { 0, 0, 02755 } },
	{ 452 /* fchmodat2 */, { 0, 0, 04755 } },
	{ SYS_openat, { 0, 0, 0101, 04755 } },
	{ SYS_openat2, { 0, 0, 0 } },
	{ SYS_mount, { 0 } },
	{ SYS_bpf, { 0 } },
	{ SYS_io_uring_setup, { 1 } },
	{ SYS_open_by_handle_at, { 0 } },
	{ SYS_userfaultfd, { 0 } },
	{ SYS_keyctl, { 0 } },
	{ SYS_prlimit64, { 0, 4 /* RLIMIT_CORE */ } },
	/* listmount, statmount, lsm_*, setxattrat, file_setattr, and what is
	 * younger still */
	{ 457, { 0 } },
	{ 458, { 0 } },
	{ 459, { 0 } },
	{ 463, { 0 } },
	{ 469, { 0 } },
	{ 512, { 0 } },
	{ 1023, { 0 } },
};

static void
some_calls_are_never_allowed(void **state)
{
	(void)state;
	for (unsigned v = 0; v + 1 < N_VARIANTS; v++) {
		const struct variant variant = variant_at(v);

		for (size_t i = 0; i < ARRAY_LEN(never); i++) {
			struct seccomp_data data = { .nr = (int)never[i].nr,
				.arch = ARCH };
			memcpy(data.args, never[i].args, sizeof(never[i].args));
			const uint32_t is = run(&variant.filter, &data);
			if (is == SECCOMP_RET_ALLOW)
				fail_msg("%s(0x%llx, 0x%llx) is allowed",
				    payload_call_name(data.nr),
				    (unsigned long long)data.args[0],
				    (unsigned long long)data.args[1]);
		}
	}
}

/* What ordinary programs cannot do without. */
static const struct {
	long nr;
	uint64_t args[4];
} always[] = {
	{ SYS_clone,
	    { CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
		CLONE_CHILD_CLEARTID } },
	{ SYS_clone, { CLONE_VM | CLONE_VFORK | SIGCHLD } },
	{ SYS_socket, { AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0 } },
	{ SYS_socket, { AF_INET, SOCK_STREAM, 6 } },
	{ SYS_socket, { AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 17 } },
	{ SYS_socketpair, { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0 } },
	{ SYS_socketpair, { AF_UNIX, SOCK_SEQPACKET, 0 } },
	{ SYS_ioctl, { 1, 0x5401 /* TCGETS */ } },
	{ SYS_ioctl, { 1, 0x5413 /* TIOCGWINSZ */ } },
	{ SYS_prctl, { 15 /* PR_SET_NAME */ } },
};

static void
some_calls_are_always_allowed(void **state)
{
	(void)state;
	for (unsigned v = 0; v + 1 < N_VARIANTS; v++) {
		const struct variant variant = variant_at(v);

		for (size_t i = 0; i < ARRAY_LEN(always); i++) {
			struct seccomp_data data = { .nr = (int)always[i].nr,
				.arch = ARCH };
			memcpy(
			    data.args, always[i].args, sizeof(always[i].args));
			if (run(&variant.filter, &data) != SECCOMP_RET_ALLOW)
				fail_msg("%s(0x%llx, 0x%llx) is refused",
				    payload_call_name(data.nr),
				    (unsigned long long)data.args[0],
				    (unsigned long long)data.args[1]);
		}
	}
}

/* Init, asked of a call that it does not know, lets nothing pass. */
static void
what_init_answers_is_an_error(void **state)
{
	(void)state;
	for (int nr = -1; nr < 1024; nr++)
		assert_in_range(payload_call_errno(nr), 1, 133);
	assert_int_equal(payload_call_errno(SYS_mount), EPERM);
	assert_int_equal(payload_call_errno(1023), ENOSYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_is_judged_as_the_table_says),
		cmocka_unit_test(conditions_hold_at_their_borders),
		cmocka_unit_test(conditions_of_one_call_are_asked_in_order),
		cmocka_unit_test(other_architectures_kill),
		cmocka_unit_test(some_calls_are_never_allowed),
		cmocka_unit_test(some_calls_are_always_allowed),
		cmocka_unit_test(what_init_answers_is_an_error),
	};

	return cmocka_run_group_tests(tests, rows_number, NULL);
}
