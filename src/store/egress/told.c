/* SPDX-License-Identifier: Apache-2.0
 *
 * What egress says. It is as far from the store as a stranger's answers are
 * from egress, so what it claims is looked at before it is used. There are
 * tokens in it: it lies where secrets may, and is wiped when it was heard.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "store/egress/egress.h"

#define HEAD sizeof(struct wire_frame)
#define BODY_MAX                                                               \
	(sizeof(struct wire_egress_told) + WIRE_ASK_HEAD_MAX +                 \
	    WIRE_ASK_BODY_MAX)
#define TURNS 16 /* frames at a time, then others have theirs */

struct told {
	size_t len;
	bool is_busy; /* it is being heard */
	bool is_over; /* and nobody's any more */
	uint8_t bytes[HEAD + BODY_MAX];
};

struct told *
told_new(void)
{
	struct told *told = sodium_malloc(sizeof(*told));

	if (told != NULL)
		memset(told, 0, sizeof(*told));
	return told;
}

void
told_free(struct told *told)
{
	if (told != NULL && told->is_busy)
		told->is_over = true;
	else
		sodium_free(told);
}

/* ---- what it is ------------------------------------------------------------
 */

/* Pairs of texts that end. */
static bool
is_pairs(const char *raw_head, size_t len)
{
	size_t n = 0;

	if (len > 0 && raw_head[len - 1] != '\0')
		return false;
	for (size_t i = 0; i < len; i++)
		n += raw_head[i] == '\0';
	return n % 2 == 0;
}

/* A sentence, for a terminal too. */
static void
text_take(char *text, size_t size, const char *raw_text, size_t len)
{
	if (len >= size)
		len = size - 1;
	for (size_t i = 0; i < len; i++)
		text[i] = raw_text[i] >= 0x20 && raw_text[i] <= 0x7e
		    ? raw_text[i]
		    : '?';
	text[len] = '\0';
}

static bool
told_take(
    struct store *store, const struct wire_frame *head, const uint8_t *raw)
{
	struct wire_egress_told claimed;

	if (head->len < sizeof(claimed))
		return false;
	memcpy(&claimed, raw, sizeof(claimed));
	raw += sizeof(claimed);
	if (claimed.head_len > WIRE_ASK_HEAD_MAX ||
	    claimed.body_len > WIRE_ASK_BODY_MAX ||
	    head->len !=
		sizeof(claimed) + claimed.head_len + claimed.body_len ||
	    head->code < 0 || head->code >= WIRE_EGRESS_N_ENDS ||
	    claimed.status > 999 ||
	    !is_pairs((const char *)raw, claimed.head_len))
		return false;
	struct egress_answer answer = { .end = (enum wire_egress_end)head->code,
		.status = claimed.status,
		.head = (const char *)raw,
		.head_len = claimed.head_len,
		.body = (const char *)raw + claimed.head_len,
		.len = claimed.body_len };
	if (answer.end != WIRE_EGRESS_OK) {
		text_take(
		    answer.text, sizeof(answer.text), answer.body, answer.len);
		answer.status = 0;
		answer.head_len = answer.len = 0;
	}
	asks_told(store, head->reserved, &answer);
	return true;
}

static bool
rejected_take(
    struct store *store, const struct wire_frame *head, const uint8_t *raw)
{
	struct wire_egress_rejected rejected;

	if (head->len != sizeof(rejected))
		return false;
	memcpy(&rejected, raw, sizeof(rejected));
	if (memchr(rejected.name, '\0', sizeof(rejected.name)) == NULL)
		return false;
	if (strcmp(rejected.name, WIRE_LOGIN_SECRET) == 0)
		logins_rejected(store, rejected.deployment, rejected.principal);
	return true;
}

/* ---- off the stream --------------------------------------------------------
 */

static size_t
frame_size(const struct told *told)
{
	struct wire_frame head;

	if (told->len < HEAD)
		return HEAD;
	memcpy(&head, told->bytes, HEAD);
	return HEAD + head.len;
}

/* A whole frame. */
static bool
frame_take(struct store *store, struct told *told)
{
	struct wire_frame head;
	bool is_good = false;

	memcpy(&head, told->bytes, HEAD);
	if (head.type == WIRE_EGRESS_TOLD)
		is_good = told_take(store, &head, told->bytes + HEAD);
	else if (head.type == WIRE_EGRESS_REJECTED)
		is_good = rejected_take(store, &head, told->bytes + HEAD);
	sodium_memzero(told->bytes, told->len);
	told->len = 0;
	return is_good;
}

static int
frames_read(struct store *store, struct told *told, int fd)
{
	for (int turn = 0; turn < TURNS && !told->is_over;) {
		const size_t size = frame_size(told);
		if (size > sizeof(told->bytes))
			return TOLD_E_BREACH;
		if (told->len < size) {
			const ssize_t n = recv(fd, told->bytes + told->len,
			    size - told->len, MSG_DONTWAIT);
			if (n < 0 && (errno == EAGAIN || errno == EINTR))
				return 0;
			if (n <= 0)
				return TOLD_E_END;
			told->len += (size_t)n;
		}
		if (told->len < HEAD || told->len < frame_size(told))
			continue;
		turn++;
		if (!frame_take(store, told))
			return TOLD_E_BREACH;
	}
	return 0;
}

int
told_read(struct store *store, struct told *told, int fd)
{
	told->is_busy = true;
	const int code = frames_read(store, told, fd);
	told->is_busy = false;
	if (!told->is_over)
		return code;
	sodium_free(told); /* the stream is closed already */
	return 0;
}
