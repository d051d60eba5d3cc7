/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What an OAuth 2.1 client reads and writes, as the MCP authorization
 * specification (2025-11-25) wants it: pure functions, no I/O, no clock. What
 * they read is a stranger's; what is not exactly right is refused with a
 * sentence that names the document and its member.
 *
 *   challenge.c  WWW-Authenticate (RFC 9110 section 11.6.1, RFC 6750, 9728)
 *   resource.c   protected resource metadata (RFC 9728)
 *   issuer.c     authorization server metadata (RFC 8414, OpenID Discovery)
 *   register.c   dynamic client registration (RFC 7591)
 *   authorize.c  the URL that a person opens, and what comes back (RFC 6749
 *                section 4.1, PKCE RFC 7636, iss RFC 9207, resource RFC 8707)
 *   token.c      requests to the token endpoint, and their answers
 *
 * Every URL out of a document is https, parsed by addr_url_parse(), without a
 * fragment, and comes out in its canonical form (CVE-2025-6514: an
 * authorization_endpoint that was a command).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "json/out.h"
#include "wire/egress.h"

#define OAUTH_URL_MAX 2048u /* with the NUL */
#define OAUTH_SCOPE_MAX 2048u
#define OAUTH_CLIENT_ID_MAX 2048u
#define OAUTH_TOKEN_MAX WIRE_SECRET_VALUE_MAX
#define OAUTH_DOCUMENT_MAX (64u << 10) /* of every document */
#define OAUTH_ISSUERS_MAX 8u
#define OAUTH_STATE_MAX 48u /* 32 bytes in base64url, with the NUL */
#define OAUTH_VERIFIER_MAX 48u
#define OAUTH_FORM_MAX 16384u

/* All functions that return int: 0, or -EINVAL and the sentence (`err`), or
 * -ENOMEM. Strings are NUL-terminated, hold no NUL and no control character. */

/* ---- challenge.c ---------------------------------------------------------- */

struct oauth_challenge {
	bool is_bearer; /* there is a Bearer challenge; the rest is of it */
	char metadata[OAUTH_URL_MAX]; /* resource_metadata, canonical; "" */
	char scope[OAUTH_SCOPE_MAX]; /* "" */
	char error[64]; /* "" */
};

/* One field value, of possibly several challenges; call it for each field. A
 * field that is malformed is one without a Bearer challenge. -EINVAL: its
 * resource_metadata is no https URL. */
int oauth_challenge_read(const char *raw_value, size_t len,
    struct oauth_challenge *challenge, struct err *err);

/* ---- resource.c ----------------------------------------------------------- */

struct oauth_resource {
	char resource[OAUTH_URL_MAX]; /* as the document spells it */
	char issuers[OAUTH_ISSUERS_MAX][OAUTH_URL_MAX];
	size_t n_issuers; /* at least 1 */
	char scopes[OAUTH_SCOPE_MAX]; /* scopes_supported; "" */
};

/* Where the metadata of `url` may be, i = 0, 1 (RFC 9728 section 3.1, path
 * inserted, then the root). False: there is no i-th. */
bool oauth_resource_url(const char *url, unsigned i, char where[OAUTH_URL_MAX]);
/* `resource` must be the origin of `url`, and its path or one above it. */
int oauth_resource_read(const char *raw_json, size_t len, const char *url,
    struct oauth_resource *resource, struct err *err);

/* ---- issuer.c ------------------------------------------------------------- */

enum oauth_client_auth { /* at the token endpoint (RFC 7591 section 2) */
	OAUTH_AUTH_NONE,
	OAUTH_AUTH_POST,
	OAUTH_AUTH_BASIC,
};

struct oauth_issuer {
	char issuer[OAUTH_URL_MAX]; /* exactly as it was asked for */
	char authorization[OAUTH_URL_MAX];
	char token[OAUTH_URL_MAX];
	char registration[OAUTH_URL_MAX]; /* "" */
	char revocation[OAUTH_URL_MAX]; /* "" */
	bool takes_documents; /* client_id_metadata_document_supported */
	bool says_iss; /* authorization_response_iss_parameter_supported */
	bool has_offline_access; /* in scopes_supported */
	unsigned auths; /* 1 << enum oauth_client_auth */
};

/* Where the metadata of `issuer` may be, in the order to try: RFC 8414 with the
 * path inserted, OpenID with the path inserted, OpenID with it appended. False:
 * there is no i-th. */
bool
oauth_issuer_url(const char *issuer, unsigned i, char where[OAUTH_URL_MAX]);
/* -EINVAL: an issuer is https, without query and fragment. */
int oauth_issuer_check(const char *issuer, struct err *err);
/* `issuer` in it must be identical; S256, the code flow, and the endpoints must
 * be there. */
int oauth_issuer_read(const char *raw_json, size_t len, const char *issuer,
    struct oauth_issuer *server, struct err *err);

/* ---- register.c ----------------------------------------------------------- */

struct oauth_client {
	char id[OAUTH_CLIENT_ID_MAX];
	char secret[OAUTH_TOKEN_MAX]; /* "" */
	enum oauth_client_auth auth;
	uint64_t secret_expires; /* s since 1970; 0: never */
};

/* The body of the request; `scope` may be "". */
void
oauth_register_write(struct json_out *out, const struct oauth_issuer *server,
    const char *redirect_uri, const char *scope);
int oauth_register_read(const char *raw_json, size_t len,
    const struct oauth_issuer *server, struct oauth_client *client,
    struct err *err);

/* ---- authorize.c ---------------------------------------------------------- */

/* http://127.0.0.1:PORT/… or http://[::1]:PORT/… with a port, no query (RFC
 * 8252 section 7.3). */
int oauth_redirect_check(const char *redirect_uri, struct err *err);

/* 32 random bytes, base64url (RFC 7636 section 4.1). */
void oauth_state_draw(char state[OAUTH_STATE_MAX]);
void oauth_verifier_draw(char verifier[OAUTH_VERIFIER_MAX]);

struct oauth_ask {
	const struct oauth_issuer *server;
	const char *client_id;
	const char *redirect_uri;
	const char *resource;
	const char *scope; /* "": none is asked for */
	const char *state;
	const char *verifier;
};
/* The URL for a person's browser. -EINVAL: longer than 8 KiB. */
#define OAUTH_AUTHORIZE_MAX ADDR_URL_MAX
int oauth_authorize_url(const struct oauth_ask *ask,
    char url[OAUTH_AUTHORIZE_MAX], struct err *err);
/* What is asked for: what the person said, else the challenge's, else the
 * resource's; offline_access where the server has it. */
int oauth_scope_choose(const char *said, const char *challenge,
    const struct oauth_resource *resource, const struct oauth_issuer *server,
    char scope[OAUTH_SCOPE_MAX], struct err *err);

/* RFC 9207: an iss that came (NULL: none) is the issuer's, and is there where
 * the server says that it sends it. */
int oauth_iss_check(
    const struct oauth_issuer *server, const char *iss, struct err *err);

/* ---- token.c -------------------------------------------------------------- */

/* Forms (application/x-www-form-urlencoded). `out` holds secrets: the caller
 * wipes it. `basic` gets what goes into Authorization ("Basic …"), or "". */
#define OAUTH_BASIC_MAX 16384u
int oauth_code_write(struct json_out *out, const struct oauth_client *client,
    const char *code, const char *redirect_uri, const char *verifier,
    const char *resource, char basic[OAUTH_BASIC_MAX]);
int oauth_refresh_write(struct json_out *out, const struct oauth_client *client,
    const char *refresh_token, const char *scope, const char *resource,
    char basic[OAUTH_BASIC_MAX]);

struct oauth_tokens {
	char access[OAUTH_TOKEN_MAX];
	char refresh[OAUTH_TOKEN_MAX]; /* "": none came */
	char scope[OAUTH_SCOPE_MAX]; /* "": as was asked for */
	uint64_t expires_in; /* s; 0: it is not said */
};
/* token_type Bearer; an access token of visible ASCII (RFC 6750 section 2.1).
 * No value of the document is ever in the sentence. */
int oauth_tokens_read(const char *raw_json, size_t len,
    struct oauth_tokens *tokens, struct err *err);
/* What an answer that is no success says: error and error_description, made
 * printable and cut, as a sentence's end. True: invalid_grant, or whatever else
 * means that asking again is of no use. */
bool oauth_refusal_read(
    unsigned status, const char *raw_json, size_t len, struct err *err);
