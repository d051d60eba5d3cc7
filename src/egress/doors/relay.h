/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Bytes between two connected sockets, both ways, until both have ended. What
 * one end cannot take yet is not read from the other; an end that says it has
 * nothing more to say is still told what the other says. An idle relay holds no
 * buffer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct ssl_st;
struct relay;

enum relay_over {
	RELAY_DONE, /* both ends have ended */
	RELAY_LEFT, /* fds[0] broke off */
	RELAY_RESET, /* fds[1] did */
	RELAY_TLS, /* what came is no TLS, or the handshake failed */
	RELAY_STOPPED, /* moved() said so */
	RELAY_MEMORY,
};

struct relay_setup {
	struct event_base *base;
	int fds[2]; /* non-blocking; taken, on failure too */
	struct ssl_st *ssl; /* taken, too: TLS is spoken with fds[0]; NULL */
	const uint8_t *head; /* was read from fds[0] already; copied */
	size_t head_len;
	/* len bytes (in clear) came from an end; false: stop. */
	bool (*moved)(void *arg, unsigned end, size_t len);
	/* Called once, from the loop. The relay is still there: free it. */
	void (*over)(void *arg, enum relay_over how);
	void *arg;
};

/* -ENOMEM. */
int relay_new(struct relay **relayp, const struct relay_setup *setup);
/* Closes both ends; takes NULL. */
struct relay *relay_free(struct relay *relay);
/* One end has ended: what is left may be waited for less long. */
bool relay_is_half(const struct relay *relay);
