/* SPDX-License-Identifier: Apache-2.0 */

/*
 * WWW-Authenticate (RFC 9110 section 11.6.1): challenges with commas between,
 * whose parameters have commas between too. What follows a comma is a parameter
 * if a '=' stands behind its first word, else the next challenge.
 */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "oauth/document.h"
#include "oauth/oauth.h"

struct cursor {
	const char *at;
	const char *end;
};

static const char token_marks[] = "!#$%&'*+-.^_`|~";

static bool
is_letter_or_digit(char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
	    (byte >= 'A' && byte <= 'Z');
}

static bool
is_in(char byte, const char *marks)
{
	return byte != '\0' && strchr(marks, byte) != NULL;
}

static bool
is_token(char byte)
{
	return is_letter_or_digit(byte) || is_in(byte, token_marks);
}

static void
skip(struct cursor *cursor, const char *marks)
{
	while (cursor->at < cursor->end && is_in(*cursor->at, marks))
		cursor->at++;
}

static bool
take(struct cursor *cursor, char byte)
{
	if (cursor->at == cursor->end || *cursor->at != byte)
		return false;
	cursor->at++;
	return true;
}

static struct json_span
take_token(struct cursor *cursor)
{
	struct json_span token = { .at = cursor->at };

	while (cursor->at < cursor->end && is_token(*cursor->at))
		cursor->at++;
	token.len = (size_t)(cursor->at - token.at);
	return token;
}

static bool
span_is(struct json_span span, const char *text)
{
	return span.len == strlen(text) &&
	    strncasecmp(span.at, text, span.len) == 0;
}

/* token68, if nothing else is before the next comma. */
static bool
take_token68(struct cursor *cursor)
{
	struct cursor ahead = *cursor;

	while (ahead.at < ahead.end &&
	    (is_letter_or_digit(*ahead.at) || is_in(*ahead.at, "-._~+/")))
		ahead.at++;
	if (ahead.at == cursor->at)
		return false;
	skip(&ahead, "=");
	skip(&ahead, " \t");
	if (ahead.at < ahead.end && *ahead.at != ',')
		return false;
	*cursor = ahead;
	return true;
}

/* Behind the opening quote. What is too long is no value either: nothing here
 * needs more. */
static bool
take_quoted(struct cursor *cursor, char *value, size_t size)
{
	size_t n = 0;

	while (cursor->at < cursor->end && *cursor->at != '"') {
		if (*cursor->at == '\\' && ++cursor->at == cursor->end)
			return false;
		const unsigned char byte = (unsigned char)*cursor->at++;
		if ((byte < ' ' && byte != '\t') || byte == 0x7f ||
		    n + 1 >= size)
			return false;
		value[n++] = (char)byte;
	}
	value[n] = '\0';
	return take(cursor, '"');
}

static bool
take_value(struct cursor *cursor, char *value, size_t size)
{
	if (take(cursor, '"'))
		return take_quoted(cursor, value, size);
	const struct json_span token = take_token(cursor);
	if (token.len == 0 || token.len >= size)
		return false;
	memcpy(value, token.at, token.len);
	value[token.len] = '\0';
	return true;
}

/* A field as it was said: nothing but its form is checked. */
struct field {
	bool is_bearer; /* one was met */
	bool is_in_bearer; /* the parameters are its */
	bool has_metadata, has_scope, has_error;
	char metadata[OAUTH_URL_MAX];
	char scope[OAUTH_SCOPE_MAX];
	char error[OAUTH_SCOPE_MAX];
};

static bool
keep(bool *has, char *kept, const char *value)
{
	if (*has)
		return false;
	*has = true;
	strcpy(kept, value);
	return true;
}

/* False: it is said twice. */
static bool
param_take(struct field *field, struct json_span name, const char *value)
{
	if (!field->is_in_bearer)
		return true;
	if (span_is(name, "resource_metadata"))
		return keep(&field->has_metadata, field->metadata, value);
	if (span_is(name, "scope"))
		return keep(&field->has_scope, field->scope, value);
	if (span_is(name, "error"))
		return keep(&field->has_error, field->error, value);
	return true;
}

/* Parameters up to the next challenge, or the end. */
static bool
params_take(struct cursor *cursor, struct field *field)
{
	char value[OAUTH_URL_MAX];

	while (cursor->at < cursor->end) {
		struct cursor ahead = *cursor;
		const struct json_span name = take_token(&ahead);
		skip(&ahead, " \t");
		if (name.len == 0 || !take(&ahead, '='))
			return name.len > 0;
		skip(&ahead, " \t");
		if (!take_value(&ahead, value, sizeof(value)) ||
		    !param_take(field, name, value))
			return false;
		skip(&ahead, " \t");
		if (ahead.at < ahead.end && *ahead.at != ',')
			return false;
		skip(&ahead, ", \t");
		*cursor = ahead;
	}
	return true;
}

static bool
challenge_take(struct cursor *cursor, struct field *field)
{
	const struct json_span scheme = take_token(cursor);

	if (scheme.len == 0)
		return false;
	/* of several Bearer challenges the first counts */
	field->is_in_bearer = !field->is_bearer && span_is(scheme, "bearer");
	field->is_bearer |= field->is_in_bearer;
	const char *behind = cursor->at;
	skip(cursor, " \t");
	if (cursor->at == cursor->end || *cursor->at == ',')
		return true;
	if (cursor->at == behind)
		return false;
	if (take_token68(cursor))
		return true;
	const char *params = cursor->at;
	return params_take(cursor, field) && cursor->at > params;
}

static bool
field_take(struct cursor *cursor, struct field *field)
{
	skip(cursor, ", \t");
	while (cursor->at < cursor->end) {
		if (!challenge_take(cursor, field))
			return false;
		skip(cursor, ", \t");
	}
	return document_text_is(field->scope, DOCUMENT_SCOPE);
}

int
oauth_challenge_read(const char *raw_value, size_t len,
    struct oauth_challenge *challenge, struct err *err)
{
	struct cursor cursor = { .at = raw_value, .end = raw_value + len };
	struct oauth_challenge found = { .is_bearer = true };
	struct field field = { .is_bearer = false };
	struct err why = { .text = "" };
	char shown[DOCUMENT_SHOWN_MAX];
	struct addr_url url;

	if (!field_take(&cursor, &field) || !field.is_bearer)
		return 0;
	if (field.has_metadata) {
		document_show(field.metadata, shown);
		if (document_url_parse(field.metadata, strlen(field.metadata),
			&url, &why) != 0)
			return err_set(err, -EINVAL,
			    "WWW-Authenticate: \"resource_metadata\" (\"%s\") "
			    "%s",
			    shown, why.text);
		if (strlen(url.text) >= sizeof(found.metadata))
			return err_set(err, -EINVAL,
			    "WWW-Authenticate: \"resource_metadata\" is longer "
			    "than %zu bytes",
			    sizeof(found.metadata) - 1);
		strcpy(found.metadata, url.text);
	}
	strcpy(found.scope, field.scope);
	if (strlen(field.error) < sizeof(found.error) &&
	    document_text_is(field.error, DOCUMENT_WORD))
		strcpy(found.error, field.error);
	if (!challenge->is_bearer ||
	    (challenge->metadata[0] == '\0' && field.has_metadata))
		*challenge = found;
	return 0;
}
