/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Five lines as a client's id and secret, a token, a scope and a resource: what
 * a server would read of the forms, of "Basic" and of the URL is exactly that,
 * and nothing else.
 */

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "fuzz.h"
#include "oauth/oauth.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

#define LINE_MAX_BYTES 700
#define ENDPOINT "https://acme.net/authorize?p=1"

enum { ID, SECRET, TOKEN, SCOPE, RESOURCE, N_LINES };

static char lines[N_LINES][LINE_MAX_BYTES + 1];

/* How a server decodes: '+' is a space. */
static size_t
decode(const char *at, size_t len, char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char code[3] = { 0 };
		if (at[i] == '%') {
			CHECK(len - i >= 3);
			memcpy(code, at + i + 1, 2);
			text[n++] = (char)strtol(code, NULL, 16);
			i += 2;
		} else {
			text[n++] = at[i] == '+' ? ' ' : at[i];
		}
	}
	text[n] = '\0';
	return n;
}

/* The member is there once with this value; where that is "", not at all. */
static void
check_member(const char *form, const char *name, const char *value)
{
	static char text[3 * OAUTH_FORM_MAX];
	unsigned n = 0;

	for (const char *at = form; *at != '\0';) {
		const size_t len = strcspn(at, "&");
		const char *equals = memchr(at, '=', len);
		CHECK(equals != NULL);
		if ((size_t)(equals - at) == strlen(name) &&
		    memcmp(at, name, strlen(name)) == 0) {
			decode(
			    equals + 1, len - (size_t)(equals + 1 - at), text);
			CHECK(strcmp(text, value) == 0);
			n++;
		}
		at += len + (at[len] == '&' ? 1 : 0);
	}
	CHECK(n == (value[0] == '\0' ? 0 : 1));
}

static void
check_basic(const char *basic)
{
	static char pair[OAUTH_BASIC_MAX], text[OAUTH_BASIC_MAX];
	size_t len = 0;

	CHECK(strncmp(basic, "Basic ", 6) == 0);
	CHECK(strpbrk(basic, "\r\n\t") == NULL);
	CHECK(sodium_base642bin((unsigned char *)pair, sizeof(pair) - 1,
		  basic + 6, strlen(basic) - 6, NULL, &len, NULL,
		  sodium_base64_VARIANT_ORIGINAL) == 0);
	pair[len] = '\0';
	const size_t id = strcspn(pair, ":");
	CHECK(pair[id] == ':' && strchr(pair + id + 1, ':') == NULL);
	decode(pair, id, text);
	CHECK(strcmp(text, lines[ID]) == 0);
	decode(pair + id + 1, len - id - 1, text);
	CHECK(strcmp(text, lines[SECRET]) == 0);
}

static void
check_refresh(enum oauth_client_auth auth)
{
	static struct oauth_client client;
	static char basic[OAUTH_BASIC_MAX];
	struct json_out out;

	client.auth = auth;
	strcpy(client.id, lines[ID]);
	strcpy(client.secret, lines[SECRET]);
	json_out_init(&out, OAUTH_FORM_MAX);
	CHECK(oauth_refresh_write(&out, &client, lines[TOKEN], lines[SCOPE],
		  lines[RESOURCE], basic) == 0);
	json_out_raw(&out, "", 1);
	CHECK(json_out_status(&out) == 0 && strlen(out.bytes) == out.len - 1);
	check_member(out.bytes, "grant_type", "refresh_token");
	check_member(out.bytes, "refresh_token", lines[TOKEN]);
	check_member(out.bytes, "scope", lines[SCOPE]);
	check_member(out.bytes, "resource", lines[RESOURCE]);
	check_member(
	    out.bytes, "client_id", auth == OAUTH_AUTH_BASIC ? "" : lines[ID]);
	check_member(out.bytes, "client_secret",
	    auth == OAUTH_AUTH_POST ? lines[SECRET] : "");
	if (auth == OAUTH_AUTH_BASIC)
		check_basic(basic);
	else
		CHECK(basic[0] == '\0');
	json_out_fini(&out);
}

static void
check_authorize(void)
{
	static const struct oauth_issuer server = { .authorization = ENDPOINT };
	static char url[OAUTH_AUTHORIZE_MAX];
	static struct addr_url parsed;
	const struct oauth_ask ask = { &server, lines[ID],
		"http://127.0.0.1:1/", lines[RESOURCE], lines[SCOPE],
		lines[TOKEN], lines[SECRET] };

	if (oauth_authorize_url(&ask, url, NULL) != 0)
		return;
	CHECK(addr_url_parse(url, strlen(url), &parsed, NULL) == 0);
	CHECK(strcmp(parsed.text, url) == 0);
	CHECK(strncmp(url, ENDPOINT "&", sizeof(ENDPOINT)) == 0);
	const char *query = strchr(url, '?') + 1;
	check_member(query, "p", "1");
	check_member(query, "response_type", "code");
	check_member(query, "code_challenge_method", "S256");
	check_member(query, "redirect_uri", "http://127.0.0.1:1/");
	check_member(query, "client_id", lines[ID]);
	check_member(query, "resource", lines[RESOURCE]);
	check_member(query, "scope", lines[SCOPE]);
	check_member(query, "state", lines[TOKEN]);
	check_member(query, "code_verifier", "");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;

	for (size_t i = 0; i < N_LINES; i++) {
		const char *line = i == N_LINES - 1
		    ? NULL
		    : memchr(at, '\n', (size_t)(end - at));
		const size_t len = (size_t)((line == NULL ? end : line) - at);
		if (len > LINE_MAX_BYTES)
			return 0;
		memcpy(lines[i], at, len);
		lines[i][len] = '\0';
		at = line == NULL ? end : line + 1;
	}
	for (unsigned auth = 0; auth < OAUTH_N_AUTHS; auth++)
		check_refresh((enum oauth_client_auth)auth);
	check_authorize();
	return 0;
}
