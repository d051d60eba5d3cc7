/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/secret/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/fd.h"
#include "ctl/core.h"
#include "ctl/host/state.h"

#define VARIABLE "CORDON_VAULT_KEY"
#define CREDENTIALS "CREDENTIALS_DIRECTORY"
#define CREDENTIAL "cordon-vault-key"

/* Of the environment; read again when the settings are. */
static char env_keys[CTL_VAULT_FILE_MAX];

void
ctl_vault_env_take(void)
{
	char *value = getenv(VARIABLE);

	if (value == NULL)
		return;
	snprintf(env_keys, sizeof(env_keys), "%s", value);
	/* /proc/PID/environ shows the place, not what getenv() finds. */
	explicit_bzero(value, strlen(value));
	unsetenv(VARIABLE);
}

/* ---- files ----------------------------------------------------------------
 */

/* `is_ours`: made or named by the operator, and so only his to read. */
static int
file_read(const char *path, bool is_ours, char text[CTL_VAULT_FILE_MAX],
    size_t *len, struct err *err)
{
	struct stat status;

	auto_close int fd =
	    open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 || fstat(fd, &status) < 0)
		return err_set(err, -EACCES, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return err_set(err, -EINVAL, "%s is no regular file", path);
	if (is_ours && (status.st_mode & 077) != 0)
		return err_set(err, -EPERM,
		    "%s, the vault's key, can be read by others: chmod 600 it, "
		    "and think about who may have read it",
		    path);
	const ssize_t n = read(fd, text, CTL_VAULT_FILE_MAX);
	if (n < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (n == CTL_VAULT_FILE_MAX)
		return err_set(err, -EFBIG, "%s is too long for keys", path);
	*len = (size_t)n;
	return 0;
}

static int
keys_parse(const char *text, size_t len, const char *where,
    struct vault_ring *ring, struct err *err)
{
	struct err why = { "" };

	const int r = vault_ring_parse(ring, text, len, &why);
	return r == 0 ? 0 : err_set(err, r, "%s %s", where, why.text);
}

static int
file_take(
    const char *path, bool is_ours, struct vault_ring *ring, struct err *err)
{
	char text[CTL_VAULT_FILE_MAX];
	size_t len = 0;

	int r = file_read(path, is_ours, text, &len, err);
	if (r == 0)
		r = keys_parse(text, len, path, ring, err);
	sodium_memzero(text, sizeof(text));
	return r;
}

/* Beside it first: nobody sees half a file, and a power cut leaves the old one.
 */
static int
file_write(const char *path, const char *text, unsigned flags, struct err *err)
{
	char beside[PATH_MAX + 16];

	snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
	auto_close int fd = mkostemp(beside, O_CLOEXEC);
	int r = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat2(AT_FDCWD, beside, AT_FDCWD, path, flags) < 0)
		r = -errno;
	if (r < 0 && fd >= 0)
		unlink(beside);
	return r == 0 || r == -EEXIST
	    ? r
	    : err_set(err, r, "%s cannot be written: %s", path, strerror(-r));
}

/* ---- where it is ----------------------------------------------------------
 */

static int
default_take(struct vault_ring *ring, struct err *err)
{
	char path[PATH_MAX], key[VAULT_KEY_TEXT], line[VAULT_KEY_TEXT + 1];

	int r = ctl_state_path(CTL_STATE_VAULT, path, err);
	if (r == 0)
		r = ctl_folders_make(path, err);
	if (r < 0)
		return r;
	r = file_take(path, true, ring, err);
	if (r != -ENOENT)
		return r;
	vault_key_draw(key);
	snprintf(line, sizeof(line), "%s\n", key);
	/* Of two first starts the later one takes the earlier's. */
	r = file_write(path, line, RENAME_NOREPLACE, err);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(line, sizeof(line));
	return r == 0 || r == -EEXIST ? file_take(path, true, ring, err) : r;
}

static int
credential_take(struct vault_ring *ring, struct err *err)
{
	const char *folder = getenv(CREDENTIALS);
	char path[PATH_MAX];

	if (folder == NULL || folder[0] != '/' ||
	    snprintf(path, sizeof(path), "%s/" CREDENTIAL, folder) >= PATH_MAX)
		return -ENOENT;
	return file_take(path, false, ring, err);
}

static int
keys_find(const char *path, struct vault_ring *ring, struct err *err)
{
	if (path[0] != '\0') {
		const int r = file_take(path, true, ring, err);
		return r == -ENOENT
		    ? err_set(err, r,
			  "%s, the vault's key_file, is not there; 'cordon "
			  "secret rotate --key-file %s' makes it",
			  path, path)
		    : r;
	}
	if (env_keys[0] != '\0')
		return keys_parse(
		    env_keys, strlen(env_keys), "$" VARIABLE, ring, err);
	const int r = credential_take(ring, err);
	return r == -ENOENT ? default_take(ring, err) : r;
}

static int
public_write(const struct vault_ring *ring, struct err *err)
{
	uint8_t public_key[VAULT_PUBLIC];
	char path[PATH_MAX], text[VAULT_KEY_TEXT + 1];

	int r = ctl_state_path(CTL_STATE_PUBLIC, path, err);
	if (r == 0)
		r = ctl_folders_make(path, err);
	if (r < 0)
		return r;
	vault_public(ring, public_key);
	sodium_bin2base64(text, sizeof(text), public_key, sizeof(public_key),
	    sodium_base64_VARIANT_ORIGINAL);
	strcat(text, "\n");
	return file_write(path, text, 0, err);
}

int
ctl_vault_find(
    const char *path, struct vault_ring *ring, int *fd, struct err *err)
{
	if (sodium_init() < 0)
		return err_set(err, -EIO, "no randomness from the kernel");
	int r = keys_find(path, ring, err);
	if (r == 0)
		r = public_write(ring, err);
	if (r < 0)
		return r;
	r = fd_memfd_seal("cordon-vault", ring, sizeof(*ring), fd);
	return r == 0
	    ? 0
	    : err_set(err, r, "no memory file for the vault: %s", strerror(-r));
}

/* ---- others ---------------------------------------------------------------
 */

int
ctl_vault_public(uint8_t public_key[VAULT_PUBLIC], struct err *err)
{
	char path[PATH_MAX], text[CTL_VAULT_FILE_MAX];
	const char *end = NULL;
	size_t len = 0, n = 0;

	int r = ctl_state_path(CTL_STATE_PUBLIC, path, err);
	if (r == 0)
		r = file_read(path, false, text, &len, err);
	if (r < 0)
		return r;
	while (len > 0 && text[len - 1] == '\n')
		len--;
	if (sodium_base642bin(public_key, VAULT_PUBLIC, text, len, NULL, &n,
		&end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    n != VAULT_PUBLIC || end != text + len)
		return err_set(err, -EINVAL,
		    "%s holds no public key: start 'cordon serve' anew, which "
		    "writes it",
		    path);
	return 0;
}

/* ---- a new key --------------------------------------------------------------
 */

static bool
ring_has(const struct vault_ring *ring, const uint8_t public_key[VAULT_PUBLIC])
{
	uint8_t its[VAULT_PUBLIC];
	bool has = false;

	for (uint32_t i = 0; i < ring->n && !has; i++) {
		struct vault_ring one = { .n = 1 };
		memcpy(one.keys[0], ring->keys[i], VAULT_KEY);
		vault_public(&one, its);
		has = memcmp(its, public_key, VAULT_PUBLIC) == 0;
		vault_ring_fini(&one);
	}
	return has;
}

/* A new key in a file that the host does not read would do nothing. What it
 * seals with is known once it was started. */
static int
use_check(const struct vault_ring *ring, const char *path, struct err *err)
{
	uint8_t public_key[VAULT_PUBLIC];

	if (ctl_vault_public(public_key, NULL) != 0 ||
	    ring_has(ring, public_key))
		return 0;
	return err_set(err, -EINVAL,
	    "the host of this state folder seals with a key that is not in "
	    "%s: say --key-file for the vault.key_file of its settings; in "
	    "$" VARIABLE " or a credential put the new key first yourself",
	    path);
}

static int
rotate_check(const struct vault_ring *ring, const char *path, bool is_named,
    struct err *err)
{
	if (ring->n == VAULT_KEYS_MAX)
		return err_set(err, -E2BIG,
		    "%s has %u keys, the most that there may be: remove the "
		    "last ones, which nothing but old backups was sealed with",
		    path, ring->n);
	return is_named ? 0 : use_check(ring, path, err);
}

/* The keys of a file, and their text; of one that is not there, none. */
static int
old_take(const char *path, char text[CTL_VAULT_FILE_MAX], size_t *len,
    struct vault_ring *ring, struct err *err)
{
	const int r = file_read(path, true, text, len, err);

	if (r == -ENOENT)
		return ctl_folders_make(path, err);
	return r == 0 ? keys_parse(text, *len, path, ring, err) : r;
}

int
ctl_vault_rotate(const char *path, char written[PATH_MAX], struct err *err)
{
	char text[VAULT_KEY_TEXT + 1 + CTL_VAULT_FILE_MAX];
	struct vault_ring ring = { .n = 0 };
	char *old = text + VAULT_KEY_TEXT;
	size_t len = 0;
	int r = 0;

	ctl_core_forbid();
	if (sodium_init() < 0)
		return err_set(err, -EIO, "no randomness from the kernel");
	if (path == NULL)
		r = ctl_state_path(CTL_STATE_VAULT, written, err);
	else if (snprintf(written, PATH_MAX, "%s", path) >= PATH_MAX)
		r = err_set(err, -ENAMETOOLONG, "%s: too long", path);
	if (r < 0)
		return r;
	r = old_take(written, old, &len, &ring, err);
	if (r == 0)
		r = rotate_check(&ring, written, path != NULL, err);
	if (r == 0) {
		vault_key_draw(text);
		text[VAULT_KEY_TEXT - 1] = '\n';
		old[len] = '\0';
		r = file_write(written, text, 0, err);
	}
	sodium_memzero(text, sizeof(text));
	vault_ring_fini(&ring);
	return r;
}
