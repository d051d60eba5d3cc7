/* SPDX-License-Identifier: Apache-2.0 */

/* Any message of a client: what is made of it stays within a header. */

#include <stdlib.h>
#include <string.h>

#include "client/head.h"
#include "fuzz.h"

static void
check(const char *value)
{
	for (const char *c = value; *c != '\0'; c++) {
		if (*c < ' ' || *c > '~')
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct json_span message;
	struct head head;
	char value[64];

	if (head_value(text, size, value, sizeof(value)) == 0)
		check(value);
	if (json_check(text, size, &message, NULL) != 0 ||
	    head_take(message, &head) != 0)
		return 0;
	if (!head.is_modern)
		return 0;
	check(head.version);
	check(head.method);
	check(head.name);
	return 0;
}
