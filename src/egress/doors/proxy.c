/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The HTTP proxy of a box, for programs that obey HTTP(S)_PROXY: CONNECT, and
 * then what a direct connection to that host would be; or requests for absolute
 * http URLs.
 */

#include <stdio.h>
#include <string.h>

#include "egress/doors/connect.h"
#include "egress/doors/doors.h"

void
proxy_answer(struct guest *guest)
{
	static const char yes[] = "HTTP/1.1 200 Connection established\r\n\r\n";

	guest_say(guest, yes, sizeof(yes) - 1);
}

void
proxy_refuse(struct guest *guest, enum wire_egress_end end, const char *text)
{
	char answer[1536];
	const unsigned status = seen_status(end);

	const int len = snprintf(answer, sizeof(answer),
	    "HTTP/1.1 %u %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Length: %zu\r\nConnection: close\r\n\r\ncordon: %s\n",
	    status, seen_reason(status), strlen(text) + strlen("cordon: \n"),
	    text);
	if (len > 0 && (size_t)len < sizeof(answer))
		guest_say(guest, answer, (size_t)len);
}

static void
proxy_heard(struct guest *guest)
{
	struct connect connect;
	struct err why = { "" }, text;
	const enum connect_verdict verdict =
	    connect_read(guest->head, guest->head_len, &connect, &why);

	if (verdict == CONNECT_MORE)
		return;
	if (verdict == CONNECT_OTHER) {
		guest->scheme = ADDR_HTTP;
		guest->is_proxy = true;
		seen_take(guest);
		return;
	}
	guest->via = VIA_CONNECT;
	if (verdict == CONNECT_BAD) {
		err_set(&text, 0, "the request to the proxy %s", why.text);
		door_refuse(guest, WIRE_EGRESS_BAD, text.text);
		return;
	}
	guest->port = connect.port;
	guest->host = connect.host;
	guest_head_drop(guest, connect.len);
	door_name(guest);
	door_open(guest);
}

void
proxy_enter(struct guest *guest)
{
	guest_hear(guest, proxy_heard);
}
