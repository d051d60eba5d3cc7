/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/host/package.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/host/state.h"
#include "ctl/host/table.h"
#include "ctl/text.h"
#include "wire/plan.h"

int
ctl_package_find(const struct ctl_admin *admin, const char *name,
    char digest[PACKAGE_DIGEST_HEX])
{
	char path[CTL_PATH_MAX];
	struct ctl_reply reply;

	digest[0] = '\0';
	if (!ctl_admin_name_check(admin, name))
		return CTL_EXIT_USAGE;
	if (admin->url != NULL || admin->socket_path != NULL)
		return CTL_EXIT_OK;
	snprintf(path, sizeof(path), "/admin/servers/%s", name);
	const int exit_code = ctl_admin_ask(admin, "GET", path, NULL, &reply);
	const struct json_span found = ctl_member(reply.json, "package/digest");
	if (exit_code != CTL_EXIT_OK ||
	    json_kind_of(found) != JSON_KIND_STRING ||
	    json_string_copy(found, digest, PACKAGE_DIGEST_HEX, NULL) != 0)
		digest[0] = '\0';
	ctl_reply_fini(&reply);
	return exit_code;
}

int
ctl_package_check(const struct ctl_admin *admin, const char *name)
{
	char folder[PATH_MAX], digest[PACKAGE_DIGEST_HEX];
	struct err err;

	const int exit_code = ctl_package_find(admin, name, digest);
	if (exit_code != CTL_EXIT_OK || digest[0] == '\0' ||
	    (ctl_packages_path(folder, &err) == 0 &&
		package_verify(folder, digest, &err) == 0))
		return exit_code;
	fprintf(stderr, "%s: %s: its package: ", admin->command, name);
	ctl_line_print(stderr, err.text, strlen(err.text));
	fputs("; add it again\n", stderr);
	return CTL_EXIT_REFUSED;
}

/* ---- dropped --------------------------------------------------------------
 */

/* Admins of "local" alone are told of it, and of all others. */
static bool
sees_all(const struct ctl_admin *admin)
{
	struct json_span tenant;
	struct json_iter iter;
	struct ctl_reply reply;
	bool sees = false;

	if (ctl_admin_ask(admin, "GET", "/admin/tenants", NULL, &reply) ==
		CTL_EXIT_OK &&
	    json_iter_init(&iter, ctl_reply_rows(&reply, "tenants")) == 0)
		while (json_iter_element(&iter, &tenant))
			sees |= json_string_equals(
			    ctl_member(tenant, "name"), "local");
	ctl_reply_fini(&reply);
	return sees;
}

/* What is too long for the list is asked for by itself. In doubt: yes. */
static bool
is_run_by(
    const struct ctl_admin *admin, struct json_span server, const char *digest)
{
	char name[WIRE_NAME_MAX], tenant[WIRE_NAME_MAX];
	char own[PACKAGE_DIGEST_HEX];
	struct ctl_admin other = *admin;

	if (!json_string_equals(ctl_member(server, "kind"), "box"))
		return false;
	if (ctl_member(server, "command").at != NULL)
		return json_string_equals(
		    ctl_member(server, "package/digest"), digest);
	if (json_string_copy(
		ctl_member(server, "name"), name, sizeof(name), NULL) != 0 ||
	    json_string_copy(ctl_member(server, "tenant"), tenant,
		sizeof(tenant), NULL) != 0)
		return true;
	other.tenant = tenant;
	return ctl_package_find(&other, name, own) != CTL_EXIT_OK ||
	    strcmp(own, digest) == 0;
}

static bool
is_run(const struct ctl_admin *admin, const char *digest)
{
	struct json_span server;
	struct json_iter iter;
	struct ctl_reply reply;
	bool is = true;

	if (ctl_admin_ask(admin, "GET", "/admin/servers", NULL, &reply) ==
		CTL_EXIT_OK &&
	    json_iter_init(&iter, ctl_reply_rows(&reply, "servers")) == 0) {
		is = false;
		while (!is && json_iter_element(&iter, &server))
			is = is_run_by(admin, server, digest);
	}
	ctl_reply_fini(&reply);
	return is;
}

void
ctl_package_drop(
    const struct ctl_admin *admin, const char digest[PACKAGE_DIGEST_HEX])
{
	struct ctl_admin all = *admin;
	char folder[PATH_MAX];
	struct err err;

	all.tenant = NULL;
	if (digest[0] == '\0' || !sees_all(&all) || is_run(&all, digest))
		return;
	if (ctl_packages_path(folder, &err) == 0 &&
	    package_remove(folder, digest, &err) == 0)
		return;
	fprintf(stderr, "%s: note: its package stays: ", admin->command);
	ctl_line_print(stderr, err.text, strlen(err.text));
	fputc('\n', stderr);
}
