/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "egress/doors/hello.h"

/* A ClientHello that is built up: extensions, then message, then records. */
struct draft {
	uint8_t bytes[60000];
	size_t len;
};

static void
put(struct draft *draft, const void *bytes, size_t len)
{
	assert_true(draft->len + len <= sizeof(draft->bytes));
	memcpy(draft->bytes + draft->len, bytes, len);
	draft->len += len;
}

static void
put_number(struct draft *draft, size_t number, unsigned bytes)
{
	while (bytes-- > 0) {
		const uint8_t byte = (uint8_t)(number >> 8 * bytes);
		put(draft, &byte, 1);
	}
}

static void
put_extension(struct draft *draft, unsigned type, const void *body, size_t len)
{
	put_number(draft, type, 2);
	put_number(draft, len, 2);
	put(draft, body, len);
}

static void
put_name(struct draft *draft, const void *name, size_t len)
{
	struct draft body = { .len = 0 };

	put_number(&body, len + 3, 2);
	put_number(&body, 0, 1);
	put_number(&body, len, 2);
	put(&body, name, len);
	put_extension(draft, 0, body.bytes, body.len);
}

static void
put_message(struct draft *draft, const struct draft *extensions)
{
	struct draft body = { .len = 0 };
	uint8_t random[32] = { 7 };

	put_number(&body, 0x0303, 2);
	put(&body, random, sizeof(random));
	put_number(&body, 0, 1);
	put_number(&body, 2, 2);
	put_number(&body, 0x1301, 2);
	put_number(&body, 0x0100, 2);
	put_number(&body, extensions->len, 2);
	put(&body, extensions->bytes, extensions->len);
	put_number(draft, 1, 1);
	put_number(draft, body.len, 3);
	put(draft, body.bytes, body.len);
}

/* The message in records of at most so many bytes. */
static void
put_records(struct draft *draft, const struct draft *message, size_t max)
{
	for (size_t at = 0; at < message->len; at += max) {
		const size_t n =
		    message->len - at < max ? message->len - at : max;
		put_number(draft, 0x160301, 3);
		put_number(draft, n, 2);
		put(draft, message->bytes + at, n);
	}
}

static enum hello_verdict
read_of(const struct draft *extensions, size_t record_max, struct hello *hello,
    const char **why)
{
	struct draft message = { .len = 0 }, raw = { .len = 0 };

	put_message(&message, extensions);
	put_records(&raw, &message, record_max);
	return hello_read(raw.bytes, raw.len, hello, why);
}

static void
finds_the_name_in_any_number_of_records(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 5, 50, 16384 };
	struct draft extensions = { .len = 0 };
	struct hello hello;
	const char *why;

	(void)state;
	put_extension(&extensions, 43, "\x02\x03\x04", 3);
	put_name(&extensions, "api.acme.net", 12);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		assert_int_equal(
		    read_of(&extensions, sizes[i], &hello, &why), HELLO_DONE);
		assert_true(hello.has_name);
		assert_string_equal(hello.name, "api.acme.net");
		assert_false(hello.has_ech);
		assert_true(hello.speaks_http1);
	}
}

static void
waits_for_the_rest_at_every_byte(void **state)
{
	struct draft extensions = { .len = 0 }, message = { .len = 0 },
		     raw = { .len = 0 };
	struct hello hello;
	const char *why;

	(void)state;
	put_name(&extensions, "a.net", 5);
	put_message(&message, &extensions);
	put_records(&raw, &message, 7);
	for (size_t len = 0; len < raw.len; len++)
		assert_int_equal(
		    hello_read(raw.bytes, len, &hello, &why), HELLO_MORE);
	assert_int_equal(
	    hello_read(raw.bytes, raw.len, &hello, &why), HELLO_DONE);
	/* What follows in records of its own (early data) is not looked at. */
	put(&raw, "\x17\x03\x03\x00\x01x", 6);
	assert_int_equal(
	    hello_read(raw.bytes, raw.len, &hello, &why), HELLO_DONE);
}

static void
says_what_is_hidden_or_missing(void **state)
{
	static const unsigned hidden[] = { 0xfe0d, 0xfd00, 0xffce };
	struct draft none = { .len = 0 };
	struct hello hello;
	const char *why;

	(void)state;
	assert_int_equal(read_of(&none, 100, &hello, &why), HELLO_DONE);
	assert_false(hello.has_name);
	for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
		struct draft extensions = { .len = 0 };
		put_name(&extensions, "a.net", 5);
		put_extension(&extensions, hidden[i], "\x01", 1);
		assert_int_equal(
		    read_of(&extensions, 100, &hello, &why), HELLO_DONE);
		assert_true(hello.has_ech);
	}
}

static void
knows_whether_http1_is_offered(void **state)
{
	static const struct {
		const char *list;
		size_t len;
		bool speaks;
	} lists[] = {
		{ "\x00\x03\x02h2", 5, false },
		{ "\x00\x0c\x02h2\x08http/1.1", 14, true },
		{ "\x00\x09\x08http/1.0", 11, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct draft extensions = { .len = 0 };
		struct hello hello;
		const char *why;
		put_extension(&extensions, 16, lists[i].list, lists[i].len);
		assert_int_equal(
		    read_of(&extensions, 100, &hello, &why), HELLO_DONE);
		assert_int_equal(hello.speaks_http1, lists[i].speaks);
	}
}

static void
refuses_names_that_are_read_two_ways(void **state)
{
	static const struct {
		const char *body;
		size_t len;
	} bodies[] = {
		{ "\x00\x06\x00\x00\x03"
		  "a\0b",
		    8 }, /* a NUL */
		{ "\x00\x03\x00\x00\x00", 5 }, /* no name */
		{ "\x00\x04\x01\x00\x01x", 6 }, /* of another kind */
		{ "\x00\x08\x00\x00\x01x\x00\x00\x01y", 10 }, /* two */
		{ "\x00\x05\x00\x00\x01x", 6 }, /* lengths that do not fit */
		{ "\x00\x04\x00\x00\x01xy", 7 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct draft extensions = { .len = 0 };
		struct hello hello;
		const char *why = NULL;
		put_extension(&extensions, 0, bodies[i].body, bodies[i].len);
		if (read_of(&extensions, 100, &hello, &why) != HELLO_BAD)
			fail_msg("took name %zu", i);
		assert_non_null(why);
	}
	struct draft twice = { .len = 0 };
	struct hello hello;
	const char *why;
	put_name(&twice, "a.net", 5);
	put_name(&twice, "b.net", 5);
	assert_int_equal(read_of(&twice, 100, &hello, &why), HELLO_BAD);
}

static void
refuses_what_is_no_hello(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 18 },
		{ "\x80\x2e\x01\x03\x01", 5 }, /* SSL 2 */
		{ "\x16\x02\x00\x00\x01\x01", 6 }, /* version */
		{ "\x16\x03\x01\x00\x00", 5 }, /* an empty record */
		{ "\x16\x03\x01\x41\x00", 5 }, /* too long a record */
		{ "\x16\x03\x01\x00\x01\x02", 6 }, /* a ServerHello */
		{ "\x16\x03\x01\x00\x04\x01\x01\x00\x00", 9 }, /* 64 KiB */
		{ "\x15\x03\x01\x00\x02\x01\x00", 7 }, /* an alert */
		{ "\x16\x03\x01\x00\x05\x01\x00\x00\x00\x00", 10 }, /* more */
		{ "\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9 }, /* nothing */
	};
	struct hello hello;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (hello_read((const uint8_t *)bad[i].bytes, bad[i].len,
			&hello, &why) != HELLO_BAD)
			fail_msg("took %zu", i);
}

static void
takes_no_more_than_its_maximum(void **state)
{
	static uint8_t padding[HELLO_BYTES_MAX];
	struct draft extensions = { .len = 0 }, message = { .len = 0 },
		     raw = { .len = 0 };
	struct hello hello;
	const char *why;

	(void)state;
	put_name(&extensions, "a.net", 5);
	put_extension(&extensions, 21, padding, HELLO_BYTES_MAX - 200);
	assert_int_equal(read_of(&extensions, 16384, &hello, &why), HELLO_DONE);
	put_extension(&extensions, 41, padding, 300);
	assert_int_equal(read_of(&extensions, 16384, &hello, &why), HELLO_BAD);
	/* In records of one byte, the records are what is too long. */
	extensions.len = 0;
	put_extension(&extensions, 21, padding, 8000);
	put_message(&message, &extensions);
	put_records(&raw, &message, 1);
	assert_int_equal(
	    hello_read(raw.bytes, HELLO_BYTES_MAX, &hello, &why), HELLO_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_name_in_any_number_of_records),
		cmocka_unit_test(waits_for_the_rest_at_every_byte),
		cmocka_unit_test(says_what_is_hidden_or_missing),
		cmocka_unit_test(knows_whether_http1_is_offered),
		cmocka_unit_test(refuses_names_that_are_read_two_ways),
		cmocka_unit_test(refuses_what_is_no_hello),
		cmocka_unit_test(takes_no_more_than_its_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
