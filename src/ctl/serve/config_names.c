/* SPDX-License-Identifier: Apache-2.0 */

/* The servers that the settings name. */

#include "ctl/serve/config.h"

int
ctl_config_named(const struct ctl_config *config,
    int (*each)(void *arg, const char *name, enum wire_kind kind), void *arg)
{
	struct ctl_server_config server;
	struct json_span key, value;
	struct json_iter iter;
	char name[256];
	int r = 0;

	if (config->servers.at == NULL)
		return 0;
	(void)json_iter_init(&iter, config->servers);
	while (r == 0 && json_iter_member(&iter, &key, &value)) {
		if (json_string_copy(key, name, sizeof(name), NULL) != 0)
			continue;
		ctl_config_server(config, name, &server);
		if (server.command.at != NULL)
			r = each(arg, name, WIRE_KIND_BOX);
		else if (server.url[0] != '\0')
			r = each(arg, name, WIRE_KIND_REMOTE);
		else if (server.socket[0] != '\0')
			r = each(arg, name, WIRE_KIND_SOCKET);
	}
	return r;
}

int
ctl_config_names_check(const struct ctl_config *config,
    bool (*is_served)(void *arg, const char *name), void *arg, struct err *err)
{
	struct json_span key, value;
	struct json_iter iter;
	char name[256] = "";

	if (config->servers.at == NULL)
		return 0;
	(void)json_iter_init(&iter, config->servers);
	while (json_iter_member(&iter, &key, &value)) {
		if (json_string_copy(key, name, sizeof(name), NULL) == 0 &&
		    is_served(arg, name))
			continue;
		return err_set(err, CTL_E_CONFIG,
		    "%s: /servers/%s: no server of this name is served",
		    config->path, name);
	}
	return 0;
}
