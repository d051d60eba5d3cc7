/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rules: where a server may go. Everything else is denied. Written by people
 * as text, carried between processes as structs of fixed size.
 *
 *   api.example.com            https at 443 and http at 80
 *   *.example.com              every name below it, not itself
 *   db.example.com:5432        that port: https for 443 and 8443, http for 80,
 *                              8000 and 8080, else bytes (tcp)
 *   https://api.example.com    that scheme
 *   tcp://db.example.com:5432
 *   https://api.example.com/v1/    and a path that begins so, at a '/' border
 *   93.184.216.34:443          an address
 *   localhost:5432             a loopback port of the host; only `cordon wrap`
 */

#include "addr/url.h"

#define ADDR_RULES_MAX 256u
#define ADDR_PATH_MAX 256 /* with the NUL */

/* What a server may spend on what its rules allow, as it travels to egress, too;
 * 0 is the default. */
struct addr_budget {
	uint32_t requests_per_minute; /* 600 */
	uint32_t concurrent; /* 64 */
	uint32_t per_caller; /* fetches of one cell's life, redirects too: 50 */
	uint32_t reserved;
	uint64_t bytes_in; /* of one answer, decoded: 64 MiB */
	uint64_t bytes_out; /* of one request: 64 MiB */
	uint64_t bytes_per_minute; /* both ways, of the server: 1 GiB */
};

/* A method that is not in the list counts as OTHER. */
enum addr_method {
	ADDR_GET = 1,
	ADDR_HEAD = 2,
	ADDR_POST = 4,
	ADDR_PUT = 8,
	ADDR_PATCH = 16,
	ADDR_DELETE = 32,
	ADDR_OPTIONS = 64,
	ADDR_OTHER = 128,
};

#define ADDR_RULE_DENY 1u /* wins over every rule that allows */
#define ADDR_RULE_LOOPBACK 2u /* host is "localhost": 127.0.0.1 of the host */

struct addr_rule {
	char host
	    [ADDR_HOST_MAX]; /* canonical; of a suffix: what is behind "*." */
	char path[ADDR_PATH_MAX]; /* prefix from '/'; "": every path */
	uint16_t port; /* DENY: 0 is every port */
	uint8_t scheme; /* enum addr_scheme, one of them; DENY: 0 is each */
	uint8_t is_suffix;
	uint8_t methods; /* enum addr_method, several; 0: each */
	uint8_t flags; /* ADDR_RULE_… */
	uint8_t reserved[2];
};

#define ADDR_RULE_TEXT_MAX 600 /* with the NUL */

/*
 * One text becomes one or two rules (https and http). `flags`:
 * ADDR_RULE_DENY, and ADDR_RULE_LOOPBACK where "localhost:PORT" is accepted at
 * all. Hosts that are special names, and addresses that addr_refused() forbids,
 * are refused here already. Negative errno and a sentence's end.
 */
int addr_rule_parse(const char *raw_text, size_t len, unsigned int flags,
    struct addr_rule rules[2], size_t *n, struct err *err);
/* The text of a rule, as addr_rule_parse() takes it. */
void addr_rule_put(const struct addr_rule *rule, char text[ADDR_RULE_TEXT_MAX]);
/* A struct of unknown origin: whether it is one that parse could have made. */
bool addr_rule_is_good(const struct addr_rule *rule);

/* A URL of a server that is elsewhere: https, no fragment, and what a rule can
 * name. -EINVAL and a sentence's end. */
int addr_base_url_parse(
    const char *raw_text, size_t len, struct addr_url *url, struct err *err);
/* The tightest rule for a declared base URL: that scheme, host and port, the
 * URL's path and what is below it, these methods. -EINVAL and a sentence's end
 * where no rule can name it. */
int addr_rule_of_url(const struct addr_url *url, uint8_t methods,
    struct addr_rule *rule, struct err *err);

enum addr_method addr_method_of(const char *name);
/* "GET, POST" -> bits; false: a word that is no method. */
bool addr_methods_parse(const char *text, uint8_t *methods);

/* What is asked for. */
struct addr_target {
	const char *host; /* canonical */
	uint16_t port;
	uint8_t scheme; /* enum addr_scheme */
	const char *path; /* HTTP(S) whose requests are seen; else NULL: then a
			   * rule with a path or methods does not allow it */
	size_t path_len;
	uint8_t method; /* enum addr_method; 0 with path NULL */
};

/*
 * The rule that allows it; NULL: none does, and `why` says what is missing, as
 * a sentence that names the rule to add.
 */
const struct addr_rule *addr_rules_find(const struct addr_rule *rules, size_t n,
    const struct addr_target *target, struct err *why);

/* Whether any rule would let this name be dialled at all: what a DNS that knows
 * only listed names asks. */
bool addr_rules_know(const struct addr_rule *rules, size_t n, const char *host);

/* Whether requests to this host must be seen (a rule for it has a path or
 * methods), so that TLS must be ended by us. */
bool addr_rules_look_inside(
    const struct addr_rule *rules, size_t n, const char *host, uint16_t port);
