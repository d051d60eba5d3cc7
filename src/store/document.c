/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Launch documents: what a server in a box is, as canonical JSON. The bytes are
 * kept like a bundle, and found by their SHA-256; what was reviewed is these
 * bytes, and the spec that the supervisor gets is made of nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "policy/policy.h"
#include "store/launch.h"

#define DIGEST_HEX 64u
#define PACKAGE_PLACE "${package}/" /* below the package's own tree */

/* ---- the box spec ---------------------------------------------------------
 */

/* Whether egress ends TLS of this one, secrets and rules decide from one minute
 * to the next; so whoever has a network trusts its authority. */
static int
certificates_add(const struct store *store, struct policy_memory *memory,
    struct box_spec *spec, struct err *err)
{
	char bundle[WIRE_PATH_MAX + 16], certificate[WIRE_PATH_MAX + 16];

	if (spec->n_ports == 0 || store->certificates[0] == '\0')
		return 0;
	snprintf(bundle, sizeof(bundle), "%s/bundle.pem", store->certificates);
	snprintf(certificate, sizeof(certificate), "%s/cert.pem",
	    store->certificates);
	const struct policy_authority authority = { bundle, certificate,
		store->over_system };
	return policy_spec_authority(memory, spec, &authority, err);
}

int
document_spec(const struct store *store, const uint8_t *document, size_t len,
    int *fdp, struct err *err)
{
	struct policy_memory *memory = NULL;
	struct box_spec spec;

	int code = policy_document_spec(
	    (const char *)document, len, store->packages, &spec, &memory, err);
	if (code != 0)
		return code;
	code = certificates_add(store, memory, &spec, err);
	if (code != 0) {
		policy_spec_free(memory);
		return code;
	}
	code = box_spec_seal(&spec, fdp);
	if (code != 0) {
		const char *why =
		    code < 0 ? strerror(-code) : box_spec_complaint(&spec);
		err_set(err, code, "its box cannot be made: %s",
		    why != NULL ? why : "it is over a maximum");
	}
	policy_spec_free(memory);
	return code;
}

/* ---- paths of the host ----------------------------------------------------
 */

static bool
has_climb(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")) != NULL; at++)
		if ((at == path || at[-1] == '/') &&
		    (at[2] == '\0' || at[2] == '/'))
			return true;
	return false;
}

static bool
is_below(const char *path, const char *folder)
{
	const size_t len = strlen(folder);

	return len > 0 && strncmp(path, folder, len) == 0 &&
	    (path[len] == '/' || path[len] == '\0') && !has_climb(path);
}

static int
host_refuse(struct request *request, const char *where, const char *path)
{
	return refuse(request, 403,
	    "%s: '%.256s' is the host's: an admin of the tenant 'local' may "
	    "add this server for yours; without paths of the host, or with a "
	    "package, it is yours to add",
	    where, path);
}

/* The first of a list, where there is any. */
static int
list_refuse(struct request *request, struct json_span list, const char *where)
{
	struct json_span first;
	struct json_iter iter;
	char path[BOX_PATH_MAX] = "?";

	if (json_iter_init(&iter, list) != 0 ||
	    !json_iter_element(&iter, &first))
		return 0;
	(void)json_string_copy(first, path, sizeof(path), NULL);
	return host_refuse(request, where, path);
}

static int
grants_check(struct request *request, struct json_span filesystem)
{
	struct json_want lists[] = { { .name = "allowRead" },
		{ .name = "allowWrite" }, { .name = "allowWriteGuarded" } };
	char where[64];
	int status = 0;

	if (json_members_find(filesystem, lists, ARRAY_LEN(lists)) != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(lists) && status == 0; i++) {
		snprintf(where, sizeof(where), "/policy/filesystem/%s",
		    lists[i].name);
		status = list_refuse(request, lists[i].value, where);
	}
	return status;
}

/* Of what was written. What profiles add is the host's own word. */
static int
written_check(struct request *request, struct json_span document)
{
	struct json_want outer[] = { { .name = "command" },
		{ .name = "policy" } };
	struct json_want filesystem = { .name = "filesystem" };
	struct json_span program;
	struct json_iter iter;
	char path[BOX_PATH_MAX] = "";

	if (json_members_find(document, outer, ARRAY_LEN(outer)) != 0 ||
	    json_iter_init(&iter, outer[0].value) != 0 ||
	    !json_iter_element(&iter, &program) ||
	    json_string_copy(program, path, sizeof(path), NULL) != 0)
		return refuse(request, 422, "/command/0: is no program");
	if (strchr(path, '/') != NULL &&
	    (strncmp(path, PACKAGE_PLACE, strlen(PACKAGE_PLACE)) != 0 ||
		has_climb(path)))
		return host_refuse(request, "/command/0", path);
	return json_members_find(outer[1].value, &filesystem, 1) == 0
	    ? grants_check(request, filesystem.value)
	    : 0;
}

/* And of what came of it: what must be there was named by somebody. */
static int
spec_check(struct request *request, const struct box_spec *spec)
{
	for (uint32_t i = 0; i < spec->n_grants; i++) {
		const struct box_grant *grant = &spec->grants[i];
		if (grant->access != BOX_ACCESS_HIDE &&
		    (grant->flags & BOX_GRANT_OPTIONAL) == 0 &&
		    !is_below(grant->path, request->store->packages) &&
		    !is_below(grant->path, "/usr"))
			return host_refuse(request, "/policy", grant->path);
	}
	return 0;
}

static int
document_check(struct request *request, struct json_span document)
{
	struct policy_memory *memory = NULL;
	struct err err = { "" };
	struct box_spec spec;
	int status = 0;

	if (policy_document_spec(document.at, document.len,
		request->store->packages, &spec, &memory, &err) != 0)
		return refuse(request, 422, "%s", err.text);
	const char *complaint = box_spec_complaint(&spec);
	if (complaint != NULL)
		status = refuse(
		    request, 422, "its box cannot be made: %s", complaint);
	else if (request->token.tenant != WIRE_TENANT_LOCAL)
		status = written_check(request, document);
	if (status == 0 && request->token.tenant != WIRE_TENANT_LOCAL)
		status = spec_check(request, &spec);
	policy_spec_free(memory);
	return status;
}

/* ---- out of a body --------------------------------------------------------
 */

/* Decoded and written anew: one spelling of equal commands. */
static int
command_put(
    struct request *request, struct json_span command, struct json_out *out)
{
	auto_free char *word = malloc(command.len + 1);
	struct json_span element;
	struct json_iter iter;
	unsigned n = 0;

	if (word == NULL)
		return -ENOMEM;
	json_iter_init(&iter, command);
	json_out_text(out, "{\"command\":[");
	for (; json_iter_element(&iter, &element); n++) {
		if (json_kind_of(element) != JSON_KIND_STRING ||
		    json_string_copy(element, word, command.len + 1, NULL) != 0)
			return refuse(request, 422,
			    "/command/%u: must be a string without a NUL "
			    "character",
			    n);
		put_string(out, n > 0 ? "," : "", word);
	}
	json_out_text(out, "]");
	return n > 0 ? 0 : refuse(request, 422, "/command: is empty");
}

static int
cwd_put(struct request *request, const struct member *cwd, struct json_out *out)
{
	char path[BOX_PATH_MAX] = "";

	if (cwd->value.at == NULL)
		return 0;
	const int status = body_text(request, cwd, "", path, sizeof(path));
	put_string(out, ",\"cwd\":", path);
	return status;
}

static bool
is_hex(const char *text)
{
	return strlen(text) == DIGEST_HEX &&
	    strspn(text, "0123456789abcdef") == DIGEST_HEX;
}

static int
package_put(
    struct request *request, const struct member *package, struct json_out *out)
{
	enum { NAME, VERSION, DIGEST };
	struct member parts[] = {
		[NAME] = { "name", JSON_KIND_STRING, true },
		[VERSION] = { "version", JSON_KIND_STRING, true },
		[DIGEST] = { "digest", JSON_KIND_STRING, true },
	};
	char name[256] = "", version[128] = "", digest[DIGEST_HEX + 1] = "";

	if (package->value.at == NULL)
		return 0;
	int status = body_members(
	    request, package->value, "/package", parts, ARRAY_LEN(parts));
	if (status == 0)
		status = body_text(
		    request, &parts[NAME], "/package", name, sizeof(name));
	if (status == 0)
		status = body_text(request, &parts[VERSION], "/package",
		    version, sizeof(version));
	if (status == 0)
		status = body_text(request, &parts[DIGEST], "/package", digest,
		    sizeof(digest));
	if (status == 0 && !is_hex(digest))
		return refuse(request, 422,
		    "/package/digest: must be a SHA-256, 64 of 0-9 and a-f");
	if (status == 0 && request->store->packages[0] == '\0')
		return refuse(request, 422,
		    "/package: this host has no folder for packages");
	put_string(out, ",\"package\":{\"digest\":", digest);
	put_string(out, ",\"name\":", name);
	put_string(out, ",\"version\":", version);
	json_out_text(out, "}");
	return status;
}

static int
policy_write_out(
    struct request *request, const struct member *member, struct json_out *out)
{
	struct policy *policy = NULL;
	struct err err = { "" };
	int status = policy_new(&policy);

	if (status != 0)
		return status;
	if (member->value.at != NULL &&
	    policy_json(policy, member->value.at, member->value.len, false,
		"/policy", &err) != 0)
		status = refuse(request, 422, "%s", err.text);
	json_out_text(out, ",\"policy\":");
	/* What is too long shows at the end. */
	const int code = status == 0 ? policy_put(policy, out) : 0;
	policy_free(policy);
	return code < 0 ? code : status;
}

int
document_make(
    struct request *request, const struct member *members, struct json_out *out)
{
	struct json_span document;

	int status = command_put(request, members[LAUNCH_COMMAND].value, out);
	if (status == 0)
		status = cwd_put(request, &members[LAUNCH_CWD], out);
	if (status == 0)
		status = package_put(request, &members[LAUNCH_PACKAGE], out);
	if (status == 0)
		status =
		    policy_write_out(request, &members[LAUNCH_POLICY], out);
	json_out_text(out, "}");
	if (status == 0 && json_out_status(out) == JSON_E_TOO_LONG)
		return refuse(
		    request, 413, "command and policy are over 1 MiB together");
	if (status == 0)
		status = json_out_status(out);
	if (status == 0 &&
	    json_check(out->bytes, out->len, &document, NULL) != 0)
		status = -EIO;
	return status == 0 ? document_check(request, document) : status;
}

/* ---- into an answer -------------------------------------------------------
 */

int
document_put(struct store *store, const uint8_t digest[DB_DIGEST], size_t max,
    struct json_out *out)
{
	static const char *const names[] = { "command", "cwd", "package",
		"policy" };
	auto_free uint8_t *bytes = NULL;
	struct json_span document;
	size_t len = 0;

	const int code = db_bundle_read(store->db, digest, &bytes, &len);
	if (code != 0 || len > max)
		return code < 0 ? code : 0;
	if (json_check((const char *)bytes, len, &document, NULL) != 0)
		return 0; /* the log says so when it is to run */
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct json_want want = { .name = names[i] };
		if (json_members_find(document, &want, 1) != 0 ||
		    want.value.at == NULL)
			continue;
		json_out_text(out, ",\"");
		json_out_text(out, names[i]);
		json_out_text(out, "\":");
		json_out_span(out, want.value);
	}
	return 0;
}
