/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as what a server says over its link, while it is greeted or while
 * a call is under way: nothing breaks, a call ends once, and everything is
 * given back.
 */

#include <signal.h>
#include <unistd.h>

#include "../unit/gateway/behind_fake.h"
#include "fuzz.h"

static struct fake_answer answer;
static struct fake_surface told;

static void
call_start(void)
{
	fake_surface_get(0, 0, &told);
	fake_greet(0, "{\"tools\":{\"listChanged\":true}}");
	fake_serve_tools(0, "{\"name\":\"t\",\"inputSchema\":{}}");
	fake_clients[0].can = MCP_CAN_ROOTS;
	fake_call(0, 0, "tools/call",
	    "{\"name\":\"t\",\"_meta\":{\"progressToken\":1}}", &answer);
	fake_settle();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 1 << 14)
		return 0;
	signal(SIGPIPE, SIG_IGN);
	fake_start(WIRE_KIND_SOCKET);
	if ((data[0] & 1) != 0)
		fake_surface_get(0, 0, &told);
	else
		call_start();
	fake_settle();
	for (size_t at = 1; at < size;) {
		const size_t n = size - at < 997 ? size - at : 997;
		if (write(fake_links[fake_n_links - 1], data + at, n) < 0)
			break; /* it was hung up on */
		at += n;
		fake_settle();
	}
	fake_stop();
	return 0;
}
