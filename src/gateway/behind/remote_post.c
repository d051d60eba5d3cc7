/* SPDX-License-Identifier: Apache-2.0 */

/* Posts with a remote server: made, sent when it is their turn, given up. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/behind/remote_impl.h"

#define OPEN_MAX 60u /* leaves room for what cancels, and for the stream */
#define CALLS_OPEN_MAX 48u
#define BARRIER_MS 1000 /* calls wait no longer for a subscription */
#define NOTICE_MS 30000 /* for a message that nobody waits for */
#define AGAIN_MS 1000

/* Counted while it waits. */
void
post_waits_set(struct post *post, bool waits)
{
	struct remote *remote = post->remote;

	if (post->waits == waits)
		return;
	post->waits = waits;
	if (waits)
		remote->queued += post->len;
	else
		remote->queued -= post->len;
	if (remote->link != NULL)
		remote->link->queued = remote->queued;
}

bool
post_is_waiting(const struct post *post)
{
	return post->one == NULL && post->waits;
}

void
post_free(struct post *post)
{
	struct remote *remote = post->remote;
	struct post **at = &remote->posts;

	while (*at != post)
		at = &(*at)->next;
	*at = post->next;
	if (post->one != NULL) {
		remote->n_open--;
		fetching_cancel(post->one);
	}
	post_waits_set(post, false);
	if (post->timer != NULL)
		event_free(post->timer);
	json_out_fini(&post->body);
	mcp_events_fini(&post->events);
	free(post->moved_url);
	free(post->scope);
	free(post->mirror);
	free(post->text);
	free(post);
}

void
post_drop(struct post *post)
{
	post->is_dropped = true;
	if (!post->is_busy)
		post_free(post);
}

struct post *
post_find(const struct remote *remote, uint64_t id)
{
	struct post *post = remote->posts;

	while (post != NULL && (post->id != id || post->is_dropped))
		post = post->next;
	return id == 0 ? NULL : post;
}

void
post_timer_set(struct post *post, uint64_t ms)
{
	const struct timeval delay = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	evtimer_add(post->timer, &delay);
}

static void
try_reset(struct post *post)
{
	struct mcp_events *events = &post->events;

	post->status = 0;
	post->is_events = false;
	post->fault = NULL;
	json_out_reset(&post->body);
	json_out_reset(&events->line);
	json_out_reset(&events->data);
	events->has_data = events->begun = events->after_cr = false;
	strcpy(events->next_id, events->id);
	free(steal_ptr(&post->moved_url));
	free(steal_ptr(&post->scope));
	post->wants_more = false;
}

static bool
has_barrier(const struct remote *remote)
{
	const struct post *post = remote->posts;

	while (post != NULL && (!post->is_barrier || post->one == NULL))
		post = post->next;
	return post != NULL;
}

void
post_barrier_end(struct post *post)
{
	if (!post->is_barrier)
		return;
	post->is_barrier = false;
	remote_waiting_start(post->remote);
}

/* Whether it may go out now. */
static bool
may_start(const struct post *post)
{
	const struct remote *remote = post->remote;
	const bool is_call = post->kind == POST_REQUEST;

	if (remote->is_old && remote->endpoint == NULL &&
	    post->kind != POST_STREAM)
		return false;
	if (is_call && post->call != NULL && has_barrier(remote))
		return false;
	return remote->n_open < (is_call ? CALLS_OPEN_MAX : OPEN_MAX);
}

static void
started(struct post *post)
{
	struct remote *remote = post->remote;

	remote->n_open++;
	post_waits_set(post, false);
	if (post->call != NULL)
		post->call->is_written = true;
	if (post->is_barrier) {
		const struct timeval patience = { BARRIER_MS / 1000,
			BARRIER_MS % 1000 * 1000 };
		evtimer_add(remote->patience, &patience);
	}
	if (post->kind == POST_NOTICE || post->kind == POST_END ||
	    (post->kind == POST_REQUEST && post->call == NULL))
		post_timer_set(post, NOTICE_MS);
	post->call = NULL;
}

/* 0: it is out, or waits for its turn. Negative errno: it cannot be sent. */
int
post_start(struct post *post)
{
	struct remote *remote = post->remote;
	struct json_out head;

	if (!may_start(post))
		return 0;
	try_reset(post);
	json_out_init(&head, WIRE_FETCH_HEAD_MAX);
	post_head_write(post, &head);
	const char *method = post_http_method(post);
	const bool is_post = method[0] == 'P';
	const struct fetching_request request = {
		.method = method,
		.url = is_post && remote->endpoint != NULL ? remote->endpoint
							   : remote->url,
		.headers = head.bytes,
		.headers_len = head.len,
		.flags = WIRE_FETCH_LONG,
		.body = is_post ? post->text : NULL,
		.body_len = is_post ? post->len : 0,
	};
	int r = json_out_status(&head) == 0 ? 0 : -E2BIG;
	if (r == 0)
		r = fetching_start(
		    remote->fetching, &request, &post_ops, post, &post->one);
	json_out_fini(&head);
	if (r == 0)
		started(post);
	/* Who lost the way out is told so, with all the rest. */
	return r == -EPIPE || r == -EAGAIN ? 0 : r;
}

/* It waited to be tried again, or it took too long. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct post *post = arg;

	(void)fd;
	(void)what;
	if (post->one == NULL && post_start(post) == 0) {
		if (post->one == NULL) /* not its turn */
			post_timer_set(post, AGAIN_MS);
		return;
	}
	struct post *target = post_find(post->remote, post->cancels);
	if (target != NULL)
		post_drop(target);
	post_drop(post);
}

struct post *
post_new(struct remote *remote, enum post_kind kind)
{
	struct post *post = calloc(1, sizeof(*post));
	struct post **at = &remote->posts;

	if (post == NULL)
		return NULL;
	*post =
	    (struct post){ .remote = remote, .kind = kind, .era = MCP_LEGACY };
	const size_t limit = remote->limit;
	json_out_init(&post->body, limit);
	mcp_events_init(&post->events, limit);
	post->timer = evtimer_new(remote->base, on_timer, post);
	if (post->timer == NULL) {
		free(post);
		return NULL;
	}
	while (*at != NULL)
		at = &(*at)->next;
	*at = post;
	return post;
}

void
remote_waiting_start(struct remote *remote)
{
	struct post *post = remote->posts, *next;

	for (; post != NULL; post = next) {
		next = post->next;
		if (!post_is_waiting(post) || post->is_dropped)
			continue;
		if (post_start(post) == 0)
			continue;
		/* Its call's time limit tells it. */
		post_drop(post);
	}
}
