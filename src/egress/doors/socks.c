/* SPDX-License-Identifier: Apache-2.0 */

/*
 * SOCKS5 (RFC 1928), for programs that know no other proxy: no authentication,
 * CONNECT alone, names and addresses.
 */

#include <string.h>

#include "egress/doors/doors.h"

enum {
	VERSION = 5,
	NO_AUTH = 0,
	NO_METHOD = 0xff,
	CONNECT = 1,
	TYPE_V4 = 1,
	TYPE_NAME = 3,
	TYPE_V6 = 4,
};

enum reply {
	REPLY_YES,
	REPLY_FAILED,
	REPLY_NOT_ALLOWED,
	REPLY_NETWORK,
	REPLY_HOST,
	REPLY_REFUSED,
	REPLY_TTL,
	REPLY_COMMAND,
	REPLY_ADDRESS,
};

static void
reply_say(struct guest *guest, enum reply reply)
{
	const uint8_t answer[10] = { VERSION, (uint8_t)reply, 0, TYPE_V4 };

	guest_say(guest, answer, sizeof(answer));
}

void
socks_answer(struct guest *guest)
{
	reply_say(guest, REPLY_YES);
}

void
socks_refuse(struct guest *guest, enum wire_egress_end end)
{
	static const uint8_t replies[WIRE_EGRESS_N_ENDS] = {
		[WIRE_EGRESS_NO_RULE] = REPLY_NOT_ALLOWED,
		[WIRE_EGRESS_ADDRESS] = REPLY_NOT_ALLOWED,
		[WIRE_EGRESS_BUDGET] = REPLY_NOT_ALLOWED,
		[WIRE_EGRESS_MISMATCH] = REPLY_NOT_ALLOWED,
		[WIRE_EGRESS_DNS] = REPLY_HOST,
		[WIRE_EGRESS_CONNECT] = REPLY_REFUSED,
		[WIRE_EGRESS_TIMEOUT] = REPLY_TTL,
	};

	reply_say(guest,
	    replies[end] == REPLY_YES ? REPLY_FAILED
				      : (enum reply)replies[end]);
}

static void
socks_fail(struct guest *guest, enum reply reply, const char *text)
{
	reply_say(guest, reply);
	guest->is_answered = true;
	guest_end(guest, WIRE_EGRESS_BAD, text);
}

/* The host at the request's address; false: it is none. */
static bool
host_read(const uint8_t *address, uint8_t type, size_t len,
    struct addr_host_name *host)
{
	if (type == TYPE_NAME)
		return addr_host_parse(
			   (const char *)address, len, host, NULL) == 0;
	memset(host, 0, sizeof(*host));
	host->is_ip = true;
	host->ip.version = type == TYPE_V4 ? 4 : 6;
	memcpy(host->ip.bytes, address, len);
	addr_ip_put(&host->ip, host->text);
	return true;
}

/* VERSION CONNECT 0 TYPE address port */
static void
request_heard(struct guest *guest)
{
	const uint8_t *head = guest->head;
	size_t at = 4, len = 4;

	if (guest->head_len < 5)
		return;
	if (head[0] != VERSION || head[2] != 0) {
		socks_fail(guest, REPLY_FAILED,
		    "the request to the proxy is not SOCKS5");
		return;
	}
	if (head[1] != CONNECT) {
		socks_fail(guest, REPLY_COMMAND,
		    "the SOCKS proxy only connects: no BIND, no UDP");
		return;
	}
	if (head[3] == TYPE_NAME) {
		at = 5;
		len = head[4];
	} else if (head[3] == TYPE_V6) {
		len = 16;
	} else if (head[3] != TYPE_V4) {
		socks_fail(guest, REPLY_ADDRESS,
		    "the SOCKS request has an address of an unknown type");
		return;
	}
	if (guest->head_len < at + len + 2)
		return;
	if (!host_read(head + at, head[3], len, &guest->host)) {
		socks_fail(guest, REPLY_NOT_ALLOWED,
		    "the SOCKS request names a host that is no host name");
		return;
	}
	guest->port = (uint16_t)(head[at + len] << 8 | head[at + len + 1]);
	guest->via = VIA_SOCKS;
	guest_head_drop(guest, at + len + 2);
	door_name(guest);
	door_open(guest);
}

/* VERSION n methods */
static void
greeting_heard(struct guest *guest)
{
	uint8_t answer[2] = { VERSION, NO_METHOD };

	if (guest->head_len > 0 && guest->head[0] != VERSION) {
		guest_end(guest, WIRE_EGRESS_BAD,
		    "what came at the SOCKS proxy is not SOCKS5");
		return;
	}
	if (guest->head_len < 2 || guest->head_len < 2u + guest->head[1])
		return;
	if (memchr(guest->head + 2, NO_AUTH, guest->head[1]) != NULL)
		answer[1] = NO_AUTH;
	guest_say(guest, answer, sizeof(answer));
	if (answer[1] == NO_METHOD) {
		guest_end(guest, WIRE_EGRESS_BAD,
		    "the SOCKS proxy takes no user names: offer \"no "
		    "authentication\"");
		return;
	}
	guest_head_drop(guest, 2u + guest->head[1]);
	if (guest_hear(guest, request_heard) && guest->head_len > 0)
		request_heard(guest);
}

void
socks_enter(struct guest *guest)
{
	guest_hear(guest, greeting_heard);
}
