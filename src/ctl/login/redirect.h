/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where a sign-in ends: the request that an authorization server sends a
 * person's browser to (RFC 6749 section 4.1.2, RFC 8252 section 7.3), or the
 * same address, pasted. Pure functions; what they read is anybody's: each page
 * in that browser, and each user of this machine, can send one.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define REDIRECT_HEAD_MAX 8192 /* of a request */
#define REDIRECT_PATH "/callback"

/* What came, decoded; "": it was not there. */
struct redirect {
	char state[128];
	char code[4096];
	char iss[2048];
	char error[128];
	char description[512]; /* of the error */
	bool has_iss;
};

/* A member of a query (application/x-www-form-urlencoded), decoded: 1; 0:
 * there is none. -EINVAL: it is there twice, is too long, or holds a control
 * character or what is not UTF-8. */
int redirect_query_find(const char *raw_query, size_t len, const char *name,
    char *text, size_t size);

/* The query of one. -EINVAL and a sentence: a member that cannot be, another
 * state than `state`, neither a code nor an error. */
int redirect_query_read(const char *raw_query, size_t len, const char *state,
    struct redirect *redirect, struct err *err);

/*
 * A request's head, to the empty line. The status that it is answered with;
 * 200: it is GET of REDIRECT_PATH at `host` ("127.0.0.1:PORT", exactly), and
 * *query, *query_len its query.
 */
int redirect_request_read(const char *raw_head, size_t len, const char *host,
    const char **query, size_t *query_len);

/* The address as a person pasted it, with or without the scheme; NULL: it is
 * none of `host`. Else its query. */
const char *redirect_address_query(const char *raw_line, const char *host);
