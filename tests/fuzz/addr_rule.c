/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The first line as a rule, the second as another that denies, the third as a
 * URL: what is taken is put and read as itself, a denial wins, and a path that
 * a prefix lets pass stays below it, however often it is decoded.
 */

#include <stdlib.h>
#include <string.h>

#include "addr/path.h"
#include "addr/rule.h"
#include "base/auto.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static void
check_rule(const struct addr_rule *rule)
{
	char text[ADDR_RULE_TEXT_MAX];
	struct addr_rule again[2];
	size_t n = 0;

	CHECK(addr_rule_is_good(rule));
	addr_rule_put(rule, text);
	CHECK(addr_rule_parse(
		  text, strlen(text), rule->flags, again, &n, NULL) == 0);
	CHECK(n == 1 && memcmp(&again[0], rule, sizeof(*rule)) == 0);
}

/* Bytes from elsewhere: what is good is what parse makes. */
static void
check_struct(const uint8_t *data, size_t size)
{
	struct addr_rule rule;

	memset(&rule, 0, sizeof(rule));
	memcpy(&rule, data, size < sizeof(rule) ? size : sizeof(rule));
	if (addr_rule_is_good(&rule)) {
		rule.methods = 0;
		check_rule(&rule);
	}
}

static void
check_find(
    const struct addr_rule *rules, size_t n, const char *raw_url, size_t len)
{
	static struct addr_url url;
	static struct path_read read;
	struct err why = { .text = "" };

	if (addr_url_parse(raw_url, len, &url, NULL) != 0)
		return;
	const struct addr_target target = { .host = url.host.text,
		.port = url.port,
		.scheme = (uint8_t)url.scheme,
		.path = url.target,
		.path_len = url.path_len,
		.method = ADDR_GET };
	const struct addr_rule *rule = addr_rules_find(rules, n, &target, &why);
	if (rule == NULL) {
		CHECK(why.text[0] != '\0');
		return;
	}
	CHECK((rule->flags & ADDR_RULE_DENY) == 0);
	CHECK(rule->port == url.port && rule->scheme == url.scheme);
	CHECK(addr_rules_know(rules, 1, url.host.text));
	if (rule->path[0] == '\0')
		return;
	path_read(url.target, url.path_len, &read);
	CHECK(read.is_plain);
	CHECK(memmem(read.decoded, read.len, "..", 2) == NULL ||
	    memmem(read.decoded, read.len, "/../", 4) == NULL);
	CHECK(addr_rules_look_inside(rules, n, url.host.text, url.port));
}

/* The next line. */
static const char *
line_next(const char **at, const char *end, size_t *len)
{
	const char *line = *at,
		   *stop = memchr(line, '\n', (size_t)(end - line));

	*len = (size_t)((stop == NULL ? end : stop) - line);
	*at = stop == NULL ? end : stop + 1;
	return line;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	struct addr_rule rules[4];
	struct err err = { .text = "" };
	size_t n = 0, n_deny = 0, len;

	check_struct(data, size);
	const char *line = line_next(&at, end, &len);
	if (addr_rule_parse(line, len, ADDR_RULE_LOOPBACK, rules, &n, &err) !=
	    0) {
		CHECK(err.text[0] != '\0');
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		check_rule(&rules[i]);
	line = line_next(&at, end, &len);
	if (addr_rule_parse(
		line, len, ADDR_RULE_DENY, rules + n, &n_deny, NULL) == 0)
		check_rule(&rules[n]);
	line = line_next(&at, end, &len);
	check_find(rules, n + n_deny, line, len);
	return 0;
}
