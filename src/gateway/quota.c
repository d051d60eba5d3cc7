/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What tenants and tokens spend. Per minute is a window that slides: the minute
 * before counts for the part of it that lies less than a minute back. So no
 * rush at the turn of a minute, and when there is room again can be computed.
 */

#include <time.h>

#include "gateway/gateway.h"

#define MINUTE_MS 60000u
#define RESERVE_PART 32u /* of the connections are for admins and probes */

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
meter_turn(struct meter *meter, uint64_t now)
{
	const uint64_t minutes = (now - meter->window) / MINUTE_MS;

	if (minutes == 0)
		return;
	meter->last_requests = minutes == 1 ? meter->requests : 0;
	meter->last_cpu_us = minutes == 1 ? meter->cpu_us : 0;
	meter->requests = 0;
	meter->cpu_us = 0;
	meter->window += minutes * MINUTE_MS;
}

/*
 * Milliseconds until `count` of this minute and what still counts of the last
 * are below the limit; 0: they are. In the next minute it is this one's count
 * that fades.
 */
static uint64_t
room_after(uint64_t last, uint64_t count, uint64_t limit, uint64_t elapsed)
{
	const uint64_t left = MINUTE_MS - elapsed;

	if (count < limit) {
		/* last * left' / MINUTE < limit - count */
		const uint64_t enough =
		    last == 0 ? left : (limit - count) * MINUTE_MS / last;
		return left <= enough ? 0 : left - enough;
	}
	const uint64_t fade = limit * MINUTE_MS / count;
	return left + (MINUTE_MS - fade);
}

static unsigned
seconds(uint64_t ms)
{
	return (unsigned)((ms + 999) / 1000);
}

static int
refuse(struct meter *meter, struct quota_refusal *refusal, const char *whose,
    const char *what, unsigned retry_s)
{
	meter->n_refused++;
	*refusal =
	    (struct quota_refusal){ what, whose, retry_s == 0 ? 1 : retry_s };
	return QUOTA_E_OVER;
}

static int
request_admit(struct meter *meter, const struct wire_quota *quota,
    const char *whose, struct quota_refusal *refusal)
{
	const uint64_t now = now_ms();

	meter_turn(meter, now);
	if (quota->requests_per_minute == 0)
		return 0;
	const uint64_t wait = room_after(meter->last_requests, meter->requests,
	    quota->requests_per_minute, now - meter->window);
	return wait == 0 ? 0
			 : refuse(meter, refusal, whose, "requests_per_minute",
			       seconds(wait));
}

int
quota_request(struct principal *principal, struct quota_refusal *refusal)
{
	struct meter *const tenant = &principal->tenant->meter;
	struct meter *const token = &principal->meter;

	if (request_admit(tenant, &principal->tenant->record.quota, "tenant",
		refusal) != 0 ||
	    request_admit(token, &principal->record.quota, "token", refusal) !=
		0)
		return QUOTA_E_OVER;
	tenant->requests++;
	tenant->n_requests++;
	token->requests++;
	token->n_requests++;
	return 0;
}

static int
call_admit(struct meter *meter, const struct wire_quota *quota,
    const char *whose, struct quota_refusal *refusal)
{
	const uint64_t now = now_ms();

	meter_turn(meter, now);
	if (quota->concurrent != 0 && meter->running >= quota->concurrent)
		return refuse(meter, refusal, whose, "concurrent", 1);
	if (quota->cpu_ms_per_minute == 0)
		return 0;
	const uint64_t wait =
	    room_after(meter->last_cpu_us / 1000, meter->cpu_us / 1000,
		quota->cpu_ms_per_minute, now - meter->window);
	return wait == 0
	    ? 0
	    : refuse(meter, refusal, whose, "cpu_ms_per_minute", seconds(wait));
}

int
quota_call_enter(struct principal *principal, struct quota_refusal *refusal)
{
	struct meter *const tenant = &principal->tenant->meter;
	struct meter *const token = &principal->meter;

	const uint32_t share = principal->tenant->share;

	if (share != 0 && tenant->running >= share)
		return refuse(tenant, refusal, "tenant", "fair_share", 1);
	if (call_admit(tenant, &principal->tenant->record.quota, "tenant",
		refusal) != 0 ||
	    call_admit(token, &principal->record.quota, "token", refusal) != 0)
		return QUOTA_E_OVER;
	tenant->running++;
	tenant->n_calls++;
	token->running++;
	token->n_calls++;
	return 0;
}

int
quota_hold_enter(struct quota_hold *hold, struct principal *principal,
    struct quota_refusal *refusal)
{
	struct meter *const tenant = &principal->tenant->meter;
	struct meter *const token = &principal->meter;
	const uint32_t all = hold->max - hold->max / RESERVE_PART;
	const uint32_t most = hold->is_shared ? all / 4 * 3 : all;

	if (hold->held >= all)
		return refuse(tenant, refusal, "host", "connections", 1);
	if (tenant->held >= most)
		return refuse(tenant, refusal, "tenant", "connections", 1);
	if (token->held >= most / 4 * 3)
		return refuse(token, refusal, "token", "connections", 1);
	hold->held++;
	tenant->held++;
	token->held++;
	return 0;
}

void
quota_hold_leave(struct quota_hold *hold, struct principal *principal)
{
	hold->held--;
	principal->tenant->meter.held--;
	principal->meter.held--;
}

static void
meter_leave(struct meter *meter, const struct pool_usage *usage, uint64_t now)
{
	meter_turn(meter, now);
	meter->running--;
	meter->cpu_us += usage->cpu_us;
	meter->total_cpu_us += usage->cpu_us;
}

void
quota_call_leave(struct principal *principal, const struct pool_usage *usage)
{
	const uint64_t now = now_ms();

	meter_leave(&principal->tenant->meter, usage, now);
	meter_leave(&principal->meter, usage, now);
}

uint64_t
quota_result_bytes(const struct principal *principal)
{
	const uint64_t a = principal->tenant->record.quota.result_bytes;
	const uint64_t b = principal->record.quota.result_bytes;

	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}
