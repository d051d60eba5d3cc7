/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a policy is in memory: lists of words as they were written, and single
 * values. Nothing in it has looked at a file yet; resolve.h does.
 */

#include "policy/network.h"
#include "policy/policy.h"

#define POLICY_WORDS_MAX 4096u /* of one list */
#define POLICY_VALUE_MAX 65536u /* bytes of one word */

enum policy_list {
	POLICY_ALLOW_READ,
	POLICY_ALLOW_WRITE,
	POLICY_ALLOW_GUARDED, /* writable; its dotfiles and hooks are not */
	POLICY_DENY_READ,
	POLICY_DENY_WRITE,
	POLICY_ALLOWED_DOMAINS,
	POLICY_DENIED_DOMAINS,
	POLICY_RULES, /* "URL" or "URL METHOD,METHOD" */
	POLICY_ENV, /* "NAME=value"; "NAME": passed on */
	POLICY_SECRETS,
	POLICY_PROFILES,
	POLICY_REMARKS,
	POLICY_FOUND, /* no list: readable where nothing else is said */
	POLICY_LISTS,
};

struct policy_word {
	char *text; /* owned */
	bool is_srt; /* of srt's settings: a path that may be missing */
};

struct policy_words {
	struct policy_word *at;
	size_t n;
	size_t capacity;
};

struct policy {
	struct policy_words lists[POLICY_LISTS];
	struct box_limits limits;
	uint32_t flags; /* BOX_UNIX_SOCKETS */
	enum box_notes notes;
	struct addr_budget budget;
	bool may_loopback; /* its rules may name ports of this machine */
};

#define POLICY_NOTES_DEFAULT BOX_NOTES_FILES

/* Appends a copy. -ENOMEM; -E2BIG: POLICY_WORDS_MAX. */
int policy_words_add(struct policy_words *words, const char *text, bool is_srt);
/* Appends and owns the text, on failure too; NULL: -ENOMEM. */
int policy_words_take(struct policy_words *words, char *text, bool is_srt);
bool policy_words_has(const struct policy_words *words, const char *text);
void policy_words_fini(struct policy_words *words);

/* Adds what is not there yet. */
int policy_list_add(struct policy *policy, enum policy_list list,
    const char *text, bool is_srt);

/* A name is [A-Za-z_][A-Za-z0-9_]*, `len` bytes. */
bool policy_name_is_valid(const char *name, size_t len);

/* Whether a word of an allow or a deny list is one; -EINVAL and a sentence's
 * end. */
int policy_domain_check(const struct policy *policy, const char *text,
    bool is_deny, struct err *err);
/* Adds a rule with methods (enum addr_method; 0: each). -EINVAL and a
 * sentence's end. */
int policy_rule_word(
    struct policy *policy, const char *url, uint8_t methods, struct err *err);
/* Whether it asks for a way out at all. */
bool policy_has_network(const struct policy *policy);

/* What box/spec.h has of a network. */
struct policy_ports {
	uint16_t ports[BOX_PORTS_MAX];
	uint32_t addresses[BOX_PORTS_MAX];
	uint32_t n_ports;
	uint32_t n_addresses;
};

int policy_ports_make(
    const struct policy *policy, struct policy_ports *ports, struct err *err);

/* "none", "calls", …, in the order of enum box_notes; NULL past the last. */
const char *policy_denials_name(size_t i);
