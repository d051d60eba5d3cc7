/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <string.h>

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

const char *
launch_complaint(const struct wire_deployment *launch)
{
	if (!name_is_good(launch->name) || !name_is_good(launch->tenant))
		return "its name is not [a-z0-9][a-z0-9._-]*, 63 at most";
	if (launch->kind > WIRE_KIND_SOCKET)
		return "its kind is unknown";
	if (launch->share > WIRE_SHARE_ALL)
		return "its share is unknown";
	if (memchr(launch->socket, '\0', sizeof(launch->socket)) == NULL)
		return "its socket's path is longer than 107 bytes";
	if (launch->kind == WIRE_KIND_SOCKET && launch->socket[0] != '/')
		return "its socket is no absolute path";
	if (launch->pool_max == 0 || launch->pool_max > POOL_MAX)
		return "pool_max is not from 1 to 4096";
	return limits_complaint(&launch->limits);
}

/* Field by field: padding would make equal things different. */
void
launch_digest(const struct wire_deployment *launch, uint8_t digest[DB_DIGEST])
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
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(
	    &state, launch->digest, sizeof(launch->digest));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uint8_t bytes[8];
		for (size_t b = 0; b < sizeof(bytes); b++)
			bytes[b] = (uint8_t)(numbers[i] >> (8 * b));
		crypto_hash_sha256_update(&state, bytes, sizeof(bytes));
	}
	crypto_hash_sha256_update(&state, (const uint8_t *)launch->socket,
	    strlen(launch->socket) + 1);
	crypto_hash_sha256_final(&state, digest);
}
