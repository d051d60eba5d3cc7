/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which host a guest wants, by what rule it may, and in which way: bytes as
 * they are (tcp), TLS passed through once it has named the same host (https),
 * or requests that are seen one by one (http; https where a rule has a path or
 * methods, or a secret is bound). Nothing is dialled before that is settled.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "egress/doors/doors.h"

enum way {
	WAY_NONE, /* no rule */
	WAY_BYTES,
	WAY_TLS, /* passed through */
	WAY_INSIDE, /* TLS ended by us */
	WAY_REQUESTS,
	WAY_EITHER, /* TLS or requests, as the first byte says */
};

/* ---- TLS alerts ----------------------------------------------------------- */

enum { ALERT_ACCESS_DENIED = 49, ALERT_INTERNAL = 80, ALERT_NAME = 112 };

static void
alert_say(struct guest *guest, enum wire_egress_end end)
{
	uint8_t alert[] = { 21, 3, 3, 0, 2, 2, ALERT_INTERNAL };

	if (end == WIRE_EGRESS_MISMATCH)
		alert[6] = ALERT_NAME;
	else if (end == WIRE_EGRESS_NO_RULE || end == WIRE_EGRESS_ADDRESS ||
	    end == WIRE_EGRESS_BUDGET)
		alert[6] = ALERT_ACCESS_DENIED;
	guest_say(guest, alert, sizeof(alert));
}

void
door_refuse(struct guest *guest, enum wire_egress_end end, const char *text)
{
	if (guest->fd >= 0 && guest->via == VIA_CONNECT && !guest->is_answered)
		proxy_refuse(guest, end, text);
	else if (guest->fd >= 0 && guest->via == VIA_SOCKS &&
	    !guest->is_answered)
		socks_refuse(guest, end);
	else if (guest->fd >= 0 && guest->scheme == ADDR_HTTPS)
		alert_say(guest, end);
	guest_end(guest, end, text);
}

/* ---- the rule ------------------------------------------------------------- */

static bool
rule_covers(const struct addr_rule *rule, const char *host, uint16_t port)
{
	if ((rule->flags & ADDR_RULE_DENY) != 0 || rule->port != port)
		return false;
	if (!rule->is_suffix)
		return strcmp(rule->host, host) == 0;
	const size_t len = strlen(host), suffix = strlen(rule->host);
	return len > suffix + 1 && host[len - suffix - 1] == '.' &&
	    strcmp(host + len - suffix, rule->host) == 0;
}

/* The schemes that some rule has for it, and whether one of them is for the
 * host's own loopback. */
static unsigned
schemes_of(const struct server *server, const char *host, uint16_t port,
    bool *is_loopback)
{
	unsigned schemes = 0;

	*is_loopback = false;
	for (uint32_t i = 0; i < server->head.n_rules; i++) {
		const struct addr_rule *rule = &server->rules[i];
		if (!rule_covers(rule, host, port))
			continue;
		schemes |= rule->scheme;
		if ((rule->flags & ADDR_RULE_LOOPBACK) != 0)
			*is_loopback = true;
	}
	return schemes;
}

static bool
must_look_inside(const struct server *server, const char *host, uint16_t port)
{
	for (uint32_t i = 0; i < server->head.n_secrets; i++)
		if (server->secrets[i].port == port &&
		    strcmp(server->secrets[i].host, host) == 0)
			return true;
	return addr_rules_look_inside(
	    server->rules, server->head.n_rules, host, port);
}

/* Without a rule: the words that the program would understand. */
static enum way
way_guess(struct guest *guest)
{
	switch (guest->port) {
	case 443:
	case 8443:
		guest->scheme = ADDR_HTTPS;
		return WAY_TLS;
	case 80:
	case 8000:
	case 8080:
		guest->scheme = ADDR_HTTP;
		return WAY_REQUESTS;
	default:
		guest->scheme = ADDR_TCP;
		return WAY_NONE;
	}
}

static enum way
way_pick(struct guest *guest)
{
	const struct server *server = guest->server;
	const char *host = guest->host.text;
	bool is_loopback;
	const unsigned schemes =
	    schemes_of(server, host, guest->port, &is_loopback);
	const bool looks = must_look_inside(server, host, guest->port);

	if (schemes == 0)
		return way_guess(guest);
	if (!looks && (is_loopback || (schemes & ADDR_TCP) != 0)) {
		guest->scheme = (schemes & ADDR_TCP) != 0 ? ADDR_TCP
		    : (schemes & ADDR_HTTP) != 0          ? ADDR_HTTP
							  : ADDR_HTTPS;
		return WAY_BYTES;
	}
	if ((schemes & ADDR_HTTPS) != 0 && (schemes & ADDR_HTTP) != 0)
		return WAY_EITHER;
	if ((schemes & ADDR_HTTPS) != 0) {
		guest->scheme = ADDR_HTTPS;
		return looks ? WAY_INSIDE : WAY_TLS;
	}
	guest->scheme = ADDR_HTTP;
	return WAY_REQUESTS;
}

/* The rule that lets its bytes through unseen; NULL and why. */
static const struct addr_rule *
rule_find(const struct guest *guest, struct err *why)
{
	const struct addr_target target = { .host = guest->host.text,
		.port = guest->port,
		.scheme = guest->scheme };

	return addr_rules_find(
	    guest->server->rules, guest->server->head.n_rules, &target, why);
}

/* ---- out ------------------------------------------------------------------ */

static void
answer(struct guest *guest)
{
	if (guest->is_answered)
		return;
	guest->is_answered = true;
	if (guest->via == VIA_CONNECT)
		proxy_answer(guest);
	else if (guest->via == VIA_SOCKS)
		socks_answer(guest);
}

static void
on_dialled(void *arg, enum wire_egress_end end, int fd, const char *text)
{
	struct guest *guest = arg;

	guest->dial = NULL;
	if (end != WIRE_EGRESS_OK) {
		door_refuse(guest, end, text);
		return;
	}
	answer(guest);
	guest_hear_stop(guest);
	guest->deadline = doors_now_ms() + GUEST_IDLE_MS;
	const struct relay_setup setup = { .base = guest->box->egress->base,
		.fds = { guest->fd, fd },
		.head = guest->head,
		.head_len = guest->head_len,
		.moved = guest_moved,
		.over = guest_relay_over,
		.arg = guest };
	guest->fd = -1;
	const size_t head_len = guest->head_len;
	if (relay_new(&guest->relay, &setup) != 0) {
		guest_end(guest, WIRE_EGRESS_INTERNAL, "out of memory");
		return;
	}
	free(guest->head);
	guest->head = NULL;
	guest->head_len = 0;
	if (!guest_moved(guest, 0, head_len))
		guest_relay_over(guest, RELAY_STOPPED);
}

/* Its bytes go out as they are, if a rule and the budget allow it. */
static void
dial(struct guest *guest)
{
	struct err why = { "" };
	const struct addr_rule *rule = rule_find(guest, &why);

	if (rule == NULL) {
		door_refuse(guest, WIRE_EGRESS_NO_RULE, why.text);
		return;
	}
	if (!server_begin(guest->server, &why)) {
		door_refuse(guest, WIRE_EGRESS_BUDGET, why.text);
		return;
	}
	guest->has_begun = true;
	/* It has its own deadline; what the program sends waits. */
	guest->deadline = 0;
	guest_hear_stop(guest);
	guest->dial = dial_start(guest->box->egress, guest->box->deployment,
	    rule, &guest->host, guest->port, on_dialled, guest);
	if (guest->dial == NULL)
		door_refuse(guest, WIRE_EGRESS_INTERNAL, "out of memory");
}

/* ---- TLS ------------------------------------------------------------------ */

/* What a hello says against the host that was meant; NULL: it agrees. */
static const char *
hello_complaint(
    const struct guest *guest, const struct hello *hello, struct err *text)
{
	struct addr_host_name name;

	if (hello->has_ech)
		return "the program hides the server's name (ECH), so it "
		       "cannot be checked: switch ECH off";
	if (!hello->has_name && !guest->host.is_ip)
		return "the program names no server in its TLS greeting (SNI), "
		       "so it cannot be checked";
	if (!hello->has_name)
		return NULL;
	if (addr_host_parse(hello->name, strlen(hello->name), &name, text) !=
	    0) {
		struct err fault = *text;
		err_set(text, 0,
		    "the server name in the TLS greeting (SNI) %.200s",
		    fault.text);
		return text->text;
	}
	if (strcmp(name.text, guest->host.text) == 0)
		return NULL;
	err_set(text, 0,
	    "the TLS greeting names %.250s (SNI), the connection is to %.250s",
	    name.text, guest->host.text);
	return text->text;
}

/* False: it has been refused, or more must come. */
static bool
hello_check(struct guest *guest, struct hello *hello)
{
	struct err text = { "" };
	const char *why;
	const enum hello_verdict verdict =
	    hello_read(guest->head, guest->head_len, hello, &why);

	if (verdict == HELLO_MORE)
		return false;
	if (verdict == HELLO_BAD) {
		err_set(&text, 0, "what the program sent %s", why);
		door_refuse(guest, WIRE_EGRESS_MISMATCH, text.text);
		return false;
	}
	why = hello_complaint(guest, hello, &text);
	if (why != NULL)
		door_refuse(guest, WIRE_EGRESS_MISMATCH, why);
	return why == NULL;
}

static void
tls_heard(struct guest *guest)
{
	struct hello hello;

	if (hello_check(guest, &hello))
		dial(guest);
}

static void
inside_heard(struct guest *guest)
{
	struct hello hello;

	if (!hello_check(guest, &hello))
		return;
	if (guest->box->egress->authority_pem == NULL)
		door_refuse(guest, WIRE_EGRESS_NO_RULE,
		    "a rule with a path or methods, or a secret, needs TLS to "
		    "be ended here, and this host has no authority for that");
	else if (!hello.speaks_http1)
		door_refuse(guest, WIRE_EGRESS_PROTOCOL,
		    "where requests are seen, the program must offer http/1.1 "
		    "(ALPN)");
	else
		terminate_take(guest);
}

static void
either_heard(struct guest *guest)
{
	if (guest->head[0] != 22) {
		guest->scheme = ADDR_HTTP;
		seen_take(guest);
		return;
	}
	guest->scheme = ADDR_HTTPS;
	guest_fn *hear =
	    must_look_inside(guest->server, guest->host.text, guest->port)
	    ? inside_heard
	    : tls_heard;
	guest->hear = hear;
	hear(guest);
}

/* What came behind a proxy's request is there already. */
static void
hear_on(struct guest *guest, guest_fn *hear)
{
	answer(guest);
	if (guest_hear(guest, hear) && guest->head_len > 0)
		hear(guest);
}

static void
take_bytes(struct guest *guest)
{
	dial(guest);
}

static void
take_tls(struct guest *guest)
{
	hear_on(guest, tls_heard);
}

static void
take_inside(struct guest *guest)
{
	hear_on(guest, inside_heard);
}

static void
take_requests(struct guest *guest)
{
	answer(guest);
	seen_take(guest);
}

static void
take_either(struct guest *guest)
{
	hear_on(guest, either_heard);
}

/* dial() refuses what no rule allows, in the words of how it came. */
static guest_fn *const ways[] = {
	[WAY_NONE] = take_bytes,
	[WAY_BYTES] = take_bytes,
	[WAY_TLS] = take_tls,
	[WAY_INSIDE] = take_inside,
	[WAY_REQUESTS] = take_requests,
	[WAY_EITHER] = take_either,
};

void
door_open(struct guest *guest)
{
	if (guest_server(guest) == NULL) {
		door_refuse(guest, WIRE_EGRESS_NO_RULE,
		    "this server may reach nothing: it was taken away, or not "
		    "approved");
		return;
	}
	const enum way way = way_pick(guest);
	bool is_loopback;
	/* A proxy can say at once that there is no rule. */
	if (guest->via != VIA_ADDRESS &&
	    schemes_of(guest->server, guest->host.text, guest->port,
		&is_loopback) == 0)
		take_bytes(guest);
	else
		ways[way](guest);
}

/* ---- what was dialled ----------------------------------------------------- */

bool
door_host_of(
    const struct box *box, uint32_t address, struct addr_host_name *host)
{
	const struct in_addr in = { htonl(address) };
	char text[INET_ADDRSTRLEN];
	const char *name = NULL;

	if (address == INADDR_LOOPBACK)
		name = "localhost";
	else if ((address & ~((1u << (32 - BOX_NET_BITS)) - 1)) == BOX_NET)
		name = names_find(box->names, address);
	else
		name = inet_ntop(AF_INET, &in, text, sizeof(text));
	return name != NULL &&
	    addr_host_parse(name, strlen(name), host, NULL) == 0;
}

void
door_name(struct guest *guest)
{
	const struct addr_ip *ip = &guest->host.ip;
	struct addr_host_name named;
	uint32_t raw;

	if (!guest->host.is_ip || ip->version != 4)
		return;
	memcpy(&raw, ip->bytes, sizeof(raw));
	if (door_host_of(guest->box, ntohl(raw), &named))
		guest->host = named;
}

void
door_enter(struct guest *guest)
{
	struct sockaddr_in to = { 0 };
	socklen_t len = sizeof(to);

	if (getsockname(guest->fd, (struct sockaddr *)&to, &len) != 0 ||
	    to.sin_family != AF_INET) {
		guest_end(guest, WIRE_EGRESS_INTERNAL, "no address");
		return;
	}
	guest->port = ntohs(to.sin_port);
	if (door_host_of(guest->box, ntohl(to.sin_addr.s_addr), &guest->host)) {
		door_open(guest);
		return;
	}
	inet_ntop(
	    AF_INET, &to.sin_addr, guest->host.text, sizeof(guest->host.text));
	guest_end(guest, WIRE_EGRESS_NO_RULE,
	    "no name has this address here: ask the DNS of the box for the "
	    "name first");
}
