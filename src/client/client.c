/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"

#define URL_MAX 4096
#define CONNECT_MS 5000L

struct client {
	char *socket_path; /* owned; NULL: by the URL */
	char *base; /* owned: scheme and authority */
	char *authorization; /* owned: the whole header, wiped */
	bool is_near; /* no proxy between us */
};

static bool
host_is_loopback(const char *host)
{
	return strcasecmp(host, "localhost") == 0 ||
	    strcmp(host, "[::1]") == 0 || strncmp(host, "127.", 4) == 0;
}

/* Scheme and authority of the URL, and whether the token may go there. */
static int
url_take(struct client *client, const char *url, struct err *err)
{
	char *scheme = NULL, *host = NULL, *user = NULL;
	CURLU *parsed = curl_url();
	int r = 0;

	if (parsed == NULL)
		return err_set(err, -ENOMEM, "no memory");
	if (curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) ||
	    curl_url_get(parsed, CURLUPART_USER, &user, 0) == CURLUE_OK)
		r = err_set(err, -EINVAL,
		    "\"%s\" is no URL of a host: write https://HOST:PORT", url);
	else if (strcmp(scheme, "http") == 0 && !host_is_loopback(host))
		r = err_set(err, -EPERM,
		    "%s would carry the token over the network in the clear: "
		    "use https://",
		    url);
	if (r == 0) {
		client->is_near = host_is_loopback(host);
		client->base = strdup(url);
	}
	for (size_t len = r == 0 && client->base != NULL ? strlen(url) : 0;
	     len > 0 && client->base[len - 1] == '/'; len--)
		client->base[len - 1] = '\0';
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(parsed);
	return r == 0 && client->base == NULL ? -ENOMEM : r;
}

struct client *
client_free(struct client *client)
{
	if (client == NULL)
		return NULL;
	if (client->authorization != NULL)
		explicit_bzero(
		    client->authorization, strlen(client->authorization));
	free(client->authorization);
	free(client->socket_path);
	free(client->base);
	free(client);
	return NULL;
}

int
client_new(
    struct client **clientp, const struct client_place *place, struct err *err)
{
	struct client *client = calloc(1, sizeof(*client));
	int r = 0;

	if (client == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		free(client);
		return err_set(err, -ENOMEM, "no memory");
	}
	if (asprintf(&client->authorization, "Authorization: Bearer %s",
		place->token) < 0) {
		client->authorization = NULL;
		r = -ENOMEM;
	} else if (place->socket_path == NULL) {
		r = url_take(client, place->url, err);
	} else {
		client->socket_path = strdup(place->socket_path);
		client->base = strdup("http://localhost");
		client->is_near = true;
		if (client->socket_path == NULL || client->base == NULL)
			r = -ENOMEM;
	}
	if (r == -ENOMEM)
		err_set(err, r, "no memory");
	if (r != 0) {
		client_free(client);
		return r;
	}
	*clientp = client;
	return 0;
}

void
client_answer_fini(struct client_answer *answer)
{
	free(answer->raw_bytes);
	answer->raw_bytes = NULL;
	answer->len = 0;
}

static struct curl_slist *
headers_new(struct client *client, const struct client_request *request)
{
	struct curl_slist *list =
	    curl_slist_append(NULL, client->authorization);
	bool has_accept = false;

	for (size_t i = 0;
	     i < CLIENT_HEADERS_MAX && request->headers[i] != NULL; i++) {
		has_accept |=
		    strncasecmp(request->headers[i], "accept:", 7) == 0;
		list = curl_slist_append(list, request->headers[i]);
	}
	if (!has_accept)
		list = curl_slist_append(list, "Accept: application/json");
	/* No "100 Continue" before a bundle. */
	list = curl_slist_append(list, "Expect:");
	if (request->body != NULL)
		list =
		    curl_slist_append(list, "Content-Type: application/json");
	return list;
}

static void
body_set(CURL *handle, const struct client_request *request)
{
	curl_easy_setopt(
	    handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
	curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request->body);
}

void *
client_handle_new(struct client *client, const struct client_request *request,
    struct curl_slist **headers)
{
	char url[URL_MAX];
	CURL *handle;

	if (snprintf(url, sizeof(url), "%s%s", client->base, request->path) >=
	    URL_MAX)
		return NULL;
	handle = curl_easy_init();
	if (handle == NULL)
		return NULL;

	*headers = headers_new(client, request);
	curl_easy_setopt(handle, CURLOPT_URL, url);
	curl_easy_setopt(handle, CURLOPT_HTTPHEADER, *headers);
	curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, request->timeout_ms);
	curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
	if (client->is_near)
		curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
	if (client->socket_path != NULL)
		curl_easy_setopt(
		    handle, CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
	if (request->body != NULL)
		body_set(handle, request);
	curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request->method);
	return handle;
}

struct receiving {
	CURL *handle;
	const struct client_request *request;
	struct client_answer *answer;
	size_t capacity;
	int status;
};

static int
answer_grow(struct receiving *receiving, size_t more)
{
	struct client_answer *answer = receiving->answer;
	size_t wanted = answer->len + more + 1;

	if (wanted > CLIENT_ANSWER_MAX)
		return CLIENT_E_TOO_LONG;
	if (wanted <= receiving->capacity)
		return 0;
	wanted = wanted < 8192 ? 8192 : wanted * 2;

	char *bytes = realloc(answer->raw_bytes, wanted);
	if (bytes == NULL)
		return -ENOMEM;
	answer->raw_bytes = bytes;
	receiving->capacity = wanted;
	return 0;
}

static size_t
bytes_receive(char *bytes, size_t size, size_t n, void *arg)
{
	struct receiving *receiving = arg;
	struct client_answer *answer = receiving->answer;
	const size_t len = size * n;
	long status = 0;

	curl_easy_getinfo(receiving->handle, CURLINFO_RESPONSE_CODE, &status);
	if (receiving->request->bytes != NULL && status == 200) {
		if (receiving->request->bytes(
			receiving->request->arg, bytes, len))
			return len;
		receiving->status = CLIENT_E_STOPPED;
		return 0;
	}
	receiving->status = answer_grow(receiving, len);
	if (receiving->status != 0)
		return 0;
	memcpy(answer->raw_bytes + answer->len, bytes, len);
	answer->len += len;
	answer->raw_bytes[answer->len] = '\0';
	return len;
}

void
client_session_take(
    const char *line, size_t len, char session[CLIENT_SESSION_MAX])
{
	static const char name[] = "mcp-session-id:";
	size_t from = sizeof(name) - 1, end = len;

	if (len <= from || strncasecmp(line, name, from) != 0)
		return;
	while (from < end && line[from] == ' ')
		from++;
	while (end > from && strchr("\r\n ", line[end - 1]) != NULL)
		end--;
	if (end - from >= CLIENT_SESSION_MAX)
		return;
	memcpy(session, line + from, end - from);
	session[end - from] = '\0';
}

static size_t
header_receive(char *line, size_t size, size_t n, void *arg)
{
	struct client_answer *answer = arg;

	client_session_take(line, size * n, answer->session);
	return size * n;
}

static int
failure(const struct client *client, CURLcode code, const char *said,
    struct err *err)
{
	const char *where =
	    client->socket_path != NULL ? client->socket_path : client->base;

	if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
		return err_set(err, CLIENT_E_NO_HOST,
		    "no host answers at %s; start one with: cordon serve",
		    where);
	return err_set(err, CLIENT_E_BROKEN, "%s: %s", where,
	    said[0] != '\0' ? said : curl_easy_strerror(code));
}

static void
answer_describe(CURL *handle, struct client_answer *answer)
{
	const char *type = NULL;

	curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &type);
	answer->is_stream =
	    type != NULL && strncasecmp(type, "text/event-stream", 17) == 0;
}

int
client_ask(struct client *client, const struct client_request *request,
    struct client_answer *answer, struct err *err)
{
	char said[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;

	*answer = (struct client_answer){ 0 };
	CURL *handle = client_handle_new(client, request, &headers);
	if (handle == NULL)
		return err_set(err, -ENOMEM, "no request can be made");

	struct receiving receiving = { handle, request, answer, 0, 0 };
	curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, said);
	curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, bytes_receive);
	curl_easy_setopt(handle, CURLOPT_WRITEDATA, &receiving);
	curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, header_receive);
	curl_easy_setopt(handle, CURLOPT_HEADERDATA, answer);
	const CURLcode code = curl_easy_perform(handle);
	answer_describe(handle, answer);
	curl_easy_cleanup(handle);
	curl_slist_free_all(headers);

	if (receiving.status == CLIENT_E_TOO_LONG)
		return err_set(err, CLIENT_E_TOO_LONG,
		    "the answer is longer than %u MiB",
		    CLIENT_ANSWER_MAX >> 20);
	if (receiving.status != 0)
		return receiving.status;
	return code == CURLE_OK ? 0 : failure(client, code, said, err);
}
