/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The program itself: its file, and of a script the interpreter's. Files, never
 * the folders they lie in; those are for profiles to grant.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "policy/path.h"
#include "policy/resolve.h"

#define INTERPRETERS_MAX 4 /* of interpreters; the kernel's own bound */
#define HEAD_BYTES 256 /* of a script; BINPRM_BUF_SIZE */

static bool
is_program(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
	    faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* One folder of a PATH; relative ones are nobody's to trust. */
static char *
folder_find(const char *folder, size_t len, const char *name)
{
	char path[PATH_MAX];

	if (len == 0 || folder[0] != '/' ||
	    (size_t)snprintf(path, sizeof(path), "%.*s/%s", (int)len, folder,
		name) >= sizeof(path))
		return NULL;
	return is_program(path) ? strdup(path) : NULL;
}

char *
policy_program_find(const struct policy_resolution *all, const char *name)
{
	char *found = NULL;

	if (strchr(name, '/') != NULL) {
		if (policy_path_absolute(all->place, name, &found, NULL) != 0)
			return NULL;
		if (!is_program(found)) {
			free(found);
			found = NULL;
		}
		return found;
	}
	for (size_t i = 0; found == NULL && i < all->folders.n; i++) {
		const char *folder = all->folders.at[i].text;

		found = folder_find(folder, strlen(folder), name);
	}
	for (const char *at = all->place->path;
	     found == NULL && at != NULL && *at != '\0';) {
		const size_t len = strcspn(at, ":");

		found = folder_find(at, len, name);
		at += len + (at[len] == ':');
	}
	return found;
}

/* The word after those that env(1) takes itself. */
static char *
env_word(char *rest)
{
	char *save = NULL;

	for (char *word = strtok_r(rest, " \t", &save); word != NULL;
	     word = strtok_r(NULL, " \t", &save)) {
		if (word[0] != '-' && strchr(word, '=') == NULL)
			return word;
	}
	return NULL;
}

/* The interpreter that a script's first line names, in `head`; NULL. */
static char *
interpreter_read(const char *path, char head[HEAD_BYTES + 1])
{
	auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	const ssize_t len = fd < 0 ? -1 : read(fd, head, HEAD_BYTES);
	char *save = NULL;

	if (len < 3)
		return NULL;
	head[len] = '\0';
	if (head[0] != '#' || head[1] != '!')
		return NULL;
	head[strcspn(head, "\r\n")] = '\0';

	char *word = strtok_r(head + 2, " \t", &save);
	if (word == NULL)
		return NULL;
	const char *name = strrchr(word, '/');
	if (name != NULL && strcmp(name, "/env") == 0 && *save != '\0')
		return env_word(save);
	return word;
}

static bool
path_has(const char *path, const char *folder)
{
	const size_t len = strlen(folder);

	for (const char *at = path; *at != '\0';) {
		const size_t part = strcspn(at, ":");

		if (part == len && strncmp(at, folder, len) == 0)
			return true;
		at += part + (at[part] == ':');
	}
	return false;
}

/* A command without a "/" is found inside as it was found outside. */
static int
folder_add(struct policy_resolution *all, const char *name, const char *path)
{
	auto_free char *folder = strdup(path);

	if (folder == NULL)
		return -ENOMEM;
	*strrchr(folder, '/') = '\0';
	if (strchr(name, '/') != NULL || folder[0] == '\0' ||
	    path_has(POLICY_PATH_DEFAULT, folder) ||
	    policy_words_has(&all->folders, folder))
		return 0;
	return policy_words_add(&all->folders, folder, false);
}

int
policy_program_add(struct policy_resolution *all, const char *name)
{
	char head[HEAD_BYTES + 1], wanted[HEAD_BYTES + 1];

	for (int i = 0; name != NULL && i < INTERPRETERS_MAX; i++) {
		auto_free char *path = policy_program_find(all, name);
		if (path == NULL)
			return 0; /* who starts it says so */

		int r = policy_rule_add(all, POLICY_FOUND, path, true);
		if (r != 0)
			return r;
		r = folder_add(all, name, path);
		if (r != 0)
			return err_set(all->err, r, "no memory");
		name = interpreter_read(path, head);
		if (name != NULL) {
			memmove(wanted, name, strlen(name) + 1);
			name = wanted;
		}
	}
	return 0;
}
