/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/host/token.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/fd.h"
#include "ctl/host/state.h"

#define PREFIX "cordon_"
#define TOKEN_BYTES 32
#define TOKEN_LEAST 20 /* characters of a token of one's own */

void
ctl_token_fini(struct ctl_token *token)
{
	sodium_memzero(token, sizeof(*token));
}

static void
token_draw(char text[CTL_TOKEN_MAX])
{
	uint8_t bytes[TOKEN_BYTES];

	randombytes_buf(bytes, sizeof(bytes));
	strcpy(text, PREFIX);
	sodium_bin2base64(text + strlen(PREFIX), CTL_TOKEN_MAX - strlen(PREFIX),
	    bytes, sizeof(bytes), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(bytes, sizeof(bytes));
}

/* Written beside it and renamed: a second start never sees half a token, and
 * of two first ones the later takes the token of the earlier (-EEXIST). */
static int
file_write(const char *path, const char *text)
{
	char beside[PATH_MAX + 16];

	snprintf(beside, sizeof(beside), "%s.%ld", path, (long)getpid());
	auto_close int fd =
	    open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;

	int r = fd_write_all(fd, text, strlen(text));
	if (r == 0)
		r = fd_write_all(fd, "\n", 1);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 &&
	    renameat2(AT_FDCWD, beside, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r < 0)
		unlink(beside);
	return r;
}

static int
token_make(struct ctl_token *token, struct err *err)
{
	int r = ctl_folders_make(token->path, err);
	if (r < 0)
		return r;

	token_draw(token->text);
	r = file_write(token->path, token->text);
	token->is_new = r == 0;
	if (r < 0 && r != -EEXIST)
		return err_set(err, r, "%s cannot be written: %s", token->path,
		    strerror(-r));
	return 0;
}

static bool
is_token(const char *text, size_t len)
{
	if (len < TOKEN_LEAST || len >= CTL_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	return true;
}

static int
token_read(struct ctl_token *token, int fd, struct err *err)
{
	char text[CTL_TOKEN_MAX + 1];
	struct stat status;

	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return err_set(
		    err, -EINVAL, "%s is no regular file", token->path);
	if ((status.st_mode & 077) != 0)
		return err_set(err, -EPERM,
		    "%s can be read by others: chmod 600 it, or remove it for "
		    "a new token",
		    token->path);

	ssize_t n = read(fd, text, sizeof(text));
	if (n < 0)
		return err_set(
		    err, -errno, "%s: %s", token->path, strerror(errno));
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (!is_token(text, (size_t)n))
		return err_set(err, -EINVAL,
		    "%s holds no token: one line of %d to %d visible ASCII "
		    "characters; remove the file for a new one",
		    token->path, TOKEN_LEAST, CTL_TOKEN_MAX - 1);

	memcpy(token->text, text, (size_t)n);
	token->text[n] = '\0';
	sodium_memzero(text, sizeof(text));
	uint8_t inner[CTL_TOKEN_HASH];

	crypto_hash_sha256(
	    inner, (const unsigned char *)token->text, (size_t)n);
	crypto_hash_sha256(token->hash, inner, sizeof(inner));
	sodium_memzero(inner, sizeof(inner));
	return 0;
}

static int
token_open(struct ctl_token *token, int *fd, struct err *err)
{
	*fd = open(token->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (*fd >= 0)
		return 0;
	if (errno == ENOENT)
		return -ENOENT;
	return err_set(err, -EACCES, "%s: %s", token->path, strerror(errno));
}

static int
token_place(struct ctl_token *token, const char *path, struct err *err)
{
	if (sodium_init() < 0)
		return err_set(err, -EIO, "no randomness from the kernel");

	*token = (struct ctl_token){ 0 };
	if (path == NULL)
		return ctl_state_path(CTL_STATE_TOKEN, token->path, err);
	if (strlen(path) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "%s: too long", path);
	strcpy(token->path, path);
	return 0;
}

int
ctl_token_get(struct ctl_token *token, const char *path, struct err *err)
{
	auto_close int fd = -1;

	int r = token_place(token, path, err);
	if (r < 0)
		return r;
	r = token_open(token, &fd, err);
	if (r == -ENOENT) {
		r = token_make(token, err);
		if (r == 0)
			r = token_open(token, &fd, err);
	}
	return r < 0 ? r : token_read(token, fd, err);
}

int
ctl_token_find(struct ctl_token *token, const char *path, struct err *err)
{
	auto_close int fd = -1;

	int r = token_place(token, path, err);
	if (r < 0)
		return r;
	r = token_open(token, &fd, err);
	if (r == -ENOENT)
		return err_set(
		    err, r, "there is no token file %s", token->path);
	return r < 0 ? r : token_read(token, fd, err);
}
