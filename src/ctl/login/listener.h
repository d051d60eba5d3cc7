/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Waits at 127.0.0.1 for the browser that an authorization server sends back,
 * or for its address on a terminal. Whatever else connects meanwhile is
 * answered and forgotten: only a redirect with the state that is waited for
 * ends the waiting.
 */

#include <stdint.h>

#include "ctl/login/redirect.h"

#define LISTENER_CONNECTIONS 16

struct listener {
	int fd;
	uint16_t port;
	char host[sizeof("127.0.0.1:65535")];
	char redirect_uri[sizeof("http://127.0.0.1:65535" REDIRECT_PATH)];
};

/* Port 0: whichever is free. Negative errno, and a sentence. */
int listener_open(struct listener *listener, uint16_t port, struct err *err);
void listener_close(struct listener *listener);

struct listener_wait {
	const char *state; /* of the redirect that is waited for */
	uint64_t seconds; /* at most */
	/* What was pasted and is not it; what it is not. */
	void (*complain)(void *arg, const char *sentence);
	void *arg;
};

#define LISTENER_E_LATE 1

/* The redirect, and the connection that it came on, which listener_answer() is
 * owed; -1: it was pasted. LISTENER_E_LATE, negative errno. */
int
listener_wait(const struct listener *listener, const struct listener_wait *wait,
    struct redirect *redirect, int *connection_fd);

/* A page of one plain line, and the connection's end; fd -1: nothing. */
void listener_answer(int connection_fd, int status, const char *line);
