/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "addr/rule.h"

int
addr_rule_of_url(const struct addr_url *url, uint8_t methods,
    struct addr_rule *rule, struct err *err)
{
	/* A rule's path ends at a '/' border by itself. */
	const bool is_whole = url->path_len <= 1;

	if (!is_whole && url->path_len >= sizeof(rule->path))
		return err_set(err, -EINVAL,
		    "has a path of more than %zu bytes",
		    sizeof(rule->path) - 1);
	*rule = (struct addr_rule){ .port = url->port,
		.scheme = (uint8_t)url->scheme,
		.methods = methods };
	strcpy(rule->host, url->host.text);
	if (!is_whole)
		memcpy(rule->path, url->target, url->path_len);
	return 0;
}
