/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/notes.h"

/* What was said, as text; the caller frees. */
struct heard {
	struct ctl_notes notes;
	FILE *file;
	char *text;
	size_t len;
};

static void
heard_init(struct heard *heard, bool json, bool live)
{
	*heard = (struct heard){ 0 };
	heard->file = open_memstream(&heard->text, &heard->len);
	assert_non_null(heard->file);
	ctl_notes_init(&heard->notes, "test", heard->file);
	heard->notes.json = json;
	heard->notes.live = live;
}

static const char *
heard_text(struct heard *heard)
{
	fflush(heard->file);
	return heard->text;
}

static void
heard_fini(struct heard *heard)
{
	ctl_notes_fini(&heard->notes);
	fclose(heard->file);
	free(heard->text);
}

static void
take(struct heard *heard, uint32_t kind, int32_t code, const char *text)
{
	struct box_note note = { .kind = kind, .code = code, .count = 1 };

	note.text_len = (uint32_t)strlen(text);
	memcpy(note.text, text, note.text_len + 1);
	ctl_notes_take(&heard->notes, &note);
}

static void
tells_each_thing_once_and_what_grants_it(void **state)
{
	struct heard heard;

	(void)state;
	heard_init(&heard, false, false);
	take(&heard, BOX_NOTE_FILE, BOX_VERB_READ, "/etc/hostname");
	take(&heard, BOX_NOTE_FILE, BOX_VERB_READ, "/etc/hostname");
	take(&heard, BOX_NOTE_FILE, BOX_VERB_MAKE, "/usr/new");
	take(&heard, BOX_NOTE_FILE, BOX_VERB_REMOVE, "/usr/bin");
	take(&heard, BOX_NOTE_CALL, 165, "mount");
	take(&heard, BOX_NOTE_NET, 0, "connect tcp 10.0.0.1:80");
	assert_int_equal(heard.len, 0);
	ctl_notes_end(&heard.notes, 0);
	assert_string_equal(heard_text(&heard),
	    "test: the box refused\n"
	    "  read    /etc/hostname  (2 times)\n"
	    "  remove  /usr/bin\n"
	    "  make    /usr/new\n"
	    "  call    mount\n"
	    "  net     connect tcp 10.0.0.1:80\n"
	    "  granted by --read /etc/hostname --write /usr\n"
	    "  this box has no network\n"
	    "  such calls are granted by no option\n");
	heard_fini(&heard);
}

static void
is_silent_on_files_that_nobody_has(void **state)
{
	struct heard heard;

	(void)state;
	heard_init(&heard, false, false);
	heard.notes.hint = "a hint";
	take(&heard, BOX_NOTE_FILE, BOX_VERB_READ, "/nowhere/at/all");
	take(&heard, BOX_NOTE_FILE, BOX_VERB_MAKE, "/nowhere/at/all");
	take(&heard, BOX_NOTE_FILE, BOX_VERB_RUN, "/usr/bin/no-such-program");
	take(&heard, BOX_NOTE_FILE, BOX_VERB_READ, "/etc/hostname/no-folder");
	ctl_notes_end(&heard.notes, 0);
	assert_int_equal(heard.len, 0);
	ctl_notes_end(&heard.notes, 1);
	assert_string_equal(heard_text(&heard), "test: a hint\n");
	heard_fini(&heard);
}

static void
takes_what_lies_behind_a_link_for_there(void **state)
{
	struct heard heard;

	(void)state;
	heard_init(&heard, false, false);
	take(&heard, BOX_NOTE_FILE, BOX_VERB_READ, "/proc/self/nowhere");
	take(&heard, BOX_NOTE_FILE, BOX_VERB_READ, "/usr//bin/env");
	ctl_notes_end(&heard.notes, 0);
	assert_non_null(strstr(heard_text(&heard), "/proc/self/nowhere"));
	assert_non_null(strstr(heard_text(&heard), "/usr//bin/env"));
	heard_fini(&heard);
}

static void
says_json_one_object_a_line(void **state)
{
	struct heard heard;

	(void)state;
	heard_init(&heard, true, true);
	take(&heard, BOX_NOTE_STARTED, 0, "memory v1");
	take(&heard, BOX_NOTE_FILE, BOX_VERB_WRITE, "/etc/hostname");
	take(&heard, BOX_NOTE_FILE, BOX_VERB_WRITE, "/etc/hostname");
	take(&heard, BOX_NOTE_CALL, 165, "mount");
	take(&heard, BOX_NOTE_NET, 0, "connect unix /run/x");
	ctl_notes_end(&heard.notes, 0);
	assert_string_equal(heard_text(&heard),
	    "{\"kind\":\"started\",\"text\":\"memory v1\"}\n"
	    "{\"kind\":\"file\",\"verb\":\"write\",\"path\":\"/etc/hostname\","
	    "\"count\":1,\"grant\":[\"--write\",\"/etc/hostname\"]}\n"
	    "{\"kind\":\"call\",\"call\":\"mount\",\"number\":165,"
	    "\"count\":1}\n"
	    "{\"kind\":\"net\",\"text\":\"connect unix /run/x\",\"count\":1,"
	    "\"grant\":[\"--unix-sockets\"]}\n");
	heard_fini(&heard);
}

static void
lets_no_text_move_the_cursor_or_end_a_word(void **state)
{
	struct heard heard;

	(void)state;
	heard_init(&heard, false, false);
	take(&heard, BOX_NOTE_CALL, 1, "a\x1b[2J\nb");
	take(&heard, BOX_NOTE_FILE, BOX_VERB_MAKE, "/usr/$(x)\n/y");
	take(&heard, BOX_NOTE_FILE, BOX_VERB_MAKE, "/usr/$(x)");
	take(&heard, BOX_NOTE_FAILED, 2, "no \x1b[31m such");
	ctl_notes_end(&heard.notes, 125);
	assert_null(strchr(heard_text(&heard), '\x1b'));
	assert_non_null(strstr(heard_text(&heard), "a\\x1b[2J\\x0ab\n"));
	assert_non_null(strstr(heard_text(&heard), "test: no \\x1b[31m"));
	assert_non_null(
	    strstr(heard_text(&heard), "granted by --write /usr\n"));
	heard_fini(&heard);
}

static void
counts_what_is_too_much_to_tell(void **state)
{
	struct heard heard;
	char text[32];

	(void)state;
	heard_init(&heard, false, false);
	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "call %d", i);
		take(&heard, BOX_NOTE_CALL, i, text);
	}
	ctl_notes_end(&heard.notes, 0);
	assert_non_null(strstr(heard_text(&heard), "and 994 more"));
	assert_non_null(strstr(heard_text(&heard), "test: 976 more refusals"));
	heard_fini(&heard);
}

static void
believes_no_length_of_a_note(void **state)
{
	struct box_note out = { .kind = BOX_NOTE_CALL }, in;
	int pair[2];

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(ctl_note_read(pair[0], &in), -EAGAIN);
	memset(out.text, 'x', sizeof(out.text));
	for (size_t len = 0; len <= sizeof(out); len += 9) {
		out.text_len = 3;
		assert_int_equal(send(pair[1], &out, len, 0), len);
		if (len > 0)
			assert_int_equal(ctl_note_read(pair[0], &in),
			    len == BOX_NOTE_HEAD + 3 ? 1 : -EPROTO);
		else
			assert_int_equal(ctl_note_read(pair[0], &in), 0);
	}
	out.text_len = BOX_NOTE_TEXT_MAX;
	assert_int_equal(send(pair[1], &out, sizeof(out), 0), sizeof(out));
	assert_int_equal(ctl_note_read(pair[0], &in), 1);
	assert_int_equal(strlen(in.text), BOX_NOTE_TEXT_MAX - 1);
	out.text_len = UINT32_MAX;
	assert_int_equal(send(pair[1], &out, sizeof(out), 0), sizeof(out));
	assert_int_equal(ctl_note_read(pair[0], &in), -EPROTO);
	close(pair[1]);
	assert_int_equal(ctl_note_read(pair[0], &in), 0);
	close(pair[0]);
}

static struct wire_egress_event
event_of(const char *host, uint16_t port, uint8_t scheme, uint32_t end)
{
	struct wire_egress_event event = { .end = end,
		.port = port,
		.scheme = scheme,
		.refused = end != WIRE_EGRESS_OK,
		.text = "no rule allows it" };

	strcpy(event.host, host);
	return event;
}

static void
tells_what_did_not_go_out(void **state)
{
	static struct policy_network network;
	static const struct {
		const char *host;
		uint16_t port;
		uint8_t scheme;
		uint32_t end;
	} events[] = {
		{ "api.example.com", 443, ADDR_HTTPS, WIRE_EGRESS_NO_RULE },
		{ "api.example.com", 443, ADDR_HTTPS, WIRE_EGRESS_NO_RULE },
		{ "api.example.com", 0, 0, WIRE_EGRESS_NO_RULE },
		{ "db.example.com", 5432, ADDR_TCP, WIRE_EGRESS_NO_RULE },
		{ "fine.example.com", 443, ADDR_HTTPS, WIRE_EGRESS_OK },
		{ "in.example.com", 443, ADDR_HTTPS, WIRE_EGRESS_ADDRESS },
		{ "10.0.0.1", 80, ADDR_HTTP, WIRE_EGRESS_NO_RULE },
	};
	struct heard heard;

	(void)state;
	heard_init(&heard, false, false);
	heard.notes.network = &network;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		const struct wire_egress_event event = event_of(events[i].host,
		    events[i].port, events[i].scheme, events[i].end);
		ctl_notes_event(&heard.notes, &event);
	}
	take(&heard, BOX_NOTE_NET, 0, "connect 1.1.1.1:53");
	take(&heard, BOX_NOTE_NET, 0, "connect 10.0.0.1:80");
	ctl_notes_end(&heard.notes, 0);
	assert_string_equal(heard_text(&heard),
	    "test: the box refused\n"
	    "  net     connect 1.1.1.1:53\n"
	    "  net     connect 10.0.0.1:80\n"
	    "  net     10.0.0.1:80: no rule allows it\n"
	    "  net     api.example.com: no rule allows it\n"
	    "  net     api.example.com:443: no rule allows it  (2 times)\n"
	    "  net     db.example.com:5432: no rule allows it\n"
	    "  net     in.example.com:443: no rule allows it\n"
	    "  granted by --net 1.1.1.1:53 --net api.example.com --net "
	    "tcp://db.example.com:5432\n");
	heard_fini(&heard);
}

static void
proposes_no_more_than_was_asked_for(void **state)
{
	static struct policy_network network;
	char word[CTL_EVENT_WORD_MAX] = "";
	size_t n = 0, m = 0;
	static const char deny[] = "*.evil.example.com";
	static const char narrow[] = "https://api.example.com/v1/";

	(void)state;
	assert_int_equal(addr_rule_parse(deny, strlen(deny), ADDR_RULE_DENY,
			     network.rules, &n, NULL),
	    0);
	assert_int_equal(addr_rule_parse(narrow, strlen(narrow), 0,
			     network.rules + n, &m, NULL),
	    0);
	network.n_rules = n + m;
	struct wire_egress_event event = event_of(
	    "x.evil.example.com", 443, ADDR_HTTPS, WIRE_EGRESS_NO_RULE);
	assert_false(ctl_event_word(&event, &network, word));
	event =
	    event_of("api.example.com", 443, ADDR_HTTPS, WIRE_EGRESS_NO_RULE);
	strcpy(event.path, "/v2/x");
	assert_true(ctl_event_word(&event, &network, word));
	assert_string_equal(word, "https://api.example.com/v2/x");
	assert_true(ctl_event_word(&event, NULL, word));
	assert_string_equal(word, "api.example.com");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_did_not_go_out),
		cmocka_unit_test(proposes_no_more_than_was_asked_for),
		cmocka_unit_test(tells_each_thing_once_and_what_grants_it),
		cmocka_unit_test(is_silent_on_files_that_nobody_has),
		cmocka_unit_test(takes_what_lies_behind_a_link_for_there),
		cmocka_unit_test(says_json_one_object_a_line),
		cmocka_unit_test(lets_no_text_move_the_cursor_or_end_a_word),
		cmocka_unit_test(counts_what_is_too_much_to_tell),
		cmocka_unit_test(believes_no_length_of_a_note),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
