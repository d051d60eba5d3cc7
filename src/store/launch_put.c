/* SPDX-License-Identifier: Apache-2.0 */
#include "store/launch.h"
#include "store/egress/egress.h"

#include <sodium.h>

#include "base/auto.h"

#define MS 1000000u

const char *const launch_states[WIRE_STATE_DENIED + 1] = { "quarantined",
	"approved", "changed", "denied" };
const char *const launch_kinds[WIRE_KIND_REMOTE + 1] = { "isolate", "socket",
	"box", "remote" };
const char *const launch_shares[WIRE_SHARE_ALL + 1] = { "principal", "session",
	"all" };
static const char *const origins[] = { "folder", "admin" };

/* Those that hold wherever a call is served. */
static void
call_limits_put(struct json_out *out, const struct wire_limits *limits)
{
	put_uint(out, "\"wall_ms\":", limits->wall_ns / MS);
	put_uint(out, ",\"result_bytes\":", limits->result_bytes);
	put_uint(out, ",\"log_bytes\":", limits->log_bytes);
}

static void
cell_put(struct json_out *out, const struct wire_deployment *launch)
{
	const struct wire_limits *limits = &launch->limits;

	put_uint(out, ",\"pool_max\":", launch->pool_max);
	json_out_text(out, ",\"limits\":{");
	call_limits_put(out, limits);
	put_uint(out, ",\"cpu_ms\":", limits->cpu_ns / MS);
	put_uint(out, ",\"memory_bytes\":", limits->memory_bytes);
	put_uint(out, ",\"load_cpu_ms\":", limits->load_cpu_ns / MS);
	put_uint(out, ",\"load_wall_ms\":", limits->load_wall_ns / MS);
	put_uint(out, "},\"reuse\":", limits->reuse_calls);
	json_out_text(out, ",\"jit\":");
	json_out_text(
	    out, limits->flags & WIRE_LIMITS_JITLESS ? "false" : "true");
	json_out_text(out, ",\"warmup\":");
	json_out_text(
	    out, limits->flags & WIRE_LIMITS_NO_WARMUP ? "false" : "true");
}

static void
box_put(struct json_out *out, const struct wire_deployment *launch)
{
	const struct wire_box *box = &launch->box;

	put_uint(out, ",\"box\":{\"start_ms\":", box->start_ms);
	put_uint(out, ",\"idle_s\":", box->idle_s);
	put_uint(out, ",\"life_s\":", box->life_s);
	put_uint(out, ",\"spares\":", box->spares);
	put_uint(out, ",\"starts_per_minute\":", box->starts_per_minute);
	json_out_text(out, "},\"limits\":{");
	call_limits_put(out, &launch->limits);
	json_out_text(out, "}");
}

static void
approved_put(struct json_out *out, const struct db_server *server)
{
	json_out_text(out, ",\"approved\":");
	if (sodium_is_zero(server->approved, sizeof(server->approved)))
		json_out_text(out, "null");
	else
		put_hex(out, "", server->approved);
}

int
launch_put(struct store *store, const struct db_server *server,
    size_t document_max, struct json_out *out)
{
	const struct wire_deployment *launch = &server->record.launch;
	int code = 0;

	put_uint(out, "\"id\":", server->record.id);
	put_string(out, ",\"name\":", launch->name);
	put_string(out, ",\"tenant\":", launch->tenant);
	put_string(out, ",\"state\":", launch_states[server->record.state]);
	put_string(out, ",\"origin\":", origins[server->record.origin]);
	put_string(out, ",\"kind\":", launch_kinds[launch->kind]);
	put_hex(out, ",\"digest\":", server->digest);
	approved_put(out, server);
	if (launch->kind == WIRE_KIND_SOCKET)
		put_string(out, ",\"socket\":", launch->socket);
	else if (launch->kind == WIRE_KIND_REMOTE)
		put_string(out, ",\"url\":", launch->url);
	else
		put_hex(out, ",\"bundle\":", launch->digest);
	if (launch->kind != WIRE_KIND_ISOLATE)
		put_string(out, ",\"share\":", launch_shares[launch->share]);
	if (launch->kind == WIRE_KIND_BOX) {
		code = document_put(store, launch->digest, document_max, out);
		box_put(out, launch);
	} else if (launch->kind == WIRE_KIND_REMOTE) {
		code = network_put(store, server, document_max, out);
		json_out_text(out, ",\"limits\":{");
		call_limits_put(out, &launch->limits);
		json_out_text(out, "}");
	} else {
		code = network_put(store, server, document_max, out);
		cell_put(out, launch);
	}
	put_uint(out, ",\"created\":", server->created);
	return code;
}
