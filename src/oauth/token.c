/* SPDX-License-Identifier: Apache-2.0 */

/* Requests to the token endpoint, and what it answers (RFC 6749, 6750, 7009).
 */

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "base/secret.h"
#include "oauth/document.h"
#include "oauth/form.h"
#include "oauth/oauth.h"

#define LIFE_MAX ((uint64_t)UINT32_MAX) /* s: 136 years */

static int
status_of(const struct json_out *out)
{
	return json_out_status(out) == JSON_E_TOO_LONG ? -EINVAL
						       : json_out_status(out);
}

/* "Basic …" of the two, each as in a form (RFC 6749 section 2.3.1). */
static int
basic_write(const struct oauth_client *client, char basic[OAUTH_BASIC_MAX])
{
	static const char scheme[] = "Basic ";
	const int variant = sodium_base64_VARIANT_ORIGINAL;
	struct json_out pair;
	int r = 0;

	json_out_init(&pair, OAUTH_FORM_MAX);
	form_reserve(&pair);
	form_escape(&pair, client->id);
	json_out_text(&pair, ":");
	form_escape(&pair, client->secret);
	const size_t head = sizeof(scheme) - 1;
	r = status_of(&pair);
	if (r == 0 &&
	    sodium_base64_encoded_len(pair.len, variant) >
		OAUTH_BASIC_MAX - head)
		r = -EINVAL;
	if (r == 0) {
		strcpy(basic, scheme);
		sodium_bin2base64(basic + head, OAUTH_BASIC_MAX - head,
		    (const unsigned char *)pair.bytes, pair.len, variant);
	}
	if (pair.bytes != NULL)
		sodium_memzero(pair.bytes, pair.capacity);
	json_out_fini(&pair);
	return r;
}

/* Who asks: in the body, or in the header. */
static int
client_write(struct json_out *out, const struct oauth_client *client,
    char basic[OAUTH_BASIC_MAX])
{
	basic[0] = '\0';
	if (client->auth == OAUTH_AUTH_BASIC) {
		const int r = basic_write(client, basic);
		return r != 0 ? r : status_of(out);
	}
	form_add(out, "client_id", client->id);
	if (client->auth == OAUTH_AUTH_POST)
		form_add(out, "client_secret", client->secret);
	return status_of(out);
}

int
oauth_code_write(struct json_out *out, const struct oauth_client *client,
    const char *code, const char *redirect_uri, const char *verifier,
    const char *resource, char basic[OAUTH_BASIC_MAX])
{
	form_reserve(out);
	form_add(out, "grant_type", "authorization_code");
	form_add(out, "code", code);
	form_add(out, "redirect_uri", redirect_uri);
	form_add(out, "code_verifier", verifier);
	form_add(out, "resource", resource);
	return client_write(out, client, basic);
}

int
oauth_refresh_write(struct json_out *out, const struct oauth_client *client,
    const char *refresh_token, const char *scope, const char *resource,
    char basic[OAUTH_BASIC_MAX])
{
	form_reserve(out);
	form_add(out, "grant_type", "refresh_token");
	form_add(out, "refresh_token", refresh_token);
	form_add(out, "scope", scope);
	form_add(out, "resource", resource);
	return client_write(out, client, basic);
}

int
oauth_revoke_write(struct json_out *out, const struct oauth_client *client,
    const char *token, const char *hint, char basic[OAUTH_BASIC_MAX])
{
	form_reserve(out);
	form_add(out, "token", token);
	form_add(out, "token_type_hint", hint);
	return client_write(out, client, basic);
}

static int
type_check(const struct document *document)
{
	char type[32];

	const int r = document_text(
	    document, "token_type", DOCUMENT_WORD, true, type, sizeof(type));
	if (r != 0 || strcasecmp(type, "Bearer") == 0)
		return r;
	return document_refuse(
	    document, "token_type", "is not Bearer: no other is spoken here");
}

static int
token_read(const struct document *document, const char *member, bool is_needed,
    char token[OAUTH_TOKEN_MAX])
{
	const int r = document_text(
	    document, member, DOCUMENT_WORD, is_needed, token, OAUTH_TOKEN_MAX);
	if (r != 0 || token[0] == '\0' || strlen(token) >= SECRET_VALUE_MIN)
		return r;
	return document_refuse(document, member,
	    "has fewer than %d bytes: it could not be taken out of answers "
	    "without tearing holes into them",
	    SECRET_VALUE_MIN);
}

static int
members_read(const struct document *document, struct oauth_tokens *tokens)
{
	if (document_get(document, "error").at != NULL) {
		(void)document_refuse(document, "error",
		    "came: the answer is a refusal, though its status is a "
		    "success's");
		return -EACCES;
	}
	int r = type_check(document);
	if (r == 0)
		r = token_read(document, "access_token", true, tokens->access);
	if (r == 0)
		r = token_read(
		    document, "refresh_token", false, tokens->refresh);
	if (r == 0)
		r = document_text(document, "scope", DOCUMENT_SCOPE, false,
		    tokens->scope, sizeof(tokens->scope));
	if (r == 0)
		r = document_uint(
		    document, "expires_in", LIFE_MAX, &tokens->expires_in);
	return r;
}

int
oauth_tokens_read(const char *raw_json, size_t len, struct oauth_tokens *tokens,
    struct err *err)
{
	struct json_want wants[] = {
		{ .name = "access_token" },
		{ .name = "token_type" },
		{ .name = "expires_in" },
		{ .name = "refresh_token" },
		{ .name = "scope" },
		{ .name = "error" },
	};
	struct document document = { "token answer", wants, ARRAY_LEN(wants),
		err };
	struct oauth_tokens found = { 0 };

	int r = document_read(&document, raw_json, len);
	if (r == 0)
		r = members_read(&document, &found);
	if (r == 0)
		*tokens = found;
	sodium_memzero(&found, sizeof(found));
	return r;
}
