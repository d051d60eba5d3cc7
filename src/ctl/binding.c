/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/binding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "ctl/core.h"
#include "vault/vault.h"

#define HTTPS_PORT 443
#define WORD_MAX 512

static const char how[] = "--secret NAME=HOST, such as "
			  "--secret API_KEY=api.example.com";

static int
name_take(const char *word, struct wire_egress_secret *secret, struct err *err)
{
	const size_t len = strcspn(word, "=");

	if (len >= sizeof(secret->name))
		return err_set(err, -EINVAL,
		    "--secret: the name is longer than %zu bytes",
		    sizeof(secret->name) - 1);
	memcpy(secret->name, word, len);
	secret->name[len] = '\0';
	if (!secret_name_is_good(secret->name))
		return err_set(err, -EINVAL,
		    "--secret: \"%s\" is no name: letters, digits and _, of "
		    "which the first is no digit",
		    secret->name);
	return word[len] == '='
	    ? 0
	    : err_set(err, -EINVAL,
		  "--secret %s: the host that it is for is missing: %s",
		  secret->name, how);
}

/* Where it goes. */
static int
host_take(const char *text, struct wire_egress_secret *secret, struct err *err)
{
	struct err why = { "" };

	const int r = vault_place_set(secret, text, &why);
	return r == 0 ? 0
		      : err_set(err, r, "--secret %s: \"%.64s\" %s; write %s",
			    secret->name, text, why.text, how);
}

static int
field_take(const char *text, enum wire_secret_kind kind,
    struct wire_egress_secret *secret, struct err *err)
{
	const size_t len = strlen(text);

	if (len == 0 || len >= sizeof(secret->field))
		return err_set(err, -EINVAL,
		    "--secret %s: a name of 1 to %zu bytes is wanted behind "
		    "the =",
		    secret->name, sizeof(secret->field) - 1);
	memcpy(secret->field, text, len + 1);
	secret->kind = (uint16_t)kind;
	return 0;
}

/* How it is put into a request. */
static int
form_take(const char *text, struct wire_egress_secret *secret, struct err *err)
{
	if (strncmp(text, "header=", 7) == 0)
		return field_take(text + 7, WIRE_SECRET_HEADER, secret, err);
	if (strncmp(text, "query=", 6) == 0)
		return field_take(text + 6, WIRE_SECRET_QUERY, secret, err);
	if (strcmp(text, "basic") != 0)
		return err_set(err, -EINVAL,
		    "--secret %s: \"%.64s\" is neither header=NAME, "
		    "query=NAME nor basic",
		    secret->name, text);
	secret->kind = WIRE_SECRET_BASIC;
	return 0;
}

static int
form_check(const char *text, struct wire_egress_secret *secret, struct err *err)
{
	const char *complaint = vault_form_complaint(secret);

	if (complaint == NULL)
		return 0;
	/* Behind "/field: ". */
	return err_set(err, -EINVAL, "--secret %s: \"%.64s\" %s", secret->name,
	    text, complaint + strcspn(complaint, " ") + 1);
}

static int
value_take(struct wire_egress_secret *secret, struct err *err)
{
	const char *value = getenv(secret->name);
	const size_t len = value == NULL ? 0 : strlen(value);

	if (len == 0)
		return err_set(err, -ENOENT,
		    "--secret %s: the variable %s is not set here; its value "
		    "is what would be put in",
		    secret->name, secret->name);
	if (len > sizeof(secret->value))
		return err_set(err, -EINVAL,
		    "--secret %s: the value has more than %zu bytes",
		    secret->name, sizeof(secret->value));
	ctl_core_forbid();
	memcpy(secret->value, value, len);
	secret->value_len = (uint32_t)len;
	const char *complaint = vault_value_complaint(secret);
	if (complaint == NULL)
		return 0;
	explicit_bzero(secret->value, len);
	secret->value_len = 0;
	return err_set(
	    err, -EINVAL, "--secret %s: %s", secret->name, complaint);
}

static bool
leads_to(const struct addr_rule *rule, const struct wire_egress_secret *secret)
{
	const size_t len = strlen(secret->host), end = strlen(rule->host);

	if ((rule->flags & ADDR_RULE_DENY) != 0 || rule->scheme != ADDR_HTTPS ||
	    rule->port != secret->port)
		return false;
	if (!rule->is_suffix)
		return strcmp(rule->host, secret->host) == 0;
	return len > end + 1 && secret->host[len - end - 1] == '.' &&
	    strcmp(secret->host + len - end, rule->host) == 0;
}

static int
rule_check(const struct wire_egress_secret *secret,
    const struct policy_network *network, struct err *err)
{
	char port[8] = "";

	for (size_t i = 0; i < network->n_rules; i++)
		if (leads_to(&network->rules[i], secret))
			return 0;
	if (secret->port != HTTPS_PORT)
		snprintf(port, sizeof(port), ":%u", secret->port);
	return err_set(err, -ENOENT,
	    "--secret %s: no rule lets anything go to https://%s%s: add --net "
	    "https://%s%s",
	    secret->name, secret->host, port, secret->host, port);
}

int
ctl_binding_parse(const char *word, const struct policy_network *network,
    struct wire_egress_secret *secret, struct err *err)
{
	char text[WORD_MAX];

	memset(secret, 0, sizeof(*secret));
	int r = name_take(word, secret, err);
	if (r != 0)
		return r;
	const char *host = strchr(word, '=') + 1;
	const size_t len = strcspn(host, ",");
	if (strlen(host) >= sizeof(text))
		return err_set(err, -EINVAL,
		    "--secret %s: is too long; write "
		    "%s",
		    secret->name, how);
	memcpy(text, host, len);
	text[len] = '\0';
	r = host_take(text, secret, err);
	const char *form = host[len] == ',' ? host + len + 1 : "";
	if (r == 0 && host[len] == ',')
		r = form_take(form, secret, err);
	if (r == 0)
		r = form_check(form, secret, err);
	if (r == 0)
		r = rule_check(secret, network, err);
	return r == 0 ? value_take(secret, err) : r;
}
