/* SPDX-License-Identifier: Apache-2.0 */
#include "store/admin.h"

#include <string.h>

#include "store/store.h"

void
admin_answer(struct store *store, uint32_t id, const struct wire_admin *admin,
    const char *raw_body, size_t len)
{
	static const char text[] = "{\"error\":\"unknown\"}";
	const struct wire_frame head = { .type = WIRE_STORE_REPLY,
		.len = sizeof(text) - 1,
		.code = 404,
		.reserved = id };

	(void)admin;
	(void)raw_body;
	(void)len;
	link_send(store, &head, text, NULL, 0);
}
