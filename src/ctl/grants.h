/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The options that grant: `cordon wrap`, and whatever else takes a policy, has
 * these rows in its table and a struct ctl_grants in its values.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ctl/option.h"
#include "policy/policy.h"

struct ctl_grants {
	const char *policy, *settings, *denials;
	struct ctl_list profiles, reads, writes, nets, envs, secrets;
	uint64_t memory_bytes, tmp_bytes, timeout_ns; /* or CTL_GRANTS_UNSET */
	uint32_t pids, cpu_milli; /* 0: not given */
	bool unix_sockets;
	bool is_own; /* of a box on one's own machine: ports of it may be
		      * named, and secrets are bound here (ctl/binding.h) */
};

#define CTL_GRANTS_UNSET UINT64_MAX
#define CTL_GRANTS_NONE                                                        \
	{                                                                      \
		.memory_bytes = CTL_GRANTS_UNSET,                              \
		.tmp_bytes = CTL_GRANTS_UNSET, .timeout_ns = CTL_GRANTS_UNSET  \
	}

/* clang-format off */
/* A type takes no parentheses. NOLINTBEGIN(bugprone-macro-parentheses) */
#define CTL_GRANTS_ROW(type, member, name, kind, field, argument, help)        \
	{ name, 0, kind, offsetof(type, member.field), argument, help }
/* NOLINTEND(bugprone-macro-parentheses) */

/* How --secret is written, where it is bound (is_own). */
#define CTL_GRANTS_SECRET "NAME=HOST[,HOW]"

/* The rows, for `struct ctl_grants member` of a `type`. */
#define CTL_GRANTS_OPTIONS(type, member)                                       \
	CTL_GRANTS_ROW(type, member, "policy", CTL_TEXT, policy, "FILE",       \
	    "a policy, as JSON"),                                              \
	CTL_GRANTS_ROW(type, member, "settings", CTL_TEXT, settings, "FILE",   \
	    "a settings file of srt"),                                         \
	CTL_GRANTS_ROW(type, member, "profile", CTL_LIST, profiles, "NAME",    \
	    "a ready-made policy; \"none\": not even the command's own"),      \
	CTL_GRANTS_ROW(type, member, "read", CTL_LIST, reads, "PATH",          \
	    "may be read and run"),                                            \
	CTL_GRANTS_ROW(type, member, "write", CTL_LIST, writes, "PATH",        \
	    "may be read, run and changed"),                                   \
	CTL_GRANTS_ROW(type, member, "net", CTL_LIST, nets, "HOST[:PORT]",     \
	    "may be reached; *.HOST: every name below"),                       \
	CTL_GRANTS_ROW(type, member, "unix-sockets", CTL_FLAG, unix_sockets,   \
	    NULL, "may make unix sockets"),                                    \
	CTL_GRANTS_ROW(type, member, "env", CTL_LIST, envs, "NAME[=VALUE]",    \
	    "set a variable, or pass it on"),                                  \
	CTL_GRANTS_ROW(type, member, "secret", CTL_LIST, secrets,              \
	    CTL_GRANTS_SECRET,                                                 \
	    "there by a placeholder, never by its value"),                     \
	CTL_GRANTS_ROW(type, member, "memory", CTL_SIZE, memory_bytes, "SIZE", \
	    "of all processes and files in memory (2GiB)"),                    \
	CTL_GRANTS_ROW(type, member, "pids", CTL_COUNT, pids, "N",             \
	    "processes and threads (512)"),                                    \
	CTL_GRANTS_ROW(type, member, "cpu", CTL_MILLI, cpu_milli, "N",         \
	    "CPUs at most, such as 0.5"),                                      \
	CTL_GRANTS_ROW(type, member, "tmp-size", CTL_SIZE, tmp_bytes, "SIZE",  \
	    "of /tmp and home together (512MiB)"),                             \
	CTL_GRANTS_ROW(type, member, "timeout", CTL_DURATION, timeout_ns,      \
	    "TIME", "until it is ended"),                                      \
	CTL_GRANTS_ROW(type, member, "denials", CTL_TEXT, denials, "WHICH",    \
	    "are noted: none, calls, or files, too")
/* clang-format on */

/*
 * Adds what was given to a policy: files, then profiles (the one that the
 * command is known for, unless "none" is among them), then single grants.
 * `command` is NULL where there is none. Negative, and a sentence that names
 * the option.
 */
int ctl_grants_apply(const struct ctl_grants *grants, const char *command,
    struct policy *policy, struct err *err);
