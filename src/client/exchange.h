/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One message of a bridge's client on its way: a POST and what comes back, a
 * GET stream, or the DELETE at the end. Private to the bridge.
 */

#include <curl/curl.h>

#include "client/bridge.h"
#include "client/head.h"
#include "client/params.h"
#include "client/sse.h"
#include "json/json.h"

enum exchange_kind {
	EXCHANGE_REQUEST, /* has an id: an answer is owed */
	EXCHANGE_NOTICE, /* a notification, or an answer of the client */
	EXCHANGE_STREAM, /* GET: what the host says unasked */
	EXCHANGE_END, /* DELETE of the session */
};

struct bridge {
	const struct bridge_task *task;
	CURLM *multi;
	struct exchange *exchanges; /* owned */
	size_t n_requests;
	char *line; /* owned: what came of the next line */
	size_t line_len, line_capacity;
	size_t line_seen; /* bytes of it that hold no end of a line */
	char session[CLIENT_SESSION_MAX]; /* legacy; "": none */
	char version[32]; /* legacy, as negotiated; "": not yet */
	char *initialize; /* owned: the client's, to begin a session anew */
	bool is_renewing;
	struct params params; /* what the tools listed last want as headers */
	const struct exchange *barrier; /* nothing is sent before its end */
	bool input_ended, output_broken;
};

struct exchange {
	struct exchange *next;
	struct bridge *bridge;
	enum exchange_kind kind;
	bool is_modern;
	bool is_initialize, is_initialized, is_listen;
	bool is_own; /* the bridge's: the client hears nothing of it */
	bool is_answered;
	bool waits_session, was_renewed; /* its session had ended meanwhile */
	char *body; /* owned; NULL for GET and DELETE */
	size_t body_len;
	struct json_span message; /* in body, checked */
	struct json_span id; /* in body */
	struct head head; /* of the modern era, from the body */
	/* A try. */
	CURL *handle; /* NULL: waits for again_ms */
	struct curl_slist *headers;
	char said[CURL_ERROR_SIZE];
	char answered_session[CLIENT_SESSION_MAX];
	struct sse sse;
	struct sse_buffer answer; /* what is no stream */
	int broken; /* why the rest of the answer is not wanted */
	/* Tries. */
	unsigned tries; /* in vain, one after the other */
	uint64_t began_ms;
	uint64_t again_ms;
};

/* Takes the body. NULL: no memory. */
struct exchange *exchange_new(
    struct bridge *bridge, enum exchange_kind kind, char *body, size_t len);
void exchange_free(struct exchange *exchange);

/* Sends it, or again; what it needs of session and version is taken now. */
int exchange_start(struct exchange *exchange);

/* Ends a try, without a word. */
void exchange_stop(struct exchange *exchange);

/* The transfer has ended so; true: it is over, false: it will start again at
 * again_ms. */
bool exchange_ended(struct exchange *exchange, CURLcode code);

/* The session of this exchange is known no more: a new one is begun, once for
 * each. False: it cannot be. */
bool bridge_renew(struct bridge *bridge, struct exchange *exchange);

/* Writes a line to the client. */
void bridge_line_write(struct bridge *bridge, const char *text, size_t len);
void bridge_say(struct bridge *bridge, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* {"error"} as the answer to this id (an empty span: null). */
void bridge_refuse(
    struct bridge *bridge, struct json_span id, int code, const char *message);
uint64_t bridge_now_ms(void);
