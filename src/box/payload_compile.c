/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs while cordon is built: makes the filters of a payload out of
 * payload.def, as C arrays on stdout. A filter is a binary search over the
 * numbers of system calls, whose leaves are runs of calls with the same
 * verdict; a call with conditions has its tests in its leaf.
 * Documentation/userspace-api/seccomp_filter.rst
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "box/spec.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000u
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

enum verb {
	ALLOWED,
	NOTED,
	WRITING,
	GUARDED,
	UNGUARDED,
	OF_UNIX,
	OF_INIT,
	REFUSED,
	QUIETLY,
};

struct row {
	const char *name;
	const char *why;
	enum verb verb;
	int has_test;
	unsigned argument;
	unsigned mask;
	unsigned value;
	int code; /* errno, or the level of notes */
};

#define ALLOW(call, why) { #call, why, ALLOWED, 0, 0, 0, 0, 0 },
#define ALLOW_BITS(call, argument, mask, value, why)                           \
	{ #call, why, ALLOWED, 1, argument, mask, value, 0 },
#define UNIX_BITS(call, argument, mask, value, why)                            \
	{ #call, why, OF_UNIX, 1, argument, mask, value, 0 },
#define INIT_BITS(call, argument, mask, value, why)                            \
	{ #call, why, OF_INIT, 1, argument, mask, value, 0 },
#define READS_BITS(call, argument, mask, value, why)                           \
	{ #call, why, NOTED, 1, argument, mask, value, BOX_NOTES_FILES },
#define GUARDED(call, why) { #call, why, GUARDED, 0, 0, 0, 0, 0 },
#define UNGUARDED(call, code, why) { #call, why, UNGUARDED, 0, 0, 0, 0, code },
#define NOTE(call, notes, why)                                                 \
	{ #call, why, NOTED, 0, 0, 0, 0, BOX_NOTES_##notes },
#define WRITES(call, why) { #call, why, WRITING, 0, 0, 0, 0, BOX_NOTES_FILES },
#define WRITES_BITS(call, argument, mask, value, why)                          \
	{ #call, why, WRITING, 1, argument, mask, value, BOX_NOTES_FILES },
#define REFUSE(call, code, why) { #call, why, REFUSED, 0, 0, 0, 0, code },
#define QUIET_BITS(call, argument, mask, value, code, why)                     \
	{ #call, why, QUIETLY, 1, argument, mask, value, code },
#define QUIET(call, code, why) { #call, why, QUIETLY, 0, 0, 0, 0, code },

static const struct row rows[] = {
#include "box/payload.def"
};

/* Younger than the libseccomp of Debian 12. */
static const struct {
	const char *name;
	int nr;
} young[] = {
	{ "cachestat", 451 },
	{ "fchmodat2", 452 },
};

#define CALLS_MAX 600
#define INSNS_MAX 4096

static int
number_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(young); i++)
		if (strcmp(young[i].name, name) == 0)
			return young[i].nr;
	const int nr = seccomp_syscall_resolve_name(name);
	if (nr == __NR_SCMP_ERROR) {
		fprintf(stderr, "payload.def: no system call '%s'\n", name);
		exit(1);
	}
	return nr; /* negative: not of this architecture */
}

struct variant {
	unsigned flags;
	int notes;
	int guard;
	int init;
};

static struct sock_filter insns[INSNS_MAX];
static unsigned n_insns;

static unsigned
emit(unsigned code, unsigned jt, unsigned jf, unsigned k)
{
	if (n_insns == INSNS_MAX) {
		fprintf(stderr, "payload.def: too long a filter\n");
		exit(1);
	}
	insns[n_insns] = (struct sock_filter){ (unsigned short)code,
		(unsigned char)jt, (unsigned char)jf, k };
	return n_insns++;
}

static unsigned
verdict(const struct row *row, const struct variant *variant)
{
	switch (row->verb) {
	case NOTED:
		return variant->notes >= row->code ? SECCOMP_RET_USER_NOTIF
						   : SECCOMP_RET_ALLOW;
	case WRITING:
		return variant->guard || variant->notes >= row->code
		    ? SECCOMP_RET_USER_NOTIF
		    : SECCOMP_RET_ALLOW;
	case GUARDED:
		return variant->guard ? SECCOMP_RET_USER_NOTIF
				      : SECCOMP_RET_ALLOW;
	case UNGUARDED:
		return variant->guard ? SECCOMP_RET_ERRNO | (unsigned)row->code
				      : SECCOMP_RET_ALLOW;
	case REFUSED:
		return variant->notes >= BOX_NOTES_CALLS
		    ? SECCOMP_RET_USER_NOTIF
		    : SECCOMP_RET_ERRNO | (unsigned)row->code;
	case QUIETLY:
		return SECCOMP_RET_ERRNO | (unsigned)row->code;
	case ALLOWED:
	case OF_UNIX:
	case OF_INIT:
		break;
	}
	return SECCOMP_RET_ALLOW;
}

/* What happens to a call that is not in the table. */
static unsigned
verdict_else(const struct variant *variant)
{
	return variant->notes >= BOX_NOTES_CALLS ? SECCOMP_RET_USER_NOTIF
						 : SECCOMP_RET_ERRNO | ENOSYS;
}

static int
row_applies(const struct row *row, int nr, const struct variant *variant)
{
	if (number_of(row->name) != nr)
		return 0;
	if (row->verb == OF_UNIX)
		return (variant->flags & BOX_UNIX_SOCKETS) != 0;
	return row->verb != OF_INIT || variant->init;
}

/* The leaf of one call: its tests, then the rest. */
static int
has_tests(int nr, const struct variant *variant)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].has_test && row_applies(&rows[i], nr, variant))
			return 1;
	return 0;
}

static unsigned
verdict_plain(int nr, const struct variant *variant)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!rows[i].has_test && row_applies(&rows[i], nr, variant))
			return verdict(&rows[i], variant);
	return verdict_else(variant);
}

/* The next row from i on that tests an argument of this call. */
static size_t
test_next(size_t i, int nr, const struct variant *variant)
{
	while (i < ARRAY_LEN(rows) &&
	    !(rows[i].has_test && row_applies(&rows[i], nr, variant)))
		i++;
	return i;
}

/* Tests of one argument under one mask, with one verdict, share the loading
 * and the verdict. The next row that is not one of them. */
static size_t
tests_emit(size_t first, int nr, const struct variant *variant)
{
	const struct row *row = &rows[first];
	const unsigned all = ~0u;
	unsigned jumps[256], n = 0;
	size_t i = first;

	emit(BPF_LD | BPF_W | BPF_ABS, 0, 0,
	    (unsigned)offsetof(struct seccomp_data, args) +
		8 * row->argument); /* little-endian: the low half */
	if (row->mask != all)
		emit(BPF_ALU | BPF_AND | BPF_K, 0, 0, row->mask);
	while (i < ARRAY_LEN(rows) && n < ARRAY_LEN(jumps) &&
	    rows[i].argument == row->argument && rows[i].mask == row->mask &&
	    verdict(&rows[i], variant) == verdict(row, variant)) {
		jumps[n++] =
		    emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, rows[i].value);
		i = test_next(i + 1, nr, variant);
	}
	emit(BPF_JMP | BPF_JA, 0, 0, 1);
	const unsigned end = emit(BPF_RET | BPF_K, 0, 0, verdict(row, variant));
	for (unsigned j = 0; j < n; j++)
		insns[jumps[j]].jt = (unsigned char)(end - jumps[j] - 1);
	return i;
}

static void
leaf_emit(int nr, const struct variant *variant)
{
	size_t i = nr < 0 ? ARRAY_LEN(rows) : test_next(0, nr, variant);

	while (i < ARRAY_LEN(rows))
		i = tests_emit(i, nr, variant);
	emit(BPF_RET | BPF_K, 0, 0,
	    nr >= 0 ? verdict_plain(nr, variant) : verdict_else(variant));
}

struct run {
	int first; /* number of its first call; it goes on to the next run */
	int nr; /* whose leaf it is */
};

/* Neighbours with the same plain verdict share a leaf. */
static unsigned
runs_make(const struct variant *variant, struct run *runs)
{
	unsigned n = 0;

	for (int nr = 0; nr < CALLS_MAX; nr++) {
		const int tested = has_tests(nr, variant);
		if (n > 0 && !tested && !has_tests(runs[n - 1].nr, variant) &&
		    verdict_plain(nr, variant) ==
			verdict_plain(runs[n - 1].nr, variant))
			continue;
		runs[n++] = (struct run){ nr, nr };
	}
	runs[n++] = (struct run){ CALLS_MAX, -1 };
	return n;
}

static void
tree_emit(const struct run *runs, unsigned n, const struct variant *variant)
{
	if (n == 1) {
		leaf_emit(runs[0].nr, variant);
		return;
	}
	/* Not below the middle: jump over the lower half, in one step if it is
	 * short enough for that. */
	const unsigned test =
	    emit(BPF_JMP | BPF_JGE | BPF_K, 0, 0, (unsigned)runs[n / 2].first);
	tree_emit(runs, n / 2, variant);
	if (n_insns - test - 1 <= 255) {
		insns[test].jt = (unsigned char)(n_insns - test - 1);
	} else {
		n_insns = test + 1;
		insns[test].jf = 1;
		const unsigned jump = emit(BPF_JMP | BPF_JA, 0, 0, 0);
		tree_emit(runs, n / 2, variant);
		insns[jump].k = n_insns - jump - 1;
	}
	tree_emit(runs + n / 2, n - n / 2, variant);
}

static void
filter_emit(const struct variant *variant)
{
	static struct run runs[CALLS_MAX + 1];

	n_insns = 0;
	emit(BPF_LD | BPF_W | BPF_ABS, 0, 0,
	    (unsigned)offsetof(struct seccomp_data, arch));
	emit(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCH);
	emit(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	emit(BPF_LD | BPF_W | BPF_ABS, 0, 0,
	    (unsigned)offsetof(struct seccomp_data, nr));
#if defined(X32_BIT)
	emit(BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
	emit(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
#endif
	tree_emit(runs, runs_make(variant, runs), variant);
}

static void
filter_print(const char *name)
{
	printf("static const struct sock_filter %s[] = {\n", name);
	for (unsigned i = 0; i < n_insns; i++)
		printf("\t{ 0x%x, %u, %u, 0x%x },\n", insns[i].code,
		    insns[i].jt, insns[i].jf, insns[i].k);
	printf("};\n");
}

static void
filters_print(void)
{
	char names[16][32];
	int n = 0;

	for (unsigned flags = 0; flags <= BOX_UNIX_SOCKETS; flags++)
		for (int notes = 0; notes <= BOX_NOTES_ALL; notes++)
			for (int guard = 0; guard <= 1; guard++, n++) {
				const struct variant variant = { flags, notes,
					guard, 0 };
				filter_emit(&variant);
				snprintf(names[n], sizeof(names[n]),
				    "filter_%u%d%d", flags, notes, guard);
				filter_print(names[n]);
			}
	filter_emit(&(const struct variant){ .init = 1 });
	filter_print("filter_init");
	printf("static const struct payload_filter filters[] = {\n");
	for (int i = 0; i < n; i++)
		printf("\t{ %s, sizeof(%s) / sizeof(%s[0]) },\n", names[i],
		    names[i], names[i]);
	printf("};\n");
}

static void
names_print(void)
{
	printf("static const char *const call_names[] = {\n");
	for (int nr = 0; nr < CALLS_MAX; nr++) {
		char *name =
		    seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);
		if (name != NULL)
			printf("\t[%d] = \"%s\",\n", nr, name);
		free(name);
	}
	printf("};\nstatic const unsigned char call_errnos[] = {\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].verb == REFUSED && number_of(rows[i].name) >= 0)
			printf("\t[%d] = %d, /* %s */\n",
			    number_of(rows[i].name), rows[i].code,
			    rows[i].name);
	printf("};\n");
}

int
main(void)
{
	printf("/* Made by payload_compile.c of payload.def. */\n");
	filters_print();
	names_print();
	return 0;
}
