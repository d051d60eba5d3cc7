/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sodium.h>

#include "egress/egress.h"

#define VALUE "sk-live/7+\"q\\'&<\xc3\xa9~ z%41"
#define OUT_MAX 65536

static struct wire_egress_secret secret;

static struct scrub *
scrub_of(enum wire_secret_kind kind, const char *value)
{
	const struct wire_egress_secret *const secrets[] = { &secret };

	secret = (struct wire_egress_secret){ .kind = (uint16_t)kind,
		.value_len = (uint32_t)strlen(value) };
	memcpy(secret.value, value, secret.value_len);
	struct scrub *scrub = scrub_new(secrets, 1);
	assert_non_null(scrub);
	return scrub;
}

/* In pieces of `step` bytes; what comes out, as a string. */
static const char *
fed(enum wire_secret_kind kind, const char *value, const char *text,
    size_t step)
{
	static uint8_t out[OUT_MAX];
	struct scrub *scrub = scrub_of(kind, value);
	const size_t len = strlen(text);
	size_t n = 0;

	assert_true(len + scrub_held_max(scrub) < OUT_MAX);
	for (size_t at = 0; at < len; at += step) {
		const size_t piece = len - at < step ? len - at : step;
		n += scrub_feed(
		    scrub, (const uint8_t *)text + at, piece, false, out + n);
	}
	n += scrub_feed(scrub, NULL, 0, true, out + n);
	assert_int_equal(n, len);
	out[n] = '\0';
	scrub_free(scrub);
	return (const char *)out;
}

/* However it is cut, nothing of the spelling is left, and all around it is. */
static void
check_gone(enum wire_secret_kind kind, const char *value, const char *spelt)
{
	char text[8192], want[8192];
	const size_t len = strlen(spelt);

	snprintf(text, sizeof(text), "<a>: {%s} and (%s)!", spelt, spelt);
	strcpy(want, text);
	memset(want + 6, '*', len);
	memset(want + 6 + len + 7, '*', len);
	for (size_t step = 1; step < 9; step++)
		assert_string_equal(fed(kind, value, text, step), want);
	assert_string_equal(fed(kind, value, text, 8192), want);

	struct scrub *scrub = scrub_of(kind, value);
	scrub_text(scrub, text, strlen(text));
	assert_string_equal(text, want);
	scrub_free(scrub);

	/* Far from everything else, where nothing is looked at closely. */
	static const char words[] = "Some words, and more of them.";
	for (size_t after = 0; after < sizeof(words); after++) {
		const int n = snprintf(text, sizeof(text), "%s%s%s %.*s(%s)%s",
		    words, words, words, (int)after, words, spelt, words);
		strcpy(want, text);
		memset(want + (size_t)n - strlen(words) - 1 - len, '*', len);
		assert_string_equal(
		    fed(kind, value, text, 1 + after * 5), want);
	}
}

static void
blots_out_the_value_as_it_is(void **state)
{
	(void)state;
	check_gone(WIRE_SECRET_HEADER, VALUE, VALUE);
	check_gone(WIRE_SECRET_HEADER, "aaaaaaab", "aaaaaaab");
	check_gone(WIRE_SECRET_QUERY, "abababac", "abababac");
}

static void
blots_out_percent_escapes_of_any_bytes(void **state)
{
	static const char *const spelt[] = {
		"sk-live%2F7%2B%22q%5C%27%26%3C%C3%A9~%20z%2541",
		"sk-live%2f7%2b%22q%5c%27%26%3c%c3%a9%7e+z%2541",
		"sk-live/7%2B%22q%5c'%26%3C%C3%a9~%20z%2541",
		("%73%6b%2d%6c%69%76%65%2f%37%2b%22%71%5c%27%26%3c%c3%a9%7e%20"
		 "%7a%25%34%31"),
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(spelt); i++)
		check_gone(WIRE_SECRET_HEADER, VALUE, spelt[i]);
}

static void
blots_out_what_json_escapes(void **state)
{
	static const char *const spelt[] = {
		"sk-live/7+\\\"q\\\\'&<\xc3\xa9~ z%41",
		"sk-live\\/7+\\\"q\\\\'\\u0026\\u003C\\u00e9~ z%41",
		("sk-live\\/7\\u002b\\u0022q\\u005c\\u0027\\u0026\\u003c\\u00E9"
		 "~ z%41"),
		"\\x73\\x6b-live/7+\\\"q\\\\\\'&<\\xc3\\xa9~ z%41",
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(spelt); i++)
		check_gone(WIRE_SECRET_HEADER, VALUE, spelt[i]);
	check_gone(WIRE_SECRET_HEADER, "pass\xf0\x9f\x98\x80word",
	    "pass\\ud83d\\uDE00word");
}

static void
blots_out_what_html_escapes(void **state)
{
	static const char *const spelt[] = {
		"sk-live/7+&quot;q\\'&amp;&lt;\xc3\xa9~ z%41",
		"sk-live&#x2F;7&#43;&#34;q&#92;&apos;&amp;&#60;&#233;~ z%41",
		"&#x000073;k-live/7+&quot;q\\&#39;&amp;&lt;&#xE9;~ z%41",
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(spelt); i++)
		check_gone(WIRE_SECRET_HEADER, VALUE, spelt[i]);
}

static void
blots_out_hex(void **state)
{
	char hex[256];
	(void)state;

	sodium_bin2hex(hex, sizeof(hex), (const uint8_t *)VALUE, strlen(VALUE));
	check_gone(WIRE_SECRET_HEADER, VALUE, hex);
	for (char *c = hex; *c != '\0'; c++)
		*c = (char)(*c >= 'a' ? *c - 0x20 : *c);
	check_gone(WIRE_SECRET_HEADER, VALUE, hex);
	assert_string_equal(
	    fed(WIRE_SECRET_HEADER, "ABCDEFGH", "0014142434445464748ff", 3),
	    "001****************ff");
}

/* Inside of any longer text: every neighbour, every alphabet. */
static void
blots_out_base64_at_every_offset(void **state)
{
	static const int variants[] = { sodium_base64_VARIANT_ORIGINAL,
		sodium_base64_VARIANT_URLSAFE,
		sodium_base64_VARIANT_URLSAFE_NO_PADDING };
	(void)state;

	for (size_t before = 0; before < 4; before++)
		for (size_t after = 0; after < 4; after++)
			for (size_t v = 0; v < ARRAY_LEN(variants); v++) {
				char whole[512], text[1024];
				size_t n = 0;
				snprintf(whole, sizeof(whole), "%.*s%s%.*s",
				    (int)before, "xyz", VALUE, (int)after,
				    "789");
				sodium_bin2base64(text, sizeof(text),
				    (const uint8_t *)whole, strlen(whole),
				    variants[v]);
				char *got = strdup(fed(WIRE_SECRET_HEADER,
				    VALUE, text, 1 + before + after));
				/* Not four digits of it are left together. */
				for (char *c = got; *c != '\0'; c++)
					n += *c == '*';
				assert_true(n >= strlen(VALUE) * 4 / 3);
				assert_true(n <= strlen(VALUE) * 4 / 3 + 3);
				free(got);
			}
}

static void
blots_out_base64_that_is_folded_or_escaped(void **state)
{
	static const char value[] = "0123456789abcdefghijklmnopqrstuvwxyzABCD"
				    "EFGHIJKLMNOPQRSTUVWXYZ";
	static const char *const spelt[] = {
		"MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6QUJDREVGR0hJ"
		"SktM\r\nTU5PUFFSU1RVVldYWVo",
		"MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6QUJDREVGR0hJ"
		"SktM\\nTU5PUFFSU1RVVldYWVo",
		"MDEyMzQ1Njc4OWFi\r\nY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6"
		"QUJDREVGR0hJSktMTU5P\nUFFSU1RVVldYWVo",
		"MDEyMzQ1\\u004ejc4OWFiY2Rl%5AmdoaWprbG1ub3BxcnN0dXZ3eHl6"
		"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo",
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(spelt); i++)
		check_gone(WIRE_SECRET_HEADER, value, spelt[i]);
}

static void
blots_out_the_parts_of_basic(void **state)
{
	(void)state;
	/* "user:pass-word" */
	check_gone(WIRE_SECRET_BASIC, "user:pass-word", "user:pass-word");
	check_gone(WIRE_SECRET_BASIC, "user:pass-word", "pass-word");
	check_gone(WIRE_SECRET_BASIC, "user:pass-word", "dXNlcjpwYXNzLXdvcmQ");
	check_gone(WIRE_SECRET_BASIC, "user:pass-word", "dXNlcjpwYXNzLXdvcmQ=");
	check_gone(
	    WIRE_SECRET_BASIC, "user:pass-word", "dXNlcjpwYXNzLXdvcmQ%3D");
	/* hex of base64 */
	check_gone(WIRE_SECRET_BASIC, "user:pass-word",
	    "64584e6c636a707759584e7a4c586476636d513d");
	check_gone(WIRE_SECRET_BASIC, "key-of-12345:", "key-of-12345");
	assert_string_equal(fed(WIRE_SECRET_BASIC, "username:12345678",
				"username is 12345678", 5),
	    "username is ********");
}

static void
leaves_the_rest_alone(void **state)
{
	static const char *const texts[] = { "", "a", "%", "%4", "%4g%%41",
		"\\", "\\u", "\\u12", "\\ud83d\\u0041", "\\ud83d", "&", "&#",
		"&#x", "&#;", "&amp", "&bogus;", "&#99999999;", "&#x110000;",
		"sk-live/7+\"q\\'&<\xc3\xa9~ z%4", "736b2d6c697665",
		"c2stbGl2ZS83KyJxXCcmPMOpfiB6JTQ", "\\u0073\\u006b-live" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (size_t step = 1; step < 5; step++)
			assert_string_equal(
			    fed(WIRE_SECRET_HEADER, VALUE, texts[i], step),
			    texts[i]);
}

/* An escape that an attacker has begun before it does not swallow its first
 * byte. */
static void
an_escape_before_it_hides_nothing(void **state)
{
	(void)state;
	assert_string_equal(
	    fed(WIRE_SECRET_HEADER, "abcdef012345", "%4abcdef012345", 1),
	    "%4************");
	assert_string_equal(
	    fed(WIRE_SECRET_HEADER, "nabcdef012345", "\\nabcdef012345", 1),
	    "\\*************");
	assert_string_equal(
	    fed(WIRE_SECRET_HEADER, "x012345678", "&#x012345678", 2),
	    "&#**********");
}

static void
finds_two_that_overlap(void **state)
{
	const struct wire_egress_secret *secrets[2];
	static struct wire_egress_secret two[2];
	(void)state;

	strcpy((char *)two[0].value, "0123456789");
	strcpy((char *)two[1].value, "56789abcdef");
	for (size_t i = 0; i < 2; i++) {
		two[i].value_len = (uint32_t)strlen((char *)two[i].value);
		secrets[i] = &two[i];
	}
	struct scrub *scrub = scrub_new(secrets, 2);
	assert_non_null(scrub);
	char text[] = "x0123456789abcdefx 56789 0123456789";
	scrub_text(scrub, text, strlen(text));
	assert_string_equal(text, "x****************x 56789 **********");
	scrub_free(scrub);
}

/* What it may hold back is bounded, whatever an origin sends. */
static void
holds_back_no_more_than_it_says(void **state)
{
	static char value[WIRE_SECRET_VALUE_MAX + 1];
	static char unit[4096];
	(void)state;

	memset(value, 'a', sizeof(value) - 1);
	strcpy(value + sizeof(value) - 2, "b");
	struct scrub *scrub = scrub_of(WIRE_SECRET_HEADER, value);
	const size_t max = scrub_held_max(scrub);
	uint8_t *out = malloc(max + sizeof(unit));
	assert_non_null(out);
	/* "YWFh" in HTML, again and again: hex of it is as long */
	for (size_t i = 0; i + 40 < sizeof(unit); i += 40)
		memcpy(
		    unit + i, "&#x000059;&#x000057;&#x000046;&#x000068;", 40);
	size_t fed_n = 0, told = 0;
	for (size_t i = 0; i < 100; i++) {
		const size_t len = sizeof(unit) / 40 * 40 - 40;
		told +=
		    scrub_feed(scrub, (const uint8_t *)unit, len, false, out);
		fed_n += len;
		assert_true(fed_n - told <= max);
	}
	free(out);
	scrub_free(scrub);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blots_out_the_value_as_it_is),
		cmocka_unit_test(blots_out_percent_escapes_of_any_bytes),
		cmocka_unit_test(blots_out_what_json_escapes),
		cmocka_unit_test(blots_out_what_html_escapes),
		cmocka_unit_test(blots_out_hex),
		cmocka_unit_test(blots_out_base64_at_every_offset),
		cmocka_unit_test(blots_out_base64_that_is_folded_or_escaped),
		cmocka_unit_test(blots_out_the_parts_of_basic),
		cmocka_unit_test(leaves_the_rest_alone),
		cmocka_unit_test(an_escape_before_it_hides_nothing),
		cmocka_unit_test(finds_two_that_overlap),
		cmocka_unit_test(holds_back_no_more_than_it_says),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
