/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The front door. Order matters: who speaks (Host, Origin, token) before what
 * is asked for, and both before a byte of body is read.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/gateway.h"
#include "gateway/log.h"
#include "http/guard.h"
#include "json/out.h"

#define SURFACE_JSON_MAX 1100 /* the sentence of an err, as an object */

static const struct http_header json_type = { "Content-Type",
	"application/json" };

void
route_refuse(struct gateway *gateway, struct http_request *request,
    unsigned status, const char *format, ...)
{
	const struct http_header headers[] = { json_type,
		{ "WWW-Authenticate", "Bearer" } };
	struct json_out out;
	char sentence[1024];
	size_t len = 0;
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	if (status == 401 || status == 403)
		gateway->n_refused++;
	log_line(LOG_DEBUG, 0, "answered %u: %s", status, sentence);

	json_out_init(&out, 8192);
	json_out_text(&out, "{\"error\":");
	json_out_string(&out, sentence, strlen(sentence));
	json_out_text(&out, "}\n");
	char *body = json_out_steal(&out, &len);
	json_out_fini(&out);
	http_reply(request, status, headers, status == 401 ? 2 : 1, body, len);
}

/* Exactly this path, whatever the query. */
static bool
is_path(const char *target, const char *path)
{
	const size_t len = strlen(path);

	return strncmp(target, path, len) == 0 &&
	    (target[len] == '\0' || target[len] == '?');
}

/* "/s/NAME/…" or "/s/NAME": the name; rest is what follows it. */
static bool
server_path(const char *target, char name[WIRE_NAME_MAX], const char **rest)
{
	if (strncmp(target, "/s/", 3) != 0)
		return false;
	const size_t len = strcspn(target + 3, "/?");
	if (len == 0 || len >= WIRE_NAME_MAX)
		return false;
	memcpy(name, target + 3, len);
	name[len] = '\0';
	*rest = target + 3 + len;
	return true;
}

static int
by_name(const void *key, const void *element)
{
	const struct bundle *server = element;

	return strcmp(key, server->name);
}

static struct bundle *
server_find(const struct gateway *gateway, const char *name)
{
	return bsearch(name, gateway->bundles, gateway->plan->n_deployments,
	    sizeof(struct bundle), by_name);
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
	    (gateway->plan->flags & WIRE_PLAN_NO_AUTH) != 0)
		principal = registry_anonymous(gateway);
	return principal;
}

static bool
guard(struct gateway *gateway, struct http_request *request)
{
	const struct wire_plan *plan = gateway->plan;
	const char *host = http_request_header(request, "Host");
	const char *origin = http_request_header(request, "Origin");

	if (!http_host_is_allowed(host, plan->hosts)) {
		route_refuse(gateway, request, 403,
		    "the Host '%.200s' is not one this server answers to: use "
		    "localhost or 127.0.0.1, or list it under hosts",
		    host == NULL ? "" : host);
		return false;
	}
	if (!http_origin_is_allowed(origin, plan->origins)) {
		route_refuse(gateway, request, 403,
		    "pages from the Origin '%.200s' may not call this server: "
		    "list it under origins to let them",
		    origin);
		return false;
	}
	if (principal_find(gateway,
		http_request_header(request, "Authorization")) == NULL) {
		route_refuse(gateway, request, 401,
		    "send the header 'Authorization: Bearer TOKEN' with the "
		    "token that `cordon serve` printed at its first start");
		return false;
	}
	return true;
}

static bool
is_probe(const char *target)
{
	return is_path(target, "/healthz") || is_path(target, "/readyz");
}

/* Probes of a load balancer come without token and with any Host. */
static void
answer_probe(struct gateway *gateway, struct http_request *request)
{
	static const struct http_header plain[] = {
		{ "Content-Type", "text/plain" },
	};
	const bool ready = !gateway->draining ||
	    !is_path(http_request_target(request), "/readyz");

	http_reply_static(request, ready ? 200 : 503, plain, 1,
	    ready ? "ok\n" : "draining\n");
}

/* The names, for whoever asked for one that is not there. */
static void
refuse_unknown(struct gateway *gateway, struct http_request *request)
{
	const uint32_t n = gateway->plan->n_deployments;
	char names[512] = "";

	for (uint32_t i = 0; i < n && i < 8; i++) {
		const size_t used = strlen(names);
		snprintf(names + used, sizeof(names) - used, "%s/s/%s/mcp",
		    i == 0 ? "" : ", ", gateway->bundles[i].name);
	}
	route_refuse(gateway, request, 404,
	    "nothing is at '%.200s'; a server is reached at /s/NAME/mcp, here "
	    "%s%s",
	    http_request_target(request), n == 0 ? "there is none yet" : names,
	    n > 8 ? ", …" : "");
}

static void
on_head(void *arg, struct http_request *request)
{
	struct gateway *gateway = arg;
	const char *target = http_request_target(request), *rest;
	char name[WIRE_NAME_MAX];

	gateway->n_requests++;
	if (is_probe(target))
		answer_probe(gateway, request);
	else if (!guard(gateway, request))
		return;
	else if (is_path(target, "/metrics"))
		metrics_answer(gateway, request);
	else if (!server_path(target, name, &rest) ||
	    server_find(gateway, name) == NULL)
		refuse_unknown(gateway, request);
}

static void
visit_start(const struct visit *visit)
{
	const char *rest = "";
	char name[WIRE_NAME_MAX];

	if (visit->bundle->surface->is_fetch) {
		fetch_start(visit);
		return;
	}
	server_path(http_request_target(visit->request), name, &rest);
	if (!is_path(rest, "/mcp"))
		route_refuse(visit->gateway, visit->request, 404,
		    "the server %s is at /s/%s/mcp only", name, name);
	else
		rpc_start(visit);
}

/* A visit that waits for its server's surface. */

static void
waiter_gone(struct visit *visit)
{
	visit->request = NULL;
}

static const struct visit_ops waiter_ops = { .gone = waiter_gone };

/* On failure `json` says why, in our own words. */
static int
surface_keep(struct bundle *server, const char *raw_json, size_t len,
    char json[SURFACE_JSON_MAX])
{
	struct err err = { 0 };

	if (server->surface != NULL)
		return 0;
	const int r = mcp_surface_admit(raw_json, len, &server->surface, &err);
	if (r == 0)
		return 0;
	log_line(LOG_WARN, 0, "server %s: %s", server->name, err.text);
	snprintf(json, SURFACE_JSON_MAX, "{\"message\":\"%s\"}",
	    err.text[0] != '\0' ? err.text : "out of memory");
	return r;
}

static void
on_surface(void *arg, const char *raw_json, size_t len,
    const struct pool_outcome *failure)
{
	auto_free struct visit *visit = arg;
	char json[SURFACE_JSON_MAX] =
	    "{\"message\":\"its surface is not what a bundle can declare\"}";

	if (raw_json != NULL &&
	    surface_keep(visit->bundle, raw_json, len, json) != 0)
		failure = NULL;
	const struct pool_outcome refused = {
		.end = POOL_LOAD_ERROR, .text = json, .text_len = strlen(json)
	};
	if (visit->request == NULL)
		return;
	http_request_owner_set(visit->request, NULL);
	if (visit->bundle->surface == NULL)
		rpc_refuse_load(visit, failure == NULL ? &refused : failure);
	else
		visit_start(visit);
}

static void
surface_wait(const struct visit *visit)
{
	struct visit *waiter = malloc(sizeof(*waiter));

	if (waiter != NULL) {
		*waiter = *visit;
		waiter->ops = &waiter_ops;
		http_request_owner_set(visit->request, waiter);
		if (pool_surface_get(visit->gateway->pool,
			visit->bundle->deployment, on_surface, waiter) == 0)
			return;
		http_request_owner_set(visit->request, NULL);
		free(waiter);
	}
	route_refuse(visit->gateway, visit->request, 503, "out of memory");
}

static void
on_request(void *arg, struct http_request *request)
{
	struct gateway *gateway = arg;
	const char *rest;
	char name[WIRE_NAME_MAX];

	if (!server_path(http_request_target(request), name, &rest))
		return; /* cannot be: on_head() answered */
	struct principal *principal = principal_find(
	    gateway, http_request_header(request, "Authorization"));
	if (principal == NULL) {
		route_refuse(gateway, request, 401, "the token has expired");
		return;
	}
	const struct visit visit = {
		.gateway = gateway,
		.principal = principal,
		.endpoint = { .tenant = principal->tenant,
		    .server = registry_server_find(
			gateway, principal->tenant, name) },
		.bundle = server_find(gateway, name),
		.request = request,
		.id = ++gateway->next_request,
	};
	if (visit.bundle->surface != NULL)
		visit_start(&visit);
	else
		surface_wait(&visit);
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
};
