/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <event2/event.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/server.h"

struct scene {
	struct event_base *base;
	struct http_server *server;
	unsigned n_heads;
	unsigned n_requests;
	unsigned n_gone;
	unsigned n_left;
	bool streams; /* answers begin, and wait */
};

static void
on_head(void *arg, struct http_request *request)
{
	((struct scene *)arg)->n_heads++;
	http_request_owner_set(request, arg);
}

/* Answered later; here: never. */
static void
on_request(void *arg, struct http_request *request)
{
	struct scene *scene = arg;

	scene->n_requests++;
	if (scene->streams)
		http_stream_begin(request, 200, NULL, 0);
}

static void
on_gone(void *owner, struct http_request *request)
{
	(void)request;
	((struct scene *)owner)->n_gone++;
}

static void
on_left(void *arg, void *visitor)
{
	(void)visitor;
	((struct scene *)arg)->n_left++;
}

static void
on_nothing(void *owner, struct http_request *request)
{
	(void)owner;
	(void)request;
}

static const struct http_ops ops = { .head = on_head,
	.request = on_request,
	.gone = on_gone,
	.drained = on_nothing,
	.silent = on_nothing,
	.left = on_left };

static int
set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	const struct http_options options = { .ops = &ops,
		.arg = scene,
		.connections_max = 8,
		.arrival_ms = 60000,
		.idle_ms = 60000,
		.silence_ms = UINT_MAX };

	scene->base = event_base_new();
	assert_int_equal(
	    http_server_new(&scene->server, scene->base, &options), 0);
	*state = scene;
	return 0;
}

static int
tear_down(void **state)
{
	struct scene *scene = *state;

	event_base_free(scene->base);
	free(scene);
	return 0;
}

static void
say(int fd)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

	assert_int_equal(
	    send(fd, head, sizeof(head) - 1, MSG_NOSIGNAL), sizeof(head) - 1);
}

/* Our end of a connection that the server has. */
static int
adopted(struct scene *scene)
{
	int pair[2];

	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
	    0);
	assert_int_equal(http_server_adopt(scene->server, pair[1], scene), 0);
	return pair[0];
}

/* A head that nobody has read yet is not begun at the end: what would wait for
 * its answer could not be ended. */
static void
ends_with_a_request_in_a_socket(void **state)
{
	struct scene *scene = *state;
	auto_close int fd = adopted(scene);

	/* the server knows the connection, and has seen nothing of it */
	assert_int_equal(event_base_loop(scene->base, EVLOOP_NONBLOCK), 0);
	say(fd);
	http_server_free(scene->server);
	assert_int_equal(scene->n_requests, 0);
	assert_int_equal(scene->n_left, 1);
}

static void
ends_with_a_request_in_a_new_socket(void **state)
{
	struct scene *scene = *state;
	auto_close int fd = adopted(scene);

	say(fd);
	http_server_free(scene->server);
	assert_int_equal(scene->n_requests, 0);
	assert_int_equal(scene->n_left, 1);
}

static void
request_begins(struct scene *scene, int fd)
{
	say(fd);
	while (scene->n_requests == 0)
		assert_int_equal(event_base_loop(scene->base, EVLOOP_ONCE), 0);
}

static void
ends_with_a_request_that_waits(void **state)
{
	struct scene *scene = *state;
	auto_close int fd = adopted(scene);

	request_begins(scene, fd);
	say(fd);
	http_server_free(scene->server);
	assert_int_equal(scene->n_requests, 1);
	assert_int_equal(scene->n_gone, 1);
	assert_int_equal(scene->n_left, 1);
}

static void
ends_with_an_answer_that_waits(void **state)
{
	struct scene *scene = *state;
	auto_close int fd = adopted(scene);

	scene->streams = true;
	request_begins(scene, fd);
	http_server_free(scene->server);
	assert_int_equal(scene->n_gone, 1);
	assert_int_equal(scene->n_left, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ends_with_a_request_in_a_socket),
		TEST(ends_with_a_request_in_a_new_socket),
		TEST(ends_with_a_request_that_waits),
		TEST(ends_with_an_answer_that_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
