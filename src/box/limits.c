/* SPDX-License-Identifier: Apache-2.0 */
#include "box/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/auto.h"
#include "base/units.h"

/* ---- control group -------------------------------------------------------- */

int
box_limits_open(const struct box_limits *limits, struct cgroup *cgroup,
    const char *group, struct cgroup_door *door, struct err *err)
{
	const struct cgroup_limits of_group = {
		.memory_bytes = limits->memory_bytes,
		.pids = limits->pids,
		.cpu_milli = limits->cpu_milli,
	};

	const int code = cgroup_set(cgroup, group, &of_group, err);
	return code != 0 ? code : cgroup_door_open(cgroup, group, door, err);
}

static struct cgroup_can
can_get(const struct cgroup *cgroup)
{
	return cgroup != NULL ? cgroup_can(cgroup)
			      : (struct cgroup_can){ .memory = 0 };
}

/* ---- rlimits -------------------------------------------------------------- */

#define UNLIMITED UINT64_MAX

/* 0 of a spec is none. */
static uint64_t
limit_or_none(uint64_t value)
{
	return value != 0 ? value : UNLIMITED;
}

/* Down only: who lacks CAP_SYS_RESOURCE may not go up, and needs not. */
static int
limit_take(int resource, uint64_t value)
{
	struct rlimit limit;

	if (value == UNLIMITED)
		return 0;
	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return -errno;
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > value)
		limit.rlim_max = value;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno
								    : 0;
}

/*
 * The number of processes is counted for each user and user namespace (Linux
 * 5.14), so for this box alone; a second wall where a group holds it too. Data
 * is counted for each process, so it is a bound on all of them only together
 * with that.
 */
int
box_limits_apply(
    const struct box_limits *limits, bool has_memory_group, struct err *err)
{
	const struct {
		int resource;
		const char *name;
		uint64_t value;
	} rows[] = {
		{ RLIMIT_NOFILE, "RLIMIT_NOFILE",
		    limit_or_none(limits->files) },
		{ RLIMIT_NPROC, "RLIMIT_NPROC", limit_or_none(limits->pids) },
		{ RLIMIT_FSIZE, "RLIMIT_FSIZE",
		    limit_or_none(limits->file_bytes) },
		{ RLIMIT_DATA, "RLIMIT_DATA",
		    has_memory_group ? UNLIMITED
				     : limit_or_none(limits->memory_bytes) },
		/* A core is a copy of secrets in a file; and where core_pattern
		 * is a pipe, strangers' bytes for a program of the host's root,
		 * which 0 does not keep from running, but 1 does (core(5)). */
		{ RLIMIT_CORE, "RLIMIT_CORE", 1 },
		/* Kernel memory that no group counts, or not all of it. */
		{ RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK", 8u << 20 },
		{ RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE", 0 },
		{ RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING", 4096 },
		/* No turn before others of this machine. */
		{ RLIMIT_RTPRIO, "RLIMIT_RTPRIO", 0 },
		{ RLIMIT_NICE, "RLIMIT_NICE", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const int code = limit_take(rows[i].resource, rows[i].value);
		if (code != 0)
			return err_set(
			    err, code, "%s: %s", rows[i].name, strerror(-code));
	}
	return 0;
}

int
box_limits_files_apply(const struct box_limits *limits)
{
	return limit_take(RLIMIT_NOFILE, limit_or_none(limits->files));
}

/* ---- sentences ------------------------------------------------------------ */

static void __attribute__((format(printf, 2, 3)))
append(char text[BOX_LIMITS_TEXT_MAX], const char *format, ...)
{
	const size_t len = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + len, BOX_LIMITS_TEXT_MAX - len, format, args);
	va_end(args);
}

/* "512 MiB" */
static void
size_append(char text[BOX_LIMITS_TEXT_MAX], uint64_t bytes)
{
	char size[UNITS_TEXT_MAX];

	units_size_format(bytes, size);
	const size_t digits = strspn(size, "0123456789.");
	append(text, "%.*s %s", (int)digits, size, size + digits);
}

/* By what it holds. */
static void
means_append(char text[BOX_LIMITS_TEXT_MAX], int version, const char *otherwise)
{
	if (version != 0)
		append(text, " (control group v%d)", version);
	else
		append(text, " (%s)", otherwise);
}

static void
cpu_append(char text[BOX_LIMITS_TEXT_MAX], uint32_t milli, int version)
{
	if (milli == 0)
		append(text, ", no CPU limit");
	else if (version == 0)
		append(text,
		    ", no CPU limit (%g CPUs were asked for: no "
		    "control group)",
		    milli / 1000.0);
	else
		append(text, ", %g CPUs (control group v%d)", milli / 1000.0,
		    version);
}

void
box_limits_describe(const struct box_limits *limits,
    const struct cgroup *cgroup, char text[BOX_LIMITS_TEXT_MAX])
{
	const struct cgroup_can can = can_get(cgroup);

	text[0] = '\0';
	if (limits->memory_bytes != 0) {
		append(text, "memory ");
		size_append(text, limits->memory_bytes);
		means_append(text, can.memory, "each process, by rlimit");
	} else {
		append(text, "no memory limit");
	}
	if (limits->pids != 0) {
		append(text, ", %" PRIu32 " process%s", limits->pids,
		    limits->pids == 1 ? "" : "es");
		means_append(text, can.pids, "by rlimit");
	} else {
		append(text, ", no limit of processes");
	}
	cpu_append(text, limits->cpu_milli, can.cpu);
	if (limits->wall_ms != 0)
		append(text, ", %g s", (double)limits->wall_ms / 1000.0);
}

bool
box_limits_blame(const struct box_limits *limits,
    const struct cgroup_usage *usage, char text[BOX_LIMITS_TEXT_MAX])
{
	text[0] = '\0';
	/* Above its own it may be the tenant's that ended them. */
	if (usage->oom_kills > 0) {
		append(text, "memory limit");
		if (limits->memory_bytes != 0) {
			append(text, " of ");
			size_append(text, limits->memory_bytes);
		}
		append(text, ": %" PRIu64 " process%s ended", usage->oom_kills,
		    usage->oom_kills == 1 ? "" : "es");
	}
	if (usage->pids_refused > 0)
		append(text,
		    "%slimit of %" PRIu32 " processes: refused %" PRIu64
		    " time%s",
		    text[0] != '\0' ? "; " : "", limits->pids,
		    usage->pids_refused, usage->pids_refused == 1 ? "" : "s");
	return text[0] != '\0';
}
