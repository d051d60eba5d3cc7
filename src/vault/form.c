/* SPDX-License-Identifier: Apache-2.0 */

/* Where a secret may go, and in which form. */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr/rule.h"
#include "base/auto.h"
#include "base/secret.h"
#include "vault/vault.h"

#define HTTPS_PORT 443
#define TOKEN_CHARACTERS "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"

/* Headers that HTTP itself lives by. */
static const char *const reserved[] = { "connection", "content-encoding",
	"content-length", "content-type", "expect", "host", "http2-settings",
	"keep-alive", "proxy-authorization", "proxy-connection", "range", "te",
	"trailer", "transfer-encoding", "upgrade" };

int
vault_host_set(struct wire_egress_secret *record, const char *raw_host,
    uint16_t port, struct err *err)
{
	char text[ADDR_HOST_MAX + 32];
	struct addr_rule rules[2];
	size_t n = 0;

	const int len =
	    snprintf(text, sizeof(text), "https://%s:%u", raw_host, port);
	if (len < 0 || (size_t)len >= sizeof(text))
		return err_set(err, -EINVAL, "is too long for a host");
	const int code = addr_rule_parse(text, (size_t)len, 0, rules, &n, err);
	if (code != 0)
		return code;
	if (n != 1 || rules[0].is_suffix || rules[0].path[0] != '\0' ||
	    rules[0].port != port)
		return err_set(err, -EINVAL,
		    "must be one host, without a path: a secret is bound to "
		    "that host alone");
	memset(record->host, 0, sizeof(record->host));
	strcpy(record->host, rules[0].host);
	record->port = port;
	return 0;
}

int
vault_place_set(
    struct wire_egress_secret *record, const char *raw_text, struct err *err)
{
	const char *end = raw_text[0] == '[' ? strchr(raw_text, ']') : raw_text;
	const char *colon = end != NULL ? strrchr(end, ':') : NULL;
	const size_t len =
	    colon != NULL ? (size_t)(colon - raw_text) : strlen(raw_text);
	char host[ADDR_HOST_MAX + 2];
	unsigned long port = HTTPS_PORT;

	if (colon != NULL) {
		const size_t n = strspn(colon + 1, "0123456789");
		port = n > 0 && n < 6 && colon[1 + n] == '\0'
		    ? strtoul(colon + 1, NULL, 10)
		    : 0;
	}
	if (port == 0 || port > UINT16_MAX)
		return err_set(err, -EINVAL, "must be HOST or HOST:PORT");
	if (len >= sizeof(host))
		return err_set(err, -EINVAL, "is too long for a host");
	memcpy(host, raw_text, len);
	host[len] = '\0';
	return vault_host_set(record, host, (uint16_t)port, err);
}

static bool
is_visible(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if (*c < 0x20 || *c > 0x7e)
			return false;
	return true;
}

static const char *
header_complaint(struct wire_egress_secret *record)
{
	if (record->field[0] == '\0')
		strcpy(record->field, "authorization");
	for (char *c = record->field; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + 0x20);
	if (strspn(record->field, TOKEN_CHARACTERS) != strlen(record->field))
		return "/field: is no header's name";
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (strcmp(record->field, reserved[i]) == 0)
			return "/field: is a header that HTTP itself needs";
	if (record->template_[0] == '\0')
		strcpy(record->template_,
		    strcmp(record->field, "authorization") == 0 ? "Bearer {}"
								: "{}");
	const char *mark = strstr(record->template_, "{}");
	if (mark == NULL || strstr(mark + 2, "{}") != NULL)
		return "/template: must have {} once, where the value goes";
	return is_visible(record->template_)
	    ? NULL
	    : "/template: must be visible ASCII";
}

const char *
vault_form_complaint(struct wire_egress_secret *record)
{
	if (!secret_name_is_good(record->name))
		return "/name: must be 1 to 63 of A-Z, a-z, 0-9 and '_', the "
		       "first of them no digit";
	if (record->kind == WIRE_SECRET_HEADER)
		return header_complaint(record);
	if (record->template_[0] != '\0')
		return "/template: is for headers only";
	if (record->kind == WIRE_SECRET_BASIC)
		return record->field[0] == '\0'
		    ? NULL
		    : "/field: does not belong to \"basic\", whose header is "
		      "Authorization";
	if (record->field[0] == '\0')
		return "/field: is missing: the name of the query's member";
	return is_visible(record->field) ? NULL
					 : "/field: must be visible ASCII";
}

/* USER:PASSWORD; where the password is empty, the user is the key. */
static const char *
basic_complaint(const struct wire_egress_secret *record)
{
	const uint8_t *colon = memchr(record->value, ':', record->value_len);
	const uint8_t *end = record->value + record->value_len;

	if (colon == NULL)
		return "the value must be USER:PASSWORD";
	const size_t password = (size_t)(end - colon) - 1;
	const size_t key =
	    password > 0 ? password : (size_t)(colon - record->value);
	return key >= SECRET_VALUE_MIN
	    ? NULL
	    : "the password has fewer than 8 bytes: it could not be taken out "
	      "of answers without tearing holes into them";
}

const char *
vault_value_complaint(const struct wire_egress_secret *record)
{
	if (record->value_len < SECRET_VALUE_MIN)
		return "the value has fewer than 8 bytes: it could not be "
		       "taken out of answers without tearing holes into them";
	for (uint32_t i = 0; i < record->value_len; i++) {
		const uint8_t byte = record->value[i];
		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			return "the value holds a line end or another control "
			       "character";
	}
	/* HTTP takes the blanks around a value for nobody's. */
	const uint8_t first = record->value[0];
	const uint8_t last = record->value[record->value_len - 1];
	if (first == ' ' || first == '\t' || last == ' ' || last == '\t')
		return "the value begins or ends with a blank";
	return record->kind == WIRE_SECRET_BASIC ? basic_complaint(record)
						 : NULL;
}
