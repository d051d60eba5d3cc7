/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Configuration files of MCP clients, read and nothing else: "mcpServers" of
 * Claude Desktop, Claude Code and Cursor, "servers" of VS Code's mcp.json (and
 * "mcp"."servers" of its settings). Comments and commas at an end are let pass.
 * What the file says is a stranger's word: names are checked, nothing is run.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "wire/plan.h"

#define CTL_IMPORT_BYTES_MAX (1u << 20)
#define CTL_IMPORT_SERVERS_MAX 256u
#define CTL_IMPORT_WORDS_MAX 256u /* of a command; variables alike */

struct ctl_import_variable {
	char *name; /* owned */
	char *value; /* owned */
	bool is_secret; /* by its looks: not to be shown */
};

struct ctl_import_server {
	char name[WIRE_NAME_MAX]; /* as a host can call it; "": it cannot */
	char *from; /* owned: as the file calls it */
	char **argv; /* owned, NULL-ended; NULL where `why` says so */
	char *cwd; /* owned; NULL: none was said */
	struct ctl_import_variable *env; /* owned */
	size_t n_env;
	char why[512]; /* it cannot be brought; "": it can */
	char taken[256]; /* variables of whoever imports that it names */
};

struct ctl_import {
	struct ctl_import_server *servers; /* owned, in the file's order */
	size_t n;
};

/* What ${…} stands for. */
struct ctl_import_place {
	const char *home;
	const char *workspace; /* the folder that the file configures */
	const char *const *env; /* of whoever imports */
};

#define CTL_E_IMPORT 1 /* no such file; the sentence says why */

/* `path` is for the sentence. CTL_E_IMPORT, -ENOMEM. The caller finishes. */
int ctl_import_read(const char *path, const char *raw_text, size_t len,
    const struct ctl_import_place *place, struct ctl_import *import,
    struct err *err);
void ctl_import_fini(struct ctl_import *import);

/* Whether a value is better not shown: by the name it has, or by its looks. */
bool ctl_import_is_secret(const char *name, const char *value);
