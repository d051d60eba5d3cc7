/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as fields of WWW-Authenticate, one a line: what is taken of them is
 * plain text and a URL in its canonical form, and a NUL or a control ends
 * nothing early.
 */

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "oauth/oauth.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static void
check_plain(const char *text)
{
	for (const char *at = text; *at != '\0'; at++)
		CHECK(*at >= ' ' && *at <= '~');
}

static void
check(const struct oauth_challenge *challenge)
{
	static struct addr_url url;

	CHECK(challenge->is_bearer ||
	    (challenge->metadata[0] == '\0' && challenge->scope[0] == '\0' &&
		challenge->error[0] == '\0'));
	check_plain(challenge->metadata);
	check_plain(challenge->scope);
	check_plain(challenge->error);
	if (challenge->metadata[0] == '\0')
		return;
	CHECK(addr_url_parse(challenge->metadata, strlen(challenge->metadata),
		  &url, NULL) == 0);
	CHECK(strcmp(url.text, challenge->metadata) == 0);
	CHECK(url.scheme == ADDR_HTTPS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oauth_challenge challenge = { 0 };
	const char *at = (const char *)data, *end = at + size;

	while (at < end) {
		const struct oauth_challenge before = challenge;
		const char *line = memchr(at, '\n', (size_t)(end - at));
		const size_t len = (size_t)((line == NULL ? end : line) - at);
		struct err err = { .text = "" };

		if (oauth_challenge_read(at, len, &challenge, &err) != 0) {
			CHECK(err.text[0] != '\0');
			CHECK(memcmp(&before, &challenge, sizeof(before)) == 0);
		}
		CHECK(!before.is_bearer || challenge.is_bearer);
		check(&challenge);
		at += len + 1;
	}
	return 0;
}
