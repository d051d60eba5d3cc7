/* SPDX-License-Identifier: Apache-2.0 */

/* Clients: registered (RFC 7591), or given by a person. */

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/auto.h"
#include "oauth/document.h"
#include "oauth/oauth.h"

static const char *const auth_names[OAUTH_N_AUTHS] = {
	[OAUTH_AUTH_NONE] = "none",
	[OAUTH_AUTH_POST] = "client_secret_post",
	[OAUTH_AUTH_BASIC] = "client_secret_basic",
};

const char *
oauth_auth_name(enum oauth_client_auth auth)
{
	return auth_names[auth];
}

/* For a client with a secret. */
static enum oauth_client_auth
secret_auth(const struct oauth_issuer *server)
{
	return (server->auths & 1u << OAUTH_AUTH_BASIC) != 0 ||
		(server->auths & 1u << OAUTH_AUTH_POST) == 0
	    ? OAUTH_AUTH_BASIC
	    : OAUTH_AUTH_POST;
}

static void
put_member(struct json_out *out, const char *before, const char *value)
{
	json_out_text(out, before);
	json_out_string(out, value, strlen(value));
}

void
oauth_register_write(struct json_out *out, const struct oauth_issuer *server,
    const char *redirect_uri, const char *scope)
{
	const bool is_public = (server->auths & 1u << OAUTH_AUTH_NONE) != 0;
	const enum oauth_client_auth auth =
	    is_public ? OAUTH_AUTH_NONE : secret_auth(server);

	json_out_text(out,
	    "{\"client_name\":\"cordon\",\"application_type\":\"native\","
	    "\"grant_types\":[\"authorization_code\",\"refresh_token\"],"
	    "\"response_types\":[\"code\"]");
	put_member(out, ",\"redirect_uris\":[", redirect_uri);
	put_member(out, "],\"token_endpoint_auth_method\":", auth_names[auth]);
	if (scope[0] != '\0')
		put_member(out, ",\"scope\":", scope);
	json_out_text(out, "}");
}

static int
auth_choose(const struct document *document, const struct oauth_issuer *server,
    struct oauth_client *client)
{
	static const char member[] = "token_endpoint_auth_method";
	char said[64];

	const int r = document_text(
	    document, member, DOCUMENT_WORD, false, said, sizeof(said));
	if (r != 0)
		return r;
	/* Unsaid it would be client_secret_basic, which needs a secret. */
	client->auth =
	    client->secret[0] == '\0' ? OAUTH_AUTH_NONE : secret_auth(server);
	if (said[0] == '\0')
		return 0;
	for (unsigned i = 0; i < OAUTH_N_AUTHS; i++) {
		if (strcmp(said, auth_names[i]) != 0)
			continue;
		client->auth = (enum oauth_client_auth)i;
		if (i == OAUTH_AUTH_NONE)
			sodium_memzero(client->secret, sizeof(client->secret));
		else if (client->secret[0] == '\0')
			return document_refuse(document, member,
			    "is %s, but no client_secret came", said);
		return 0;
	}
	return document_refuse(document, member,
	    "is none of none, client_secret_post and client_secret_basic");
}

int
oauth_register_read(const char *raw_json, size_t len,
    const struct oauth_issuer *server, struct oauth_client *client,
    struct err *err)
{
	struct json_want wants[] = {
		{ .name = "client_id" },
		{ .name = "client_secret" },
		{ .name = "token_endpoint_auth_method" },
	};
	struct document document = { "client registration", wants,
		ARRAY_LEN(wants), err };
	struct oauth_client found = { 0 };

	int r = document_read(&document, raw_json, len);
	if (r == 0)
		r = document_text(&document, "client_id", DOCUMENT_LINE, true,
		    found.id, sizeof(found.id));
	if (r == 0)
		r = document_text(&document, "client_secret", DOCUMENT_LINE,
		    false, found.secret, sizeof(found.secret));
	if (r == 0)
		r = auth_choose(&document, server, &found);
	if (r == 0)
		*client = found;
	sodium_memzero(&found, sizeof(found));
	return r;
}

/* A client id that is where its document is (CIMD). */
static int
place_check(const struct oauth_issuer *server, const char *id,
    const char *secret, struct err *err)
{
	struct err why = { .text = "" };
	struct addr_url url;

	if (!server->takes_documents)
		return err_set(err, -EINVAL,
		    "the client id is a URL, but the authorization server does "
		    "not read documents of clients "
		    "(client_id_metadata_document_supported)");
	if (document_url_parse(id, strlen(id), &url, &why) != 0)
		return err_set(
		    err, -EINVAL, "the client id is a URL that %s", why.text);
	if (url.path_len < 2 || strcmp(url.text, id) != 0)
		return err_set(err, -EINVAL,
		    "the client id is a URL without a path, or not in its "
		    "canonical form");
	if (secret[0] != '\0')
		return err_set(
		    err, -EINVAL, "a client whose id is a URL has no secret");
	return 0;
}

int
oauth_client_set(const struct oauth_issuer *server, const char *id,
    const char *secret, struct oauth_client *client, struct err *err)
{
	if (id[0] == '\0' || strlen(id) >= sizeof(client->id) ||
	    !document_text_is(id, DOCUMENT_LINE))
		return err_set(err, -EINVAL,
		    "the client id must be 1 to %zu characters of ASCII",
		    sizeof(client->id) - 1);
	if (strlen(secret) >= sizeof(client->secret) ||
	    !document_text_is(secret, DOCUMENT_LINE))
		return err_set(err, -EINVAL,
		    "the client secret must be at most %zu characters of ASCII",
		    sizeof(client->secret) - 1);
	if (strncmp(id, "https://", 8) == 0) {
		const int r = place_check(server, id, secret, err);
		if (r != 0)
			return r;
	}
	const unsigned secrets = 1u << OAUTH_AUTH_POST | 1u << OAUTH_AUTH_BASIC;
	if (secret[0] != '\0' && (server->auths & secrets) == 0)
		return err_set(err, -EINVAL,
		    "the authorization server takes no client secrets: leave "
		    "it out");

	*client = (struct oauth_client){
		.auth =
		    secret[0] == '\0' ? OAUTH_AUTH_NONE : secret_auth(server),
	};
	strcpy(client->id, id);
	strcpy(client->secret, secret);
	return 0;
}
