/* SPDX-License-Identifier: Apache-2.0
 *
 * What an isolate may reach, as a policy of its network member alone. It is
 * kept like a bundle, and is part of the digest that is approved.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/auto.h"
#include "store/egress/egress.h"

/* A policy of these bytes; refused where it asks for more than there may be. */
static int
policy_take(const char *raw_text, size_t len, const char *name,
    struct policy **policyp, struct err *err)
{
	static struct policy_network network;
	struct policy *policy = NULL;

	int code = policy_new(&policy);
	if (code != 0)
		return err_set(err, code, "out of memory");
	code = policy_json(policy, raw_text, len, false, name, err);
	if (code == 0)
		code = policy_network(policy, &network, err);
	if (code != 0) {
		policy_free(policy);
		return code;
	}
	*policyp = policy;
	return 0;
}

/* Sockets of its own are what programs have. */
static bool
has_sockets(struct json_span network)
{
	struct json_want sockets = { .name = "allowAllUnixSockets" };

	return json_members_find(network, &sockets, 1) == 0 &&
	    sockets.value.at != NULL;
}

static int
canonical_put(
    struct request *request, struct json_span whole, struct json_out *out)
{
	struct policy *policy = NULL;
	struct err err = { "" };

	if (policy_take(whole.at, whole.len, "the server", &policy, &err) != 0)
		return refuse(request, 422, "%s", err.text);
	const int code = policy_put(policy, out);
	policy_free(policy);
	if (code == 0)
		return 0;
	return json_out_status(out) == JSON_E_TOO_LONG
	    ? refuse(
		  request, 413, "/network: is over %u bytes", STORE_NETWORK_MAX)
	    : code;
}

int
network_make(
    struct request *request, const struct member *member, struct json_out *out)
{
	struct json_out whole;

	if (member->value.at == NULL)
		return 0;
	if (has_sockets(member->value))
		return refuse(request, 422,
		    "/network/allowAllUnixSockets: does not belong here: "
		    "only a box has sockets of its own");
	json_out_init(&whole, STORE_DOCUMENT_MAX);
	json_out_text(&whole, "{\"network\":");
	json_out_span(&whole, member->value);
	json_out_text(&whole, "}");
	int status = json_out_status(&whole) != 0
	    ? refuse(request, 413, "/network: is over 1 MiB")
	    : canonical_put(
		  request, (struct json_span){ whole.bytes, whole.len }, out);
	json_out_fini(&whole);
	if (status == 0 && out->len == 2) /* "{}" */
		out->len = 0;
	return status;
}

int
network_check(const char *raw_text, size_t len, struct err *err)
{
	struct policy *policy = NULL;

	const int code =
	    policy_take(raw_text, len, "its network", &policy, err);
	if (code == 0)
		policy_free(policy);
	return code;
}

int
network_put(struct store *store, const struct db_server *server, size_t max,
    struct json_out *out)
{
	struct json_want network = { .name = "network" };
	auto_free uint8_t *bytes = NULL;
	struct json_span whole;
	size_t len = 0;

	if (sodium_is_zero(server->network, sizeof(server->network)))
		return 0;
	const int code =
	    db_bundle_read(store->db, server->network, &bytes, &len);
	if (code != 0 || len > max)
		return code < 0 ? code : 0;
	if (json_check((const char *)bytes, len, &whole, NULL) != 0 ||
	    json_members_find(whole, &network, 1) != 0 ||
	    network.value.at == NULL)
		return 0;
	json_out_text(out, ",\"network\":");
	json_out_span(out, network.value);
	return 0;
}
