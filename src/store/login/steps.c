/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The steps of a sign-in, each a question and what its answer means:
 *
 *   POST /admin/logins         the server itself -> its metadata -> that of
 *                              its authorization server -> a client -> the URL
 *   POST /admin/logins/finish  the code for tokens -> a row
 *
 * All that is asked is public or is meant for who is asked: the server itself
 * gets no secret, an authorization server what it gave itself.
 */

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "addr/rule.h"
#include "base/auto.h"
#include "store/login/login.h"

#define JSON "application/json"
#define FORM "application/x-www-form-urlencoded"

/* ---- asking ----------------------------------------------------------------
 */

static void
pair_put(struct json_out *out, const char *name, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	json_out_raw(out, name, strlen(name) + 1);
	json_out_raw(out, value, strlen(value) + 1);
}

int
login_ask(struct store *store, uint32_t server, uint32_t principal,
    const struct login_question *question, egress_told_fn *fn, void *arg,
    uint32_t *number)
{
	struct json_out head;

	json_out_init(&head, WIRE_ASK_HEAD_MAX);
	json_out_raw(&head, question->method, strlen(question->method) + 1);
	json_out_raw(&head, question->url, strlen(question->url) + 1);
	pair_put(&head, "Accept", question->accept);
	pair_put(&head, "Content-Type", question->content_type);
	pair_put(&head, "Authorization", question->authorization);
	int code = json_out_status(&head);
	if (code == 0)
		code = egress_ask(store,
		    &(struct egress_question){ .deployment = server,
			.principal = principal,
			.head = head.bytes,
			.head_len = head.len,
			.body = question->body.at,
			.body_len = question->body.len },
		    fn, arg, number);
	if (head.bytes != NULL)
		sodium_memzero(head.bytes, head.capacity);
	json_out_fini(&head);
	return code > 0 ? -EMSGSIZE : code;
}

int
login_post(struct store *store, uint32_t server, uint32_t principal,
    const char *url, const char *basic, const struct json_out *form,
    egress_told_fn *fn, void *arg, uint32_t *number)
{
	return login_ask(store, server, principal,
	    &(struct login_question){ .method = "POST",
		.url = url,
		.accept = JSON,
		.content_type = FORM,
		.authorization = basic,
		.body = { form->bytes, form->len } },
	    fn, arg, number);
}

void
login_wipe(struct json_out *form, char basic[OAUTH_BASIC_MAX])
{
	sodium_memzero(basic, OAUTH_BASIC_MAX);
	if (form->bytes != NULL)
		sodium_memzero(form->bytes, form->capacity);
	json_out_fini(form);
}

static int
asked(struct login *login, int code)
{
	if (code == 0)
		return LOGIN_ASKED;
	if (code == -EBUSY)
		return refuse(login->request, 503,
		    "more is being asked of others than may be at once: %s "
		    "again in a moment",
		    login->step == LOGIN_STEP_FINISH ? "sign in" : "try");
	return refuse(login->request, 503, "%s cannot be asked: %s",
	    login_steps[login->step].what, strerror(-code));
}

static int
ask(struct login *login, const struct login_question *question)
{
	return asked(login,
	    login_ask(login->store, login->server, login->principal, question,
		login_told, login, &login->ask));
}

static int
ask_for(struct login *login, const char *url)
{
	return ask(login,
	    &(struct login_question){
		.method = "GET", .url = url, .accept = JSON });
}

/* ---- answers ---------------------------------------------------------------
 */

/* What is there, and is JSON at all: many sites have a page for each path. */
static bool
is_document(const struct egress_answer *answer)
{
	struct json_span value;

	return answer->end == WIRE_EGRESS_OK && answer->status == 200 &&
	    json_check(answer->body, answer->len, &value, NULL) == 0 &&
	    json_kind_of(value) == JSON_KIND_OBJECT;
}

static int
no_answer(struct login *login, const struct egress_answer *answer)
{
	return refuse(login->request,
	    answer->end == WIRE_EGRESS_TIMEOUT ? 504 : 502,
	    "%s cannot be asked: %s", login_steps[login->step].what,
	    answer->text);
}

static int
refuse_with(struct login *login, int code, const struct err *why)
{
	return code == -ENOMEM ? -ENOMEM
			       : refuse(login->request, 502, "%s", why->text);
}

/* ---- the server itself: does it ask for a sign-in, and where? --------------
 */

static int
probe_ask(struct login *login)
{
	static const char body[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\","
	    "\"params\":{\"protocolVersion\":\"2025-11-25\","
	    "\"capabilities\":{},\"clientInfo\":{\"name\":\"cordon\","
	    "\"version\":\"1\"}}}";

	return ask(login,
	    &(struct login_question){ .method = "POST",
		.url = login->url,
		.accept = JSON ", text/event-stream",
		.content_type = JSON,
		.body = { body, sizeof(body) - 1 } });
}

/* It is there, though there is no whole answer of it: a stream that does not
 * end, or a page for people. */
static bool
is_there(enum wire_egress_end end)
{
	return end == WIRE_EGRESS_OK || end == WIRE_EGRESS_TIMEOUT ||
	    end == WIRE_EGRESS_TOO_LARGE || end == WIRE_EGRESS_REDIRECT;
}

static int
probe_hear(struct login *login, const struct egress_answer *answer)
{
	const char *field;
	struct err why = { "" };

	if (!is_there(answer->end))
		return no_answer(login, answer);
	login->probed = answer->status;
	for (unsigned i = 0; answer->status == 401 &&
	     (field = egress_answer_header(answer, "WWW-Authenticate", i)) !=
		 NULL;
	     i++) {
		const int code = oauth_challenge_read(
		    field, strlen(field), &login->challenge, &why);
		if (code != 0)
			return refuse_with(login, code, &why);
	}
	return LOGIN_NEXT;
}

/* ---- its metadata: who signs people in ------------------------------------
 */

/* MCP 2025-03-26 had none: the server's origin is asked. */
static void
resource_missing(struct login *login)
{
	struct addr_url url;
	struct oauth_resource *resource = &login->resource;

	memset(resource, 0, sizeof(*resource));
	strcpy(resource->resource, login->url);
	if (addr_url_parse(login->url, strlen(login->url), &url, NULL) != 0)
		return; /* it is approved, so it is one */
	snprintf(resource->issuers[0], sizeof(resource->issuers[0]), "%.*s",
	    (int)(url.target - url.text), url.text);
	resource->n_issuers = 1;
}

static int
issuer_choose(struct login *login)
{
	const struct oauth_resource *resource = &login->resource;

	for (size_t i = 0; i < resource->n_issuers; i++)
		if (login->said_issuer[0] == '\0' ||
		    oauth_issuer_same(
			login->said_issuer, resource->issuers[i])) {
			strcpy(login->issuer_url, resource->issuers[i]);
			return LOGIN_NEXT;
		}
	return refuse(login->request, 422,
	    "/issuer: the server '%s' does not name it: it names '%.500s'",
	    login->server_name, resource->issuers[0]);
}

static int
resource_ask(struct login *login)
{
	char where[OAUTH_URL_MAX];

	if (login->challenge.metadata[0] != '\0') {
		if (login->i == 0)
			return ask_for(login, login->challenge.metadata);
		return refuse(login->request, 502,
		    "the server's answer 401 says that its metadata is at "
		    "'%.500s', and there is none",
		    login->challenge.metadata);
	}
	if (oauth_resource_url(login->url, login->i, where))
		return ask_for(login, where);
	resource_missing(login);
	return issuer_choose(login);
}

static int
resource_hear(struct login *login, const struct egress_answer *answer)
{
	struct err why = { "" };

	if (login->challenge.metadata[0] != '\0' &&
	    answer->end != WIRE_EGRESS_OK)
		return no_answer(login, answer);
	if (!is_document(answer))
		return LOGIN_AGAIN;
	const int code = oauth_resource_read(
	    answer->body, answer->len, login->url, &login->resource, &why);
	if (code != 0)
		return refuse_with(login, code, &why);
	login->has_resource = true;
	return issuer_choose(login);
}

/* ---- who signs people in: where, and how -----------------------------------
 */

static int
issuer_missing(struct login *login)
{
	if (!login->has_resource && login->probed != 401 && login->probed != 0)
		return refuse(login->request, 409,
		    "the server '%s' answers %u without asking for a sign-in, "
		    "and says nowhere who signs people in",
		    login->server_name, login->probed);
	return refuse(login->request, 502,
	    "the authorization server '%.500s' of the server '%s' has no "
	    "metadata (RFC 8414, OpenID Connect Discovery)",
	    login->issuer_url, login->server_name);
}

static int
issuer_ask(struct login *login)
{
	char where[OAUTH_URL_MAX];
	struct err why = { "" };

	if (login->i == 0 && oauth_issuer_check(login->issuer_url, &why) != 0)
		return refuse_with(login, -EINVAL, &why);
	return oauth_issuer_url(login->issuer_url, login->i, where)
	    ? ask_for(login, where)
	    : issuer_missing(login);
}

static int
issuer_hear(struct login *login, const struct egress_answer *answer)
{
	struct err why = { "" };
	struct addr_url url;

	/* Who cannot be reached at all has no other places. */
	if (answer->end == WIRE_EGRESS_DNS ||
	    answer->end == WIRE_EGRESS_ADDRESS ||
	    answer->end == WIRE_EGRESS_CONNECT ||
	    answer->end == WIRE_EGRESS_TLS)
		return no_answer(login, answer);
	if (!is_document(answer))
		return LOGIN_AGAIN;
	const int code = oauth_issuer_read(
	    answer->body, answer->len, login->issuer_url, &login->issuer, &why);
	if (code != 0)
		return refuse_with(login, code, &why);
	if (addr_url_parse(login->issuer.token, strlen(login->issuer.token),
		&url, NULL) == 0)
		strcpy(login->request->host, url.host.text);
	return LOGIN_NEXT;
}

/* ---- a client --------------------------------------------------------------
 */

static int
client_given(struct login *login)
{
	const struct oauth_client given = login->client;
	struct err why = { "" };

	login->registration = strncmp(given.id, "https://", 8) == 0
	    ? LOGIN_DOCUMENT
	    : LOGIN_GIVEN;
	const int code = oauth_client_set(
	    &login->issuer, given.id, given.secret, &login->client, &why);
	if (code == 0)
		return LOGIN_NEXT;
	return code == -ENOMEM
	    ? code
	    : refuse(login->request, 422, "/client_id: %s", why.text);
}

static int
scope_choose(struct login *login)
{
	struct err why = { "" };
	const int code =
	    oauth_scope_choose(login->said_scope, login->challenge.scope,
		&login->resource, &login->issuer, login->scope, &why);

	if (code == -EINVAL && login->said_scope[0] != '\0')
		return refuse(login->request, 422, "/scope: %s", why.text);
	return code == 0 ? 0 : refuse_with(login, code, &why);
}

static int
client_ask(struct login *login)
{
	struct json_out body;

	const int code = scope_choose(login);
	if (code != 0)
		return code;
	if (login->client.id[0] != '\0')
		return client_given(login);
	if (login->issuer.registration[0] == '\0')
		return refuse(login->request, 422,
		    "'%.500s' lets no client register itself: register one "
		    "there whose redirect URI is '%.200s', and give its id "
		    "(--client-id)",
		    login->issuer.issuer, login->redirect_uri);
	json_out_init(&body, WIRE_ASK_BODY_MAX);
	oauth_register_write(
	    &body, &login->issuer, login->redirect_uri, login->scope);
	const int status = json_out_status(&body) != 0
	    ? -ENOMEM
	    : ask(login,
		  &(struct login_question){ .method = "POST",
		      .url = login->issuer.registration,
		      .accept = JSON,
		      .content_type = JSON,
		      .body = { body.bytes, body.len } });
	json_out_fini(&body);
	return status;
}

/* An answer that is no success, with what it says of why. */
static int
refused(struct login *login, const struct egress_answer *answer)
{
	struct err why = { "" };

	(void)oauth_refusal_read(
	    answer->status, answer->body, answer->len, &why);
	return refuse(login->request, 502, "%s of '%.300s' %.600s",
	    login_steps[login->step].what, login->issuer.issuer, why.text);
}

static int
client_hear(struct login *login, const struct egress_answer *answer)
{
	struct err why = { "" };

	if (answer->end != WIRE_EGRESS_OK)
		return no_answer(login, answer);
	if (answer->status != 200 && answer->status != 201)
		return refused(login, answer);
	const int code = oauth_register_read(
	    answer->body, answer->len, &login->issuer, &login->client, &why);
	if (code != 0)
		return refuse_with(login, code, &why);
	login->registration = LOGIN_DYNAMIC;
	return LOGIN_NEXT;
}

/* ---- the URL, for a person -------------------------------------------------
 */

/* It goes by way of the gateway, which could put in a challenge of its own. */
static void
proof_put(struct login *login, const char *url, struct json_out *out)
{
	char text[sodium_base64_ENCODED_LEN(
	    VAULT_PROOF, sodium_base64_VARIANT_ORIGINAL)];
	uint8_t proof[VAULT_PROOF];

	vault_offer_prove(login->key,
	    &(struct vault_offer){ .url = url,
		.issuer = login->issuer.issuer,
		.resource = login->resource.resource,
		.scope = login->scope,
		.registration = login_registrations[login->registration] },
	    proof);
	sodium_memzero(login->key, sizeof(login->key));
	sodium_bin2base64(text, sizeof(text), proof, sizeof(proof),
	    sodium_base64_VARIANT_ORIGINAL);
	put_string(out, ",\"proof\":", text);
}

static int
offer(struct login *login)
{
	static char url[OAUTH_AUTHORIZE_MAX];
	struct json_out *out = &login->request->out;
	struct err why = { "" };

	int code = login_check(login->request, login);
	if (code != 0)
		return code;
	oauth_state_draw(login->state);
	oauth_verifier_draw(login->verifier);
	code =
	    oauth_authorize_url(&(struct oauth_ask){ .server = &login->issuer,
				    .client_id = login->client.id,
				    .redirect_uri = login->redirect_uri,
				    .resource = login->resource.resource,
				    .scope = login->scope,
				    .state = login->state,
				    .verifier = login->verifier },
		url, &why);
	if (code != 0)
		return refuse_with(login, code, &why);
	put_string(out, "{\"url\":", url);
	put_string(out, ",\"issuer\":", login->issuer.issuer);
	put_string(out, ",\"resource\":", login->resource.resource);
	put_string(out, ",\"scope\":", login->scope);
	put_string(out,
	    ",\"registration\":", login_registrations[login->registration]);
	put_uint(out, ",\"expires_in\":", LOGIN_WAIT_S);
	proof_put(login, url, out);
	json_out_text(out, "}");
	sodium_memzero(url, sizeof(url));
	login->step = LOGIN_STEP_FINISH;
	login->i = 0;
	return 200;
}

/* ---- the code for tokens ---------------------------------------------------
 */

static int
code_ask(struct login *login)
{
	static char basic[OAUTH_BASIC_MAX];
	struct json_out form;

	json_out_init(&form, OAUTH_FORM_MAX);
	int code = oauth_code_write(&form, &login->client, login->code,
	    login->redirect_uri, login->verifier, login->resource.resource,
	    basic);
	if (code == 0)
		code = login_post(login->store, login->server, login->principal,
		    login->issuer.token, basic, &form, login_told, login,
		    &login->ask);
	login_wipe(&form, basic);
	sodium_memzero(login->code, sizeof(login->code));
	return asked(login, code);
}

static int
code_hear(struct login *login, const struct egress_answer *answer)
{
	struct err why = { "" };

	if (answer->end != WIRE_EGRESS_OK)
		return no_answer(login, answer);
	if (answer->status != 200)
		return refused(login, answer);
	const int code =
	    oauth_tokens_read(answer->body, answer->len, &login->tokens, &why);
	if (code == -EACCES)
		return refused(login, answer);
	return code == 0 ? LOGIN_NEXT : refuse_with(login, code, &why);
}

/* ---- the table -------------------------------------------------------------
 */

const struct login_step login_steps[] = {
	{ "the server itself", probe_ask, probe_hear },
	{ "the server's metadata", resource_ask, resource_hear },
	{ "the authorization server's metadata", issuer_ask, issuer_hear },
	{ "the registration of a client", client_ask, client_hear },
	{ "its person", offer, NULL },
	{ "the token endpoint", code_ask, code_hear },
	{ "the database", login_keep, NULL },
};

_Static_assert(ARRAY_LEN(login_steps) == LOGIN_STEP_FINISH + 2,
    "the code is what comes last but the row");
