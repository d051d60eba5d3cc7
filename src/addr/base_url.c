/* SPDX-License-Identifier: Apache-2.0 */

/* The URL of a server that is elsewhere, and the rule that it is. */

#include <errno.h>
#include <string.h>

#include "addr/rule.h"

int
addr_base_url_parse(
    const char *raw_text, size_t len, struct addr_url *url, struct err *err)
{
	struct addr_url parsed;
	struct addr_rule rule;

	int r = addr_url_parse(raw_text, len, &parsed, err);
	if (r != 0)
		return r;
	if (parsed.scheme != ADDR_HTTPS)
		return err_set(err, -EINVAL,
		    "is not https://: what is said there could be read and "
		    "changed on its way");
	if (memchr(raw_text, '#', len) != NULL)
		return err_set(err, -EINVAL,
		    "has a fragment, which no server ever sees: leave it out");
	r = addr_rule_of_url(&parsed, 0, &rule, err);
	if (r == 0)
		*url = parsed;
	/* It points into its own text. */
	if (r == 0)
		url->target = url->text + (parsed.target - parsed.text);
	return r;
}

int
addr_rule_of_url(const struct addr_url *url, uint8_t methods,
    struct addr_rule *rule, struct err *err)
{
	const size_t origin = (size_t)(url->target - url->text);
	struct addr_rule rules[2];
	size_t n = 0;

	const int r = addr_rule_parse(
	    url->text, origin + url->path_len, 0, rules, &n, err);
	if (r != 0)
		return r;
	*rule = rules[0];
	rule->methods = methods;
	return 0;
}
