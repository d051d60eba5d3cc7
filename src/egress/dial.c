/* SPDX-License-Identifier: Apache-2.0
 *
 * One hop: a rule that allows it, addresses that may be dialled, a connection to
 * one of them.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "egress/fetch.h"

#define CONNECT_MS 10000L
#define ADDRESSES_MAX 16

static void
address_blame(struct fetch *fetch, const struct addr_ip *ip,
    const struct addr_range *range)
{
	char text[ADDR_IP_TEXT_MAX];

	addr_ip_put(ip, text);
	fetch_blame(fetch, WIRE_EGRESS_ADDRESS,
	    "%.200s is at %s, which nothing may dial: %s (%s)",
	    fetch->url.host.text, text, range->name, range->source);
}

/* Every address was checked when it was resolved; this is the last look, at
 * what is really dialled. */
static curl_socket_t
on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct fetch *fetch = arg;
	struct addr_ip ip;

	if (purpose != CURLSOCKTYPE_IPCXN || !addr_ip_from(&address->addr, &ip))
		return CURL_SOCKET_BAD;
	const struct addr_range *range = egress_refuses(fetch->egress, &ip);
	if (range != NULL) {
		address_blame(fetch, &ip, range);
		return CURL_SOCKET_BAD;
	}
	return socket(address->family,
	    address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    address->protocol);
}

/* Before the request goes out, on a connection that is new or used again. */
static int
on_connected(void *arg, char *peer, char *own, int peer_port, int own_port)
{
	struct fetch *fetch = arg;
	struct addr_ip ip;

	(void)own;
	(void)own_port;
	fetch_moved(fetch);
	if (!addr_ip_parse(peer, strlen(peer), &ip) ||
	    peer_port != fetch->url.port) {
		fetch_blame(fetch, WIRE_EGRESS_ADDRESS,
		    "the connection is to another place than was dialled");
		return CURL_PREREQFUNC_ABORT;
	}
	const struct addr_range *range = egress_refuses(fetch->egress, &ip);
	if (range == NULL)
		return CURL_PREREQFUNC_OK;
	address_blame(fetch, &ip, range);
	return CURL_PREREQFUNC_ABORT;
}

static CURLcode
on_tls(CURL *easy, void *context, void *arg)
{
	const struct fetch *fetch = arg;

	(void)easy;
	return client_trust(fetch->egress, context) == 0
	    ? CURLE_OK
	    : CURLE_SSL_CACERT_BADFILE;
}

/* "+HOST:PORT:ADDRESS,…": libcurl asks nobody, and forgets it after a minute. */
static struct curl_slist *
pin_of(const struct addr_url *url, const struct addr_ip *ips, size_t n)
{
	char text[ADDR_HOST_MAX + 16 + ADDRESSES_MAX * (ADDR_IP_TEXT_MAX + 3)];
	int len =
	    snprintf(text, sizeof(text), "+%s:%u:", url->host.text, url->port);

	for (size_t i = 0; i < n && i < ADDRESSES_MAX; i++) {
		char ip[ADDR_IP_TEXT_MAX];
		addr_ip_put(&ips[i], ip);
		len += snprintf(text + len, sizeof(text) - (size_t)len,
		    ips[i].version == 6 ? "%s[%s]" : "%s%s", i > 0 ? "," : "",
		    ip);
	}
	return curl_slist_append(NULL, text);
}

/* One header in libcurl's spelling; an empty value has its own. */
static bool
list_add(struct curl_slist **list, const char *name, const char *value)
{
	char text[WIRE_FETCH_HEAD_MAX + 8];

	const int len = *value != '\0'
	    ? snprintf(text, sizeof(text), "%s: %s", name, value)
	    : snprintf(text, sizeof(text), "%s;", name);
	struct curl_slist *longer =
	    len < (int)sizeof(text) ? curl_slist_append(*list, text) : NULL;
	if (longer == NULL)
		return false;
	*list = longer;
	return true;
}

static bool
headers_list(struct fetch *fetch, const char *headers, size_t len)
{
	bool has_user_agent = false, is_good = true;

	for (const char *at = headers; is_good && at < headers + len;) {
		const char *value = at + strlen(at) + 1;
		const bool is_encoding = strcasecmp(at, "accept-encoding") == 0;
		if (!is_encoding || fetch->scrub == NULL)
			is_good = list_add(&fetch->list, at, value);
		has_user_agent |= strcasecmp(at, "user-agent") == 0;
		at = value + strlen(value) + 1;
	}
	/* "NAME:" takes away what libcurl would send by itself. */
	static const char *const none[] = { "Expect:", "Transfer-Encoding:" };
	for (size_t i = 0; is_good && i < ARRAY_LEN(none); i++) {
		if (i == 1 && fetch->body_len == UINT64_MAX)
			continue;
		struct curl_slist *list =
		    curl_slist_append(fetch->list, none[i]);
		is_good = list != NULL;
		if (is_good)
			fetch->list = list;
	}
	/* What is encoded cannot be searched, and decoded it can be anything. */
	if (is_good && fetch->scrub != NULL)
		is_good = list_add(&fetch->list, "Accept-Encoding", "identity");
	return is_good &&
	    (has_user_agent || list_add(&fetch->list, "User-Agent", "cordon"));
}

static void
body_set(struct fetch *fetch)
{
	if (strcmp(fetch->method, "HEAD") == 0) {
		curl_easy_setopt(fetch->easy, CURLOPT_NOBODY, 1L);
		return;
	}
	curl_easy_setopt(fetch->easy, CURLOPT_CUSTOMREQUEST, fetch->method);
	if ((fetch->flags & WIRE_FETCH_BODY) == 0)
		return;
	curl_easy_setopt(fetch->easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(fetch->easy, CURLOPT_INFILESIZE_LARGE,
	    fetch->body_len == UINT64_MAX ? (curl_off_t)-1
					  : (curl_off_t)fetch->body_len);
	curl_easy_setopt(fetch->easy, CURLOPT_READFUNCTION, fetch_on_read);
	curl_easy_setopt(fetch->easy, CURLOPT_READDATA, fetch);
	curl_easy_setopt(fetch->easy, CURLOPT_SEEKFUNCTION, fetch_on_seek);
	curl_easy_setopt(fetch->easy, CURLOPT_SEEKDATA, fetch);
}

static void
options_set(struct fetch *fetch, const char *url)
{
	CURL *easy = fetch->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_RESOLVE, fetch->pin);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->list);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(
	    easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 65536L);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 60L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, fetch);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, answer_on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, answer_on_write);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
	if (fetch->url.scheme == ADDR_HTTPS) {
		curl_easy_setopt(
		    easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, fetch);
	}
	if (fetch->is_again)
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	body_set(fetch);
}

/* What the store asks has its secrets in it, and its answer is for no one
 * else. */
static enum wire_egress_end
ask_put(const struct fetch *fetch, struct secrets_put *put)
{
	put->headers = malloc(fetch->headers_len + 1);
	if (put->headers == NULL)
		return WIRE_EGRESS_INTERNAL;
	memcpy(put->headers, fetch->headers, fetch->headers_len);
	put->headers_len = fetch->headers_len;
	return WIRE_EGRESS_OK;
}

/* False: fetch->end says why. */
static bool
hop_send(struct fetch *fetch, const struct addr_ip *ips, size_t n)
{
	struct secrets_put put = { .headers = NULL };
	struct err err = { "out of memory" };

	const enum wire_egress_end end = fetch->is_ask
	    ? ask_put(fetch, &put)
	    : secrets_put(fetch->server, fetch->unit.principal, &fetch->url,
		  fetch->headers, fetch->headers_len, &put, &err);
	if (end != WIRE_EGRESS_OK)
		fetch_blame(fetch, end, "%s", err.text);
	else
		fetch_spend(fetch, put.headers_len + strlen(fetch->url.text));
	if (fetch->end != WIRE_EGRESS_OK) {
		secrets_put_fini(&put);
		return false;
	}
	scrub_free(fetch->scrub);
	fetch->scrub = put.scrub;
	put.scrub = NULL;
	fetch->credential = put.credential;
	fetch->easy = curl_easy_init();
	/* An address needs none. */
	if (!fetch->url.host.is_ip)
		fetch->pin = pin_of(&fetch->url, ips, n);
	if (fetch->easy == NULL ||
	    (fetch->pin == NULL && !fetch->url.host.is_ip) ||
	    !headers_list(fetch, put.headers, put.headers_len)) {
		fetch_blame(fetch, WIRE_EGRESS_INTERNAL, "out of memory");
	} else {
		options_set(fetch, put.url != NULL ? put.url : fetch->url.text);
		fetch->is_added =
		    client_add(fetch->egress, fetch->server, fetch->easy) == 0;
		if (!fetch->is_added)
			fetch_blame(
			    fetch, WIRE_EGRESS_INTERNAL, "out of memory");
	}
	secrets_put_fini(&put);
	return fetch->end == WIRE_EGRESS_OK;
}

static void
on_resolved(void *arg, enum wire_egress_end end, const struct addr_ip *ips,
    size_t n, const char *text)
{
	struct fetch *fetch = arg;

	fetch->resolve = NULL;
	fetch_moved(fetch);
	if (end != WIRE_EGRESS_OK)
		fetch_blame(
		    fetch, end, "%.200s: %s", fetch->url.host.text, text);
	else if (hop_send(fetch, ips, n))
		return;
	if (!fetch->in_curl)
		fetch_end(fetch, fetch->end);
}

static bool
hop_is_allowed(const struct fetch *fetch, struct err *err)
{
	const struct addr_url *url = &fetch->url;
	const struct addr_target target = { .host = url->host.text,
		.port = url->port,
		.scheme = (uint8_t)url->scheme,
		.path = url->target,
		.path_len = url->path_len,
		.method = (uint8_t)addr_method_of(fetch->method) };

	if (!fetch->is_ask)
		return addr_rules_find(fetch->server->rules,
			   fetch->server->head.n_rules, &target, err) != NULL;
	if (url->scheme != ADDR_HTTPS)
		err_set(err, 0,
		    "http://%.200s:%u is not asked: signing in goes over https "
		    "alone",
		    url->host.text, url->port);
	return url->scheme == ADDR_HTTPS;
}

/* Rule, budget, then the name. False: fetch->end says why. */
bool
hop_begin(struct fetch *fetch)
{
	const struct addr_url *url = &fetch->url;
	struct wire_egress_event *event = &fetch->event;
	struct err err = { "" };

	*event = egress_event(fetch->server, &fetch->unit);
	event->port = url->port;
	event->scheme = (uint8_t)url->scheme;
	snprintf(event->method, sizeof(event->method), "%s", fetch->method);
	snprintf(event->host, sizeof(event->host), "%s", url->host.text);
	snprintf(event->path, sizeof(event->path), "%.*s", (int)url->path_len,
	    url->target);
	fetch->started_ms = fetch_now_ms();
	fetch->status = 0;
	fetch->sent = fetch->received = 0;
	fetch->head_bytes = 0;
	fetch->tail_from = 0;
	fetch->is_again = false;
	if (!hop_is_allowed(fetch, &err)) {
		fetch_blame(fetch, WIRE_EGRESS_NO_RULE, "%s", err.text);
	} else if (fetch->hops > 0 && fetch->allowance != NULL &&
	    *fetch->allowance == 0) {
		fetch_blame(fetch, WIRE_EGRESS_BUDGET,
		    "the requests of this call are spent (network.perCall)");
	} else if (!server_begin(fetch->server, &err)) {
		fetch_blame(fetch, WIRE_EGRESS_BUDGET, "%s", err.text);
	}
	if (fetch->end != WIRE_EGRESS_OK)
		return false;
	/* A stream that stays open is none of those that are under way. */
	fetch->is_begun = (fetch->flags & WIRE_FETCH_LONG) == 0;
	if (!fetch->is_begun)
		server_done(fetch->server);
	if (fetch->hops > 0 && fetch->allowance != NULL)
		--*fetch->allowance;
	return true;
}

/* The name of this hop. on_resolved() may be called before it returns, and has
 * then ended the fetch, or not. */
void
hop_resolve(struct fetch *fetch)
{
	fetch->in_curl = true; /* it must not end below us */
	fetch->resolve = resolve_start(fetch->egress->resolver,
	    fetch->server->id, &fetch->url.host, on_resolved, fetch);
	fetch->in_curl = false;
}
