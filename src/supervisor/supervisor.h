/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * supervisor: runs as root, or as the user. Forks, confines, hands out
 * descriptors, reaps, kills. It parses nothing that a stranger wrote: a plan
 * of fixed-size records comes in from `cordon`, and messages of fixed size
 * from its children. What may run comes with the plan (`cordon run`), or from
 * the store as it changes (`cordon serve`).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/err.h"
#include "box/cgroup.h"
#include "box/spec.h"
#include "wire/plan.h"
#include "wire/registry.h"
#include "wire/wire.h"

enum { ZYGOTE_JIT, ZYGOTE_JITLESS, N_ZYGOTES };

#define ZYGOTE_ENDED_EARLY                                                     \
	"the isolate engine ends at its start: is engine/node the version "    \
	"that cordon was built with (if not: 'npm ci', and build again), "     \
	"readable for everybody, and are libatomic1 and libstdc++6 installed?"

/* A confined child with its channel. */
struct child {
	pid_t pid; /* 0: not running */
	int pidfd;
	int socket_fd;
	uint64_t started_ms;
	uint32_t failures; /* short lives in a row, for the back-off */
	uint64_t restart_at_ms; /* it ended, and starts then; 0: it does not */
	uint64_t ready_by_ms; /* a zygote: until then it is warm, or ended */
	bool ready;
};

enum template_state {
	TEMPLATE_NONE,
	TEMPLATE_WAITING, /* for a zygote that is warm */
	TEMPLATE_FORKING,
	TEMPLATE_LIVE
};

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

/* A box by its launcher, which ends with it. */
struct box {
	pid_t pid;
	int pidfd;
	int notes_fd; /* its end: the gateway hears the last of them */
	uint32_t deployment; /* id */
	uint32_t number; /* of its control group */
	struct box_limits limits;
	uint64_t kill_at_ms; /* it should be gone by then; 0: it may be here */
	char tenant[WIRE_NAME_MAX];
};

/* What may run: a slot of the table. */
struct deployment {
	uint32_t id; /* the store's, or the plan's index */
	bool used;
	bool told; /* since the store's last start */
	struct wire_deployment record; /* bundle_fd: ours */
	struct template template;
};

/* What the operator sent, and the store has not yet room for. */
struct relay {
	struct wire_message message; /* type NONE: nothing waits */
	int fd; /* owned; -1 */
	char text[WIRE_TEXT_MAX];
	bool gathering; /* something was relayed since the last COMMITTED */
	bool committing; /* the last of it was COMMIT */
	bool void_; /* the store forgot what it gathered: answer COMMIT so */
};

struct supervisor {
	struct wire_plan plan;
	struct deployment *deployments; /* grows; slots are used again */
	uint32_t n_deployments; /* slots */
	struct wire_tenant *tenants; /* the store's */
	uint32_t n_tenants;
	struct box *boxes; /* in no order */
	uint32_t n_boxes;
	uint32_t boxes_room;
	uint32_t last_box;
	struct child zygotes[N_ZYGOTES];
	struct child gateway; /* or the client, then without a pid */
	struct child store; /* where the plan has a folder for it */
	struct child egress; /* where the plan has settings for it */
	STAILQ_HEAD(, untold) untold; /* egress.c: what it has no room for */
	uint32_t n_untold; /* 0: the head is not set */
	bool store_told; /* it has told all that it knows at its start */
	int operator_fd; /* -1: none, or it left */
	struct relay relay;
	int settings_fd; /* sealed memfds for the gateway; -1 */
	int tls_fd;
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
/* One record of a plan, or of the store. Negative errno and a sentence. */
int deployment_check(const struct wire_deployment *deployment, struct err *err);
bool name_is_good(const char *name);

/* Starts a zygote, which says by and by that it is warm. */
int
zygote_start(struct supervisor *supervisor, uint32_t which, struct err *err);
/* What it says first. Negative, and why: it cannot be used. */
int zygote_greeted(struct child *zygote, const struct wire_message *message,
    const char *text, struct err *err);
/* Waits for that: when nobody is served yet. */
int zygote_wait(struct child *zygote, struct err *err);

/* What lies beside our own executable, and may be run by others. Owned. */
int sibling_open(const struct supervisor *supervisor, const char *name, int *fd,
    struct err *err);

/* Starts the gateway. */
int gateway_start(struct supervisor *supervisor, struct err *err);

/* Spawns it over pair[0], which becomes its; pair[1] is closed. */
struct box_spawn;
int child_spawn(struct child *child, const struct box_spawn *spawn, int pair[2],
    struct err *err);

/* Starts the store, whose folder becomes its user's. */
int store_start(struct supervisor *supervisor, struct err *err);

/* The gateway's orders and the zygote's answers (templates.c). */
int template_open(struct supervisor *supervisor, struct deployment *deployment,
    uint32_t flags, struct err *err);
void template_close(struct deployment *deployment);
void template_forked(struct supervisor *supervisor,
    const struct wire_message *message, int raw_pidfd);
void template_failed(
    struct supervisor *supervisor, const struct wire_message *message);
uint64_t template_weigh(
    const struct supervisor *supervisor, const struct deployment *deployment);
/* A zygote is warm: what waited for it is forked. */
void templates_fork(struct supervisor *supervisor, uint32_t zygote);
/* A zygote is gone, and its templates with it. */
void templates_lost(
    struct supervisor *supervisor, uint32_t zygote, const char *sentence);
void templates_close_all(struct supervisor *supervisor);

/* ---- restarts.c: who ends starts again ------------------------------------ */

/* Ended, reaped, forgotten. */
void child_kill(struct child *child);
/* It ended, or says what it must not say; when it starts again is planned.
 * Negative: it does not, and we end, too. */
int gateway_lost(struct supervisor *supervisor);
int zygote_lost(struct supervisor *supervisor, uint32_t which);
void store_lost(struct supervisor *supervisor);
void egress_lost(struct supervisor *supervisor);
/* Something that may run may reach something: it starts, unless it has. */
void egress_need(struct supervisor *supervisor);
/* What a zygote has to say. Negative as above. */
int zygote_hear(struct supervisor *supervisor, uint32_t which);
/* Starts who is due. Negative as above. */
int restarts_do(struct supervisor *supervisor);
/* When that is to be called next; UINT64_MAX: after the next event. */
uint64_t restarts_next_ms(const struct supervisor *supervisor);

/* ---- registry.c: what the store says may run ----------------------------- */

/* NULL: there is none. Borrowed, until the table changes. */
struct deployment *deployment_find(struct supervisor *supervisor, uint32_t id);
/* A free slot with this id, its descriptors -1; NULL: too many, no memory. */
struct deployment *deployment_new(struct supervisor *supervisor, uint32_t id);
void deployments_free(struct supervisor *supervisor);
/* What the tenant's control group may have. */
struct cgroup_limits
tenant_limits_get(const struct supervisor *supervisor, const char *name);
/* Makes the tenant's control group "t-NAME", or renews its limits. Negative
 * errno. */
int tenant_group_set(
    struct supervisor *supervisor, const char *name, struct err *err);

/* Everything that the store has said by now. Negative: it is gone, or says
 * what it must not say. */
int store_hear(struct supervisor *supervisor);
/* Waits until the store has told all, at its first start. */
int store_wait(struct supervisor *supervisor, struct err *err);
/* The store starts anew: what it does not tell again is gone. */
void store_forget(struct supervisor *supervisor);

/* ---- boxes.c: stdio servers -------------------------------------------- */

/* LINK of a server in a box: BOXED, or negative and why. */
int
box_start(struct supervisor *supervisor, const struct deployment *deployment,
    const struct wire_message *order, struct err *err);
/* Whether its spec can be read. Negative errno and a sentence. */
int box_check(const struct wire_deployment *record, struct err *err);
/* They are no longer wanted: the gateway ends them, or we do. */
void boxes_end(struct supervisor *supervisor, uint32_t deployment);
void boxes_end_all(struct supervisor *supervisor);
/* They are of no use any more: killed, so that the gateway starts others. */
void boxes_kill(struct supervisor *supervisor, uint32_t deployment);
/* At our own end: all of them are gone. */
void boxes_stop(struct supervisor *supervisor);

#define BOX_EVENTS 2u /* descriptors to poll, of each */
struct pollfd;
void boxes_events_set(const struct supervisor *supervisor, struct pollfd *fds);
void boxes_hear(struct supervisor *supervisor, const struct pollfd *fds);
/* Kills who is late, and when that is next; UINT64_MAX: never. */
void boxes_kill_due(struct supervisor *supervisor);
uint64_t boxes_next_ms(const struct supervisor *supervisor);

/* ---- egress.c: the way out ------------------------------------------------ */

#define EGRESS_AWAY                                                            \
	"the way out (egress) is not there: it ended, and is started again; "  \
	"try again in a moment"

/* Starts it, links it, and ends all that had to do with the one before. */
int egress_start(struct supervisor *supervisor, struct err *err);
/* Something is heard of it: its end, or what it must not say. */
bool egress_is_lost(struct supervisor *supervisor);
/*
 * One of wire.h's EGRESS_… messages; the descriptor is borrowed. What it has no
 * room for yet waits. -ENOTCONN: it is not there, and nothing was sent; who
 * makes a channel all the same gives its other end to nobody, so that it leads
 * nowhere: say EGRESS_AWAY.
 */
int egress_tell(
    struct supervisor *supervisor, const struct wire_message *message, int fd);
/* It is gone: nothing waits for it any more. */
void egress_forget(struct supervisor *supervisor);
/* It has room again for what waits. */
void egress_flush(struct supervisor *supervisor);
/* Each gives a new stream to both, if both are there. */
void egress_link_store(struct supervisor *supervisor);
void egress_link_events(struct supervisor *supervisor);
/* LINK of a remote server: LINKED, or negative and why. */
int egress_link_remote(struct supervisor *supervisor,
    const struct deployment *deployment, const struct wire_message *order,
    struct err *err);

/* ---- operator.c: between operator, store and gateway --------------------- */

/* Gives store and gateway the two ends of a stream, if both are there. */
void link_store(struct supervisor *supervisor);
/* What a gateway that starts is to know: settings, certificate. */
void gateway_brief(struct supervisor *supervisor);
/* Negative: the operator left, or broke the protocol. */
int operator_hear(struct supervisor *supervisor);
/* The store has room again for what waits. */
void relay_flush(struct supervisor *supervisor);
/* The store forgot what it had gathered. */
void relay_void(struct supervisor *supervisor);
void operator_tell(struct supervisor *supervisor,
    const struct wire_message *message, const char *text);
/* LINK: a stream to the socket that a server listens on, or a box. */
void
link_answer(struct supervisor *supervisor, const struct wire_message *order);

/*
 * Tells the gateway (or client). Never waits for it: one that does not read
 * what it asked for is lost, and ended. Descriptors are borrowed.
 */
void
caller_tell(struct supervisor *supervisor, const struct wire_message *message,
    const int *fds, size_t n_fds, const char *text);

/* Ends it; that it ended is heard at its own descriptor. */
void caller_end(struct supervisor *supervisor);
void child_end(struct child *child);

/* One line on stderr. level: "info", "warning", "error". */
void supervisor_log(const struct supervisor *supervisor, const char *level,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

uint64_t supervisor_now_ms(void);
