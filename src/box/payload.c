/* SPDX-License-Identifier: Apache-2.0 */
#include "box/payload.h"

#include <errno.h>
#include <stddef.h>

#include "base/auto.h"
#include "box/payload_filters.inc"

struct payload_filter
payload_filter_get(uint32_t flags, enum box_notes notes, int guard)
{
	const unsigned unix_sockets = (flags & BOX_UNIX_SOCKETS) != 0;

	return filters[(unix_sockets * (BOX_NOTES_ALL + 1u) + notes) * 2u +
	    (guard != 0)];
}

struct payload_filter
payload_filter_init(void)
{
	return (struct payload_filter){ filter_init, ARRAY_LEN(filter_init) };
}

const char *
payload_call_name(int nr)
{
	const char *name = nr >= 0 && (size_t)nr < ARRAY_LEN(call_names)
	    ? call_names[nr]
	    : NULL;

	return name != NULL ? name : "unknown";
}

int
payload_call_errno(int nr)
{
	const int code = nr >= 0 && (size_t)nr < ARRAY_LEN(call_errnos)
	    ? call_errnos[nr]
	    : 0;

	return code != 0 ? code : ENOSYS;
}

#define STRING(text) #text
#define BITS(argument, mask, value)                                            \
	"where (argument " STRING(argument) " & " STRING(mask) ") is " STRING( \
	    value)
#define ALLOW(call, why) { #call, "allowed", why },
#define ALLOW_BITS(call, argument, mask, value, why)                           \
	{ #call, BITS(argument, mask, value), why },
#define UNIX_BITS(call, argument, mask, value, why)                            \
	{ #call, "with unix sockets, " BITS(argument, mask, value), why },
#define INIT_BITS(call, argument, mask, value, why)                            \
	{ #call, "init alone, " BITS(argument, mask, value), why },
#define READS_BITS(call, argument, mask, value, why)                           \
	{ #call, BITS(argument, mask, value), why },
#define GUARDED(call, why) { #call, "allowed", why },
#define UNGUARDED(call, code, why)                                             \
	{ #call, "allowed, but in a guarded box", why },
#define NOTE(call, notes, why) { #call, "allowed", why },
#define WRITES(call, why) { #call, "allowed", why },
#define WRITES_BITS(call, argument, mask, value, why)                          \
	{ #call, BITS(argument, mask, value), why },
#define REFUSE(call, code, why) { #call, "refused: " #code, why },
#define QUIET_BITS(call, argument, mask, value, code, why)                     \
	{ #call, "refused: " #code ", " BITS(argument, mask, value), why },
#define QUIET(call, code, why) { #call, "refused: " #code, why },

static const struct payload_call calls[] = {
#include "box/payload.def"
};

const struct payload_call *
payload_call_at(size_t i)
{
	return i < ARRAY_LEN(calls) ? &calls[i] : NULL;
}
