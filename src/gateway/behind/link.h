/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A link: one descriptor to a server that speaks JSON-RPC lines, with its
 * greeting and what is queued for it. link.c moves bytes, lines.c says what
 * they mean. A link that dies while it is being read is freed after that.
 */

#include "gateway/behind/behind.h"
#include "mcp/stream.h"

#define LINK_LINE_MAX (16u << 20) /* a message; result_bytes if that is less */
#define LINK_QUEUE_MAX (16u << 20) /* bytes that a server has not read */
#define LINKS_MAX 64 /* of one server */
#define LINKS_PRINCIPAL_MAX 16 /* of those, for one principal */
#define LINK_URIS_MAX 256 /* subscribed to, by one link */
#define LINK_TOLD_MAX 200 /* notifications of no call, in a second */
#define LINK_STRAYS_MAX 256 /* answers to nothing, and lines that are no JSON */

enum link_stage {
	LINK_OPENING,
	LINK_PROBING, /* server/discover is out */
	LINK_GREETING, /* initialize is out */
	LINK_READY,
};

struct chunk {
	struct chunk *next;
	struct upstream_call *call; /* whose request it is; NULL: nobody's */
	size_t len;
	size_t done;
	char bytes[];
};

struct uri {
	struct uri *next;
	size_t len;
	char json[]; /* a string, with its quotes */
};

struct link {
	struct link *next; /* of the upstream */
	struct upstream *upstream;
	/* Whose it is; all it carries is theirs. */
	struct principal *principal; /* held; NULL: everybody's */
	bool has_session;
	uint8_t session[16];
	uint32_t can; /* that it was initialized with */
	enum link_stage stage;
	enum mcp_era era;
	int fd;
	struct event *readable;
	struct event *writable;
	struct event *timer; /* of the stage; READY: to be idle */
	struct mcp_lines lines;
	struct chunk *queue;
	size_t queued; /* bytes */
	uint64_t last_id;
	uint64_t greet_id; /* of what the stage waits for */
	uint64_t listen_id; /* modern: subscriptions/listen; 0: none */
	struct upstream_call *calls; /* waiting (id 0) and in flight */
	char *hello; /* the result that greeted us; owned */
	size_t hello_len;
	bool greets; /* the capture under way waits for it */
	struct uri *uris;
	unsigned n_uris;
	uint64_t told_s; /* the second that n_told is of */
	unsigned n_told; /* notifications of no call */
	unsigned n_strays;
	unsigned n_late; /* answers that may still come to what was dropped */
	uint64_t doubt_until_ms; /* what was dropped may speak until then */
	uint64_t n_answers; /* to calls of clients */
	uint64_t opened_ms;
	uint64_t used_ms;
	bool is_reading;
	bool is_dead;
};

/*
 * link.c: the link of this client, made if need be. NULL: why says it, a text
 * of at most 256 bytes.
 */
struct link *
link_get(struct upstream *upstream, const struct client *client, char why[256]);
/* The same without making one. */
struct link *link_find(struct upstream *upstream, const struct client *client);
/* Closes it; what is under way on it ends with this reason, but calls that were
 * never written begin anew if `again`. */
void link_end(struct link *link, bool again, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Opens the descriptor once more, for a server that left instead of
 * answering. */
void link_reopen(struct link *link);
/* Appends a line; the newline is added. `first`: before all that is queued.
 * False: the queue is full, or memory is. */
bool link_write(struct link *link, const struct json_out *message,
    struct upstream_call *call, bool first);
/* Takes a request out of the queue: false if some of it is out. */
bool link_unwrite(struct link *link, const struct upstream_call *call);
void link_timer_set(struct link *link, uint64_t ms);

/* lines.c: what link.c calls. */
void lines_opened(struct link *link);
bool lines_line(void *link, const char *raw_text, size_t len);
/* The server left: true if it is to be asked again in other words. */
bool lines_left(struct link *link);
void lines_timer(struct link *link);

/* greeting.c, for lines.c */
void lines_message_open(struct json_out *out, size_t limit);
void lines_request_open(struct json_out *out, uint64_t id, const char *method);
/* Closes the message and sends it; its memory is given back. */
bool lines_message_send(struct link *link, struct json_out *out,
    struct upstream_call *call, bool first);
/* The answer that the link's stage waits for. */
void lines_greeting_take(
    struct link *link, struct json_span result, struct json_span error);
/* Soon, and once for many reasons. */
void lines_lists_ask_again(struct link *link);

/* lines.c, for greeting.c: sends what waited for the link to be ready. */
void lines_calls_send(struct link *link);
