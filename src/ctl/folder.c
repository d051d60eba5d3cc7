/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"

int
ctl_state_path(const char *name, char path[PATH_MAX], struct err *err)
{
	static const struct {
		const char *variable, *below;
	} places[] = {
		{ "CORDON_STATE", "" },
		{ "XDG_STATE_HOME", "/cordon" },
		{ "HOME", "/.local/state/cordon" },
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const char *folder = getenv(places[i].variable);

		if (folder == NULL || folder[0] == '\0')
			continue;
		if (snprintf(path, PATH_MAX, "%s%s/%s", folder, places[i].below,
			name) >= PATH_MAX)
			return err_set(err, -ENAMETOOLONG, "$%s is too long",
			    places[i].variable);
		return 0;
	}
	return err_set(err, -ENOENT,
	    "no state folder: neither CORDON_STATE nor HOME is set");
}

int
ctl_folders_make(const char *path, struct err *err)
{
	char folder[PATH_MAX];

	strcpy(folder, path);
	for (char *slash = strchr(folder + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, 0700) < 0 && errno != EEXIST)
			return err_set(err, -errno, "%s cannot be made: %s",
			    folder, strerror(errno));
		*slash = '/';
	}
	return 0;
}
