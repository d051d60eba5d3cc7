/* SPDX-License-Identifier: Apache-2.0 */

/* A policy's numbers: limits of what a program spends, budgets of its way out. */

#include <errno.h>
#include <string.h>

#include "base/units.h"
#include "policy/read.h"

#define MS 1000000u /* ns */
#define CPUS_MAX 4096u
#define BUDGET_COUNT_MAX 1000000u

/* A number without exponent, in thousandths. */
static int
milli_parse(struct json_span value, uint64_t *milli)
{
	uint64_t number = 0;
	size_t i = 0, places = 0;

	if (json_kind_of(value) != JSON_KIND_NUMBER || value.len > 12)
		return -EINVAL;
	for (; i < value.len && value.at[i] >= '0' && value.at[i] <= '9'; i++)
		number = number * 10 + (uint64_t)(value.at[i] - '0');
	if (i < value.len && value.at[i] == '.') {
		for (i++; i < value.len && value.at[i] >= '0' &&
		     value.at[i] <= '9' && places < 3;
		     i++, places++)
			number = number * 10 + (uint64_t)(value.at[i] - '0');
	}
	for (; places < 3; places++)
		number *= 10;
	*milli = number;
	return i == value.len ? 0 : -EINVAL;
}

static int
integer_get(struct json_span value, uint64_t *number)
{
	char text[24];

	if (json_kind_of(value) != JSON_KIND_NUMBER ||
	    !json_value_is_integer(value) || value.at[0] == '-' ||
	    value.len >= sizeof(text))
		return -EINVAL;
	memcpy(text, value.at, value.len);
	text[value.len] = '\0';
	return units_size_parse(text, number);
}

static int
unit_get(struct json_span value, int (*parse)(const char *, uint64_t *),
    uint64_t *number)
{
	char text[64];

	if (json_kind_of(value) != JSON_KIND_STRING ||
	    json_string_copy(value, text, sizeof(text), NULL) != 0)
		return -EINVAL;
	return parse(text, number);
}

static void
limit_set(struct box_limits *limits, size_t offset, bool is_long, uint64_t n)
{
	char *field = (char *)limits + offset;

	if (is_long)
		memcpy(field, &n, sizeof(n));
	else
		memcpy(field, &(uint32_t){ (uint32_t)n }, sizeof(uint32_t));
}

int
policy_size_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	uint64_t bytes;

	(void)target;
	if (integer_get(value, &bytes) != 0 &&
	    unit_get(value, units_size_parse, &bytes) != 0)
		return policy_at_fail(at,
		    "a size: \"512MiB\", or a number of bytes; 0 is no limit");
	limit_set(&at->policy->limits, member->what, true, bytes);
	return 0;
}

int
policy_duration_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	const bool is_long =
	    member->what == offsetof(struct box_limits, wall_ms);
	uint64_t ns;

	(void)target;
	if (unit_get(value, units_duration_parse, &ns) != 0 ||
	    (!is_long && ns / MS > 3600000))
		return policy_at_fail(at,
		    is_long ? "a duration with its unit: \"30s\"; \"0s\" is no "
			      "limit"
			    : "a duration with its unit, of at most an hour: "
			      "\"2s\"");
	limit_set(&at->policy->limits, member->what, is_long,
	    ns / MS + (ns % MS > 0));
	return 0;
}

int
policy_count_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	uint64_t count;

	(void)target;
	if (integer_get(value, &count) != 0 || count > UINT32_MAX)
		return policy_at_fail(at, "a whole number; 0 is no limit");
	limit_set(&at->policy->limits, member->what, false, count);
	return 0;
}

int
policy_cpu_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	uint64_t milli;

	(void)target;
	if (milli_parse(value, &milli) != 0 || milli > CPUS_MAX * 1000ull ||
	    (milli > 0 && milli < 10))
		return policy_at_fail(at,
		    "a number of CPUs from 0.01, of at most three decimal "
		    "places: 1.5; 0 is no limit");
	limit_set(&at->policy->limits, member->what, false, milli);
	return 0;
}

/* ---- budgets -------------------------------------------------------------- */

int
policy_budget_count_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	char *field = (char *)&at->policy->budget + member->what;
	uint64_t count;

	(void)target;
	if (integer_get(value, &count) != 0 || count > BUDGET_COUNT_MAX)
		return policy_at_fail(
		    at, "a whole number, at most a million; 0 is the default");
	memcpy(field, &(uint32_t){ (uint32_t)count }, sizeof(uint32_t));
	return 0;
}

int
policy_budget_size_read(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target)
{
	char *field = (char *)&at->policy->budget + member->what;
	uint64_t bytes;

	(void)target;
	if (integer_get(value, &bytes) != 0 &&
	    unit_get(value, units_size_parse, &bytes) != 0)
		return policy_at_fail(at,
		    "a size: \"64MiB\", or a number of bytes; 0 is the "
		    "default");
	memcpy(field, &bytes, sizeof(bytes));
	return 0;
}
