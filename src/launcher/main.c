/* SPDX-License-Identifier: Apache-2.0
 *
 * cordon-box: starts one box for the supervisor, and waits for its end.
 *
 *     cordon-box --spec FD --notes FD [--egress FD] [--memory-group yes]
 *
 * 0, 1 and 2 are the program's own. Our control group is the box's, too; it
 * bounds their memory, or it does not. What goes wrong is told by a note; the
 * exit status is that of the box's init (box/launch.h). Once the box stands,
 * this process can do nothing but wait. What it holds to the end is the channel
 * that listeners went over: its end is the box's (box/listener.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/caps.h"
#include "box/launch.h"
#include "box/payload.h"

struct options {
	int spec_fd;
	int notes_fd;
	int egress_fd; /* -1: the box has no network */
	bool has_memory_group;
};

static int
usage(void)
{
	dprintf(2, "cordon-box is started by cordon-supervisor\n");
	return BOX_EXIT_FAILED;
}

static int
options_parse(int argc, char **argv, struct options *options)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--spec") == 0)
			options->spec_fd = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--notes") == 0)
			options->notes_fd = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--egress") == 0)
			options->egress_fd = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--memory-group") == 0)
			options->has_memory_group =
			    strcmp(argv[i + 1], "yes") == 0;
		else
			return -EINVAL;
	}
	return argc % 2 == 1 && options->spec_fd > 2 && options->notes_fd > 2
	    ? 0
	    : -EINVAL;
}

static int
fail(int notes_fd, int code, const struct err *err)
{
	struct box_note note = { .kind = BOX_NOTE_FAILED, .code = -code };

	note.text_len = (uint32_t)strlen(err->text);
	memcpy(note.text, err->text, note.text_len);
	send(notes_fd, &note, BOX_NOTE_HEAD + note.text_len,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	return BOX_EXIT_FAILED;
}

/* Capabilities first, but those that the change of user needs: who is nobody
 * may not lock them out any more. A user has none to lose. */
static int
root_leave(void)
{
	const uid_t uid = BOX_PAYLOAD_UID_BASE + (uid_t)getpid();

	if (geteuid() != 0)
		return 0;
	const int code = box_caps_drop(1ull << CAP_SETUID | 1ull << CAP_SETGID);
	if (code != 0)
		return code;
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return -errno;
	return box_caps_drop(0);
}

/* No capability, no descriptor but that channel, nobody's user, next to no
 * system call. */
static int
confine(int egress_fd)
{
	const struct payload_filter filter = payload_filter_init();
	const struct sock_fprog program = { filter.n_insns,
		(struct sock_filter *)(uintptr_t)filter.insns };

	if (egress_fd >= 0 && dup3(egress_fd, 0, O_CLOEXEC) < 0)
		return -errno;
	syscall(SYS_close_range, egress_fd >= 0 ? 1 : 0, ~0u, 0);
	const int code = root_leave();
	if (code != 0)
		return code;
	if (prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0
	    ? -errno
	    : 0;
}

static int
wait_for(const struct box_child *child)
{
	int status;

	while (waitpid(child->pid, &status, 0) < 0)
		if (errno != EINTR)
			return BOX_EXIT_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int
spec_read(const struct options *options, struct box_spec *spec, void **memoryp,
    struct err *err)
{
	const int code = box_spec_read(options->spec_fd, spec, memoryp);

	return code == 0 ? 0
			 : err_set(err, code < 0 ? code : -EINVAL,
			       "the box's spec cannot be read");
}

int
main(int argc, char **argv)
{
	struct options options = {
		.spec_fd = -1, .notes_fd = -1, .egress_fd = -1
	};
	struct box_spec spec;
	struct box_child child;
	struct err err = { "" };
	auto_free void *memory = NULL;

	if (options_parse(argc, argv, &options) != 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return usage();
	fcntl(options.notes_fd, F_SETFD, FD_CLOEXEC);
	if (options.egress_fd >= 0)
		fcntl(options.egress_fd, F_SETFD, FD_CLOEXEC);
	int code = spec_read(&options, &spec, &memory, &err);
	if (code == 0) {
		const struct box_launch launch = { .spec = &spec,
			.stdio = { 0, 1, 2 },
			.notes_fd = options.notes_fd,
			.egress_fd = options.egress_fd,
			.has_memory_group = options.has_memory_group };
		code = box_launch(&launch, &child, &err);
	}
	if (code != 0)
		return fail(options.notes_fd, code, &err);
	code = confine(options.egress_fd);
	if (code != 0)
		_exit(BOX_EXIT_FAILED); /* and the box with us */
	_exit(wait_for(&child));
}
