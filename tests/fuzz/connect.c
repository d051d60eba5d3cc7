/* SPDX-License-Identifier: Apache-2.0 */

/* A CONNECT: what is taken names one host, and comes before everything else. */

#include <stdlib.h>
#include <string.h>

#include "egress/doors/connect.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct connect connect, again;
	struct addr_host_name host;
	struct err why = { "" };
	const enum connect_verdict verdict =
	    connect_read(data, size, &connect, &why);

	if (verdict == CONNECT_BAD)
		CHECK(why.text[0] != '\0');
	if (verdict != CONNECT_DONE)
		return 0;
	CHECK(connect.len <= size && connect.len <= CONNECT_HEAD_MAX);
	CHECK(memcmp(data + connect.len - 4, "\r\n\r\n", 4) == 0);
	CHECK(addr_host_parse(connect.host.text, strlen(connect.host.text),
		  &host, NULL) == 0 ||
	    connect.host.is_ip);
	CHECK(connect.port > 0);
	CHECK(connect_read(data, connect.len, &again, &why) == CONNECT_DONE);
	CHECK(strcmp(again.host.text, connect.host.text) == 0);
	return 0;
}
