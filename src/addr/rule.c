/* SPDX-License-Identifier: Apache-2.0 */

/* The text of rules. What they allow is decided in match.c. */

#include "addr/rule.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "addr/path.h"
#include "base/auto.h"

/* A rule's text in pieces. */
struct pieces {
	uint8_t scheme; /* 0: none was written */
	bool is_suffix;
	bool has_port;
	struct addr_url url; /* of what stands behind the scheme and "*." */
	char path[ADDR_PATH_MAX];
};

static const struct {
	const char *text;
	uint8_t scheme;
} heads[] = {
	{ "https://", ADDR_HTTPS },
	{ "http://", ADDR_HTTP },
	{ "tcp://", ADDR_TCP },
};

static const struct {
	const char *name;
	enum addr_method method;
} methods[] = {
	{ "GET", ADDR_GET },
	{ "HEAD", ADDR_HEAD },
	{ "POST", ADDR_POST },
	{ "PUT", ADDR_PUT },
	{ "PATCH", ADDR_PATCH },
	{ "DELETE", ADDR_DELETE },
	{ "OPTIONS", ADDR_OPTIONS },
	{ "OTHER", ADDR_OTHER },
};

/* What speaks at a port when nobody says so. */
static uint8_t
scheme_of_port(uint16_t port)
{
	static const struct {
		uint16_t port;
		uint8_t scheme;
	} known[] = {
		{ 443, ADDR_HTTPS },
		{ 8443, ADDR_HTTPS },
		{ 80, ADDR_HTTP },
		{ 8000, ADDR_HTTP },
		{ 8080, ADDR_HTTP },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].port == port)
			return known[i].scheme;
	return ADDR_TCP;
}

enum addr_method
addr_method_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return methods[i].method;
	return ADDR_OTHER;
}

static uint8_t
method_find(const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strlen(methods[i].name) == len &&
		    memcmp(methods[i].name, word, len) == 0)
			return (uint8_t)methods[i].method;
	return 0;
}

bool
addr_methods_parse(const char *text, uint8_t *bits)
{
	uint8_t all = 0;

	for (const char *at = text;; at++) {
		at += strspn(at, " ");
		const size_t n = strcspn(at, ", ");
		const uint8_t bit = method_find(at, n);
		if (bit == 0)
			return false;
		all |= bit;
		at += n + strspn(at + n, " ");
		if (*at == '\0')
			break;
		if (*at != ',')
			return false;
	}
	*bits = all;
	return true;
}

/* A prefix that rules can be compared with. */
static int
path_take(const struct addr_url *url, struct pieces *pieces, struct err *err)
{
	struct path_read read;

	if (url->target[url->path_len] == '?')
		return err_set(
		    err, -EINVAL, "has a query: rules end with the path");
	if (memchr(url->target, '*', url->path_len) != NULL)
		return err_set(err, -EINVAL,
		    "has a '*' in its path, which is a prefix already: leave "
		    "it out");
	if (url->path_len >= ADDR_PATH_MAX)
		return err_set(err, -EINVAL, "has a path of more than %d bytes",
		    ADDR_PATH_MAX - 1);
	path_read(url->target, url->path_len, &read);
	if (!read.is_plain)
		return err_set(err, -EINVAL,
		    "has a path that servers may read in two ways (empty or "
		    "dot segments, encoded dots or controls)");
	if (url->path_len > 1)
		memcpy(pieces->path, url->target, url->path_len);
	return 0;
}

/* What stands behind the scheme has the syntax of a URL, which is parsed with
 * a scheme of ours: only whether a port was written is asked of the text. */
static int
pieces_parse(
    const char *raw_text, size_t len, struct pieces *pieces, struct err *err)
{
	char text[ADDR_RULE_TEXT_MAX + 8] = "https://";
	size_t n = strlen(text);

	if (len >= ADDR_RULE_TEXT_MAX)
		return err_set(err, -EINVAL, "is longer than %d bytes",
		    ADDR_RULE_TEXT_MAX - 1);
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		const size_t head = strlen(heads[i].text);
		if (len < head ||
		    strncasecmp(raw_text, heads[i].text, head) != 0)
			continue;
		pieces->scheme = heads[i].scheme;
		raw_text += head;
		len -= head;
		break;
	}
	if (len >= 2 && raw_text[0] == '*' && raw_text[1] == '.') {
		pieces->is_suffix = true;
		raw_text += 2;
		len -= 2;
	}
	if (memchr(raw_text, '#', len) != NULL)
		return err_set(err, -EINVAL, "has a fragment");
	if (memmem(raw_text, len, "://", 3) != NULL)
		return err_set(err, -EINVAL,
		    "has a scheme that is not https, http or tcp");
	if (len > 0 && raw_text[0] == '*')
		return err_set(err, -EINVAL,
		    "has a '*' that is not \"*.\" before a name: every host "
		    "cannot be allowed at once");

	memcpy(text + n, raw_text, len);
	n += len;
	int r = addr_url_parse(text, n, &pieces->url, err);
	if (r != 0)
		return r;
	const char *end = memchr(raw_text, '/', len);
	const size_t authority = end == NULL ? len : (size_t)(end - raw_text);
	const char *colon = memrchr(raw_text, ':', authority);
	pieces->has_port = colon != NULL &&
	    memchr(colon, ']', authority - (size_t)(colon - raw_text)) == NULL;
	return path_take(&pieces->url, pieces, err);
}

/* Where no rule may lead. */
static int
host_check(const struct pieces *pieces, unsigned int flags, struct err *err)
{
	const struct addr_host_name *host = &pieces->url.host;
	const struct addr_range *row =
	    host->is_ip ? addr_refused(&host->ip, NULL) : NULL;

	if (host->is_ip && pieces->is_suffix)
		return err_set(err, -EINVAL, "has \"*.\" before an address");
	if ((flags & ADDR_RULE_DENY) != 0)
		return 0;
	if (row != NULL)
		return err_set(err, -EINVAL,
		    "names %s, which is never dialled: %s (%s)", host->text,
		    row->name, row->source);
	if (!pieces->is_suffix && strcmp(host->text, "localhost") == 0) {
		if ((flags & ADDR_RULE_LOOPBACK) == 0)
			return err_set(err, -EINVAL,
			    "names this machine: only `cordon wrap` may grant "
			    "a port of it");
		if (!pieces->has_port)
			return err_set(err, -EINVAL,
			    "names this machine: say which port "
			    "(localhost:PORT)");
		return 0;
	}
	const char *reason =
	    host->is_ip ? NULL : addr_name_is_special(host->text);
	if (reason != NULL)
		return err_set(err, -EINVAL,
		    "names %s, which never leads outside: it %s", host->text,
		    reason);
	return 0;
}

static struct addr_rule
rule_of(const struct pieces *pieces, uint8_t scheme, unsigned int flags)
{
	const bool is_denied = (flags & ADDR_RULE_DENY) != 0;
	struct addr_rule rule;

	memset(&rule, 0, sizeof(rule));
	memcpy(rule.host, pieces->url.host.text, sizeof(rule.host));
	memcpy(rule.path, pieces->path, sizeof(rule.path));
	rule.scheme = scheme;
	rule.is_suffix = pieces->is_suffix;
	if (pieces->has_port)
		rule.port = pieces->url.port;
	else if (!is_denied)
		rule.port = addr_scheme_port((enum addr_scheme)scheme);
	if (is_denied)
		rule.flags = ADDR_RULE_DENY;
	else if (strcmp(rule.host, "localhost") == 0)
		rule.flags = ADDR_RULE_LOOPBACK;
	return rule;
}

int
addr_rule_parse(const char *raw_text, size_t len, unsigned int flags,
    struct addr_rule rules[2], size_t *n, struct err *err)
{
	struct pieces pieces = { 0 };

	int r = pieces_parse(raw_text, len, &pieces, err);
	if (r == 0)
		r = host_check(&pieces, flags, err);
	if (r != 0)
		return r;

	if ((flags & ADDR_RULE_DENY) == 0 && pieces.scheme == 0 &&
	    !pieces.has_port) {
		rules[0] = rule_of(&pieces, ADDR_HTTPS, flags);
		rules[1] = rule_of(&pieces, ADDR_HTTP, flags);
		*n = 2;
		return 0;
	}
	if ((flags & ADDR_RULE_DENY) == 0 && pieces.scheme == 0)
		pieces.scheme = scheme_of_port(pieces.url.port);
	if (pieces.scheme == ADDR_TCP && pieces.path[0] != '\0')
		return err_set(err, -EINVAL,
		    "has a path, but tcp has none: say https:// or http://");
	if (pieces.scheme == ADDR_TCP && !pieces.has_port &&
	    (flags & ADDR_RULE_DENY) == 0)
		return err_set(
		    err, -EINVAL, "has no port: say tcp://HOST:PORT");
	rules[0] = rule_of(&pieces, pieces.scheme, flags);
	*n = 1;
	return 0;
}

void
addr_rule_put(const struct addr_rule *rule, char text[ADDR_RULE_TEXT_MAX])
{
	const enum addr_scheme scheme = (enum addr_scheme)rule->scheme;
	const bool is_v6 = strchr(rule->host, ':') != NULL;
	/* where no port does not mean the scheme's */
	const bool is_said = rule->flags != 0;
	char port[8] = "";

	if (is_said ? rule->port != 0 : rule->port != addr_scheme_port(scheme))
		snprintf(port, sizeof(port), ":%u", rule->port);
	snprintf(text, ADDR_RULE_TEXT_MAX, "%s%s%s%s%s%s%s%s",
	    addr_scheme_name(scheme), scheme != 0 ? "://" : "",
	    rule->is_suffix ? "*." : "", is_v6 ? "[" : "", rule->host,
	    is_v6 ? "]" : "", port, rule->path);
}

bool
addr_rule_is_good(const struct addr_rule *rule)
{
	char text[ADDR_RULE_TEXT_MAX];
	struct addr_rule again[2];
	size_t n = 0;

	if (memchr(rule->host, '\0', sizeof(rule->host)) == NULL ||
	    memchr(rule->path, '\0', sizeof(rule->path)) == NULL)
		return false;
	if (rule->scheme == ADDR_TCP && rule->methods != 0)
		return false;

	/* What parse would make of its text is the same, byte for byte; the
	 * methods are for the caller of parse to set. */
	addr_rule_put(rule, text);
	if (addr_rule_parse(text, strlen(text), rule->flags, again, &n, NULL) !=
		0 ||
	    n != 1)
		return false;
	again[0].methods = rule->methods;
	return memcmp(&again[0], rule, sizeof(*rule)) == 0;
}
