/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/fake_dns.h"

#include <arpa/inet.h>
#include <err.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"

#define QUESTIONS_MAX 4096
#define MESSAGE_MAX 16384
#define HEAD_LEN 12u

struct question {
	char name[256];
	uint16_t type;
	uint16_t id;
	bool is_tcp;
};

struct fake_dns {
	const struct fake_answer *answers;
	size_t n;
	struct event_base *base;
	int udp_fd, tcp_fd;
	struct event *udp, *tcp;
	struct question questions[QUESTIONS_MAX];
	size_t n_questions;
	unsigned over_tcp;
	struct event *connections[64];
	size_t n_connections;
};

struct message {
	uint8_t bytes[MESSAGE_MAX];
	size_t len;
};

static void
put(struct message *message, const void *bytes, size_t len)
{
	if (message->len + len > sizeof(message->bytes))
		errx(1, "the answer is too long");
	memcpy(message->bytes + message->len, bytes, len);
	message->len += len;
}

static void
put16(struct message *message, unsigned value)
{
	const uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	put(message, bytes, sizeof(bytes));
}

static void
put_name(struct message *message, const char *name)
{
	while (*name != '\0') {
		const uint8_t len = (uint8_t)strcspn(name, ".");
		put(message, &len, 1);
		put(message, name, len);
		name += len + (name[len] == '.');
	}
	put(message, "", 1);
}

static void
put_record(struct message *message, const char *name, unsigned type,
    uint32_t ttl, const void *data, size_t len)
{
	put_name(message, name);
	put16(message, type);
	put16(message, 1);
	put16(message, ttl >> 16);
	put16(message, ttl & 0xffff);
	put16(message, (unsigned)len);
	put(message, data, len);
}

static void
put_ip(struct message *message, const char *name, unsigned type, uint32_t ttl,
    const char *text)
{
	uint8_t bytes[16];

	if (inet_pton(type == FAKE_A ? AF_INET : AF_INET6, text, bytes) != 1)
		errx(1, "%s is no address", text);
	put_record(message, name, type, ttl, bytes, type == FAKE_A ? 4 : 16);
}

static void
put_head(struct message *message, const struct question *question, unsigned id,
    unsigned flags, unsigned n_answers)
{
	message->len = 0;
	put16(message, id);
	put16(message, 0x8180 | flags);
	put16(message, 1);
	put16(message, n_answers);
	put16(message, 0);
	put16(message, 0);
	put_name(message, question->name);
	put16(message, question->type);
	put16(message, 1);
}

static void
answer_build(const struct fake_answer *answer, const struct question *question,
    struct message *message)
{
	unsigned n = answer->cname != NULL;
	struct message name = { .len = 0 };
	const char *owner =
	    answer->cname != NULL ? answer->cname : question->name;

	while (n - (answer->cname != NULL) < ARRAY_LEN(answer->ips) &&
	    answer->ips[n - (answer->cname != NULL)] != NULL)
		n++;
	put_head(message, question, question->id, answer->code, n);
	if (answer->cname != NULL) {
		put_name(&name, answer->cname);
		put_record(message, question->name, FAKE_CNAME, answer->ttl,
		    name.bytes, name.len);
		n--;
	}
	for (unsigned i = 0; i < n; i++)
		put_ip(
		    message, owner, answer->type, answer->ttl, answer->ips[i]);
}

/* What an attacker beside the way sends before the true answer comes. */
static void
spoof_build(
    const struct question *question, bool is_id, struct message *message)
{
	struct question other = *question;

	if (!is_id)
		strcpy(other.name, "other.example.com");
	put_head(message, &other, question->id ^ (is_id ? 1u : 0u), 0, 1);
	put_ip(message, other.name, question->type, 60,
	    question->type == FAKE_A ? "127.0.0.1" : "::1");
}

static void
loop_build(const struct question *question, struct message *message)
{
	put_head(message, question, question->id, 0, 1);
	put16(message, 0xc000 | (unsigned)message->len);
	put16(message, question->type);
	put16(message, 1);
	put16(message, 0);
	put16(message, 60);
	put16(message, 4);
	put(message, "\x5d\xb8\xd8\x22", 4);
}

static void
many_build(const struct question *question, struct message *message)
{
	put_head(message, question, question->id, 0, 300);
	for (unsigned i = 0; i < 300; i++) {
		const uint8_t ip[] = { 93, 184, (uint8_t)(i >> 8), (uint8_t)i };
		put_record(message, question->name, FAKE_A, 60, ip, 4);
	}
}

/* False: it stays without an answer. */
static bool
trick_build(const struct fake_answer *answer, const struct question *question,
    struct message *message)
{
	answer_build(answer, question, message);
	switch (answer->trick) {
	case FAKE_SILENT:
		return false;
	case FAKE_TRUNCATED:
		if (!question->is_tcp)
			put_head(message, question, question->id, 0x0200, 0);
		return true;
	case FAKE_LOOP:
		loop_build(question, message);
		return true;
	case FAKE_SHORT:
		message->len -= 2;
		return true;
	case FAKE_MANY:
		if (question->is_tcp)
			many_build(question, message);
		else
			put_head(message, question, question->id, 0x0200, 0);
		return true;
	case FAKE_STRAIGHT:
	case FAKE_SPOOFED_ID:
	case FAKE_SPOOFED_NAME:
	case FAKE_JUNK:
	case FAKE_EMPTY:
		return true;
	}
	return true;
}

/* What is sent before it, over UDP. */
static void
trick_before(const struct fake_dns *fake, const struct fake_answer *answer,
    const struct question *question, const struct sockaddr *to, socklen_t len)
{
	static struct message message;
	const enum fake_trick trick = answer->trick;

	if (trick == FAKE_SPOOFED_ID || trick == FAKE_SPOOFED_NAME) {
		spoof_build(question, trick == FAKE_SPOOFED_ID, &message);
		sendto(fake->udp_fd, message.bytes, message.len, 0, to, len);
	} else if (trick == FAKE_JUNK) {
		memset(&message, 0xc0, sizeof(message));
		put_head(&message, question, question->id, 0, 65535);
		sendto(fake->udp_fd, message.bytes, 9000, 0, to, len);
	} else if (trick == FAKE_EMPTY) {
		sendto(fake->udp_fd, "", 0, 0, to, len);
	}
}

static bool
question_read(const uint8_t *bytes, size_t len, struct question *question)
{
	size_t at = HEAD_LEN, out = 0;

	if (len < HEAD_LEN)
		return false;
	question->id = (uint16_t)(bytes[0] << 8 | bytes[1]);
	while (at < len && bytes[at] != 0) {
		const size_t n = bytes[at];
		if (n > 63 || at + 1 + n >= len || out + n + 1 > 255)
			return false;
		if (out > 0)
			question->name[out++] = '.';
		memcpy(question->name + out, bytes + at + 1, n);
		out += n;
		at += 1 + n;
	}
	if (at + 5 > len)
		return false;
	question->name[out] = '\0';
	question->type = (uint16_t)(bytes[at + 1] << 8 | bytes[at + 2]);
	return true;
}

static const struct fake_answer *
answer_find(struct fake_dns *fake, const struct question *question)
{
	const unsigned n = fake_dns_asked(fake, question->name, question->type);
	const struct fake_answer *found = NULL;

	for (size_t i = 0; i < fake->n; i++) {
		const struct fake_answer *answer = &fake->answers[i];
		if (strcasecmp(answer->name, question->name) == 0 &&
		    answer->type == question->type && answer->from <= n)
			found = answer;
	}
	return found;
}

static bool
question_answer(struct fake_dns *fake, const struct question *question,
    const struct fake_answer **answer, struct message *message)
{
	if (fake->n_questions == QUESTIONS_MAX)
		errx(1, "too many questions");
	*answer = answer_find(fake, question);
	fake->questions[fake->n_questions++] = *question;
	fake->over_tcp += question->is_tcp;
	if (*answer != NULL)
		return trick_build(*answer, question, message);
	/* the name is there, or is known for the other type only */
	put_head(message, question, question->id, 0, 0);
	return true;
}

static void
on_udp(evutil_socket_t fd, short what, void *arg)
{
	static struct message message;
	struct fake_dns *fake = arg;
	struct question question = { .is_tcp = false };
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	const struct fake_answer *answer;
	uint8_t bytes[2048];
	(void)what;

	const ssize_t n = recvfrom(
	    fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &len);
	if (n < 0 || !question_read(bytes, (size_t)n, &question))
		return;
	const bool has_answer =
	    question_answer(fake, &question, &answer, &message);
	if (answer != NULL)
		trick_before(fake, answer, &question,
		    (const struct sockaddr *)&from, len);
	if (has_answer)
		sendto(fd, message.bytes, message.len, 0,
		    (const struct sockaddr *)&from, len);
}

static void
connection_end(struct fake_dns *fake, size_t i)
{
	close(event_get_fd(fake->connections[i]));
	event_free(fake->connections[i]);
	fake->connections[i] = fake->connections[--fake->n_connections];
}

/* False: it is over. A question comes in one piece. */
static bool
tcp_answer(struct fake_dns *fake, int fd)
{
	static struct message message;
	struct question question = { .is_tcp = true };
	const struct fake_answer *answer;
	uint8_t bytes[2048], head[2];

	if (recv(fd, head, 2, MSG_WAITALL) != 2)
		return false;
	const size_t len = (size_t)(head[0] << 8 | head[1]);
	if (len > sizeof(bytes) ||
	    recv(fd, bytes, len, MSG_WAITALL) != (ssize_t)len ||
	    !question_read(bytes, len, &question) ||
	    !question_answer(fake, &question, &answer, &message))
		return false;
	head[0] = (uint8_t)(message.len >> 8);
	head[1] = (uint8_t)message.len;
	return send(fd, head, 2, MSG_NOSIGNAL) == 2 &&
	    send(fd, message.bytes, message.len, MSG_NOSIGNAL) > 0;
}

static void
on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct fake_dns *fake = arg;
	size_t i = 0;
	(void)what;

	while (event_get_fd(fake->connections[i]) != fd)
		i++;
	if (!tcp_answer(fake, fd))
		connection_end(fake, i);
}

static void
on_tcp(evutil_socket_t fd, short what, void *arg)
{
	struct fake_dns *fake = arg;
	const int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	(void)what;

	if (one < 0)
		return;
	if (fake->n_connections == ARRAY_LEN(fake->connections))
		errx(1, "too many connections");
	struct event *event = event_new(
	    fake->base, one, EV_READ | EV_PERSIST, on_connection, fake);
	event_add(event, NULL);
	fake->connections[fake->n_connections++] = event;
}

static int
listen_at(uint16_t *port, int type)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
		.sin_port = htons(*port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(name);
	const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&name, len) != 0 ||
	    (type == SOCK_STREAM && listen(fd, 64) != 0) ||
	    getsockname(fd, (struct sockaddr *)&name, &len) != 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*port = ntohs(name.sin_port);
	return fd;
}

struct fake_dns *
fake_dns_new(
    struct event_base *base, const struct fake_answer *answers, size_t n)
{
	struct fake_dns *fake = calloc(1, sizeof(*fake));

	if (fake == NULL)
		err(1, "no memory");
	*fake = (struct fake_dns){ .answers = answers, .n = n, .base = base };
	for (int i = 0; i < 100; i++) {
		uint16_t port = 0;
		fake->udp_fd = listen_at(&port, SOCK_DGRAM);
		fake->tcp_fd = listen_at(&port, SOCK_STREAM);
		if (fake->udp_fd >= 0 && fake->tcp_fd >= 0)
			break;
		if (fake->udp_fd >= 0)
			close(fake->udp_fd);
		fake->udp_fd = -1;
	}
	if (fake->udp_fd < 0)
		err(1, "no port for a name server");
	fake->udp =
	    event_new(base, fake->udp_fd, EV_READ | EV_PERSIST, on_udp, fake);
	fake->tcp =
	    event_new(base, fake->tcp_fd, EV_READ | EV_PERSIST, on_tcp, fake);
	event_add(fake->udp, NULL);
	event_add(fake->tcp, NULL);
	return fake;
}

struct fake_dns *
fake_dns_free(struct fake_dns *fake)
{
	while (fake->n_connections > 0)
		connection_end(fake, 0);
	event_free(fake->udp);
	event_free(fake->tcp);
	close(fake->udp_fd);
	close(fake->tcp_fd);
	free(fake);
	return NULL;
}

uint16_t
fake_dns_port(const struct fake_dns *fake)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);

	if (getsockname(fake->udp_fd, (struct sockaddr *)&name, &len) != 0)
		err(1, "no name of a socket");
	return ntohs(name.sin_port);
}

unsigned
fake_dns_asked(const struct fake_dns *fake, const char *name, uint16_t type)
{
	unsigned n = 0;

	for (size_t i = 0; i < fake->n_questions; i++)
		n += (name == NULL ||
			 strcasecmp(fake->questions[i].name, name) == 0) &&
		    (type == 0 || fake->questions[i].type == type);
	return n;
}

unsigned
fake_dns_asked_over_tcp(const struct fake_dns *fake)
{
	return fake->over_tcp;
}

bool
fake_dns_ids_are_spread(const struct fake_dns *fake)
{
	unsigned n_close = 0;

	for (size_t i = 1; i < fake->n_questions; i++) {
		const int step =
		    fake->questions[i].id - fake->questions[i - 1].id;
		n_close += step >= -2 && step <= 2;
	}
	/* by chance some 5 in 65536 are */
	return fake->n_questions > 10 && n_close < fake->n_questions / 4;
}
