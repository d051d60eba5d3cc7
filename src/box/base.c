/* SPDX-License-Identifier: Apache-2.0 */
#include "box/base.h"

#include <string.h>

#include "base/auto.h"

bool
box_path_below(const char *path, const char *folder)
{
	const size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 &&
	    (path[len] == '\0' || path[len] == '/' || folder[len - 1] == '/');
}

static const struct {
	const char *path;
	bool is_there;
} base[] = {
#define BASE_TREE(at, why) { at, true },
#define BASE_TEXT(at, text, why) { at, true },
#define BASE_RESOLVER(at, without, with, why) { at, true },
#define BASE_DEVICE(at, why) { at, true },
#define BASE_HABIT(at, why) { at, false },
#define BASE_LINK(at, target)
#define BASE_MASK(at, why)
#define BASE_MASK_FOLDER(at, why)
#include "box/base.def"
};

static bool
is_below_any(const char *path, bool is_there)
{
	for (size_t i = 0; i < ARRAY_LEN(base); i++)
		if (base[i].is_there == is_there &&
		    box_path_below(path, base[i].path))
			return true;
	return false;
}

bool
box_base_has(const char *path)
{
	return is_below_any(path, true);
}

bool
box_base_is_habit(const char *path)
{
	return is_below_any(path, false);
}
