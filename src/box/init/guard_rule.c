/* SPDX-License-Identifier: Apache-2.0
 *
 * The one rule of guarded folders: names that programs outside obey.
 */
#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/auto.h"
#include "box/base.h"
#include "box/init/guard.h"
#include "box/root.h"

enum kind {
	PLAIN,
	KEPT, /* it, and all that is in it */
	VCS, /* it; what is in it may be written, but for vcs_names */
	PACKAGES, /* KEPT names in it are not: what lies there is run anyhow */
	BARE, /* what makes a folder a repository without ".git" */
};

/* At any depth. Directly below a guarded folder, every name with a dot in front
 * is KEPT that is not VCS. */
static const struct {
	const char *name;
	enum kind kind;
	const char *why;
} names[] = {
	{ ".git", VCS, "a new repository brings its own hooks and settings" },
	{ ".hg", VCS, "the same" },
	{ ".svn", VCS, "the same" },
	{ ".jj", KEPT, "the same; its settings are anywhere in it" },
	{ ".bzr", KEPT, "the same" },
	{ ".husky", KEPT, "hooks of git" },
	{ ".gitmodules", KEPT, "where git gets submodules, and how" },
	{ ".vscode", KEPT, "tasks that an editor runs" },
	{ ".idea", KEPT, "tasks that an editor runs" },
	{ ".claude", KEPT, "hooks and commands of an agent" },
	{ ".cursor", KEPT, "rules and servers of an agent" },
	{ ".codex", KEPT, "the same" },
	{ ".gemini", KEPT, "the same" },
	{ ".windsurf", KEPT, "the same" },
	{ ".zed", KEPT, "tasks that an editor runs" },
	{ ".devcontainer", KEPT, "commands that an editor runs" },
	{ ".mcp.json", KEPT, "servers that an agent starts" },
	{ ".envrc", KEPT, "a shell runs it" },
	{ "node_modules", PACKAGES, "packages bring editors' settings along" },
	{ "HEAD", BARE, "git takes a folder with this for a repository" },
};

/* Directly in a VCS folder; below "modules" and "worktrees", at any depth. */
static const struct {
	const char *name;
	const char *why;
} vcs_names[] = {
	{ "hooks", "programs that it runs" },
	{ "config", "names programs that it runs" },
	{ "config.worktree", "the same" },
	{ "commondir", "says where else hooks and config are" },
	{ "hgrc", "Mercurial's config" },
	{ "hgrc-not-shared", "the same" },
	{ "sharedpath", "Mercurial's commondir" },
};

static const char *const vcs_nests[] = { "modules", "worktrees" };

/* Repositories in a repository: their places are what a name means there. */
enum area { OPEN_AREA, PACKAGES_AREA, VCS_AREA, NEST_AREA };

#define PART_MAX 64

/*
 * As a file system compares names that folds case (ext4's casefold, vfat, NTFS):
 * ASCII in lower case; the two letters whose lower case is an ASCII one; other
 * letters gone, for some are ignored. Longer than any name here: empty.
 */
static void
fold(const char *part, size_t len, char folded[PART_MAX])
{
	size_t n = 0;

	/* Windows ignores dots and spaces at the end, and so do its disks. */
	while (len > 1 && (part[len - 1] == ' ' || part[len - 1] == '.'))
		len--;
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)part[i];
		char letter = (char)tolower(c);
		if (len - i >= 3 && memcmp(part + i, "\xe2\x84\xaa", 3) == 0)
			letter = 'k'; /* the sign of kelvin */
		else if (len - i >= 2 && memcmp(part + i, "\xc5\xbf", 2) == 0)
			letter = 's'; /* the long s */
		else if (c >= 0x80)
			continue;
		if (n == PART_MAX - 1) {
			n = 0;
			break;
		}
		folded[n++] = letter;
	}
	folded[n] = '\0';
}

static enum kind
kind_of(const char *part, size_t len)
{
	char folded[PART_MAX];

	if (len == 4 && memcmp(part, "HEAD", 4) == 0)
		return BARE;
	fold(part, len, folded);
	/* Its short name on vfat and NTFS. */
	if (strncmp(folded, "git~", 4) == 0 &&
	    isdigit((unsigned char)folded[4]))
		return VCS;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(folded, names[i].name) == 0)
			return names[i].kind;
	return PLAIN;
}

static bool
is_one_of_vcs(const char *part, size_t len)
{
	char folded[PART_MAX];

	fold(part, len, folded);
	for (size_t i = 0; i < ARRAY_LEN(vcs_names); i++)
		if (strcmp(folded, vcs_names[i].name) == 0)
			return true;
	return false;
}

static bool
is_nest(const char *part, size_t len)
{
	char folded[PART_MAX];

	fold(part, len, folded);
	for (size_t i = 0; i < ARRAY_LEN(vcs_nests); i++)
		if (strcmp(folded, vcs_nests[i]) == 0)
			return true;
	return false;
}

/* The grant that a path falls under; the deepest, or the deepest writable one.
 * NULL: none. */
static const struct box_grant *
grant_find(const struct box_spec *spec, const char *path, bool is_writable)
{
	const struct box_grant *deepest = NULL;

	/* In order: whatever is below another comes after it. */
	for (uint32_t i = 0; i < spec->n_grants; i++)
		if (box_path_below(path, box_grant_place(&spec->grants[i])) &&
		    (!is_writable ||
			spec->grants[i].access == BOX_ACCESS_WRITE))
			deepest = &spec->grants[i];
	return deepest;
}

struct walk {
	enum area area; /* of what is in the last part */
	bool is_kept;
	bool is_vcs_itself; /* the part before was */
};

/* One part further. */
static void
part_take(struct walk *walk, const char *part, size_t len, bool is_first)
{
	const enum kind kind = kind_of(part, len);
	const bool is_in_vcs =
	    walk->area == VCS_AREA || walk->area == NEST_AREA;

	walk->is_kept |= kind == KEPT && walk->area != PACKAGES_AREA;
	walk->is_kept |= kind == BARE && !is_in_vcs;
	walk->is_kept |= is_first && part[0] == '.' && kind != VCS;
	walk->is_kept |= kind == VCS && is_in_vcs;
	walk->is_kept |= (walk->is_vcs_itself || walk->area == NEST_AREA) &&
	    is_one_of_vcs(part, len);
	if (walk->is_vcs_itself && is_nest(part, len))
		walk->area = NEST_AREA;
	walk->is_vcs_itself = kind == VCS && !is_in_vcs;
	if (walk->is_vcs_itself)
		walk->area = VCS_AREA;
	else if (kind == PACKAGES && walk->area == OPEN_AREA)
		walk->area = PACKAGES_AREA;
}

static struct walk
walk_down(const char *rest)
{
	struct walk walk = { OPEN_AREA, false, false };
	bool is_first = true;

	for (const char *at = rest; *at != '\0';) {
		at += strspn(at, "/");
		const size_t len = strcspn(at, "/");
		if (len > 0)
			part_take(&walk, at, len, is_first);
		is_first = false;
		at += len;
	}
	/* The folder of a repository itself is neither made nor removed. */
	walk.is_kept |= walk.is_vcs_itself;
	return walk;
}

/* The guarded folder that a path lies in; NULL: none. */
static const struct box_grant *
guard_find(const struct box_spec *spec, const char *path)
{
	const struct box_grant *grant = grant_find(spec, path, true);

	return grant != NULL && grant->flags & BOX_GRANT_GUARD ? grant : NULL;
}

static struct walk
path_walk(const struct box_grant *guard, const char *path)
{
	return walk_down(path + strlen(box_grant_place(guard)));
}

bool
box_guard_keeps(const struct box_spec *spec, const char *path)
{
	const struct box_grant *guard = guard_find(spec, path);

	if (guard == NULL)
		return false;
	/* What was to be read-only or hidden there, and was not there to be
	 * mounted over. */
	return grant_find(spec, path, false) != guard ||
	    path_walk(guard, path).is_kept;
}

bool
box_guard_may_move(
    const struct box_spec *spec, const char *from, const char *to)
{
	const struct box_grant *guard_from = guard_find(spec, from);
	const struct box_grant *guard_to = guard_find(spec, to);

	if (guard_from == NULL || guard_to == NULL)
		return guard_from == guard_to;
	const enum area area = path_walk(guard_from, from).area;
	return area != NEST_AREA && area == path_walk(guard_to, to).area;
}
