/* SPDX-License-Identifier: Apache-2.0 */

/* A ClientHello: what is found is a C string, the beginning of what is done was
 * not done before, and no byte more changes what is said. */

#include <stdlib.h>
#include <string.h>

#include "egress/doors/hello.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hello hello, half;
	const char *why = NULL;
	const enum hello_verdict verdict = hello_read(data, size, &hello, &why);

	if (verdict == HELLO_BAD)
		CHECK(why != NULL);
	if (verdict != HELLO_DONE)
		return 0;
	CHECK(size <= HELLO_BYTES_MAX);
	CHECK(strlen(hello.name) < HELLO_NAME_MAX);
	CHECK(hello.has_name == (hello.name[0] != '\0'));
	const enum hello_verdict before =
	    hello_read(data, size / 2, &half, &why);
	CHECK(before != HELLO_BAD);
	if (before == HELLO_DONE)
		CHECK(strcmp(half.name, hello.name) == 0 &&
		    half.has_ech == hello.has_ech);
	return 0;
}
