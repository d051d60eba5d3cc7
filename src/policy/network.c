/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where a program may go. The words of a policy are kept as they were written;
 * addr/rule.h says what each of them means, and refuses what may never be.
 */

#include "policy/network.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "policy/rules.h"

#define METHODS_TEXT_MAX 64

static const char *const method_names[] = { "GET", "HEAD", "POST", "PUT",
	"PATCH", "DELETE", "OPTIONS", "OTHER" };

/* ---- words ---------------------------------------------------------------- */

/* srt's: "*", "*:22". Denied, everywhere or at that port; port 0: at each. */
static bool
is_every_host(const char *text, uint16_t *port)
{
	unsigned int number = 0;
	size_t digits = 0;

	*port = 0;
	if (strcmp(text, "*") == 0)
		return true;
	if (strncmp(text, "*:", 2) != 0)
		return false;
	for (const char *c = text + 2; *c >= '0' && *c <= '9' && digits < 6;
	     c++, digits++)
		number = number * 10 + (unsigned int)(*c - '0');
	*port = (uint16_t)number;
	return digits > 0 && text[2 + digits] == '\0' && number > 0 &&
	    number <= 65535;
}

/* "8.8.8.0/24" would be a path on one address. */
static int
range_check(const struct addr_rule *rule, struct err *err)
{
	struct addr_ip ip;

	return rule->path[0] != '\0' &&
		addr_ip_parse(rule->host, strlen(rule->host), &ip)
	    ? err_set(err, -EINVAL,
		  "names a range of addresses: only single ones are told apart")
	    : 0;
}

static int
word_parse(const struct policy *policy, const char *text, bool is_deny,
    struct addr_rule rules[2], size_t *n, struct err *err)
{
	const unsigned flags = is_deny ? ADDR_RULE_DENY
	    : policy->may_loopback     ? ADDR_RULE_LOOPBACK
				       : 0;
	const int r = addr_rule_parse(text, strlen(text), flags, rules, n, err);

	return r != 0 ? r : range_check(&rules[0], err);
}

int
policy_domain_check(const struct policy *policy, const char *text, bool is_deny,
    struct err *err)
{
	struct addr_rule rules[2];
	uint16_t port;
	size_t n;

	return is_deny && is_every_host(text, &port)
	    ? 0
	    : word_parse(policy, text, is_deny, rules, &n, err);
}

int
policy_net(struct policy *policy, const char *host_port, struct err *err)
{
	struct err why = { "" };

	int r = policy_domain_check(policy, host_port, false, &why);
	if (r != 0)
		return err_set(
		    err, r, "--net: \"%.256s\" %s", host_port, why.text);
	r = policy_list_add(policy, POLICY_ALLOWED_DOMAINS, host_port, false);
	return r == 0 ? 0 : err_set(err, r, "--net: %s", strerror(-r));
}

void
policy_allow_loopback(struct policy *policy)
{
	policy->may_loopback = true;
}

/* ---- rules with methods --------------------------------------------------- */

static void
methods_put(uint8_t bits, char text[METHODS_TEXT_MAX])
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(method_names); i++)
		if ((bits & (unsigned)addr_method_of(method_names[i])) != 0)
			len +=
			    (size_t)snprintf(text + len, METHODS_TEXT_MAX - len,
				"%s%s", len > 0 ? "," : "", method_names[i]);
}

int
policy_rule_word(
    struct policy *policy, const char *url, uint8_t methods, struct err *err)
{
	char text[METHODS_TEXT_MAX];
	struct addr_rule rules[2];
	char *word = NULL;
	size_t n;

	int r = word_parse(policy, url, false, rules, &n, err);
	if (r != 0)
		return r;
	if (n != 1)
		return err_set(err, -EINVAL,
		    "has no scheme: https:// or http:// in front of it");
	if (methods != 0 && rules[0].scheme == ADDR_TCP)
		return err_set(
		    err, -EINVAL, "has methods, but bytes have none");
	methods_put(methods, text);
	if (asprintf(&word, "%s%s%s", url, methods != 0 ? " " : "", text) < 0)
		return err_set(err, -ENOMEM, "no memory");
	auto_free char *owned = word;
	r = policy_list_add(policy, POLICY_RULES, owned, false);
	return r == 0 ? 0
		      : err_set(err, r, "cannot be added: %s", strerror(-r));
}

/* ---- what it comes to ----------------------------------------------------- */

static int
rule_take(struct policy_network *network, const struct addr_rule *rule,
    struct err *err)
{
	for (size_t i = 0; i < network->n_rules; i++)
		if (memcmp(&network->rules[i], rule, sizeof(*rule)) == 0)
			return 0;
	if (network->n_rules == ADDR_RULES_MAX)
		return err_set(err, -E2BIG,
		    "network: more than %u rules; a pattern "
		    "(\"*.example.com\") "
		    "stands for many names",
		    ADDR_RULES_MAX);
	network->rules[network->n_rules++] = *rule;
	return 0;
}

static int
denials_take(const struct policy *policy, struct policy_network *network,
    struct err *err)
{
	const struct policy_words *words =
	    &policy->lists[POLICY_DENIED_DOMAINS];
	struct addr_rule rules[2];
	uint16_t port;
	size_t n;
	int r = 0;

	for (size_t i = 0; r == 0 && i < words->n; i++) {
		if (is_every_host(words->at[i].text, &port))
			continue;
		r = word_parse(policy, words->at[i].text, true, rules, &n, err);
		if (r == 0)
			r = rule_take(network, &rules[0], err);
	}
	return r;
}

/* By "*" or "*:PORT". */
static bool
is_denied_everywhere(const struct policy *policy, uint16_t at_port)
{
	const struct policy_words *words =
	    &policy->lists[POLICY_DENIED_DOMAINS];
	uint16_t port;

	for (size_t i = 0; i < words->n; i++)
		if (is_every_host(words->at[i].text, &port) &&
		    (port == 0 || port == at_port))
			return true;
	return false;
}

/* "URL" or "URL METHOD,METHOD". */
static int
word_take(const struct policy *policy, const char *word,
    struct policy_network *network, struct err *err)
{
	const size_t len = strcspn(word, " ");
	char text[ADDR_RULE_TEXT_MAX];
	struct addr_rule rules[2];
	uint8_t methods = 0;
	size_t n = 0;

	if (len >= sizeof(text) ||
	    (word[len] == ' ' && !addr_methods_parse(word + len + 1, &methods)))
		return err_set(
		    err, -EINVAL, "network: \"%.256s\" is no rule", word);
	memcpy(text, word, len);
	text[len] = '\0';
	int r = word_parse(policy, text, false, rules, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		rules[i].methods = methods;
		if (!is_denied_everywhere(policy, rules[i].port))
			r = rule_take(network, &rules[i], err);
	}
	return r;
}

int
policy_network(const struct policy *policy, struct policy_network *network,
    struct err *err)
{
	static const enum policy_list lists[] = { POLICY_ALLOWED_DOMAINS,
		POLICY_RULES };

	network->n_rules = 0;
	network->budget = policy->budget;
	if (!policy_has_network(policy))
		return 0;
	int r = denials_take(policy, network, err);
	const size_t n_denials = network->n_rules;
	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct policy_words *words = &policy->lists[lists[l]];

		for (size_t i = 0; r == 0 && i < words->n; i++)
			r = word_take(policy, words->at[i].text, network, err);
	}
	if (network->n_rules == n_denials)
		network->n_rules = 0;
	return r;
}

bool
policy_has_network(const struct policy *policy)
{
	return policy->lists[POLICY_ALLOWED_DOMAINS].n > 0 ||
	    policy->lists[POLICY_RULES].n > 0;
}

/* ---- what the box needs of it --------------------------------------------- */

static int
number_compare(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* In order, each once; the number that is left. */
static size_t
numbers_settle(uint32_t *numbers, size_t n)
{
	size_t kept = 0;

	qsort(numbers, n, sizeof(*numbers), number_compare);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || numbers[i] != numbers[kept - 1])
			numbers[kept++] = numbers[i];
	return kept;
}

static bool
numbers_have(const uint32_t *numbers, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

/* Where one port of the web is open the other is, too: who tries it is told
 * which rule is missing, by egress, instead of that nobody listens. */
static size_t
web_complete(uint32_t *ports, size_t n)
{
	const bool has_http = numbers_have(ports, n, 80);

	if (n >= BOX_PORTS_MAX || has_http == numbers_have(ports, n, 443))
		return n;
	ports[n] = has_http ? 443 : 80;
	return numbers_settle(ports, n + 1);
}

static int
ports_fill(const struct policy_network *network, struct policy_ports *ports,
    struct err *err)
{
	uint32_t at[ADDR_RULES_MAX + 1], addresses[ADDR_RULES_MAX];
	size_t n = 0, n_addresses = 0;

	for (size_t i = 0; i < network->n_rules; i++) {
		const struct addr_rule *rule = &network->rules[i];
		struct addr_ip ip;

		if ((rule->flags & ADDR_RULE_DENY) != 0)
			continue;
		at[n++] = rule->port;
		if (!rule->is_suffix &&
		    addr_ip_parse(rule->host, strlen(rule->host), &ip) &&
		    ip.version == 4)
			addresses[n_addresses++] = (uint32_t)ip.bytes[0] << 24 |
			    (uint32_t)ip.bytes[1] << 16 |
			    (uint32_t)ip.bytes[2] << 8 | ip.bytes[3];
	}
	n = web_complete(at, numbers_settle(at, n));
	n_addresses = numbers_settle(addresses, n_addresses);
	if (n > BOX_PORTS_MAX || n_addresses > BOX_PORTS_MAX)
		return err_set(err, -E2BIG,
		    "network: more than %u different %s", BOX_PORTS_MAX,
		    n > BOX_PORTS_MAX ? "ports"
				      : "addresses; names are not "
					"limited so");
	for (size_t i = 0; i < n; i++)
		ports->ports[i] = (uint16_t)at[i];
	memcpy(ports->addresses, addresses, n_addresses * sizeof(*addresses));
	ports->n_ports = (uint32_t)n;
	ports->n_addresses = (uint32_t)n_addresses;
	return 0;
}

int
policy_ports_make(
    const struct policy *policy, struct policy_ports *ports, struct err *err)
{
	ports->n_ports = ports->n_addresses = 0;
	if (!policy_has_network(policy))
		return 0;
	auto_free struct policy_network *network = malloc(sizeof(*network));
	if (network == NULL)
		return err_set(err, -ENOMEM, "no memory");
	const int r = policy_network(policy, network, err);
	return r != 0 ? r : ports_fill(network, ports, err);
}
