/* SPDX-License-Identifier: Apache-2.0 */

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/runtime.h"
#include "gateway/store.h"
#include "json/out.h"

#define RUNTIME_MAX (32u << 20)

struct number {
	const char *name;
	uint64_t value;
};

static void
put_numbers(struct json_out *out, const struct number *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_out_text(out, i == 0 ? "\"" : ",\"");
		json_out_text(out, numbers[i].name);
		json_out_text(out, "\":");
		json_out_uint(out, numbers[i].value);
	}
}

static void
put_string(struct json_out *out, const char *name, const char *text)
{
	json_out_text(out, "\"");
	json_out_text(out, name);
	json_out_text(out, "\":");
	json_out_string(out, text, strlen(text));
	json_out_text(out, ",");
}

static void
put_gateway(struct json_out *out, struct gateway *gateway)
{
	struct pool_stats pool = { 0 };
	struct front_counts front = { 0 };
	struct store_counts store;

	pool_stats_get(gateway->pool, &pool);
	front_counts_get(gateway, &front);
	store_counts_get(gateway, &store);
	const struct number numbers[] = {
		{ "requests", gateway->n_requests },
		{ "connections", http_server_connections(gateway->http) },
		{ "pending", http_server_pending(gateway->http) },
		{ "sessions", front.sessions },
		{ "streams", front.streams },
		{ "calls", front.calls },
		{ "asking", front.asking },
		{ "templates", pool.templates },
		{ "cells", pool.cells_waiting + pool.cells_busy },
		{ "cells_busy", pool.cells_busy },
		{ "store_here", store_is_here(gateway) },
		{ "audit_dropped", store.audit_dropped },
	};

	put_numbers(out, numbers, ARRAY_LEN(numbers));
	json_out_text(out, ",");
}

static void
put_server(struct json_out *out, const struct gateway *gateway,
    const struct server *server)
{
	static const char *const states[] = { "quarantined", "approved",
		"changed", "denied" };
	static const char *const kinds[] = { "isolate", "socket", "box" };
	struct pool_deployment_stats pool;

	pool_deployment_stats_get(gateway->pool, server->record.id, &pool);
	const struct number numbers[] = {
		{ "calls", server->n_calls },
		{ "failures", server->n_failures },
		{ "cpu_us", server->cpu_us },
		{ "links", upstream_links(server) },
		{ "boxes", server->n_boxes },
		{ "box_starts", server->n_box_starts },
		{ "calls_per_s", server->calls_per_s },
		{ "templates", pool.templates },
		{ "cells", pool.cells_waiting + pool.cells_busy },
		{ "cells_busy", pool.cells_busy },
	};

	json_out_text(out, "{");
	put_string(out, "name", server->name);
	put_string(out, "tenant", server->tenant->record.name);
	put_string(out, "state", states[server->record.state]);
	put_string(out, "kind", kinds[server->record.launch.kind]);
	put_numbers(out, numbers, ARRAY_LEN(numbers));
	json_out_text(out, "}");
}

static void
put_meter(struct json_out *out, const struct meter *meter, uint32_t n_sessions)
{
	const struct number numbers[] = {
		{ "requests", meter->n_requests },
		{ "calls", meter->n_calls },
		{ "refused", meter->n_refused },
		{ "running", meter->running },
		{ "cpu_us", meter->total_cpu_us },
		{ "sessions", n_sessions },
	};

	put_numbers(out, numbers, ARRAY_LEN(numbers));
	json_out_text(out, "}");
}

static void
put_servers(
    struct json_out *out, struct gateway *gateway, const struct tenant *tenant)
{
	const struct server *server;
	bool any = false;

	json_out_text(out, "\"servers\":[");
	for (size_t i = 0; (server = registry_server_at(gateway, i)) != NULL;
	     i++) {
		if (tenant != NULL && server->tenant != tenant)
			continue;
		json_out_text(out, any ? "," : "");
		put_server(out, gateway, server);
		any = true;
	}
	json_out_text(out, "]");
}

static void
put_tenants(
    struct json_out *out, struct gateway *gateway, const struct tenant *only)
{
	const struct tenant *tenant;
	bool any = false;

	json_out_text(out, ",\"tenants\":[");
	for (size_t i = 0; (tenant = registry_tenant_at(gateway, i)) != NULL;
	     i++) {
		if (only != NULL && tenant != only)
			continue;
		json_out_text(out, any ? ",{" : "{");
		put_string(out, "name", tenant->record.name);
		put_meter(out, &tenant->meter, tenant->n_sessions);
		any = true;
	}
	json_out_text(out, "]");
}

static void
put_principals(
    struct json_out *out, struct gateway *gateway, const struct tenant *tenant)
{
	const struct principal *principal;
	bool any = false;

	json_out_text(out, ",\"principals\":[");
	for (size_t i = 0;
	     (principal = registry_principal_at(gateway, i)) != NULL; i++) {
		const struct number id = { "id", principal->record.id };
		if (tenant != NULL && principal->tenant != tenant)
			continue;
		json_out_text(out, any ? ",{" : "{");
		put_string(out, "name", principal->record.name);
		put_string(out, "tenant", principal->tenant->record.name);
		put_numbers(out, &id, 1);
		json_out_text(out, ",");
		put_meter(out, &principal->meter, principal->n_sessions);
		any = true;
	}
	json_out_text(out, "]");
}

char *
runtime_json(struct gateway *gateway, const struct tenant *tenant, size_t *len)
{
	struct json_out out;

	json_out_init(&out, RUNTIME_MAX);
	json_out_text(&out, "{");
	if (tenant == NULL)
		put_gateway(&out, gateway);
	put_servers(&out, gateway, tenant);
	put_tenants(&out, gateway, tenant);
	put_principals(&out, gateway, tenant);
	json_out_text(&out, "}\n");
	char *json = json_out_steal(&out, len);
	json_out_fini(&out);
	return json;
}
