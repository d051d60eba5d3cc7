/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The connections of one server: a libcurl multi handle of its own, so that no
 * connection is ever used for another server, tenant or set of rules. Internal
 * to fetch.c.
 */

#include <curl/curl.h>

#include "egress/egress.h"

struct fetch;

/* Runs it, making the server's client if there is none. Negative errno. */
int client_add(struct egress *egress, struct server *server, CURL *easy);
void client_remove(struct client *client, CURL *easy);
/* libcurl is on the stack, with whatever transfer: none may be removed, and none
 * but its own be paused. NULL: no. */
bool client_is_acting(const struct client *client);
/* A fetch is over: connections that nobody uses for a minute are closed. */
void client_idle(struct client *client);

/* The roots of the settings become those of an SSL_CTX, which reads one message
 * at a time. -EINVAL: there are none. */
int client_trust(struct egress *egress, void *ssl_context);

/* fetch.c: libcurl waits for a socket for its sake, or not any more. */
void fetch_on_socket(struct fetch *fetch, int fd, bool waits);
/* fetch.c: libcurl is done with it. */
void fetch_done(struct fetch *fetch, CURLcode code);
