/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/way.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/box.h"
#include "ctl/binding.h"
#include "ctl/libexec.h"

#define DEPLOYMENT 1u /* there is one */
#define RESOLV_PATH "/etc/resolv.conf"
#define LAST_WORDS_MS 1000 /* to tell what it has seen, once all is over */

/* ---- what is wanted --------------------------------------------------------- */

static bool
looks_inside(const struct policy_network *network)
{
	for (size_t i = 0; i < network->n_rules; i++) {
		const struct addr_rule *rule = &network->rules[i];
		if ((rule->flags & ADDR_RULE_DENY) == 0 &&
		    rule->scheme == ADDR_HTTPS &&
		    (rule->path[0] != '\0' || rule->methods != 0))
			return true;
	}
	return false;
}

static int
secrets_take(struct ctl_way *way, const struct ctl_list *words, struct err *err)
{
	const size_t n = words->n_items;

	if (n == 0)
		return 0;
	way->secrets = calloc(n, sizeof(*way->secrets));
	if (way->secrets == NULL)
		return err_set(err, -ENOMEM, "no memory");
	for (size_t i = 0; i < n; i++) {
		const int r = ctl_binding_parse(
		    words->items[i], way->network, &way->secrets[i], err);
		if (r != 0)
			return r;
		way->n_secrets++;
	}
	return 0;
}

int
ctl_way_prepare(struct ctl_way *way, const struct policy *policy,
    const struct ctl_list *secrets, bool is_watch, struct err *err)
{
	way->network = malloc(sizeof(*way->network));
	if (way->network == NULL)
		return err_set(err, -ENOMEM, "no memory");
	int r = policy_network(policy, way->network, err);
	if (r == 0)
		r = secrets_take(way, secrets, err);
	if (r != 0)
		return r;
	way->ends_tls = way->n_secrets > 0 || looks_inside(way->network);
	if (way->network->n_rules == 0 && !is_watch) {
		free(way->network);
		way->network = NULL;
	}
	return 0;
}

bool
ctl_way_is_there(const struct ctl_way *way)
{
	return way->network != NULL;
}

bool
ctl_way_binds(const struct ctl_way *way, const char *name)
{
	for (uint32_t i = 0; i < way->n_secrets; i++)
		if (strcmp(way->secrets[i].name, name) == 0)
			return true;
	return false;
}

int
ctl_way_settle(struct ctl_way *way, struct policy_memory *memory,
    struct box_spec *spec, struct err *err)
{
	const char *certificates = ctl_settings_ca_path();

	ctl_settings_init(&way->settings);
	way->settings.head.flags = WIRE_EGRESS_LOOPBACK;
	ctl_settings_resolv(&way->settings, RESOLV_PATH);
	int r = certificates == NULL
	    ? 0
	    : ctl_settings_ca(&way->settings, certificates, err);
	if (r == 0 && way->ends_tls)
		r = ctl_authority_take(&way->settings, &way->authority, err);
	if (r == 0 && way->ends_tls)
		r = policy_spec_authority(memory, spec,
		    &(struct policy_authority){ way->authority.bundle,
			way->authority.certificate,
			way->authority.over_system },
		    err);
	return r;
}

/* ---- the settings ------------------------------------------------------------ */

/* The box's init is a copy of us: it is to have none of them. */
static void
secrets_forget(struct ctl_way *way)
{
	for (uint32_t i = 0; i < way->n_secrets; i++) {
		char *value = getenv(way->secrets[i].name);
		if (value != NULL)
			explicit_bzero(value, strlen(value));
		explicit_bzero(&way->secrets[i], sizeof(way->secrets[i]));
	}
}

static int
settings_seal(struct ctl_way *way, int *fd, struct err *err)
{
	const struct ctl_record server = { .tenant = "wrap",
		.name = "wrap",
		.deployment = DEPLOYMENT,
		.network = way->network,
		.secrets = way->secrets,
		.n_secrets = way->n_secrets };
	size_t len = 0;
	uint8_t *record = ctl_settings_record(&server, &len);

	if (record == NULL)
		return err_set(err, -ENOMEM, "no memory");
	way->settings.records = record;
	way->settings.records_len = len;
	const int r = ctl_settings_seal(&way->settings, fd);
	explicit_bzero(record, len);
	free(record);
	ctl_settings_fini(&way->settings);
	secrets_forget(way);
	return r == 0
	    ? 0
	    : err_set(err, r, "the settings of the way out: %s", strerror(-r));
}

/* ---- starting ----------------------------------------------------------------- */

/* Whose the descriptor is; ours stays open. */
static int
pair_hand_over(
    const struct ctl_way *way, enum wire_type type, int kind, int *ours_fd)
{
	const struct wire_message message = {
		.type = (uint32_t)type, .id = DEPLOYMENT, .status = 1
	};
	int pair[2];

	int r = wire_pair(kind, pair);
	if (r != 0)
		return r;
	auto_close int theirs_fd = pair[1];
	*ours_fd = pair[0];
	r = wire_send(way->channel_fd, &message, &theirs_fd, 1, NULL);
	return r > 0 ? -EPIPE : r;
}

static int
process_start(
    struct ctl_way *way, int settings_fd, int channel_fd, struct err *err)
{
	const char *const argv[] = { "cordon-egress", "--settings", "3",
		"--channel", "4", NULL };
	const int fds[] = { settings_fd, channel_fd };
	char path[PATH_MAX];

	int r = ctl_libexec_find("cordon-egress", path, err);
	if (r != 0)
		return r;
	auto_close int exe_fd = open(path, O_PATH | O_CLOEXEC);
	if (exe_fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	const struct box_spawn spawn = { .domain = "egress",
		.exe_fd = exe_fd,
		.argv = argv,
		.fds = fds,
		.n_fds = ARRAY_LEN(fds),
		.folder_fd = -1 };
	return box_spawn(&spawn, &way->pid, &way->pidfd, err);
}

/* All is said before anybody listens: it waits in the channel. */
int
ctl_way_start(struct ctl_way *way, struct err *err)
{
	int pair[2], memfd = -1;

	int r = wire_pair(SOCK_SEQPACKET, pair);
	if (r != 0)
		return err_set(err, r, "socketpair: %s", strerror(-r));
	way->channel_fd = pair[0];
	auto_close int theirs_fd = pair[1];
	r = pair_hand_over(
	    way, WIRE_EGRESS_EVENTS, SOCK_STREAM, &way->events_fd);
	if (r == 0)
		r = pair_hand_over(
		    way, WIRE_EGRESS_BOX, SOCK_SEQPACKET, &way->box_fd);
	if (r != 0)
		return err_set(err, r, "the way out: %s", strerror(-r));
	r = settings_seal(way, &memfd, err);
	auto_close int settings_fd = memfd;
	return r == 0 ? process_start(way, settings_fd, theirs_fd, err) : r;
}

/* ---- hearing -------------------------------------------------------------------- */

static void
frame_take(struct ctl_way *way, ctl_event_fn *event, void *context)
{
	struct wire_egress_event told;

	memcpy(&told, way->frame + sizeof(struct wire_frame), sizeof(told));
	told.host[sizeof(told.host) - 1] = '\0';
	told.path[sizeof(told.path) - 1] = '\0';
	told.method[sizeof(told.method) - 1] = '\0';
	told.text[sizeof(told.text) - 1] = '\0';
	event(context, &told);
}

/* It sends nothing but events, all of one size. */
static bool
frame_is_event(const struct ctl_way *way)
{
	struct wire_frame frame;

	memcpy(&frame, way->frame, sizeof(frame));
	return frame.type == WIRE_EGRESS_EVENT &&
	    frame.len == sizeof(struct wire_egress_event);
}

static void
close_it(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

bool
ctl_way_hear(struct ctl_way *way, ctl_event_fn *event, void *context)
{
	while (way->events_fd >= 0) {
		const ssize_t n =
		    recv(way->events_fd, way->frame + way->frame_len,
			sizeof(way->frame) - way->frame_len, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n > 0)
			way->frame_len += (size_t)n;
		if (n <= 0 ||
		    (way->frame_len >= sizeof(struct wire_frame) &&
			!frame_is_event(way)))
			break;
		if (way->frame_len < sizeof(way->frame))
			continue;
		way->frame_len = 0;
		frame_take(way, event, context);
	}
	close_it(&way->events_fd);
	return false;
}

/* ---- the end --------------------------------------------------------------------- */

/* What we said at the start lies there unread: it has served nobody yet. */
static bool
has_not_begun(const struct ctl_way *way)
{
	int unread = 0;

	return ioctl(way->channel_fd, SIOCOUTQ, &unread) == 0 && unread > 0;
}

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
last_words_hear(struct ctl_way *way, ctl_event_fn *event, void *context)
{
	const uint64_t end = now_ms() + LAST_WORDS_MS;

	while (ctl_way_hear(way, event, context)) {
		struct pollfd fd = { way->events_fd, POLLIN, 0 };
		const uint64_t now = now_ms();

		if (now >= end || poll(&fd, 1, (int)(end - now)) == 0)
			return;
	}
}

void
ctl_way_end_begin(struct ctl_way *way)
{
	if (way->pid == 0 || way->is_ending)
		return;
	way->is_ending = true;
	if (has_not_begun(way))
		syscall(SYS_pidfd_send_signal, way->pidfd, SIGKILL, NULL, 0);
	close_it(&way->box_fd);
	close_it(&way->channel_fd);
}

void
ctl_way_end(struct ctl_way *way, ctl_event_fn *event, void *context)
{
	if (way->pid == 0)
		return;
	ctl_way_end_begin(way);
	last_words_hear(way, event, context);
	syscall(SYS_pidfd_send_signal, way->pidfd, SIGKILL, NULL, 0);
	while (waitpid(way->pid, NULL, 0) < 0 && errno == EINTR)
		;
	way->pid = 0;
}

void
ctl_way_fini(struct ctl_way *way)
{
	secrets_forget(way);
	free(way->secrets);
	free(way->network);
	ctl_settings_fini(&way->settings);
	close_it(&way->box_fd);
	close_it(&way->channel_fd);
	close_it(&way->events_fd);
	close_it(&way->pidfd);
}
