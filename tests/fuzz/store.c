/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a gateway sends. The first byte says how to read the rest: 'F', frames
 * off a stream; 'E', what egress says; else an admin's request: a method's index,
 * a line with the path, the body. Whatever it is, the database stays whole and its audit's
 * chain unbroken, and what is approved is what is there.
 */

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "fuzz.h"
#include "store/admin.h"
#include "store/frames.h"
#include "store/login/login.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static struct store store = { .supervisor_fd = -1,
	.packages = "/srv/packages" };
static int told_fd = -1;

static int
frame_check(void *arg, const struct wire_frame *head, const uint8_t *raw_body)
{
	(void)arg;
	CHECK(head->type < WIRE_STORE_N_FRAMES);
	CHECK(head->len <= sizeof(struct wire_admin) + WIRE_STORE_BODY_MAX);
	CHECK(raw_body[head->len] == '\0');
	return 0;
}

static void
frames_run(const uint8_t *bytes, size_t len)
{
	struct frames frames = { 0 };
	const char *what = NULL;
	int code = 0;

	/* In pieces of growing length. */
	for (size_t at = 0, n = 1; at < len && code == 0; at += n, n *= 2)
		code = frames_feed(&frames, bytes + at,
		    n < len - at ? n : len - at, frame_check, NULL, &what);
	CHECK(code == 0 || code == FRAMES_E_BREACH);
	CHECK((code == FRAMES_E_BREACH) == (what != NULL));
	frames_fini(&frames);
}

static void
store_make(void)
{
	struct wire_token token = { .tenant = WIRE_TENANT_LOCAL,
		.scopes = WIRE_SCOPE_ADMIN,
		.name = "local" };
	struct wire_tenant tenant = { .id = WIRE_TENANT_LOCAL,
		.name = "local" };
	const uint8_t inner[32] = { 0 };
	int pair[2];

	CHECK(sodium_init() >= 0);
	CHECK(wire_pair(SOCK_SEQPACKET, pair) == 0);
	store.supervisor_fd = pair[0];
	told_fd = pair[1];
	store.base = event_base_new();
	store.batch_timer = event_new(store.base, -1, 0, NULL, NULL);
	CHECK(store.batch_timer != NULL);
	CHECK(db_open(&store.db, ":memory:", NULL) == 0);
	CHECK(audit_init(&store) == 0);
	CHECK(logins_start(&store) == 0);
	crypto_hash_sha256(token.hash, inner, sizeof(inner));
	CHECK(db_begin(store.db) == 0);
	CHECK(db_tenant_put(store.db, &tenant) == 0);
	CHECK(db_token_put(store.db, &token) == 0);
	CHECK(store_commit(&store) == 0);
}

/* What was taken can be launched. */
static void
document_is_good(const struct wire_deployment *launch)
{
	uint8_t *bytes = NULL;
	size_t len = 0;
	int fd = -1;

	CHECK(db_bundle_read(store.db, launch->digest, &bytes, &len) == 0);
	CHECK(document_spec(&store, bytes, len, &fd, NULL) == 0);
	close(fd);
	free(bytes);
}

/* Of questions that were asked, and others. */
static void
on_told(void *arg, uint32_t number, const struct egress_answer *answer)
{
	(void)arg;
	CHECK(number != 0 && answer->end < WIRE_EGRESS_N_ENDS);
	CHECK(strlen(answer->text) < sizeof(answer->text));
	CHECK(answer->head_len <= WIRE_ASK_HEAD_MAX);
	CHECK(answer->len <= WIRE_ASK_BODY_MAX);
	for (unsigned i = 0;
	     egress_answer_header(answer, "www-authenticate", i) != NULL; i++)
		continue;
}

static void
egress_run(const uint8_t *bytes, size_t len)
{
	const struct egress_question question = { .head = "GET\0https://a/",
		.head_len = 15 };
	struct wire_frame head;
	uint8_t *asked = NULL;
	uint32_t number = 0;
	int pair[2];

	if (store.db == NULL)
		store_make();
	struct told *told = told_new();
	CHECK(told != NULL && wire_pair(SOCK_STREAM, pair) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(
		    egress_ask(&store, &question, on_told, NULL, &number) == 0);
		CHECK(asks_next(&store, &head, &asked));
		sodium_free(asked);
	}
	const ssize_t sent = send(pair[0], bytes, len, MSG_DONTWAIT);
	close(pair[0]);
	int code = sent < 0 ? TOLD_E_END : 0;
	while (code == 0)
		code = told_read(&store, told, pair[1]);
	told_free(told);
	asks_free(&store);
	close(pair[1]);
}

static int
server_check(void *arg, const struct db_server *server)
{
	(void)arg;
	CHECK(launch_complaint(&server->record.launch) == NULL);
	if (server->record.state == WIRE_STATE_APPROVED)
		CHECK(memcmp(server->approved, server->digest,
			  sizeof(server->digest)) == 0);
	if (server->record.launch.kind == WIRE_KIND_BOX)
		document_is_good(&server->record.launch);
	return 0;
}

static void
told_drain(void)
{
	char bytes[2048];

	while (recv(told_fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
}

static void
admin_run(const uint8_t *bytes, size_t len)
{
	static const char *const methods[] = { "GET", "POST", "PATCH", "DELETE",
		"PUT" };
	struct wire_admin admin = { .request = "fuzz" };
	struct audit_verdict verdict;
	static unsigned n_run;

	if (len == 0)
		return;
	if (store.db == NULL)
		store_make();
	strcpy(admin.method, methods[bytes[0] % ARRAY_LEN(methods)]);
	bytes++;
	len--;
	const uint8_t *end = memchr(bytes, '\n', len);
	const size_t path_len = end != NULL ? (size_t)(end - bytes) : len;
	const size_t copied = path_len < sizeof(admin.path) - 1
	    ? path_len
	    : sizeof(admin.path) - 1;
	memcpy(admin.path, bytes, copied);
	const size_t rest = end != NULL ? path_len + 1 : len;
	/* A copy of its own length: whoever reads beyond it is seen. */
	auto_free char *body = malloc(len - rest + 1);
	CHECK(body != NULL);
	memcpy(body, bytes + rest, len - rest);
	admin_answer(&store, 1, &admin, body, len - rest);
	told_drain();
	/* Each check walks all of it: not every time, and not for ever. */
	if (++n_run % 16 != 0)
		return;
	CHECK(db_servers_each(store.db, server_check, NULL) == 0);
	CHECK(audit_verify(store.db, &verdict) == 0);
	CHECK(verdict.broken == 0);
	if (verdict.checked > 200) {
		logins_stop(&store);
		store.db = db_close(store.db);
		event_free(store.batch_timer);
		event_base_free(store.base);
		close(store.supervisor_fd);
		close(told_fd);
		memset(&store.audit, 0, sizeof(store.audit));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len > 0 && bytes[0] == 'F')
		frames_run(bytes + 1, len - 1);
	else if (len > 0 && bytes[0] == 'E')
		egress_run(bytes + 1, len - 1);
	else if (len > 0)
		admin_run(bytes + 1, len - 1);
	return 0;
}
