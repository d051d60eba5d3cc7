/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A good document, and what becomes of it when one member is another. */

#include "test.h"

struct member {
	const char *name;
	const char *json;
};

/* `json` in place of the member's value, or behind all where there is no such
 * member; NULL: without it. The text is the caller's to free. */
static inline char *
variant(
    const struct member *members, size_t n, const char *name, const char *json)
{
	char *text = malloc(1 << 20), *at = text;
	const char *before = "{";
	bool is_there = false;

	assert_non_null(text);
	for (size_t i = 0; i < n; i++) {
		const bool is_it = strcmp(members[i].name, name) == 0;
		const char *value = is_it ? json : members[i].json;
		is_there |= is_it;
		if (value == NULL)
			continue;
		at +=
		    sprintf(at, "%s\"%s\":%s", before, members[i].name, value);
		before = ",";
	}
	if (!is_there && json != NULL)
		at += sprintf(at, "%s\"%s\":%s", before, name, json);
	strcpy(at, "}");
	return text;
}

/* Texts that are no URL of the outside world, as JSON. */
static const char *const bad_urls[] = {
	"1",
	"true",
	"[]",
	"{}",
	"[\"https://acme.net/\"]",
	"\"\"",
	"\"acme.net\"",
	"\"/authorize\"",
	"\"//acme.net/\"",
	"\"https:acme.net\"",
	"\"https:/acme.net\"",
	"\"http://acme.net/\"",
	"\"HTTP://acme.net/\"",
	"\"ftp://acme.net/\"",
	"\"file:///etc/passwd\"",
	"\"javascript:alert(1)\"",
	"\"data:text/html,x\"",
	"\"file:/c:/windows/system32/calc.exe\"",
	"\"a:$(touch /tmp/x)\"",
	"\"ms-settings:\"",
	"\" https://acme.net/\"",
	"\"https://acme.net/ \"",
	"\"https://acme.net/\\r\\nHost: evil.net\"",
	"\"https://acme.net/\\u0000\"",
	"\"https://acme.net\\u0000.evil.net/\"",
	"\"https://acme.net/\\t\"",
	"\"https://acme.net/\\u001b[2J\"",
	"\"https://acme.net/\\u007f\"",
	"\"https://acme.net/\\u0085\"",
	"\"https://acme.net/\\ud800\"",
	"\"https://acme.net/\\udc00\\ud800\"",
	"\"https://acme.net/\\u202e\"",
	"\"https://\\u0430cme.net/\"",
	"\"https://acme\\u3002net/\"",
	"\"https://acme.net/caf\xc3\xa9\"",
	"\"https://user@acme.net/\"",
	"\"https://user:password@acme.net/\"",
	"\"https://acme.net@evil.net/\"",
	"\"https://acme.net\\\\@evil.net/\"",
	"\"https://acme.net/#fragment\"",
	"\"https://acme.net/#\"",
	"\"https://acme.net/a/../b\"",
	"\"https://acme.net/..\"",
	"\"https://acme.net/./b\"",
	"\"https://acme.net/%2e%2E/b\"",
	"\"https://acme.net/%zz\"",
	"\"https://acme.net/%\"",
	"\"https://acme.net:/\"",
	"\"https://acme.net:0/\"",
	"\"https://acme.net:0443/\"",
	"\"https://acme.net:65536/\"",
	"\"https://acme.net./\"",
	"\"https:///\"",
	"\"https://127.0.0.1/\"",
	"\"https://127.1/\"",
	"\"https://2130706433/\"",
	"\"https://0x7f000001/\"",
	"\"https://[::1]/\"",
	"\"https://[::ffff:10.0.0.1]/\"",
	"\"https://10.0.0.1/\"",
	"\"https://192.168.1.1/setup?reset=1\"",
	"\"https://169.254.169.254/latest/meta-data/\"",
	"\"https://localhost/\"",
	"\"https://localhost:8443/\"",
	"\"https://router/\"",
	"\"https://db.internal/\"",
	"\"https://metadata.google.internal/\"",
};

/* Texts that are no document at all. */
static const char *const bad_documents[] = {
	"",
	" ",
	"{",
	"null",
	"[]",
	"\"\"",
	"1",
	"<html>",
	"{}{}",
	"\xef\xbb\xbf{}",
	"{\"issuer\":\"\xff\"}",
	"{\"issuer\":}",
	"{'issuer':1}",
};

/* "xxx…" of so many bytes, in quotes; the caller's to free. */
static inline char *
long_text(const char *head, size_t len)
{
	char *text = malloc(len + 3);

	assert_non_null(text);
	memset(text, 'x', len + 2);
	text[0] = text[len + 1] = '"';
	text[len + 2] = '\0';
	memcpy(text + 1, head, strlen(head));
	return text;
}
