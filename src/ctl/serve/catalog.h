/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The servers of `cordon serve DIR…`: every tool file and every folder with a
 * bundle in DIR, each named by its stem.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "ctl/run/bundle.h"
#include "wire/plan.h"

#define CTL_E_CATALOG 1 /* the sentence says which entry, and why */

struct ctl_server {
	char name[WIRE_NAME_MAX];
	char *path; /* owned; NULL: the settings name it */
	enum wire_kind kind; /* but ISOLATE: of the settings */
	struct ctl_bundle bundle; /* its fd is owned; -1 for a socket's
				   * and a URL's; of a program its launch document */
	char *network; /* owned; NULL: it reaches nothing, or its document
			* says it (serve/egress.h) */
};

struct ctl_catalog {
	struct ctl_server *servers; /* owned, in order of the names */
	size_t n_servers;
};

void ctl_catalog_fini(struct ctl_catalog *catalog);

/*
 * Adds what is in a folder, or one file. Refused with a sentence: a stem that
 * is no name, two servers of one name, more than WIRE_DEPLOYMENTS_MAX.
 */
int
ctl_catalog_add(struct ctl_catalog *catalog, const char *path, struct err *err);

/* Adds a server that is a socket of somebody's, a URL, or a program. Refused with a
 * sentence: no name, or one that a file or folder has already. */
int ctl_catalog_named_add(struct ctl_catalog *catalog, const char *name,
    enum wire_kind kind, struct err *err);

/* Sorts them by name, reads all their files. */
int ctl_catalog_read(struct ctl_catalog *catalog, struct err *err);

const struct ctl_server *
ctl_catalog_find(const struct ctl_catalog *catalog, const char *name);

/*
 * The name of a file or folder: its stem in lower case, [a-z0-9] and then
 * [a-z0-9._-]. CTL_E_CATALOG when it is none, or too long.
 */
int ctl_server_name(const char *file, bool is_folder, char name[WIRE_NAME_MAX]);

/* Whether it is a server's or tenant's name already. */
bool ctl_name_is_valid(const char *name);
