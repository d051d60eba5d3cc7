/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a modern client is asked: its request is answered with input_required,
 * and the call waits, parked, for the retry that the sealed requestState
 * admits. Each is good for one retry, of the same request, by the same
 * principal at the same endpoint. A server's own state stands inside one of
 * ours, and nothing is kept of it here.
 */

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/front/front.h"
#include "json/edit.h"

static void
digest(const struct call *call, uint8_t out[SEAL_DIGEST_BYTES])
{
	struct json_want wants[] = { { .name = "name" }, { .name = "uri" },
		{ .name = "arguments" } };

	/* One of them twice: then nothing but the same bytes is the same. */
	if (json_members_find(call->message.params, wants, ARRAY_LEN(wants)) !=
	    0)
		wants[2].value = call->message.params;
	/* A member that the method does not know says nothing of what is asked
	 * for. */
	seal_digest(call->message.method,
	    call->method == MCP_RESOURCES_READ ? wants[1].value
					       : wants[0].value,
	    wants[2].value, out);
}

/* Appends the sealed state. */
static int
state_write(
    const struct call *call, struct seal_state *state, struct json_out *out)
{
	struct seal_binding binding;
	const uint8_t *key = front_key(call->front);

	if (key == NULL)
		return -EAGAIN;
	state->expires =
	    front_unix_ms() / 1000 + call->front->gateway->sessions.ask_s;
	digest(call, state->digest);
	front_binding(call->client.principal, &call->endpoint, &binding);
	return seal_state_write(key, &binding, state, out);
}

/* Nobody could ever come back to it: it is over now. */
static void
park_fail(struct call *call)
{
	struct mcp_error error;

	mcp_error_set(&error, 503, MCP_INTERNAL_ERROR,
	    "what the server asks for cannot be passed on: its requestState "
	    "was not sealed, for want of memory or of the store's key; make "
	    "the request anew");
	call->item->status = error.status;
	call->item->retry_s = 1;
	mcp_error_write(&call->item->out, call->message.id, &error);
	call_cancel(call, "the client could not be asked");
}

/* Leaves the item with an input_required result, and waits. */
static void
park(struct call *call)
{
	struct item *item = call->item;
	struct seal_state state = { .kind = SEAL_PARKED,
		.round = call->round + 1 };
	const struct ask *ask;
	const char *comma = "";
	struct json_out sealed;

	if (call->round++ == 0)
		randombytes_buf(call->park, sizeof(call->park));
	memcpy(state.id, call->park, sizeof(state.id));
	json_out_init(&sealed, 4096);
	if (state_write(call, &state, &sealed) != 0 ||
	    json_out_status(&sealed) != 0) {
		json_out_fini(&sealed);
		park_fail(call);
		return;
	}
	struct json_out *out = call_reply_open(call);
	json_out_text(
	    out, "{\"resultType\":\"input_required\",\"inputRequests\":{");
	TAILQ_FOREACH (ask, &call->asks, link) {
		json_out_text(out, comma);
		json_out_text(out, ask->key);
		json_out_text(out, ":");
		json_out_raw(out, ask->text, ask->len);
		comma = ",";
	}
	json_out_text(out, "},\"requestState\":");
	json_out_span(out, json_out_written(&sealed));
	json_out_fini(&sealed);
	json_out_text(out, "}");
	mcp_reply_close(out);

	call->item = NULL;
	call->is_parked = true;
	call->deadline_ms = front_now_ms() +
	    (uint64_t)call->front->gateway->sessions.ask_s * 1000;
	ask_count(call);
	item_done(item);
}

void
ask_wait(struct call *call)
{
	if (call->client.era == MCP_MODERN && call->item != NULL &&
	    call->n_asks > 0)
		park(call);
}

/* A server's input_required, for a modern client: its state inside ours. */
void
ask_pass_on(struct call *call, struct json_span result)
{
	const struct json_span inner = json_member(result, "requestState");
	const struct seal_state state = { .kind = SEAL_WRAPPED,
		.inner = inner };
	struct seal_state sealed = state;
	struct json_out wrapped, edited;
	int r = 0;

	json_out_init(&wrapped, 4 * SEAL_INNER_MAX);
	json_out_init(&edited, FRONT_MESSAGE_MAX);
	if (inner.at != NULL)
		r = json_kind_of(inner) != JSON_KIND_STRING
		    ? JSON_E_TYPE
		    : state_write(call, &sealed, &wrapped);
	const struct json_edit edit = { "requestState",
		json_out_written(&wrapped) };
	if (r == 0 && json_edit_write(&edited, result, &edit, 1) == 0 &&
	    json_out_status(&edited) == 0)
		relay_result(call, json_out_written(&edited), MCP_MODERN);
	else
		relay_refuse(call, "invalid_result",
		    "the server's requestState is no string, or too long");
	json_out_fini(&wrapped);
	json_out_fini(&edited);
}

/* inputResponses are an object of objects, or not there. */
static bool
responses_are_right(struct json_span responses)
{
	struct json_span key, value;
	struct json_iter iter;

	if (responses.at == NULL)
		return true;
	if (json_kind_of(responses) != JSON_KIND_OBJECT)
		return false;
	json_iter_init(&iter, responses);
	while (json_iter_member(&iter, &key, &value))
		if (json_kind_of(value) != JSON_KIND_OBJECT)
			return false;
	return true;
}

static struct call *
parked_find(struct front *front, const uint8_t id[SEAL_ID_BYTES])
{
	struct call *call;

	TAILQ_FOREACH (call, &front->calls, link)
		if (call->round > 0 &&
		    sodium_memcmp(call->park, id, SEAL_ID_BYTES) == 0)
			return call;
	return NULL;
}

/* What of the client's answers a parked call has asked for goes to it. */
static void
answers_give(struct call *call, struct json_span responses)
{
	struct ask *ask, *next;
	struct json_span key, value;
	struct json_iter iter;

	for (ask = TAILQ_FIRST(&call->asks); ask != NULL; ask = next) {
		next = TAILQ_NEXT(ask, link);
		if (responses.at == NULL ||
		    json_iter_init(&iter, responses) != 0)
			return;
		while (json_iter_member(&iter, &key, &value))
			if (key.len == strlen(ask->key) &&
			    memcmp(key.at, ask->key, key.len) == 0) {
				const uint32_t number = ask->number;
				ask_free(ask);
				if (call->upstream != NULL)
					upstream_call_answer(call->upstream,
					    number, false, value.at, value.len);
				break;
			}
	}
}

/* The parked call takes the place of the one that brings its answers. */
static void
take_over(struct call *parked, struct call *retry)
{
	struct item *item = retry->item;
	const struct json_span responses = call_param(retry, "inputResponses");

	free(parked->retry_text);
	parked->retry_text = steal_ptr(&retry->text);
	parked->message.id = retry->message.id;
	parked->token = retry->token;
	parked->level = retry->level;
	parked->request = retry->request;
	parked->item = item;
	parked->is_parked = false;
	item->call = parked;
	retry->item = NULL;
	call_free(retry);
	answers_give(parked, responses);
	ask_count(parked);
	if (parked->answer.len > 0 || json_out_status(&parked->answer) != 0) {
		const struct json_span answer =
		    json_out_written(&parked->answer);
		if (parked->answer_is_error) {
			call_fail(parked, answer, 0);
		} else {
			json_out_span(call_reply_open(parked), answer);
			call_reply_close(parked);
		}
	} else {
		ask_wait(parked);
	}
}

/* What a state says that opened; NULL: it is good, and *parked is who waits. */
static const char *
state_objection(
    struct call *call, const struct seal_state *state, struct call **parked)
{
	uint8_t right[SEAL_DIGEST_BYTES];

	digest(call, right);
	if (sodium_memcmp(right, state->digest, sizeof(right)) != 0)
		return "requestState is of another request: repeat the same "
		       "one, with the same arguments";
	if (state->expires <= front_unix_ms() / 1000)
		return "requestState has expired: make the request anew";
	if (state->kind != SEAL_PARKED)
		return NULL;
	*parked = parked_find(call->front, state->id);
	if (*parked == NULL)
		return "requestState is of a call that waits no more: it "
		       "ended, or the host was restarted; make the request "
		       "anew";
	if (!registry_sees(
		(*parked)->client.principal, (*parked)->entry.server))
		return "requestState is of a call to a server that is not to "
		       "be called any more";
	if ((*parked)->round != state->round || !(*parked)->is_parked)
		return "requestState was used already: each is good for one "
		       "retry";
	return NULL;
}

static void
refuse(struct call *call, const char *sentence)
{
	struct mcp_error error;

	mcp_error_set(
	    &error, 400, MCP_INVALID_PARAMS, "Invalid params: %s", sentence);
	call_refuse(call, &error);
}

bool
ask_resume(struct call *call)
{
	const struct json_span text = call_param(call, "requestState");
	const uint8_t *key = front_key(call->front);
	struct seal_binding binding;
	struct seal_state state;
	struct call *parked = NULL;
	auto_free char *owner = NULL;

	if (!mcp_method_can_ask(call->method))
		return false;
	if (!responses_are_right(call_param(call, "inputResponses"))) {
		refuse(call, "inputResponses must be an object of objects");
		return true;
	}
	if (text.at == NULL)
		return false;
	front_binding(call->client.principal, &call->endpoint, &binding);
	if (key == NULL ||
	    seal_state_admit(key, &binding, text, &state, &owner) != 0) {
		refuse(
		    call, "requestState is not one that was given to you here");
		return true;
	}
	const char *why = state_objection(call, &state, &parked);
	if (why != NULL) {
		refuse(call, why);
		return true;
	}
	if (parked != NULL) {
		take_over(parked, call);
		return true;
	}
	json_out_span(&call->state, state.inner);
	return false;
}
