/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An object with some members replaced, dropped or added, and every other byte
 * of it as it came.
 */

#include "json/json.h"
#include "json/out.h"

struct json_edit {
	const char *name; /* plain text; compared decoded */
	/* What takes its place, JSON as it shall stand there; an empty span
	 * drops the member; a member that is not there is added at the end. */
	struct json_span value;
};

/*
 * Appends the object, edited. All occurrences of a name are meant: the first is
 * replaced, others dropped. An empty `object` counts as {}. JSON_E_TYPE: it is
 * not an object; nothing was written.
 */
int json_edit_write(struct json_out *out, struct json_span object,
    const struct json_edit *edits, size_t n_edits);
