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

bool
box_base_has(const char *path)
{
#define BASE_TREE(at, why) at,
#define BASE_TEXT(at, text, why) at,
#define BASE_DEVICE(at, why) at,
#define BASE_LINK(at, target)
#define BASE_MASK(at, why)
#define BASE_MASK_FOLDER(at, why)
	static const char *const base[] = {
#include "box/base.def"
	};

	for (size_t i = 0; i < ARRAY_LEN(base); i++)
		if (box_path_below(path, base[i]))
			return true;
	return false;
}
