/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs in egress: puts secrets into a request that policy has let pass.
 *
 *   a secret is put in where scheme (https), host, port and principal are the
 *   ones that it is bound to; of two for the same place the principal's own
 *
 *   taken out of what the caller sent:
 *     always                               Proxy-Authorization
 *     where any secret of the server is    Authorization, Cookie, and the
 *     bound to the host, whatever the      headers of those secrets
 *     scheme, port and principal are       (a key of the caller's own would
 *                                          carry data to its own account)
 *                                          and Range, If-Range: in pieces
 *                                          nothing could be found (servers may
 *                                          ignore them, so callers cope)
 *     where one is put in                  its query member
 *
 *   a placeholder passes in one place: the header that its secret is put into,
 *   where it stands for the value ("token cordon-secret-X"); in each other
 *   header and in the URL it is refused
 *
 * "Header" means its name in every spelling: any case, '_' for '-'. A name that
 * is no token (RFC 9110), with a space at its end say, is refused.
 */

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "egress/egress.h"

#define BASIC_MAX                                                              \
	sodium_base64_ENCODED_LEN(                                             \
	    WIRE_SECRET_VALUE_MAX, sodium_base64_VARIANT_ORIGINAL)

/* Text that grows, wiped where it lay. */
struct text {
	char *bytes;
	size_t len;
	size_t size;
	bool is_bad; /* out of memory */
};

/* What applies to one request. */
struct putting {
	const struct server *server;
	const struct addr_url *url;
	uint32_t principal;
	/* put in */
	const struct wire_egress_secret *in[WIRE_SERVER_SECRETS_MAX];
	size_t n_in;
	bool is_bound; /* the host is some secret's */
	struct err *err;
};

struct header {
	const char *name;
	const char *value;
};

/* ---- text -----------------------------------------------------------------
 */

static void
text_fini(struct text *text)
{
	if (text->bytes != NULL)
		sodium_memzero(text->bytes, text->size);
	free(text->bytes);
	*text = (struct text){ .bytes = NULL };
}

/* Like realloc(), but leaves nothing behind. */
static bool
text_grow(struct text *text, size_t more)
{
	if (text->size - text->len >= more)
		return true;
	const size_t size = (text->len + more) * 2;
	char *bytes = malloc(size);
	if (bytes == NULL) {
		text->is_bad = true;
		return false;
	}
	if (text->len > 0)
		memcpy(bytes, text->bytes, text->len);
	const size_t len = text->len;
	text_fini(text);
	*text = (struct text){ .bytes = bytes, .len = len, .size = size };
	return true;
}

static void
text_add(struct text *text, const void *bytes, size_t len)
{
	if (text->is_bad || !text_grow(text, len) || len == 0)
		return;
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

static void
text_put(struct text *text, const char *string)
{
	text_add(text, string, strlen(string));
}

static void
percent_put(struct text *text, const uint8_t *bytes, size_t len)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (size_t i = 0; i < len; i++) {
		char spelt[4];
		if (memchr(safe, bytes[i], sizeof(safe) - 1) != NULL) {
			text_add(text, bytes + i, 1);
			continue;
		}
		snprintf(spelt, sizeof(spelt), "%%%02X", bytes[i]);
		text_put(text, spelt);
	}
}

/* ---- headers --------------------------------------------------------------
 */

/* Servers that hand headers on as variables (CGI) tell '_' and '-' not apart.
 */
static bool
names_agree(const char *a, const char *b)
{
	for (;; a++, b++) {
		const char x = *a == '_' ? '-' : *a;
		const char y = *b == '_' ? '-' : *b;
		const bool same = x == y ||
		    ((x | 0x20) == (y | 0x20) && (x | 0x20) >= 'a' &&
			(x | 0x20) <= 'z');
		if (!same)
			return false;
		if (x == '\0')
			return true;
	}
}

static bool
name_is_token(const char *name)
{
	return *name != '\0' &&
	    strspn(name,
		"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz") == strlen(name);
}

/* The next one, or false: none, or what is no header. */
static bool
header_next(const char **at, const char *end, struct header *header)
{
	const char *name_end = memchr(*at, '\0', (size_t)(end - *at));
	if (name_end == NULL)
		return false;
	const char *value_end =
	    memchr(name_end + 1, '\0', (size_t)(end - name_end - 1));
	if (value_end == NULL)
		return false;
	*header = (struct header){ *at, name_end + 1 };
	*at = value_end + 1;
	return true;
}

static const char *
field_of(const struct wire_egress_secret *secret)
{
	return secret->kind == WIRE_SECRET_BASIC ? "authorization"
						 : secret->field;
}

static bool
is_header(const struct wire_egress_secret *secret)
{
	return secret->kind != WIRE_SECRET_QUERY;
}

/* ---- which secrets --------------------------------------------------------
 */

static bool
is_of_host(const struct wire_egress_secret *secret, const struct addr_url *url)
{
	return strcmp(secret->host, url->host.text) == 0;
}

static bool
same_place(
    const struct wire_egress_secret *a, const struct wire_egress_secret *b)
{
	if (is_header(a) != is_header(b))
		return false;
	return is_header(a) ? names_agree(field_of(a), field_of(b))
			    : strcmp(a->field, b->field) == 0;
}

/* A principal's own comes before everybody's. */
static void
secret_choose(struct putting *putting, const struct wire_egress_secret *secret)
{
	for (size_t i = 0; i < putting->n_in; i++)
		if (same_place(putting->in[i], secret)) {
			if (putting->in[i]->principal == 0)
				putting->in[i] = secret;
			return;
		}
	if (putting->n_in < ARRAY_LEN(putting->in))
		putting->in[putting->n_in++] = secret;
}

static bool
is_login(const struct wire_egress_secret *secret)
{
	return strcmp(secret->name, WIRE_LOGIN_SECRET) == 0;
}

/* There is one, but not its value: nothing else goes in its place, since that
 * would be somebody else's. */
static enum wire_egress_end
secret_miss(
    const struct putting *putting, const struct wire_egress_secret *secret)
{
	if (is_login(secret))
		err_set(putting->err, 0,
		    "the token of the sign-in to %s is good no more; 'cordon "
		    "upstream logins' says why; or sign in again: cordon "
		    "upstream login %s%s",
		    putting->url->host.text, putting->server->head.name,
		    secret->principal != 0 ? " --principal TOKEN" : "");
	else
		err_set(putting->err, 0,
		    "the secret '%s' for %s cannot be opened: it was sealed "
		    "with a vault key that this host does not have",
		    secret->name, putting->url->host.text);
	return WIRE_EGRESS_SECRET;
}

static enum wire_egress_end
secrets_choose(struct putting *putting)
{
	const uint32_t principal = putting->principal;
	const struct server *server = putting->server;
	const struct addr_url *url = putting->url;

	for (uint32_t i = 0; i < server->head.n_secrets; i++) {
		const struct wire_egress_secret *secret = &server->secrets[i];
		if (!is_of_host(secret, url))
			continue;
		putting->is_bound = true;
		if (url->scheme == ADDR_HTTPS && secret->port == url->port &&
		    (secret->principal == 0 || secret->principal == principal))
			secret_choose(putting, secret);
	}
	for (size_t i = 0; i < putting->n_in; i++)
		if (putting->in[i]->value_len == 0)
			return secret_miss(putting, putting->in[i]);
	return WIRE_EGRESS_OK;
}

static bool
is_stripped(const struct putting *putting, const char *name)
{
	const struct server *server = putting->server;

	if (names_agree(name, "proxy-authorization"))
		return true;
	if (!putting->is_bound)
		return false;
	if (names_agree(name, "authorization") || names_agree(name, "cookie"))
		return true;
	if (names_agree(name, "range") || names_agree(name, "if-range") ||
	    names_agree(name, "request-range")) /* Apache's other name */
		return true;
	for (uint32_t i = 0; i < server->head.n_secrets; i++)
		if (is_of_host(&server->secrets[i], putting->url) &&
		    is_header(&server->secrets[i]) &&
		    names_agree(name, field_of(&server->secrets[i])))
			return true;
	return false;
}

/* ---- placeholders ---------------------------------------------------------
 */

static enum wire_egress_end
placeholder_refuse(
    const struct putting *putting, const char *name, int len, const char *where)
{
	const struct addr_url *url = putting->url;

	for (uint32_t i = 0; i < putting->server->head.n_secrets; i++) {
		const struct wire_egress_secret *secret =
		    &putting->server->secrets[i];
		if (strncmp(secret->name, name, (size_t)len) != 0 ||
		    secret->name[len] != '\0')
			continue;
		err_set(putting->err, 0,
		    "the placeholder of the secret '%s' stands in %s towards "
		    "%s://%s:%u; it goes to https://%s:%u only, in %s '%s'",
		    secret->name, where,
		    url->scheme == ADDR_HTTPS ? "https" : "http",
		    url->host.text, url->port, secret->host, secret->port,
		    is_header(secret) ? "the header" : "the query member",
		    field_of(secret));
		return WIRE_EGRESS_SECRET;
	}
	err_set(putting->err, 0,
	    "%s has a placeholder of the secret '%.*s', and the server has "
	    "none of that name: 'cordon secret set %.*s --for SERVER --host "
	    "%s' puts it in",
	    where, len, name, len, name, url->host.text);
	return WIRE_EGRESS_SECRET;
}

/* The next placeholder's name; NULL: there is none (any more). */
static const char *
placeholder_find(const char *text, size_t len, int *name_len)
{
	const size_t prefix = strlen(SECRET_PLACEHOLDER);
	const char *end = text + len, *found;

	while ((found = memmem(text, (size_t)(end - text), SECRET_PLACEHOLDER,
		    prefix)) != NULL) {
		text = found + prefix;
		const size_t span =
		    secret_name_span(text, (size_t)(end - text));
		*name_len =
		    span < SECRET_NAME_MAX ? (int)span : SECRET_NAME_MAX - 1;
		if (span > 0)
			return text;
	}
	return NULL;
}

static int
hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* As the origin will read it; the URL was checked to have its digits. */
static size_t
percent_decode(const char *text, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '%' && i + 2 < len && hex_of(text[i + 1]) >= 0 &&
		    hex_of(text[i + 2]) >= 0) {
			out[n++] = (char)(hex_of(text[i + 1]) << 4 |
			    hex_of(text[i + 2]));
			i += 2;
		} else {
			out[n++] = text[i] == '+' ? ' ' : text[i];
		}
	}
	return n;
}

static enum wire_egress_end
url_check(const struct putting *putting, const char *url)
{
	char decoded[ADDR_URL_MAX];
	int len = 0;

	const size_t n =
	    percent_decode(url, strnlen(url, sizeof(decoded) - 1), decoded);
	const char *name = placeholder_find(decoded, n, &len);
	return name == NULL ? WIRE_EGRESS_OK
			    : placeholder_refuse(putting, name, len, "the URL");
}

/* The secret that this header is replaced by, NULL: none. */
static const struct wire_egress_secret *
header_secret(const struct putting *putting, const char *name)
{
	for (size_t i = 0; i < putting->n_in; i++)
		if (is_header(putting->in[i]) &&
		    names_agree(name, field_of(putting->in[i])))
			return putting->in[i];
	return NULL;
}

static enum wire_egress_end
header_check(const struct putting *putting, const struct header *header)
{
	const struct wire_egress_secret *secret =
	    header_secret(putting, header->name);
	char where[96];
	int len = 0;

	if (!name_is_token(header->name)) {
		err_set(putting->err, 0, "a header's name is no token");
		return WIRE_EGRESS_BAD;
	}
	if (strpbrk(header->value, "\r\n") != NULL) {
		err_set(putting->err, 0, "the header '%.60s' holds a line end",
		    header->name);
		return WIRE_EGRESS_BAD;
	}
	snprintf(where, sizeof(where), "the header '%.60s'", header->name);
	const char *name =
	    placeholder_find(header->name, strlen(header->name), &len);
	const char *rest = header->value;
	while (name == NULL) {
		name = placeholder_find(rest, strlen(rest), &len);
		if (name == NULL)
			return WIRE_EGRESS_OK;
		const bool is_its = secret != NULL &&
		    strncmp(name, secret->name, (size_t)len) == 0 &&
		    secret->name[len] == '\0';
		if (!is_its)
			break;
		rest = name + len;
		name = NULL;
	}
	return placeholder_refuse(putting, name, len, where);
}

/* ---- putting in -----------------------------------------------------------
 */

/* The template with the value, or what the caller wrote around its placeholder.
 */
static void
value_put(struct text *out, const struct wire_egress_secret *secret,
    const char *raw_value)
{
	char placeholder[SECRET_PLACEHOLDER_MAX];
	const char *form = secret->template_, *mark = "{}", *at;

	secret_placeholder_put(secret->name, placeholder);
	if (raw_value != NULL && strstr(raw_value, placeholder) != NULL) {
		form = raw_value;
		mark = placeholder;
	}
	while ((at = strstr(form, mark)) != NULL) {
		text_add(out, form, (size_t)(at - form));
		text_add(out, secret->value, secret->value_len);
		form = at + strlen(mark);
	}
	text_put(out, form);
}

static void
basic_put(struct text *out, const struct wire_egress_secret *secret)
{
	char text[BASIC_MAX];

	text_put(out, "Basic ");
	text_put(out,
	    sodium_bin2base64(text, sizeof(text), secret->value,
		secret->value_len, sodium_base64_VARIANT_ORIGINAL));
	sodium_memzero(text, sizeof(text));
}

/* What the caller sent of this header, if a placeholder stands in it. */
static const char *
caller_value(
    const struct wire_egress_secret *secret, const char *headers, size_t len)
{
	const char *at = headers, *end = headers + len;
	char placeholder[SECRET_PLACEHOLDER_MAX];
	struct header header;

	secret_placeholder_put(secret->name, placeholder);
	while (header_next(&at, end, &header))
		if (names_agree(header.name, field_of(secret)) &&
		    strstr(header.value, placeholder) != NULL)
			return header.value;
	return NULL;
}

static enum wire_egress_end
headers_put(const struct putting *putting, const char *headers, size_t len,
    struct text *out)
{
	const char *at = headers, *end = headers + len;
	struct header header;

	(void)text_grow(out, 1); /* never NULL, even if there are none */
	while (header_next(&at, end, &header)) {
		const enum wire_egress_end code =
		    header_check(putting, &header);
		if (code != WIRE_EGRESS_OK)
			return code;
		if (!is_stripped(putting, header.name))
			text_add(out, header.name, (size_t)(at - header.name));
	}
	if (at != end) {
		err_set(putting->err, 0, "the headers are cut off");
		return WIRE_EGRESS_BAD;
	}
	for (size_t i = 0; i < putting->n_in; i++) {
		const struct wire_egress_secret *secret = putting->in[i];
		if (!is_header(secret))
			continue;
		text_add(out, field_of(secret), strlen(field_of(secret)) + 1);
		if (secret->kind == WIRE_SECRET_BASIC)
			basic_put(out, secret);
		else
			value_put(
			    out, secret, caller_value(secret, headers, len));
		text_add(out, "", 1);
	}
	return WIRE_EGRESS_OK;
}

/* Whether a member of a query is one that a secret takes the place of. */
static bool
member_is_replaced(
    const struct putting *putting, const char *member, size_t len)
{
	char name[ADDR_URL_MAX];
	const char *equals = memchr(member, '=', len);

	const size_t n = percent_decode(
	    member, equals != NULL ? (size_t)(equals - member) : len, name);
	for (size_t i = 0; i < putting->n_in; i++) {
		const char *field = putting->in[i]->field;
		if (!is_header(putting->in[i]) && strlen(field) == n &&
		    memcmp(field, name, n) == 0)
			return true;
	}
	return false;
}

/* The URL without those members. Some servers take ';' for '&'. */
static void
query_strip(const struct putting *putting, struct text *out)
{
	const struct addr_url *url = putting->url;
	const char *at = url->target + url->path_len;
	bool is_first = true;

	text_add(out, url->text, (size_t)(at - url->text));
	while (*at != '\0') { /* at '?' or what parts members */
		const size_t len = 1 + strcspn(at + 1, "&;");
		if (!member_is_replaced(putting, at + 1, len - 1)) {
			text_add(out, is_first ? "?" : at, 1);
			text_add(out, at + 1, len - 1);
			is_first = false;
		}
		at += len;
	}
}

static void
query_put(const struct putting *putting, struct text *out)
{
	for (size_t i = 0; i < putting->n_in; i++) {
		const struct wire_egress_secret *secret = putting->in[i];
		if (is_header(secret))
			continue;
		const bool has_query =
		    out->len > 0 && memchr(out->bytes, '?', out->len) != NULL;
		text_put(out, has_query ? "&" : "?");
		percent_put(
		    out, (const uint8_t *)secret->field, strlen(secret->field));
		text_put(out, "=");
		percent_put(out, secret->value, secret->value_len);
	}
}

static enum wire_egress_end
url_put(const struct putting *putting, struct text *out)
{
	query_strip(putting, out);
	text_add(out, "", 1);
	if (out->is_bad)
		return WIRE_EGRESS_INTERNAL;
	out->len--;
	const enum wire_egress_end code = url_check(putting, out->bytes);
	if (code != WIRE_EGRESS_OK)
		return code;
	query_put(putting, out);
	text_add(out, "", 1);
	return WIRE_EGRESS_OK;
}

/* None of this principal's requests has carried one; but a host may show what
 * others sent. Of those there may be hundreds, and each that is searched for
 * costs every answer some more: so all are, or, where there are more than this,
 * none. */
#define OTHERS_SEARCHED_MAX 16u

static bool
is_anothers_login(
    const struct putting *putting, const struct wire_egress_secret *secret)
{
	return is_login(secret) && secret->principal != 0 &&
	    secret->principal != putting->principal;
}

/* What the host may know, whoever's it is, is taken out of its answers. */
static struct scrub *
host_scrub(const struct putting *putting)
{
	const struct wire_egress_secret *searched[WIRE_SERVER_SECRETS_MAX];
	const struct server *server = putting->server;
	size_t n = 0, n_others = 0;

	for (uint32_t i = 0; i < server->head.n_secrets; i++)
		n_others += is_of_host(&server->secrets[i], putting->url) &&
		    is_anothers_login(putting, &server->secrets[i]);
	for (uint32_t i = 0; i < server->head.n_secrets; i++)
		if (is_of_host(&server->secrets[i], putting->url) &&
		    (n_others <= OTHERS_SEARCHED_MAX ||
			!is_anothers_login(putting, &server->secrets[i])))
			searched[n++] = &server->secrets[i];
	return scrub_new(searched, n);
}

/* Wiped, where it does not become the caller's. */
static enum wire_egress_end
putting_run(const struct putting *putting, const char *headers, size_t len,
    struct text *out_headers, struct text *out_url)
{
	enum wire_egress_end code =
	    headers_put(putting, headers, len, out_headers);

	if (code == WIRE_EGRESS_OK)
		code = url_put(putting, out_url);
	if (code == WIRE_EGRESS_OK && (out_headers->is_bad || out_url->is_bad))
		code = WIRE_EGRESS_INTERNAL;
	return code;
}

enum wire_egress_end
secrets_put(const struct server *server, uint32_t principal,
    const struct addr_url *url, const char *headers, size_t headers_len,
    struct secrets_put *put, struct err *err)
{
	struct putting putting = {
		.server = server, .url = url, .principal = principal, .err = err
	};
	struct text out_headers = { .len = 0 }, out_url = { .len = 0 };
	struct scrub *scrub = NULL;

	enum wire_egress_end code = secrets_choose(&putting);
	if (code == WIRE_EGRESS_OK)
		code = putting_run(
		    &putting, headers, headers_len, &out_headers, &out_url);
	/* Of what went to the host by one way, it may tell by another. */
	if (code == WIRE_EGRESS_OK && putting.is_bound) {
		scrub = host_scrub(&putting);
		if (scrub == NULL)
			code = WIRE_EGRESS_INTERNAL;
	}
	if (code != WIRE_EGRESS_OK) {
		if (code == WIRE_EGRESS_INTERNAL)
			err_set(err, 0, "out of memory");
		text_fini(&out_headers);
		text_fini(&out_url);
		return code;
	}
	*put = (struct secrets_put){ .headers = out_headers.bytes,
		.headers_len = out_headers.len,
		.credential = header_secret(&putting, "authorization"),
		.scrub = scrub };
	if (out_url.len != strlen(url->text) + 1 ||
	    memcmp(out_url.bytes, url->text, out_url.len) != 0)
		put->url = steal_ptr(&out_url.bytes);
	text_fini(&out_url);
	return WIRE_EGRESS_OK;
}

void
secrets_put_fini(struct secrets_put *put)
{
	if (put->headers != NULL)
		sodium_memzero(put->headers, put->headers_len);
	if (put->url != NULL)
		sodium_memzero(put->url, strlen(put->url));
	free(put->headers);
	free(put->url);
	scrub_free(put->scrub);
	*put = (struct secrets_put){ .headers = NULL };
}
