/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "egress/doors/question.h"

#define HEAD "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define READ(text) read_of((text), sizeof(text) - 1)

static struct question question;

static int
read_of(const char *bytes, size_t len)
{
	return question_read((const uint8_t *)bytes, len, &question);
}

static void
reads_a_question(void **state)
{
	(void)state;
	assert_int_equal(READ(HEAD "\x03"
				   "Api\x04"
				   "acme\x03net\x00\x00\x01\x00\x01"),
	    QUESTION_NOERROR);
	assert_string_equal(question.name, "Api.acme.net");
	assert_int_equal(question.type, QUESTION_A);
	assert_int_equal(question.class, 1);
	assert_int_equal(question.len, 12 + 14 + 4);
	/* What is behind the question (EDNS) is not looked at. */
	assert_int_equal(READ("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01"
			      "\x01x\x00\x00\x1c\x00\x01\x00\x00\x29"),
	    QUESTION_NOERROR);
	assert_int_equal(question.type, QUESTION_AAAA);
	assert_int_equal(question.len, 12 + 3 + 4);
}

static void
has_no_text_for_labels_that_text_cannot_hold(void **state)
{
	(void)state;
	/* "a.b" as one label must not become the name of two. */
	assert_int_equal(READ(HEAD "\x03"
				   "a.b\x03net\x00\x00\x01\x00\x01"),
	    QUESTION_NOERROR);
	assert_string_equal(question.name, "");
	assert_int_equal(READ(HEAD "\x03"
				   "a\x00"
				   "b\x00\x00\x01\x00\x01"),
	    QUESTION_NOERROR);
	assert_string_equal(question.name, "");
	assert_int_equal(READ(HEAD "\x02\xff"
				   "b\x00\x00\x01\x00\x01"),
	    QUESTION_NOERROR);
	assert_string_equal(question.name, "");
	assert_int_equal(READ(HEAD "\x00\x00\x01\x00\x01"), QUESTION_NOERROR);
	assert_string_equal(question.name, "");
}

static void
refuses_what_is_malformed(void **state)
{
	char long_name[12 + 300] = HEAD;

	(void)state;
	assert_int_equal(READ("\x12\x34"), -1);
	assert_int_equal(READ("\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00"
			      "\x01x\x00\x00\x01\x00\x01"),
	    -1);
	/* A pointer to itself, and one forward. */
	assert_int_equal(
	    READ(HEAD "\xc0\x0c\x00\x01\x00\x01"), QUESTION_FORMERR);
	assert_int_equal(
	    READ(HEAD "\x01x\xc0\x0c\x00\x01\x00\x01"), QUESTION_FORMERR);
	assert_int_equal(question.len, 12);
	assert_int_equal(READ(HEAD "\x40x"), QUESTION_FORMERR);
	assert_int_equal(READ(HEAD "\x05x"), QUESTION_FORMERR);
	assert_int_equal(READ(HEAD "\x01x\x00\x00"), QUESTION_FORMERR);
	assert_int_equal(READ(HEAD), QUESTION_FORMERR);
	/* No question, two, and an answer among them. */
	assert_int_equal(READ("\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00"
			      "\x00"),
	    QUESTION_FORMERR);
	assert_int_equal(READ("\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00"
			      "\x01x\x00\x00\x01\x00\x01"
			      "\x01x\x00\x00\x01\x00\x01"),
	    QUESTION_FORMERR);
	assert_int_equal(READ("\x12\x34\x01\x00\x00\x01\x00\x01\x00\x00\x00\x00"
			      "\x01x\x00\x00\x01\x00\x01"),
	    QUESTION_FORMERR);
	/* UPDATE, NOTIFY. */
	assert_int_equal(READ("\x12\x34\x28\x00\x00\x01\x00\x00\x00\x00\x00"
			      "\x00"),
	    QUESTION_NOTIMP);
	/* A name of more than 255 bytes. */
	for (size_t i = 0; i < 140; i++)
		memcpy(long_name + 12 + 2 * i, "\x01x", 2);
	assert_int_equal(
	    read_of(long_name, sizeof(long_name)), QUESTION_FORMERR);
}

static void
answers(void **state)
{
	static const char raw[] = HEAD "\x01x\x03net\x00\x00\x01\x00\x01";
	const uint32_t address = 0xc6120101;
	uint8_t out[QUESTION_ANSWER_MAX];

	(void)state;
	assert_int_equal(READ(raw), QUESTION_NOERROR);
	size_t len = question_answer((const uint8_t *)raw, &question,
	    QUESTION_NOERROR, &address, 60, out);
	assert_int_equal(len, question.len + 16);
	assert_memory_equal(
	    out, "\x12\x34\x85\x80\x00\x01\x00\x01\0\0\0\0", 12);
	assert_memory_equal(out + 12, raw + 12, question.len - 12);
	assert_memory_equal(out + question.len,
	    "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc6\x12\x01\x01",
	    16);

	len = question_answer(
	    (const uint8_t *)raw, &question, QUESTION_NXDOMAIN, NULL, 60, out);
	assert_int_equal(len, question.len);
	assert_memory_equal(
	    out, "\x12\x34\x85\x83\x00\x01\x00\x00\0\0\0\0", 12);

	READ(HEAD "\xc0\x0c\x00\x01\x00\x01");
	len = question_answer(
	    (const uint8_t *)raw, &question, QUESTION_FORMERR, NULL, 60, out);
	assert_int_equal(len, 12);
	assert_memory_equal(out, "\x12\x34\x85\x81\0\0\0\0\0\0\0\0", 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_question),
		cmocka_unit_test(has_no_text_for_labels_that_text_cannot_hold),
		cmocka_unit_test(refuses_what_is_malformed),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
