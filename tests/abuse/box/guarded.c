/* SPDX-License-Identifier: Apache-2.0
 *
 * The current folder is writable; what tools of its owner run later must not
 * be: dotfiles, VCS hooks. By every name that such a file can get. The folder
 * is the working directory; the host looks at it afterwards.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HOOK ".git/hooks/pre-commit"
#define RC ".bashrc"
#define EVIL "attack\n"
#define RACE_S 5

static long
put(const char *path, int flags)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0700);

	if (fd < 0)
		return -(long)errno;
	const long result = attack_said(write(fd, EVIL, strlen(EVIL)));
	close(fd);
	return result;
}

#define PUTS(name, path)                                                       \
	static long name(const struct attack_place *place)                     \
	{                                                                      \
		(void)place;                                                   \
		return put(path, O_CREAT | O_APPEND);                          \
	}

PUTS(hook_new, HOOK)
PUTS(hook_there, ".git/hooks/post-commit")
PUTS(hook_nested, "sub/module/.git/hooks/pre-commit")
PUTS(hook_dotted, "sub/../.git/./hooks//pre-push")
PUTS(config_there, ".git/config")
PUTS(config_nested, "sub/module/.git/config")
PUTS(rc_there, RC)
PUTS(rc_new, ".profile")
PUTS(rc_nested, "sub/.envrc")
PUTS(editor_there, ".vscode/settings.json")
PUTS(editor_new, ".vscode/tasks.json")
PUTS(mcp_new, ".mcp.json")
PUTS(modules_new, ".gitmodules")

static long
editor_folder_new(const struct attack_place *place)
{
	(void)place;
	if (mkdir(".idea", 0700) < 0)
		return -(long)errno;
	return put(".idea/workspace.xml", O_CREAT);
}

static long
repository_new(const struct attack_place *place)
{
	(void)place;
	if (mkdir("src/.git", 0700) < 0 || mkdir("src/.git/hooks", 0700) < 0)
		return -(long)errno;
	return put("src/.git/hooks/pre-commit", O_CREAT);
}

/* A repository made under another name, then given its own. */
static long
repository_renamed(const struct attack_place *place)
{
	(void)place;
	if (mkdir("plain", 0700) < 0 || mkdir("plain/hooks", 0700) < 0 ||
	    put("plain/hooks/pre-commit", O_CREAT) < 0)
		return -(long)errno;
	mkdir("renamed", 0700);
	return attack_said(rename("plain", "renamed/.git"));
}

static long
hook_renamed(const struct attack_place *place)
{
	(void)place;
	put("hook", O_CREAT);
	return attack_said(rename("hook", ".git/hooks/pre-merge-commit"));
}

static long
rc_replaced(const struct attack_place *place)
{
	(void)place;
	put("rc", O_CREAT);
	return attack_said(rename("rc", ".zshrc"));
}

static long
hooks_moved_away(const struct attack_place *place)
{
	(void)place;
	return attack_said(rename(".git/hooks", "hooks-away"));
}

static long
repository_moved_away(const struct attack_place *place)
{
	(void)place;
	if (rename(".git", "git-away") < 0)
		return -(long)errno;
	if (put("git-away/hooks/pre-rebase", O_CREAT) < 0)
		return -(long)errno;
	return attack_said(rename("git-away", ".git"));
}

static long
hook_exchanged(const struct attack_place *place)
{
	(void)place;
	put("other-hook", O_CREAT);
	return attack_said(syscall(SYS_renameat2, AT_FDCWD, "other-hook",
	    AT_FDCWD, ".git/hooks/post-merge", 2 /* RENAME_EXCHANGE */));
}

/* Harmless names that lead there. */
static long
hook_by_link(const struct attack_place *place)
{
	(void)place;
	if (symlink(".git/hooks", "harmless") < 0)
		return -(long)errno;
	return put("harmless/pre-applypatch", O_CREAT);
}

static long
rc_by_link(const struct attack_place *place)
{
	(void)place;
	if (symlink(RC, "notes.txt") < 0)
		return -(long)errno;
	return put("notes.txt", O_APPEND);
}

static long
rc_by_dangling_link(const struct attack_place *place)
{
	(void)place;
	if (symlink(".bash_profile", "readme.txt") < 0)
		return -(long)errno;
	return put("readme.txt", O_CREAT);
}

static long
rc_by_hard_link(const struct attack_place *place)
{
	(void)place;
	if (link(RC, "todo.txt") < 0)
		return -(long)errno;
	return put("todo.txt", O_APPEND);
}

static long
rc_made_by_link(const struct attack_place *place)
{
	(void)place;
	put("seed", O_CREAT);
	return attack_said(link("seed", ".zprofile"));
}

static long
hook_made_symlink(const struct attack_place *place)
{
	(void)place;
	put("script.sh", O_CREAT);
	return attack_said(symlink("../../script.sh", ".git/hooks/update"));
}

static long
rc_by_descriptor(const struct attack_place *place)
{
	char path[64];
	const int fd = open(RC, O_RDONLY | O_CLOEXEC);

	(void)place;
	if (fd < 0)
		return -(long)errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return put(path, O_APPEND);
}

static long
hook_by_folder(const struct attack_place *place)
{
	const int fd = open(".git/hooks", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)place;
	if (fd < 0)
		return -(long)errno;
	return attack_said(
	    openat(fd, "commit-msg", O_CREAT | O_WRONLY | O_CLOEXEC, 0700));
}

static long
hook_by_openat2(const struct attack_place *place)
{
	struct open_how how = { .flags = O_CREAT | O_WRONLY, .mode = 0700 };

	(void)place;
	return attack_said(syscall(SYS_openat2, AT_FDCWD,
	    ".git/hooks/post-checkout", &how, sizeof(how)));
}

static long
hook_from_nameless(const struct attack_place *place)
{
	char path[64];
	const int fd = open(".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0700);

	(void)place;
	if (fd < 0)
		return -(long)errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return attack_said(linkat(AT_FDCWD, path, AT_FDCWD,
	    ".git/hooks/pre-auto-gc", AT_SYMLINK_FOLLOW));
}

static long
rc_truncated(const struct attack_place *place)
{
	(void)place;
	return attack_said(truncate(RC, 0));
}

static long
rc_removed(const struct attack_place *place)
{
	(void)place;
	return attack_said(unlink(".gitconfig"));
}

static long
hook_made_runnable(const struct attack_place *place)
{
	(void)place;
	return attack_said(chmod(".git/hooks/sample", 0755));
}

static long
hook_node(const struct attack_place *place)
{
	(void)place;
	return attack_said(mknod(".git/hooks/post-rewrite", S_IFREG | 0755, 0));
}

static long
rc_mapped(const struct attack_place *place)
{
	const int fd = open(RC, O_RDWR | O_CLOEXEC);

	(void)place;
	if (fd < 0)
		return -(long)errno;
	char *memory =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -(long)errno;
	memory[0] = '!';
	return 0;
}

/* A name that is looked at, and another that is used: two threads, one path. */
struct race {
	char path[64];
	atomic_bool done;
};

static void *
race_flip(void *argument)
{
	struct race *race = argument;

	while (!race->done) {
		memcpy(race->path, ".git/hooks/pre-receive", 23);
		atomic_signal_fence(memory_order_seq_cst);
		memcpy(race->path, "src/hooks/0/pre-commit", 23);
		atomic_signal_fence(memory_order_seq_cst);
	}
	return NULL;
}

static long
hook_by_memory_race(const struct attack_place *place)
{
	static struct race race = { .path = "src/hooks/0/pre-commit" };
	pthread_t thread;
	long result = -EPERM;

	(void)place;
	mkdir("src/hooks", 0700);
	mkdir("src/hooks/0", 0700);
	if (pthread_create(&thread, NULL, race_flip, &race) != 0)
		return -EAGAIN;
	for (const time_t end = time(NULL) + RACE_S;
	     result < 0 && time(NULL) < end;) {
		put(race.path, O_CREAT);
		result = access(".git/hooks/pre-receive", F_OK);
	}
	race.done = true;
	pthread_join(thread, NULL);
	return result == 0 ? 0 : -EPERM;
}

static void *
race_link(void *argument)
{
	atomic_bool *done = argument;

	while (!*done) {
		unlink("way");
		symlink("src", "way");
		unlink("way");
		symlink(".git/hooks", "way");
	}
	return NULL;
}

static long
hook_by_link_race(const struct attack_place *place)
{
	static atomic_bool done;
	pthread_t thread;
	long result = -EPERM;

	(void)place;
	if (pthread_create(&thread, NULL, race_link, &done) != 0)
		return -EAGAIN;
	for (const time_t end = time(NULL) + RACE_S;
	     result < 0 && time(NULL) < end;) {
		put("way/sendemail-validate", O_CREAT);
		result = access(".git/hooks/sendemail-validate", F_OK);
	}
	done = true;
	pthread_join(thread, NULL);
	return result == 0 ? 0 : -EPERM;
}

/* A folder is a plain one when it is opened, and a repository's when used. */
static void *
race_rename(void *argument)
{
	atomic_bool *done = argument;

	while (!*done) {
		rename("shape", "moved/.git");
		rename("moved/.git", "shape");
	}
	return NULL;
}

static long
hook_by_rename_race(const struct attack_place *place)
{
	static atomic_bool done;
	pthread_t thread;
	long result = -EPERM;

	(void)place;
	mkdir("shape", 0700);
	mkdir("shape/hooks", 0700);
	mkdir("moved", 0700);
	if (pthread_create(&thread, NULL, race_rename, &done) != 0)
		return -EAGAIN;
	for (const time_t end = time(NULL) + RACE_S;
	     result < 0 && time(NULL) < end;) {
		put("shape/hooks/pre-commit", O_CREAT);
		result = access("moved/.git/hooks/pre-commit", F_OK);
	}
	done = true;
	pthread_join(thread, NULL);
	return result == 0 ? 0 : -EPERM;
}

static const struct attack attacks[] = {
	ATTACK(WORK, hook_new),
	ATTACK(WORK, hook_there),
	ATTACK(WORK, hook_nested),
	ATTACK(WORK, hook_dotted),
	ATTACK(WORK, config_there),
	ATTACK(WORK, config_nested),
	ATTACK(WORK, rc_there),
	ATTACK(WORK, rc_new),
	ATTACK(WORK, rc_nested),
	ATTACK(WORK, editor_there),
	ATTACK(WORK, editor_new),
	ATTACK(WORK, mcp_new),
	ATTACK(WORK, modules_new),
	ATTACK(WORK, editor_folder_new),
	ATTACK(WORK, repository_new),
	ATTACK(WORK, repository_renamed),
	ATTACK(WORK, hook_renamed),
	ATTACK(WORK, rc_replaced),
	ATTACK(WORK, hook_exchanged),
	ATTACK(WORK, hook_by_link),
	ATTACK(WORK, rc_by_link),
	ATTACK(WORK, rc_by_dangling_link),
	ATTACK(WORK, rc_by_hard_link),
	ATTACK(WORK, rc_made_by_link),
	ATTACK(WORK, hook_made_symlink),
	ATTACK(WORK, rc_by_descriptor),
	ATTACK(WORK, hook_by_folder),
	ATTACK(WORK, hook_by_openat2),
	ATTACK(WORK, hook_from_nameless),
	ATTACK(WORK, rc_removed),
	ATTACK(WORK, hook_made_runnable),
	ATTACK(WORK, hook_node),
	ATTACK(WORK, rc_mapped),
	ATTACK(WORK, hook_by_memory_race),
	ATTACK(WORK, hook_by_link_race),
	ATTACK(WORK, hook_by_rename_race),
	ATTACK(WORK, rc_truncated),
	ATTACK(WORK, repository_moved_away),
	ATTACK(WORK, hooks_moved_away),
};

const struct attack_table attack_guarded = { "guarded", attacks,
	sizeof(attacks) / sizeof(attacks[0]) };
