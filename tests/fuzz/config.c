/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The settings file: whatever it holds, limits that were accepted are within
 * their bounds, and a refusal says something.
 */

#include <stdlib.h>
#include <string.h>

#include "ctl/serve/bounds.h"
#include "ctl/serve/config.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static bool
is_served(void *arg, const char *name)
{
	(void)arg;
	return name[0] != 'x';
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct ctl_server_config server;
	struct ctl_config config;
	struct err err = { "" };

	ctl_config_init(&config);
	if (ctl_config_parse(&config, "test", (const char *)bytes, len, &err) !=
	    0) {
		CHECK(err.text[0] != '\0');
	} else {
		CHECK(ctl_limits_check(&config.defaults.limits, NULL) == 0);
		ctl_config_server(&config, "report", &server);
		CHECK(ctl_limits_check(&server.limits, NULL) == 0);
		CHECK(server.pool_max > 0 && server.limits.reuse_calls > 0);
		(void)ctl_config_names_check(&config, is_served, NULL, &err);
	}
	ctl_config_fini(&config);
	return 0;
}
