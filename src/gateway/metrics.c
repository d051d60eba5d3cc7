/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Counters in Prometheus' text form (exposition format 0.0.4), and how ends of
 * calls map to HTTP. Every set of labels is bounded: statuses, and the servers
 * and tenants of the registry.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/auto.h"
#include "gateway/egress/watch.h"
#include "gateway/gateway.h"
#include "gateway/store.h"
#include "json/out.h"

#define PAGE_MAX (16u << 20)
#define STATUS_MAX 600

/* Upper ends of the buckets, µs, and as Prometheus writes them. */
static const struct {
	uint64_t us;
	const char *le;
} buckets[] = {
	{ 250, "0.00025" },
	{ 500, "0.0005" },
	{ 1000, "0.001" },
	{ 2500, "0.0025" },
	{ 5000, "0.005" },
	{ 10000, "0.01" },
	{ 25000, "0.025" },
	{ 50000, "0.05" },
	{ 100000, "0.1" },
	{ 250000, "0.25" },
	{ 500000, "0.5" },
	{ 1000000, "1" },
	{ 2500000, "2.5" },
	{ 10000000, "10" },
};

struct metrics {
	uint64_t by_status[STATUS_MAX];
	uint64_t by_bucket[ARRAY_LEN(buckets) + 1];
	uint64_t answer_us;
};

int
metrics_start(struct gateway *gateway)
{
	gateway->metrics = calloc(1, sizeof(*gateway->metrics));
	return gateway->metrics == NULL ? -ENOMEM : 0;
}

void
metrics_stop(struct gateway *gateway)
{
	free(gateway->metrics);
	gateway->metrics = NULL;
}

void
metrics_answered(struct gateway *gateway, unsigned status, uint64_t us)
{
	struct metrics *metrics = gateway->metrics;
	size_t i = 0;

	metrics->by_status[status < STATUS_MAX ? status : 0]++;
	while (i < ARRAY_LEN(buckets) && us > buckets[i].us)
		i++;
	metrics->by_bucket[i]++;
	metrics->answer_us += us;
}

void
metrics_call(
    struct server *server, const char *outcome, const struct pool_usage *usage)
{
	static const char *const fair[] = { "ok", "input_required",
		"cancelled" };
	bool failed = true;

	for (size_t i = 0; i < ARRAY_LEN(fair); i++)
		failed = failed && strcmp(outcome, fair[i]) != 0;
	server->n_calls++;
	server->n_failures += failed;
	server->cpu_us += usage->cpu_us;
}

static void
put_head(
    struct json_out *out, const char *name, const char *type, const char *help)
{
	const char *const parts[] = { "# HELP cordon_", name, " ", help,
		"\n# TYPE cordon_", name, " ", type, "\n" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		json_out_text(out, parts[i]);
}

/* A label's value, with what the format escapes. */
static void
put_value(struct json_out *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			json_out_text(out, "\\");
		if (*value == '\n')
			json_out_text(out, "\\n");
		else
			json_out_raw(out, value, 1);
	}
}

struct label {
	const char *name;
	const char *value;
};

static void
put_sample(struct json_out *out, const char *name, const struct label *labels,
    size_t n_labels, uint64_t value)
{
	json_out_text(out, "cordon_");
	json_out_text(out, name);
	for (size_t i = 0; i < n_labels; i++) {
		json_out_text(out, i == 0 ? "{" : ",");
		json_out_text(out, labels[i].name);
		json_out_text(out, "=\"");
		put_value(out, labels[i].value);
		json_out_text(out, "\"");
	}
	json_out_text(out, n_labels > 0 ? "} " : " ");
	json_out_uint(out, value);
	json_out_text(out, "\n");
}

struct metric {
	const char *name;
	const char *type;
	const char *help;
	uint64_t value;
};

static void
put_metrics(struct json_out *out, const struct metric *metrics, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		put_head(
		    out, metrics[i].name, metrics[i].type, metrics[i].help);
		put_sample(out, metrics[i].name, NULL, 0, metrics[i].value);
	}
}

static void
put_http(struct json_out *out, const struct gateway *gateway)
{
	const struct metric metrics[] = {
		{ "http_requests_total", "counter", "HTTP requests",
		    gateway->n_requests },
		{ "http_refused_total", "counter",
		    "refused by Host, Origin, token or scope",
		    gateway->n_refused },
		{ "http_pending", "gauge", "requests not answered yet",
		    http_server_pending(gateway->http) },
		{ "http_connections", "gauge", "connections that are open",
		    http_server_connections(gateway->http) },
	};

	put_metrics(out, metrics, ARRAY_LEN(metrics));
	put_head(out, "http_responses_total", "counter",
	    "answers by status; 0: the connection was cut instead");
	for (unsigned status = 0; status < STATUS_MAX; status++) {
		char text[8];
		const struct label label = { "code", text };
		if (gateway->metrics->by_status[status] == 0)
			continue;
		snprintf(text, sizeof(text), "%u", status);
		put_sample(out, "http_responses_total", &label, 1,
		    gateway->metrics->by_status[status]);
	}
}

/* Seconds with a fraction, which json_out_uint() does not write. */
static void
put_seconds(struct json_out *out, uint64_t us)
{
	char text[40];

	snprintf(text, sizeof(text), "%llu.%06llu",
	    (unsigned long long)(us / 1000000),
	    (unsigned long long)(us % 1000000));
	json_out_text(out, text);
}

static void
put_latency(struct json_out *out, const struct metrics *metrics)
{
	static const char name[] = "http_answer_seconds";
	uint64_t n = 0;

	put_head(out, name, "histogram",
	    "from a request's head to its answer's head");
	for (size_t i = 0; i <= ARRAY_LEN(buckets); i++) {
		const struct label label = { "le",
			i < ARRAY_LEN(buckets) ? buckets[i].le : "+Inf" };
		n += metrics->by_bucket[i];
		put_sample(out, "http_answer_seconds_bucket", &label, 1, n);
	}
	json_out_text(out, "cordon_http_answer_seconds_sum ");
	put_seconds(out, metrics->answer_us);
	json_out_text(out, "\n");
	put_sample(out, "http_answer_seconds_count", NULL, 0, n);
}

static void
put_pool(struct json_out *out, const struct gateway *gateway)
{
	struct pool_stats stats = { 0 };

	pool_stats_get(gateway->pool, &stats);
	const struct metric metrics[] = {
		{ "templates", "gauge", "resident templates", stats.templates },
		{ "template_bytes", "gauge",
		    "private bytes of resident templates",
		    stats.template_bytes },
		{ "templates_made_total", "counter", "templates made",
		    stats.templates_made },
		{ "templates_evicted_total", "counter", "templates evicted",
		    stats.templates_evicted },
		{ "cells_cpu_microseconds_total", "counter",
		    "CPU time of cells that ended, by the kernel",
		    stats.cells_cpu_us },
		{ "cells_waiting", "gauge", "cells that wait for a call",
		    stats.cells_waiting },
		{ "cells_busy", "gauge", "cells with a call",
		    stats.cells_busy },
		{ "cells_forked_total", "counter", "cells forked",
		    stats.cells_forked },
		{ "calls_total", "counter", "calls started",
		    stats.calls_started },
		{ "calls_failed_total", "counter",
		    "calls that ended otherwise than well",
		    stats.calls_failed },
	};

	put_metrics(out, metrics, ARRAY_LEN(metrics));
}

static void
put_front(struct json_out *out, const struct gateway *gateway)
{
	struct front_counts front = { 0 };
	struct store_counts store;
	struct rusage usage = { 0 };

	front_counts_get(gateway, &front);
	store_counts_get(gateway, &store);
	getrusage(RUSAGE_SELF, &usage);
	const struct metric metrics[] = {
		{ "sessions", "gauge", "sessions with a record here",
		    front.sessions },
		{ "streams", "gauge", "GET and listen streams that are open",
		    front.streams },
		{ "calls_open", "gauge", "calls begun and not ended",
		    front.calls },
		{ "calls_parked", "gauge",
		    "calls that wait for a client's answer", front.asking },
		{ "stream_kept_bytes", "gauge",
		    "kept of streams for those who come back",
		    front.kept_bytes },
		{ "store_up", "gauge", "1: the store is here; 0: it is away",
		    store_is_here(gateway) },
		{ "store_connects_total", "counter",
		    "how often a store came, the first time too",
		    store.connects },
		{ "audit_records_total", "counter",
		    "audit records handed to the store", store.audit_sent },
		{ "audit_dropped_total", "counter",
		    "audit records lost: no store, and no room to wait",
		    store.audit_dropped },
		{ "gateway_peak_resident_bytes", "gauge",
		    "the most memory that the gateway has had",
		    (uint64_t)usage.ru_maxrss * 1024 },
	};

	put_metrics(out, metrics, ARRAY_LEN(metrics));
}

/* One family: a value of each server. */
struct server_family {
	const char *name;
	const char *type;
	const char *help;
	uint64_t (*get)(const struct server *server);
};

static uint64_t
server_calls(const struct server *server)
{
	return server->n_calls;
}

static uint64_t
server_failures(const struct server *server)
{
	return server->n_failures;
}

static uint64_t
server_cpu(const struct server *server)
{
	return server->cpu_us;
}

static uint64_t
server_links(const struct server *server)
{
	return upstream_links(server);
}

static uint64_t
server_boxes(const struct server *server)
{
	return server->n_boxes;
}

static uint64_t
server_box_starts(const struct server *server)
{
	return server->n_box_starts;
}

/* Of servers that had a box at all. */
static void
put_box_ends(
    struct json_out *out, struct gateway *gateway, const struct tenant *tenant)
{
	static const char name[] = "server_box_ends_total";
	static const char *const reasons[UPSTREAM_N_ENDS] = {
		[UPSTREAM_OVER_FAILED] = "failed",
		[UPSTREAM_OVER_LEFT] = "left",
		[UPSTREAM_OVER_LIMIT] = "limit",
		[UPSTREAM_OVER_SILENT] = "silent",
		[UPSTREAM_OVER_BROKEN] = "broken",
		[UPSTREAM_OVER_REFUSED] = "refused",
		[UPSTREAM_OVER_IDLE] = "idle",
		[UPSTREAM_OVER_AGE] = "age",
		[UPSTREAM_OVER_ROOM] = "room",
		[UPSTREAM_OVER_STOPPED] = "stopped",
	};
	const struct server *server;
	bool has_head = false;

	for (size_t i = 0; (server = registry_server_at(gateway, i)) != NULL;
	     i++) {
		if ((tenant != NULL && server->tenant != tenant) ||
		    server->n_box_starts == 0)
			continue;
		if (!has_head)
			put_head(out, name, "counter",
			    "boxes of a server that ended");
		has_head = true;
		for (size_t r = 0; r < ARRAY_LEN(reasons); r++) {
			const struct label labels[] = {
				{ "tenant", server->tenant->record.name },
				{ "server", server->name },
				{ "reason", reasons[r] },
			};
			put_sample(out, name, labels, ARRAY_LEN(labels),
			    server->n_box_ends[r]);
		}
	}
}

static void
put_servers(
    struct json_out *out, struct gateway *gateway, const struct tenant *tenant)
{
	static const struct server_family families[] = {
		{ "server_calls_total", "counter", "calls of a server",
		    server_calls },
		{ "server_failures_total", "counter", "calls of it that failed",
		    server_failures },
		{ "server_cpu_microseconds_total", "counter",
		    "CPU time of its calls", server_cpu },
		{ "server_links", "gauge", "links to it that are open",
		    server_links },
		{ "server_boxes", "gauge", "boxes of it that are not gone",
		    server_boxes },
		{ "server_box_starts_total", "counter", "boxes started for it",
		    server_box_starts },
	};
	const struct server *server;

	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		put_head(
		    out, families[f].name, families[f].type, families[f].help);
		for (size_t i = 0;
		     (server = registry_server_at(gateway, i)) != NULL; i++) {
			const struct label labels[] = {
				{ "tenant", server->tenant->record.name },
				{ "server", server->name },
			};
			if (tenant == NULL || server->tenant == tenant)
				put_sample(out, families[f].name, labels, 2,
				    families[f].get(server));
		}
	}
}

/* ---- egress ---------------------------------------------------------------
 */

struct egress_family {
	const char *name;
	const char *help;
	const char *label;
	/* The i-th sample: its label's value, and the number; false: no more.
	 */
	bool (*get)(const struct server_egress *egress, uint32_t i,
	    const char **value, uint64_t *number);
};

static bool
egress_requests(const struct server_egress *egress, uint32_t i,
    const char **value, uint64_t *number)
{
	*value = egress_end_name(i);
	*number = i < WIRE_EGRESS_N_ENDS ? egress->n_requests[i] : 0;
	return i < WIRE_EGRESS_N_ENDS;
}

static bool
egress_names(const struct server_egress *egress, uint32_t i, const char **value,
    uint64_t *number)
{
	*value = egress_end_name(i);
	*number = i < WIRE_EGRESS_N_ENDS ? egress->n_names[i] : 0;
	return i < WIRE_EGRESS_N_ENDS;
}

static bool
egress_bytes(const struct server_egress *egress, uint32_t i, const char **value,
    uint64_t *number)
{
	*value = i == 0 ? "in" : "out";
	*number = i == 0 ? egress->bytes_in : egress->bytes_out;
	return i < 2;
}

static bool
egress_refused(const struct server_egress *egress, uint32_t i,
    const char **value, uint64_t *number)
{
	*value = NULL;
	*number = egress->n_refused;
	return i == 0;
}

static void
put_egress_of(struct json_out *out, const struct egress_family *family,
    const struct server *server, bool *has_head)
{
	struct label labels[] = {
		{ "tenant", server->tenant->record.name },
		{ "server", server->name },
		{ family->label, NULL },
	};
	uint64_t number;

	for (uint32_t i = 0;
	     family->get(server->egress, i, &labels[2].value, &number); i++) {
		if (number == 0)
			continue;
		if (!*has_head)
			put_head(out, family->name, "counter", family->help);
		*has_head = true;
		put_sample(out, family->name, labels,
		    labels[2].value != NULL ? 3 : 2, number);
	}
}

/* Of servers that went out at all. */
static void
put_egress(
    struct json_out *out, struct gateway *gateway, const struct tenant *tenant)
{
	static const struct egress_family families[] = {
		{ "egress_requests_total",
		    "requests and connections out, by how they ended", "end",
		    egress_requests },
		{ "egress_names_total",
		    "names asked for inside boxes, by how that ended", "end",
		    egress_names },
		{ "egress_bytes_total", "bytes in and out by way of egress",
		    "direction", egress_bytes },
		{ "egress_refused_total",
		    "what was not let out, by a rule, an address, a budget "
		    "or a mismatch",
		    "", egress_refused },
	};
	const struct server *server;

	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		bool has_head = false;
		for (size_t i = 0;
		     (server = registry_server_at(gateway, i)) != NULL; i++)
			if (server->egress != NULL &&
			    (tenant == NULL || server->tenant == tenant))
				put_egress_of(
				    out, &families[f], server, &has_head);
	}
}

static void
put_egress_host(struct json_out *out, const struct gateway *gateway)
{
	struct egress_counts counts;

	egress_counts_get(gateway, &counts);
	const struct metric metrics[] = {
		{ "egress_up", "gauge",
		    "1: egress is here; 0: it is away, or was never needed",
		    counts.is_here },
		{ "egress_connects_total", "counter",
		    "how often egress came, the first time too",
		    counts.connects },
		{ "egress_events_lost_total", "counter",
		    "events that egress found no room for", counts.lost },
	};

	put_metrics(out, metrics, ARRAY_LEN(metrics));
}

static void
put_tenants(
    struct json_out *out, struct gateway *gateway, const struct tenant *only)
{
	static const char name[] = "quota_refused_total";
	const struct tenant *tenant;

	put_head(out, name, "counter",
	    "requests and calls refused for a tenant's quota");
	for (size_t i = 0; (tenant = registry_tenant_at(gateway, i)) != NULL;
	     i++) {
		const struct label label = { "tenant", tenant->record.name };
		if (only == NULL || tenant == only)
			put_sample(
			    out, name, &label, 1, tenant->meter.n_refused);
	}
}

static void
put_registry(struct json_out *out, struct gateway *gateway)
{
	static const char *const states[] = { "quarantined", "approved",
		"changed", "denied" };
	struct registry_counts counts;

	registry_counts_get(gateway, &counts);
	put_head(out, "servers", "gauge", "servers in the registry by state");
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		const struct label label = { "state", states[i] };
		put_sample(out, "servers", &label, 1, counts.servers[i]);
	}
	const struct metric metrics[] = {
		{ "tokens", "gauge", "tokens that are valid", counts.tokens },
		{ "tenants", "gauge", "tenants", counts.tenants },
		{ "sessions_ended", "gauge",
		    "ended sessions whose ids could still be shown",
		    counts.ended },
	};
	put_metrics(out, metrics, ARRAY_LEN(metrics));
}

void
metrics_answer(struct gateway *gateway, const struct principal *principal,
    struct http_request *request)
{
	static const struct http_header type[] = {
		{ "Content-Type", "text/plain; version=0.0.4; charset=utf-8" },
	};
	/* What others do is the business of "local" alone. */
	const struct tenant *only =
	    principal->tenant->record.id == WIRE_TENANT_LOCAL
	    ? NULL
	    : principal->tenant;
	struct json_out out;
	size_t len = 0;

	json_out_init(&out, PAGE_MAX);
	put_servers(&out, gateway, only);
	put_box_ends(&out, gateway, only);
	put_tenants(&out, gateway, only);
	put_egress(&out, gateway, only);
	if (only == NULL) {
		put_http(&out, gateway);
		put_latency(&out, gateway->metrics);
		put_pool(&out, gateway);
		put_front(&out, gateway);
		put_egress_host(&out, gateway);
		put_registry(&out, gateway);
	}
	char *body = json_out_steal(&out, &len);
	json_out_fini(&out);
	http_reply(request, body == NULL ? 500 : 200, type, 1, body, len);
}

const char *
gateway_limit_name(enum pool_end end)
{
	if (end == POOL_TIMEOUT_CPU)
		return "cpu";
	return end == POOL_TIMEOUT_WALL ? "wall" : NULL;
}

unsigned
gateway_end_status(enum pool_end end)
{
	if (end == POOL_OVERLOADED)
		return 503;
	return end == POOL_TIMEOUT_CPU || end == POOL_TIMEOUT_WALL ? 504 : 500;
}
