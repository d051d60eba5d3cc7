/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes as a host: a name that is taken is no address to libc, an address
 * is the same one to libc, and the text we keep is read as itself. */

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr/url.h"
#include "base/auto.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static void
check_ip(const struct addr_host_name *host)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	struct addr_ip ip;

	CHECK(getaddrinfo(host->text, NULL, &hints, &found) == 0);
	CHECK(addr_ip_from(found->ai_addr, &ip));
	CHECK(addr_ip_equal(&ip, &host->ip));
	freeaddrinfo(found);
	CHECK(addr_name_is_special(host->text) == NULL);
}

static void
check_name(const char *text)
{
	struct in_addr v4;
	struct in6_addr v6;
	size_t label = 0;

	CHECK(inet_aton(text, &v4) == 0);
	CHECK(inet_pton(AF_INET6, text, &v6) != 1);
	for (const char *at = text; *at != '\0'; at++) {
		CHECK(islower((unsigned char)*at) ||
		    isdigit((unsigned char)*at) || strchr("-_.", *at) != NULL);
		label = *at == '.' ? 0 : label + 1;
		CHECK(label <= 63 && (label > 0 || at[1] != '\0'));
	}
	addr_name_is_special(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct addr_host_name host, again;
	struct err err = { .text = "" };
	char text[ADDR_HOST_MAX + 2];

	if (addr_host_parse((const char *)data, size, &host, &err) != 0) {
		CHECK(err.text[0] != '\0');
		return 0;
	}
	const bool is_v6 = host.is_ip && host.ip.version == 6;
	snprintf(text, sizeof(text), is_v6 ? "[%s]" : "%s", host.text);
	CHECK(addr_host_parse(text, strlen(text), &again, NULL) == 0);
	CHECK(strcmp(host.text, again.text) == 0);
	CHECK(strlen(host.text) > 0 && strlen(host.text) < ADDR_HOST_MAX);
	if (host.is_ip)
		check_ip(&host);
	else
		check_name(host.text);
	return 0;
}
