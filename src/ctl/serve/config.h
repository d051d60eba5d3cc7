/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The configuration of `cordon serve`: one JSON file, read once, never
 * written. What it may hold is in doc/config.schema.json. A member that is not
 * known is an error that names its place: a limit with a typing error must not
 * be no limit.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "json/json.h"
#include "wire/limits.h"
#include "wire/plan.h"

#define CTL_CONFIG_BYTES_MAX (1u << 20)
#define CTL_NAMES_MAX 512 /* of wire_plan's hosts and origins */

#define CTL_E_CONFIG 1 /* the sentence names file and JSON pointer */

/* What a server may have of its own; the top level has it for all. */
struct ctl_server_config {
	struct wire_limits limits;
	uint32_t pool_max;
	uint32_t share; /* enum wire_share */
	char socket[sizeof(((struct wire_deployment *)0)->socket)]; /* or "" */
	char url[WIRE_URL_MAX]; /* of a remote server, canonical; or "" */
	struct json_span command; /* a list of words; empty: no program */
	struct json_span policy; /* an object, or a file's name */
	struct json_span network; /* an object; of an isolate */
	struct wire_box box;
};

#define CTL_FILE_MAX 1024 /* of a path in the settings */

struct ctl_config {
	char *text; /* owned: the spans borrow from it */
	const char *path; /* borrowed; NULL: there is no file */
	char listen[128];
	uint64_t memory_budget;
	uint32_t cells;
	char hosts[CTL_NAMES_MAX]; /* by comma */
	char origins[CTL_NAMES_MAX];
	struct wire_sessions sessions;
	char tls_cert[CTL_FILE_MAX]; /* as it stands there; "": no TLS */
	char tls_key[CTL_FILE_MAX];
	char vault_key[CTL_FILE_MAX]; /* as it stands there; "": not said */
	bool log_json, verbose;
	/* Checked by ctl_egress_take(). */
	struct {
		struct json_span nameservers, ca, nat64, denied;
	} egress;
	struct ctl_server_config defaults;
	struct json_span servers; /* {"NAME": {…}}, checked */
};

/* The configuration without a file. */
void ctl_config_init(struct ctl_config *config);
void ctl_config_fini(struct ctl_config *config);

/* Reads the file over what is there. CTL_E_CONFIG, negative errno. */
int
ctl_config_read(struct ctl_config *config, const char *path, struct err *err);

/* The same from a text, which it copies; `path` is for the sentences. */
int ctl_config_parse(struct ctl_config *config, const char *path,
    const char *raw_text, size_t len, struct err *err);

/* What holds for the server of this name: the defaults, then its own. */
void ctl_config_server(const struct ctl_config *config, const char *name,
    struct ctl_server_config *server);

/* Calls `each` for every server that the settings alone make (it has a
 * "socket", a "url" or a "command"), until one does not return 0. */
int ctl_config_named(const struct ctl_config *config,
    int (*each)(void *arg, const char *name, enum wire_kind kind), void *arg);

/* CTL_E_CONFIG if /servers has a name that is not among those served. */
int ctl_config_names_check(const struct ctl_config *config,
    bool (*is_served)(void *arg, const char *name), void *arg, struct err *err);

/* Adds names to a comma list. -ENAMETOOLONG. */
int ctl_names_add(char list[CTL_NAMES_MAX], const char *name);

/* The i-th member name of a part ("", "limits", "server", "tls", "sessions",
 * "log", "box", "egress", "vault"); NULL past the last: for the test that the schema and the reader agree. */
const char *ctl_config_member(const char *part, size_t i);
