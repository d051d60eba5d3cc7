/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "mcp/stream.h"

static char got[4096];
static bool goes_on;

static bool
take(void *arg, const char *raw_text, size_t len)
{
	const size_t used = strlen(got);

	(void)arg;
	snprintf(got + used, sizeof(got) - used, "[%.*s]", (int)len, raw_text);
	return goes_on;
}

static int
feed_lines(const char *text, size_t piece, size_t limit)
{
	const size_t len = strlen(text);
	struct mcp_lines lines;
	int r = 0;

	got[0] = '\0';
	mcp_lines_init(&lines, limit);
	for (size_t at = 0; at < len && r == 0; at += piece)
		r = mcp_lines_feed(&lines, text + at,
		    len - at < piece ? len - at : piece, take, NULL);
	mcp_lines_fini(&lines);
	return r;
}

static int
feed_events(const char *text, size_t piece, size_t limit)
{
	const size_t len = strlen(text);
	struct mcp_events events;
	int r = 0;

	got[0] = '\0';
	mcp_events_init(&events, limit);
	for (size_t at = 0; at < len && r == 0; at += piece)
		r = mcp_events_feed(&events, text + at,
		    len - at < piece ? len - at : piece, take, NULL);
	mcp_events_fini(&events);
	return r;
}

static void
cuts_lines_however_they_come(void **state)
{
	(void)state;
	goes_on = true;
	for (size_t piece = 1; piece < 20; piece++) {
		assert_int_equal(
		    feed_lines("ab\n\ncde\r\n\r\nf g\nrest", piece, 100), 0);
		assert_string_equal(got, "[ab][cde][f g]");
	}
}

static void
has_one_limit_whatever_the_pieces(void **state)
{
	(void)state;
	goes_on = true;
	for (size_t piece = 1; piece < 20; piece++) {
		assert_int_equal(feed_lines("12345678\nx\n", piece, 8), 0);
		assert_string_equal(got, "[12345678][x]");
		assert_int_equal(feed_lines("x\n123456789\n", piece, 8),
		    MCP_E_MESSAGE_TOO_LONG);
		assert_string_equal(got, "[x]");
		assert_int_equal(
		    feed_events("data: 12345678901\n\n", piece, 12),
		    MCP_E_MESSAGE_TOO_LONG);
	}
	/* Nor by many lines. */
	assert_int_equal(
	    feed_events("data:1234\ndata:1234\ndata:1234\n", 5, 12),
	    MCP_E_MESSAGE_TOO_LONG);
}

static void
stops_when_told(void **state)
{
	(void)state;
	goes_on = false;
	assert_int_equal(feed_lines("a\nb\n", 10, 100), MCP_E_STOPPED);
	assert_string_equal(got, "[a]");
	assert_int_equal(
	    feed_events("data:a\n\ndata:b\n\n", 100, 100), MCP_E_STOPPED);
	assert_string_equal(got, "[a]");
}

static void
reads_events_as_browsers_do(void **state)
{
	static const char text[] = "\xef\xbb\xbf"
				   "data: a\ndata:b\r\rid: 7\nevent: message\n"
				   "data\r\ndata:  c\r\n\r\n: data: no\n"
				   "datax: no\n\ndata:\n\ndata: never";

	(void)state;
	goes_on = true;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		assert_int_equal(feed_events(text, piece, 100), 0);
		assert_string_equal(got, "[a\nb][\n c]");
	}
}

static char seen[256];

static bool
look(void *arg, const char *raw_text, size_t len)
{
	const struct mcp_events *events = arg;
	const size_t used = strlen(seen);

	snprintf(seen + used, sizeof(seen) - used, "[%.9s|%s|%.*s]", events->id,
	    events->name, (int)len, raw_text);
	return true;
}

/* HTML 9.2.6: the id counts once its event is complete; a name is of one. */
static void
an_event_has_its_id_and_name(void **state)
{
	static const char text[] =
	    "id: 1\nevent: endpoint\nretry: 250\ndata: a\n\n"
	    "data: b\n\nid: 2\n\nretry: x\nid\ndata: c\n\n"
	    "id: 3\ndata: d\n\nid: 4\ndata: cut";

	(void)state;
	for (size_t piece = 1; piece < 30; piece++) {
		struct mcp_events events;

		seen[0] = '\0';
		mcp_events_init(&events, 100);
		for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
			const size_t left = sizeof(text) - 1 - at;
			assert_int_equal(
			    mcp_events_feed(&events, text + at,
				left < piece ? left : piece, look, &events),
			    0);
		}
		assert_string_equal(seen, "[1|endpoint|a][1||b][||c][3||d]");
		assert_string_equal(events.id, "3");
		assert_int_equal(events.retry_ms, 250);
		mcp_events_fini(&events);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_lines_however_they_come),
		cmocka_unit_test(has_one_limit_whatever_the_pieces),
		cmocka_unit_test(stops_when_told),
		cmocka_unit_test(an_event_has_its_id_and_name),
		cmocka_unit_test(reads_events_as_browsers_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
