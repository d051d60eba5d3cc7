/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/gateway.h"

/* What other parts are about to bring: theirs is taken where it is there. */
#define WEAK __attribute__((weak))

WEAK void
front_principal_changed(struct gateway *g, struct principal *p)
{
	(void)g;
	(void)p;
}
WEAK void
front_changed(struct gateway *g, struct server *s, unsigned w)
{
	(void)g;
	(void)s;
	(void)w;
}
WEAK void
upstream_forget(struct gateway *g, struct server *s)
{
	(void)g;
	(void)s;
}
WEAK int
front_start(struct gateway *g)
{
	(void)g;
	return 0;
}
WEAK void
front_stop(struct gateway *g)
{
	(void)g;
}
WEAK void
front_drain(struct gateway *g)
{
	(void)g;
}
WEAK void
front_counts_get(const struct gateway *g, struct front_counts *c)
{
	(void)g;
	*c = (struct front_counts){ 0 };
}
WEAK int
pool_deployment_set(
    struct pool *p, uint32_t i, const struct pool_deployment *d, bool f)
{
	(void)p;
	(void)i;
	(void)d;
	(void)f;
	return 0;
}
WEAK void
pool_deployment_remove(struct pool *p, uint32_t i)
{
	(void)p;
	(void)i;
}
WEAK void
pool_message_set(struct pool *p, pool_message_fn *fn, void *a)
{
	(void)p;
	(void)fn;
	(void)a;
}

WEAK unsigned
upstream_links(const struct server *s)
{
	(void)s;
	return 0;
}
WEAK void
upstream_restart(struct gateway *g, struct server *s)
{
	(void)g;
	(void)s;
}
