/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/serve/bounds.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "ctl/serve/config.h"

#define MIB (UINT64_C(1) << 20)
#define MS UINT64_C(1000000)
#define HOUR (UINT64_C(3600000) * MS)

static const struct bound {
	const char *what;
	size_t offset;
	uint64_t least, most;
	void (*format)(uint64_t value, char text[UNITS_TEXT_MAX]);
} bounds[] = {
	{ "memory", offsetof(struct wire_limits, memory_bytes), 16 * MIB,
	    16384 * MIB, units_size_format },
	{ "CPU time", offsetof(struct wire_limits, cpu_ns), MS, HOUR,
	    units_duration_format },
	{ "wall time", offsetof(struct wire_limits, wall_ns), MS, 24 * HOUR,
	    units_duration_format },
	/* An answer travels in one frame of the wire. */
	{ "result size", offsetof(struct wire_limits, result_bytes), 64,
	    64 * MIB - 4096, units_size_format },
	{ "log size", offsetof(struct wire_limits, log_bytes), 0, 64 * MIB,
	    units_size_format },
	{ "CPU time for loading", offsetof(struct wire_limits, load_cpu_ns),
	    10 * MS, HOUR, units_duration_format },
	{ "wall time for loading", offsetof(struct wire_limits, load_wall_ns),
	    10 * MS, HOUR, units_duration_format },
};

int
ctl_limits_check(const struct wire_limits *limits, struct err *err)
{
	char is[UNITS_TEXT_MAX], least[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		const struct bound *bound = &bounds[i];
		const uint64_t value =
		    *(const uint64_t *)(const void *)((const char *)limits +
			bound->offset);

		if (value >= bound->least && value <= bound->most)
			continue;
		bound->format(value, is);
		bound->format(bound->least, least);
		bound->format(bound->most, most);
		return err_set(err, CTL_E_LIMIT,
		    "%s of %s is out of range: it goes from %s to %s",
		    bound->what, is, least, most);
	}
	return 0;
}

int
ctl_names_add(char list[CTL_NAMES_MAX], const char *name)
{
	const size_t used = strlen(list), len = strlen(name);

	if (len == 0 || strchr(name, ',') != NULL)
		return -EINVAL;
	if (used + len + 2 > CTL_NAMES_MAX)
		return -ENAMETOOLONG;
	if (used > 0)
		strcat(list, ",");
	strcat(list, name);
	return 0;
}
