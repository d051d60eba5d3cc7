/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/host/box.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "ctl/host/launch.h"
#include "ctl/host/state.h"
#include "ctl/text.h"
#include "package/package.h"

#define MS 1000000u
#define SECOND UINT64_C(1000000000)

bool
ctl_box_is_asked(const struct ctl_admin *admin)
{
	const struct ctl_grants *grants = &admin->grants;
	const size_t n = grants->profiles.n_items + grants->reads.n_items +
	    grants->writes.n_items + grants->nets.n_items +
	    grants->envs.n_items + grants->secrets.n_items;

	return n > 0 || grants->policy != NULL || grants->settings != NULL ||
	    grants->denials != NULL || grants->unix_sockets ||
	    grants->tmp_bytes != CTL_GRANTS_UNSET || grants->pids != 0 ||
	    grants->cpu_milli != 0 || admin->start_ns != 0 ||
	    admin->idle_ns != 0 || admin->life_ns != 0 || admin->spares != 0 ||
	    admin->starts_per_minute != 0 || admin->refresh ||
	    admin->allow_scripts;
}

static void
note(const struct ctl_admin *admin, const char *text)
{
	fprintf(stderr, "%s: note: ", admin->command);
	ctl_line_print(stderr, text, strlen(text));
	fputc('\n', stderr);
}

/* How it lives; what was not said is the host's to say. */
static void
life_write(const struct ctl_admin *admin, struct json_out *out)
{
	const struct {
		const char *name;
		uint64_t value;
	} members[] = {
		{ "start_ms", (admin->start_ns + MS - 1) / MS },
		{ "idle_s", (admin->idle_ns + SECOND - 1) / SECOND },
		{ "life_s", (admin->life_ns + SECOND - 1) / SECOND },
		{ "spares", admin->spares },
		{ "starts_per_minute", admin->starts_per_minute },
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (members[i].value == 0)
			continue;
		json_out_text(out, n++ == 0 ? ",\"box\":{\"" : ",\"");
		json_out_text(out, members[i].name);
		json_out_text(out, "\":");
		json_out_uint(out, members[i].value);
	}
	json_out_text(out, n > 0 ? "}" : "");
}

/* Into the folder of the host that has its state where ours would be. */
static int
package_find(const struct ctl_admin *admin, const char *const *argv,
    struct package *package, struct err *err)
{
	const struct package_options options = { .refresh = admin->refresh,
		.verify = true,
		.allow_scripts = admin->allow_scripts,
		.quiet = admin->json };
	char folder[PATH_MAX];

	if (!package_is_command(argv))
		return PACKAGE_E_NONE;
	if (admin->url != NULL || admin->socket_path != NULL)
		return err_set(err, -ENOTSUP,
		    "%s: packages are resolved into the state folder of the "
		    "host: say this where it runs, with its CORDON_STATE",
		    argv[0]);
	const int r = ctl_packages_path(folder, err);
	return r == 0 ? package_resolve(argv, folder, &options, package, err)
		      : r;
}

static void
scripts_note(const struct ctl_admin *admin, const struct package *package)
{
	char text[512];

	for (char **script = package->scripts; *script != NULL; script++) {
		snprintf(text, sizeof(text),
		    "the install script of %s was not run; it may do without, "
		    "or say --allow-scripts",
		    *script);
		note(admin, text);
	}
}

int
ctl_box_launch_write(const struct ctl_admin *admin, struct ctl_launch *launch,
    struct json_out *out, struct err *err)
{
	struct package package;
	char *hidden = NULL, text[PATH_MAX + 128];

	int r = package_find(admin, launch->argv, &package, err);
	if (r != 0 && r != PACKAGE_E_NONE)
		return r;
	const bool is_package = r == 0;
	if (is_package) {
		launch->package = &package;
		launch->argv = (const char *const *)package.argv;
		scripts_note(admin, &package);
	}
	json_out_text(out, ",\"kind\":\"box\",");
	r = ctl_launch_write(launch, out, &hidden, err);
	if (r == 0 && hidden != NULL) {
		snprintf(text, sizeof(text),
		    "it is given %s, but may not read it; --read or --write "
		    "lets it",
		    hidden);
		note(admin, text);
	}
	free(hidden);
	if (is_package)
		package_fini(&package);
	launch->package = NULL;
	return r;
}

static int
grants_take(struct ctl_admin *admin, struct policy *policy, struct err *err)
{
	/* The call's options are the host's; memory is the program's. */
	if (admin->limits.memory_bytes != 0)
		admin->grants.memory_bytes = admin->limits.memory_bytes;
	admin->limits.memory_bytes = 0;
	return ctl_grants_apply(&admin->grants, admin->program[0], policy, err);
}

int
ctl_box_write(struct ctl_admin *admin, struct json_out *out, struct err *err)
{
	struct ctl_launch launch = { .argv =
					 (const char *const *)admin->program };
	struct policy *policy = NULL;
	const char *remark;
	char cwd[PATH_MAX];

	int r = policy_new(&policy);
	if (r != 0)
		return err_set(err, r, "no memory");
	r = grants_take(admin, policy, err);
	if (r == 0)
		r = ctl_place_here(&launch.place, cwd, sizeof(cwd), err);
	launch.policy = policy;
	if (r == 0)
		r = ctl_box_launch_write(admin, &launch, out, err);
	for (size_t i = 0;
	     r == 0 && (remark = policy_remark(policy, i)) != NULL; i++)
		note(admin, remark);
	if (r == 0)
		life_write(admin, out);
	policy_free(policy);
	return r;
}
