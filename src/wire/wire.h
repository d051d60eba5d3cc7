/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the processes say to each other. Same machine, same build: numbers are
 * native, structs cross by copy, nothing is parsed.
 *
 * Two kinds of channel:
 *   messages  SOCK_SEQPACKET, one struct wire_message each, descriptors beside
 *   frames    SOCK_STREAM between a caller and its cell: a struct wire_frame,
 *             then `len` bytes
 *
 * The life of a template and of a call, in order:
 *
 *   zygote -> supervisor   ZYGOTE_READY            the engine is warm
 *   gateway -> supervisor  OPEN deployment         (status 1: no warm-up)
 *   supervisor -> zygote   TEMPLATE_FORK id        + bundle, control
 *   zygote -> supervisor   TEMPLATE_FORKED id      + pidfd
 *   supervisor -> template START limits            (after its cgroup is set)
 *   supervisor -> gateway  OPENED deployment       + control
 *   template -> gateway    READY                   + surface   or REFUSED text
 *   gateway -> template    FORK count               (status: how many of them
 *                                                  have a call waiting)
 *   template -> gateway    CELL cell               + stream
 *   gateway -> cell        frames CALL_TOOL, or CALL_REQUEST and BODY
 *   cell -> gateway        frames LOG* then RESULT | FAIL | HEAD CHUNK* END
 *   template -> gateway    EXIT cell               how it ended, by the kernel
 *   gateway -> template    KILL cell               a call's wall time is over
 *   gateway -> supervisor  CLOSE deployment        evicted, or disobeyed
 *
 * In the middle of a call a cell may speak: NOTE (a notification), ASK (a
 * request to the client, numbered in `code`), WAIT (nothing is left to do until
 * an ASK is answered; `code`: how many answers it has read, so that one that is
 * on its way is no reason to wait); the caller says ANSWER, with the number of
 * the ASK.
 *
 * A server that is not an isolate is reached over a descriptor that carries
 * JSON-RPC lines (MCP's stdio transport), one for each LINK:
 *
 *   gateway -> supervisor  LINK deployment         status: the link's number
 *   supervisor -> gateway  LINKED deployment       status, + a stream socket
 *                          BOXED deployment        status, + the other ends of
 *                          a box's stdin, stdout and stderr (pipes), and of its
 *                          notes (box/note.h)
 *                          LINK_FAILED             status, text: why
 *   (the gateway closes the descriptors to end the link; a box ends when its
 *   notes are closed: TERM, grace, KILL)
 *
 * The registry (wire/registry.h) comes from the store, which gets what the
 * operator put into a folder by way of the supervisor:
 *
 *   operator -> supervisor SERVER_BUNDLE | SERVER_SOCKET   a wire_server as
 *                          text (behind it, what an isolate may reach, as
 *                          JSON), and its bundle; relayed to the store
 *   operator -> supervisor COMMIT                  these are all; relayed
 *   store -> supervisor -> operator  COMMITTED     status 0, or errno and text
 *   operator -> supervisor SETTINGS, TLS           a sealed memfd: a new
 *                          wire_plan, certificate and key as PEM; kept, and
 *                          relayed to the gateway now and at its every start
 *   operator -> supervisor -> store VAULT           a sealed memfd: the
 *                          vault's keys from now on
 *   operator -> supervisor EGRESS_SETTINGS         a sealed memfd: egress is
 *                          started anew, with them
 *   store -> supervisor    DEPLOY | DEPLOY_SOCKET  id; a wire_deployment as
 *                          text (the same again changes nothing)
 *   store -> supervisor    UNDEPLOY id             0: all is told; what was not
 *                          told since the store's start is gone
 *   store -> supervisor    TENANT                  a wire_tenant as text
 *   store -> supervisor    BREACH                  text: what the gateway sent
 *                          that no gateway sends; it is ended
 *   supervisor -> gateway, store  STORE            the two ends of a stream
 *                          socket: at the gateway's start and the store's
 *
 * Egress (wire/egress.h) hears whose a channel is before anything comes over
 * it:
 *
 *   supervisor -> egress, store    EGRESS_STORE    the ends of a stream of
 *                          records
 *   supervisor -> egress, gateway  EGRESS_EVENTS   the ends of a stream
 *   supervisor -> egress   EGRESS_CELLS deployment  the channel over which a
 *                          template hands over its cells' streams
 *   supervisor -> template EGRESS_CELLS            its end, before START; a
 *                          template that gets none has no way out
 *   template -> egress     EGRESS_CALLER cell       a stream of fetches
 *   supervisor -> egress   EGRESS_CALLER deployment  status: the link; of a
 *                          remote server, whose LINKED has the other end
 *   supervisor -> egress   EGRESS_BOX deployment    status: the link; the
 *                          channel over which the launcher hands over
 *   launcher -> egress     (no message of these) a struct box_listener_note
 *                          (box/listener.h); made inside the box. Once the
 *                          channel is closed, the box is over
 *
 * A receiver checks the type against what its state allows and the length
 * against the type, copies out, then acts (wire_receive does the shape).
 */

#include <stddef.h>
#include <stdint.h>

#include "wire/limits.h"

enum wire_type {
#define WIRE_MESSAGE(type, fds, text) WIRE_##type,
#include "wire/wire.def"
#undef WIRE_MESSAGE
	WIRE_N_TYPES,
};

#define WIRE_TEXT_MAX 32768 /* bytes of text behind a message */
#define WIRE_FDS_MAX 4

struct wire_usage {
	uint64_t cpu_us;
	uint64_t wall_us;
	uint64_t peak_kib;
};

struct wire_message {
	uint32_t type; /* enum wire_type */
	uint32_t id; /* deployment, template, cell or count: by type */
	int32_t status; /* errno, enum wire_code, or a wait status: by type */
	uint32_t text_len; /* bytes of text that follow */
	struct wire_usage usage; /* EXIT, REFUSED; WEIGHT: peak_kib */
	struct wire_limits limits; /* START */
	uint64_t base_bytes; /* START: the zygote's own private data */
};

#define WIRE_E_SHAPE 1 /* wrong length, descriptors or type */
#define WIRE_E_CLOSED 2 /* the peer is gone */
#define WIRE_E_LOST 3 /* there was no room for its descriptors */

/*
 * Sends one message with its descriptors (borrowed) and text. 0, -EAGAIN when
 * the socket is full and not blocking, WIRE_E_CLOSED, negative errno.
 */
int wire_send(int socket_fd, const struct wire_message *message, const int *fds,
    size_t n_fds, const char *text);

/*
 * Receives one. On success the caller owns what is in fds (exactly as many as
 * the type carries; the rest of the array is -1); text is NUL-terminated.
 * -EAGAIN when there is none, WIRE_E_CLOSED, WIRE_E_SHAPE or WIRE_E_LOST (this
 * process may open no more: the next message may be whole; in both, descriptors
 * that came are closed), negative errno. flags as for recvmsg(2).
 */
int wire_receive(int socket_fd, int flags, struct wire_message *message,
    int fds[WIRE_FDS_MAX], char text[WIRE_TEXT_MAX + 1]);

/* How a call ended, as the cell itself says it (FAIL) or a template (REFUSED).
 * The order is that of enum pool_end. */
enum wire_code {
	WIRE_CODE_OK,
	WIRE_CODE_EXCEPTION,
	WIRE_CODE_TIMEOUT_CPU,
	WIRE_CODE_TIMEOUT_WALL,
	WIRE_CODE_MEMORY,
	WIRE_CODE_STACK,
	WIRE_CODE_RESULT_TOO_LARGE,
	WIRE_CODE_INVALID_RESULT,
	WIRE_CODE_LOAD_ERROR,
	WIRE_CODE_INTERNAL,
	WIRE_CODE_WARM_SPOILT, /* REFUSED: open again, without a warm-up */
	WIRE_N_CODES,
};

enum wire_frame_type {
	WIRE_FRAME_CALL_TOOL = 1, /* caller: json */
	WIRE_FRAME_CALL_REQUEST, /* caller: json, a BODY follows */
	WIRE_FRAME_BODY, /* caller: bytes, may be none */
	WIRE_FRAME_LOG, /* cell: code is the level; text */
	WIRE_FRAME_RESULT, /* cell: json; the answer is complete */
	WIRE_FRAME_FAIL, /* cell: code, json; the answer is complete */
	WIRE_FRAME_HEAD, /* cell: json */
	WIRE_FRAME_CHUNK, /* cell: bytes */
	WIRE_FRAME_END, /* cell: the response is complete */
	WIRE_FRAME_IDLE, /* cell: ready for another call (reuse) */
	WIRE_FRAME_NOTE, /* cell: json {"method", "params"} */
	WIRE_FRAME_ASK, /* cell: code is its number; json {"method", "params"} */
	WIRE_FRAME_WAIT, /* cell: nothing to do; code: the answers it has read */
	WIRE_FRAME_ANSWER, /* caller: code; json {"result"} or {"error"} */
	WIRE_N_FRAMES,
};

struct wire_frame {
	uint32_t type; /* enum wire_frame_type */
	uint32_t len; /* bytes that follow */
	int32_t code; /* FAIL: enum wire_code; LOG: level; ASK, ANSWER */
	uint32_t reserved;
	struct wire_usage usage; /* RESULT, FAIL, END */
};

#define WIRE_LOG_LINE_COST 16u /* of the log limit, besides its bytes */
#define WIRE_FRAME_MAX (64u << 20) /* no frame is longer, whoever says so */

/* SOCK_SEQPACKET or SOCK_STREAM pair, close-on-exec. Negative errno. */
int wire_pair(int type, int pair[2]);
