/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Speaking to a host as its client: HTTP/1.1 over its admin socket, or to its
 * URL, always with a bearer token. What comes back is the host's word, but
 * strangers' texts are in it: whoever shows them, escapes them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CLIENT_ANSWER_MAX (64u << 20)
#define CLIENT_HEADERS_MAX 40
#define CLIENT_SESSION_MAX 1024 /* of an Mcp-Session-Id, with the NUL */

#define CLIENT_E_NO_HOST 1 /* nobody listens there */
#define CLIENT_E_BROKEN 2 /* the connection ended within an answer, no TLS … */
#define CLIENT_E_TOO_LONG 3 /* more than CLIENT_ANSWER_MAX */
#define CLIENT_E_STOPPED 4 /* the receiver of a stream wanted no more */

struct client;

struct client_place {
	const char *socket_path; /* of the admin socket; or NULL and: */
	const char *url; /* https://HOST[:PORT], http:// for loopback only */
	const char *token;
};

/* Refused with a sentence: a URL that is none, or that would send the token
 * over a network in the clear. Negative errno. */
int client_new(
    struct client **clientp, const struct client_place *place, struct err *err);
struct client *client_free(struct client *client);

/* Bytes of an answer as they come; false: enough, the request ends. */
typedef bool client_bytes_fn(void *arg, const char *raw_bytes, size_t len);

struct client_request {
	const char *method;
	const char *path; /* "/admin/servers", with its query */
	const char *body; /* JSON; NULL: none */
	size_t body_len;
	const char *headers[CLIENT_HEADERS_MAX]; /* "Name: value"; to a NULL */
	long timeout_ms; /* for all of it; 0: as long as it takes */
	/* Given: a good answer (status 200) goes there instead of into the
	 * answer's bytes. */
	client_bytes_fn *bytes;
	void *arg;
};

struct client_answer {
	long status;
	bool is_stream; /* text/event-stream */
	char session[CLIENT_SESSION_MAX]; /* Mcp-Session-Id, or "" */
	char *raw_bytes; /* owned; NUL behind them */
	size_t len;
};

void client_answer_fini(struct client_answer *answer);

/* One request, and its whole answer whatever its status. 0, CLIENT_E_… with a
 * sentence, negative errno. The answer is to be finished in every case. */
int client_ask(struct client *client, const struct client_request *request,
    struct client_answer *answer, struct err *err);

/* Takes the Mcp-Session-Id out of a header line, if it is that. */
void client_session_take(
    const char *line, size_t len, char session[CLIENT_SESSION_MAX]);

/* For who drives requests himself (bridge.c): the CURL handle of a request,
 * owned by the caller, and the headers it uses, which must outlive it. */
struct curl_slist;
void *client_handle_new(struct client *client,
    const struct client_request *request, struct curl_slist **headers);
