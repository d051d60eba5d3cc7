/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <string.h>

#include "egress/doors/question.h"

#define HEAD 12u
#define LABEL_MAX 63u
#define NAME_MAX_WIRE 255u
#define FLAG_ANSWER 0x80 /* of the third byte */
#define OPCODE_BITS 0x78
#define FLAG_ASKED_RECURSION 0x01
#define FLAG_AUTHORITY 0x04
#define FLAG_RECURSION 0x80 /* of the fourth */

static uint16_t
number_at(const uint8_t *raw)
{
	return (uint16_t)(raw[0] << 8 | raw[1]);
}

/* A label that the text of a name can hold as it is. */
static bool
label_is_plain(const uint8_t *label, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (label[i] <= ' ' || label[i] >= 0x7f || label[i] == '.')
			return false;
	return true;
}

/* The name at the beginning of raw; 0: it is malformed, else its length. A
 * pointer is malformed: there is nothing before it to point to. */
static size_t
name_read(const uint8_t *raw, size_t len, char name[QUESTION_TEXT_MAX])
{
	size_t at = 0, text = 0;
	bool is_plain = true;

	while (at < len && raw[at] != 0) {
		const size_t label = raw[at];
		if (label > LABEL_MAX || at + 1 + label >= len ||
		    at + 1 + label >= NAME_MAX_WIRE)
			return 0;
		is_plain = is_plain && label_is_plain(raw + at + 1, label);
		if (text > 0)
			name[text++] = '.';
		memcpy(name + text, raw + at + 1, label);
		text += label;
		at += 1 + label;
	}
	if (at >= len)
		return 0;
	name[is_plain ? text : 0] = '\0';
	return at + 1;
}

int
question_read(const uint8_t *raw, size_t len, struct question *question)
{
	if (len < HEAD || (raw[2] & FLAG_ANSWER) != 0)
		return -1;
	*question = (struct question){ .len = HEAD };
	if ((raw[2] & OPCODE_BITS) != 0)
		return QUESTION_NOTIMP;
	if (number_at(raw + 4) != 1 || number_at(raw + 6) != 0)
		return QUESTION_FORMERR;
	const size_t name = name_read(raw + HEAD, len - HEAD, question->name);
	if (name == 0 || len - HEAD - name < 4)
		return QUESTION_FORMERR;
	question->type = number_at(raw + HEAD + name);
	question->class = number_at(raw + HEAD + name + 2);
	question->len = HEAD + name + 4;
	return QUESTION_NOERROR;
}

static size_t
record_put(uint8_t *out, uint32_t address, uint32_t ttl)
{
	/* The name is a pointer to the question's; type A, class IN. */
	static const uint8_t head[] = { 0xc0, HEAD, 0, QUESTION_A, 0, 1 };
	const uint32_t raw_ttl = htonl(ttl), raw_address = htonl(address);

	memcpy(out, head, sizeof(head));
	memcpy(out + 6, &raw_ttl, 4);
	out[10] = 0;
	out[11] = 4;
	memcpy(out + 12, &raw_address, 4);
	return 16;
}

size_t
question_answer(const uint8_t *raw, const struct question *question,
    enum question_code code, const uint32_t *address, uint32_t ttl,
    uint8_t out[QUESTION_ANSWER_MAX])
{
	memcpy(out, raw, question->len);
	out[2] = (uint8_t)(FLAG_ANSWER | FLAG_AUTHORITY |
	    (raw[2] & (OPCODE_BITS | FLAG_ASKED_RECURSION)));
	out[3] = (uint8_t)(FLAG_RECURSION | (uint8_t)code);
	memset(out + 4, 0, 8);
	out[5] = question->len > HEAD; /* questions */
	if (address == NULL)
		return question->len;
	out[7] = 1; /* answers */
	return question->len + record_put(out + question->len, *address, ttl);
}
