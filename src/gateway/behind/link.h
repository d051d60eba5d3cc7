/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A link: a way to a server that speaks JSON-RPC lines (descriptors, or HTTP by
 * way of egress: remote.h), with its greeting
 * and what is queued for it. link.c moves bytes, life.c says whose a link is,
 * when one is started and how long it lives, lines.c what its lines mean. A link
 * that dies while it is being read is freed after that.
 */

#include "gateway/behind/behind.h"
#include "gateway/behind/box.h"
#include "gateway/behind/remote.h"
#include "mcp/stream.h"

#define LINK_LINE_MAX (16u << 20) /* a message; result_bytes if that is less */
#define LINK_QUEUE_MAX (16u << 20) /* bytes that a server has not read */
#define LINK_REPLIES_MAX (64u << 10) /* unread, and it gets no more answers */
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
	LINK_CHECKING, /* it was idle: is it there? calls wait for the answer */
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
	bool is_spare; /* nobody's yet */
	uint32_t can; /* that it was initialized with */
	enum link_stage stage;
	enum mcp_era era;
	int read_fd;
	int write_fd; /* of a socket: the same */
	uint32_t number; /* that egress knows it by; 0: not open yet */
	struct box *box; /* NULL: there is none */
	struct remote *remote; /* NULL: lines go over the descriptors */
	/* While a remote server's words are told: the request in whose answer
	 * they stand, and the one that they answered. 0: none. */
	uint64_t speaker_id;
	uint64_t answered_id;
	bool is_leaving; /* the server is: who ends first, waits for the rest */
	struct event *readable;
	struct event *writable;
	struct event *timer; /* of the stage; READY: to be idle */
	struct mcp_lines lines;
	struct chunk *queue;
	size_t queued; /* bytes */
	uint64_t last_id;
	uint64_t greet_id; /* of what the stage waits for */
	uint64_t probe_id; /* server/discover: it may be answered late */
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
	uint64_t start_ms; /* it was last opened, or reopened */
	uint64_t used_ms;
	bool is_doubted; /* the last call of it took too long */
	struct link *elder; /* whose place it takes once it is ready */
	bool is_retired; /* its heir is there: no new calls */
	bool is_reading;
	bool is_dead;
};

/* Whose link a client's calls go by. */
struct owner {
	struct principal *principal;
	const uint8_t *session;
	uint32_t can;
};

/*
 * life.c: the link of this client, made if need be. NULL: why says it, a text
 * of at most 256 bytes.
 */
struct link *
link_get(struct upstream *upstream, const struct client *client, char why[256]);
/* The same without making one. */
struct link *link_find(struct upstream *upstream, const struct client *client);
/* One more for this owner, if there may be. */
struct link *
life_start(struct upstream *upstream, const struct owner *owner, char why[256]);
struct owner life_owner(const struct link *link);
/* It has been greeted. */
void life_ready(struct link *link);
/* READY, and its timer is over: idle, or old? */
void life_tick(struct link *link);
void life_timer_set(struct link *link);
/* Before a call goes out: is it to be asked first whether it is there? */
bool life_is_doubtful(const struct link *link);
/* It is over: who failed is to be started less often. */
void life_over(struct link *link, enum upstream_over over);
/* How long a start may take, and how much of that the stage has now. */
uint64_t life_start_ms(const struct upstream *upstream);
uint64_t life_stage_ms(const struct link *link, uint64_t stage_ms);

/* link.c: a link that is opened from now on; NULL: out of memory. */
struct link *link_new(struct upstream *upstream, const struct owner *owner);
/* Closes it; what is under way on it ends with this reason, but calls that were
 * never written begin anew if `again`. */
void link_end(struct link *link, enum upstream_over over, bool again,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The server left: why, its box knows. */
void link_left(struct link *link);
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
/* A line, or what was one at the server's; the link may be freed in it. */
void link_hear(struct link *link, const char *raw_text, size_t len);

/* lines.c: what link.c calls. */
void lines_opened(struct link *link);
bool lines_line(void *link, const char *raw_text, size_t len);
/* The server left: true if it is to be asked again in other words. */
bool lines_left(struct link *link);
/* Asks whether it is there; its calls go out once it answers. */
void lines_check(struct link *link);
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
/* server/discover is answered after initialize went out; true: it is modern. */
bool lines_probe_take(struct link *link, struct json_span result);
/* Soon, and once for many reasons. */
void lines_lists_ask_again(struct link *link);

/* lines.c, for greeting.c: sends what waited for the link to be ready. */
void lines_calls_send(struct link *link);
