/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The DNS of a box: names that a rule knows have an address that means them
 * here, and no other name is. Nothing is asked of anybody, so nothing is told
 * to anybody by asking.
 *
 * libevent's DNS server is not used: it reads datagrams until there are none,
 * so whoever sends faster than it answers has this process for himself.
 */

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "egress/doors/doors.h"
#include "egress/doors/question.h"

#define DATAGRAMS_MAX 32 /* before others have their turn */
#define DATAGRAM_MAX 1232
#define TTL_S 60
#define CLASS_IN 1
#define TOLD_AGAIN_MS 60000

/* Whether this name was told lately; it counts as told from now on. When more
 * names are asked for than are remembered, the rest is not told. */
static bool
is_news(struct box *box, const char *host)
{
	const uint64_t now = doors_now_ms();
	struct asked *oldest = &box->asked[0];

	for (size_t i = 0; i < ASKED_MAX; i++) {
		struct asked *asked = &box->asked[i];
		const bool is_fresh =
		    asked->at != 0 && now - asked->at < TOLD_AGAIN_MS;
		if (is_fresh && strcmp(asked->host, host) == 0)
			return false;
		if (asked->at < oldest->at)
			oldest = asked;
	}
	if (oldest->at != 0 && now - oldest->at < TOLD_AGAIN_MS)
		return false;
	oldest->at = now;
	memcpy(oldest->host, host, strlen(host) + 1);
	return true;
}

static void
refusal_tell(struct box *box, const char *host, const char *text)
{
	struct wire_egress_event event = box_event(box);

	if (!is_news(box, host))
		return;
	event.end = WIRE_EGRESS_NO_RULE;
	event.refused = true;
	snprintf(event.host, sizeof(event.host), "%s", host);
	snprintf(event.text, sizeof(event.text), "%s", text);
	events_tell(box->egress->events, &event);
}

/* No rule knows it: told, with the rule that is missing. */
static enum question_code
refuse(struct box *box, const struct server *server, const char *host)
{
	const struct addr_target target = { .host = host,
		.port = addr_scheme_port(ADDR_HTTPS),
		.scheme = ADDR_HTTPS };
	struct err why = { "" };

	if (server == NULL)
		err_set(&why, 0, "this server may reach nothing");
	else
		addr_rules_find(
		    server->rules, server->head.n_rules, &target, &why);
	refusal_tell(box, host, why.text);
	return QUESTION_NXDOMAIN;
}

static enum question_code
name_answer(struct box *box, const struct server *server, const char *host,
    uint32_t *address, bool *has_address)
{
	if (server == NULL ||
	    !addr_rules_know(server->rules, server->head.n_rules, host))
		return refuse(box, server, host);
	if (!*has_address)
		return QUESTION_NOERROR;
	const int r = names_take(box->names, host, address);
	*has_address = r == 0;
	if (r == NAMES_E_FULL)
		refusal_tell(box, host,
		    "4096 names were asked for: no more get an address "
		    "before this box ends");
	if (r == 0)
		return QUESTION_NOERROR;
	return r == NAMES_E_FULL ? QUESTION_REFUSED : QUESTION_SERVFAIL;
}

static enum question_code
question_decide(struct box *box, const struct question *question,
    uint32_t *address, bool *has_address)
{
	struct addr_host_name host;

	*has_address = false;
	if (question->class != CLASS_IN)
		return QUESTION_REFUSED;
	/* Names of addresses, of which none is anybody's, are asked for by
	 * programs that only want to log them. */
	if (question->type == QUESTION_PTR ||
	    addr_host_parse(
		question->name, strlen(question->name), &host, NULL) != 0 ||
	    host.is_ip)
		return QUESTION_NXDOMAIN;
	*has_address = question->type == QUESTION_A;
	struct server *server =
	    server_hold(box->egress->servers, box->deployment);
	const enum question_code code =
	    name_answer(box, server, host.text, address, has_address);
	server_release(server);
	*has_address = *has_address && code == QUESTION_NOERROR;
	return code;
}

static void
datagram_answer(struct listener *listener, const uint8_t *raw, size_t len,
    const struct sockaddr_in *from)
{
	uint8_t answer[QUESTION_ANSWER_MAX];
	struct question question;
	uint32_t address;
	bool has_address = false;

	int code = question_read(raw, len, &question);
	if (code < 0)
		return;
	if (code == QUESTION_NOERROR)
		code = (int)question_decide(
		    listener->box, &question, &address, &has_address);
	const size_t n =
	    question_answer(raw, &question, (enum question_code)code,
		has_address ? &address : NULL, TTL_S, answer);
	(void)!sendto(listener->fd, answer, n, MSG_DONTWAIT | MSG_NOSIGNAL,
	    (const struct sockaddr *)from, sizeof(*from));
}

void
dns_serve(struct listener *listener)
{
	uint8_t raw[DATAGRAM_MAX];

	for (int i = 0; i < DATAGRAMS_MAX; i++) {
		struct sockaddr_in from = { 0 };
		socklen_t from_len = sizeof(from);
		const ssize_t n = recvfrom(listener->fd, raw, sizeof(raw),
		    MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
		if (n < 0)
			return;
		if (from.sin_family == AF_INET)
			datagram_answer(listener, raw, (size_t)n, &from);
	}
}
