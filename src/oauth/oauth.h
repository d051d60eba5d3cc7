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
 *   refusal.c    what a refusal says
 *
 * Every URL out of a document is https, parsed by addr_url_parse(), without a
 * fragment, its host no name or address of what is inside (a person's browser
 * goes to one of them), and comes out in its canonical form (CVE-2025-6514: an
 * authorization_endpoint that was a command). A member that is null counts as
 * missing; one that is wanted and there twice is refused, and so is a value of
 * another type than the RFC's.
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

/* One field value, of possibly several challenges; call it for each field, with
 * a struct that was zero before the first: the first Bearer challenge stays,
 * unless a later field has a metadata URL where it has none. A field that is
 * malformed, says a parameter twice, or a scope that is none, is one without a
 * Bearer challenge. -EINVAL: its resource_metadata is no https URL. */
int oauth_challenge_read(const char *raw_value, size_t len,
    struct oauth_challenge *challenge, struct err *err);

/* ---- resource.c ----------------------------------------------------------- */

struct oauth_resource {
	char resource[OAUTH_URL_MAX]; /* as the document spells it */
	char issuers[OAUTH_ISSUERS_MAX][OAUTH_URL_MAX];
	size_t n_issuers; /* at least 1 */
	char scopes[OAUTH_SCOPE_MAX]; /* scopes_supported; "", also if they
				       * are more than fit */
};

/* Where the metadata of `url` may be, i = 0, 1 (RFC 9728 section 3.1, path
 * inserted, then the root). False: there is no i-th. */
bool oauth_resource_url(const char *url, unsigned i, char where[OAUTH_URL_MAX]);
/* `resource` must be of the origin of `url`, and have its path or one above it,
 * without a query, unless it is `url` itself. */
int oauth_resource_read(const char *raw_json, size_t len, const char *url,
    struct oauth_resource *resource, struct err *err);

/* ---- issuer.c ------------------------------------------------------------- */

enum oauth_client_auth { /* at the token endpoint (RFC 7591 section 2) */
	OAUTH_AUTH_NONE,
	OAUTH_AUTH_POST,
	OAUTH_AUTH_BASIC,
};
#define OAUTH_N_AUTHS 3u
/* "none", "client_secret_post", "client_secret_basic" */
const char *oauth_auth_name(enum oauth_client_auth auth);

struct oauth_issuer {
	char issuer[OAUTH_URL_MAX]; /* as the document spells it */
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
/* Whether they are identical, or differ in nothing but the slash behind a host
 * without a path: the well-known place is the same then, and large ones write
 * it in one document and not in the other. */
bool oauth_issuer_same(const char *one, const char *other);
/* `issuer` in it must be the same; S256, the code flow, and the endpoints must
 * be there. The authorization endpoint holds nothing that a shell would obey,
 * should a person paste it there, and its query, if it has one, says nothing
 * that oauth_authorize_url() says. */
int oauth_issuer_read(const char *raw_json, size_t len, const char *issuer,
    struct oauth_issuer *server, struct err *err);

/* ---- register.c ----------------------------------------------------------- */

struct oauth_client {
	char id[OAUTH_CLIENT_ID_MAX];
	char secret[OAUTH_TOKEN_MAX]; /* "" */
	enum oauth_client_auth auth;
};

/* The body of the request; `scope` may be "". */
void
oauth_register_write(struct json_out *out, const struct oauth_issuer *server,
    const char *redirect_uri, const char *scope);
int oauth_register_read(const char *raw_json, size_t len,
    const struct oauth_issuer *server, struct oauth_client *client,
    struct err *err);
/* One that a person gave; `secret` may be "". An id that begins with https://
 * is where the client's document is (CIMD): the server must read such, and
 * there is no secret. */
int oauth_client_set(const struct oauth_issuer *server, const char *id,
    const char *secret, struct oauth_client *client, struct err *err);

/* ---- authorize.c ---------------------------------------------------------- */

/* http://127.0.0.1:PORT/… or http://[::1]:PORT/… with a port other than 80, no
 * query, in its canonical form (RFC 8252 section 7.3). */
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
/* What is asked for: what the person said, and nothing else; else the
 * challenge's, else the resource's (`resource` may be NULL), with
 * offline_access where the server has it; "": nothing was said anywhere. */
int oauth_scope_choose(const char *said, const char *challenge,
    const struct oauth_resource *resource, const struct oauth_issuer *server,
    char scope[OAUTH_SCOPE_MAX], struct err *err);

/* RFC 9207: an iss that came (NULL: none) is the issuer's, byte for byte, and is
 * there where the server says that it sends it. To be asked before the code or
 * an error is looked at. */
int oauth_iss_check(
    const struct oauth_issuer *server, const char *iss, struct err *err);

/* ---- token.c -------------------------------------------------------------- */

/* Forms (application/x-www-form-urlencoded). `out` is empty, its limit
 * OAUTH_FORM_MAX; it then holds secrets: the caller wipes it, and `basic`, which
 * gets what goes into Authorization ("Basic …"), or "". An argument that is ""
 * is left out. -EINVAL: there is no room for it. */
#define OAUTH_BASIC_MAX 16384u
int oauth_code_write(struct json_out *out, const struct oauth_client *client,
    const char *code, const char *redirect_uri, const char *verifier,
    const char *resource, char basic[OAUTH_BASIC_MAX]);
int oauth_refresh_write(struct json_out *out, const struct oauth_client *client,
    const char *refresh_token, const char *scope, const char *resource,
    char basic[OAUTH_BASIC_MAX]);

/* RFC 7009; `hint`: "refresh_token" or "access_token". */
int oauth_revoke_write(struct json_out *out, const struct oauth_client *client,
    const char *token, const char *hint, char basic[OAUTH_BASIC_MAX]);

struct oauth_tokens {
	char access[OAUTH_TOKEN_MAX];
	char refresh[OAUTH_TOKEN_MAX]; /* "": none came */
	char scope[OAUTH_SCOPE_MAX]; /* "": as was asked for */
	uint64_t expires_in; /* s, at most UINT32_MAX; 0: it is not said */
};
/* token_type Bearer; tokens of visible ASCII (RFC 6750 section 2.1), of 8 bytes
 * at least, since they are taken out of answers. No value of the document is
 * ever in the sentence. -EACCES: there is an `error`, so it is a refusal, though
 * its status was a success's; oauth_refusal_read() says which. */
int oauth_tokens_read(const char *raw_json, size_t len,
    struct oauth_tokens *tokens, struct err *err);

/* ---- refusal.c ------------------------------------------------------------ */

/* What an answer that is no success says, as a sentence's end: "answered 400:
 * ERROR (\"DESCRIPTION\")", made printable, without long words (they may be
 * tokens) and cut. True: invalid_grant, or whatever else means that asking
 * again is of no use. */
bool oauth_refusal_read(
    unsigned status, const char *raw_json, size_t len, struct err *err);
/* The same of what came back to the redirect URI: "ERROR (\"DESCRIPTION\")";
 * either may be "". */
void oauth_refusal_say(
    const char *raw_error, const char *raw_description, struct err *err);
