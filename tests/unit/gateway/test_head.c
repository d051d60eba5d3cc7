/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "gateway/behind/head.h"

static struct head head;

static int
admit(const char *text)
{
	return head_admit(text, strlen(text), &head);
}

static void
takes_a_head_apart(void **state)
{
	(void)state;
	assert_int_equal(
	    admit("[203,[[\"X-A\",\"b\\u00e9\"],[\"x-b\",\"\"]]]"), 0);
	assert_int_equal(head.status, 203);
	assert_int_equal(head.n_headers, 2);
	assert_string_equal(head.headers[0].name, "X-A");
	assert_string_equal(head.headers[0].value, "b\xc3\xa9");
	assert_string_equal(head.headers[1].value, "");
	assert_int_equal(admit("[599,[]]"), 0);
	assert_int_equal(head.n_headers, 0);
}

static void
leaves_out_what_is_the_connections(void **state)
{
	(void)state;
	assert_int_equal(
	    admit("[200,[[\"Transfer-Encoding\",\"x\"],[\"SET-COOKIE\","
		  "\"a\"],[\"Content-Length\",\"9\"],[\"a\",\"b\"]]]"),
	    0);
	assert_int_equal(head.n_headers, 1);
	assert_string_equal(head.headers[0].name, "a");
}

static void
refuses_what_is_no_head(void **state)
{
	static const char *const bad[] = { "", "{}", "[]", "[200]", "[200,{}]",
		"[200,[],1]", "[\"200\",[]]", "[199,[]]", "[600,[]]",
		"[101,[]]", "[2e2,[]]", "[200.0,[]]", "[-20,[]]", "[200,[1]]",
		"[200,[[]]]", "[200,[[\"a\"]]]", "[200,[[\"a\",1]]]",
		"[200,[[\"a\",\"b\",\"c\"]]]", "[200,[[\"\",\"b\"]]]",
		"[200,[[\"a b\",\"c\"]]]", "[200,[[\"a:\",\"c\"]]]",
		"[200,[[\"a\",\"b\\n\"]]]", "[200,[[\"a\",\"b\\r\"]]]",
		"[200,[[\"a\",\"b\\u0000\"]]]", "[200,[[\"a\\r\\n\",\"b\"]]]",
		"[200,[[\"a\",\"b\"]]]x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (admit(bad[i]) != HEAD_E_BROKEN)
			fail_msg("took %s", bad[i]);
}

static void
has_limits(void **state)
{
	static char text[200000];
	size_t n = (size_t)sprintf(text, "[200,[[\"a\",\"");

	(void)state;
	memset(text + n, 'x', HEAD_TEXT_MAX);
	strcpy(text + n + HEAD_TEXT_MAX, "\"]]]");
	assert_int_equal(admit(text), HEAD_E_BROKEN);

	n = (size_t)sprintf(text, "[200,[[\"a\",\"b\"]");
	for (int i = 1; i < HEAD_HEADERS_MAX; i++)
		n += (size_t)sprintf(text + n, ",[\"a\",\"b\"]");
	strcpy(text + n, "]]");
	assert_int_equal(admit(text), 0);
	assert_int_equal(head.n_headers, HEAD_HEADERS_MAX);
	strcpy(text + n, ",[\"a\",\"b\"]]]");
	assert_int_equal(admit(text), HEAD_E_BROKEN);
}

static void
knows_event_streams(void **state)
{
	(void)state;
	admit("[200,[[\"content-type\",\"Text/Event-Stream; a=b\"]]]");
	assert_true(head_is_event_stream(&head));
	admit("[200,[[\"content-type\",\"application/json\"]]]");
	assert_false(head_is_event_stream(&head));
	admit("[200,[]]");
	assert_false(head_is_event_stream(&head));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_head_apart),
		cmocka_unit_test(leaves_out_what_is_the_connections),
		cmocka_unit_test(refuses_what_is_no_head),
		cmocka_unit_test(has_limits),
		cmocka_unit_test(knows_event_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
