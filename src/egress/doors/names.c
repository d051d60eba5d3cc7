/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/sorted.h"
#include "box/spec.h"
#include "egress/doors/names.h"

struct name {
	uint32_t address;
	char host[];
};

struct names {
	struct sorted by_host;
	struct name *by_address[NAMES_MAX]; /* from BOX_NET_FIRST on */
};

_Static_assert(
    BOX_NET_FIRST + NAMES_MAX <= (BOX_NET | ((1u << (32 - BOX_NET_BITS)) - 1)),
    "every name has an address of the box's network");

static int
host_compare(const void *key, const void *item)
{
	return strcmp(key, ((const struct name *)item)->host);
}

int
names_new(struct names **namesp)
{
	struct names *names = calloc(1, sizeof(*names));

	if (names == NULL)
		return -ENOMEM;
	names->by_host.compare = host_compare;
	*namesp = names;
	return 0;
}

struct names *
names_free(struct names *names)
{
	if (names == NULL)
		return NULL;
	for (size_t i = 0; i < names->by_host.n; i++)
		free(names->by_address[i]);
	sorted_fini(&names->by_host);
	free(names);
	return NULL;
}

int
names_take(struct names *names, const char *host, uint32_t *address)
{
	const struct name *known = sorted_find(&names->by_host, host);
	const size_t n = names->by_host.n, size = strlen(host) + 1;

	if (known != NULL) {
		*address = known->address;
		return 0;
	}
	if (n == NAMES_MAX)
		return NAMES_E_FULL;
	auto_free struct name *name = malloc(sizeof(*name) + size);
	if (name == NULL)
		return -ENOMEM;
	name->address = BOX_NET_FIRST + (uint32_t)n;
	memcpy(name->host, host, size);
	const int r = sorted_add(&names->by_host, host, name);
	if (r != 0)
		return r;
	*address = name->address;
	names->by_address[n] = steal_ptr(&name);
	return 0;
}

const char *
names_find(const struct names *names, uint32_t address)
{
	if (address < BOX_NET_FIRST ||
	    address - BOX_NET_FIRST >= names->by_host.n)
		return NULL;
	return names->by_address[address - BOX_NET_FIRST]->host;
}
