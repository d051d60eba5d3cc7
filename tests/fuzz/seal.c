/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any text as a session id, a requestState and a Last-Event-ID: nothing opens
 * that was not sealed here, and what was, with one byte changed, does not.
 */

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "fuzz.h"
#include "gateway/front/seal.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static const uint8_t key[SEAL_KEY_BYTES] = { 42 };
static const struct seal_binding binding = { 1, "local", "s" };
static const uint8_t session_id[SEAL_ID_BYTES] = { 3 };

static void
as_any_text(const char *text)
{
	struct seal_session session;
	struct seal_event event;
	struct seal_state state;
	struct json_span value;
	char *owner = NULL;

	CHECK(
	    seal_session_admit(key, &binding, text, &session) == SEAL_E_FORGED);
	CHECK(seal_event_admit(key, session_id, text, &event) == SEAL_E_FORGED);
	if (json_check(text, strlen(text), &value, NULL) == 0)
		CHECK(seal_state_admit(key, &binding, value, &state, &owner) ==
		    SEAL_E_FORGED);
}

static void
as_a_change(const uint8_t *data, size_t size)
{
	const struct seal_event made = { 1, 2 };
	struct seal_event event;
	char text[SEAL_EVENT_TEXT], was[SEAL_EVENT_TEXT];

	seal_event_write(key, session_id, &made, text);
	memcpy(was, text, sizeof(was));
	for (size_t i = 0; i + 1 < size; i += 2)
		text[data[i] % (sizeof(text) - 1)] = (char)data[i + 1];
	CHECK((seal_event_admit(key, session_id, text, &event) == 0) ==
	    (memcmp(was, text, sizeof(was)) == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t digest[SEAL_DIGEST_BYTES];
	struct json_span value;
	auto_free char *text = strndup((const char *)data, size);

	if (text == NULL || sodium_init() < 0)
		return 0;
	as_any_text(text);
	as_a_change(data, size);
	if (json_check(text, strlen(text), &value, NULL) == 0)
		seal_digest(value, value, value, digest);
	return 0;
}
