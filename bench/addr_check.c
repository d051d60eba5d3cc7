/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the decision costs, of each request and each address, in ns: the check
 * of an address, parsing a URL, finding the rule. One line of JSON.
 *
 *     addr-check [SECONDS]
 *
 * "best" is the fastest round of many, "median" the middle one.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr/rule.h"
#include "base/auto.h"
#include "load.h"

#define ROUND 500u
#define ROUNDS_MAX 100000u

static const char *const ips[] = { "93.184.216.34", "8.8.8.8", "10.1.2.3",
	"2606:4700:4700::1111", "2a00:1450:4001:82f::200e", "fd00:ec2::254",
	"2a00::5efe:7f00:1", "::ffff:127.0.0.1" };
#define LONG_URL                                                               \
	"https://a-rather-long-name.of-a-service.region-1.example.org/v2/"     \
	"projects/group%2Fproject/repository/files/src%2Fmain.c?ref=main"
static const char *const urls[] = { "https://api.example.com/v1/users?page=2",
	"https://objects.example.net:8443/bucket/folder/file%20name.json",
	"http://[2606:4700:4700::1111]/dns-query?name=example.com", LONG_URL };

/* What a host knows: as many as a busy one has. */
static struct addr_ip own[32];
static const struct addr_prefix nat64 = { { { 0x2a, 0, 0xd, 0xb8 }, 6 }, 96 };
static struct addr_host host = {
	.own = own, .n_own = ARRAY_LEN(own), .nat64 = &nat64, .n_nat64 = 1
};
static struct addr_ip parsed[ARRAY_LEN(ips)];
static struct addr_rule rules[ADDR_RULES_MAX];
static size_t n_rules;
static struct addr_url url;
static volatile size_t sink; /* so that nothing is left out */

static void
check_ip(size_t i)
{
	sink += addr_refused(&parsed[i % ARRAY_LEN(parsed)], &host) != NULL;
}

static void
check_public(size_t i)
{
	(void)i;
	sink += addr_refused(&parsed[0], &host) != NULL;
}

static void
parse_url(size_t i)
{
	const char *text = urls[i % ARRAY_LEN(urls)];

	sink += (size_t)addr_url_parse(text, strlen(text), &url, NULL);
}

static void
find_rule(size_t i)
{
	static const char path[] = "/v1/users/42";
	const struct addr_target target = { .host = "api.example.com",
		.port = 443,
		.scheme = ADDR_HTTPS,
		.path = path,
		.path_len = sizeof(path) - 1,
		.method = ADDR_GET };
	(void)i;

	sink += addr_rules_find(rules, n_rules, &target, NULL) != NULL;
}

static void
rule_add(const char *text)
{
	struct err err = { .text = "" };
	struct addr_rule both[2];
	size_t n = 0;

	if (addr_rule_parse(text, strlen(text), 0, both, &n, &err) != 0)
		load_die("%s %s", text, err.text);
	rules[n_rules++] = both[0];
}

static void
rules_fill(size_t n)
{
	char text[64];

	n_rules = 0;
	for (size_t i = 1; i < n; i++) {
		snprintf(text, sizeof(text), "https://h%zu.example.com/v1", i);
		rule_add(text);
	}
	rule_add("https://api.example.com/v1/");
}

static int
by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
measure(const char *name, void (*step)(size_t), double seconds, bool is_last)
{
	static double rounds[ROUNDS_MAX];
	const uint64_t end = load_now_ns() + (uint64_t)(seconds * 1e9);
	size_t n = 0;

	while (n < ROUNDS_MAX && (n < 3 || load_now_ns() < end)) {
		const uint64_t started = load_now_ns();
		for (size_t i = 0; i < ROUND; i++)
			step(i);
		rounds[n++] = (double)(load_now_ns() - started) / ROUND;
	}
	qsort(rounds, n, sizeof(rounds[0]), by_size);
	printf("\"%s\":{\"median\":%.1f,\"best\":%.1f,\"rounds\":%zu}%s", name,
	    rounds[n / 2], rounds[0], n, is_last ? "}\n" : ",");
}

int
main(int argc, char **argv)
{
	const double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.5;

	for (size_t i = 0; i < ARRAY_LEN(ips); i++)
		if (!addr_ip_parse(ips[i], strlen(ips[i]), &parsed[i]))
			load_die("%s is no address", ips[i]);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		own[i] = (struct addr_ip){ { 100, 64, 0, (uint8_t)i }, 4 };

	printf("{\"unit\":\"ns\",");
	measure("addr_refused", check_ip, seconds, false);
	measure("addr_refused_public4", check_public, seconds, false);
	measure("addr_url_parse", parse_url, seconds, false);
	rules_fill(1);
	measure("addr_rules_find_1", find_rule, seconds, false);
	rules_fill(16);
	measure("addr_rules_find_16", find_rule, seconds, false);
	rules_fill(ADDR_RULES_MAX);
	measure("addr_rules_find_256", find_rule, seconds, true);
	return 0;
}
