/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "box/box.h"
#include "supervisor/supervisor.h"

/* What egress.c needs of its neighbours, who are not asked here. */
static int ended;

void
child_end(struct child *child)
{
	(void)child;
	ended++;
}

void
supervisor_log(const struct supervisor *supervisor, const char *level,
    const char *format, ...)
{
	(void)supervisor;
	(void)level;
	(void)format;
}

void
caller_tell(struct supervisor *supervisor, const struct wire_message *message,
    const int *fds, size_t n_fds, const char *text)
{
	(void)supervisor;
	(void)message;
	(void)fds;
	(void)n_fds;
	(void)text;
}

int
sibling_open(const struct supervisor *supervisor, const char *name, int *fd,
    struct err *err)
{
	(void)supervisor;
	(void)name;
	*fd = -1;
	return err_set(err, -ENOENT, "none");
}

int
child_spawn(struct child *child, const struct box_spawn *spawn, int pair[2],
    struct err *err)
{
	(void)child;
	(void)spawn;
	(void)pair;
	return err_set(err, -ENOENT, "none");
}

void
template_close(struct deployment *deployment)
{
	(void)deployment;
}

void
boxes_kill(struct supervisor *supervisor, uint32_t deployment)
{
	(void)supervisor;
	(void)deployment;
}

/* An egress that reads when the test wants it to. */
static struct supervisor supervisor;
static int egress_fd;
static int told_fd;

static int
set_up(void **state)
{
	int pair[2];

	(void)state;
	if (wire_pair(SOCK_SEQPACKET, pair) != 0)
		return -1;
	fcntl(pair[0], F_SETFL, O_NONBLOCK | O_RDWR);
	supervisor = (struct supervisor){ .egress = { .socket_fd = pair[0] } };
	egress_fd = pair[1];
	told_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ended = 0;
	return told_fd < 0 ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	egress_forget(&supervisor);
	close(supervisor.egress.socket_fd);
	close(egress_fd);
	close(told_fd);
	return 0;
}

static int
tell(uint32_t id)
{
	const struct wire_message message = { .type = WIRE_EGRESS_CELLS,
		.id = id };

	return egress_tell(&supervisor, &message, told_fd);
}

/* Everything that lies in its socket, which is in order. */
static uint32_t
hear(uint32_t next)
{
	static char text[WIRE_TEXT_MAX + 1];
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	while (
	    wire_receive(egress_fd, MSG_DONTWAIT, &message, fds, text) == 0) {
		assert_int_equal(message.id, next++);
		assert_true(fds[0] >= 0);
		close(fds[0]);
	}
	return next;
}

static void
tells_in_order_what_the_socket_has_no_room_for(void **state)
{
	const uint32_t n = 1000; /* the socket takes some 280 */
	uint32_t heard;

	(void)state;
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(tell(i), 0);
	assert_true(supervisor.n_untold > 0);
	egress_flush(&supervisor); /* nothing was read: there is no room */
	assert_true(supervisor.n_untold > 0);
	assert_true((heard = hear(0)) < n);
	assert_int_equal(tell(n), 0); /* not before those that wait */
	while (supervisor.n_untold > 0) {
		egress_flush(&supervisor);
		heard = hear(heard);
	}
	assert_int_equal(heard, n + 1);
	assert_int_equal(ended, 0);
}

static void
ends_one_that_never_listens(void **state)
{
	uint32_t n = 0;

	(void)state;
	while (n < 100000 && tell(n) == 0)
		n++;
	assert_true(n > 1000 && n < 100000);
	assert_int_equal(ended, 1);
	egress_forget(&supervisor);
	assert_int_equal(supervisor.n_untold, 0);
}

static void
tells_nobody_where_there_is_none(void **state)
{
	(void)state;
	close(supervisor.egress.socket_fd);
	supervisor.egress.socket_fd = -1;
	assert_int_equal(tell(0), -ENOTCONN);
	assert_int_equal(supervisor.n_untold, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    tells_in_order_what_the_socket_has_no_room_for, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    ends_one_that_never_listens, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    tells_nobody_where_there_is_none, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
