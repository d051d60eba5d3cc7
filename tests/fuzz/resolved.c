/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as what a name server answers, to A and to AAAA: whatever is told
 * may be dialled, and nothing is where one address may not.
 */

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "egress/resolved.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

struct told {
	const struct egress *egress;
	unsigned n;
};

static void
on_told(void *arg, enum wire_egress_end end, const struct addr_ip *ips,
    size_t n, const char *text)
{
	struct told *told = arg;

	told->n++;
	CHECK((end == WIRE_EGRESS_OK) == (n > 0));
	CHECK(n <= RESOLVED_MAX);
	CHECK(n > 0 || text[0] != '\0');
	for (size_t i = 0; i < n; i++)
		CHECK(egress_refuses(told->egress, &ips[i]) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct egress egress;
	struct told told = { .egress = &egress };
	struct resolved v4 = { 0 }, v6 = { 0 };

	egress.settings.n_denied = 1;
	egress.settings.denied[0] = (struct addr_prefix){ { { 20 }, 4 }, 8 };
	resolved_take(&v4, &egress, false, data, (int)size);
	resolved_take(&v6, &egress, true, data, (int)size);
	for (size_t i = 0; i < 3; i++) {
		const struct resolved none = { 0 };
		const struct resolved both =
		    resolved_join(i == 0 ? &none : &v6, i == 1 ? &none : &v4);
		CHECK(both.ttl <= 60 && both.n <= RESOLVED_MAX);
		resolved_tell(&egress, &both, on_told, &told);
	}
	CHECK(told.n == 3);
	return 0;
}
