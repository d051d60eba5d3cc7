/* SPDX-License-Identifier: Apache-2.0 */

/* Any header value: who is let in without a list is on this machine. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "fuzz.h"
#include "http/guard.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

/* Names the loopback, and nothing follows but a port. */
static bool
is_plainly_loopback(const char *authority)
{
	static const char *const names[] = { "localhost", "127.0.0.1",
		"[::1]" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const size_t len = strlen(names[i]);
		if (strncasecmp(authority, names[i], len) != 0)
			continue;
		const char *rest = authority + len;
		if (*rest == '\0')
			return true;
		if (*rest == ':' && rest[1] != '\0' &&
		    rest[1 + strspn(rest + 1, "0123456789")] == '\0')
			return true;
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t hash[HTTP_TOKEN_HASH_BYTES];
	auto_free char *text = strndup((const char *)data, size);

	if (text == NULL)
		return 0;
	if (http_host_is_allowed(text, ""))
		CHECK(is_plainly_loopback(text));
	if (http_origin_is_allowed(text, "")) {
		const char *slashes = strstr(text, "://");
		CHECK(slashes != NULL && is_plainly_loopback(slashes + 3));
	}
	if (http_host_is_allowed(text, text))
		CHECK(http_header_value_is_safe(text));
	if (http_bearer_hash(text, hash))
		CHECK(strncasecmp(text, "bearer ", 7) == 0);
	if (http_header_name_is_safe(text))
		CHECK(strpbrk(text, "\r\n: \t") == NULL && *text != '\0');
	if (http_header_value_is_safe(text))
		CHECK(strpbrk(text, "\r\n") == NULL);
	http_accepts(text, "application/json");
	return 0;
}
