/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/host/import_read.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "ctl/serve/catalog.h"
#include "ctl/text.h"
#include "json/json.h"
#include "json/out.h"

/* ---- comments -------------------------------------------------------------
 */

/* Past the string that begins here. */
static size_t
string_skip(const char *text, size_t len, size_t at)
{
	for (at++; at < len && text[at] != '"'; at++)
		if (text[at] == '\\')
			at++;
	return at < len ? at + 1 : len;
}

/* A comment becomes spaces, so that places in the text stay what they are. */
static size_t
comment_blank(char *text, size_t len, size_t at)
{
	const bool is_line = text[at + 1] == '/';
	const char *end = is_line
	    ? memchr(text + at, '\n', len - at)
	    : memmem(text + at + 2, len - at - 2, "*/", 2);
	const size_t stop = end == NULL ? len
	    : is_line                   ? (size_t)(end - text)
					: (size_t)(end - text) + 2;

	for (; at < stop; at++)
		if (text[at] != '\n')
			text[at] = ' ';
	return stop;
}

static void
comments_blank(char *text, size_t len)
{
	size_t comma = len; /* the last thing that was not white space */

	for (size_t at = 0; at < len;) {
		const char c = text[at];
		if (c == '"') {
			at = string_skip(text, len, at);
			comma = len;
		} else if (c == '/' && at + 1 < len &&
		    (text[at + 1] == '/' || text[at + 1] == '*')) {
			at = comment_blank(text, len, at);
		} else {
			if ((c == '}' || c == ']') && comma < len)
				text[comma] = ' ';
			if (c == ',')
				comma = at;
			else if (strchr(" \t\r\n", c) == NULL || c == '\0')
				comma = len;
			at++;
		}
	}
}

/* ---- what looks like a secret ---------------------------------------------
 */

static bool
has_word(const char *text, const char *word)
{
	return strcasestr(text, word) != NULL;
}

bool
ctl_import_is_secret(const char *name, const char *value)
{
	static const char *const words[] = { "key", "token", "secret", "passw",
		"pwd", "auth", "credential", "private", "session", "cookie",
		"bearer", "apikey", "dsn" };
	static const char *const starts[] = { "sk-", "ghp_", "gho_", "ghs_",
		"github_pat_", "glpat-", "xox", "AKIA", "AIza", "eyJ", "ya29.",
		"-----BEGIN", "npm_", "hf_", "Bearer " };
	unsigned digits = 0, letters = 0, others = 0;
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (has_word(name, words[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		if (strncmp(value, starts[i], strlen(starts[i])) == 0)
			return true;
	/* user:password@ of an address. */
	const char *scheme = strstr(value, "://");
	if (scheme != NULL && strchr(scheme + 3, '@') != NULL)
		return true;
	for (; value[len] != '\0'; len++) {
		const unsigned char c = (unsigned char)value[len];
		digits += isdigit(c) != 0;
		letters += isalpha(c) != 0;
		others += c == '/' || c == ' ' || c == '.';
	}
	return len >= 20 && digits >= 3 && letters >= 3 && others == 0;
}

/* ---- ${…} -----------------------------------------------------------------
 */

/* The first thing that is wrong stands. */
static void refuse(struct ctl_import_server *server, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
refuse(struct ctl_import_server *server, const char *format, ...)
{
	va_list args;

	if (server->why[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(server->why, sizeof(server->why), format, args);
	va_end(args);
}

static const char *
variable_get(const struct ctl_import_place *place, const char *name, size_t len)
{
	for (const char *const *at = place->env; at != NULL && *at != NULL;
	     at++)
		if (strncmp(*at, name, len) == 0 && (*at)[len] == '=')
			return *at + len + 1;
	return NULL;
}

static bool
is_taken(const char *taken, const char *name, size_t len)
{
	while (*taken != '\0') {
		const size_t n = strcspn(taken, ",");

		if (n == len && memcmp(taken, name, len) == 0)
			return true;
		taken += n;
		taken += strspn(taken, ", ");
	}
	return false;
}

/* A file that names what only its reader has is to be seen doing so: each name,
 * or none of it. */
static void
taken_add(struct ctl_import_server *server, const char *name, size_t len)
{
	const size_t used = strlen(server->taken);

	if (is_taken(server->taken, name, len))
		return;
	if (used + len + 3 > sizeof(server->taken)) {
		refuse(server,
		    "it takes more of your environment than can be shown");
		return;
	}
	snprintf(server->taken + used, sizeof(server->taken) - used, "%s%.*s",
	    used > 0 ? ", " : "", (int)len, name);
}

/* What VS Code asks its user for; `own` is the variable it is the value of. */
static struct json_span
input_expand(const struct ctl_import_place *place,
    struct ctl_import_server *server, struct json_span word, const char *own)
{
	const char *value =
	    own[0] != '\0' ? variable_get(place, own, strlen(own)) : NULL;

	if (value != NULL) {
		taken_add(server, own, strlen(own));
		return (struct json_span){ value, strlen(value) };
	}
	if (own[0] != '\0')
		refuse(server,
		    "it asks its user for '%.*s': set the variable %.64s and "
		    "import it again",
		    (int)(word.len - 6), word.at + 6, own);
	else
		refuse(server,
		    "it asks its user for '%.*s', in a word of its command",
		    (int)(word.len - 6), word.at + 6);
	return (struct json_span){ 0 };
}

/* NAME, env:NAME, NAME:-what is there without it. */
static struct json_span
variable_expand(const struct ctl_import_place *place,
    struct ctl_import_server *server, struct json_span word)
{
	const char *end = word.at + word.len;
	const char *fallback = memmem(word.at, word.len, ":-", 2);
	const char *name = word.len > 4 && memcmp(word.at, "env:", 4) == 0
	    ? word.at + 4
	    : word.at;
	const size_t len =
	    (size_t)((fallback != NULL && fallback >= name ? fallback : end) -
		name);
	const char *value = variable_get(place, name, len);

	if (value != NULL) {
		taken_add(server, name, len);
		return (struct json_span){ value, strlen(value) };
	}
	if (fallback != NULL)
		return (struct json_span){ fallback + 2,
			(size_t)(end - fallback) - 2 };
	refuse(server, "it needs the variable %.*s, which is not set here",
	    (int)len, name);
	return (struct json_span){ 0 };
}

/* What the word between the braces stands for; empty: it was refused. */
static struct json_span
word_expand(const struct ctl_import_place *place,
    struct ctl_import_server *server, struct json_span word, const char *own)
{
	const struct {
		const char *word;
		const char *value;
	} known[] = {
		{ "workspaceFolder", place->workspace },
		{ "userHome", place->home },
		{ "pathSeparator", "/" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i].word) == word.len &&
		    memcmp(known[i].word, word.at, word.len) == 0 &&
		    known[i].value != NULL)
			return (struct json_span){ known[i].value,
				strlen(known[i].value) };
	return word.len > 6 && memcmp(word.at, "input:", 6) == 0
	    ? input_expand(place, server, word, own)
	    : variable_expand(place, server, word);
}

/* A copy with all ${…} in it replaced, for free(). NULL: no memory, or refused.
 */
static char *
text_expand(const struct ctl_import_place *place,
    struct ctl_import_server *server, const char *text, const char *own)
{
	struct json_out out;
	const char *open;
	size_t len = 0;

	json_out_init(&out, 65536);
	while ((open = strstr(text, "${")) != NULL) {
		const char *close = strchr(open, '}');
		if (close == NULL)
			break;
		const struct json_span word = { open + 2,
			(size_t)(close - open) - 2 };
		const struct json_span value =
		    word_expand(place, server, word, own);
		json_out_raw(&out, text, (size_t)(open - text));
		if (value.at != NULL)
			json_out_raw(&out, value.at, value.len);
		text = close + 1;
	}
	json_out_raw(&out, text, strlen(text) + 1);
	if (json_out_status(&out) == JSON_E_TOO_LONG)
		refuse(server, "a word of it is longer than 64 KiB");
	char *copy = json_out_steal(&out, &len);
	json_out_fini(&out);
	return copy;
}

/* ---- a server -------------------------------------------------------------
 */

/* A string of the file, expanded; NULL with `why`, or without memory. */
static char *
string_take(const struct ctl_import_place *place,
    struct ctl_import_server *server, struct json_span value, const char *what,
    const char *own)
{
	auto_free char *text = malloc(value.len + 1);

	if (text == NULL)
		return NULL;
	if (json_kind_of(value) != JSON_KIND_STRING ||
	    json_string_copy(value, text, value.len + 1, NULL) != 0) {
		refuse(server, "its %s must be a text", what);
		return NULL;
	}
	return text_expand(place, server, text, own);
}

static int
command_take(const struct ctl_import_place *place,
    struct ctl_import_server *server, struct json_span command,
    struct json_span args)
{
	struct json_span item;
	struct json_iter iter;
	size_t n = 0;

	server->argv = calloc(CTL_IMPORT_WORDS_MAX + 2, sizeof(char *));
	if (server->argv == NULL)
		return -ENOMEM;
	server->argv[n++] =
	    string_take(place, server, command, "\"command\"", "");
	if (args.at != NULL && json_kind_of(args) != JSON_KIND_ARRAY)
		refuse(server, "its \"args\" must be a list");
	if (json_kind_of(args) == JSON_KIND_ARRAY) {
		json_iter_init(&iter, args);
		while (
		    server->why[0] == '\0' && json_iter_element(&iter, &item)) {
			if (n > CTL_IMPORT_WORDS_MAX)
				refuse(server, "it has more than %u words",
				    CTL_IMPORT_WORDS_MAX);
			else
				server->argv[n++] = string_take(
				    place, server, item, "\"args\"", "");
		}
	}
	if (server->why[0] != '\0')
		return 0;
	for (size_t i = 0; i < n; i++)
		if (server->argv[i] == NULL)
			return -ENOMEM;
	if (server->argv[0][0] == '\0')
		refuse(server, "its \"command\" is empty");
	return 0;
}

static bool
name_is_variable(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz_0123456789";

	return name[0] != '\0' && !isdigit((unsigned char)name[0]) &&
	    strlen(name) <= 128 && name[strspn(name, letters)] == '\0';
}

/* Numbers and the like are given as they are spelt. */
static char *
value_take(const struct ctl_import_place *place,
    struct ctl_import_server *server, struct json_span value, const char *name)
{
	const enum json_kind kind = json_kind_of(value);

	if (kind == JSON_KIND_NUMBER || kind == JSON_KIND_BOOL)
		return strndup(value.at, value.len);
	if (kind == JSON_KIND_NULL)
		return strdup("");
	return string_take(place, server, value, "values of \"env\"", name);
}

static int
variable_take(const struct ctl_import_place *place,
    struct ctl_import_server *server, struct json_span key,
    struct json_span value)
{
	struct ctl_import_variable *variable = &server->env[server->n_env];
	char name[256];

	if (json_string_copy(key, name, sizeof(name), NULL) != 0 ||
	    !name_is_variable(name)) {
		refuse(server, "a name in its \"env\" is none of a variable");
		return 0;
	}
	server->n_env++;
	variable->name = strdup(name);
	variable->value = value_take(place, server, value, name);
	if (variable->name == NULL ||
	    (variable->value == NULL && server->why[0] == '\0'))
		return -ENOMEM;
	if (variable->value != NULL)
		variable->is_secret =
		    ctl_import_is_secret(name, variable->value);
	return 0;
}

static int
env_take(const struct ctl_import_place *place, struct ctl_import_server *server,
    struct json_span env)
{
	struct json_span key, value;
	struct json_iter iter;
	int r = 0;

	if (env.at == NULL || json_kind_of(env) == JSON_KIND_NULL)
		return 0;
	if (json_kind_of(env) != JSON_KIND_OBJECT) {
		refuse(server, "its \"env\" must be an object");
		return 0;
	}
	server->env = calloc(CTL_IMPORT_WORDS_MAX, sizeof(*server->env));
	if (server->env == NULL)
		return -ENOMEM;
	json_iter_init(&iter, env);
	while (r == 0 && json_iter_member(&iter, &key, &value)) {
		if (server->n_env == CTL_IMPORT_WORDS_MAX) {
			refuse(server, "it has more than %u variables",
			    CTL_IMPORT_WORDS_MAX);
			break;
		}
		r = variable_take(place, server, key, value);
	}
	return r;
}

/* Small letters; what no name has becomes "-". */
static void
name_make(struct ctl_import_server *server)
{
	size_t len = 0;

	for (const char *c = server->from;
	     *c != '\0' && len + 1 < sizeof(server->name); c++) {
		const char small = (char)tolower((unsigned char)*c);
		const bool fits = strchr("abcdefghijklmnopqrstuvwxyz"
					 "0123456789._-",
				      small) != NULL;
		if (!fits && (len == 0 || server->name[len - 1] == '-'))
			continue;
		server->name[len++] = fits ? small : '-';
	}
	while (len > 0 && server->name[len - 1] == '-')
		len--;
	server->name[len] = '\0';
	if (ctl_name_is_valid(server->name))
		return;
	server->name[0] = '\0';
	refuse(server, "no name for a server can be made of its name");
}

enum {
	COMMAND,
	ARGS,
	ENV,
	CWD,
	URL,
	ENV_FILE,
	HTTP_URL,
	SERVER_URL,
	N_MEMBERS
};

static int
server_take(const struct ctl_import_place *place,
    struct ctl_import_server *server, struct json_span value)
{
	struct json_want members[N_MEMBERS] = { [COMMAND] = { "command" },
		[ARGS] = { "args" },
		[ENV] = { "env" },
		[CWD] = { "cwd" },
		[URL] = { "url" },
		[ENV_FILE] = { "envFile" },
		[HTTP_URL] = { "httpUrl" },
		[SERVER_URL] = { "serverUrl" } };

	if (json_members_find(value, members, N_MEMBERS) != 0) {
		refuse(server, "it is no object, or has a member twice");
		return 0;
	}
	if (members[COMMAND].value.at == NULL &&
	    (members[URL].value.at != NULL ||
		members[HTTP_URL].value.at != NULL ||
		members[SERVER_URL].value.at != NULL))
		refuse(server,
		    "it is a server elsewhere: add it with cordon upstream add "
		    "NAME --url URL");
	else if (members[COMMAND].value.at == NULL)
		refuse(server, "it has no \"command\"");
	if (members[ENV_FILE].value.at != NULL)
		refuse(server,
		    "its variables are in a file (\"envFile\"): put them into "
		    "\"env\"");
	if (server->why[0] != '\0')
		return 0;
	int r = command_take(
	    place, server, members[COMMAND].value, members[ARGS].value);
	if (r == 0)
		r = env_take(place, server, members[ENV].value);
	if (r == 0 && members[CWD].value.at != NULL &&
	    json_kind_of(members[CWD].value) != JSON_KIND_NULL)
		server->cwd = string_take(
		    place, server, members[CWD].value, "\"cwd\"", "");
	return r;
}

/* ---- the file -------------------------------------------------------------
 */

static int
servers_take(const struct ctl_import_place *place, struct json_span object,
    struct ctl_import *import)
{
	struct json_span key, value;
	struct json_iter iter;
	int r = 0;

	import->servers =
	    calloc(CTL_IMPORT_SERVERS_MAX, sizeof(*import->servers));
	if (import->servers == NULL)
		return -ENOMEM;
	json_iter_init(&iter, object);
	while (r == 0 && import->n < CTL_IMPORT_SERVERS_MAX &&
	    json_iter_member(&iter, &key, &value)) {
		struct ctl_import_server *server = &import->servers[import->n];
		server->from = malloc(key.len + 1);
		if (server->from == NULL)
			return -ENOMEM;
		import->n++;
		if (json_string_copy(key, server->from, key.len + 1, NULL) != 0)
			server->from[0] = '\0';
		name_make(server);
		for (size_t i = 0; i + 1 < import->n; i++)
			if (server->name[0] != '\0' &&
			    strcmp(import->servers[i].name, server->name) == 0)
				refuse(server,
				    "'%.64s' has the same name for a host",
				    import->servers[i].from);
		r = server_take(place, server, value);
	}
	return r;
}

/* Where the servers of a file are; an empty span. */
static struct json_span
servers_find(struct json_span whole)
{
	struct json_want members[] = { { .name = "mcpServers" },
		{ .name = "servers" }, { .name = "mcp" },
		{ .name = "context_servers" } };
	struct json_want inner = { .name = "servers" };

	if (json_members_find(whole, members, ARRAY_LEN(members)) != 0)
		return (struct json_span){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (json_kind_of(members[i].value) != JSON_KIND_OBJECT)
			continue;
		if (i != 2)
			return members[i].value;
		if (json_members_find(members[i].value, &inner, 1) == 0 &&
		    json_kind_of(inner.value) == JSON_KIND_OBJECT)
			return inner.value;
	}
	return (struct json_span){ 0 };
}

int
ctl_import_read(const char *path, const char *raw_text, size_t len,
    const struct ctl_import_place *place, struct ctl_import *import,
    struct err *err)
{
	static const char mark[] = "\xef\xbb\xbf";
	auto_free char *text = NULL;
	unsigned line, column;
	struct json_span whole;
	size_t offset = 0;

	*import = (struct ctl_import){ 0 };
	if (len >= 3 && memcmp(raw_text, mark, 3) == 0) {
		raw_text += 3;
		len -= 3;
	}
	if (len > CTL_IMPORT_BYTES_MAX)
		return err_set(
		    err, CTL_E_IMPORT, "%s: larger than 1 MiB", path);
	text = malloc(len + 1);
	if (text == NULL)
		return err_set(err, -ENOMEM, "%s: no memory", path);
	memcpy(text, raw_text, len);
	text[len] = '\0';
	comments_blank(text, len);
	if (json_check(text, len, &whole, &offset) != 0) {
		ctl_text_position(text, offset, &line, &column);
		return err_set(err, CTL_E_IMPORT,
		    "%s is not JSON: line %u, column %u", path, line, column);
	}
	const struct json_span servers = servers_find(whole);
	if (servers.at == NULL)
		return err_set(err, CTL_E_IMPORT,
		    "%s: there are no servers in it: neither \"mcpServers\" "
		    "(Claude, Cursor) nor \"servers\" (VS Code)",
		    path);
	const int r = servers_take(place, servers, import);
	if (r != 0) {
		ctl_import_fini(import);
		return err_set(err, r, "%s: no memory", path);
	}
	return 0;
}

void
ctl_import_fini(struct ctl_import *import)
{
	for (size_t i = 0; i < import->n; i++) {
		struct ctl_import_server *server = &import->servers[i];
		for (size_t w = 0;
		     server->argv != NULL && w < CTL_IMPORT_WORDS_MAX + 1; w++)
			free(server->argv[w]);
		for (size_t v = 0; v < server->n_env; v++) {
			free(server->env[v].name);
			if (server->env[v].value != NULL)
				explicit_bzero(server->env[v].value,
				    strlen(server->env[v].value));
			free(server->env[v].value);
		}
		free(server->argv);
		free(server->env);
		free(server->cwd);
		free(server->from);
	}
	free(import->servers);
	*import = (struct ctl_import){ 0 };
}
