/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A second reader of URLs: what we take, libcurl takes, and reads the same
 * scheme, host, port, path and query out of the text as it was given, and out
 * of our canonical one. Where two readers differ is where SSRF lives.
 */

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "addr/url.h"

static inline bool
second_part_is(CURLU *curl, CURLUPart part, const char *want, size_t len)
{
	char *text = NULL;
	const CURLUcode code =
	    curl_url_get(curl, part, &text, CURLU_DEFAULT_PORT);
	const bool is_same = code == CURLUE_OK
	    ? strlen(text) == len && strncasecmp(text, want, len) == 0
	    : len == 0;

	curl_free(text);
	return is_same;
}

/* An address by its bytes: curl may write it in another way. */
static inline bool
second_host_is(CURLU *curl, const struct addr_host_name *host)
{
	char *text = NULL;
	struct addr_ip ip;

	if (!host->is_ip)
		return second_part_is(
		    curl, CURLUPART_HOST, host->text, strlen(host->text));
	if (curl_url_get(curl, CURLUPART_HOST, &text, 0) != CURLUE_OK)
		return false;
	const size_t len = strlen(text), brackets = text[0] == '[' ? 1 : 0;
	const bool is_same =
	    addr_ip_parse(text + brackets, len - 2 * brackets, &ip) &&
	    addr_ip_equal(&ip, &host->ip);
	curl_free(text);
	return is_same;
}

static inline bool
second_reads_text(const struct addr_url *url, const char *text)
{
	CURLU *curl = curl_url();
	const char *scheme = addr_scheme_name(url->scheme);
	const char *query = url->target + url->path_len;
	char port[8];
	bool is_same = curl != NULL;

	snprintf(port, sizeof(port), "%u", url->port);
	if (*query == '?')
		query++;
	is_same = is_same &&
	    curl_url_set(curl, CURLUPART_URL, text, CURLU_PATH_AS_IS) ==
		CURLUE_OK;
	is_same = is_same &&
	    second_part_is(curl, CURLUPART_SCHEME, scheme, strlen(scheme));
	is_same = is_same && second_host_is(curl, &url->host);
	is_same =
	    is_same && second_part_is(curl, CURLUPART_PORT, port, strlen(port));
	is_same = is_same &&
	    second_part_is(curl, CURLUPART_PATH, url->target, url->path_len);
	is_same = is_same &&
	    second_part_is(curl, CURLUPART_QUERY, query, strlen(query));
	curl_url_cleanup(curl);
	return is_same;
}

/* raw_text without a NUL in it: none that holds one is taken. */
static inline bool
second_reads_the_same(
    const struct addr_url *url, const char *raw_text, size_t len)
{
	char *text = strndup(raw_text, len);
	const bool is_same = text != NULL && second_reads_text(url, text) &&
	    second_reads_text(url, url->text);

	free(text);
	return is_same;
}
