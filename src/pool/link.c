/* SPDX-License-Identifier: Apache-2.0
 *
 * What the supervisor hands out besides templates: links to servers of other
 * kinds, and the descriptors of the store.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "pool/slot.h"

#define LINKS_MAX 4096u /* asked for and not there yet */

int
pool_link_open(
    struct pool *pool, uint32_t deployment, pool_link_fn *fn, void *arg)
{
	const struct wire_message message = { .type = WIRE_LINK,
		.id = deployment,
		.status = (int32_t)++pool->last_link };

	if (pool->n_links >= LINKS_MAX)
		return -EAGAIN;
	struct link_waiter *waiter = calloc(1, sizeof(*waiter));
	if (waiter == NULL)
		return -ENOMEM;
	if (wire_send(pool->supervisor_fd, &message, NULL, 0, NULL) != 0) {
		free(waiter);
		return -EIO;
	}
	*waiter = (struct link_waiter){
		.number = pool->last_link, .fn = fn, .arg = arg
	};
	TAILQ_INSERT_TAIL(&pool->links, waiter, link);
	pool->n_links++;
	return 0;
}

static void
waiter_remove(struct pool *pool, struct link_waiter *waiter)
{
	TAILQ_REMOVE(&pool->links, waiter, link);
	pool->n_links--;
	free(waiter);
}

void
pool_link_forget(struct pool *pool, pool_link_fn *fn, void *arg)
{
	struct link_waiter *waiter, *next;

	for (waiter = TAILQ_FIRST(&pool->links); waiter != NULL;
	     waiter = next) {
		next = TAILQ_NEXT(waiter, link);
		if (waiter->fn == fn && waiter->arg == arg)
			waiter_remove(pool, waiter);
	}
}

void
pool_link_close(const struct pool_link *link)
{
	const int fds[] = { link->read_fd,
		link->write_fd == link->read_fd ? -1 : link->write_fd,
		link->stderr_fd, link->notes_fd };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void
link_say(struct pool *pool, uint32_t number, const struct pool_link *link,
    const char *failure)
{
	struct link_waiter *waiter;

	TAILQ_FOREACH (waiter, &pool->links, link)
		if (waiter->number == number)
			break;
	if (waiter == NULL) { /* forgotten in the meantime */
		if (link != NULL)
			pool_link_close(link);
		return;
	}
	const struct link_waiter told = *waiter;
	waiter_remove(pool, waiter);
	told.fn(told.arg, link, failure);
}

bool
links_hear(struct pool *pool, const struct wire_message *message,
    const int fds[WIRE_FDS_MAX])
{
	const uint32_t number = (uint32_t)message->status;
	const struct pool_link socket = { fds[0], fds[0], -1, -1, number };
	const struct pool_link box = { fds[1], fds[0], fds[2], fds[3], number };

	if (message->type == WIRE_LINKED)
		link_say(pool, number, &socket, NULL);
	else if (message->type == WIRE_BOXED)
		link_say(pool, number, &box, NULL);
	else if (message->type == WIRE_LINK_FAILED)
		link_say(pool, number, NULL, pool->text);
	else
		return false;
	return true;
}

void
links_end(struct pool *pool, bool tell)
{
	struct link_waiter *waiter;

	while ((waiter = TAILQ_FIRST(&pool->links)) != NULL) {
		const struct link_waiter told = *waiter;
		waiter_remove(pool, waiter);
		if (tell)
			told.fn(told.arg, NULL, "the supervisor is gone");
	}
}

void
pool_message_set(struct pool *pool, pool_message_fn *fn, void *arg)
{
	pool->message = fn;
	pool->message_arg = arg;
}
