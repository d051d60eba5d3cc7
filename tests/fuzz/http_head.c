/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes as the head of a cell's response: nothing that is let in can end a
 * line, or speak for the connection. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "gateway/behind/head.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct head head;

	if (head_admit((const char *)data, size, &head) != 0)
		return 0;
	CHECK(head.status >= 200 && head.status <= 599);
	CHECK(head.n_headers <= HEAD_HEADERS_MAX);
	CHECK(head.text_len <= HEAD_TEXT_MAX);
	for (size_t i = 0; i < head.n_headers; i++) {
		const struct http_header *header = &head.headers[i];
		CHECK(*header->name != '\0');
		CHECK(strpbrk(header->name, " \r\n\t:") == NULL);
		CHECK(strpbrk(header->value, "\r\n") == NULL);
		CHECK(strcasecmp(header->name, "transfer-encoding") != 0);
		CHECK(strcasecmp(header->name, "set-cookie") != 0);
	}
	head_is_event_stream(&head);
	return 0;
}
