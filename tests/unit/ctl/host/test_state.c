/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/folder.h"

#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "ctl/host/state.h"

static int
state_setup(void **state)
{
	return folder_setup(state) != 0 ||
	    setenv("CORDON_STATE", folder, 1) != 0;
}

static mode_t
mode_of(const char *path)
{
	struct stat status;

	assert_int_equal(lstat(path, &status), 0);
	return status.st_mode & 07777;
}

static void
a_host_takes_it_and_gives_it_back(void **test_state)
{
	struct ctl_state state = CTL_STATE_NONE;
	struct err err;

	(void)test_state;
	umask(022);
	if (ctl_state_open(&state, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(mode_of("store"), 0700);
	assert_int_equal(mode_of("admin.sock"), 0600);
	assert_int_equal(mode_of("lock"), 0600);
	assert_int_equal(fcntl(state.store_fd, F_GETFL) & O_PATH, O_PATH);
	ctl_state_fini(&state);
	assert_int_equal(access("admin.sock", F_OK), -1);
	assert_int_equal(state.admin_fd, -1);
	assert_int_equal(ctl_state_open(&state, &err), 0);
	ctl_state_fini(&state);
}

static void
a_second_host_is_refused(void **test_state)
{
	struct ctl_state first = CTL_STATE_NONE, second = CTL_STATE_NONE;
	struct err err;

	(void)test_state;
	assert_int_equal(ctl_state_open(&first, &err), 0);
	assert_int_equal(ctl_state_open(&second, &err), -EBUSY);
	assert_non_null(strstr(err.text, "a host is running"));
	assert_non_null(strstr(err.text, folder));
	ctl_state_fini(&second);
	/* Refused, it has not taken the socket of the first along. */
	assert_int_equal(access("admin.sock", F_OK), 0);
	ctl_state_fini(&first);
}

/* Its supervisor still has the lock, itself has ended. */
static void
one_that_is_on_its_way_out_is_waited_for(void **test_state)
{
	struct ctl_state state = CTL_STATE_NONE;
	struct err err;
	char text[32];
	int pipes[2], status;

	(void)test_state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	const pid_t ended = fork();
	if (ended == 0)
		_exit(0);
	assert_int_equal(waitpid(ended, &status, 0), ended);
	snprintf(text, sizeof(text), "%d\n", ended);
	file_make("lock", text);
	const pid_t holder = fork();
	if (holder == 0) {
		const int fd = open("lock", O_RDWR | O_CLOEXEC);

		(void)!(flock(fd, LOCK_EX) == 0 && write(pipes[1], "x", 1));
		usleep(200000);
		_exit(0);
	}
	assert_int_equal(read(pipes[0], text, 1), 1);
	if (ctl_state_open(&state, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(waitpid(holder, &status, 0), holder);
	ctl_state_fini(&state);
	close(pipes[0]);
	close(pipes[1]);
}

static int
socket_make(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void
a_socket_that_nobody_serves_is_replaced(void **test_state)
{
	struct ctl_state state = CTL_STATE_NONE;
	struct err err;

	(void)test_state;
	close(socket_make("admin.sock"));
	assert_int_equal(access("admin.sock", F_OK), 0);
	if (ctl_state_open(&state, &err) != 0)
		fail_msg("%s", err.text);
	ctl_state_fini(&state);
}

static void
a_socket_that_answers_is_left_alone(void **test_state)
{
	struct ctl_state state = CTL_STATE_NONE;
	struct err err;
	const int fd = socket_make("admin.sock");

	(void)test_state;
	assert_int_equal(ctl_state_open(&state, &err), -EADDRINUSE);
	ctl_state_fini(&state);
	assert_int_equal(access("admin.sock", F_OK), 0);
	close(fd);
}

static void
what_others_can_read_is_refused(void **test_state)
{
	struct ctl_state state = CTL_STATE_NONE;
	struct err err;

	(void)test_state;
	assert_int_equal(mkdir("store", 0700), 0);
	assert_int_equal(chmod("store", 0750), 0);
	assert_int_equal(ctl_state_open(&state, &err), -EPERM);
	assert_non_null(strstr(err.text, "chmod 700"));
	ctl_state_fini(&state);
	assert_int_equal(rmdir("store"), 0);
	assert_int_equal(symlink("/tmp", "store"), 0);
	assert_int_not_equal(ctl_state_open(&state, &err), 0);
	ctl_state_fini(&state);
}

static void
a_path_too_long_for_a_socket_is_told(void **test_state)
{
	struct ctl_state state = CTL_STATE_NONE;
	struct err err;
	char path[PATH_MAX];

	(void)test_state;
	/* Below the test's folder, by a long way round. */
	snprintf(path, 64, "%.63s", folder);
	for (int i = 0; i < 30; i++)
		strcat(path, "/./.");
	assert_int_equal(setenv("CORDON_STATE", path, 1), 0);
	assert_int_equal(ctl_state_open(&state, &err), -ENAMETOOLONG);
	assert_non_null(strstr(err.text, "CORDON_STATE"));
	ctl_state_fini(&state);
	assert_int_equal(unsetenv("CORDON_STATE"), 0);
}

#define state_test(test)                                                       \
	cmocka_unit_test_setup_teardown(test, state_setup, folder_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(a_host_takes_it_and_gives_it_back),
		state_test(a_second_host_is_refused),
		state_test(one_that_is_on_its_way_out_is_waited_for),
		state_test(a_socket_that_nobody_serves_is_replaced),
		state_test(a_socket_that_answers_is_left_alone),
		state_test(what_others_can_read_is_refused),
		state_test(a_path_too_long_for_a_socket_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
