/* SPDX-License-Identifier: Apache-2.0 */

/* Any text, and any 17 bytes, as an address: read as libc reads it, written so
 * that it is read back, refused whatever carries an inner one. */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "addr/ip.h"
#include "base/auto.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static void
check_text(const struct addr_ip *ip)
{
	char text[ADDR_IP_TEXT_MAX];
	struct addr_ip again;

	addr_ip_put(ip, text);
	CHECK(addr_ip_parse(text, strlen(text), &again));
	CHECK(addr_ip_equal(ip, &again));
}

/* What is mapped around a refused address is refused, however it is asked. */
static void
check_policy(const struct addr_ip *ip, const struct addr_host *host)
{
	const struct addr_range *row = addr_refused(ip, host);
	struct addr_ip isatap = {
		.bytes = { 0x26, 0x06, [10] = 0x5e, [11] = 0xfe }, .version = 6
	};

	if (addr_refused(ip, NULL) != NULL)
		CHECK(row != NULL);
	if (ip->version == 6)
		CHECK(row != NULL || ip->bytes[0] >> 5 == 1);
	if (row != NULL)
		CHECK(row->name[0] != '\0' && row->source[0] != '\0');
	if (ip->version != 4)
		return;
	memcpy(isatap.bytes + 12, ip->bytes, 4);
	CHECK((addr_refused(&isatap, NULL) != NULL) ==
	    (addr_refused(ip, NULL) != NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct addr_prefix prefix = { .len = size > 17 ? data[17] : 96 };
	auto_free char *text = strndup((const char *)data, size);
	struct addr_ip ip = { 0 };
	uint8_t bytes[16];

	if (text == NULL)
		return 0;
	const bool is_taken = addr_ip_parse((const char *)data, size, &ip);
	if (strlen(text) == size && size < ADDR_IP_TEXT_MAX)
		CHECK(is_taken ==
		    (inet_pton(AF_INET, text, bytes) == 1 ||
			inet_pton(AF_INET6, text, bytes) == 1));
	else
		CHECK(!is_taken);
	if (is_taken) {
		CHECK(memcmp(ip.bytes, bytes, ip.version == 4 ? 4 : 16) == 0);
		check_text(&ip);
		check_policy(&ip, NULL);
	}
	if (size < 17)
		return 0;

	ip = (struct addr_ip){ .version = data[16] % 2 ? 4 : 6 };
	memcpy(ip.bytes, data, ip.version == 4 ? 4 : 16);
	prefix.ip = ip;
	const struct addr_host host = { .own = &ip,
		.n_own = size % 2,
		.nat64 = &prefix,
		.n_nat64 = 1,
		.denied = &prefix,
		.n_denied = size % 3 == 0 };
	check_text(&ip);
	check_policy(&ip, &host);
	return 0;
}
