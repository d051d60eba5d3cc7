/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A gateway with nothing around what is behind it: a registry of a few servers,
 * a pool whose cells and links the test plays itself, a front that writes down
 * what it is told.
 */

#include "test.h"

#include <event2/event.h>

#include "box/note.h"
#include "gateway/gateway.h"
#include "gateway/log.h"

struct fake_answer {
	bool is_done;
	enum upstream_end end;
	enum mcp_era era;
	unsigned status;
	uint64_t cpu_us; /* who counts it is above this */
	char value[8192];
	char notes[8192]; /* "METHOD PARAMS\n" each */
	unsigned n_notes;
	char asks[8192];
	uint32_t last_ask;
	unsigned n_asks;
	unsigned n_waits;
	bool has_waited;
};

struct fake_cell {
	bool is_there;
	enum pool_kind kind;
	char json[8192];
	char body[8192];
	const struct pool_call_ops *ops;
	void *arg;
	bool is_cancelled;
	char answers[4096];
};

extern struct gateway fake_gateway;
extern struct tenant fake_tenant;
extern struct principal fake_principals[2];
extern struct server fake_servers[3];
extern struct client fake_clients[2];
/* The server's ends of links, in the order they were opened; -1: closed. */
extern int fake_links[128];
/* Of boxes: the servers' ends; -1. */
extern int fake_stderrs[128], fake_notes[128];
extern unsigned fake_n_links;
extern const char *fake_link_failure; /* the next ones fail so */
extern struct fake_cell fake_cells[8];
extern unsigned fake_n_cells;
extern const char *fake_declared; /* what a bundle declares */
extern unsigned fake_changed; /* UPSTREAM_… that front heard of */
extern unsigned fake_n_changed;
extern char fake_server_log[65536]; /* "LEVEL TEXT\n" each */
extern char fake_log[8192]; /* what front_log() got, with its principal */
extern char fake_updated[1024];
extern unsigned fake_n_kept; /* surfaces */
extern unsigned fake_n_lost; /* times that subscriptions were */

/* kind: WIRE_KIND_… of all servers. */
void fake_start(uint32_t kind);
/* The server and its box are gone; what was open of them is closed. */
void fake_box_end(unsigned link);
void fake_note(unsigned link, enum box_note_kind kind, int code, uint32_t count,
    const char *text);
void fake_stop(void);
/* Runs the loop until *flag is true; fails the test after 10 s. */
void fake_until(const bool *flag);
/* Until nothing is due any more. */
void fake_settle(void);

/* A call, whose answer is written to `answer`. */
struct upstream_call *fake_call(unsigned server, unsigned client,
    const char *method, const char *params, struct fake_answer *answer);
extern const struct upstream_call_ops fake_ops;

/* The next line that the gateway wrote to this link; fails when none comes. */
const char *fake_read(unsigned link);
bool fake_read_nothing(unsigned link);
void fake_write(unsigned link, const char *line);
/* A reply with the id of this request. */
void
fake_reply(unsigned link, const char *request, const char *member_and_value);
/* Plays a server's start: a probe refused, initialize answered with these
 * capabilities, lists (of tools) answered. */
void fake_greet(unsigned link, const char *capabilities);
void fake_serve_tools(unsigned link, const char *tools);

struct fake_surface {
	bool is_told;
	const struct mcp_surface *surface;
	char failure[1024];
};
void
fake_surface_get(unsigned server, unsigned client, struct fake_surface *told);
