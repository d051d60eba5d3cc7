/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/behind/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/behind/remote_impl.h"

#define LEAVE_MS 2000 /* for the end of a session to arrive */

/* ---- the link's side ------------------------------------------------------ */

static uint64_t
number_of(struct json_span id)
{
	char digits[24];

	if (id.len == 0 || id.len >= sizeof(digits))
		return 0;
	memcpy(digits, id.at, id.len);
	digits[id.len] = '\0';
	return strtoull(digits, NULL, 10);
}

/* True: that is all there is to send. */
static bool
cancel_take(struct remote *remote, struct json_span params, uint64_t *id)
{
	struct json_want want = { .name = "requestId" };

	if (json_members_find(params, &want, 1) != 0)
		return false;
	*id = number_of(want.value);
	struct post *target = post_find(remote, *id);
	if (remote->link->era != MCP_MODERN &&
	    (target == NULL || !post_is_waiting(target)))
		return false;
	/* It goes on until the next one is there: nothing is missed. */
	if (target != NULL && target->kind == POST_LISTEN &&
	    target->status != 0)
		target->is_replaced = true;
	else if (target != NULL)
		post_drop(target);
	return true;
}

static bool
is_subscription(const char *method)
{
	return strcmp(method, "subscriptions/listen") == 0 ||
	    strcmp(method, "resources/subscribe") == 0 ||
	    strcmp(method, "resources/unsubscribe") == 0;
}

static int
message_fill(struct post *post, const struct json_out *message,
    const struct mcp_message *parsed, struct upstream_call *call)
{
	const struct link *link = post->remote->link;

	post->text = malloc(message->len + 1);
	if (post->text == NULL)
		return -ENOMEM;
	memcpy(post->text, message->bytes, message->len);
	post->len = message->len;
	post->id = parsed->kind == MCP_REQUEST ? number_of(parsed->id) : 0;
	if (parsed->kind != MCP_RESPONSE)
		(void)json_string_copy(
		    parsed->method, post->method, sizeof(post->method), NULL);
	post->is_barrier = is_subscription(post->method);
	post->era = link->stage == LINK_PROBING ? MCP_MODERN : link->era;
	post->call = call;
	post_waits_set(post, true);
	return post->era == MCP_MODERN ? post_mirror(post, call) : 0;
}

static void
on_patience(evutil_socket_t fd, short what, void *arg)
{
	struct remote *remote = arg;

	(void)fd;
	(void)what;
	for (struct post *post = remote->posts; post != NULL; post = post->next)
		post->is_barrier = false;
	remote_waiting_start(remote);
}

static enum post_kind
kind_of(const struct mcp_message *message)
{
	if (message->kind != MCP_REQUEST)
		return POST_NOTICE;
	return json_string_equals(message->method, "subscriptions/listen")
	    ? POST_LISTEN
	    : POST_REQUEST;
}

bool
remote_send(struct remote *remote, const struct json_out *message,
    struct upstream_call *call)
{
	struct mcp_message parsed;
	struct mcp_error error;
	struct json_span whole;
	uint64_t cancels = 0;

	if (json_check(message->bytes, message->len, &whole, NULL) != 0 ||
	    mcp_message_parse(whole, &parsed, &error) != 0 ||
	    (remote->queued > 0 &&
		remote->queued + message->len > LINK_QUEUE_MAX))
		return false;
	if (parsed.kind == MCP_NOTIFICATION &&
	    json_string_equals(parsed.method, "notifications/cancelled") &&
	    cancel_take(remote, parsed.params, &cancels))
		return true;
	struct post *post = post_new(remote, kind_of(&parsed));
	if (post == NULL)
		return false;
	post->cancels = cancels;
	if (message_fill(post, message, &parsed, call) == 0 &&
	    post_start(post) == 0)
		return true;
	post_drop(post);
	return false;
}

bool
remote_unsend(struct remote *remote, const struct upstream_call *call)
{
	struct post *post = remote->posts;

	while (post != NULL && post->call != call)
		post = post->next;
	if (post == NULL)
		return false;
	post_drop(post);
	return true;
}

/* ---- begin and end -------------------------------------------------------- */

static void
remote_free(struct remote *remote)
{
	while (remote->posts != NULL)
		post_free(remote->posts);
	remote->fetching = fetching_free(remote->fetching);
	if (remote->leave != NULL)
		event_free(remote->leave);
	if (remote->patience != NULL)
		event_free(remote->patience);
	server_unref(remote->server);
	free(remote->endpoint);
	free(remote->url);
	free(remote);
}

static void
on_leave(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	remote_free(arg);
}

static void
on_lost(void *arg)
{
	struct remote *remote = arg;

	remote->is_lost = true;
	if (remote->link != NULL)
		link_end(remote->link, UPSTREAM_OVER_LEFT, true,
		    "the host's way out has ended");
	else
		event_active(remote->leave, EV_TIMEOUT, 1);
}

static bool
session_end(struct remote *remote)
{
	if (remote->session[0] == '\0' || remote->is_lost)
		return false;
	struct post *post = post_new(remote, POST_END);
	if (post == NULL)
		return false;
	return post_start(post) == 0 && post->one != NULL;
}

void
remote_leave(struct remote *remote)
{
	static const struct timeval patience = { LEAVE_MS / 1000, 0 };
	struct post *post = remote->posts, *next;

	for (; post != NULL; post = next) {
		next = post->next;
		post_drop(post);
	}
	remote->link = NULL;
	if (session_end(remote))
		evtimer_add(remote->leave, &patience);
	else
		event_active(remote->leave, EV_TIMEOUT, 1);
}

static int
remote_make(struct remote *remote, struct link *link, int raw_fd)
{
	auto_close int fd = raw_fd;

	remote->url = strdup(remote->server->record.launch.url);
	remote->leave = evtimer_new(remote->base, on_leave, remote);
	remote->patience = evtimer_new(remote->base, on_patience, remote);
	if (remote->url == NULL || remote->leave == NULL ||
	    remote->patience == NULL)
		return -ENOMEM;
	const int r = fetching_new(
	    &remote->fetching, remote->base, fd_steal(&fd), on_lost, remote);
	if (r != 0)
		return r;
	if (link->principal != NULL)
		fetching_principal_set(
		    remote->fetching, link->principal->record.id);
	if (remote->is_old && !remote_stream_open(remote))
		return -ENOMEM;
	return 0;
}

struct remote *
remote_new(struct link *link, int raw_fd)
{
	auto_close int fd = raw_fd;
	struct remote *remote = calloc(1, sizeof(*remote));

	if (remote == NULL)
		return NULL;
	*remote = (struct remote){ .link = link,
		.base = link->upstream->gateway->base,
		.server = server_ref(link->upstream->server),
		.limit = link->lines.rest.limit,
		.is_old = link->upstream->is_event_stream };
	if (remote_make(remote, link, fd_steal(&fd)) != 0) {
		remote_free(remote);
		return NULL;
	}
	return remote;
}
