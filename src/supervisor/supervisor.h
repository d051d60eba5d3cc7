/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * supervisor: runs as root, or as the user. Forks, confines, hands out
 * descriptors, reaps, kills. It parses nothing that a stranger wrote: a plan
 * of fixed-size records comes in from `cordon`, and messages of fixed size
 * from its children.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "supervisor/cgroup.h"
#include "wire/plan.h"
#include "wire/wire.h"

enum { ZYGOTE_JIT, ZYGOTE_JITLESS, N_ZYGOTES };

/* A confined child with its channel. */
struct child {
	pid_t pid; /* 0: not running */
	int pidfd;
	int socket_fd;
	uint64_t started_ms;
	uint32_t failures; /* short lives in a row, for the back-off */
};

enum template_state { TEMPLATE_NONE, TEMPLATE_FORKING, TEMPLATE_LIVE };

struct template
{
	enum template_state state;
	uint32_t id; /* of its fork order, unique for our life */
	uint32_t zygote; /* which of them it was asked of */
	uint32_t flags; /* WIRE_LIMITS_…, besides those of the plan */
	pid_t pid;
	int pidfd;
	int control_fd; /* the caller's end, until it is handed over */
};

struct supervisor {
	struct wire_plan plan;
	struct wire_deployment *deployments;
	struct template *templates; /* one a deployment, same index */
	struct child zygotes[N_ZYGOTES];
	struct child gateway; /* or the client, then without a pid */
	int dir_fd; /* where our executables lie */
	int plan_fd;
	int signal_fd;
	uint32_t last_id;
	int stopping;
	struct cgroup *cgroup;
	struct cgroup_limits tenant_limits;
};

/* Reads and checks the plan. Negative errno and a sentence. */
int plan_read(struct supervisor *supervisor, int plan_fd, struct err *err);

/* Starts a zygote and waits until it is warm. */
int
zygote_start(struct supervisor *supervisor, uint32_t which, struct err *err);

/* Starts the gateway. */
int gateway_start(struct supervisor *supervisor, struct err *err);

/* The gateway's orders and the zygote's answers (templates.c). */
int template_open(struct supervisor *supervisor, uint32_t deployment,
    uint32_t flags, struct err *err);
void template_close(struct supervisor *supervisor, uint32_t deployment);
void template_forked(struct supervisor *supervisor,
    const struct wire_message *message, int raw_pidfd);
void template_failed(
    struct supervisor *supervisor, const struct wire_message *message);
uint64_t
template_weigh(const struct supervisor *supervisor, uint32_t deployment);
/* A zygote is gone, and its templates with it. */
void templates_lost(struct supervisor *supervisor, uint32_t zygote);

/*
 * Tells the gateway (or client). Never waits for it: one that does not read
 * what it asked for is lost, and ended. Descriptors are borrowed.
 */
void
caller_tell(struct supervisor *supervisor, const struct wire_message *message,
    const int *fds, size_t n_fds, const char *text);

/* One line on stderr. level: "info", "warning", "error". */
void supervisor_log(const struct supervisor *supervisor, const char *level,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

uint64_t supervisor_now_ms(void);
