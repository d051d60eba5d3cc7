/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/machine/cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"

#define MOUNT "/sys/fs/cgroup"

/* Whether a word is in a line, between separators. */
static bool
has_word(char *line, const char *word, const char *separators)
{
	char *save = NULL;

	for (char *w = strtok_r(line, separators, &save); w != NULL;
	     w = strtok_r(NULL, separators, &save)) {
		if (strcmp(w, word) == 0)
			return true;
	}
	return false;
}

/* Our folder in the hierarchy of a v1 controller, or of v2 (NULL), by
 * /proc/self/cgroup: "ID:controllers:path". */
static bool
own_find(const char *controller, char own[PATH_MAX])
{
	char line[PATH_MAX];

	auto_fclose FILE *file = fopen("/proc/self/cgroup", "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		char *names = strchr(line, ':');
		char *path = names != NULL ? strchr(names + 1, ':') : NULL;

		if (path == NULL)
			continue;
		*path++ = '\0';
		if (controller == NULL ? names[1] == '\0'
				       : has_word(names + 1, controller, ",")) {
			strcpy(own, strcmp(path, "/") == 0 ? "" : path);
			return true;
		}
	}
	return false;
}

static bool
v2_has(const char *folder, const char *controller)
{
	char path[PATH_MAX + 128], line[1024] = "";

	snprintf(path, sizeof(path), "%s/cgroup.controllers", folder);
	auto_fclose FILE *file = fopen(path, "re");
	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
		return false;
	return has_word(line, controller, " \n");
}

static int
v2_find(const char *controller, char *why, size_t size)
{
	static const char *const mounts[] = { MOUNT, MOUNT "/unified" };
	char own[PATH_MAX], folder[PATH_MAX + 64];

	snprintf(why, size, "no such controller is mounted");
	if (!own_find(NULL, own))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(mounts); i++) {
		snprintf(folder, sizeof(folder), "%s%s", mounts[i], own);
		if (!v2_has(folder, controller))
			continue;
		if (access(folder, W_OK) == 0)
			return 2;
		snprintf(why, size, "v2, but not writable for this user");
		return 0;
	}
	return 0;
}

int
ctl_cgroup_find(const char *controller, char *why, size_t size)
{
	char own[PATH_MAX], folder[PATH_MAX + 64];

	if (!own_find(controller, own))
		return v2_find(controller, why, size);

	snprintf(folder, sizeof(folder), MOUNT "/%s%s", controller, own);
	if (access(folder, W_OK) == 0)
		return 1;
	snprintf(why, size, "v1, but not writable for this user");
	return 0;
}
