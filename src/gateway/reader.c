/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/store.h"

/* What the store may say, and how long it is. */
static const struct {
	uint32_t least;
	uint32_t most;
} lengths[WIRE_STORE_N_FRAMES] = {
	[WIRE_STORE_KEY] = { 32, 32 },
	[WIRE_STORE_TENANT] = { sizeof(struct wire_tenant),
	    sizeof(struct wire_tenant) },
	[WIRE_STORE_TOKEN] = { sizeof(struct wire_token),
	    sizeof(struct wire_token) },
	[WIRE_STORE_SERVER] = { sizeof(struct wire_server),
	    sizeof(struct wire_server) },
	[WIRE_STORE_ENDED] = { sizeof(struct wire_ended),
	    sizeof(struct wire_ended) },
	[WIRE_STORE_SNAPSHOT] = { 0, 0 },
	[WIRE_STORE_REPLY] = { 0, STORE_REPLY_MAX },
	[WIRE_STORE_KEPT] = { sizeof(struct wire_kept),
	    sizeof(struct wire_kept) },
	[WIRE_STORE_KNOWN] = { 2, WIRE_STORE_SURFACE_MAX },
};

static bool
head_is_right(const struct wire_frame *head)
{
	const bool is_known =
	    (head->type >= WIRE_STORE_KEY && head->type <= WIRE_STORE_REPLY) ||
	    head->type == WIRE_STORE_KEPT || head->type == WIRE_STORE_KNOWN;

	return is_known && head->len >= lengths[head->type].least &&
	    head->len <= lengths[head->type].most;
}

static size_t
take(void *to, size_t have, size_t want, const uint8_t **bytes, size_t *len)
{
	const size_t n = want - have < *len ? want - have : *len;

	if (n > 0)
		memcpy((uint8_t *)to + have, *bytes, n);
	*bytes += n;
	*len -= n;
	return have + n;
}

int
store_reader_feed(struct store_reader *reader, const uint8_t *raw_bytes,
    size_t len, store_frame_fn *fn, void *arg)
{
	struct wire_frame *head = &reader->head;

	while (len > 0) {
		reader->head_len = take(
		    head, reader->head_len, sizeof(*head), &raw_bytes, &len);
		if (reader->head_len < sizeof(*head))
			return 0;
		if (!head_is_right(head))
			return STORE_E_BROKEN;
		if (reader->payload == NULL)
			reader->payload = malloc(head->len + 1);
		if (reader->payload == NULL)
			return -ENOMEM;
		reader->payload_len = take(reader->payload, reader->payload_len,
		    head->len, &raw_bytes, &len);
		if (reader->payload_len < head->len)
			return 0;
		const int r = fn(arg, head, reader->payload);
		store_reader_fini(reader);
		if (r != 0)
			return r;
	}
	return 0;
}

void
store_reader_fini(struct store_reader *reader)
{
	free(reader->payload);
	*reader = (struct store_reader){ 0 };
}
