/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <string.h>

#include "addr/rule.h"
#include "base/auto.h"
#include "store/store.h"

#define POOL_MAX 4096u

bool
name_is_good(const char *name)
{
	const size_t len = strnlen(name, WIRE_NAME_MAX);

	if (len == 0 || len == WIRE_NAME_MAX || strchr("._-", name[0]) != NULL)
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

/* The supervisor's own bounds (supervisor/plan.c), with the words for a
 * person. */
static const char *
limits_complaint(const struct wire_limits *limits)
{
	if (limits->memory_bytes < 8u << 20 ||
	    limits->memory_bytes > 1ull << 40)
		return "memory_bytes is not from 8 MiB to 1 TiB";
	if (limits->cpu_ns == 0 || limits->wall_ns == 0 ||
	    limits->load_cpu_ns == 0 || limits->load_wall_ns == 0)
		return "a time limit is 0";
	if (limits->result_bytes == 0 || limits->result_bytes > WIRE_FRAME_MAX)
		return "result_bytes is not from 1 to 64 MiB";
	if (limits->log_bytes > WIRE_FRAME_MAX)
		return "log_bytes is over 64 MiB";
	if (limits->reuse_calls == 0)
		return "reuse is 0";
	if ((limits->flags & ~(WIRE_LIMITS_JITLESS | WIRE_LIMITS_NO_WARMUP)) !=
	    0)
		return "a flag that nobody knows is set";
	return NULL;
}

static const char *
box_complaint(const struct wire_box *box)
{
	if (box->start_ms < STORE_BOX_START_MS_MIN ||
	    box->start_ms > STORE_BOX_START_MS_MAX)
		return "start_ms is not from 100 ms to 10 minutes";
	if (box->idle_s == 0 || box->idle_s > STORE_BOX_S_MAX ||
	    box->life_s == 0 || box->life_s > STORE_BOX_S_MAX)
		return "idle_s or life_s is not from 1 s to 30 days";
	if (box->spares > STORE_BOX_SPARES_MAX)
		return "spares are more than 64";
	if (box->starts_per_minute == 0 ||
	    box->starts_per_minute > STORE_BOX_STARTS_MAX)
		return "starts_per_minute is not from 1 to 6000";
	return NULL;
}

static bool
url_is_good(const char *text)
{
	struct addr_url url;

	return addr_base_url_parse(text, strlen(text), &url, NULL) == 0 &&
	    strcmp(url.text, text) == 0;
}

const char *
launch_place(const struct wire_deployment *launch)
{
	if (launch->kind == WIRE_KIND_REMOTE)
		return launch->url;
	return launch->kind == WIRE_KIND_SOCKET ? launch->socket : NULL;
}

const char *
launch_complaint(const struct wire_deployment *launch)
{
	if (!name_is_good(launch->name) || !name_is_good(launch->tenant))
		return "its name is not [a-z0-9][a-z0-9._-]*, 63 at most";
	if (launch->kind > WIRE_KIND_REMOTE)
		return "its kind is unknown";
	if (launch->share > WIRE_SHARE_ALL)
		return "its share is unknown";
	if (memchr(launch->socket, '\0', sizeof(launch->socket)) == NULL)
		return "its socket's path is longer than 107 bytes";
	if (launch->kind == WIRE_KIND_SOCKET && launch->socket[0] != '/')
		return "its socket is no absolute path";
	if (memchr(launch->url, '\0', sizeof(launch->url)) == NULL ||
	    (launch->kind == WIRE_KIND_REMOTE) != (launch->url[0] != '\0') ||
	    (launch->kind == WIRE_KIND_REMOTE && !url_is_good(launch->url)))
		return "its URL is none that a remote server can have";
	if (launch->pool_max == 0 || launch->pool_max > POOL_MAX)
		return "pool_max is not from 1 to 4096";
	const char *complaint =
	    launch->kind == WIRE_KIND_BOX ? box_complaint(&launch->box) : NULL;
	return complaint != NULL ? complaint
				 : limits_complaint(&launch->limits);
}

static void
numbers_hash(crypto_hash_sha256_state *state, const uint64_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t bytes[8];
		for (size_t b = 0; b < sizeof(bytes); b++)
			bytes[b] = (uint8_t)(numbers[i] >> (8 * b));
		crypto_hash_sha256_update(state, bytes, sizeof(bytes));
	}
}

/* Field by field: padding would make equal things different. */
void
launch_digest(const struct wire_deployment *launch,
    const uint8_t network[DB_DIGEST], uint8_t digest[DB_DIGEST])
{
	const struct wire_limits *limits = &launch->limits;
	const uint64_t numbers[] = {
		launch->kind,
		launch->share,
		launch->pool_max,
		limits->memory_bytes,
		limits->cpu_ns,
		limits->wall_ns,
		limits->result_bytes,
		limits->log_bytes,
		limits->load_cpu_ns,
		limits->load_wall_ns,
		limits->reuse_calls,
		limits->flags,
	};
	const uint64_t box[] = {
		launch->box.start_ms,
		launch->box.idle_s,
		launch->box.life_s,
		launch->box.spares,
		launch->box.starts_per_minute,
	};
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(
	    &state, launch->digest, sizeof(launch->digest));
	numbers_hash(&state, numbers, ARRAY_LEN(numbers));
	crypto_hash_sha256_update(&state, (const uint8_t *)launch->socket,
	    strlen(launch->socket) + 1);
	/* Others have none: what was approved of them stays approved. */
	if (launch->kind == WIRE_KIND_BOX)
		numbers_hash(&state, box, ARRAY_LEN(box));
	if (!sodium_is_zero(network, DB_DIGEST))
		crypto_hash_sha256_update(&state, network, DB_DIGEST);
	crypto_hash_sha256_final(&state, digest);
}
