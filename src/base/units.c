/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* From the smallest to the largest; formatting uses the "…iB" of sizes. */
static const struct unit size_units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "kB", 1000 },
	{ "K", 1u << 10 },
	{ "KiB", 1u << 10 },
	{ "MB", 1000000 },
	{ "M", 1u << 20 },
	{ "MiB", 1u << 20 },
	{ "GB", 1000000000 },
	{ "G", 1u << 30 },
	{ "GiB", 1u << 30 },
	{ "TB", 1000000000000 },
	{ "T", UINT64_C(1) << 40 },
	{ "TiB", UINT64_C(1) << 40 },
};

static const struct unit duration_units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", 60000000000 },
	{ "h", 3600000000000 },
};

static const struct unit shown_sizes[] = {
	{ "B", 1 },
	{ "KiB", 1u << 10 },
	{ "MiB", 1u << 20 },
	{ "GiB", 1u << 30 },
	{ "TiB", UINT64_C(1) << 40 },
};

/* A decimal number as whole + fraction / scale. Returns behind its end. */
static const char *
decimal_parse(const char *text, uint64_t *whole, uint64_t *fraction,
    uint64_t *scale, int *result)
{
	const char *at = text;

	*whole = *fraction = 0;
	*scale = 1;
	*result = at[0] >= '0' && at[0] <= '9' ? 0 : UNITS_E_FORMAT;
	for (; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(*whole, 10u, whole) ||
		    __builtin_add_overflow(
			*whole, (unsigned int)(*at - '0'), whole))
			*result = UNITS_E_RANGE;
	}
	if (*at != '.')
		return at;

	const char *const point = at++;
	for (; *at >= '0' && *at <= '9'; at++) {
		if (*scale >= 1000000)
			continue; /* finer than a millionth is not kept */
		*fraction = *fraction * 10 + (uint64_t)(*at - '0');
		*scale *= 10;
	}
	if (at == point + 1)
		*result = UNITS_E_FORMAT;
	return at;
}

static int
units_parse(
    const char *text, const struct unit *units, size_t n_units, uint64_t *value)
{
	uint64_t whole, fraction, scale, product, rest;
	int result;

	const char *name =
	    decimal_parse(text, &whole, &fraction, &scale, &result);
	if (result != 0)
		return result;

	const struct unit *unit = units;
	while (unit < units + n_units && strcmp(unit->name, name) != 0)
		unit++;
	if (unit == units + n_units)
		return UNITS_E_FORMAT;

	if (__builtin_mul_overflow(whole, unit->factor, &product) ||
	    __builtin_mul_overflow(fraction, unit->factor, &rest) ||
	    __builtin_add_overflow(product, rest / scale, &product))
		return UNITS_E_RANGE;

	*value = product;
	return 0;
}

static void
units_format(uint64_t value, const struct unit *units, size_t n_units,
    char text[UNITS_TEXT_MAX])
{
	size_t i = n_units - 1;

	while (i > 0 && (value == 0 || value % units[i].factor != 0))
		i--;
	snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 "%s", value / units[i].factor,
	    units[i].name);
}

int
units_size_parse(const char *text, uint64_t *bytes)
{
	return units_parse(text, size_units, ARRAY_LEN(size_units), bytes);
}

int
units_duration_parse(const char *text, uint64_t *ns)
{
	return units_parse(text, duration_units, ARRAY_LEN(duration_units), ns);
}

int
units_milli_parse(const char *text, uint64_t *thousandths)
{
	static const struct unit one = { "", 1000 };

	return units_parse(text, &one, 1, thousandths);
}

void
units_size_format(uint64_t bytes, char text[UNITS_TEXT_MAX])
{
	units_format(bytes, shown_sizes, ARRAY_LEN(shown_sizes), text);
}

void
units_duration_format(uint64_t ns, char text[UNITS_TEXT_MAX])
{
	units_format(ns, duration_units, ARRAY_LEN(duration_units), text);
}
