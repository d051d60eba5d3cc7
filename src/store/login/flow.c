/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A sign-in under way: the request that waits for it, the question that is
 * asked for it, and the person that comes back from the browser. Whatever ends
 * it, its request is answered exactly once.
 */

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "store/login/login.h"

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void
timer_set(struct login *login, uint64_t ms)
{
	const struct timeval delay = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	event_add(login->timer, &delay);
}

/* ---- the end ---------------------------------------------------------------
 */

struct login *
login_free(struct login *login)
{
	if (login == NULL)
		return NULL;
	egress_ask_forget(login->store, login->ask);
	LIST_REMOVE(login, link);
	event_free(login->timer);
	sodium_free(login); /* wipes it */
	return NULL;
}

/* Offered to a person it waits on, if that person hears of it. */
static void
login_end(struct login *login, int status)
{
	struct request *request = login->request;
	const bool waits = status == 200 && admin_is_awaited(request);

	egress_ask_forget(login->store, login->ask);
	login->ask = 0;
	login->request = NULL;
	if (waits)
		timer_set(login, LOGIN_WAIT_S * UINT64_C(1000));
	else
		login_free(login);
	admin_later_end(request, status);
}

/* ---- its steps -------------------------------------------------------------
 */

static void
steps_run(struct login *login, int code)
{
	for (;; code = login_steps[login->step].ask(login)) {
		if (code == LOGIN_NEXT) {
			login->step++;
			login->i = 0;
		} else if (code == LOGIN_AGAIN) {
			login->i++;
		} else {
			break;
		}
	}
	if (code != LOGIN_ASKED) {
		login_end(login, code);
		return;
	}
	const uint64_t now = now_ms(), step = LOGIN_STEP_S * UINT64_C(1000);
	const uint64_t left = login->until > now ? login->until - now : 0;
	/* A code is good once: an answer that is late is waited for. */
	timer_set(login,
	    left < step || login->step == LOGIN_STEP_FINISH ? left : step);
}

void
login_told(void *arg, uint32_t number, const struct egress_answer *answer)
{
	struct login *login = arg;

	(void)number;
	login->ask = 0;
	steps_run(login, login_steps[login->step].hear(login, answer));
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	static const struct egress_answer silence = { .end =
							  WIRE_EGRESS_TIMEOUT,
		.text = "there was no answer in time" };
	struct login *login = arg;

	(void)fd;
	(void)what;
	if (login->request == NULL) {
		login_free(login); /* its person did not come back */
		return;
	}
	if (login->is_due) {
		login->is_due = false;
		steps_run(login, login_steps[login->step].ask(login));
		return;
	}
	egress_ask_forget(login->store, login->ask);
	login->ask = 0;
	if (now_ms() < login->until) {
		login_told(login, 0, &silence);
		return;
	}
	login_end(login,
	    refuse(login->request, 504,
		"within %d s there was no end to it: it waited for %s%s",
		LOGIN_FLOW_S, login_steps[login->step].what,
		login->store->egress == NULL
		    ? ", and there is no egress; look into the log"
		    : ""));
}

void
login_run(struct login *login, struct request *later)
{
	login->request = later;
	login->until = now_ms() + LOGIN_FLOW_S * UINT64_C(1000);
	login->is_due = true;
	timer_set(login, 0);
}

/* ---- how many --------------------------------------------------------------
 */

struct counted {
	unsigned all, asking, own, own_asking;
	struct login *oldest; /* of this tenant's that only wait */
};

static void
login_count(struct counted *counted, struct login *login, uint32_t tenant)
{
	const bool is_asking = login->request != NULL;
	const bool is_own = login->tenant == tenant;

	counted->all++;
	counted->asking += is_asking;
	counted->own += is_own;
	counted->own_asking += is_own && is_asking;
	if (is_own && !is_asking &&
	    (counted->oldest == NULL ||
		login->number < counted->oldest->number))
		counted->oldest = login;
}

/* Of requests that wait; then of sign-ins at all, of which those that nobody
 * may come back to give way to the tenant's next. */
static int
room_make(struct request *request)
{
	struct logins *logins = request->store->logins;
	struct counted counted = { .all = 0 };
	struct login *login;

	LIST_FOREACH (login, &logins->flows, link)
		login_count(&counted, login, request->tenant.id);
	if (counted.asking >= LOGINS_ASKING_MAX ||
	    counted.own_asking >= LOGINS_TENANT_ASKING_MAX)
		return refuse(request, 503,
		    "%u sign-ins are being asked for right now, which is all "
		    "there may be at once: try again in a moment",
		    counted.asking >= LOGINS_ASKING_MAX
			? LOGINS_ASKING_MAX
			: LOGINS_TENANT_ASKING_MAX);
	if (counted.own < LOGINS_TENANT_MAX && counted.all < LOGINS_MAX)
		return 0;
	if (counted.oldest == NULL)
		return refuse(request, 503,
		    "%u sign-ins wait for their person, which is all there may "
		    "be: try again in %d minutes",
		    LOGINS_MAX, LOGIN_WAIT_S / 60);
	login_free(counted.oldest);
	return 0;
}

int
login_new(struct request *request, struct login **loginp)
{
	struct store *store = request->store;

	const int status = room_make(request);
	if (status != 0)
		return status;
	struct login *login = sodium_malloc(sizeof(*login));
	if (login == NULL)
		return -ENOMEM;
	memset(login, 0, sizeof(*login));
	login->timer = evtimer_new(store->base, on_timer, login);
	if (login->timer == NULL) {
		sodium_free(login);
		return -ENOMEM;
	}
	login->store = store;
	login->tenant = request->tenant.id;
	login->number = ++store->logins->n_flows;
	LIST_INSERT_HEAD(&store->logins->flows, login, link);
	*loginp = login;
	return 0;
}

/* ---- coming back -----------------------------------------------------------
 */

struct login *
login_claim(struct store *store, uint32_t tenant, const char *raw_state)
{
	struct login *login, *found = NULL;
	char padded[OAUTH_STATE_MAX] = "";

	/* One that is longer is none of ours. */
	if (strlen(raw_state) < sizeof(padded))
		strcpy(padded, raw_state);
	LIST_FOREACH (login, &store->logins->flows, link) {
		const bool waits = login->tenant == tenant &&
		    login->request == NULL && login->state[0] != '\0';
		if (waits &&
		    sodium_memcmp(login->state, padded, sizeof(padded)) == 0)
			found = login;
	}
	if (found != NULL) {
		sodium_memzero(found->state, sizeof(found->state));
		event_del(found->timer);
	}
	return found;
}

int
login_check(struct request *request, const struct login *login)
{
	struct wire_token token;
	struct db_server server;

	int code = db_server_get(request->store->db, login->server, &server);
	if (code < 0)
		return code;
	if (code == DB_E_NONE)
		return refuse(request, 409,
		    "the server '%s' was removed in the meantime",
		    login->server_name);
	if (server.record.state != WIRE_STATE_APPROVED ||
	    strcmp(server.record.launch.url, login->url) != 0)
		return refuse(request, 409,
		    "the server '%s' was changed in the meantime: approve it, "
		    "and sign in again",
		    login->server_name);
	if (login->principal == 0)
		return 0;
	code = db_token_get(request->store->db, login->principal, &token);
	if (code < 0)
		return code;
	return code == 0 && token.tenant == login->tenant
	    ? 0
	    : refuse(request, 409,
		  "the token that this sign-in is for was removed in the "
		  "meantime");
}
