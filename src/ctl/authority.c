/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/authority.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "ctl/core.h"
#include "ctl/folder.h"
#include "ctl/libexec.h"
#include "policy/policy.h"

#define PEM_MAX (64u << 10)
#define FOLDER "egress"

/* ---- making one ------------------------------------------------------------ */

static void __attribute__((noreturn))
maker_run(const char *path, const char *folder)
{
	const char *const argv[] = { "cordon-egress", "--authority", folder,
		NULL };
	const char *const env[] = { "PATH=/usr/bin:/bin", "LANG=C.UTF-8",
		"ASAN_OPTIONS=detect_leaks=0", NULL };

	/* execve(2) does not write through these, whatever its prototype. */
	execve(path, (char *const *)(uintptr_t)argv,
	    (char *const *)(uintptr_t)env);
	_exit(127);
}

static int
authority_make(const char *folder, struct err *err)
{
	char path[PATH_MAX];
	int status = 0;

	const int r = ctl_libexec_find("cordon-egress", path, err);
	if (r != 0)
		return r;
	const pid_t pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "fork: %s", strerror(errno));
	if (pid == 0)
		maker_run(path, folder);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
	    ? 0
	    : err_set(err, -EIO,
		  "an authority for boxes cannot be made in %s (status 0x%x)",
		  folder, (unsigned)status);
}

/* ---- reading it ------------------------------------------------------------ */

static int
file_read(const char *folder, const char *name, uint8_t **bytes, size_t *len,
    struct err *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "%s: too long", folder);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	const int r = fd < 0 ? -errno : fd_read_all(fd, PEM_MAX, bytes, len);
	return r == 0 ? 0 : err_set(err, r, "%s: %s", path, strerror(-r));
}

/* Key and certificate, one after the other. */
static int
authority_add(struct ctl_settings *settings, const char *folder,
    const uint8_t *certificate, size_t certificate_len, struct err *err)
{
	auto_free uint8_t *key = NULL;
	size_t key_len = 0;

	const int r = file_read(folder, "key.pem", &key, &key_len, err);
	if (r != 0)
		return r;
	settings->authority_len = key_len + certificate_len;
	settings->authority = malloc(settings->authority_len);
	if (settings->authority != NULL) {
		memcpy(settings->authority, key, key_len);
		memcpy(settings->authority + key_len, certificate,
		    certificate_len);
	}
	explicit_bzero(key, key_len);
	return settings->authority != NULL ? 0
					   : err_set(err, -ENOMEM, "no memory");
}

/* ---- what the box trusts --------------------------------------------------- */

static bool
is_current(const char *path, const struct ctl_settings *settings,
    const uint8_t *certificate, size_t certificate_len)
{
	auto_free uint8_t *bytes = NULL;
	size_t len = 0;

	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 ||
	    fd_read_all(fd, CTL_SETTINGS_CA_MAX + PEM_MAX, &bytes, &len) != 0)
		return false;
	return len == settings->ca_len + certificate_len &&
	    memcmp(bytes, settings->ca, settings->ca_len) == 0 &&
	    memcmp(bytes + settings->ca_len, certificate, certificate_len) == 0;
}

/* Beside it, then in its place: a box that starts now finds one or the other. */
static int
bundle_write(const char *path, const struct ctl_settings *settings,
    const uint8_t *certificate, size_t certificate_len)
{
	char beside[PATH_MAX + 8];

	snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
	auto_close int fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = fchmod(fd, 0644) < 0 ? -errno : 0;
	if (r == 0)
		r = fd_write_all(fd, settings->ca, settings->ca_len);
	if (r == 0)
		r = fd_write_all(fd, certificate, certificate_len);
	if (r == 0 && rename(beside, path) < 0)
		r = -errno;
	if (r != 0)
		unlink(beside);
	return r;
}

/* ---- all of it -------------------------------------------------------------- */

static bool
is_there(const char *folder)
{
	char key[PATH_MAX + 16], certificate[PATH_MAX + 16];

	snprintf(key, sizeof(key), "%s/key.pem", folder);
	snprintf(certificate, sizeof(certificate), "%s/cert.pem", folder);
	return access(key, F_OK) == 0 && access(certificate, F_OK) == 0;
}

static int
folder_make(char folder[PATH_MAX], struct err *err)
{
	char inner[PATH_MAX];

	int r = ctl_state_path(FOLDER "/cert.pem", inner, err);
	if (r == 0)
		r = ctl_folders_make(inner, err);
	if (r != 0)
		return r;
	*strrchr(inner, '/') = '\0';
	return realpath(inner, folder) != NULL
	    ? 0
	    : err_set(err, -errno, "%s: %s", inner, strerror(errno));
}

static bool
is_plain(const char *path)
{
	auto_free char *real = realpath(path, NULL);

	return real != NULL && strcmp(real, path) == 0;
}

int
ctl_authority_take(struct ctl_settings *settings,
    struct ctl_authority *authority, struct err *err)
{
	auto_free uint8_t *certificate = NULL;
	char *const folder = authority->folder;
	size_t len = 0;

	ctl_core_forbid();
	int r = folder_make(folder, err);
	if (r == 0 && !is_there(folder))
		r = authority_make(folder, err);
	if (r == 0)
		r = file_read(folder, "cert.pem", &certificate, &len, err);
	if (r == 0)
		r = authority_add(settings, folder, certificate, len, err);
	if (r != 0)
		return r;
	if (snprintf(authority->certificate, PATH_MAX, "%s/cert.pem", folder) >=
		PATH_MAX ||
	    snprintf(authority->bundle, PATH_MAX, "%s/bundle.pem", folder) >=
		PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "%s: too long", folder);
	authority->over_system = is_plain(POLICY_SYSTEM_BUNDLE);
	if (is_current(authority->bundle, settings, certificate, len))
		return 0;
	r = bundle_write(authority->bundle, settings, certificate, len);
	return r == 0
	    ? 0
	    : err_set(err, r, "%s: %s", authority->bundle, strerror(-r));
}
