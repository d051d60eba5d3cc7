/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A policy: what a program in a box may read, write, reach and spend, as people
 * write it. JSON of doc/policy.schema.json; srt's settings file is a policy as
 * it is. It is turned into a box spec (box/spec.h), which the launcher obeys.
 *
 *   {
 *     "profiles": ["node"],
 *     "filesystem": { "allowRead": [], "denyRead": [], "allowWrite": [],
 *                     "allowWriteGuarded": [], "denyWrite": [] },
 *     "network": { "allowedDomains": ["example.com", "db.example.com:5432"],
 *                  "deniedDomains": [],
 *                  "rules": [{ "url": "https://api.example.com/v1/",
 *                              "methods": ["GET"] }],
 *                  "requestsPerMinute": 600, "concurrent": 64,
 *                  "requestsPerCall": 50, "bytesIn": "64MiB",
 *                  "bytesOut": "64MiB", "bytesPerMinute": "1GiB",
 *                  "allowAllUnixSockets": false },
 *     "env": { "NAME": "value", "NAME2": null },    null: passed on as it is
 *     "secrets": ["NAME"],
 *     "limits": { "memory": "512MiB", "pids": 64, "cpu": 1.5, "tmp": "64MiB",
 *                 "files": 1024, "timeout": "30s", "fileSize": "1GiB",
 *                 "grace": "2s" },
 *     "denials": "files"
 *   }
 *
 * Later sources win for single values; lists add up; a deny beats an allow of
 * the same path, a deeper path beats the one above it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "box/spec.h"
#include "json/json.h"
#include "json/out.h"

struct policy; /* owned lists of owned strings */

/* Where the words of a policy are resolved: all borrowed. */
struct policy_place {
	const char *home; /* for "~" */
	const char *cwd; /* for relative paths, and for "." */
	const char *path; /* PATH of whoever asks: where programs are found */
	const char *const *env; /* of whoever asks, for names passed on; NULL */
};

int policy_new(struct policy **policyp);
struct policy *policy_free(struct policy *policy);

/* Adds what a JSON text says. `name` is for the sentence (a file, "--settings"),
 * which has the JSON pointer too. `is_srt`: members of srt's that have no
 * meaning here are named in policy_remarks() instead of refused.
 * Negative: refused. */
int policy_json(struct policy *policy, const char *raw_text, size_t len,
    bool is_srt, const char *name, struct err *err);

/* "node", "python", "workspace"; policy_profiles() has them with a line each. */
int policy_profile(struct policy *policy, const char *name, struct err *err);
struct policy_profile {
	const char *name;
	const char *summary;
};
const struct policy_profile *policy_profile_at(size_t i);

/* The profile that a command wants by its name ("npx": "node"); NULL. */
const char *policy_profile_for(const char *command);

/* As the options say it; the sentence names what was wrong. */
int policy_read(struct policy *policy, const char *path, struct err *err);
int policy_write(struct policy *policy, const char *path, struct err *err);
int policy_net(struct policy *policy, const char *host_port, struct err *err);
int policy_env(struct policy *policy, const char *name_value, struct err *err);
int policy_secret(struct policy *policy, const char *name, struct err *err);
/* Ports of this machine may be named from now on ("localhost:5432"): for
 * `cordon wrap` alone, whose user could dial them anyway. */
void policy_allow_loopback(struct policy *policy);
/* The names of secrets that it has; NULL past the last. */
const char *policy_secret_at(const struct policy *policy, size_t i);
struct box_limits *policy_limits(struct policy *policy);
void policy_notes(struct policy *policy, enum box_notes notes);

/*
 * The spec for a command. Paths become absolute (place), globs are expanded,
 * nothing is opened; the program's own file and interpreter are granted when
 * they lie outside the base. The spec borrows from `*memoryp`, which the caller
 * frees with policy_spec_free().
 */
struct policy_memory;
int policy_spec(const struct policy *policy, const struct policy_place *place,
    const char *const *argv, struct box_spec *spec,
    struct policy_memory **memoryp, struct err *err);
struct policy_memory *policy_spec_free(struct policy_memory *memory);

/*
 * Where TLS is ended outside of the box: it is to trust the authority that does
 * so. Adds its files, and the variables by which programs find them. Of a spec
 * that policy_spec() or policy_document_spec() made.
 */
struct policy_authority {
	const char *bundle; /* a file: the system's certificates, and it */
	const char *certificate; /* a file: it alone */
	bool over_system; /* the bundle lies at POLICY_SYSTEM_BUNDLE, too */
};
#define POLICY_SYSTEM_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

int policy_spec_authority(struct policy_memory *memory, struct box_spec *spec,
    const struct policy_authority *authority, struct err *err);

/*
 * The same, written out as a policy that needs no file to be looked at: whole
 * paths, no patterns, no profiles, variables with their values, the program's
 * own grants. What a launch document takes. policy_free() *flatp.
 */
int
policy_flatten(const struct policy *policy, const struct policy_place *place,
    const char *const *argv, struct policy **flatp, struct err *err);

/* The policy as canonical JSON, all lists sorted, defaults left out. */
int policy_put(const struct policy *policy, struct json_out *out);

/* What was accepted but is not obeyed (yet), one sentence each; NULL past the
 * last: "network.httpProxyPort: nobody is asked for a proxy". */
const char *policy_remark(const struct policy *policy, size_t i);

/*
 * A launch document: what the store keeps of a process server, digests, shows
 * and has approved; the spec is made of it by the store alone.
 *   { "command": ["node", "${package}/x.js"], "policy": {…}, "cwd": "/srv",
 *     "package": { "name", "version", "digest" } }
 * The policy is a flat one (policy_flatten()): no file is looked at. Without
 * cwd, it starts in its home. `packages`: the folder that package trees lie in,
 * each named by its digest; "${package}" at the front of a word of the command,
 * or of a variable's value, is that tree.
 */
int policy_document_spec(const char *raw_text, size_t len, const char *packages,
    struct box_spec *spec, struct policy_memory **memoryp, struct err *err);
