/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/secret/letter.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>

#include "base/auto.h"
#include "ctl/core.h"
#include "ctl/ctl.h"
#include "ctl/host/table.h"
#include "ctl/secret/vault.h"

#define VARIANT sodium_base64_VARIANT_ORIGINAL
#define KEY_TEXT sodium_base64_ENCODED_LEN(VAULT_PUBLIC, VARIANT)

/* ---- the value ------------------------------------------------------------
 */

/* Bytes up to the end of `fd` or of the buffer; of a terminal, a line. */
static ssize_t
bytes_read(int fd, uint8_t *bytes, size_t size, bool is_line)
{
	size_t n = 0;

	while (n < size) {
		const ssize_t got = read(fd, bytes + n, size - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		n += (size_t)got;
		if (got == 0 || (is_line && bytes[n - 1] == '\n'))
			break;
	}
	return (ssize_t)n;
}

/* Without echo; signals wait until the terminal is as it was. */
static ssize_t
terminal_read(uint8_t *bytes, size_t size, const char *what)
{
	struct termios was, silent;
	sigset_t all, before;

	if (tcgetattr(STDIN_FILENO, &was) < 0)
		return -errno;
	silent = was;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ISIG);
	silent.c_lflag |= ICANON;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	/* First: what is typed at the prompt is neither shown nor lost. */
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	fprintf(stderr, "%s (it is not shown): ", what);
	fflush(stderr);
	const ssize_t n = bytes_read(STDIN_FILENO, bytes, size, true);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fputc('\n', stderr);
	sigprocmask(SIG_SETMASK, &before, NULL);
	/* The interrupt character, taken as itself. */
	return n > 0 && memchr(bytes, was.c_cc[VINTR], (size_t)n) != NULL
	    ? -ECANCELED
	    : n;
}

int
ctl_letter_read(struct ctl_letter *letter, const char *what)
{
	const struct ctl_admin *admin = letter->admin;
	struct wire_egress_secret *secret = &letter->secret;
	uint8_t bytes[WIRE_SECRET_VALUE_MAX + 3];

	ctl_core_forbid();
	ssize_t n = isatty(STDIN_FILENO)
	    ? terminal_read(bytes, sizeof(bytes), what)
	    : bytes_read(STDIN_FILENO, bytes, sizeof(bytes), false);
	if (n == -ECANCELED)
		return CTL_EXIT_INTERRUPTED;
	if (n < 0)
		return ctl_admin_usage(
		    admin, "standard input: %s", strerror((int)-n));
	/* What echo and editors put behind it. */
	if (n > 0 && bytes[n - 1] == '\n')
		n--;
	if (n > 0 && bytes[n - 1] == '\r')
		n--;
	const bool fits = n <= WIRE_SECRET_VALUE_MAX;
	if (fits) {
		memcpy(secret->value, bytes, (size_t)n);
		secret->value_len = (uint32_t)n;
	}
	sodium_memzero(bytes, sizeof(bytes));
	if (!fits)
		return ctl_admin_usage(
		    admin, "the value is over %d bytes", WIRE_SECRET_VALUE_MAX);
	return CTL_EXIT_OK;
}

/* ---- to whom it is sealed -------------------------------------------------
 */

static bool
reply_key(const struct ctl_reply *reply, uint8_t public_key[VAULT_PUBLIC])
{
	char text[KEY_TEXT] = "";
	size_t n = 0;

	return json_string_copy(ctl_member(reply->json, "public_key"), text,
		   sizeof(text), NULL) == 0 &&
	    sodium_base642bin(public_key, VAULT_PUBLIC, text, strlen(text),
		NULL, &n, NULL, VARIANT) == 0 &&
	    n == VAULT_PUBLIC;
}

/* The key that is given, or that of the state folder, which is this machine's.
 * -ENOENT: neither. */
static int
known_key(
    const struct ctl_admin *admin, uint8_t key[VAULT_PUBLIC], struct err *err)
{
	const char *text = admin->public_key;
	size_t n = 0;

	if (text == NULL)
		return admin->url != NULL ? -ENOENT
					  : ctl_vault_public(key, err);
	if (sodium_base642bin(key, VAULT_PUBLIC, text, strlen(text), NULL, &n,
		NULL, VARIANT) != 0 ||
	    n != VAULT_PUBLIC)
		return err_set(err, -EINVAL,
		    "--public-key is the text of STATE/" CTL_STATE_PUBLIC);
	return 0;
}

/*
 * The answer went through the gateway. On this machine the key is that of the
 * state folder, and the tenant what was said here: a gateway that is not to be
 * trusted can only make us stop.
 */
static int
vault_check(struct ctl_letter *letter, const struct ctl_reply *reply)
{
	const struct ctl_admin *admin = letter->admin;
	uint8_t ours[VAULT_PUBLIC];
	char tenant[WIRE_NAME_MAX] = "";
	struct err err = { "" };

	if (json_string_copy(ctl_member(reply->json, "tenant"), tenant,
		sizeof(tenant), NULL) != 0 ||
	    strcmp(tenant, letter->owner.tenant) != 0)
		return ctl_admin_usage(admin,
		    "the token is of the tenant \"%s\": say --tenant %s",
		    tenant, tenant);
	if (!reply_key(reply, letter->public_key))
		return ctl_admin_usage(
		    admin, "the host has no vault key, so it keeps no secrets");
	const int r = known_key(admin, ours, &err);
	if (r == -ENOENT)
		return ctl_admin_usage(admin,
		    "whose key the host says is not known here: give it with "
		    "--public-key (the text of STATE/" CTL_STATE_PUBLIC
		    " on the host)");
	if (r < 0)
		return ctl_admin_usage(admin, "%s", err.text);
	if (sodium_memcmp(ours, letter->public_key, VAULT_PUBLIC) != 0)
		return ctl_admin_usage(admin,
		    "the host says another public key than %s"
		    ": nothing was sent. If 'cordon serve' runs with this "
		    "state folder, something between is not what it should "
		    "be",
		    admin->public_key != NULL ? "--public-key"
					      : "STATE/" CTL_STATE_PUBLIC);
	return CTL_EXIT_OK;
}

struct vault_owner
ctl_letter_owner(const struct ctl_admin *admin, const char *server)
{
	return (struct vault_owner){
		admin->tenant != NULL ? admin->tenant : "local", server
	};
}

int
ctl_letter_ask(struct ctl_letter *letter)
{
	struct ctl_reply reply;

	int exit_code =
	    ctl_admin_ask(letter->admin, "GET", "/admin/secrets", NULL, &reply);
	if (exit_code == CTL_EXIT_OK)
		exit_code = vault_check(letter, &reply);
	ctl_reply_fini(&reply);
	return exit_code;
}

int
ctl_letter_put(
    const struct ctl_letter *letter, const char *member, struct json_out *out)
{
	char text[sodium_base64_ENCODED_LEN(VAULT_LETTER_MAX, VARIANT)];
	uint8_t sealed[VAULT_LETTER_MAX];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	const uint64_t ms =
	    (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	const size_t len = vault_letter_write(
	    letter->public_key, &letter->owner, &letter->secret, ms, sealed);
	if (len == 0)
		return ctl_admin_usage(
		    letter->admin, "the host's public key is none");
	sodium_bin2base64(text, sizeof(text), sealed, len, VARIANT);
	json_out_text(out, ",\"");
	json_out_text(out, member);
	json_out_text(out, "\":");
	json_out_string(out, text, strlen(text));
	return CTL_EXIT_OK;
}

/* ---- for whom -------------------------------------------------------------- */

int
ctl_principal_find(const struct ctl_admin *admin, uint32_t *principal)
{
	struct ctl_reply reply;
	struct json_span row;
	struct json_iter iter = { 0 };
	uint64_t id = 0;

	if (admin->principal == NULL)
		return CTL_EXIT_OK;
	const int exit_code =
	    ctl_admin_ask(admin, "GET", "/admin/tokens", NULL, &reply);
	json_iter_init(&iter, ctl_reply_rows(&reply, "tokens"));
	while (exit_code == CTL_EXIT_OK && json_iter_element(&iter, &row)) {
		char number[16] = "";
		const struct json_span span = ctl_member(row, "id");
		if (span.len < sizeof(number) && span.at != NULL)
			memcpy(number, span.at, span.len);
		if (strcmp(number, admin->principal) == 0 ||
		    json_string_equals(
			ctl_member(row, "name"), admin->principal))
			id = strtoull(number, NULL, 10);
	}
	ctl_reply_fini(&reply);
	if (exit_code != CTL_EXIT_OK)
		return exit_code;
	if (id == 0)
		return ctl_admin_usage(admin,
		    "--principal: there is no token \"%s\"; see: cordon token "
		    "list",
		    admin->principal);
	*principal = (uint32_t)id;
	return CTL_EXIT_OK;
}
