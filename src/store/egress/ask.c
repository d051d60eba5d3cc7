/* SPDX-License-Identifier: Apache-2.0
 *
 * What egress is asked. A question that nobody waits for any more keeps its
 * place until it is answered, as it does at egress, so that no more are asked
 * than that takes.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "store/egress/egress.h"

struct ask {
	uint32_t number; /* 0: the place is free */
	uint8_t *bytes; /* owned, sodium_malloc'ed; NULL: it was sent */
	size_t len;
	egress_told_fn *fn; /* NULL: nobody waits */
	void *arg;
	bool is_lost; /* it was sent to an egress that ended */
};

struct egress_asks {
	struct ask asks[WIRE_ASKS_MAX];
	uint32_t last_number;
	struct event *lost; /* soon: who lost theirs hears of it */
};

static struct ask *
ask_find(struct egress_asks *asks, uint32_t number)
{
	for (size_t i = 0; asks != NULL && i < ARRAY_LEN(asks->asks); i++)
		if (asks->asks[i].number == number)
			return &asks->asks[i];
	return NULL;
}

/* Takes it out of the table first: who hears may ask again. */
static void
ask_end(struct ask *ask, const struct egress_answer *answer)
{
	const struct ask ended = *ask;

	*ask = (struct ask){ .number = 0 };
	if (ended.bytes != NULL)
		sodium_free(ended.bytes);
	if (ended.fn != NULL)
		ended.fn(ended.arg, ended.number, answer);
}

static void
on_lost(evutil_socket_t fd, short what, void *arg)
{
	static const struct egress_answer answer = { .end =
							 WIRE_EGRESS_INTERNAL,
		.text = "egress ended before there was an answer; it starts "
			"again by itself" };
	struct egress_asks *asks = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < ARRAY_LEN(asks->asks); i++)
		if (asks->asks[i].is_lost)
			ask_end(&asks->asks[i], &answer);
}

/* Not at once: who closes the stream is in the middle of something. */
void
asks_lost(struct store *store)
{
	struct egress_asks *asks = store->asks;

	for (size_t i = 0; asks != NULL && i < ARRAY_LEN(asks->asks); i++) {
		struct ask *ask = &asks->asks[i];
		if (ask->number == 0 || ask->bytes != NULL)
			continue;
		ask->is_lost = true;
		event_active(asks->lost, EV_TIMEOUT, 0);
	}
}

static struct egress_asks *
asks_have(struct store *store)
{
	if (store->asks != NULL)
		return store->asks;
	struct egress_asks *asks = calloc(1, sizeof(*asks));
	if (asks == NULL)
		return NULL;
	asks->lost = evtimer_new(store->base, on_lost, asks);
	if (asks->lost == NULL) {
		free(asks);
		return NULL;
	}
	return store->asks = asks;
}

void
asks_free(struct store *store)
{
	struct egress_asks *asks = store->asks;

	if (asks == NULL)
		return;
	store->asks = NULL;
	for (size_t i = 0; i < ARRAY_LEN(asks->asks); i++)
		if (asks->asks[i].bytes != NULL)
			sodium_free(asks->asks[i].bytes);
	event_free(asks->lost);
	free(asks);
}

/* ---- asking ----------------------------------------------------------------
 */

static int
bytes_make(const struct egress_question *question, struct ask *ask)
{
	const struct wire_egress_ask head = {
		.deployment = question->deployment,
		.principal = question->principal,
		.head_len = (uint32_t)question->head_len,
		.body_len = (uint32_t)question->body_len,
	};

	if (question->head_len > WIRE_ASK_HEAD_MAX ||
	    question->body_len > WIRE_ASK_BODY_MAX)
		return -EMSGSIZE;
	ask->len = sizeof(head) + question->head_len + question->body_len;
	ask->bytes = sodium_malloc(ask->len);
	if (ask->bytes == NULL)
		return -ENOMEM;
	memcpy(ask->bytes, &head, sizeof(head));
	memcpy(ask->bytes + sizeof(head), question->head, question->head_len);
	if (question->body_len > 0)
		memcpy(ask->bytes + sizeof(head) + question->head_len,
		    question->body, question->body_len);
	return 0;
}

int
egress_ask(struct store *store, const struct egress_question *question,
    egress_told_fn *fn, void *arg, uint32_t *number)
{
	struct egress_asks *asks = asks_have(store);

	if (asks == NULL)
		return -ENOMEM;
	struct ask *place = ask_find(asks, 0);
	if (place == NULL)
		return -EBUSY;
	struct ask ask = { .fn = fn, .arg = arg };
	const int code = bytes_make(question, &ask);
	if (code != 0)
		return code;
	do
		ask.number = ++asks->last_number;
	while (ask.number == 0 || ask_find(asks, ask.number) != NULL);
	*place = ask;
	*number = ask.number;
	egress_flush_soon(store);
	return 0;
}

void
egress_ask_forget(struct store *store, uint32_t number)
{
	struct ask *ask = number == 0 ? NULL : ask_find(store->asks, number);

	if (ask == NULL)
		return;
	ask->fn = NULL;
	if (ask->bytes != NULL) /* nobody was asked yet */
		ask_end(ask, NULL);
}

bool
asks_next(struct store *store, struct wire_frame *head, uint8_t **bytes)
{
	struct egress_asks *asks = store->asks;

	for (size_t i = 0; asks != NULL && i < ARRAY_LEN(asks->asks); i++) {
		struct ask *ask = &asks->asks[i];
		if (ask->bytes == NULL)
			continue;
		*head = (struct wire_frame){ .type = WIRE_EGRESS_ASK,
			.len = (uint32_t)ask->len,
			.reserved = ask->number };
		*bytes = steal_ptr(&ask->bytes);
		return true;
	}
	return false;
}

/* ---- answers ---------------------------------------------------------------
 */

void
asks_told(
    struct store *store, uint32_t number, const struct egress_answer *answer)
{
	struct ask *ask = number == 0 ? NULL : ask_find(store->asks, number);

	/* One that was not asked of this egress is nobody's answer. */
	if (ask != NULL && ask->bytes == NULL && !ask->is_lost)
		ask_end(ask, answer);
}

const char *
egress_answer_header(
    const struct egress_answer *answer, const char *name, unsigned i)
{
	const char *at = answer->head, *end = at + answer->head_len;

	while (at < end) {
		const char *value = at + strlen(at) + 1;
		if (strcasecmp(at, name) == 0 && i-- == 0)
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}
