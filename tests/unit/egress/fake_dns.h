/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A name server on loopback that lies as it is told: UDP and TCP at one port,
 * on the loop of the test.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct fake_dns;

enum {
	FAKE_A = 1,
	FAKE_CNAME = 5,
	FAKE_AAAA = 28,
};

/* How an answer is spoilt. */
enum fake_trick {
	FAKE_STRAIGHT,
	FAKE_SILENT,
	FAKE_TRUNCATED, /* over UDP: TC and nothing else */
	FAKE_SPOOFED_ID, /* another id first, with 127.0.0.1 */
	FAKE_SPOOFED_NAME, /* another question first, with 127.0.0.1 */
	FAKE_LOOP, /* a name that points at itself */
	FAKE_SHORT, /* ends in the middle of a record */
	FAKE_JUNK, /* a datagram larger than any buffer */
	FAKE_EMPTY, /* a datagram of no byte first */
	FAKE_MANY, /* over TCP: 300 addresses */
};

struct fake_answer {
	const char *name;
	uint16_t type; /* FAKE_A, FAKE_AAAA: what it answers */
	enum fake_trick trick;
	uint8_t code; /* RCODE */
	uint32_t ttl;
	const char *cname; /* a CNAME to it stands before the addresses */
	const char *ips[24];
	unsigned from; /* counts from this question for the name on */
};

struct fake_dns *fake_dns_new(
    struct event_base *base, const struct fake_answer *answers, size_t n);
struct fake_dns *fake_dns_free(struct fake_dns *fake);
uint16_t fake_dns_port(const struct fake_dns *fake);
/* Questions that came; type 0: any. name NULL: any. */
unsigned
fake_dns_asked(const struct fake_dns *fake, const char *name, uint16_t type);
unsigned fake_dns_asked_over_tcp(const struct fake_dns *fake);
/* Of all questions: whether any two numbers in a row differ by one. */
bool fake_dns_ids_are_spread(const struct fake_dns *fake);
