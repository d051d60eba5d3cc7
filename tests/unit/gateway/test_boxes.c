/* SPDX-License-Identifier: Apache-2.0 */
#include "behind_fake.h"

#include "box/launch.h"
#include "gateway/behind/behind.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

static struct fake_answer answer, other;
static struct fake_surface told;
static struct wire_deployment *launch;

static int
set_up(void **state)
{
	(void)state;
	fake_start(WIRE_KIND_BOX);
	launch = &fake_servers[0].record.launch;
	launch->box = (struct wire_box)WIRE_BOX_DEFAULT;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fake_stop();
	return 0;
}

/* A legacy server with one tool, started for client 0. */
static void
start_legacy(void)
{
	fake_surface_get(0, 0, &told);
	fake_greet(0, "{\"tools\":{}}");
	fake_serve_tools(0, "{\"name\":\"t\",\"inputSchema\":{}}");
	fake_until(&told.is_told);
	assert_non_null(told.surface);
}

static void
serve_call(unsigned link, struct fake_answer *served)
{
	const char *request = fake_read(link);

	assert_non_null(strstr(request, "\"tools/call\""));
	fake_reply(link, request, "\"result\":{\"content\":[]}");
	fake_until(&served->is_done);
	assert_int_equal(served->end, UPSTREAM_RESULT);
}

static void
call(unsigned client, struct fake_answer *made)
{
	fake_call(0, client, "tools/call", "{\"name\":\"t\"}", made);
}

static void
assert_logged(const char *text)
{
	if (strstr(fake_server_log, text) == NULL)
		fail_msg("'%s' is not in: %s", text, fake_server_log);
}

/* Until the server's log has it. */
static void
await_logged(const char *text)
{
	for (int i = 0; i < 10000; i++) {
		if (strstr(fake_server_log, text) != NULL)
			return;
		struct timeval tick = { 0, 1000 };
		event_base_loopexit(fake_gateway.base, &tick);
		event_base_loop(fake_gateway.base, 0);
	}
	assert_logged(text);
}

static void
say(unsigned link, const char *text)
{
	assert_int_equal(
	    write(fake_stderrs[link], text, strlen(text)), strlen(text));
	fake_settle();
}

static void
keeps_what_is_said_on_stderr_line_by_line(void **state)
{
	char line[3000];
	(void)state;

	start_legacy();
	say(0, "one\r\ntw");
	say(0, "o\n\n\x1b[31mred");
	assert_logged("1 one\n1 two\n");
	assert_null(strstr(fake_server_log, "red")); /* it has no end yet */
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	say(0, "\n");
	say(0, line);
	say(0, "y\nnext\n");
	assert_logged("red\n");
	line[1024] = '\0';
	assert_logged(line);
	assert_null(strstr(fake_server_log, "xy"));
	assert_logged("1 next\n");
}

static void
keeps_the_last_words_of_one_that_crashes(void **state)
{
	static const char words[] = "Segmentation fault";
	(void)state;

	start_legacy();
	call(0, &answer);
	fake_read(0);
	assert_int_equal(write(fake_stderrs[0], words, sizeof(words) - 1),
	    sizeof(words) - 1);
	struct box_note note = { .kind = BOX_NOTE_EXITED, .code = SIGSEGV };
	assert_int_equal(
	    send(fake_notes[0], &note, BOX_NOTE_HEAD, 0), BOX_NOTE_HEAD);
	fake_box_end(0);
	fake_until(&answer.is_done);
	assert_non_null(strstr(answer.value, "ended by signal 11"));
	assert_logged(words);
	assert_int_equal(fake_servers[0].n_box_ends[UPSTREAM_OVER_LEFT], 1);
	assert_int_equal(fake_servers[0].n_boxes, 0);
}

static void
lets_no_flood_of_lines_in(void **state)
{
	unsigned n = 0;
	(void)state;

	start_legacy();
	for (int i = 0; i < 1000; i++)
		assert_int_equal(write(fake_stderrs[0], "flood\n", 6), 6);
	fake_settle();
	for (const char *at = fake_server_log;
	     (at = strstr(at, "flood")) != NULL; at++)
		n++;
	assert_true(n >= 200 && n <= 400); /* a second may begin meanwhile */
	await_logged("are left out");
}

static void
tells_what_was_refused(void **state)
{
	(void)state;
	start_legacy();
	fake_note(0, BOX_NOTE_STARTED, 0, 0, "memory 512 MiB");
	fake_note(0, BOX_NOTE_STARTED, 0, 0, "");
	fake_note(0, BOX_NOTE_FILE, BOX_VERB_READ, 3, "/home/x/.ssh/id_rsa");
	fake_note(0, BOX_NOTE_CALL, 101, 1, "ptrace");
	fake_note(0, BOX_NOTE_NET, 0, 1, "connect tcp 10.0.0.1:80");
	fake_note(0, BOX_NOTE_LOST, 0, 7, "");
	assert_logged("1 limits in force: memory 512 MiB\n");
	assert_logged("2 refused: read /home/x/.ssh/id_rsa (3 times)\n");
	assert_logged("2 refused: system call ptrace\n");
	assert_logged("2 refused: connect tcp 10.0.0.1:80\n");
	assert_logged("2 7 more refusals were too many to tell\n");
}

static void
ends_one_whose_notes_are_none(void **state)
{
	(void)state;
	start_legacy();
	for (int i = 0; i < 16; i++) {
		struct box_note note = { .kind = BOX_NOTE_FILE,
			.text_len = 4000 };
		const size_t len = i % 2 == 0 ? 7 : BOX_NOTE_HEAD + 3;
		assert_int_equal(send(fake_notes[0], &note, len, 0), len);
	}
	fake_settle();
	assert_logged("notes what is no note");
	await_logged("ended: the server's box was broken");
}

/* Its init tells how it ended, who reaped it why. */
static void
names_the_limit_that_ended_it(void **state)
{
	(void)state;
	start_legacy();
	call(0, &answer);
	fake_read(0);
	shutdown(fake_links[0], SHUT_RDWR);
	fake_settle();
	assert_false(answer.is_done);
	fake_note(0, BOX_NOTE_EXITED, SIGKILL, 0, "");
	fake_note(0, BOX_NOTE_LIMIT, 0, 0, "memory limit of 512 MiB");
	fake_box_end(0);
	fake_until(&answer.is_done);
	assert_non_null(strstr(answer.value,
	    "the server was ended by its memory limit of 512 MiB"));
	assert_int_equal(fake_servers[0].n_box_ends[UPSTREAM_OVER_LIMIT], 1);
}

static void
says_why_it_could_not_start(void **state)
{
	(void)state;
	call(0, &answer);
	fake_settle();
	fake_note(0, BOX_NOTE_FAILED, 2, 0, "/usr/bin/nothing: not there");
	fake_box_end(0);
	fake_until(&answer.is_done);
	assert_int_equal(answer.end, UPSTREAM_ERROR);
	assert_non_null(strstr(answer.value,
	    "the server could not start: /usr/bin/nothing: not there"));
	assert_int_equal(fake_n_links, 1); /* it is not tried in other words */
}

static void
gives_a_start_its_time_and_no_more(void **state)
{
	(void)state;
	launch->box.start_ms = 200;
	call(0, &answer);
	fake_until(&answer.is_done);
	assert_non_null(strstr(answer.value, "did not answer"));
	assert_int_equal(fake_servers[0].n_box_ends[UPSTREAM_OVER_FAILED], 0);
	fake_box_end(0);
	fake_settle();
	assert_int_equal(fake_servers[0].n_box_ends[UPSTREAM_OVER_SILENT], 1);
}

static void
starts_no_more_often_than_it_may(void **state)
{
	(void)state;
	launch->box.starts_per_minute = 1;
	start_legacy();
	fake_note(0, BOX_NOTE_EXITED, 0, 0, "");
	fake_box_end(0);
	await_logged("ended: the server ended with exit code 0");
	call(0, &answer);
	fake_until(&answer.is_done);
	assert_non_null(strstr(answer.value, "starts_per_minute"));
	assert_int_equal(answer.status, 503);
	assert_int_equal(fake_n_links, 1);
}

/* stdin is closed first; TERM is asked for when that is not enough. */
static void
ends_an_idle_one_by_its_stdin_then_by_order(void **state)
{
	struct box_order order = { .signal = 77 };
	char byte;
	(void)state;

	launch->box.idle_s = 1;
	start_legacy();
	await_logged("1 ended: it was idle");
	assert_int_equal(read(fake_links[0], &byte, 1), 0);
	struct pollfd ready = { fake_notes[0], POLLIN, 0 };
	assert_int_equal(poll(&ready, 1, 0), 0);
	assert_int_equal(fake_servers[0].n_boxes, 1);
	for (int i = 0; i < 4000 && poll(&ready, 1, 1) == 0; i++)
		fake_settle();
	assert_int_equal(
	    recv(fake_notes[0], &order, sizeof(order), MSG_DONTWAIT),
	    sizeof(order));
	assert_int_equal(order.signal, 0);
	fake_box_end(0);
	fake_settle();
	assert_int_equal(fake_servers[0].n_boxes, 0);
	assert_int_equal(fake_servers[0].n_box_ends[UPSTREAM_OVER_IDLE], 1);
}

static void
greets_the_next_one_before_an_old_one_ends(void **state)
{
	(void)state;
	launch->box.life_s = 1;
	start_legacy();
	call(0, &answer);
	const char *request = fake_read(0);
	assert_non_null(strstr(request, "\"tools/call\""));
	char kept[4096];
	snprintf(kept, sizeof(kept), "%s", request);
	fake_greet(1, "{\"tools\":{}}"); /* once the first is a second old */
	fake_settle();
	call(0, &other);
	serve_call(1, &other);
	assert_false(answer.is_done); /* it goes on where it began */
	fake_reply(0, kept, "\"result\":{\"content\":[]}");
	fake_until(&answer.is_done);
	await_logged("ended: a younger one took its place");
}

static void
has_a_spare_for_the_next_who_comes(void **state)
{
	(void)state;
	launch->box.spares = 1;
	start_legacy();
	fake_greet(1, "{\"tools\":{}}"); /* nobody has asked */
	call(1, &answer);
	serve_call(1, &answer);
	fake_greet(2, "{\"tools\":{}}"); /* the next spare */
	call(0, &other);
	serve_call(0, &other);
	assert_int_equal(upstream_links(&fake_servers[0]), 3);
}

/* A legacy server is told once what its client can do. */
static void
gives_no_spare_that_was_told_other_capabilities(void **state)
{
	(void)state;
	launch->box.spares = 1;
	start_legacy();
	fake_greet(1, "{\"tools\":{}}");
	fake_clients[1].can = MCP_CAN_ROOTS;
	call(1, &answer);
	const char *request = fake_read(2);
	assert_non_null(strstr(request, "\"roots\""));
	await_logged("it was greeted for other capabilities");
	fake_reply(2, request,
	    "\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{"
	    "},\"serverInfo\":{\"name\":\"f\",\"version\":\"1\"}}");
	assert_non_null(strstr(fake_read(2), "\"notifications/initialized\""));
	serve_call(2, &answer);
	request = fake_read(3); /* the new spare can the same */
	assert_non_null(strstr(request, "\"roots\""));
}

static void
time_out(void)
{
	launch->limits.wall_ns = 100000000u;
	call(0, &answer);
	fake_read(0);
	fake_until(&answer.is_done);
	assert_non_null(strstr(answer.value, "timeout"));
	launch->limits.wall_ns = 30000000000u;
	assert_non_null(strstr(fake_read(0), "notifications/cancelled"));
}

static void
asks_one_that_was_slow_whether_it_is_there(void **state)
{
	(void)state;
	start_legacy();
	time_out();
	call(0, &other);
	const char *request = fake_read(0);
	assert_non_null(strstr(request, "\"ping\""));
	assert_true(fake_read_nothing(0));
	fake_reply(0, request, "\"result\":{}");
	serve_call(0, &other);
}

static void
replaces_one_that_is_not_there(void **state)
{
	(void)state;
	start_legacy();
	time_out();
	call(0, &other);
	assert_non_null(strstr(fake_read(0), "\"ping\""));
	fake_greet(1, "{\"tools\":{}}"); /* five seconds later */
	serve_call(1, &other);
	await_logged("did not answer within 5 s whether it is there");
}

static void
takes_a_late_answer_to_the_probe(void **state)
{
	char probe[4096];
	(void)state;

	fake_surface_get(0, 0, &told);
	snprintf(probe, sizeof(probe), "%s", fake_read(0));
	assert_non_null(strstr(probe, "\"server/discover\""));
	assert_non_null(strstr(fake_read(0), "\"initialize\""));
	fake_reply(0, probe,
	    "\"result\":{\"resultType\":\"complete\",\"supportedVersions\":["
	    "\"2026-07-28\"],\"capabilities\":{\"tools\":{}},\"_meta\":{"
	    "\"io.modelcontextprotocol/serverInfo\":{\"name\":\"m\","
	    "\"version\":\"2\"}}}");
	assert_non_null(strstr(fake_read(0), "\"subscriptions/listen\""));
	fake_serve_tools(0, "{\"name\":\"t\",\"inputSchema\":{}}");
	fake_until(&told.is_told);
	assert_int_equal(told.surface->era, MCP_MODERN);
}

static void
ends_its_box_when_it_is_restarted(void **state)
{
	char byte;
	(void)state;

	start_legacy();
	upstream_restart(&fake_gateway, &fake_servers[0]);
	fake_settle();
	assert_int_equal(read(fake_links[0], &byte, 1), 0);
	fake_box_end(0);
	fake_settle();
	assert_int_equal(fake_servers[0].n_box_ends[UPSTREAM_OVER_STOPPED], 1);
	assert_int_equal(fake_servers[0].n_box_starts, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(keeps_what_is_said_on_stderr_line_by_line),
		T(keeps_the_last_words_of_one_that_crashes),
		T(lets_no_flood_of_lines_in),
		T(tells_what_was_refused),
		T(ends_one_whose_notes_are_none),
		T(names_the_limit_that_ended_it),
		T(says_why_it_could_not_start),
		T(gives_a_start_its_time_and_no_more),
		T(starts_no_more_often_than_it_may),
		T(ends_an_idle_one_by_its_stdin_then_by_order),
		T(greets_the_next_one_before_an_old_one_ends),
		T(has_a_spare_for_the_next_who_comes),
		T(gives_no_spare_that_was_told_other_capabilities),
		T(asks_one_that_was_slow_whether_it_is_there),
		T(replaces_one_that_is_not_there),
		T(takes_a_late_answer_to_the_probe),
		T(ends_its_box_when_it_is_restarted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
