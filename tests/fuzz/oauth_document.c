/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any JSON, its first byte saying as which document: what is taken is plain
 * text of its kind and URLs in their canonical form; what is refused leaves
 * nothing behind but a sentence.
 */

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "fuzz.h"
#include "oauth/oauth.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

#define ISSUER "https://auth.acme.net"
#define SERVER "https://acme.net/mcp"

static struct err err;

static void
check_plain(const char *text, char lowest)
{
	for (const char *at = text; *at != '\0'; at++)
		CHECK(*at >= lowest && *at <= '~');
}

static void
check_url(const char *text, bool is_canonical)
{
	static struct addr_url url;

	if (text[0] == '\0')
		return;
	CHECK(addr_url_parse(text, strlen(text), &url, NULL) == 0);
	CHECK(url.scheme == ADDR_HTTPS && strchr(text, '#') == NULL);
	CHECK(!is_canonical || strcmp(url.text, text) == 0);
	CHECK(url.host.is_ip ? addr_refused(&url.host.ip, NULL) == NULL
			     : addr_name_is_special(url.host.text) == NULL);
}

static void
as_resource(const char *json, size_t len)
{
	static struct oauth_resource resource;
	char where[OAUTH_URL_MAX];

	if (oauth_resource_read(json, len, SERVER, &resource, &err) != 0)
		return;
	check_url(resource.resource, false);
	check_plain(resource.scopes, ' ');
	CHECK(
	    resource.n_issuers > 0 && resource.n_issuers <= OAUTH_ISSUERS_MAX);
	for (size_t i = 0; i < resource.n_issuers; i++) {
		check_url(resource.issuers[i], false);
		for (unsigned k = 0;
		     oauth_issuer_url(resource.issuers[i], k, where); k++)
			check_url(where, true);
		CHECK(oauth_issuer_same(
		    resource.issuers[i], resource.issuers[i]));
	}
	CHECK(err.text[0] == '\0');
}

static void
as_issuer(const char *json, size_t len)
{
	static struct oauth_issuer server;
	char url[OAUTH_AUTHORIZE_MAX];

	if (oauth_issuer_read(json, len, ISSUER, &server, &err) != 0)
		return;
	CHECK(oauth_issuer_same(server.issuer, ISSUER));
	CHECK(server.authorization[0] != '\0' && server.token[0] != '\0');
	CHECK(server.auths != 0);
	check_url(server.authorization, true);
	check_url(server.token, true);
	check_url(server.registration, true);
	check_url(server.revocation, true);
	const struct oauth_ask ask = { &server, "id", "http://127.0.0.1:1/",
		SERVER, "a b", "state", "verifier" };
	CHECK(oauth_authorize_url(&ask, url, &err) == 0);
	check_url(url, true);
	CHECK(strpbrk(url, "$`'\"\\;|<>(){}!*# \n") == NULL);
}

static void
as_client(const char *json, size_t len)
{
	const struct oauth_issuer server = { .auths = 7 };
	static struct oauth_client client;

	if (oauth_register_read(json, len, &server, &client, &err) != 0)
		return;
	CHECK(client.id[0] != '\0' && client.auth < OAUTH_N_AUTHS);
	CHECK((client.auth == OAUTH_AUTH_NONE) == (client.secret[0] == '\0'));
	check_plain(client.id, ' ');
	check_plain(client.secret, ' ');
}

static void
as_tokens(const char *json, size_t len)
{
	static struct oauth_tokens tokens;

	if (oauth_tokens_read(json, len, &tokens, &err) != 0)
		return;
	CHECK(strlen(tokens.access) >= 8);
	check_plain(tokens.access, '!');
	check_plain(tokens.refresh, '!');
	check_plain(tokens.scope, ' ');
	CHECK(tokens.expires_in <= UINT32_MAX);
}

static void
as_refusal(const char *json, size_t len)
{
	oauth_refusal_read(400, json, len, &err);
	CHECK(err.text[0] != '\0');
	check_plain(err.text, ' ');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(const char *, size_t) = { as_resource,
		as_issuer, as_client, as_tokens, as_refusal };

	if (size == 0)
		return 0;
	err.text[0] = '\0';
	const size_t kind = (uint8_t)(data[0] - '0') % ARRAY_LEN(kinds);
	kinds[kind]((const char *)data + 1, size - 1);
	for (const char *at = err.text; *at != '\0'; at++)
		CHECK((unsigned char)*at >= ' ' && *at != 0x7f);
	return 0;
}
