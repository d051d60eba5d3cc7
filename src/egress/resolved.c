/* SPDX-License-Identifier: Apache-2.0 */

/* What a name server said, made into what may be dialled. See resolved.h. */

#include "egress/resolved.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <string.h>

#include "base/auto.h"

#define V6_MAX 8u /* of the addresses that are told; IPv4 has room, too */
#define RECORDS_MAX 256 /* addresses of one answer that are looked at */
#define KEEP_MAX_S 60
#define KEEP_NONE_S 5 /* that there is no such name */

/*
 * RFC 6147: where a network translates, its name server gives each IPv4 address
 * as an IPv6 one, too. Such a one is refused as NAT64, by the table, if what is
 * inside of it is not (then it has that row); it is not dialled, but is no
 * reason to refuse the IPv4 address that it stands for.
 */
static bool
is_synthetic(const struct addr_range *range)
{
	return range->prefix.ip.version == 6 &&
	    strcmp(range->name, "NAT64") == 0;
}

static void
answer_put(struct resolved *answer, const struct egress *egress,
    const struct addr_ip *ip, int ttl)
{
	const uint32_t seconds = ttl < 0 ? 0 : (uint32_t)ttl;
	const struct addr_range *range = egress_refuses(egress, ip);

	if (seconds < answer->ttl)
		answer->ttl = seconds;
	if (range != NULL && is_synthetic(range)) {
		answer->has_synthetic = true;
		answer->synthetic = *ip;
		return;
	}
	if (range != NULL && !answer->has_refused) {
		answer->has_refused = true;
		answer->refused = *ip;
	}
	if (answer->n < RESOLVED_MAX)
		answer->ips[answer->n++] = *ip;
}

static int
records_a(const uint8_t *raw, int len, struct resolved *answer,
    const struct egress *egress)
{
	struct ares_addrttl records[RECORDS_MAX];
	int n = RECORDS_MAX;
	const int status = ares_parse_a_reply(raw, len, NULL, records, &n);

	answer->is_too_large = status == ARES_SUCCESS && n == RECORDS_MAX;
	for (int i = 0; status == ARES_SUCCESS && i < n; i++) {
		struct addr_ip ip = { .version = 4 };
		memcpy(ip.bytes, &records[i].ipaddr, 4);
		answer_put(answer, egress, &ip, records[i].ttl);
	}
	return status;
}

static int
records_aaaa(const uint8_t *raw, int len, struct resolved *answer,
    const struct egress *egress)
{
	struct ares_addr6ttl records[RECORDS_MAX];
	int n = RECORDS_MAX;
	const int status = ares_parse_aaaa_reply(raw, len, NULL, records, &n);

	answer->is_too_large = status == ARES_SUCCESS && n == RECORDS_MAX;
	for (int i = 0; status == ARES_SUCCESS && i < n; i++) {
		struct addr_ip ip = { .version = 6 };
		memcpy(ip.bytes, &records[i].ip6addr, 16);
		answer_put(answer, egress, &ip, records[i].ttl);
	}
	return status;
}

bool
resolved_has_any(const struct resolved *answer)
{
	return answer->n > 0 || answer->has_synthetic;
}

struct resolved
resolved_join(const struct resolved *v6, const struct resolved *v4)
{
	struct resolved both = { .ttl = KEEP_MAX_S };
	const size_t n6 = v6->n < V6_MAX ? v6->n : V6_MAX;
	const size_t n4 = v4->n < RESOLVED_MAX - n6 ? v4->n : RESOLVED_MAX - n6;
	const struct resolved *const each[] = { v6, v4 };

	memcpy(both.ips, v6->ips, n6 * sizeof(both.ips[0]));
	memcpy(both.ips + n6, v4->ips, n4 * sizeof(both.ips[0]));
	both.n = n6 + n4;
	for (size_t i = 0; i < 2; i++) {
		both.is_too_large |= each[i]->is_too_large;
		if (each[i]->has_refused && !both.has_refused) {
			both.has_refused = true;
			both.refused = each[i]->refused;
		}
		if (resolved_has_any(each[i]) && each[i]->ttl < both.ttl)
			both.ttl = each[i]->ttl;
	}
	for (size_t i = 0; i < 2 && both.n == 0; i++) {
		if (each[i]->has_synthetic && !both.has_refused) {
			both.has_refused = true;
			both.refused = each[i]->synthetic;
		}
	}
	if (both.n > 0 || both.has_refused)
		return both;

	/* one that failed may have had an address, unless there is no name */
	if (v4->none == RESOLVED_NO_NAME || v6->none == RESOLVED_NO_NAME)
		both.none = RESOLVED_NO_NAME;
	else
		both.none = v4->none < v6->none ? v4->none : v6->none;
	both.ttl = both.none >= RESOLVED_NO_ADDRESS ? KEEP_NONE_S : 0;
	return both;
}

static const char *const none_texts[] = {
	[RESOLVED_NOT_YET] =
	    "has no address that is known: no name server answered "
	    "in time",
	[RESOLVED_FAILED] =
	    "has no address that is known: the name servers are "
	    "not there or could not tell (SERVFAIL, REFUSED or a "
	    "broken answer)",
	[RESOLVED_NO_ADDRESS] =
	    "has no address: the name exists, but without A and "
	    "AAAA records",
	[RESOLVED_NO_NAME] = "does not exist (NXDOMAIN)",
};

static void
address_refuse(const struct addr_ip *ip, const struct addr_range *range,
    resolve_fn *done, void *arg)
{
	char text[ADDR_IP_TEXT_MAX];
	struct err why;

	addr_ip_put(ip, text);
	err_set(&why, 0, "leads to %s, which is never dialled: %s (%s)", text,
	    range->name, range->source);
	done(arg, WIRE_EGRESS_ADDRESS, NULL, 0, why.text);
}

void
resolved_tell(const struct egress *egress, const struct resolved *answer,
    resolve_fn *done, void *arg)
{
	const struct addr_range *range = NULL;
	const struct addr_ip *ip = NULL;

	if (answer->is_too_large) {
		done(arg, WIRE_EGRESS_DNS, NULL, 0,
		    "has more addresses than are looked at");
		return;
	}
	if (answer->has_refused)
		range = egress_refuses(egress, ip = &answer->refused);
	if (answer->n == 0 && range == NULL) {
		done(arg, WIRE_EGRESS_DNS, NULL, 0, none_texts[answer->none]);
		return;
	}
	for (size_t i = 0; range == NULL && i < answer->n; i++)
		range = egress_refuses(egress, ip = &answer->ips[i]);
	if (range != NULL)
		address_refuse(ip, range, done, arg);
	else
		done(arg, WIRE_EGRESS_OK, answer->ips, answer->n, "");
}

void
resolved_take(struct resolved *answer, const struct egress *egress, bool is_v6,
    const uint8_t *raw, int len)
{
	answer->none = RESOLVED_FAILED;
	if (len < NS_HFIXEDSZ)
		return;
	const int code = raw[3] & 0x0f;
	if (code == NXDOMAIN) {
		answer->none = RESOLVED_NO_NAME;
		return;
	}
	if (code != NOERROR)
		return;
	answer->ttl = KEEP_MAX_S;
	const int status = is_v6 ? records_aaaa(raw, len, answer, egress)
				 : records_a(raw, len, answer, egress);
	if (status == ARES_ENODATA)
		answer->none = RESOLVED_NO_ADDRESS;
	else if (status != ARES_SUCCESS)
		answer->n = 0; /* a broken one has none */
}
