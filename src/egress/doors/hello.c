/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Strict, since its reader is not the only one: a hello that the origin could
 * read another way than we do is refused. Nothing is kept between two looks; a
 * hello is short.
 */

#include <string.h>

#include "egress/doors/hello.h"

#define RECORD_HEAD 5u
#define RECORD_MAX (16u << 10)
#define RECORD_HANDSHAKE 22
#define MESSAGE_HEAD 4u
#define CLIENT_HELLO 1
#define EXTENSIONS_MAX 64u

enum {
	EXTENSION_NAME = 0,
	EXTENSION_ALPN = 16,
	EXTENSION_ECH = 0xfe0d,
	EXTENSION_ECH_OUTER = 0xfd00,
	EXTENSION_ESNI = 0xffce,
};

/* Bytes that are still to be read. */
struct span {
	const uint8_t *at;
	size_t len;
};

static bool
take(struct span *from, size_t n, struct span *taken)
{
	if (from->len < n)
		return false;
	*taken = (struct span){ from->at, n };
	from->at += n;
	from->len -= n;
	return true;
}

/* A number of `bytes` bytes. */
static bool
take_number(struct span *from, unsigned bytes, size_t *number)
{
	struct span raw;

	if (!take(from, bytes, &raw))
		return false;
	*number = 0;
	for (unsigned i = 0; i < bytes; i++)
		*number = *number << 8 | raw.at[i];
	return true;
}

/* A length of `bytes` bytes, and what it measures. */
static bool
take_vector(struct span *from, unsigned bytes, struct span *vector)
{
	size_t n;

	return take_number(from, bytes, &n) && take(from, n, vector);
}

/* ---- records -------------------------------------------------------------- */

struct message {
	size_t len;
	uint8_t bytes[HELLO_BYTES_MAX];
};

/* Where the message ends; 0: its head is not there yet. */
static size_t
message_size(const struct message *message)
{
	if (message->len < MESSAGE_HEAD)
		return 0;
	return MESSAGE_HEAD +
	    ((size_t)message->bytes[1] << 16 | (size_t)message->bytes[2] << 8 |
		message->bytes[3]);
}

static const char *
record_fault(const uint8_t *head, size_t len)
{
	if (head[0] != RECORD_HANDSHAKE)
		return "is not TLS";
	if (len > 1 && head[1] != 3)
		return "is not TLS of a version that is known";
	if (len < RECORD_HEAD)
		return NULL;
	const size_t claimed = (size_t)head[3] << 8 | head[4];
	return claimed == 0 || claimed > RECORD_MAX
	    ? "has a TLS record of a length that none may have"
	    : NULL;
}

/* The message out of its records. */
static enum hello_verdict
message_join(struct span raw, struct message *message, const char **why)
{
	while (raw.len > 0) {
		*why = record_fault(raw.at, raw.len);
		if (*why != NULL)
			return HELLO_BAD;
		if (raw.len < RECORD_HEAD)
			return HELLO_MORE;
		const size_t claimed = (size_t)raw.at[3] << 8 | raw.at[4];
		struct span part, head;
		take(&raw, RECORD_HEAD, &head);
		const bool is_whole = take(&raw, claimed, &part);
		if (!is_whole)
			take(&raw, raw.len, &part);
		if (part.len > sizeof(message->bytes) - message->len) {
			*why = "has a TLS greeting of more than 16 KiB";
			return HELLO_BAD;
		}
		memcpy(message->bytes + message->len, part.at, part.len);
		message->len += part.len;
		const size_t size = message_size(message);
		if (message->len > 0 && message->bytes[0] != CLIENT_HELLO) {
			*why = "does not begin with a TLS ClientHello";
			return HELLO_BAD;
		}
		if (size > sizeof(message->bytes)) {
			*why = "has a TLS greeting of more than 16 KiB";
			return HELLO_BAD;
		}
		if (size != 0 && message->len > size) {
			*why = "has more in its first TLS record than a "
			       "ClientHello";
			return HELLO_BAD;
		}
		if (size != 0 && message->len == size && is_whole)
			return HELLO_DONE;
	}
	return HELLO_MORE;
}

/* ---- extensions ----------------------------------------------------------- */

/* RFC 6066: a list, of which one entry is in use. */
static const char *
name_read(struct span body, struct hello *hello)
{
	struct span list, name;
	size_t type;

	if (!take_vector(&body, 2, &list) || body.len != 0 ||
	    !take_number(&list, 1, &type) || !take_vector(&list, 2, &name) ||
	    list.len != 0)
		return "has a server name (SNI) that is malformed, or several";
	if (type != 0 || name.len == 0 || name.len >= HELLO_NAME_MAX ||
	    memchr(name.at, '\0', name.len) != NULL)
		return "has a server name (SNI) that is no host name";
	memcpy(hello->name, name.at, name.len);
	hello->name[name.len] = '\0';
	hello->has_name = true;
	return NULL;
}

static const char *
alpn_read(struct span body, struct hello *hello)
{
	static const char http1[] = "http/1.1";
	struct span list, one;

	if (!take_vector(&body, 2, &list) || body.len != 0 || list.len == 0)
		return "has a list of protocols (ALPN) that is malformed";
	hello->speaks_http1 = false;
	while (list.len > 0) {
		if (!take_vector(&list, 1, &one) || one.len == 0)
			return "has a list of protocols (ALPN) that is "
			       "malformed";
		if (one.len == sizeof(http1) - 1 &&
		    memcmp(one.at, http1, one.len) == 0)
			hello->speaks_http1 = true;
	}
	return NULL;
}

static const char *
extension_read(size_t type, struct span body, struct hello *hello)
{
	switch (type) {
	case EXTENSION_NAME:
		return name_read(body, hello);
	case EXTENSION_ALPN:
		return alpn_read(body, hello);
	case EXTENSION_ECH:
	case EXTENSION_ECH_OUTER:
	case EXTENSION_ESNI:
		hello->has_ech = true;
		return NULL;
	default:
		return NULL;
	}
}

static const char *
extensions_read(struct span list, struct hello *hello)
{
	size_t types[EXTENSIONS_MAX], n = 0, type;
	struct span body;

	while (list.len > 0) {
		if (!take_number(&list, 2, &type) ||
		    !take_vector(&list, 2, &body))
			return "has TLS extensions whose lengths do not fit";
		for (size_t i = 0; i < n; i++)
			if (types[i] == type)
				return "has a TLS extension twice";
		if (n == EXTENSIONS_MAX)
			return "has more than 64 TLS extensions";
		types[n++] = type;
		const char *why = extension_read(type, body, hello);
		if (why != NULL)
			return why;
	}
	return NULL;
}

static const char *
client_hello_read(struct span body, struct hello *hello)
{
	static const char misshapen[] = "has a TLS greeting that is malformed";
	struct span skipped, session, ciphers, compressions, extensions;
	size_t version;

	if (!take_number(&body, 2, &version) || version < 0x0301 ||
	    version > 0x0303)
		return "is TLS of a version that is not spoken here";
	if (!take(&body, 32, &skipped) || !take_vector(&body, 1, &session) ||
	    session.len > 32 || !take_vector(&body, 2, &ciphers) ||
	    ciphers.len == 0 || ciphers.len % 2 != 0 ||
	    !take_vector(&body, 1, &compressions) || compressions.len == 0)
		return misshapen;
	if (body.len == 0)
		return NULL;
	if (!take_vector(&body, 2, &extensions) || body.len != 0)
		return misshapen;
	return extensions_read(extensions, hello);
}

enum hello_verdict
hello_read(
    const uint8_t *raw_bytes, size_t len, struct hello *hello, const char **why)
{
	struct message message;
	struct hello found = { .speaks_http1 = true };

	message.len = 0;
	*why = "has a TLS greeting of more than 16 KiB";
	if (len > HELLO_BYTES_MAX)
		return HELLO_BAD;
	const enum hello_verdict verdict =
	    message_join((struct span){ raw_bytes, len }, &message, why);
	if (verdict == HELLO_MORE && len == HELLO_BYTES_MAX)
		*why = "has a TLS greeting of more than 16 KiB";
	if (verdict != HELLO_DONE)
		return verdict == HELLO_MORE && len == HELLO_BYTES_MAX
		    ? HELLO_BAD
		    : verdict;

	*why = client_hello_read((struct span){ message.bytes + MESSAGE_HEAD,
				     message.len - MESSAGE_HEAD },
	    &found);
	if (*why != NULL)
		return HELLO_BAD;
	*hello = found;
	return HELLO_DONE;
}
