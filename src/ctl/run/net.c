/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/run/net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "ctl/settings.h"
#include "ctl/text.h"
#include "policy/network.h"

#define RESOLV_PATH "/etc/resolv.conf"
#define POLICY_BYTES_MAX (1u << 20)
#define WARNING 2

static void
policy_cleanup(struct policy **policy)
{
	policy_free(*policy);
}

#define auto_policy __attribute__((cleanup(policy_cleanup)))

static int
policy_file_take(struct policy *policy, const char *path, struct err *err)
{
	auto_free uint8_t *bytes = NULL;
	size_t len = 0;

	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	const int r =
	    fd < 0 ? -errno : fd_read_all(fd, POLICY_BYTES_MAX, &bytes, &len);
	if (r < 0)
		return err_set(err, r, "%s: %s", path,
		    r == -EFBIG ? "larger than 1 MiB" : strerror(-r));
	return policy_json(policy, (const char *)bytes, len, false, path, err);
}

/* Bytes, whatever they are, are nothing that fetch could ask for. */
static int
rules_check(const struct policy_network *network, struct err *err)
{
	char text[ADDR_RULE_TEXT_MAX];

	for (size_t i = 0; i < network->n_rules; i++) {
		const struct addr_rule *rule = &network->rules[i];
		if (rule->scheme != ADDR_TCP || (rule->flags & ADDR_RULE_DENY))
			continue;
		addr_rule_put(rule, text);
		return err_set(err, -EINVAL,
		    "%s: a tool of this tier has fetch alone: say which it "
		    "is, https://%s:%u or http://%s:%u",
		    text, rule->host, rule->port, rule->host, rule->port);
	}
	return 0;
}

static int
network_take(const struct ctl_list *hosts, const char *policy_path,
    struct policy_network *network, struct err *err)
{
	auto_policy struct policy *policy = NULL;

	int r = policy_new(&policy);
	if (r != 0)
		return err_set(err, r, "no memory");
	if (policy_path != NULL)
		r = policy_file_take(policy, policy_path, err);
	for (size_t i = 0; r == 0 && i < hosts->n_items; i++)
		r = policy_net(policy, hosts->items[i], err);
	if (r == 0)
		r = policy_network(policy, network, err);
	return r == 0 ? rules_check(network, err) : r;
}

static int
settings_seal(const struct policy_network *network, int *fd, struct err *err)
{
	const char *system = ctl_settings_ca_path();
	struct ctl_settings settings;
	size_t len = 0;

	auto_free uint8_t *record = ctl_settings_record(
	    &(struct ctl_record){
		.tenant = "local", .name = "run", .network = network },
	    &len);
	if (record == NULL)
		return err_set(err, -ENOMEM, "no memory");
	ctl_settings_init(&settings);
	ctl_settings_resolv(&settings, RESOLV_PATH);
	settings.records = record;
	settings.records_len = len;
	if (settings.remarks[0] != '\0')
		ctl_text_print(stderr, settings.remarks,
		    strlen(settings.remarks), "cordon run: ");
	int r = system != NULL ? ctl_settings_ca(&settings, system, err) : 0;
	if (r == 0 && (r = ctl_settings_seal(&settings, fd)) != 0)
		err_set(err, r, "no memory file: %s", strerror(-r));
	ctl_settings_fini(&settings);
	return r;
}

int
ctl_net_settings(const struct ctl_list *hosts, const char *policy_path, int *fd,
    struct err *err)
{
	*fd = -1;
	if (hosts->n_items == 0 && policy_path == NULL)
		return 0;
	auto_free struct policy_network *network = calloc(1, sizeof(*network));
	if (network == NULL)
		return err_set(err, -ENOMEM, "no memory");
	const int r = network_take(hosts, policy_path, network, err);
	if (r != 0 || network->n_rules == 0)
		return r;
	return settings_seal(network, fd, err);
}

/* ---- what egress tells ------------------------------------------------------ */

static void
event_tell(struct wire_egress_event *event,
    void (*line)(void *arg, int level, const char *raw_text, size_t len),
    void *arg)
{
	char text[CTL_NET_LINE_MAX];

	if (!event->refused)
		return;
	event->method[sizeof(event->method) - 1] = '\0';
	event->host[sizeof(event->host) - 1] = '\0';
	event->path[sizeof(event->path) - 1] = '\0';
	event->text[sizeof(event->text) - 1] = '\0';
	const int n = snprintf(text, sizeof(text),
	    "egress refused %s %s://%s:%u%s: %s", event->method,
	    addr_scheme_name((enum addr_scheme)event->scheme), event->host,
	    event->port, event->path, event->text);
	if (n > 0)
		line(arg, WARNING, text,
		    (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

int
ctl_net_events_read(struct ctl_net_events *events, int fd,
    void (*line)(void *arg, int level, const char *raw_text, size_t len),
    void *arg)
{
	struct wire_egress_event event;
	struct wire_frame frame;

	for (;;) {
		const ssize_t n = read(fd, events->bytes + events->len,
		    sizeof(events->bytes) - events->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return -ECONNRESET;
		events->len += (size_t)n;
		if (events->len < sizeof(events->bytes))
			continue;
		events->len = 0;
		memcpy(&frame, events->bytes, sizeof(frame));
		memcpy(&event, events->bytes + sizeof(frame), sizeof(event));
		if (frame.type != WIRE_EGRESS_EVENT ||
		    frame.len != sizeof(event))
			return -ECONNRESET;
		event_tell(&event, line, arg);
	}
}
