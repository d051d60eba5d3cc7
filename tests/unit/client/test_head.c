/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "client/head.h"

#define META                                                                   \
	"\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":"              \
	"\"2026-07-28\"}"

static int
take(const char *text, struct head *head)
{
	struct json_span message;

	assert_int_equal(json_check(text, strlen(text), &message, NULL), 0);
	return head_take(message, head);
}

static void
a_message_without_a_version_is_of_the_legacy_era(void **state)
{
	static const char *const texts[] = {
		"{\"method\":\"tools/call\",\"params\":{\"name\":\"a\"}}",
		"{\"method\":\"ping\"}",
		"{\"method\":\"x\",\"params\":[1]}",
		"{\"method\":\"x\",\"params\":{\"_meta\":{}}}",
		"{\"id\":1,\"result\":{}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct head head;

		assert_int_equal(take(texts[i], &head), 0);
		assert_false(head.is_modern);
		assert_string_equal(head.name, "");
	}
}

static void
each_method_names_what_it_is_about(void **state)
{
	static const struct {
		const char *text, *name;
	} cases[] = {
		{ "{\"method\":\"tools/"
		  "call\",\"params\":{\"name\":\"a__b\"," META "}}",
		    "a__b" },
		{ "{\"method\":\"resources/read\",\"params\":{\"uri\":"
		  "\"file:///a b\"," META "}}",
		    "file:///a b" },
		{ "{\"method\":\"tasks/get\",\"params\":{\"taskId\":\"7\"," META
		  "}}",
		    "7" },
		{ "{\"method\":\"tools/list\",\"params\":{\"name\":\"x\"," META
		  "}}",
		    "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct head head;

		assert_int_equal(take(cases[i].text, &head), 0);
		assert_true(head.is_modern);
		assert_string_equal(head.version, "2026-07-28");
		assert_string_equal(head.name, cases[i].name);
	}
}

static void
what_would_end_a_header_is_encoded_or_refused(void **state)
{
	struct head head;

	(void)state;
	assert_int_equal(take("{\"method\":\"tools/call\",\"params\":{\"name\":"
			      "\"a\\r\\nX: 1\"," META "}}",
			     &head),
	    0);
	assert_string_equal(head.name, "=?base64?YQ0KWDogMQ==?=");
	assert_int_not_equal(
	    take("{\"method\":\"a\\r\\nX: 1\",\"params\":{" META "}}", &head),
	    0);
	assert_int_not_equal(
	    take("{\"method\":\"x\",\"params\":{\"_meta\":{\"io."
		 "modelcontextprotocol/protocolVersion\":\"1\\n2\"}}}",
		&head),
	    0);
	assert_int_not_equal(
	    take("{\"method\":\"tools/call\",\"params\":{" META "}}", &head),
	    0);
}

static void
a_value_that_looks_encoded_is_encoded(void **state)
{
	static const struct {
		const char *value, *header;
	} cases[] = {
		{ "plain", "plain" },
		{ "",
		    "=?base64?"
		    "?=" },
		{ " a", "=?base64?IGE=?=" },
		{ "a ", "=?base64?YSA=?=" },
		{ "=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?=" },
		{ "\x7f", "=?base64?fw==?=" },
	};
	char buffer[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
		    head_value(cases[i].value, strlen(cases[i].value), buffer,
			sizeof(buffer)),
		    0);
		assert_string_equal(buffer, cases[i].header);
	}
	assert_int_equal(
	    head_value("0123456789", 10, buffer, 10), JSON_E_TOO_LONG);
	assert_int_equal(
	    head_value("\x01\x02\x03", 3, buffer, 14), JSON_E_TOO_LONG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_message_without_a_version_is_of_the_legacy_era),
		cmocka_unit_test(each_method_names_what_it_is_about),
		cmocka_unit_test(what_would_end_a_header_is_encoded_or_refused),
		cmocka_unit_test(a_value_that_looks_encoded_is_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
