/* SPDX-License-Identifier: Apache-2.0 */

/*
 * cordon-store --plan FD --supervisor FD [--vault FD]
 *
 * Runs as cordon-store; its working directory becomes the one folder that it
 * sees (box/box.h). Started by the supervisor, ends with it or when told.
 */

#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/auto.h"
#include "box/box.h"
#include "store/egress/egress.h"
#include "store/login/login.h"
#include "store/secret/secret.h"
#include "store/store.h"

#define PURGE_S 60
#define DATABASE BOX_FOLDER "/cordon.db"

struct heritage {
	int plan_fd, supervisor_fd, vault_fd;
};

static bool
options_parse(int argc, char **argv, struct heritage *heritage)
{
	static const struct option options[] = {
		{ "plan", required_argument, NULL, 'p' },
		{ "supervisor", required_argument, NULL, 's' },
		{ "vault", required_argument, NULL, 'v' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'p' && c != 's' && c != 'v')
			return false;
		*(c == 'p'         ? &heritage->plan_fd
			: c == 's' ? &heritage->supervisor_fd
				   : &heritage->vault_fd) = atoi(optarg);
	}
	return optind == argc && heritage->plan_fd >= 3 &&
	    heritage->supervisor_fd >= 3;
}

/* ---- the vault ------------------------------------------------------------
 */

/* Its keys: read once, out of reach of others afterwards. */
static int
vault_take(struct store *store, int raw_vault_fd, struct err *err)
{
	auto_close int vault_fd = raw_vault_fd;

	if (vault_fd < 0)
		return 0;
	struct vault_ring *vault = sodium_malloc(sizeof(*vault));
	if (vault == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (pread(vault_fd, vault, sizeof(*vault), 0) != sizeof(*vault) ||
	    vault->n == 0 || vault->n > VAULT_KEYS_MAX) {
		sodium_free(vault);
		return err_set(err, -EINVAL,
		    "the vault's keys are of another version: install "
		    "cordon's programs together");
	}
	sodium_mprotect_readonly(vault);
	sodium_free(store->vault);
	store->vault = vault;
	return 0;
}

/* Other keys while we run: what opens now may be others than before. */
static void
vault_renew(struct store *store, int raw_vault_fd)
{
	struct err err = { "" };

	int code = vault_take(store, raw_vault_fd, &err);
	if (code == 0)
		code = store_commit(store);
	if (code == 0)
		code = secrets_check(store);
	if (code == 0)
		code = logins_check(store);
	if (code == 0)
		code = logins_start(store);
	if (code == 0)
		code = secrets_push(store);
	if (code == 0)
		logins_push(store);
	if (code != 0)
		store_log("error", "the vault has its new keys not yet: %s",
		    err.text[0] != '\0' ? err.text : strerror(-code));
}

/* ---- the supervisor -------------------------------------------------------
 */

static void
nonsense_drop(const struct wire_message *message, const int *fds)
{
	store_log("error", "the supervisor says nonsense (%u)", message->type);
	for (size_t i = 0; i < WIRE_FDS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void
on_supervisor(evutil_socket_t fd, short what, void *arg)
{
	static char text[WIRE_TEXT_MAX + 1];
	struct store *store = arg;
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	(void)what;
	const int code = wire_receive(fd, MSG_DONTWAIT, &message, fds, text);
	if (code == -EAGAIN)
		return;
	if (code != 0) {
		event_base_loopbreak(store->base);
		return;
	}
	if (message.type == WIRE_STORE)
		link_open(store, fds[0]);
	else if (message.type == WIRE_EGRESS_STORE)
		egress_open(store, fds[0]);
	else if (message.type == WIRE_VAULT)
		vault_renew(store, fds[0]);
	else if (message.type == WIRE_SERVER_BUNDLE)
		operator_bundle(store, text, message.text_len, fds[0]);
	else if (message.type == WIRE_SERVER_SOCKET)
		operator_socket(store, text, message.text_len);
	else if (message.type == WIRE_COMMIT)
		operator_commit(store);
	else
		nonsense_drop(&message, fds);
}

/* ---- start ----------------------------------------------------------------
 */

static int
plan_take(int plan_fd, struct wire_plan *plan, struct err *err)
{
	if (pread(plan_fd, plan, sizeof(*plan), 0) != sizeof(*plan) ||
	    plan->magic != WIRE_PLAN_MAGIC ||
	    memchr(plan->packages, '\0', sizeof(plan->packages)) == NULL ||
	    memchr(plan->certificates, '\0', sizeof(plan->certificates)) ==
		NULL)
		return err_set(err, -EINVAL,
		    "the plan is of another version: install cordon's "
		    "programs together");
	return 0;
}

/* What always exists: the tenant "local", and its token as the plan has it. */
static int
local_put(struct store *store, const struct wire_plan *plan)
{
	struct wire_tenant tenant;
	struct wire_token token = { .id = 1,
		.tenant = WIRE_TENANT_LOCAL,
		.scopes = WIRE_SCOPE_READ | WIRE_SCOPE_CALL | WIRE_SCOPE_ADMIN,
		.name = "local" };

	int code = db_begin(store->db);
	if (code == 0)
		code = db_tenant_find(store->db, "local", &tenant);
	if (code == DB_E_NONE) {
		tenant = (struct wire_tenant){ .id = WIRE_TENANT_LOCAL,
			.name = "local" };
		code = db_tenant_put(store->db, &tenant);
	}
	memcpy(token.hash, plan->token_hash, sizeof(token.hash));
	if (code == 0 && sodium_is_zero(token.hash, sizeof(token.hash))) {
		code = db_token_remove(store->db, token.id);
		code = code == DB_E_NONE ? 0 : code;
	} else if (code == 0) {
		code = db_token_put(store->db, &token);
	}
	return code == 0 ? store_commit(store) : code;
}

static void
on_purge(evutil_socket_t fd, short what, void *arg)
{
	struct store *store = arg;

	(void)fd;
	(void)what;
	store_batch_begin(store);
	if (db_begin(store->db) != 0 ||
	    db_ended_purge(store->db, (uint64_t)time(NULL)) != 0)
		store_log("error", "expired sessions cannot be forgotten");
}

static void
on_batch(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	store_commit(arg);
}

static void
on_terminate(evutil_socket_t signal_number, short what, void *arg)
{
	struct store *store = arg;

	(void)signal_number;
	(void)what;
	event_base_loopbreak(store->base);
}

static int
events_set(struct store *store)
{
	static const struct timeval purge = { PURGE_S, 0 };
	const int fd = store->supervisor_fd;

	struct event *supervisor = event_new(
	    store->base, fd, EV_READ | EV_PERSIST, on_supervisor, store);
	struct event *ticks =
	    event_new(store->base, -1, EV_PERSIST, on_purge, store);
	struct event *terminate =
	    evsignal_new(store->base, SIGTERM, on_terminate, store);
	if (supervisor == NULL || ticks == NULL || terminate == NULL ||
	    event_add(supervisor, NULL) != 0 || event_add(ticks, &purge) != 0 ||
	    event_add(terminate, NULL) != 0)
		return -ENOMEM;
	return 0;
}

static int
store_start(
    struct store *store, const struct heritage *heritage, struct err *err)
{
	struct wire_plan plan;

	if (sodium_init() < 0)
		return err_set(err, -EIO, "libsodium does not start");
	int code = plan_take(heritage->plan_fd, &plan, err);
	if (code == 0)
		code = vault_take(store, heritage->vault_fd, err);
	if (code != 0)
		return code;
	memcpy(store->packages, plan.packages, sizeof(store->packages));
	memcpy(store->certificates, plan.certificates,
	    sizeof(store->certificates));
	store->over_system = (plan.flags & WIRE_PLAN_SYSTEM_BUNDLE) != 0;
	store_log_as_json((plan.flags & WIRE_PLAN_LOG_JSON) != 0);
	umask(077);
	/* libevent and SQLite open nothing later that is not in the folder. */
	code = box_enter("store", err);
	if (code != 0)
		return code;
	store->base = event_base_new();
	if (store->base == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	store->batch_timer = evtimer_new(store->base, on_batch, store);
	if (store->batch_timer == NULL || events_set(store) != 0)
		return err_set(err, -ENOMEM, "out of memory");
	code = db_open(&store->db, DATABASE, err);
	if (code != 0)
		return code;
	code = audit_init(store);
	if (code == 0)
		code = local_put(store, &plan);
	if (code == 0)
		code = secrets_check(store);
	if (code == 0)
		code = logins_check(store);
	if (code == 0)
		code = logins_start(store);
	if (code == 0)
		code = push_deployments(store);
	return code == 0 ? 0
			 : err_set(err, code, "the database cannot be used: %s",
			       code < 0 ? strerror(-code) : "a row is missing");
}

int
main(int argc, char **argv)
{
	static struct store store;
	struct err err = { "" };
	struct heritage heritage = { -1, -1, -1 };

	prctl(PR_SET_NAME, "cordon-store");
	signal(SIGPIPE, SIG_IGN);
	if (!options_parse(argc, argv, &heritage)) {
		fprintf(stderr,
		    "usage: cordon-store --plan FD --supervisor FD [--vault "
		    "FD] (the supervisor starts it)\n");
		return 2;
	}
	store.supervisor_fd = heritage.supervisor_fd;
	if (store_start(&store, &heritage, &err) != 0) {
		store_log("error", "cordon-store cannot start: %s", err.text);
		db_close(store.db);
		return 70;
	}
	event_base_dispatch(store.base);
	store_commit(&store);
	link_close(&store);
	logins_stop(&store);
	egress_close(&store);
	asks_free(&store);
	operator_forget(&store);
	db_close(store.db);
	sodium_free(store.vault);
	return 0;
}
