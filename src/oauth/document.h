/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Documents of strangers, member by member. Every complaint begins with the
 * document's name and the member's; what it shows of a value is printable
 * ASCII, and cut. A member that is null counts as missing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/url.h"
#include "base/err.h"
#include "json/json.h"

#define DOCUMENT_SHOWN_MAX 128 /* with the NUL */

struct document {
	const char *name; /* "token answer" */
	struct json_want *wants; /* what was found: name and value */
	size_t n_wants;
	struct err *err;
};

/* One JSON object, no wanted member twice. */
int document_read(struct document *document, const char *raw_json, size_t len);
/* The empty span: it is missing. `name` is one of the wanted. */
struct json_span document_get(const struct document *, const char *name);

/* -EINVAL, with "NAME: \"MEMBER\" " before what is said. */
int document_refuse(const struct document *, const char *member,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

enum document_text {
	DOCUMENT_LINE, /* ASCII from ' ' to '~' (VSCHAR of RFC 6749) */
	DOCUMENT_WORD, /* without ' ' */
	DOCUMENT_SCOPE, /* scope-tokens, one space between; may be empty */
};
bool document_text_is(const char *text, enum document_text what);

/* Texts are copied, "" where the member is missing; -EINVAL also where one is
 * there and empty (but for a scope). `what` is missing if `is_needed`. */
int document_text(const struct document *, const char *member,
    enum document_text what, bool is_needed, char *text, size_t size);
/* A https URL of the outside world, canonical. */
int document_url(const struct document *, const char *member, bool is_needed,
    char *text, size_t size);
/* False where it is missing; -EINVAL: neither true nor false. */
int document_bool(const struct document *, const char *member, bool *value);
/* A number without sign, fraction and exponent; what is larger than `max` is
 * `max`. `value` stays as it is where the member is missing. */
int document_uint(
    const struct document *, const char *member, uint64_t max, uint64_t *value);
/* Whether a list of strings holds it; -EINVAL: something else. A missing list
 * is `otherwise`. */
int document_has(const struct document *, const char *member, const char *word,
    bool otherwise, bool *has);

/* https, without user, fragment or dot segments, its host no name or address of
 * what is inside. -EINVAL and a sentence's end. */
int document_url_parse(
    const char *raw_text, size_t len, struct addr_url *url, struct err *err);

/* Printable ASCII that ends no quotes: '?' for what is none. */
char document_printable(char byte);
/* A text of it, cut. */
void document_show(const char *raw_text, char shown[DOCUMENT_SHOWN_MAX]);
