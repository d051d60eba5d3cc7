/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "gateway/gateway.h"

int
upstream_call_start(struct gateway *gateway, struct server *server,
    const struct client *client, const struct upstream_request *request,
    const struct upstream_call_ops *ops, void *arg,
    struct upstream_call **callp)
{
	(void)gateway, (void)server, (void)client, (void)request, (void)ops;
	(void)arg, (void)callp;
	return -ENOMEM;
}

int
upstream_call_answer(struct upstream_call *call, uint32_t ask, bool is_error,
    const char *json, size_t len)
{
	(void)call, (void)ask, (void)is_error, (void)json, (void)len;
	return -ENOENT;
}

void
upstream_call_cancel(struct upstream_call *call, const char *reason)
{
	(void)call, (void)reason;
}

void
upstream_call_pause(struct upstream_call *call, bool paused)
{
	(void)call, (void)paused;
}

int
upstream_surface_get(struct gateway *gateway, struct server *server,
    const struct client *client, upstream_surface_fn *fn, void *arg)
{
	(void)gateway, (void)server, (void)client, (void)fn, (void)arg;
	return -ENOMEM;
}

void
upstream_surface_forget(
    struct server *server, upstream_surface_fn *fn, void *arg)
{
	(void)server, (void)fn, (void)arg;
}

const struct mcp_surface *
upstream_surface_known(const struct server *server)
{
	(void)server;
	return NULL;
}

void
upstream_notify(struct gateway *gateway, struct server *server,
    const struct client *client, const char *method, struct json_span params)
{
	(void)gateway, (void)server, (void)client, (void)method, (void)params;
}

void
upstream_subscribe(struct gateway *gateway, struct server *server,
    const struct client *client, struct json_span uri, bool wanted)
{
	(void)gateway, (void)server, (void)client, (void)uri, (void)wanted;
}

void
upstream_session_end(struct gateway *gateway, const uint8_t session[16])
{
	(void)gateway, (void)session;
}

void
upstream_restart(struct gateway *gateway, struct server *server)
{
	(void)gateway, (void)server;
}

void
upstream_forget(struct gateway *gateway, struct server *server)
{
	(void)gateway, (void)server;
}

unsigned
upstream_links(const struct server *server)
{
	(void)server;
	return 0;
}
