/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fetches of one URL, by libcurl or through egress.
 *
 *     fetch-load direct LANES CALLS SECONDS URL BYTES
 *     fetch-load through LANES CALLS SECONDS URL BYTES SOCKET
 *     fetch-load egress LANES CALLS SECONDS URL BYTES SOCKET STREAMS
 *
 * LANES are under way at once; BYTES is what the answer must have. Through
 * egress they are spread over STREAMS streams of frames (wire/egress.h), each
 * a connection to SOCKET.
 */

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "load.h"
#include "wire/egress.h"
#include "wire/wire.h"

#define LANES_MAX 2048u
#define STREAMS_MAX 64u
#define LARGE (1u << 20)
#define IN_MAX (256u << 10)

struct lane {
	CURL *easy;
	uint64_t started_ns;
	uint64_t bytes;
	uint32_t unread; /* room that is not yet given back */
	uint32_t window; /* grows as a cell's does (js/web/exchange.js) */
};

struct stream {
	int fd;
	struct wire_frame frame; /* the one that is being read */
	size_t head_len; /* of its head, what is there */
	size_t left; /* of its bytes */
	char text[200]; /* of one that is no DATA: why it failed */
	size_t text_len;
};

static struct load_samples samples;
static struct lane lanes[LANES_MAX];
static struct stream *streams[STREAMS_MAX];
static const char *url;
static const char *through; /* a unix socket; NULL: TCP */
static uint64_t expected;
static uint32_t n_lanes, n_streams, wanted, n_started, n_ended;
static uint64_t end_ns;
/* "GET\0URL\0" */
static char request[1024];
static size_t request_len;

static bool
is_over(void)
{
	return n_started >= wanted || load_now_ns() > end_ns;
}

static void
lane_end(struct lane *lane, const char *complaint)
{
	n_ended++;
	if (complaint == NULL && lane->bytes == expected)
		load_sample(&samples, lane->started_ns);
	else
		load_fail(
		    &samples, complaint != NULL ? complaint : "too few bytes");
}

/* ---- libcurl -------------------------------------------------------------- */

static size_t
on_bytes(char *bytes, size_t size, size_t n, void *arg)
{
	struct lane *lane = arg;

	(void)bytes;
	lane->bytes += size * n;
	return size * n;
}

static void
direct_begin(CURLM *multi, struct lane *lane)
{
	n_started++;
	lane->bytes = 0;
	lane->started_ns = load_now_ns();
	curl_multi_add_handle(multi, lane->easy);
}

static void
direct_ended(CURLM *multi)
{
	const CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL) {
		CURL *easy = message->easy_handle;
		const CURLcode code = message->data.result;
		struct lane *lane;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&lane);
		lane_end(
		    lane, code == CURLE_OK ? NULL : curl_easy_strerror(code));
		curl_multi_remove_handle(multi, easy);
		if (!is_over())
			direct_begin(multi, lane);
	}
}

static void
lane_init(struct lane *lane)
{
	lane->easy = curl_easy_init();
	curl_easy_setopt(lane->easy, CURLOPT_URL, url);
	curl_easy_setopt(lane->easy, CURLOPT_PRIVATE, lane);
	curl_easy_setopt(lane->easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(lane->easy, CURLOPT_WRITEDATA, lane);
	curl_easy_setopt(lane->easy, CURLOPT_BUFFERSIZE, 256L << 10);
	curl_easy_setopt(lane->easy, CURLOPT_UNIX_SOCKET_PATH, through);
}

/* One after the other: as plain as a client of libcurl can be. */
static void
direct_one(void)
{
	while (!is_over()) {
		n_started++;
		lanes[0].bytes = 0;
		lanes[0].started_ns = load_now_ns();
		const CURLcode code = curl_easy_perform(lanes[0].easy);
		lane_end(&lanes[0],
		    code == CURLE_OK ? NULL : curl_easy_strerror(code));
	}
}

static void
direct(void)
{
	CURLM *multi = curl_multi_init();
	int running;

	for (uint32_t i = 0; i < n_lanes; i++)
		lane_init(&lanes[i]);
	if (n_lanes == 1) {
		direct_one();
		return;
	}
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)LANES_MAX);
	for (uint32_t i = 0; i < n_lanes; i++)
		direct_begin(multi, &lanes[i]);
	do {
		curl_multi_perform(multi, &running);
		direct_ended(multi);
		curl_multi_poll(multi, NULL, 0, 1000, NULL);
	} while (n_ended < n_started);
}

/* ---- egress --------------------------------------------------------------- */

static void
frame_send(const struct stream *stream, uint32_t type, uint32_t number,
    int32_t code, const void *bytes, size_t len)
{
	static uint8_t out[sizeof(struct wire_frame) + sizeof(request)];
	const struct wire_frame frame = { .type = type,
		.len = (uint32_t)len,
		.code = code,
		.reserved = number };

	memcpy(out, &frame, sizeof(frame));
	if (len > 0)
		memcpy(out + sizeof(frame), bytes, len);
	if (send(stream->fd, out, sizeof(frame) + len, MSG_NOSIGNAL) !=
	    (ssize_t)(sizeof(frame) + len))
		load_die("egress: %s", strerror(errno));
}

static void
egress_begin(const struct stream *stream, struct lane *lane)
{
	n_started++;
	lane->bytes = 0;
	lane->unread = 0;
	lane->window = WIRE_FETCH_WINDOW;
	lane->started_ns = load_now_ns();
	frame_send(stream, WIRE_EGRESS_FETCH, (uint32_t)(lane - lanes), 0,
	    request, request_len);
}

/* Bytes of a body are counted as they come. */
static void
data_take(const struct stream *stream, size_t len)
{
	struct lane *lane = &lanes[stream->frame.reserved];

	lane->bytes += len;
	lane->unread += (uint32_t)len;
	if (lane->bytes >= LARGE && lane->window < WIRE_FETCH_ROOM_MAX) {
		lane->unread += WIRE_FETCH_ROOM_MAX - lane->window;
		lane->window = WIRE_FETCH_ROOM_MAX;
	}
	if (lane->unread < lane->window / 4 || lane->bytes >= expected)
		return;
	frame_send(stream, WIRE_EGRESS_ROOM, stream->frame.reserved,
	    (int32_t)lane->unread, NULL, 0);
	lane->unread = 0;
}

static void
frame_end(const struct stream *stream)
{
	const struct wire_frame *frame = &stream->frame;
	struct lane *lane = &lanes[frame->reserved];

	if (frame->type == WIRE_EGRESS_DATA || frame->type == WIRE_EGRESS_HEAD)
		return;
	lane_end(lane, frame->type == WIRE_EGRESS_END ? NULL : stream->text);
	if (!is_over())
		egress_begin(stream, lane);
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void
text_take(struct stream *stream, const uint8_t *bytes, size_t len)
{
	const size_t n =
	    least(len, sizeof(stream->text) - 1 - stream->text_len);

	memcpy(stream->text + stream->text_len, bytes, n);
	stream->text_len += n;
	stream->text[stream->text_len] = '\0';
}

static void
stream_read(struct stream *stream)
{
	static uint8_t in[IN_MAX];
	const ssize_t n = recv(stream->fd, in, sizeof(in), 0);

	if (n <= 0)
		load_die("egress ended the stream");
	for (size_t at = 0, len; at < (size_t)n; at += len) {
		struct wire_frame *frame = &stream->frame;
		if (stream->head_len < sizeof(*frame)) {
			len = least(
			    (size_t)n - at, sizeof(*frame) - stream->head_len);
			memcpy(
			    (uint8_t *)frame + stream->head_len, in + at, len);
			stream->head_len += len;
			stream->left = frame->len;
		} else {
			len = least((size_t)n - at, stream->left);
			stream->left -= len;
			if (frame->type == WIRE_EGRESS_DATA)
				data_take(stream, len);
			else
				text_take(stream, in + at, len);
		}
		if (stream->head_len == sizeof(*frame) && stream->left == 0) {
			stream->head_len = 0;
			frame_end(stream);
			stream->text_len = 0;
			stream->text[0] = '\0';
		}
	}
}

static struct stream *
stream_open(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stream *stream = calloc(1, sizeof(*stream));

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (stream == NULL ||
	    (stream->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
	    connect(stream->fd, (const void *)&address, sizeof(address)) != 0)
		load_die("%s: %s", path, strerror(errno));
	return stream;
}

static void
through_egress(const char *path)
{
	struct pollfd ready[STREAMS_MAX];

	for (uint32_t i = 0; i < n_streams; i++) {
		streams[i] = stream_open(path);
		ready[i] =
		    (struct pollfd){ .fd = streams[i]->fd, .events = POLLIN };
	}
	for (uint32_t i = 0; i < n_lanes; i++)
		egress_begin(streams[i % n_streams], &lanes[i]);
	while (n_ended < n_started) {
		if (poll(ready, n_streams, LOAD_STALL_MS) == 0)
			load_die("egress says nothing");
		for (uint32_t i = 0; i < n_streams; i++)
			if (ready[i].revents != 0)
				stream_read(streams[i]);
	}
}

int
main(int argc, char **argv)
{
	if (argc < 7 || argc > 9)
		load_die("usage: fetch-load direct|through|egress LANES CALLS "
			 "SECONDS URL BYTES [SOCKET [STREAMS]]");
	through = argc == 8 ? argv[7] : NULL;
	n_lanes = (uint32_t)atoi(argv[2]);
	wanted = (uint32_t)atoi(argv[3]);
	url = argv[5];
	expected = strtoull(argv[6], NULL, 10);
	n_streams = argc == 9 ? (uint32_t)atoi(argv[8]) : 0;
	if (n_lanes > LANES_MAX || n_streams > STREAMS_MAX)
		load_die(
		    "at most %u lanes and %u streams", LANES_MAX, STREAMS_MAX);
	request_len =
	    (size_t)snprintf(request, sizeof(request), "GET%c%s", 0, url) + 1;
	const uint64_t started_ns = load_now_ns();
	end_ns = started_ns + (uint64_t)(strtod(argv[4], NULL) * 1e9);
	if (argc == 9)
		through_egress(argv[7]);
	else
		direct();
	load_report(&samples, (double)(load_now_ns() - started_ns) / 1e9);
	return 0;
}
