/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as a URL, and what stands behind the first line as the location of
 * a redirect: what is taken libcurl reads in the same way, and the canonical
 * text is read as itself.
 */

#include <stdlib.h>
#include <string.h>

#include "../unit/addr/second.h"
#include "base/auto.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static void
check_url(const struct addr_url *url)
{
	static struct addr_url again;

	CHECK(addr_url_parse(url->text, strlen(url->text), &again, NULL) == 0);
	CHECK(strcmp(again.text, url->text) == 0);
	CHECK(url->port == again.port && url->scheme == again.scheme);
	CHECK(strcmp(url->host.text, again.host.text) == 0);
	CHECK(url->target > url->text &&
	    url->target < url->text + sizeof(url->text));
	CHECK(url->target[0] == '/');
	CHECK(url->target[url->path_len] == '\0' ||
	    url->target[url->path_len] == '?');
	CHECK(strpbrk(url->text, "\r\n\t\\ #@\x7f") == NULL ||
	    strchr(url->target, '@') != NULL);
	CHECK(second_reads_text(url, url->text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct addr_url url, next;
	const char *text = (const char *)data;
	struct err err = { .text = "" };
	const char *line = memchr(text, '\n', size);
	const size_t len = line == NULL ? size : (size_t)(line - text);

	if (addr_url_parse(text, size, &url, &err) != 0)
		CHECK(err.text[0] != '\0');
	if (addr_url_parse(text, len, &url, NULL) != 0)
		return 0;
	CHECK(second_reads_the_same(&url, text, len));
	check_url(&url);
	if (line != NULL &&
	    addr_url_follow(&url, line + 1, size - len - 1, &next, NULL) == 0)
		check_url(&next);
	return 0;
}
