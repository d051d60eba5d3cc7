/* SPDX-License-Identifier: Apache-2.0
 *
 * Tries to leave in the working directory what a program outside would obey, by
 * every way there is to make, change, move or remove a name. Prints a line for
 * each: "done NAME", or what refused it. Runs in a box only; guard.test.mjs
 * prepares the folder: .env, plain, sub/.git/{config,hooks/pre-commit}.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int here_fd;

/* 0: it was opened, and written to. */
static int
written(int fd)
{
	const ssize_t n = fd < 0 ? -1 : write(fd, "evil\n", 5);
	const int code = errno;

	if (fd >= 0)
		close(fd);
	errno = code;
	return n == 5 ? 0 : -1;
}

static int
put(const char *path)
{
	return written(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

static int
put_at(const char *folder, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return put(path);
}

static int
folders_make(const char *const *paths)
{
	for (; *paths != NULL; paths++)
		if (mkdir(*paths, 0755) < 0 && errno != EEXIST)
			return -1;
	return 0;
}

#define FOLDERS(...) folders_make((const char *const[]){ __VA_ARGS__, NULL })

/* ---- every call ----------------------------------------------------------- */

static int
open_creates(void)
{
	return put(".a1");
}
static int
open_exclusive(void)
{
	return written(
	    open(".a2", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
}
static int
open_reading_creates(void)
{
	return open(".a3", O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
}
static int
openat_creates(void)
{
	return written(
	    openat(here_fd, ".a4", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}
static int
openat2_creates(void)
{
	const struct open_how how = { .flags = O_WRONLY | O_CREAT | O_CLOEXEC,
		.mode = 0644 };

	if (written((int)syscall(
		SYS_openat2, here_fd, ".a5", &how, sizeof(how))) == 0)
		return 0;
	return errno == ENOSYS ? put(".a5") : -1;
}
static int
creat_creates(void)
{
	return written((int)syscall(
	    SYS_openat, AT_FDCWD, ".a6", O_CREAT | O_WRONLY | O_TRUNC, 0644));
}
static int
mkdir_makes(void)
{
	return mkdir(".b1", 0755);
}
static int
mkdir_with_slash(void)
{
	return mkdir(".b2//", 0755);
}
static int
mkdirat_makes(void)
{
	return mkdirat(here_fd, ".b3", 0755);
}
static int
mkdir_deep(void)
{
	FOLDERS("b4");
	return mkdir("b4/.git", 0755);
}
static int
mkdir_case(void)
{
	FOLDERS("b5");
	return mkdir("b5/.GIT", 0755);
}
static int
mkdir_editor(void)
{
	FOLDERS("b6", "b6/c");
	return mkdir("b6/c/.vscode", 0755);
}
static int
mknod_fifo(void)
{
	return mknod(".c1", S_IFIFO | 0644, 0);
}
static int
mknodat_file(void)
{
	return mknodat(here_fd, ".c2", S_IFREG | 0644, 0);
}
static int
symlink_makes(void)
{
	return symlink("plain", ".d1");
}
static int
symlinkat_makes(void)
{
	return symlinkat("plain", here_fd, ".d2");
}
static int
link_makes(void)
{
	return link("plain", ".e1");
}
static int
linkat_makes(void)
{
	return linkat(here_fd, "plain", here_fd, ".e2", 0);
}
static int
rename_to(void)
{
	return put("f1") != 0 ? -1 : rename("f1", ".f1");
}
static int
renameat_to(void)
{
	return put("f2") != 0 ? -1 : renameat(here_fd, "f2", here_fd, ".f2");
}
static int
renameat2_to(void)
{
	return put("f3") != 0
	    ? -1
	    : renameat2(AT_FDCWD, "f3", here_fd, ".f3", RENAME_NOREPLACE);
}
static int
rename_folder_to(void)
{
	return FOLDERS("f4", "f4/hooks", "f5") != 0 ? -1
						    : rename("f4", "f5/.git");
}
static int
bind_makes(void)
{
	const struct sockaddr_un address = { AF_UNIX, ".g1" };
	int pair[2];

	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0
	    ? -1
	    : bind(pair[0], (const struct sockaddr *)&address, sizeof(address));
}
static int
tmpfile_linked(void)
{
	char path[64];
	const int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);

	if (written(fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, here_fd, ".h1", AT_SYMLINK_FOLLOW);
}
static int
tmpfile_linked_itself(void)
{
	const int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);

	return linkat(fd, "", here_fd, ".h2", AT_EMPTY_PATH);
}

/* ---- by other ways -------------------------------------------------------- */

static int
by_dots(void)
{
	return FOLDERS("i1") != 0 ? -1 : put("i1/../.i1");
}
static int
by_dangling_link(void)
{
	return symlink(".i2-target", "i2") != 0 ? -1 : put("i2");
}
static int
by_chain_of_links(void)
{
	return FOLDERS("i3")                   ? -1
	    : symlink("i3/b", "i3-a")          ? -1
	    : symlink("../.i3-target", "i3/b") ? -1
					       : put("i3-a");
}
static int
by_folder_link(void)
{
	return FOLDERS("i4") != 0         ? -1
	    : symlink("..", "i4/up") != 0 ? -1
					  : put("i4/up/.i4");
}
static int
by_cwd(void)
{
	return put("/proc/self/cwd/.j1");
}
static int
by_thread_cwd(void)
{
	return put("/proc/thread-self/cwd/.j2");
}
static int
by_fd(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", here_fd);
	return put_at(path, ".j3");
}
static int
by_dev_fd(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/fd/%d", here_fd);
	return put_at(path, ".j4");
}
static int
by_root(void)
{
	char here[256], path[400];

	if (getcwd(here, sizeof(here)) == NULL)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/root%s", getpid(), here);
	return put_at(path, ".j5");
}
static int
by_link_to_cwd(void)
{
	return symlink("/proc/self/cwd", "j6") != 0 ? -1 : put("j6/.j6");
}
static int
by_fd_below(void)
{
	FOLDERS("j7");
	const int fd = open("j7", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return written(
	    openat(fd, "../.j7", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}
static void *
in_thread(void *result)
{
	*(int *)result = put(".j8") == 0 ? 0 : errno;
	return NULL;
}
static int
by_thread(void)
{
	pthread_t thread;
	int code = EAGAIN;

	if (pthread_create(&thread, NULL, in_thread, &code) != 0)
		return -1;
	pthread_join(thread, NULL);
	errno = code;
	return code == 0 ? 0 : -1;
}
static int
by_vfork(void)
{
	int status = 1;

	const pid_t pid = vfork();
	if (pid == 0)
		_exit(syscall(SYS_mkdirat, AT_FDCWD, ".j9", 0755) == 0 ? 0
								       : errno);
	waitpid(pid, &status, 0);
	errno = WEXITSTATUS(status);
	return status == 0 ? 0 : -1;
}
/* Whose memory is closed to init is not believed. */
static int
by_closed_memory(void)
{
	int status = 1;

	const pid_t pid = fork();
	if (pid == 0)
		_exit(prctl(PR_SET_DUMPABLE, 0) == 0 && put("j10") == 0
			? 0
			: errno);
	waitpid(pid, &status, 0);
	errno = WEXITSTATUS(status);
	return status == 0 ? 0 : -1;
}
/* Deeper than a path is long: no real path can be told. */
static int
by_depth(void)
{
	char name[251];
	int code = -1;

	memset(name, 'k', 250);
	name[250] = '\0';
	for (int i = 0; i < 20; i++)
		if (mkdir(name, 0755) < 0 || chdir(name) < 0)
			break;
	code = mkdir(".git", 0755);
	const int error = errno;
	if (fchdir(here_fd) < 0)
		return -1;
	errno = error;
	return code;
}

/* ---- what is there -------------------------------------------------------- */

static int
env_written(void)
{
	return written(open(".env", O_WRONLY | O_CLOEXEC));
}
static int
env_emptied(void)
{
	return open(".env", O_RDONLY | O_TRUNC | O_CLOEXEC);
}
static int
env_truncated(void)
{
	return truncate(".env", 0);
}
static int
env_linked(void)
{
	return link(".env", "l1") != 0 ? -1 : put("l1");
}
static int
env_linked_by_fd(void)
{
	char path[64];
	const int fd = open(".env", O_RDONLY | O_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, here_fd, "l2", AT_SYMLINK_FOLLOW);
}
static int
env_reopened(void)
{
	char path[64];
	const int fd = open(".env", O_RDONLY | O_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return written(open(path, O_WRONLY | O_CLOEXEC));
}
static int
env_reopened_from_path(void)
{
	char path[64];
	const int fd = open(".env", O_PATH | O_CLOEXEC);

	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	return truncate(path, 1);
}
static int
env_by_link(void)
{
	return symlink(".env", "l3") != 0 ? -1 : truncate("l3", 2);
}
static int
env_exchanged(void)
{
	return put("l4") != 0
	    ? -1
	    : renameat2(AT_FDCWD, "l4", AT_FDCWD, ".env", RENAME_EXCHANGE);
}
static int
env_moved(void)
{
	return rename(".env", "l5");
}
static int
env_removed(void)
{
	/* The one before may have taken it. */
	const int fd = open(".env2", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : unlink(".env2");
}
static int
hook_written(void)
{
	return put("sub/.git/hooks/pre-commit");
}
static int
hook_made(void)
{
	return put("sub/.git/hooks/post-checkout");
}
static int
config_written(void)
{
	return put("m1") != 0 ? -1 : rename("m1", "sub/.git/config");
}
static int
hooks_moved(void)
{
	return rename("sub/.git/hooks", "sub/.git/hooks2");
}
static int
repository_moved(void)
{
	return rename("sub/.git", "m2");
}
static int
common_folder_there(void)
{
	return put("sub/.git/commondir");
}
static int
hooks_of_a_module(void)
{
	return FOLDERS("sub/.git/n", "sub/.git/n/x", "sub/.git/n/x/hooks") != 0
	    ? -1
	    : put("sub/.git/n/x/hooks/h") != 0
	    ? -1
	    : rename("sub/.git/n", "sub/.git/modules");
}
static int
bare_repository(void)
{
	return FOLDERS("n1") != 0 ? -1 : put("n1/HEAD");
}
static int
bare_out_of_a_repository(void)
{
	return FOLDERS("sub/.git/n2") != 0 ? -1
	    : put("sub/.git/n2/HEAD") != 0 ? -1
					   : rename("sub/.git/n2", "n2");
}
static int
settings_out_of_a_package(void)
{
	return FOLDERS("node_modules", "node_modules/p",
		   "node_modules/p/.vscode") != 0
	    ? -1
	    : rename("node_modules/p", "p");
}

#define WAY(name)                                                              \
	{                                                                      \
#name, name                                                    \
	}

/* In this order: the last ones take away what the first ones need. */
static const struct {
	const char *name;
	int (*try)(void);
} ways[] = { WAY(open_creates), WAY(open_exclusive), WAY(open_reading_creates),
	WAY(openat_creates), WAY(openat2_creates), WAY(creat_creates),
	WAY(mkdir_makes), WAY(mkdir_with_slash), WAY(mkdirat_makes),
	WAY(mkdir_deep), WAY(mkdir_case), WAY(mkdir_editor), WAY(mknod_fifo),
	WAY(mknodat_file), WAY(symlink_makes), WAY(symlinkat_makes),
	WAY(link_makes), WAY(linkat_makes), WAY(rename_to), WAY(renameat_to),
	WAY(renameat2_to), WAY(rename_folder_to), WAY(bind_makes),
	WAY(tmpfile_linked), WAY(tmpfile_linked_itself), WAY(by_dots),
	WAY(by_dangling_link), WAY(by_chain_of_links), WAY(by_folder_link),
	WAY(by_cwd), WAY(by_thread_cwd), WAY(by_fd), WAY(by_dev_fd),
	WAY(by_root), WAY(by_link_to_cwd), WAY(by_fd_below), WAY(by_thread),
	WAY(by_vfork), WAY(by_closed_memory), WAY(by_depth), WAY(env_written),
	WAY(env_truncated), WAY(env_linked), WAY(env_linked_by_fd),
	WAY(env_reopened), WAY(env_reopened_from_path), WAY(env_by_link),
	WAY(env_emptied), WAY(env_exchanged), WAY(env_moved), WAY(env_removed),
	WAY(hook_written), WAY(hook_made), WAY(config_written),
	WAY(common_folder_there), WAY(hooks_of_a_module), WAY(bare_repository),
	WAY(bare_out_of_a_repository), WAY(settings_out_of_a_package),
	WAY(hooks_moved), WAY(repository_moved) };

int
main(void)
{
	here_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		errno = 0;
		if (ways[i].try() >= 0)
			printf("done %s\n", ways[i].name);
		else
			printf("%s %s\n", strerrorname_np(errno), ways[i].name);
	}
	return 0;
}
