/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/packaged.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "json/out.h"

int
ctl_packaged_find(struct ctl_packaged *packaged, char ***words, struct err *err)
{
	const char *const *argv = (const char *const *)*words;
	const struct package_options options = {
		.refresh = packaged->refresh,
		.allow_scripts = packaged->allow_scripts,
		.quiet = packaged->quiet,
	};
	auto_free char *folder = NULL;

	if (!package_is_command(argv))
		return 0;
	int r = package_folder_user(&folder, err);
	if (r == 0)
		r = package_resolve(
		    argv, folder, &options, &packaged->package, err);
	if (r == 0)
		*words = packaged->package.run;
	return r;
}

static int
packages_protect(struct policy *policy, struct err *err)
{
	auto_free char *folder = NULL;
	struct json_out out;

	if (package_folder_user(&folder, NULL) < 0 || access(folder, F_OK) < 0)
		return 0;
	json_out_init(&out, 4 * PATH_MAX);
	json_out_text(&out, "{\"filesystem\":{\"denyWrite\":[");
	json_out_string(&out, folder, strlen(folder));
	json_out_text(&out, "]}}");
	const int r = json_out_status(&out) != 0
	    ? err_set(err, -ENOMEM, "no memory")
	    : policy_json(policy, out.bytes, out.len, false, folder, err);
	json_out_fini(&out);
	return r;
}

int
ctl_packaged_grant(
    const struct ctl_packaged *packaged, struct policy *policy, struct err *err)
{
	const int r = packages_protect(policy, err);

	return r != 0 || packaged->package.path == NULL
	    ? r
	    : policy_read(policy, packaged->package.path, err);
}
