/* SPDX-License-Identifier: Apache-2.0 */

/*
 * TLS that is ended here, where a rule or a secret needs requests to be seen:
 * towards the program we are the host, by a certificate of the authority that
 * its box trusts; what is inside goes to the HTTP server over a pair of sockets.
 */

#include "base/auto.h"
#include "egress/doors/doors.h"
#include "egress/doors/leaf.h"

static struct leaves *
leaves_get(struct egress *egress)
{
	struct leaves *leaves = egress->leaves;

	if (leaves == NULL &&
	    leaves_new(&leaves, egress->authority_pem, egress->authority_len) ==
		0)
		egress->leaves = leaves;
	return leaves;
}

void
terminate_take(struct guest *guest)
{
	struct leaves *leaves = leaves_get(guest->box->egress);
	SSL *ssl = leaves == NULL
	    ? NULL
	    : leaves_accept(leaves, guest->host.text, guest->host.is_ip);

	if (ssl == NULL) {
		door_refuse(guest, WIRE_EGRESS_INTERNAL,
		    "no certificate could be made: the authority of the host's "
		    "settings is none");
		return;
	}
	guest_hear_stop(guest);
	const int inner_fd = seen_inner(guest);
	if (inner_fd < 0) {
		SSL_free(ssl);
		guest_end(guest, WIRE_EGRESS_INTERNAL,
		    "the connection could not be served");
		return;
	}
	const struct relay_setup setup = { .base = guest->box->egress->base,
		.fds = { fd_steal(&guest->fd), inner_fd },
		.ssl = ssl,
		.head = guest->head,
		.head_len = guest->head_len,
		.moved = seen_moved,
		.over = seen_relay_over,
		.arg = guest };
	/* Without it, the inner end is closed, and on_left() comes. */
	relay_new(&guest->relay, &setup);
}
