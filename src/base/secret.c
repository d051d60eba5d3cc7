/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <string.h>

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

size_t
secret_name_span(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len &&
	    (is_letter(text[n]) || (n > 0 && text[n] >= '0' && text[n] <= '9')))
		n++;
	return n;
}

bool
secret_name_is_good(const char *name)
{
	const size_t len = strnlen(name, SECRET_NAME_MAX);

	return len > 0 && len < SECRET_NAME_MAX &&
	    secret_name_span(name, len) == len;
}

void
secret_placeholder_put(const char *name, char text[SECRET_PLACEHOLDER_MAX])
{
	const size_t len = strnlen(name, SECRET_NAME_MAX - 1);
	const size_t at = strlen(SECRET_PLACEHOLDER);

	memcpy(text, SECRET_PLACEHOLDER, at);
	memcpy(text + at, name, len);
	text[at + len] = '\0';
}
