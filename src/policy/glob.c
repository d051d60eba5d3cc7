/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Patterns, matched against what is there at the start. The walk goes down by
 * descriptor and never through a symlink, lists only folders that the pattern
 * can match beneath, and gives up with a sentence rather than with a part of
 * the answer: a deny that names half of its files is no deny.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/utf8.h"
#include "policy/path.h"

#define WALK_ENTRIES_MAX 262144u
#define WALK_FOUND_MAX (BOX_GRANTS_MAX / 2)
#define WALK_DEPTH_MAX 64u

static bool
is_special(char c)
{
	return c == '*' || c == '?' || c == '[' || c == ']' || c == '\\';
}

bool
policy_glob_is(const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (c[0] == '\\' && is_special(c[1]))
			c++;
		else if (*c == '*' || *c == '?' || *c == '[')
			return true;
	}
	return false;
}

void
policy_glob_unescape(char *text)
{
	char *to = text;

	for (const char *c = text; *c != '\0'; c++) {
		if (c[0] == '\\' && is_special(c[1]))
			c++;
		*to++ = *c;
	}
	*to = '\0';
}

char *
policy_glob_escape(const char *path)
{
	char *text = malloc(strlen(path) * 2 + 1), *to = text;

	if (text == NULL)
		return NULL;
	for (const char *c = path; *c != '\0'; c++) {
		if (is_special(*c))
			*to++ = '\\';
		*to++ = *c;
	}
	*to = '\0';
	return text;
}

/* The next character, or the next byte where it is none. */
static uint32_t
next_character(const char **at, const char *end)
{
	uint32_t character;
	const size_t len =
	    utf8_next((const uint8_t *)*at, (size_t)(end - *at), &character);

	if (len == 0)
		return 0xff000000u | (unsigned char)*(*at)++;
	*at += len;
	return character;
}

/* Behind a "[": whether the character is of the set; *at goes behind the "]".
 * False in *is_set: there is no "]", so that "[" stands for itself. */
static bool
set_has(const char **at, const char *end, uint32_t character, bool *is_set)
{
	const char *c = *at;
	const bool is_not = c < end && (*c == '!' || *c == '^');
	bool has = false;

	c += is_not;
	for (const char *first = c; c < end && (*c != ']' || c == first);) {
		c += *c == '\\' && c + 1 < end;
		const uint32_t low = next_character(&c, end);
		uint32_t high = low;

		if (c + 1 < end && c[0] == '-' && c[1] != ']') {
			c++;
			c += *c == '\\' && c + 1 < end;
			high = next_character(&c, end);
		}
		has |= low <= character && character <= high;
	}
	*is_set = c < end;
	if (*is_set)
		*at = c + 1;
	return has != is_not;
}

/* One character of the name against what the pattern has at *at, which goes
 * behind it. */
static bool
one_matches(const char **at, const char *end, uint32_t character)
{
	const char *c = *at;
	bool is_set = false;

	if (*c == '?') {
		*at = c + 1;
		return true;
	}
	if (*c == '[') {
		c++;
		const bool has = set_has(&c, end, character, &is_set);
		if (is_set) {
			*at = c;
			return has;
		}
		c = *at;
	}
	c += *c == '\\' && c + 1 < end && is_special(c[1]);
	const uint32_t wanted = next_character(&c, end);
	*at = c;
	return wanted == character;
}

/* Linear but for the last "*", to which it goes back. */
bool
policy_glob_matches(const char *pattern, size_t len, const char *name)
{
	const char *at = pattern, *end = pattern + len;
	const char *name_end = name + strlen(name);
	const char *star = NULL, *again = NULL;

	while (name < name_end) {
		if (at < end && *at == '*') {
			star = ++at;
			again = name;
			continue;
		}
		const char *next = name;
		const uint32_t character = next_character(&next, name_end);
		if (at < end && one_matches(&at, end, character)) {
			name = next;
			continue;
		}
		if (star == NULL)
			return false;
		at = star;
		(void)next_character(&again, name_end);
		name = again;
	}
	while (at < end && *at == '*')
		at++;
	return at == end;
}

struct expansion {
	const char *pattern;
	struct policy_words *found;
	struct err *err;
	size_t entries;
	size_t depth;
	bool is_deny;
};

static int folder_expand(
    struct expansion *all, int folder_fd, const char *folder, const char *rest);

static int
found_add(struct expansion *all, const char *path)
{
	if (policy_words_has(all->found, path))
		return 0;
	if (all->found->n >= WALK_FOUND_MAX)
		return err_set(all->err, -E2BIG,
		    "%s matches more than %u files; name the folder they lie "
		    "in",
		    all->pattern, WALK_FOUND_MAX);
	const int r = policy_words_add(all->found, path, true);
	return r == 0
	    ? 0
	    : err_set(all->err, r, "%s: %s", all->pattern, strerror(-r));
}

/* `rest` is what the pattern has behind this name; NULL: nothing. */
static int
entry_expand(struct expansion *all, int folder_fd, const char *path,
    const char *name, unsigned char type, const char *rest)
{
	struct stat info;

	if (type == DT_UNKNOWN) {
		if (fstatat(folder_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
			return 0;
		type = (unsigned char)IFTODT(info.st_mode);
	}
	if (rest == NULL)
		return type == DT_LNK && !all->is_deny ? 0
						       : found_add(all, path);
	if (type != DT_DIR)
		return 0;

	/* O_NOFOLLOW: a folder that became a symlink meanwhile is none. */
	auto_close int fd = openat(
	    folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return all->is_deny && errno != ENOENT ? found_add(all, path)
						       : 0;
	return folder_expand(all, fd_steal(&fd), path, rest);
}

/* "**" at the front of `rest`: no folder at all, or any below. */
static bool
is_deep(const char *rest)
{
	return rest[0] == '*' && rest[1] == '*' && rest[2] == '/';
}

static int
entry_match(struct expansion *all, int folder_fd, const char *folder,
    const struct dirent *entry, const char *rest)
{
	const char *now = rest;
	int r = 0;

	auto_free char *path = policy_path_join(folder, entry->d_name);
	if (path == NULL)
		return err_set(all->err, -ENOMEM, "no memory");
	if (is_deep(rest)) {
		r = entry_expand(
		    all, folder_fd, path, entry->d_name, entry->d_type, rest);
		while (is_deep(now))
			now += 3;
	}
	const size_t len = strcspn(now, "/");
	if (r != 0 || !policy_glob_matches(now, len, entry->d_name))
		return r;
	return entry_expand(all, folder_fd, path, entry->d_name, entry->d_type,
	    now[len] == '/' ? now + len + 1 : NULL);
}

/* Takes the descriptor. */
static int
folder_expand(
    struct expansion *all, int folder_fd, const char *folder, const char *rest)
{
	int r = 0;

	if (all->depth == WALK_DEPTH_MAX) {
		close(folder_fd);
		return err_set(all->err, -E2BIG,
		    "%s: more than %u folders in one another; write a deeper "
		    "folder before the first pattern",
		    all->pattern, WALK_DEPTH_MAX);
	}
	DIR *dir = fdopendir(folder_fd);
	if (dir == NULL) {
		close(folder_fd);
		return err_set(all->err, -ENOMEM, "no memory");
	}
	all->depth++;
	for (const struct dirent *entry;
	     r == 0 && (entry = readdir(dir)) != NULL;) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		r = ++all->entries > WALK_ENTRIES_MAX
		    ? err_set(all->err, -E2BIG,
			  "%s: more than %u files to look at; write a deeper "
			  "folder before the first pattern",
			  all->pattern, WALK_ENTRIES_MAX)
		    : entry_match(all, dirfd(dir), folder, entry, rest);
	}
	all->depth--;
	closedir(dir);
	return r;
}

/* "**" stands alone between slashes, else it would seem to say more than "*". */
static bool
stars_are_alone(const char *pattern)
{
	for (const char *at = strstr(pattern, "**"); at != NULL;
	     at = strstr(at + 2, "**")) {
		if (at[-1] != '/' || (at[2] != '/' && at[2] != '\0'))
			return false;
	}
	return true;
}

int
policy_glob_expand(const char *pattern, bool is_deny,
    struct policy_words *found, struct err *err)
{
	struct expansion all = { pattern, found, err, 0, 0, is_deny };
	char folder[BOX_PATH_MAX];
	size_t start = 0;

	if (strlen(pattern) >= sizeof(folder) || pattern[0] != '/' ||
	    !stars_are_alone(pattern))
		return err_set(err, -EINVAL,
		    "%.256s: ** stands alone between two slashes", pattern);

	/* The folder before the first part that is a pattern. */
	for (size_t i = 0; pattern[i] != '\0'; i++) {
		if (pattern[i] != '/')
			continue;
		memcpy(folder, pattern, i);
		folder[i] = '\0';
		if (policy_glob_is(folder))
			break;
		start = i;
	}
	memcpy(folder, pattern, start);
	folder[start] = '\0';
	policy_glob_unescape(folder);

	auto_close int fd =
	    open(start == 0 ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR || !is_deny)
			return 0;
		return found_add(&all, folder);
	}
	return folder_expand(&all, fd_steal(&fd), start == 0 ? "/" : folder,
	    pattern + start + 1);
}
