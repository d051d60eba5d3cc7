/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The walls around cordon's own processes. A process is born behind them
 * (box_spawn), loads what it needs, and shuts the door behind itself before
 * the first untrusted byte (box_enter).
 *
 *   box_spawn   1 clone3 into new user, mount, pid, net, ipc, uts and cgroup
 *                 namespaces; host uid 0 is not mapped
 *               2 uid and gid of its own
 *               3 descriptors: the named heritage, nothing else
 *               4 exec: an address-space layout of its own
 *   box_enter   5 empty read-only root by pivot_root, with the domain's one
 *                 folder where it has one: needs CAP_SYS_ADMIN, so before 6;
 *                 after the loader has opened its last file
 *               6 capabilities: none but the domain's
 *               7 no_new_privs, no core dumps, not traceable
 *               8 seccomp: last, since it forbids all of the above
 *
 * Every step that fails ends the start with a sentence that names it.
 */

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "box/caps.h"
#include "box/domain.h"

struct box_spawn {
	const char *domain;
	int exe_fd; /* borrowed: what to exec */
	const char *const *argv;
	const int *fds; /* borrowed: become 3, 4, … in this order */
	uint32_t n_fds; /* at most BOX_SPAWN_FDS_MAX */
	int folder_fd; /* borrowed: of a domain with a folder; O_PATH does */
};

#define BOX_SPAWN_FDS_MAX 8

/*
 * Starts a process. The caller owns the pidfd and reaps the pid. err says
 * which kernel feature is missing. Negative errno. clone3(2),
 * user_namespaces(7).
 */
int box_spawn(
    const struct box_spawn *spawn, pid_t *pid, int *pidfd, struct err *err);

/* Shuts the door: steps 5 to 8. Called once. Negative errno and a sentence;
 * the caller then ends. */
int box_enter(const char *domain, struct err *err);

struct sock_filter;

/* A compiled seccomp filter, so that a forked child installs it in one call. */
struct box_filter {
	struct sock_filter *insns; /* owned; box_filter_fini() frees */
	uint16_t n_insns;
};

#define BOX_FILTER_NO_EXEC 1 /* refuse PROT_EXEC: a policy with jit off */

int box_filter_init(
    struct box_filter *filter, const char *domain, int flags, struct err *err);
void box_filter_fini(struct box_filter *filter);

/* Installs it on this thread; needs no_new_privs. Negative errno. */
int box_filter_install(const struct box_filter *filter);
