/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"

bool
policy_path_within(const char *path, const char *folder)
{
	const size_t len = strlen(folder);

	if (len == 1)
		return true;
	return strncmp(path, folder, len) == 0 &&
	    (path[len] == '/' || path[len] == '\0');
}

/* The part up to the next "/" or the end. */
static size_t
part_length(const char *at)
{
	return strcspn(at, "/");
}

bool
policy_path_is_normal(const char *path)
{
	if (path[0] != '/')
		return false;
	if (path[1] == '\0')
		return true;
	for (const char *at = path; *at == '/';) {
		at++;
		const size_t len = part_length(at);
		if (len == 0 || (len == 1 && at[0] == '.') ||
		    (len == 2 && at[0] == '.' && at[1] == '.'))
			return false;
		at += len;
	}
	return true;
}

char *
policy_path_join(const char *folder, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder,
		name) < 0)
		return NULL;
	return path;
}

/* A path under way: absolute and normal at any time. */
struct walk {
	char path[BOX_PATH_MAX];
	size_t len; /* 0: "/" */
};

static bool
walk_down(struct walk *walk, const char *name, size_t len)
{
	if (walk->len + 1 + len >= sizeof(walk->path))
		return false;
	walk->path[walk->len++] = '/';
	memcpy(walk->path + walk->len, name, len);
	walk->len += len;
	walk->path[walk->len] = '\0';
	return true;
}

/* ".." of a symlink is the folder above its target. */
static bool
walk_up(struct walk *walk)
{
	char real[PATH_MAX];

	if (walk->len == 0)
		return true;
	if (realpath(walk->path, real) == NULL)
		return false;
	walk->len = strcmp(real, "/") == 0 ? 0 : strlen(real);
	memcpy(walk->path, real, walk->len + 1);
	while (walk->len > 0 && walk->path[walk->len] != '/')
		walk->len--;
	walk->path[walk->len] = '\0';
	return true;
}

static int
walk_add(struct walk *walk, const char *word, struct err *err)
{
	for (const char *at = word; *at != '\0';) {
		const size_t len = part_length(at);
		bool done = true;

		if (len == 2 && at[0] == '.' && at[1] == '.') {
			if (!walk_up(walk))
				return err_set(err, -EINVAL,
				    "%s: \"..\" behind %s, which cannot be "
				    "looked up: %s",
				    word, walk->path, strerror(errno));
		} else if (len > 0 && !(len == 1 && at[0] == '.')) {
			done = walk_down(walk, at, len);
		}
		if (!done)
			return err_set(err, -EINVAL,
			    "%.256s…: longer than %u bytes", word,
			    BOX_PATH_MAX - 1);
		at += len;
		at += strspn(at, "/");
	}
	return 0;
}

int
policy_path_absolute(const struct policy_place *place, const char *word,
    char **pathp, struct err *err)
{
	const bool is_home =
	    word[0] == '~' && (word[1] == '/' || word[1] == '\0');
	const char *start = is_home ? place->home
	    : word[0] == '/'        ? "/"
				    : place->cwd;
	struct walk walk = { "", 0 };

	if (start == NULL || start[0] != '/')
		return err_set(err, -EINVAL,
		    "%s: %s is not known here; write the whole path", word,
		    is_home ? "the home folder" : "the current folder");

	int r = walk_add(&walk, start, err);
	if (r == 0)
		r = walk_add(&walk, word + is_home, err);
	if (r != 0)
		return r;

	char *path = strdup(walk.len == 0 ? "/" : walk.path);
	if (path == NULL)
		return err_set(err, -ENOMEM, "%s: no memory", word);
	*pathp = path;
	return 0;
}

char *
policy_path_real(const char *path, bool *is_there)
{
	char real[PATH_MAX], head[BOX_PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(head))
		return NULL;
	memcpy(head, path, len + 1);
	if (is_there != NULL)
		*is_there = true;
	while (realpath(head, real) == NULL) {
		if (is_there != NULL)
			*is_there = false;
		while (len > 1 && head[len - 1] != '/')
			len--;
		if (len <= 1)
			return strdup(path);
		head[--len] = '\0';
	}

	const char *rest = path + len;
	return *rest == '\0' ? strdup(real)
			     : policy_path_join(real, rest + strspn(rest, "/"));
}
