/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The front door. Order matters: probes, then who speaks (Host, Origin, token),
 * then how much (quota), then what is asked for; all of it before a byte of
 * body is read. What is not there, not approved and not yours looks the same.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "gateway/log.h"
#include "gateway/route.h"
#include "gateway/turn.h"
#include "http/guard.h"
#include "json/out.h"

static const struct http_header json_type = { "Content-Type",
	"application/json" };

static uint64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void
route_refuse(struct gateway *gateway, struct http_request *request,
    unsigned status, const char *format, ...)
{
	const struct arrival *arrival = http_request_note(request);
	struct json_out out;
	char sentence[1024];
	size_t len = 0;
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	if (status == 401 || status == 403)
		gateway->n_refused++;
	log_line(LOG_DEBUG, arrival == NULL ? 0 : arrival->id,
	    "answered %u: %s", status, sentence);

	json_out_init(&out, 8192);
	json_out_text(&out, "{\"error\":");
	json_out_string(&out, sentence, strlen(sentence));
	json_out_text(&out, "}\n");
	char *body = json_out_steal(&out, &len);
	json_out_fini(&out);
	http_reply(request, status, &json_type, 1, body, len);
}

bool
route_is_path(const char *target, const char *path)
{
	const size_t len = strlen(path);

	return strncmp(target, path, len) == 0 &&
	    (target[len] == '\0' || target[len] == '?');
}

/* Takes "/PREFIX/NAME" off the target's front. */
static bool
take_name(const char **target, const char *prefix, char name[WIRE_NAME_MAX])
{
	const size_t skip = strlen(prefix);

	if (strncmp(*target, prefix, skip) != 0)
		return false;
	const size_t len = strcspn(*target + skip, "/?");
	if (len == 0 || len >= WIRE_NAME_MAX)
		return false;
	memcpy(name, *target + skip, len);
	name[len] = '\0';
	*target += skip + len;
	return true;
}

/*
 * What a target means to its principal. PLACE_NONE: nothing that it could know
 * of. The tenant may be said, if it is its own.
 */
static void
place_find(struct arrival *arrival, const char *target)
{
	const struct tenant *tenant = arrival->principal->tenant;
	char name[WIRE_NAME_MAX];

	arrival->place = PLACE_NONE;
	arrival->rest = target;
	if (route_is_path(target, "/metrics"))
		arrival->place = PLACE_METRICS;
	if (strncmp(target, "/admin/", 7) == 0) {
		arrival->place = PLACE_ADMIN;
		arrival->rest = target + strlen("/admin");
	}
	if (take_name(&target, "/t/", name) &&
	    strcmp(name, tenant->record.name) != 0)
		return;
	if (route_is_path(target, "/mcp")) {
		arrival->place = PLACE_MCP;
		arrival->rest = target;
	} else if (take_name(&target, "/s/", name)) {
		struct server *server =
		    registry_server_find(arrival->gateway, tenant, name);
		if (server == NULL ||
		    !registry_sees(arrival->principal, server))
			return;
		arrival->server = server_ref(server);
		arrival->place =
		    route_is_path(target, "/mcp") ? PLACE_MCP : PLACE_RAW;
		arrival->rest = target;
	}
}

/* Who comes with this Authorization; NULL: nobody that we know. */
static struct principal *
principal_find(struct gateway *gateway, const char *raw_authorization)
{
	struct principal *principal = NULL;
	uint8_t hash[HTTP_TOKEN_HASH_BYTES];

	if (http_bearer_hash(raw_authorization, hash))
		principal = registry_principal_by_hash(gateway, hash);
	if (principal == NULL &&
	    (gateway->settings.flags & WIRE_PLAN_NO_AUTH) != 0)
		principal = registry_anonymous(gateway);
	return principal;
}

/* Pages in a browser reach this machine too: who they say they talk to, and
 * where they are from. */
static bool
guard_pages(struct gateway *gateway, struct http_request *request)
{
	const char *host = http_request_header(request, "Host");
	const char *origin = http_request_header(request, "Origin");

	if (http_request_listener(request) != LISTENER_ADMIN &&
	    !http_host_is_allowed(host, gateway->settings.hosts)) {
		route_refuse(gateway, request, 403,
		    "the Host '%.200s' is not one this server answers to: use "
		    "localhost or 127.0.0.1, or list it under hosts",
		    host == NULL ? "" : host);
		return false;
	}
	if (!http_origin_is_allowed(origin, gateway->settings.origins)) {
		route_refuse(gateway, request, 403,
		    "pages from the Origin '%.200s' may not call this server: "
		    "list it under origins to let them",
		    origin);
		return false;
	}
	if (origin != NULL)
		cors_allow(request, origin);
	return true;
}

static bool
guard_token(struct arrival *arrival, struct http_request *request)
{
	struct gateway *gateway = arrival->gateway;

	if (!registry_is_ready(gateway)) {
		http_request_answer_with(request, "Retry-After", "1");
		route_refuse(gateway, request, 503,
		    "starting: the store has not yet told who may come in; "
		    "try again in a second");
		return false;
	}
	struct principal *principal = principal_find(
	    gateway, http_request_header(request, "Authorization"));
	if (principal == NULL) {
		challenge_set(request, NULL);
		route_refuse(gateway, request, 401,
		    "send the header 'Authorization: Bearer TOKEN' with a "
		    "token that is valid: the one that `cordon serve` printed "
		    "at its first start, or one of `cordon token create`");
		return false;
	}
	arrival->principal = principal_ref(principal);
	return true;
}

static bool
guard_scope(struct arrival *arrival, struct http_request *request)
{
	const uint32_t scopes = arrival->principal->record.scopes;
	const bool administers = arrival->place == PLACE_ADMIN;
	const uint32_t needed = administers ? WIRE_SCOPE_ADMIN
	    : arrival->place == PLACE_METRICS
	    ? WIRE_SCOPE_ADMIN | WIRE_SCOPE_READ
	    : WIRE_SCOPE_READ;
	const char *name = administers ? "admin" : "read";

	if ((scopes & needed) != 0)
		return true;
	challenge_set(request, name);
	route_refuse(arrival->gateway, request, 403,
	    "this needs a token with the scope '%s', which yours has not",
	    name);
	return false;
}

static bool
guard_quota(struct arrival *arrival, struct http_request *request)
{
	struct quota_refusal refusal;
	char seconds[16];

	if (arrival->place != PLACE_MCP && arrival->place != PLACE_RAW)
		return true;
	if (quota_request(arrival->principal, &refusal) == 0 &&
	    quota_hold_enter(
		&arrival->gateway->hold, arrival->principal, &refusal) == 0) {
		arrival->is_held = true;
		return true;
	}
	snprintf(seconds, sizeof(seconds), "%u", refusal.retry_s);
	http_request_answer_with(request, "Retry-After", seconds);
	route_refuse(arrival->gateway, request, 429,
	    "the quota %s of this %s is used up: try again in %s s",
	    refusal.what, refusal.whose, seconds);
	return false;
}

static bool
is_probe(const char *target)
{
	return route_is_path(target, "/healthz") ||
	    route_is_path(target, "/readyz");
}

/* Probes of a load balancer come without token and with any Host. */
static void
answer_probe(struct gateway *gateway, struct http_request *request)
{
	static const struct http_header plain[] = {
		{ "Content-Type", "text/plain" },
	};
	const char *why = gateway->draining ? "draining\n"
	    : !registry_is_ready(gateway)   ? "starting\n"
					    : "ok\n";
	const bool well = why[0] == 'o' ||
	    !route_is_path(http_request_target(request), "/readyz");

	http_reply_static(
	    request, well ? 200 : 503, plain, 1, well ? "ok\n" : why);
}

/* The names that it may know, for whoever asked for another. */
static void
refuse_unknown(struct arrival *arrival, struct http_request *request)
{
	const char *target = http_request_target(request);
	/* What stands behind it may be a secret, and this is logged. */
	const size_t path_len = strcspn(target, "?");
	const struct server *server = NULL;
	char names[512] = "";
	unsigned n = 0;

	while ((server = registry_next(
		    arrival->gateway, arrival->principal, server)) != NULL) {
		const size_t used = strlen(names);
		if (n++ < 8)
			snprintf(names + used, sizeof(names) - used,
			    "%s/s/%s/mcp", n == 1 ? "" : ", ", server->name);
	}
	route_refuse(arrival->gateway, request, 404,
	    "nothing is at '%.*s'; a server is reached at /s/NAME/mcp, all "
	    "of them at /mcp; here %s%s",
	    (int)(path_len < 200 ? path_len : 200), target,
	    n == 0 ? "there is none yet" : names, n > 8 ? ", …" : "");
}

static void
place_enter(struct arrival *arrival, struct http_request *request)
{
	place_find(arrival, http_request_target(request));
	if (arrival->place == PLACE_NONE) {
		refuse_unknown(arrival, request);
		return;
	}
	if (!guard_scope(arrival, request) || !guard_quota(arrival, request))
		return;
	if (arrival->place == PLACE_METRICS)
		metrics_answer(arrival->gateway, arrival->principal, request);
	else if (arrival->place == PLACE_ADMIN)
		admin_head(arrival, request);
}

static struct arrival *
arrival_new(struct gateway *gateway, struct http_request *request)
{
	struct arrival *arrival = calloc(1, sizeof(*arrival));
	char id[LOG_ID_MAX];

	if (arrival == NULL)
		return NULL;
	arrival->gateway = gateway;
	arrival->request = request;
	arrival->id = ++gateway->next_request;
	arrival->began_us = now_us();
	http_request_note_set(request, arrival);
	log_id(id, arrival->id);
	http_request_answer_with(request, "X-Request-Id", id);
	return arrival;
}

static void
on_head(void *arg, struct http_request *request)
{
	struct gateway *gateway = arg;
	const char *target = http_request_target(request);

	gateway->n_requests++;
	struct arrival *arrival = arrival_new(gateway, request);
	if (arrival == NULL)
		route_refuse(gateway, request, 503, "out of memory");
	else if (is_probe(target))
		answer_probe(gateway, request);
	else if (!guard_pages(gateway, request) ||
	    cors_answer(gateway, request))
		return;
	else if (is_resource_metadata(target))
		resource_metadata_answer(gateway, request);
	else if (guard_token(arrival, request))
		place_enter(arrival, request);
}

static void
endpoint_enter(const struct arrival *arrival, struct http_request *request)
{
	const struct visit visit = {
		.gateway = arrival->gateway,
		.principal = arrival->principal,
		.endpoint = { .tenant = arrival->principal->tenant,
		    .server = arrival->server },
		.request = request,
		.rest = arrival->rest,
		.id = arrival->id,
	};

	if (arrival->place == PLACE_RAW)
		fetch_start(&visit);
	else
		rpc_start(&visit);
}

/* The body took its time: much may have changed. */
static bool
arrival_stands(struct arrival *arrival, struct http_request *request)
{
	const struct principal *principal = arrival->principal;

	if (principal->gone) {
		challenge_set(request, NULL);
		route_refuse(arrival->gateway, request, 401,
		    "the token was revoked, or has expired");
		return false;
	}
	if (arrival->server != NULL &&
	    !registry_sees(principal, arrival->server)) {
		refuse_unknown(arrival, request);
		return false;
	}
	return guard_scope(arrival, request);
}

void
route_serve(struct arrival *arrival)
{
	if (!arrival_stands(arrival, arrival->request))
		return;
	if (arrival->place == PLACE_ADMIN)
		admin_request(arrival, arrival->request);
	else
		endpoint_enter(arrival, arrival->request);
}

static void
on_request(void *arg, struct http_request *request)
{
	struct arrival *arrival = http_request_note(request);

	(void)arg;
	if (turn_take(arrival))
		route_serve(arrival);
}

/* One line a request; what went wrong here is told to everybody. */
static void
arrival_log(const struct arrival *arrival, struct http_request *request,
    unsigned status)
{
	const struct principal *principal = arrival->principal;
	const char *target = http_request_target(request);
	const struct log_fields fields = {
		.request = arrival->id,
		.principal = principal == NULL ? NULL : principal->record.name,
		.principal_id = principal == NULL ? 0 : principal->record.id,
		.tenant =
		    principal == NULL ? NULL : principal->tenant->record.name,
		.server =
		    arrival->server == NULL ? NULL : arrival->server->name,
		.trace = http_request_header(request, "traceparent"),
		.status = status,
		.us = now_us() - arrival->began_us,
	};

	log_event(status >= 500 && status != 503 ? LOG_WARN : LOG_DEBUG,
	    &fields, "%s %.*s", http_request_method(request),
	    (int)strcspn(target, "?"), target);
}

static void
on_answered(void *arg, struct http_request *request, unsigned status)
{
	const struct arrival *arrival = http_request_note(request);

	if (arrival != NULL)
		metrics_answered(arg, status, now_us() - arrival->began_us);
	else
		metrics_answered(arg, status, 0); /* refused by http/ */
	if (arrival != NULL)
		arrival_log(arrival, request, status);
}

static void
on_over(void *arg, struct http_request *request)
{
	struct arrival *arrival = http_request_note(request);

	(void)arg;
	turn_leave(arrival);
	if (arrival->is_held)
		quota_hold_leave(&arrival->gateway->hold, arrival->principal);
	principal_unref(arrival->principal);
	server_unref(arrival->server);
	free(arrival);
}

static void
on_gone(void *owner, struct http_request *request)
{
	struct visit *visit = owner;

	(void)request;
	log_line(LOG_DEBUG, visit->id, "the client left");
	visit->ops->gone(visit);
}

static void
on_drained(void *owner, struct http_request *request)
{
	struct visit *visit = owner;

	(void)request;
	if (visit->ops->drained != NULL)
		visit->ops->drained(visit);
}

static void
on_silent(void *owner, struct http_request *request)
{
	struct visit *visit = owner;

	(void)request;
	if (visit->ops->silent != NULL)
		visit->ops->silent(visit);
}

const struct http_ops route_ops = {
	.head = on_head,
	.request = on_request,
	.gone = on_gone,
	.drained = on_drained,
	.silent = on_silent,
	.answered = on_answered,
	.over = on_over,
};
