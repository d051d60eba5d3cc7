/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "wire/wire.h"

#define RESOLV_MAX (1u << 20)
#define DNS_PORT 53
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"

void
ctl_settings_init(struct ctl_settings *settings)
{
	*settings =
	    (struct ctl_settings){ .head = { .magic = WIRE_EGRESS_MAGIC } };
}

void
ctl_settings_fini(struct ctl_settings *settings)
{
	if (settings->authority != NULL)
		explicit_bzero(settings->authority, settings->authority_len);
	free(settings->authority);
	free(settings->ca);
	*settings = (struct ctl_settings){ 0 };
}

/* One line; those that find no room are not said. */
static void __attribute__((format(printf, 2, 3)))
remark(struct ctl_settings *settings, const char *format, ...)
{
	const size_t used = strlen(settings->remarks);
	char line[256];
	va_list args;

	va_start(args, format);
	const int len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len < 0 || used + sizeof(line) + 1 > sizeof(settings->remarks))
		return;
	for (char *c = line; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
			*c = '?';
	strcpy(settings->remarks + used, line);
	strcat(settings->remarks, "\n");
}

/* ---- addresses -------------------------------------------------------------
 */

/* A number without sign, space or leading zero. */
static bool
number_take(const char *raw_text, uint32_t most, uint32_t *number)
{
	uint32_t value = 0;
	size_t n = 0;

	if (raw_text[0] == '0' && raw_text[1] != '\0')
		return false;
	for (; raw_text[n] >= '0' && raw_text[n] <= '9' && n < 6; n++)
		value = value * 10 + (uint32_t)(raw_text[n] - '0');
	if (n == 0 || raw_text[n] != '\0' || value > most)
		return false;
	*number = value;
	return true;
}

/* Splits "ADDRESS", "ADDRESS:PORT" (IPv4) and "[ADDRESS]:PORT". */
static bool
nameserver_take(const char *raw_text, struct wire_nameserver *server)
{
	const char *end = raw_text + strlen(raw_text);
	const char *at = raw_text, *port = NULL;
	uint32_t number = DNS_PORT;

	if (raw_text[0] == '[') {
		at = raw_text + 1;
		end = strchr(raw_text, ']');
		if (end == NULL || (end[1] != ':' && end[1] != '\0'))
			return false;
		port = end[1] == ':' ? end + 2 : NULL;
	} else if (strchr(raw_text, ':') != NULL &&
	    strchr(raw_text, ':') == strrchr(raw_text, ':')) {
		end = strchr(raw_text, ':');
		port = end + 1;
	}
	if (port != NULL && (!number_take(port, 65535, &number) || number == 0))
		return false;
	struct wire_nameserver read = { .port = (uint16_t)number };
	if (!addr_ip_parse(at, (size_t)(end - at), &read.ip) ||
	    (raw_text[0] == '[' && read.ip.version != 6))
		return false;
	*server = read;
	return true;
}

int
ctl_settings_nameserver(
    struct ctl_settings *settings, const char *raw_text, struct err *err)
{
	struct wire_egress_settings *head = &settings->head;
	struct wire_nameserver server;

	if (!nameserver_take(raw_text, &server))
		return err_set(err, -EINVAL,
		    "must be the address of a name server: \"9.9.9.9\", "
		    "\"9.9.9.9:53\" or \"[2620:fe::fe]:53\"");
	if (head->n_nameservers == WIRE_NAMESERVERS_MAX)
		return err_set(err, -E2BIG,
		    "is one more than the %u name servers that there may be",
		    WIRE_NAMESERVERS_MAX);
	head->nameservers[head->n_nameservers++] = server;
	return 0;
}

static bool
has_bits_behind(const struct addr_prefix *prefix)
{
	const unsigned bits = prefix->ip.version == 4 ? 32 : 128;

	for (unsigned i = prefix->len; i < bits; i++)
		if ((prefix->ip.bytes[i / 8] >> (7 - i % 8) & 1) != 0)
			return true;
	return false;
}

static int
prefix_take(const char *raw_text, struct addr_prefix *prefix, struct err *err)
{
	const char *slash = strchr(raw_text, '/');
	struct addr_prefix read = { 0 };
	uint32_t bits;

	if (slash == NULL ||
	    !addr_ip_parse(raw_text, (size_t)(slash - raw_text), &read.ip) ||
	    !number_take(slash + 1, read.ip.version == 4 ? 32 : 128, &bits))
		return err_set(err, -EINVAL,
		    "must be a prefix: \"203.0.113.0/24\" or "
		    "\"2001:db8::/32\"");
	read.len = (uint8_t)bits;
	if (has_bits_behind(&read))
		return err_set(err, -EINVAL,
		    "has bits behind its prefix: write the first address of "
		    "it");
	*prefix = read;
	return 0;
}

int
ctl_settings_denied(
    struct ctl_settings *settings, const char *raw_text, struct err *err)
{
	struct wire_egress_settings *head = &settings->head;

	if (head->n_denied == WIRE_DENIED_MAX)
		return err_set(err, -E2BIG,
		    "is one more than the %u prefixes that there may be",
		    WIRE_DENIED_MAX);
	const int r = prefix_take(raw_text, &head->denied[head->n_denied], err);
	head->n_denied += r == 0;
	return r;
}

int
ctl_settings_nat64(
    struct ctl_settings *settings, const char *raw_text, struct err *err)
{
	struct wire_egress_settings *head = &settings->head;
	struct addr_prefix prefix;

	if (head->n_nat64 == WIRE_NAT64_MAX)
		return err_set(err, -E2BIG,
		    "is one more than the %u prefixes that there may be",
		    WIRE_NAT64_MAX);
	const int r = prefix_take(raw_text, &prefix, err);
	if (r != 0)
		return r;
	const bool is_length =
	    (prefix.len >= 32 && prefix.len <= 64 && prefix.len % 8 == 0) ||
	    prefix.len == 96;
	if (prefix.ip.version != 6 || !is_length)
		return err_set(err, -EINVAL,
		    "must be an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits "
		    "(RFC 6052)");
	head->nat64[head->n_nat64++] = prefix;
	return 0;
}

/* ---- resolv.conf -----------------------------------------------------------
 */

/* A line without its comment; the word behind the keyword, or NULL. */
static char *
nameserver_word(char *line)
{
	static const char keyword[] = "nameserver";

	/* As the C library: a comment is a line of its own, the keyword is at
	 * the front. */
	if (strncmp(line, keyword, sizeof(keyword) - 1) != 0)
		return NULL;
	char *word = line + sizeof(keyword) - 1;
	if (*word != ' ' && *word != '\t')
		return NULL;
	word += strspn(word, " \t");
	word[strcspn(word, " \t\r")] = '\0';
	return word;
}

static void
resolv_line(struct ctl_settings *settings, char *line)
{
	struct wire_egress_settings *head = &settings->head;
	struct wire_nameserver server = { .port = DNS_PORT };
	const char *word = nameserver_word(line);

	if (word == NULL)
		return;
	if (!addr_ip_parse(word, strlen(word), &server.ip))
		remark(settings,
		    "the name server %.64s is left out: it is no address "
		    "(of a link-local one with its interface, give egress "
		    "another)",
		    word);
	else if (head->n_nameservers == WIRE_NAMESERVERS_MAX)
		remark(settings,
		    "the name server %.64s is left out: there are %u before it",
		    word, WIRE_NAMESERVERS_MAX);
	else
		head->nameservers[head->n_nameservers++] = server;
}

void
ctl_settings_resolv_text(
    struct ctl_settings *settings, const char *raw_text, size_t len)
{
	char line[1024];

	for (size_t at = 0; at < len;) {
		const char *end = memchr(raw_text + at, '\n', len - at);
		const size_t n =
		    end != NULL ? (size_t)(end - raw_text) - at : len - at;
		if (n < sizeof(line) &&
		    memchr(raw_text + at, '\0', n) == NULL) {
			memcpy(line, raw_text + at, n);
			line[n] = '\0';
			resolv_line(settings, line);
		} else {
			remark(settings,
			    "a line of over %zu bytes, or with a NUL, is left "
			    "out",
			    sizeof(line) - 1);
		}
		at += n + 1;
	}
}

void
ctl_settings_resolv(struct ctl_settings *settings, const char *path)
{
	auto_free uint8_t *text = NULL;
	size_t len = 0;

	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	const int r =
	    fd < 0 ? -errno : fd_read_all(fd, RESOLV_MAX, &text, &len);
	if (r < 0)
		remark(settings, "%.128s: %s", path, strerror(-r));
	else
		ctl_settings_resolv_text(settings, (const char *)text, len);
	if (settings->head.n_nameservers == 0)
		remark(settings,
		    "%.128s names no name server: nothing can be reached by "
		    "name",
		    path);
}

/* ---- certificates ----------------------------------------------------------
 */

const char *
ctl_settings_ca_path(void)
{
	static const char *const paths[] = {
		"/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch */
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora */
		"/etc/ssl/ca-bundle.pem", /* openSUSE */
		"/etc/ssl/cert.pem",
	};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (access(paths[i], R_OK) == 0)
			return paths[i];
	return NULL;
}

static int
file_append(const char *path, size_t max, char **text, size_t *len)
{
	auto_free uint8_t *bytes = NULL;
	size_t n = 0;

	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	const int r = fd_read_all(fd, max - *len, &bytes, &n);
	if (r < 0)
		return r;
	char *grown = realloc(*text, *len + n + 2);
	if (grown == NULL)
		return -ENOMEM;
	*text = grown;
	memcpy(grown + *len, bytes, n);
	*len += n;
	if (n > 0 && grown[*len - 1] != '\n')
		grown[(*len)++] = '\n';
	grown[*len] = '\0';
	explicit_bzero(bytes, n);
	return 0;
}

int
ctl_settings_ca(
    struct ctl_settings *settings, const char *path, struct err *err)
{
	const size_t before = settings->ca_len;

	const int r = file_append(
	    path, CTL_SETTINGS_CA_MAX, &settings->ca, &settings->ca_len);
	if (r < 0)
		return err_set(err, r, "%s: %s", path, strerror(-r));
	return strstr(settings->ca + before, PEM_BEGIN) != NULL
	    ? 0
	    : err_set(err, -EINVAL, "%s: has no certificate in PEM", path);
}

/* ---- a record --------------------------------------------------------------
 */

uint8_t *
ctl_settings_record(const struct ctl_record *of, size_t *len)
{
	const struct policy_network *network = of->network;
	const size_t rules_len = network->n_rules * sizeof(network->rules[0]);
	const size_t secrets_len = of->n_secrets * sizeof(of->secrets[0]);
	struct wire_egress_server server = { .budget = network->budget,
		.n_rules = (uint32_t)network->n_rules,
		.n_secrets = of->n_secrets };
	const struct wire_frame frame = { .type = WIRE_EGRESS_SERVER,
		.len = (uint32_t)(sizeof(server) + rules_len + secrets_len),
		.reserved = of->deployment };

	snprintf(server.tenant, sizeof(server.tenant), "%s", of->tenant);
	snprintf(server.name, sizeof(server.name), "%s", of->name);
	*len = sizeof(frame) + frame.len;
	uint8_t *record = malloc(*len), *at = record;
	if (record == NULL)
		return NULL;
	at = mempcpy(at, &frame, sizeof(frame));
	at = mempcpy(at, &server, sizeof(server));
	at = mempcpy(at, network->rules, rules_len);
	if (secrets_len > 0)
		memcpy(at, of->secrets, secrets_len);
	return record;
}

/* ---- sealed ----------------------------------------------------------------
 */

int
ctl_settings_seal(const struct ctl_settings *settings, int *fd)
{
	struct wire_egress_settings head = settings->head;
	const struct {
		const void *bytes;
		size_t len;
	} parts[] = {
		{ &head, sizeof(head) },
		{ settings->ca, settings->ca_len },
		{ settings->authority, settings->authority_len },
		{ settings->records, settings->records_len },
	};
	size_t len = 0;

	head.ca_len = (uint32_t)settings->ca_len;
	head.authority_len = (uint32_t)settings->authority_len;
	head.records_len = (uint32_t)settings->records_len;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		len += parts[i].len;
	uint8_t *bytes = malloc(len);
	if (bytes == NULL)
		return -ENOMEM;
	size_t at = 0;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i].len > 0)
			memcpy(bytes + at, parts[i].bytes, parts[i].len);
		at += parts[i].len;
	}
	const int r = fd_memfd_seal("egress-settings", bytes, len, fd);
	explicit_bzero(bytes, len);
	free(bytes);
	return r;
}
