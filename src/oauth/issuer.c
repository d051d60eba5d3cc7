/* SPDX-License-Identifier: Apache-2.0 */

/* Authorization servers' metadata (RFC 8414, OpenID Connect Discovery 1.0). */

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "oauth/document.h"
#include "oauth/form.h"
#include "oauth/oauth.h"

#define OAUTH_PLACE "/.well-known/oauth-authorization-server"
#define OPENID_PLACE "/.well-known/openid-configuration"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define OPENED_MARKS "-._~%/:?&=+,@"
#define OPENED LETTERS "0123456789" OPENED_MARKS

static int
issuer_parse(const char *issuer, struct addr_url *url, struct err *err)
{
	char shown[DOCUMENT_SHOWN_MAX];
	struct err why = { .text = "" };

	int r = document_url_parse(issuer, strlen(issuer), url, &why);
	if (r == 0 && strlen(url->text) >= OAUTH_URL_MAX)
		r = err_set(&why, -EINVAL, "is longer than %u bytes",
		    OAUTH_URL_MAX - 1);
	if (r == 0 && url->target[url->path_len] != '\0')
		r = err_set(&why, -EINVAL, "has a query");
	if (r == 0)
		return 0;
	document_show(issuer, shown);
	return err_set(err, r, "an issuer (\"%s\") that %s", shown, why.text);
}

int
oauth_issuer_check(const char *issuer, struct err *err)
{
	struct addr_url url;

	return issuer_parse(issuer, &url, err);
}

/* Without the slash that is the whole path. */
static size_t
root_len(const char *issuer)
{
	const size_t len = strlen(issuer);
	const char *path = strchr(issuer + strcspn(issuer, ":") + 3, '/');

	return path != NULL && path[1] == '\0' ? len - 1 : len;
}

bool
oauth_issuer_same(const char *one, const char *other)
{
	if (oauth_issuer_check(one, NULL) != 0 ||
	    oauth_issuer_check(other, NULL) != 0)
		return false;
	const size_t len = root_len(one);
	return len == root_len(other) && memcmp(one, other, len) == 0;
}

bool
oauth_issuer_url(const char *issuer, unsigned i, char where[OAUTH_URL_MAX])
{
	struct addr_url url;

	if (issuer_parse(issuer, &url, NULL) != 0)
		return false;
	const size_t origin = (size_t)(url.target - url.text);
	const size_t end =
	    url.path_len - (url.target[url.path_len - 1] == '/' ? 1 : 0);
	const char *place = i == 0 ? OAUTH_PLACE : OPENID_PLACE;
	char *at = where;

	if (i > 2 || (i == 2 && end == 0) ||
	    origin + end + strlen(place) >= OAUTH_URL_MAX)
		return false;
	at = mempcpy(at, url.text, origin);
	if (i == 2) /* the path first */
		at = mempcpy(at, url.target, end);
	at = stpcpy(at, place);
	if (i != 2)
		at = mempcpy(at, url.target, end);
	*at = '\0';
	return true;
}

static int
identity_check(const struct document *document, const char *asked,
    struct oauth_issuer *server)
{
	char here[DOCUMENT_SHOWN_MAX], there[DOCUMENT_SHOWN_MAX];

	const int r = document_text(document, "issuer", DOCUMENT_LINE, true,
	    server->issuer, sizeof(server->issuer));
	if (r != 0 || oauth_issuer_same(server->issuer, asked))
		return r;
	document_show(asked, here);
	document_show(server->issuer, there);
	return document_refuse(document, "issuer",
	    "is \"%s\", though \"%s\" was asked: it speaks for another", there,
	    here);
}

static int
endpoints_read(const struct document *document, struct oauth_issuer *server)
{
	const struct {
		const char *member;
		char *url;
		bool is_needed;
	} endpoints[] = {
		{ "authorization_endpoint", server->authorization, true },
		{ "token_endpoint", server->token, true },
		{ "registration_endpoint", server->registration, false },
		{ "revocation_endpoint", server->revocation, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
		const int r = document_url(document, endpoints[i].member,
		    endpoints[i].is_needed, endpoints[i].url, OAUTH_URL_MAX);
		if (r != 0)
			return r;
	}
	return 0;
}

/*
 * The authorization endpoint is shown to a person, who may paste it into a
 * shell, unquoted: nothing in it is a command, a substitution or a pattern. Its
 * query stays (RFC 6749 section 3.1); but one that says what this client says,
 * or that what it says is elsewhere (RFC 9101), would speak in its name.
 */
static int
opened_check(const struct document *document, const char *url)
{
	static const char member[] = "authorization_endpoint";
	static const char *const ours[] = { "response_type", "response_mode",
		"client_id", "redirect_uri", "state", "scope", "resource",
		"code_challenge", "code_challenge_method", "prompt", "request",
		"request_uri" };
	const char *query = strchr(url, '?');

	if (strspn(url, OPENED) != strlen(url))
		return document_refuse(document, member,
		    "has a byte other than letters, digits and %s",
		    OPENED_MARKS);
	if (query == NULL)
		return 0;
	if (!form_is_pairs(query + 1))
		return document_refuse(document, member,
		    "has a query with a member that is not NAME=VALUE");
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (form_has(query + 1, ours[i]))
			return document_refuse(document, member,
			    "has a %s in its query, which is the client's to "
			    "say",
			    ours[i]);
	return 0;
}

/* What must be among what a list names; `otherwise`: where there is no list
 * (RFC 8414 section 2, defaults). */
static const struct {
	const char *member;
	const char *word;
	bool otherwise;
	const char *complaint;
} needs[] = {
	{ "code_challenge_methods_supported", "S256", false,
	    "does not name S256: without PKCE a stolen code would be a token" },
	{ "response_types_supported", "code", false,
	    "does not name code: no other flow is spoken here" },
	{ "response_modes_supported", "query", true,
	    "does not name query: the code would not arrive" },
	{ "grant_types_supported", "authorization_code", true,
	    "does not name authorization_code: no other is spoken here" },
};

static int
needs_check(const struct document *document)
{
	bool has = false;

	for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
		const int r = document_has(document, needs[i].member,
		    needs[i].word, needs[i].otherwise, &has);
		if (r != 0)
			return r;
		if (!has)
			return document_refuse(document, needs[i].member, "%s",
			    needs[i].complaint);
	}
	return 0;
}

static int
auths_read(const struct document *document, struct oauth_issuer *server)
{
	static const char member[] = "token_endpoint_auth_methods_supported";
	bool has = false;

	for (unsigned i = 0; i < OAUTH_N_AUTHS; i++) {
		const int r = document_has(document, member,
		    oauth_auth_name((enum oauth_client_auth)i),
		    i == OAUTH_AUTH_BASIC, &has);
		if (r != 0)
			return r;
		server->auths |= has ? 1u << i : 0;
	}
	return server->auths != 0
	    ? 0
	    : document_refuse(document, member,
		  "names none of none, client_secret_post and "
		  "client_secret_basic");
}

static int
rest_read(const struct document *document, struct oauth_issuer *server)
{
	int r = auths_read(document, server);
	if (r == 0)
		r = document_bool(document,
		    "client_id_metadata_document_supported",
		    &server->takes_documents);
	if (r == 0)
		r = document_bool(document,
		    "authorization_response_iss_parameter_supported",
		    &server->says_iss);
	if (r == 0)
		r = document_has(document, "scopes_supported", "offline_access",
		    false, &server->has_offline_access);
	return r;
}

int
oauth_issuer_read(const char *raw_json, size_t len, const char *issuer,
    struct oauth_issuer *server, struct err *err)
{
	struct json_want wants[] = {
		{ .name = "issuer" },
		{ .name = "authorization_endpoint" },
		{ .name = "token_endpoint" },
		{ .name = "registration_endpoint" },
		{ .name = "revocation_endpoint" },
		{ .name = "code_challenge_methods_supported" },
		{ .name = "response_types_supported" },
		{ .name = "response_modes_supported" },
		{ .name = "grant_types_supported" },
		{ .name = "token_endpoint_auth_methods_supported" },
		{ .name = "client_id_metadata_document_supported" },
		{ .name = "authorization_response_iss_parameter_supported" },
		{ .name = "scopes_supported" },
	};
	struct document document = { "authorization server metadata", wants,
		ARRAY_LEN(wants), err };
	struct oauth_issuer found = { 0 };

	int r = document_read(&document, raw_json, len);
	if (r == 0)
		r = identity_check(&document, issuer, &found);
	if (r == 0)
		r = needs_check(&document);
	if (r == 0)
		r = endpoints_read(&document, &found);
	if (r == 0)
		r = opened_check(&document, found.authorization);
	if (r == 0)
		r = rest_read(&document, &found);
	if (r == 0)
		*server = found;
	return r;
}
