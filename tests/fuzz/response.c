/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a cell answers to `cordon run`: the first line is the raw head, the
 * rest the raw body. What comes out must be JSON, or nothing.
 */

#include <stdlib.h>
#include <string.h>

#include "ctl/run/request.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static void
compose(const char *head, size_t head_len, const char *body, size_t body_len)
{
	struct json_span value;
	struct json_out out;

	json_out_init(&out, 16u << 20);
	if (ctl_response_compose(
		head, head_len, (const uint8_t *)body, body_len, &out) == 0)
		CHECK(json_check(out.bytes, out.len, &value, NULL) == 0);
	json_out_fini(&out);
}

static void
find(const char *head, size_t head_len, const char *body, size_t body_len)
{
	struct ctl_rpc_answer answer;
	struct json_out buffer;
	struct json_span value;

	json_out_init(&buffer, 16u << 20);
	if (ctl_rpc_find(head, head_len, body, body_len, &buffer, &answer) ==
	    0) {
		if (answer.result.at != NULL)
			CHECK(json_check(answer.result.at, answer.result.len,
				  &value, NULL) == 0);
		if (answer.error.at != NULL)
			CHECK(json_check(answer.error.at, answer.error.len,
				  &value, NULL) == 0);
	}
	json_out_fini(&buffer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *const head = (const char *)bytes;
	const char *line = len > 0 ? memchr(head, '\n', len) : NULL;
	const size_t head_len = line != NULL ? (size_t)(line - head) : len;
	const char *body = line != NULL ? line + 1 : head + len;
	const size_t body_len = len - (size_t)(body - head);

	compose(head, head_len, body, body_len);
	find(head, head_len, body, body_len);
	return 0;
}
