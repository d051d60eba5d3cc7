/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <time.h>

#include "egress/egress.h"
#include "egress/fake_dns.h"

#define PUBLIC4 "93.184.216.34"
#define PUBLIC6 "2606:4700::1111"

static const struct fake_answer answers[] = {
	{ "both.example.com", FAKE_A, .ttl = 60, .ips = { PUBLIC4 } },
	{ "both.example.com", FAKE_AAAA, .ttl = 60, .ips = { PUBLIC6 } },
	{ "v4.example.com", FAKE_A, .ttl = 60, .ips = { PUBLIC4 } },
	{ "v6.example.com", FAKE_AAAA, .ttl = 60, .ips = { PUBLIC6 } },
	{ "mixed.example.com", FAKE_A, .ttl = 60,
	    .ips = { PUBLIC4, "93.184.216.35", "10.0.0.1" } },
	{ "families.example.com", FAKE_A, .ttl = 60, .ips = { PUBLIC4 } },
	{ "families.example.com", FAKE_AAAA, .ttl = 60,
	    .ips = { PUBLIC6, "fd00::1" } },
	{ "inside6.example.com", FAKE_AAAA, .ttl = 60, .ips = { "fe80::1" } },
	{ "mapped.example.com", FAKE_AAAA, .ttl = 60,
	    .ips = { "::ffff:127.0.0.1" } },
	{ "nat64.example.com", FAKE_AAAA, .ttl = 60,
	    .ips = { "2a00:db8::7f00:1" } },
	{ "dns64.example.com", FAKE_A, .ttl = 60, .ips = { PUBLIC4 } },
	{ "dns64.example.com", FAKE_AAAA, .ttl = 60,
	    .ips = { "64:ff9b::5db8:d822" } },
	{ "only64.example.com", FAKE_AAAA, .ttl = 60,
	    .ips = { "64:ff9b::5db8:d822" } },
	{ "inner64.example.com", FAKE_A, .ttl = 60, .ips = { PUBLIC4 } },
	{ "inner64.example.com", FAKE_AAAA, .ttl = 60,
	    .ips = { "64:ff9b::a00:1" } },
	{ "metadata.example.com", FAKE_A, .ttl = 60,
	    .ips = { "169.254.169.254" } },
	{ "denied.example.com", FAKE_A, .ttl = 60, .ips = { "20.0.0.1" } },
	{ "late.example.com", FAKE_A, .ttl = 60,
	    .ips = { "93.184.216.1", "93.184.216.2", "93.184.216.3",
		"93.184.216.4", "93.184.216.5", "93.184.216.6", "93.184.216.7",
		"93.184.216.8", "93.184.216.9", "93.184.216.10",
		"93.184.216.11", "93.184.216.12", "93.184.216.13",
		"93.184.216.14", "93.184.216.15", "93.184.216.16",
		"93.184.216.17", "127.0.0.1" } },
	{ "eighteen.example.com", FAKE_A, .ttl = 60,
	    .ips = { "93.184.216.1", "93.184.216.2", "93.184.216.3",
		"93.184.216.4", "93.184.216.5", "93.184.216.6", "93.184.216.7",
		"93.184.216.8", "93.184.216.9", "93.184.216.10",
		"93.184.216.11", "93.184.216.12", "93.184.216.13",
		"93.184.216.14", "93.184.216.15", "93.184.216.16",
		"93.184.216.17", "93.184.216.18" } },
	{ "alias.example.com", FAKE_A, .ttl = 60, .cname = "cdn.example.net",
	    .ips = { PUBLIC4 } },
	{ "inward.example.com", FAKE_A, .ttl = 60,
	    .cname = "metadata.google.internal", .ips = { "192.168.0.1" } },
	{ "dangling.example.com", FAKE_A, .ttl = 60,
	    .cname = "gone.example.net" },
	{ "rebind.example.com", FAKE_A, .ttl = 0, .ips = { PUBLIC4 } },
	{ "rebind.example.com", FAKE_A, .ttl = 0, .ips = { "127.0.0.1" },
	    .from = 1 },
	{ "kept.example.com", FAKE_A, .ttl = 4000000, .ips = { PUBLIC4 } },
	{ "kept.example.com", FAKE_A, .ttl = 0, .ips = { "127.0.0.1" },
	    .from = 1 },
	{ "brief.example.com", FAKE_A, .ttl = 1, .ips = { PUBLIC4 } },
	{ "brief.example.com", FAKE_A, .ttl = 1, .ips = { "127.0.0.1" },
	    .from = 1 },
	{ "tc.example.com", FAKE_A, .trick = FAKE_TRUNCATED, .ttl = 60,
	    .ips = { PUBLIC4 } },
	{ "tcinside.example.com", FAKE_A, .trick = FAKE_TRUNCATED, .ttl = 60,
	    .ips = { PUBLIC4, "172.16.0.1" } },
	{ "many.example.com", FAKE_A, .trick = FAKE_MANY, .ttl = 60,
	    .ips = { PUBLIC4 } },
	{ "id.example.com", FAKE_A, .trick = FAKE_SPOOFED_ID, .ttl = 60,
	    .ips = { PUBLIC4 } },
	{ "name.example.com", FAKE_A, .trick = FAKE_SPOOFED_NAME, .ttl = 60,
	    .ips = { PUBLIC4 } },
	{ "empty.example.com", FAKE_A, .trick = FAKE_EMPTY, .ttl = 60,
	    .ips = { PUBLIC4 } },
	{ "loop.example.com", FAKE_A, .trick = FAKE_LOOP },
	{ "short.example.com", FAKE_A, .trick = FAKE_SHORT, .ttl = 60,
	    .ips = { PUBLIC4 } },
	{ "junk.example.com", FAKE_A, .trick = FAKE_JUNK, .ttl = 60,
	    .ips = { "127.0.0.1" } },
	{ "silent.example.com", FAKE_A, .trick = FAKE_SILENT },
	{ "silent.example.com", FAKE_AAAA, .trick = FAKE_SILENT },
	{ "half.example.com", FAKE_A, .ttl = 60, .ips = { PUBLIC4 } },
	{ "half.example.com", FAKE_AAAA, .trick = FAKE_SILENT },
	{ "none.example.com", FAKE_A, .code = 3 },
	{ "none.example.com", FAKE_AAAA, .code = 3 },
	{ "fails.example.com", FAKE_A, .code = 2 },
	{ "fails.example.com", FAKE_AAAA, .code = 2 },
	{ "refuses.example.com", FAKE_A, .code = 5 },
	{ "refuses.example.com", FAKE_AAAA, .code = 5 },
};

struct scene {
	struct event_base *base;
	struct fake_dns *dns;
	struct egress egress;
	uint32_t deployment; /* that asks */
	int waiting; /* asked, and not answered */
};

struct asked {
	struct scene *scene;
	struct resolve *resolve;
	enum wire_egress_end end;
	struct addr_ip ips[16];
	size_t n;
	char text[1024];
	unsigned n_done;
	struct asked *cancels; /* by its done() */
	const char *asks; /* by its done() */
	struct asked *asks_as;
};

static struct addr_ip
ip_of(const char *text)
{
	struct addr_ip ip;

	if (!addr_ip_parse(text, strlen(text), &ip))
		fail_msg("%s is no address", text);
	return ip;
}

static int
set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct wire_egress_settings *settings = &scene->egress.settings;

	scene->base = scene->egress.base = event_base_new();
	scene->dns = fake_dns_new(scene->base, answers, ARRAY_LEN(answers));
	settings->n_nameservers = 1;
	settings->nameservers[0].ip = ip_of("127.0.0.1");
	settings->nameservers[0].port = fake_dns_port(scene->dns);
	settings->n_nat64 = settings->n_denied = 1;
	settings->nat64[0] = (struct addr_prefix){ ip_of("2a00:db8::"), 96 };
	settings->denied[0] = (struct addr_prefix){ ip_of("20.0.0.0"), 8 };
	assert_int_equal(
	    resolver_new(&scene->egress.resolver, &scene->egress), 0);
	*state = scene;
	return 0;
}

static int
tear_down(void **state)
{
	struct scene *scene = *state;

	resolver_free(scene->egress.resolver);
	fake_dns_free(scene->dns);
	event_base_free(scene->base);
	free(scene);
	return 0;
}

static void ask(struct scene *scene, const char *name, struct asked *asked);

static void
on_done(void *arg, enum wire_egress_end end, const struct addr_ip *ips,
    size_t n, const char *text)
{
	struct asked *asked = arg;

	asked->n_done++;
	asked->end = end;
	asked->n = n;
	assert_true(n <= ARRAY_LEN(asked->ips));
	if (n > 0)
		memcpy(asked->ips, ips, n * sizeof(ips[0]));
	snprintf(asked->text, sizeof(asked->text), "%s", text);
	asked->scene->waiting--;
	if (asked->cancels != NULL && asked->cancels->n_done == 0) {
		resolve_cancel(asked->cancels->resolve);
		asked->scene->waiting--;
	}
	if (asked->asks != NULL)
		ask(asked->scene, asked->asks, asked->asks_as);
}

static void
ask(struct scene *scene, const char *name, struct asked *asked)
{
	struct addr_host_name host;
	struct err err;

	if (addr_host_parse(name, strlen(name), &host, &err) != 0)
		fail_msg("%s %s", name, err.text);
	asked->scene = scene;
	scene->waiting++;
	asked->resolve = resolve_start(
	    scene->egress.resolver, scene->deployment, &host, on_done, asked);
	assert_int_equal(asked->resolve == NULL, asked->n_done == 1);
}

/* Until everybody has an answer. */
static void
settle(struct scene *scene)
{
	while (scene->waiting > 0)
		assert_int_equal(event_base_loop(scene->base, EVLOOP_ONCE), 0);
}

static struct asked
resolve(struct scene *scene, const char *name)
{
	struct asked asked = { .n_done = 0 };

	ask(scene, name, &asked);
	settle(scene);
	assert_int_equal(asked.n_done, 1);
	if (asked.end == WIRE_EGRESS_OK)
		assert_true(asked.n > 0);
	else
		assert_true(asked.n == 0 && asked.text[0] != '\0');
	return asked;
}

static void
assert_ip(const struct asked *asked, size_t i, const char *text)
{
	char is[ADDR_IP_TEXT_MAX];

	assert_int_equal(asked->end, WIRE_EGRESS_OK);
	assert_true(i < asked->n);
	addr_ip_put(&asked->ips[i], is);
	assert_string_equal(is, text);
}

static void
answers_with_both_families(void **state)
{
	struct scene *scene = *state;
	(void)state;

	struct asked asked = resolve(scene, "both.example.com");
	assert_int_equal(asked.n, 2);
	assert_ip(&asked, 0, PUBLIC6);
	assert_ip(&asked, 1, PUBLIC4);
	asked = resolve(scene, "v4.example.com");
	assert_ip(&asked, 0, PUBLIC4);
	asked = resolve(scene, "v6.example.com");
	assert_ip(&asked, 0, PUBLIC6);
	asked = resolve(scene, "eighteen.example.com");
	assert_int_equal(asked.n, 16);
	asked = resolve(scene, "alias.example.com");
	assert_ip(&asked, 0, PUBLIC4);
	/* what a DNS64 made up is left out, not held against the name */
	asked = resolve(scene, "dns64.example.com");
	assert_int_equal(asked.n, 1);
	assert_ip(&asked, 0, PUBLIC4);
}

static void
refuses_a_set_with_one_inner_address(void **state)
{
	static const struct {
		const char *name;
		const char *says;
	} cases[] = {
		{ "mixed.example.com",
		    "10.0.0.1, which is never dialled: "
		    "private use" },
		{ "families.example.com",
		    "fd00::1, which is never dialled: "
		    "unique local" },
		{ "inside6.example.com", "link local" },
		{ "mapped.example.com", "loopback" },
		{ "nat64.example.com", "loopback" },
		{ "metadata.example.com", "cloud metadata" },
		{ "only64.example.com",
		    "64:ff9b::5db8:d822, which is never "
		    "dialled: NAT64" },
		{ "inner64.example.com", "private use" },
		{ "denied.example.com", "denied by the operator" },
		{ "late.example.com", "127.0.0.1" },
		{ "tcinside.example.com", "172.16.0.1" },
		{ "inward.example.com", "192.168.0.1" },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		/* the second time out of what is kept */
		for (int k = 0; k < 2; k++) {
			const struct asked asked =
			    resolve(scene, cases[i].name);
			assert_int_equal(asked.end, WIRE_EGRESS_ADDRESS);
			if (strstr(asked.text, cases[i].says) == NULL)
				fail_msg("%s: %s", cases[i].name, asked.text);
		}
		assert_int_equal(
		    fake_dns_asked(scene->dns, cases[i].name, FAKE_AAAA), 1);
	}
	/* the control: a look at the first address would have let it pass */
	const struct addr_ip first = ip_of(PUBLIC4);
	assert_null(egress_refuses(&scene->egress, &first));
}

static void
checks_a_name_that_moves_inside(void **state)
{
	struct scene *scene = *state;

	struct asked asked = resolve(scene, "rebind.example.com");
	assert_ip(&asked, 0, PUBLIC4);
	asked = resolve(scene, "rebind.example.com");
	assert_int_equal(asked.end, WIRE_EGRESS_ADDRESS);
	assert_non_null(strstr(asked.text, "127.0.0.1"));
	assert_int_equal(
	    fake_dns_asked(scene->dns, "rebind.example.com", FAKE_A), 2);
}

static void
keeps_an_answer_for_its_ttl(void **state)
{
	struct scene *scene = *state;
	struct asked asked;

	for (int i = 0; i < 3; i++) {
		asked = resolve(scene, "kept.example.com");
		assert_ip(&asked, 0, PUBLIC4);
	}
	assert_int_equal(
	    fake_dns_asked(scene->dns, "kept.example.com", FAKE_A), 1);

	asked = resolve(scene, "brief.example.com");
	assert_ip(&asked, 0, PUBLIC4);
	const struct timeval second = { .tv_sec = 1, .tv_usec = 10000 };
	event_base_loopexit(scene->base, &second);
	event_base_dispatch(scene->base);
	asked = resolve(scene, "brief.example.com");
	assert_int_equal(asked.end, WIRE_EGRESS_ADDRESS);
}

/* What is kept is checked as the policy is now. */
static void
checks_what_it_kept_again(void **state)
{
	struct scene *scene = *state;

	struct asked asked = resolve(scene, "v4.example.com");
	assert_ip(&asked, 0, PUBLIC4);
	scene->egress.settings.denied[0] =
	    (struct addr_prefix){ ip_of("93.0.0.0"), 8 };
	asked = resolve(scene, "v4.example.com");
	assert_int_equal(asked.end, WIRE_EGRESS_ADDRESS);
	assert_int_equal(
	    fake_dns_asked(scene->dns, "v4.example.com", FAKE_A), 1);
}

static void
asks_over_tcp_what_is_truncated(void **state)
{
	struct scene *scene = *state;

	struct asked asked = resolve(scene, "tc.example.com");
	assert_ip(&asked, 0, PUBLIC4);
	assert_int_equal(fake_dns_asked_over_tcp(scene->dns), 1);
	asked = resolve(scene, "many.example.com");
	assert_int_equal(asked.end, WIRE_EGRESS_DNS);
	assert_non_null(strstr(asked.text, "more addresses"));
	assert_int_equal(fake_dns_asked_over_tcp(scene->dns), 2);
}

static void
does_not_take_what_it_did_not_ask_for(void **state)
{
	static const char *const names[] = { "id.example.com",
		"name.example.com", "empty.example.com" };
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct asked asked = resolve(scene, names[i]);
		assert_ip(&asked, 0, PUBLIC4);
		assert_int_equal(asked.n, 1);
	}
}

static void
survives_answers_that_are_broken(void **state)
{
	static const char *const names[] = { "loop.example.com",
		"short.example.com", "dangling.example.com" };
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct asked asked = resolve(scene, names[i]);
		assert_int_equal(asked.end, WIRE_EGRESS_DNS);
	}
	/* whatever becomes of a datagram of 9000 bytes, it leads nowhere */
	const struct asked junk = resolve(scene, "junk.example.com");
	assert_int_not_equal(junk.end, WIRE_EGRESS_OK);
	const struct asked after = resolve(scene, "v4.example.com");
	assert_ip(&after, 0, PUBLIC4);
}

static void
says_why_there_is_no_address(void **state)
{
	static const struct {
		const char *name;
		const char *says;
	} cases[] = {
		{ "none.example.com", "NXDOMAIN" },
		{ "nothing.example.com", "without A and AAAA" },
		{ "fails.example.com", "SERVFAIL" },
		{ "refuses.example.com", "REFUSED" },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct asked asked = resolve(scene, cases[i].name);
		assert_int_equal(asked.end, WIRE_EGRESS_DNS);
		if (strstr(asked.text, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].name, asked.text);
	}
	/* that there is no name is kept for a moment, a failure is not */
	resolve(scene, "none.example.com");
	assert_int_equal(
	    fake_dns_asked(scene->dns, "none.example.com", FAKE_A), 1);
	const unsigned before =
	    fake_dns_asked(scene->dns, "fails.example.com", FAKE_A);
	resolve(scene, "fails.example.com");
	assert_true(
	    fake_dns_asked(scene->dns, "fails.example.com", FAKE_A) > before);
}

static void
does_not_wait_for_ever(void **state)
{
	struct scene *scene = *state;
	struct timespec start, end;

	/* one family is enough */
	struct asked asked = resolve(scene, "half.example.com");
	assert_ip(&asked, 0, PUBLIC4);

	clock_gettime(CLOCK_MONOTONIC, &start);
	asked = resolve(scene, "silent.example.com");
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_int_equal(asked.end, WIRE_EGRESS_DNS);
	assert_non_null(strstr(asked.text, "in time"));
	assert_true(end.tv_sec - start.tv_sec >= 4);
	assert_true(end.tv_sec - start.tv_sec < 60);
}

static void
asks_once_for_many(void **state)
{
	struct scene *scene = *state;
	struct asked asked[50] = { 0 }, again = { 0 };

	asked[7].cancels = &asked[3];
	asked[20].cancels = &asked[30];
	asked[9].asks = "both.example.com";
	asked[9].asks_as = &again;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		ask(scene, "both.example.com", &asked[i]);
	resolve_cancel(asked[40].resolve);
	scene->waiting--;
	settle(scene);
	assert_int_equal(fake_dns_asked(scene->dns, NULL, 0), 2);
	assert_int_equal(asked[40].n_done, 0);
	assert_int_equal(asked[30].n_done + asked[3].n_done, 1);
	assert_int_equal(again.n_done, 1);
	assert_ip(&again, 1, PUBLIC4);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		if (i != 40 && i != 30 && i != 3)
			assert_int_equal(asked[i].n_done, 1);
}

/* Nobody waits any more when the answer comes. */
static void
takes_an_answer_that_nobody_wants(void **state)
{
	struct scene *scene = *state;
	struct asked asked = { 0 };

	ask(scene, "v4.example.com", &asked);
	resolve_cancel(asked.resolve);
	scene->waiting--;
	const struct asked other = resolve(scene, "both.example.com");
	assert_int_equal(other.end, WIRE_EGRESS_OK);
	assert_int_equal(asked.n_done, 0);
}

static void
asks_nobody_for_special_names(void **state)
{
	static const char *const names[] = { "localhost", "a.localhost",
		"printer.local", "metadata.google.internal", "metadata.goog",
		"kubernetes.default.svc", "host.docker.internal", "intranet",
		"x.test", "1.0.0.127.in-addr.arpa" };
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct asked asked = resolve(scene, names[i]);
		assert_int_equal(asked.end, WIRE_EGRESS_ADDRESS);
		assert_int_equal(strncmp(asked.text, "is ", 3), 0);
	}
	assert_int_equal(fake_dns_asked(scene->dns, NULL, 0), 0);
}

static void
only_checks_an_address(void **state)
{
	struct scene *scene = *state;

	struct asked asked = resolve(scene, PUBLIC4);
	assert_ip(&asked, 0, PUBLIC4);
	asked = resolve(scene, "[" PUBLIC6 "]");
	assert_ip(&asked, 0, PUBLIC6);
	static const char *const inside[] = { "127.0.0.1", "10.1.2.3",
		"20.1.1.1", "[::1]", "[::ffff:8.8.8.8]", "[2002:808:808::1]",
		"[2a00:db8::a00:1]" };
	for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
		asked = resolve(scene, inside[i]);
		assert_int_equal(asked.end, WIRE_EGRESS_ADDRESS);
		assert_non_null(strstr(asked.text, "never dialled"));
	}
	assert_int_equal(fake_dns_asked(scene->dns, NULL, 0), 0);
}

static void
says_when_no_name_server_is_known(void **state)
{
	struct scene *scene = *state;

	scene->egress.settings.n_nameservers = 0;
	const struct asked asked = resolve(scene, "v4.example.com");
	assert_int_equal(asked.end, WIRE_EGRESS_DNS);
	assert_non_null(strstr(asked.text, "egress.nameservers"));
}

static void
numbers_its_questions_at_random(void **state)
{
	struct scene *scene = *state;
	char name[64];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "n%d.example.com", i);
		resolve(scene, name);
	}
	assert_true(fake_dns_ids_are_spread(scene->dns));
}

/* More names than are kept, asked for by many. */
static void
bounds_what_it_keeps(void **state)
{
	struct scene *scene = *state;
	static struct asked asked[1100];
	char name[64];

	memset(asked, 0, sizeof(asked));
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		snprintf(name, sizeof(name), "m%zu.example.com", i);
		scene->deployment = (uint32_t)i / 50;
		ask(scene, name, &asked[i]);
	}
	settle(scene);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		assert_int_equal(asked[i].end, WIRE_EGRESS_DNS);
		assert_null(strstr(asked[i].text, "too many"));
	}
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "more%d.example.com", i);
		resolve(scene, name);
	}
	const struct asked after = resolve(scene, "v4.example.com");
	assert_ip(&after, 0, PUBLIC4);
}

/* Nor by leaving: what was asked for is under way. */
static void
refuses_who_asks_for_too_much_and_nobody_else(void **state)
{
	struct scene *scene = *state;
	static struct asked asked[64];
	struct asked more = { 0 }, other = { 0 };
	char name[64];

	memset(asked, 0, sizeof(asked));
	scene->deployment = 7;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		snprintf(name, sizeof(name), "s%zu.example.com", i);
		ask(scene, name, &asked[i]);
		assert_non_null(asked[i].resolve);
		resolve_cancel(asked[i].resolve);
		scene->waiting--;
	}
	ask(scene, "v4.example.com", &more);
	assert_int_equal(more.end, WIRE_EGRESS_DNS);
	assert_non_null(strstr(more.text, "too many names (64)"));
	/* what is asked for already costs nothing more */
	memset(&more, 0, sizeof(more));
	ask(scene, "s1.example.com", &more);
	assert_non_null(more.resolve);

	scene->deployment = 8;
	ask(scene, "v4.example.com", &other);
	settle(scene);
	assert_ip(&other, 0, PUBLIC4);
	/* and they come to an end */
	scene->deployment = 7;
	const struct asked after = resolve(scene, "v6.example.com");
	assert_ip(&after, 0, PUBLIC6);
}

/* Freed while it waits: nobody is called. */
static void
ends_in_the_middle(void **state)
{
	struct scene *scene = *state;
	static struct asked asked[3];

	memset(asked, 0, sizeof(asked));
	ask(scene, "both.example.com", &asked[0]);
	ask(scene, "silent.example.com", &asked[1]);
	event_base_loop(scene->base, EVLOOP_ONCE);
	ask(scene, "tc.example.com", &asked[2]);
	assert_int_equal(asked[1].n_done, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(answers_with_both_families),
		TEST(refuses_a_set_with_one_inner_address),
		TEST(checks_a_name_that_moves_inside),
		TEST(keeps_an_answer_for_its_ttl),
		TEST(checks_what_it_kept_again),
		TEST(asks_over_tcp_what_is_truncated),
		TEST(does_not_take_what_it_did_not_ask_for),
		TEST(survives_answers_that_are_broken),
		TEST(says_why_there_is_no_address),
		TEST(does_not_wait_for_ever),
		TEST(asks_once_for_many),
		TEST(takes_an_answer_that_nobody_wants),
		TEST(asks_nobody_for_special_names),
		TEST(only_checks_an_address),
		TEST(says_when_no_name_server_is_known),
		TEST(numbers_its_questions_at_random),
		TEST(bounds_what_it_keeps),
		TEST(refuses_who_asks_for_too_much_and_nobody_else),
		TEST(ends_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
