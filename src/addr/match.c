/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What rules allow. A rule that denies wins; in doubt it denies: where requests
 * are not seen, or a path can be read in two ways, and with its path decoded
 * and of any case. A rule that allows compares bytes.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "addr/path.h"
#include "addr/rule.h"
#include "base/auto.h"

#define PATH_SHOWN_MAX 160

/* A target, and its path as an origin may read it, once that is asked. */
struct question {
	const struct addr_target *target;
	bool has_read;
	struct path_read read;
};

static const struct path_read *
question_read(struct question *question)
{
	if (!question->has_read)
		path_read(question->target->path, question->target->path_len,
		    &question->read);
	question->has_read = true;
	return &question->read;
}

static bool
is_deny(const struct addr_rule *rule)
{
	return (rule->flags & ADDR_RULE_DENY) != 0;
}

static bool
is_narrow(const struct addr_rule *rule)
{
	return rule->path[0] != '\0' || rule->methods != 0;
}

/* "*.example.com" may have names below it that never lead outside. */
static bool
names_host(const struct addr_rule *rule, const char *host, size_t len)
{
	if (!rule->is_suffix)
		return strcmp(rule->host, host) == 0;

	const size_t n = strlen(rule->host);
	return len > n + 1 && host[len - n - 1] == '.' &&
	    memcmp(host + len - n, rule->host, n) == 0 &&
	    (is_deny(rule) || addr_name_is_special(host) == NULL);
}

static bool
names_place(const struct addr_rule *rule, const struct addr_target *target,
    size_t host_len)
{
	const bool is_any = is_deny(rule);

	if (rule->port != target->port && !(is_any && rule->port == 0))
		return false;
	if (rule->scheme != target->scheme && !(is_any && rule->scheme == 0))
		return false;
	return names_host(rule, target->host, host_len);
}

static bool
begins_with(const char *path, size_t len, const char *prefix, size_t n)
{
	return len >= n && memcmp(path, prefix, n) == 0 &&
	    (prefix[n - 1] == '/' || len == n || path[n] == '/');
}

static bool
allows(const struct addr_rule *rule, struct question *question)
{
	const struct addr_target *target = question->target;

	if (!is_narrow(rule))
		return true;
	if (target->path == NULL)
		return false;
	if (rule->methods != 0 && (rule->methods & target->method) == 0)
		return false;
	return rule->path[0] == '\0' ||
	    (begins_with(target->path, target->path_len, rule->path,
		 strlen(rule->path)) &&
		question_read(question)->is_plain);
}

static bool
denies(const struct addr_rule *rule, struct question *question)
{
	const struct addr_target *target = question->target;
	struct path_read prefix;

	if (!is_narrow(rule) || target->path == NULL)
		return true;
	if (rule->methods != 0 && (rule->methods & target->method) == 0)
		return false;
	if (rule->path[0] == '\0' || !question_read(question)->is_plain)
		return true;

	const struct path_read *read = question_read(question);
	path_read(rule->path, strlen(rule->path), &prefix);
	/* "/admin/" denies "/admin", too */
	const size_t n =
	    prefix.len - (prefix.decoded[prefix.len - 1] == '/' ? 1 : 0);
	return read->len >= n &&
	    strncasecmp(read->decoded, prefix.decoded, n) == 0 &&
	    (read->len == n || strchr("/;?#", read->decoded[n]) != NULL);
}

/* The place as a rule would name it. */
static void
place_put(const struct addr_target *target, char text[ADDR_RULE_TEXT_MAX])
{
	struct addr_rule rule = { .port = target->port,
		.scheme = target->scheme };

	snprintf(rule.host, sizeof(rule.host), "%s", target->host);
	addr_rule_put(&rule, text);
}

/* What no rule could allow. */
static bool
never_say(const struct addr_target *target, struct err *why)
{
	struct addr_ip ip;
	const struct addr_range *row = NULL;
	const bool is_ip =
	    addr_ip_parse(target->host, strlen(target->host), &ip);

	if (is_ip)
		row = addr_refused(&ip, NULL);
	if (row != NULL) {
		err_set(why, 0,
		    "%s is never dialled: %s (%s); no rule can allow it",
		    target->host, row->name, row->source);
		return true;
	}
	const char *reason = is_ip ? NULL : addr_name_is_special(target->host);
	if (reason != NULL)
		err_set(why, 0, "%s %s; no rule can allow it", target->host,
		    reason);
	return reason != NULL;
}

static const char *
method_name(uint8_t method)
{
	static const char *const names[] = { "GET", "HEAD", "POST", "PUT",
		"PATCH", "DELETE", "OPTIONS" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (addr_method_of(names[i]) == method)
			return names[i];
	return "OTHER";
}

/* `near`: a rule for this place, whose path or methods are others. */
static void
missing_say(
    struct question *question, const struct addr_rule *near, struct err *why)
{
	const struct addr_target *target = question->target;
	char place[ADDR_RULE_TEXT_MAX], rule[ADDR_RULE_TEXT_MAX];

	if (never_say(target, why))
		return;
	place_put(target, place);
	if (near == NULL) {
		err_set(why, 0, "no rule allows %s: add the rule \"%s\"", place,
		    place);
		return;
	}
	addr_rule_put(near, rule);
	if (target->path == NULL) {
		err_set(why, 0,
		    "\"%s\" allows some requests only, and requests are not "
		    "seen here: add the rule \"%s\" without path and methods",
		    rule, place);
		return;
	}
	const int shown = target->path_len > PATH_SHOWN_MAX
	    ? PATH_SHOWN_MAX
	    : (int)target->path_len;
	if (near->methods != 0 && (near->methods & target->method) == 0)
		err_set(why, 0,
		    "\"%s\" does not allow %s %s%.*s: add the method %s to "
		    "the rule",
		    rule, method_name(target->method), place, shown,
		    target->path, method_name(target->method));
	else if (near->path[0] != '\0' && !question_read(question)->is_plain)
		err_set(why, 0,
		    "\"%s\" does not allow %s%.*s, a path that servers may "
		    "read in two ways: only the rule \"%s\" without a path "
		    "would",
		    rule, place, shown, target->path, place);
	else
		err_set(why, 0,
		    "\"%s\" does not allow %s%.*s: add a rule with a path "
		    "that it begins with, or \"%s\"",
		    rule, place, shown, target->path, place);
}

const struct addr_rule *
addr_rules_find(const struct addr_rule *rules, size_t n,
    const struct addr_target *target, struct err *why)
{
	struct question question;
	const struct addr_rule *found = NULL, *near = NULL;
	const size_t host_len = strlen(target->host);
	char text[ADDR_RULE_TEXT_MAX];

	question.target = target;
	question.has_read = false;
	for (size_t i = 0; i < n; i++) {
		const struct addr_rule *rule = &rules[i];
		if (!names_place(rule, target, host_len))
			continue;
		if (is_deny(rule) && denies(rule, &question)) {
			addr_rule_put(rule, text);
			err_set(why, 0,
			    "the rule \"%s\" denies it: take that rule out",
			    text);
			return NULL;
		}
		if (is_deny(rule))
			continue;
		if (found == NULL && allows(rule, &question))
			found = rule;
		near = rule;
	}
	if (found == NULL)
		missing_say(&question, near, why);
	return found;
}

bool
addr_rules_know(const struct addr_rule *rules, size_t n, const char *host)
{
	const size_t len = strlen(host);
	bool is_known = false;

	for (size_t i = 0; i < n; i++) {
		const struct addr_rule *rule = &rules[i];
		if (!names_host(rule, host, len))
			continue;
		if (!is_deny(rule))
			is_known = true;
		else if (rule->port == 0 && rule->scheme == 0 &&
		    !is_narrow(rule))
			return false;
	}
	return is_known;
}

bool
addr_rules_look_inside(
    const struct addr_rule *rules, size_t n, const char *host, uint16_t port)
{
	const size_t len = strlen(host);

	for (size_t i = 0; i < n; i++)
		if (is_narrow(&rules[i]) &&
		    (rules[i].port == port ||
			(is_deny(&rules[i]) && rules[i].port == 0)) &&
		    names_host(&rules[i], host, len))
			return true;
	return false;
}
