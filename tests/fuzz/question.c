/* SPDX-License-Identifier: Apache-2.0 */

/* A datagram of DNS: whatever it is, its answer is short, and an answer. */

#include <stdlib.h>
#include <string.h>

#include "egress/doors/question.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t answer[QUESTION_ANSWER_MAX];
	const uint32_t address = 0xc6120100;
	struct question question, again;

	const int code = question_read(data, size, &question);
	if (code < 0)
		return 0;
	CHECK(question.len >= 12 && question.len <= size);
	CHECK(question.len <= QUESTION_BYTES_MAX);
	CHECK(strlen(question.name) < QUESTION_TEXT_MAX);
	const size_t len =
	    question_answer(data, &question, (enum question_code)code,
		code == QUESTION_NOERROR ? &address : NULL, 60, answer);
	CHECK(len <= sizeof(answer));
	CHECK(memcmp(answer, data, 2) == 0);
	/* No answer is answered: two of us would never stop. */
	CHECK(question_read(answer, len, &again) == -1);
	return 0;
}
