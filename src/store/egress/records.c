/* SPDX-License-Identifier: Apache-2.0
 *
 * What egress is told of a server: made of what is in the database now, and of
 * nothing that the gateway said. Only of servers that are approved.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/auto.h"
#include "store/egress/egress.h"
#include "wire/egress.h"

/* ---- what it may reach -----------------------------------------------------
 */

static int
isolate_network(const uint8_t *bytes, size_t len,
    struct policy_network *network, struct err *err)
{
	struct policy *policy = NULL;

	int code = policy_new(&policy);
	if (code != 0)
		return err_set(err, code, "out of memory");
	code = policy_json(
	    policy, (const char *)bytes, len, false, "what was approved", err);
	if (code == 0)
		code = policy_network(policy, network, err);
	policy_free(policy);
	return code;
}

/* The tightest there is: where it is, and what is below that. */
static int
url_add(const char *text, struct policy_network *network, struct err *err)
{
	struct addr_url url;

	if (network->n_rules == ADDR_RULES_MAX)
		return err_set(err, -E2BIG,
		    "its network and its URL are more than %u rules: a domain "
		    "without a scheme counts as two, name fewer of them",
		    ADDR_RULES_MAX);
	int r = addr_base_url_parse(text, strlen(text), &url, err);
	if (r == 0)
		r = addr_rule_of_url(&url, WIRE_REMOTE_METHODS,
		    &network->rules[network->n_rules], err);
	network->n_rules += r == 0;
	return r;
}

int
egress_network(struct store *store, const struct db_server *server,
    struct policy_network *network, struct err *err)
{
	const struct wire_deployment *launch = &server->record.launch;

	const bool is_box = launch->kind == WIRE_KIND_BOX;
	auto_free uint8_t *bytes = NULL;
	size_t len = 0;

	network->n_rules = 0;
	network->budget = (struct addr_budget){ 0 };
	const bool is_remote = launch->kind == WIRE_KIND_REMOTE;
	if (!is_box && sodium_is_zero(server->network, DB_DIGEST))
		return is_remote ? url_add(launch->url, network, err) : 0;
	if (db_bundle_read(store->db, is_box ? launch->digest : server->network,
		&bytes, &len) != 0)
		return err_set(
		    err, -ENOENT, "what it may reach cannot be read");
	if (is_box)
		return policy_document_network(
		    (const char *)bytes, len, network, err);
	const int r = isolate_network(bytes, len, network, err);
	return r == 0 && is_remote ? url_add(launch->url, network, err) : r;
}

/* Too large for the stack, and nobody else's for the time it is looked at. */
static const struct policy_network *
network_of(struct store *store, const struct db_server *server)
{
	static struct policy_network network;
	struct err err = { "" };

	if (egress_network(store, server, &network, &err) == 0)
		return &network;
	store_log("error", "the server '%s' reaches nothing: %s",
	    server->record.launch.name, err.text);
	network.n_rules = 0;
	return &network;
}

int
egress_check(
    struct store *store, const struct db_server *server, struct err *err)
{
	static struct policy_network network;

	const int code = egress_network(store, server, &network, err);
	if (code == 0 && network.n_rules == 0 &&
	    server->record.launch.kind == WIRE_KIND_REMOTE)
		return err_set(err, -EINVAL, "its URL cannot be reached");
	return code;
}

bool
egress_reaches(struct store *store, const struct db_server *server)
{
	return network_of(store, server)->n_rules > 0;
}

/* ---- the record ------------------------------------------------------------
 */

/* head, rules, secrets */
static int
record_pack(const struct wire_egress_server *head, const void *rules,
    const struct wire_egress_secret *secrets, struct egress_record *record)
{
	const size_t rules_len = head->n_rules * sizeof(struct addr_rule);
	const size_t secrets_len = head->n_secrets * sizeof(*secrets);
	const size_t len = sizeof(*head) + rules_len + secrets_len;

	uint8_t *bytes = sodium_malloc(len);
	if (bytes == NULL)
		return -ENOMEM;
	memcpy(bytes, head, sizeof(*head));
	memcpy(bytes + sizeof(*head), rules, rules_len);
	memcpy(bytes + sizeof(*head) + rules_len, secrets, secrets_len);
	record->head.type = WIRE_EGRESS_SERVER;
	record->head.len = (uint32_t)len;
	record->bytes = bytes;
	return 0;
}

/* Those that people set, then those of who signed in; room for all of them,
 * whose pages are locked. sodium_free() wipes. */
static int
secrets_gather(struct store *store, const struct db_server *server,
    struct wire_egress_secret **secretsp, size_t *n)
{
	const bool is_remote = server->record.launch.kind == WIRE_KIND_REMOTE;
	const uint32_t id = server->record.id;
	size_t room = 0, n_logins = 0;

	int code = is_remote ? store_logins_count(store, id, &room) : 0;
	if (code != 0)
		return code;
	struct wire_egress_secret *secrets =
	    sodium_allocarray(WIRE_SECRETS_MAX + room, sizeof(*secrets));
	if (secrets == NULL)
		return -ENOMEM;
	code = store_secrets_for(store, id, secrets, n);
	if (code == 0 && room > 0)
		code = store_logins_for(
		    store, server, secrets + *n, room, &n_logins);
	if (code != 0) {
		sodium_free(secrets);
		return code;
	}
	*n += n_logins;
	*secretsp = secrets;
	return 0;
}

static int
record_fill(struct store *store, const struct db_server *server,
    const struct policy_network *network, struct egress_record *record)
{
	const struct wire_deployment *launch = &server->record.launch;
	struct wire_egress_server head = {
		.budget = network->budget,
		.n_rules = (uint32_t)network->n_rules,
	};
	struct wire_egress_secret *secrets = NULL;
	size_t n = 0;

	memcpy(head.tenant, launch->tenant, sizeof(head.tenant));
	memcpy(head.name, launch->name, sizeof(head.name));
	int code = secrets_gather(store, server, &secrets, &n);
	if (code != 0)
		return code;
	head.n_secrets = (uint32_t)n;
	code = record_pack(&head, network->rules, secrets, record);
	sodium_free(secrets);
	return code;
}

int
egress_record_make(
    struct store *store, uint32_t id, struct egress_record *record)
{
	struct db_server server;

	*record = (struct egress_record){ .head = { .type = WIRE_EGRESS_GONE,
					      .reserved = id } };
	const int code = db_server_get(store->db, id, &server);
	if (code != 0)
		return code == DB_E_NONE ? 0 : code;
	if (server.record.state != WIRE_STATE_APPROVED)
		return 0;
	const struct policy_network *network = network_of(store, &server);
	return network->n_rules == 0
	    ? 0
	    : record_fill(store, &server, network, record);
}
