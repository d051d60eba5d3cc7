/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/folder.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#include "ctl/serve/feed.h"
#include "wire/registry.h"
#include "wire/wire.h"

/* The supervisor's end: notes what it hears, answers COMMIT. */
struct peer {
	int fd;
	int32_t status;
	const char *text;
	struct wire_server servers[8];
	uint32_t types[8];
	size_t n;
	bool ends; /* instead of an answer */
};

static void *
peer_run(void *arg)
{
	static char text[WIRE_TEXT_MAX + 1];
	struct peer *peer = arg;
	struct wire_message message = { 0 };
	int fds[WIRE_FDS_MAX];

	while (message.type != WIRE_COMMIT && peer->n < 8 &&
	    wire_receive(peer->fd, 0, &message, fds, text) == 0) {
		peer->types[peer->n] = message.type;
		if (message.text_len == sizeof(struct wire_server))
			memcpy(&peer->servers[peer->n], text,
			    sizeof(struct wire_server));
		peer->n++;
		for (size_t i = 0; i < WIRE_FDS_MAX; i++) {
			if (fds[i] >= 0)
				close(fds[i]);
		}
	}
	const struct wire_message answer = { .type = WIRE_COMMITTED,
		.status = peer->status,
		.text_len =
		    peer->text != NULL ? (uint32_t)strlen(peer->text) : 0 };
	if (!peer->ends)
		(void)wire_send(peer->fd, &answer, NULL, 0, peer->text);
	close(peer->fd);
	return NULL;
}

static const char settings[] =
    "{\"servers\":{\"tool\":{\"pool_max\":3,\"limits\":{\"cpu\":\"2s\"}},"
    "\"far\":{\"socket\":\"/run/far.sock\",\"share\":\"all\"},"
    "\"there\":{\"url\":\"https://There.example.com:443/mcp\"}}}";

static int
feed(struct peer *peer, int stop_fd, struct err *err)
{
	struct ctl_catalog catalog = { 0 };
	struct ctl_config config;
	pthread_t thread;
	int pair[2];

	file_make("tool.js", "function run() {}");
	ctl_config_init(&config);
	assert_int_equal(ctl_config_parse(&config, "c.json", settings,
			     sizeof(settings) - 1, err),
	    0);
	assert_int_equal(ctl_catalog_add(&catalog, "tool.js", err), 0);
	assert_int_equal(
	    ctl_catalog_named_add(&catalog, "far", WIRE_KIND_SOCKET, err), 0);
	assert_int_equal(
	    ctl_catalog_named_add(&catalog, "there", WIRE_KIND_REMOTE, err), 0);
	assert_int_equal(ctl_catalog_read(&catalog, err), 0);
	assert_int_equal(wire_pair(SOCK_SEQPACKET, pair), 0);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	peer->fd = pair[1];
	const struct ctl_feed channel = { pair[0], stop_fd };
	if (stop_fd < 0)
		assert_int_equal(
		    pthread_create(&thread, NULL, peer_run, peer), 0);
	const int r = ctl_feed_servers(&channel, &catalog, &config, err);
	if (stop_fd < 0)
		assert_int_equal(pthread_join(thread, NULL), 0);
	else
		close(pair[1]);
	close(pair[0]);
	ctl_catalog_fini(&catalog);
	ctl_config_fini(&config);
	return r;
}

static void
every_server_goes_with_what_the_settings_say(void **state)
{
	struct peer peer = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(feed(&peer, -1, &err), 0);
	assert_int_equal(peer.n, 4);
	assert_int_equal(peer.types[0], WIRE_SERVER_SOCKET);
	assert_int_equal(peer.types[1], WIRE_SERVER_SOCKET);
	assert_int_equal(peer.types[2], WIRE_SERVER_BUNDLE);
	assert_int_equal(peer.types[3], WIRE_COMMIT);
	const struct wire_server *far = &peer.servers[0];
	const struct wire_server *there = &peer.servers[1];
	const struct wire_server *tool = &peer.servers[2];
	assert_int_equal(there->launch.kind, WIRE_KIND_REMOTE);
	assert_string_equal(there->launch.url, "https://there.example.com/mcp");
	assert_string_equal(far->launch.name, "far");
	assert_string_equal(far->launch.socket, "/run/far.sock");
	assert_int_equal(far->launch.kind, WIRE_KIND_SOCKET);
	assert_int_equal(far->launch.share, WIRE_SHARE_ALL);
	assert_string_equal(tool->launch.name, "tool");
	assert_string_equal(tool->launch.tenant, "local");
	assert_int_equal(tool->launch.pool_max, 3);
	assert_int_equal(tool->launch.limits.cpu_ns, 2000000000);
	assert_int_equal(tool->origin, WIRE_ORIGIN_FOLDER);
	assert_int_equal(tool->state, WIRE_STATE_APPROVED);
	assert_memory_not_equal(tool->launch.digest, far->launch.digest, 32);
}

static void
what_the_store_says_is_the_sentence(void **state)
{
	struct peer peer = { .status = EEXIST, .text = "it is there twice" };
	struct err err;

	(void)state;
	assert_int_equal(feed(&peer, -1, &err), CTL_E_FEED_REFUSED);
	assert_string_equal(err.text, "it is there twice");
	peer = (struct peer){ .status = ENOSPC };
	assert_int_equal(feed(&peer, -1, &err), CTL_E_FEED_REFUSED);
	assert_string_equal(err.text, strerror(ENOSPC));
}

static void
a_supervisor_that_ends_is_noticed(void **state)
{
	struct peer peer = { .ends = true };
	struct err err;

	(void)state;
	assert_int_equal(feed(&peer, -1, &err), CTL_E_FEED_LOST);
}

static void
told_to_end_it_does_not_wait(void **state)
{
	struct peer peer = { 0 };
	struct err err;
	int pipes[2];

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(write(pipes[1], "x", 1), 1);
	assert_int_equal(feed(&peer, pipes[0], &err), CTL_E_FEED_STOPPED);
	close(pipes[0]);
	close(pipes[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(every_server_goes_with_what_the_settings_say),
		folder_test(what_the_store_says_is_the_sentence),
		folder_test(a_supervisor_that_ends_is_noticed),
		folder_test(told_to_end_it_does_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
