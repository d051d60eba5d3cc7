/* SPDX-License-Identifier: Apache-2.0 */

/*
 * /admin: what the registry holds is the store's to change, which looks at the
 * token by itself (an owned gateway approves nothing); what runs is told and
 * restarted here. Whoever comes this far has a token that may administer.
 */

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/egress/watch.h"
#include "gateway/log.h"
#include "gateway/openapi.h"
#include "gateway/route.h"
#include "gateway/runtime.h"
#include "gateway/store.h"
#include "http/guard.h"

/* Tests are built with less. */
#ifndef ADMIN_PATIENCE_S
#define ADMIN_PATIENCE_S 10
#endif
/* Of sign-ins: the store asks strangers, and gives up after 45 s. */
#define LOGIN_PATIENCE_S (ADMIN_PATIENCE_S + 45)

/* A question to the store, and who waits for the answer. */
struct question {
	struct visit visit;
	struct event *patience;
	int patience_s;
	uint32_t id;
};

static const struct http_header json_type = { "Content-Type",
	"application/json" };

static void
question_free(struct question *question)
{
	event_free(question->patience);
	free(question);
}

static void
question_gone(struct visit *visit)
{
	struct question *question = (struct question *)visit;

	store_forget(visit->gateway, question->id);
	question_free(question);
}

static const struct visit_ops question_ops = { .gone = question_gone };

static void
on_reply(void *arg, unsigned status, const char *json, size_t len)
{
	struct question *question = arg;
	struct http_request *request = question->visit.request;
	char *copy = len == 0 ? NULL : malloc(len);

	if (copy != NULL)
		memcpy(copy, json, len);
	if (len > 0 && copy == NULL)
		status = 500;
	http_reply(
	    request, status, &json_type, 1, copy, copy == NULL ? 0 : len);
	question_free(question);
}

static void
on_impatience(evutil_socket_t fd, short what, void *arg)
{
	struct question *question = arg;
	const struct visit visit = question->visit;
	const int patience_s = question->patience_s;

	(void)fd;
	(void)what;
	store_forget(visit.gateway, question->id);
	question_free(question);
	route_refuse(visit.gateway, visit.request, 504,
	    "the store has not answered within %d s: look whether it was done "
	    "before you ask again",
	    patience_s);
}

static int
question_make(
    struct question **questionp, const struct visit *visit, int patience_s)
{
	const struct timeval patience = { patience_s, 0 };
	struct question *question = calloc(1, sizeof(*question));

	if (question == NULL)
		return -ENOMEM;
	question->visit = *visit;
	question->visit.ops = &question_ops;
	question->patience_s = patience_s;
	question->patience =
	    event_new(visit->gateway->base, -1, 0, on_impatience, question);
	if (question->patience == NULL) {
		free(question);
		return -ENOMEM;
	}
	event_add(question->patience, &patience);
	*questionp = question;
	return 0;
}

static void
refuse_asking(const struct visit *visit, int r)
{
	http_request_answer_with(visit->request, "Retry-After", "1");
	if (r == STORE_E_AWAY)
		route_refuse(visit->gateway, visit->request, 503,
		    "the store is restarting: nothing can be changed or "
		    "listed right now; try again in a second");
	else if (r == STORE_E_BUSY)
		route_refuse(visit->gateway, visit->request, 503,
		    "%u admin requests are under way, which is all there may "
		    "be; try again in a second",
		    STORE_ASKED_MAX);
	else
		route_refuse(
		    visit->gateway, visit->request, 503, "out of memory");
}

static void
store_forward(const struct arrival *arrival, const struct visit *visit)
{
	struct http_request *request = visit->request;
	const char *method = http_request_method(request);
	struct wire_admin admin = { 0 };
	struct question *question;
	size_t len;
	const uint8_t *body = http_request_body(request, &len);

	/* Not of the replica: that one does not open the store. */
	http_bearer_hash(
	    http_request_header(request, "Authorization"), admin.token_hash);
	log_id(admin.request, arrival->id);
	snprintf(admin.path, sizeof(admin.path), "%s", arrival->rest);
	snprintf(admin.method, sizeof(admin.method), "%.7s", method);
	const bool is_login = strncmp(arrival->rest, "/logins", 7) == 0;
	int r = question_make(
	    &question, visit, is_login ? LOGIN_PATIENCE_S : ADMIN_PATIENCE_S);
	if (r != 0) {
		refuse_asking(visit, r);
		return;
	}
	r = store_ask(arrival->gateway, &admin, body, len, on_reply, question,
	    &question->id);
	if (r != 0) {
		question_free(question);
		refuse_asking(visit, r);
		return;
	}
	http_request_body_drop(request);
	http_request_owner_set(request, question);
}

/* The value of a query's parameter, which is a name: nothing in it is
 * escaped. False: it is not there. */
static bool
query_get(const char *target, const char *key, char value[WIRE_NAME_MAX])
{
	const size_t key_len = strlen(key);
	const char *at = strchr(target, '?');

	while (at != NULL) {
		at++;
		const size_t len = strcspn(at, "&");
		if (len > key_len && at[key_len] == '=' &&
		    strncmp(at, key, key_len) == 0 &&
		    len - key_len - 1 < WIRE_NAME_MAX) {
			memcpy(value, at + key_len + 1, len - key_len - 1);
			value[len - key_len - 1] = '\0';
			return true;
		}
		at = strchr(at, '&');
	}
	return false;
}

/* The tenant that is meant: one's own; any, for those of "local". NULL. */
static struct tenant *
tenant_meant(const struct arrival *arrival)
{
	struct tenant *own = arrival->principal->tenant;
	char name[WIRE_NAME_MAX];

	if (!query_get(arrival->rest, "tenant", name) ||
	    strcmp(name, own->record.name) == 0)
		return own;
	return own->record.id == WIRE_TENANT_LOCAL
	    ? registry_tenant_find(arrival->gateway, name)
	    : NULL;
}

/* "/servers/NAME/VERB" */
static bool
is_server_verb(const char *rest, const char *verb, char name[WIRE_NAME_MAX])
{
	static const char prefix[] = "/servers/";

	if (strncmp(rest, prefix, sizeof(prefix) - 1) != 0)
		return false;
	rest += sizeof(prefix) - 1;
	const size_t len = strcspn(rest, "/?");
	if (len == 0 || len >= WIRE_NAME_MAX ||
	    !route_is_path(rest + len, verb))
		return false;
	memcpy(name, rest, len);
	name[len] = '\0';
	return true;
}

static bool
method_is(const struct visit *visit, const char *method)
{
	const char *is = http_request_method(visit->request);

	if (strcmp(is, method) == 0 ||
	    (strcmp(is, "HEAD") == 0 && strcmp(method, "GET") == 0))
		return true;
	http_request_answer_with(visit->request, "Allow", method);
	route_refuse(visit->gateway, visit->request, 405,
	    "only %s can be done here", method);
	return false;
}

static struct server *
server_meant(
    const struct arrival *arrival, const struct visit *visit, const char *name)
{
	struct tenant *tenant = tenant_meant(arrival);
	struct server *server = tenant == NULL
	    ? NULL
	    : registry_server_find(arrival->gateway, tenant, name);

	if (server == NULL)
		route_refuse(visit->gateway, visit->request, 404,
		    "there is no server '%.63s'%s", name,
		    tenant == NULL ? ": nor such a tenant" : "");
	return server;
}

static void
logs_answer(
    const struct arrival *arrival, const struct visit *visit, const char *name)
{
	struct server *server;
	char follow[WIRE_NAME_MAX] = "";

	if (!method_is(visit, "GET") ||
	    (server = server_meant(arrival, visit, name)) == NULL)
		return;
	query_get(arrival->rest, "follow", follow);
	server_log_answer(visit, server, strcmp(follow, "1") == 0);
}

/* Those of "local" who name no tenant see all. */
static void
egress_log(const struct arrival *arrival, const struct visit *visit)
{
	char follow[WIRE_NAME_MAX] = "", refused[WIRE_NAME_MAX] = "";
	char name[WIRE_NAME_MAX];
	struct egress_wanted wanted = { .tenant = tenant_meant(arrival) };

	if (!method_is(visit, "GET"))
		return;
	if (wanted.tenant == NULL) {
		route_refuse(visit->gateway, visit->request, 404,
		    "there is no such tenant");
		return;
	}
	if (wanted.tenant->record.id == WIRE_TENANT_LOCAL &&
	    !query_get(arrival->rest, "tenant", name))
		wanted.tenant = NULL;
	query_get(arrival->rest, "server", wanted.server);
	wanted.refused = query_get(arrival->rest, "refused", refused) &&
	    strcmp(refused, "1") == 0;
	wanted.follow = query_get(arrival->rest, "follow", follow) &&
	    strcmp(follow, "1") == 0;
	egress_admin_log(visit, &wanted);
}

static void
restart(
    const struct arrival *arrival, const struct visit *visit, const char *name)
{
	static const char done[] = "{\"restarted\":true}\n";
	struct server *server;

	if (!method_is(visit, "POST") ||
	    (server = server_meant(arrival, visit, name)) == NULL)
		return;
	log_line(LOG_INFO, arrival->id, "server %s is restarted by %s",
	    server->name, arrival->principal->record.name);
	registry_audit(arrival->gateway, arrival->principal, arrival->id,
	    "server/restart", NULL, 0);
	upstream_restart(arrival->gateway, server);
	http_reply_static(visit->request, 200, &json_type, 1, done);
}

static void
runtime_answer(const struct arrival *arrival, const struct visit *visit)
{
	const struct tenant *own = arrival->principal->tenant;
	const struct tenant *tenant = tenant_meant(arrival);
	char name[WIRE_NAME_MAX];
	size_t len = 0;

	if (!method_is(visit, "GET"))
		return;
	if (tenant == NULL) {
		route_refuse(visit->gateway, visit->request, 404,
		    "there is no such tenant");
		return;
	}
	/* Those of "local" who name none see all. */
	if (own->record.id == WIRE_TENANT_LOCAL &&
	    !query_get(arrival->rest, "tenant", name))
		tenant = NULL;
	char *json = runtime_json(arrival->gateway, tenant, &len);
	http_reply(
	    visit->request, json == NULL ? 500 : 200, &json_type, 1, json, len);
}

static bool
is_servers(const char *rest)
{
	return route_is_path(rest, "/servers");
}

void
admin_head(struct arrival *arrival, struct http_request *request)
{
	const size_t path_max = sizeof(((struct wire_admin *)0)->path);

	if (strlen(arrival->rest) >= path_max)
		route_refuse(arrival->gateway, request, 414,
		    "an admin path has less than %zu bytes", path_max);
	else if (is_servers(arrival->rest))
		http_request_body_allow(request, WIRE_STORE_BODY_MAX);
}

void
admin_request(struct arrival *arrival, struct http_request *request)
{
	const struct visit visit = {
		.gateway = arrival->gateway,
		.principal = arrival->principal,
		.request = request,
		.rest = arrival->rest,
		.id = arrival->id,
	};
	char name[WIRE_NAME_MAX];

	if (route_is_path(arrival->rest, "/runtime"))
		runtime_answer(arrival, &visit);
	else if (route_is_path(arrival->rest, "/openapi.json"))
		http_reply_static(request, 200, &json_type, 1, openapi_json);
	else if (route_is_path(arrival->rest, "/egress/log"))
		egress_log(arrival, &visit);
	else if (is_server_verb(arrival->rest, "/logs", name))
		logs_answer(arrival, &visit, name);
	else if (is_server_verb(arrival->rest, "/restart", name))
		restart(arrival, &visit, name);
	else
		store_forward(arrival, &visit);
}
