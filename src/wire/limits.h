/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What one call, and the loading of one bundle, may spend. Plain numbers: the
 * struct crosses process borders by copy (wire/plan.h, wire/wire.h).
 */

#include <stdint.h>

struct wire_limits {
	uint64_t memory_bytes; /* heap + array buffers + wasm + the rest */
	uint64_t cpu_ns; /* CPU time of one call */
	uint64_t wall_ns; /* wall time of one call */
	uint64_t result_bytes; /* result, error or response body */
	uint64_t log_bytes; /* console output of one call */
	uint64_t load_cpu_ns; /* CPU time for evaluating the bundle */
	uint64_t load_wall_ns; /* wall time for the same */
	uint32_t reuse_calls; /* calls a cell serves: 1 is a fresh one each */
	uint32_t flags; /* WIRE_LIMITS_… */
};

#define WIRE_LIMITS_JITLESS 1u /* no executable memory at all */
#define WIRE_LIMITS_NO_WARMUP 2u /* serve no dummy call before sealing */

/* The defaults of DESIGN: 128 MiB, 50 ms CPU, 30 s wall, 1 MiB, 256 KiB. */
#define WIRE_LIMITS_DEFAULT                                                    \
	{                                                                      \
		.memory_bytes = 128u << 20, .cpu_ns = 50000000u,               \
		.wall_ns = 30000000000u, .result_bytes = 1u << 20,             \
		.log_bytes = 256u << 10, .load_cpu_ns = 2000000000u,           \
		.load_wall_ns = 10000000000u, .reuse_calls = 1, .flags = 0     \
	}
