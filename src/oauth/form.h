/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* application/x-www-form-urlencoded, in queries and bodies: everything but
 * unreserved characters (RFC 3986) is escaped, so no value ends a member or a
 * line. */

#include "json/out.h"

/* Room for all that will come, so that growing leaves no copies of secrets
 * behind. */
void form_reserve(struct json_out *out);
/* "name=value", with '&' before it unless it is the first; nothing where the
 * value is "". */
void form_add(struct json_out *out, const char *name, const char *value);
void form_escape(struct json_out *out, const char *value);

/* Of a query, from behind its '?': whether it has a member of this name,
 * escaped or not, in whatever case; and whether all its members are
 * NAME=VALUE. */
bool form_has(const char *query, const char *name);
bool form_is_pairs(const char *query);
