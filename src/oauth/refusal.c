/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a refusal says, for a person. It is a stranger's text, and may be made
 * to look like ours, to drive a terminal, or hold what it was asked with: it
 * becomes printable ASCII in quotes, words as long as tokens are left out, and
 * all is cut.
 */

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "oauth/document.h"
#include "oauth/oauth.h"

#define ERROR_MAX 48 /* with the NUL; the longest registered has 37 */
#define DESCRIPTION_MAX 240
#define RAW_MAX 2048 /* of what is read of either */
#define WORD_MAX 24 /* longer ones may be tokens */

/* Answers after which the same request is of no use (RFC 6749 section 5.2, RFC
 * 8707; the last is GitHub's for invalid_grant). */
static const char *const final[] = { "invalid_grant", "invalid_client",
	"unauthorized_client", "unsupported_grant_type", "invalid_scope",
	"invalid_target", "access_denied", "bad_refresh_token" };

static bool
is_final(const char *error)
{
	for (size_t i = 0; i < ARRAY_LEN(final); i++)
		if (strcmp(error, final[i]) == 0)
			return true;
	return false;
}

/* One '?' for a character of several bytes. */
static size_t
word_put(char *text, const char *word, size_t len)
{
	size_t n = 0;

	if (len > WORD_MAX)
		return (size_t)(stpcpy(text, "...") - text);
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)word[i] & 0xc0) != 0x80)
			text[n++] = document_printable(word[i]);
	return n;
}

static void
tame(const char *raw_text, char *text, size_t size)
{
	size_t n = 0;

	for (const char *at = raw_text; *at != '\0';) {
		const size_t len = strcspn(at, " ");
		if (n + WORD_MAX + sizeof(" ...") > size) {
			n = (size_t)(stpcpy(text + n, "...") - text);
			break;
		}
		n += word_put(text + n, at, len);
		at += len;
		if (*at == ' ')
			text[n++] = *at++;
	}
	text[n] = '\0';
}

/* Not now: whatever the body says may be a proxy's, or of a server that is ill.
 */
static bool
is_passing(unsigned status)
{
	return status >= 500 || status == 408 || status == 429;
}

/* "ERROR" or "ERROR (\"DESCRIPTION\")". */
static void
say(const char *raw_error, const char *raw_description, const char *before,
    struct err *err)
{
	char error[ERROR_MAX], description[DESCRIPTION_MAX];
	const bool has_description = raw_description[0] != '\0';

	tame(raw_error, error, sizeof(error));
	tame(raw_description, description, sizeof(description));
	err_set(err, 0, "%s%s%s%s%s", before, error,
	    has_description ? " (\"" : "", description,
	    has_description ? "\")" : "");
}

void
oauth_refusal_say(
    const char *raw_error, const char *raw_description, struct err *err)
{
	say(raw_error, raw_description,
	    raw_error[0] == '\0' ? "an error without a name" : "", err);
}

/* "": it is missing, or no text. */
static void
text_take(struct json_span value, char text[RAW_MAX])
{
	if (json_string_copy(value, text, RAW_MAX, NULL) != 0)
		text[0] = '\0';
}

bool
oauth_refusal_read(
    unsigned status, const char *raw_json, size_t len, struct err *err)
{
	struct json_want wants[] = {
		{ .name = "error" },
		{ .name = "error_description" },
	};
	struct document document = { "", wants, ARRAY_LEN(wants), NULL };
	char error[RAW_MAX], description[RAW_MAX], before[32];

	if (document_read(&document, raw_json, len) != 0)
		wants[0].value = wants[1].value = (struct json_span){ 0 };
	text_take(wants[0].value, error);
	text_take(wants[1].value, description);
	snprintf(before, sizeof(before), "answered %u%s", status,
	    error[0] == '\0' ? "" : ": ");
	say(error, description, before, err);
	return !is_passing(status) && is_final(error);
}
