/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/box.h"
#include "supervisor/supervisor.h"

#if defined(__x86_64__)
#define LOADER "/lib64/ld-linux-x86-64.so.2"
#define MACHINE 62 /* EM_X86_64 */
#define MACHINE_NAME "x86-64"
#elif defined(__aarch64__)
#define LOADER "/lib/ld-linux-aarch64.so.1"
#define MACHINE 183 /* EM_AARCH64 */
#define MACHINE_NAME "arm64"
#endif

#define ZYGOTE_START_MS 20000

/* Started by root, our processes are users of their own: to them a file that
 * was made under a strict umask is closed. */
static int
others_check(int fd, const char *name, struct err *err)
{
	struct stat stat;

	if (geteuid() != 0)
		return 0;
	if (fstat(fd, &stat) < 0)
		return err_set(err, -errno, "%s: %s", name, strerror(errno));
	const mode_t needed =
	    S_IROTH | (stat.st_mode & S_IXUSR ? (mode_t)S_IXOTH : 0);
	if ((stat.st_mode & needed) == needed)
		return 0;
	return err_set(err, -EACCES,
	    "%s may be read only by its owner (mode %04o), and started by "
	    "root cordon's processes are users of their own: chmod o+rX what "
	    "lies beside cordon-supervisor, and build with umask 022",
	    name, stat.st_mode & 07777);
}

int
sibling_open(const struct supervisor *supervisor, const char *name, int *fd,
    struct err *err)
{
	*fd = openat(supervisor->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return err_set(err, -errno,
		    "%s is missing beside cordon-supervisor (%s): build or "
		    "install cordon again",
		    name, strerror(errno));
	return others_check(*fd, name, err);
}

/* elf(5): e_machine of the engine, before the loader's own words for it. */
static int
engine_check(int engine_fd, struct err *err)
{
	unsigned char head[20];

	if (pread(engine_fd, head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head, "\177ELF", 4) != 0)
		return err_set(err, -ENOEXEC,
		    "engine/node is no program: run "
		    "'npm ci' and build again");
	if ((head[18] | head[19] << 8) != MACHINE)
		return err_set(err, -ENOEXEC,
		    "engine/node is built for another machine "
		    "than " MACHINE_NAME
		    ": install the node-linux package of this "
		    "architecture");
	return 0;
}

void
child_end(struct child *child)
{
	if (child->pid != 0)
		syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
}

void
caller_end(struct supervisor *supervisor)
{
	if (supervisor->gateway.pid != 0)
		child_end(&supervisor->gateway);
	else
		shutdown(supervisor->gateway.socket_fd, SHUT_RDWR);
}

void
caller_tell(struct supervisor *supervisor, const struct wire_message *message,
    const int *fds, size_t n_fds, const char *text)
{
	struct child *gateway = &supervisor->gateway;

	if (wire_send(gateway->socket_fd, message, fds, n_fds, text) != -EAGAIN)
		return; /* one that is gone shows at its own descriptor */
	supervisor_log(supervisor, "error",
	    "the gateway does not read its answers: ending it");
	caller_end(supervisor);
}

int
child_spawn(struct child *child, const struct box_spawn *spawn, int pair[2],
    struct err *err)
{
	const int code = box_spawn(spawn, &child->pid, &child->pidfd, err);

	close(pair[1]);
	if (code != 0) {
		close(pair[0]);
		return code;
	}
	child->socket_fd = pair[0];
	child->started_ms = supervisor_now_ms();
	return 0;
}

int
zygote_greeted(struct child *zygote, const struct wire_message *message,
    const char *text, struct err *err)
{
	if (message->type == WIRE_ZYGOTE_REFUSED)
		return err_set(err, -EINVAL, "%.900s", text);
	if (message->type != WIRE_ZYGOTE_READY)
		return err_set(
		    err, -EPROTO, "the isolate engine says nonsense");
	zygote->ready = true;
	return 0;
}

int
zygote_wait(struct child *zygote, struct err *err)
{
	static char text[WIRE_TEXT_MAX + 1];
	struct wire_message message;
	struct pollfd fd = { .fd = zygote->socket_fd, .events = POLLIN };
	int fds[WIRE_FDS_MAX];

	if (poll(&fd, 1, ZYGOTE_START_MS) != 1)
		return err_set(err, -ETIMEDOUT,
		    "the isolate engine does not start within %d s",
		    ZYGOTE_START_MS / 1000);
	if (wire_receive(fd.fd, 0, &message, fds, text) != 0)
		return err_set(err, -EIO, "%s", ZYGOTE_ENDED_EARLY);
	return zygote_greeted(zygote, &message, text, err);
}

int
zygote_start(struct supervisor *supervisor, uint32_t which, struct err *err)
{
	struct child *zygote = &supervisor->zygotes[which];
	const char *const argv[] = { "cordon-zygote", "--preload",
		"/proc/self/fd/5", "/proc/self/fd/4",
		which == ZYGOTE_JITLESS ? "--jitless" : "--jit",
		supervisor->plan.flags & WIRE_PLAN_ONCE ? "--once" : NULL,
		NULL };
	int engine = -1, glue = -1, platform = -1, pair[2];

	auto_close int loader_fd = open(LOADER, O_RDONLY | O_CLOEXEC);
	if (loader_fd < 0)
		return err_set(
		    err, -errno, "the dynamic loader " LOADER " is missing");
	int code = sibling_open(supervisor, "engine/node", &engine, err);
	auto_close int engine_fd = engine;
	if (code == 0)
		code = engine_check(engine_fd, err);
	if (code == 0)
		code = sibling_open(supervisor, "cordon-cell.so", &glue, err);
	auto_close int glue_fd = glue;
	if (code == 0)
		code = sibling_open(
		    supervisor, "cordon-platform.js", &platform, err);
	auto_close int platform_fd = platform;
	if (code != 0)
		return code;
	if ((code = wire_pair(SOCK_SEQPACKET, pair)) != 0)
		return err_set(err, code, "socketpair: %s", strerror(-code));

	const int fds[] = { pair[1], engine_fd, glue_fd, platform_fd };
	const struct box_spawn spawn = { .domain = "zygote",
		.exe_fd = loader_fd,
		.argv = argv,
		.fds = fds,
		.n_fds = ARRAY_LEN(fds) };
	code = child_spawn(zygote, &spawn, pair, err);
	zygote->ready = false;
	zygote->ready_by_ms = supervisor_now_ms() + ZYGOTE_START_MS;
	return code;
}

int
gateway_start(struct supervisor *supervisor, struct err *err)
{
	/* The heritage is numbered from 3 in the order of fds[]. */
	const char *argv[12] = { "cordon-gateway", "--plan", "3",
		"--supervisor", "4", "--listen", "5" };
	int fds[5] = { supervisor->plan_fd, -1, supervisor->plan.listen_fd };
	int exe = -1, pair[2], n_words = 7;
	uint32_t n_fds = 3;
	const struct {
		const char *word;
		int fd;
	} more[] = { { "--admin", supervisor->plan.admin_fd },
		{ "--tls", supervisor->tls_fd } };
	static const char *const numbers[] = { "6", "7" };

	int code = sibling_open(supervisor, "cordon-gateway", &exe, err);
	auto_close int exe_fd = exe;
	if (code != 0)
		return code;
	if ((code = wire_pair(SOCK_SEQPACKET, pair)) != 0)
		return err_set(err, code, "socketpair: %s", strerror(-code));

	fds[1] = pair[1];
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		if (more[i].fd < 3)
			continue;
		argv[n_words++] = more[i].word;
		argv[n_words++] = numbers[n_fds - 3];
		fds[n_fds++] = more[i].fd;
	}
	const struct box_spawn spawn = { .domain = "gateway",
		.exe_fd = exe_fd,
		.argv = argv,
		.fds = fds,
		.n_fds = n_fds };
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	return child_spawn(&supervisor->gateway, &spawn, pair, err);
}

/*
 * Started by root, the store is a user of its own: the folder and the files of
 * its database become that user's. By name, no link followed, and no file that
 * has another name elsewhere: who could write there shall not be given others'
 * files.
 */
static int
file_give(int dir_fd, const char *name, uid_t owner)
{
	struct stat stat;

	auto_close int fd =
	    openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &stat) < 0)
		return -errno;
	if (!S_ISREG(stat.st_mode) || stat.st_nlink != 1)
		return -EMLINK;
	return fchownat(fd, "", owner, owner, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int
folder_give(int store_fd, struct err *err)
{
	static const char *const names[] = { "cordon.db", "cordon.db-wal",
		"cordon.db-journal" };
	const struct box_domain *domain = box_domain_find("store");
	const uid_t owner = BOX_UID_BASE + domain->uid_offset;

	auto_close int dir_fd =
	    openat(store_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0 || fchmod(dir_fd, 0700) < 0)
		return err_set(
		    err, -errno, "the store's folder: %s", strerror(errno));
	if (geteuid() != 0)
		return 0;
	if (fchown(dir_fd, owner, owner) < 0)
		return err_set(err, -errno,
		    "the store's folder cannot be given to uid %u: %s", owner,
		    strerror(errno));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const int code = file_give(dir_fd, names[i], owner);
		if (code != 0)
			return err_set(err, code,
			    "%s in the store's folder is no plain file of one "
			    "name, or cannot be given to uid %u: %s",
			    names[i], owner, strerror(-code));
	}
	return 0;
}

int
store_start(struct supervisor *supervisor, struct err *err)
{
	const bool has_vault = supervisor->plan.vault_fd >= 3;
	const char *const argv[] = { "cordon-store", "--plan", "3",
		"--supervisor", "4", has_vault ? "--vault" : NULL, "5", NULL };
	int exe = -1, pair[2];

	int code = sibling_open(supervisor, "cordon-store", &exe, err);
	auto_close int exe_fd = exe;
	if (code == 0)
		code = folder_give(supervisor->plan.store_fd, err);
	if (code != 0)
		return code;
	if ((code = wire_pair(SOCK_SEQPACKET, pair)) != 0)
		return err_set(err, code, "socketpair: %s", strerror(-code));

	const int fds[] = { supervisor->plan_fd, pair[1],
		supervisor->plan.vault_fd };
	const struct box_spawn spawn = { .domain = "store",
		.exe_fd = exe_fd,
		.argv = argv,
		.fds = fds,
		.n_fds = has_vault ? 3 : 2,
		.folder_fd = supervisor->plan.store_fd };
	/* Ours alone: the store may wait for us, we never for it. */
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	return child_spawn(&supervisor->store, &spawn, pair, err);
}
