/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "json/edit.h"

#define EDITS_MAX 32 /* one bit each */

static void
member_write(struct json_out *out, bool *any, const char *key, size_t key_len,
    struct json_span value)
{
	json_out_text(out, *any ? "," : "");
	json_out_raw(out, key, key_len);
	json_out_text(out, ":");
	json_out_span(out, value);
	*any = true;
}

static size_t
edit_find(const struct json_edit *edits, size_t n_edits, struct json_span key)
{
	size_t i = 0;

	while (i < n_edits && !json_string_equals(key, edits[i].name))
		i++;
	return i;
}

static void
rest_write(struct json_out *out, bool *any, const struct json_edit *edits,
    size_t n_edits, uint32_t done)
{
	for (size_t i = 0; i < n_edits; i++) {
		if ((done & 1u << i) != 0 || edits[i].value.at == NULL)
			continue;
		json_out_text(out, *any ? ",\"" : "\"");
		json_out_text(out, edits[i].name);
		json_out_text(out, "\":");
		json_out_span(out, edits[i].value);
		*any = true;
	}
}

int
json_edit_write(struct json_out *out, struct json_span object,
    const struct json_edit *edits, size_t n_edits)
{
	struct json_span key, value;
	struct json_iter iter = { 0 };
	uint32_t done = 0;
	bool any = false;

	if (n_edits > EDITS_MAX ||
	    (object.at != NULL &&
		(json_kind_of(object) != JSON_KIND_OBJECT ||
		    json_iter_init(&iter, object) != 0)))
		return JSON_E_TYPE;
	json_out_text(out, "{");
	while (object.at != NULL && json_iter_member(&iter, &key, &value)) {
		const size_t i = edit_find(edits, n_edits, key);
		if (i == n_edits)
			member_write(out, &any, key.at, key.len, value);
		else if ((done & 1u << i) == 0 && edits[i].value.at != NULL)
			member_write(
			    out, &any, key.at, key.len, edits[i].value);
		if (i < n_edits)
			done |= 1u << i;
	}
	rest_write(out, &any, edits, n_edits, done);
	json_out_text(out, "}");
	return 0;
}
