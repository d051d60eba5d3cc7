/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON by spans (RFC 8259, strictly): a text is checked once, as a whole; after
 * that its values are runs of the very bytes that came, never a tree. What the
 * host does not need to understand it passes on byte for byte, so that big
 * integers, escapes and unknown members survive.
 *
 * No function here allocates or recurses; each is linear in its input.
 */

#include <stdbool.h>
#include <stddef.h>

/* Arrays and objects in one another, the outermost counted. */
#define JSON_DEPTH_MAX 256

#define JSON_E_SYNTAX 1 /* not a JSON text, or not UTF-8 */
#define JSON_E_DEPTH 2 /* deeper than JSON_DEPTH_MAX */
#define JSON_E_DUPLICATE 3 /* a wanted member occurs twice */
#define JSON_E_TYPE 4 /* a value of another type than asked for */
#define JSON_E_TOO_LONG 5 /* more than the buffer takes */

enum json_kind {
	JSON_KIND_NONE, /* an empty span: no value */
	JSON_KIND_OBJECT,
	JSON_KIND_ARRAY,
	JSON_KIND_STRING,
	JSON_KIND_NUMBER,
	JSON_KIND_BOOL,
	JSON_KIND_NULL,
};

/*
 * A value inside a checked text, without white space around it; borrowed from
 * the text. All functions below but json_check() trust that json_check() has
 * accepted the text a span lies in.
 */
struct json_span {
	const char *at; /* NULL: no value */
	size_t len;
};

/*
 * Checks a whole text: one value, white space around it, nothing else, no BOM.
 * Strings must be well-formed UTF-8; the escape of a lone surrogate is within
 * the grammar and let pass (see json_string_copy). On failure *offset (may be
 * NULL) is where the text stopped being JSON.
 */
int json_check(
    const char *raw_text, size_t len, struct json_span *value, size_t *offset);

enum json_kind json_kind_of(struct json_span value);

/* Members of an object or elements of an array, in order. */
struct json_iter {
	const char *at;
	const char *end;
};

/* JSON_E_TYPE: neither an object nor an array. */
int json_iter_init(struct json_iter *iter, struct json_span container);
bool json_iter_element(struct json_iter *iter, struct json_span *value);
/* The key is the raw string, with its quotes and escapes. */
bool json_iter_member(
    struct json_iter *iter, struct json_span *key, struct json_span *value);

/*
 * Looks for several members in one pass. Each `value` is set, to the empty
 * span where there is no such member. JSON_E_TYPE: not an object.
 * JSON_E_DUPLICATE: one of the wanted occurs twice (others may).
 */
struct json_want {
	const char *name;
	struct json_span value;
};

int json_members_find(
    struct json_span object, struct json_want *wants, size_t n_wants);
/* One of them: the empty span where there is none, two, or no object. */
struct json_span json_member(struct json_span object, const char *name);

/* Whether value is a string that decodes to exactly these bytes. */
bool json_string_equals(struct json_span value, const char *text);

/*
 * Decodes a string; the result is UTF-8 (lone surrogates become U+FFFD), ends
 * with a NUL that *len does not count, and may hold others. len may be NULL,
 * and is then a promise that the caller refuses NULs itself: JSON_E_TYPE if
 * the string holds one. JSON_E_TOO_LONG: needs more than size bytes.
 */
int json_string_copy(
    struct json_span value, char *buffer, size_t size, size_t *len);

/*
 * The bytes between the quotes, if the string needs no decoding: false when it
 * holds an escape or is no string.
 */
bool json_string_plain(struct json_span value, struct json_span *bytes);

bool json_value_is_true(struct json_span value);

/* Whether a number is an integer by its spelling: no fraction, no exponent. */
bool json_value_is_integer(struct json_span value);
