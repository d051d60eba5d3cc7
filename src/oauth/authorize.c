/* SPDX-License-Identifier: Apache-2.0 */

/* The URL that a person opens, and what comes back (RFC 6749 section 4.1). */

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/auto.h"
#include "oauth/document.h"
#include "oauth/form.h"
#include "oauth/oauth.h"

#define OFFLINE "offline_access"
#define BASE64URL sodium_base64_VARIANT_URLSAFE_NO_PADDING

int
oauth_redirect_check(const char *redirect_uri, struct err *err)
{
	struct err why = { .text = "" };
	struct addr_url url;

	if (addr_url_parse(redirect_uri, strlen(redirect_uri), &url, &why) != 0)
		return err_set(err, -EINVAL, "the redirect URI %s", why.text);
	/* In its canonical form it has no fragment, and a port that is not
	 * HTTP's is said. */
	if (url.scheme != ADDR_HTTP || !url.host.is_ip ||
	    (strcmp(url.host.text, "127.0.0.1") != 0 &&
		strcmp(url.host.text, "::1") != 0) ||
	    url.port == addr_scheme_port(ADDR_HTTP) ||
	    url.target[url.path_len] != '\0' ||
	    strlen(url.text) >= OAUTH_URL_MAX ||
	    strcmp(url.text, redirect_uri) != 0)
		return err_set(err, -EINVAL,
		    "the redirect URI must be http://127.0.0.1:PORT/… or "
		    "http://[::1]:PORT/…, without a query");
	return 0;
}

static void
draw(char *text, size_t size)
{
	uint8_t bytes[32];

	randombytes_buf(bytes, sizeof(bytes));
	sodium_bin2base64(text, size, bytes, sizeof(bytes), BASE64URL);
	sodium_memzero(bytes, sizeof(bytes));
}

void
oauth_state_draw(char state[OAUTH_STATE_MAX])
{
	draw(state, OAUTH_STATE_MAX);
}

void
oauth_verifier_draw(char verifier[OAUTH_VERIFIER_MAX])
{
	draw(verifier, OAUTH_VERIFIER_MAX);
}

static bool
has_word(const char *words, const char *word)
{
	const size_t len = strlen(word);

	for (const char *at = words; *at != '\0';) {
		const size_t n = strcspn(at, " ");
		if (n == len && memcmp(at, word, n) == 0)
			return true;
		at += n;
		at += strspn(at, " ");
	}
	return false;
}

/* S256 (RFC 7636 section 4.2). */
static void
put_challenge(struct json_out *out, const char *verifier)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	char text[48];

	crypto_hash_sha256(
	    hash, (const unsigned char *)verifier, strlen(verifier));
	sodium_bin2base64(text, sizeof(text), hash, sizeof(hash), BASE64URL);
	form_add(out, "code_challenge", text);
	form_add(out, "code_challenge_method", "S256");
}

static void
url_put(struct json_out *out, const struct oauth_ask *ask)
{
	const char *endpoint = ask->server->authorization;

	json_out_text(out, endpoint);
	if (strchr(endpoint, '?') == NULL)
		json_out_text(out, "?");
	form_add(out, "response_type", "code");
	form_add(out, "client_id", ask->client_id);
	form_add(out, "redirect_uri", ask->redirect_uri);
	form_add(out, "state", ask->state);
	put_challenge(out, ask->verifier);
	form_add(out, "resource", ask->resource);
	form_add(out, "scope", ask->scope);
	/* OpenID Connect Core section 11: it is ignored without */
	if (has_word(ask->scope, OFFLINE))
		form_add(out, "prompt", "consent");
}

int
oauth_authorize_url(
    const struct oauth_ask *ask, char url[OAUTH_AUTHORIZE_MAX], struct err *err)
{
	struct json_out out;
	int r = 0;

	json_out_init(&out, OAUTH_AUTHORIZE_MAX - 1);
	url_put(&out, ask);
	if (json_out_status(&out) == 0) {
		memcpy(url, out.bytes, out.len);
		url[out.len] = '\0';
	} else if (json_out_status(&out) == JSON_E_TOO_LONG) {
		r = err_set(err, -EINVAL,
		    "the URL to open would be longer than %d bytes: ask for "
		    "fewer scopes",
		    OAUTH_AUTHORIZE_MAX - 1);
	} else {
		r = json_out_status(&out);
	}
	json_out_fini(&out);
	return r;
}

int
oauth_scope_choose(const char *said, const char *challenge,
    const struct oauth_resource *resource, const struct oauth_issuer *server,
    char scope[OAUTH_SCOPE_MAX], struct err *err)
{
	const char *chosen = challenge;

	if (said[0] != '\0') {
		if (strlen(said) >= OAUTH_SCOPE_MAX ||
		    !document_text_is(said, DOCUMENT_SCOPE))
			return err_set(err, -EINVAL,
			    "the scope must be words of visible ASCII with one "
			    "space between, at most %u bytes",
			    OAUTH_SCOPE_MAX - 1);
		strcpy(scope, said);
		return 0;
	}
	if (chosen[0] == '\0' && resource != NULL)
		chosen = resource->scopes;
	strcpy(scope, chosen);
	/* Alone it would take the place of what is granted by default. */
	if (server->has_offline_access && scope[0] != '\0' &&
	    !has_word(scope, OFFLINE) &&
	    strlen(scope) + sizeof(" " OFFLINE) <= OAUTH_SCOPE_MAX)
		strcat(scope, " " OFFLINE);
	return 0;
}

int
oauth_iss_check(
    const struct oauth_issuer *server, const char *iss, struct err *err)
{
	char here[DOCUMENT_SHOWN_MAX], there[DOCUMENT_SHOWN_MAX];

	if (iss == NULL && !server->says_iss)
		return 0;
	if (iss == NULL)
		return err_set(err, -EINVAL,
		    "the answer has no \"iss\", which the authorization server "
		    "says that it always sends: it may be another's");
	if (strcmp(iss, server->issuer) == 0)
		return 0;
	document_show(server->issuer, here);
	document_show(iss, there);
	return err_set(err, -EINVAL,
	    "the answer is of \"%s\" (\"iss\"), but \"%s\" was asked: the code "
	    "is given to neither",
	    there, here);
}
