/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes as a stream of events: in one piece or byte by byte, the same
 * events come out. */

#include <stdlib.h>
#include <string.h>

#include "client/sse.h"
#include "fuzz.h"

struct heard {
	uint64_t sum;
	size_t n;
};

static void
hear(void *arg, const char *id, const char *raw_data, size_t len)
{
	struct heard *heard = arg;

	heard->n++;
	for (size_t i = 0; i < len; i++)
		heard->sum = heard->sum * 31 + (unsigned char)raw_data[i];
	for (const char *c = id; *c != '\0'; c++)
		heard->sum = heard->sum * 37 + (unsigned char)*c;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct heard whole = { 0 }, single = { 0 };
	struct sse sse;

	sse_init(&sse, hear, &whole);
	if (sse_push(&sse, bytes, size) != 0)
		abort();
	sse_fini(&sse);
	sse_init(&sse, hear, &single);
	for (size_t i = 0; i < size; i++) {
		if (sse_push(&sse, bytes + i, 1) != 0)
			abort();
	}
	sse_fini(&sse);
	if (memcmp(&whole, &single, sizeof(whole)) != 0)
		abort();
	return 0;
}
