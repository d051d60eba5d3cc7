/* SPDX-License-Identifier: Apache-2.0
 *
 * What each server may reach, as the store says it, and what of it is spent. A
 * record that is replaced lives on for what is under way, but begins nothing.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "egress/egress.h"

#define SERVERS_MAX WIRE_DEPLOYMENTS_MAX

struct entry {
	struct server *server; /* held */
	bool is_told; /* on the stream that is open now */
};

struct servers {
	struct entry *entries;
	size_t n;
	size_t room;
};

static const struct addr_budget budget_default = {
	.requests_per_minute = 600,
	.concurrent = 64,
	.per_caller = 50,
	.bytes_in = 64u << 20,
	.bytes_out = 64u << 20,
	.bytes_per_minute = 1u << 30,
};

int
servers_new(struct servers **serversp)
{
	*serversp = calloc(1, sizeof(**serversp));
	return *serversp == NULL ? -ENOMEM : 0;
}

struct server *
server_release(struct server *server)
{
	if (server == NULL || --server->refs > 0)
		return NULL;
	client_free(server->client);
	if (server->secrets != NULL)
		sodium_free((void *)(uintptr_t)server->secrets);
	free((void *)(uintptr_t)server->rules);
	free(server);
	return NULL;
}

static void
entry_drop(struct servers *servers, size_t i)
{
	servers->entries[i].server->gone = true;
	server_release(servers->entries[i].server);
	servers->entries[i] = servers->entries[--servers->n];
}

struct servers *
servers_free(struct servers *servers)
{
	while (servers != NULL && servers->n > 0)
		entry_drop(servers, 0);
	if (servers != NULL)
		free(servers->entries);
	free(servers);
	return NULL;
}

static struct entry *
entry_find(const struct servers *servers, uint32_t id)
{
	for (size_t i = 0; i < servers->n; i++)
		if (servers->entries[i].server->id == id)
			return &servers->entries[i];
	return NULL;
}

struct server *
server_hold(struct servers *servers, uint32_t id)
{
	const struct entry *entry = entry_find(servers, id);

	if (entry == NULL)
		return NULL;
	entry->server->refs++;
	return entry->server;
}

static bool
is_same_secret(
    const struct wire_egress_secret *a, const struct wire_egress_secret *b)
{
	return a->principal == b->principal && a->port == b->port &&
	    a->value_len == b->value_len && strcmp(a->name, b->name) == 0 &&
	    strcmp(a->host, b->host) == 0 &&
	    sodium_memcmp(a->value, b->value, a->value_len) == 0;
}

bool
server_has(const struct servers *servers, const struct server *server,
    const struct wire_egress_secret *secret)
{
	const struct entry *entry = entry_find(servers, server->id);

	if (entry == NULL || entry->server == server)
		return entry != NULL;
	for (size_t i = 0; i < entry->server->head.n_secrets; i++)
		if (is_same_secret(&entry->server->secrets[i], secret))
			return true;
	return false;
}

/* ---- records -------------------------------------------------------------- */

static bool
is_string(const char *field, size_t size)
{
	return memchr(field, '\0', size) != NULL;
}

/* A line end in it would be another header. */
static bool
is_of_one_line(const void *text, size_t len)
{
	const uint8_t *byte = text;

	for (size_t i = 0; i < len; i++)
		if ((byte[i] < 0x20 && byte[i] != '\t') || byte[i] == 0x7f)
			return false;
	return true;
}

static bool
secret_is_good(const struct wire_egress_secret *secret)
{
	return is_string(secret->name, sizeof(secret->name)) &&
	    is_string(secret->host, sizeof(secret->host)) &&
	    is_string(secret->field, sizeof(secret->field)) &&
	    is_string(secret->template_, sizeof(secret->template_)) &&
	    secret->value_len <= sizeof(secret->value) &&
	    is_of_one_line(secret->field, strlen(secret->field)) &&
	    is_of_one_line(secret->template_, strlen(secret->template_)) &&
	    is_of_one_line(secret->value, secret->value_len) &&
	    secret->kind <= WIRE_SECRET_BASIC;
}

static bool
head_is_good(const struct wire_egress_server *head, size_t len)
{
	return is_string(head->tenant, sizeof(head->tenant)) &&
	    is_string(head->name, sizeof(head->name)) &&
	    head->n_rules <= ADDR_RULES_MAX &&
	    head->n_secrets <= WIRE_SERVER_SECRETS_MAX &&
	    len ==
	    sizeof(*head) + head->n_rules * sizeof(struct addr_rule) +
		head->n_secrets * sizeof(struct wire_egress_secret);
}

static void
budget_fill(struct addr_budget *budget)
{
#define FILL(member)                                                           \
	if (budget->member == 0)                                               \
	budget->member = budget_default.member
	FILL(requests_per_minute);
	FILL(concurrent);
	FILL(per_caller);
	FILL(bytes_in);
	FILL(bytes_out);
	FILL(bytes_per_minute);
#undef FILL
}

/* What lies behind the head; rules first. */
static int
lists_take(struct server *server, const uint8_t *bytes)
{
	const size_t rules_size =
	    server->head.n_rules * sizeof(struct addr_rule);
	const size_t secrets_size =
	    server->head.n_secrets * sizeof(struct wire_egress_secret);
	struct addr_rule *rules = malloc(rules_size > 0 ? rules_size : 1);

	if (rules == NULL)
		return -ENOMEM;
	memcpy(rules, bytes, rules_size);
	server->rules = rules;
	for (size_t i = 0; i < server->head.n_rules; i++)
		if (!addr_rule_is_good(&rules[i]))
			return -EINVAL;
	if (secrets_size == 0)
		return 0;
	struct wire_egress_secret *secrets = sodium_malloc(secrets_size);
	if (secrets == NULL)
		return -ENOMEM;
	memcpy(secrets, bytes + rules_size, secrets_size);
	server->secrets = secrets;
	for (size_t i = 0; i < server->head.n_secrets; i++)
		if (!secret_is_good(&secrets[i]))
			return -EINVAL;
	sodium_mprotect_readonly(secrets);
	return 0;
}

static int
server_new(
    struct server **serverp, uint32_t id, const uint8_t *bytes, size_t len)
{
	struct wire_egress_server head;

	if (len < sizeof(head))
		return -EINVAL;
	memcpy(&head, bytes, sizeof(head));
	if (!head_is_good(&head, len))
		return -EINVAL;
	struct server *server = calloc(1, sizeof(*server));
	if (server == NULL)
		return -ENOMEM;
	server->id = id;
	server->refs = 1;
	server->head = head;
	budget_fill(&server->head.budget);
	const int code = lists_take(server, bytes + sizeof(head));
	if (code != 0) {
		server_release(server);
		return code;
	}
	*serverp = server;
	return 0;
}

/* The same again changes nothing: connections live on. */
static bool
is_same(const struct server *a, const struct server *b)
{
	return memcmp(&a->head, &b->head, sizeof(a->head)) == 0 &&
	    memcmp(a->rules, b->rules, a->head.n_rules * sizeof(a->rules[0])) ==
	    0 &&
	    (a->head.n_secrets == 0 ||
		sodium_memcmp(a->secrets, b->secrets,
		    a->head.n_secrets * sizeof(a->secrets[0])) == 0);
}

static int
entry_add(struct servers *servers, struct server *server)
{
	if (servers->n >= SERVERS_MAX)
		return -ENOSPC;
	if (servers->n == servers->room) {
		const size_t room = servers->room * 2 + 16;
		struct entry *entries =
		    reallocarray(servers->entries, room, sizeof(*entries));
		if (entries == NULL)
			return -ENOMEM;
		servers->entries = entries;
		servers->room = room;
	}
	servers->entries[servers->n++] =
	    (struct entry){ .server = server, .is_told = true };
	return 0;
}

static int
server_take(
    struct servers *servers, uint32_t id, const uint8_t *bytes, size_t len)
{
	struct server *server = NULL;

	int code = server_new(&server, id, bytes, len);
	if (code != 0)
		return code;
	struct entry *entry = entry_find(servers, id);
	if (entry == NULL) {
		code = entry_add(servers, server);
		if (code != 0)
			server_release(server);
		return code;
	}
	entry->is_told = true;
	if (is_same(entry->server, server)) {
		server_release(server);
		return 0;
	}
	/* What was spent stays spent. */
	server->minute = entry->server->minute;
	server->requests = entry->server->requests;
	server->bytes = entry->server->bytes;
	entry->server->gone = true;
	server_release(entry->server);
	entry->server = server;
	return 0;
}

static void
snapshot_end(struct servers *servers)
{
	for (size_t i = servers->n; i-- > 0;)
		if (!servers->entries[i].is_told)
			entry_drop(servers, i);
}

void
servers_renew(struct servers *servers)
{
	for (size_t i = 0; i < servers->n; i++)
		servers->entries[i].is_told = false;
}

int
servers_hear(struct servers *servers, const struct wire_frame *frame,
    const uint8_t *bytes)
{
	const struct entry *entry;

	switch (frame->type) {
	case WIRE_EGRESS_SERVER:
		return server_take(servers, frame->reserved, bytes, frame->len);
	case WIRE_EGRESS_GONE:
		entry = entry_find(servers, frame->reserved);
		if (entry != NULL)
			entry_drop(servers, (size_t)(entry - servers->entries));
		return 0;
	case WIRE_EGRESS_SNAPSHOT:
		snapshot_end(servers);
		return 0;
	default:
		return -EINVAL;
	}
}

/* ---- budgets -------------------------------------------------------------- */

/* Of the monotonic clock: a minute begins when it begins for all. */
static void
minute_turn(struct server *server)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	const uint64_t minute = (uint64_t)now.tv_sec / 60;
	if (minute == server->minute)
		return;
	server->minute = minute;
	server->requests = 0;
	server->bytes = 0;
}

bool
server_begin(struct server *server, struct err *why)
{
	const struct addr_budget *budget = &server->head.budget;

	minute_turn(server);
	if (server->gone)
		err_set(why, 0,
		    "what this server may reach was changed or taken away");
	else if (server->requests >= budget->requests_per_minute)
		err_set(why, 0,
		    "its %u requests of this minute are spent "
		    "(network.requestsPerMinute)",
		    budget->requests_per_minute);
	else if (server->open >= budget->concurrent)
		err_set(why, 0,
		    "%u requests of this server are under way "
		    "(network.concurrent)",
		    budget->concurrent);
	else if (server->bytes >= budget->bytes_per_minute)
		err_set(why, 0,
		    "its bytes of this minute are spent "
		    "(network.bytesPerMinute)");
	else {
		server->requests++;
		server->open++;
		return true;
	}
	return false;
}

void
server_done(struct server *server)
{
	server->open--;
}

bool
server_spend(struct server *server, uint64_t bytes)
{
	minute_turn(server);
	server->bytes += bytes;
	return server->bytes <= server->head.budget.bytes_per_minute;
}
