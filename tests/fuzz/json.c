/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The span scanner against jansson: both must agree on what a JSON text is,
 * and a string taken apart and written again must mean the same.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "json/out.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

/*
 * What jansson refuses although RFC 8259 allows it: escaped NULs and lone
 * surrogates, numbers out of range, doubled keys are off by default.
 */
static bool
jansson_is_stricter(const json_error_t *error, const char *text, size_t len)
{
	const enum json_error_code code = json_error_code(error);

	return code == json_error_numeric_overflow ||
	    code == json_error_null_byte_in_key ||
	    code == json_error_null_character ||
	    code == json_error_stack_overflow ||
	    memmem(text, len, "\\ud", 3) != NULL ||
	    memmem(text, len, "\\uD", 3) != NULL;
}

static void
agree(const char *text, size_t len, int verdict)
{
	json_error_t error = { 0 };

	/* jansson overlooks a NUL behind a number. */
	if (memchr(text, '\0', len) != NULL) {
		CHECK(verdict != 0);
		return;
	}

	json_t *tree = json_loadb(text, len,
	    JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);

	if (tree != NULL)
		CHECK(verdict == 0 || verdict == JSON_E_DEPTH);
	else if (verdict == 0)
		CHECK(jansson_is_stricter(&error, text, len));
	json_decref(tree);
}

/* Decode, write, check, decode again: the same bytes. */
static void
string_round_trip(struct json_span value)
{
	static char first[1 << 17], second[1 << 17];
	struct json_span again;
	struct json_out out;
	size_t first_len, second_len;

	CHECK(json_string_copy(value, first, sizeof(first), &first_len) == 0);
	CHECK(utf8_is_valid((const uint8_t *)first, first_len));
	json_out_init(&out, 1 << 20);
	json_out_string(&out, first, first_len);
	CHECK(json_out_status(&out) == 0);
	CHECK(json_check(out.bytes, out.len, &again, NULL) == 0);
	CHECK(
	    json_string_copy(again, second, sizeof(second), &second_len) == 0);
	CHECK(first_len == second_len && memcmp(first, second, first_len) == 0);
	if (memchr(first, '\0', first_len) == NULL)
		CHECK(json_string_equals(value, first));
	json_out_fini(&out);
}

/* Every value found by walking is a JSON text of its own. */
static void
walk(struct json_span value, size_t *budget)
{
	struct json_span key, inner, whole;
	struct json_iter iter;

	CHECK(json_check(value.at, value.len, &whole, NULL) == 0);
	CHECK(whole.at == value.at && whole.len == value.len);
	if (json_kind_of(value) == JSON_KIND_STRING)
		string_round_trip(value);
	if (*budget == 0 || json_iter_init(&iter, value) != 0)
		return;
	*budget -= 1;
	if (json_kind_of(value) == JSON_KIND_OBJECT) {
		while (json_iter_member(&iter, &key, &inner)) {
			string_round_trip(key);
			walk(inner, budget);
		}
		return;
	}
	while (json_iter_element(&iter, &inner))
		walk(inner, budget);
}

static void
hostile_bytes_make_a_string(const char *bytes, size_t len)
{
	struct json_span value;
	struct json_out out;

	json_out_init(&out, 1 << 20);
	json_out_string(&out, bytes, len);
	CHECK(json_check(out.bytes, out.len, &value, NULL) == 0);
	CHECK(json_kind_of(value) == JSON_KIND_STRING && value.len == out.len);
	json_out_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct json_span value;
	size_t budget = 64;

	if (size > 1 << 16)
		return 0;
	const int verdict = json_check(text, size, &value, NULL);
	agree(text, size, verdict);
	if (verdict == 0)
		walk(value, &budget);
	hostile_bytes_make_a_string(text, size);
	return 0;
}
