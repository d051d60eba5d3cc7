/* SPDX-License-Identifier: Apache-2.0 */

/* Counters in Prometheus' text form, and how ends of calls map to HTTP. */

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/gateway.h"
#include "json/out.h"

struct metric {
	const char *name;
	const char *type;
	const char *help;
	uint64_t value;
};

static void
put_metric(struct json_out *out, const struct metric *metric)
{
	const char *const parts[] = { "# HELP cordon_", metric->name, " ",
		metric->help, "\n# TYPE cordon_", metric->name, " ",
		metric->type, "\ncordon_", metric->name, " " };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		json_out_text(out, parts[i]);
	json_out_uint(out, metric->value);
	json_out_text(out, "\n");
}

void
metrics_answer(struct gateway *gateway, struct http_request *request)
{
	static const struct http_header type[] = {
		{ "Content-Type", "text/plain; version=0.0.4" },
	};
	struct pool_stats stats = { 0 };
	struct json_out out;
	size_t len = 0;

	pool_stats_get(gateway->pool, &stats);
	const struct metric metrics[] = {
		{ "http_requests_total", "counter", "HTTP requests",
		    gateway->n_requests },
		{ "http_refused_total", "counter",
		    "refused by Host, Origin or token", gateway->n_refused },
		{ "http_pending", "gauge", "requests not answered yet",
		    http_server_pending(gateway->http) },
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

	json_out_init(&out, 16384);
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
		put_metric(&out, &metrics[i]);
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
