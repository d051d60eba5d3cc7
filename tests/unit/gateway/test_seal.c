/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sodium.h>

#include "gateway/front/seal.h"

static const uint8_t key[SEAL_KEY_BYTES] = { 1, 2, 3 };
static const uint8_t other_key[SEAL_KEY_BYTES] = { 1, 2, 4 };
static const struct seal_binding ours = { 7, "local", "a" };
/* Each differs in one thing, or in where one name ends. */
static const struct seal_binding others[] = { { 8, "local", "a" },
	{ 7, "other", "a" }, { 7, "local", "" }, { 7, "locala", "" },
	{ 7, "local", "ab" } };

static struct seal_session
session_fixed(void)
{
	struct seal_session session = {
		.issued = UINT64_C(1) << 40, .can = 31, .version = 3
	};

	memset(session.id, 9, sizeof(session.id));
	return session;
}

static void
a_session_opens_for_whom_it_was_made(void **state)
{
	const struct seal_session made = session_fixed();
	struct seal_session read;
	char text[SEAL_SESSION_TEXT], again[SEAL_SESSION_TEXT];

	(void)state;
	seal_session_write(key, &ours, &made, text);
	seal_session_write(key, &ours, &made, again);
	assert_string_not_equal(text, again);
	assert_int_equal(seal_session_admit(key, &ours, text, &read), 0);
	assert_memory_equal(read.id, made.id, sizeof(read.id));
	assert_int_equal(read.issued, made.issued);
	assert_int_equal(read.can, made.can);
	assert_int_equal(read.version, made.version);
}

static void
a_session_opens_for_nobody_else(void **state)
{
	const struct seal_session made = session_fixed();
	struct seal_session read;
	char text[SEAL_SESSION_TEXT];

	(void)state;
	seal_session_write(key, &ours, &made, text);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(
		    seal_session_admit(key, &others[i], text, &read),
		    SEAL_E_FORGED);
	assert_int_equal(
	    seal_session_admit(other_key, &ours, text, &read), SEAL_E_FORGED);
}

static void
a_changed_byte_is_a_forgery(void **state)
{
	const struct seal_session made = session_fixed();
	struct seal_session read;
	char text[SEAL_SESSION_TEXT], changed[SEAL_SESSION_TEXT + 1];

	(void)state;
	seal_session_write(key, &ours, &made, text);
	for (size_t i = 0; text[i] != '\0'; i++) {
		strcpy(changed, text);
		changed[i] = text[i] == 'A' ? 'B' : 'A';
		assert_int_equal(seal_session_admit(key, &ours, changed, &read),
		    SEAL_E_FORGED);
		changed[i] = '\0';
		assert_int_equal(seal_session_admit(key, &ours, changed, &read),
		    SEAL_E_FORGED);
	}
	snprintf(changed, sizeof(changed), "%sA", text);
	assert_int_equal(
	    seal_session_admit(key, &ours, changed, &read), SEAL_E_FORGED);
}

static void
a_state_keeps_what_a_server_said(void **state)
{
	static const char inner[] = "\"s\\u0031\"";
	struct seal_state made = { .kind = SEAL_WRAPPED,
		.round = 5,
		.expires = 77,
		.inner = { inner, sizeof(inner) - 1 } };
	struct seal_state read;
	struct json_out out;
	char *owner = NULL;

	(void)state;
	json_out_init(&out, 1 << 20);
	assert_int_equal(seal_state_write(key, &ours, &made, &out), 0);
	const struct json_span text = { out.bytes, out.len };
	assert_int_equal(seal_state_admit(key, &ours, text, &read, &owner), 0);
	assert_int_equal(read.kind, SEAL_WRAPPED);
	assert_int_equal(read.round, 5);
	assert_int_equal(read.expires, 77);
	assert_int_equal(read.inner.len, sizeof(inner) - 1);
	assert_memory_equal(read.inner.at, inner, sizeof(inner) - 1);
	free(owner);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(
		    seal_state_admit(key, &others[i], text, &read, &owner),
		    SEAL_E_FORGED);
	made.inner.len = SEAL_INNER_MAX + 1;
	assert_int_equal(
	    seal_state_write(key, &ours, &made, &out), JSON_E_TOO_LONG);
	json_out_fini(&out);
}

/* The purposes have keys of their own. */
static void
a_session_is_no_state(void **state)
{
	const struct seal_session made = session_fixed();
	struct seal_state read;
	char text[SEAL_SESSION_TEXT], string[SEAL_SESSION_TEXT + 2];
	char *owner = NULL;

	(void)state;
	seal_session_write(key, &ours, &made, text);
	const int len = snprintf(string, sizeof(string), "\"%s\"", text);
	assert_int_equal(
	    seal_state_admit(key, &ours,
		(struct json_span){ string, (size_t)len }, &read, &owner),
	    SEAL_E_FORGED);
}

#define SPAN(text)                                                             \
	(struct json_span)                                                     \
	{                                                                      \
		(text), sizeof(text) - 1                                       \
	}

static void
a_digest_is_of_the_request_not_of_its_white_space(void **state)
{
	uint8_t a[SEAL_DIGEST_BYTES], b[SEAL_DIGEST_BYTES];
	const struct json_span method = SPAN("\"m\""), none = { 0 };

	(void)state;
	seal_digest(method, SPAN("\"n\""), SPAN("{\"a b\":[1,2]}"), a);
	seal_digest(method, SPAN("\"n\""), SPAN("{ \"a b\" :\n[1, 2]}"), b);
	assert_memory_equal(a, b, sizeof(a));
	seal_digest(method, SPAN("\"n\""), SPAN("{\"ab\":[1,2]}"), b);
	assert_memory_not_equal(a, b, sizeof(a));
	seal_digest(method, SPAN("\"n\""), none, a);
	seal_digest(method, SPAN("\"n\""), SPAN("{}"), b);
	assert_memory_equal(a, b, sizeof(a));
	/* What ends one part does not begin the next. */
	seal_digest(method, SPAN("\"n\\\" \""), SPAN("{}"), a);
	seal_digest(method, SPAN("\"n\\\"\""), SPAN("{}"), b);
	assert_memory_not_equal(a, b, sizeof(a));
}

static void
an_event_is_of_one_session(void **state)
{
	static const uint8_t mine[SEAL_ID_BYTES] = { 1 };
	static const uint8_t yours[SEAL_ID_BYTES] = { 2 };
	const struct seal_event made = { 0xfffffffe, 3 };
	struct seal_event read = { 0 };
	char text[SEAL_EVENT_TEXT];

	(void)state;
	seal_event_write(key, mine, &made, text);
	assert_int_equal(seal_event_admit(key, mine, text, &read), 0);
	assert_int_equal(read.stream, made.stream);
	assert_int_equal(read.sequence, made.sequence);
	assert_int_equal(
	    seal_event_admit(key, yours, text, &read), SEAL_E_FORGED);
	text[0] = text[0] == 'A' ? 'B' : 'A';
	assert_int_equal(
	    seal_event_admit(key, mine, text, &read), SEAL_E_FORGED);
	assert_int_equal(seal_event_admit(key, mine, "", &read), SEAL_E_FORGED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_opens_for_whom_it_was_made),
		cmocka_unit_test(a_session_opens_for_nobody_else),
		cmocka_unit_test(a_changed_byte_is_a_forgery),
		cmocka_unit_test(a_state_keeps_what_a_server_said),
		cmocka_unit_test(a_session_is_no_state),
		cmocka_unit_test(
		    a_digest_is_of_the_request_not_of_its_white_space),
		cmocka_unit_test(an_event_is_of_one_session),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
