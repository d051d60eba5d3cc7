/* SPDX-License-Identifier: Apache-2.0
 *
 * Ordinary work with files, every corner of the calls that init does in a
 * guarded box. Prints a line for each outcome: they are the same without a
 * guard, and guard.test.mjs compares. Runs in an empty folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void
say(const char *what, long result)
{
	printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
}

#define SAY(call) say(#call, (long)(call))

/* What comes of an open: mode, flags, number, whether it is handed down. */
static void
opened(const char *what, int fd)
{
	struct stat stat = { 0 };

	if (fd < 0) {
		say(what, -1);
		return;
	}
	fstat(fd, &stat);
	printf("%s: fd %d mode %o flags %o fdflags %d size %ld\n", what, fd,
	    stat.st_mode, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD),
	    S_ISREG(stat.st_mode) ? (long)stat.st_size : 0);
	close(fd);
}

#define OPENED(call) opened(#call, call)

static void
opens(void)
{
	OPENED(open("a", O_WRONLY | O_CREAT, 0666));
	OPENED(open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	OPENED(open("a", O_RDWR | O_CREAT | O_EXCL, 0600));
	OPENED(open("a", O_WRONLY | O_APPEND | O_NONBLOCK));
	OPENED(open("a", O_WRONLY | O_SYNC | O_NOATIME));
	OPENED(open("a", O_RDONLY | O_TRUNC));
	OPENED(open("a", O_RDONLY | O_CREAT, 0600));
	OPENED(open("a", O_WRONLY | O_DIRECTORY));
	OPENED(open("a", O_PATH | O_RDWR | O_CREAT, 0600));
	OPENED(open("a/", O_WRONLY));
	OPENED(open("a/b", O_WRONLY | O_CREAT, 0600));
	OPENED(open("none", O_WRONLY));
	OPENED(open("none/", O_WRONLY | O_CREAT, 0600));
	OPENED(open("none/b", O_WRONLY | O_CREAT, 0600));
	OPENED(open(".", O_RDWR));
	OPENED(open("..", O_WRONLY));
	OPENED(open("/", O_RDWR));
	OPENED(open("", O_WRONLY));
	OPENED(open((char *)1, O_WRONLY));
	OPENED(open(".", O_TMPFILE | O_RDWR, 0666));
	OPENED(open(".", O_RDONLY | O_CREAT | O_DIRECTORY, 0666));
	OPENED(openat(-5, "x", O_WRONLY | O_CREAT, 0666));
	OPENED(openat(0, "x", O_WRONLY | O_CREAT, 0666));
	OPENED(open("/dev/null", O_WRONLY));
	OPENED(open("/dev/full", O_RDWR | O_TRUNC | O_CREAT, 0666));
	OPENED(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	OPENED(open("/dev/tty", O_RDWR));
	OPENED(open("/usr/x", O_WRONLY | O_CREAT, 0666));
	OPENED(open("/etc/passwd", O_WRONLY));
	OPENED(open("/tmp/x", O_WRONLY | O_CREAT, 0666));
	OPENED(open("/proc/self/comm", O_WRONLY));
	OPENED(open("/proc/1/comm", O_WRONLY));
	OPENED(open("/proc/self/mem", O_RDWR));
	umask(077);
	OPENED(open("umask", O_WRONLY | O_CREAT, 0666));
	umask(0);
	OPENED(open("umask0", O_WRONLY | O_CREAT, 01666));
	SAY(mkdir("umask1", 0777));
	OPENED(open("umask1", O_RDONLY | O_DIRECTORY));
	umask(022);
}

static char name_long[300], path_long[5000];

static void
names(void)
{
	memset(name_long, 'n', 256);
	for (size_t i = 0; i < sizeof(path_long) - 1; i++)
		path_long[i] = i % 2 == 0 ? '.' : '/';
	SAY(mkdir("d", 0755));
	SAY(mkdir("d", 0755));
	SAY(mkdir("d/e/", 0755));
	SAY(mkdir("d/./..//d/e2///", 0755));
	SAY(mkdir("none/e", 0755));
	SAY(mkdir("a/e", 0755));
	SAY(mkdir(".", 0755));
	SAY(mkdir("..", 0755));
	SAY(mkdir("/", 0755));
	SAY(mkdir("", 0755));
	SAY(mkdir(name_long, 0755));
	SAY(mkdir(path_long, 0755));
	SAY(mkdir((char *)1, 0755));
	SAY(mkdirat(99, "d", 0755));
	SAY(rmdir("d"));
	SAY(rmdir("d/e/."));
	SAY(rmdir("d/e/.."));
	SAY(rmdir("d/e/"));
	SAY(rmdir("a"));
	SAY(unlink("d"));
	SAY(unlink("none"));
	SAY(unlink("a/"));
	SAY(unlinkat(AT_FDCWD, "d", 0x8000));
	SAY(unlinkat(AT_FDCWD, "d/e2", AT_REMOVEDIR));
	SAY(mknod("reg", S_IFREG | 0640, 0));
	SAY(mknod("fifo", S_IFIFO | 0640, 0));
	SAY(mknod("dev", S_IFCHR | 0640, 0x103));
	SAY(mknod("reg", S_IFREG | 0640, 0));
	SAY(truncate("reg", 100));
	SAY(truncate("reg", -1));
	SAY(truncate("d", 0));
	SAY(truncate("fifo", 0));
	SAY(truncate("none", 0));
	SAY(rename("reg", "reg2"));
	SAY(rename("reg", "reg2"));
	SAY(rename("d", "d/x"));
	SAY(rename("reg2", "d"));
	SAY(rename("d", "reg2"));
	SAY(rename("d/", "d3/"));
	SAY(rename("reg2", "/tmp/reg2"));
	SAY(rename(".", "dot"));
	SAY(renameat2(AT_FDCWD, "reg2", AT_FDCWD, "d3", RENAME_NOREPLACE));
	SAY(renameat2(AT_FDCWD, "reg2", AT_FDCWD, "d3", RENAME_EXCHANGE));
	SAY(renameat2(AT_FDCWD, "reg2", AT_FDCWD, "d3", 77));
	SAY(link("d3", "l1"));
	SAY(link("l1", "l1"));
	SAY(link("reg2", "l2"));
	SAY(linkat(AT_FDCWD, "l1", AT_FDCWD, "l3", 0x4));
	SAY(unlink("d3"));
}

static void
links(void)
{
	char path[64], name[32], next[32];

	SAY(symlink("s-target", "s"));
	SAY(symlink("x", "s"));
	SAY(symlink("", "s0"));
	SAY(symlink("x", "none/s"));
	OPENED(open("s", O_WRONLY | O_CREAT | O_EXCL, 0666));
	OPENED(open("s", O_WRONLY | O_CREAT | O_NOFOLLOW, 0666));
	OPENED(open("s", O_WRONLY));
	OPENED(open("s/", O_WRONLY | O_CREAT, 0666));
	OPENED(open("s", O_WRONLY | O_CREAT, 0666));
	SAY(unlink("s-target"));
	SAY(truncate("s", 5));
	SAY(symlink("loop", "loop"));
	OPENED(open("loop", O_WRONLY));
	OPENED(open("loop/x", O_WRONLY));
	OPENED(open("loop", O_WRONLY | O_CREAT | O_NOFOLLOW, 0666));
	for (int i = 0; i <= 41; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		snprintf(next, sizeof(next), "c%d", i + 1);
		if (symlink(next, name) < 0)
			SAY(-1);
	}
	OPENED(open("c2", O_WRONLY | O_CREAT, 0666));
	OPENED(open("c1", O_WRONLY | O_CREAT, 0666));
	SAY(mkdir("f", 0755));
	SAY(symlink("f", "to-f"));
	SAY(symlink("to-f/", "to-to-f"));
	SAY(mkdir("to-to-f/g", 0755));
	SAY(mkdir("to-f", 0755));
	SAY(rmdir("to-f/"));
	OPENED(open("to-to-f/g/h", O_WRONLY | O_CREAT, 0666));
	OPENED(open("to-f", O_TMPFILE | O_WRONLY, 0666));
	OPENED(open("to-f", O_TMPFILE | O_WRONLY | O_NOFOLLOW, 0666));
	OPENED(open("to-f/../f/g/../h", O_WRONLY | O_CREAT, 0666));
	SAY(linkat(AT_FDCWD, "s", AT_FDCWD, "s-hard", 0));
	SAY(linkat(AT_FDCWD, "s", AT_FDCWD, "s-file", AT_SYMLINK_FOLLOW));
	SAY(symlink("/proc/self/fd", "fds"));
	SAY(symlink("umask", "u"));
	SAY(linkat(AT_FDCWD, "u", AT_FDCWD, "u-file", AT_SYMLINK_FOLLOW));
	const int fd = open("umask0", O_RDWR | O_CLOEXEC);
	snprintf(path, sizeof(path), "fds/%d", fd);
	OPENED(open(path, O_WRONLY | O_APPEND));
	OPENED(open(path, O_WRONLY | O_NOFOLLOW));
	OPENED(open(path, O_WRONLY | O_CREAT | O_EXCL, 0666));
	SAY(truncate(path, 7));
	SAY(unlink("umask0"));
	OPENED(open(path, O_RDWR));
	OPENED(open(path, O_RDWR | O_CREAT, 0600));
	SAY(linkat(AT_FDCWD, path, AT_FDCWD, "again", AT_SYMLINK_FOLLOW));
	close(fd);
	OPENED(open(path, O_RDWR));
	const int tmp_fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", tmp_fd);
	SAY(linkat(AT_FDCWD, path, AT_FDCWD, "tmp", AT_SYMLINK_FOLLOW));
	OPENED(open("tmp", O_RDWR));
	close(tmp_fd);
	const int folder_fd = open("f", O_PATH | O_CLOEXEC);
	OPENED(openat(folder_fd, "at", O_WRONLY | O_CREAT, 0666));
	SAY(renameat(folder_fd, "at", folder_fd, "at2"));
	SAY(unlinkat(folder_fd, "at2", 0));
	SAY(rename("f", "f2"));
	OPENED(openat(folder_fd, "at3", O_WRONLY | O_CREAT, 0666));
	close(folder_fd);
}

static void *
fifo_read(void *path)
{
	char c;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	return (void *)(long)(read(fd, &c, 1) == 1 && close(fd) == 0);
}

static void
pipes(void)
{
	char path[64];
	char fifo[] = "fifo";
	pthread_t thread;
	void *result = NULL;
	int ends[2];

	OPENED(open("fifo", O_WRONLY | O_NONBLOCK));
	OPENED(open("fifo", O_RDWR));
	pthread_create(&thread, NULL, fifo_read, fifo);
	const int fd = open("fifo", O_WRONLY | O_CLOEXEC);
	SAY(write(fd, "x", 1));
	close(fd);
	pthread_join(thread, &result);
	printf("read from a FIFO: %ld\n", (long)result);
	SAY(pipe2(ends, O_CLOEXEC));
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[1]);
	OPENED(open(path, O_WRONLY));
	SAY(linkat(AT_FDCWD, path, AT_FDCWD, "p", AT_SYMLINK_FOLLOW));
	close(ends[0]);
	close(ends[1]);
	const int memory_fd = memfd_create("m", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", memory_fd);
	OPENED(open(path, O_RDWR | O_TRUNC));
	close(memory_fd);
}

static void
sockets(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	const struct sockaddr_un un = { AF_UNIX, "sock" };
	int pair[2];

	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SAY(bind(fd, (struct sockaddr *)&in, sizeof(in)));
	SAY(bind(fd, (struct sockaddr *)&in, sizeof(in)));
	SAY(bind(fd, (struct sockaddr *)&in, 1));
	SAY(bind(99, (struct sockaddr *)&in, sizeof(in)));
	SAY(bind(0, (struct sockaddr *)&in, sizeof(in)));
	close(fd);
	SAY(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	SAY(bind(pair[0], (const struct sockaddr *)&un, sizeof(un)));
	SAY(bind(pair[1], (const struct sockaddr *)&un, sizeof(un)));
	SAY(unlink("sock"));
	close(pair[0]);
	close(pair[1]);
}

static void
descriptors(void)
{
	struct rlimit limit, less = { 0, 0 };

	getrlimit(RLIMIT_NOFILE, &limit);
	less = limit;
	less.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &less);
	OPENED(open("a", O_WRONLY));
	setrlimit(RLIMIT_NOFILE, &limit);
	OPENED(open("a", O_WRONLY));
}

static void
tick(int number)
{
	(void)number;
}

/* A call that a signal interrupts is done once, not twice. */
static void
signals(void)
{
	const struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { 0 };
	struct sigaction action = { .sa_handler = tick,
		.sa_flags = SA_RESTART };
	int twice = 0, failed = 0;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 2000; i++) {
		if (mkdir("often", 0755) < 0)
			twice += errno == EEXIST, failed += errno != EEXIST;
		if (rmdir("often") < 0)
			twice += errno == ENOENT, failed += errno != ENOENT;
		const int fd =
		    open("once", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		failed += fd < 0 || close(fd) < 0 || unlink("once") < 0;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	printf("twice %d, failed %d\n", twice, failed);
}

int
main(void)
{
	int status;

	umask(022);
	opens();
	names();
	links();
	pipes();
	sockets();
	descriptors();
	signals();
	fflush(stdout);
	const pid_t pid = vfork();
	if (pid == 0)
		_exit(syscall(SYS_mkdirat, AT_FDCWD, "born", 0700) < 0);
	waitpid(pid, &status, 0);
	printf("vfork: %d\n", status);
	return 0;
}
